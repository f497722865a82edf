"""What the demo's stories play on: people with eyes, a broker that runs, or one of our own that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

import attrs
import trio

from broker.protocol.frames import Event, Notice
from clients.python.client import open_client
from clients.python.errors import HuntgroupError, UnreachableError, WrongState
from clients.python.following import Item
from clients.python.role import Role
from clients.python.roles import Customer, Manager, Representative, Service
from clients.python.settings import Auth, Settings

WAIT: Final = 15.0  # seconds a story waits for anything: three times what a busy machine takes
START: Final = 180.0  # seconds for a broker of our own to serve: its six first passwords are hashed at low priority
ACCOUNT: Final = "demo"

A = TypeVar("A", bound=Role)
T = TypeVar("T")


class DiffersError(Exception):
    """Something is not as it must be; the message says what."""


@attrs.define(eq=False)
class Eyes:
    """Everything that one person saw, in the order of seeing."""

    items: list[Item] = attrs.field(factory=list)
    _news: trio.Event = attrs.field(factory=trio.Event)

    def see(self, item: Item) -> None:
        """One more."""
        self.items.append(item)
        self._news.set()
        self._news = trio.Event()

    async def more(self) -> None:
        """Until something new is seen."""
        await self._news.wait()

    def events(self, type: str, **fields: object) -> list[Event]:
        """The events of a type seen so far, with these values in their data."""
        return [
            item for item in self.items if isinstance(item, Event) and item.type == type and _has(item.data, fields)
        ]

    def notices(self, type: str, **fields: object) -> list[Notice]:
        """The same of notices."""
        return [
            item for item in self.items if isinstance(item, Notice) and item.type == type and _has(item.data, fields)
        ]

    async def event(self, type: str, **fields: object) -> Event:
        """The first such event, once it is seen. DiffersError if it doesn't come."""
        return await self._until(f"{type} {fields or ''}", lambda: next(iter(self.events(type, **fields)), None))

    async def notice(self, type: str, **fields: object) -> Notice:
        """The same for a notice."""

        return await self._until(
            f"the notice {type} {fields or ''}", lambda: next(iter(self.notices(type, **fields)), None)
        )

    async def _until(self, what: str, look: Callable[[], T | None]) -> T:
        with trio.move_on_after(WAIT):
            while (found := look()) is None:
                await self._news.wait()
            return found
        raise DiffersError(f"waited {WAIT:g} s for {what.strip()} in vain")


def _has(data: Mapping[str, object], fields: Mapping[str, object]) -> bool:
    return all(data.get(name) == value for name, value in fields.items())


@attrs.define(eq=False)
class Actor(Generic[A]):
    """Somebody on the stage: what it can do (``does``), and what it sees."""

    name: str
    does: A
    eyes: Eyes
    _nursery: trio.Nursery

    async def follow(self, stream: str, from_: Literal["now", "snapshot"] | int = "now") -> None:
        """Look at one more stream."""
        subscription = self.does.subscribe(stream, from_)
        await subscription.wait_placed()

        async def look() -> None:
            with suppress(HuntgroupError):  # it left the stage
                async for item in subscription:
                    self.eyes.see(item)

        self._nursery.start_soon(look)


