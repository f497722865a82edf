"""Fills the tables of ``spec.md`` from the schema, the codes, the limits and the handshake's state table.

``python -m docs.protocol.render`` rewrites them between their markers; a test fails while they are not current.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from broker import codes, limits
from broker.protocol import schema
from broker.protocol.handshake import STATES, TERMS, Input
from broker.units import HOURS, KIB, MIB, MINUTES, SECONDS

SPEC: Final = Path(__file__).with_name("spec.md")
MARKED: Final = re.compile(r"(<!-- generated: (?P<name>[a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Schema = Mapping[str, Any]

LIMITS: Final = {
    "MAX_FRAME_BYTES": ("a client's frame", "bytes"),
    "MAX_MESSAGE_BYTES": ("a client's message", "bytes"),
    "MAX_SERVICE_BYTES": ("a service's frame, and its message", "bytes"),
    "MAX_BROKER_BYTES": ("the broker's frame, and its message", "bytes"),
    "HELLO_BYTES": ("the first message", "bytes"),
    "MAX_MESSAGE_FRAMES": ("frames of a message, either way", ""),
    "MAX_DEPTH": ("arrays and maps in each other, in a client's frame", ""),
    "MAX_BROKER_DEPTH": ("the same in the broker's frame", ""),
    "MAX_VALUES": ("values of a client's frame", ""),
    "MAX_BROKER_VALUES": ("values of the broker's frame", ""),
    "MAX_STR_BYTES": ("a field's str, unless it says otherwise; a string or key in a document", "bytes"),
    "MAX_BROKER_STR_BYTES": ("any str of the broker", "bytes"),
    "MAX_BIN_BYTES": ("a field's bin, unless it says less", "bytes"),
    "MAX_SIGNAL_BYTES": ("SIGNAL's data", "bytes"),
    "MAX_KEY_BYTES": ("a key", "bytes"),
    "MAX_ID_BYTES": ("an id", "bytes"),
    "MAX_SUBSCRIPTIONS": ("subscriptions of a connection", ""),
    "HELLO_TIMEOUT": ("HELLO comes within", "ms"),
    "DEAD_AFTER_HEARTBEATS": ("silence that is death, in heartbeats", ""),
    "STALLED_AFTER": ("no byte taken, then 4008", "ms"),
    "KEY_MEMORY": ("a key is remembered", "ms"),
    "VISITOR_MEMORY": ("a visitor token is good", "ms"),
    "POSITION_PERIOD": ("between two notices of a place in the line", "ms"),
}
"""The bounds that a peer can run into: what they are called, and their unit."""


def render(text: str) -> str:
    """The spec with every generated part current. KeyError where a marker names no table."""
    made = tables()
    return MARKED.sub(lambda found: f"{found[1]}{made[found['name']]}\n{found[3]}", text)


def tables() -> dict[str, str]:
    """Name of a marker to what belongs there."""
    described = schema.load()
    return {
        "frames": _frames(described),
        "fields": _frame_fields(described),
        "maps": _maps(described),
        "states": _states(),
        "terms": _terms(),
        "limits": _limits(),
        "fail_codes": _codes(codes.Code),
        "goodbye_codes": _codes(codes.Close),
        "ops": _ops(described),
        "events": _events(described, "events"),
        "notices": _events(described, "notices"),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _type(spec: Schema) -> str:
    """A field's type as people read it, with its bounds."""
    kind = spec["type"]
    low, high = spec.get("min"), spec.get("max")
    if low is None and high is not None and kind != "int":
        low = 0
    bounds = f" {'' if low is None else low}..{'' if high is None else high}" if (low, high) != (None, None) else ""
    if kind == "enum":
        values = " ".join(f"`{value}`" for value in spec["values"])
        fallback = f", else `{spec['fallback']}`" if "fallback" in spec else ""
        return f"{values}{fallback}"
    marks = "".join(f", {mark}" for mark in ("personal", "secret") if spec.get(mark))
    if kind == "list":
        return f"list{bounds} of {_type(spec['of'])}{marks}"
    if kind == "map" and isinstance(spec.get("fields"), str):
        return f"map [{spec['fields']}](#maps)"
    if kind == "map" and "fields" in spec:
        inner = "; ".join(f"`{name}` {_type(field)}" for name, field in spec["fields"].items())
        return f"map ({inner})"
    return f"{kind}{bounds}{marks}"


