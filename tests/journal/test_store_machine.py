"""The two stores do the same whatever is asked of them: hypothesis tries to make them differ."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from broker.journal.base import Answer, Append, Content, JournalError, Record, Snapshot, Store
from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore

ACCOUNTS = ["acme", "beta", "gamma"]
STREAMS = ["desk", "me:ann", "r"]
PEOPLE = ["ann", "bo"]
CONTENTS = [f"c{n}" for n in range(8)]

accounts = st.sampled_from(ACCOUNTS)
streams = st.sampled_from(STREAMS)
small = st.integers(-1, 6)
times = st.integers(0, 60)


@attrs.define(frozen=True)
class Sketch:
    """A record to be: mostly right, sometimes off by one."""

    step: int
    streams: list[str]
    offset_error: int
    seq_error: int
    body: bytes


sketches = st.builds(
    Sketch,
    step=st.sampled_from([0, 0, 1, 5, -1]),
    streams=st.lists(streams, max_size=3),
    offset_error=st.sampled_from([0] * 9 + [1, -1]),
    seq_error=st.sampled_from([0] * 9 + [1]),
    body=st.binary(max_size=5),
)


@attrs.define(frozen=True)
class Draft:
    """One account's part of a commit, to be."""

    account: str
    seq_error: int
    records: list[Sketch]
    contents: list[tuple[str, bytes]]
    answers: list[tuple[str, str, int]]
    erase: list[str]


drafts = st.builds(
    Draft,
    account=accounts,
    seq_error=st.sampled_from([0] * 9 + [1, -1]),
    records=st.lists(sketches, max_size=4),
    contents=st.lists(st.tuples(st.sampled_from(CONTENTS), st.binary(max_size=4)), max_size=2),
    answers=st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from("abc"), times), max_size=3),
    erase=st.lists(st.sampled_from(CONTENTS), max_size=2),
)


class Agreement(RuleBasedStateMachine):
    """Every rule is applied to both; results and errors must be equal."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.memory = MemoryStore()
        self.path = Path(self.folder.name) / "shard.journal"
        self.sqlite = open_unsynced(self.path)
        self.epoch = self.memory.open_epoch()
        assert self.sqlite.open_epoch() == self.epoch

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            self.folder.cleanup()

    def both(self, ask: Callable[[Store], object]) -> object:
        """What both answer."""
        expected, found = attempt(lambda: ask(self.memory)), attempt(lambda: ask(self.sqlite))
        assert found == expected
        return expected

    @rule(parts=st.lists(drafts, min_size=1, max_size=3), stale=st.sampled_from([0] * 9 + [1]))
    def commit(self, parts: list[Draft], stale: int) -> None:
        appends = [self.made(part) for part in parts]
        self.both(lambda store: store.append(self.epoch - stale, appends))

    def made(self, draft: Draft) -> Append:
        known = self.memory.records(draft.account, 0, 10**6)
        seq, t = len(known), known[-1].t if known else 0
        heads = {stream: self.memory.stream_head(draft.account, stream) for stream in STREAMS}
        records = []
        for sketch in draft.records:
            seq += 1
            t += sketch.step
            entries = []
            for stream in sketch.streams:
                heads[stream] += 1
                entries.append((stream, heads[stream] + sketch.offset_error, "e"))
            records.append(Record(seq + sketch.seq_error, "made", 1, t, sketch.body, tuple(entries)))
        return Append(
            draft.account,
            len(known) + draft.seq_error,
            records,
            [Content(content_id, b"s" * 16, data) for content_id, data in draft.contents],
            [Answer(person, key, b"d", t, b"r") for person, key, t in draft.answers],
            draft.erase,
        )

    @rule(owner=st.sampled_from([b"", b"me"]), renew=st.booleans())
    def claim(self, *, owner: bytes, renew: bool) -> None:
        claimed = self.both(lambda store: store.open_epoch(owner, renew=renew))
        if isinstance(claimed, int):
            self.epoch = claimed

    @rule(account=accounts, seq=small, wrong=st.sampled_from([False] * 5 + [True]), data=st.binary(max_size=3))
    def snapshot(self, *, account: str, seq: int, wrong: bool, data: bytes) -> None:
        digest = b"x" * 32 if wrong else self.memory.hash_at(account, seq) or b""
        self.both(lambda store: store.save_snapshot(account, Snapshot(seq, digest, 1, data)))

    @rule(before=times, limit=small)
    def forget(self, before: int, limit: int) -> None:
        self.both(lambda store: store.forget_answers(before, max(limit, 0)))

    @rule()
    def tidy(self) -> None:
        self.sqlite.tidy()

    @rule()
    def restart(self) -> None:
        self.sqlite.close()
        self.sqlite = open_unsynced(self.path)

    @rule(account=accounts, stream=streams, after=small, limit=st.integers(0, 6), t=times)
    def read(self, account: str, stream: str, after: int, limit: int, t: int) -> None:
        self.both(lambda store: store.records(account, after, limit))
        self.both(lambda store: store.stream(account, stream, after, limit))
        self.both(lambda store: store.stream_at(account, stream, t))
        self.both(lambda store: store.hash_at(account, after))
        self.both(lambda store: [store.answers(account, person, limit) for person in PEOPLE])

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "sqlite"):
            return
        self.both(lambda store: store.accounts())
        for account in ACCOUNTS:
            self.both(lambda store, account=account: store.verify(account))  # type: ignore[misc]
            self.both(lambda store, account=account: store.load_snapshot(account))  # type: ignore[misc]
            self.both(lambda store, account=account: store.contents(account, CONTENTS))  # type: ignore[misc]
            self.both(lambda store, account=account: [store.stream_head(account, s) for s in STREAMS])  # type: ignore[misc]
            self.both(lambda store, account=account: [store.answers(account, p, 3) for p in PEOPLE])  # type: ignore[misc]


def open_unsynced(path: Path) -> SqliteStore:
    """Without fsync: no power fails here, and it is most of the time."""
    store = SqliteStore(path)
    store._db.execute("PRAGMA synchronous=OFF")
    return store


def attempt(ask: Callable[[], object]) -> object:
    """The result, or the class of the error."""
    try:
        return ask()
    except (JournalError, ValueError) as exc:
        return type(exc)


TestAgreement = pytest.mark.slow(Agreement.TestCase)
# Each step reads everything from both, so a third of the usual runs already costs seconds.
TestAgreement.settings = settings(max_examples=settings().max_examples // 3, stateful_step_count=25)
