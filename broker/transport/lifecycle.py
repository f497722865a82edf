"""How a link comes, closes and goes, on any wire; the quick part of a tick is ``engine``.

Theory of operation: a link moves through the stages of ``links.Stage`` and never back. The hub hears of it
between ``Opened`` (the HTTP head was in order) and ``Closed`` (the end is certain). After that the wire
may linger for a while: closing a TCP socket that holds unread bytes resets it, and the peer would lose
our last words. So our end of the stream is closed first, what comes is thrown away, and the socket is
closed at the peer's end, or when the fuse has burnt.
"""

# size: one link's way through its stages, read as a whole

from __future__ import annotations

import errno
import itertools
import socket
import ssl
from collections import deque
from collections.abc import Callable
from typing import Final

import trio

from broker import limits
from broker.transport import upgrade
from broker.transport.base import REFUSALS, Closed, Data, Door, Drained, Happening, Kind, Messages, Opened
from broker.transport.forwarded import client_of
from broker.transport.links import Fuses, Settings, Stage, Wire, WireLink
from broker.transport.pollers import READABLE, WRITABLE, Poller
from broker.transport.tls import Tls
from broker.transport.websocket import (
    ABNORMAL,
    CLOSE,
    PONG,
    Bye,
    Parser,
    Ping,
    Violation,
    close_payload,
    server_frame,
)

HOSTILE: Final = (400, 431)
"""Answers to what no client sends, however wrong its address or path."""


