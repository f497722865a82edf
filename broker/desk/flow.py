"""What goes through the lines of an account, counted since the broker's start: for its metrics.

The length of all lines is summed over time, and the waits are summed over requests, each by itself: by Little's law
(L = lambda x W) both sums are the same but for those who still wait, which is how the counts are checked against each
other. No facts of the desk: they aren't in its snapshot, and begin anew with ``broker.started``.
"""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Flow:
    """What went through the lines of an account since its broker started."""

    began: int = 0
    """Since when (ms)."""
    changed: int = 0
    """When the length last changed."""
    length: int = 0
    """Requests in line now, offered ones included."""
    joined: int = 0
    """Requests that came to stand in a line; one that was requeued counts again."""
    left: int = 0
    """Those that left it: assigned, given up, or converted."""
    length_ms: int = 0
    """The length times how long it was so: requests x ms, up to ``changed``."""
    waited_ms: int = 0
    """How long those that left had stood in line since they joined, or since ``began``."""
    queue: int = 0
    direct: int = 0
    broadcast: int = 0
    pin: int = 0
    taken: int = 0
    given: int = 0
    """Assignments, by kind: by an offer of that kind, a pin, or by hand."""
    overflowed: int = 0
    """Requests moved to another sub-portal."""
    converted: int = 0
    """Requests that became support requests."""

    def anew(self, t: int) -> Flow:
        """The broker is up: those who wait are here from now on."""
        return Flow(began=t, changed=t, length=self.length)

    def join(self, t: int) -> None:
        """A request stands in a line."""
        self._step(t, 1)
        self.joined += 1

    def leave(self, since: int, t: int) -> None:
        """One that has stood there since then doesn't any more."""
        self._step(t, -1)
        self.left += 1
        self.waited_ms += t - max(since, self.began)

    def assigned(self, kind: str) -> None:
        """A request has its representative."""
        setattr(self, kind, getattr(self, kind) + 1)

    def _step(self, t: int, change: int) -> None:
        self.length_ms += self.length * (t - self.changed)
        self.length += change
        self.changed = t
