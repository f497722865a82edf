"""Rounds on a machine that others use too: measure how much they took, and keep the quietest rounds."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import attrs

T = TypeVar("T")

CALM: Final = 0.1  # share of all cores that others may use in a round that counts as quiet
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Round(Generic[T]):
    """One round's result, and the share (0..1) of the machine's cores that others used meanwhile."""

    result: T
    strangers: float


def _busy() -> float:
    """Seconds that all cores were busy since the start, stolen time included; idle and waiting for disks are not."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(fields[place]) for place in (1, 2, 3, 6, 7, 8)) / _TICKS


def _own() -> float:
    """Seconds of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def watched(once: Callable[[], T]) -> Round[T]:
    """Run one round."""
    begun, busy, own = time.perf_counter(), _busy(), _own()
    result = once()
    took = (time.perf_counter() - begun) * (os.cpu_count() or 1)
    return Round(result, max(0.0, (_busy() - busy) - (_own() - own)) / took)


def quietest(rounds: int, patience: float, turn: Callable[[], list[Round[T]]]) -> list[list[Round[T]]]:
    """Turns (a round of each contender) until ``rounds`` of them were quiet throughout or, after ``patience`` seconds,
    at least ``rounds`` were run: the quietest."""
    turns: list[list[Round[T]]] = []
    begun = time.perf_counter()
    while True:
        turns.append(turn())
        turns.sort(key=loudest)
        enough = len(turns) >= rounds
        if enough and (loudest(turns[rounds - 1]) <= CALM or time.perf_counter() - begun > patience):
            return turns[:rounds]


def loudest(turn: list[Round[T]]) -> float:
    """The greatest share of others in a turn."""
    return max(one.strangers for one in turn)
