"""The difference between two states of what can be set, in the words of the put operations (A1).

A text says only that it is another: names and titles are never in a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Change = tuple[str, object, object]
"""(field, before, after); None: not set, or a text."""


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    """What of ``after`` is otherwise in ``before``, in the order of ``after``. A content ref in either is a text."""
    found: list[Change] = []
    for field, value in after.items():
        former = before.get(field)
        if former == value:
            continue
        if _is_text(former) or _is_text(value):
            found.append((field, None, None))
        else:
            found.append((field, former, value))
    return tuple(found)


def shown(found: Iterable[Change]) -> list[dict[str, object]]:
    """As events tell it."""
    told = []
    for field, before, after in found:
        one: dict[str, object] = {"field": field}
        if before is not None:
            one["from"] = before
        if after is not None:
            one["to"] = after
        told.append(one)
    return told


def _is_text(value: object) -> bool:
    return type(value) is tuple and len(value) == 2 and type(value[1]) is bytes
