"""What queueing theory says about a line: Erlang B, Erlang C and Erlang A, to hold the simulation against.

Everywhere ``c`` is the number of representatives with one place each, ``load`` the offered load a = λ/μ in erlangs
(arrivals in one mean handle time), and a time is counted in mean handle times (1/μ): multiply by the mean to get
seconds. Arrivals are Poisson, handle times exponential, the line is first come, first served and has no end.

Sources: A. K. Erlang, "Solution of some problems in the theory of probabilities of significance in automatic telephone
exchanges", 1917; L. Kleinrock, "Queueing Systems", volume 1, 1975, sections 3.5 and 3.6, for B and C; R. B. Cooper,
"Introduction to Queueing Theory", 2nd edition, 1981, for the recursion of B and the step from B to C; C. Palm,
"Research on telephone traffic carried by full availability groups", Tele 1, 1957, and O. Garnett, A. Mandelbaum,
M. Reiman, "Designing a Call Center with Impatient Customers", Manufacturing & Service Operations Management 4(3), 2002,
for A.
"""

from __future__ import annotations

import math

import attrs

NEGLIGIBLE = 1e-18  # of the largest state's weight: states of the chain past this add nothing to a double


@attrs.frozen(kw_only=True)
class Waiting:
    """M/M/c: everybody waits until served. Times in mean handle times."""

    c: int
    load: float
    """Erlangs, below ``c``."""
    probability: float
    """P(W > 0): Erlang C."""
    mean: float
    """Wq, over all requests, those that don't wait included."""
    line: float
    """Lq: the mean number of requests in the line."""

    def beyond(self, t: float) -> float:
        """P(W > t)."""
        return self.probability * math.exp(-(self.c - self.load) * t)

    def quantile(self, share: float) -> float:
        """The wait that this share (0 to 1) of all requests don't exceed: ``quantile(0.95)`` is the p95."""
        rest = 1 - share
        return math.log(self.probability / rest) / (self.c - self.load) if self.probability > rest else 0.0


@attrs.frozen(kw_only=True)
class Impatient:
    """M/M/c+M: who waits gives up after an exponential patience. Times in mean handle times."""

    probability: float
    """P(W > 0): the share that finds everybody busy."""
    abandoned: float
    """P(abandon): the share that gives up."""
    mean: float
    """E[W] over all requests: until served or given up."""
    line: float
    """The mean number of requests in the line."""


def erlang_b(c: int, load: float) -> float:
    """Erlang B: the share of requests that find all ``c`` busy where nobody waits (M/M/c/c).

    By the recursion B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), which neither overflows nor cancels.

    >>> round(erlang_b(2, 1.0), 4)
    0.2
    """
    blocked = 1.0
    for k in range(1, c + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


def erlang_c(c: int, load: float) -> Waiting:
    """Erlang C: M/M/c without an end to the line. ValueError where ``load`` isn't below ``c``: the line would grow for
    ever.

    C = B / (1 - r (1 - B)), Wq = C / (c - a), Lq = C r / (1 - r), with r = a/c the share of time they are busy.

    >>> round(erlang_c(2, 1.0).probability, 4)
    0.3333
    """
    if not 0 < load < c:
        raise ValueError(f"a load of {load} erlangs is not between 0 and {c}: there is no steady state")
    blocked = erlang_b(c, load)
    rho = load / c
    waits = blocked / (1 - rho * (1 - blocked))
    return Waiting(c=c, load=load, probability=waits, mean=waits / (c - load), line=waits * rho / (1 - rho))


def erlang_a(c: int, load: float, theta: float) -> Impatient:
    """Erlang A: M/M/c+M, where ``theta`` > 0 is the rate of giving up in units of μ (mean handle time divided by mean
    patience). Any load has a steady state.

    By the stationary distribution of the birth-death chain of requests present: up at rate a, down from n at rate
    min(n, c) + θ max(n - c, 0). An arrival sees that distribution (PASTA); P(abandon) = θ Lq / a and E[W] = Lq / a
    (Little), so that P(abandon) = θ E[W].

    >>> round(erlang_a(1, 1.0, 1.0).abandoned, 4)
    0.3679
    """
    if load <= 0 or theta <= 0:
        raise ValueError("load and theta must be above 0")
    # Weights relative to the state with the most weight, walked outward from it: nothing overflows.
    peak = int(min(load, c) if load <= c else c + (load - c) / theta)
    weights = {peak: 1.0}
    weight, n = 1.0, peak
    while n > 0 and weight > NEGLIGIBLE:
        weight *= _leaving(n, c, theta) / load
        n -= 1
        weights[n] = weight
    weight, n = 1.0, peak
    while n < c or weight > NEGLIGIBLE:
        n += 1
        weight *= load / _leaving(n, c, theta)
        weights[n] = weight
    total = math.fsum(weights.values())
    line = math.fsum((n - c) * weight for n, weight in weights.items() if n > c) / total
    busy = math.fsum(weight for n, weight in weights.items() if n >= c) / total
    return Impatient(probability=busy, abandoned=theta * line / load, mean=line / load, line=line)


def _leaving(n: int, c: int, theta: float) -> float:
    """The rate at which one of ``n`` requests leaves, served or not."""
    return min(n, c) + theta * max(n - c, 0)
