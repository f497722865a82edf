"""``huntgroup representatives import``: many at once, from a CSV file. Rows are read by ``broker.config.sheet``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli import common, remote
from broker.cli.apply import add_consent, compared, offer
from broker.cli.common import CheckError, Exit

if TYPE_CHECKING:
    from clients.python.client import Client


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "representatives",
        help="add or change many representatives at once",
        description="Add or change many representatives at once, from a spreadsheet.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    importing = actions.add_parser(
        "import",
        help="from a CSV file",
        description="Add and change representatives from a CSV file, in UTF-8 with commas. Its first line names the"
        " columns: representative, and any of name, email, team, capacity, skills (german:5;tax:2), management"
        " (yes or no). Nothing is applied unless every row is right. Somebody who is there already is changed only in"
        " the columns that the file has; an empty cell says nothing. Nobody is deleted, and importing the same file"
        " again changes nothing. For API managers.",
        epilog="example:\n  huntgroup representatives import new.csv --team first-line --key-file api.key --invite",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importing.add_argument("file", type=Path, help="the CSV file")
    importing.add_argument("--team", help="team of those who are new and whose row names none")
    importing.add_argument(
        "--invite", action="store_true", help="send everybody who is new a link to choose a password, by e-mail"
    )
    remote.add_sign_in(importing, "an API manager")
    add_consent(importing)
    importing.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, compare, show, ask, apply, invite."""
    from broker.config.sheet import load_sheet

    return remote.ask(args, partial(_import, args, load_sheet(args.file)))


async def _import(args: argparse.Namespace, rows: Mapping[int, Mapping[str, str]], client: Client) -> int:
    from broker.config import ConfigError, sheet

    told, source = await remote.exported(client), str(args.file)
    puts = sheet.puts(rows, told, args.team, invite=args.invite, source=source)
    try:
        found = await compared(told, puts, client.identity, source=source)
    except ConfigError as error:
        raise ConfigError([sheet.columns(problem) for problem in error.problems], source) from None
    done = await offer(args, client, found, f"account {client.identity.account} has {source} already: nothing to do")
    if args.invite and not args.dry_run and done == Exit.OK:
        await _invite(client, [step.name for step in found.steps if step.sign == "+"])
    return done


async def _invite(client: Client, people: list[str]) -> None:
    from broker.protocol.ops import PasswordLink
    from clients.python.errors import Refused

    for number, person in enumerate(people):
        try:
            await client.request(PasswordLink(person))
        except Refused as error:
            raise CheckError(
                f"they are all there, but only {number} of {len(people)} links were sent: {person}: {error.text}"
            ) from None
    if people:
        print(f"links sent: {len(people)}")
