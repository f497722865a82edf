"""One WebSocket to a broker, as frames or as bare bytes: dials, signs in, sends, receives, ends.

Knows nothing of coming back: that is ``client`` with ``reconnect``. The conformance runner uses it bare.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast
from urllib.parse import urlsplit

import attrs
import trio
import trio_websocket

from broker.codes import Close
from broker.protocol import schema
from broker.protocol.codec import BROKER, decode, pack
from broker.protocol.errors import RemoteProtocolError
from broker.protocol.frames import Frame, Goodbye, Hello, Welcome
from clients.python.errors import UnreachableError

SUBPROTOCOL: Final = str(schema.load()["subprotocol"])
PATH: Final = str(schema.load()["path"])

DIAL_TIMEOUT: Final = 20.0  # seconds to a WELCOME: a phone that wakes up its radio takes ten
CLOSE_TIMEOUT: Final = 2.0  # seconds for the closing handshake; a peer that is gone must not hold us
_LOST: Final = 1006  # WebSocket's own codes: no close frame came,
_BROKEN: Final = 1002  # and the other side broke the protocol
QUEUED_MESSAGES: Final = 4  # read ahead of us by the WebSocket's own task; beyond it TCP pushes back


@attrs.frozen
class Address:
    """Where a broker is."""

    host: str
    port: int
    secure: bool
    path: str = PATH

    @classmethod
    def parse(cls, url: str) -> Address:
        """``http://host:8470`` (or https, ws, wss) or ``host:port``. ValueError for anything else."""
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a broker: expected http://HOST:PORT or https://HOST:PORT")
        secure = parts.scheme in ("https", "wss")
        path = parts.path.rstrip("/")
        return cls(parts.hostname, parts.port or (443 if secure else 80), secure, path or PATH)

    @property
    def host_header(self) -> str:
        """What HTTP calls it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{'https' if self.secure else 'http'}://{self.host_header}"


Dial = Callable[[Address], Awaitable[trio.abc.Stream]]
"""Opens the bytes' way to an address. OSError or trio.BrokenResourceError when there is none."""


async def dial(address: Address, *, ssl_context: ssl.SSLContext | None = None) -> trio.abc.Stream:
    """TCP, with TLS where the address says so."""
    if not address.secure:
        return await trio.open_tcp_stream(address.host, address.port)
    context = ssl_context or ssl.create_default_context()
    return await trio.open_ssl_over_tcp_stream(address.host, address.port, https_compatible=True, ssl_context=context)


class Cut(Exception):
    """The connection is over. ``goodbye`` is what the broker said last, None where it said nothing."""

    def __init__(self, code: int, text: str, goodbye: Goodbye | None = None) -> None:
        super().__init__(code, text)
        self.code = code
        """Of the GOODBYE or the WebSocket's close; 1006 where there was none."""
        self.text = text
        self.goodbye = goodbye


@attrs.define(eq=False)
class Link:
    """An open WebSocket."""

    ws: trio_websocket.WebSocketConnection = attrs.field(repr=False)
    stream: trio.abc.Stream = attrs.field(repr=False)
    goodbye: Goodbye | None = None
    """The broker's, once it came."""
    early: list[Frame] = attrs.field(factory=list, repr=False)
    """What came in one message with WELCOME."""

    async def send(self, *frames: Frame) -> None:
        """One message of these frames. Raises ``Cut``."""
        await self.send_message(b"".join(map(pack, frames)))

    async def send_message(self, message: bytes | str) -> None:
        """One message as it is, whatever it is. Raises ``Cut``."""
        try:
            await self.ws.send_message(message)
        except trio_websocket.ConnectionClosed as closed:
            raise self._cut(closed) from None

    async def receive_message(self) -> bytes | str:
        """The next message as it is. Raises ``Cut``."""
        try:
            message: bytes | str = await self.ws.get_message()
        except trio_websocket.ConnectionClosed as closed:
            raise self._cut(closed) from None
        return message

    async def receive(self) -> list[Frame]:
        """The next message's frames. Raises ``Cut``, also for a GOODBYE and for bytes that are no frames."""
        if self.goodbye is not None:
            await self.close()
            raise Cut(self.goodbye.code, self.goodbye.text, self.goodbye)
        if self.early:
            frames, self.early = self.early, []
            return frames
        message = await self.receive_message()
        try:
            if isinstance(message, str):
                raise RemoteProtocolError("a text message")
            frames = decode(message, BROKER)
        except RemoteProtocolError as exc:
            await self.close(exc.code, exc.text)
            raise Cut(_BROKEN, f"the broker's bytes are no frames: {exc}") from None
        for at, frame in enumerate(frames):
            if isinstance(frame, Goodbye):
                self.goodbye = frame
                return frames[:at] or await self.receive()
        return frames

    async def close(self, code: int = 1000, text: str | None = None) -> None:
        """The closing handshake; given up after ``CLOSE_TIMEOUT``, and never raises ``Cut``."""
        with trio.move_on_after(CLOSE_TIMEOUT):
            await self.ws.aclose(code, text and text.encode()[:120].decode(errors="ignore"))
        await trio.aclose_forcefully(self.stream)

    async def cut(self) -> None:
        """Drop it without a word, as a pulled cable does: no close frame, and over TCP a reset."""
        bare = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        if isinstance(bare, trio.SocketStream):
            linger = struct.pack("ii", 1, 0)  # on, no time: the kernel sends RST and forgets what was unsent
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await trio.aclose_forcefully(bare)

    def _cut(self, closed: trio_websocket.ConnectionClosed) -> Cut:
        reason = closed.reason
        if self.goodbye is not None:
            return Cut(self.goodbye.code, self.goodbye.text, self.goodbye)
        if reason is None:
            return Cut(_LOST, "the connection is lost")
        return Cut(int(reason.code), reason.reason or "the connection is lost")


