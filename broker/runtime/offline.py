"""A desk as its journal has it, read from outside: for commands that run where the broker may not.

Reads only. What a running broker commits meanwhile is not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, cast

from broker.desk import snapshot, snapshot_load
from broker.desk.desk import Desk
from broker.journal.base import Store
from broker.journal.sqlite_reader import SqliteReader
from broker.protocol.codec import unpack_values
from broker.routing.pins import PinSpace
from broker.runtime.why import event_of

PAGE: Final = 500  # records folded at a time
_NO_PINS: Final = PinSpace(bytes(16))  # a desk that only evolves draws none


def desk_of(path: Path, account: str) -> Desk | None:
    """The account as its last record left it; None where the journal has nothing of it. Raises ``JournalError``, and
    ValueError for a record that this release can't read."""
    with closing(SqliteReader(path)) as reader:
        return folded(reader, account) if account in reader.accounts() else None


def folded(store: Store | SqliteReader, account: str) -> Desk:
    """From the newest snapshot, or from the first record, to the last one."""
    desk = Desk(account, 0, _NO_PINS)
    found = store.load_snapshot(account)
    if found is not None and found.version == snapshot.VERSION:
        parts = cast("Iterable[snapshot.Part]", unpack_values(found.data))
        desk = snapshot_load.load(account, 0, _NO_PINS, snapshot.merged(parts))
    while records := store.records(account, desk.seq, PAGE):
        for record in records:
            desk.evolve(event_of(record), record.t, record.entries)
    desk.settle()
    return desk
