"""Records and appends for the journal's tests, made from a few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import msgpack  # type: ignore[import-untyped]

from broker.content import digest
from broker.journal.base import Answer, Append, Content, Entry, Record, Store

T0 = 1_700_000_000_000


def body(n: int) -> bytes:
    """A body as the codec would pack one, without personal content."""
    packed: bytes = msgpack.packb(("r_1", n, ("billing", b"d")))
    return packed


def naming(seq: int, *contents: Content) -> Record:
    """A record that names these contents, each by its id and digest, some way down in its body."""
    refs = [(one.id, digest(one.salt, one.data)) for one in contents]
    return attrs.evolve(record(seq), body=msgpack.packb(("r_1", None, {"texts": refs})))


def record(seq: int, *entries: Entry, t: int | None = None, type_: str = "request.created") -> Record:
    """A record; its time is its seq in milliseconds after T0."""
    return Record(seq, type_, 1, T0 + seq if t is None else t, body(seq), entries)


def log(first: int, count: int, stream: str = "desk") -> list[Record]:
    """``count`` records from seq ``first``, all published in one stream at the offset that is their seq."""
    return [record(seq, (stream, seq, "request.created")) for seq in range(first, first + count)]


def append(account: str, expected_seq: int, records: Sequence[Record] = ()) -> Append:
    """One account's part without anything beside its records."""
    return Append(account, expected_seq, records)


def content(content_id: str, text: str = "hello") -> Content:
    """A piece of personal content."""
    return Content(content_id, b"s" * 16, text.encode())


def answer(person: str, n: int, t: int | None = None) -> Answer:
    """A stored result."""
    return Answer(person, f"key-{n}", b"d" * 16, T0 + n if t is None else t, b"result")


def fill(store: Store, account: str = "acme", count: int = 10) -> int:
    """Claim the shard, append ``count`` records in stream ``desk``: the epoch."""
    epoch = store.open_epoch()
    store.append(epoch, [append(account, 0, log(1, count))])
    return epoch


def bytes_on_disk(path: Path) -> bytes:
    """Everything that lies in a journal's files."""
    return b"".join(p.read_bytes() for p in sorted(path.parent.glob(path.name + "*")))
