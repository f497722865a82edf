"""What a commit sets free: events to those who follow, consent to the relay, answers to those who asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from broker.codes import Code
from broker.desk import events as e
from broker.desk.outcome import Recorded
from broker.desk.publish import render
from broker.protocol.codec import pack, pack_event
from broker.protocol.frames import Fail
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.batches import Answer, Batch, Later, Part
from broker.runtime.cursors import Cursor, Stream
from broker.runtime.signals import Signals
from broker.runtime.subscriptions import Subscriptions

Call = Callable[[], None]

_EVERYBODY = (e.TeamPut, e.PortalPut, e.RepresentativePut)
_SESSION = (e.SessionEnded, e.SessionTransferred)


class Publisher:
    """Runs once for each batch that came back from the journal."""

    def __init__(
        self, *, subscriptions: Subscriptions, answers: Answers, signals: Signals, guard: Callable[[Call], bool]
    ) -> None:
        """``guard`` makes a call that may meet a bug; False where it did."""
        self._subscriptions = subscriptions
        self._answers = answers
        self._signals = signals
        self._guard = guard

    def committed(self, batch: Batch) -> None:
        """Everything in this batch is on disk."""
        for part in batch.parts.values():
            for recorded in part.events:
                self._publish(part.account, recorded)
        for part in batch.parts.values():
            account = part.account
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

    def _publish(self, account: Account, recorded: Recorded) -> None:
        event, streams = recorded.event, account.streams
        for name, offset, wire_type in recorded.entries:
            stream = streams.get(name)
            if stream is not None:
                entry = partial(self._publish_to, stream, account, recorded, offset, wire_type)
                if not self._guard(entry) and stream.head < offset:
                    # Its readers are told by the journal's reader, which may know better.
                    self._subscriptions.rebase(account, {name: offset})
        if type(event) is e.ShareConfirmed:
            self._signals.committed(account, event.share, event.customer, event.representative)
        elif type(event) is e.ShareEnded:
            self._signals.ended(account, event.share)

    def _publish_to(self, stream: Stream, account: Account, recorded: Recorded, offset: int, wire_type: str) -> None:
        data = render(recorded.event, wire_type, stream.name, account.texts.get)
        payload = pack_event(stream.wire, offset, wire_type, recorded.t, data)
        self._subscriptions.publish(stream, offset, wire_type, payload)

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
        concerned: dict[Cursor, None] = {}
        for recorded in records:
            for cursor in _concerned(part.account, recorded.event):
                concerned[cursor] = None
        desk = part.account.desk
        lost = [
            cursor
            for cursor in concerned
            if cursor.connection.identity is not None
            and not desk.may_read(cursor.connection.identity, cursor.stream.name)
        ]
        if lost:
            part.waiting.append(Later(lambda: self._subscriptions.revoke(lost)))


def _concerned(account: Account, event: e.Event) -> Sequence[Cursor]:
    """Cursors whose right this event may have ended."""
    if isinstance(event, _SESSION):
        stream = account.streams.get(f"session:{event.session}")
        return [*stream.live, *stream.others] if stream is not None else ()
    if isinstance(event, e.PresenceChanged):
        person = account.people.get(event.representative)
        connections = person.connections if person is not None else ()
        return [cursor for connection in connections for cursor in connection.cursors.values()]
    if isinstance(event, _EVERYBODY):
        return [cursor for stream in account.streams.values() for cursor in (*stream.live, *stream.others)]
    return ()
