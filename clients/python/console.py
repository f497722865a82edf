"""What the two consoles share: commands by name, what is seen put into words or JSON, numbers for long ids.

``console_representative`` and ``console_customer`` say what each command does; ``terminal`` does the reading and
printing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, cast

import attrs
import trio

from broker.protocol.frames import Event, Gap, Notice
from clients.python.answers import EffectiveFunction
from clients.python.commands import text_of
from clients.python.errors import HuntgroupError, NoSuch, NotAllowed, Refused
from clients.python.following import Item, View
from clients.python.role import Role
from clients.python.settings import Connected, Disconnected

Say = Callable[[str], None]
"""Says one line; a line break in it is somebody's text and will be shown as such."""
Command = Callable[[str], Awaitable[object]]
"""(what stands behind its name) to what to show in JSON, None for nothing."""


Secret = Callable[[str], Awaitable[str]]
"""Asks a person for what must not be shown, by these words."""


class InputError(Exception):
    """What was typed can't be done; the message says what can."""


@attrs.define
class Numbers:
    """Small numbers for long ids, in the order of appearing; a number is never given twice."""

    what: str
    """offer, session, pin."""
    ids: dict[int, str] = attrs.field(factory=dict)
    last: int = 0

    def add(self, id: str) -> int:
        """Its number."""
        found = self.of(id)
        if found is not None:
            return found
        self.last += 1
        self.ids[self.last] = id
        return self.last

    def of(self, id: str) -> int | None:
        """Its number, if it has one."""
        return next((number for number, known in self.ids.items() if known == id), None)

    def drop(self, id: str) -> int | None:
        """It is over; the number it had."""
        for number, known in list(self.ids.items()):
            if known == id:
                del self.ids[number]
                return number
        return None

    def keep(self, number: int, id: str) -> int:
        """A number that was given elsewhere."""
        self.ids[number] = id
        return number

    def find(self, typed: str) -> str:
        """The id of a number that was typed, or of the only one where none was. InputError."""
        if not typed:
            if len(self.ids) == 1:
                return next(iter(self.ids.values()))
            numbers = ", ".join(map(str, self.ids)) or "none"
            raise InputError(f"which {self.what}? there is {numbers}")
        number = int(typed) if typed.isdecimal() else -1
        if number not in self.ids:
            raise InputError(f"there is no {self.what} {typed}")
        return self.ids[number]


