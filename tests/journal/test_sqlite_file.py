"""The SQLite file itself: how it is made, what opening it checks, and that erased text is really gone."""

from __future__ import annotations

import random
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from broker.journal.base import Append, Content, CorruptJournal, JournalUnavailable
from broker.journal.sqlite import KNOWN_STREAMS, SqliteStore
from broker.journal.sqlite_file import APPLICATION_ID, FORMAT
from broker.journal.sqlite_reader import SqliteReader
from tests.journal.made import answer, append, bytes_on_disk, content, fill, log, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard.journal"


def pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_says_what_it_is_and_is_private(path: Path) -> None:
    store = SqliteStore(path)
    fill(store)
    assert [stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()] == [0o600] * 3
    store.close()
    assert pragma(path, "application_id") == APPLICATION_ID
    assert pragma(path, "user_version") == FORMAT
    assert pragma(path, "journal_mode") == "wal"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_writer_syncs_each_commit_and_overwrites_what_it_deletes(path: Path) -> None:
    store = SqliteStore(path)
    settings = {name: store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "secure_delete")}
    assert settings == {"synchronous": 2, "secure_delete": 1}
    store.close()


def test_everything_is_there_after_opening_again(path: Path) -> None:
    store = SqliteStore(path)
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 5), contents=[content("c1")], answers=[answer("ann", 1)])])
    head = store.head("acme")
    store.close()
    store = SqliteStore(path)
    assert store.open_epoch() == epoch + 1
    assert store.verify("acme") == head
    assert store.contents("acme", ["c1"]) == {"c1": content("c1")}
    store.append(epoch + 1, [append("acme", 5, log(6, 1))])
    assert store.stream_head("acme", "desk") == 6
    store.close()


def test_a_file_of_another_format_is_refused_with_what_to_do(path: Path) -> None:
    SqliteStore(path).close()
    for found, advice in ((FORMAT + 1, "use a newer release"), (FORMAT - 1, "migrate it")):
        with closing(sqlite3.connect(path)) as db:
            db.execute(f"PRAGMA user_version={found}")
        with pytest.raises(JournalUnavailable, match=f"has format {found}, this release reads {FORMAT}: {advice}"):
            SqliteStore(path)


def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(JournalUnavailable, match="not a Huntgroup journal"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"This is not a database. " * 100)
    with pytest.raises(CorruptJournal, match="SQLITE_NOTADB"):
        SqliteStore(path)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="nowhere"):
        SqliteStore(tmp_path / "nowhere" / "shard.journal")


def test_reading_alone_makes_no_file_and_changes_none(path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="unable to open"):
        SqliteReader(path)
    assert not path.exists()
    path.touch()
    with pytest.raises(JournalUnavailable, match="not a Huntgroup journal"):
        SqliteReader(path)
    path.unlink()
    store = SqliteStore(path)
    fill(store)
    reader = SqliteReader(path)
    assert reader.verify("acme").seq == 10
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM records")
    reader.close()
    store.close()


def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    store.close()
    with pytest.raises(JournalUnavailable, match="closed"):
        store.head("acme")
    with pytest.raises(JournalUnavailable, match="closed"):
        store.append(1, [])


def test_values_of_a_wrong_type_are_refused_and_nothing_is_stored(path: Path) -> None:
    store = SqliteStore(path)
    epoch = store.open_epoch()
    for wrong in (Content("c1", b"", "text"), Content(b"c1", b"", b""), Content({}, b"", b"")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="refuse"):
            store.append(epoch, [Append("acme", 0, log(1, 1), contents=[wrong])])
    assert store.accounts() == []
    store.append(epoch, [append("acme", 0, log(1, 1))])
    store.close()


def test_a_transaction_open_elsewhere_is_waited_for_and_then_refused_with_nothing_written(path: Path) -> None:
    store = SqliteStore(path)
    epoch = fill(store)
    store.append(epoch, [Append("acme", 10, answers=[answer("ann", 1)])])
    store._db.execute("PRAGMA busy_timeout=1")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="SQLITE_BUSY") as caught:
            store.append(epoch, [append("acme", 10, log(11, 1))])
        assert caught.value.surely_nothing
        with pytest.raises(JournalUnavailable, match="SQLITE_BUSY"):
            store.open_epoch()
        with pytest.raises(JournalUnavailable, match="SQLITE_BUSY"):
            store.forget_answers(10**14, 1)
    store.append(epoch, [append("acme", 10, log(11, 1))])
    store.close()


