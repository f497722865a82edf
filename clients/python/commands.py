"""Operations to REQUEST arguments, and RESULT values to typed answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import attrs

from broker.content import Personal
from broker.protocol.ops import Command, Map

T = TypeVar("T")

ERASED = "(erased)"
"""How a personal text reads once its content is erased."""
LIST: Final = "list"
"""Metadata of an answer's field: a list of values of this class. MAP: one of them. TEXT: a personal text."""
MAP: Final = "map"
TEXT: Final = "text"


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
            args[field.name.rstrip("_")] = value.plain if isinstance(value, Personal) else value
    return args


def personal(text: str | None) -> Personal | None:
    """A personal argument."""
    return None if text is None else Personal(text)


def document(value: Mapping[str, object] | Sequence[object] | None) -> Personal | None:
    """A personal argument that is a map or a list."""
    if value is None:
        return None
    return Personal.document(dict(value) if isinstance(value, Mapping) else as_map(list(value)))


def as_map(value: object) -> object:
    """A value of ``account`` as the protocol has it, lists of them too; what is None is left out.

    >>> from clients.python.account import Class
    >>> as_map([Class("gold", 60_000)])
    [{'class': 'gold', 'boost_ms': 60000}]
    """
    if isinstance(value, list | tuple):
        return [as_map(each) for each in value]
    if not attrs.has(type(value)):
        return value
    fields = {field.name.rstrip("_"): getattr(value, field.name) for field in attrs.fields(cast("Any", type(value)))}
    return {name: as_map(each) for name, each in fields.items() if each is not None}


def a_map(value: object) -> Map | None:
    """An argument that is one of them, or a plain map; None is not given."""
    return None if value is None else cast("Map", as_map(value))


def maps(values: Sequence[object] | None) -> list[Map] | None:
    """An argument that is a list of them; None is not given."""
    return None if values is None else cast("list[Map]", as_map(list(values)))


def text_of(value: object) -> str | None:
    """A personal field of a result or an event: its text, ``ERASED``, or None where there is none."""
    if isinstance(value, Mapping):
        return ERASED if value.get("erased") else None
    return value if isinstance(value, str) else None


def read(made: type[T], value: object) -> T:
    """A RESULT's value as this attrs class: fields by name, None (or the default) for what is missing, the rest
    ignored."""
    known = cast("Mapping[str, Any]", value if isinstance(value, Mapping) else {})
    fields: Sequence[attrs.Attribute[Any]] = attrs.fields(cast("Any", made))
    named = [(field, known.get(field.name.rstrip("_"))) for field in fields]
    given = {
        field.name: _inner(field, each) for field, each in named if each is not None or field.default is attrs.NOTHING
    }
    return made(**given)


def _inner(field: attrs.Attribute[Any], value: object) -> object:
    """What stands in a field, by its metadata."""
    if LIST in field.metadata:
        found = value if isinstance(value, list | tuple) else ()
        return tuple(read(field.metadata[LIST], each) for each in found)
    if MAP in field.metadata:
        return None if value is None else read(field.metadata[MAP], value)
    return text_of(value) if TEXT in field.metadata else value
