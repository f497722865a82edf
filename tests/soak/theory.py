"""Independent runs of a live line held against Erlang C and Erlang A, at the load that they measured.

A run's figures are means over one correlated path, so their error can't be had from the run itself: it is had from
``k`` runs, as sd / √k. The truth is taken at the mean of the measured loads, which has an error of its own; so what is
scattered is not a figure x but x − f'(a) (load − a), with the slope f' of the truth f at the mean load a: to first
order that is the whole error of "mean figure minus truth at the mean load".

What differs from M/M/10 (and M/M/10+M), and what is allowed for it besides:

- A place is held for a conversation, which is exponential, and for a latency, which nearly isn't random: cs², the
  squared coefficient of variation of the whole, is below 1. The mean wait of M/G/c is (1 + cs²)/2 of M/M/c's (A. M.
  Lee, P. A. Longton, "Queueing Processes Associated with Airline Passenger Check-in", Operational Research Quarterly
  10(1), 1959). For the other figures the whole step from cs² = 1 to a constant holding time bounds it: simulated for c
  = 10, P(wait) of M/D/10 is 5 to 6 % less; with patience at a load of 10 erlangs, P(wait) is 6 % more, mean wait and
  abandonment 17 % less. As there it isn't linear, that much and a third more, times 1 - cs² (about 0.06), is allowed,
  to the one side where it moves the figure.
- Patience runs in the customer's client: its going takes effect later than it was due, by ``overstayed``. So patience
  is longer by that, and for so long nobody is seen to give up.
- Milliseconds: both ends of a wait are cut down to whole ones of the same clock, so a single wait is wrong by less than
  1 ms to either side, and the mean of thousands by nothing that counts; nothing is allowed for it. Who finds somebody
  free waits 0 ms exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import Final

import attrs

from broker.simulation.erlang import erlang_a, erlang_c
from broker.simulation.figures import estimated
from tests.soak.trace import SERVERS, Run

STANDARD_ERRORS: Final = 3
"""How far a mean may lie from the truth."""
FEW_RUNS: Final = {2: 42.6, 3: 8.1, 4: 5.1, 5: 4.1, 6: 3.7, 7: 3.4, 8: 3.3, 9: 3.1}
"""The same for so few runs that their standard deviation is itself a guess: as unlikely, by Student's distribution, as
three with ten runs (1.5 %)."""
LITTLE: Final = 0.02
"""How far L and λW of all runs may lie apart: who stands in line at the edge of a run is in part in one of them alone.
In a single run of 3,600 that may be more than 2 % of L, where the line is long just then; over ten it is not."""
CONSTANT: Final = {"waited": 0.08, "impatient waited": 0.08, "impatient": 0.23}
"""What a constant holding time would change at most, as shares; see above."""
MARGIN: Final = 1.0
"""Erlangs that must be free without patience: from 9 on, a line takes 35 conversations and more to forget what it was,
and runs of some thousand are too few of those."""
STEP: Final = 0.01  # erlangs to either side, for slopes


class Overloaded(Exception):
    """The load has no steady state that such runs could reach; the text says why."""


@attrs.frozen(kw_only=True)
class Check:
    """One figure over the runs."""

    name: str
    mean: float
    error: float
    margin: float
    """How many errors it may lie off."""
    low: float
    high: float
    """Between which the truth lies, with what is allowed."""

    @property
    def holds(self) -> bool:
        """Whether the mean is as near as chance explains."""
        margin = self.margin * self.error
        return self.low - margin <= self.mean <= self.high + margin

    def __str__(self) -> str:
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        return f"{self.name}: {self.mean:.4f} ± {self.error:.4f}, theory {self.low:.4f} to {self.high:.4f}: {verdict}"


def regularity(runs: Sequence[Run]) -> float:
    """1 - cs²: how far holding times are from exponential, 0 to 1. A conversation's variance is the square of its mean
    length, a latency's what was measured."""
    held = fmean(run.held for run in runs)
    return min(1.0, max(0.0, 1 - fmean(run.handle**2 + run.jitter for run in runs) / held**2))


