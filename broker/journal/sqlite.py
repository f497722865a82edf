"""The journal in a SQLite file: one transaction a commit, fsynced, fenced by epoch and by each account's seq.

Reading is in ``sqlite_reader``, the tables in ``sqlite_file``. ``memory`` is the naive twin.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Final

from broker.journal.base import Append, Head, JournalError, Snapshot, StaleWriter
from broker.journal.chain import ZEROS, StreamTip, Tip
from broker.journal.sqlite_file import BUSY_TIMEOUT_MS, connect, number, translate
from broker.journal.sqlite_reader import SqliteReader

KNOWN_STREAMS: Final = 65_536  # last offsets kept in memory, about 10 MiB; past that they are looked up again
TIDY_RECORDS: Final = 1000  # records after which a quiet moment copies the WAL into the file: a few milliseconds
_blob = bytearray  # sqlite3 binds it as it is, but asks the adapters about each bytes: a third of an insert's time


class SqliteStore(SqliteReader):
    """A ``base.Store`` in one file. Makes the file when there is none."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, readonly=False)
        # Account's row id -> stream -> its end. Right as long as this writer is the only one, which the epoch and
        # expected_seq make certain within each transaction; forgotten whenever one fails.
        self._streams: dict[int, dict[str, StreamTip]] = {}
        self._known_streams = 0
        self._since_tidy = 0
        self._owes_scrub = True  # by whoever had the file before and was killed, perhaps

    def open_epoch(self, owner: bytes = b"", *, renew: bool = False) -> int:
        """See ``base.Store``. After an error in COMMIT it opens the file anew, which also reads the WAL anew."""
        self._forget()
        try:
            if self._broken:
                self._reopen()
            self._db.execute("BEGIN IMMEDIATE")
            current, claimed_by = self._db.execute("SELECT epoch, owner FROM shard").fetchone()
            if renew and owner != claimed_by:
                raise StaleWriter(f"another broker has claimed the shard with epoch {current}")
            self._db.execute("UPDATE shard SET epoch = ?, owner = ?", (current + 1, owner))
            self._db.execute("COMMIT")
        except BaseException as exc:
            self._broken = self._broken or not self._roll_back()
            if isinstance(exc, sqlite3.Error):
                raise translate(exc, "cannot claim the shard", surely_nothing=True) from exc
            raise
        claimed: int = current + 1
        return claimed

    def append(self, epoch: int, appends: Sequence[Append]) -> list[Head]:
        """See ``base.Store``."""
        self._usable()
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            raise translate(exc, "cannot begin", surely_nothing=True) from exc
        try:
            heads, erased = self._write(epoch, appends)
        except BaseException as exc:
            raise self._undone(exc) from exc
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            raise self._in_doubt(exc, appends) from exc
        self._since_tidy += sum(len(append.records) for append in appends)
        if erased:
            self._owes_scrub = True
            self._scrub()
        return heads

    def _write(self, epoch: int, appends: Sequence[Append]) -> tuple[list[Head], int]:
        current = number(self._db, "SELECT epoch FROM shard")
        if epoch != current:
            raise StaleWriter(f"the shard was claimed with epoch {current}, ours is {epoch}")
        if len({append.account for append in appends}) != len(appends):
            raise ValueError("an account is named twice in one commit")
        if self._known_streams > KNOWN_STREAMS:  # not within an account: what it adds isn't in the table yet
            self._forget()
        heads = []
        erased = 0
        for append in appends:
            row_id, tip = self._open_account(append.account)
            if tip.seq != append.expected_seq:
                raise StaleWriter(f"account {append.account} is at {tip.seq}, expected was {append.expected_seq}")
            if append.records:
                self._write_records(append, row_id, tip)
            erased += self._write_beside(append, row_id)
            heads.append(tip.head())
        return heads, erased

    def _open_account(self, name: str) -> tuple[int, Tip]:
        row = self._db.execute("SELECT id, seq, hash, t FROM accounts WHERE name = ?", (name,)).fetchone()
        if row is not None:
            return row[0], Tip(row[1], row[2], row[3])
        made = self._db.execute("INSERT INTO accounts (name, seq, t, hash) VALUES (?, 0, 0, ?)", (name, ZEROS))
        assert made.lastrowid is not None
        return made.lastrowid, Tip()

    def _write_records(self, append: Append, row_id: int, tip: Tip) -> None:
        streams = self._streams.setdefault(row_id, {})
        rows, entries = self._chain.extend(
            append, row_id, tip, streams, lambda name: self._find_stream(row_id, name), _blob
        )
        self._db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.executemany("INSERT INTO entries VALUES (?, ?, ?)", entries)
        self._db.execute(
            "UPDATE accounts SET seq = ?, t = ?, hash = ? WHERE id = ?", (tip.seq, tip.t, tip.hash, row_id)
        )

    def _find_stream(self, row_id: int, name: str) -> StreamTip:
        """The end of a stream that isn't known yet; a new one gets its row."""
        self._known_streams += 1
        stream_id = self._stream_id(row_id, name)
        if stream_id:
            return StreamTip(stream_id, self._last_offset(stream_id))
        made = self._db.execute("INSERT INTO streams (account, name) VALUES (?, ?)", (row_id, name))
        return StreamTip(made.lastrowid, 0)

    def _write_beside(self, append: Append, row_id: int) -> int:
        """Contents, answers, and what is to be erased: the number of contents that were."""
        if append.contents:
            self._db.executemany(
                "INSERT INTO contents (account, erased, id, salt, data) VALUES (?, 0, ?, ?, ?)",
                [(row_id, c.id, _blob(c.salt), _blob(c.data)) for c in append.contents],
            )
        if append.answers:
            self._db.executemany(
                "INSERT INTO answers (account, person, key, digest, t, result) VALUES (?, ?, ?, ?, ?, ?)",
                [(row_id, a.person, a.key, _blob(a.digest), a.t, _blob(a.result)) for a in append.answers],
            )
        if not append.erase:
            return 0
        # Overwritten with as many zeros, in place: see the table's comment.
        return self._db.executemany(
            "UPDATE contents SET erased = 1, salt = zeroblob(length(salt)), data = zeroblob(length(data)) "
            "WHERE account = ? AND id = ? AND erased = 0",
            [(row_id, content_id) for content_id in append.erase],
        ).rowcount

    # --- when it fails ---------------------------------------------------------------------------

    def _undone(self, exc: BaseException) -> BaseException:
        """The error of a transaction that never came to COMMIT."""
        undone = self._roll_back()
        self._broken = not undone
        self._forget()
        if isinstance(exc, sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError | TypeError):
            return ValueError(f"the file's rules refuse it: {exc}")
        if isinstance(exc, sqlite3.Error):
            return translate(exc, "cannot write", surely_nothing=undone)
        return exc

    def _in_doubt(self, exc: sqlite3.Error, appends: Sequence[Append]) -> JournalError:
        """The error of a COMMIT. It may have reached the disk all the same (an fsync that failed proves nothing),
        with one exception: a full disk ends the writing before the frame that makes the transaction valid, and a
        look at the file through a new connection can tell."""
        full = getattr(exc, "sqlite_errorname", "") == "SQLITE_FULL"
        self._roll_back()
        self._forget()
        self._broken = True
        nothing = full and all(append.records for append in appends) and self._stands_at(appends)
        return translate(exc, "cannot commit", surely_nothing=nothing)

    def _stands_at(self, appends: Sequence[Append]) -> bool:
        try:
            self._reopen()
            return all(self.head(append.account).seq == append.expected_seq for append in appends)
        except JournalError:
            return False
        finally:
            self._broken = True  # only open_epoch makes it usable: the writer must know that it failed

    def _roll_back(self) -> bool:
        """Whether no transaction is open any more. SQLite has rolled back by itself after some errors."""
        with suppress(sqlite3.Error):
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            return True
        return False

    def _reopen(self) -> None:
        with suppress(sqlite3.Error):  # a connection that cannot even be closed is left behind
            self._db.close()
        self._db = connect(self._path, readonly=False)
        self._broken = False

    def _forget(self) -> None:
        self._streams.clear()
        self._known_streams = 0
        self._ids.clear()
        self._stream_ids.clear()

    # --- the rest --------------------------------------------------------------------------------

    def forget_answers(self, before: int, limit: int) -> int:
        """See ``base.Store``."""
        with self._reading() as db:
            oldest = db.execute("SELECT num, t FROM answers ORDER BY num LIMIT ?", (limit,)).fetchall()
            old = list(takewhile(lambda row: row[1] < before, oldest))
            if old:
                db.execute("DELETE FROM answers WHERE num <= ?", (old[-1][0],))
        return len(old)

    def save_snapshot(self, account: str, snapshot: Snapshot) -> None:
        """See ``base.Store``."""
        if self.hash_at(account, snapshot.seq) != snapshot.hash:
            raise ValueError(f"account {account}: the snapshot's hash isn't the chain's at {snapshot.seq}")
        seal = self._chain.seal(account, snapshot)
        self._usable()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            row_id, _ = self._open_account(account)
            self._db.execute(
                "INSERT INTO snapshots VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account) DO UPDATE SET "
                "seq = excluded.seq, hash = excluded.hash, version = excluded.version, seal = excluded.seal, "
                "data = excluded.data WHERE excluded.seq >= seq",
                (row_id, snapshot.seq, snapshot.hash, snapshot.version, seal, snapshot.data),
            )
            self._db.execute("COMMIT")
        except sqlite3.Error as exc:
            self._broken = not self._roll_back()
            raise translate(exc, "cannot save the snapshot", surely_nothing=False) from exc

    def tidy(self) -> bool:
        """See ``base.Store``."""
        if self._owes_scrub:
            self._scrub()
        if self._since_tidy >= TIDY_RECORDS:
            self._checkpoint("PASSIVE")
        return False

    def close(self) -> None:
        """See ``base.Store``. The last connection to close takes the WAL file with it."""
        if not self._broken and self._owes_scrub:
            self._scrub()
        super().close()

    def _scrub(self) -> None:
        """Take the WAL, which still holds what was erased, off the disk. Not possible while somebody reads an older
        state of the file (a backup, say): then it is tried again later rather than waited for."""
        if self._checkpoint("TRUNCATE"):
            self._owes_scrub = False

    def _checkpoint(self, mode: str) -> bool:
        """Copy the WAL into the file: whether all of it was. Never waits, never fails a commit that is done."""
        self._since_tidy = 0
        try:
            self._db.execute("PRAGMA busy_timeout=0")
            try:
                busy, in_wal, copied = self._db.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                self._db.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        except sqlite3.Error:
            return False
        return not busy and in_wal == copied
