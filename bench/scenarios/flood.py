"""P9: the open loop of `routing` with and without a flood, at the same rate: what an attack costs those who are served.

Floods: half-open sockets that are opened again as they are dropped, and HELLOs with bad tokens, from 64 addresses of
127/8 each, as fast as one process can. Timed as in `routing`: from when a request was due until its offer is read. The
broker has a core of its own; the load and the flooder share the other, so the flooder is no faster than that allows.
Of this machine's addresses only the load's own is trusted here (`limits.trusted_networks`), or no limit would hold.

What would make the number lie: a flooder that is starved by the load (its attempts a second are in the JSON); a load
that is late because the flooder has its core (`late_us`); a rate so low that the broker has time for both.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from bench.load import routing as load
from bench.load.engine import LOAD_CORE, on_core
from bench.load.routing import RoutingPlan
from bench.peers.broker import RAISED, ROOT, Running, desk_file, names, running
from bench.report import Report
from bench.scenarios.measure import measure, told

SCENARIO: Final = "P9 flood"
UNIT: Final = "requests/s"
QUIET: Final = "no flood"
FLOODS: Final = ("half-open", "bad-hello")
RATE: Final = 200.0
CUSTOMERS: Final = 400
REPRESENTATIVES: Final = 100
CAPACITY: Final = 4
HOLD_US: Final = 50_000
GOAL: Final = 2.0


def run(report: Report, *, rounds: int, seconds: float, rate: float = RATE, people: int = CUSTOMERS) -> None:
    """``rounds`` times: a fresh broker, the quiet loop first, then the same under each flood."""
    report.note(RAISED)
    reps = names(min(REPRESENTATIVES, people))
    desk = desk_file(kind="ask", mode="queue", representatives=reps, capacity=CAPACITY)
    for number in range(rounds):
        with told(report, SCENARIO, number), running(desk, untrusted=True) as broker:
            fds = [person.hand_over() for person in broker.customers("ask", people)]
            staff = [person.hand_over() for person in broker.representatives(reps)]
            quiet = 0.0
            for case in (QUIET, *FLOODS):
                plan = RoutingPlan(
                    customers=fds,
                    representatives=staff,
                    capacity=len(staff) * CAPACITY,
                    subportal="help",
                    rate=rate,
                    hold_us=HOLD_US,
                    key=f"{case}{number}-",
                    measure_ms=round(seconds * 1000),
                )
                with flooding(case, broker):
                    p99 = _measure(report, broker, plan, case, number)["latency_us"]["p99"]
                quiet = quiet or p99
                if case != QUIET:
                    report.note(f"{SCENARIO}, {case}, round {number + 1}: p99 {p99 / quiet:.2f} x (goal: {GOAL:.0f} x)")


@contextmanager
def flooding(case: str, broker: Running) -> Iterator[None]:
    """The flood of this case runs inside, in a process of its own on the load's core."""
    if case == QUIET:
        yield
        return
    command = [sys.executable, "-m", "bench.load.flood", case, str(broker.server.port)]
    with on_core(LOAD_CORE):
        flooder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert flooder.stdout is not None
        flooder.stdout.readline()
        yield
    finally:
        flooder.kill()
        flooder.communicate()


def _measure(report: Report, broker: Running, plan: RoutingPlan, case: str, number: int) -> dict[str, Any]:
    return measure(
        report, broker.server, partial(load.run, plan), scenario=SCENARIO, case=case, round_=number, unit=UNIT
    )
