"""Verify, dump and backup, as the command line will use them."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest

from broker.journal.base import Append, Head, JournalUnavailable, Snapshot
from broker.journal.inspect import NoSuchAccount, backup, dump, format_noted, parse_noted, verify
from broker.journal.sqlite import SqliteStore
from broker.journal.sqlite_reader import SqliteReader
from tests.journal.made import T0, answer, append, content, fill, log, naming, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard.journal"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Open all the while: a running broker."""
    made = SqliteStore(path)
    epoch = fill(made)
    made.append(epoch, [append("beta", 0, log(1, 3))])
    yield made
    made.close()


def damage(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(sql)


def test_every_account_is_verified_beside_a_running_broker(path: Path, store: SqliteStore) -> None:
    found = {verdict.account: verdict.head for verdict in verify(path)}
    assert found == {"acme": store.head("acme"), "beta": store.head("beta")}


def test_an_account_that_does_not_hold_is_named_and_the_others_are_still_verified(
    path: Path, store: SqliteStore
) -> None:
    damage(path, "UPDATE records SET body = x'00' WHERE account = 1 AND seq = 6")
    acme, beta = verify(path)
    assert (acme.account, acme.head) == ("acme", None)
    assert acme.fault is not None
    assert "record 6 is altered" in acme.fault
    assert beta.fault is None
    (only,) = verify(path, "beta")
    assert only == beta


def test_an_altered_snapshot_is_found_too(path: Path, store: SqliteStore) -> None:
    store.save_snapshot("beta", Snapshot(2, store.hash_at("beta", 2) or b"", 1, b"state"))
    damage(path, "UPDATE snapshots SET data = x'00'")
    (beta,) = verify(path, "beta")
    assert beta.fault == "account beta: the snapshot at 2 is altered"


def test_a_lost_tail_is_found_against_a_noted_head(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    old = tmp_path / "old.journal"
    backup(path, old)
    store.append(store.open_epoch(), [append("acme", 10, log(11, 5))])
    noted = parse_noted(format_noted(store.head("acme")))
    assert [verdict.fault for verdict in verify(path, "acme", noted)] == [None]
    (verdict,) = verify(old, "acme", noted)
    assert verdict.fault == "account acme: record 15 was noted and is missing; the chain ends at 10: its tail is lost"
    with pytest.raises(ValueError, match="name the account"):
        list(verify(path, None, noted))


def test_a_broker_that_appends_meanwhile_is_no_fault(path: Path, store: SqliteStore) -> None:
    """As if every look of verify came after another commit."""
    epoch = store.open_epoch()

    class Behind(SqliteReader):
        def hash_at(self, account: str, seq: int) -> bytes | None:
            self.more()
            return super().hash_at(account, seq)

        def entry_seq(self, account: str, stream: str, offset: int) -> int | None:
            self.more()
            return super().entry_seq(account, stream, offset)

        def more(self) -> None:
            seq = store.head("acme").seq
            store.append(epoch, [append("acme", seq, log(seq + 1, 1))])

    reader = Behind(path)
    assert 10 < reader.verify("acme").seq < store.head("acme").seq
    reader.close()


def test_an_account_whose_row_is_gone_is_a_fault_that_counts_what_is_left(path: Path, store: SqliteStore) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 10, contents=[content("c1")], answers=[answer("ann", 1)])])
    store.save_snapshot("acme", Snapshot(2, store.hash_at("acme", 2) or b"", 1, b"state"))
    damage(path, "DELETE FROM accounts WHERE name = 'acme'")
    beta, gone = verify(path)
    assert (beta.account, beta.fault) == ("beta", None)
    assert (gone.account, gone.head) == ("number 1", None)
    assert gone.fault == (
        "account number 1 isn't in accounts, and has 10 rows in records, 1 in streams, 1 in contents, 1 in answers, "
        "1 in snapshots: its row was deleted, or the numbers are altered"
    )
    assert list(verify(path, "acme")) == [gone]
    assert list(verify(path, "beta")) == [beta]


@pytest.mark.parametrize("table", ["records", "streams", "contents", "answers", "snapshots"])
def test_a_row_of_an_unknown_account_is_a_fault_in_any_table(path: Path, store: SqliteStore, table: str) -> None:
    epoch = store.open_epoch()
    store.append(epoch, [Append("beta", 3, contents=[content("c1")], answers=[answer("ann", 1)])])
    store.save_snapshot("beta", Snapshot(2, store.hash_at("beta", 2) or b"", 1, b"state"))
    damage(path, f"UPDATE {table} SET account = 77 WHERE account = 2")
    *_, stray = verify(path)
    assert stray.account == "number 77"
    assert stray.fault is not None
    assert f"in {table}:" in stray.fault


