"""Textbook lines for the simulation's tests: one sub-portal, ``c`` representatives of capacity 1, and what theory says.

A run's figures are means over one correlated path, so their error can't be had from the run itself. Each point is run
``k`` times with seeds of its own; the runs are independent, and the standard error of their mean is sd / sqrt(k).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import attrs
from hypothesis import settings

from broker.simulation.day import Crew, Day, Traffic, crew_puts, members
from broker.simulation.engine import Estimate, Simulation
from broker.simulation.erlang import erlang_a, erlang_c
from broker.simulation.figures import Outcome, estimated, outcome
from broker.simulation.laws import Exponential, Law, Never
from broker.simulation.ledger import Ledger
from broker.simulation.puts import Put
from broker.simulation.world import World
from broker.units import HOURS, SECONDS

SCALE: Final = settings().max_examples // settings.get_profile("default").max_examples
"""1, and 100 in ``make deep``: ten times the runs, each ten times as long."""
DEEP: Final = SCALE > 1
GROWTH: Final = math.isqrt(SCALE)
RUNS: Final = 8 * GROWTH
ARRIVALS: Final = 1000 * GROWTH
"""Counted in one run, beside those of the warm-up."""
STANDARD_ERRORS: Final = 4 if DEEP else 3
"""How far a mean may lie from the truth. Three, and the seeds are the same each time. ``make deep`` draws new ones:
with two dozen checks, three would give a false alarm in one of fifteen runs, four in one of 600. As its errors are a
tenth, it still sees much more."""
UNIT: Final = 100 * SECONDS
"""One mean handle time: long enough that whole milliseconds don't matter."""
RELAXATIONS: Final = 6
"""Warm-up in relaxation times. The runs begin empty, and what is left of that decays as exp(-t / relaxation time)."""
FLOOR: Final = math.exp(-RELAXATIONS)
"""Of the true value, beside the sampling error: what is left of the empty beginning, 0.25 %."""
GRAIN: Final = 1 / UNIT
"""The same for times: what a millisecond is in handle times."""


@attrs.frozen
class Point:
    """M/M/c (``theta`` 0) or M/M/c+M, by representatives, load for each, and patience rate."""

    c: int
    rho: float
    theta: float = 0.0

    @property
    def load(self) -> float:
        """Erlangs."""
        return self.c * self.rho

    @property
    def warm_up(self) -> float:
        """In handle times. M/M/c forgets its beginning at the rate (sqrt(c) - sqrt(load))² (Kleinrock, "Queueing
        Systems" 1, section 2.13, for one; Cohen for many); with patience nobody's stay is longer than the slower of
        both exponentials."""
        if self.theta:
            return RELAXATIONS / min(1.0, self.theta)
        return RELAXATIONS / (math.sqrt(self.c) - math.sqrt(self.load)) ** 2


@attrs.frozen(kw_only=True)
class Measured:
    """One run. Times in handle times."""

    waited: float
    abandoned: float
    mean: float
    variance: float
    p95: float
    line: float
    arrival_rate: float
    waits: Sequence[int]
    """ms, in the order of arrival."""


def crew(c: int, **more: Any) -> tuple[Crew, tuple[Put, ...]]:
    """``c`` representatives of one sub-portal, and their configuration; ``more``: arguments of ``subportal.put``."""
    made = Crew(team="team", count=c, capacity=1, subportals=("line",))
    puts = crew_puts([made])
    return made, (*puts, Put("subportal.put", {"subportal": "line", **more})) if more else puts


def people(
    point: Point,
    seed: int,
    *,
    c: int | None = None,
    handle: Law | None = None,
    patience: Law | None = None,
    arrivals: int = ARRIVALS,
) -> World:
    """The customers of one run of a point, and its representatives, or ``c`` of them."""
    if patience is None:
        patience = Exponential(UNIT / point.theta) if point.theta else Never()
    rate = point.load * HOURS / UNIT
    warm_up = round(point.warm_up * UNIT)
    traffic = Traffic(subportal="line", rates=(rate,), handle=handle or Exponential(UNIT), patience=patience)
    hours = arrivals / rate + warm_up / HOURS
    made, _ = crew(c or point.c)
    return Day(traffic=[traffic], representatives=members(made), hours=hours, warm_up=warm_up).world(seed)


def live(
    world: World,
    puts: Sequence[Put],
    *,
    simulation: type[Simulation] = Simulation,
    estimate: Estimate | None = None,
    prepare: Callable[[Simulation], object] = lambda simulation: None,
) -> Ledger:
    """One run's ledger."""
    ran = simulation(world, puts, 1, watchers=lambda desk, world: (Ledger(desk, world),), estimate=estimate)
    prepare(ran)
    ran.run()
    (ledger,) = ran.watchers
    assert isinstance(ledger, Ledger)
    ledger.close()
    return ledger


def measure(ledger: Ledger) -> Measured:
    """A run's figures, in handle times."""
    found: Outcome = outcome(ledger, [], 0)
    figures = {name: value or 0.0 for name, value in found.figures.items()}
    unit = UNIT / SECONDS
    mean = figures["wait_mean"] / unit
    squares = math.fsum((wait / UNIT) ** 2 for wait in found.waits) / len(found.waits)
    return Measured(
        waited=figures["waited"],
        abandoned=figures["abandoned"],
        mean=mean,
        variance=squares - mean * mean,
        p95=figures["wait_p95"] / unit,
        line=figures["line"],
        arrival_rate=figures["requests"] / ((ledger.last - ledger.first) / UNIT),
        waits=found.waits,
    )


@cache
def runs(point: Point, seed: int) -> tuple[Measured, ...]:
    """All the runs of a point."""
    _, puts = crew(point.c)
    return tuple(measure(live(people(point, seed + number), puts)) for number in range(RUNS))


def truth(point: Point) -> dict[str, float]:
    """Figure to what theory says."""
    if point.theta:
        impatient = erlang_a(point.c, point.load, point.theta)
        return {
            "waited": impatient.probability,
            "abandoned": impatient.abandoned,
            "mean": impatient.mean,
            "line": impatient.line,
        }
    waiting = erlang_c(point.c, point.load)
    return {
        "waited": waiting.probability,
        "mean": waiting.mean,
        "p95": waiting.quantile(0.95),
        "line": waiting.line,
    }


def deviations(measured: Sequence[Measured], expected: dict[str, float]) -> list[str]:
    """Which figures lie further from the truth than the runs' own error explains: a sentence each."""
    found = []
    for name, value in expected.items():
        over = estimated([getattr(one, name) for one in measured])
        assert over.mean is not None
        assert over.error is not None
        allowed = STANDARD_ERRORS * over.error + FLOOR * value + (GRAIN if name in ("mean", "p95") else 0)
        if abs(over.mean - value) > allowed:
            found.append(f"{name}: {over.mean:.4f} ± {over.error:.4f}, where theory says {value:.4f}")
    return found
