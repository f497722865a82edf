"""``huntgroup transcript``: gets one from a running broker, and verifies one without any. See ``broker.views``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from broker.cli import common, remote
from broker.cli.common import Exit, UsageError, add_config, add_json, config_of, print_json
from broker.units import MIB

if TYPE_CHECKING:
    from broker.views.verify import Verdict
    from clients.python.client import Client

FORMATS: Final = ("text", "html", "json")
MOST_BYTES: Final = 256 * MIB  # of a file to verify: a conversation of a million messages; a larger one is another file


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "transcript",
        help="get, or verify, what was said in a session",
        description="Get a session's transcript from a running broker, or verify one that was downloaded as JSON.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_get(actions)

    verify = actions.add_parser(
        "verify",
        help="verify a transcript in JSON, without any broker",
        description="Recompute a transcript's chain of hashes and check its signature. Exits 1, naming the first entry"
        " that was altered, is missing or was moved, when it doesn't hold, and when it wasn't signed by --key; 2 when"
        " the file is no transcript. Without --key it says by which key it was signed, and not whose that is.",
    )
    verify.add_argument("file", metavar="FILE", type=Path, help="what transcript get --format json wrote; - for stdin")
    verify.add_argument("--key", metavar="KEY", help="the broker's public key, as transcript key prints it there")
    add_json(verify, "what was found")
    verify.set_defaults(run=run_verify)

    key = actions.add_parser(
        "key",
        help="print the public key of this installation's transcripts",
        description="Print the public key that verifies the transcripts of this data folder's broker. It is no secret:"
        " put it where those can find it who verify. It changes if secret.key is lost.",
    )
    add_config(key)
    key.set_defaults(run=run_key)


def _add_get(actions: common.Commands) -> None:
    get = actions.add_parser(
        "get",
        help="get a session's transcript from a running broker",
        description="Get what was said and done in a session, as far as it has come. Representatives have those of"
        " their sessions, managers all in their scope; a customer has its own, also after the end, with --portal and"
        " the visitor token that its client was given.",
    )
    get.add_argument("session", help="the session (s_…)")
    get.add_argument("--format", choices=FORMATS, default="text", help="default: text; json can be verified")
    get.add_argument("--out", metavar="FILE", type=Path, help="a new file to write; default: standard output")
    get.add_argument("--notes", action="store_true", help="with private notes and whatever else staff alone may see")
    get.add_argument("--portal", metavar="ACCOUNT/PORTAL", help="customer: the portal that it came through")
    get.add_argument("--visitor", metavar="TOKEN", help="customer: its visitor token")
    remote.add_sign_in(get, "a representative or a manager")
    get.set_defaults(run=run_get)


def run_get(args: argparse.Namespace) -> int:
    """Ask for it, and write it whole or not at all."""
    if bool(args.portal) != bool(args.visitor):
        raise UsageError("a customer gives both --portal and --visitor")
    common.refuse_existing(args.out)

    async def talk(client: Client) -> str:
        from clients.python.role import Party

        return await Party(client).transcript(args.session, args.format, notes=args.notes)

    text = remote.ask(args, talk)
    common.write_out(args.out, text, f"{args.out} is written")
    return Exit.OK


def run_verify(args: argparse.Namespace) -> int:
    """Verify and print."""
    from broker.identity.signatures import check
    from broker.views import verify
    from clients.python.visible import visible

    if args.key is not None and verify.key_bytes(args.key) is None:
        raise UsageError(f"--key: expected {verify.KEY_PREFIX} and 43 characters, as transcript key prints them")
    try:
        verdict = verify.verify(verify.read(_read(args.file)), check)
    except verify.Unreadable as error:
        raise UsageError(visible(f"{args.file}: {error}")) from None
    fault = None if verdict.fault is None else verdict.fault.what
    if fault is None and args.key not in (None, verdict.key):
        fault = f"it was signed by {verdict.key}, which isn't the key that was given"
    if args.json:
        entry = None if verdict.fault is None else verdict.fault.entry
        print_json({"good": fault is None, "fault": fault, "entry": entry, "key": verdict.key, "head": verdict.head})
    elif fault is not None:
        print(visible(f"{args.file}: doesn't hold: {fault}"))
    else:
        print(visible(f"{args.file}: {_good(verdict)}"))
        if args.key is None:
            print(f"signed by {verdict.key}; whether that is the broker's, only --key tells")
        else:
            print("signed by the key that was given")
    return Exit.OK if fault is None else Exit.FAILED


def _good(verdict: Verdict) -> str:
    head = verdict.head
    return f"holds: {head['entries']} entries of {head['session']} ({head['account']}/{head['portal']})"


def _read(path: Path) -> str:
    """The text of a file. Raises ``UsageError``."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES // MIB} MiB: that is no transcript")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8: byte {error.start}") from None


def run_key(args: argparse.Namespace) -> int:
    """Print it."""
    from broker.identity import secrets
    from broker.identity.signatures import Signatures

    print(Signatures(secrets.load(config_of(args).data.path).transcript_key).public)
    return Exit.OK
