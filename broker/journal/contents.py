"""Personal content as records name it: finds the references in a body, and compares each with what is stored.

A record holds a content's id and salted digest (see ``broker.content``); the chain proves the record, the
digest the text. Bodies are unpacked without knowing the events in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import attrs
import msgpack  # type: ignore[import-untyped]

from broker.journal.base import CorruptJournal, Record

PAGE = 256  # records looked at at a time, with the digests of what they name: bounds memory
_DIGEST_BYTES = 16


@attrs.frozen
class Kept:
    """What is stored of one content."""

    erased: bool
    """Whether it is marked so."""
    blank: bool
    """Whether nothing but zeros is left of it, as erasing leaves it."""
    digest: bytes
    """16 bytes, of the salt and data that are stored; empty for a salt that can't be one."""


class Texts(Protocol):
    """What a store must give to have its contents checked."""

    def records(self, account: str, after: int, limit: int) -> Sequence[Record]:
        """See ``base.Store``."""

    def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, Kept]:
        """What is stored of each of these contents, erased ones too; without those that have no row."""


def unpacked(body: bytes) -> object:
    """A body's value, arrays as tuples; the bytes themselves where they are no msgpack."""
    try:
        value: object = msgpack.unpackb(body, use_list=False, strict_map_key=False)
    except (ValueError, msgpack.UnpackException):
        return body
    return value


def reference(value: object) -> tuple[str, bytes] | None:
    """(content id, digest) where ``value`` is how a record names personal content; None for anything else."""
    match value:
        case (str() as content_id, bytes() as digest) if len(digest) == _DIGEST_BYTES:
            return content_id, digest
    return None


def references(value: object) -> Iterator[tuple[str, bytes]]:
    """(content id, digest) of each content that an unpacked body names."""
    if (found := reference(value)) is not None:
        yield found
    elif isinstance(value, tuple):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)


def check_contents(texts: Texts, account: str, up_to: int) -> None:
    """Compare each content that a record up to seq ``up_to`` names with what is stored of it. CorruptJournal names the
    first that is missing or altered; one that was erased is as it must be."""
    after = 0
    while after < up_to and (page := texts.records(account, after, PAGE)):
        named = [(record.seq, found) for record in page for found in references(unpacked(record.body))]
        # Asked after the records: a content is stored with the first record that names it, and its row stays.
        kept = texts.kept(account, list({content_id for _, (content_id, _) in named}))
        for seq, (content_id, digest) in named:
            _check(account, seq, content_id, digest, kept.get(content_id))
        after = page[-1].seq


def _check(account: str, seq: int, content_id: str, digest: bytes, kept: Kept | None) -> None:
    if kept is None:
        raise CorruptJournal(
            f"account {account}: content {content_id}, which record {seq} names, is missing and wasn't erased"
        )
    if kept.erased:
        if not kept.blank:
            raise CorruptJournal(
                f"account {account}: content {content_id}, which record {seq} names, is marked as erased and its text "
                "is still there"
            )
    elif kept.digest != digest:
        raise CorruptJournal(
            f"account {account}: content {content_id} doesn't fit its digest in record {seq}: it is altered"
        )