def patient(runs: Sequence[Run]) -> list[Check]:
    """Against Erlang C: P(wait), and the mean wait in mean holding times."""
    load, regular = _load(runs), regularity(runs)

    def waited(load: float) -> float:
        return erlang_c(SERVERS, load).probability

    def mean(load: float) -> float:
        return erlang_c(SERVERS, load).mean

    fewer = waited(load) * (1 - CONSTANT["waited"] * regular)
    return [
        _check("P(wait)", runs, [run.waited for run in runs], waited, low=fewer),
        _check("mean wait", runs, [run.wait for run in runs], mean, low=mean(load) * (1 - regular / 2)),
    ]


def impatient(runs: Sequence[Run], patience: float) -> list[Check]:
    """Against Erlang A with this mean patience (ms): P(wait), P(abandon), the mean wait of all; and from the runs alone
    that P(abandon) = θ E[W]."""
    load, regular, held = fmean(run.load for run in runs), regularity(runs), fmean(run.held for run in runs)
    late = fmean(run.overstayed for run in runs)
    thetas = (held / patience, held / (patience + late))

    def truth(name: str) -> Callable[[float], tuple[float, float]]:
        def of(load: float) -> tuple[float, float]:
            first, second = (float(getattr(erlang_a(SERVERS, load, theta), name)) for theta in thetas)
            return min(first, second), max(first, second)

        return of

    def against(title: str, name: str, values: Sequence[float], below: float, above: float) -> Check:
        low, high = truth(name)(load)
        low, high = low * (1 - below * regular), high * (1 + above * regular)
        return _check(title, runs, values, lambda load: fmean(truth(name)(load)), low=low, high=high)

    lost = late / patience * fmean(run.waited for run in runs)
    law = [run.abandoned - run.mean / patience for run in runs]
    return [
        against("P(wait)", "probability", [run.waited for run in runs], 0.0, CONSTANT["impatient waited"]),
        against("P(abandon)", "abandoned", [run.abandoned for run in runs], CONSTANT["impatient"], 0.0),
        against("mean wait", "mean", [run.wait for run in runs], CONSTANT["impatient"], 0.0),
        _check("P(abandon) - theta E[W]", runs, law, lambda load: 0.0, low=min(0.0, -lost), high=max(0.0, -lost)),
    ]


def _load(runs: Sequence[Run]) -> float:
    load = fmean(run.load for run in runs)
    if load >= SERVERS - MARGIN:
        latency = fmean(run.latency for run in runs)
        raise Overloaded(
            f"a latency of {latency:.1f} ms makes the load {load:.2f} erlangs: such a line takes "
            "too long to settle, or never does. Make the machine quieter, or conversations longer"
        )
    return load


def poisson(runs: Sequence[Run], rate: float) -> list[Check]:
    """Whether the load was what it was meant to be, as the broker saw it: arrivals at this rate (per ms), and Poisson.

    A Poisson process whose points are moved, all alike or each by itself, is one still: arrivals that are late do no
    harm but where many are late together, and then they come in a bunch, which widens the spread of the gaps. The error
    of both is known, for n gaps: 1/√n of the rate, 2/√n of the squared coefficient of variation. Whole milliseconds add
    1/6 ms² to a gap's variance."""
    n = sum(run.requests for run in runs)
    grain = rate**2 / 6
    return [
        _known("arrivals a second", fmean(run.rate for run in runs) * 1000, rate * 1000, rate * 1000 / math.sqrt(n)),
        _known("variation of the gaps", fmean(run.gaps for run in runs), 1 + grain, 2 / math.sqrt(n)),
    ]


def _check(
    name: str,
    runs: Sequence[Run],
    values: Sequence[float],
    truth: Callable[[float], float],
    *,
    low: float,
    high: float | None = None,
) -> Check:
    load = fmean(run.load for run in runs)
    slope = (truth(load + STEP) - truth(load - STEP)) / (2 * STEP)
    scattered = estimated([value - slope * (run.load - load) for value, run in zip(values, runs, strict=True)])
    assert scattered.mean is not None
    assert scattered.error is not None, "one run has no error: make two or more"
    return Check(
        name=name,
        mean=scattered.mean,
        error=scattered.error,
        margin=FEW_RUNS.get(len(runs), STANDARD_ERRORS),
        low=low,
        high=truth(load) if high is None else high,
    )


def _known(name: str, mean: float, truth: float, error: float) -> Check:
    return Check(name=name, mean=mean, error=error, margin=STANDARD_ERRORS, low=truth, high=truth)
