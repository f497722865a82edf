"""One account as the hub keeps it: desk, texts in use, who is there, what is not committed yet. Data, no I/O."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import attrs

from broker.desk.desk import Desk
from broker.runtime.people import Person
from broker.runtime.rates import Bucket

if TYPE_CHECKING:
    from broker.runtime.batches import Part
    from broker.runtime.cursors import Stream
    from broker.runtime.signals import Route


class Standing(Enum):
    """Whether an account can be asked something."""

    LOADING = "loading"
    """Its desk is not there: being read from the journal, at the start or after a failed commit."""
    SETTLING = "settling"
    """Its desk can't be trusted any more (a bug); what was decided before is still being committed."""
    UP = "up"


class Known(NamedTuple):
    """What a customer was told of its place, and on what it rested."""

    subportal: str
    boost: int
    shown: int

    def differs(self, before: Known, moved_by: str) -> str | None:
        """Why the place rose since then, if it did."""
        if self.subportal != before.subportal:
            return "moved"
        if self.shown <= before.shown:
            return None
        return "reclassified" if self.boost < before.boost else moved_by


@attrs.define(eq=False)
class Account:
    """One organisation's desk and what surrounds it."""

    name: str
    slot: int
    standing: Standing = Standing.LOADING
    _desk: Desk | None = None
    seq: int = 0
    """Of the last record decided; committed or not."""
    saved_seq: int = 0
    """Of the newest desk snapshot in the journal."""
    texts: dict[str, str] = attrs.field(factory=dict, repr=False)
    """Content that live state or an uncommitted event refers to, by id."""
    former: dict[str, str] = attrs.field(factory=dict)
    """People who left to what they are called since, as far as it is committed and told; in that order."""
    people: dict[str, Person] = attrs.field(factory=dict)
    streams: dict[str, Stream] = attrs.field(factory=dict)
    """Those that somebody follows, by internal name."""
    routes: dict[str, Route] = attrs.field(factory=dict)
    """Shares whose consent is committed; the legs of their guests are in there."""
    stopped: dict[str, int] = attrs.field(factory=dict)
    """Shares and legs whose end, or restart, is decided and not committed, and how many such events: consent from
    before them must not come alive on its commit."""
    parts: deque[Part] = attrs.field(factory=deque)
    """Its uncommitted parts of batches, oldest first."""
    told: dict[str, Known] = attrs.field(factory=dict)
    """Request to what was last told of its place."""
    told_seq: int = -1
    """``seq`` when places were last told."""
    next_place: dict[str, int] = attrs.field(factory=dict)
    """Sub-portal to the place in its line from which to look next, where it is too long to look at all of it."""
    retell: set[str] = attrs.field(factory=set)
    """Customers who have just begun to follow ``me``: told their place even if it is the same."""
    reloads: int = 0
    rate: Bucket | None = None
    """Commands of all its people; made at the first."""
    customers: int = 0
    """Connections of customers."""

    @property
    def up(self) -> bool:
        """Whether its desk can be asked."""
        return self.standing is Standing.UP

    @property
    def desk(self) -> Desk:
        """The working state; only while ``up``."""
        assert self._desk is not None, f"account {self.name} is {self.standing.value}"
        return self._desk

    def seat(self, desk: Desk | None) -> None:
        """Put a desk in place, or (None) drop it."""
        self._desk = desk

    def forget(self, person: Person) -> None:
        """Drop somebody who isn't here any more, unless a key of theirs is still on its way to the journal."""
        if not person.connections and not person.keys.pending and self.people.get(person.person) is person:
            del self.people[person.person]

    def committed_head(self, stream: str) -> int:
        """The last offset of this stream that is on disk, as far as the desk counts it (0: it doesn't)."""
        for part in self.parts:
            first = part.first_offset(stream)
            if first is not None:
                return first - 1
        return self.desk.stream_head(stream)
