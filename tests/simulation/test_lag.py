"""The lag between sub-portals that share representatives stays within its bound (F9), and a broken share is seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.simulation.day import Crew, Day, Traffic, crew_puts, members
from broker.simulation.engine import Simulation
from broker.simulation.lag import Lag, LagWatcher
from broker.simulation.laws import INSTANT, Deterministic, Exponential
from broker.simulation.puts import Put
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import HOURS

SIX = Crew(team="blue", count=6, capacity=1, subportals=("x", "y"))


def weighted(crew: Crew, **weights: int) -> tuple[Put, ...]:
    puts = [Put("subportal.put", {"subportal": name, "weight": weight}) for name, weight in weights.items()]
    return (*crew_puts([crew]), *puts)


def lags(world: World, puts: tuple[Put, ...], believed: dict[str, int] | None = None) -> list[Lag]:
    """What the watcher found; ``believed``: the weights that it is made to believe in."""
    ran = Simulation(world, puts, 1, watchers=lambda desk, world: (LagWatcher(desk, world),))
    (watcher,) = ran.watchers
    assert isinstance(watcher, LagWatcher)
    if believed is not None:
        watcher._weights = believed
    ran.run()
    return watcher.lags()


def burst() -> World:
    """1,000 of x at once, then 300 of y."""
    arrivals = [Arrival(t=0, subportal="x", handle=1000 + n % 7, patience=None) for n in range(1000)]
    arrivals += [Arrival(t=1, subportal="y", handle=1000 + n % 5, patience=None) for n in range(300)]
    turns = [Turn(0, name, available=True) for name in members(SIX)]
    return World(start=0, until=HOURS, arrivals=arrivals, turns=turns)


def test_f9_two_to_one_over_six_representatives_stays_within_one_and_a_half() -> None:
    (found,) = lags(burst(), weighted(SIX, x=2, y=1))
    assert found.pair == ("x", "y")
    assert found.bound == 1.5
    assert 0.5 <= found.lag <= 1.5


def test_f9_shares_that_are_not_by_weight_are_seen() -> None:
    (found,) = lags(burst(), weighted(SIX, x=1, y=1), believed={"x": 2, "y": 1})
    assert found.lag > 20


def test_f9_where_sessions_take_two_places_lag_and_bound_are_twice_as_wide() -> None:
    crew = Crew(team="blue", count=6, capacity=2, subportals=("x", "y"))
    first, *others = weighted(crew, x=2, y=1)
    (found,) = lags(burst(), (Put(first.op, {**first.args, "places": 2}), *others))
    assert found.bound == 3
    assert 1 <= found.lag <= 3


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    weights=st.tuples(*[st.integers(1, 5)] * 3),
    declined=st.sampled_from([0.0, 0.1, 0.4]),
    silent=st.sampled_from([0.0, 0.1]),
    slow=st.booleans(),
)
def test_f9_the_lag_stays_within_its_bound_whatever_is_declined(
    seed: int,
    weights: tuple[int, int, int],
    declined: float,
    silent: float,
    slow: bool,  # noqa: FBT001 (drawn)
) -> None:
    crew = Crew(team="blue", count=3, capacity=2, subportals=("x", "y", "z"))
    traffic = [
        Traffic(subportal=name, rates=(180.0,), handle=Deterministic(60_000), patience=Exponential(200_000))
        for name in "xyz"
    ]
    answers = Answers(latency=Exponential(5000) if slow else INSTANT, declined=declined, silent=silent)
    day = Day(traffic=traffic, representatives=members(crew), answers=answers, hours=0.25)
    x, y, z = weights
    for found in lags(day.world(seed), weighted(crew, x=x, y=y, z=z)):
        assert found.lag <= found.bound + 1e-9


def test_offers_that_come_back_widen_the_bound_by_no_more_than_were_out_at_once() -> None:
    day = Day(
        traffic=[Traffic(subportal=name, rates=(400.0,), handle=Deterministic(60_000)) for name in "xy"],
        representatives=members(SIX),
        answers=Answers(declined=0.2),
        hours=0.5,
    )
    (found,) = lags(day.world(1), weighted(SIX, x=1, y=1))
    assert 2 < found.bound <= 2 + 2 * 6


def test_sub_portals_that_share_nobody_have_no_lag() -> None:
    puts = (
        Put("portal.put", {"portal": "p", "kind": "button", "mode": "queue", "subportals": ["x", "y"]}),
        *(put for crew in (Crew(team="a", count=1, capacity=1, subportals=("x",)),
                           Crew(team="b", count=1, capacity=1, subportals=("y",)))
          for put in crew_puts([crew]) if put.op != "portal.put"),
    )  # fmt: skip
    day = Day(
        traffic=[Traffic(subportal=name, rates=(60.0,)) for name in "xy"], representatives=["a-1", "b-1"], hours=2
    )
    assert lags(day.world(1), puts) == []


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_a_sub_portal_that_was_alone_pays_nothing_and_its_lone_time_counts_for_nothing(order: tuple[str, str]) -> None:
    first, second = order
    arrivals = [Arrival(t=0, subportal=first, handle=1000, patience=None) for _ in range(300)]
    arrivals += [Arrival(t=20_000, subportal=second, handle=1000, patience=None) for _ in range(50)]
    turns = [Turn(0, name, available=True) for name in members(SIX)]
    (found,) = lags(World(start=0, until=HOURS, arrivals=arrivals, turns=turns), weighted(SIX, x=1, y=1))
    assert found.lag <= found.bound == 2.0
