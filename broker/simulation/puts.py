"""The words for a configuration: manager operations, and changes to single fields. Light, so that a command line can
parse them without loading a desk; ``setting`` carries them out.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import attrs


class SettingError(Exception):
    """A configuration, or a change to one, that the desk doesn't take; the message says which part and why."""


@attrs.frozen
class Put:
    """One manager operation."""

    op: str
    args: Mapping[str, Any]
    """As a client would send them."""


@attrs.frozen
class Change:
    """One field of a sub-portal or of a representative that is to be another."""

    kind: str
    """``subportal`` or ``representative``."""
    name: str
    field: str
    value: object

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else json.dumps(self.value, default=str)
        return f"{self.kind}.{self.name}.{self.field}={value}"


def parse_set(text: str) -> Change:
    """``subportal.NAME.FIELD=VALUE``, the value as in a TOML file, or bare. ValueError says what was expected.

    >>> parse_set("subportal.orders.weight=2").value
    2
    """
    path, equals, value = text.partition("=")
    kind, _, rest = path.partition(".")
    name, dot, field = rest.rpartition(".")  # a name may have dots in it, a field hasn't
    if not equals or not dot or not name or not field or kind != "subportal":
        raise ValueError(f"{text!r}: expected subportal.NAME.FIELD=VALUE")
    return Change(kind, name, field, _value(value))


def parse_capacity(text: str) -> Change:
    """``REPRESENTATIVE=N``. ValueError says what was expected."""
    name, _, number = text.rpartition("=")
    if not name or not number.isascii() or not number.isdigit():
        raise ValueError(f"{text!r}: expected REPRESENTATIVE=NUMBER")
    return Change("representative", name, "capacity", int(number))


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
