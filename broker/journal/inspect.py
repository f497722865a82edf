"""Looking at a journal file from outside, also while a broker writes it: verify, dump, backup.

What the command line offers as ``huntgroup journal``. Nothing here changes the file it looks at.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import attrs

from broker.journal.base import Content, CorruptJournal, Head, JournalUnavailable, Record
from broker.journal.chain import HASH_BYTES
from broker.journal.contents import check_contents, reference, references, unpacked
from broker.journal.sqlite_file import connect, translate
from broker.journal.sqlite_reader import SqliteReader
from broker.journal.verify import check_against

PAGE = 512  # records read at a time


class NoSuchAccount(Exception):
    """The journal has no account of that name, nor anything left that could have been its."""


@attrs.define(frozen=True)
class Verdict:
    """What was found about one account."""

    account: str
    """Its name; ``number N`` or ``stream number N`` for rows whose account or stream has no row, and so no name."""
    head: Head | None
    """The end of its chain; None where something doesn't hold."""
    fault: str | None
    """What doesn't hold, in a sentence that names account and record."""


def parse_noted(text: str) -> Head:
    """``SEQ:HASH``, the hash in 64 hex digits, as ``format_noted`` writes it. ValueError says what is wrong."""
    seq, colon, digest = text.partition(":")
    if not colon or not seq.isascii() or not seq.isdigit():
        raise ValueError(f"expected SEQ:HASH, got {text!r}")
    try:
        head = Head(int(seq), bytes.fromhex(digest))
    except ValueError:
        head = Head(int(seq), b"")
    if len(head.hash) != HASH_BYTES:
        raise ValueError(f"expected a hash of {2 * HASH_BYTES} hex digits after {seq}:")
    return head


def format_noted(head: Head) -> str:
    """``SEQ:HASH``: worth keeping elsewhere, as only that can show that a tail was lost."""
    return f"{head.seq}:{head.hash.hex()}"


def verify(path: Path | str, account: str | None = None, against: Head | None = None) -> Iterator[Verdict]:
    """Verify one account or, with None, each: all of its chain, its stream index, its snapshot and the contents that
    its records name, and that the chain holds ``against`` (which needs an account). Rows that belong to no account are
    looked for with None, and where the account isn't there. Raises NoSuchAccount, and JournalUnavailable where the
    file can't be read."""
    if against is not None and account is None:
        raise ValueError("a noted head is one account's: name the account")
    with closing(SqliteReader(path)) as reader:
        names = reader.names()
        for name in names if account is None else [account] if account in names else []:
            yield _verified(reader, name, against)
        if account in names:
            return
        strays = _strays(reader)
        if account is not None and not strays:
            raise NoSuchAccount(_unknown(path, account))
        yield from strays


def _verified(reader: SqliteReader, name: str, against: Head | None) -> Verdict:
    try:
        head = reader.verify(name)
        reader.load_snapshot(name)
        if against is not None:
            check_against(reader, name, against)
        check_contents(reader, name, head.seq)
    except CorruptJournal as exc:
        return Verdict(name, None, str(exc))
    return Verdict(name, head, None)


def _strays(reader: SqliteReader) -> list[Verdict]:
    """Faults that are no account's: what is left of one whose row is gone, or rows that were given another number."""
    accounts: dict[int, list[str]] = {}
    streams: list[Verdict] = []
    for table, number, rows in reader.strays():
        if table != "entries":
            accounts.setdefault(number, []).append(f"{rows} {'' if accounts.get(number) else 'rows '}in {table}")
        elif not streams:  # the first will do: one damage may leave as many as there are streams
            name = f"stream number {number}"
            streams.append(Verdict(name, None, f"{name} isn't in streams, and has {rows} rows in entries"))
    return [
        Verdict(
            f"number {number}",
            None,
            f"account number {number} isn't in accounts, and has {', '.join(places)}: its row was deleted, or the "
            "numbers are altered",
        )
        for number, places in sorted(accounts.items())
    ] + streams


def _unknown(path: Path | str, account: str) -> str:
    return f"{path} has no account {account}"


def dump(path: Path | str, account: str, *, after: int = 0, with_content: bool = False) -> Iterator[dict[str, object]]:
    """An account's records with seq > ``after``, each as what JSON can hold: bodies unpacked, bytes in hex. Personal
    content is shown only ``with_content``, then in the place of each reference to it. Raises NoSuchAccount."""
    with closing(SqliteReader(path)) as reader:
        if account not in reader.names():
            raise NoSuchAccount(_unknown(path, account))
        while page := reader.records(account, after, PAGE):
            for record in page:
                digest = reader.hash_at(account, record.seq)
                yield _dumped(reader, account, record, digest or b"", with_content=with_content)
            after = page[-1].seq


def backup(path: Path | str, target: Path | str) -> list[Verdict]:
    """Copy a journal, also a running one, into the new file ``target``, verify the copy, and return what was found.
    The copy holds personal content: what is erased later has to be erased by deleting the copy."""
    target = Path(target)
    partial = target.with_name(target.name + ".partial")
    if target.exists():
        raise JournalUnavailable(f"{target} exists already", surely_nothing=True)
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as exc:
        raise JournalUnavailable(f"cannot make {partial}: {exc.strerror}", surely_nothing=True) from exc
    try:
        _copy(Path(path), partial)
        partial.rename(target)
        _sync(target.parent)
    except sqlite3.Error as exc:
        raise translate(exc, f"cannot copy {path} to {target}", surely_nothing=True) from exc
    except OSError as exc:
        raise JournalUnavailable(f"cannot copy {path} to {target}: {exc.strerror}", surely_nothing=True) from exc
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            partial.with_name(partial.name + suffix).unlink(missing_ok=True)
    return list(verify(target))


def _copy(path: Path, partial: Path) -> None:
    with closing(connect(path, readonly=True)) as source, closing(sqlite3.connect(partial)) as copy:
        # All pages at once: in steps, each commit of a busy broker would make it begin anew. In WAL mode nobody waits.
        source.backup(copy)
    _sync(partial)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _dumped(
    reader: SqliteReader, account: str, record: Record, digest: bytes, *, with_content: bool
) -> dict[str, object]:
    body = unpacked(record.body)
    contents: Mapping[str, Content] | None = None
    if with_content:
        contents = reader.contents(account, [content_id for content_id, _ in references(body)])
    return {
        "account": account,
        "seq": record.seq,
        "type": record.type,
        "version": record.version,
        "t": record.t,
        "entries": [{"stream": stream, "offset": offset, "type": type_} for stream, offset, type_ in record.entries],
        "body": _plain(body, contents),
        "hash": digest.hex(),
    }


def _plain(value: object, contents: Mapping[str, Content] | None) -> object:
    """``value`` as JSON can hold it."""
    if contents is not None and (named := reference(value)) is not None:
        return _shown(named[0], contents)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item, contents) for item in value]
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(_plain(key, contents)): _plain(item, contents)
                for key, item in value.items()}  # fmt: skip
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _shown(content_id: str, contents: Mapping[str, Content]) -> dict[str, object]:
    content = contents.get(content_id)
    if content is None:
        return {"content": content_id, "erased": True}
    with suppress(UnicodeDecodeError):
        return {"content": content_id, "text": content.data.decode()}
    return {"content": content_id, "hex": content.data.hex()}