@attrs.define(eq=False)
class Stage:
    """Where a story plays: a broker, and sign-ins for its people."""

    url: str
    tokens: Mapping[str, str]
    """Representative, manager or service to token."""
    nursery: trio.Nursery
    tell: Callable[[str, str], None]
    """(who, what it saw): printed."""
    data: str | None = None
    """The broker's data folder, for what only its operator can make."""

    @asynccontextmanager
    async def representative(
        self,
        name: str,
        *,
        presence: Literal["available", "away"] = "available",
        settings: Settings | None = None,
    ) -> AsyncIterator[Actor[Representative]]:
        """Somebody signed in; signed out again at the end, with nothing left open."""
        async with open_client(self.url, Auth(token=self.tokens[name]), Representative, settings=settings) as does:
            actor = Actor(name, does, Eyes(), self.nursery)
            await actor.follow("me")
            await does.set_presence(presence)
            try:
                yield actor
            finally:
                with trio.move_on_after(WAIT, shield=True), suppress(HuntgroupError):
                    await does.set_presence("offline", sessions="hand_back")

    @asynccontextmanager
    async def manager(self) -> AsyncIterator[Actor[Manager]]:
        """Mia, who watches the account."""
        async with open_client(self.url, Auth(token=self.tokens["mia"]), Manager) as does:
            yield await self._watching("mia", does)

    @asynccontextmanager
    async def service(self) -> AsyncIterator[Actor[Service]]:
        """A program that knows the customers."""
        async with open_client(self.url, Auth(token=self.tokens["robot"]), Service) as does:
            yield await self._watching("robot", does)

    async def _watching(self, name: str, does: A) -> Actor[A]:
        actor = Actor(name, does, Eyes(), self.nursery)
        await actor.follow("account")
        return actor

    @asynccontextmanager
    async def customer(
        self, portal: str, *, name: str = "kim", auth: Auth | None = None
    ) -> AsyncIterator[Actor[Customer]]:
        """Somebody at a portal; whatever it asked for is over at the end."""
        way = auth or Auth(portal=f"{ACCOUNT}/{portal}")
        async with open_client(self.url, way, Customer) as does:
            actor = Actor(name, does, Eyes(), self.nursery)
            await actor.follow("me")
            try:
                yield actor
            finally:
                with trio.move_on_after(WAIT, shield=True), suppress(HuntgroupError):
                    await give_up(does)


def must(what: str, expected: object, got: object) -> None:
    """Hold a story to it. DiffersError."""
    if expected != got:
        raise DiffersError(f"{what}: expected {expected!r}, got {got!r}")


async def give_up(customer: Customer) -> None:
    """End whatever this customer has open at its portal."""
    request = (await customer.open_portal()).request
    if request is None:
        return
    try:
        await customer.withdraw(request)
    except WrongState:  # assigned
        await customer.end(f"s_{request[2:]}")  # a session is named after its request


# --- a broker of our own -------------------------------------------------------------------------------------


@attrs.define(eq=False)
class OwnBroker:
    """``huntgroup demo`` as a process of its own, on a folder of its own."""

    folder: Path
    facts: dict[str, Any] = attrs.field(factory=dict)
    process: trio.Process | None = None

    @property
    def url(self) -> str:
        """Where it serves."""
        return str(self.facts["url"])

    @property
    def data(self) -> str:
        """Its data folder."""
        return str(self.folder / "data")

    @property
    def tokens(self) -> dict[str, str]:
        """Person to token."""
        return {each["person"]: each["token"] for each in self.facts["people"]}

    @property
    def passwords(self) -> dict[str, str]:
        """Person to password."""
        return {each["person"]: each["password"] for each in self.facts["people"] if "password" in each}

    async def start(self) -> None:
        """Serve; after the first time on the same port. UnreachableError if it doesn't."""
        port = str(self.url.rpartition(":")[2]) if self.facts else "0"
        command = [
            sys.executable,
            "-m",
            "broker",
            "demo",
            "--json",
            "--port",
            port,
            "--data",
            self.data,
        ]
        log = (self.folder / "broker.log").open("ab")
        with log:
            process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, stderr=log)
        self.process = process
        assert process.stdout is not None
        line = bytearray()
        with trio.move_on_after(START):
            while not line.endswith(b"\n"):
                data = await process.stdout.receive_some()
                if not data:
                    break
                line += data
        if not line.endswith(b"\n"):
            await self.stop()
            raise UnreachableError(f"no broker of our own: {(self.folder / 'broker.log').read_text()[-500:]}")
        self.facts = json.loads(line)

    async def kill(self) -> None:
        """kill -9: no time to tidy up."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """As an operator stops it."""
        await self._end(signal.SIGTERM)

    async def _end(self, how: int) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(process.pid, how)
        with trio.move_on_after(START) as waited:
            await process.wait()
        if waited.cancelled_caught:
            process.kill()
            await process.wait()
        if process.stdout is not None:
            await process.stdout.aclose()


@asynccontextmanager
async def own_broker() -> AsyncIterator[OwnBroker]:
    """A broker of our own, gone without a trace at the end."""
    with tempfile.TemporaryDirectory(prefix="huntgroup-demo-") as folder:
        broker = OwnBroker(Path(folder))
        try:
            await broker.start()
            yield broker
        finally:
            with trio.CancelScope(shield=True):
                await broker.stop()
