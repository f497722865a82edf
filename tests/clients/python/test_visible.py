"""What a stranger wrote is shown on a terminal, not carried out by it."""

from __future__ import annotations

import unicodedata

import pytest

from clients.python.visible import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("a\rb\nc\td", "a␍b␊c␉d"),
        ("\x7f\x9b2J\x85", "␡\\x9b2J\\x85"),
        ("\u202eabc\u202c \u2066x\u2069 \u2028\u2029", "\\u202eabc\\u202c \\u2066x\\u2069 \\u2028\\u2029"),
        ("Zoë — 日本語 👩‍👧 שלום", "Zoë — 日本語 👩‍👧 שלום"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_no_control_character_at_all_gets_through() -> None:
    everything = "".join(map(chr, range(0x3000)))
    left = visible(everything)
    assert not [each for each in left if unicodedata.category(each) in ("Cc", "Zl", "Zp")]
    assert not [each for each in left if unicodedata.bidirectional(each) in BIDI]


BIDI = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
