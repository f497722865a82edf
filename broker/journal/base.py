"""What a journal is: records in a dense order per account, their content beside them, one commit for many.

Two small interfaces. ``Store`` does the work and blocks (``memory``, ``sqlite``); it lives where
blocking is allowed, which in a running broker is the writer. ``Journal`` is the hub's end of that
writer: nothing in it blocks, what it has done comes out of ``poll``.

A body is bytes to this package: it neither packs nor reads events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

Entry = tuple[str, int, str]
"""Where a record is published: (stream, offset, wire type). The offset is dense per (account, stream), from 1."""


# Record, Content, Answer and Append are values: nobody changes one. They aren't frozen as they are made in tens of
# thousands a second, at both ends of the writer, and a frozen class takes three times as long to make.


@attrs.define
class Record:
    """One thing that happened to one account."""

    seq: int
    """Dense per account, from 1."""
    type: str
    version: int
    t: int
    """Milliseconds since 1970 UTC; never below the record before."""
    body: bytes
    entries: tuple[Entry, ...]


@attrs.define
class Content:
    """A piece of personal content, stored apart from the records that name it, and deletable."""

    id: str
    salt: bytes
    """16 random bytes: without them the digest in the record says nothing."""
    data: bytes = attrs.field(repr=False)


@attrs.define
class Answer:
    """The stored result of a committed command, by its idempotency key."""

    person: str
    key: str
    digest: bytes
    """Of the operation and its arguments: another digest under the same key is KEY_REUSED."""
    t: int
    result: bytes


@attrs.define
class Append:
    """One account's part of a commit."""

    account: str
    expected_seq: int
    """The seq of the last record this writer knows of (0 for none)."""
    records: Sequence[Record] = ()
    contents: Sequence[Content] = ()
    answers: Sequence[Answer] = ()
    erase: Sequence[str] = ()
    """Ids of content to delete in the same transaction."""


@attrs.define(frozen=True)
class Head:
    """The end of an account's chain."""

    seq: int
    hash: bytes
    """32 bytes: BLAKE2b over the hash before and the record; 32 zero bytes before the first."""


@attrs.define(frozen=True)
class Snapshot:
    """An account's desk as it stood right after record ``seq``."""

    seq: int
    hash: bytes
    """The chain's hash at ``seq``, which ties the snapshot to the chain."""
    version: int
    """Of the desk's snapshot format: another one is ignored, and everything is replayed."""
    data: bytes


class JournalError(Exception):
    """A commit or a look-up failed. ``surely_nothing`` says whether it is certain that nothing was written."""

    surely_nothing = False


class StaleWriter(JournalError):
    """Another writer owns the shard (a newer epoch), or has appended (another seq). Nothing was written."""

    surely_nothing = True


class JournalUnavailable(JournalError):
    """The disk or the database refuses (full, read-only, gone)."""

    def __init__(self, message: str, *, surely_nothing: bool) -> None:
        super().__init__(message)
        self.surely_nothing = surely_nothing


class CorruptJournal(JournalError):
    """The chain doesn't hold: a record is altered, missing or forked. The message names account and seq."""


