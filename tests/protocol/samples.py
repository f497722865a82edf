"""Good and bad values for any field of the schema, made from the schema: what the tests of frames and operations share.

It reads the schema by itself and uses none of the checks that it is held against.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from broker.protocol import schema
from broker.protocol.frames import FRAMES, Known

Spec = Mapping[str, Any]
Bad = tuple[str, object]
"""(path below the field, a value that must be refused there)."""

MAX_INT = 2**53 - 1
POOL: Mapping[str, object] = {
    "nil": None,
    "bool": True,
    "int": 7,
    "float": 7.0,
    "str": "seven",
    "bin": b"seven",
    "list": [],
    "map": {},
}
"""One value of each msgpack type."""
WIRE = {"id": "str", "slug": "str", "email": "str", "enum": "str", "time": "int"}
"""Schema types to msgpack's, where they differ."""


def tables() -> dict[str, Any]:
    """A copy of the schema that a test may spoil."""
    return copy.deepcopy(schema.load())


def fields_of(spec: Spec) -> Mapping[str, Spec]:
    """The fields of a map field."""
    fields = spec.get("fields", {})
    maps: Any = schema.load()["maps"]
    named: Mapping[str, Spec] = maps[fields] if isinstance(fields, str) else fields
    return named


def good(spec: Spec, *, full: bool = True) -> Any:
    """A value that fits; ``full``: with all optional parts."""
    match spec["type"]:
        case "id":
            return "r_0123456789abcdef"
        case "slug":
            return "first-line"
        case "email":
            return "ann@help.example.org"
        case "str":
            return "x" * max(spec.get("min", 0), 1)
        case "int":
            return spec.get("min", spec.get("max", 0))
        case "bool":
            return False
        case "time":
            return 1_700_000_000_000
        case "bin":
            return b"\0" * spec.get("min", 1)
        case "enum":
            return spec["values"][-1]
        case "list":
            return [good(spec["of"], full=full)] * max(spec.get("min", 0), 1)
        case "map":
            return good_map(fields_of(spec), full=full)
        case _:
            return {"any": [1, None]}


def good_map(fields: Mapping[str, Spec], *, full: bool = True) -> dict[str, Any]:
    """A map with these fields; without ``full`` only those required."""
    return {name: good(spec, full=full) for name, spec in fields.items() if full or not spec.get("optional")}


def sample_frame(name: str, *, full: bool = True) -> Known:
    """A frame of this name with sample values; without ``full`` its optional fields are None."""
    described = tables()["frames"][name]
    values: list[Any] = [None if f.get("optional") and not full else good(f) for f in described["fields"]]
    return FRAMES[described["kind"]](*values)


