"""Walks an account's chain and its stream index, and names the first thing that doesn't hold.

The same walk serves every store and the command line; a store only supplies the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from broker.journal.base import CorruptJournal, Head
from broker.journal.chain import Chain, RecordRow, unpack_entries


class Rows(Protocol):
    """What a store must give to be verified."""

    def record_rows(self, account: str, after: int) -> Iterable[RecordRow]:
        """Rows with seq > ``after``, in order."""

    def entry_seq(self, account: str, stream: str, offset: int) -> int | None:
        """What the stream index says about an offset; None where there is no such row."""

    def stream_sizes(self, account: str, up_to: int) -> Iterable[tuple[str, int]]:
        """(stream, number of rows) of the stream index, counting entries of records up to ``up_to``."""

    def hash_at(self, account: str, seq: int) -> bytes | None:
        """The stored chain hash at ``seq``."""

    def ends(self, account: str) -> tuple[int, Head]:
        """The last record's seq, and the end of the chain as noted beside the records; both of one moment."""


def verify(rows: Rows, account: str, after: int, expected: bytes | None) -> Head:
    """See ``base.Store.verify``."""
    before = rows.hash_at(account, after)
    if before is None:
        raise CorruptJournal(f"account {account}: record {after} is missing")
    if expected is not None and before != expected:
        raise CorruptJournal(
            f"account {account}: record {after} has the hash {before.hex()}, expected was {expected.hex()}: "
            "altered or forked at or before it"
        )
    # A broker may go on appending meanwhile: everything is checked up to here, and no transaction is held open.
    last, head = rows.ends(account)
    chain = Chain()
    seq, t = after, 0
    sizes: dict[str, int] = {}
    for row in rows.record_rows(account, after):
        if row[1] > last:
            break
        _check_record(chain, account, seq, t, before, row)
        _check_entries(rows, account, row, sizes, whole=after == 0)
        seq, t, before = row[1], row[4], row[7]
    if head != Head(seq, before):
        raise CorruptJournal(
            f"account {account}: the records end at {seq} ({before.hex()}), the head was noted as "
            f"{head.seq} ({head.hash.hex()}): records are missing at the end, or the head is altered"
        )
    if after == 0:
        _check_sizes(rows, account, sizes, seq)
    return head


def check_against(rows: Rows, account: str, noted: Head) -> None:
    """Whether the chain still holds what was noted of it once. CorruptJournal if not: a lost tail or another chain."""
    found = rows.hash_at(account, noted.seq)
    if found is None:
        raise CorruptJournal(
            f"account {account}: record {noted.seq} was noted and is missing; the chain ends at "
            f"{rows.ends(account)[0]}: its tail is lost"
        )
    if found != noted.hash:
        raise CorruptJournal(
            f"account {account}: record {noted.seq} has the hash {found.hex()}, noted was {noted.hash.hex()}: "
            "this is another chain"
        )


def _check_record(chain: Chain, account: str, seq: int, t: int, before: bytes, row: RecordRow) -> None:
    _, found, type_, version, row_t, body, entries, stored = row
    if found != seq + 1:
        missing = f"record {seq + 1} is" if found == seq + 2 else f"records {seq + 1} to {found - 1} are"
        raise CorruptJournal(f"account {account}: {missing} missing")
    if chain.link(before, account, found, type_, version, row_t, body, entries) != stored:
        raise CorruptJournal(f"account {account}: record {found} is altered, or doesn't follow record {seq} (forked)")
    if row_t < t:
        raise CorruptJournal(f"account {account}: record {found} is at {row_t}, the one before at {t}")


def _check_entries(rows: Rows, account: str, row: RecordRow, sizes: dict[str, int], *, whole: bool) -> None:
    seq = row[1]
    for stream, offset, _ in unpack_entries(row[6]):
        last = sizes.get(stream)
        if last is None:
            # The walk began in the middle: the stream's own rows say where it stands.
            last = 0 if whole or rows.entry_seq(account, stream, offset - 1) is None else offset - 1
        if offset != last + 1:
            raise CorruptJournal(f"account {account}: stream {stream} goes from {last} to {offset} at record {seq}")
        sizes[stream] = offset
        indexed = rows.entry_seq(account, stream, offset)
        if indexed is None:
            raise CorruptJournal(
                f"account {account}: stream {stream}, offset {offset} (record {seq}) is missing from the index"
            )
        if indexed != seq:
            raise CorruptJournal(
                f"account {account}: stream {stream}, offset {offset} leads to record {indexed}, not {seq}"
            )


def _check_sizes(rows: Rows, account: str, sizes: dict[str, int], up_to: int) -> None:
    for stream, size in rows.stream_sizes(account, up_to):
        if size != sizes.get(stream, 0):
            raise CorruptJournal(
                f"account {account}: the index of stream {stream} has {size} rows, its records {sizes.get(stream, 0)}"
            )
