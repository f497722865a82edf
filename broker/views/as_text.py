"""A transcript as plain text in columns: when, who, what."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Final

from broker.views import words
from broker.views.chain import Entry
from broker.views.words import Typed

NAME_COLUMNS: Final = 20
TEXT_COLUMNS: Final = 72
_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP_ISOLATE: Final = "\u2069"


def begin(about: Mapping[str, object]) -> str:
    """What it is about."""
    zone = f"; in brackets, {about['zone']}" if words.zone_of(_text(about["zone"])) else ""
    return (
        f"Transcript of {about['session']} ({about['account']}/{about['portal']})\n"
        f"Times are in UTC{zone}.{' With what staff alone may see.' if about['notes'] else ''}\n\n"
    )


def piece(entry: Entry, zone: str | None) -> str:
    """One entry, of several lines perhaps."""
    place = words.zone_of(zone)
    at = int(str(entry["t"]))
    when = words.when(at) + (f" [{words.local(at, place)}]" if place else "")
    speaks = entry["kind"] in ("message", "file", "note")
    who = _name(entry) if speaks else "*"
    lines = [] if entry["kind"] in ("message", "note") else ["".join(map(_piece, words.sentence(entry)))]
    if (said := words.said(entry)) is not None:
        lines += _wrapped(said.text)
    lines += [f"{_isolated(label.text)}: {_isolated(value.text)}" for label, value in _details(entry)]
    margin = " " * (len(when) + 2)
    if words.width(who) > NAME_COLUMNS:
        first, lines = f"{when}  {_isolated(who)}", ["", *lines]
    else:
        first = f"{when}  {_isolated(who)}{' ' * (NAME_COLUMNS - words.width(who))}"
    indent = margin + " " * (NAME_COLUMNS + 2)
    body = [f"{first}  {lines[0]}".rstrip(), *(f"{indent}{line}".rstrip() for line in lines[1:])]
    return "\n".join(body) + "\n"


def end(head: Mapping[str, object], key: str, signature: str) -> str:
    """How it can be compared with the JSON form."""
    number = head["entries"]
    return f"\n{number} {'entry' if number == 1 else 'entries'}; the chain ends at {head['hash']}\nsigned by {key}\n"


def _name(entry: Entry) -> str:
    note = " (note)" if entry["kind"] == "note" else ""
    return words.line_of(words.speaker(entry).text) + note


def _details(entry: Entry) -> list[tuple[Typed, Typed]]:
    return [
        (Typed(words.line_of(label.text)), Typed(words.line_of(value.text))) for label, value in words.details(entry)
    ]


def _piece(one: str | Typed) -> str:
    return one if isinstance(one, str) else _isolated(words.line_of(one.text))


def _wrapped(said: str) -> list[str]:
    """Lines of a text, long ones broken between words; never an empty list."""
    found: list[str] = []
    for line in words.text_of(said, plain=True).split("\n"):
        broken = textwrap.wrap(line, TEXT_COLUMNS, break_long_words=False, break_on_hyphens=False)
        found += map(_isolated, broken or [""])
    return found


def _isolated(text: str) -> str:
    """A text that reads from right to left turns nothing around but itself."""
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}" if words.is_rtl(text) else text


def _text(value: object) -> str | None:
    return None if value is None else str(value)
