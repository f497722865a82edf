"""The seam between the hub and its sockets: synchronous, but for one await.

The hub owns a transport and calls ``ready`` and ``poll`` from one task only (the rest may be called from
any task of its thread, as an HTTP task does)::

    while True:
        await transport.ready(timeout)
        for happening in transport.poll():
            ...
        transport.send(link, [transport.prepare(payload)])

Everything here speaks of whole WebSocket messages; the frames of RFC 6455, TLS and the sockets
themselves stay behind the seam. ``reactor`` is the real one, ``memory`` the one without sockets; one
suite in ``tests/transport`` runs on both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NewType, Protocol

import attrs

Prepared = NewType("Prepared", bytes)
"""A message ready for any link of its transport: framed once, however many links it goes to."""


REFUSALS: Final = ("full", "door", "made_room", "no_head", "bad_head", "bad_tls")
"""Why a socket is turned away before the hub hears of it: no room for any more; none for more of its address; a newer
one took its place; no whole HTTP head in time; one that isn't in order; bytes that are no TLS."""


class Kind(StrEnum):
    """What a link carries, known once its HTTP head has been read."""

    WEBSOCKET = "websocket"
    HTTP = "http"


@attrs.define(eq=False)
class Link:
    """One connection, as the hub sees it. The transport subclasses it with what it needs."""

    number: int
    """Counts up over the life of the transport, never reused."""
    address: str
    """The peer's address (no port), for limits and for the log. Behind a trusted proxy: who the proxy says it is."""
    kind: Kind
    origin: str | None = None
    """The ``Origin`` header of the upgrade, for the origin check; None where there was none."""
    owner: object | None = None
    """Free for the hub: its own record of this connection."""
    pending: int = 0
    """Bytes accepted by ``send`` and not yet taken by the socket."""
    place: object | None = None
    """What the door gave it; None where there is no door, or no room for whom its proxy named."""


@attrs.define(eq=False, frozen=True)
class Opened:
    """A link is up: a finished WebSocket handshake, or an HTTP request's first bytes."""

    link: Link


@attrs.define(eq=False)  # not frozen: made for every read, and frozen costs three times as much
class Messages:
    """Whole binary WebSocket messages, in order (``Kind.WEBSOCKET`` only)."""

    link: Link
    messages: Sequence[bytes]


@attrs.define(eq=False, frozen=True)
class Data:
    """Raw bytes of a link that isn't a WebSocket, its head included; empty: the peer sends no more."""

    link: Link
    data: bytes


@attrs.define(eq=False, frozen=True)
class Drained:
    """All that was pending on this link is written."""

    link: Link


@attrs.define(eq=False, frozen=True)
class Closed:
    """A link is gone, for whatever reason. It comes exactly once for each ``Opened``, and last."""

    link: Link
    code: int
    """The WebSocket close code: the peer's, ours, or 1006 where there was no close handshake."""
    reason: str
    """For the log."""


Happening = Opened | Messages | Data | Drained | Closed


@attrs.frozen
class Statistics:
    """What a transport can say of itself."""

    links: int
    """Open links that were reported by ``Opened``."""
    handshaking: int
    """Sockets accepted and not yet reported (TLS or HTTP head still coming)."""
    bytes_in: int
    bytes_out: int
    messages_in: int
    messages_out: int
    refused: int
    """Sockets turned away, for whatever reason; ``Transport.refusals`` has them by reason."""


class Door(Protocol):
    """Counts where connections come from, and says no before one has cost anything."""

    def enter(self, address: str) -> object | None:
        """A new connection from there: its place, which is left once; None: there is no room for it."""

    def leave(self, place: object) -> None:
        """The connection with this place is gone."""

    def failed(self, place: object) -> None:
        """What it sent was no HTTP, or no TLS: nobody sends that by mistake again and again."""


class Transport(Protocol):
    """What the hub needs of the world."""

    door: Door | None
    """Asked about each new connection; None: whoever comes may come."""

    async def ready(self, timeout: float | None) -> None:
        """Wait until ``poll`` has something, ``wake`` was called, a watched file descriptor is readable,
        or ``timeout`` seconds have passed. Always a checkpoint; the only ``await`` of the seam."""

    def poll(self) -> Sequence[Happening]:
        """What happened: reads once from each ready socket (at most ``limits.TICK_SOCKETS`` of those that are signed
        in, then ``limits.TICK_STRANGERS`` of the others; the rest is ready again at once) and cuts what came into
        messages. Never blocks."""

    def wake(self) -> None:
        """Make the present or next ``ready`` return at once. Callable from any task of the hub's thread."""

    def watch(self, fd: int) -> None:
        """Also return from ``ready`` while ``fd`` is readable (the journal's socket)."""

    def unwatch(self, fd: int) -> None:
        """Undo ``watch``."""

    def prepare(self, payload: bytes) -> Prepared:
        """Frame one binary message, once for all links."""

    def send(self, link: Link, messages: Sequence[Prepared]) -> int:
        """Write now as much as the socket takes, keep the rest; return the bytes still pending.

        The transport sets no bound: the hub stops sending to a link whose ``pending`` is past its outbox
        limit, and ``Drained`` tells it when to go on. On a closed link it does nothing and returns 0."""

    def send_raw(self, link: Link, data: bytes) -> int:
        """The same for bytes of a ``Kind.HTTP`` link."""

    def pause(self, link: Link) -> None:
        """Read no more from this link until ``resume``: what it sends waits in its kernel's buffer."""

    def resume(self, link: Link) -> None:
        """Undo ``pause``."""

    def set_limit(self, link: Link, max_message_bytes: int) -> None:
        """From the next frame on, take messages of up to that many bytes from this WebSocket: services may
        send larger ones. What is larger ends the link with 1009."""

    def welcome(self, link: Link) -> None:
        """It has signed in: from now on it is read before all who have not, of whom each tick reads at most
        ``limits.TICK_STRANGERS``."""

    def close(self, link: Link, code: int = 1000, reason: str = "") -> None:
        """Write what is pending, then the close frame (a WebSocket) and the end of the stream; wait for the
        peer's close for a bounded time, without blocking. ``Closed`` follows from a later ``poll``."""

    def abort(self, link: Link) -> None:
        """Drop the link now: nothing pending is written. ``Closed`` follows from a later ``poll``."""

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""

    def refusals(self) -> Mapping[str, int]:
        """Sockets turned away, by reason: one of ``REFUSALS``."""

    def shut(self) -> None:
        """Stop listening; links stay."""

    def dispose(self) -> None:
        """Drop every link and every descriptor."""
