"""Token buckets: how often somebody may do something, counted without a timer."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class Bucket:
    """Holds up to ``burst`` tokens and gains ``per_second`` of them; starts full."""

    per_second: float
    burst: float
    tokens: float = attrs.field(init=False)
    at: int = attrs.field(init=False, default=0)
    """When ``tokens`` was true (ms)."""

    def __attrs_post_init__(self) -> None:
        self.tokens = self.burst

    def wait(self, now: int, cost: float = 1.0) -> int:
        """The ms until ``cost`` tokens could be taken; 0: now."""
        tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second / 1000)
        return 0 if tokens >= cost else 1 + int((cost - tokens) * 1000 / self.per_second)

    def give(self, now: int, cost: float = 1.0) -> None:
        """Put back what was taken for nothing."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second / 1000 + cost)
        self.at = now

    def take(self, now: int, cost: float = 1.0) -> int:
        """Take ``cost`` tokens and return 0; or take nothing and return the ms until there are enough."""
        tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second / 1000)
        self.at = now
        if tokens < cost:
            self.tokens = tokens
            return 1 + int((cost - tokens) * 1000 / self.per_second)
        self.tokens = tokens - cost
        return 0
