"""When the disk is full, read-only or broken, and when the writer dies: nothing acknowledged is lost, and
``surely_nothing`` is never said of something that was written."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import pytest

from broker.journal.base import (
    Append,
    Committed,
    Content,
    Failed,
    JournalError,
    JournalUnavailable,
    Outcome,
    Reply,
    Snapshot,
    Store,
)
from broker.journal.client import WorkerJournal
from broker.journal.process import FD, ProcessJournal
from broker.journal.sqlite import SqliteStore
from tests.journal.made import append, body, fill, log, record
from tests.journal.waiting import ask, collect, commit, fail, recover, refused, wait_readable

DISK_KIB = 2048


@attrs.define(frozen=True)
class Disk:
    """A small file system of its own."""

    path: Path

    def fill(self, but: int = 0) -> None:
        """Use up the last byte; then give back ``but`` bytes of it."""
        with (self.path / "filler").open("ab", buffering=0) as filler:
            with contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(1024))
            filler.truncate(filler.tell() - but)

    def free(self) -> None:
        """Give back what ``fill`` took."""
        (self.path / "filler").unlink()

    def remount(self, mode: str) -> None:
        """``ro`` or ``rw``; ``ro`` only while no file is open for writing."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    path = tmp_path / "disk"
    path.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a full and a read-only disk need `mount -t tmpfs`, which needs root: run the tests as root once")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", str(path)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a full and a read-only disk need `mount -t tmpfs`, which was refused: {mounted.stderr.strip()}")
    yield Disk(path)
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def process_journal(path: Path) -> ProcessJournal:
    return ProcessJournal([sys.executable, "-m", "tests.journal.writer_main", FD, str(path)])


def big(seq: int, size: int = 20_000) -> Append:
    """One record that needs room."""
    return append("acme", seq - 1, [attrs.evolve(record(seq, ("desk", seq, "e")), body=bytes(size))])


def until_it_fails(store: Store, epoch: int, seq: int) -> tuple[int, JournalError]:
    """Append big records: the last one that was acknowledged, and the error of the next."""
    while seq < 1000:
        try:
            store.append(epoch, [big(seq + 1)])
        except JournalError as exc:
            return seq, exc
        seq += 1
    raise AssertionError("the disk is never full")


# --- a full disk ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_full_disk_loses_nothing_acknowledged_and_is_survived(disk: Disk) -> None:
    path = disk.path / "shard.journal"
    store = SqliteStore(path)
    epoch = store.open_epoch(b"me")
    disk.fill(but=300_000)
    seq, error = until_it_fails(store, epoch, 0)
    assert seq > 0
    assert "SQLITE_FULL" in str(error)
    assert isinstance(error, JournalUnavailable)
    assert error.surely_nothing

    with pytest.raises(JournalUnavailable, match="open_epoch"):
        store.append(epoch, [append("acme", seq, log(seq + 1, 1))])
    disk.free()
    renewed = store.open_epoch(b"me", renew=True)
    assert store.verify("acme").seq == seq
    store.append(renewed, [big(seq + 1)])
    assert store.verify("acme").seq == seq + 1
    store.close()


@pytest.mark.slow
def test_a_disk_that_fills_within_a_transaction_fails_with_surely_nothing(disk: Disk) -> None:
    """Larger than SQLite's cache, the transaction reaches the disk before its COMMIT."""
    path = disk.path / "shard.journal"
    store = SqliteStore(path)
    epoch = fill(store)
    store._db.execute("PRAGMA cache_size=8")
    disk.fill()
    records = [attrs.evolve(record(seq), body=bytes(3000)) for seq in range(11, 400)]
    with pytest.raises(JournalUnavailable, match=r"cannot write.*FULL") as caught:
        store.append(epoch, [append("acme", 10, records)])
    assert caught.value.surely_nothing
    disk.free()
    store.append(store.open_epoch(), [append("acme", 10, log(11, 1))])
    assert store.verify("acme").seq == 11
    store.close()


@pytest.mark.slow
def test_a_full_disk_behind_a_writer_process_is_recovered_from(disk: Disk) -> None:
    path = disk.path / "shard.journal"
    journal = process_journal(path)
    commit(journal, append("acme", 0, log(1, 3)))
    disk.fill()
    seq = 3
    outcomes: list[Outcome] = []
    while not outcomes or isinstance(outcomes[-1], Committed):
        seq += 1
        journal.submit([big(seq)])
        outcomes = collect(journal, 1)
    (failed,) = outcomes
    assert isinstance(failed, Failed)
    assert failed.error.surely_nothing
    assert ask_head(journal) in (None, seq - 1)  # unreadable, or as it was

    disk.free()
    recover(journal)
    assert ask(journal, "head", "acme")[0] == seq - 1
    commit(journal, big(seq))
    assert journal.statistics().starts == 1
    journal.close()
    store = SqliteStore(path)
    assert store.verify("acme").seq == seq
    store.close()


