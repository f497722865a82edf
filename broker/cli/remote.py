"""What commands share that ask a running broker as somebody: signing in, and how what goes wrong is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from broker.cli import common
from broker.cli.common import PASSWORD_VARIABLE, TOKEN_VARIABLE, CheckError, UnreachableError, UsageError, add_server
from broker.cli.connect import first_line, password_of

if TYPE_CHECKING:
    from clients.python.client import Client
    from clients.python.settings import Auth

T = TypeVar("T")


def add_sign_in(parser: common.Parser, who: str) -> None:
    """Options that say which broker, and as whom."""
    add_server(parser)
    add_ways(parser, who)


def add_ways(parser: common.Parser, who: str, *, account: bool = True) -> None:
    """Options that say as whom. ``account``: whether the command has no such option of its own."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--token", help=f"sign-in token of {who}; default: ${TOKEN_VARIABLE}")
    ways.add_argument("--login", metavar="PERSON", help="sign in with the password of this manager; needs --account")
    if account:
        parser.add_argument("--account", help="with --login: the account")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help=f"with --login: a file whose first line is the password; default: ${PASSWORD_VARIABLE}, else it asks",
    )
    ways.add_argument("--key", help="API key, as key.create told it; others on this machine may see it: --key-file")
    ways.add_argument("--key-file", metavar="FILE", type=Path, help="file with the key, or a token, on its first line")


def auth_of(args: argparse.Namespace) -> Auth:
    """What these options and the environment say. Raises ``UsageError``."""
    from clients.python.settings import Auth, Login

    if getattr(args, "portal", None):
        return Auth(portal=args.portal, visitor=args.visitor)
    if args.login:
        if not args.account:
            raise UsageError("--login needs --account: whose password it is")
        password = password_of(args)
        return Auth(login=Login(account=args.account, role="manager", person=args.login, password=password))
    if args.key_file is not None:
        line = first_line(args.key_file).strip()
        return Auth(token=line) if line.startswith("v1.") else Auth(key=line)
    if args.key:
        return Auth(key=args.key)
    token = args.token or os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise UsageError(f"as whom? Give --key-file, --key or --token, or set ${TOKEN_VARIABLE}")
    return Auth(token=token)


def ask(args: argparse.Namespace, talk: Callable[[Client], Awaitable[T]]) -> T:
    """What ``talk`` returns. Raises ``UnreachableError``, ``UsageError`` for a credential that opens nothing, and
    ``CheckError`` for whatever else the broker refuses."""
    import trio

    from clients.python import errors
    from clients.python.client import open_client
    from clients.python.settings import Settings
    from clients.python.visible import visible

    auth = auth_of(args)

    async def signed_in() -> T:
        async with open_client(args.server, auth, settings=Settings(name="huntgroup-cli")) as client:
            return await talk(client)

    try:
        return trio.run(signed_in)
    except errors.UnreachableError as error:
        raise UnreachableError(visible(str(error))) from None
    except (errors.BadAuth, errors.TokenExpired) as error:
        raise UsageError(f"{args.server} lets nobody in with that: {visible(str(error))}") from None
    except errors.HuntgroupError as error:
        raise CheckError(visible(str(error))) from None
    except ValueError as error:
        raise UsageError(f"{args.server} is no address: {error}") from None


async def exported(client: Client) -> Mapping[str, Any]:
    """The account as it is set up, for an API manager: provisioning is theirs alone. Of an account that has no manager
    yet also for who was let in by the operator. Raises ``UsageError`` for everybody else."""
    from clients.python.errors import NotAllowed

    if client.identity.role != "manager":
        raise UsageError(f"{client.identity.person} is a {client.identity.role}: {NEEDED}")
    try:
        return (await client.call("account.export", {})).value
    except NotAllowed:
        told = (await client.call("account.get", {})).value
    own = [one for one in told.get("managers", ()) if one["manager"] == client.identity.person]
    if own:
        raise UsageError(f"{client.identity.person} is {_KINDS[own[0]['kind']]}: {NEEDED}")
    return told


_KINDS: Final = {"account": "an account manager", "team": "a team manager"}
NEEDED: Final = "this takes an API manager, whom an account manager makes with manager.put"


async def confirmed(args: argparse.Namespace, question: str) -> bool:
    """Whether a person at the terminal says yes; ``--yes`` says it beforehand. Raises ``UsageError`` where nobody can
    be asked."""
    import trio

    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody is here to be asked: --yes applies it, --dry-run only shows it")
    said = await trio.to_thread.run_sync(input, f"{question} [yes/no] ", abandon_on_cancel=True)
    return said.strip().lower() in ("y", "yes")
