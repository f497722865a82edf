"""The writer's other half: folds committed records into desks of its own, for what the hub must never do.

It makes desk snapshots, SNAPSHOT frames and history pages, and answers the hub's questions when an account is
read. It runs between commits, in chunks (a generator's ``yield`` lets the commits go first), and knows no secrets:
a desk that only evolves needs neither its slot nor the key of the pins.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

import attrs

from broker.desk import events, pseudonyms, snapshot, snapshot_load
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.publish import render, resolve
from broker.desk.view import Part, view
from broker.journal.base import JournalError, Record, Snapshot, Store
from broker.journal.worker import Questions
from broker.limits import SNAPSHOT_RECORDS
from broker.protocol import frames
from broker.protocol.codec import pack, pack_event, pack_value, unpack_values
from broker.routing.pins import PinSpace
from broker.runtime import case_reader, customer_reader, transcript_pages
from broker.runtime.texts import refs
from broker.runtime.why import decisions, event_of

CHUNK: Final = 100  # records folded at a time: about 2 ms, which is what a commit may have to wait
LONG_CHUNK: Final = 500  # the same when it must catch up: somebody waits, or it falls ever further behind
_FAR_BEHIND: Final = 2  # times SNAPSHOT_RECORDS: then the idle hook takes long chunks too
MOST_DESKS: Final = 16  # kept folded; the one used longest ago is dropped, its snapshot and tail are read again
PAGE_BYTES: Final = 128 * 1024  # of one history page: one is held for each slow reader
_LONG_TAIL: Final = 4  # a start that reads more than this part of SNAPSHOT_RECORDS is followed by a snapshot
_NO_PINS: Final = PinSpace(bytes(16))

Chunks = Generator[None, None, object]


@attrs.define(eq=False)
class _Folded:
    desk: Desk
    saved_seq: int
    goal: int = 0
    """The seq to which the idle hook folds before it saves; noted once, for a busy journal has no end to reach."""
    saving: Iterator[None] | None = None
    """Makes a snapshot, a slice at a time; until it is through nothing more may be folded."""


class Follower:
    """Desks folded from the journal, up to where somebody asked for."""

    def __init__(self, *, snapshot_records: int = SNAPSHOT_RECORDS) -> None:
        self._snapshot_records = snapshot_records
        self._desks: OrderedDict[str, _Folded] = OrderedDict()
        self._former: dict[str, dict[str, tuple[int, str]]] = {}
        """Account to who left, by name: the how manieth it was, and what it is called since. The hub tells."""
        self._saved: dict[str, int] = {}
        """Account to the seq of its newest snapshot."""
        self._overdue: set[str] = set()
        """Accounts whose last start had to read much: the next one shall not."""
        self._round: list[str] = []
        """Accounts that the idle hook has still to look at in this round."""

    def questions(self) -> Questions:
        """What the hub may ask; all of it answers with what msgpack can carry."""
        return {
            "accounts": lambda store: store.accounts(),
            "load": self._load,
            "tail": _tail,
            "texts": _texts,
            "answers": _answers,
            "heads": _heads,
            "place": _place,
            "page": self._page,
            "former": self._left,
            "transcript": self._transcript,
            "why": _why,
            "snapshot": self._snapshot,
            "case": self._case,
            "cases": self._cases,
            "named": self._named,
            "customer": self._customer,
            "save": self._save,
            "forget": lambda store, before, limit: store.forget_answers(before, limit),
        }

    def idle(self, store: Store) -> bool:
        """A few milliseconds of folding, if any account's last snapshot is old; whether there is more to do."""
        if not self._round:
            self._round = store.accounts()
            if not self._round:
                return False
        account = self._round[-1]
        head = store.head(account).seq
        if account not in self._saved:
            found = store.load_snapshot(account)
            self._saved[account] = found.seq if found is not None and found.version == snapshot.VERSION else 0
        if head - self._saved[account] < self._snapshot_records and account not in self._overdue:
            self._round.pop()
            return bool(self._round)
        folded = self._folded(store, account)
        if folded.saving is None:
            folded.goal = folded.goal or head
            if self._fold(store, folded, account, folded.goal, hurry=_FAR_BEHIND * self._snapshot_records):
                return True
            folded.goal = 0
            folded.saving = self._keep(store, folded, account)
        if not _go_on(folded):
            self._overdue.discard(account)
            self._round.pop()
        return True

    # --- folding -------------------------------------------------------------------------------------

    def _folded(self, store: Store, account: str) -> _Folded:
        folded = self._desks.get(account)
        if folded is None:
            found = store.load_snapshot(account)
            if found is not None and found.version == snapshot.VERSION:
                folded = _Folded(_desk_of(account, found), found.seq)
            else:
                folded = _Folded(Desk(account, 0, _NO_PINS), 0)
            self._desks[account] = folded
            if len(self._desks) > MOST_DESKS:
                self._desks.popitem(last=False)
        self._desks.move_to_end(account)
        return folded

    def _fold(self, store: Store, folded: _Folded, account: str, goal: int, *, hurry: int = 0) -> bool:
        """Fold one chunk, a long one when more than ``hurry`` records behind; whether the goal is still to come.
        Without ``hurry`` somebody waits for it."""
        behind = goal - folded.desk.seq
        records = store.records(account, folded.desk.seq, LONG_CHUNK if behind > max(hurry, LONG_CHUNK) else CHUNK)
        for record in records:
            folded.desk.evolve(event_of(record), record.t, record.entries)
        folded.desk.settle()
        folded.desk.drain_released()
        folded.desk.drain_unstored()
        return bool(records) and folded.desk.seq < goal

    def _keep(self, store: Store, folded: _Folded, account: str) -> Iterator[None]:
        """Store a snapshot of the desk as it is, in slices."""
        seq = folded.desk.seq
        digest = store.hash_at(account, seq)
        if digest is None:
            return
        packed = []
        for part in snapshot.parts(folded.desk):
            packed.append(pack_value(part))
            yield
        store.save_snapshot(account, Snapshot(seq, digest, snapshot.VERSION, b"".join(packed)))
        folded.saved_seq = self._saved[account] = seq

    def _caught_up(self, store: Store, account: str) -> Generator[None, None, _Folded]:
        folded = self._folded(store, account)
        goal = store.head(account).seq
        while _slice(folded) or self._fold(store, folded, account, goal):
            yield
        return folded

    # --- answers -------------------------------------------------------------------------------------

    def _load(self, store: Store, account: str) -> dict[str, object]:
        """The newest snapshot and where the chain ends, verified from the one to the other."""
        found = store.load_snapshot(account)
        if found is not None and found.version != snapshot.VERSION:
            found = None
        after, digest = (found.seq, found.hash) if found is not None else (0, None)
        head = store.verify(account, after, digest)
        self._saved[account] = after
        if head.seq - after > self._snapshot_records // _LONG_TAIL:
            self._overdue.add(account)
        return {"snapshot": found.data if found is not None else None, "seq": after, "head": head.seq}

    def _save(self, store: Store, account: str) -> Chunks:
        """Store a snapshot now, unless the last one is as good."""
        folded = yield from self._caught_up(store, account)
        if folded.desk.seq > folded.saved_seq:
            folded.saving = self._keep(store, folded, account)
            while _go_on(folded):
                yield
        return folded.saved_seq

    def _snapshot(
        self, store: Store, account: str, stream: str, wire: str, person: tuple[str, str, str | None]
    ) -> Chunks:
        """(offset, packed SNAPSHOT frames): the present state behind a stream, as this person may see it."""
        folded = yield from self._caught_up(store, account)
        desk = folded.desk
        identity = Identity(account, person[0], Role(person[1]), person[2])
        parts, former = view(desk, stream, identity), desk.state.former
        if former:
            parts = cast("list[Part]", pseudonyms.of_value(parts, former.get))
        texts = _texts(store, account, refs(parts))
        offset = desk.stream_head(stream) or store.stream_head(account, stream)
        last = len(parts) - 1
        return offset, [
            pack(frames.Snapshot(wire, offset, number, number == last, resolve(part, texts.get)))
            for number, part in enumerate(parts)
        ]

    def _case(self, store: Store, account: str, name: str, person: case_reader.Person) -> Chunks:
        """The details of a case, as this person may see it."""
        folded = yield from self._caught_up(store, account)
        return case_reader.one(store, folded.desk, account, name, person, _texts)

    def _cases(self, store: Store, account: str, asked: Mapping[str, object], person: case_reader.Person) -> Chunks:
        """The cases that fit, as far as this person may see them."""
        folded = yield from self._caught_up(store, account)
        found = yield from case_reader.search(store, folded.desk, account, asked, person, _texts)
        return found

    def _named(self, store: Store, account: str, sessions: Sequence[str]) -> Chunks:
        """What goes with the cases of these sessions."""
        folded = yield from self._caught_up(store, account)
        found = yield from case_reader.named(store, folded.desk, account, sessions)
        return found

    def _customer(self, store: Store, account: str, email: str | None, visitor: str | None, after: int) -> Chunks:
        """All that is stored about a customer, some of it."""
        folded = yield from self._caught_up(store, account)
        found = yield from customer_reader.export(store, folded.desk, account, email, visitor, after, _texts)
        return found

    def _left(self, store: Store, account: str, known: int, people: Sequence[tuple[str, str]]) -> int:
        """Take note of who left, after ``known`` others; how many that makes."""
        former = self._former.setdefault(account, {})
        for number, (name, pseudonym) in enumerate(people, known):
            former[name] = (number, pseudonym)
        return len(former)

    def _page(
        self,
        store: Store,
        account: str,
        stream: str,
        wire: str,
        after: int,
        limit: int,
        left: int = 0,
        told_since: int = 0,
    ) -> list[tuple[int, str, bytes]] | int:
        """A page of a stream as it is told when so many people have left; or how many of them are known here, where
        that is fewer. In the record with which it left somebody is named to whoever reads it from ``told_since`` on:
        who was away then, too, must learn who it was."""
        former = self._former.get(account, {})
        if len(former) < left:
            return len(former)

        def called(event: events.Event, t: int) -> pseudonyms.Former | None:
            gone = pseudonyms.left(event)
            still = gone[0] if gone is not None and t >= told_since else None

            def find(name: str) -> str | None:
                number, pseudonym = former.get(name, (left, ""))
                return pseudonym if number < left and name != still else None

            return find if left else None

        return _paged(store, account, stream, wire, after, limit, called)

    def _transcript(self, store: Store, account: str, *asked: object) -> Chunks:
        """See ``transcript_pages.page``."""
        return transcript_pages.page(store, self._former.get(account, {}), account, *asked)  # type: ignore[arg-type]


