"""Finds the decisions about a request in a journal, by replaying it: for ``request.why`` and ``huntgroup why``."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Final, cast

from broker.desk import events as e
from broker.desk import pseudonyms
from broker.desk.desk import Desk
from broker.desk.explain import Told, is_decision, tell
from broker.journal.base import Record
from broker.limits import MAX_DECISIONS
from broker.protocol.codec import unpack_value

SLICE: Final = 100  # records replayed before somebody else has a turn: about 3 ms

Read = Callable[[int, int], Sequence[Record]]
"""(after, limit) to an account's next records."""


def event_of(record: Record) -> e.Event:
    """The event in a record. ValueError for one that this release doesn't know."""
    values = cast("Sequence[object]", unpack_value(record.body))
    return e.unpack_body(record.type, record.version, values)


def who_left(read: Read) -> dict[str, str]:
    """Everybody who left, ever: name to what it is called since. Looks at all records and unpacks few."""
    former: dict[str, str] = {}
    after = 0
    while records := read(after, SLICE):
        after = records[-1].seq
        gone = (pseudonyms.left(event_of(record)) for record in records if record.type in pseudonyms.LEAVES)
        former.update(one for one in gone if one is not None)
    return former


def decisions(read: Read, desk: Desk, name: str) -> Generator[None, None, list[Told] | None]:
    """All decisions about this request (or the one that made this offer), the last ``MAX_DECISIONS`` of them; None if
    the request isn't in the records after ``desk``. Yields after each slice."""
    found: deque[Told] = deque(maxlen=MAX_DECISIONS)
    request = f"r_{name[2:].partition('.')[0]}"
    seen = over = False
    while not over and (records := read(desk.seq, SLICE)):
        for record in records:
            event = event_of(record)
            if is_decision(event, name):
                desk.settle()
                found.append(tell(desk, event, record.t))
            seen = seen or (isinstance(event, e.RequestCreated) and event.request == request)
            over = over or (isinstance(event, e.RequestEnded) and event.request == request)
            desk.evolve(event, record.t, record.entries)
        desk.drain_released()
        yield
    return list(found) if seen else None
