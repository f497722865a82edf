"""What a commit sets free: events to those who follow, consent to the relay, answers to those who asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol, cast

from broker import ids
from broker.codes import Code
from broker.desk import events as e
from broker.desk import pseudonyms
from broker.desk.outcome import Entry, Recorded
from broker.desk.publish import render
from broker.protocol.codec import pack, pack_event
from broker.protocol.frames import Fail
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.batches import Answer, Batch, Later, Part
from broker.runtime.cursors import Cursor, Stream
from broker.runtime.feeds import Feeds
from broker.runtime.signals import Signals, over

Call = Callable[[], None]

Place = tuple[Stream, int]
"""(stream, offset)."""


class Publisher:
    """Runs once for each batch that came back from the journal."""

    def __init__(self, *, feeds: Feeds, answers: Answers, signals: Signals, guard: Callable[[Call], bool]) -> None:
        """``guard`` makes a call that may meet a bug; False where it did."""
        self._feeds = feeds
        self._answers = answers
        self._signals = signals
        self._guard = guard

    def committed(self, batch: Batch) -> None:
        """Everything in this batch is on disk."""
        for part in batch.parts.values():
            start = 0
            for stop in sorted(part.revoked):  # who lost a right is told of what took it, and of nothing after that
                self._publish_some(part, start, stop)
                self._feeds.revoke(part.revoked[stop])
                start = stop
            self._publish_some(part, start, len(part.events))
        for part in batch.parts.values():
            self._set_free(part)

    def _publish_some(self, part: Part, start: int, stop: int) -> None:
        entries = self._followed(part, start, stop)
        at: list[Place] = []
        while not self._guard(partial(self._publish, part.account, entries, at)):
            # Its readers are told by the journal's reader, which may know better.
            for stream, offset in at:
                self._feeds.rebase(part.account, {stream.name: offset})

    def _publish(self, account: Account, entries: Iterator[tuple[Stream, Recorded, Entry]], at: list[Place]) -> None:
        texts = account.texts.get
        for stream, recorded, (name, offset, wire_type) in entries:
            at[:] = [(stream, offset)]
            data = render(recorded.event, wire_type, name, texts, account.former.get if account.former else None)
            payload = pack_event(stream.wire, offset, wire_type, recorded.t, data)
            self._feeds.publish(stream, offset, wire_type, payload)

    def _followed(self, part: Part, start: int, stop: int) -> Iterator[tuple[Stream, Recorded, Entry]]:
        """The entries that somebody follows, in order; looked up as late as possible, for a reader may leave. Who
        leaves is called by name for the last time in the event that says so."""
        account = part.account
        for recorded in islice(part.events, start, stop):
            for entry in recorded.entries:
                stream = account.streams.get(entry[0])
                if stream is not None:
                    yield stream, recorded, entry
            if (gone := pseudonyms.left(recorded.event)) is not None:
                account.former[gone[0]] = gone[1]
                self._feeds.renamed(account)

    def _set_free(self, part: Part) -> None:
        account = part.account
        for recorded in part.events:
            event = recorded.event
            if type(event) is e.ShareConfirmed or type(event) is e.ShareBack:
                self._signals.committed(account, event.share, event.customer, event.representative)
            elif type(event) is e.ShareWatched:
                self._signals.watched(account, event.leg, event.holder, event.representative)
            elif (name := over(event)) is not None:
                self._signals.stopped(account, name)
            elif type(event) is e.CaseDeleted:
                self._feeds.renamed(account)  # what was made ready before may have its words
        for person, _, entry in part.keys:
            person.keys.settle(entry)
        for waiting in part.waiting:
            if type(waiting) is Answer:
                self._answers.deliver(waiting)
            else:
                self._guard(cast("Later", waiting).run)
        for content_id in part.released:
            account.texts.pop(content_id, None)
        for person, _, _ in part.keys:  # only now: one of the waiting may have been its next connection
            account.forget(person)

    def failed(self, batch: Batch, *, surely_nothing: bool, retry_ms: int) -> None:
        """Nothing in this batch may be told: who asked gets the reason why not."""
        for part in batch.parts.values():
            account = part.account
            for person, key, _ in part.keys:
                person.keys.drop(key)
                account.forget(person)
            for waiting in part.waiting:
                if isinstance(waiting, Later):
                    if waiting.lost is not None:
                        waiting.lost()
                    continue
                unknown = waiting.wrote and not surely_nothing
                code = Code.UNKNOWN_OUTCOME if unknown else Code.JOURNAL_DOWN
                text = "not known to be stored: repeat with the same key" if unknown else "nothing was stored"
                waiting.payload = pack(Fail(waiting.id, code, text, retry_ms))
                waiting.offsets = None
                self._answers.deliver(waiting)

    def decided(self, part: Part, records: Sequence[Recorded]) -> None:
        """Rights that these events took away end the cursors that had them, when the events are on disk."""
        concerned: dict[Cursor, int] = {}
        for index, recorded in enumerate(records, len(part.events) - len(records)):
            concern = _CONCERN.get(type(recorded.event))
            if concern is not None:
                concerned.update(dict.fromkeys(concern(part.account, recorded.event), index))
        desk = part.account.desk
        for cursor, index in concerned.items():
            identity = cursor.connection.identity
            if identity is not None and not desk.may_read(identity, cursor.stream.name):
                part.revoked.setdefault(index + 1, []).append(cursor)


# --- whose right an event may have ended ---------------------------------------------------------------


class _OfSession(Protocol):
    """What is about a session."""

    @property
    def session(self) -> str | None:
        """Which."""


def _of_session(account: Account, event: _OfSession) -> Iterable[Cursor]:
    names = (f"session:{event.session}", f"session:{event.session}:staff")
    found = [stream for name in names if (stream := account.streams.get(name)) is not None]
    return [cursor for stream in found for cursor in (*stream.live, *stream.others)]


def _of_request(account: Account, event: e.RequestMoved) -> Iterable[Cursor]:
    request = account.desk.state.requests.get(event.request)
    return () if request is None else _of_session(account, request)


def _of_case(account: Account, event: e.CaseChanged | e.CaseDeleted) -> Iterable[Cursor]:
    session = f"session:{ids.session_of(event.request)}"
    streams = [account.streams.get(name) for name in (session, f"{session}:staff")]
    return [cursor for stream in streams if stream is not None for cursor in (*stream.live, *stream.others)]


def _of_person(name: str) -> Callable[[Account, e.Event], Iterable[Cursor]]:
    def find(account: Account, event: e.Event) -> Iterable[Cursor]:
        person = account.people.get(getattr(event, name))
        connections = person.connections if person is not None else ()
        return [cursor for connection in connections for cursor in connection.cursors.values()]

    return find


def _of_everybody(account: Account, event: e.Event) -> Iterable[Cursor]:
    return [cursor for stream in account.streams.values() for cursor in (*stream.live, *stream.others)]


_CONCERN: Final[dict[type, Callable[[Account, Any], Iterable[Cursor]]]] = {
    e.RequestAssigned: _of_session,
    e.RequestMoved: _of_request,
    e.RequestEnded: _of_session,
    e.MemberLeft: _of_session,
    e.MonitorEnded: _of_session,
    e.SessionReleased: _of_session,
    e.SessionEnded: _of_session,
    e.SessionTransferred: _of_session,
    e.CaseChanged: _of_case,
    e.CaseDeleted: _of_case,
    e.PresenceChanged: _of_person("representative"),
    e.ManagerPut: _of_person("manager"),
    e.ServicePut: _of_person("service"),
    e.TeamPut: _of_everybody,
    e.TeamDeleted: _of_everybody,
    e.PortalPut: _of_everybody,
    e.PortalDeleted: _of_everybody,
    e.RepresentativePut: _of_everybody,
}
