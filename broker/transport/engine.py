"""The seam's methods over any wires and poller: what ``reactor`` and ``memory`` have in common.

The tick is here and is the hot path; everything rarer is in ``lifecycle``. The cost of one small message
is one ``recv``, one ``Parser.feed``, one ``Messages``; of an answer, one ``send``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import trio

from broker import limits
from broker.transport.base import Happening, Kind, Link, Messages, Prepared, Statistics
from broker.transport.lifecycle import Lifecycle
from broker.transport.links import NEVER, Settings, Stage, WireLink
from broker.transport.pollers import BROKEN, READABLE, WRITABLE, Poller
from broker.transport.websocket import BINARY, CLOSE, close_payload, server_frame

_READ_BYTES: Final = limits.READ_BYTES
_TICK_BYTES: Final = limits.TICK_BYTES
_MESSAGE_COST: Final = limits.MESSAGE_COST
_LINK_MESSAGES: Final = limits.LINK_MESSAGES
_HEADERS: Final = tuple(server_frame(BINARY, bytes(size))[:2] for size in range(126))


class Engine(Lifecycle):
    """A ``Transport`` but for where its wires come from."""

    def __init__(
        self, poller: Poller, settings: Settings, clock: Callable[[], float] = trio.current_time, *, lobby: Poller
    ) -> None:
        super().__init__(poller, lobby, settings, clock)
        self._events: Sequence[tuple[int, int]] = ()
        self._woken = False
        self._doors: dict[int, Callable[[], None]] = {}
        """Descriptors of the transport's own, and what to do when one is readable."""
        self._alarm = NEVER
        """When ``_on_alarm`` wants to be called."""
        self._disposed = False

    # --- the tick ----------------------------------------------------------------------------------

    async def ready(self, timeout: float | None) -> None:
        """See ``Transport.ready``. Under load, when something is ready already, it costs one poll and one
        checkpoint, and no cancel scope."""
        if not (self._woken or self._queue or self._ready_list or self._events):
            self._events = self._poller.poll(limits.TICK_SOCKETS)
        if self._woken or self._queue or self._ready_list or self._events:
            self._woken = False
            await trio.lowlevel.checkpoint()
            return
        deadline = min(self._next_fuse(), self._alarm)
        if timeout is not None:
            deadline = min(deadline, self._clock() + timeout)
        try:
            with trio.CancelScope(deadline=deadline) as self._waiting:
                await self._poller.wait()
        finally:
            self._waiting = None
            self._woken = False

    def poll(self) -> Sequence[Happening]:
        """See ``Transport.poll``."""
        now = self._clock()
        if self._next_fuse() <= now:
            self._expire(now)
        if self._alarm <= now:
            self._on_alarm()
        self._handshakes_left = limits.TICK_TLS_HANDSHAKES
        spent = self._serve_list() if self._ready_list else 0
        events = self._events or self._poller.poll(limits.TICK_SOCKETS)
        self._events = ()
        for knock in self._read(events, spent):
            knock()  # last, so that a descriptor closed in this tick is not taken for a new link's
        happenings, self._queue = self._queue, []
        return happenings

    def _serve_lobby(self) -> None:
        """Serve strangers, a tick's share of them: after those who are signed in have been read."""
        for knock in self._read(self._lobby.poll(limits.TICK_STRANGERS), 0):
            knock()

    def _read(self, events: Sequence[tuple[int, int]], spent: int) -> list[Callable[[], None]]:
        """Read once from each link that is ready; the doors that somebody knocked at."""
        knocks: list[Callable[[], None]] = []
        links = self._links
        queue = self._queue
        bytes_in = messages_in = 0
        for fd, mask in events:
            link = links.get(fd)
            if link is None:
                if fd in self._doors:
                    knocks.append(self._doors[fd])
                continue
            if mask != READABLE and not self._unusual(link, mask):
                continue
            parser = link.quick
            if parser is None or link.listed or spent > _TICK_BYTES:
                if spent > _TICK_BYTES:
                    self._list(link)
                elif not link.listed:
                    spent += self._serve(link)
                continue
            try:
                data = link.wire.recv(_READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as exc:
                self._lost(link, exc.strerror or "the socket failed")
                continue
            if not data:
                self._ended(link)
                continue
            bytes_in += len(data)
            spent += len(data)
            messages = parser.feed(data, _LINK_MESSAGES)
            if messages:
                queue.append(Messages(link, messages))
                messages_in += len(messages)
                spent += len(messages) * _MESSAGE_COST
            if parser.attention:
                self._attend(link, parser)
        self._bytes_in += bytes_in
        self._messages_in += messages_in
        return knocks

    def _serve_list(self) -> int:
        """Serve each link on the ready list once, within the tick's bound; what it cost."""
        spent = 0
        for _ in range(min(len(self._ready_list), limits.TICK_SOCKETS)):
            if spent > _TICK_BYTES:
                break
            link = self._ready_list.popleft()
            link.listed = False
            if link.stage is not Stage.GONE:
                spent += self._serve(link)
        return spent

    def _unusual(self, link: WireLink, mask: int) -> bool:
        """Writable, or broken; whether to go on and read."""
        if mask & WRITABLE:
            self._flush(link)
        if mask & BROKEN and not link.mask & READABLE and link.stage is not Stage.GONE:
            self._lost(link, "the connection broke")
        return bool(mask & (READABLE | BROKEN)) and link.stage is not Stage.GONE

    def _on_alarm(self) -> None:
        self._alarm = NEVER

    # --- the hub's side ----------------------------------------------------------------------------

    def wake(self) -> None:
        """See ``Transport.wake``."""
        self._woken = True
        self._nudge()

    def watch(self, fd: int) -> None:
        """See ``Transport.watch``."""
        self._poller.register(fd, READABLE)

    def unwatch(self, fd: int) -> None:
        """See ``Transport.unwatch``."""
        self._poller.unregister(fd)

    def prepare(self, payload: bytes) -> Prepared:
        """See ``Transport.prepare``."""
        size = len(payload)
        if size < 126:
            return Prepared(_HEADERS[size] + payload)
        if size < 65536:
            return Prepared(b"\x82\x7e" + size.to_bytes(2, "big") + payload)
        return Prepared(server_frame(BINARY, payload))

    def send(self, link: Link, messages: Sequence[Prepared]) -> int:
        """See ``Transport.send``."""
        wired: WireLink = link  # type: ignore[assignment]  # hot: no cast
        if wired.stage is not Stage.OPEN or wired.parser is None:
            return 0
        data: bytes = messages[0] if len(messages) == 1 else b"".join(messages)
        self._messages_out += len(messages)
        if wired.out is None and wired.quick is not None:
            try:
                sent = wired.wire.send(data)
            except OSError:
                sent = 0  # full or broken: _put finds out
            self._bytes_out += sent
            if sent == len(data):
                return 0
            data = data[sent:]
        return self._put(wired, self._encrypted(wired, data))

    def send_raw(self, link: Link, data: bytes) -> int:
        """See ``Transport.send_raw``."""
        link = cast("WireLink", link)
        if link.stage is not Stage.OPEN or link.kind is not Kind.HTTP or not data:
            return link.pending
        return self._put(link, self._encrypted(link, data))

    def pause(self, link: Link) -> None:
        """See ``Transport.pause``."""
        link = cast("WireLink", link)
        link.paused = True
        self._look(link)

    def resume(self, link: Link) -> None:
        """See ``Transport.resume``."""
        link = cast("WireLink", link)
        if not link.paused:
            return
        link.paused = False
        self._look(link)
        if link.parser is not None and link.parser.more:
            self._list(link)
            self._nudge()

    def set_limit(self, link: Link, max_message_bytes: int) -> None:
        """See ``Transport.set_limit``."""
        link = cast("WireLink", link)
        if link.parser is not None:
            link.parser.limit = max_message_bytes

    def welcome(self, link: Link) -> None:
        """See ``Transport.welcome``."""
        link = cast("WireLink", link)
        if link.known or link.stage is Stage.GONE:
            return
        link.known = True
        if self._lobby is not self._poller:
            self._lobby.unregister(link.fd)
            self._poller.register(link.fd, link.mask)

    def close(self, link: Link, code: int = 1000, reason: str = "") -> None:
        """See ``Transport.close``."""
        link = cast("WireLink", link)
        if link.stage is not Stage.OPEN:
            return
        link.stage = Stage.CLOSING
        link.quick = None
        link.farewell = (code, reason)
        self._closing.light(link, self._clock())
        if link.parser is not None:
            self._put(link, self._encrypted(link, server_frame(CLOSE, close_payload(code, reason))))
            if link.parser is not None and link.parser.more:
                self._list(link)
        elif link.out is None:
            self._finish(link, code, reason)
        self._look(link)
        self._nudge()

    def abort(self, link: Link) -> None:
        """See ``Transport.abort``."""
        link = cast("WireLink", link)
        self._lost(link, "aborted", reset=True)

    def statistics(self) -> Statistics:
        """See ``Transport.statistics``."""
        return Statistics(
            links=self._open,
            handshaking=len(self._arriving),
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            messages_in=self._messages_in,
            messages_out=self._messages_out,
            refused=sum(self._refusals.values()),
        )

    def refusals(self) -> Mapping[str, int]:
        """See ``Transport.refusals``."""
        return self._refusals

    def shut(self) -> None:
        """See ``Transport.shut``; there is nothing to stop here."""

    def dispose(self) -> None:
        """See ``Transport.dispose``."""
        if self._disposed:
            return
        self._disposed = True
        self.shut()
        for link in list(self._links.values()):
            self._drop(link)
        self._lobby.close()
        self._poller.close()
