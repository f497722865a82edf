"""Group commit: what is decided while the last commit runs goes out in the next one.

Theory of operation. Commands change an account's desk at once; their records collect in the account's *part* of the
open batch. One batch is with the journal at a time. An answer computed while its account has a part that isn't
committed waits in that account's newest part, so it leaves after everything it may depend on. When a batch is on disk
its events are published, then its answers leave, in the order computed. When it isn't, every batch is given back:
those behind a failed one were decided on a state that may not exist.

Small batches are handed over at a bounded rate. A commit of one record costs the disk, the writer and the hub's tick
nearly as much as one of ten, so at part load, where each command would have its own, waiting for a few milliseconds
saves much of the work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice

import attrs

from broker.desk import events
from broker.desk.outcome import Recorded
from broker.journal import base as journal
from broker.protocol.codec import pack_value
from broker.runtime.account import Account
from broker.runtime.connection import Connection
from broker.runtime.cursors import Cursor
from broker.runtime.options import Options
from broker.runtime.people import KeyEntry, Person
from broker.runtime.rates import Bucket


@attrs.define(eq=False)
class Answer:
    """A RESULT or FAIL that waits for the journal."""

    connection: Connection
    id: int
    payload: bytes
    """The packed frame."""
    offsets: Mapping[str, int] | None
    """Where the events are that must reach this connection first, by wire name of the stream."""
    wrote: bool
    """Whether its command changed something: on failure its outcome may be unknown."""


@attrs.define(eq=False)
class Later:
    """Anything else that must not happen before what it depends on is on disk."""

    run: Callable[[], None]
    lost: Callable[[], None] | None = None
    """Called instead when the batch failed."""


@attrs.define(eq=False)
class Part:
    """One account's share of a batch."""

    account: Account
    expected_seq: int
    records: list[journal.Record] = attrs.field(factory=list)
    events: list[Recorded] = attrs.field(factory=list)
    contents: list[journal.Content] = attrs.field(factory=list)
    answers: list[journal.Answer] = attrs.field(factory=list)
    keys: list[tuple[Person, str, KeyEntry]] = attrs.field(factory=list)
    waiting: list[Answer | Later] = attrs.field(factory=list)
    released: list[str] = attrs.field(factory=list)
    """Content no longer in use, to be dropped once these events are published."""
    erased: list[str] = attrs.field(factory=list)
    """Content that is to be gone from the journal with this commit."""
    revoked: dict[int, list[Cursor]] = attrs.field(factory=dict)
    """Number of events to the cursors that end after so many of them: the last one took their right."""
    _first_offsets: dict[str, int] = attrs.field(factory=dict)
    _looked: int = 0
    """How many events ``first_offset`` has looked at."""

    def add(self, recorded: Recorded) -> None:
        """Take one event, already applied to the desk."""
        account = self.account
        account.seq += 1
        event = recorded.event
        body = pack_value(events.pack_body(event))
        self.records.append(journal.Record(account.seq, event.TYPE, event.VERSION, recorded.t, body, recorded.entries))
        self.events.append(recorded)

    def first_offset(self, stream: str) -> int | None:
        """The first offset of a stream in here, if it has one."""
        for recorded in islice(self.events, self._looked, None):
            for name, offset, _ in recorded.entries:
                self._first_offsets.setdefault(name, offset)
        self._looked = len(self.events)
        return self._first_offsets.get(stream)

    @property
    def append(self) -> journal.Append:
        """What the journal is given."""
        return journal.Append(
            self.account.name, self.expected_seq, self.records, self.contents, self.answers, self.erased
        )


@attrs.define(eq=False)
class Batch:
    """One commit."""

    parts: dict[Account, Part] = attrs.field(factory=dict)
    records: int = 0
    number: int | None = None
    """Given by the journal when it is handed over."""


@attrs.frozen
class Statistics:
    """What the ledger can say of itself."""

    batches: int
    """Not committed yet, the one under way included."""
    records: int
    """Decided and not committed."""
    committed: int
    """Records committed since the start."""
    commits: int
    failures: int


class Ledger:
    """The uncommitted batches of one shard, oldest first."""

    def __init__(self, writer: journal.Journal, options: Options) -> None:
        self._journal = writer
        self._options = options
        self._pace = Bucket(*options.commit_rate)
        self.due: int | None = None
        """When the oldest batch, which has been held back, may go (ms)."""
        self._batches: deque[Batch] = deque()
        self._records = 0
        self._committed = 0
        self._commits = 0
        self._failures = 0

    def crowded(self, share: float = 1.0) -> bool:
        """Whether so much waits for the journal (``share`` of what it may be) that a command may not add to it."""
        return self._records >= self._options.open_batch_records * share

    @property
    def empty(self) -> bool:
        """Whether everything decided is on disk."""
        return not self._batches

    @property
    def under_way(self) -> bool:
        """Whether a commit is with the journal."""
        return bool(self._batches) and self._batches[0].number is not None

    def part(self, account: Account) -> Part:
        """This account's part of the open batch."""
        batch = self._batches[-1] if self._batches else None
        if batch is None or batch.number is not None or batch.records >= self._options.batch_records:
            batch = Batch()
            self._batches.append(batch)
        part = batch.parts.get(account)
        if part is None:
            part = batch.parts[account] = Part(account, account.seq)
            account.parts.append(part)
        return part

    def record(self, part: Part, recorded: Recorded) -> None:
        """Put one event into a part got from ``part`` in the same command."""
        part.add(recorded)
        self._batches[-1].records += 1
        self._records += 1

    def submit(self, now: int) -> bool:
        """Hand the oldest batch to the journal, unless one is there already, or it is small and comes too soon."""
        if not self._batches or self._batches[0].number is not None:
            return False
        batch = self._batches[0]
        if batch.records < self._options.small_commit:
            wait = self._pace.take(now)
            if wait:
                self.due = now + wait
                return False
        self.due = None
        batch.number = self._journal.submit([part.append for part in batch.parts.values()])
        return True

    def committed(self, number: int) -> Batch | None:
        """The batch of this number is on disk; None if it was given up before."""
        if not self.under_way or self._batches[0].number != number:
            return None
        batch = self._batches.popleft()
        for account, part in batch.parts.items():
            assert account.parts.popleft() is part
        self._records -= batch.records
        self._committed += batch.records
        self._commits += 1
        return batch

    def failed(self, number: int) -> list[Batch]:
        """The batch of this number is not, or perhaps not, on disk: every batch is given up and returned."""
        if not self.under_way or self._batches[0].number != number:
            return []
        self._failures += 1
        return self.give_up()

    def give_up(self) -> list[Batch]:
        """Forget everything uncommitted; returns it, oldest first."""
        lost = list(self._batches)
        self._batches.clear()
        self._records = 0
        for batch in lost:
            for account in batch.parts:
                account.parts.clear()
        return lost

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(len(self._batches), self._records, self._committed, self._commits, self._failures)
