"""The real desk, simulated, against queueing theory: P(wait), waits and abandonment within the error of the runs; and
faults planted into people and rules, which each of these checks must see."""

from collections.abc import Sequence
from functools import cache

import pytest

from broker.routing.estimate import wait
from broker.routing.model import make_key
from broker.routing.policies import POLICIES
from broker.routing.router import Router
from broker.simulation.engine import Estimate, Simulation
from broker.simulation.figures import Estimated, estimated, outcome
from broker.simulation.laws import Deterministic, Exponential
from broker.simulation.ledger import Ledger
from broker.units import SECONDS
from tests.simulation.queues import (
    ARRIVALS,
    FLOOR,
    GRAIN,
    RUNS,
    STANDARD_ERRORS,
    UNIT,
    Measured,
    Point,
    crew,
    deviations,
    live,
    measure,
    people,
    runs,
    truth,
)

pytestmark = pytest.mark.slow

IN_TABLES = [Point(5, 0.8), Point(10, 0.8), Point(5, 1.0, 1.0), Point(10, 1.2, 0.5)]
OTHERS = [Point(3, 0.65), Point(7, 0.75), Point(4, 0.9, 0.25)]


@pytest.fixture(scope="module")
def seed(request: pytest.FixtureRequest) -> int:
    """The first seed: the same in ``make test``, drawn in ``make deep``; ``--hypothesis-seed`` repeats it."""
    return int(request.config.getoption("hypothesis_seed")) * RUNS


def with_fault(point: Point, c: int, seed: int, *, mean: float = 1.0, patience: float | None = None) -> list[Measured]:
    """The runs of a point, but with so many representatives and these mean handle and patience times."""
    _, puts = crew(c)
    return [
        measure(
            live(
                people(
                    point,
                    seed + number,
                    c=c,
                    handle=Exponential(mean * UNIT),
                    patience=Exponential(patience * UNIT) if patience else None,
                ),
                puts,
            )
        )
        for number in range(RUNS)
    ]


@pytest.mark.parametrize("point", IN_TABLES + OTHERS, ids=str)
def test_the_simulated_desk_waits_as_theory_says(point: Point, seed: int) -> None:
    assert deviations(runs(point, seed), truth(point)) == []


def test_a_handle_time_that_is_a_tenth_too_long_is_seen(seed: int) -> None:
    point = Point(5, 0.8)
    assert deviations(with_fault(point, point.c, seed, mean=1.1), truth(point)) != []


def test_one_representative_too_few_or_too_many_is_seen(seed: int) -> None:
    point = Point(5, 0.8)
    assert deviations(with_fault(point, 6, seed), truth(point)) != []
    point = Point(3, 0.65)
    assert deviations(with_fault(point, 2, seed), truth(point)) != []


def test_a_patience_that_is_half_as_long_again_is_seen(seed: int) -> None:
    point = Point(10, 1.2, 0.5)
    assert deviations(with_fault(point, point.c, seed, patience=3.0), truth(point)) != []


# --- laws that need no table ---------------------------------------------------------------------


@pytest.mark.parametrize("point", [point for point in IN_TABLES + OTHERS if point.theta], ids=str)
def test_the_share_that_gives_up_is_the_patience_rate_times_the_mean_wait(point: Point, seed: int) -> None:
    assert off_the_law(point, runs(point, seed)) is None


def test_a_patience_with_a_memory_breaks_that_law(seed: int) -> None:
    point = Point(10, 1.2, 0.5)
    _, puts = crew(point.c)
    punctual = [
        measure(live(people(point, seed + number, patience=Deterministic(UNIT / point.theta)), puts))
        for number in range(RUNS)
    ]
    assert off_the_law(point, punctual) is not None


def off_the_law(point: Point, measured: Sequence[Measured]) -> str | None:
    """P(abandon) = theta E[W]: the two are measured in the same runs, so their difference is what is held against its
    own error."""
    over = estimated([one.abandoned - point.theta * one.mean for one in measured])
    assert over.mean is not None
    assert over.error is not None
    within = abs(over.mean) <= STANDARD_ERRORS * over.error + FLOOR * truth(point)["abandoned"]
    return None if within else f"P(abandon) - theta E[W] = {over.mean:.4f} ± {over.error:.4f}"


def test_one_pool_of_ten_waits_less_than_two_of_five_by_what_theory_says(seed: int) -> None:
    apart, together = runs(Point(5, 0.8), seed), runs(Point(10, 0.8), seed)
    saved = estimated([one.mean - other.mean for one, other in zip(apart, together, strict=True)])
    expected = truth(Point(5, 0.8))["mean"] - truth(Point(10, 0.8))["mean"]  # 0.5541 - 0.2046
    assert saved.mean is not None
    assert saved.error is not None
    assert abs(saved.mean - expected) <= STANDARD_ERRORS * saved.error + FLOOR * expected


