"""A broker and people whose clients live: they read and answer pings also while a test looks elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import attrs
import trio

from broker.protocol import frames
from broker.transport.memory import LinkClosed
from tests.runtime.harness import Broker, Client, Ended, broker


@attrs.define(eq=False)
class Live(Client):
    """A client with a reader of its own."""

    _arrived: trio.Event = attrs.field(factory=trio.Event)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _over: bool = False

    async def read(self) -> None:
        """Take everything that comes, until the end or ``silence``."""
        with self._scope:
            try:
                while True:
                    self._take(await self.peer.receive())
                    self._wake()
            except (LinkClosed, trio.BrokenResourceError):
                pass
        self._over = True
        self._wake()

    def _wake(self) -> None:
        self._arrived.set()
        self._arrived = trio.Event()

    async def next(self) -> frames.Frame:
        """The next frame that nobody has looked at."""
        while not self._fresh:
            if self._over:
                raise Ended(self.goodbye, 1006)
            await self._arrived.wait()
        return self._fresh.popleft()

    def fresh(self) -> list[frames.Frame]:
        """What has come and nobody has looked at."""
        found = list(self._fresh)
        self._fresh.clear()
        return found

    def silence(self) -> None:
        """As when the cable is cut: it reads and sends nothing any more."""
        self._scope.cancel()


@attrs.define(eq=False)
class Stage:
    """A broker, and where its people's readers run."""

    broker: Broker
    nursery: trio.Nursery

    async def connect(self, auth: Mapping[str, object]) -> Live:
        """A signed-in live client."""
        plain = await self.broker.connect(auth)
        client = Live(plain.peer, plain.seen, plain._fresh, welcome=plain.welcome)
        self.nursery.start_soon(client.read)
        return client

    async def staff(self, person: str, role: str = "representative", account: str = "acme") -> Live:
        """A representative or manager."""
        return await self.connect({"token": self.broker.token(account, person, role)})

    async def customer(self, portal: str) -> Live:
        """A customer through a portal (``account/portal``)."""
        return await self.connect({"portal": portal})


@asynccontextmanager
async def stage(accounts: Sequence[tuple[str, int]] = (("acme", 0),)) -> AsyncIterator[Stage]:
    """A broker without any portal yet."""
    async with broker(furnished=False, accounts=accounts) as made, trio.open_nursery() as nursery:
        yield Stage(made, nursery)
        nursery.cancel_scope.cancel()
