"""A transcript, written a page at a time: events in, text, HTML or JSON out, with the chain that holds it together.

Theory of operation. ``About`` says what is told and to whom; ``Progress`` is all that it takes to go on where a page
ended, so nobody has to keep a document, or to write its beginning again for the sake of its end. Where a stream ends is
noted with the first page: what is said later belongs to a later transcript. The pages' concatenation is the document;
its last piece (``ending``) needs the head's signature, and so is written by who has the key.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import attrs

from broker.views import as_html, as_json, as_text
from broker.views.chain import FORMAT, START, Entry, link
from broker.views.entries import People, entry_of

Row = tuple[object, ...]
_People = tuple[object, Sequence[tuple[str, object]]]
_Row = tuple[tuple[int, int], tuple[int, int], int, bytes, int | None, int | None, _People]


@attrs.frozen(kw_only=True)
class About:
    """What is told, and to whom."""

    account: str
    session: str
    portal: str
    zone: str | None
    """The portal's time zone, if it has one."""
    reader: str
    """customer or staff."""
    notes: bool
    """Whether what staff alone may see is in it."""
    made: int

    def row(self) -> Row:
        """As msgpack can carry it."""
        return attrs.astuple(self)

    @classmethod
    def of(cls, row: Row) -> About:
        """What ``row`` gave."""
        names = (field.name for field in attrs.fields(cls))
        return cls(**dict(zip(names, row, strict=True)))


@attrs.define
class Progress:
    """How far a document is written."""

    upto: tuple[int, int] = (0, 0)
    """The last offsets that belong to it, of the session's stream and of its staff's."""
    at: tuple[int, int] = (0, 0)
    """The last offsets that are written."""
    entries: int = 0
    hash: bytes = START
    opened: int | None = None
    ended: int | None = None
    people: People = attrs.field(factory=People)

    @property
    def over(self) -> bool:
        """Whether there is nothing more to write."""
        return self.at == self.upto

    def row(self) -> Row:
        """As msgpack can carry it."""
        people = (self.people.customer, tuple(self.people.names.items()))
        return (self.upto, self.at, self.entries, self.hash, self.opened, self.ended, people)

    @classmethod
    def of(cls, row: Row) -> Progress:
        """What ``row`` gave."""
        upto, at, entries, digest, opened, ended, (customer, names) = cast("_Row", row)
        return cls(upto, at, entries, digest, opened, ended, People(customer, OrderedDict(names)))


def head_of(about: About, progress: Progress) -> dict[str, object]:
    """What is signed: which conversation, for whom, and the end of its chain."""
    return {
        "format": FORMAT,
        "account": about.account,
        "session": about.session,
        "portal": about.portal,
        "reader": about.reader,
        "notes": about.notes,
        "opened": progress.opened,
        "ended": progress.ended,
        "made": about.made,
        "entries": progress.entries,
        "hash": progress.hash.hex(),
    }


def beginning(format: str, about: About) -> str:
    """What comes before the entries."""
    return _BEGIN[format](attrs.asdict(about))


def write(format: str, about: About, progress: Progress, wire_type: str, t: int, data: Mapping[str, object]) -> str:
    """The piece of a document that an event makes, and ``progress`` moves on; empty where it makes none."""
    told = entry_of(wire_type, data, progress.people)
    if told is None:
        return ""
    entry: Entry = {"n": progress.entries + 1, "t": t, **told}
    progress.hash = link(progress.hash, entry)
    entry["hash"] = progress.hash.hex()
    progress.entries += 1
    if entry["kind"] == "opened":
        progress.opened = t if progress.opened is None else progress.opened
        progress.ended = None
    elif entry["kind"] == "ended":
        progress.ended = t
    return _PIECE[format](entry, about.zone)


def ending(format: str, head: Mapping[str, object], key: str, signature: str) -> str:
    """What comes after the entries: the head, signed."""
    return _END[format](head, key, signature)


_BEGIN: Final[Mapping[str, Callable[[Mapping[str, object]], str]]] = {
    "text": as_text.begin,
    "html": as_html.begin,
    "json": as_json.begin,
}
_PIECE: Final[Mapping[str, Callable[[Entry, str | None], str]]] = {
    "text": as_text.piece,
    "html": as_html.piece,
    "json": as_json.piece,
}
_END: Final[Mapping[str, Callable[[Mapping[str, object], str, str], str]]] = {
    "text": as_text.end,
    "html": as_html.end,
    "json": as_json.end,
}
FORMATS: Final = tuple(_BEGIN)
"""How a transcript can be written."""
