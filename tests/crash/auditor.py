"""Holds a ledger against the journal: whatever a client was told must be in there, once.

Reads the journal with the store and replays it with the desk, both proven elsewhere; decides nothing itself.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from broker.codes import Code
from broker.desk import events as e
from broker.desk import invariants, publish, snapshot, snapshot_load
from broker.desk.desk import Desk
from broker.journal.base import Record
from broker.journal.sqlite import SqliteStore
from broker.protocol import codec
from broker.routing.pins import PinSpace
from tests.crash.actors import ACCOUNT
from tests.crash.ledger import Ledger, Seen, Told

PAGE = 1000


class Lost(AssertionError):
    """A client was told something that the journal doesn't hold."""


def _body(record: Record) -> e.Event:
    values = codec.unpack_value(record.body)
    assert isinstance(values, tuple)
    return e.unpack_body(record.type, record.version, values)


@attrs.define
class Audit:
    """One journal, read once."""

    store: SqliteStore
    records: list[Record] = attrs.field(factory=list)
    bodies: list[e.Event] = attrs.field(factory=list)
    published: dict[tuple[str, int], int] = attrs.field(factory=dict)
    """(stream, offset) to index."""
    owners: dict[str, str] = attrs.field(factory=dict)
    """Offer to who took it."""
    ended: set[str] = attrs.field(factory=set)
    """Offers that ended otherwise."""

    @classmethod
    def of(cls, path: Path) -> Audit:
        """Read a journal whose broker is dead; its chain must hold."""
        audit = cls(SqliteStore(path))
        audit.store.verify(ACCOUNT)
        while page := audit.store.records(ACCOUNT, len(audit.records), PAGE):
            audit.records += page
        assert [record.seq for record in audit.records] == list(range(1, len(audit.records) + 1))
        audit.bodies = [_body(record) for record in audit.records]
        for index, record in enumerate(audit.records):
            for stream, offset, _ in record.entries:
                assert (stream, offset) not in audit.published, f"{stream} {offset} is published twice"
                audit.published[stream, offset] = index
        audit._note_offers()
        return audit

    def _note_offers(self) -> None:
        for body in self.bodies:
            match body:
                case e.RequestAssigned() | e.SessionTransferred() if body.offer is not None:
                    assert body.offer not in self.owners, f"{body.offer} was accepted twice"
                    self.owners[body.offer] = body.representative
                case e.OfferEnded():
                    self.ended.add(body.offer)
                case _:
                    pass

    # --- what was told ---------------------------------------------------------------------------

    def check(self, ledger: Ledger) -> None:
        """Raises Lost for the first thing told that isn't there."""
        keys = {told.person: self._keys(told.person) for told in ledger.results if told.key is not None}
        for told in ledger.results:
            if told.key is not None and told.key not in keys[told.person]:
                raise Lost(f"{told.op} of {told.person} got a RESULT, its key {told.key} isn't in the journal")
            for stream, offset in told.offsets.items():
                name = f"me:{told.person}" if stream == "me" else stream
                if (name, offset) not in self.published:
                    raise Lost(f"{told.op} of {told.person} was told of {name} {offset}")
        for seen in ledger.events:
            self._check_event(seen)
        for refused in ledger.refusals:
            self._check_refusal(refused)
        created = {body.request for body in self.bodies if isinstance(body, e.RequestCreated)}
        for person, type_, data in ledger.notices:
            if type_ == "queue.position" and data["request"] not in created:
                raise Lost(f"{person} was told a place of {data['request']}, which never was")

    def _keys(self, person: str) -> set[str]:
        answers = self.store.answers(ACCOUNT, person, 1_000_000)
        keys = [answer.key for answer in answers]
        assert len(keys) == len(set(keys)), f"a key of {person} is stored twice"
        return set(keys)

    def _check_event(self, seen: Seen) -> None:
        index = self.published.get((seen.stream, seen.offset))
        if index is None:
            raise Lost(f"{seen.person} saw {seen.type} at {seen.stream} {seen.offset}")
        record = self.records[index]
        types = [type_ for stream, offset, type_ in record.entries if (stream, offset) == (seen.stream, seen.offset)]
        data = publish.render(self.bodies[index], seen.type, seen.stream, self._text)
        if types != [seen.type] or record.t != seen.t or _plain(data) != _plain(seen.data):
            raise Lost(f"{seen.person} saw {seen}, the journal has {types} at {record.t}: {data}")

    def _text(self, name: str) -> str | None:
        found = self.store.contents(ACCOUNT, [name]).get(name)
        return None if found is None else found.data.decode()

    def _check_refusal(self, told: Told) -> None:
        offer = told.args.get("offer")
        if told.code != Code.OFFER_GONE or not isinstance(offer, str):
            return
        if told.detail["reason"] == "taken":
            if self.owners.get(offer) != told.detail["representative"]:
                raise Lost(f"{told.person} was told that {told.detail['representative']} took {offer}")
        elif offer not in self.ended:
            raise Lost(f"{told.person} was told that {offer} had ended ({told.detail['reason']})")

    # --- what is there ---------------------------------------------------------------------------

    def replay(self) -> Desk:
        """The desk of the whole journal; no request ever has two representatives, every invariant holds at the end."""
        desk = Desk(ACCOUNT, 7, PinSpace(bytes(32)))
        held: dict[str, str] = {}
        for record, body in zip(self.records, self.bodies, strict=True):
            match body:
                case e.RequestAssigned():
                    assert body.request not in held, f"{body.request} has {held[body.request]} already"
                    held[body.request] = body.representative
                case e.SessionEnded() | e.SessionReleased():
                    del held[body.request]
                case _:
                    pass
            desk.evolve(body, record.t, record.entries)
        desk.settle()
        invariants.check(desk.state)
        self._check_snapshot(desk)
        return desk

    def _check_snapshot(self, desk: Desk) -> None:
        """F21: the newest snapshot with the tail on top is the same desk."""
        stored = self.store.load_snapshot(ACCOUNT)
        if stored is None:
            return
        data = snapshot.merged(codec.unpack_values(stored.data))  # type: ignore[arg-type]  # we packed it
        other = snapshot_load.load(ACCOUNT, 7, PinSpace(bytes(32)), data)
        for record, body in zip(self.records[stored.seq :], self.bodies[stored.seq :], strict=True):
            other.evolve(body, record.t, record.entries)
        assert snapshot.dump(other) == snapshot.dump(desk)

    def close(self) -> None:
        """Release the file."""
        self.store.close()


def _plain(value: object) -> object:
    """Tuples as lists, as the wire has them."""
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case _:
            return value
