"""A transcript as one HTML page that needs nothing else: no script, nothing loaded, readable in light, dark and print.

Whatever was typed is escaped, and stands in a paragraph or an isolate of its own: text from right to left, and marks
that reorder text, end where it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from broker.views import words
from broker.views.chain import Entry
from broker.views.words import Typed

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1d2430; --dim: #5b6675; --page: #fff; --line: #d8dee6;
  --customer: #eef2f7; --staff: #dcebff; --note: #fff3c9; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --dim: #9aa6b5; --page: #14181f; --line: #323a46;
    --customer: #222a35; --staff: #1c3555; --note: #45390f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 46rem; color: var(--ink); background: var(--page);
  font: 1rem/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .8rem; margin: .6rem 0; color: var(--dim);
  font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
main { margin: 1.2rem 0; border-block: 1px solid var(--line); padding-block: .8rem; }
article { margin: .55rem 0; padding: .45rem .8rem .55rem; border-radius: .7rem; width: fit-content; max-width: 85%; }
article.customer { background: var(--customer); }
article.staff { background: var(--staff); margin-inline-start: auto; }
article.note { background: var(--note); margin-inline-start: auto; }
article.event { margin-inline: auto; max-width: 100%; padding-block: .15rem; color: var(--dim); font-size: .85rem;
  text-align: center; }
article header { font-size: .8rem; color: var(--dim); }
article b { color: var(--ink); }
p { margin: .15rem 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.erased { font-style: italic; color: var(--dim); }
footer { color: var(--dim); font-size: .8rem; overflow-wrap: anywhere; }
code { font-size: .95em; }
@media print {
  :root { color-scheme: light; --ink: #000; --dim: #444; --page: #fff; --line: #999;
    --customer: #fff; --staff: #fff; --note: #fff; }
  body { max-width: none; padding: 0; }
  article { break-inside: avoid; border: 1px solid var(--line); max-width: 100%; }
  article.event { border: 0; } }
"""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def begin(about: Mapping[str, object]) -> str:
    """The page up to its first entry."""
    rows = {"Account": about["account"], "Portal": about["portal"], "Written": _time(about["made"], None)}
    zone = about["zone"] if isinstance(about["zone"], str) else None
    if words.zone_of(zone) is not None:
        rows["Times"] = f"UTC; in brackets, {zone}"
    else:
        rows["Times"] = "UTC"
    if about["notes"]:
        rows["For"] = "staff alone: it has private notes"
    title = escape(f"Transcript of {about['session']}")
    told = "".join(f"<dt>{name}</dt><dd>{_cell(value)}</dd>\n" for name, value in rows.items())
    return (
        '<!DOCTYPE html>\n<html lang="en" dir="ltr">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="robots" content="noindex">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{title}</h1>\n<dl>\n{told}</dl>\n</header>\n<main>\n"
    )


def piece(entry: Entry, zone: str | None) -> str:
    """One entry."""
    when = _time(entry["t"], zone)
    identity = f'id="e{int(str(entry["n"]))}"'
    if not words.speaks(entry):
        line = "".join(map(_inline, words.sentence(entry)))
        return f'<article class="event" {identity}>{when.html} {line}{_said(entry)}{_details(entry)}</article>\n'
    kind = entry["kind"]
    side = "note" if kind == "note" else "customer" if entry.get("role") == "customer" else "staff"
    label = " · note" if kind == "note" else ""
    line = "" if kind in ("message", "note") else "".join(map(_inline, words.sentence(entry)))
    said = f'<p dir="auto">{line}</p>' if kind == "file" else ""
    who = _inline(words.speaker(entry))
    asked = {"opened": " asked for help", "question": " left a question, to be answered by e-mail"}.get(str(kind), "")
    return (
        f'<article class="{side}" {identity}><header><b>{who}</b>{asked}{label} · {when.html}</header>'
        f"{said}{_said(entry)}{_details(entry)}</article>\n"
    )


def end(head: Mapping[str, object], key: str, signature: str) -> str:
    """The rest of the page: how it can be compared with the JSON form."""
    number = int(str(head["entries"]))
    ended = "" if head["ended"] is None else f" Ended {_time(head['ended'], None).html}."
    return (
        f"</main>\n<footer>\n<p>{number} {'entry' if number == 1 else 'entries'}.{ended} The chain of hashes ends at "
        f"<code>{escape(str(head['hash']))}</code>, signed by <code>{escape(key)}</code>. The JSON form of this"
        " transcript can be verified: <code>huntgroup transcript verify</code>.</p>\n</footer>\n</body>\n</html>\n"
    )


class _Markup:
    """What is HTML already."""

    def __init__(self, html: str) -> None:
        self.html = html


def _cell(value: object) -> str:
    return value.html if isinstance(value, _Markup) else escape(str(value))


def _time(t: object, zone: str | None) -> _Markup:
    at = int(str(t))
    place = words.zone_of(zone)
    shown = words.when(at).replace("Z", " UTC") + (f" [{words.local(at, place)}]" if place else "")
    return _Markup(f'<time datetime="{words.when(at).replace(" ", "T")}">{shown}</time>')


def _inline(one: str | Typed) -> str:
    return escape(one) if isinstance(one, str) else f"<bdi>{escape(words.line_of(one.text))}</bdi>"


def _said(entry: Entry) -> str:
    said = words.said(entry)
    if said is None:
        return ""
    shade = ' class="erased"' if said.erased else ""
    return f'<p dir="auto"{shade}>{escape(words.text_of(said.text, plain=False))}</p>'


def _details(entry: Entry) -> str:
    rows = "".join(f"<dt>{_inline(label)}</dt><dd>{_inline(value)}</dd>" for label, value in words.details(entry))
    return f"<dl>{rows}</dl>" if rows else ""
