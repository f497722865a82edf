"""Distributions have the means they are named for, rates change by the hour, and what is mistyped is told."""

import math
from random import Random

import pytest

from broker.simulation.laws import (
    INSTANT,
    Deterministic,
    Exponential,
    Law,
    Lognormal,
    Never,
    Sample,
    parse_law,
    parse_rates,
    poisson,
)
from broker.units import HOURS

DRAWS = 20_000


@pytest.mark.parametrize(
    ("law", "ratio"),
    [
        (Exponential(300_000), 1.0),
        (Lognormal(300_000, 0.8), 0.8),
        (Deterministic(300_000), 0.0),
        (Sample((200_000.0, 400_000.0)), 1 / 3),
    ],
)
def test_a_law_has_its_mean_and_its_spread(law: Law, ratio: float) -> None:
    chance = Random(1)
    drawn = [law.draw(chance) for _ in range(DRAWS)]
    mean = math.fsum(drawn) / DRAWS
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in drawn) / DRAWS)
    assert law.mean == 300_000
    assert mean == pytest.approx(300_000, rel=4 * ratio / math.sqrt(DRAWS) + 1e-9)
    assert spread / mean == pytest.approx(ratio, rel=0.1)


def test_never_is_longer_than_anything() -> None:
    assert Never().draw(Random(1)) == Never().mean == math.inf
    assert INSTANT.draw(Random(1)) == 0


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("exponential:300", Exponential(300_000)),
        ("lognormal:240:1.5", Lognormal(240_000, 1.5)),
        ("deterministic:0.5", Deterministic(500)),
        ("deterministic:0", Deterministic(0)),
    ],
)
def test_a_law_is_read_as_it_is_written(text: str, law: Law) -> None:
    assert parse_law(text) == law


def test_never_is_for_patience_alone() -> None:
    assert parse_law("never", endless=True) == Never()
    with pytest.raises(ValueError, match=r"deterministic:TIME, in seconds"):
        parse_law("never")


@pytest.mark.parametrize(
    "text",
    ["", "300", "exponential", "exponential:0", "exponential:-1", "exponential:x", "exponential:1:2", "lognormal:300",
     "lognormal:300:0", "deterministic:-1", "deterministic:inf", "exponential:nan", "gamma:1", "never:1"],
)  # fmt: skip
def test_what_is_no_law_is_told_with_those_that_are(text: str) -> None:
    with pytest.raises(ValueError, match="expected exponential:MEAN"):
        parse_law(text, endless=True)


def test_rates_are_one_or_one_for_each_hour() -> None:
    assert parse_rates("12.5") == (12.5,)
    assert parse_rates(",".join(["1"] * 24)) == (1.0,) * 24
    for wrong in ("", "x", "-1", "1,2", "inf", ",".join(["1"] * 23)):
        with pytest.raises(ValueError, match="one number or 24"):
            parse_rates(wrong)


def test_arrivals_follow_the_rates_hour_by_hour() -> None:
    rates = (0.0, 600.0, 60.0) + (300.0,) * 21
    times = list(poisson(Random(1), rates, 48 * HOURS))
    assert times == sorted(times)
    for hour, rate in [(0, 0), (1, 600), (2, 60), (3, 300), (25, 600), (47, 300)]:
        came = sum(1 for t in times if t // HOURS == hour)
        assert abs(came - rate) <= 4 * math.sqrt(rate)  # the variance of a Poisson count is its mean


def test_nobody_comes_at_a_rate_of_nothing() -> None:
    assert list(poisson(Random(1), (0.0,), 24 * HOURS)) == []
