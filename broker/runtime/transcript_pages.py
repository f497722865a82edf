"""The writer's half of transcripts: reads a session's streams and writes a page of the document, in slices.

Counterpart: ``transcripts``, which is asked for them and signs their end.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from broker.desk import events
from broker.desk.publish import render
from broker.journal.base import Record, Store
from broker.limits import TRANSCRIPT_PAGE_BYTES
from broker.runtime.texts import refs
from broker.runtime.why import event_of
from broker.views.transcripts import About, Progress, beginning, write

SLICE: Final = 50  # records told before somebody else has a turn: about 3 ms

Called = Mapping[str, tuple[int, str]]
"""Who left, by name: the how manieth it was, and what it is called since."""
Row = tuple[object, ...]
_Place = tuple[Record, tuple[int, int], str]
"""(record, the offsets of both streams after it, the stream in which it is told)."""


def page(
    store: Store,
    called: Called,
    account: str,
    left: int,
    format: str,
    told: Row,
    progress_row: Row | None,
    upto: Sequence[int] | None = None,
) -> Generator[None, None, object]:
    """(the page, how far it goes, whether it is the last) as it is told when so many people have left; or how many
    of them are known here, where that is fewer. Without ``progress_row`` it is the first page, and what is told ends
    where the streams end now; or before, at ``upto``."""
    if len(called) < left:
        return len(called)
    about = About.of(told)
    if progress_row is None:
        heads = [store.stream_head(account, stream) for stream in _streams(about)]
        heads = heads if upto is None else [min(*ends) for ends in zip(heads, upto, strict=True)]
        progress, pieces = Progress(upto=(heads[0], heads[1] if about.notes else 0)), [beginning(format, about)]
    else:
        progress, pieces = Progress.of(progress_row), []

    def former(name: str) -> str | None:
        number, pseudonym = called.get(name, (left, ""))
        return pseudonym if number < left else None

    size = 0
    while not progress.over and size < TRANSCRIPT_PAGE_BYTES:
        places = list(_slice(store, account, about, progress))
        if not places:
            progress.upto = progress.at  # the journal is an older copy of the one that the first page was made from
        for place, piece in _written(store, account, format, about, progress, places, former if left else None):
            progress.at = place
            pieces.append(piece)
            size += len(piece.encode())
            if size >= TRANSCRIPT_PAGE_BYTES:
                break
        yield
    return "".join(pieces), progress.row(), progress.over


def _streams(about: About) -> tuple[str, str]:
    return f"session:{about.session}", f"session:{about.session}:staff"


def _slice(store: Store, account: str, about: About, progress: Progress) -> Iterator[_Place]:
    """The next records of both streams, in the order in which they happened; one that is in both, once."""
    parts, ends = [], []
    for stream, after, upto in zip(_streams(about), progress.at, progress.upto, strict=True):
        found = store.stream(account, stream, after, min(SLICE, upto - after)) if after < upto else []
        parts.append({record.seq: (offset, record) for offset, record in found})
        if found and found[-1][0] < upto:
            ends.append(found[-1][1].seq)  # what this stream has after it isn't known yet
    (talk, staff), at = parts, progress.at
    for seq in sorted(talk.keys() | staff.keys()):
        if ends and seq > min(ends):
            return
        at = (talk[seq][0] if seq in talk else at[0], staff[seq][0] if seq in staff else at[1])
        yield (talk.get(seq) or staff[seq])[1], at, _streams(about)[seq not in talk]


def _written(
    store: Store,
    account: str,
    format: str,
    about: About,
    progress: Progress,
    places: list[_Place],
    former: Callable[[str], str | None] | None,
) -> Iterator[tuple[tuple[int, int], str]]:
    """(the offsets after it, the piece that it makes) of each record. What this release can't read is left out."""
    readable: list[tuple[_Place, events.Event | None]] = []
    named: list[str] = []
    for place in places:
        event: events.Event | None = None
        with suppress(ValueError):
            event = event_of(place[0])
            named += refs(events.pack_body(event))
        readable.append((place, event))
    contents = store.contents(account, list(dict.fromkeys(named)))
    texts = {name: content.data.decode() for name, content in contents.items()}
    for (record, at, stream), event in readable:
        piece = ""
        if event is not None:
            wire_type = next(kind for name, _, kind in record.entries if name == stream)
            data = render(event, wire_type, stream, texts.get, former)
            piece = write(format, about, progress, wire_type, record.t, data)
        yield at, piece
