"""``huntgroup journal``: looks into a journal's file, and copies it. The work is ``broker.journal.inspect``'s."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from broker.cli import backup, common
from broker.cli.common import CheckError, Exit, UsageError, add_config, add_json, config_of, print_json
from broker.journal.base import Head

if TYPE_CHECKING:
    from broker.journal.inspect import Verdict

T = TypeVar("T")


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "journal",
        help="verify, print or copy the journal",
        description="Look into the journal of a data folder. Reads only, so it may run beside the broker.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    verify = actions.add_parser(
        "verify",
        help="recompute the hash chains",
        description="Recompute every account's hash chain, compare names and texts with their digests in it, and say"
        " where it ends. Exits 1, naming account and record, when a record was altered, is missing or was forked off,"
        " when a text was altered, or is missing and wasn't erased, and when rows belong to no account. A lost tail"
        " looks like an earlier end: note where the chain ended, and give it to --against later.",
    )
    verify.add_argument("--account", help="this account alone")
    verify.add_argument(
        "--against",
        metavar="SEQ:HASH",
        type=noted,
        help="fail unless the account's record SEQ has this hash (as verify printed it); needs --account",
    )
    add_config(verify)
    add_json(verify, "where each chain ends")
    verify.set_defaults(run=run_verify)

    dump = actions.add_parser(
        "dump",
        help="print records",
        description="Print an account's records, one JSON object a line. They hold no personal content, only references"
        " to it.",
    )
    dump.add_argument("account", help="the account")
    dump.add_argument("--after", metavar="SEQ", type=count, default=0, help="begin after this record")
    dump.add_argument("--limit", metavar="N", type=count, help="print at most so many")
    dump.add_argument("--content", action="store_true", help="show names and texts in the place of references")
    add_config(dump)
    dump.set_defaults(run=run_dump)

    backup.add(actions)


def count(text: str) -> int:
    """A number from 0."""
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 0")
    return int(text)


def noted(text: str) -> Head:
    """An end of a chain, as ``verify`` prints it."""
    from broker.journal import inspect

    try:
        return inspect.parse_noted(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def journal_of(args: argparse.Namespace) -> Path:
    """The journal's file. Raises ``UsageError`` where there is none."""
    data = config_of(args).data
    if data.journal != "sqlite":
        raise UsageError(f"a journal in {data.journal} can't be looked into: it ended with its broker")
    if not data.journal_file.is_file():
        raise UsageError(f"there is no journal in {data.path}: --data names another folder")
    return data.journal_file


def reading(path: Path, found: Iterator[T]) -> Iterator[T]:
    """The same, with a ``UsageError`` where the file can't be read or hasn't the account, and a ``CheckError`` where it
    is no journal."""
    from broker.journal.base import CorruptJournal, JournalUnavailable
    from broker.journal.inspect import NoSuchAccount

    try:
        yield from found
    except JournalUnavailable as error:
        raise UsageError(f"{path} can't be read: {error}") from None
    except NoSuchAccount as error:
        raise UsageError(str(error)) from None
    except CorruptJournal as error:
        raise CheckError(str(error)) from None


def faulty(verdict: Verdict) -> str:
    """What doesn't hold, for a person."""
    return f"{verdict.account}: doesn't hold: {verdict.fault}"


def empty(path: Path) -> str:
    """That there was nothing to verify: silence would look like a good journal."""
    return f"{path} has no account: no broker has written to it, or all that was in it is gone"


def run_verify(args: argparse.Namespace) -> int:
    """Verify and print."""
    if args.against is not None and args.account is None:
        raise UsageError("--against needs --account: each account has a chain of its own")
    path = journal_of(args)
    from broker.journal import inspect

    good = True
    ends = {}
    for verdict in reading(path, inspect.verify(path, args.account, args.against)):
        if verdict.head is None:
            good = False
            ends[verdict.account] = {"good": False, "fault": verdict.fault}
            said = faulty(verdict)
        else:
            end = inspect.format_noted(verdict.head)
            ends[verdict.account] = {"good": True, "end": end}
            said = f"{verdict.account}: the chain holds; it ends at {end}"
        if not args.json:
            print(said)
    if args.json:
        print_json({"good": good, "accounts": ends})
    elif not ends:
        print(empty(path))
    return Exit.OK if good else Exit.FAILED


def run_dump(args: argparse.Namespace) -> int:
    """Print records."""
    path = journal_of(args)
    from broker.journal import inspect

    records = inspect.dump(path, args.account, after=args.after, with_content=args.content)
    for number, record in enumerate(reading(path, records)):  # asked before the limit is: the account must be there
        if number == args.limit:
            break
        print_json(record)
    return Exit.OK
