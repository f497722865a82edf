"""A transcript as a page: whole, self-contained, and nothing that was typed is markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tests.views.talk import ABOUT, ENDED, FILE, JOINED, TALK, document, said, zoned

_VOID = ("meta",)
_HEAD = ("html", "head", "meta", "title", "style", "body", "header", "h1", "dl", "dt", "dd")
_TAGS = (*_HEAD, "main", "article", "b", "time", "p", "bdi", "footer", "code")


class Page(HTMLParser):
    """Reads a page and notes what is in it; an end that has no beginning, or the other way round, fails."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        """What is read."""
        return "".join(self.words)


def test_it_needs_nothing_else_and_runs_nothing() -> None:
    text = document("html")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>\n")
    assert set(page.tags) <= {*_TAGS}
    names = {name for name, _ in page.attributes}
    assert names == {"lang", "dir", "charset", "http-equiv", "content", "name", "class", "id", "datetime"}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_everything_is_on_it() -> None:
    page = Page(document("html"))
    for words in ("Where is my order?", "Let me look.", "bill.pdf", "1.5 KiB", "Bo took over from ann", "11 entries."):
        assert words in page.text
    assert page.tags.count("article") == len(TALK)
    assert page.text.count("Ended 2023-11-14 22:13:30 UTC") == 1
    assert "Ended" not in Page(document("html", TALK[:-1])).text


def test_sides_show_who_spoke() -> None:
    note = ("note.added", {"by": "ann", "text": "careful"})
    text = document("html", [JOINED, said(1, "a"), said(2, "b", "ann"), note, FILE, ENDED])
    assert re.findall(r'<article class="(\w+)" id="e(\d)">', text) == [
        ("event", "1"),
        ("customer", "2"),
        ("staff", "3"),
        ("note", "4"),
        ("customer", "5"),
        ("event", "6"),
    ]


def test_a_question_that_was_left_is_its_customers() -> None:
    text = document("html", [("question.left", {"name": "Kim", "text": "Does it <hum>?", "page": "x.org"})])
    assert '<article class="customer" id="e1"><header><b><bdi>Kim</bdi></b> left a question' in text
    assert '<p dir="auto">Does it &lt;hum&gt;?</p>' in text
    assert "x.org" in Page(text).text


@pytest.mark.parametrize(("zone", "shown"), [("Asia/Kolkata", "[03:43:20+05:30]"), (None, None), ("No/Where", None)])
def test_times_are_utc_and_the_portals(zone: str | None, shown: str | None) -> None:
    text = document("html", [said(1, "x")], zoned(zone))
    assert '<time datetime="2023-11-14T22:13:20Z">2023-11-14 22:13:20 UTC' in text
    assert ("in brackets" in text) == (shown is not None)
    if shown is not None:
        assert shown in text


def test_a_page_with_notes_says_so() -> None:
    assert "staff alone" in document("html", TALK, evolve(ABOUT, notes=True, reader="staff"))
    assert "staff alone" not in document("html")


@given(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("<>&\"'/"), max_size=40))
def test_what_was_typed_is_never_markup(text: str) -> None:
    plain = Page(document("html", [("session.opened", {"name": "x", "text": "x", "fields": {"a": "x"}, "page": "x"})]))
    opened = ("session.opened", {"name": text, "text": text, "fields": {"a": text}, "page": text})
    typed = Page(document("html", [opened]))
    assert typed.tags == plain.tags
    assert typed.attributes == plain.attributes


def test_what_was_typed_is_read_as_it_was_typed() -> None:
    text = "<script>alert('x')</script> & \"so\"\n  שלום"
    assert text in Page(document("html", [said(1, text)])).text
    assert '<p dir="auto">' in document("html", [said(1, text)])


def test_a_name_can_not_turn_around_what_stands_beside_it() -> None:
    text = document("html", [("session.opened", {"name": "Kim\u202e\u2069"})])
    assert "<bdi>Kim\\u202e\\u2069</bdi>" in text


def test_what_was_erased_is_told_so() -> None:
    assert '<p dir="auto" class="erased">(erased)</p>' in document("html", [said(1, {"erased": True})])
    assert '<p dir="auto">(erased)</p>' in document("html", [said(1, "(erased)")])
