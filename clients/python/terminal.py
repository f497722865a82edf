"""``huntgroup connect``: a console for one person, on plain standard input and output.

A line in, a line out; no curses, so that it also works in a pipe. With ``--json`` everything that is seen is one JSON
object a line.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final

import trio

from clients.python.client import Client, open_client
from clients.python.console import Console, Say
from clients.python.console_customer import CustomerConsole
from clients.python.console_manager import ManagerConsole
from clients.python.console_representative import RepresentativeConsole
from clients.python.errors import HuntgroupError, UnreachableError
from clients.python.roles import Customer, Manager, Representative
from clients.python.settings import Auth, Connected, Disconnected, Identity, Login, Settings, wall_clock
from clients.python.visible import visible

FAILED, USAGE, UNREACHABLE = 1, 2, 3  # exit codes, as the command line counts them
_READ_BYTES: Final = 4096


def run(args: argparse.Namespace) -> int:
    """Connect and stay until ``quit``, the end of the input, or the broker's refusal."""
    try:
        trio.run(console, args, _stdin(), _say)
    except UnreachableError as exc:
        return _ends(exc, UNREACHABLE)
    except WrongConsoleError as exc:
        return _ends(exc, USAGE)
    except HuntgroupError as exc:
        return _ends(exc, FAILED)
    return 0


class WrongConsoleError(Exception):
    """Whoever signed in needs another console than the one that was asked for."""


async def console(
    args: argparse.Namespace,
    lines: AsyncGenerator[str, None],
    say: Say,
    *,
    settings: Callable[[Callable[[Connected | Disconnected], None]], Settings] | None = None,
) -> None:
    """A console over any lines and any way of saying. ``settings``: from on_change.

    Raises what ends the client, and ``WrongConsoleError``."""
    changes: list[Console] = []

    def changed(change: Connected | Disconnected) -> None:
        for each in changes:
            each.connection(change)

    made = settings(changed) if settings is not None else Settings(name="huntgroup-terminal", on_change=changed)
    async with open_client(args.server, _auth(args), settings=made) as client:
        _fits(getattr(args, "role", None), client.identity)
        held: HuntgroupError | WrongConsoleError | None = None
        async with trio.open_nursery() as nursery:
            person = _console(args, client, say, nursery)
            changes.append(person)
            try:
                await _converse(person, lines)
            except (HuntgroupError, WrongConsoleError) as exc:
                held = exc
            nursery.cancel_scope.cancel()
        if held is not None:
            raise held


def _auth(args: argparse.Namespace) -> Auth:
    """What the options say."""
    told = {name: getattr(args, name, None) or None for name in ("token", "key", "portal", "pin", "visitor", "entry")}
    if getattr(args, "login", None):
        person, account, password = args.login, args.account, args.password
        return Auth(login=Login(account=account, role=args.role, person=person, password=password))
    return Auth(**told)


async def _ask_secret(words: str) -> str:
    """A line that isn't shown. Only while nothing else reads from the terminal: while a command is carried out."""
    return await trio.to_thread.run_sync(getpass.getpass, words)


def _fits(asked: str | None, identity: Identity) -> None:
    """``asked``: the console's role; None takes whichever fits."""
    if identity.role == asked or (asked is None and identity.role in ("representative", "customer", "manager")):
        return
    if asked is None:
        raise WrongConsoleError(f"there is no console for a {identity.role} ({identity.person})")
    raise WrongConsoleError(f"this console is for {asked}s, but {identity.person} signed in as a {identity.role}")


def _console(args: argparse.Namespace, client: Client, say: Say, nursery: trio.Nursery) -> Console:
    t_ms = client.server.get("t_ms")
    ahead = t_ms - wall_clock() if isinstance(t_ms, int) else 0
    as_json = bool(getattr(args, "json", False))
    secret = _ask_secret if sys.stdin.isatty() else None
    if client.identity.role == "representative":
        return RepresentativeConsole(
            Representative(client), say, as_json, nursery, wall_clock, ahead, secret=getattr(args, "secret", secret)
        )
    if client.identity.role == "manager":
        return ManagerConsole(
            Manager(client), say, as_json, nursery, wall_clock, ahead, secret=getattr(args, "secret", secret)
        )
    name, pin = getattr(args, "name", None), getattr(args, "pin", None)
    return CustomerConsole(Customer(client), say, as_json, nursery, wall_clock, ahead, name, pin)


async def _converse(person: Console, lines: AsyncGenerator[str, None]) -> None:
    if person.role.identity.must_change:
        person.say("Somebody else chose your password: choose one of your own.")
        while person.role.identity.must_change:
            if person.secret is None:
                raise WrongConsoleError("a password of one's own is chosen at a terminal, where it isn't shown")
            await person.obey("password")
    await person.start()
    async with aclosing(lines):
        async for line in lines:
            if not await person.obey(line):
                break
    await person.leave()


def _say(line: str) -> None:
    # The one place that prints, so that no customer's text reaches the representative's terminal as commands.
    print(visible(line), flush=True)


def _ends(exc: Exception, code: int) -> int:
    print(f"huntgroup: {visible(str(exc))}", file=sys.stderr)
    return code


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
