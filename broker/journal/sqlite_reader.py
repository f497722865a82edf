"""The reading half of the SQLite journal: what a writer's questions, ``verify`` and ``dump`` are answered from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from broker.content import digest
from broker.journal.base import Answer, Content, CorruptJournal, Head, JournalUnavailable, Record, Snapshot
from broker.journal.chain import EMPTY, ZEROS, Chain, RecordRow, unpack_entries
from broker.journal.contents import Kept
from broker.journal.sqlite_file import connect, translate
from broker.journal.verify import verify

VERIFY_CHUNK = 1024  # records read at a time: bounds memory, and no read transaction stays open for long
VERIFY_STREAMS = 65_536  # stream numbers kept in mind meanwhile, about 10 MiB
STRAYS_CHUNK = 4096  # numbers compared at a time: a few milliseconds
_CONTENTS_CHUNK = 500  # ids in one IN list; SQLite allows 32,766

_RECORD = "seq, type, version, t, body, entries"
_SALT_BYTES = 16  # at most: see ``content.digest``
_OWNED = (
    ("records", "account", "accounts"),
    ("streams", "account", "accounts"),
    ("contents", "account", "accounts"),
    ("answers", "account", "accounts"),
    ("snapshots", "account", "accounts"),
    ("entries", "stream", "streams"),
)
"""(table, column, the table whose ids it holds). Each column is the first of an index."""


class SqliteReader:
    """Opens a journal file for reading alone; ``SqliteStore`` adds the writing. Used by one thread."""

    def __init__(self, path: Path | str, *, readonly: bool = True) -> None:
        self._path = Path(path)
        self._db = connect(self._path, readonly=readonly)
        self._chain = Chain()
        self._broken = False
        self._ids: dict[str, int] = {}
        self._stream_ids: dict[tuple[int, str], int] = {}
        """For ``entry_seq``, which is asked about each entry."""

    def accounts(self) -> list[str]:
        """See ``base.Store``."""
        with self._reading() as db:
            return [name for (name,) in db.execute("SELECT name FROM accounts WHERE seq > 0 ORDER BY name")]

    def head(self, account: str) -> Head:
        """See ``base.Store``."""
        with self._reading() as db:
            row = db.execute("SELECT seq, hash FROM accounts WHERE name = ?", (account,)).fetchone()
        return EMPTY if row is None else Head(row[0], row[1])

    def records(self, account: str, after: int, limit: int) -> list[Record]:
        """See ``base.Store``."""
        with self._reading() as db:
            rows = db.execute(
                f"SELECT {_RECORD} FROM records WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
                (self._id(account), after, limit),
            ).fetchall()
        return [_record(row) for row in rows]

    def hash_at(self, account: str, seq: int) -> bytes | None:
        """See ``base.Store``."""
        if seq == 0:
            return ZEROS
        with self._reading() as db:
            row = db.execute(
                "SELECT hash FROM records WHERE account = ? AND seq = ?", (self._id(account), seq)
            ).fetchone()
        return None if row is None else row[0]

    def stream(self, account: str, stream: str, after: int, limit: int) -> list[tuple[int, Record]]:
        """See ``base.Store``. CorruptJournal where an offset or its record is missing."""
        with self._reading() as db:
            row_id = self._id(account)
            rows = db.execute(
                "SELECT s.offset, s.seq, r.type, r.version, r.t, r.body, r.entries "
                "FROM entries s LEFT JOIN records r ON r.account = ? AND r.seq = s.seq "
                "WHERE s.stream = ? AND s.offset > ? ORDER BY s.offset LIMIT ?",
                (row_id, self._stream_id(row_id, stream), after, limit),
            ).fetchall()
        for n, (offset, seq, type_, *_) in enumerate(rows, rows[0][0] if rows else 0):
            if type_ is None:
                raise CorruptJournal(f"account {account}: record {seq} (stream {stream}, offset {offset}) is missing")
            if offset != n:
                raise CorruptJournal(f"account {account}: stream {stream}, offset {n} is missing from the index")
        return [(row[0], _record(row[1:])) for row in rows]

    def stream_head(self, account: str, stream: str) -> int:
        """See ``base.Store``."""
        with self._reading():
            return self._last_offset(self._stream_id(self._id(account), stream))

    def stream_at(self, account: str, stream: str, t: int) -> int:
        """See ``base.Store``. Times never go back along a stream, so this halves its way to the place."""
        with self._reading():
            row_id = self._id(account)
            stream_id = self._stream_id(row_id, stream)
            low, high = 0, self._last_offset(stream_id)
            while low < high:
                middle = (low + high + 1) // 2
                if self._time_of(row_id, stream_id, middle) < t:
                    low = middle
                else:
                    high = middle - 1
        return low

    def contents(self, account: str, ids: Sequence[str]) -> dict[str, Content]:
        """See ``base.Store``."""
        found: dict[str, Content] = {}
        with self._reading() as db:
            row_id = self._id(account)
            for some in _chunks(ids):
                rows = db.execute(
                    f"SELECT id, salt, data FROM contents WHERE account = ? AND erased = 0 AND id IN ({_marks(some)})",
                    (row_id, *some),
                )
                found.update((row[0], Content(*row)) for row in rows)
        return found

    def answers(self, account: str, person: str, limit: int) -> list[Answer]:
        """See ``base.Store``."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT person, key, digest, t, result FROM answers WHERE account = ? AND person = ? "
                "ORDER BY num DESC LIMIT ?",
                (self._id(account), person, limit),
            ).fetchall()
        return [Answer(*row) for row in reversed(rows)]

    def load_snapshot(self, account: str) -> Snapshot | None:
        """See ``base.Store``."""
        with self._reading() as db:
            row = db.execute(
                "SELECT seal, seq, hash, version, data FROM snapshots WHERE account = ?", (self._id(account),)
            ).fetchone()
        if row is None:
            return None
        snapshot = Snapshot(*row[1:])
        if self._chain.seal(account, snapshot) != row[0]:
            raise CorruptJournal(f"account {account}: the snapshot at {snapshot.seq} is altered")
        if self.hash_at(account, snapshot.seq) != snapshot.hash:
            raise CorruptJournal(f"account {account}: the snapshot at {snapshot.seq} isn't of this chain")
        return snapshot

    def verify(self, account: str, after: int = 0, expected: bytes | None = None) -> Head:
        """See ``base.Store``."""
        return verify(self, account, after, expected)

    def close(self) -> None:
        """Release the files. Later calls raise JournalUnavailable."""
        self._broken = True
        self._db.close()

    # --- for verify ------------------------------------------------------------------------------

    def record_rows(self, account: str, after: int) -> Iterator[RecordRow]:
        """See ``verify.Rows``."""
        while True:
            with self._reading() as db:
                rows = db.execute(
                    "SELECT account, seq, type, version, t, body, entries, hash FROM records "
                    "WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
                    (self._id(account), after, VERIFY_CHUNK),
                ).fetchall()
            yield from rows
            if len(rows) < VERIFY_CHUNK:
                return
            after = rows[-1][1]

    def entry_seq(self, account: str, stream: str, offset: int) -> int | None:
        """See ``verify.Rows``."""
        with self._reading() as db:
            known = (self._id(account), stream)
            stream_id = self._stream_ids.get(known)
            if stream_id is None:
                if len(self._stream_ids) >= VERIFY_STREAMS:
                    self._stream_ids.clear()
                stream_id = self._stream_id(*known)
                if stream_id:  # one that doesn't exist may do so later
                    self._stream_ids[known] = stream_id
            row = db.execute("SELECT seq FROM entries WHERE stream = ? AND offset = ?", (stream_id, offset)).fetchone()
        return None if row is None else row[0]

    def stream_sizes(self, account: str, up_to: int) -> Iterable[tuple[str, int]]:
        """See ``verify.Rows``."""
        with self._reading() as db:
            return db.execute(
                "SELECT s.name, (SELECT count(*) FROM entries WHERE stream = s.id AND seq <= ?) "
                "FROM streams s WHERE s.account = ?",
                (up_to, self._id(account)),
            ).fetchall()

    def ends(self, account: str) -> tuple[int, Head]:
        """See ``verify.Rows``."""
        with self._reading() as db:
            row = db.execute(
                "SELECT (SELECT max(seq) FROM records WHERE account = id), seq, hash FROM accounts WHERE name = ?",
                (account,),
            ).fetchone()
        return (0, EMPTY) if row is None else (row[0] or 0, Head(row[1], row[2]))

    def names(self) -> list[str]:
        """All accounts that have a row, sorted: ``accounts`` leaves out those whose chain hasn't begun."""
        with self._reading() as db:
            return [name for (name,) in db.execute("SELECT name FROM accounts ORDER BY name")]

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, Kept]:
        """See ``contents.Texts``."""
        found: dict[str, Kept] = {}
        with self._reading() as db:
            for some in _chunks(ids):
                rows = db.execute(
                    f"SELECT id, erased, salt, data FROM contents WHERE account = ? AND id IN ({_marks(some)})",
                    (self._id(account), *some),
                )
                # One at a time: only digests are held, never all the texts of a page.
                found.update((content_id, _kept(erased, salt, data)) for content_id, erased, salt, data in rows)
        return found

    def strays(self) -> Iterator[tuple[str, int, int]]:
        """(table, number, rows) where rows belong to an account, or entries to a stream, that has no row itself."""
        for table, column, owners in _OWNED:
            for number in self._unowned(table, column, owners):
                with self._reading() as db:
                    (rows,) = db.execute(f"SELECT count(*) FROM {table} WHERE {column} = ?", (number,)).fetchone()
                yield table, number, rows

    def _unowned(self, table: str, column: str, owners: str) -> Iterator[int]:
        """Goes from number to number through the index, so its cost is that of the numbers, not of the rows."""
        following = f"SELECT min({column}) FROM {table} WHERE {column} >"
        after = -(2**63)
        while True:
            with self._reading() as db:
                # Both sides at one moment: an account that a broker makes meanwhile is in both or in neither.
                found = db.execute(
                    f"WITH RECURSIVE used (n) AS ({following} ? UNION ALL SELECT ({following} used.n) FROM used "
                    f"WHERE used.n IS NOT NULL LIMIT ?) "
                    f"SELECT n, EXISTS (SELECT 1 FROM {owners} WHERE id = n) FROM used WHERE n IS NOT NULL",
                    (after, STRAYS_CHUNK),
                ).fetchall()
            yield from (number for number, owned in found if not owned)
            if len(found) < STRAYS_CHUNK:
                return
            after = found[-1][0]

    # --- within ----------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._usable()
        try:
            yield self._db
        except sqlite3.Error as exc:
            raise translate(exc, "cannot read the journal", surely_nothing=True) from exc

    def _usable(self) -> None:
        if self._broken:
            raise JournalUnavailable("the journal is closed, or waits for open_epoch", surely_nothing=True)

    def _id(self, account: str) -> int:
        """The account's row id; 0, which no row has, for an unknown one."""
        row_id = self._ids.get(account)
        if row_id is None:
            row = self._db.execute("SELECT id FROM accounts WHERE name = ?", (account,)).fetchone()
            if row is None:
                return 0
            row_id = self._ids[account] = row[0]
        return row_id

    def _stream_id(self, row_id: int, name: str) -> int:
        """The stream's row id; 0, which no row has, for an unknown one."""
        row = self._db.execute("SELECT id FROM streams WHERE account = ? AND name = ?", (row_id, name)).fetchone()
        return row[0] if row else 0

    def _last_offset(self, stream_id: int) -> int:
        row = self._db.execute("SELECT max(offset) FROM entries WHERE stream = ?", (stream_id,)).fetchone()
        return row[0] or 0

    def _time_of(self, row_id: int, stream_id: int, offset: int) -> int:
        row = self._db.execute(
            "SELECT r.t FROM entries s JOIN records r ON r.account = ? AND r.seq = s.seq "
            "WHERE s.stream = ? AND s.offset = ?",
            (row_id, stream_id, offset),
        ).fetchone()
        if row is None:
            raise CorruptJournal(f"a stream's offset {offset}: the entry or its record is missing")
        t: int = row[0]
        return t


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CONTENTS_CHUNK] for start in range(0, len(ids), _CONTENTS_CHUNK))


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))


def _kept(erased: int, salt: bytes, data: bytes) -> Kept:
    blank = not salt.strip(b"\0") and not data.strip(b"\0")
    return Kept(bool(erased), blank, digest(salt, data) if len(salt) <= _SALT_BYTES else b"")


def _record(row: Sequence[object]) -> Record:
    seq, type_, version, t, body, entries = row
    return Record(seq, type_, version, t, body, unpack_entries(entries))  # type: ignore[arg-type]  # STRICT tables
