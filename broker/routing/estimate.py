"""How long a request that waits may still have to: the number before it, over the rate at which its line is served.

The estimator. A line with a backlog is served by each of its pools at a rate of

    weight x places of the pool's available members / sum of (weight x handling time x places) over the lines that wait

for between lines that wait, offers are given in proportion to their weights, and each keeps its places for as long as
that line's requests take. With one line, capacity c and unit places this is c / (mean handling time), and a request at
position n waits n / rate: the expected wait in M/M/c with all busy (the estimator QL of Ibrahim and Whitt, "Real-Time
Delay Estimation Based on Delay History", Manufacturing & Service Operations Management 11(3), 2009). The handling time
is measured per line: from the assignment to the moment when the places are free again, averaged over about the last
``WINDOW``.

It knows nothing of those who will give up (the wait is then shorter), of classes that will overtake (longer), or of
people who will come and go. ``huntgroup simulate`` prints its error.
"""

from __future__ import annotations

from typing import Final

from broker.routing.model import Line
from broker.routing.router import Router

WINDOW: Final = 64  # sessions: the error of the mean is then about an eighth; a team's work changes more slowly


def handled(line: Line, took: int) -> None:
    """A request of this line has kept its places for so long (ms)."""
    line.handled += 1
    line.handle_ms += (took - line.handle_ms) / min(line.handled, WINDOW)


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


def wait(router: Router, request: str) -> int | None:
    """How many ms this request will still wait; None if that can't be told. Raises KeyError if it isn't in a line."""
    found = rate(router, router.tickets[request].subportal)
    return None if found is None else round(router.position(request) / found)