@asynccontextmanager
async def open_link(address: Address, *, dial: Dial = dial) -> AsyncIterator[Link]:
    """An open WebSocket that has not signed in. Raises ``UnreachableError`` where there is none to be had."""
    held: BaseException | None = None
    rejected: BaseExceptionGroup[BaseException] | None = None
    try:
        async with trio.open_nursery() as nursery:
            # An exception of the caller's block must come out as it is, not wrapped in a group by the nursery.
            try:
                link = await _upgrade(nursery, address, dial)
                try:
                    yield link
                finally:
                    with trio.CancelScope(shield=True):
                        await trio.aclose_forcefully(link.stream)
            except BaseException as exc:
                held = exc
            nursery.cancel_scope.cancel()
    except* trio_websocket.HandshakeError as group:
        rejected = group
    if rejected is not None:
        raise UnreachableError(f"what answers at {address} is no broker: {rejected.exceptions[0]!r}") from None
    if held is not None:
        raise held


async def _upgrade(nursery: trio.Nursery, address: Address, dial: Dial) -> Link:
    stream: trio.abc.Stream | None = None
    link: Link | None = None
    try:
        with trio.fail_after(DIAL_TIMEOUT):
            stream = await dial(address)
            # Where the other side ends the bytes before it has answered, the library would wait for ever.
            with trio.CancelScope() as answered:
                ws = await trio_websocket.wrap_client_stream(
                    nursery,
                    cast("trio.SocketStream", _Watched(stream, answered.cancel)),  # any stream does
                    address.host_header,
                    address.path,
                    subprotocols=[SUBPROTOCOL],
                    message_queue_size=QUEUED_MESSAGES,
                    max_message_size=BROKER.message_bytes,
                )
                if ws.subprotocol == SUBPROTOCOL:
                    link = Link(ws, stream)
    except trio.TooSlowError:
        raise UnreachableError(f"{address} did not answer within {DIAL_TIMEOUT:.0f} s") from None
    except (OSError, trio.BrokenResourceError) as exc:
        why = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        raise UnreachableError(f"no broker answers at {address}: {why}") from None
    finally:
        if stream is not None and link is None:
            await trio.aclose_forcefully(stream)
    if link is None:
        raise UnreachableError(f"what answers at {address} does not speak {SUBPROTOCOL}")
    return link


@attrs.define(eq=False)
class _Watched(trio.abc.Stream):
    """A stream that tells of its end."""

    inner: trio.abc.Stream
    ended: Callable[[], None]

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            data = bytes(await self.inner.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended()
            raise
        if not data:
            self.ended()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self.inner.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended()  # before the library reads for the first time: it doesn't then
            raise

    async def wait_send_all_might_not_block(self) -> None:
        await self.inner.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self.inner.aclose()


async def sign_in(link: Link, hello: Hello) -> Welcome:
    """HELLO and its answer. Raises ``Cut``, with the broker's GOODBYE where it refuses."""
    with trio.move_on_after(DIAL_TIMEOUT):
        await link.send(hello)
        frames = await link.receive()
        if isinstance(frames[0], Welcome):
            link.early = frames[1:]
            return frames[0]
        await link.close(Close.PROTOCOL, "expected WELCOME")
        raise Cut(_BROKEN, "the broker answered HELLO with something else")
    raise Cut(_LOST, "the broker did not answer HELLO")