def test_an_account_that_was_set_back_to_its_beginning_is_a_fault(path: Path, store: SqliteStore) -> None:
    damage(path, "UPDATE accounts SET seq = 0, hash = zeroblob(32) WHERE name = 'acme'")
    acme, _ = verify(path)
    assert acme.fault is not None
    assert "the records end at 10" in acme.fault


def test_index_rows_of_an_unknown_stream_are_a_fault(path: Path, store: SqliteStore) -> None:
    damage(path, "INSERT INTO entries VALUES (99, 1, 1), (99, 2, 2), (100, 1, 1)")
    *_, stray = verify(path)
    assert stray.account == "stream number 99"
    assert stray.fault == "stream number 99 isn't in streams, and has 2 rows in entries"


def test_strays_are_found_behind_more_numbers_than_are_read_at_a_time(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.journal.sqlite_reader.STRAYS_CHUNK", 2)
    epoch = store.open_epoch()
    store.append(epoch, [append(f"account-{n}", 0, log(1, 1)) for n in range(7)])
    damage(path, "DELETE FROM accounts WHERE name IN ('account-3', 'account-6')")
    assert [verdict.account for verdict in verify(path) if verdict.fault is not None] == ["number 6", "number 9"]


def test_an_account_that_nothing_is_there_of_is_no_verdict(path: Path, store: SqliteStore) -> None:
    with pytest.raises(NoSuchAccount, match="no account nobody"):
        list(verify(path, "nobody"))
    with pytest.raises(NoSuchAccount, match="no account nobody"):
        list(dump(path, "nobody"))


def test_a_content_that_does_not_fit_its_digest_is_named(path: Path, store: SqliteStore) -> None:
    texts = [content("c1", "Ann"), content("c2", "Bo")]
    store.append(store.open_epoch(), [Append("acme", 10, [naming(11, *texts)], contents=texts)])
    assert [verdict.fault for verdict in verify(path, "acme")] == [None]
    damage(path, "UPDATE contents SET data = CAST('Zoe' AS BLOB) WHERE id = 'c2'")
    (acme,) = verify(path, "acme")
    assert acme.head is None
    assert acme.fault == "account acme: content c2 doesn't fit its digest in record 11: it is altered"


@pytest.mark.parametrize("salt", ["x'00'", "zeroblob(17)"])
def test_a_salt_that_is_altered_is_found_whatever_its_length(path: Path, store: SqliteStore, salt: str) -> None:
    texts = [content("c1", "Ann")]
    store.append(store.open_epoch(), [Append("acme", 10, [naming(11, *texts)], contents=texts)])
    damage(path, f"UPDATE contents SET salt = {salt}")
    (acme,) = verify(path, "acme")
    assert acme.fault == "account acme: content c1 doesn't fit its digest in record 11: it is altered"


def test_a_content_that_is_missing_without_having_been_erased_is_named(path: Path, store: SqliteStore) -> None:
    texts = [content(f"c{n}", f"text {n}") for n in range(700)]  # more than are looked at at a time
    records = [naming(11 + n, one) for n, one in enumerate(texts)]
    store.append(store.open_epoch(), [Append("acme", 10, records, contents=texts, erase=["c2"])])
    assert [verdict.fault for verdict in verify(path, "acme")] == [None]
    damage(path, "DELETE FROM contents WHERE id = 'c600'")
    (acme,) = verify(path, "acme")
    assert acme.fault == "account acme: content c600, which record 611 names, is missing and wasn't erased"
    damage(path, "DELETE FROM contents WHERE id = 'c2'")
    (acme,) = verify(path, "acme")
    assert acme.fault == "account acme: content c2, which record 13 names, is missing and wasn't erased"


def test_a_content_that_is_only_marked_as_erased_is_named(path: Path, store: SqliteStore) -> None:
    texts = [content("c1", "Ann")]
    store.append(store.open_epoch(), [Append("acme", 10, [naming(11, *texts)], contents=texts)])
    damage(path, "UPDATE contents SET erased = 1")
    (acme,) = verify(path, "acme")
    assert acme.fault == (
        "account acme: content c1, which record 11 names, is marked as erased and its text is still there"
    )


def test_contents_are_those_of_the_account_that_names_them(path: Path, store: SqliteStore) -> None:
    texts = [content("c1", "Ann")]
    store.append(store.open_epoch(), [Append("acme", 10, [naming(11, *texts)]), Append("beta", 3, [], contents=texts)])
    (acme,) = verify(path, "acme")
    assert acme.fault is not None
    assert "content c1" in acme.fault


@pytest.mark.parametrize("text", ["", "5", "5:", ":00", "x:00", "-1:" + "0" * 64, "5:" + "0" * 62, "5:" + "zz" * 32])
def test_a_noted_head_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_noted(text)


def test_a_noted_head_is_read_as_it_was_written() -> None:
    head = Head(12, bytes(range(32)))
    assert parse_noted(format_noted(head)) == head


def test_records_are_dumped_as_json_without_personal_content(path: Path, store: SqliteStore) -> None:
    body = msgpack.packb(("r_1", 7, None, ("c1", b"d" * 16), {"a": b"\x01", 5: 2.5}))
    epoch = store.open_epoch()
    made = attrs.evolve(record(11, ("desk", 11, "request.created")), body=body)
    store.append(epoch, [Append("acme", 10, [made], contents=[content("c1", "Ann Example")])])
    (found,) = dump(path, "acme", after=10)
    digest = store.head("acme").hash.hex()
    assert json.loads(json.dumps(found)) == {
        "account": "acme",
        "seq": 11,
        "type": "request.created",
        "version": 1,
        "t": T0 + 11,
        "entries": [{"stream": "desk", "offset": 11, "type": "request.created"}],
        "body": ["r_1", 7, None, ["c1", "64" * 16], {"a": "01", "5": 2.5}],
        "hash": digest,
    }


def test_personal_content_is_dumped_when_asked_for_in_the_place_of_its_reference(
    path: Path, store: SqliteStore
) -> None:
    refs = [(content_id, b"d" * 16) for content_id in ("c1", "c2", "c3")]
    body = msgpack.packb(("r_1", {"texts": refs}))
    made = attrs.evolve(record(11), body=body)
    contents = [content("c1", "Ann"), content("c2", "gone"), attrs.evolve(content("c3"), data=b"\xff")]
    store.append(store.open_epoch(), [Append("acme", 10, [made], contents=contents, erase=["c2"])])
    (found,) = dump(path, "acme", after=10, with_content=True)
    assert found["body"] == [
        "r_1",
        {
            "texts": [
                {"content": "c1", "text": "Ann"},
                {"content": "c2", "erased": True},
                {"content": "c3", "hex": "ff"},
            ]
        },
    ]


def test_a_body_that_is_no_msgpack_is_dumped_in_hex(path: Path, store: SqliteStore) -> None:
    odd = [
        attrs.evolve(record(11), body=b"\xc1"),
        attrs.evolve(record(12), body=b""),
        attrs.evolve(record(13), body=b"12"),
    ]
    extended = attrs.evolve(record(14), body=msgpack.packb(msgpack.ExtType(5, b"x")))
    store.append(store.open_epoch(), [append("acme", 10, [*odd, extended])])
    assert [found["body"] for found in dump(path, "acme", after=10)] == ["c1", "", "3132", [5, "78"]]


def test_a_long_log_is_dumped_whole_and_in_order(path: Path, store: SqliteStore) -> None:
    store.append(store.open_epoch(), [append("acme", 10, log(11, 1500))])
    assert [found["seq"] for found in dump(path, "acme")] == list(range(1, 1511))


def test_a_running_journal_is_backed_up_into_a_private_file_that_verifies(
    path: Path, store: SqliteStore, tmp_path: Path
) -> None:
    target = tmp_path / "copies" / "copy.journal"
    target.parent.mkdir()
    verdicts = backup(path, target)
    assert [(verdict.account, verdict.head) for verdict in verdicts] == [
        ("acme", store.head("acme")),
        ("beta", store.head("beta")),
    ]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert not [p for p in target.parent.iterdir() if "partial" in p.name]
    with pytest.raises(JournalUnavailable, match="exists already"):
        backup(path, target)
    copy = SqliteStore(target)
    copy.append(copy.open_epoch(), [append("acme", 10, log(11, 1))])
    assert copy.verify("acme").seq == 11
    copy.close()


def test_a_backup_of_nothing_leaves_nothing(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.journal"
    with pytest.raises(JournalUnavailable):
        backup(path, target)
    with pytest.raises(JournalUnavailable, match="partial"):
        backup(path, tmp_path / "nowhere" / "copy.journal")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_on_a_read_only_medium_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "medium"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a read-only medium needs `mount -t tmpfs`, which needs root: run the tests as root once")
    mount = ["mount", "-t", "tmpfs", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a read-only medium needs `mount -t tmpfs`, which was refused: {mounted.stderr.strip()}")
    try:
        store = SqliteStore(folder / "shard.journal")
        fill(store)
        store.close()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert [verdict.fault for verdict in verify(folder / "shard.journal")] == [None]
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
