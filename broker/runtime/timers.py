"""Who wants to be woken when: one entry per thing, found again in a heap.

Lazy on purpose: a thing whose time moves later isn't touched, it is woken at the earlier time, looks, and
says when it wants to be woken next. So a sign of life costs no heap operation.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import Final

Wake = Callable[[int], int | None]
"""Called with ``now``; returns when to be called again, or None."""

_AFTER_BUG: Final = 1000  # ms until a call that met a bug is made again
_SLACK: Final = 1024  # stale heap entries tolerated beside as many as there are live ones


class Timers:
    """At most one pending call per key. Its memory is bounded by twice the number of live keys."""

    def __init__(self) -> None:
        self._due: dict[Hashable, tuple[int, int, Wake]] = {}
        self._heap: list[tuple[int, int, Hashable]] = []
        self._count = 0
        self.guard: Callable[[Callable[[], None]], bool] = _unguarded
        """Makes a call that may meet a bug; False where it did."""

    def __len__(self) -> int:
        return len(self._due)

    def wake_by(self, key: Hashable, due: int, wake: Wake) -> None:
        """Call ``wake`` at ``due`` (ms) or before; an earlier call already set for this key stays instead."""
        before = self._due.get(key)
        if before is None or due < before[0]:
            self._count += 1
            self._due[key] = (due, self._count, wake)
            heapq.heappush(self._heap, (due, self._count, key))
            if len(self._heap) > 2 * len(self._due) + _SLACK:
                self._heap = [(due, count, key) for key, (due, count, _) in self._due.items()]
                heapq.heapify(self._heap)

    def forget(self, key: Hashable) -> None:
        """Don't call for this key any more."""
        self._due.pop(key, None)

    def next(self) -> int | None:
        """When the earliest call is due (ms)."""
        heap = self._heap
        while heap:
            due, count, key = heap[0]
            entry = self._due.get(key)
            if entry is not None and entry[1] == count:
                return due
            heapq.heappop(heap)
        return None

    def run(self, now: int, most: int) -> int:
        """Make the calls that are due, at most ``most``; how many were made."""
        made = 0
        while made < most:
            due = self.next()
            if due is None or due > now:
                break
            _, _, key = heapq.heappop(self._heap)
            wake = self._due.pop(key)[2]
            made += 1
            again = self._call(wake, now)
            if again is not None:
                self.wake_by(key, again, wake)
        return made

    def _call(self, wake: Wake, now: int) -> int | None:
        again: int | None = None

        def call() -> None:
            nonlocal again
            again = wake(now)

        return again if self.guard(call) else now + _AFTER_BUG


def _unguarded(call: Callable[[], None]) -> bool:
    call()
    return True