@pytest.mark.slow
def test_a_disk_too_full_to_open_the_journal_fails_every_commit_until_there_is_room(disk: Disk) -> None:
    disk.fill()
    journal = process_journal(disk.path / "shard.journal")
    failed = fail(journal, append("acme", 0, log(1, 1)))
    assert failed.error.surely_nothing
    assert "JournalUnavailable" in refused(journal, journal.recover())
    assert "JournalUnavailable" in refused(journal, journal.ask("head", "acme"))
    disk.free()
    recover(journal)
    commit(journal, append("acme", 0, log(1, 1)))
    journal.close()


@pytest.mark.slow
def test_a_snapshot_that_finds_no_room_leaves_the_earlier_one(disk: Disk) -> None:
    store = SqliteStore(disk.path / "shard.journal")
    epoch = fill(store)
    snapshot = Snapshot(4, store.hash_at("acme", 4) or b"", 1, b"small")
    store.save_snapshot("acme", snapshot)
    disk.fill()
    with pytest.raises(JournalUnavailable, match="snapshot"):
        store.save_snapshot("acme", attrs.evolve(snapshot, data=bytes(500_000)))
    disk.free()
    assert store.load_snapshot("acme") == snapshot
    store.append(epoch, [append("acme", 10, log(11, 1))])
    store.close()


def ask_head(journal: WorkerJournal) -> int | None:
    journal.ask("head", "acme")
    (reply,) = collect(journal, 1)
    assert isinstance(reply, Reply)
    return reply.value[0] if isinstance(reply.value, tuple) else None


# --- read-only ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_disk_mounted_read_only_is_reported_and_recovered_from(disk: Disk) -> None:
    path = disk.path / "shard.journal"
    store = SqliteStore(path)
    fill(store)
    store.close()
    disk.remount("ro")
    journal = process_journal(path)
    failed = fail(journal, append("acme", 10, log(11, 1)))
    assert failed.error.surely_nothing
    assert "Read-only file system" in str(failed.error)
    disk.remount("rw")
    recover(journal)
    commit(journal, append("acme", 10, log(11, 1)))
    journal.close()


def test_a_file_that_turns_read_only_fails_with_surely_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shard.journal")
    epoch = fill(store)
    store._db.execute("PRAGMA query_only=ON")  # permissions would not bind root
    with pytest.raises(JournalUnavailable, match="SQLITE_READONLY") as caught:
        store.append(epoch, [append("acme", 10, log(11, 1))])
    assert caught.value.surely_nothing
    with pytest.raises(JournalUnavailable, match="SQLITE_READONLY"):
        store.open_epoch()
    store._db.execute("PRAGMA query_only=OFF")
    store.append(epoch, [append("acme", 10, log(11, 1))])
    store.close()


# --- a disk that breaks ---------------------------------------------------------------------------


def test_an_error_of_the_disk_in_commit_is_in_doubt_and_the_file_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "shard.journal"
    store = SqliteStore(path)
    epoch = fill(store)
    size = path.with_name(path.name + "-wal").stat().st_size
    with file_size_limit(size + 5000), pytest.raises(JournalUnavailable, match=r"cannot commit.*IOERR") as caught:
        store.append(epoch, [big(11)])
    assert not caught.value.surely_nothing
    renewed = store.open_epoch()
    assert store.verify("acme").seq == 10
    store.append(renewed, [big(11)])
    store.close()


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Every write past ``size`` bytes fails as on a broken disk (EFBIG is no ENOSPC); Python ignores SIGXFSZ."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FailingConnection:
    """A connection on which statements that begin with one of ``failing`` fail: before they are done or, with
    ``written``, after (an fsync that failed may have written everything)."""

    def __init__(self, db: sqlite3.Connection, *failing: str, written: bool = False) -> None:
        self._db = db
        self._failing = failing
        self._written = written

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        if not sql.startswith(self._failing):
            return self._db.execute(sql, parameters)
        if self._written:
            self._db.execute(sql, parameters)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


@pytest.mark.parametrize("written", [False, True])
def test_a_commit_in_doubt_is_settled_by_opening_the_file_anew(tmp_path: Path, *, written: bool) -> None:
    store = SqliteStore(tmp_path / "shard.journal")
    epoch = fill(store)
    store._db = FailingConnection(store._db, "COMMIT", written=written)  # type: ignore[assignment]
    with pytest.raises(JournalUnavailable, match="cannot commit") as caught:
        store.append(epoch, [append("acme", 10, log(11, 1))])
    assert not caught.value.surely_nothing
    renewed = store.open_epoch()
    assert store.head("acme").seq == (11 if written else 10)
    store.append(renewed, [append("acme", store.head("acme").seq, [])])
    store.close()