def _named(fields: Iterable[tuple[str, Schema]]) -> str:
    """Fields in one cell."""
    return "<br>".join(f"`{name}`{'?' * bool(spec.get('optional'))} {_type(spec)}" for name, spec in fields) or "–"


def _frames(described: Schema) -> str:
    rows = []
    for name, frame in described["frames"].items():
        fields = ", ".join(f["name"] + "?" * bool(f.get("optional")) for f in frame["fields"])
        rows.append([str(frame["kind"]), f"[{name.upper()}](#{name})", frame["from"], fields])
    rows.append(["128–191", "experimental", "both", "as their capability says"])
    return _table(["kind", "name", "from", "fields"], rows)


def _frame_fields(described: Schema) -> str:
    parts = []
    for name, frame in described["frames"].items():
        rows = [
            [str(at), f["name"], _type(f), "may be nil or missing" if f.get("optional") else "required"]
            for at, f in enumerate(frame["fields"], 1)
        ]
        parts.append(
            f'<a id="{name}"></a>\n\n**{name.upper()}** ({frame["kind"]})\n\n'
            + _table(["at", "field", "type", ""], rows)
        )
    return "\n\n".join(parts)


def _maps(described: Schema) -> str:
    rows = [[f"`{name}`", _named(fields.items())] for name, fields in described["maps"].items()]
    return _table(["map", "fields"], rows)


def _states() -> str:
    rows = [[f"`{state}`", *(f"`{after[i]}`" if i in after else "–" for i in Input)] for state, after in STATES.items()]
    return _table(["state", *(f"`{i}`" for i in Input)], rows)


def _terms() -> str:
    rows = []
    for role, terms in TERMS.items():
        told = terms.limits()
        rows.append([role, str(terms.heartbeat_ms), *(str(value) for value in told.values())])
    return _table(["role", "heartbeat_ms", *(f"`{name}`" for name in next(iter(TERMS.values())).limits())], rows)


def _limits() -> str:
    reasons = _reasons()
    rows = [[told, _amount(getattr(limits, name), unit), reasons[name]] for name, (told, unit) in LIMITS.items()]
    return _table(["limit", "value", "why"], rows)


def _reasons() -> dict[str, str]:
    """The comment behind each constant."""
    source = Path(limits.__file__).read_text(encoding="utf-8")
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = lines[node.lineno - 1].partition("# ")[2]
    return found


def _amount(value: float, unit: str) -> str:
    for size, name in _SCALES[unit]:
        if value >= size and not value % size:
            return f"{value // size:,} {name}"
    return f"{value:,}"


_SCALES: Final[dict[str, tuple[tuple[int, str], ...]]] = {
    "bytes": ((MIB, "MiB"), (KIB, "KiB"), (1, "bytes")),
    "ms": ((HOURS, "h"), (MINUTES, "min"), (SECONDS, "s")),
    "": (),
}


def _codes(family: type[codes.Code | codes.Close]) -> str:
    rows = [[str(int(code)), f"`{code.name}`", codes.MEANING[code]] for code in family]
    return _table(["code", "name", "meaning"], rows)


def _ops(described: Schema) -> str:
    rows = []
    for op, entry in described["ops"].items():
        roles = ", ".join(entry["roles"]) if len(entry["roles"]) < 4 else "everyone"
        writes = "yes" if entry.get("writes") else "–"
        rows.append(
            [f"`{op}`", roles, writes, _named(entry["args"].items()), _named(entry["result"].items()), entry["doc"]]
        )
    return _table(["op", "who", "writes", "arguments", "result", "what it does"], rows)


def _events(described: Schema, name: str) -> str:
    rows = [
        [f"`{kind}`", " ".join(f"`{s}`" for s in entry["streams"]), _named(entry["data"].items()), entry["doc"]]
        for kind, entry in described[name].items()
    ]
    return _table(["type", "streams", "data", "what it says"], rows)


if __name__ == "__main__":
    SPEC.write_text(render(SPEC.read_text(encoding="utf-8")), encoding="utf-8")
