"""The smallest hub there is: it hands HTTP links to ``serve``, on a memory transport."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import h11
import trio

from broker.http.server import App, serve
from broker.transport.base import Closed, Data, Drained, Opened
from broker.transport.memory import MemoryPipe, MemoryTransport
from broker.transport.stream import HttpStream


@attrs.define(eq=False)
class Hub:
    transport: MemoryTransport
    reports: list[Exception] = attrs.field(factory=list)
    serving: int = 0
    """Tasks that run now."""

    async def run(self, app: App, nursery: trio.Nursery) -> None:
        streams: dict[object, HttpStream] = {}
        while True:
            await self.transport.ready(None)
            for happening in self.transport.poll():
                link = happening.link
                if isinstance(happening, Opened):
                    streams[link] = HttpStream(self.transport, link)
                    nursery.start_soon(self._serve, streams[link], app)
                elif isinstance(happening, Data):
                    streams[link].feed(happening.data)
                elif isinstance(happening, Drained):
                    streams[link].drained()
                elif isinstance(happening, Closed):
                    streams.pop(link).lost()

    async def _serve(self, stream: HttpStream, app: App) -> None:
        self.serving += 1
        try:
            await serve(stream, app, self.reports.append)
        finally:
            self.serving -= 1


@attrs.define(eq=False)
class Browser:
    """A client on one connection, through h11."""

    pipe: MemoryPipe
    connection: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))

    async def get(
        self, path: str, method: str = "GET", body: bytes = b"", **headers: str
    ) -> tuple[h11.Response, bytes]:
        """The response and its body."""
        if self.connection.our_state is h11.DONE:
            self.connection.start_next_cycle()
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if body:
            named.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=path, headers=[("Host", "broker.test"), *named])
        data = (self.connection.send(request) or b"") + (
            self.connection.send(h11.Data(data=body)) or b"" if body else b""
        )
        self.pipe.give(data + (self.connection.send(h11.EndOfMessage()) or b""))
        return await self.response()

    async def response(self) -> tuple[h11.Response, bytes]:
        """The next response and its body."""
        response: h11.Response | None = None
        got = bytearray()
        while True:
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                await self.more()
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                got += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert response is not None
                return response, bytes(got)

    async def more(self) -> None:
        """Wait for bytes."""
        data = self.pipe.take()
        while not data and not self.pipe.ended:
            await self.pipe.wait_changed()
            data = self.pipe.take()
        self.connection.receive_data(data)

    async def raw(self, data: bytes) -> bytes:
        """Send bytes; everything that comes until the broker ends the stream."""
        if data:
            self.pipe.give(data)
        got = bytearray()
        while not self.pipe.ended:
            got += self.pipe.take()
            if not self.pipe.ended:
                await self.pipe.wait_changed()
        return bytes(got)


@asynccontextmanager
async def serving(app: App) -> AsyncIterator[Hub]:
    """A hub that serves this app."""
    hub = Hub(MemoryTransport())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run, app, nursery)
        yield hub
        nursery.cancel_scope.cancel()
    hub.transport.dispose()


def browser(hub: Hub) -> Browser:
    """A client that is connected to the hub."""
    return Browser(hub.transport.dial())


def header(response: h11.Response, name: str) -> str | None:
    """A response's header, None where it has none."""
    found: list[bytes] = [value for key, value in response.headers if key == name.lower().encode()]
    return found[0].decode() if found else None
