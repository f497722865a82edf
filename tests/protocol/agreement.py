"""Holds schema, classes, vectors and spec against each other: each function returns what doesn't agree, in words."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

import attrs

Tables = Mapping[str, Any]

TYPES = {"id", "slug", "email", "str", "int", "bool", "time", "bin", "enum", "list", "map", "doc"}
KEYS = {"name", "type", "optional", "min", "max", "values", "fallback", "of", "fields", "personal", "secret", "unkeyed"}
PERSONAL = {"email", "str", "map", "list"}
ROLES = {"customer", "representative", "manager", "service"}
STREAMS = {"me", "subportal", "cases", "session", "session_staff", "team", "account", "audit"}


def attribute(name: str) -> str:
    """What a field is called in Python."""
    return name + "_" if keyword.iskeyword(name) else name


def of_frames(tables: Tables, classes: Mapping[int, type]) -> list[str]:
    """Kinds, names, fields and optional fields of the frames' classes."""
    faults = []
    described = {frame["kind"]: (name, frame) for name, frame in tables["frames"].items()}
    faults += [f"kind {kind}: in the schema or the classes only" for kind in described.keys() ^ classes.keys()]
    for kind in described.keys() & classes.keys():
        name, frame = described[kind]
        made = classes[kind]
        if made.__name__.lower() != name:
            faults.append(f"kind {kind}: {name} is {made.__name__} as a class")
        wanted = [(attribute(f["name"]), bool(f.get("optional"))) for f in frame["fields"]]
        found = [(f.name, f.default is None) for f in attrs.fields(made)]
        if wanted != found:
            faults.append(f"{name}: expected {wanted}, the class has {found}")
    return faults


def of_ops(tables: Tables, classes: Mapping[str, type]) -> list[str]:
    """Names, arguments and types of the operations' classes."""
    faults = [f"{op}: in the schema or the classes only" for op in tables["ops"].keys() ^ classes.keys()]
    for op in tables["ops"].keys() & classes.keys():
        made = classes[op]
        camel = "".join(part.capitalize() for part in op.replace("_", ".").split("."))
        if made.__name__ != camel:
            faults.append(f"{op}: expected the class {camel}, found {made.__name__}")
        args = tables["ops"][op]["args"]
        ordered = sorted(args.items(), key=lambda item: bool(item[1].get("optional")))
        wanted = [(attribute(name), annotation(spec), not spec.get("secret")) for name, spec in ordered]
        found = [(field.name, str(field.type), bool(field.repr)) for field in attrs.fields(made)]
        if wanted != found:
            faults.append(f"{op}: expected {wanted}, the class has {found}")
    return faults


def annotation(spec: Mapping[str, Any]) -> str:
    """A field's type in Python."""
    plain = {"int": "int", "time": "int", "bool": "bool", "bin": "bytes", "doc": "object", "map": "Map"}
    if spec.get("personal"):
        made = "Personal"
    elif spec["type"] == "list":
        made = f"Sequence[{annotation(spec['of'])}]"
    else:
        made = plain.get(spec["type"], "str")
    return f"{made} | None" if spec.get("optional") else made


def of_schema(tables: Tables) -> list[str]:
    """The schema by itself: known words only, and what a field of its place may be."""
    faults = []
    for name, frame in tables["frames"].items():
        for spec in frame["fields"]:
            faults += _field(f"frames.{name}.{spec['name']}", spec, tables)
        optional = [bool(spec.get("optional")) for spec in frame["fields"]]
        if optional != sorted(optional):
            faults.append(f"frames.{name}: a required field behind an optional one")
    for name, fields in tables["maps"].items():
        faults += _fields(f"maps.{name}", fields, tables)
    for name, entry in tables["ops"].items():
        faults += _fields(f"ops.{name}.args", entry["args"], tables, personal="top")
        faults += _fields(f"ops.{name}.result", entry["result"], tables, read=True)
        if not entry["roles"] or not set(entry["roles"]) <= ROLES or not entry["doc"].endswith("."):
            faults.append(f"ops.{name}: roles or doc")
    for part in ("events", "notices"):
        for name, entry in tables[part].items():
            faults += _fields(f"{part}.{name}.data", entry["data"], tables, read=True, secret=False)
            if not entry["streams"] or not set(entry["streams"]) <= STREAMS or not entry["doc"].endswith("."):
                faults.append(f"{part}.{name}: streams or doc")
    return faults


