"""The figures of one run, and of several: names, units, and what each counts.

A wait runs from a request's arrival to its session, or to its giving up: who gave up has waited as well. Waits are in
seconds here, shares from 0 to 1.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from broker.simulation.lag import Lag
from broker.simulation.ledger import Ledger, Row
from broker.units import HOURS, SECONDS

LABELS: Final = {
    "requests": ("requests", "count"),
    "refused": ("not let in: line full, or closed", "count"),
    "served": ("served", "count"),
    "unserved": ("neither served nor given up at the end", "count"),
    "converted": ("made a support request", "count"),
    "abandoned": ("abandoned", "percent"),
    "waited": ("had to wait", "percent"),
    "wait_mean": ("mean wait", "seconds"),
    "wait_p50": ("wait p50", "seconds"),
    "wait_p90": ("wait p90", "seconds"),
    "wait_p95": ("wait p95", "seconds"),
    "wait_p99": ("wait p99", "seconds"),
    "service_level": ("served within {level} s", "percent"),
    "line": ("mean length of the lines", "number"),
    "occupancy": ("occupancy", "percent"),
    "overtakes": ("overtakes", "count"),
    "declined": ("offers declined", "count"),
    "expired": ("offers expired", "count"),
    "estimate_error": ("estimated wait: mean error", "seconds"),
    "estimate_absolute": ("estimated wait: mean absolute error", "seconds"),
    "estimate_p90": ("estimated wait: p90 of the absolute error", "seconds"),
}
"""Figure to (what people read, unit), in the order of the table. ``PER_SUBPORTAL`` with ``.SUBPORTAL`` behind,
``jain.TEAM``, ``lag.P ~ Q`` and ``bound.P ~ Q`` follow."""
PER_SUBPORTAL: Final = ("abandoned", "wait_mean", "wait_p95", "service_level")
"""What is also told of each sub-portal, where there are several: weights help one at the cost of another."""

Figures = Mapping[str, float | None]
"""Name to value; None where there is nothing to count."""


@attrs.frozen(kw_only=True)
class Outcome:
    """One run, kept small: its figures, and what the plots need."""

    figures: Figures
    arrived: array[int]
    """Of each request whose wait is known, when it came (ms from the beginning)."""
    waits: array[int]
    """Of the same, how long it waited (ms)."""
    teams: Mapping[str, int]
    """Team to sessions begun."""


@attrs.frozen
class Estimated:
    """A figure over several runs."""

    mean: float | None
    error: float | None
    """Standard error of the mean: the runs' standard deviation divided by the root of their number; None for one."""


def outcome(ledger: Ledger, lags: Sequence[Lag], service_level: int) -> Outcome:
    """What a run came to. ``service_level`` in ms."""
    rows = ledger.measured()
    timed = [(row.arrived, row.waited) for row in rows if row.waited is not None]
    teams: dict[str, int] = {}
    for account in ledger.accounts.values():
        teams[account.team] = teams.get(account.team, 0) + account.assignments
    figures: dict[str, float | None] = {
        **_of_requests(rows, service_level),
        **_of_waits(_known(rows)),
        **_of_estimates(rows),
        "refused": ledger.refusals,
        "line": ledger.line_time / max(1, ledger.last - ledger.first),
        "occupancy": _occupancy(ledger),
        "overtakes": ledger.overtakes,
        "declined": ledger.offers_ended.get("declined", 0),
        "expired": ledger.offers_ended.get("expired", 0),
    }
    figures = {name: figures[name] for name in LABELS}
    subportals = sorted({row.subportal for row in rows})
    for name in subportals if len(subportals) > 1 else ():
        own = [row for row in rows if row.subportal == name]
        found = {**_of_requests(own, service_level), **_of_waits(_known(own))}
        figures.update({f"{kind}.{name}": found[kind] for kind in PER_SUBPORTAL})
    for team in sorted(teams):
        figures[f"jain.{team}"] = jain_of(ledger, team)
    for one in lags:
        pair = " ~ ".join(one.pair)
        figures[f"lag.{pair}"], figures[f"bound.{pair}"] = one.lag, one.bound
    return Outcome(
        figures=figures,
        arrived=array("q", (arrived for arrived, _ in timed)),
        waits=array("q", (waited for _, waited in timed)),
        teams=teams,
    )