def _go_on(folded: _Folded) -> bool:
    """Make the next slice of its snapshot, if there is one on the way; whether there is more."""
    if folded.saving is None:
        return False
    try:
        next(folded.saving)
    except BaseException as exc:
        folded.saving = None
        if not isinstance(exc, StopIteration):
            raise
        return False
    return True


def _slice(folded: _Folded) -> bool:
    """The same for somebody who only needs the desk: that the snapshot can't be stored is no matter of theirs."""
    try:
        return _go_on(folded)
    except JournalError:
        return False


def _why(store: Store, account: str, name: str) -> Chunks:
    """The decisions about a request; from the newest snapshot on if it came after that, else from the first record."""

    def read(after: int, limit: int) -> Sequence[Record]:
        return store.records(account, after, limit)

    found = None
    saved = store.load_snapshot(account)
    if saved is not None and saved.version == snapshot.VERSION:
        found = yield from decisions(read, _desk_of(account, saved), name)
    if found is None:
        found = yield from decisions(read, Desk(account, 0, _NO_PINS), name)
    return found


def _desk_of(account: str, saved: Snapshot) -> Desk:
    data = snapshot.merged(cast("Iterable[snapshot.Part]", unpack_values(saved.data)))
    return snapshot_load.load(account, 0, _NO_PINS, data)


