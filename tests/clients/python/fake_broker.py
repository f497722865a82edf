"""A broker of one person's streams, in memory, that does what a test tells it: the protocol's other end, no rules.

It speaks through the real codec and handshake machine over trio-websocket's server side on memory streams, so that a
mock clock works. ``cuts`` says after how many bytes, both ways together, each connection is torn apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

import attrs
import trio
import trio.testing
import trio_websocket

from broker.codes import Close, Code
from broker.protocol.codec import pack
from broker.protocol.errors import goodbye
from broker.protocol.frames import Event, Fail, Frame, Goodbye, Ping, Pong, Request, Result, Signal, Snapshot
from broker.protocol.handshake import Handshake
from clients.python.connection import SUBPROTOCOL, Address

Handler = Callable[["Peer", Request], list[Frame] | None]
"""What a REQUEST is answered with; None: as usual."""


@attrs.define(eq=False)
class Cutting(trio.abc.Stream):
    """A stream that breaks after ``left`` bytes, whichever way they go; None: never."""

    inner: trio.abc.Stream
    left: int | None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As the stream beneath, as far as it goes."""
        if self.left is not None and self.left <= 0:
            await self.aclose()
            raise trio.BrokenResourceError
        most = max_bytes or 65536
        data = bytes(await self.inner.receive_some(most if self.left is None else min(most, self.left)))
        self._spend(len(data))
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """The same."""
        part = bytes(data) if self.left is None else bytes(data)[: self.left]
        if part:
            await self.inner.send_all(part)
        self._spend(len(part))
        if len(part) < len(data):
            await self.aclose()
            raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        """The same."""
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """The same."""
        await self.inner.aclose()

    def _spend(self, count: int) -> None:
        if self.left is not None:
            self.left = max(0, self.left - count)


@attrs.define(eq=False)
class Peer:
    """One connection, as the broker sees it."""

    ws: trio_websocket.WebSocketConnection
    machine: Handshake = attrs.field(factory=Handshake)
    cursors: dict[str, int] = attrs.field(factory=dict)
    """Stream to the last offset sent."""
    filters: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    feeding: trio.Lock = attrs.field(factory=trio.Lock)

    async def send(self, *frames: Frame) -> None:
        """One message."""
        await self.ws.send_message(b"".join(map(pack, frames)))

    async def end(self, farewell: Goodbye) -> None:
        """GOODBYE and close."""
        await self.send(farewell)
        await self.ws.aclose(farewell.code)


