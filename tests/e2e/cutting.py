"""Connections that break where a test wants it, for the Python client: over sockets, and over the memory transport."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Literal

import attrs
import trio

from broker.transport.memory import MemoryPipe, MemoryTransport
from clients.python.connection import Address

Way = Literal["up", "down", "answer"]
_ANSWER = (b"\x93\x11", b"\x94\x11")
"""How a RESULT begins: an array of three or four, of kind 17."""


@attrs.frozen
class Cut:
    """How one connection ends. Its bytes are counted from the dialling on, the upgrade and HELLO included."""

    way: Way
    """``up``: so many bytes reach the broker and no more; ``down``: so many come from it; ``answer``: once so many have
    gone up, the next RESULT, and what comes with it and before it, is lost: carried out, and not acknowledged."""
    after: int


@attrs.define(eq=False)
class Breaking(trio.abc.Stream):
    """A stream that breaks as its ``Cut`` says; None: not by itself."""

    inner: trio.abc.Stream
    cut: Cut | None = None
    _up: int = 0
    _down: int = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As the stream beneath, as far as it goes."""
        cut, whole = self.cut, bytes(data)
        part = whole[: cut.after - self._up] if cut is not None and cut.way == "up" else whole
        self._up += len(part)
        if part:
            await self.inner.send_all(part)
        if len(part) < len(whole):
            await self._break()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The same."""
        while True:
            data, cut = bytes(await self.inner.receive_some(max_bytes)), self.cut
            if cut is None or cut.way == "up":
                return data
            if cut.way == "down":
                part = data[: max(0, cut.after - self._down)]
                self._down += len(part)
                if len(part) == len(data):
                    return part
                if part:
                    self.cut = Cut("down", 0)  # what is left of this one is lost, at the next call
                    return part
                await self._break()
            if self._up < cut.after or not data:
                return data
            if any(mark in data for mark in _ANSWER):
                await self._break()

    async def _break(self) -> None:
        await self.sever()
        raise trio.BrokenResourceError

    def count_from_now(self, cut: Cut | None) -> None:
        """Forget what has passed; this is how it ends."""
        self.cut, self._up, self._down = cut, 0, 0

    async def sever(self) -> None:
        """Cut it now: over TCP a reset."""
        if isinstance(self.inner, trio.SocketStream):
            self.inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self.inner)

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream beneath."""
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """The same."""
        await self.inner.aclose()


@attrs.define(eq=False)
class Dialler:
    """What a client's ``Settings.dial`` is to be: each connection ends as the next of ``cuts`` says."""

    dial: Callable[[Address], Awaitable[trio.abc.Stream]]
    cuts: Iterator[Cut]
    dials: int = 0
    stream: Breaking | None = None
    """The newest."""

    async def __call__(self, address: Address) -> trio.abc.Stream:
        """Connect."""
        inner = await self.dial(address)
        self.dials += 1
        self.stream = Breaking(inner, next(self.cuts, None))
        return self.stream

    def from_now(self, cuts: Sequence[Cut]) -> None:
        """These end the present connection and those after it, counted from now on."""
        self.cuts = iter(cuts[1:])
        if self.stream is not None:
            self.stream.count_from_now(cuts[0] if cuts else None)


@attrs.define(eq=False)
class Tape:
    """What a client's ``Settings.dial`` is to be, where every byte that it receives is looked at."""

    dial: Callable[[Address], Awaitable[trio.abc.Stream]]
    heard: bytearray = attrs.field(factory=bytearray)

    async def __call__(self, address: Address) -> trio.abc.Stream:
        """Connect."""
        return _Taped(await self.dial(address), self.heard)


@attrs.define(eq=False)
class _Taped(trio.abc.Stream):
    inner: trio.abc.Stream
    _heard: bytearray

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.inner.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self.inner.receive_some(max_bytes))
        self._heard += data
        return data

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()


@attrs.define(eq=False)
class PipeStream(trio.abc.Stream):
    """The peer's end of a pipe of the memory transport, as trio has streams."""

    pipe: MemoryPipe
    _closed: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See ``trio.abc.SendStream``."""
        await trio.lowlevel.checkpoint()
        left = bytes(data)
        while left:
            self._check()
            room = self.pipe.room
            self.pipe.give(left[:room])
            left = left[room:]
            if left:
                await self.pipe.wait_changed()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See ``trio.abc.ReceiveStream``."""
        await trio.lowlevel.checkpoint()
        while True:
            self._check()
            if data := self.pipe.take():
                return data
            if self.pipe.ended:
                return b""
            await self.pipe.wait_changed()

    async def wait_send_all_might_not_block(self) -> None:
        """See ``trio.abc.SendStream``."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """A reset: the kernel's close beside unread bytes is one, too."""
        self._closed = True
        self.pipe.abort()
        await trio.lowlevel.checkpoint()

    def _check(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError


def in_memory(transport: MemoryTransport) -> Callable[[Address], Awaitable[trio.abc.Stream]]:
    """Dials this transport, whatever the address."""

    async def dial(address: Address) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return PipeStream(transport.dial())

    return dial


# --- a cable ------------------------------------------------------------------------------------------------


@attrs.define(eq=False)
class Cable:
    """What a client's ``Settings.dial`` is to be: a cable that can be pulled out, and plugged in again.

    Out means silence: nothing is carried either way and nothing says so, no close and no reset, also where the client
    gives its connection up. New connections find no route. What was dead stays so when the cable is in again."""

    dial: Callable[[Address], Awaitable[trio.abc.Stream]]
    out: bool = False
    dials: int = 0
    """Connections that came about."""
    _wires: list[Wire] = attrs.field(factory=list)

    async def __call__(self, address: Address) -> trio.abc.Stream:
        """Connect."""
        if self.out:
            await trio.lowlevel.checkpoint()
            raise OSError("no route to the broker")
        wire = Wire(await self.dial(address))
        self.dials += 1
        self._wires.append(wire)
        return wire

    def pull(self) -> None:
        """Out with it."""
        self.out = True
        for wire in self._wires:
            wire.dead = True

    def plug(self) -> None:
        """In again."""
        self.out = False

    async def throw_away(self) -> None:
        """Close what the broker was never told of."""
        for wire in self._wires:
            await trio.aclose_forcefully(wire.inner)


@attrs.define(eq=False)
class Wire(trio.abc.Stream):
    """One connection over a cable."""

    inner: trio.abc.Stream
    dead: bool = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As the stream beneath; into nothing once it is dead."""
        if self.dead:
            await trio.lowlevel.checkpoint()
        else:
            await self.inner.send_all(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The same, with nothing to come."""
        data = b"" if self.dead else bytes(await self.inner.receive_some(max_bytes))
        if self.dead:  # by now
            await trio.sleep_forever()
        return data

    async def wait_send_all_might_not_block(self) -> None:
        """As the stream beneath."""
        if not self.dead:
            await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """The broker isn't told, once it is dead."""
        if self.dead:
            await trio.lowlevel.checkpoint()
        else:
            await self.inner.aclose()
