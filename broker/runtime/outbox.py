"""What goes out: collected during a tick, written once per connection at its end.

A connection whose unsent bytes pass the bound isn't read from until they are written: whoever doesn't read its
answers asks nothing new. What may still come for it (events, notices) waits as cursors and coalesced notices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from broker.codes import Close
from broker.limits import MAX_MESSAGE_BYTES, MAX_MESSAGE_FRAMES
from broker.protocol.codec import pack
from broker.protocol.frames import Frame, Goodbye
from broker.runtime.connection import Connection
from broker.runtime.cursors import Cursor
from broker.transport.base import Prepared, Transport


@attrs.frozen
class Statistics:
    """What the outbox can say of itself."""

    messages: int
    """WebSocket messages handed to the transport."""
    flushes: int
    paused: int
    """How often a connection was no longer read from because it didn't read."""
    replaced_notices: int
    """Ephemeral notices that a later one of the same key replaced before they were sent."""


class Outbox:
    """The one way from the hub to its transport."""

    def __init__(self, transport: Transport, *, outbox_bytes: int, most_notices: int) -> None:
        self._transport = transport
        self._bound = outbox_bytes
        self._most_notices = most_notices
        self._dirty: list[Connection] = []
        self._messages = 0
        self._flushes = 0
        self._paused = 0
        self._replaced = 0
        self.prepare = transport.prepare
        self.again: dict[Connection, None] = {}
        """Connections that had too much to get in this tick, and took it all: there is room again. (Those that
        didn't take it all are reported by the transport when they have.)"""
        self.ended: Callable[[Connection, int], None] = lambda connection, code: None
        """Called once for each connection that ``farewell`` ends, with the code."""
        self.slow: Callable[[Connection], None] = lambda connection: None
        """Called when bytes of a connection stay unsent: somebody should look after it in time."""

    def room(self, connection: Connection) -> bool:
        """Whether more than answers may go to this connection now."""
        return connection.link.pending + connection.out_bytes < self._bound

    def put(self, connection: Connection, message: Prepared) -> None:
        """Send this at the end of the tick."""
        if connection.closing:
            return
        if not connection.out_bytes:
            self._dirty.append(connection)
        connection.out.append(message)
        connection.out_bytes += len(message)

    def payload(self, connection: Connection, payload: bytes) -> None:
        """The same for a frame's bytes."""
        self.put(connection, self.prepare(payload))

    def frame(self, connection: Connection, frame: Frame) -> None:
        """The same for a frame."""
        self.put(connection, self.prepare(pack(frame)))

    def signal(self, connection: Connection, payload: bytes) -> None:
        """Send this SIGNAL frame at the end of the tick, together with others in one message."""
        waiting = connection.out_bytes
        if not waiting:
            self._dirty.append(connection)
        connection.out_bytes = waiting + len(payload)
        connection.out_signals.append(payload)

    def signals(self, connection: Connection, payload: bytes) -> None:
        """The same for a message of several: in a message of its own, after those that came before it."""
        if connection.out_signals:
            connection.out.extend(map(self.prepare, joined(connection.out_signals)))
            connection.out_signals = []
        self.payload(connection, payload)

    def fan_out(
        self, cursors: Iterable[Cursor], wire_type: str, message: Prepared
    ) -> tuple[list[Cursor], list[Cursor]]:
        """Send one event to many live cursors at the end of the tick. Returns those without room, and those whose
        filter kept it back."""
        slow: list[Cursor] = []
        skipped: list[Cursor] = []
        size, bound, dirty = len(message), self._bound, self._dirty
        for cursor in cursors:
            if cursor.types is not None and wire_type not in cursor.types:
                skipped.append(cursor)
                continue
            connection = cursor.connection
            waiting = connection.out_bytes
            if connection.link.pending + waiting >= bound:
                slow.append(cursor)
                continue
            if not waiting:
                dirty.append(connection)
            connection.out.append(message)
            connection.out_bytes = waiting + size
        return slow, skipped

    def notice(self, connection: Connection, stream: str, key: str, payload: bytes) -> None:
        """Send an ephemeral notice, or keep it as the latest of its key until there is room."""
        message = self.prepare(payload)
        if self.room(connection) and not connection.notices:
            self.put(connection, message)
            return
        if connection.notices is None:
            connection.notices = {}
        if connection.notices.pop((stream, key), None) is not None:
            self._replaced += 1
        elif len(connection.notices) >= self._most_notices:
            del connection.notices[next(iter(connection.notices))]
            self._replaced += 1
        connection.notices[stream, key] = message

    def send_notices(self, connection: Connection) -> None:
        """Send those that were kept, as far as there is room."""
        while connection.notices and self.room(connection):
            key = next(iter(connection.notices))
            self.put(connection, connection.notices.pop(key))

    def farewell(self, connection: Connection, frame: Goodbye) -> None:
        """Say goodbye and close."""
        if connection.closing:
            return
        link = connection.link
        self.frame(connection, frame)
        self._write(connection)
        connection.out.clear()
        connection.out_signals = []
        connection.out_bytes = 0
        connection.closing = True
        self._transport.close(link, frame.code, frame.text)
        self.ended(connection, frame.code)

    def end(self, connection: Connection, code: Close, text: str, *, retry_ms: int | None = None) -> None:
        """The same with a code and a text; does nothing where either side has said goodbye."""
        frame = connection.machine.close(code, text, retry_ms=retry_ms)
        if frame is not None:
            self.farewell(connection, frame)

    def flush(self) -> None:
        """Write what was collected, once per connection."""
        if not self._dirty:
            return
        dirty, self._dirty = self._dirty, []
        self._flushes += 1
        write = self._write
        for connection in dirty:
            if not connection.out_bytes or connection.closing:
                continue
            if write(connection):
                self._watch(connection)
            elif connection.behind or connection.notices or connection.backlog:
                self.again[connection] = None

    def _write(self, connection: Connection) -> int:
        """Hand everything collected for this connection to the transport; the bytes still unsent."""
        out, signals = connection.out, connection.out_signals
        if signals:
            if len(signals) == 1:
                out.append(self.prepare(signals[0]))
            else:
                out.extend(map(self.prepare, joined(signals)))
            connection.out_signals = []
        connection.out = []
        connection.given += connection.out_bytes
        connection.out_bytes = 0
        self._messages += len(out)
        return self._transport.send(connection.link, out)

    def _watch(self, connection: Connection) -> None:
        """Bytes stay unsent: look at the clock, and at the bound."""
        self.slow(connection)
        if connection.link.pending >= self._bound and not connection.paused:
            connection.paused = True
            self._paused += 1
            self._transport.pause(connection.link)

    def resume(self, connection: Connection) -> None:
        """Read from this connection again."""
        if connection.paused:
            connection.paused = False
            self._transport.resume(connection.link)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self._messages, self._flushes, self._paused, self._replaced)


def joined(payloads: list[bytes]) -> list[bytes]:
    """Frames put together into as few messages as the protocol's bounds allow. Each payload holds 1 to
    ``MAX_MESSAGE_FRAMES`` frames, so only payloads of a single frame may be joined: those of this list are."""
    messages: list[bytes] = []
    start = size = 0
    for at, payload in enumerate(payloads):
        size += len(payload)
        if at > start and (at - start >= MAX_MESSAGE_FRAMES or size > MAX_MESSAGE_BYTES):
            messages.append(b"".join(payloads[start:at]))
            start, size = at, len(payload)
    messages.append(b"".join(payloads[start:]))
    return messages
