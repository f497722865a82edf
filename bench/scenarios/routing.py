"""P5: complete requests a second, each step durable: request.create, offer, accept, assigned, session.end.

Closed loop: 400 customers always have a request; a representative accepts an offer as it reads it and ends the session
as it is opened. Counted: customers who read `request.assigned`. Open loop: arrivals by a Poisson process at half of the
closed loop's rate, whatever the broker does; sessions last 50 ms. Timed there: from the moment a request was due,
with a representative free, until the offer is read from a representative's socket; the p50 and p99 are in the
table. Every one of the three commands is answered after its commit (fsync), and offers and assignments leave after it.
All people follow `me` and nothing else: session and team streams would add readers to what is published anyway.

What would make the number lie: the load program as the limit (its share of its core is printed) or late (`late_us` in
the JSON is how late it sent); arrivals that found every representative busy or no idle customer (counted in the JSON,
and a note if there are any); a disk whose fsync costs nothing; the journal's writer is a process of its own, and is
pinned to the same core as the broker: "server %" is both; rates (raised in the configuration, as a note says).

The targets are absolute, and were set on a machine where the C floor's fan-out did 237,000 deliveries a second. So each
round runs that too, right before the loops: the yardstick says which part of that machine's speed this one has at the
moment, and the report shows the figures as they are and by that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, Final

import attrs

from bench.load import engine, routing
from bench.load.people import Person
from bench.load.routing import RoutingPlan
from bench.peers.broker import RAISED, Running, desk_file, names, running
from bench.peers.plain import FLOOR
from bench.report import Report, Target, Yardstick
from bench.scenarios.measure import measure, told

UNIT: Final = "requests/s"
SCENARIO: Final = "P5 routing"
CLOSED: Final = "closed loop"
OPEN: Final = "open loop at half"
YARDSTICK: Final = Yardstick(scenario="yardstick fan-out", case="1 in flight", server="C floor", figure=237_000.0)
TARGETS: Final = (
    Target(scenario=SCENARIO, case=CLOSED, bound=3000.0, yardstick=YARDSTICK),
    Target(scenario=SCENARIO, case=OPEN, bound=20.0, measure="p99_ms", at_most=True, yardstick=YARDSTICK),
)
SUBSCRIBERS: Final = 1000
YARDSTICK_SECONDS: Final = 2.0
CUSTOMERS: Final = 2000
REPRESENTATIVES: Final = 500
CAPACITY: Final = 4
ACTIVE: Final = 400
HOLD_US: Final = 50_000


@attrs.frozen(kw_only=True)
class Size:
    """How many take part."""

    customers: int = CUSTOMERS
    representatives: int = REPRESENTATIVES
    active: int = ACTIVE


def run(report: Report, *, rounds: int, seconds: float, size: Size | None = None, warm: float = 1.0) -> None:
    """``rounds`` times a fresh broker: the closed loop, then the open one at half the median rate found so far."""
    size = size or Size()
    report.note(RAISED)
    reps = names(size.representatives)
    desk = desk_file(kind="ask", mode="queue", representatives=reps, capacity=CAPACITY)
    found: list[float] = []
    for number in range(rounds):
        _hold_the_yardstick(report, number, min(seconds, YARDSTICK_SECONDS))
        with told(report, SCENARIO, number), running(desk) as broker:
            customers = broker.customers("ask", size.customers)
            staff = broker.representatives(reps)
            plan = _plan(customers, staff, seconds, warm)
            closed = attrs.evolve(plan, active=size.active, key=f"c{number}-")
            result = _measure(report, broker, closed, CLOSED, number)
            found.append(result["units"] / result["seconds"])
            rate = median(found) / 2
            opened = attrs.evolve(plan, rate=rate, hold_us=HOLD_US, key=f"o{number}-", seed=number + 1)
            _measure(report, broker, opened, OPEN, number)


def _hold_the_yardstick(report: Report, number: int, seconds: float) -> None:
    with told(report, YARDSTICK.server, number), FLOOR.fanout(SUBSCRIBERS) as wired:
        measure(
            report,
            wired.server,
            partial(engine.run, wired.fanout(1, 500, round(seconds * 1000))),
            scenario=YARDSTICK.scenario,
            case=YARDSTICK.case,
            round_=number,
            unit="deliveries/s",
        )


def _plan(customers: list[Person], staff: list[Person], seconds: float, warm: float) -> RoutingPlan:
    return RoutingPlan(
        customers=[person.hand_over() for person in customers],
        representatives=[person.hand_over() for person in staff],
        capacity=len(staff) * CAPACITY,
        subportal="help",
        key="",
        warm_ms=round(warm * 1000),
        measure_ms=round(seconds * 1000),
    )


def _measure(report: Report, broker: Running, plan: RoutingPlan, case: str, number: int) -> dict[str, Any]:
    def load(opened: Callable[[], None], closed: Callable[[], None]) -> dict[str, Any]:
        return routing.run(plan, opened, closed)

    result = measure(report, broker.server, load, scenario=SCENARIO, case=case, round_=number, unit=UNIT)
    for what in ("all_busy", "no_idle", "fails"):
        if result[what] and (case == OPEN or what == "fails"):
            report.note(f"{SCENARIO}, {case}, round {number + 1}: {what} {result[what]} of {result['asked']} requests")
    return result
