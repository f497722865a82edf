"""Runs ``routing.c``: the plan of a closed or open loop of requests."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]

from bench.load.engine import LoadFailed, nothing, run_program

MAGIC: Final = 0x48475231
DIGITS: Final = b"00000000"
QUESTION: Final = DIGITS.decode() + " How do I change the address my invoices are sent to?"


@attrs.frozen(kw_only=True)
class RoutingPlan:
    """What routing.c is to do."""

    customers: Sequence[int]
    """Descriptors of signed-in customers who follow ``me``."""
    representatives: Sequence[int]
    """The same of available representatives."""
    capacity: int
    """Sessions that all of them can hold together."""
    subportal: str
    active: int = 0
    """Closed loop: customers with a request at any time. 0: open loop."""
    rate: float = 0.0
    """Open loop: arrivals a second."""
    hold_us: int = 0
    key: str
    """Begins every idempotency key; another one for each run."""
    seed: int = 1
    warm_ms: int = 1000
    measure_ms: int = 5000
    drain_ms: int = 2000
    stall_ms: int = 3000

    def pack(self) -> bytes:
        """The plan as routing.c reads it."""
        args = msgpack.packb({"subportal": self.subportal, "text": QUESTION})
        people = (len(self.customers), len(self.representatives), self.active)
        pace = (round(self.rate * 1000), self.hold_us, self.capacity, self.seed)
        times = (self.warm_ms, self.measure_ms, self.drain_ms, self.stall_ms)
        texts = b"".join(struct.pack("<I", len(text)) + text for text in (args, self.key.encode()))
        fds = [*self.customers, *self.representatives]
        return (
            struct.pack("<14I", MAGIC, int(self.active == 0), *people, *pace, *times, args.index(DIGITS))
            + texts
            + struct.pack(f"<{len(fds)}I", *fds)
        )


def run(
    plan: RoutingPlan, at_warm: Callable[[], None] = nothing, at_end: Callable[[], None] = nothing
) -> dict[str, Any]:
    """Run routing.c. The result: ``units`` (assigned requests), ``latency_us`` (until the offer) and more."""
    limit = (plan.warm_ms + plan.measure_ms + plan.drain_ms + 2 * plan.stall_ms) / 1000 + 10
    result = run_program("routing", plan.pack(), [*plan.customers, *plan.representatives], limit, at_warm, at_end)
    if not result["units"]:
        raise LoadFailed(f"not one request was assigned: {result}")
    return result
