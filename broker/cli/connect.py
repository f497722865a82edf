"""``huntgroup connect``: a terminal console for one person. The console itself is ``clients.python.terminal``."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Final

from broker.cli import common
from broker.cli.common import PASSWORD_VARIABLE, TOKEN_VARIABLE, UsageError, add_server

LINE_BYTES: Final = 4096  # of a file with a secret: what has longer lines is another file


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "connect",
        help="talk to a running broker as a representative, a customer or a manager",
        description="Open a console on a running broker. Representatives and managers sign in with a password or a"
        " token (huntgroup token, or what huntgroup demo prints), API managers with a key; a customer comes through a"
        " portal, or with a nine-digit pin. A password is asked for on the terminal and never taken from the command"
        f" line; programs give it in a file or in ${PASSWORD_VARIABLE}.",
        epilog="examples:\n"
        "  huntgroup connect representative --account demo --login ann\n"
        "  huntgroup connect representative --token v1.…\n"
        "  huntgroup connect customer --portal demo/ask\n"
        "  huntgroup connect customer --pin 123-456-789",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", choices=["representative", "customer", "manager"], help="as whom to connect")
    add_server(parser)
    parser.add_argument("--login", metavar="PERSON", help="sign in with the password of this name or e-mail address")
    parser.add_argument("--account", help="with --login: the account")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        type=Path,
        help=f"with --login: a file whose first line is the password; default: ${PASSWORD_VARIABLE}, else it asks",
    )
    parser.add_argument("--token", help=f"sign-in token; default: ${TOKEN_VARIABLE}")
    parser.add_argument("--key-file", metavar="FILE", type=Path, help="a file whose first line is an API key")
    parser.add_argument("--portal", metavar="ACCOUNT/PORTAL", help="customer: the portal to come through")
    parser.add_argument("--entry", metavar="TOKEN", help="customer, with --portal: what huntgroup entry made")
    parser.add_argument("--pin", help="customer: the nine digits that a representative told")
    parser.add_argument("--visitor", metavar="TOKEN", help="customer: the visitor token of an earlier visit")
    parser.add_argument("--name", help="customer: how to be called")
    parser.add_argument("--json", action="store_true", help="print everything that happens as JSON, one object a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check what was given, then hand over to the console."""
    complete(args)
    from clients.python import terminal

    return terminal.run(args)


def complete(args: argparse.Namespace) -> None:
    """Fill in what comes from files, the environment and the terminal. Raises ``UsageError`` for options that don't go
    together."""
    args.key = args.password = None
    ways = [way for way in ("token", "login", "key_file", "portal", "pin") if getattr(args, way)]
    if (args.account or args.password_file) and not args.login:
        raise UsageError("--account and --password-file go with --login")
    if args.entry and ways != ["portal"]:
        raise UsageError("--entry goes with --portal")
    if args.role == "customer":
        if ways not in (["portal"], ["pin"]):
            raise UsageError("a customer connects with one of --portal and --pin (and --visitor, to come back)")
        return
    if not ways:
        args.token = os.environ.get(TOKEN_VARIABLE)
    if (not ways and not args.token) or len(ways) > 1 or ways in (["portal"], ["pin"]):
        raise UsageError(
            f"a {args.role} connects with one of --login, --token (huntgroup token makes one) and --key-file,"
            " and nothing else"
        )
    if args.login:
        if not args.account:
            raise UsageError("--login needs --account: whose password it is")
        args.password = password_of(args)
    elif args.key_file:
        args.key = first_line(args.key_file)


def password_of(args: argparse.Namespace) -> str:
    """Never from the command line: every user of the machine can read that."""
    if args.password_file is not None:
        return first_line(args.password_file)
    found = os.environ.get(PASSWORD_VARIABLE)
    if not found and not sys.stdin.isatty():
        raise UsageError(f"there is no terminal to ask for the password: --password-file, or ${PASSWORD_VARIABLE}")
    found = found or getpass.getpass(f"Password of {args.login}: ")
    if not found:
        raise UsageError("an empty password is nobody's")
    return found


def first_line(path: Path) -> str:
    """A password, key or token from a file; blanks around it may be a password's. Raises ``UsageError``."""
    try:
        with path.open("rb") as file:
            line = file.readline(LINE_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{path} can't be read: {why}") from None
    if not line:
        raise UsageError(f"{path}: its first line is empty")
    return line