class Lifecycle:
    """The slow paths. ``Engine`` adds the seam's methods; a transport of them, where wires come from."""

    def __init__(self, poller: Poller, lobby: Poller, settings: Settings, clock: Callable[[], float]) -> None:
        self._poller = poller
        self._lobby = lobby
        """Looks after strangers and listeners, so that however many of them are ready, those who are signed in are
        found among themselves."""
        self._settings = settings
        self._clock = clock
        self._links: dict[int, WireLink] = {}
        self._queue: list[Happening] = []
        self._ready_list: deque[WireLink] = deque()
        self._numbers = itertools.count(1)
        self._arriving = Fuses(limits.HELLO_TIMEOUT)
        self._closing = Fuses(limits.CLOSE_TIMEOUT)
        self._lingering = Fuses(limits.LINGER)
        self._waiting: trio.CancelScope | None = None
        self._handshakes_left = limits.TICK_TLS_HANDSHAKES
        self._open = 0
        self._refusals = dict.fromkeys(REFUSALS, 0)
        self.door: Door | None = None
        self._bytes_in = 0
        self._bytes_out = 0
        self._messages_in = 0
        self._messages_out = 0

    # --- coming ------------------------------------------------------------------------------------

    def _adopt(self, wire: Wire, fd: int, address: str, context: ssl.SSLContext | None) -> bool:
        """Take a new wire; False: there is no room, and the wire is closed."""
        place = None
        full = len(self._links) >= self._settings.max_connections
        if full or (self.door is not None and (place := self.door.enter(address)) is None):
            self._refusals["full" if full else "door"] += 1
            self._cut(wire)
            return False
        if len(self._arriving) >= self._settings.max_handshakes:
            # Whoever has had the longest time makes room: half-open sockets keep nobody out who is quick.
            self._refusals["made_room"] += 1
            self._drop(self._arriving.oldest(), reset=True)
        tls = None if context is None else Tls.start(context)
        link = WireLink(next(self._numbers), address, Kind.HTTP, place=place, wire=wire, fd=fd, tls=tls)
        self._links[fd] = link
        self._arriving.light(link, self._clock())
        self._lobby.register(fd, READABLE)
        return True

    def _arrive(self, link: WireLink, data: bytes) -> None:
        """More of the HTTP head."""
        if link.head is None:
            link.head = bytearray()
        searched = len(link.head)
        link.head += data
        length = upgrade.head_length(link.head, searched)
        if (length or len(link.head)) > limits.HTTP_HEAD_BYTES:
            self._refuse(link, upgrade.refusal(431, f"a head of more than {limits.HTTP_HEAD_BYTES} bytes"))
        elif link.head.count(b"\n", 0, length) > limits.HTTP_HEAD_LINES:
            self._refuse(link, upgrade.refusal(431, f"a head of more than {limits.HTTP_HEAD_LINES} lines"))
        elif length is not None:
            head, rest = bytes(link.head[:length]), bytes(link.head[length:])
            link.head = None
            self._admit(link, head, rest)
        elif not link.head[:1].isalpha():
            self._refuse(link, upgrade.refusal(400, "this is not HTTP"))

    def _admit(self, link: WireLink, head: bytes, rest: bytes) -> None:
        settings = self._settings
        verdict = upgrade.judge(
            head, path=settings.path, subprotocol=settings.subprotocol, forwarded=settings.proxy_header
        )
        if isinstance(verdict, upgrade.Refused):
            self._refuse(link, verdict)
            return
        if isinstance(verdict, upgrade.Accepted):
            if settings.proxies:
                self._speak_for(link, client_of(link.address, verdict.forwarded, settings))
            self._put(link, self._encrypted(link, verdict.response))
            if link.stage is Stage.GONE:
                return
            link.kind = Kind.WEBSOCKET
            link.parser = Parser(self._settings.max_message_bytes)
            if link.tls is None:
                link.quick = link.parser
        self._arriving.douse(link)
        link.origin = verdict.origin
        link.stage = Stage.OPEN
        self._open += 1
        self._queue.append(Opened(link))
        if link.parser is None:
            self._queue.append(Data(link, head + rest))
        elif rest:
            self._parse(link, rest)

    def _speak_for(self, link: WireLink, address: str) -> None:
        """A proxy has named its client: from now on the link is that one's. Without a place the hub says goodbye."""
        if address == link.address:
            return
        link.address = address
        if self.door is not None:
            self._give_back(link)
            link.place = self.door.enter(address)

    def _give_back(self, link: WireLink) -> None:
        if self.door is not None and link.place is not None:
            self.door.leave(link.place)
        link.place = None

    def _refuse(self, link: WireLink, verdict: upgrade.Refused) -> None:
        self._refusals["bad_head"] += 1
        if verdict.status in HOSTILE:
            self._failed(link)
        self._linger(link, verdict.response)

    def _failed(self, link: WireLink) -> None:
        if self.door is not None and link.place is not None:
            self.door.failed(link.place)

    # --- reading -----------------------------------------------------------------------------------

    def _serve(self, link: WireLink) -> int:
        """Read once from a link, on the long road; what it cost, in bytes."""
        if link.stage is Stage.OPEN and link.paused:
            return 0
        if link.parser is not None and link.parser.more:
            self._parse(link, b"")
            return limits.LINK_MESSAGES * limits.MESSAGE_COST
        if link.tls is not None and link.tls.handshaking:
            if not self._handshakes_left:
                self._list(link)
                return 0
            self._handshakes_left -= 1
        try:
            raw = link.wire.recv(limits.READ_BYTES)
        except BlockingIOError:
            return 0
        except OSError as exc:
            self._lost(link, exc.strerror or "the socket failed")
            return 0
        if not raw:
            self._ended(link)
            return 0
        self._bytes_in += len(raw)
        if link.stage is Stage.CLOSING or link.stage is Stage.LINGERING:
            link.late += len(raw)
            if link.late > limits.LATE_BYTES:
                self._lost(link, "it sent on after our close", reset=True)
                return len(raw)
        if link.stage is Stage.LINGERING:
            return len(raw)
        data = raw if link.tls is None else self._decrypted(link, link.tls, raw)
        if data:
            self._received(link, data)
        if link.tls is not None and link.tls.ended and link.stage is not Stage.GONE:
            self._ended(link)
        return len(raw)

    def _received(self, link: WireLink, data: bytes) -> None:
        if link.stage is Stage.ARRIVING:
            self._arrive(link, data)
        elif link.parser is not None and link.stage in (Stage.OPEN, Stage.CLOSING):
            self._parse(link, data)
        elif link.stage is Stage.OPEN:
            self._queue.append(Data(link, data))

    def _decrypted(self, link: WireLink, tls: Tls, raw: bytes) -> bytes:
        try:
            data = tls.receive(raw)
        except ssl.SSLError as exc:
            if link.stage is Stage.ARRIVING:
                self._refusals["bad_tls"] += 1
                self._failed(link)
            self._put(link, tls.outgoing())
            self._lost(link, f"TLS: {exc.reason or exc}")
            return b""
        outgoing = tls.outgoing()
        if outgoing:
            self._put(link, outgoing)
        return data if link.stage is not Stage.GONE else b""

    def _encrypted(self, link: WireLink, data: bytes) -> bytes:
        return data if link.tls is None else link.tls.encrypt(data)

    def _parse(self, link: WireLink, data: bytes) -> None:
        parser = link.parser
        assert parser is not None
        messages = parser.feed(data)
        if messages and link.stage is Stage.OPEN:
            self._messages_in += len(messages)
            self._queue.append(Messages(link, messages))
        if parser.attention:
            self._attend(link, parser)

    def _attend(self, link: WireLink, parser: Parser) -> None:
        """What came beside messages, and what the parser put off."""
        pongs = b""
        for control in parser.take_controls():
            if isinstance(control, Ping):
                # A peer that pings and doesn't read gets no more pongs: its pending bytes stay bounded.
                if link.stage is Stage.OPEN and link.pending <= limits.OUTBOX_BYTES:
                    pongs += server_frame(PONG, control.payload)
            elif isinstance(control, Bye | Violation):
                self._part(link, control, pongs)
                return
        if pongs:
            self._put(link, self._encrypted(link, pongs))
        if parser.more:
            self._list(link)

    def _list(self, link: WireLink) -> None:
        """There is work on this link that the poller can't see, or that had to wait."""
        if not link.listed:
            link.listed = True
            self._ready_list.append(link)

    # --- writing -----------------------------------------------------------------------------------

    def _put(self, link: WireLink, data: bytes) -> int:
        """Write bytes as they are for the wire, keep what it doesn't take; the bytes pending."""
        if link.out is not None:
            link.out += data
        elif data:
            sent = self._try_send(link, data)
            if sent == len(data) or link.stage is Stage.GONE:
                return 0
            link.out = bytearray(data[sent:])
            self._look(link)
        link.pending = len(link.out or b"")
        return link.pending

    def _try_send(self, link: WireLink, data: bytes | bytearray) -> int:
        try:
            sent = link.wire.send(data)
        except BlockingIOError:
            return 0
        except OSError as exc:
            if exc.errno == errno.ENOBUFS:
                return 0
            self._lost(link, exc.strerror or "the socket failed")
            return 0
        self._bytes_out += sent
        return sent

    def _flush(self, link: WireLink) -> None:
        """The wire takes more."""
        if link.out is None:
            return
        sent = self._try_send(link, link.out)
        if link.stage is Stage.GONE:
            return
        del link.out[:sent]
        link.pending = len(link.out)
        if link.out:
            return
        link.out = None
        if link.stage is Stage.OPEN:
            self._queue.append(Drained(link))
        elif link.stage is Stage.CLOSING and link.parser is None:
            self._finish(link, *link.farewell)
        elif link.stage is Stage.LINGERING:
            self._shut(link)
        self._look(link)

    def _look(self, link: WireLink) -> None:
        """Tell the poller what this link waits for."""
        if link.stage is Stage.GONE:
            return
        deaf = link.ended or (link.paused and link.stage is Stage.OPEN)
        mask = (0 if deaf else READABLE) | (WRITABLE if link.out is not None else 0)
        if mask != link.mask:
            link.mask = mask
            self._poller_of(link).modify(link.fd, mask)

    def _poller_of(self, link: WireLink) -> Poller:
        return self._poller if link.known else self._lobby

    # --- going -------------------------------------------------------------------------------------

    def _part(self, link: WireLink, last: Bye | Violation, pongs: bytes) -> None:
        """The peer closes, or must be closed."""
        if link.stage is Stage.CLOSING:
            code, reason = link.farewell if isinstance(last, Bye) else (ABNORMAL, last.reason)
            self._finish(link, code, reason)
        else:
            answer = close_payload(last.code, last.reason if isinstance(last, Violation) else "")
            self._finish(link, last.code, last.reason, pongs + server_frame(CLOSE, answer))

    def _ended(self, link: WireLink) -> None:
        """The peer sends no more."""
        if link.ended:
            return
        link.ended = True
        if link.stage is Stage.ARRIVING or (link.stage is Stage.LINGERING and link.shut):
            self._drop(link)
        elif link.parser is not None and link.stage is not Stage.LINGERING:
            self._lost(link, "the stream ended without a close frame")
        elif link.stage is Stage.OPEN:
            self._queue.append(Data(link, b""))
        self._look(link)

    def _finish(self, link: WireLink, code: int, reason: str, last: bytes = b"") -> None:
        """Tell the hub; the last bytes still go out."""
        self._tell_closed(link, code, reason)
        self._linger(link, last)

    def _linger(self, link: WireLink, last: bytes) -> None:
        self._arriving.douse(link)
        self._closing.douse(link)
        link.stage = Stage.LINGERING
        link.quick = link.parser = link.head = None
        self._lingering.light(link, self._clock())
        if link.tls is not None:
            last = link.tls.encrypt(last) + link.tls.finish()
        if last:
            self._put(link, last)
        if link.out is None:
            self._shut(link)
        self._look(link)

    def _shut(self, link: WireLink) -> None:
        if link.stage is Stage.GONE:
            return
        try:
            link.wire.shutdown(socket.SHUT_WR)
        except OSError:
            link.ended = True  # the peer is gone already
        link.shut = True
        if link.ended:
            self._drop(link)

    def _lost(self, link: WireLink, reason: str, *, reset: bool = False) -> None:
        """The end without a close handshake."""
        self._tell_closed(link, ABNORMAL, reason)
        self._drop(link, reset=reset)

    def _tell_closed(self, link: WireLink, code: int, reason: str) -> None:
        if link.stage in (Stage.OPEN, Stage.CLOSING):
            self._open -= 1
            self._queue.append(Closed(link, code, reason))
            self._nudge()

    def _drop(self, link: WireLink, *, reset: bool = False) -> None:
        """Forget the link and close its wire."""
        if link.stage is Stage.GONE:
            return
        link.stage = Stage.GONE
        link.quick = link.parser = link.head = link.out = link.tls = None
        link.pending = 0
        for fuses in (self._arriving, self._closing, self._lingering):
            fuses.douse(link)
        self._give_back(link)
        del self._links[link.fd]
        self._poller_of(link).unregister(link.fd)
        if reset:
            self._cut(link.wire)
        else:
            link.wire.close()

    def _cut(self, wire: Wire) -> None:
        """Close a wire at once, without writing what its kernel buffer holds."""
        wire.close()

    def _expire(self, now: float) -> None:
        """Carry out the time-outs that are due."""
        for link in self._arriving.burnt(now):
            self._refusals["no_head"] += 1
            self._drop(link)
        for link in self._closing.burnt(now):
            self._lost(link, f"no end within {limits.CLOSE_TIMEOUT} ms of our close {link.farewell[0]}", reset=True)
        for link in self._lingering.burnt(now):
            self._drop(link, reset=True)

    def _next_fuse(self) -> float:
        return min(self._arriving.next(), self._closing.next(), self._lingering.next())

    def _nudge(self) -> None:
        """Something happened outside ``poll``: let a waiting ``ready`` return."""
        if self._waiting is not None:
            self._waiting.cancel()