def over_runs(runs: Sequence[Figures]) -> dict[str, Estimated]:
    """The mean of each figure with its standard error; of a lag and its bound the greatest, for they are maxima."""
    names = list(dict.fromkeys(name for run in runs for name in run))
    found = {}
    for name in names:
        values = [value for run in runs if (value := run.get(name)) is not None]
        if name.startswith(("lag.", "bound.")):
            found[name] = Estimated(max(values, default=None), None)
        else:
            found[name] = estimated(values)
    return found


def estimated(values: Sequence[float]) -> Estimated:
    """Mean and standard error of independent runs."""
    if not values:
        return Estimated(None, None)
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return Estimated(mean, None)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Estimated(mean, math.sqrt(variance / len(values)))


def jain(shares: Sequence[float]) -> float | None:
    """Jain's index (Σx)² / (n Σx²): 1 where all are equal, 1/n where one has everything; None of nothing.

    R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and Discrimination for Resource Allocation in Shared
    Computer Systems", DEC TR-301, 1984."""
    squares = math.fsum(share * share for share in shares)
    return math.fsum(shares) ** 2 / (len(shares) * squares) if squares else None


def jain_of(ledger: Ledger, team: str) -> float | None:
    """The index over a team's members of sessions divided by available capacity-time (F15); of those who were there."""
    return jain(
        [
            account.assignments / (account.offered_time / HOURS)
            for account in ledger.accounts.values()
            if account.team == team and account.offered_time
        ]
    )


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The least value that at least this share of ``ordered`` (ascending) doesn't exceed: the nearest rank."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _of_requests(rows: Sequence[Row], service_level: int) -> dict[str, float | None]:
    served = [row.waited for row in rows if row.assigned is not None]
    gone = sum(1 for row in rows if row.gave_up)
    converted = sum(1 for row in rows if row.assigned is None and row.ended is not None) - gone
    quick = sum(1 for waited in served if waited is not None and waited <= service_level)
    return {
        "requests": len(rows),
        "served": len(served),
        "unserved": len(rows) - len(served) - gone - converted,
        "converted": converted,
        "abandoned": gone / len(rows) if rows else None,
        "service_level": quick / len(rows) if rows else None,
    }


def _known(rows: Sequence[Row]) -> list[int]:
    """The waits that are known (ms), ascending."""
    return sorted(row.waited for row in rows if row.waited is not None)


def _of_waits(waits: Sequence[int]) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "waited": sum(1 for wait in waits if wait) / len(waits) if waits else None,
        "wait_mean": math.fsum(waits) / len(waits) / SECONDS if waits else None,
    }
    for percent in (50, 90, 95, 99):
        value = quantile(waits, percent / 100)
        found[f"wait_p{percent}"] = None if value is None else value / SECONDS
    return found


def _of_estimates(rows: Sequence[Row]) -> dict[str, float | None]:
    """Of those who were served: how long the others would have waited isn't known."""
    errors = [
        (row.estimate - row.waited) / SECONDS
        for row in rows
        if row.estimate is not None and row.assigned is not None and row.waited is not None
    ]
    sizes = sorted(map(abs, errors))
    return {
        "estimate_error": math.fsum(errors) / len(errors) if errors else None,
        "estimate_absolute": math.fsum(sizes) / len(sizes) if sizes else None,
        "estimate_p90": quantile(sizes, 0.9),
    }


def _occupancy(ledger: Ledger) -> float | None:
    staffed = sum(account.staffed_time for account in ledger.accounts.values())
    return sum(account.busy_time for account in ledger.accounts.values()) / staffed if staffed else None
