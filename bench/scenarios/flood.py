"""P9: the open loop of `routing` with and without a flood, at the same rate: what an attack costs those who are served.

Each flood keeps to a rate of its own (``bench.load.flood.KINDS``), from 16 addresses of 127/8. Timed as in `routing`:
from when a request was due until its offer is read. The broker has a core of its own; the load and the flooder share
the other, the flooder with the lowest priority. Of this machine's addresses only the load's own is trusted here
(`limits.trusted_networks`), or no limit would hold. The rates of commands are raised as far as the load, which prefers
the same few people, needs it; all other limits are those by default.

What would make the number lie: a flooder that doesn't reach its rate (what it reached is in the report); a load that is
late because the flooder has its core (`late_us` in the JSON); a rate of requests so low that the broker has time for
both.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any, Final

import attrs

from bench.load import routing as load
from bench.load.engine import LOAD_CORE, LoadFailed, on_core
from bench.load.flood import KINDS
from bench.load.routing import RoutingPlan
from bench.peers.broker import ROOT, Running, desk_file, names, running
from bench.report import Report
from bench.scenarios.measure import measure, told

SCENARIO: Final = "P9 flood"
UNIT: Final = "requests/s"
QUIET: Final = "no flood"
RATE: Final = 200.0
CUSTOMERS: Final = 400
REPRESENTATIVES: Final = 100
CAPACITY: Final = 4
HOLD_US: Final = 50_000
GOAL: Final = 2.0
PINS: Final = '[[portal]]\nportal = "pins"\nkind = "pin"\nmode = "phone"\nsubportals = ["phone"]\n'
REFUSED: Final = re.compile(r"^huntgroup_refused_(\w+)_count_total\{\w+=\"(\w+)\"\} (\S+)$", re.MULTILINE)


def run(report: Report, *, rounds: int, seconds: float, rate: float = RATE, people: int = CUSTOMERS) -> None:
    """``rounds`` times: for each flood a fresh broker, the quiet loop first, then the same under the flood."""
    reps = names(min(REPRESENTATIVES, people))
    desk = desk_file(kind="ask", mode="queue", representatives=reps, capacity=CAPACITY) + PINS
    ratios: dict[str, list[float]] = {}
    for number in range(rounds):
        for kind in KINDS:
            with told(report, f"{SCENARIO} {kind}", number), running(desk, untrusted=True) as broker:
                plan = RoutingPlan(
                    customers=[person.hand_over() for person in broker.customers("ask", people)],
                    representatives=[person.hand_over() for person in broker.representatives(reps)],
                    capacity=len(reps) * CAPACITY,
                    subportal="help",
                    rate=rate,
                    hold_us=HOLD_US,
                    key="",
                    measure_ms=round(seconds * 1000),
                )
                ratios.setdefault(kind, []).append(_both(report, broker, plan, kind, number))
    for kind, found in ratios.items():
        each = ", ".join(f"{ratio:.2f}" for ratio in found)
        report.note(f"{SCENARIO}, {kind}: p99 {median(found):.2f} x of without ({each}); goal: {GOAL:.0f} x")


def _both(report: Report, broker: Running, plan: RoutingPlan, kind: str, number: int) -> float:
    """Without the flood and with it; by what p99 grew."""
    quiet = attrs.evolve(plan, key=f"q{number}-")
    before = _measure(report, broker, quiet, f"{QUIET}, before {kind}", number)["latency_us"]["p99"]
    memory, refused = sum(broker.server.memory_kib().values()), _refused(broker)
    with flooding(kind, broker) as flooder:
        found = _measure(report, broker, attrs.evolve(plan, key=f"f{number}-"), kind, number)
        after, then = sum(broker.server.memory_kib().values()), _refused(broker)
    more = {name: round(count - refused.get(name, 0)) for name, count in then.items()}
    said = ", ".join(f"{name} {count}" for name, count in more.items() if count)
    report.note(
        f"{SCENARIO}, {kind}, round {number + 1}: the flooder reached {_ended(flooder)}; refused: {said}; memory "
        f"{(after - memory) / 1024:+.1f} MiB"
    )
    return float(found["latency_us"]["p99"] / before)


@contextmanager
def flooding(kind: str, broker: Running) -> Iterator[subprocess.Popen[str]]:
    """The flood of this kind runs inside, in a process of its own on the load's core."""
    command = [sys.executable, "-m", "bench.load.flood", kind, str(broker.server.port)]
    with on_core(LOAD_CORE):
        flooder = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert flooder.stdout is not None
        if flooder.stdout.readline() != "flooding\n":
            raise LoadFailed(f"the flooder ({kind}) did not begin; its reason is above")
        yield flooder
    finally:
        flooder.terminate()


def _ended(flooder: subprocess.Popen[str]) -> str:
    """What it says at its end."""
    said = json.loads(flooder.communicate()[0])
    return ", ".join(f"{count}/s {name}" for name, count in said.items() if count)


def _refused(broker: Running) -> dict[str, float]:
    """Whom the broker turned away so far, by why."""
    with urllib.request.urlopen(f"http://127.0.0.1:{broker.server.port}/metrics", timeout=20) as page:
        return {f"{what}/{why}": float(count) for what, why, count in REFUSED.findall(page.read().decode())}


def _measure(report: Report, broker: Running, plan: RoutingPlan, case: str, number: int) -> dict[str, Any]:
    return measure(
        report, broker.server, partial(load.run, plan), scenario=SCENARIO, case=case, round_=number, unit=UNIT
    )
