"""The kinds of values a setting may have: each says what it expects, reads TOML values and environment texts."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import attrs

from broker.identity.secrecy import Secret

T = TypeVar("T")
_MISSING: Final[Any] = attrs.NOTHING


class Unfit(ValueError):
    """The value isn't what was expected."""


@attrs.frozen(kw_only=True)
class Kind(Generic[T]):
    """One kind of value."""

    expected: str
    """Completes "expected …"."""
    read: Callable[[object, Path], T] = attrs.field(repr=False)
    """From a TOML value; relative paths count from the given folder. Raises ``Unfit``."""
    parse: Callable[[str], object] = attrs.field(repr=False)
    """From an environment variable's text to what TOML would have given. Raises ``Unfit``."""
    optional: bool = False
    """Whether it may be left unset (None)."""
    secret: bool = False
    """Whether what was given must not be shown."""

    def shown(self, value: str) -> str:
        """How what was given is told in a message about it."""
        return "something else" if self.secret else value


def setting(kind: Kind[T], doc: str, *, default: T = _MISSING, example: object = None) -> T:
    """A field of a section, with what its documentation is rendered from. Without a default it is required."""
    metadata = {"kind": kind, "doc": doc, "example": default if example is None else example}
    field: T = attrs.field(default=default, metadata=metadata)
    return field


def text(expected: str, pattern: str = r"[^\x00-\x1f]+") -> Kind[str]:
    """A string that ``pattern`` matches whole."""

    def read(value: object, folder: Path) -> str:
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise Unfit
        return value

    return Kind(expected=expected, read=read, parse=str)


def fitting(expected: str, fits: Callable[[str], bool]) -> Kind[str]:
    """A string of which ``fits`` is true."""

    def read(value: object, folder: Path) -> str:
        if not isinstance(value, str) or not fits(value):
            raise Unfit
        return value

    return Kind(expected=expected, read=read, parse=str)


def secret(expected: str, pattern: str) -> Kind[Secret]:
    """A string that ``pattern`` matches whole, and that is never shown again."""
    within = text(expected, pattern)

    def read(value: object, folder: Path) -> Secret:
        return Secret(within.read(value, folder))

    return Kind(expected=expected, read=read, parse=str, secret=True)


def whole(low: int, high: int, unit: str = "") -> Kind[int]:
    """An integer from ``low`` to ``high``, both included."""

    def read(value: object, folder: Path) -> int:
        if type(value) is not int or not low <= value <= high:  # `type`: a bool is an int to isinstance
            raise Unfit
        return value

    def parse(written: str) -> object:
        if re.fullmatch(r"-?[0-9]{1,18}", written, re.ASCII) is None:
            raise Unfit
        return int(written)

    unit = f" ({unit})" if unit else ""
    return Kind(expected=f"a whole number from {low} to {high}{unit}", read=read, parse=parse)


def milliseconds(low: int, high: int) -> Kind[int]:
    """A duration."""
    return whole(low, high, "milliseconds")


def switch() -> Kind[bool]:
    """True or false."""

    def read(value: object, folder: Path) -> bool:
        if not isinstance(value, bool):
            raise Unfit
        return value

    def parse(written: str) -> object:
        if written not in ("true", "false"):
            raise Unfit
        return written == "true"

    return Kind(expected="true or false", read=read, parse=parse)


def choice(*values: str) -> Kind[str]:
    """One of a few words."""

    def read(value: object, folder: Path) -> str:
        if not isinstance(value, str) or value not in values:
            raise Unfit
        return value

    return Kind(expected=" or ".join(values), read=read, parse=str)


def place(expected: str) -> Kind[Path]:
    """A file or folder; a relative one counts from the folder of the file that names it."""

    def read(value: object, folder: Path) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise Unfit
        try:
            return folder / Path(value).expanduser()
        except RuntimeError:  # the home of somebody who has none here
            raise Unfit from None

    return Kind(expected=expected, read=read, parse=str)


def network() -> Kind[str]:
    """A network, or one address."""

    def read(value: object, folder: Path) -> str:
        try:
            if not isinstance(value, str):
                raise Unfit
            return str(ip_network(value))
        except ValueError:  # Unfit is one
            raise Unfit from None

    expected = "an address or a network like 10.0.0.0/8, without host bits"
    return Kind(expected=expected, read=read, parse=str)


def perhaps(kind: Kind[T]) -> Kind[T | None]:
    """The same, or unset. TOML has no nil: unset is written by leaving the line out."""
    return Kind(expected=kind.expected, read=kind.read, parse=kind.parse, optional=True, secret=kind.secret)


def several(kind: Kind[T]) -> Kind[tuple[T, ...]]:
    """A list; in an environment variable, divided by commas."""

    def read(value: object, folder: Path) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Unfit
        return tuple(kind.read(element, folder) for element in value)

    def parse(written: str) -> object:
        return [kind.parse(part.strip()) for part in written.split(",") if part.strip()]

    return Kind(expected=f"a list, each {kind.expected}", read=read, parse=parse)


def toml(value: object) -> str:
    """How a setting's value is written in TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(toml(element) for element in value)}]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean …?`` where a known name is near, else nothing."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""
