"""How long a request that waits may still have to: the number before it, over the rate at which its line is served.

The estimator. A line with a backlog is served by each of its pools at a rate of

    weight x places of the pool's available members / sum of (weight x handling time x places) over the lines that wait

for between lines that wait, offers are given in proportion to their weights, and each keeps its places for as long as
that line's requests take. With one line, capacity c and unit places this is c / (mean handling time). Those who wait
give up at a rate of theta each, so the k-th from the front moves up at (rate + (k - 1) theta), and position n waits

    sum over k = 1 .. n of 1 / (rate + (k - 1) theta)

on average in M/M/c+M with all busy: the estimators QL and, with theta, QLm of Ibrahim and Whitt, "Real-Time Delay
Estimation in Overloaded Multiserver Queues with Abandonments", Management Science 55(10), 2009. Both are measured per
line: handling times from the assignment to the moment when the places are free again, averaged over about the last
``WINDOW``; theta as those who gave up over the time that all of them waited (its maximum likelihood, censored waits
included), over about the last ``LEFT_WINDOW`` that left the line.

It knows nothing of classes that will overtake, of skills that few of those people have, or that a request takes its
places from one person (the wait is then longer), nor of people who will come and go.
``huntgroup simulate`` prints its error.
"""

from __future__ import annotations

from math import log
from typing import Final

from broker.routing.model import Line
from broker.routing.router import Router

WINDOW: Final = 64  # sessions: the error of the mean is then about an eighth; a team's work changes more slowly
LEFT_WINDOW: Final = 256  # requests: few give up, so more are needed than for the handling time
EXACT: Final = 20  # terms of the sum that are added up; the rest is an integral, and off by less than a part in 1,000


def handled(line: Line, took: int) -> None:
    """A request of this line has kept its places for so long (ms)."""
    line.handled += 1
    line.handle_ms += (took - line.handle_ms) / min(line.handled, WINDOW)


def left(line: Line, waited: int, *, gave_up: bool) -> None:
    """A request has left this line after so long (ms), because its customer gave up or for another reason."""
    keep = 1 - 1 / LEFT_WINDOW
    line.waited_ms = line.waited_ms * keep + waited
    line.gave_up = line.gave_up * keep + gave_up


def rate(router: Router, subportal: str) -> float | None:
    """Requests that this line is given in a ms while others wait too; None while nobody is available, or nothing has
    been measured yet."""
    line = router.lines[subportal]
    if not line.handled:
        return None
    served = 0.0
    for pool in line.pools:
        waiting = {subportal, *pool.turns}
        needed = sum(_cost(router.lines[name], line) for name in waiting)
        served += pool.places * line.weight / needed
    return served or None


def _cost(line: Line, instead: Line) -> float:
    """What a turn of this line costs the pool in ms of one place, by its weight. What was never measured counts as the
    other line does."""
    handle_ms = line.handle_ms if line.handled else instead.handle_ms
    return line.weight * max(handle_ms, 1.0) * line.places


def at(line: Line, served: float, position: int) -> float:
    """How many ms somebody at this position of the line waits, if it is given so many requests in a ms."""
    theta = line.gave_up / line.waited_ms if line.waited_ms else 0.0
    wait = sum(1 / (served + ahead * theta) for ahead in range(min(position, EXACT)))
    more = position - EXACT
    if more <= 0:
        return wait
    begin = served + (EXACT - 0.5) * theta
    return wait + (log(1 + more * theta / begin) / theta if theta else more / served)


def wait(router: Router, request: str) -> int | None:
    """How many ms this request will still wait; None if that can't be told. Raises KeyError if it isn't in a line."""
    line = router.lines[router.tickets[request].subportal]
    found = rate(router, line.subportal)
    return None if found is None else round(at(line, found, router.position(request)))
