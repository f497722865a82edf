"""The worlds that the transport suite runs in: the same tests, with and without sockets, with and without TLS.

A world owns a transport and plays the hub: ``until`` polls it and lets the peers read, until a condition
holds. It keeps a ledger of every happening and checks the seam's promises on the way: ``Opened`` comes
first, ``Closed`` last, each once.
"""

import socket
import ssl
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import attrs
import trio

from broker.transport.base import Closed, Data, Drained, Happening, Link, Messages, Opened
from broker.transport.client import Client
from broker.transport.engine import Engine
from broker.transport.links import Settings
from broker.transport.memory import MemoryPipe, MemoryTransport
from broker.transport.reactor import Reactor, listen

PATIENCE = 10_000  # turns of 1 ms without the condition: a hang, on any machine
H = TypeVar("H", Opened, Messages, Data, Drained, Closed)


@attrs.define
class FakeClock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class End(Protocol):
    """The peer's end of a connection: bytes."""

    def give(self, data: bytes) -> None: ...
    def take(self) -> bytes: ...
    @property
    def ended(self) -> bool: ...
    def half_close(self) -> None: ...
    def abort(self) -> None: ...


class SocketEnd:
    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        try:
            self._socket.connect(("127.0.0.1", port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setblocking(False)
        self._out = bytearray()
        self._half = False
        self.ended = False

    def give(self, data: bytes) -> None:
        self._out += data
        self._flush()

    def _flush(self) -> None:
        try:
            while self._out:
                del self._out[: self._socket.send(self._out)]
            if self._half:
                self._half = False
                self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._out.clear()

    def take(self) -> bytes:
        self._flush()
        data = bytearray()
        try:
            while not self.ended:
                more = self._socket.recv(65536)
                self.ended = not more
                data += more
        except BlockingIOError:
            pass
        except OSError:
            self.ended = True
        return bytes(data)

    def half_close(self) -> None:
        self._half = True
        self._flush()

    def abort(self) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._socket.close()
        self.ended = True

    def close(self) -> None:
        self._socket.close()


class PipeEnd:
    """A memory pipe that queues what doesn't fit."""

    def __init__(self, pipe: MemoryPipe) -> None:
        self.pipe = pipe
        self._out = bytearray()
        self._half = False

    @property
    def ended(self) -> bool:
        return self.pipe.ended

    def give(self, data: bytes) -> None:
        self._out += data
        self._flush()

    def _flush(self) -> None:
        room = self.pipe.room
        try:
            if self._out and room:
                self.pipe.give(bytes(self._out[:room]))
                del self._out[:room]
        except trio.BrokenResourceError:
            self._out.clear()
        if self._half and not self._out:
            self._half = False
            self.pipe.half_close()

    def take(self) -> bytes:
        self._flush()
        return self.pipe.take()

    def half_close(self) -> None:
        self._half = True
        self._flush()

    def abort(self) -> None:
        self.pipe.abort()


class TlsEnd:
    """A client's TLS over another end."""

    def __init__(self, end: End, context: ssl.SSLContext) -> None:
        self._end = end
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname="broker.test")
        self._waiting = bytearray()
        self._ready = False
        self._closed = False
        self.polite = False
        """The broker said goodbye in TLS too (close_notify)."""
        self._turn()

    @property
    def ended(self) -> bool:
        return self._end.ended

    def _turn(self) -> bytes:
        plain = bytearray()
        try:
            if not self._ready:
                self._object.do_handshake()
                self._ready = True
            if self._waiting:
                self._object.write(bytes(self._waiting))
                self._waiting.clear()
            while not self._closed:
                data = self._object.read(65536)
                self._closed = self.polite = not data
                plain += data
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._closed = True
        data = self._out.read()
        if data:
            self._end.give(data)
        return bytes(plain)

    def give(self, data: bytes) -> None:
        self._waiting += data
        if self._ready:
            self._turn()

    def take(self) -> bytes:
        self._in.write(self._end.take())
        return self._turn()

    def half_close(self) -> None:
        self._end.half_close()

    def abort(self) -> None:
        self._end.abort()


@attrs.define(eq=False)
class Peer:
    """A WebSocket client over an end; reads when the world turns, unless ``deaf``."""

    end: End
    client: Client
    messages: list[bytes] = attrs.field(factory=list)
    deaf: bool = False

    def send(self, *messages: bytes) -> None:
        self.end.give(b"".join(map(self.client.message, messages)))

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.end.give(self.client.close(code, reason))

    def turn(self) -> None:
        if self.deaf:
            return
        self.messages += self.client.receive(self.end.take())
        if self.client.outgoing:
            self.end.give(bytes(self.client.outgoing))
            self.client.outgoing.clear()

    @property
    def closed(self) -> tuple[int, str] | None:
        """The broker's close frame."""
        last = self.client.closed
        return None if last is None else (last.code, last.reason)


@attrs.define(eq=False)
class Caller:
    """A client that speaks bytes, not WebSocket."""

    end: End
    got: bytearray = attrs.field(factory=bytearray)

    def turn(self) -> None:
        self.got += self.end.take()


@attrs.define(eq=False)
class World:
    transport: Engine
    clock: FakeClock
    dial: Callable[[], End]
    subprotocol: str | None = "huntgroup.v1.msgpack"
    happenings: list[Happening] = attrs.field(factory=list)
    peers: list[Peer | Caller] = attrs.field(factory=list)
    echo: bool = False
    states: dict[Link, str] = attrs.field(factory=dict)
    sockets: list[SocketEnd] = attrs.field(factory=list)

    def connect(self, origin: str | None = None) -> Peer:
        """A client that has sent its upgrade request."""
        peer = Peer(self.dial(), Client(subprotocol=self.subprotocol, origin=origin))
        peer.end.give(peer.client.request())
        self.peers.append(peer)
        return peer

    def call(self, data: bytes = b"") -> Caller:
        """A client that has sent these bytes, and nothing else."""
        caller = Caller(self.dial())
        caller.end.give(data)
        self.peers.append(caller)
        return caller

    def open(self) -> tuple[Peer, Link]:
        """A client that is connected, and its link."""
        peer = self.connect()
        self.until(lambda: peer.client.opened)
        return peer, self.of(Opened)[-1].link

    def turn(self) -> None:
        """One tick of the hub, and one of each peer."""
        for happening in self.transport.poll():
            self._enter(happening)
        for peer in self.peers:
            peer.turn()

    def _enter(self, happening: Happening) -> None:
        state = self.states.get(happening.link)
        if isinstance(happening, Opened):
            assert state is None, "Opened twice"
            self.states[happening.link] = "open"
        else:
            assert state == "open", f"{happening} while {state}"
        if isinstance(happening, Closed):
            self.states[happening.link] = "closed"
        if isinstance(happening, Messages) and self.echo:
            self.transport.send(happening.link, [self.transport.prepare(m) for m in happening.messages])
        self.happenings.append(happening)

    def until(self, condition: Callable[[], object]) -> None:
        """Turn until the condition holds."""
        for _ in range(PATIENCE):
            if condition():
                return
            before = len(self.happenings)
            self.turn()
            if len(self.happenings) == before and not condition():
                self.give_way()
        raise AssertionError(f"it never happened; so far: {self.happenings[-20:]}")

    def settle(self) -> None:
        """Turn a few times: for what must not happen."""
        for _ in range(10):
            self.turn()
            self.give_way()

    def give_way(self) -> None:
        """Let the kernel move what is under way."""
        if isinstance(self.transport, Reactor):
            time.sleep(0.001)

    def of(self, kind: type[H]) -> list[H]:
        """The happenings of one kind so far."""
        return [h for h in self.happenings if isinstance(h, kind)]

    def messages(self, link: Link) -> list[bytes]:
        """Every message that came on a link."""
        return [m for h in self.of(Messages) if h.link is link for m in h.messages]

    def data(self, link: Link) -> bytes:
        return b"".join(h.data for h in self.of(Data) if h.link is link)

    def ends(self, link: Link) -> list[tuple[int, str]]:
        return [(h.code, h.reason) for h in self.of(Closed) if h.link is link]

    def drained(self, link: Link) -> int:
        return sum(h.link is link for h in self.of(Drained))


def memory_world(settings: Settings, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> World:
    clock = FakeClock()
    transport = MemoryTransport(settings, context=server, clock=clock)

    def dial() -> End:
        end = PipeEnd(transport.dial())
        return TlsEnd(end, client) if client else end

    return World(transport, clock, dial)


def reactor_world(settings: Settings, server: ssl.SSLContext | None, client: ssl.SSLContext | None) -> World:
    clock = FakeClock()
    listeners = listen("127.0.0.1", 0, server)
    transport = Reactor(listeners, settings, clock=clock)
    port = listeners[0].port

    def dial() -> End:
        end = SocketEnd(port)
        world.sockets.append(end)
        return TlsEnd(end, client) if client else end

    world = World(transport, clock, dial)
    return world
