"""``huntgroup customer`` and ``huntgroup case``: what a law may ask of an organisation, from a running broker."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from broker.cli import common, remote
from broker.cli.common import Exit, say

if TYPE_CHECKING:
    from clients.python.client import Client


def add(commands: common.Commands) -> None:
    """Put both commands on the command line."""
    customer = commands.add_parser(
        "customer",
        help="export all that is stored about a customer",
        description="Export all that is stored about a customer of the account, from a running broker.",
    )
    export = customer.add_subparsers(title="actions", metavar="ACTION", required=True).add_parser(
        "export",
        help="export all that is stored about a customer",
        description="Write all that is stored about a customer as JSON: its cases in full, with all that was said in"
        " their sessions, the oldest first. For account managers; the audit says who had it.",
    )
    who = export.add_mutually_exclusive_group(required=True)
    who.add_argument("--email", metavar="ADDRESS", help="the customer's address, as it gave it")
    who.add_argument("--visitor", metavar="ID", help="its visitor id (v_…)")
    export.add_argument("--out", metavar="FILE", type=Path, help="a new file to write; default: standard output")
    remote.add_sign_in(export, "an account manager")
    export.set_defaults(run=run_export)

    case = commands.add_parser(
        "case",
        help="erase a case",
        description="Erase a case of the account, with all that was said in it, in a running broker.",
    )
    delete = case.add_subparsers(title="actions", metavar="ACTION", required=True).add_parser(
        "delete",
        help="erase a case for good",
        description="Erase a case whose chat is over: its customer's name, address, texts and files are gone for good,"
        " while the journal still verifies. For account managers; the audit says who did it.",
    )
    delete.add_argument("case", metavar="CASE", help="the case (k_…)")
    delete.add_argument("--yes", action="store_true", required=True, help="you mean it: nothing brings it back")
    remote.add_sign_in(delete, "an account manager")
    delete.set_defaults(run=run_delete)


def run_export(args: argparse.Namespace) -> int:
    """Ask page by page, and write it whole or not at all."""
    common.refuse_existing(args.out)

    async def talk(client: Client) -> tuple[list[object], list[object]]:
        from clients.python.roles import Manager

        mia, cases, after = Manager(client), list[object](), None
        visitors: dict[str, object] = {}
        while True:
            page = await mia.export_customer(email=args.email, visitor=args.visitor, after=after)
            cases += page.cases
            visitors |= {one["visitor"]: one for one in page.visitors}
            after = page.next
            if after is None:
                return cases, list(visitors.values())

    cases, visitors = remote.ask(args, talk)
    text = json.dumps({"cases": cases, "visitors": visitors}, ensure_ascii=False, indent=2) + "\n"
    common.write_out(args.out, text, f"{len(cases)} cases are in {args.out}")
    return Exit.OK


def run_delete(args: argparse.Namespace) -> int:
    """Erase one."""

    async def talk(client: Client) -> None:
        from clients.python.roles import Manager

        await Manager(client).delete_case(args.case)

    remote.ask(args, talk)
    say(f"huntgroup: {args.case} is erased")
    return Exit.OK
