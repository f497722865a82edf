"""When a desk wants to be woken, and for what."""

from __future__ import annotations

from collections.abc import Iterator

from sortedcontainers import SortedList

Due = tuple[int, str, str]
"""(time ms, kind, id of the thing that waits)."""


class Deadlines:
    """At most one deadline per kind and thing, earliest first."""

    def __init__(self) -> None:
        self._due: SortedList[Due] = SortedList()
        self._times: dict[tuple[str, str], int] = {}

    def set(self, kind: str, name: str, t: int | None) -> None:
        """Wake at ``t`` for this thing instead of whenever was set before; None: don't wake for it."""
        before = self._times.pop((kind, name), None)
        if before is not None:
            self._due.remove((before, kind, name))
        if t is not None:
            self._times[kind, name] = t
            self._due.add((t, kind, name))

    def get(self, kind: str, name: str) -> int | None:
        """When this thing is due, if it is."""
        return self._times.get((kind, name))

    def first(self) -> Due | None:
        """The earliest."""
        return self._due[0] if self._due else None

    def __iter__(self) -> Iterator[Due]:
        """All of them, the earliest first."""
        return iter(self._due)

    def __len__(self) -> int:
        return len(self._due)
