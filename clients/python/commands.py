"""Operations to REQUEST arguments, and RESULT values to typed answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import attrs

from broker.content import Personal
from broker.protocol.ops import Command

T = TypeVar("T")

ERASED = "(erased)"
"""How a personal text reads once its content is erased."""


def arguments(command: Command) -> dict[str, object]:
    """The args map of an operation; what is None is left out.

    >>> from broker.protocol.ops import Subscribe
    >>> arguments(Subscribe("me", "now"))
    {'stream': 'me', 'from': 'now'}
    """
    args: dict[str, object] = {}
    for field in attrs.fields(type(command)):
        value = getattr(command, field.name)
        if value is not None:
            args[field.name.rstrip("_")] = value.text if isinstance(value, Personal) else value
    return args


def personal(text: str | None) -> Personal | None:
    """A personal argument."""
    return None if text is None else Personal(text)


def text_of(value: object) -> str | None:
    """A personal field of a result or an event: its text, ``ERASED``, or None where there is none."""
    if isinstance(value, Mapping):
        return ERASED if value.get("erased") else None
    return value if isinstance(value, str) else None


def read(made: type[T], value: object) -> T:
    """A RESULT's value as this attrs class: fields by name, None for what is missing, the rest ignored."""
    known = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
    fields = attrs.fields(cast("Any", made))
    return made(**{field.name: known.get(field.name) for field in fields})