def edges(spec: Spec) -> list[Any]:
    """The largest and smallest values that fit."""
    low, high = spec.get("min"), spec.get("max")
    match spec["type"]:
        case "str":
            high = 16384 if high is None else high
            return ["x" * high, "ü" * (high // 2), "🙂" * (high // 4), *([] if low else [""])]
        case "id":
            return ["x", "x" * 64, "ü" * 32]
        case "slug":
            return ["a", "0", "a" * 64, "a.b_c-d"]
        case "email":
            return ["a@b", "a" * 64 + "@" + ".".join(["b" * 46] * 4) + ".c", "kim+1@xn--bcher-kva.example"]
        case "int":
            return [MAX_INT if high is None else high, -MAX_INT if low is None else low]
        case "time":
            return [0, MAX_INT]
        case "bool":
            return [True, False]
        case "bin":
            return [byte * (65536 if high is None else high) for byte in (b"\0", b"\1")]
        case "enum":
            return [*spec["values"], *(["brand-new"] if "fallback" in spec else [])]
        case "list":
            return [[good(spec["of"])] * (4096 if high is None else high), *([] if low else [[]])]
        case "map":
            return [good_map(fields_of(spec), full=False), {**good(spec), "later": 1}]
        case _:
            return list(POOL.values())


def bad(spec: Spec, *, erasable: bool = False) -> list[Bad]:
    """Values that must be refused, and where. ``erasable``: a personal field may read {"erased": true}."""
    if spec["type"] == "doc":
        return []
    wire = WIRE.get(spec["type"], spec["type"])
    wrong: list[Bad] = [
        ("", value) for kind, value in POOL.items() if kind != wire and not (kind == "nil" and spec.get("optional"))
    ]
    if erasable and spec.get("personal") and spec["type"] == "str":
        wrong += [("", {"erased": False}), ("", {"erased": 1.5}), ("", {"erased": True, "text": "x"})]
    return wrong + _beyond(spec, erasable=erasable)


def _beyond(spec: Spec, *, erasable: bool) -> list[Bad]:
    low, high = spec.get("min"), spec.get("max")
    match spec["type"]:
        case "str":
            high = 16384 if high is None else high
            short = [""] if low else []
            return [("", value) for value in ("x" * (high + 1), "ü" * (high // 2 + 1), *short)]
        case "id":
            return [("", value) for value in ("", "x" * 65, "ü" * 33)]
        case "slug":
            return [("", value) for value in ("", "A", "-a", "a-", "a b", "a\n", "ü", "a" * 65)]
        case "email":
            wrong = [
                "",
                "a@",
                "@b.org",
                "kim",
                "a@b\r\nBcc: c@d.org",
                "a@b.org,c@d.org",
                "k\u00efm@b.org",
                "Kim <a@b.org>",
            ]
            return [("", value) for value in (*wrong, "a" * 64 + "@" + "b" * 190, "a" * 65 + "@b.org", "   ")]
        case "int":
            return [
                ("", value)
                for value in ((MAX_INT if high is None else high) + 1, (-MAX_INT if low is None else low) - 1)
            ]
        case "time":
            return [("", -1), ("", MAX_INT + 1)]
        case "bin":
            short = [b"\0" * (low - 1)] if low else []
            return [("", value) for value in (b"\0" * ((65536 if high is None else high) + 1), *short)]
        case "enum":
            return [] if "fallback" in spec else [("", "brand-new"), ("", "")]
        case "list":
            element = good(spec["of"])
            sizes: list[Bad] = [("", [element] * ((4096 if high is None else high) + 1))]
            sizes += [("", [element] * (low - 1))] if low else []
            at = 0 if high == 1 else 1
            inner = [(f"[{at}]{path}", [element] * at + [value]) for path, value in bad(spec["of"], erasable=erasable)]
            return sizes + inner
        case "map":
            return bad_maps(fields_of(spec), erasable=erasable)
        case _:
            return []


def bad_maps(fields: Mapping[str, Spec], *, erasable: bool = False) -> list[Bad]:
    """Maps with these fields, one of which is missing or wrong."""
    whole = good_map(fields)
    wrong: list[Bad] = []
    for name, spec in fields.items():
        if not spec.get("optional"):
            wrong.append((f".{name}", {other: value for other, value in whole.items() if other != name}))
        wrong += [(f".{name}{path}", {**whole, name: value}) for path, value in bad(spec, erasable=erasable)]
    return wrong


SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-MAX_INT, MAX_INT),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.binary(max_size=20),
)
WRITTEN: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(-MAX_INT, MAX_INT) | st.text(max_size=20)
LEVELS = [SCALARS]
for _ in range(3):
    LEVELS.append(
        LEVELS[-1] | st.lists(LEVELS[-1], max_size=4) | st.dictionaries(st.text(max_size=8), LEVELS[-1], max_size=3)
    )


def plain() -> st.SearchStrategy[Any]:
    """Any value of the msgpack profile, at most 3 levels deep."""
    return LEVELS[-1]


def fitting(spec: Spec, *, written: bool = False) -> st.SearchStrategy[Any]:
    """Any value that fits a field, as the field reads once it is decoded. ``written``: it is kept as JSON."""
    written = written or bool(spec.get("personal"))
    low, high = spec.get("min"), spec.get("max")
    match spec["type"]:
        case "id":
            made: st.SearchStrategy[Any] = st.text(min_size=1, max_size=16)
        case "slug":
            made = st.from_regex(r"[a-z0-9](?:[a-z0-9_.-]{0,20}[a-z0-9])?", fullmatch=True)
        case "email":
            made = st.from_regex(r"[a-z0-9+]{1,20}@[a-z0-9]{1,20}\.org", fullmatch=True)
        case "str":
            made = st.text(min_size=low or 0, max_size=(high or 80) // 4)
        case "int":
            made = st.integers(-MAX_INT if low is None else low, MAX_INT if high is None else high)
        case "bool":
            made = st.booleans()
        case "time":
            made = st.integers(0, MAX_INT)
        case "bin":
            made = st.binary(min_size=low or 0, max_size=64 if high is None else max(low or 0, min(high, 64)))
        case "enum":
            made = st.sampled_from(spec["values"])
        case "list":
            made = st.lists(fitting(spec["of"], written=written), min_size=low or 0, max_size=min(4, high or 4))
        case "map" if "fields" in spec:
            fields = fields_of(spec)
            made = st.fixed_dictionaries(
                {name: fitting(field, written=written) for name, field in fields.items() if not field.get("optional")},
                optional={
                    name: fitting({**field, "optional": False}, written=written)
                    for name, field in fields.items()
                    if field.get("optional")
                },
            )
        case "map":
            values = WRITTEN if spec.get("personal") else SCALARS  # a personal map is kept as JSON
            made = st.dictionaries(st.text(max_size=8), values, max_size=4)
        case _ if written:
            made = WRITTEN
        case _:
            made = plain()
    return st.none() | made if spec.get("optional") else made
