"""The SQLite file: its tables, how it is opened, and what its errors mean. Format in docs/reference/journal.md."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from broker.journal.base import CorruptJournal, JournalError, JournalUnavailable

APPLICATION_ID: Final = 0x48756E74  # "Hunt": `file` and we ourselves tell a journal from any other database
FORMAT: Final = 1  # user_version: raised whenever an older release could not read the tables
BUSY_TIMEOUT_MS: Final = 2000  # another writer holds the file only while it hands over
CACHE_KIB: Final = 16 * 1024  # the largest commit fits, so that nothing spills before COMMIT
# Checkpoints are made in quiet moments (``Store.tidy``). SQLite's own, inside a COMMIT, is the bound for a writer
# that never has one; a longer WAL makes each commit dearer (4096 pages: a fifth), as it falls out of the caches.
AUTOCHECKPOINT_PAGES: Final = 1000

SCHEMA: Final = """
CREATE TABLE shard (
    only    INTEGER PRIMARY KEY CHECK (only = 0),
    epoch   INTEGER NOT NULL,
    owner   BLOB NOT NULL
) STRICT;
INSERT INTO shard VALUES (0, 0, x'');

CREATE TABLE accounts (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    seq     INTEGER NOT NULL,
    t       INTEGER NOT NULL,
    hash    BLOB NOT NULL
) STRICT;

CREATE TABLE records (
    account INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    type    TEXT NOT NULL,
    version INTEGER NOT NULL,
    t       INTEGER NOT NULL,
    body    BLOB NOT NULL,
    entries BLOB NOT NULL,
    hash    BLOB NOT NULL,
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;

-- Streams by number, in the order of their making: entries of what is alive now lie side by side at the end,
-- however random the names are. Half the bytes, and a commit touches a few pages instead of one for each stream.
CREATE TABLE streams (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    name    TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX streams_by_name ON streams (account, name);

CREATE TABLE entries (
    stream  INTEGER NOT NULL,
    offset  INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    PRIMARY KEY (stream, offset)
) STRICT, WITHOUT ROWID;

-- With a row id and never a DELETE: rows are appended and overwritten in place, so no page is ever split or
-- merged, and no stale copy of an erased text is left in a page's free space.
CREATE TABLE contents (
    num     INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    erased  INTEGER NOT NULL,
    id      TEXT NOT NULL,
    salt    BLOB NOT NULL,
    data    BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX contents_by_id ON contents (account, id);

-- Forgotten from the front, in the order of their making: times hardly ever go back, and an index on them would
-- cost each answer as much as the row itself.
CREATE TABLE answers (
    num     INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    person  TEXT NOT NULL,
    key     TEXT NOT NULL,
    digest  BLOB NOT NULL,
    t       INTEGER NOT NULL,
    result  BLOB NOT NULL
) STRICT;
CREATE INDEX answers_by_person ON answers (account, person);

CREATE TABLE snapshots (
    account INTEGER PRIMARY KEY,
    seq     INTEGER NOT NULL,
    hash    BLOB NOT NULL,
    version INTEGER NOT NULL,
    seal    BLOB NOT NULL,
    data    BLOB NOT NULL
) STRICT;
"""


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    """Open the file, making it when it is new and ``readonly`` is off. JournalUnavailable says what is in the way."""
    try:
        if not readonly:
            _make_private(path)
        return _checked(_connect(path, readonly=readonly), path, readonly=readonly)
    except sqlite3.Error as exc:
        raise translate(exc, f"cannot open {path}", surely_nothing=True) from exc
    except OSError as exc:
        raise JournalUnavailable(f"cannot open {path}: {exc.strerror}", surely_nothing=True) from exc


def translate(exc: sqlite3.Error, what: str, *, surely_nothing: bool) -> JournalError:
    """What a database error means to a caller."""
    name = getattr(exc, "sqlite_errorname", type(exc).__name__)
    message = f"{what}: {exc} ({name})"
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return CorruptJournal(message)
    return JournalUnavailable(message, surely_nothing=surely_nothing)


def _make_private(path: Path) -> None:
    # Personal content lies in it: readable by its owner alone. SQLite gives the -wal and -shm files the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
    wal = path.with_name(path.name + "-wal")
    if readonly and not os.access(path.parent, os.W_OK) and not (wal.exists() and wal.stat().st_size):
        uri += "&immutable=1"  # a backup on a read-only medium: SQLite could not put its -shm file beside it
    # Transactions are begun by hand: the module's own idea of when to begin one would get in the way.
    return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)


def _checked(db: sqlite3.Connection, path: Path, *, readonly: bool) -> sqlite3.Connection:
    try:
        application = number(db, "PRAGMA application_id")
        if application == 0 and not readonly and number(db, "SELECT count(*) FROM sqlite_schema") == 0:
            _create(db)
        elif application != APPLICATION_ID:
            raise JournalUnavailable(f"{path} is not a Huntgroup journal", surely_nothing=True)
        found = number(db, "PRAGMA user_version")
        if found != FORMAT:
            advice = "use a newer release" if found > FORMAT else "migrate it"
            raise JournalUnavailable(
                f"{path} has format {found}, this release reads {FORMAT}: {advice}", surely_nothing=True
            )
        if readonly:
            db.execute("PRAGMA query_only=ON")
        else:
            _set_up(db)
    except BaseException:
        with suppress(sqlite3.Error):  # the first error is the one that says something
            db.close()
        raise
    return db


def _create(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode=WAL")
    # One transaction: a crash in between leaves an empty file, which is created again.
    db.executescript(
        f"BEGIN IMMEDIATE; {SCHEMA}; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT}; COMMIT"
    )


def _set_up(db: sqlite3.Connection) -> None:
    for pragma in (
        "synchronous=FULL",  # in WAL mode: fsync at every commit
        "fullfsync=ON",  # macOS: fsync alone doesn't reach the disk there
        "checkpoint_fullfsync=ON",
        "secure_delete=ON",  # what is deleted or overwritten is zeroed, not only unlinked
        f"cache_size=-{CACHE_KIB}",
        f"wal_autocheckpoint={AUTOCHECKPOINT_PAGES}",
    ):
        db.execute(f"PRAGMA {pragma}").close()
    mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise JournalUnavailable(f"the journal mode is {mode}, WAL was refused", surely_nothing=True)


def number(db: sqlite3.Connection, sql: str) -> int:
    """The one integer that ``sql`` gives."""
    with closing(db.execute(sql)) as cursor:
        value: int = cursor.fetchone()[0]
    return value
