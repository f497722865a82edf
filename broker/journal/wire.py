"""What the hub's end and the writer's end say to each other over a socketpair.

Messages are msgpack arrays behind a 4-byte length. To the writer: COMMIT, ASK, RECOVER; from it:
COMMITTED, FAILED, REPLY, and PART for a long reply's beginnings, so that an outcome never waits
behind megabytes. Both ends are of one release: there are no versions.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import attrs
import msgpack  # type: ignore[import-untyped]

from broker.journal.base import (
    Answer,
    Append,
    Content,
    CorruptJournal,
    Failed,
    JournalError,
    JournalUnavailable,
    Record,
    StaleWriter,
)

COMMIT, ASK, RECOVER = 0, 1, 2
"""(COMMIT, number, appends), (ASK, number, question, args), (RECOVER, number, owner, renew)"""
COMMITTED, FAILED, REPLY, PART = 10, 11, 12, 13
"""(COMMITTED, number, heads), (FAILED, number, kind, text, surely_nothing), (REPLY, number, bytes), (PART, number,
bytes). The bytes of a number's parts and its reply, one after another, are (value, error) packed."""

PART_BYTES: Final = 256 * 1024  # what an outcome may have to wait for: about 0.1 ms of copying
READ_BYTES: Final = 256 * 1024  # once from the socket; its buffer holds about as much
LENGTH: Final = struct.Struct(">I")
# Either end trusts the other, so this guards against a broken stream, not against an enemy; a snapshot comes in parts.
MAX_MESSAGE_BYTES: Final = 1 << 30

Message = tuple[object, ...]


def pack(message: object) -> bytes:
    """One message with its length before it."""
    body: bytes = msgpack.packb(message)
    return LENGTH.pack(len(body)) + body


def pack_commit(number: int, appends: Sequence[Append]) -> bytes:
    """A whole COMMIT message."""
    parts = [
        (
            append.account,
            append.expected_seq,
            [record_out(record) for record in append.records],
            [(content.id, content.salt, content.data) for content in append.contents],
            [(a.person, a.key, a.digest, a.t, a.result) for a in append.answers],
            list(append.erase),
        )
        for append in appends
    ]
    return pack((COMMIT, number, parts))


def unpack_appends(parts: Sequence[Sequence[Sequence[Sequence[object]]]]) -> list[Append]:
    """The last field of a COMMIT message."""
    return [
        Append(
            account,  # type: ignore[arg-type]  # our own pack_commit wrote it
            expected_seq,  # type: ignore[arg-type]
            [Record(*record) for record in records],  # type: ignore[arg-type]
            [Content(*content) for content in contents],  # type: ignore[arg-type]
            [Answer(*answer) for answer in answers],  # type: ignore[arg-type]
            erase,  # type: ignore[arg-type]
        )
        for account, expected_seq, records, contents, answers, erase in parts
    ]


def record_out(record: Record) -> tuple[object, ...]:
    """A record as msgpack can carry it, for the answers to questions."""
    return (record.seq, record.type, record.version, record.t, record.body, record.entries)


def pack_failed(number: int, error: JournalError) -> bytes:
    """A whole FAILED message."""
    kind = "stale" if isinstance(error, StaleWriter) else "corrupt" if isinstance(error, CorruptJournal) else ""
    return pack((FAILED, number, kind, str(error), error.surely_nothing))


def unpack_failed(number: int, kind: str, text: str, *, surely_nothing: bool) -> Failed:
    """The fields of a FAILED message."""
    if kind == "stale":
        return Failed(number, StaleWriter(text))
    if kind == "corrupt":
        return Failed(number, CorruptJournal(text))
    return Failed(number, JournalUnavailable(text, surely_nothing=surely_nothing))


def pack_reply(number: int, value: object, error: str | None) -> list[bytes]:
    """PART messages, if it is long, and the REPLY message."""
    body: bytes = msgpack.packb((value, error))
    messages = []
    start = 0
    while len(body) - start > PART_BYTES:
        messages.append(pack((PART, number, body[start : start + PART_BYTES])))
        start += PART_BYTES
    messages.append(pack((REPLY, number, body[start:])))
    return messages


def unpack_reply(body: bytes | bytearray) -> tuple[object, str | None]:
    """(value, error) from all bytes of a reply; arrays come back as tuples."""
    value, error = msgpack.unpackb(body, use_list=False, strict_map_key=False)
    return value, error


def carry(value: object) -> object:
    """What comes out at the other end when ``value`` goes in here."""
    carried: object = msgpack.unpackb(msgpack.packb(value), use_list=False, strict_map_key=False)
    return carried


@attrs.define
class Inbox:
    """Cuts what comes from the socket into messages."""

    _buffer: bytearray = attrs.field(factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. ValueError for a stream that makes no sense."""
        self._buffer += data
        start = 0
        view = memoryview(self._buffer)
        try:
            while len(view) - start >= LENGTH.size:
                (size,) = LENGTH.unpack_from(view, start)
                if size > MAX_MESSAGE_BYTES:
                    raise ValueError(f"a message of {size} bytes")
                end = start + LENGTH.size + size
                if end > len(view):
                    break
                with view[start + LENGTH.size : end] as body:
                    message: Message = msgpack.unpackb(body, use_list=False, strict_map_key=False)
                start = end
                yield message
        finally:
            view.release()
            del self._buffer[:start]
