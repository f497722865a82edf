"""A made-up day: customers from rates and laws, representatives from teams and shifts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

import attrs

from broker.simulation.laws import FOREVER, Exponential, Law, poisson
from broker.simulation.puts import Put
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import HOURS, MINUTES, SECONDS

MIDNIGHT: Final = 1_767_225_600_000
"""2026-01-01 00:00 UTC (ms): when made-up days begin. Any midnight would do."""
DEFAULT_HANDLE: Final = Exponential(5 * MINUTES)
DEFAULT_PATIENCE: Final = FOREVER

Shift = tuple[float, float]
"""From hour to hour of the day; 22 to 6 goes over midnight."""


@attrs.frozen(kw_only=True)
class Traffic:
    """What comes through one sub-portal."""

    subportal: str
    rates: tuple[float, ...]
    """Requests an hour: one for all hours, or one for each of 24."""
    handle: Law = DEFAULT_HANDLE
    patience: Law = DEFAULT_PATIENCE


@attrs.frozen(kw_only=True)
class Crew:
    """Representatives of one team that are made, not read: ``count`` of them, ``TEAM-1`` and so on."""

    team: str
    count: int
    capacity: int
    subportals: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Day:
    """Everything that a made-up day is drawn from."""

    traffic: Sequence[Traffic]
    representatives: Sequence[str]
    shifts: Mapping[str, Sequence[Shift]] = attrs.field(factory=dict)
    """Representative to shifts; who isn't here is there all day."""
    answers: Answers = attrs.field(factory=Answers)
    hours: float = 24
    warm_up: int = 0
    """ms: see ``World``."""

    def world(self, seed: int) -> World:
        """The people of the run with this seed."""
        until = round(self.hours * HOURS)
        arrivals = [arrival for one in self.traffic for arrival in _arrivals(one, seed, until)]
        arrivals.sort(key=lambda arrival: arrival.t)  # stable: in one millisecond, in the order of the traffic
        return World(
            start=MIDNIGHT,
            until=until,
            arrivals=arrivals,
            turns=_turns(self.representatives, self.shifts, until),
            answers=self.answers,
            warm_up=self.warm_up,
        )


def crew_puts(crews: Sequence[Crew]) -> tuple[Put, ...]:
    """The configuration of made crews: one portal in queue mode with all their sub-portals, their teams and members."""
    subportals = list(dict.fromkeys(name for crew in crews for name in crew.subportals))
    puts = [Put("portal.put", {"portal": "simulated", "kind": "button", "mode": "queue", "subportals": subportals})]
    for crew in crews:
        puts.append(Put("team.put", {"team": crew.team, "subportals": list(crew.subportals)}))
        for name in members(crew):
            args = {"representative": name, "name": name, "team": crew.team, "capacity": crew.capacity}
            puts.append(Put("representative.put", args))
    return tuple(puts)


def members(crew: Crew) -> list[str]:
    """The names of a crew's representatives: of equal length, so that their order is that of their numbers."""
    digits = len(str(crew.count))
    return [f"{crew.team}-{number:0{digits}}" for number in range(1, crew.count + 1)]


def parse_shifts(text: str) -> tuple[Shift, ...]:
    """``9-17`` or ``8.5-12,13-17``, hours of the day. ValueError says what was expected.

    >>> parse_shifts("22-6")
    ((22.0, 6.0),)
    """
    shifts = []
    for part in text.split(","):
        try:
            first, last = (float(hour) for hour in part.split("-"))
        except ValueError:
            first = last = math.nan
        if not (0 <= first <= 24 and 0 <= last <= 24 and first != last):
            raise ValueError(f"{text!r}: expected hours such as 9-17 or 8.5-12,13-17")
        shifts.append((first, last))
    return tuple(shifts)


def _arrivals(traffic: Traffic, seed: int, until: int) -> list[Arrival]:
    # Each sub-portal and each question has a source of its own: to change one leaves the others as they were.
    times, handles, patiences = (
        Random(f"{seed}/{traffic.subportal}/{what}") for what in ("come", "handle", "patience")
    )
    return [
        Arrival(
            t=t,
            subportal=traffic.subportal,
            handle=max(1, round(traffic.handle.draw(handles))),
            patience=_whole(traffic.patience.draw(patiences)),
        )
        for t in poisson(times, traffic.rates, until)
    ]


def _whole(patience: float) -> int | None:
    return max(1, round(patience)) if math.isfinite(patience) else None


def _turns(representatives: Sequence[str], shifts: Mapping[str, Sequence[Shift]], until: int) -> list[Turn]:
    turns = []
    for name in representatives:
        if name not in shifts:
            turns.append(Turn(0, name, available=True))
            continue
        spans = sorted(span for shift in shifts[name] for span in _spans(shift, until))
        for first, last in _joined(spans):
            turns += [Turn(first, name, available=True), Turn(last, name, available=False)]
    turns.sort(key=lambda turn: (turn.t, turn.representative, turn.available))
    return turns


def _spans(shift: Shift, until: int) -> list[tuple[int, int]]:
    """A shift on each day up to ``until``, as (from, to) in ms; one over midnight also from the day before."""
    first, last = (round(hour * HOURS / SECONDS) * SECONDS for hour in shift)
    if last < first:
        last += 24 * HOURS
    days = range(-1, math.ceil(until / (24 * HOURS)))
    spans = [(max(0, first + day * 24 * HOURS), last + day * 24 * HOURS) for day in days]
    return [(begin, end) for begin, end in spans if end > 0 and begin < until]


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without overlaps."""
    joined: list[tuple[int, int]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
