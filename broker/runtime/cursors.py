"""Streams that somebody follows, and the cursors on them: places in the log, never queues.

A cursor is *live* at the head of its stream and gets each event as it is published. One whose connection has
no room stays where it is, reads on from the stream's ring of recent packed events when there is room again, and
past the ring from the journal. Data and arithmetic; ``subscriptions`` does the sending.
"""

from __future__ import annotations

from enum import Enum

import attrs

from broker.runtime.connection import Connection
from broker.transport.base import Prepared

Recent = tuple[str, Prepared]
"""(wire type, message)."""


class Mode(Enum):
    """Where a cursor gets its next event from."""

    LIVE = "live"
    """It is at the head; the next one published goes to it. Its position is the stream's head."""
    BEHIND = "behind"
    """It is not at the head, and goes on when its connection has room."""
    SNAPSHOT = "snapshot"
    """It waits for the follower's view of the stream."""


@attrs.define(eq=False)
class Stream:
    """One stream with at least one cursor."""

    name: str
    """Internal: ``me`` is ``me:<person>``."""
    wire: str
    head: int
    """The last offset published (committed)."""
    most_events: int
    most_bytes: int
    ring: dict[int, Recent] = attrs.field(factory=dict, repr=False)
    """Recent events by offset, dense up to ``head``."""
    ring_first: int = 0
    ring_bytes: int = 0
    live: dict[Cursor, None] = attrs.field(factory=dict)
    others: dict[Cursor, None] = attrs.field(factory=dict)
    """Cursors that are not live."""
    marks: dict[str, int] | None = None
    """Of a session's: up to where each person has read, as far as it was told."""

    def push(self, offset: int, wire_type: str, message: Prepared) -> None:
        """A new event at the head."""
        if not self.ring:
            self.ring_first = offset
        self.head = offset
        self.ring[offset] = (wire_type, message)
        self.ring_bytes += len(message)
        while len(self.ring) > self.most_events or self.ring_bytes > self.most_bytes:
            _, dropped = self.ring.pop(self.ring_first)
            self.ring_first += 1
            self.ring_bytes -= len(dropped)

    def forget(self, head: int) -> None:
        """Events up to ``head`` are in the journal and not in here."""
        self.head = head
        self.ring.clear()
        self.ring_bytes = 0

    @property
    def followed(self) -> bool:
        """Whether any cursor is left."""
        return bool(self.live or self.others)


@attrs.define(eq=False)
class Cursor:
    """One connection's place in one stream."""

    connection: Connection
    stream: Stream
    position: int
    """The last offset sent or skipped; of a live one look at ``place``."""
    types: frozenset[str] | None = None
    """Only these are sent; None: all."""
    mode: Mode = Mode.BEHIND
    told: int = 0
    """The last offset that the client knows it has passed."""
    page: list[tuple[int, str, bytes]] = attrs.field(factory=list, repr=False)
    """(offset, wire type, packed EVENT) read from the journal and not sent yet, the next one last."""
    parts: list[bytes] = attrs.field(factory=list, repr=False)
    """Packed SNAPSHOT frames not sent yet, the next one last. (A list: an empty deque takes ten times as much.)"""
    closed: bool = False

    @property
    def place(self) -> int:
        """The last offset sent or skipped."""
        return self.stream.head if self.mode is Mode.LIVE else self.position

    def wants(self, wire_type: str) -> bool:
        """Whether the filter lets this type through."""
        return self.types is None or wire_type in self.types