def test_more_streams_than_are_kept_in_mind_are_no_matter(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert KNOWN_STREAMS > 1000
    monkeypatch.setattr("broker.journal.sqlite.KNOWN_STREAMS", 3)
    store = SqliteStore(path)
    epoch = store.open_epoch()
    for round_ in range(3):
        records = [record(round_ * 10 + n, (f"s{n}", round_ + 1, "e")) for n in range(1, 11)]
        store.append(epoch, [append("acme", round_ * 10, records)])
    assert store.verify("acme").seq == 30
    store.close()


# --- erasing --------------------------------------------------------------------------------------


def secret(n: int) -> bytes:
    """A text that stands out in a file: from 40 bytes to several pages."""
    return (b"SECRET-%06d-" % n) * random.Random(n).choice([3, 3, 3, 20, 800])


def test_erased_text_is_gone_from_every_file_at_once(path: Path) -> None:
    store = SqliteStore(path)
    epoch = store.open_epoch()
    texts = [Content(f"c{n}", b"s" * 16, secret(n)) for n in range(5)]
    store.append(epoch, [Append("acme", 0, log(1, 1), contents=texts)])
    assert all(b"SECRET-%06d" % n in bytes_on_disk(path) for n in range(5))
    store.append(epoch, [Append("acme", 1, log(2, 1), erase=["c1", "c3"])])
    left = [n for n in range(5) if b"SECRET-%06d" % n in bytes_on_disk(path)]
    assert left == [0, 2, 4]
    store.close()


@pytest.mark.slow
def test_no_stale_copy_of_an_erased_text_is_left_after_thousands_of_inserts(path: Path) -> None:
    """A B-tree that splits and merges its pages would leave copies in their free space: ours never does."""
    rng = random.Random(7)
    store = SqliteStore(path)
    epoch = store.open_epoch()
    alive: set[int] = set()
    ids: dict[int, str] = {}
    for n in range(60):
        new = range(n * 50, n * 50 + 50)
        gone = rng.sample(sorted(alive), min(30, len(alive)))
        contents = [Content(f"{rng.getrandbits(64):016x}-{i}", b"s" * 16, secret(i)) for i in new]
        ids |= {i: made.id for i, made in zip(new, contents, strict=True)}
        store.append(epoch, [Append("acme", n, log(n + 1, 1), contents=contents, erase=[ids[i] for i in gone])])
        alive = (alive | set(new)) - set(gone)
    assert {int(n) for n in re.findall(rb"SECRET-(\d{6})", bytes_on_disk(path))} == alive
    store.close()


def test_a_reader_in_the_way_puts_the_scrubbing_off_but_not_the_commit(path: Path) -> None:
    store = SqliteStore(path)
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 1), contents=[Content("c1", b"s" * 16, secret(1))])])
    with closing(sqlite3.connect(path, isolation_level=None)) as backup:
        backup.execute("BEGIN")
        backup.execute("SELECT count(*) FROM contents").fetchone()
        store.append(epoch, [Append("acme", 1, log(2, 1), erase=["c1"])])
        assert store.contents("acme", ["c1"]) == {}
        assert b"SECRET" in bytes_on_disk(path)
        store.tidy()
        assert b"SECRET" in bytes_on_disk(path)
    store.tidy()
    assert b"SECRET" not in bytes_on_disk(path)
    store.close()


def test_forgotten_answers_leave_no_bytes_behind(path: Path) -> None:
    store = SqliteStore(path)
    epoch = store.open_epoch()
    store.append(epoch, [Append("acme", 0, log(1, 1), answers=[answer("SECRET-ann", 1)])])
    store.forget_answers(10**14, 10)
    store.close()
    assert b"SECRET" not in bytes_on_disk(path)
