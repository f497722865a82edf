"""A transcript in pages: their concatenation is the document, wherever they are cut."""

# covers: broker/views/as_json.py

from __future__ import annotations

import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.protocol.codec import pack_value, unpack_value
from broker.views.chain import signed
from broker.views.entries import MOST_NAMES
from broker.views.transcripts import FORMATS, Progress, beginning, ending, head_of, write
from tests.views.talk import ABOUT, ENDED, OPENED, SIGNATURES, START, TALK, Told, document, said


@given(st.sampled_from(FORMATS), st.sets(st.integers(0, len(TALK))))
def test_it_goes_on_where_a_page_ended(format: str, cuts: set[int]) -> None:
    progress, pieces = Progress(), [beginning(format, ABOUT)]
    for number, (kind, data) in enumerate(TALK):
        if number in cuts:
            row = unpack_value(pack_value(progress.row()))
            assert isinstance(row, tuple)
            progress = Progress.of(row)
        pieces.append(write(format, ABOUT, progress, kind, START + 1000 * number, data))
    head = head_of(ABOUT, progress)
    pieces.append(ending(format, head, SIGNATURES.public, SIGNATURES.sign(signed(head))))
    assert "".join(pieces) == document(format)


@pytest.mark.parametrize("talk", [(), TALK[:1], TALK])
def test_the_json_form_has_an_entry_on_each_line(talk: tuple[Told, ...]) -> None:
    text = document("json", talk)
    assert len(json.loads(text)["entries"]) == len(talk)
    assert [json.loads(line.rstrip(",")) for line in text.splitlines()[2:-4]] == json.loads(text)["entries"]
    assert text.endswith('"}\n')


def test_the_head_says_when_it_began_and_ended() -> None:
    def times(*talk: Told) -> tuple[object, object]:
        head = json.loads(document("json", talk))["head"]
        return head["opened"], head["ended"]

    assert times() == (None, None)
    assert times(OPENED, said(1, "x")) == (START, None)
    assert times(OPENED, ENDED) == (START, START + 1000)
    assert times(OPENED, ENDED, OPENED) == (START, None), "it was handed back and goes on"
    assert times(OPENED, ENDED, OPENED, ENDED) == (START, START + 3000)


def test_where_a_page_ended_fits_into_an_argument() -> None:
    """At its largest: as many names as are kept in mind, each of 200 letters that take 4 bytes."""
    progress = Progress(upto=(2**40, 2**40), at=(2**40, 2**40), entries=2**40, opened=2**45, ended=2**45)
    progress.people.customer = "😀" * 200
    for number in range(MOST_NAMES):
        progress.people.meet(f"{number:064}", "😀" * 200)
    most = evolve(ABOUT, account="x" * 64, session="x" * 64, portal="x" * 64, zone="x" * 64)
    packed = pack_value((("x" * 64,) * 4, most.row(), progress.row()))
    assert (len(packed) + 16) * 4 / 3 < limits.MAX_STR_BYTES


def test_it_is_over_where_it_was_to_end() -> None:
    assert Progress().over
    assert not Progress(upto=(2, 0), at=(1, 0)).over
