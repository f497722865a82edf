"""How long things take, and when customers come: the distributions that a made-up day is drawn from.

Times are milliseconds; whoever draws passes its own ``random.Random``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, Protocol

import attrs

from broker.units import HOURS, SECONDS

DAY_HOURS: Final = 24


class Law(Protocol):
    """A distribution of durations."""

    @property
    def mean(self) -> float:
        """Its mean (ms)."""

    def draw(self, chance: Random) -> float:
        """One duration (ms), 0 or more; ``math.inf`` where it never ends."""


@attrs.frozen
class Exponential:
    """Memoryless, with this mean (ms)."""

    mean: float

    def draw(self, chance: Random) -> float:
        """See ``Law``."""
        return chance.expovariate(1 / self.mean)


@attrs.frozen
class Lognormal:
    """With this mean (ms), and a standard deviation of ``ratio`` means: what measured handle times look like most."""

    mean: float
    ratio: float

    def draw(self, chance: Random) -> float:
        """See ``Law``."""
        variance = math.log1p(self.ratio**2)
        return chance.lognormvariate(math.log(self.mean) - variance / 2, math.sqrt(variance))


@attrs.frozen
class Deterministic:
    """Always the same (ms)."""

    mean: float

    def draw(self, chance: Random) -> float:
        """See ``Law``."""
        return self.mean


@attrs.frozen
class Never:
    """It never ends: the patience of those who never give up."""

    mean: float = math.inf

    def draw(self, chance: Random) -> float:
        """See ``Law``."""
        return math.inf


@attrs.frozen
class Sample:
    """One of these measured durations (ms), each as likely."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """See ``Law``."""
        return math.fsum(self.values) / len(self.values)

    def draw(self, chance: Random) -> float:
        """See ``Law``."""
        return chance.choice(self.values)


INSTANT: Final = Deterministic(0)
FOREVER: Final = Never()
LAWS: Final = "exponential:MEAN, lognormal:MEAN:RATIO, deterministic:TIME or never, in seconds"
"""What ``parse_law`` understands, for messages."""


def parse_law(text: str, *, endless: bool = False) -> Law:
    """A law as people write it; numbers are seconds. ``endless``: whether ``never`` may be. ValueError says what was
    expected.

    >>> parse_law("exponential:300")
    Exponential(mean=300000.0)
    """
    kind, *numbers = text.split(":")
    if kind == "never" and not numbers and endless:
        return Never()
    try:
        first, *rest = [float(number) for number in numbers]
        if not all(math.isfinite(number) for number in (first, *rest)):
            raise ValueError
        match kind, rest:
            case "exponential", [] if first > 0:
                return Exponential(first * SECONDS)
            case "lognormal", [ratio] if first > 0 and ratio > 0:
                return Lognormal(first * SECONDS, ratio)
            case "deterministic", [] if first >= 0:
                return Deterministic(first * SECONDS)
    except ValueError:
        pass
    raise ValueError(f"{text!r}: expected {LAWS if endless else LAWS.replace(' or never', '')}")


def parse_rates(text: str) -> tuple[float, ...]:
    """Requests an hour: one number for the whole day, or 24 with commas between, from midnight on. ValueError says
    what was expected.

    >>> parse_rates("60")
    (60.0,)
    """
    try:
        rates = tuple(float(number) for number in text.split(","))
    except ValueError:
        rates = ()
    if len(rates) not in (1, DAY_HOURS) or not all(math.isfinite(rate) and rate >= 0 for rate in rates):
        raise ValueError(f"{text!r}: expected requests an hour, one number or 24 of them with commas between")
    return rates


def poisson(chance: Random, rates: Sequence[float], until: int) -> Iterator[int]:
    """Times (ms from 0, below ``until``) of a Poisson process whose rate an hour is ``rates`` by hour of the day, or
    its only entry at all hours.

    By thinning: candidates come at the highest rate, each is kept with the probability that its hour's rate is of that
    (P. A. W. Lewis, G. S. Shedler, "Simulation of Nonhomogeneous Poisson Processes by Thinning", Naval Research
    Logistics Quarterly 26(3), 1979)."""
    most = max(rates)
    if most <= 0:
        return
    t = 0.0
    while True:
        t += chance.expovariate(most / HOURS)
        if t >= until:
            return
        rate = rates[int(t // HOURS) % len(rates)]
        if rate == most or chance.random() * most < rate:
            yield int(t)
