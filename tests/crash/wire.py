"""A bare client of the protocol: no reconnecting, no repeating, everything it is told goes into the ledger."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import attrs
import trio
import trio_websocket

from broker.protocol import codec, frames
from tests.crash.ledger import Ledger, Seen, Told


class Cut(Exception):
    """The connection is gone."""


@attrs.define(eq=False)
class Wire:
    """One signed-in connection."""

    socket: trio_websocket.WebSocketConnection
    ledger: Ledger
    person: str = ""
    visitor: str | None = None
    """The visitor token of WELCOME."""
    sessions: list[str] = attrs.field(factory=list)
    """Found open in a SNAPSHOT."""
    events: trio.MemoryReceiveChannel[frames.Event] | None = None
    _asked: dict[int, tuple[str, Mapping[str, object], str | None]] = attrs.field(factory=dict)
    _answers: dict[int, trio.MemorySendChannel[Told]] = attrs.field(factory=dict)
    _ids: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))

    async def ask(self, op: str, key: str | None = None, **args: object) -> Told:
        """Send a REQUEST and wait for its answer. Raises Cut if the connection ends first."""
        number = next(self._ids)
        send, receive = trio.open_memory_channel[Told](1)
        self._asked[number], self._answers[number] = (op, args, key), send
        await self._send(frames.Request(number, op, args, key, None))
        try:
            return await receive.receive()
        except trio.EndOfChannel:
            raise Cut from None

    async def _send(self, frame: frames.Frame) -> None:
        try:
            await self.socket.send_message(codec.pack(frame))
        except trio_websocket.ConnectionClosed:
            raise Cut from None

    async def hello(self, auth: Mapping[str, str]) -> None:
        """Sign in."""
        await self._send(frames.Hello([1], [], auth, {"name": "crash"}))
        welcome = (await self._receive())[0]
        if not isinstance(welcome, frames.Welcome):
            raise Cut(f"{welcome}")
        self.person = str(welcome.identity["person"])
        token = welcome.identity.get("visitor")
        self.visitor = token if isinstance(token, str) else None

    async def _receive(self) -> list[frames.Frame]:
        try:
            message = await self.socket.get_message()
        except trio_websocket.ConnectionClosed:
            raise Cut from None
        assert isinstance(message, bytes)
        return codec.decode(message, codec.BROKER)

    async def listen(self, events: trio.MemorySendChannel[frames.Event]) -> None:
        """Read until the end; everything is noted before anybody acts on it."""
        try:
            while True:
                for frame in await self._receive():
                    await self._take(frame, events)
        except Cut:
            pass
        finally:
            for waiting in self._answers.values():
                waiting.close()
            events.close()

    async def _take(self, frame: frames.Frame, events: trio.MemorySendChannel[frames.Event]) -> None:
        match frame:
            case frames.Ping():
                await self._send(frames.Pong(frame.nonce, frame.t_ms))
            case frames.Event():
                stream = f"me:{self.person}" if frame.stream == "me" else frame.stream
                self.ledger.events.append(
                    Seen(self.person, stream, frame.offset, frame.type, frame.t_ms, dict(frame.data))
                )
                events.send_nowait(frame)
            case frames.Snapshot():
                data = cast("Mapping[str, list[Mapping[str, object]]]", frame.data)
                self.sessions += [str(session["session"]) for session in data.get("sessions", [])]
            case frames.Notice():
                self.ledger.notices.append((self.person, frame.type, dict(frame.data)))
            case frames.Result():
                told = self._told(
                    frame.id,
                    dict(cast("Mapping[str, object]", frame.value)),
                    dict(cast("Mapping[str, int]", frame.offsets or {})),
                )
                self.ledger.results.append(told)
                self._answers.pop(frame.id).send_nowait(told)
            case frames.Fail():
                told = attrs.evolve(
                    self._told(frame.id, {}, {}),
                    code=frame.code,
                    detail=dict(cast("Mapping[str, object]", frame.detail or {})),
                )
                self.ledger.refusals.append(told)
                self._answers.pop(frame.id).send_nowait(told)
            case _:
                pass

    def _told(self, number: int, value: dict[str, object], offsets: dict[str, int]) -> Told:
        op, args, key = self._asked.pop(number)
        return Told(self.person, op, args, key, value, offsets)


@asynccontextmanager
async def _socket(port: int) -> AsyncIterator[trio_websocket.WebSocketConnection]:
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        async with trio.open_nursery() as nursery:
            yield await trio_websocket.wrap_client_stream(
                nursery, stream, f"127.0.0.1:{port}", "/v1/ws", subprotocols=["huntgroup.v1.msgpack"]
            )
            nursery.cancel_scope.cancel()
    finally:  # whatever state the peer's death left it in
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def connected(port: int, auth: Mapping[str, str], ledger: Ledger) -> AsyncIterator[Wire]:
    """A signed-in connection; its listener runs as long as the block. Raises Cut where nobody serves."""
    try:
        async with _socket(port) as socket:
            wire = Wire(socket, ledger)
            await wire.hello(auth)
            send, receive = trio.open_memory_channel[frames.Event](100_000)
            wire.events = receive
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wire.listen, send)
                try:
                    yield wire
                finally:
                    nursery.cancel_scope.cancel()
    except (OSError, trio_websocket.HandshakeError, trio_websocket.ConnectionClosed) as error:
        raise Cut from error