class Store(Protocol):
    """One shard's storage. Blocks; used by one thread of one process at a time.

    Commits are all or nothing, over all accounts in them, and on disk when ``append`` returns.
    """

    def open_epoch(self, owner: bytes = b"", *, renew: bool = False) -> int:
        """Claim the shard: every writer with an earlier epoch is refused from now on. Also what makes a store
        usable again after a failed commit. ``owner`` is what one broker process calls itself (16 random bytes);
        with ``renew`` the claim is refused (``StaleWriter``) unless the newest one is this owner's too, so that two
        brokers on one shard don't take it from each other for ever."""

    def append(self, epoch: int, appends: Sequence[Append]) -> list[Head]:
        """Store everything in one transaction and return each account's new head, in order.

        Raises ``StaleWriter`` (epoch or expected_seq), ``JournalUnavailable``, or ``ValueError`` for records or
        offsets that aren't dense, a time that goes back, an account named twice, a content id used before; after
        any of these nothing is stored, save for a ``JournalUnavailable`` that says otherwise. Erased content is
        gone from the files when this returns, or as soon as nobody else reads them (``tidy``)."""

    def accounts(self) -> list[str]:
        """Names of the accounts that have a record, sorted."""

    def head(self, account: str) -> Head:
        """The end of the chain; ``Head(0, 32 zero bytes)`` for an unknown account."""

    def records(self, account: str, after: int, limit: int) -> list[Record]:
        """Records with seq > ``after``, in order, at most ``limit``."""

    def hash_at(self, account: str, seq: int) -> bytes | None:
        """The stored chain hash at ``seq`` (zeros at 0), None where there is no such record."""

    def stream(self, account: str, stream: str, after: int, limit: int) -> list[tuple[int, Record]]:
        """(offset, record) of a stream's entries with offset > ``after``, in order, at most ``limit``."""

    def stream_head(self, account: str, stream: str) -> int:
        """The last offset of a stream; 0 for one that has none."""

    def stream_at(self, account: str, stream: str, t: int) -> int:
        """The offset of the stream's last entry before time ``t``; 0 if all are at or after it."""

    def contents(self, account: str, ids: Sequence[str]) -> dict[str, Content]:
        """The contents that still exist, by id."""

    def answers(self, account: str, person: str, limit: int) -> list[Answer]:
        """A person's newest answers, oldest first, at most ``limit``."""

    def forget_answers(self, before: int, limit: int) -> int:
        """Drop answers older than time ``before``, those stored first, up to the first that isn't older and at most
        ``limit``; how many were dropped."""

    def save_snapshot(self, account: str, snapshot: Snapshot) -> None:
        """Keep this snapshot in place of the account's earlier ones. Refuses (ValueError) one whose hash isn't
        the chain's at its seq."""

    def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest snapshot, its hash compared with the chain (``CorruptJournal`` if it differs)."""

    def verify(self, account: str, after: int = 0, expected: bytes | None = None) -> Head:
        """Recompute the chain from ``after`` (whose hash must be ``expected``, or the stored one when None) to the
        end and return the head, or raise ``CorruptJournal`` naming the first bad record. Also finds stream
        entries that are not dense."""

    def tidy(self) -> bool:
        """Housekeeping for a quiet moment, at most a few milliseconds of it: whether there is more."""

    def close(self) -> None:
        """Release the files."""


@attrs.define(frozen=True)
class Committed:
    """A batch is on disk."""

    number: int
    heads: Sequence[Head]


@attrs.define(frozen=True)
class Failed:
    """A batch is not (surely_nothing), or perhaps not, on disk; its accounts must be reloaded."""

    number: int
    error: JournalError


@attrs.define(frozen=True)
class Reply:
    """The answer to one question: what the question's function returned, or the error it met."""

    number: int
    value: object
    error: str | None = None


Outcome = Committed | Failed | Reply


class Journal(Protocol):
    """The hub's end of a writer. Nothing blocks; called from the hub's task alone."""

    def fileno(self) -> int | None:
        """A descriptor that is readable when ``poll`` has something; None where ``on_outcome`` is called."""

    def submit(self, appends: Sequence[Append]) -> int:
        """Hand over one commit; its number comes back in ``Committed`` or ``Failed``. Commits are carried out in the
        order of their numbers; after a ``Failed``, those already submitted fail too (``surely_nothing``), until
        ``recover`` was asked for and answered."""

    def ask(self, question: str, *args: object) -> int:
        """Ask the writer's side (see ``worker.Questions``); the answer comes as a ``Reply`` with this number.
        Arguments and answers are what msgpack can carry, arrays coming out as tuples. The answer knows of every
        commit submitted before the question, and may know of later ones."""

    def recover(self) -> int:
        """Make commits possible again after a ``Failed``: start a new writer if it died, claim the shard anew. The
        answer is a ``Reply`` with this number, whose value is the epoch, or whose error says why not (ask again
        later). Accounts of failed commits must be reloaded after it."""

    def poll(self) -> list[Outcome]:
        """What came back since the last time, in order."""

    def close(self) -> None:
        """Let the writer finish what it has, and end it. Blocks for a bounded time."""
