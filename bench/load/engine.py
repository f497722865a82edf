"""Runs ``engine.c`` and ``routing.c``: writes the plan, hands the sockets over, reads the result.

The two lines that the programs print (``warm``, ``measured``) mark the window; ``at_warm`` and
``at_end`` are called then, so that the server's CPU time is taken over the same window.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final

import attrs

from bench.load.build import program

MAGIC: Final = 0x48474231
LOAD_CORE: Final = 1
CORES: Final = frozenset(os.sched_getaffinity(0))  # before anything is pinned


class Mode(IntEnum):
    """How units answer each other; see engine.c."""

    PINGPONG = 0
    FANOUT = 1


class Framing(IntEnum):
    """How units are told apart in what a server sends."""

    FRAMES = 0  # msgpack frames of the protocol, packed in WebSocket messages
    OPAQUE = 1  # a WebSocket message is a unit
    NATS = 2
    MQTT = 3


class LoadFailed(Exception):
    """The load program ended badly or measured nothing; the text is its own."""


@attrs.frozen(kw_only=True)
class Member:
    """One link's part in a plan."""

    fd: int
    source: int
    """Whose units arrive here: an index into the plan's links."""
    canned: Sequence[bytes]
    """Client messages ready for the wire, sent in turn and from the start again."""
    initial: int = 0
    """Units sent to begin with: this is what keeps so many in flight."""
    publisher: bool = False


@attrs.frozen(kw_only=True)
class Plan:
    """What engine.c is to do. Times in milliseconds."""

    mode: Mode
    framing: Framing
    members: Sequence[Member]
    inflight: int
    unit_kind: int = 0
    unit_min: int = 1
    """Bytes a unit has at least; smaller messages are something else."""
    per_message: int = 1
    warm_ms: int = 500
    measure_ms: int = 3000
    drain_ms: int = 1000
    stall_ms: int = 3000
    max_units: int = 2**32 - 1

    def pack(self) -> bytes:
        """The plan as engine.c reads it."""
        what = (self.mode, self.framing, self.inflight, len(self.members), self.per_message)
        units = (self.unit_kind, self.unit_min)
        times = (self.warm_ms, self.measure_ms, self.drain_ms, self.stall_ms)
        parts = [struct.pack("<13I", MAGIC, *what, *units, *times, self.max_units)]
        for m in self.members:
            parts.append(struct.pack("<5I", m.fd, m.source, m.initial, m.publisher, len(m.canned)))
            parts.extend(struct.pack("<I", len(c)) + c for c in m.canned)
        return b"".join(parts)

    @property
    def limit(self) -> float:
        """Seconds after which the program must be over."""
        return (self.warm_ms + self.measure_ms + self.drain_ms + 2 * self.stall_ms) / 1000 + 10


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """Children started inside belong on this core; where there is only one, on that."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & CORES or CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run_program(
    name: str, plan: bytes, fds: Sequence[int], limit: float, at_warm: Callable[[], None], at_end: Callable[[], None]
) -> dict[str, Any]:
    """Run one C program over these descriptors and return its line of JSON."""
    path = program(name)
    with on_core(LOAD_CORE):
        child = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=list(fds))
    assert child.stdin is not None
    assert child.stdout is not None
    result: dict[str, Any] | None = None
    watchdog = threading.Timer(limit, child.kill)
    watchdog.start()
    try:
        child.stdin.write(plan)
        child.stdin.close()
        for line in child.stdout:
            if line == b"warm\n":
                at_warm()
            elif line == b"measured\n":
                at_end()
            else:
                result = json.loads(line)
        child.wait()
    except BrokenPipeError:
        pass  # it ended before it had read the plan: the missing result says so below
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
    if result is None:
        raise LoadFailed(f"{name}.c ended with {child.returncode} and no result; its reason is above")
    return result


def nothing() -> None:
    """For callers that watch nothing."""


def run(plan: Plan, at_warm: Callable[[], None] = nothing, at_end: Callable[[], None] = nothing) -> dict[str, Any]:
    """Run engine.c. The result: ``seconds``, ``units``, ``cpu`` (its own seconds), ``latency_us``, ``kinds`` and more.

    Raises ``LoadFailed`` where nothing was measured."""
    result = run_program("engine", plan.pack(), [m.fd for m in plan.members], plan.limit, at_warm, at_end)
    if not result["units"]:
        raise LoadFailed(f"not one unit came: {result}")
    return result
