"""A signed-in person: its connections, its recent idempotency keys and its rate. Data, no I/O."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import attrs

from broker.protocol.ops import weight
from broker.runtime.rates import Bucket

if TYPE_CHECKING:
    from broker.runtime.connection import Connection


@attrs.define(eq=False)
class KeyEntry:
    """One command that was carried out under a key."""

    digest: bytes
    """Of operation and arguments, keyed with the installation's secret."""
    result: bytes
    """Packed (value with content refs, offsets); never a secret."""
    pending: bool = False
    """Not committed yet: who asks again waits for the same batch."""


@attrs.define(eq=False)
class KeyRing:
    """A person's last keys, oldest first. ``most`` bounds the committed ones; pending ones stay until they are not."""

    most: int
    entries: OrderedDict[str, KeyEntry] = attrs.field(factory=OrderedDict)
    pending: int = 0

    def add(self, key: str, entry: KeyEntry) -> None:
        """Remember one more; the oldest committed one leaves when there are too many."""
        self.entries[key] = entry
        self.pending += entry.pending
        while len(self.entries) > self.most and not self.entries[next(iter(self.entries))].pending:
            self.entries.popitem(last=False)

    def settle(self, entry: KeyEntry) -> None:
        """This entry's batch is on disk."""
        if entry.pending:
            entry.pending = False
            self.pending -= 1

    def drop(self, key: str) -> None:
        """What became of this command isn't known here any more."""
        entry = self.entries.pop(key, None)
        if entry is not None and entry.pending:
            self.pending -= 1


@attrs.define(eq=False)
class Person:
    """Somebody of an account who has a connection, or keys still on their way to the journal."""

    person: str
    keys: KeyRing
    rate: Bucket
    connections: dict[Connection, None] = attrs.field(factory=dict)
    """In the order of signing in."""
    chat: Bucket | None = None
    """A customer's messages; made at the first."""
    files: Bucket | None = None
    """Bytes of files, both ways; made at the first."""
    leases: int = 0
    """How many of them are a customer's or a representative's: the last to go starts the lease."""

    def chat_wait(self, rate: tuple[float, float], now: int) -> int:
        """How long until it may say something (ms); 0: it just may."""
        if self.chat is None:
            self.chat = Bucket(*rate)
        return self.chat.take(now)

    def wait(self, op: str, args: object, now: int, file_rate: tuple[float, float]) -> int:
        """The ms until it may ask for this; 0: now, and it counts. Pieces of files count by their bytes."""
        if not (carried := weight(op, args)):
            return self.rate.take(now)
        if self.files is None:
            self.files = Bucket(*file_rate)
        return self.files.take(now, carried)