def test_little_s_law_holds_for_a_line_that_somebody_else_measures(seed: int) -> None:
    looked, ledger = watch_the_line(Point(5, 0.8), seed)
    found = measure(ledger)
    assert looked == pytest.approx(found.arrival_rate * found.mean, rel=0.02)
    assert found.line == pytest.approx(looked, rel=0.02)


def test_a_line_that_is_counted_one_short_breaks_little_s_law(seed: int) -> None:
    looked, ledger = watch_the_line(Point(5, 0.8), seed, miscounted=1)
    found = measure(ledger)
    assert looked != pytest.approx(found.arrival_rate * found.mean, rel=0.02)


def watch_the_line(point: Point, seed: int, miscounted: int = 0) -> tuple[float, Ledger]:
    """(mean length of the line as the desk itself has it, looked at 20 times in a handle time; the run's ledger)."""
    looked: list[int] = []
    world = people(point, seed, arrivals=2 * ARRIVALS)
    _, puts = crew(point.c)

    def prepare(simulation: Simulation) -> None:
        simulation.probe(
            UNIT // 20, lambda desk, t: looked.append(sum(max(0, n - miscounted) for _, n in desk.lines()))
        )

    ledger = live(world, puts, prepare=prepare)
    return sum(looked) / len(looked), ledger


# --- what those who wait are told -----------------------------------------------------------------


def by_place(router: Router, request: str) -> int:
    """The expected wait of who is n-th in M/M/5 with everybody busy."""
    return round(router.position(request) * UNIT / 5)


@cache
def errors(point: Point, seed: int, estimate: Estimate) -> tuple[Estimated, Estimated]:
    """(mean error, mean absolute error), in handle times, of an estimate over the runs."""
    _, puts = crew(point.c)
    figures = [
        outcome(live(people(point, seed + number), puts, estimate=estimate), [], 0).figures for number in range(RUNS)
    ]
    mean, absolute = (
        estimated([(one[name] or 0.0) * SECONDS / UNIT for one in figures])
        for name in ("estimate_error", "estimate_absolute")
    )
    return mean, absolute


def test_who_is_nth_waits_n_handle_times_over_c_in_the_mean_and_the_hook_measures_that(seed: int) -> None:
    point = Point(5, 0.8)
    mean, _ = errors(point, seed, by_place)
    assert mean.mean is not None
    assert mean.error is not None
    allowed = STANDARD_ERRORS * mean.error + GRAIN
    assert abs(mean.mean) <= allowed
    assert abs(mean.mean - 1 / point.c) > allowed, "one place short would not be seen"


def test_what_the_broker_estimates_is_nearly_as_good_as_knowing_the_handle_time(seed: int) -> None:
    point = Point(5, 0.8)
    _, known = errors(point, seed, by_place)
    mean, measured = errors(point, seed, wait)
    assert known.mean is not None
    assert measured.mean is not None
    assert mean.mean is not None
    assert known.mean * 0.9 < measured.mean < known.mean * 1.25
    assert abs(mean.mean) < measured.mean / 2  # it errs to both sides


# --- who is chosen, and in which order -----------------------------------------------------------


def waits_by_policy(seed: int, simulation: type[Simulation] = Simulation) -> dict[str, Sequence[int]]:
    """Each customer's wait (ms) under each policy: the same customers."""
    world = people(Point(5, 0.8), seed)
    return {policy: measure(live(world, crew(5, policy=policy)[1], simulation=simulation)).waits for policy in POLICIES}


def test_equal_representatives_make_the_same_waits_under_each_policy(seed: int) -> None:
    first, *others = waits_by_policy(seed).values()
    assert sum(first) > 0
    assert all(other == first for other in others)


class Uneven(Simulation):
    """One representative takes twice as long."""

    def _at(self, t: int, act: object, *args: object) -> None:
        slow = act == self._finish and args[1] == "team-1"
        super()._at(t + (t - self.now if slow else 0), act, *args)  # type: ignore[arg-type]


def test_a_slow_representative_makes_the_policies_differ(seed: int) -> None:
    first, *others = waits_by_policy(seed, Uneven).values()
    assert any(other != first for other in others)


def test_last_come_first_served_keeps_the_mean_wait_and_spreads_it_more(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    point = Point(5, 0.8)
    fifo = runs(point, seed)
    monkeypatch.setattr(
        "broker.desk.requests.make_key", lambda t, number, request, boost: make_key(-t, -number, request)
    )
    lifo = [measure(live(people(point, seed + number), crew(point.c)[1])) for number in range(RUNS)]
    means = estimated([one.mean - other.mean for one, other in zip(lifo, fifo, strict=True)])
    wider = sum(one.variance > other.variance for one, other in zip(lifo, fifo, strict=True))
    assert means.mean is not None
    assert means.error is not None
    assert abs(means.mean) <= STANDARD_ERRORS * means.error + FLOOR * truth(point)["mean"]
    assert wider == RUNS, "the line was not turned round"  # by chance alone: once in 256 times
