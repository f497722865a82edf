"""The statistics accept runs of ten servers as they should be, and refuse what isn't so: faults planted into made-up
runs."""

import random
from collections.abc import Callable

import pytest

from tests.soak import theory
from tests.soak.trace import SERVERS, Run, Visit, figures

pytestmark = pytest.mark.slow

RUNS, REQUESTS, WARM_UP = 8, 2500, 300
HANDLE = 100.0


def conversation(chance: random.Random) -> float:
    return chance.expovariate(1 / HANDLE)


def exponential(chance: random.Random) -> float:
    return chance.expovariate(1 / (2 * HANDLE))


def punctual(chance: random.Random) -> float:
    return 2 * HANDLE


def made_up(
    seed: int,
    *,
    load: float,
    servers: int = SERVERS,
    latency: float = 3.0,
    slow: float = 0.0,
    bunch: int = 1,
    patience: Callable[[random.Random], float] | None = None,
) -> Run:
    """One run of a line, first come, first served. ``slow``: how long a free place goes unnoticed while somebody waits;
    ``bunch``: how many come at once, as often as makes the same rate."""
    chance = random.Random(seed)
    visits: list[Visit] = []
    handles: dict[str, float] = {}
    patiences: dict[str, float] = {}
    free, t = [0.0] * servers, 0.0
    for number in range(WARM_UP + REQUESTS):
        if number % bunch == 0:
            t += chance.expovariate(load / HANDLE / bunch)
        name = f"r_{number}"
        handles[name] = conversation(chance)
        patiences[name] = patience(chance) if patience is not None else 1e9
        full = min(free) > t
        start = min(free) + slow if full else t
        visit = Visit(request=name, created=int(t), busy=SERVERS if full else 0, line=0)
        visits.append(visit)
        if start - t > patiences[name]:
            visit.ended = int(t + patiences[name])
            continue
        end = start + latency + handles[name]
        free[free.index(min(free))] = end
        visit.offered, visit.assigned, visit.freed, visit.ended = int(start), int(start), int(end), int(end)
    return figures(visits, handles, patiences, handle=HANDLE, warm_up=WARM_UP)


def refused(checks: list[theory.Check]) -> list[str]:
    return [check.name for check in checks if not check.holds]


def patient(**fault: float) -> list[str]:
    return refused(theory.patient([made_up(seed, load=8.0, **fault) for seed in range(RUNS)]))  # type: ignore[arg-type]


def impatient(patience: Callable[[random.Random], float] = exponential, **fault: float) -> list[str]:
    runs = [made_up(seed, load=10.0, patience=patience, **fault) for seed in range(RUNS)]  # type: ignore[arg-type]
    return refused(theory.impatient(runs, 2 * HANDLE))


def test_ten_servers_are_accepted() -> None:
    assert patient() == []
    assert impatient() == []


def test_nine_servers_are_refused() -> None:
    assert patient(servers=9) == ["P(wait)", "mean wait"]
    assert impatient(servers=9) == ["P(wait)", "P(abandon)", "mean wait"]


def test_eleven_servers_are_refused() -> None:
    assert patient(servers=11) == ["P(wait)", "mean wait"]
    assert impatient(servers=11) == ["P(wait)", "P(abandon)", "mean wait"]


def test_places_that_stay_free_while_somebody_waits_are_refused() -> None:
    assert "mean wait" in patient(slow=10.0)


@pytest.mark.parametrize("latency", [0.0, 1.0, 10.0])
def test_latency_is_load_and_no_fault(latency: float) -> None:
    assert patient(latency=latency) == []
    assert impatient(latency=latency) == []


def test_patience_with_a_memory_breaks_its_law() -> None:
    assert "P(abandon) - theta E[W]" in impatient(punctual)


def test_a_generator_that_sends_in_bunches_or_too_slowly_is_noticed() -> None:
    runs = [made_up(seed, load=8.0) for seed in range(RUNS)]
    assert refused(theory.poisson(runs, 0.08)) == []
    assert refused(theory.poisson(runs, 0.085)) == ["arrivals a second"]
    bunched = [made_up(seed, load=8.0, bunch=2) for seed in range(RUNS)]
    assert refused(theory.poisson(bunched, 0.08)) == ["variation of the gaps"]


def test_a_load_without_a_steady_state_is_told_as_that() -> None:
    with pytest.raises(theory.Overloaded, match=r"latency of 30\.0 ms makes the load 10\.\d\d erlangs"):
        patient(latency=30.0)


def test_three_runs_know_little_of_their_own_error_and_may_lie_further_off() -> None:
    margins = [theory.patient([made_up(seed, load=8.0) for seed in range(runs)])[0].margin for runs in (3, 10)]
    assert margins == [8.1, 3]


def test_the_figures_of_a_check_are_told() -> None:
    (waited, _) = theory.patient([made_up(seed, load=8.0) for seed in range(2)])
    assert str(waited).startswith("P(wait): 0.")
    assert str(waited).endswith(": holds")
