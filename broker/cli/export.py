"""``huntgroup export``: an account as a desk file. The file is ``broker.config.export``'s."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from broker.cli import common, remote
from broker.cli.common import CheckError, Exit, UsageError, say

if TYPE_CHECKING:
    from clients.python.client import Client


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "export",
        help="write an account as a desk file",
        description="Write an account as it is set up as a desk file, which huntgroup apply reads back: portals,"
        " sub-portals, teams, representatives, managers and services, with names and e-mail addresses, always in the"
        " same order. No password and no key is in it. For API managers; each export is in the audit.",
    )
    remote.add_sign_in(parser, "an API manager")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to; default: standard output")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fetch and write."""
    text = remote.ask(args, _fetched)
    if args.output is None:
        sys.stdout.write(text)
        return Exit.OK
    try:
        # names and addresses of people: for its owner's eyes
        descriptor = os.open(args.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{args.output} can't be written: {error.strerror}") from None
    say(f"huntgroup: the account is in {args.output}")
    return Exit.OK


async def _fetched(client: Client) -> str:
    from broker.config.export import puts_of, written
    from clients.python.errors import NotAllowed

    try:
        told: Any = (await client.call("account.export", {})).value
    except NotAllowed as error:
        raise CheckError(
            f"{client.identity.person} may not export the account: {error.text}. An account manager who may make API"
            " managers (right api_managers) can make one: manager.put, then key.create"
        ) from None
    return written(client.identity.account, puts_of(told))