def test_a_rollback_that_fails_is_no_certainty(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shard.journal")
    epoch = fill(store)
    store._db = FailingConnection(store._db, "UPDATE accounts", "ROLLBACK")  # type: ignore[assignment]
    with pytest.raises(JournalUnavailable, match="cannot write") as caught:
        store.append(epoch, [append("acme", 10, log(11, 1))])
    assert not caught.value.surely_nothing
    assert store.open_epoch() == epoch + 1
    assert store.head("acme").seq == 10
    store.close()


def test_a_claim_in_doubt_can_be_renewed_by_its_owner(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "shard.journal")
    epoch = store.open_epoch(b"me")
    store._db = FailingConnection(store._db, "COMMIT", written=True)  # type: ignore[assignment]
    with pytest.raises(JournalUnavailable, match="claim"):
        store.open_epoch(b"me", renew=True)
    store._db = store._db._db  # type: ignore[attr-defined]
    assert store.open_epoch(b"me", renew=True) == epoch + 2
    store.close()


# --- a writer that dies ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("acknowledged", [0, 1, 7, 30])
def test_a_writer_killed_in_mid_flight_leaves_one_commit_in_doubt_at_most(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "shard.journal"
    journal = process_journal(path)
    commit(journal, append("acme", 0, log(1, 3)))
    pid = journal.pid
    assert pid is not None
    for seq in range(3, 203):
        journal.submit([append("acme", seq, log(seq + 1, 1))])
    outcomes: list[Outcome] = []
    while len(outcomes) < acknowledged:
        wait_readable(journal)
        outcomes += journal.poll()
    os.kill(pid, signal.SIGKILL)
    outcomes += collect(journal, 200 - len(outcomes))

    done = [outcome for outcome in outcomes if isinstance(outcome, Committed)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert [outcome.number for outcome in outcomes] == [outcome.number for outcome in done + failed]
    assert [outcome.number for outcome in failed if not outcome.error.surely_nothing] in (
        [],
        [outcome.number for outcome in failed[:1]],
    )
    assert journal.pid is None
    check_file(path, 3 + len(done), in_doubt=1 if failed and not failed[0].error.surely_nothing else 0)

    assert fail(journal, append("acme", 3, log(4, 1))).error.surely_nothing
    assert "gone" in refused(journal, journal.ask("head", "acme"))
    recover(journal)
    assert journal.statistics().starts == 2
    seq = ask(journal, "head", "acme")[0]
    commit(journal, append("acme", seq, log(seq + 1, 1)))
    journal.close()
    check_file(path, seq + 1)


def check_file(path: Path, acknowledged: int, in_doubt: int = 0) -> None:
    """Everything acknowledged is there, and nothing beyond what is in doubt."""
    store = SqliteStore(path)
    assert acknowledged <= store.verify("acme").seq <= acknowledged + in_doubt
    store.close()


@pytest.mark.slow
def test_a_writer_that_died_unnoticed_took_nothing_of_what_is_submitted_after(tmp_path: Path) -> None:
    journal = process_journal(tmp_path / "shard.journal")
    commit(journal, append("acme", 0, log(1, 3)))
    pid = journal.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    failed = fail(journal, append("acme", 3, log(4, 1)))
    assert failed.error.surely_nothing
    recover(journal)
    assert ask(journal, "head", "acme")[0] == 3
    journal.close()


@pytest.mark.slow
def test_a_question_that_kills_the_writer_is_answered_with_an_error(tmp_path: Path) -> None:
    journal = process_journal(tmp_path / "shard.journal")
    assert "the writer died" in refused(journal, journal.ask("die"))
    number = journal.recover()
    journal.submit([append("acme", 0, log(1, 1))])
    reply, committed = collect(journal, 2)
    assert (reply.number, type(reply), type(committed)) == (number, Reply, Committed)
    journal.close()


def test_a_writer_that_cannot_be_started_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(JournalUnavailable, match="cannot start the writer"):
        ProcessJournal([str(tmp_path / "no such program"), FD])


@pytest.mark.slow
def test_a_writer_that_cannot_be_started_again_fails_the_recovery(tmp_path: Path) -> None:
    program = tmp_path / "writer"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.journal.writer_main "$@"\n')
    program.chmod(0o700)
    journal = ProcessJournal([str(program), FD, str(tmp_path / "shard.journal")])
    assert "died" in refused(journal, journal.ask("die"))
    program.rename(tmp_path / "elsewhere")
    assert "cannot start the writer" in refused(journal, journal.recover())
    (tmp_path / "elsewhere").rename(program)
    assert isinstance(recover(journal), int)
    journal.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_meant_for_the_broker_do_not_end_the_writer(tmp_path: Path, number: signal.Signals) -> None:
    journal = process_journal(tmp_path / "shard.journal")
    commit(journal, append("acme", 0, log(1, 1)))
    assert journal.pid is not None
    os.kill(journal.pid, number)
    commit(journal, append("acme", 1, log(2, 1)))
    assert journal.statistics().starts == 1
    journal.close()


@pytest.mark.slow
def test_a_commit_larger_than_the_sockets_buffer_goes_through(tmp_path: Path) -> None:
    journal = process_journal(tmp_path / "shard.journal")
    text = Content("c1", b"s" * 16, bytes(3_000_000))
    commit(journal, Append("acme", 0, [attrs.evolve(record(1), body=body(1) * 100_000)], contents=[text]))
    assert len(ask(journal, "large", 5_000_000)) == 5_000_000
    journal.close()
