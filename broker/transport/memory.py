"""The transport without sockets: the same engine over pipes in memory, for tests, simulation and embedding.

What a peer sends goes through the same HTTP and WebSocket code as in ``reactor``, byte for byte. It keeps
time by trio's clock, so under a mock clock it takes no real time. Faults have names: ``stall_writes``,
``cut_after``, ``half_close``, ``abort``.
"""

from __future__ import annotations

import select
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs
import trio

from broker.transport import upgrade
from broker.transport.client import Client
from broker.transport.engine import Engine
from broker.transport.links import Settings
from broker.transport.pollers import BROKEN, READABLE, WRITABLE
from broker.units import KIB

PIPE_BYTES = 64 * KIB  # what a pipe holds in each direction; a kernel's socket buffer is of this order


class LinkClosed(Exception):
    """The link ended; ``code`` is the broker's close code, 1006 where it sent none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code = code
        self.reason = reason


class MemoryPoller:
    """Readiness of pipes, level-triggered, without looking at the idle ones; also of real descriptors that
    are watched (those wake it in real time, whatever the clock)."""

    def __init__(self) -> None:
        self.pipes: dict[int, MemoryPipe] = {}
        self._masks: dict[int, int] = {}
        self._touched: dict[int, None] = {}
        self._watched: dict[int, None] = {}
        self._real = select.poll()
        self._signal = trio.Event()

    def touch(self, fd: int) -> None:
        """Something changed in that pipe."""
        self._touched[fd] = None
        self._signal.set()

    def register(self, fd: int, mask: int) -> None:
        """See ``Poller.register``; pipes have negative numbers."""
        if fd >= 0:
            self._watched[fd] = None
            self._real.register(fd, select.POLLIN)
            return
        self._masks[fd] = mask
        self.touch(fd)

    modify = register

    def unregister(self, fd: int) -> None:
        """See ``Poller.unregister``."""
        if fd in self._watched:
            del self._watched[fd]
            self._real.unregister(fd)
        self._masks.pop(fd, None)
        self.pipes.pop(fd, None)
        self._touched.pop(fd, None)

    def poll(self, most: int) -> Sequence[tuple[int, int]]:
        """See ``Poller.poll``."""
        ready = [(fd, READABLE) for fd, _ in self._real.poll(0)] if self._watched else []
        for fd in list(self._touched):
            if len(ready) >= most:
                break
            del self._touched[fd]
            mask = self.pipes[fd].readiness() & (self._masks[fd] | BROKEN)
            if mask:
                self._touched[fd] = None  # at the end: the others come first next time
                ready.append((fd, mask))
        return ready

    async def wait(self) -> None:
        """See ``Poller.wait``."""
        self._signal = trio.Event()
        if not self._watched:
            await self._signal.wait()
            return
        async with trio.open_nursery() as nursery:

            async def wait_for(wait: Callable[..., Awaitable[object]], *args: int) -> None:
                await wait(*args)
                nursery.cancel_scope.cancel()

            nursery.start_soon(wait_for, self._signal.wait)
            for fd in self._watched:
                nursery.start_soon(wait_for, trio.lowlevel.wait_readable, fd)

    def fileno(self) -> int:
        """See ``Poller.fileno``: pipes have none to look at, so members and strangers share one poller here."""
        return -1

    def close(self) -> None:
        """See ``Poller.close``."""


@attrs.define(eq=False)
class MemoryPipe:
    """Both directions of one connection. The methods of ``Wire`` are the broker's end, the others the
    peer's."""

    fd: int
    capacity: int
    _poller: MemoryPoller
    _to_broker: bytearray = attrs.field(factory=bytearray)
    _to_peer: bytearray = attrs.field(factory=bytearray)
    _peer_ended: bool = False
    _broker_ended: bool = False
    _broken: bool = False
    _stalled: bool = False
    _left: int | None = None
    """Bytes to the peer after which the pipe breaks."""
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def readiness(self) -> int:
        """What the broker's end can do now."""
        if self._broken:
            return READABLE | WRITABLE | BROKEN
        mask = READABLE if self._to_broker or self._peer_ended else 0
        room = not self._stalled and len(self._to_peer) < self.capacity
        return mask | (WRITABLE if room else 0)

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()
        if self.fd in self._poller.pipes:
            self._poller.touch(self.fd)

    # --- the broker's end: Wire ------------------------------------------------------------------------

    def recv(self, bufsize: int, /) -> bytes:
        """See ``Wire.recv``."""
        if self._broken:
            raise ConnectionResetError(104, "Connection reset by peer")
        if self._to_broker:
            data = bytes(self._to_broker[:bufsize])
            del self._to_broker[:bufsize]
            self._change()
            return data
        if self._peer_ended:
            return b""
        raise BlockingIOError

    def send(self, data: bytes | bytearray, /) -> int:
        """See ``Wire.send``."""
        if self._broken or self._broker_ended:
            raise BrokenPipeError(32, "Broken pipe")
        room = self.capacity - len(self._to_peer)
        if self._stalled or room <= 0:
            raise BlockingIOError
        taken = data[:room] if self._left is None else data[: min(room, self._left)]
        self._to_peer += taken
        if self._left is not None:
            self._left -= len(taken)
            if not self._left:
                self.abort()
                return len(taken)
        self._change()
        return len(taken)

    def shutdown(self, how: int, /) -> None:
        """See ``Wire.shutdown``."""
        if self._broken:
            raise OSError(107, "Transport endpoint is not connected")
        self._broker_ended = True
        self._change()

    def close(self) -> None:
        """See ``Wire.close``."""
        self._broker_ended = True
        self._broken = self._broken or bool(self._to_broker)
        self._change()

    # --- the peer's end --------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that the pipe to the broker takes now."""
        return max(0, self.capacity - len(self._to_broker))

    @property
    def ended(self) -> bool:
        """The broker sends no more, and everything it sent is received."""
        return (self._broker_ended or self._broken) and not self._to_peer

    def give(self, data: bytes) -> None:
        """Send bytes to the broker. Raises ``trio.WouldBlock`` where they don't fit, and
        ``trio.BrokenResourceError``."""
        if self._broken or self._broker_ended or self._peer_ended:
            raise trio.BrokenResourceError
        if len(data) > self.room:
            raise trio.WouldBlock
        self._to_broker += data
        self._change()

    def take(self) -> bytes:
        """What the broker sent and was not yet taken; may be empty."""
        data = bytes(self._to_peer)
        self._to_peer.clear()
        if data:
            self._change()
        return data

    async def wait_changed(self) -> None:
        """Until the broker's end did something, or a fault happened."""
        await self._changed.wait()

    def half_close(self) -> None:
        """The peer sends no more; it still receives."""
        self._peer_ended = True
        self._change()

    def abort(self) -> None:
        """The cable is cut: a reset, what was under way to the broker is lost."""
        self._broken = True
        self._to_broker.clear()
        self._change()

    def cut_after(self, count: int) -> None:
        """Cut the cable once the broker has sent that many bytes more."""
        if count <= 0:
            self.abort()
        self._left = count

    @contextmanager
    def stall_writes(self) -> Iterator[None]:
        """Within it the broker's writes don't get anywhere, as with a peer that has stopped reading."""
        self._stalled = True
        try:
            yield
        finally:
            self._stalled = False
            self._change()


