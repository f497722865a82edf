"""A schema field compiled into a closure that checks one value: shared by frames, operations and events.

A check returns the value (converted where the schema says so) or raises ``Wrong`` with the path below it.
Unknown map keys are dropped, nil stands for a missing optional, an unknown enum value falls back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from broker.addresses import is_address
from broker.content import Personal
from broker.ids import SLUG
from broker.limits import MAX_ADDRESS_CHARS, MAX_BIN_BYTES, MAX_ID_BYTES, MAX_INT, MAX_STR_BYTES, MAX_VALUES
from broker.protocol import schema

Check = Callable[[object], object]
Spec = Mapping[str, object]
"""A field of the schema, as the TOML file has it."""

ERASED: Final[dict[str, object]] = {"erased": True}
"""What a personal field reads as once its content is erased."""


class Wrong(Exception):
    """A value is not as the schema wants it. ``path`` is relative: ``""``, ``.text``, ``[2].id``."""

    def __init__(self, path: str, expected: str, *, long: bool = False) -> None:
        super().__init__(path, expected)
        self.path = path
        self.expected = expected
        self.long = long
        """Whether it is a string or bin that has more bytes than it may."""

    def under(self, step: str) -> Wrong:
        """The same, seen from one level above."""
        return Wrong(step + self.path, self.expected, long=self.long)


def compile_field(spec: Spec, *, wrap: bool = False) -> Check:
    """The check for one field. ``wrap``: a personal text, map or list becomes ``Personal`` (arguments); otherwise it
    stays as it is, and an erased one is accepted (results and events)."""
    kind = cast("str", spec["type"])
    personal = bool(spec.get("personal"))
    if kind == "list":
        check: Check = _list(spec, wrap=wrap and not personal)
    elif kind == "map":
        check = _map(spec, wrap=wrap and not personal)
    else:
        check = _PLAIN[kind](spec)
    if not personal:
        return check
    if wrap and kind in ("list", "map"):
        return lambda value: Personal.document(_document(check(value), bins=False))
    if wrap:
        return lambda value: Personal(cast("str", check(value)))
    return lambda value: value if value == ERASED else check(value)


_KEY_CHARS: Final = 64  # of a document's key in a path: it is the sender's own, and as long as the sender likes


def _document(value: object, *, bins: bool) -> object:
    """Strings, keys and bins in a document, whose fields no schema knows, have the bounds of any text and bin.
    ``bins``: whether there may be any: what is kept as JSON has none."""
    if type(value) is bytes:
        if not bins:
            raise Wrong("", "no bin")
        if len(value) > MAX_BIN_BYTES:
            raise Wrong("", f"a bin of at most {MAX_BIN_BYTES} bytes", long=True)
    elif type(value) is str:
        if _longer(value, MAX_STR_BYTES):
            raise Wrong("", f"a string of at most {MAX_STR_BYTES} bytes", long=True)
    elif type(value) is dict:
        for key, item in value.items():
            if _longer(key, MAX_STR_BYTES):
                raise Wrong("", f"keys of at most {MAX_STR_BYTES} bytes", long=True)
            try:
                _document(item, bins=bins)
            except Wrong as wrong:
                raise wrong.under(f".{key[:_KEY_CHARS]}") from None
    elif type(value) is list:
        for at, item in enumerate(value):
            try:
                _document(item, bins=bins)
            except Wrong as wrong:
                raise wrong.under(f"[{at}]") from None
    return value


def _longer(value: str, most: int) -> bool:
    """Whether it has more bytes of UTF-8; each character is at least one."""
    return len(value) > most or (not value.isascii() and len(value.encode("utf-8", "surrogatepass")) > most)


def compile_map(fields: Mapping[str, Spec], *, wrap: bool = False) -> Callable[[object], dict[str, object]]:
    """The check for a map with these fields: returns the known ones that are there."""
    entries = [(name, compile_field(spec, wrap=wrap), bool(spec.get("optional"))) for name, spec in fields.items()]

    def check(value: object) -> dict[str, object]:
        if type(value) is not dict:
            raise Wrong("", "a map")
        known: dict[str, object] = {}
        for name, entry, optional in entries:
            item = value.get(name)
            if item is None and (optional or name not in value):
                if not optional:
                    raise Wrong(f".{name}", "a value: it is required")
                continue
            try:
                known[name] = entry(item)
            except Wrong as wrong:
                raise wrong.under(f".{name}") from None
        return known

    return check


def named_map(name: str) -> Mapping[str, Spec]:
    """The fields of a map that the schema names in its ``maps`` table."""
    maps = cast("Mapping[str, Mapping[str, Spec]]", schema.load()["maps"])
    return maps[name]


def _int(spec: Spec) -> Check:
    low = cast("int", spec.get("min", -MAX_INT))
    high = cast("int", spec.get("max", MAX_INT))
    expected = f"an int from {low} to {high}"

    def check(value: object) -> int:
        if type(value) is not int or not low <= value <= high:
            raise Wrong("", expected)
        return value

    return check


def _time(_spec: Spec) -> Check:
    return _int({"min": 0})


def _str(spec: Spec) -> Check:
    low = cast("int", spec.get("min", 0))
    high = cast("int", spec.get("max", MAX_STR_BYTES))
    expected = f"a string of {low} to {high} bytes"

    def check(value: object) -> str:
        if type(value) is not str or len(value) < low:  # each character is at least a byte
            raise Wrong("", expected)
        if _longer(value, high):
            raise Wrong("", expected, long=True)
        return value

    return check


def _id(_spec: Spec) -> Check:
    return _str({"min": 1, "max": MAX_ID_BYTES})


def _slug(_spec: Spec) -> Check:
    fullmatch = SLUG.fullmatch

    def check(value: object) -> str:
        if type(value) is not str or fullmatch(value) is None:
            raise Wrong("", "a name of 1 to 64 characters a-z 0-9 _ . - that starts and ends with a letter or digit")
        return value

    return check


def _email(_spec: Spec) -> Check:
    text = _str({"min": 3, "max": MAX_ADDRESS_CHARS})

    def check(value: object) -> str:
        address = cast("str", text(value))
        if not is_address(address):
            raise Wrong("", "one plain e-mail address, like ann@help.example.org, in ASCII")
        return address

    return check


def _bool(_spec: Spec) -> Check:
    def check(value: object) -> bool:
        if type(value) is not bool:
            raise Wrong("", "true or false")
        return value

    return check


def _bin(spec: Spec) -> Check:
    low = cast("int", spec.get("min", 0))
    high = cast("int", spec.get("max", MAX_BIN_BYTES))
    expected = f"a bin of {low} to {high} bytes"

    def check(value: object) -> bytes:
        if type(value) is not bytes or not low <= len(value) <= high:
            raise Wrong("", expected, long=type(value) is bytes and len(value) > high)
        return value

    return check


def _enum(spec: Spec) -> Check:
    values = cast("list[str]", spec["values"])
    known = frozenset(values)
    fallback = cast("str | None", spec.get("fallback"))
    expected = "one of " + ", ".join(values)

    def check(value: object) -> str:
        if type(value) is not str:
            raise Wrong("", expected)
        if value in known:
            return value
        if fallback is None:
            raise Wrong("", expected)
        return fallback

    return check


def _list(spec: Spec, *, wrap: bool) -> Check:
    low = cast("int", spec.get("min", 0))
    high = cast("int", spec.get("max", MAX_VALUES))
    expected = f"a list of {low} to {high}"
    element = compile_field(cast("Spec", spec["of"]), wrap=wrap)

    def check(value: object) -> list[object]:
        if type(value) is not list or not low <= len(value) <= high:
            raise Wrong("", expected)
        checked: list[object] = []
        try:
            for item in value:
                checked.append(element(item))  # noqa: PERF401 (its length is the index of a wrong one)
        except Wrong as wrong:
            raise wrong.under(f"[{len(checked)}]") from None
        return checked

    return check


def _map(spec: Spec, *, wrap: bool) -> Check:
    fields = spec.get("fields")
    if fields is not None:
        inner = named_map(fields) if isinstance(fields, str) else cast("Mapping[str, Spec]", fields)
        return compile_map(inner, wrap=wrap)

    def check(value: object) -> object:
        if type(value) is not dict:
            raise Wrong("", "a map")
        return _document(value, bins=True) if wrap else value

    return check


def _doc(_spec: Spec) -> Check:
    return lambda value: value


_PLAIN: Final[dict[str, Callable[[Spec], Check]]] = {
    "id": _id,
    "slug": _slug,
    "email": _email,
    "str": _str,
    "int": _int,
    "bool": _bool,
    "time": _time,
    "bin": _bin,
    "enum": _enum,
    "doc": _doc,
}
