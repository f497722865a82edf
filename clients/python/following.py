"""One followed stream: where it stands, and what waits to be read. Sans-IO; fed by ``reconnect.Ledger``.

Theory of operation. ``place`` is the offset of the last event that was put into the buffer: an event is taken only
if it is the next one, so nothing comes twice, however often the stream is subscribed anew from ``place``. A hole
(which a broker never leaves) is a broken connection, not a skipped event. The buffer is bounded: when it is full the
stream is ``parked`` (unsubscribed; the log keeps what follows), and followed again from ``place`` once it is read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Final, cast

import attrs

from broker.protocol.frames import Event, Gap, Notice, Snapshot
from broker.protocol.ops import Subscribe

BUFFERED: Final = 1024
"""Items kept for a reader that is slower than its stream: 5 s of the busiest stream a console follows."""

RIGHTS: Final = "rights"
_TOO_FAR: Final = "too_far_behind"


@attrs.frozen
class View:
    """A stream's state after the event at ``offset``: a whole SNAPSHOT. It replaces what was known."""

    stream: str
    offset: int
    data: Mapping[str, Sequence[object]]
    """List by name, all parts joined."""


Item = Event | Notice | Gap | View
"""What following a stream yields."""


class HoleError(Exception):
    """The broker left an event out: this connection can't be trusted."""


class Phase(Enum):
    """Where a followed stream stands with the broker."""

    WANTED = auto()
    """To be subscribed as soon as there is a connection and room."""
    ASKED = auto()
    LIVE = auto()
    PARKED = auto()
    """Unsubscribed until the reader has caught up."""
    OVER = auto()


@attrs.define(eq=False)
class Follow:
    """One stream that somebody follows."""

    stream: str
    start: Subscribe
    """What was asked for at first: counts until ``place`` is known."""
    most: int = BUFFERED
    phase: Phase = Phase.WANTED
    place: int | None = None
    began: bool = False
    """It was placed once."""
    not_before: int = 0
    """ms; the broker asked for a pause."""
    error: Exception | None = None
    """Why it is over, where that is an error."""
    news: Callable[[], None] = lambda: None
    """Called when there is something to read, or no more to come."""
    _items: deque[Item | tuple[str, str]] = attrs.field(factory=deque)
    """A notice is a marker here, so that the latest of its key can replace it."""
    _notices: dict[tuple[str, str], Notice] = attrs.field(factory=dict)
    _parts: list[Snapshot] = attrs.field(factory=list)
    _viewing: bool = False
    """A snapshot was promised and has not come whole."""

    def __attrs_post_init__(self) -> None:
        """A start from an offset is a place already."""
        if self.start.from_ == "offset":
            self.place = self.start.offset
        self._viewing = self.start.from_ == "snapshot"

    # --- to the broker ---------------------------------------------------------------------------------

    def subscribe(self) -> Subscribe:
        """How to ask for it now."""
        if self.place is None or self._viewing:
            return self.start
        return Subscribe(self.stream, "offset", offset=self.place, types=self.start.types)

    def placed(self, offset: int) -> None:
        """The RESULT of ``subscribe``: the last offset before what follows."""
        self.phase, self.began = Phase.LIVE, True
        self._parts.clear()
        if self.place is None or self._viewing or offset < self.place:  # the last: a GAP tells of it
            self.place = offset
        self.news()

    # --- from the broker -------------------------------------------------------------------------------

    def take(self, frame: Event | Notice | Gap | Snapshot) -> None:
        """A frame of this stream. HoleError if one is missing before it."""
        if self.phase is not Phase.LIVE:
            return  # of a cursor that we have given up
        match frame:
            case Event():
                self._event(frame)
            case Notice():
                self._notice(frame)
            case Gap():
                self._gap(frame)
            case Snapshot():
                self._snapshot(frame)
        self.news()

    def _event(self, event: Event) -> None:
        place = cast("int", self.place)
        if event.offset <= place:
            return
        if event.offset > place + 1 and self.start.types is None:
            raise HoleError(f"{self.stream}: {event.offset} after {place}")
        self.place = event.offset
        self._items.append(event)
        if len(self._items) >= self.most:
            self.phase = Phase.PARKED

    def _notice(self, notice: Notice) -> None:
        if notice.type == "progress":
            offset = notice.data.get("offset")
            if isinstance(offset, int) and offset > cast("int", self.place):
                self.place = offset
            return
        mark = (notice.type, notice.key)
        if mark not in self._notices:
            self._items.append(mark)
        self._notices[mark] = notice

    def _gap(self, gap: Gap) -> None:
        if gap.reason == RIGHTS:
            self.phase = Phase.OVER
        elif gap.reason == _TOO_FAR:
            self.place = gap.from_ - 1
        else:
            self.place = max(cast("int", self.place), gap.to)
        self._items.append(gap)

    def _snapshot(self, part: Snapshot) -> None:
        if part.part != len(self._parts):
            raise HoleError(f"{self.stream}: part {part.part} of a snapshot after {len(self._parts)}")
        self._parts.append(part)
        if not part.last:
            return
        joined: dict[str, list[object]] = {}
        for data in (cast("Mapping[str, Sequence[object]]", each.data) for each in self._parts):
            for name, items in data.items():
                joined.setdefault(name, []).extend(items)
        self._parts.clear()
        self._viewing = False
        self.place = part.offset
        self._items.append(View(self.stream, part.offset, joined))

    def lost_right(self) -> None:
        """Subscribing anew was refused: while we were away this stream ceased to be ours."""
        after = cast("int", self.place) + 1
        self._items.append(Gap(self.stream, after, after, RIGHTS))
        self.phase = Phase.OVER
        self.news()

    def end(self, error: Exception | None) -> None:
        """No more of it; what is buffered can still be read."""
        if self.phase is not Phase.OVER:
            self.phase, self.error = Phase.OVER, error
            self.news()

    def cut(self) -> None:
        """The connection is gone."""
        if self.phase in (Phase.ASKED, Phase.LIVE):
            self.phase = Phase.WANTED
        self._parts.clear()

    # --- to the reader -----------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._items)

    def next(self) -> Item | None:
        """The next item; None if none is here now."""
        if not self._items:
            return None
        item = self._items.popleft()
        if isinstance(item, tuple):
            return self._notices.pop(item)
        return item

    @property
    def wanted(self) -> bool:
        """To be subscribed: at first, after a cut, and once a parked one is read."""
        return self.phase is Phase.WANTED or (self.phase is Phase.PARKED and not self._items)
