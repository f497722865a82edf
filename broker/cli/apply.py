"""``huntgroup apply``: makes a running account be as its desk file has it. What differs is ``broker.config.plan``'s."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from broker.cli import common, remote
from broker.cli.common import CheckError, Exit, say

if TYPE_CHECKING:
    from broker.config.desk import Put
    from broker.config.plan import Plan, Step
    from clients.python.client import Client
    from clients.python.settings import Identity

AT_ONCE: Final = 256  # requests waiting for their answers: as many as any connection may have
_TOLD_EVERY: Final = 1000  # steps, on a terminal


def add(commands: common.Commands) -> None:
    """Put the command on the command line."""
    parser = commands.add_parser(
        "apply",
        help="make an account be as a desk file has it",
        description="Compare a desk file with the account of a running broker, show what differs, and apply that after"
        " a yes. What the file doesn't name stays, unless --prune says otherwise. Applying the same file again changes"
        " nothing; after a failure half way, applying again goes on. Exits 0 also where nothing was to be done. For API"
        " managers; an account that has no account manager yet takes a token of the operator's (huntgroup token).",
        epilog="examples:\n"
        "  huntgroup apply desk.toml --key-file api.key --dry-run\n"
        "  huntgroup apply desk.toml --key-file api.key --prune",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="the desk file")
    remote.add_sign_in(parser, "an API manager")
    parser.add_argument(
        "--prune",
        action="store_true",
        help="delete what the file doesn't have; never who applies it, nor the last account manager",
    )
    add_consent(parser)
    parser.set_defaults(run=run)


def add_consent(parser: argparse.ArgumentParser) -> None:
    """The options of commands that show what they are about to do."""
    consent = parser.add_mutually_exclusive_group()
    consent.add_argument("--dry-run", action="store_true", help="only show what differs")
    consent.add_argument("--yes", action="store_true", help="don't ask")


def run(args: argparse.Namespace) -> int:
    """Read, compare, show, ask, apply."""
    from broker.config.desk import load_desk

    return remote.ask(args, partial(_compare, args, load_desk(args.file)))


async def _compare(args: argparse.Namespace, puts: tuple[Put, ...], client: Client) -> int:
    told, who = await remote.exported(client), client.identity
    found = await compared(told, puts, who, source=str(args.file), prune=args.prune)
    return await offer(args, client, found, f"account {who.account} is as {args.file} has it: nothing to do")


async def compared(
    told: Mapping[str, Any], puts: Sequence[Put], who: Identity, *, source: str, prune: bool = False
) -> Plan:
    """The plan. In a thread: a large one takes seconds, and the broker wants its pings answered."""
    import trio

    from broker.config.plan import plan

    made = partial(plan, told, puts, account=who.account, person=who.person, prune=prune, source=source)
    return await trio.to_thread.run_sync(made)


async def offer(args: argparse.Namespace, client: Client, found: Plan, nothing: str) -> int:
    """Show what differs and, after a yes, do it."""
    for line in shown(found):
        print(line)
    if not found.stages:
        print(nothing)
        return Exit.OK
    sys.stdout.flush()
    if args.dry_run:
        return Exit.OK
    if not await remote.confirmed(args, f"Apply that to account {client.identity.account}?"):
        say("huntgroup: nothing was done")
        return Exit.FAILED
    print(f"applied: {await carry_out(client, found)}")
    return Exit.OK


async def carry_out(client: Client, found: Plan) -> int:
    """Do all of it, a stage at a time; how many steps there were. The first refusal ends it: ``CheckError`` says what
    is done."""
    import trio

    from clients.python.errors import HuntgroupError
    from clients.python.visible import visible

    done = 0
    failed: list[tuple[Step, HuntgroupError]] = []

    async def work(steps: Iterator[Step]) -> None:
        nonlocal done
        for step in steps:
            if failed:
                return
            try:
                await client.call(step.op, step.args)
            except HuntgroupError as error:
                failed.append((step, error))
                return
            done += 1
            if done % _TOLD_EVERY == 0 and sys.stderr.isatty():
                say(f"huntgroup: {done} of {len(found.steps)}")

    for stage in found.stages:
        steps = iter(stage)  # shared: each worker takes the next one
        async with trio.open_nursery() as nursery:
            for _ in range(min(AT_ONCE, len(stage))):
                nursery.start_soon(work, steps)
        if failed:
            step, error = failed[0]
            raise CheckError(
                f"{step.where}: {visible(str(error))}; {done} of {len(found.steps)} steps are done,"
                " and applying again goes on with the rest"
            )
    return done


def shown(found: Plan) -> Iterator[str]:
    """The plan for a person: one line for each step, then what isn't done, then how many there are."""
    from clients.python.visible import visible

    for step in found.steps:
        differs = ", ".join(map(_shown, step.changes)) if step.sign == "~" else ""
        name = f"{step.kind} {step.name}".rstrip()
        yield visible(f"{step.sign} {name}{f': {differs}' if differs else ''}")
    for note in found.notes:
        yield visible(f"= {note}")
    if found.stages:
        signs = [step.sign for step in found.steps]
        yield f"{signs.count('+')} to add, {signs.count('~')} to change, {signs.count('-')} to delete"


def _shown(change: object) -> str:
    from broker.config.export import value_of
    from broker.config.plan import Change

    assert isinstance(change, Change)
    if change.before is None and change.after is None:
        return f"{change.field} changed"
    before, after = ("nothing" if value is None else value_of(value) for value in (change.before, change.after))
    return f"{change.field} {before} -> {after}"
