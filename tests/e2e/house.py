"""A broker in a process of its own, and people who come to it over TCP, each with a client and with eyes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, TypeVar

import attrs
import trio

from bench.peers.process import free_port
from broker.identity import secrets
from broker.identity.tokens import Signer
from broker.protocol.frames import Event
from clients.python.client import open_client
from clients.python.demo_stage import Actor, Eyes
from clients.python.following import View
from clients.python.role import Role
from clients.python.roles import Customer, Manager, Representative, Service
from clients.python.settings import Auth, Settings
from tests.clients.python.conftest import serving

PATIENCE: Final = 60.0  # seconds for anything; whoever needs them has failed
FOREVER: Final = 4_102_444_800_000
CONFIG: Final = """
[server]
port = {port}

[data]
path = "data"

[logs]
level = "warning"

{more}

[[accounts]]
name = "acme"
slot = 0
desk = "desk.toml"
"""

A = TypeVar("A", bound=Role)
T = TypeVar("T")


@attrs.define(eq=False)
class Person(Actor[A]):
    """Somebody, and all that its streams have told so far."""

    async def until(self, what: str, look: Callable[[], T | None], patience: float = PATIENCE) -> T:
        """What ``look`` finds in ``eyes``, once it does."""
        with trio.move_on_after(patience):
            while (found := look()) is None:
                await self.eyes.more()
            return found
        raise AssertionError(f"{self.name} waited for {what} in vain, and saw {self.eyes.items[-20:]}")

    def seen(self, type: str, stream: str | None = None, **fields: object) -> list[Event]:
        """The events of a type so far (of one stream), with these values in their data."""
        return [one for one in self.eyes.events(type, **fields) if stream in (None, one.stream)]

    async def event(self, type: str, nth: int = 1, stream: str | None = None, **fields: object) -> Event:
        """The n-th such event, once it is there."""

        def look() -> Event | None:
            found = self.seen(type, stream, **fields)
            return found[nth - 1] if len(found) >= nth else None

        return await self.until(f"{type} {fields or ''} ({nth})", look)

    def said(self, session: str) -> list[tuple[int, str, str]]:
        """(number, text, whose) of the messages of a session that came, as they came."""
        found = self.seen("chat.message", f"session:{session}")
        return [(int(str(one.data["message_seq"])), str(one.data["text"]), str(one.data["role"])) for one in found]

    async def hears(self, session: str, text: str) -> None:
        """Until this was said there."""
        await self.event("chat.message", stream=f"session:{session}", text=text)


@attrs.define(eq=False)
class House:
    """A broker that runs, and where its people's eyes are open."""

    url: str
    signer: Signer
    folder: Path
    _stack: AsyncExitStack = attrs.field(factory=AsyncExitStack)
    _nursery: trio.Nursery | None = None

    def token(self, name: str, role: str) -> str:
        """A sign-in of this person's."""
        return self.signer.mint("acme", name, role, FOREVER)

    async def _come(
        self, name: str, auth: Auth, role: Callable[..., A], settings: Settings | None, stream: str | None
    ) -> Person[A]:
        assert self._nursery is not None
        does: A = await self._stack.enter_async_context(open_client(self.url, auth, role, settings=settings))
        person = Person(name, does, Eyes(), self._nursery)
        if stream is not None:
            await person.follow(stream)
        return person

    async def representative(
        self, name: str, *, available: bool = True, settings: Settings | None = None
    ) -> Person[Representative]:
        """Somebody who follows what it is told itself; on duty unless it is said otherwise."""
        auth = Auth(token=self.token(name, "representative"))
        person = await self._come(name, auth, Representative, settings, "me")
        if available:
            await person.does.set_presence("available")
        return person

    async def manager(self, name: str, *streams: str) -> Person[Manager]:
        """A manager who follows these."""
        auth = Auth(token=self.token(name, "manager"))
        person = await self._come(name, auth, Manager, None, None)
        for stream in streams:
            await person.follow(stream)
        return person

    async def service(self, name: str, *streams: str) -> Person[Service]:
        """A program that follows these."""
        auth = Auth(token=self.token(name, "service"))
        person = await self._come(name, auth, Service, None, None)
        for stream in streams:
            await person.follow(stream)
        return person

    async def view(self, name: str, stream: str = "me") -> View:
        """What a representative is shown of a stream on another device."""
        auth = Auth(token=self.token(name, "representative"))
        async with open_client(self.url, auth, Representative) as does, does.subscribe(stream, "snapshot") as items:
            found = await anext(items)
        assert isinstance(found, View)
        return found

    async def customer(self, name: str, portal: str, *, settings: Settings | None = None) -> Person[Customer]:
        """Somebody who comes through a portal."""
        return await self._come(name, Auth(portal=f"acme/{portal}"), Customer, settings, "me")


@contextmanager
def _serving(folder: Path, desk: str, more: str) -> Iterator[House]:
    port = free_port()
    (folder / "huntgroup.toml").write_text(CONFIG.format(port=port, more=more))
    (folder / "desk.toml").write_text(desk)
    with serving("serve", "--config", str(folder / "huntgroup.toml"), says=f":{port}"):
        yield House(f"http://127.0.0.1:{port}", Signer(secrets.load(folder / "data").token_key), folder)


@asynccontextmanager
async def house(folder: Path, desk: str, more: str = "") -> AsyncIterator[House]:
    """``huntgroup serve`` of this desk, with more settings than where it is; and whoever comes leaves at the end."""
    with _serving(folder, desk, more) as made:
        async with trio.open_nursery() as nursery:
            made._nursery = nursery
            async with made._stack:
                yield made
            nursery.cancel_scope.cancel()


async def talk(customer: Person[Customer], representative: Person[Representative], text: str) -> str:
    """From a question to a session of the two, which both read from its beginning; its id."""
    asked = await customer.does.ask(text)
    offer = await representative.event("offer.made", request=asked.request)
    session = (await representative.does.accept(str(offer.data["offer"]))).session
    for one in (customer, representative):
        await one.follow(f"session:{session}", 0)
    return session
