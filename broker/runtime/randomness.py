"""Random bytes for commands, tokens and salts, drawn from the system a page at a time.

Each command needs some twenty: a system call for each would cost as much as deciding half of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

PAGE_BYTES: Final = 4096


class Randomness:
    """Call it with how many bytes. No byte is given twice."""

    def __init__(self, draw: Callable[[int], bytes] = os.urandom) -> None:
        self._draw = draw
        self._page = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """``count`` fresh bytes, fit for keys."""
        end = self._at + count
        if end > len(self._page):
            self._page = self._draw(max(PAGE_BYTES, count))
            self._at, end = 0, count
        drawn = self._page[self._at : end]
        self._at = end
        return drawn