@attrs.define(eq=False)
class MemoryPeer:
    """A WebSocket client of a ``MemoryTransport``: whole messages, by waiting or not. It reads from its
    pipe only when asked, so one that isn't asked is a slow reader. Faults are those of ``pipe``."""

    pipe: MemoryPipe
    client: Client
    _inbox: deque[bytes] = attrs.field(factory=deque)

    def send_nowait(self, message: bytes) -> None:
        """Send a message. Raises ``trio.WouldBlock`` (the broker doesn't read), ``trio.BrokenResourceError``."""
        self.pipe.give(self.client.message(message))

    async def send(self, message: bytes) -> None:
        """Send a message of any size, waiting for room. Raises ``trio.BrokenResourceError``."""
        await trio.lowlevel.checkpoint()
        data = self.client.message(message)
        while data:
            room = self.pipe.room
            self.pipe.give(data[:room])
            data = data[room:]
            if data:
                await self.pipe.wait_changed()

    def receive_nowait(self) -> bytes:
        """The next message. Raises ``trio.WouldBlock``, ``LinkClosed``, ``UpgradeRefused``."""
        self.pump()
        if self._inbox:
            return self._inbox.popleft()
        if self.client.refused is not None:
            raise self.client.refused
        if self.client.closed is not None:
            raise LinkClosed(self.client.closed.code, self.client.closed.reason)
        if self.pipe.ended:
            raise LinkClosed(1006, "the stream ended without a close frame")
        raise trio.WouldBlock

    async def receive(self) -> bytes:
        """The same, waiting for it."""
        await trio.lowlevel.checkpoint()
        while True:
            try:
                return self.receive_nowait()
            except trio.WouldBlock:
                await self.pipe.wait_changed()

    def pump(self) -> None:
        """Read what is there, and answer what is to be answered (a close frame)."""
        self._inbox.extend(self.client.receive(self.pipe.take()))
        if self.client.outgoing:
            answer = bytes(self.client.outgoing)
            self.client.outgoing.clear()
            try:
                self.pipe.give(answer)
            except (trio.WouldBlock, trio.BrokenResourceError):
                return  # the broker is gone, or doesn't read: so be it
        if self.client.closed is not None and self.pipe.ended:
            self.pipe.half_close()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the close handshake; ``receive`` raises ``LinkClosed`` at its end."""
        self.pipe.give(self.client.close(code, reason))


class MemoryTransport(Engine):
    """A ``Transport`` whose peers live in the same process."""

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        context: ssl.SSLContext | None = None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self._pipes = MemoryPoller()
        super().__init__(self._pipes, settings or Settings(), clock, lobby=self._pipes)
        self._context = context
        self._listening = True
        self._last_fd = 0

    def dial(self, *, address: str = "127.0.0.1", capacity: int = PIPE_BYTES) -> MemoryPipe:
        """A bare connection. Raises ``ConnectionRefusedError`` after ``shut`` and past the limits."""
        if not self._listening:
            raise ConnectionRefusedError
        self._last_fd -= 1
        pipe = MemoryPipe(self._last_fd, capacity, self._pipes)
        self._pipes.pipes[pipe.fd] = pipe
        if not self._adopt(pipe, pipe.fd, address, self._context):
            self._pipes.unregister(pipe.fd)
            raise ConnectionRefusedError
        return pipe

    def connect(
        self,
        *,
        address: str = "127.0.0.1",
        origin: str | None = None,
        path: str = upgrade.PATH,
        subprotocol: str | None = upgrade.SUBPROTOCOL,
        capacity: int = PIPE_BYTES,
    ) -> MemoryPeer:
        """A WebSocket client that has sent its upgrade request; its answer comes with the first ``receive``."""
        peer = MemoryPeer(
            self.dial(address=address, capacity=capacity), Client(path=path, subprotocol=subprotocol, origin=origin)
        )
        peer.pipe.give(peer.client.request())
        return peer

    def shut(self) -> None:
        """See ``Transport.shut``."""
        self._listening = False
