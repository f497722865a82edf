"""The hash chain: what each record's hash is made of, and the checks that every store makes before it appends.

A link is BLAKE2b-256 over the hash before it and the record in canonical packing, so an altered,
missing or forked record shows at the first place where the chain no longer fits. ``verify`` walks it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import msgpack  # type: ignore[import-untyped]

from broker.journal.base import Append, Entry, Head, Snapshot

HASH_BYTES = 32
ZEROS = bytes(HASH_BYTES)
"""The hash before the first record."""

# Domains: the same bytes hashed for another purpose give another hash. Exactly 16 bytes each.
_RECORD = b"huntgroup.record"
_SNAPSHOT = b"huntgroup.snapsh"

EMPTY = Head(0, ZEROS)

RecordRow = tuple[object, int, str, int, int, bytes, bytes, bytes]
"""(account's row id, seq, type, version, t, body, packed entries, hash)"""
EntryRow = tuple[object, int, int]
"""(stream's row id, offset, seq)"""


@attrs.define
class StreamTip:
    """The end of a stream as a store knows it."""

    row_id: object
    offset: int
    """The last one; 0 for a stream without entries."""


@attrs.define
class Tip:
    """The end of an account as a store knows it: what the next record must follow."""

    seq: int = 0
    hash: bytes = ZEROS
    t: int = 0
    """The last record's time, in milliseconds; 0 before the first."""

    def head(self) -> Head:
        """The same without the time."""
        return Head(self.seq, self.hash)


@attrs.define
class Chain:
    """Packs and links records. Holds a packer, so it belongs to one thread."""

    _pack: Callable[[object], bytes] = attrs.field(factory=lambda: msgpack.Packer().pack)

    def pack_entries(self, entries: Iterable[Entry]) -> bytes:
        """Entries as they are stored and hashed: a msgpack array of (stream, offset, wire type)."""
        return self._pack(tuple(entries))

    def link(
        self, before: bytes, account: str, seq: int, type_: str, version: int, t: int, body: bytes, entries: bytes
    ) -> bytes:
        """The 32-byte hash of one record; ``entries`` as ``pack_entries`` gives them."""
        packed = before + self._pack((account, seq, type_, version, t, body)) + entries
        return hashlib.blake2b(packed, digest_size=HASH_BYTES, person=_RECORD).digest()

    def seal(self, account: str, snapshot: Snapshot) -> bytes:
        """A 32-byte checksum that ties a snapshot's data to its account, seq, chain hash and version."""
        packed = self._pack((account, snapshot.seq, snapshot.hash, snapshot.version, snapshot.data))
        return hashlib.blake2b(packed, digest_size=HASH_BYTES, person=_SNAPSHOT).digest()

    def extend(
        self,
        append: Append,
        row_id: object,
        tip: Tip,
        streams: dict[str, StreamTip],
        find: Callable[[str], StreamTip],
        blob: Callable[[bytes], Any] = bytes,
    ) -> tuple[list[RecordRow], list[EntryRow]]:
        """The rows of one account's new records, their bytes as ``blob`` wants them. Moves ``tip`` on, and ``streams``,
        which is filled with what ``find`` finds. ValueError where a seq, a time or an offset doesn't follow."""
        rows: list[RecordRow] = []
        entry_rows: list[EntryRow] = []
        account, pack, link = append.account, self._pack, self.link
        seq, before, t = tip.seq, tip.hash, tip.t
        for record in append.records:
            seq += 1
            if record.seq != seq:
                raise ValueError(f"account {account}: record {record.seq} where {seq} was due")
            if record.t < t:
                raise ValueError(f"account {account}: record {seq} is at {record.t}, the one before at {t}")
            t = record.t
            for name, offset, _ in record.entries:
                stream = streams.get(name)
                if stream is None:
                    stream = streams[name] = find(name)
                if offset != stream.offset + 1:
                    raise ValueError(f"account {account}: offset {offset} of {name} where {stream.offset + 1} was due")
                stream.offset = offset
                entry_rows.append((stream.row_id, offset, seq))
            body, entries = record.body, pack(record.entries)
            before = link(before, account, seq, record.type, record.version, t, body, entries)
            rows.append((row_id, seq, record.type, record.version, t, blob(body), blob(entries), blob(before)))
        tip.seq, tip.hash, tip.t = seq, before, t
        return rows, entry_rows


def unpack_entries(packed: bytes) -> tuple[Entry, ...]:
    """What ``Chain.pack_entries`` packed."""
    entries: tuple[Entry, ...] = msgpack.unpackb(packed, use_list=False)
    return entries
