"""``huntgroup connect``: a console for one person, on plain standard input and output.

A line in, a line out; no curses, so that it also works in a pipe. With ``--json`` everything that is seen is one JSON
object a line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import trio

from clients.python.client import Client, open_client
from clients.python.console import Console, Say
from clients.python.console_customer import CustomerConsole
from clients.python.console_representative import RepresentativeConsole
from clients.python.errors import HuntgroupError, UnreachableError
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth, Connected, Disconnected, Settings, wall_clock

FAILED, UNREACHABLE = 1, 3  # exit codes, as the command line counts them
_READ_BYTES: Final = 4096


def run(args: argparse.Namespace) -> int:
    """Connect and stay until ``quit``, the end of the input, or the broker's refusal."""
    try:
        trio.run(console, args, _stdin(), _say)
    except UnreachableError as exc:
        print(f"huntgroup: {exc}", file=sys.stderr)
        return UNREACHABLE
    except HuntgroupError as exc:
        print(f"huntgroup: {exc}", file=sys.stderr)
        return FAILED
    return 0


async def console(
    args: argparse.Namespace,
    lines: AsyncGenerator[str, None],
    say: Say,
    *,
    settings: Callable[[Callable[[Connected | Disconnected], None]], Settings] | None = None,
) -> None:
    """A console over any lines and any way of saying. Raises what ends the client. ``settings``: from on_change."""
    changes: list[Console] = []

    def changed(change: Connected | Disconnected) -> None:
        for each in changes:
            each.connection(change)

    made = settings(changed) if settings is not None else Settings(name="huntgroup-terminal", on_change=changed)
    auth = Auth(
        token=args.token or None,
        portal=getattr(args, "portal", None),
        pin=getattr(args, "pin", None),
        visitor=getattr(args, "visitor", None),
    )
    async with open_client(args.server, auth, settings=made) as client:
        held: HuntgroupError | None = None
        async with trio.open_nursery() as nursery:
            person = _console(args, client, say, nursery)
            changes.append(person)
            try:
                await _converse(person, lines)
            except HuntgroupError as exc:
                held = exc
            nursery.cancel_scope.cancel()
        if held is not None:
            raise held


def _console(args: argparse.Namespace, client: Client, say: Say, nursery: trio.Nursery) -> Console:
    t_ms = client.server.get("t_ms")
    ahead = t_ms - wall_clock() if isinstance(t_ms, int) else 0
    as_json = bool(getattr(args, "json", False))
    if client.identity.role == "representative":
        return RepresentativeConsole(Representative(client), say, as_json, nursery, wall_clock, ahead)
    name, pin = getattr(args, "name", None), getattr(args, "pin", None)
    return CustomerConsole(Customer(client), say, as_json, nursery, wall_clock, ahead, name, pin)


async def _converse(person: Console, lines: AsyncGenerator[str, None]) -> None:
    await person.start()
    async with aclosing(lines):
        async for line in lines:
            if not await person.obey(line):
                break
    await person.leave()


def _say(line: str) -> None:
    print(line, flush=True)


async def _stdin() -> AsyncGenerator[str, None]:
    """Lines of standard input, whatever it is: a terminal, a pipe, a file."""
    pending = b""
    while True:
        # Not sys.stdin: a thread that waits in there would hold its lock when we leave.
        data = await trio.to_thread.run_sync(os.read, 0, _READ_BYTES, abandon_on_cancel=True)
        *complete, pending = (pending + data).split(b"\n")
        for line in complete:
            yield line.decode(errors="replace")
        if not data:
            if pending:
                yield pending.decode(errors="replace")
            return
