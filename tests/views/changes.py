"""Every single change of a transcript that somebody could make, each with the entry that a verifier has to name."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import attrs

HEAD = 0
"""What is named where no entry is at fault."""


@attrs.frozen
class Change:
    """A change of a document, and what must be named."""

    what: str
    whole: dict[str, Any]
    change: Callable[[dict[str, Any]], object]
    entry: int
    """The entry's place, or ``HEAD``."""
    kind: str = "altered"
    """altered, missing, moved or twice; of the head, nothing is asked."""

    @property
    def document(self) -> dict[str, Any]:
        """The document, changed."""
        changed = copy.deepcopy(self.whole)
        self.change(changed)
        return changed


def changes(document: dict[str, Any]) -> Iterator[Change]:
    """All of them: of each value, each field, each entry's place, and the head, key and signature."""
    for number in range(1, len(document["entries"]) + 1):
        yield from _of_entry(document, number)
    yield from _of_order(document)
    for path, change in _of_the_rest(document):
        yield Change(f"{path}: {change}", document, change, HEAD)


def _of_entry(document: dict[str, Any], number: int) -> Iterator[Change]:
    entry, place = document["entries"][number - 1], ("entries", number - 1)
    for path, value in leaves(entry):
        for other in others(value):
            kind = "altered"
            if path == ("n",) and isinstance(other, int) and not isinstance(other, bool):
                kind = "twice" if 0 < other < number else "missing"
            yield Change(f"entry {number}: {path}", document, Put((*place, *path), other), number, kind)
    for name in entry:
        yield Change(f"entry {number} without {name}", document, Drop((*place, name)), number)
    yield Change(f"entry {number} with more", document, Put((*place, "more"), 1), number)


def _of_order(document: dict[str, Any]) -> Iterator[Change]:
    count = len(document["entries"])
    for number in range(1, count + 1):
        yield Change(f"no entry {number}", document, Drop(("entries", number - 1)), number, "missing")
        yield Change(f"entry {number} twice", document, partial(_repeat, number), number + 1, "twice")
        for later in range(number + 1, count + 1):
            yield Change(f"{number} and {later}", document, partial(_swap, number, later), number, "moved")
    for first in range(1, count):
        yield Change(f"{first} entries", document, partial(_cut, first), first + 1, "missing")


def _of_the_rest(document: dict[str, Any]) -> Iterator[tuple[str, Put | Drop]]:
    for name, value in document["head"].items():
        yield from ((f"head.{name}", Put(("head", name), other)) for other in others(value))
        yield f"head.{name}", Drop(("head", name))
    yield "head", Put(("head", "more"), 1)
    for name in ("key", "signature"):
        text = document[name]
        near = [f"{text[:at]}{'B' if text[at] == 'A' else 'A'}{text[at + 1 :]}" for at in range(len(text))]
        yield from ((name, Put((name,), other)) for other in [*near, text[:-1], text + "="])
    yield from ((name, Drop((name,))) for name in document)
    yield from (("format", Put(("huntgroup_transcript",), other)) for other in (0, 2, True, "1"))
    yield "more", Put(("more",), 1)


@attrs.frozen
class Put:
    """Another value at a path."""

    path: tuple[str | int, ...]
    other: object

    def __call__(self, document: Any) -> None:
        """Do it."""
        _inner(document, self.path)[self.path[-1]] = self.other


@attrs.frozen
class Drop:
    """Nothing at a path."""

    path: tuple[str | int, ...]

    def __call__(self, document: Any) -> None:
        """Do it."""
        del _inner(document, self.path)[self.path[-1]]


def _inner(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path[:-1]:
        value = value[step]
    return value


def _repeat(number: int, document: dict[str, Any]) -> None:
    document["entries"].insert(number, copy.deepcopy(document["entries"][number - 1]))


def _swap(one: int, other: int, document: dict[str, Any]) -> None:
    entries = document["entries"]
    entries[one - 1], entries[other - 1] = entries[other - 1], entries[one - 1]


def _cut(count: int, document: dict[str, Any]) -> None:
    del document["entries"][count:]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """(path, value) of all that is no container."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value


def others(value: Any) -> list[Any]:
    """Values that are near to this one and aren't it."""
    match value:
        case bool():
            return [not value, int(value), None]
        case int():
            return [value + 1, value - 1, float(value), str(value), None]
        case str():
            return [f"{value} ", value[1:] if value else "x", value.swapcase() if value.swapcase() != value else "x", 0]
        case _:
            return [0, "", False]
