"""The hash chain: each planted fault is found, and named."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest

from broker.journal.base import CorruptJournal, Entry, Head, Snapshot
from broker.journal.chain import ZEROS, Chain, unpack_entries
from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore
from broker.journal.verify import check_against
from tests.journal.made import append, fill, log, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with 10 records of ``acme`` in ``desk`` and 10 of ``beta``, and a snapshot at 4."""
    path = tmp_path / "shard.journal"
    store = SqliteStore(path)
    epoch = fill(store)
    store.append(epoch, [append("beta", 0, log(1, 10))])
    store.save_snapshot("acme", Snapshot(4, store.hash_at("acme", 4) or b"", 1, b"state"))
    store.close()
    return path


def plant(path: Path, *statements: str) -> None:
    """Do to the file what the journal never would."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)


def found(path: Path, account: str = "acme", after: int = 0) -> str:
    """What verify says."""
    store = SqliteStore(path)
    try:
        with pytest.raises(CorruptJournal) as caught:
            store.verify(account, after)
        assert store.verify("beta" if account == "acme" else "acme").seq == 10
    finally:
        store.close()
    return str(caught.value)


def test_the_hash_is_what_the_reference_says() -> None:
    one = record(1, ("desk", 1, "request.created"))
    packed = msgpack.packb(["acme", 1, "request.created", 1, one.t, one.body])
    entries = msgpack.packb([["desk", 1, "request.created"]])
    expected = hashlib.blake2b(ZEROS + packed + entries, digest_size=32, person=b"huntgroup.record").digest()
    store = MemoryStore()
    (head,) = store.append(store.open_epoch(), [append("acme", 0, [one])])
    assert head == Head(1, expected)


def test_every_field_of_a_record_is_in_the_hash() -> None:
    chain = Chain()
    entries = chain.pack_entries([("desk", 1, "e")])
    fields: dict[str, object] = {
        "before": ZEROS, "account": "acme", "seq": 1, "type_": "a", "version": 1, "t": 5, "body": b"b",
        "entries": entries,
    }  # fmt: skip
    others: dict[str, object] = {
        "before": b"1" * 32, "account": "acmf", "seq": 2, "type_": "b", "version": 2, "t": 6, "body": b"c",
        "entries": chain.pack_entries([("desk", 1, "f")]),
    }  # fmt: skip
    hashes = {chain.link(**fields)}  # type: ignore[arg-type]
    hashes |= {chain.link(**(fields | {name: value})) for name, value in others.items()}  # type: ignore[arg-type]
    assert len(hashes) == len(fields) + 1


def test_entries_are_packed_and_unpacked() -> None:
    entries = (("desk", 1, "e"), ("me:ann", 2**40, "f"))
    assert unpack_entries(Chain().pack_entries(entries)) == entries
    assert unpack_entries(Chain().pack_entries(())) == ()


def test_a_whole_file_verifies(path: Path) -> None:
    store = SqliteStore(path)
    assert store.verify("acme") == store.head("acme")
    assert store.verify("beta").seq == 10
    store.close()


@pytest.mark.parametrize(
    "change", ["body = x'00'", "t = t + 0 + 1000000", "type = 'offer.made'", "version = 2", "hash = zeroblob(32)"]
)
def test_an_altered_record_is_named(path: Path, change: str) -> None:
    plant(path, f"UPDATE records SET {change} WHERE account = 1 AND seq = 6")
    assert "record 6 is altered" in found(path)
    assert "record 6 is altered" in found(path, after=4)


def test_an_altered_entry_is_named(path: Path) -> None:
    packed = Chain().pack_entries([("desk", 6, "another.type")]).hex()
    plant(path, f"UPDATE records SET entries = x'{packed}' WHERE account = 1 AND seq = 6")
    assert "record 6 is altered" in found(path)


@pytest.mark.parametrize(("deleted", "said"), [("= 5", "record 5 is missing"), ("IN (5, 6)", "records 5 to 6 are")])
def test_missing_records_are_named(path: Path, deleted: str, said: str) -> None:
    plant(path, f"DELETE FROM records WHERE account = 1 AND seq {deleted}")
    assert said in found(path)


def test_two_swapped_records_are_named(path: Path) -> None:
    plant(
        path,
        "UPDATE records SET seq = -1 WHERE account = 1 AND seq = 5",
        "UPDATE records SET seq = 5 WHERE account = 1 AND seq = 6",
        "UPDATE records SET seq = 6 WHERE account = 1 AND seq = -1",
    )
    assert "record 5 is altered, or doesn't follow record 4" in found(path)


def test_a_record_that_forks_off_is_found_at_the_one_behind_it(path: Path) -> None:
    store = SqliteStore(path)
    before = store.hash_at("acme", 5)
    store.close()
    assert before is not None
    other = attrs.evolve(record(6, ("desk", 6, "request.created")), body=b"\x00")
    entries = Chain().pack_entries(other.entries)
    forged = Chain().link(before, "acme", 6, other.type, other.version, other.t, other.body, entries)
    plant(path, f"UPDATE records SET body = x'00', hash = x'{forged.hex()}' WHERE account = 1 AND seq = 6")
    assert "record 7 is altered, or doesn't follow record 6 (forked)" in found(path)


def test_a_tail_cut_off_by_hand_is_found_at_the_noted_head(path: Path) -> None:
    plant(path, "DELETE FROM records WHERE account = 1 AND seq > 8")
    assert "the records end at 8" in found(path)


def test_an_altered_head_is_found(path: Path) -> None:
    plant(path, "UPDATE accounts SET hash = zeroblob(32) WHERE id = 1")
    assert "the head is altered" in found(path)


def test_a_lost_tail_and_another_chain_are_found_against_a_noted_head(path: Path) -> None:
    """Both are sound in themselves: only what was noted elsewhere can tell."""
    other = MemoryStore()
    fill(other, count=12)
    store = SqliteStore(path)
    assert store.verify("acme").seq == 10
    with pytest.raises(CorruptJournal, match="record 12 was noted and is missing; the chain ends at 10"):
        check_against(store, "acme", other.head("acme"))
    for seq in (0, 7, 10):
        check_against(store, "acme", Head(seq, other.hash_at("acme", seq) or b""))
    with pytest.raises(CorruptJournal, match="another chain"):
        check_against(store, "acme", Head(7, b"x" * 32))
    store.close()


def test_an_altered_snapshot_is_found(path: Path) -> None:
    plant(path, "UPDATE snapshots SET data = x'00'")
    store = SqliteStore(path)
    with pytest.raises(CorruptJournal, match="snapshot at 4 is altered"):
        store.load_snapshot("acme")
    store.close()


def test_a_snapshot_of_a_chain_that_has_changed_is_found(path: Path) -> None:
    plant(path, "UPDATE records SET hash = zeroblob(32) WHERE account = 1 AND seq = 4")
    store = SqliteStore(path)
    with pytest.raises(CorruptJournal, match="isn't of this chain"):
        store.load_snapshot("acme")
    with pytest.raises(CorruptJournal, match="altered or forked at or before it"):
        store.verify("acme", 4, b"what the snapshot says")
    store.close()


def test_verifying_after_a_record_that_is_missing_says_so(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(CorruptJournal, match="record 11 is missing"):
        store.verify("acme", 11)
    store.close()


STREAM = "(SELECT id FROM streams WHERE account = 1)"


@pytest.mark.parametrize("after", [0, 4])
def test_a_deleted_stream_entry_is_named(path: Path, after: int) -> None:
    plant(path, f"DELETE FROM entries WHERE stream = {STREAM} AND offset = 6")
    assert "stream desk, offset 6 (record 6) is missing from the index" in found(path, after=after)


def test_reading_a_stream_with_a_hole_says_so(path: Path) -> None:
    plant(
        path,
        f"DELETE FROM entries WHERE stream = {STREAM} AND offset = 6",
        "DELETE FROM records WHERE account = 2 AND seq = 3",
    )
    store = SqliteStore(path)
    with pytest.raises(CorruptJournal, match="offset 6 is missing"):
        store.stream("acme", "desk", 0, 10)
    with pytest.raises(CorruptJournal, match=r"record 3 .* is missing"):
        store.stream("beta", "desk", 0, 10)
    store.stream_at("beta", "desk", 1)  # doesn't come by it
    with pytest.raises(CorruptJournal, match="offset 3: the entry or its record is missing"):
        store.stream_at("beta", "desk", record(4).t)
    store.close()


def test_an_entry_that_leads_elsewhere_is_named(path: Path) -> None:
    plant(path, f"UPDATE entries SET seq = 7 WHERE stream = {STREAM} AND offset = 6")
    assert "stream desk, offset 6 leads to record 7, not 6" in found(path)


def test_an_entry_too_many_is_named(path: Path) -> None:
    plant(path, f"INSERT INTO entries VALUES ({STREAM}, 11, 10)")
    assert "the index of stream desk has 11 rows, its records 10" in found(path)


def forged(path: Path, seq: int, t: int, entries: list[Entry]) -> None:
    """A row with a right hash whose content makes no sense: what only a broken writer could have written."""
    with closing(sqlite3.connect(path)) as db, db:
        (before,) = db.execute("SELECT hash FROM records WHERE account = 1 AND seq = 10").fetchone()
        packed = Chain().pack_entries(entries)
        made = Chain().link(before, "acme", seq, "e", 1, t, b"", packed)
        db.execute("INSERT INTO records VALUES (1, ?, 'e', 1, ?, x'', ?, ?)", (seq, t, packed, made))
        db.execute("UPDATE accounts SET seq = ?, hash = ? WHERE id = 1", (seq, made))


def test_offsets_that_are_not_dense_are_named_even_under_a_right_hash(path: Path) -> None:
    forged(path, 11, 10**13, [("desk", 12, "e")])
    assert "stream desk goes from 10 to 12 at record 11" in found(path)


def test_time_going_back_is_named_even_under_a_right_hash(path: Path) -> None:
    forged(path, 11, 5, [])
    assert "record 11 is at 5" in found(path)