def _tail(store: Store, account: str, after: int, limit: int) -> list[tuple[object, ...]]:
    """Records after a seq, as rows of ``Record``'s fields."""
    return [
        (record.seq, record.type, record.version, record.t, record.body, record.entries)
        for record in store.records(account, after, limit)
    ]


def _texts(store: Store, account: str, ids: Iterable[str]) -> dict[str, str]:
    """The texts that still exist, by content id."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return {}
    return {name: content.data.decode() for name, content in store.contents(account, wanted).items()}


def _answers(store: Store, account: str, person: str, most: int) -> list[tuple[str, bytes, bytes]]:
    """A person's newest stored results: (key, digest, result), oldest first."""
    return [(answer.key, answer.digest, answer.result) for answer in store.answers(account, person, most)]


def _heads(store: Store, account: str, streams: Sequence[str]) -> Mapping[str, int]:
    """The last offset of each stream."""
    return {stream: store.stream_head(account, stream) for stream in streams}


def _place(store: Store, account: str, stream: str, t: int) -> tuple[int, int]:
    """(last offset, offset of the last entry before time ``t``)."""
    return store.stream_head(account, stream), store.stream_at(account, stream, t)


def _paged(
    store: Store,
    account: str,
    stream: str,
    wire: str,
    after: int,
    limit: int,
    called: Callable[[events.Event, int], pseudonyms.Former | None],
) -> list[tuple[int, str, bytes]]:
    """(offset, wire type, packed EVENT) of a stream's events after an offset; fewer than ``limit`` when they are
    large. What this release can't read is left out: its reader sees a gap."""
    found: list[tuple[int, Record, events.Event]] = []
    ids: list[str] = []
    size = 0
    for offset, record in store.stream(account, stream, after, limit):
        try:
            event = event_of(record)
        except ValueError:
            continue
        found.append((offset, record, event))
        ids += refs(events.pack_body(event))
        size += len(record.body)
        if size > PAGE_BYTES:
            break
    texts = _texts(store, account, ids)
    page: list[tuple[int, str, bytes]] = []
    for offset, record, event in found:
        wire_type = next(kind for name, at, kind in record.entries if name == stream and at == offset)
        data = render(event, wire_type, stream, texts.get, called(event, record.t))
        page.append((offset, wire_type, pack_event(wire, offset, wire_type, record.t, data)))
    return page
