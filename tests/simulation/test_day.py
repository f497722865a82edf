"""Made-up days: the same seed gives the same people, one change moves nobody else, shifts begin and end on time."""

import attrs
import pytest

from broker.simulation import setting
from broker.simulation.day import Crew, Day, Traffic, crew_puts, members, parse_shifts
from broker.simulation.laws import Deterministic, Exponential, Lognormal
from broker.simulation.world import Turn
from broker.units import HOURS

DAY = Day(
    traffic=[Traffic(subportal="x", rates=(60.0,)), Traffic(subportal="y", rates=(30.0,))], representatives=["ann"]
)


def test_the_same_seed_gives_the_same_people_and_another_gives_others() -> None:
    assert DAY.world(1) == DAY.world(1)
    assert DAY.world(1).arrivals != DAY.world(2).arrivals


def test_arrivals_of_all_sub_portals_come_in_order() -> None:
    world = DAY.world(1)
    times = [arrival.t for arrival in world.arrivals]
    assert times == sorted(times)
    assert {arrival.subportal for arrival in world.arrivals} == {"x", "y"}
    assert all(0 <= t < world.until == 24 * HOURS for t in times)


def test_another_handle_time_for_one_moves_nobody_else() -> None:
    slower = attrs.evolve(DAY, traffic=[attrs.evolve(DAY.traffic[0], handle=Lognormal(1000, 2)), DAY.traffic[1]])
    before, after = DAY.world(1).arrivals, slower.world(1).arrivals
    assert [(one.t, one.subportal) for one in before] == [(one.t, one.subportal) for one in after]
    assert [one for one in before if one.subportal == "y"] == [one for one in after if one.subportal == "y"]
    assert [one.handle for one in before] != [one.handle for one in after]


def test_patience_is_for_ever_or_whole_milliseconds() -> None:
    assert all(arrival.patience is None for arrival in DAY.world(1).arrivals)
    hasty = Day(
        traffic=[Traffic(subportal="x", rates=(60.0,), handle=Deterministic(0), patience=Exponential(0.01))],
        representatives=[],
    )
    assert {(arrival.patience, arrival.handle) for arrival in hasty.world(1).arrivals} == {(1, 1)}


def turns(*shifts: tuple[float, float], hours: float = 24) -> list[tuple[float, bool]]:
    """(hour, whether it begins) of one representative's shifts."""
    day = attrs.evolve(DAY, shifts={"ann": shifts}, hours=hours)
    return [(turn.t / HOURS, turn.available) for turn in day.world(1).turns]


def test_who_has_no_shift_is_there_all_day() -> None:
    assert DAY.world(1).turns == [Turn(0, "ann", available=True)]


@pytest.mark.parametrize(
    ("shifts", "hours", "expected"),
    [
        ([(9, 17)], 24, [(9, True), (17, False)]),
        ([(8.5, 12), (13, 17)], 24, [(8.5, True), (12, False), (13, True), (17, False)]),
        ([(22, 6)], 24, [(0, True), (6, False), (22, True), (30, False)]),
        ([(9, 17)], 48, [(9, True), (17, False), (33, True), (41, False)]),
        ([(9, 17)], 12, [(9, True), (17, False)]),
        ([(9, 17)], 8, []),
        ([(0, 12), (12, 24)], 24, [(0, True), (24, False)]),
        ([(9, 15), (12, 17)], 24, [(9, True), (17, False)]),
    ],
)
def test_shifts_repeat_each_day(
    shifts: list[tuple[float, float]], hours: float, expected: list[tuple[float, bool]]
) -> None:
    assert turns(*shifts, hours=hours) == expected


@pytest.mark.parametrize("text", ["", "9", "9-", "9-25", "-1-3", "9-9", "a-b", "9-17;18-20", "9-17-18"])
def test_what_are_no_hours_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="expected hours such as 9-17"):
        parse_shifts(text)


def test_a_crew_is_a_configuration_that_a_desk_takes() -> None:
    crews = [
        Crew(team="blue", count=12, capacity=2, subportals=("x", "y")),
        Crew(team="red", count=1, capacity=1, subportals=("y",)),
    ]
    state = setting.build(crew_puts(crews), 0).state
    assert list(state.representatives) == [*members(crews[0]), "red-1"]
    assert members(crews[0])[0] == "blue-01"
    assert state.representatives["blue-01"].capacity == 2
    assert state.portals["simulated"].subportals == ("x", "y")
