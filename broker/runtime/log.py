"""How the hub tells what happened: a level, an event's name, and fields that hold nothing personal.

The runtime doesn't know who listens; ``observe`` does.
"""

from __future__ import annotations

from typing import Protocol


class Tell(Protocol):
    """Takes one line of the log. ``level`` is debug, info, warning or error."""

    def __call__(self, level: str, event: str, **fields: str | int | float) -> None:
        """Never raises, never waits."""


def silent(level: str, event: str, **fields: str | int | float) -> None:
    """For tests: nobody listens."""