@attrs.define(eq=False)
class FakeBroker:
    """See above. Use within a nursery: ``FakeBroker(nursery)``, and give its ``dial`` to the client."""

    nursery: trio.Nursery
    cuts: Iterator[int] = attrs.field(factory=lambda: iter(()))
    handler: Handler = lambda peer, request: None
    role: str = "representative"
    limits: dict[str, object] = attrs.field(factory=dict)
    heartbeat_ms: int = 4000
    dials: int = 0
    refuse: list[Exception | Goodbye | None] = attrs.field(factory=list)
    """What the next connections end with at once: an exception of dialling, or a GOODBYE to HELLO."""
    auths: list[dict[str, object]] = attrs.field(factory=list)
    """Of each HELLO."""
    admit: Callable[[Mapping[str, object]], dict[str, object] | Goodbye] | None = None
    """What HELLO's auth is answered with: more of WELCOME's identity, or a GOODBYE."""
    clock: Callable[[], int] = lambda: 1
    """What WELCOME says of the time."""
    visitor: str | None = None
    person: str = "ann"
    streams: dict[str, list[Event]] = attrs.field(factory=dict)
    stored: dict[str, Result] = attrs.field(factory=dict)
    """Key to result: commands that were carried out."""
    carried_out: list[tuple[str, object]] = attrs.field(factory=list)
    seen: list[Frame] = attrs.field(factory=list)
    """Every frame that came, but PONG."""
    pongs: int = 0
    peers: list[Peer] = attrs.field(factory=list)
    """Open connections."""
    most_flying: int = 0
    mute: bool = False
    """Answers nothing, not even PING."""
    mute_hello: bool = False

    async def dial(self, address: Address) -> trio.abc.Stream:
        """The client's way in."""
        self.dials += 1
        refusal = self.refuse.pop(0) if self.refuse else None
        if isinstance(refusal, Exception):
            raise refusal
        ours, theirs = trio.testing.memory_stream_pair()
        stream = Cutting(cast("trio.abc.Stream", ours), next(self.cuts, None))
        self.nursery.start_soon(self._serve, stream, refusal)
        return cast("trio.abc.Stream", theirs)

    def publish(self, stream: str, type: str = "thing.happened", /, **data: object) -> Event:
        """One more event, stored; ``flush`` sends it."""
        log = self.streams.setdefault(stream, [])
        log.append(Event(stream, len(log) + 1, type, 1_700_000_000_000, data))
        return log[-1]

    async def flush(self) -> None:
        """Send every connection what it has not seen of the streams it follows."""
        for peer in list(self.peers):
            with suppress(trio_websocket.ConnectionClosed):  # it comes back
                await self._feed(peer)

    async def _feed(self, peer: Peer) -> None:
        async with peer.feeding:
            for stream in list(peer.cursors):
                for event in self.streams.get(stream, [])[peer.cursors[stream] :]:
                    peer.cursors[stream] = event.offset
                    wanted = peer.filters.get(stream)
                    if wanted is None or event.type in wanted:
                        await peer.send(event)

    async def _serve(self, stream: Cutting, refusal: Goodbye | None) -> None:
        try:
            async with trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, stream)
                ws = await request.accept(subprotocol=SUBPROTOCOL)
                peer = Peer(ws)
                self.peers.append(peer)
                try:
                    await self._talk(peer, refusal)
                finally:
                    self.peers.remove(peer)
                    with trio.CancelScope(shield=True):
                        await trio.aclose_forcefully(stream)
                nursery.cancel_scope.cancel()
        except* (trio_websocket.ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # cut, or left

    async def _talk(self, peer: Peer, refusal: Goodbye | None) -> None:
        while True:
            message = await peer.ws.get_message()
            assert isinstance(message, bytes)
            got = peer.machine.receive(message, 1_700_000_000_000)
            if got.hello is not None and self.mute_hello:
                continue
            if got.hello is not None:
                self.auths.append(dict(got.hello.hello.auth))
                if refusal is not None:
                    await peer.end(refusal)
                    continue
                admitted = {} if self.admit is None else self.admit(got.hello.hello.auth)
                if isinstance(admitted, Goodbye):
                    await peer.end(admitted)
                    continue
                identity: dict[str, object] = {"account": "acme", "person": self.person, "role": self.role}
                identity.update(admitted)
                if self.visitor is not None:
                    identity["visitor"] = self.visitor
                welcome = peer.machine.welcome(identity, {"name": "fake", "build": "1", "t_ms": self.clock()})
                welcome.limits = {
                    **welcome.limits,
                    "commands_per_second": 10**6,
                    "commands_burst": 10**6,
                    **self.limits,
                }
                welcome.heartbeat_ms = self.heartbeat_ms
                await peer.send(welcome)
            if got.farewell is not None:
                await peer.end(got.farewell)
            if self.mute:
                continue
            for reply in got.replies:
                await peer.send(reply)
            await self._answer(peer, got.frames)

    async def _answer(self, peer: Peer, frames: list[Frame]) -> None:
        self.most_flying = max(self.most_flying, sum(isinstance(frame, Request) for frame in frames))
        for frame in frames:
            if isinstance(frame, Pong):
                self.pongs += 1
                continue
            self.seen.append(frame)
            if isinstance(frame, Request):
                answers = self.handler(peer, frame)
                if answers is None:
                    answers = self._usual(peer, frame)
                if frame.op != "subscribe":  # what it caused comes before its RESULT
                    await self._feed(peer)
                if answers:
                    await peer.send(*answers)
                await self._feed(peer)
            elif isinstance(frame, Signal):
                await peer.send(frame)

    def _usual(self, peer: Peer, request: Request) -> list[Frame]:
        args = cast("dict[str, Any]", request.args)
        if request.op == "subscribe":
            return self._subscribe(peer, request, args)
        if request.op == "unsubscribe":
            peer.cursors.pop(args["stream"], None)
            return [Result(request.id, {"stream": args["stream"]})]
        if request.key is None:
            return [Result(request.id, {})]
        known = self.stored.get(request.key)
        if known is not None:
            return [Result(request.id, {**cast("dict[str, object]", known.value), "replayed": True}, known.offsets)]
        self.carried_out.append((request.op, request.args))
        number = len(self.carried_out)
        event = self.publish("me", number=number)
        result = Result(request.id, {"number": number, "args": args}, {"me": event.offset})
        self.stored[request.key] = result
        return [result]

    def _subscribe(self, peer: Peer, request: Request, args: dict[str, Any]) -> list[Frame]:
        stream = args["stream"]
        if stream == "secret":
            return [Fail(request.id, int(Code.NO_SUCH), "no such stream")]
        head = len(self.streams.get(stream, []))
        start = args["offset"] if args["from"] == "offset" else 0 if args["from"] == "time" else head
        peer.filters.pop(stream, None)
        if args.get("types") is not None:
            peer.filters[stream] = tuple(args["types"])
        peer.cursors[stream] = start
        answers: list[Frame] = [Result(request.id, {"stream": stream, "offset": start})]
        if args["from"] == "snapshot":
            answers.append(Snapshot(stream, head, 0, False, {"offers": [1, 2]}))
            answers.append(Snapshot(stream, head, 1, True, {"offers": [3], "sessions": []}))
        return answers


def farewell(code: Close | int, text: str = "bye", *, retry_ms: int | None = None, url: str | None = None) -> Goodbye:
    """A GOODBYE for ``refuse``."""
    return goodbye(Close(code), text, retry_ms=retry_ms, url=url)


def ping(nonce: int) -> Ping:
    """One of the broker's."""
    return Ping(nonce, 1_700_000_000_000)
