"""What the engine keeps for each connection: the link itself, its wire, its stages, its fuses."""

from __future__ import annotations

import math
from enum import Enum
from typing import Final, Protocol

import attrs

from broker import limits
from broker.transport.base import Link
from broker.transport.forwarded import X_FORWARDED_FOR, Networks
from broker.transport.pollers import READABLE
from broker.transport.tls import Tls
from broker.transport.upgrade import PATH, SUBPROTOCOL
from broker.transport.websocket import Parser


class Wire(Protocol):
    """The part of a non-blocking ``socket.socket`` that the engine uses; a memory pipe has it too."""

    def recv(self, bufsize: int, /) -> bytes:
        """At least one byte; empty at the end of the stream. Raises ``BlockingIOError``, ``OSError``."""

    def send(self, data: bytes | bytearray, /) -> int:
        """How many bytes were taken, at least one. Raises ``BlockingIOError``, ``OSError``."""

    def shutdown(self, how: int, /) -> None:
        """End the stream in one direction; always called with ``socket.SHUT_WR``."""

    def close(self) -> None:
        """Give the descriptor back."""


class Stage(Enum):
    """The life of a link; it only moves down this list."""

    ARRIVING = "arriving"
    """TLS handshake and HTTP head; the hub doesn't know of it."""
    OPEN = "open"
    CLOSING = "closing"
    """We said that we close: what is pending is written, and the peer's close frame awaited."""
    LINGERING = "lingering"
    """The hub was told that it is closed. Our last bytes go out, what comes is thrown away."""
    GONE = "gone"


@attrs.define(eq=False, kw_only=True, repr=False)
class WireLink(Link):
    """A link with a wire."""

    wire: Wire
    fd: int
    stage: Stage = Stage.ARRIVING
    mask: int = READABLE
    """What the poller looks for."""
    tls: Tls | None = None
    parser: Parser | None = None
    """Of a WebSocket."""
    quick: Parser | None = None
    """The same while ``OPEN`` without TLS: the reader's short road."""
    out: bytearray | None = None
    """What the wire did not take yet; never empty. ``pending`` is its length."""
    head: bytearray | None = None
    """The HTTP head so far."""
    known: bool = False
    """Signed in: it is looked after by the first poller, and not with the strangers."""
    paused: bool = False
    ended: bool = False
    """The peer sends no more."""
    shut: bool = False
    """We send no more."""
    listed: bool = False
    """On the ready list."""
    late: int = 0
    """Bytes that came after our close."""
    farewell: tuple[int, str] = (1000, "")
    """The code and reason we close with."""

    def __repr__(self) -> str:
        return f"<{self.kind} link {self.number} {self.address} {self.stage.value}: {self.pending} bytes pending>"


@attrs.frozen(kw_only=True)
class Settings:
    """What may differ from transport to transport."""

    path: str = PATH
    subprotocol: str | None = SUBPROTOCOL
    """What a client must offer; None: no matter, for foreign tools."""
    max_message_bytes: int = limits.MAX_MESSAGE_BYTES
    """Of a new link; ``set_limit`` changes it for one."""
    max_connections: int = limits.MAX_CONNECTIONS
    max_handshakes: int = limits.MAX_HANDSHAKES
    proxies: Networks = ()
    """Peers who are believed when they say for whom they speak."""
    proxy_header: str = X_FORWARDED_FOR
    """The one header in which they say it."""


NEVER: Final = math.inf


class Fuses:
    """Time-outs of one length, so that the first lit is the first burnt."""

    def __init__(self, milliseconds: int) -> None:
        self._seconds = milliseconds / 1000
        self._lit: dict[WireLink, float] = {}

    def __len__(self) -> int:
        return len(self._lit)

    def light(self, link: WireLink, now: float) -> None:
        """From now on the link has that long."""
        self._lit.pop(link, None)
        self._lit[link] = now + self._seconds

    def douse(self, link: WireLink) -> None:
        """It came in time, or is gone."""
        self._lit.pop(link, None)

    def oldest(self) -> WireLink:
        """The first lit; there is one."""
        return next(iter(self._lit))

    def next(self) -> float:
        """When the first burns out, in the clock's seconds."""
        return next(iter(self._lit.values()), NEVER)

    def burnt(self, now: float) -> list[WireLink]:
        """Links whose time is over, a tick's worth of them, taken out."""
        over: list[WireLink] = []
        for link, deadline in self._lit.items():
            if deadline > now or len(over) == limits.TICK_DEADLINES:
                break
            over.append(link)
        for link in over:
            del self._lit[link]
        return over
