"""``huntgroup connect``: a terminal console for one person. The console itself is ``clients.python.terminal``."""

from __future__ import annotations

import argparse
import os

from broker.cli import common
from broker.cli.common import TOKEN_VARIABLE, UsageError, add_server


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "connect",
        help="talk to a running broker as a representative or a customer",
        description="Open a console on a running broker. A representative signs in with a token (huntgroup token, or"
        " what huntgroup demo prints); a customer comes through a portal, or with a nine-digit pin.",
        epilog="examples:\n"
        "  huntgroup connect representative --token v1.…\n"
        "  huntgroup connect customer --portal demo/ask\n"
        "  huntgroup connect customer --pin 123-456-789",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("role", choices=["representative", "customer"], help="as whom to connect")
    add_server(parser)
    parser.add_argument("--token", help=f"sign-in token; default: ${TOKEN_VARIABLE}")
    parser.add_argument("--portal", metavar="ACCOUNT/PORTAL", help="customer: the portal to come through")
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
    """Fill in the token from the environment. Raises ``UsageError`` for options that don't go together."""
    ways = [way for way in ("token", "portal", "pin") if getattr(args, way)]
    if args.role == "representative":
        if not args.token:
            args.token = os.environ.get(TOKEN_VARIABLE)
        if not args.token or ways not in ([], ["token"]):
            raise UsageError("a representative connects with --token (huntgroup token makes one), and nothing else")
    elif len(ways) != 1 or args.token:
        raise UsageError("a customer connects with one of --portal and --pin (and --visitor, to come back)")
