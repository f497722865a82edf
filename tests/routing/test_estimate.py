"""The estimated wait: what it rests on, and that it is right on average where theory says so."""

from __future__ import annotations

import heapq
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.routing import estimate
from broker.routing.matching import next_match
from broker.routing.model import Match, Ticket, make_key
from broker.routing.router import Router
from tests.routing.test_router import router, waiting


def test_it_is_the_place_over_the_rate() -> None:
    made = router("ann", "bo", capacity=2)
    for name in "abcdef":
        waiting(made, name)
    assert estimate.wait(made, "f") is None  # nothing has been measured
    estimate.handled(made.lines["x"], 60_000)
    assert [estimate.wait(made, name) for name in "af"] == [15_000, 90_000]  # a place frees every 15 s
    made.set_available("bo", 0, available=False, rested=False)
    assert estimate.wait(made, "a") == 30_000
    made.set_available("ann", 0, available=False, rested=False)
    assert estimate.wait(made, "a") is None  # nobody is there
    with pytest.raises(KeyError):
        estimate.wait(made, "nobody")


def test_lines_that_wait_share_the_rate_by_their_weights() -> None:
    made = router("ann", "bo", serves=("x", "y"))
    waiting(made, "one")
    made.tune("x", weight=3)
    estimate.handled(made.lines["x"], 60_000)
    assert estimate.wait(made, "one") == 30_000  # two people, a minute each
    waiting(made, "other", line="y")
    assert estimate.wait(made, "one") == 40_000  # three of four turns; what y takes isn't known, so as long as x
    estimate.handled(made.lines["y"], 180_000)
    assert estimate.wait(made, "one") == 60_000  # three turns take 180 s of two people's time, and y's takes 180 s
    assert estimate.wait(made, "other") == 180_000


def test_the_mean_forgets_what_was_long_ago() -> None:
    line = router("ann").lines["x"]
    for took in (10, 20, 30):
        estimate.handled(line, took)
    assert (line.handled, line.handle_ms) == (3, 20)
    for _ in range(10 * estimate.WINDOW):
        estimate.handled(line, 100)
    assert line.handle_ms == pytest.approx(100, abs=0.1)


def test_those_who_give_up_shorten_the_wait_of_those_behind_them() -> None:
    made = router("ann")
    line = made.lines["x"]
    estimate.handled(line, 60_000)
    for waited, gave_up in ((100_000, False), (20_000, True)):
        estimate.left(line, waited, gave_up=gave_up)
    theta = line.gave_up / line.waited_ms
    assert theta == pytest.approx(1 / 120_000, rel=0.01)  # one gave up in 120 s of waiting
    exact = [sum(1 / (1 / 60_000 + ahead * theta) for ahead in range(place)) for place in (1, 2, 20, 21, 500)]
    found = [estimate.at(line, 1 / 60_000, place) for place in (1, 2, 20, 21, 500)]
    assert found == pytest.approx(exact, rel=1e-3)
    assert found[0] == 60_000  # nobody is before the first


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=200))
def test_the_mean_lies_between_the_least_and_the_most(times: list[int]) -> None:
    line = router("ann").lines["x"]
    for took in times:
        estimate.handled(line, took)
    assert min(times) * (1 - 1e-9) <= line.handle_ms <= max(times) * (1 + 1e-9)


def _errors(seed: int, *, handle: float = 1000.0, people: int = 5, load: float = 0.9) -> tuple[float, float]:
    """(mean estimate, mean wait) of those who had to wait in a simulated M/M/c, in handling times."""
    chance, made = Random(seed), Router()
    for number in range(people):
        made.put_member(f"m{number}", 1, ("x",))
        made.set_available(f"m{number}", 0, available=True, rested=True)
    now = 0.0
    said: dict[str, tuple[int, float]] = {}
    waits: list[tuple[int, float]] = []
    ends: list[tuple[float, str, str, float]] = []
    arrivals = [0.0]
    for _ in range(4000):
        arrivals.append(arrivals[-1] + chance.expovariate(people * load / handle))
    while arrivals or ends:
        if ends and (not arrivals or ends[0][0] <= arrivals[0]):
            now, name, member, began = heapq.heappop(ends)
            made.remove(name)
            made.add_load(member, -1, round(now))
            estimate.handled(made.lines["x"], round(now - began))
        else:
            now, name = arrivals.pop(0), f"r{len(arrivals)}"
            made.add_ticket(Ticket(name, "x", make_key(round(now), 4001 - len(arrivals), name), "queue"))
        while (found := next_match(made)) is not None:
            assert isinstance(found, Match)
            assert found.member is not None
            made.offered(found.request, found.member)
            made.add_offers(found.member, 1)
            made.assigned(found.request)
            made.add_load(found.member, 1, round(now), offers=-1)
            heapq.heappush(ends, (now + chance.expovariate(1 / handle), found.request, found.member, now))
            if found.request in said:
                guess, since = said.pop(found.request)
                waits.append((guess, now - since))
        ticket = made.tickets.get(name)
        if ticket is not None and not ticket.out and name not in said:
            told = estimate.wait(made, name)
            if told is not None:
                said[name] = (told, now)
    return mean(told for told, _ in waits) / handle, mean(waited for _, waited in waits) / handle


@pytest.mark.slow
def test_where_theory_holds_it_is_right_on_average() -> None:
    """M/M/5 at 0.9: over 8 days of 4,000 requests the mean estimate is the mean wait, but for the mean's own error."""
    days = [_errors(seed) for seed in range(8)]
    told, waited = mean(day[0] for day in days), mean(day[1] for day in days)
    spread = (sum((day[0] - day[1] - (told - waited)) ** 2 for day in days) / 7) ** 0.5
    assert abs(told - waited) <= 3 * spread / 8**0.5 + 0.05 * waited


@pytest.mark.slow
def test_an_estimate_that_forgets_how_many_serve_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = estimate.wait

    def lonely(made: Router, request: str) -> int | None:
        found = real(made, request)
        return None if found is None else found * 5

    monkeypatch.setattr(estimate, "wait", lonely)
    with pytest.raises(AssertionError):
        test_where_theory_holds_it_is_right_on_average()
