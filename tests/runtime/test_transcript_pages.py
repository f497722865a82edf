"""A transcript's pages out of a journal: both streams in order, cut anywhere, and nothing of staff's for customers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from broker.desk import events as e
from broker.desk.events import pack_body
from broker.journal.base import Append, Content, Record
from broker.journal.memory import MemoryStore
from broker.limits import TRANSCRIPT_PAGE_BYTES
from broker.protocol.codec import pack_value, unpack_value
from broker.runtime import transcript_pages
from broker.views.chain import signed
from broker.views.transcripts import FORMATS, Progress, ending, head_of
from tests.views.talk import ABOUT, SIGNATURES

NOTES = evolve(ABOUT, reader="staff", notes=True)
TALK, STAFF, BOTH, ELSEWHERE = "talk", "staff", "both", "elsewhere"
STREAMS = {TALK: ("session:s_1",), STAFF: ("session:s_1:staff",), BOTH: ("session:s_1", "session:s_1:staff")}


def journal(places: Sequence[str], *, unreadable: Sequence[int] = ()) -> MemoryStore:
    """Shares that are asked for, published here and there; each is called after its record's number."""
    store = MemoryStore()
    heads: dict[str, int] = {}
    records = []
    for seq, place in enumerate(places, 1):
        entries = []
        for stream in STREAMS.get(place, ("session:s_2",)):
            heads[stream] = heads.get(stream, 0) + 1
            entries.append((stream, heads[stream], "share.changed"))
        event = e.ShareRequested(f"h_{seq}", "s_1", 5)
        version = 99 if seq in unreadable else event.VERSION
        records.append(Record(seq, event.TYPE, version, 1000 * seq, pack_value(pack_body(event)), tuple(entries)))
    store.append(store.open_epoch(), [Append("acme", 0, records)])
    return store


def pages(store: MemoryStore, format: str = "json", about: Any = ABOUT, left: int = 0) -> list[str]:
    """The data of each page."""
    found, row = [], None
    while True:
        question = transcript_pages.page(store, {}, "acme", left, format, about.row(), row)
        data, packed, over = cast("tuple[str, Any, bool]", unpack_value(pack_value(run(question))))
        found.append(data)
        row = packed
        if over:
            head = head_of(about, Progress.of(row))
            found[-1] += ending(format, head, SIGNATURES.public, SIGNATURES.sign(signed(head)))
            return found


def run(question: Any) -> object:
    """A question that is answered in slices, run to its end."""
    try:
        while True:
            next(question)
    except StopIteration as stop:
        return stop.value


def told(store: MemoryStore, about: Any = ABOUT) -> list[str]:
    """Which records are in it."""
    return [one["share"] for one in json.loads("".join(pages(store, about=about)))["entries"]]


PLACES = st.lists(st.sampled_from([TALK, STAFF, BOTH, ELSEWHERE]), max_size=40)


@given(PLACES, st.integers(1, 5), st.integers(1, 400), st.sampled_from(FORMATS))
def test_both_streams_are_told_in_the_order_of_what_happened(
    places: list[str], slice_: int, page_bytes: int, format: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transcript_pages, "SLICE", slice_)
        store = journal(places)
        whole = pages(store, format, NOTES)
        patch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", page_bytes)
        cut = pages(store, format, NOTES)
        assert "".join(cut) == "".join(whole)
        assert told(store, NOTES) == [f"h_{seq}" for seq, place in enumerate(places, 1) if place != ELSEWHERE]
        assert told(store) == [f"h_{seq}" for seq, place in enumerate(places, 1) if place in (TALK, BOTH)]


def test_pages_end_after_their_bound() -> None:
    store = journal([TALK] * 4000)
    found = pages(store)
    assert len(found) > 2
    sizes = [len(page.encode()) for page in found]
    bound = TRANSCRIPT_PAGE_BYTES
    assert all(bound <= size < bound + 1000 for size in sizes[:-1])
    assert len(json.loads("".join(found))["entries"]) == 4000


def test_it_lets_others_go_first_after_each_slice() -> None:
    question = transcript_pages.page(journal([TALK] * 101), {}, "acme", 0, "text", ABOUT.row(), None)
    assert len(list(question)) == 3


def test_what_comes_after_its_first_page_is_asked_for_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", 1)
    short, long = journal([TALK, STAFF, TALK]), journal([TALK, STAFF, TALK, STAFF, TALK])
    _, row, over = cast(
        "tuple[str, Any, bool]", run(transcript_pages.page(short, {}, "acme", 0, "text", NOTES.row(), None))
    )
    count = 1
    while not over:
        _, row, over = cast(
            "tuple[str, Any, bool]", run(transcript_pages.page(long, {}, "acme", 0, "text", NOTES.row(), row))
        )
        count += 1
    assert (Progress.of(row).entries, count) == (3, 3)


def test_a_journal_that_is_an_older_copy_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progress(upto=(9, 0), at=(2, 0))
    question = transcript_pages.page(journal([TALK] * 3), {}, "acme", 0, "text", ABOUT.row(), progress.row())
    _, row, over = cast("tuple[str, Any, bool]", run(question))
    assert (over, Progress.of(row).entries) == (True, 1)


def test_what_this_release_can_not_read_is_left_out() -> None:
    assert told(journal([TALK, TALK, TALK], unreadable=[2])) == ["h_1", "h_3"]


def test_of_a_session_that_nobody_wrote_in_there_is_an_empty_one() -> None:
    assert told(MemoryStore()) == []


def test_texts_are_told_and_erased_ones_are_not() -> None:
    store = MemoryStore()
    opened = e.RequestAssigned(
        request="r_1",
        session="s_1",
        subportal="help",
        visitor="v_1",
        representative="ann",
        team="t",
        offer=None,
        kind="taken",
        pin=None,
        pin_expires=None,
        text=("c_1", b"x"),
        customer_name=("c_2", b"x"),
        representative_name=("c_3", b"x"),
        load=1,
        capacity=1,
    )
    body = pack_value(pack_body(opened))
    record = Record(1, opened.TYPE, opened.VERSION, 1, body, (("session:s_1", 1, "session.opened"),))
    contents = [Content("c_1", b"s", b"Where?"), Content("c_3", b"s", b"Ann A")]
    store.append(store.open_epoch(), [Append("acme", 0, [record], contents)])
    (entry,) = json.loads("".join(pages(store)))["entries"]
    assert (entry["text"], entry["name"]) == ("Where?", {"erased": True})


def test_people_who_left_are_called_as_they_are_called_since() -> None:
    store = MemoryStore()
    event = e.SessionTransferred("o_1", "s_1", "r_1", "v_1", "bo", "t", "ann", ("c_1", b"x"), 1, 1)
    entries = (("session:s_1", 1, "session.transferred"),)
    store.append(
        store.open_epoch(), [Append("acme", 0, [Record(1, event.TYPE, 1, 1, pack_value(pack_body(event)), entries)])]
    )

    def former(called: dict[str, tuple[int, str]], left: int) -> object:
        made = run(transcript_pages.page(store, called, "acme", left, "json", ABOUT.row(), None))
        return made if isinstance(made, int) else json.loads(cast("Any", made)[0] + "]}")["entries"][0]["former"]

    assert former({}, 0) == "ann"
    assert former({}, 2) == 0, "it doesn't know them yet: the hub tells"
    called = {"cy": (0, "former-1"), "ann": (1, "former-2")}
    assert former(called, 2) == "former-2"
    assert former(called, 1) == "ann", "the hub hadn't told that yet when it was asked"
