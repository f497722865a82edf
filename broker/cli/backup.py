"""``huntgroup journal backup``: a copy of the journal, and of the files that it refers to, from a broker that may run.

Theory of operation. First the journal is copied: that copy says which files belong to it. A shared file never changes,
so its bytes may be copied later, and are compared with the hash in the journal. One that isn't there any more was
erased with its case meanwhile, which the running journal says: then it is to be gone, from the backup too.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from broker.cli import common
from broker.cli.common import Exit, UsageError, add_config, config_of

if TYPE_CHECKING:
    from broker.journal.base import Record
    from broker.runtime.shared_files import Shared

SUFFIX = ".files"
"""The files of a backup lie beside its journal, in a folder that is called like it."""


@attrs.define
class Copied:
    """What became of the files."""

    count: int = 0
    size: int = 0
    erased: int = 0
    """With their cases, while the copy was made."""
    faults: list[str] = attrs.field(factory=list)


def add(actions: common.Commands) -> None:
    """Put the action on the command line."""
    parser = actions.add_parser(
        "backup",
        help="copy the journal and its files while the broker runs",
        description="Write a whole and consistent copy of the journal to a new file, and the files that it refers to"
        f" into a folder beside that (TARGET{SUFFIX}), each compared with its hash. Uploads under way are not in it:"
        " after a restore they begin anew. secret.key is not in it: keep a copy of that apart. Exits 1 where something"
        " in the journal doesn't hold, or a file isn't what was shared: what is there is copied nevertheless.",
    )
    parser.add_argument("target", metavar="TARGET", type=Path, help="the file to make")
    parser.add_argument("--without-files", action="store_true", help="the journal alone: you copy the files yourself")
    add_config(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Copy."""
    from broker.cli.journal import empty, faulty, journal_of
    from broker.journal import inspect
    from broker.journal.base import JournalError

    path, target = journal_of(args), args.target
    files = target.with_name(target.name + SUFFIX)
    for there in (files, _partial(files)):
        if there.exists() and not args.without_files:
            raise UsageError(f"{there} exists already")
    copied = None
    try:
        verdicts = inspect.backup(path, target)
        if not args.without_files:
            copied = _copy_files(config_of(args).data.path / "files", path, target, files)
    except JournalError as error:
        raise UsageError(str(error)) from None
    finally:
        _tidy(target)
    faults = [faulty(verdict) for verdict in verdicts if verdict.fault is not None]
    faults += [] if copied is None else copied.faults
    if not verdicts:
        print(empty(path))
    for fault in faults:
        print(fault)
    print(f"the journal is copied to {target}{', with faults' if faults else ' and the copy verified'}")
    if copied is not None and (copied.count or copied.erased):
        print(_told(copied, files))
    return Exit.FAILED if faults else Exit.OK


def _tidy(target: Path) -> None:
    """Reading the copy leaves SQLite's own files beside it, with nothing in them: who restores it must not take them
    for some of another journal."""
    log, index = (target.with_name(target.name + suffix) for suffix in ("-wal", "-shm"))
    with suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()
            index.unlink()


def _told(copied: Copied, files: Path) -> str:
    from broker.views.words import size_of

    told = f"{copied.count} files ({size_of(copied.size)}) are copied to {files}"
    return told + (f"; {copied.erased} were erased meanwhile" if copied.erased else "")


def _partial(files: Path) -> Path:
    """Where they are until all of them are there."""
    return files.with_name(files.name + ".partial")


def _copy_files(source: Path, path: Path, target: Path, files: Path) -> Copied:
    """The files that the journal in ``target`` refers to. All or none: what can't be written leaves no backup."""
    from broker.blobs.copying import put_in_place
    from broker.journal.sqlite_reader import SqliteReader

    partial, done = _partial(files), Copied()
    with closing(SqliteReader(target)) as reader:
        accounts = reader.names()
    try:
        for account in accounts:
            _copy_account(source, path, target, partial, account, done)
        if partial.exists():
            put_in_place(partial, files)
    except OSError as error:
        with suppress(OSError):
            target.unlink()
        raise UsageError(f"cannot copy the files to {files}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return done


def _copy_account(source: Path, path: Path, target: Path, partial: Path, account: str, done: Copied) -> None:
    from broker.blobs.base import Blob
    from broker.blobs.copying import MISSING, copied
    from broker.blobs.directory import Directory

    wanted = _shared(target, account, done)
    missing: list[str] = []
    for one in wanted.values():
        wrong = copied(Directory(source), Directory(partial), Blob(account, one.file), one.size, one.sha256)
        if wrong == MISSING:
            missing.append(one.file)
            continue
        done.count += 1
        done.size += one.size
        if wrong is not None:
            done.faults.append(f"{account}: file {one.file}: {wrong}")
    if not missing:
        return
    now = _shared(path, account, done)
    done.erased += sum(name not in now for name in missing)
    done.faults += [f"{account}: file {name}: {MISSING}" for name in missing if name in now]


def _shared(path: Path, account: str, done: Copied) -> dict[str, Shared]:
    """What a journal refers to. A record that can't be read is a fault."""
    from broker.journal.base import CorruptJournal, JournalError
    from broker.journal.sqlite_reader import SqliteReader
    from broker.runtime.shared_files import shared_files

    with closing(SqliteReader(path)) as reader:

        def read(after: int, limit: int) -> Sequence[Record]:
            return reader.records(account, after, limit)

        try:
            return shared_files(read)
        except (ValueError, TypeError, JournalError, CorruptJournal) as error:
            done.faults.append(f"{account}: its files aren't copied: a record can't be read: {error}")
            return {}
