"""``huntgroup why``: how the offers of a request came about. The replay is ``broker.runtime.why``'s."""

from __future__ import annotations

import argparse
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from broker.cli import common
from broker.cli.common import Exit, UsageError, add_config, add_json, print_json
from broker.cli.journal import journal_of
from broker.desk.explain import Told
from broker.units import SECONDS

if TYPE_CHECKING:
    from broker.journal.base import Record


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "why",
        help="explain who was offered a request, and why",
        description="Replay an account's journal up to a request and tell each decision about it: who was considered,"
        " what kept whom out, the rule that chose and what made the difference. Reads only, so it may run beside the"
        " broker. Exits 1 when the rules of this release would have decided otherwise.",
    )
    parser.add_argument("account", help="the account")
    parser.add_argument("name", metavar="ID", help="a request (r_…), or one of its offers (o_…)")
    add_config(parser)
    add_json(parser, "the decisions, one a line")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Find and print them."""
    from broker.desk.desk import Desk
    from broker.desk.explain import named
    from broker.journal.sqlite_reader import SqliteReader
    from broker.routing.pins import PinSpace
    from broker.runtime.why import decisions, who_left

    path = journal_of(args)
    with closing(SqliteReader(path)) as reader:
        if args.account not in reader.names():
            raise UsageError(f"{path} has no account {args.account}")
        account = args.account

        def read(after: int, limit: int) -> Sequence[Record]:
            return reader.records(account, after, limit)

        try:
            found = _end_of(decisions(read, Desk(account, 0, PinSpace(bytes(16))), args.name))
            if found is not None:
                found = named(found, who_left(read).get)
        except (ValueError, TypeError) as error:
            raise common.CheckError(f"account {account}: a record can't be read: {error}") from None
    if found is None:
        raise UsageError(f"account {account} has no request {args.name}")
    if not found and not args.json:
        print(f"nothing has been decided for {args.name} yet: nobody could be offered it")
    for told in found:
        if args.json:
            print_json(told)
        else:
            print("\n".join(lines(told)))
    return Exit.OK if all(told.get("agrees", True) for told in found) else Exit.FAILED


def _end_of(replay: Generator[None, None, list[Told] | None]) -> list[Told] | None:
    """Without pauses: nobody else waits for a turn here."""
    while True:
        try:
            next(replay)
        except StopIteration as end:
            return cast("list[Told] | None", end.value)


def lines(told: Told) -> list[str]:
    """One decision, for a person.

    >>> lines({"seq": 7, "t": 0, "decision": "round.paused", "request": "r_1", "rule": "everybody refused it"})
    ['1970-01-01 00:00:00.000  record 7  round.paused  r_1: everybody refused it']
    """
    when = datetime.fromtimestamp(cast("int", told["t"]) / SECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    head = f"{when}  record {told['seq']}  {told['decision']}  {told.get('offer', told.get('request'))}"
    if "candidates" not in told:
        whom = told.get("representative") or told.get("to")
        return [f"{head}: {told['rule']}{f' → {whom}' if whom else ''}"]
    found = [
        f"{head} → {told['representative']}",
        f"  at place {told['position']} of {told['subportal']}, class {told['class']}{_needs(told)}",
        f"  rule {told['rule']}, decided by {told['decided_by']}"
        + ("" if told["agrees"] else "  (this release would decide otherwise)"),
    ]
    criteria = cast("list[str]", told["criteria"])
    for one in cast("list[Told]", told["candidates"]):
        if "out" in one:
            found.append(f"    {one['representative']}: {one['out']}")
        else:
            rank = cast("list[object]", one["rank"])
            parts = [f"{name} {value}" for name, value in zip(criteria, rank, strict=True) if name not in ("", "id")]
            found.append(f"    {one['representative']}: {', '.join(parts)}")
    if told["others"]:
        found.append(f"    and {told['others']} more")
    for turn in cast("list[Told]", told["turns"]):
        waited = [f"{line['subportal']} (given {line['given']:g})" for line in cast("list[Told]", turn["lines"])]
        if len(waited) > 1:
            found.append(f"  turns among {', '.join(waited)}: {cast('list[str]', turn['named'] or ['nobody'])[0]}")
    found += [f"  passed over: {one['request']}: {one['why']}" for one in cast("list[Told]", told["passed"])]
    return found


def _needs(told: Told) -> str:
    needs = [f"{need['skill']} {need['level']}" for need in cast("list[Told]", told["needs"])]
    held = f", held for {told['held_for']}" if told["held_for"] else ""
    return (f", needs {', '.join(needs)}" if needs else "") + held
