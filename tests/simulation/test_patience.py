"""Kaplan and Meier's estimate by hand, and drawn from."""

import math
from random import Random

import pytest

from broker.simulation.patience import kaplan_meier


def test_without_anybody_served_it_is_the_share_of_those_who_stayed_longer() -> None:
    survival = kaplan_meier([10, 20, 20, 40], [])
    assert survival.times == (10, 20, 40)
    assert survival.left == pytest.approx((0.75, 0.25, 0.0))
    assert [survival.beyond(t) for t in (0, 9, 10, 30, 40, 99)] == pytest.approx([1, 1, 0.75, 0.25, 0, 0])


def test_those_who_were_served_count_until_then() -> None:
    # at risk: 5 at 10, then one is served at 15, so 3 at 20; the last was served and never gave up
    survival = kaplan_meier([10, 20], [15, 30, 30])
    assert survival.left == pytest.approx((4 / 5, 4 / 5 * 2 / 3))


def test_who_is_served_in_the_same_moment_was_at_risk() -> None:
    assert kaplan_meier([10], [10]).left == (0.5,)


def test_a_patience_is_longer_than_what_was_seen_of_it() -> None:
    survival, chance = kaplan_meier([10, 20, 30, 40], []), Random(1)
    drawn = [survival.draw(chance, 20) for _ in range(2000)]
    assert set(drawn) == {30, 40}
    assert drawn.count(30) / 2000 == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(2000))


def test_who_is_more_patient_than_anybody_who_gave_up_never_does() -> None:
    survival, chance = kaplan_meier([10], [50]), Random(1)
    assert {survival.draw(chance, 0) for _ in range(100)} == {10, None}
    assert survival.draw(chance, 10) is None
    assert kaplan_meier([], [5, 6]).draw(chance, 0) is None
    assert kaplan_meier([], []).beyond(7) == 1.0


def test_an_exponential_patience_is_found_behind_the_censoring() -> None:
    chance = Random(1)
    patiences = [round(chance.expovariate(1 / 100_000)) for _ in range(5000)]
    waits = [round(chance.expovariate(1 / 50_000)) for _ in range(5000)]
    both = list(zip(patiences, waits, strict=True))
    gave_up = [patience for patience, wait in both if patience < wait]
    survival = kaplan_meier(gave_up, [wait for patience, wait in both if patience >= wait])
    for t in (20_000, 50_000, 100_000):
        assert survival.beyond(t) == pytest.approx(math.exp(-t / 100_000), abs=0.03)
    naive = sum(1 for patience in gave_up if patience > 50_000) / len(gave_up)
    assert naive < math.exp(-0.5) - 0.2  # those who gave up alone look much less patient