@attrs.define(eq=False)
class Console:
    """One person's console."""

    role: Role
    say: Say
    as_json: bool
    nursery: trio.Nursery
    clock: Callable[[], int]
    ahead_ms: int = 0
    """The broker's clock minus ours."""
    secret: Secret | None = attrs.field(default=None, kw_only=True)
    """Asks for a password without showing it; None: there is nobody to ask."""

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        raise NotImplementedError

    async def start(self) -> None:
        """Show where this person stands, and follow what concerns it."""
        raise NotImplementedError

    async def leave(self) -> None:
        """Before the connection is closed on purpose."""

    def words(self, item: Event | Notice) -> str | None:
        """An event or notice in words; None for one that says nothing to a person."""
        raise NotImplementedError

    async def see(self, item: Item) -> None:
        """React to what was seen, after it was shown."""

    # --- commands --------------------------------------------------------------------------------------

    async def obey(self, line: str) -> bool:
        """Carry out one line; False to leave."""
        name, _, rest = line.strip().partition(" ")
        if not name:
            return True
        if name in ("quit", "exit"):
            return False
        known = self.commands()
        try:
            if name == "help":
                self.help(known)
            elif name not in known:
                raise InputError(f"no command {name!r}; help lists them")
            else:
                self.show(name, await known[name][1](rest.strip()))
        except (InputError, Refused) as exc:
            self.wrong(name, exc)
        return True

    def help(self, known: Mapping[str, tuple[str, Command]]) -> None:
        """List the commands."""
        for name, (about, _) in known.items():
            self.say(f"  {name:<10} {about}")
        self.say(f"  {'quit':<10} leave")

    def show(self, command: str, value: object) -> None:
        """What a command gave: text to be read, or anything as JSON."""
        if self.as_json:
            plain = attrs.asdict(cast("Any", value)) if attrs.has(type(value)) else value
            self.say(json.dumps({"command": command, "value": plain}))
        elif isinstance(value, str):
            self.say(value)

    def wrong(self, command: str, exc: InputError | Refused) -> None:
        """A command that could not be carried out."""
        if self.as_json:
            code = exc.code if isinstance(exc, Refused) else None
            detail = dict(exc.detail) if isinstance(exc, Refused) else None
            self.say(json.dumps({"command": command, "error": str(exc), "code": code, "detail": detail}))
        else:
            self.say(f"! {exc}")

    async def choose_password(self, set_password: Callable[[str, str], Awaitable[None]]) -> str:
        """Another password for whoever this is."""
        if self.secret is None:
            raise InputError("a password is chosen at a terminal, where it isn't shown")
        old = await self.secret("Your present password: ")
        new = await self.secret("Another one: ")
        if await self.secret("The same again: ") != new:
            raise InputError("these two were different: nothing is changed")
        await set_password(new, old)
        return "Your password is changed; wherever else you were signed in, you are not any more."

    # --- streams ---------------------------------------------------------------------------------------

    async def follow(self, stream: str, *, snapshot: bool = True) -> None:
        """Show a stream from its state, or from its beginning, on. One that is followed already stays so, and one that
        isn't there (yet), or for somebody else, is left alone."""
        try:
            subscription = self.role.subscribe(stream, "snapshot" if snapshot else 0)
            await subscription.wait_placed()
        except (ValueError, NoSuch, NotAllowed):
            return
        except Refused as exc:  # said, because whoever asked for it goes on reading another stream
            self.wrong("follow", exc)
            return

        async def look() -> None:
            with suppress(HuntgroupError):  # the client's end is told elsewhere
                async for item in subscription:
                    self._tell(item)
                    await self.see(item)

        self.nursery.start_soon(look)

    def _tell(self, item: Item) -> None:
        # Putting it into words is what numbers it and remembers it: commands need that with --json as well.
        words = self.words(item) if isinstance(item, Event | Notice) else None
        if self.as_json:
            self.say(json.dumps(as_map(item)))
        elif words is not None:
            self.say(words)
        elif isinstance(item, Gap) and item.reason != "rights":
            self.say(f"! {item.stream}: events {item.from_} to {item.to} are gone ({item.reason})")

    def connection(self, change: Connected | Disconnected) -> None:
        """The line was lost, or is back."""
        if self.as_json:
            self.say(json.dumps({"connection": type(change).__name__.lower(), **attrs.asdict(change)}))
        elif isinstance(change, Disconnected):
            self.say(f"! the connection is lost ({change.text}); trying again in {change.pause_ms / 1000:.1f} s")
        elif change.again:
            self.say("the connection is back")

    def seconds_left(self, deadline: object) -> str:
        """Until a time of the broker's clock."""
        if not isinstance(deadline, int):
            return "no hurry"
        return f"{self.seconds_to(deadline)} s to answer"

    def seconds_to(self, deadline: int) -> int:
        """The same as a number."""
        return max(0, deadline - self.now() + 500) // 1000

    def now(self) -> int:
        """The broker's time."""
        return self.clock() + self.ahead_ms


def as_map(item: Item) -> dict[str, Any]:
    """An item as JSON has it."""
    match item:
        case Event():
            return {
                "event": item.type,
                "stream": item.stream,
                "offset": item.offset,
                "t_ms": item.t_ms,
                "data": item.data,
            }
        case Notice():
            return {"notice": item.type, "stream": item.stream, "data": item.data}
        case Gap():
            return {"gap": item.reason, "stream": item.stream, "from": item.from_, "to": item.to}
        case View():
            return {"snapshot": item.data, "stream": item.stream, "offset": item.offset}


def lasting(ms: int) -> str:
    """A duration as people say it, rounded up.

    >>> [lasting(ms) for ms in (5_000, 60_000, 61_000, 5_400_000, 5_401_000)]
    ['5 seconds', '1 minute', '2 minutes', '90 minutes', '2 hours']
    """
    for unit, size, most in (("second", 1000, 59), ("minute", 60_000, 90), ("hour", 3_600_000, None)):
        count = -(-ms // size)
        if most is None or count <= most:
            return f"{count} {unit}" + ("" if count == 1 else "s")
    raise AssertionError("the last unit has no end")


def moment(ms: int) -> str:
    """A time as this machine's clock and calendar show it."""
    return f"{datetime.fromtimestamp(ms / 1000).astimezone():%a %Y-%m-%d %H:%M}"


def quoted(data: Mapping[str, object], field: str = "text") -> str:
    """A personal text behind a colon; nothing where there is none."""
    text = text_of(data.get(field))
    return f": {text}" if text else ""


def somebody(data: Mapping[str, object]) -> str:
    """A customer's name."""
    return text_of(data.get("name")) or "somebody"


DECLINE_REASON: Final = "busy"


def shown_functions(console: Console, found: Sequence[EffectiveFunction]) -> object:
    """What somebody may do, and who decides it."""
    if console.as_json:
        return [attrs.asdict(each) for each in found]
    for each in found:
        by = " and ".join(f"{one.level} {one.name}" for one in each.reasons if one.decides)
        console.say(f"{each.function}: {'on' if each.on else 'off'} ({by})")
    return None