def _fields(where: str, fields: Mapping[str, Any], tables: Tables, **place: Any) -> list[str]:
    return [fault for name, spec in fields.items() for fault in _field(f"{where}.{name}", spec, tables, **place)]


def _field(
    where: str, spec: Mapping[str, Any], tables: Tables, *, read: bool = False, secret: bool = True, personal: str = ""
) -> list[str]:
    faults = [f"{where}: unknown word {word}" for word in spec.keys() - KEYS]
    kind = spec["type"]
    if kind not in TYPES:
        return [*faults, f"{where}: unknown type {kind}"]
    if (kind == "enum") != ("values" in spec) or (kind == "list") != ("of" in spec):
        faults.append(f"{where}: values belong to an enum, of to a list")
    if "fallback" in spec and spec["fallback"] not in spec["values"]:
        faults.append(f"{where}: falls back to what is no value")
    if read and kind == "enum" and "fallback" not in spec:
        faults.append(f"{where}: an enum that clients read needs a fallback")
    if not secret and spec.get("secret"):
        faults.append(f"{where}: a secret is in a RESULT only")
    if spec.get("personal") and (kind not in PERSONAL or personal == "nested"):
        faults.append(f"{where}: only a str, email, map or list is personal, and of arguments only one at the top")
    inside: dict[str, Any] = {"read": read, "secret": secret, "personal": "nested" if personal else ""}
    if kind == "list":
        faults += _field(f"{where}[]", spec["of"], tables, **inside)
    if kind == "map" and "fields" in spec:
        inner = spec["fields"]
        if isinstance(inner, str) and inner not in tables["maps"]:
            return [*faults, f"{where}: no map {inner}"]
        faults += _fields(where, tables["maps"][inner] if isinstance(inner, str) else inner, tables, **inside)
    return faults


def of_vectors(tables: Tables, frames: Mapping[str, Any], refused: Mapping[str, Any]) -> list[str]:
    """Each kind and each field of a kind has a vector; values name only what the schema has."""
    faults = []
    seen: dict[str, set[int]] = {}
    for vector in frames["frames"]:
        kind = vector["kind"]
        described = tables["frames"].get(kind)
        if (
            described is None
            or vector["value"][0] != described["kind"]
            or vector["from"] not in (described["from"], *_ends(described))
        ):
            faults.append(f"{vector['name']}: no such kind, or not from there")
            continue
        present = {at for at, value in enumerate(vector["value"]) if value is not None}
        seen[kind] = seen.get(kind, set()) | present
    for kind, described in tables["frames"].items():
        missing = set(range(1, len(described["fields"]) + 1)) - seen.get(kind, set())
        faults += [f"{kind}.{described['fields'][at - 1]['name']}: in no vector" for at in missing]
        if not any(kind.upper() in vector["says"] for vector in refused["refused"]):
            faults.append(f"{kind}: no refused vector")
    return faults


def _ends(described: Mapping[str, Any]) -> tuple[str, ...]:
    return ("client", "broker") if described["from"] == "both" else ()


def of_spec(tables: Tables, text: str, codes: Mapping[str, int]) -> list[str]:
    """Everything that has a name is in the spec."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    wanted = {
        **{f"frame {name}": f"| {frame['kind']} | [{name.upper()}]" for name, frame in tables["frames"].items()},
        **{f"map {name}": f"| `{name}` |" for name in tables["maps"]},
        **{f"{part} {name}": f"| `{name}` |" for part in ("ops", "events", "notices") for name in tables[part]},
        **{f"code {name}": f"| {code} | `{name}` |" for name, code in codes.items()},
    }
    return [f"{what}: not in the spec" for what, start in wanted.items() if not any(r.startswith(start) for r in rows)]
