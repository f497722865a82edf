"""What every ``Store`` must do: one suite for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from broker.journal.base import Append, Head, Record, Snapshot, StaleWriter, Store
from broker.journal.chain import ZEROS
from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore
from tests.journal.made import T0, answer, append, content, fill, log, record

MakeStore = Callable[[Path], Store]
STORES: dict[str, MakeStore] = {
    "memory": lambda _: MemoryStore(),
    "sqlite": lambda path: SqliteStore(path / "shard.journal"),
}


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


def test_an_empty_store_knows_nothing(store: Store) -> None:
    assert store.accounts() == []
    assert store.head("acme") == Head(0, ZEROS)
    assert store.records("acme", 0, 10) == []
    assert store.hash_at("acme", 0) == ZEROS
    assert store.hash_at("acme", 1) is None
    assert store.stream("acme", "desk", 0, 10) == []
    assert store.stream_head("acme", "desk") == 0
    assert store.stream_at("acme", "desk", T0) == 0
    assert store.contents("acme", ["c1"]) == {}
    assert store.answers("acme", "ann", 10) == []
    assert store.load_snapshot("acme") is None
    assert store.verify("acme") == Head(0, ZEROS)


def test_records_come_back_as_they_were_stored_and_in_order(store: Store) -> None:
    epoch = store.open_epoch()
    records = [
        record(1, ("desk", 1, "request.created"), ("me:ann", 1, "offer")),
        record(2),
        record(3, ("desk", 2, "request.ended"), t=T0 + 2),
    ]
    (head,) = store.append(epoch, [append("acme", 0, records)])

    assert head.seq == 3
    assert store.head("acme") == head
    assert store.hash_at("acme", 3) == head.hash
    assert store.accounts() == ["acme"]
    assert store.records("acme", 0, 10) == records
    assert store.records("acme", 1, 1) == records[1:2]
    assert store.records("acme", 3, 10) == []
    assert store.records("other", 0, 10) == []


def test_one_commit_serves_many_accounts_and_answers_in_their_order(store: Store) -> None:
    epoch = store.open_epoch()
    heads = store.append(epoch, [append("beta", 0, log(1, 2)), append("acme", 0, log(1, 3))])
    assert [head.seq for head in heads] == [2, 3]
    assert heads == [store.head("beta"), store.head("acme")]
    assert store.accounts() == ["acme", "beta"]


def test_the_chain_is_the_same_however_the_records_were_batched(store: Store) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [append("acme", 0, log(1, 6))])
    other = MemoryStore()
    other_epoch = other.open_epoch()
    for seq in range(1, 7):
        other.append(other_epoch, [append("acme", seq - 1, log(seq, 1))])
    assert store.head("acme") == other.head("acme")


def test_the_chain_depends_on_the_account(store: Store) -> None:
    epoch = store.open_epoch()
    one, two = store.append(epoch, [append("acme", 0, log(1, 1)), append("beta", 0, log(1, 1))])
    assert one.hash != two.hash


def test_streams_are_read_by_offset(store: Store) -> None:
    epoch = store.open_epoch()
    records = [record(seq, ("even" if seq % 2 == 0 else "odd", (seq + 1) // 2, "e")) for seq in range(1, 9)]
    store.append(epoch, [append("acme", 0, records)])
    store.append(epoch, [append("acme", 8, [record(9, ("odd", 5, "e"), ("even", 5, "e"))])])

    assert store.stream_head("acme", "odd") == 5
    assert [(o, r.seq) for o, r in store.stream("acme", "odd", 0, 10)] == [(1, 1), (2, 3), (3, 5), (4, 7), (5, 9)]
    assert [(o, r.seq) for o, r in store.stream("acme", "even", 1, 2)] == [(2, 4), (3, 6)]
    assert store.stream("acme", "odd", 4, 10) == [(5, record(9, ("odd", 5, "e"), ("even", 5, "e")))]
    assert store.stream("acme", "odd", 5, 10) == []


def test_one_record_may_stand_in_a_stream_twice(store: Store) -> None:
    epoch = store.open_epoch()
    both = record(1, ("desk", 1, "request.created"), ("desk", 2, "presence"))
    store.append(epoch, [append("acme", 0, [both])])
    assert store.stream("acme", "desk", 0, 10) == [(1, both), (2, both)]
    assert store.verify("acme").seq == 1


def test_a_stream_is_found_by_time(store: Store) -> None:
    epoch = store.open_epoch()
    times = [10, 10, 20, 30, 30, 30, 40]
    records = [record(n, ("desk", n, "e"), t=T0 + t) for n, t in enumerate(times, 1)]
    store.append(epoch, [append("acme", 0, records)])
    expected = {0: 0, 10: 0, 11: 2, 20: 2, 21: 3, 30: 3, 31: 6, 40: 6, 41: 7, 99: 7}
    assert {t: store.stream_at("acme", "desk", T0 + t) for t in expected} == expected


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([record(3)], id="a seq left out"),
        pytest.param([record(1)], id="a seq used before"),
        pytest.param([record(2), record(2)], id="a seq twice"),
        pytest.param([record(2, t=T0)], id="time going back"),
        pytest.param([record(2), record(3, t=T0 + 1)], id="time going back within the commit"),
        pytest.param([record(2, ("desk", 3, "e"))], id="an offset left out"),
        pytest.param([record(2, ("desk", 1, "e"))], id="an offset used before"),
        pytest.param([record(2, ("new", 2, "e"))], id="a stream not begun at 1"),
        pytest.param([record(2, ("desk", 2, "e")), record(3, ("desk", 2, "e"))], id="an offset twice"),
    ],
)
def test_records_that_do_not_follow_are_refused_and_nothing_is_stored(store: Store, records: list[Record]) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [append("acme", 0, log(1, 1))])
    head = store.head("acme")
    with pytest.raises(ValueError, match="acme"):
        store.append(epoch, [append("beta", 0, log(1, 1)), append("acme", 1, records)])
    assert store.head("acme") == head
    assert store.accounts() == ["acme"]
    store.append(epoch, [append("beta", 0, log(1, 1)), append("acme", 1, log(2, 1))])
    assert store.verify("acme").seq == 2


def test_an_account_named_twice_in_one_commit_is_refused(store: Store) -> None:
    epoch = store.open_epoch()
    with pytest.raises(ValueError, match="twice"):
        store.append(epoch, [append("acme", 0, log(1, 1)), append("acme", 1, log(2, 1))])
    assert store.accounts() == []


def test_a_stale_epoch_is_refused_and_nothing_is_stored(store: Store) -> None:
    old = store.open_epoch()
    new = store.open_epoch()
    assert new > old
    with pytest.raises(StaleWriter) as caught:
        store.append(old, [append("acme", 0, log(1, 1))])
    assert caught.value.surely_nothing
    assert store.accounts() == []
    store.append(new, [append("acme", 0, log(1, 1))])


def test_a_claim_is_renewed_only_by_its_owner(store: Store) -> None:
    first = store.open_epoch(b"one")
    assert store.open_epoch(b"one", renew=True) == first + 1
    taken = store.open_epoch(b"two")
    with pytest.raises(StaleWriter):
        store.open_epoch(b"one", renew=True)
    store.append(taken, [append("acme", 0, log(1, 1))])


def test_a_stale_seq_of_one_account_refuses_the_whole_commit(store: Store) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [append("acme", 0, log(1, 2))])
    for expected_seq in (1, 3):
        stale = append("acme", expected_seq, log(expected_seq + 1, 1))
        with pytest.raises(StaleWriter, match="acme is at 2"):
            store.append(epoch, [append("beta", 0, log(1, 1)), stale])
    assert store.accounts() == ["acme"]


def test_contents_are_read_and_erased_for_good(store: Store) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 1), contents=[content("c1"), content("c2")])])
    store.append(epoch, [Append("beta", 0, log(1, 1), contents=[content("c1", "of another account")])])
    assert store.contents("acme", ["c2", "c1", "c9"]) == {"c1": content("c1"), "c2": content("c2")}

    store.append(epoch, [Append("acme", 1, log(2, 1), contents=[content("c3")], erase=["c1", "c3", "c9"])])
    assert store.contents("acme", ["c1", "c2", "c3"]) == {"c2": content("c2")}
    assert store.contents("beta", ["c1"]) == {"c1": content("c1", "of another account")}
    assert store.verify("acme").seq == 2


@pytest.mark.parametrize("again", ["c1", "c2"])
def test_a_content_id_is_never_used_again_even_after_erasing(store: Store, again: str) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 1), contents=[content("c1"), content("c2")], erase=["c1"])])
    with pytest.raises(ValueError, match="content"):
        store.append(epoch, [Append("acme", 1, log(2, 1), contents=[content(again)])])
    assert store.head("acme").seq == 1


def test_many_contents_are_read_at_once(store: Store) -> None:
    epoch = store.open_epoch()
    ids = [f"c{n}" for n in range(1200)]
    store.append(epoch, [Append("acme", 0, log(1, 1), contents=[content(i) for i in ids])])
    assert store.contents("acme", ids) == {i: content(i) for i in ids}


def test_the_newest_answers_of_a_person_come_oldest_first(store: Store) -> None:
    epoch = store.open_epoch()
    # All at one time: a tick's commands share its `now`, so their order must come from the commit.
    answers = [answer("ann", n, t=T0) for n in (5, 3, 9)] + [answer("bo", 4, t=T0)]
    store.append(epoch, [Append("acme", 0, log(1, 1), answers=answers)])
    store.append(epoch, [Append("acme", 1, answers=[answer("ann", 1, t=T0)])])
    store.append(epoch, [Append("beta", 0, log(1, 1), answers=[answer("ann", 7)])])
    assert [a.key for a in store.answers("acme", "ann", 3)] == ["key-3", "key-9", "key-1"]
    assert [a.key for a in store.answers("acme", "ann", 99)] == ["key-5", "key-3", "key-9", "key-1"]
    assert store.answers("acme", "bo", 5) == [answer("bo", 4, t=T0)]
    assert store.answers("acme", "ann", 0) == []


def test_old_answers_are_forgotten_a_few_at_a_time(store: Store) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 1), answers=[answer("ann", n) for n in range(10)])])
    assert store.forget_answers(T0 + 5, 3) == 3
    assert [a.key for a in store.answers("acme", "ann", 2)] == ["key-8", "key-9"]
    assert store.forget_answers(T0 + 5, 3) == 2
    assert store.forget_answers(T0 + 5, 3) == 0
    assert [a.key for a in store.answers("acme", "ann", 99)] == [f"key-{n}" for n in range(5, 10)]


def test_a_snapshot_takes_the_place_of_the_earlier_one(store: Store) -> None:
    epoch = fill(store)
    assert store.load_snapshot("acme") is None
    for seq in (4, 7):
        made = Snapshot(seq, store.hash_at("acme", seq) or b"", 1, b"state %d" % seq)
        store.save_snapshot("acme", made)
        assert store.load_snapshot("acme") == made
    earlier = Snapshot(4, store.hash_at("acme", 4) or b"", 1, b"late to the party")
    store.save_snapshot("acme", earlier)
    assert store.load_snapshot("acme") == made
    again = attrs.evolve(made, version=2, data=b"another format")
    store.save_snapshot("acme", again)
    assert store.load_snapshot("acme") == again
    store.append(epoch, [append("acme", 10, log(11, 1))])
    assert store.verify("acme", again.seq, again.hash).seq == 11


@pytest.mark.parametrize(("seq", "digest"), [(4, b"x" * 32), (11, b"x" * 32), (-1, ZEROS)])
def test_a_snapshot_of_another_chain_is_refused(store: Store, seq: int, digest: bytes) -> None:
    fill(store)
    with pytest.raises(ValueError, match="chain"):
        store.save_snapshot("acme", Snapshot(seq, digest, 1, b"state"))


def test_a_snapshot_of_nothing_is_possible(store: Store) -> None:
    nothing = Snapshot(0, ZEROS, 1, b"state")
    store.save_snapshot("acme", nothing)
    assert store.load_snapshot("acme") == nothing
    assert store.accounts() == []


def test_verify_begins_wherever_it_is_told(store: Store) -> None:
    fill(store)
    head = store.head("acme")
    assert [store.verify("acme", after) for after in (0, 1, 9, 10)] == [head] * 4


def test_a_commit_may_be_empty(store: Store) -> None:
    epoch = fill(store)
    assert store.append(epoch, []) == []
    assert store.append(epoch, [append("acme", 10)]) == [store.head("acme")]


def test_tidying_changes_nothing_that_can_be_read(store: Store) -> None:
    epoch = fill(store, count=2000)
    head = store.head("acme")
    while store.tidy():
        pass
    assert store.verify("acme") == head
    store.append(epoch, [append("acme", 2000, log(2001, 1))])
