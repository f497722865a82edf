"""The one clock of a broker: int milliseconds since 1970 UTC that never go back.

Wall clock at start plus monotonic time, never below the last record's. The core gets ``now`` as an argument.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import trio


class Clock(Protocol):
    """What the hub asks for the time."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC; never less than before."""

    def raise_to(self, t: int) -> None:
        """From now on never below ``t``: the time of the last record found in a journal."""


class _Steady:
    """Wall time at the start, then the ticks of ``seconds``."""

    def __init__(self, start: int, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._offset = start - int(seconds() * 1000)
        self._floor = start

    def now(self) -> int:
        now = int(self._seconds() * 1000) + self._offset
        if now < self._floor:
            return self._floor
        self._floor = now
        return now

    def raise_to(self, t: int) -> None:
        # Shifted, not clamped: a wall clock that was set back must not stop all deadlines until it has caught up.
        behind = t - self.now()
        if behind > 0:
            self._offset += behind
            self._floor = t


class SystemClock(_Steady):
    """For a running broker."""

    def __init__(self) -> None:
        super().__init__(time.time_ns() // 1_000_000, time.monotonic)


class TrioClock(_Steady):
    """For tests and simulation: follows trio's clock, which may be a mock. Make it inside ``trio.run``."""

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        super().__init__(start, trio.current_time)
