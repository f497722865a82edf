"""docs/reference/states.md, made from the tables along which the desk moves (broker/desk/transitions.py)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from broker.desk.transitions import ALLOWED, CONDITIONS, TABLES, Table

ABOUT: Final[dict[str, str]] = {
    "request": "A customer's wish to be served. How it ended is known as long as its case is kept.",
    "offer": "A request, a session or an invitation, proposed to one representative or to everybody of a sub-portal. "
    "To accept or decline one that is over is refused with 2405: `detail.reason` says what became of it.",
    "session": "A conversation. It waits while nobody has it, and ends with its request.",
    "file": "What is sent in a session beside words. Its bytes go with an upload that ends, and with its case.",
    "share": "A screen share. Silence is refusal; only from the customer's second yes on anything is relayed.",
    "case": "What remains of a request.",
}


def page() -> str:
    """The whole page."""
    parts = [
        "# States",
        "<!-- Made from broker/desk/transitions.py by `make docs`; change it there. -->",
        "Each thing that has a life has a table of states, and moves along it and nowhere else. What is asked for in a "
        "state that doesn't allow it is refused with 2410: `detail.state` names the state, `detail.allowed` the "
        "operations that may be asked for instead (those that are for the asker's role), and nothing has changed. "
        "Where an operation is named that was just refused, it is with other arguments, or later: the text says how.",
        "In the diagrams an arrow is an event of the journal; a word behind a colon is how it came about.",
    ]
    for name, table in TABLES.items():
        parts += [f"## {name.capitalize()}", ABOUT[name], _diagram(table)]
        if name in ALLOWED:
            parts += ["Allowed:", _allowed(name)]
    parts += ["## Conditions", "What else a refusal may name as the state.", _conditions()]
    return "\n\n".join(parts) + "\n"


def _conditions() -> str:
    rows = (f"| `{name}` | {meaning} |" for name, meaning in CONDITIONS.items())
    return "\n".join(["| state | meaning |", "|---|---|", *rows])


def _diagram(table: Table) -> str:
    lines = [f"    [*] --> {next(iter(table))}"]
    for (state, to), events in _arrows(table).items():
        lines.append(f"    {state} --> {to} : {', '.join(events)}")
    final = sorted({to for row in table.values() for to in row.values()} - table.keys())
    lines += [f"    {state} --> [*]" for state in final]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _arrows(table: Table) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for state, row in table.items():
        for event, to in row.items():
            found.setdefault((state, to), []).append(event.replace(":", " "))
    return found


def _allowed(name: str) -> str:
    return "\n".join(["| state | operations |", "|---|---|", *_rows(name)])


def _rows(name: str) -> Iterator[str]:
    for state, ops in ALLOWED[name].items():
        yield f"| `{state}` | {' '.join(f'`{op}`' for op in ops) or '–'} |"
