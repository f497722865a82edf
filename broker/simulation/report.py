"""What the runs came to, for people: a table as text, a page of HTML, and the same figures for machines."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import attrs

from broker.simulation.figures import LABELS, Estimated, Outcome, estimated, over_runs

OPTIONAL: Final = ("converted", "estimate_error", "estimate_absolute", "estimate_p90")
"""Figures that have a row where there is something to tell."""
_SCALES: Final = {"count": (1, "", 0), "percent": (100, " %", 2), "seconds": (1, " s", 1), "number": (1, "", 2)}
"""Unit to (factor, what stands behind, decimals)."""


@attrs.frozen(kw_only=True)
class Comparison:
    """The runs of one configuration, and of another where there is one: the same seeds in the same order."""

    title: str
    """What was simulated, in a line."""
    notes: Sequence[str] = ()
    """What there is to know beside that."""
    service_level: int
    """Seconds."""
    start: int
    """Of the runs (ms since 1970)."""
    until: int
    """ms from the beginning."""
    before: Sequence[Outcome]
    after: Sequence[Outcome] = ()
    changes: Sequence[str] = ()

    @property
    def sides(self) -> dict[str, Sequence[Outcome]]:
        """Name to runs; one side only where nothing was changed."""
        return {"before": self.before, "after": self.after} if self.after else {"now": self.before}


def table(comparison: Comparison) -> list[list[str]]:
    """Rows of cells: what, one value for each side, and the change where there are two. The first row is the head."""
    sides = {name: over_runs([one.figures for one in runs]) for name, runs in comparison.sides.items()}
    changes = _changes(comparison)
    rows = [["", *sides, *(["change"] if changes else [])]]
    for name in dict.fromkeys(name for side in sides.values() for name in side):
        kind, _, of = name.partition(".")
        if kind == "bound" or (kind in OPTIONAL and not any(side[name].mean for side in sides.values())):
            continue
        label, unit = _label(kind, of, comparison.service_level)
        cells = [label]
        for side in sides.values():
            cells.append(_cell(side.get(name), unit))
            if kind == "lag" and (bound := side.get(f"bound.{of}")) is not None:
                cells[-1] += f" of {_cell(bound, unit)}"
        if changes:
            cells.append("" if kind == "lag" else _cell(changes.get(name), unit, sign=True))
        rows.append(cells)
    return rows


def text(comparison: Comparison) -> str:
    """The table for a terminal."""
    rows = table(comparison)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [comparison.title, *comparison.notes]
    lines += [f"after: {', '.join(comparison.changes)}"] if comparison.changes else []
    lines.append("")
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def document(comparison: Comparison) -> dict[str, object]:
    """The same for machines: seconds, shares from 0 to 1."""
    found: dict[str, object] = {
        "title": comparison.title,
        "notes": list(comparison.notes),
        "service_level_s": comparison.service_level,
        "runs": len(comparison.before),
        "changes": list(comparison.changes),
    }
    for name, runs in comparison.sides.items():
        found[name] = {figure: _plain(value) for figure, value in over_runs([one.figures for one in runs]).items()}
    if comparison.after:
        found["change"] = {figure: _plain(value) for figure, value in _changes(comparison).items()}
    return found


def page(comparison: Comparison, svg: str | None) -> str:
    """A page that needs nothing else: the table, and the plots as an SVG in it."""
    head, *rows = table(comparison)
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><title>Huntgroup: simulation</title><style>',
        "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}",
        "table{border-collapse:collapse;margin:1.5rem 0}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
        "text-align:right}td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}",
        "</style></head>",
        "<body>",
        f"<h1>{html.escape(comparison.title)}</h1>",
        *(f"<p>{html.escape(note)}</p>" for note in comparison.notes),
    ]
    if comparison.changes:
        lines.append(f"<p>after: <code>{html.escape(', '.join(comparison.changes))}</code></p>")
    lines += ["<table>", _row(head, "th"), *(_row(row, "td") for row in rows), "</table>"]
    if svg is not None:
        lines += ["<figure>", svg, "</figure>"]
    return "\n".join([*lines, "</body>", "</html>", ""])


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _changes(comparison: Comparison) -> Mapping[str, Estimated]:
    """After less before, run by run: the same customers came to both, so this is known better than either."""
    pairs = list(
        zip((one.figures for one in comparison.before), (one.figures for one in comparison.after), strict=False)
    )
    names = dict.fromkeys(name for _, after in pairs for name in after)
    return {
        name: estimated(
            [
                now - then
                for before, after in pairs
                if (then := before.get(name)) is not None and (now := after.get(name)) is not None
            ]
        )
        for name in names
        if not name.startswith(("lag.", "bound."))
    }


def _label(kind: str, of: str, level: int) -> tuple[str, str]:
    """What people read, and the unit."""
    if kind == "jain":
        return f"Jain index of team {of}", "jain"
    if kind == "lag":
        return f"greatest lag of {of}, and its bound", "number"
    label, unit = LABELS[kind]
    return label.format(level=level) + (f", {of}" if of else ""), unit


def _cell(value: Estimated | None, unit: str, *, sign: bool = False) -> str:
    if value is None or value.mean is None:
        return "–"
    factor, behind, decimals = _SCALES.get(unit, (1, "", 4))
    if unit == "count" and value.error is not None:
        decimals = 1
    mean = round(value.mean * factor, decimals) + 0.0  # no negative zero
    told = f"{mean:{'+' if sign and mean else ''},.{decimals}f}"
    if value.error is not None:
        told += f" ± {value.error * factor:,.{decimals}f}"
    return told + behind


def _plain(value: Estimated) -> dict[str, float | None]:
    return {"mean": _rounded(value.mean), "error": _rounded(value.error)}


def _rounded(value: float | None) -> float | None:
    """Without digits that only tell of the order in which floats were added."""
    return None if value is None else float(f"{value:.12g}")


def steps(values: Sequence[float], most: int) -> Iterator[tuple[float, float]]:
    """(value, share of ``values`` up to it) at no more than ``most`` places of the ascending ``values``, the last
    among them: a distribution function that can be drawn."""
    count = len(values)
    ranks = range(1, count + 1) if count <= most else (round(step * count / most) for step in range(1, most + 1))
    for rank in ranks:
        yield values[rank - 1], rank / count
