"""When a desk wants to be woken, and for what."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

Due = tuple[int, str, str]
"""(time ms, kind, id of the thing that waits)."""

_SLACK: Final = 64  # stale heap entries tolerated beside as many as there are deadlines


class Deadlines:
    """At most one deadline per kind and thing, earliest first.

    Most are set and never come (an offer is accepted), so one that is dropped costs a look in a dict: its entry stays
    in the heap until it is at the front, or until there are too many of them.
    """

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self._times: dict[tuple[str, str], int] = {}

    def set(self, kind: str, name: str, t: int | None) -> None:
        """Wake at ``t`` for this thing instead of whenever was set before; None: don't wake for it."""
        if t is None:
            self._times.pop((kind, name), None)
            return
        self._times[kind, name] = t
        heapq.heappush(self._heap, (t, kind, name))
        if len(self._heap) > 2 * len(self._times) + _SLACK:
            self._heap = list(self)

    def get(self, kind: str, name: str) -> int | None:
        """When this thing is due, if it is."""
        return self._times.get((kind, name))

    def first(self) -> Due | None:
        """The earliest."""
        heap, times = self._heap, self._times
        while heap:
            t, kind, name = heap[0]
            if times.get((kind, name)) == t:
                return heap[0]
            heapq.heappop(heap)
        return None

    def __iter__(self) -> Iterator[Due]:
        """All of them, the earliest first."""
        return iter(sorted((t, kind, name) for (kind, name), t in self._times.items()))

    def __len__(self) -> int:
        return len(self._times)
