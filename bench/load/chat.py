"""Runs ``chat.c``: the plan of a closed or open loop of messages."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

import attrs

from bench.load.engine import LoadFailed, nothing, run_program

MAGIC: Final = 0x48474331
TEXT_BYTES: Final = 200


class Speech(IntEnum):
    """What the sides speak; see chat.c and chat_*.h."""

    FRAMES = 0  # the broker's protocol
    REDIS = 1  # RESP3
    NATS = 2  # JetStream
    POSTGRES = 3  # sides share connections
    AMQP = 4  # RabbitMQ


@attrs.frozen(kw_only=True)
class ChatPlan:
    """What chat.c is to do."""

    sides: Sequence[tuple[int, str]]
    """(descriptor, name of its conversation); 2n and 2n+1 talk to each other. A descriptor may serve many."""
    ears: Sequence[int] = ()
    """Descriptors that what was said comes by, where the sides' own only answer."""
    speech: Speech = Speech.FRAMES
    inflight: int
    """Closed loop: messages on their way in a conversation. Open loop: the most on their way from one side."""
    rate: float = 0.0
    """Open loop: messages a second of all together. 0: closed loop."""
    key: str
    """Begins every idempotency key; another one for each run."""
    run: int = 0
    """Which one it is over the same sockets: each has numbers of its own."""
    seed: int = 1
    warm_ms: int = 1000
    measure_ms: int = 5000
    drain_ms: int = 30_000
    stall_ms: int = 15_000
    """A server that syncs each message by itself may take in some thousands before it answers the first."""

    def pack(self) -> bytes:
        """The plan as chat.c reads it."""
        what = (int(self.rate > 0), self.speech, len(self.sides), self.inflight, TEXT_BYTES)
        times = (self.warm_ms, self.measure_ms, self.drain_ms, self.stall_ms)
        parts = [
            struct.pack("<14I", MAGIC, *what, round(self.rate * 1000), self.seed, *times, self.run, len(self.ears)),
            _text(self.key),
        ]
        for fd, name in (*self.sides, *((fd, "") for fd in self.ears)):
            parts += [struct.pack("<I", fd), _text(name)]
        return b"".join(parts)


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()


def run(plan: ChatPlan, at_warm: Callable[[], None] = nothing, at_end: Callable[[], None] = nothing) -> dict[str, Any]:
    """Run chat.c. The result: ``units`` (messages acknowledged and delivered), ``latency_us`` (until delivery),
    ``ack_us`` and more."""
    limit = (plan.warm_ms + plan.measure_ms + 3 * plan.drain_ms + 2 * plan.stall_ms) / 1000 + 10
    descriptors = {*(fd for fd, _ in plan.sides), *plan.ears}
    result = run_program("chat", plan.pack(), sorted(descriptors), limit, at_warm, at_end)
    if not result["units"]:
        raise LoadFailed(f"not one message went its whole way: {result}")
    return result
