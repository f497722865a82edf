"""A journal in memory: for tests, simulation and brokers that may forget. The naive twin of ``sqlite``."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import takewhile

import attrs

from broker.journal.base import Answer, Append, Content, CorruptJournal, Head, Record, Snapshot, StaleWriter
from broker.journal.chain import ZEROS, Chain, EntryRow, RecordRow, StreamTip, Tip, unpack_entries
from broker.journal.verify import verify


@attrs.define
class _Account:
    tip: Tip = attrs.field(factory=Tip)
    rows: list[RecordRow] = attrs.field(factory=list)
    streams: dict[str, list[int]] = attrs.field(factory=dict)
    """The seq at offset n is ``streams[name][n - 1]``."""
    contents: dict[str, Content | None] = attrs.field(factory=dict)
    """None: erased."""
    snapshot: Snapshot | None = None
    seal: bytes = b""


@attrs.define
class _Staged:
    append: Append
    tip: Tip
    rows: list[RecordRow]
    entries: list[EntryRow]


class MemoryStore:
    """A ``base.Store`` in dictionaries. Not durable."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Account] = {}
        self._answers: list[tuple[str, Answer]] = []
        self._epoch = 0
        self._owner = b""
        self._chain = Chain()

    def open_epoch(self, owner: bytes = b"", *, renew: bool = False) -> int:
        """See ``base.Store``."""
        if renew and owner != self._owner:
            raise StaleWriter(f"another broker has claimed the shard with epoch {self._epoch}")
        self._epoch += 1
        self._owner = owner
        return self._epoch

    def append(self, epoch: int, appends: Sequence[Append]) -> list[Head]:
        """See ``base.Store``. Everything is checked before anything is stored."""
        if epoch != self._epoch:
            raise StaleWriter(f"the shard was claimed with epoch {self._epoch}, ours is {epoch}")
        if len({append.account for append in appends}) != len(appends):
            raise ValueError("an account is named twice in one commit")
        staged = [self._stage(append) for append in appends]
        for part in staged:
            self._store(part)
        return [part.tip.head() for part in staged]

    def _stage(self, append: Append) -> _Staged:
        account = self._accounts.get(append.account) or _Account()
        if account.tip.seq != append.expected_seq:
            raise StaleWriter(f"account {append.account} is at {account.tip.seq}, expected was {append.expected_seq}")
        new = [content.id for content in append.contents]
        if len(set(new)) != len(new) or not account.contents.keys().isdisjoint(new):
            raise ValueError(f"account {append.account}: a content id is used twice")
        tip = attrs.evolve(account.tip)
        rows, entries = self._chain.extend(
            append, append.account, tip, {}, lambda name: StreamTip(name, len(account.streams.get(name, ())))
        )
        return _Staged(append, tip, rows, entries)

    def _store(self, staged: _Staged) -> None:
        append = staged.append
        account = self._accounts.setdefault(append.account, _Account())
        account.tip = staged.tip
        account.rows.extend(staged.rows)
        for stream, _, seq in staged.entries:
            account.streams.setdefault(str(stream), []).append(seq)
        for content in append.contents:
            account.contents[content.id] = content
        for content_id in append.erase:
            if content_id in account.contents:
                account.contents[content_id] = None
        self._answers.extend((append.account, answer) for answer in append.answers)

    def accounts(self) -> list[str]:
        """See ``base.Store``."""
        return sorted(name for name, account in self._accounts.items() if account.tip.seq)

    def head(self, account: str) -> Head:
        """See ``base.Store``."""
        return self._account(account).tip.head()

    def records(self, account: str, after: int, limit: int) -> list[Record]:
        """See ``base.Store``."""
        return [_record(row) for row in self._account(account).rows[max(after, 0) : max(after, 0) + limit]]

    def hash_at(self, account: str, seq: int) -> bytes | None:
        """See ``base.Store``."""
        rows = self._account(account).rows
        if seq == 0:
            return ZEROS
        return rows[seq - 1][7] if 0 < seq <= len(rows) else None

    def stream(self, account: str, stream: str, after: int, limit: int) -> list[tuple[int, Record]]:
        """See ``base.Store``."""
        known = self._account(account)
        after = max(after, 0)
        seqs = known.streams.get(stream, [])[after : after + limit]
        return [(offset, _record(known.rows[seq - 1])) for offset, seq in enumerate(seqs, after + 1)]

    def stream_head(self, account: str, stream: str) -> int:
        """See ``base.Store``."""
        return len(self._account(account).streams.get(stream, ()))

    def stream_at(self, account: str, stream: str, t: int) -> int:
        """See ``base.Store``."""
        known = self._account(account)
        return bisect_left(known.streams.get(stream, []), t, key=lambda seq: known.rows[seq - 1][4])

    def contents(self, account: str, ids: Sequence[str]) -> dict[str, Content]:
        """See ``base.Store``."""
        known = self._account(account).contents
        found = ((content_id, known.get(content_id)) for content_id in ids)
        return {content_id: content for content_id, content in found if content is not None}

    def answers(self, account: str, person: str, limit: int) -> list[Answer]:
        """See ``base.Store``."""
        of_person = [answer for name, answer in self._answers if name == account and answer.person == person]
        return of_person[len(of_person) - min(limit, len(of_person)) :]

    def forget_answers(self, before: int, limit: int) -> int:
        """See ``base.Store``."""
        old = takewhile(lambda pair: pair[1].t < before, self._answers[:limit])
        dropped = sum(1 for _ in old)
        del self._answers[:dropped]
        return dropped

    def save_snapshot(self, account: str, snapshot: Snapshot) -> None:
        """See ``base.Store``."""
        if self.hash_at(account, snapshot.seq) != snapshot.hash:
            raise ValueError(f"account {account}: the snapshot's hash isn't the chain's at {snapshot.seq}")
        known = self._accounts.setdefault(account, _Account())
        if known.snapshot is None or known.snapshot.seq <= snapshot.seq:
            known.snapshot = snapshot
            known.seal = self._chain.seal(account, snapshot)

    def load_snapshot(self, account: str) -> Snapshot | None:
        """See ``base.Store``."""
        known = self._account(account)
        snapshot = known.snapshot
        if snapshot is None:
            return None
        if self._chain.seal(account, snapshot) != known.seal:
            raise CorruptJournal(f"account {account}: the snapshot at {snapshot.seq} is altered")
        if self.hash_at(account, snapshot.seq) != snapshot.hash:
            raise CorruptJournal(f"account {account}: the snapshot at {snapshot.seq} isn't of this chain")
        return snapshot

    def verify(self, account: str, after: int = 0, expected: bytes | None = None) -> Head:
        """See ``base.Store``."""
        return verify(self, account, after, expected)

    def tidy(self) -> bool:
        """Nothing to do here."""
        return False

    def close(self) -> None:
        """Nothing to release: what was stored stays readable, so a test can look at it."""

    # --- for verify ------------------------------------------------------------------------------

    def record_rows(self, account: str, after: int) -> Iterable[RecordRow]:
        """See ``verify.Rows``."""
        return iter(self._account(account).rows[after:])

    def entry_seq(self, account: str, stream: str, offset: int) -> int | None:
        """See ``verify.Rows``."""
        seqs = self._account(account).streams.get(stream, ())
        return seqs[offset - 1] if 0 < offset <= len(seqs) else None

    def stream_sizes(self, account: str, up_to: int) -> Iterable[tuple[str, int]]:
        """See ``verify.Rows``."""
        return [(stream, bisect_right(seqs, up_to)) for stream, seqs in self._account(account).streams.items()]

    def ends(self, account: str) -> tuple[int, Head]:
        """See ``verify.Rows``."""
        known = self._account(account)
        return len(known.rows), known.tip.head()

    def _account(self, name: str) -> _Account:
        return self._accounts.get(name) or _Account()


def _record(row: RecordRow) -> Record:
    return Record(row[1], row[2], row[3], row[4], row[5], unpack_entries(row[6]))
