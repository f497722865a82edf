"""What a put changed: field by field, before and after, in the words of its operation (A1).

A text is never told: of a content ref, only that it is another. Nor is a value that is larger than the bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from broker import limits
from broker.protocol.codec import pack_value

Change = tuple[str, object, object]
"""(field, before, after); both None where they may not be told."""


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    """The fields that differ; what is missing on one side is None there. An empty map: nothing was there, or is."""
    return tuple(
        _change(field, before.get(field), after.get(field))
        for field in {**before, **after}
        if before.get(field) != after.get(field)
    )


def _change(field: str, before: object, after: object) -> Change:
    untold = any(_is_text(value) or _is_large(value) for value in (before, after))
    return (field, None, None) if untold else (field, before, after)


def _is_text(value: object) -> bool:
    return type(value) is tuple and len(value) == 2 and type(value[0]) is str and type(value[1]) is bytes


def _is_large(value: object) -> bool:
    return isinstance(value, list | tuple | dict) and len(pack_value(value)) > limits.CHANGE_BYTES


def shown(found: Iterable[Change]) -> list[dict[str, object]]:
    """As an EVENT has them."""
    return [
        {"field": field} | ({} if before is None else {"from": before}) | ({} if after is None else {"to": after})
        for field, before, after in found
    ]
