"""What the account stream of one run tells: of each request, what it found, how long it waited and held its place.

All times are the broker's own (t of its events, in ms). Pure: events in, figures out. Counterpart: ``people`` makes the
load and gathers the events, ``theory`` holds the figures against Erlang's.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean, pvariance
from typing import Final

import attrs

from broker.protocol.frames import Event

SERVERS: Final = 10
"""Representatives of capacity 1."""


class Impossible(Exception):
    """The stream tells what no desk of these representatives may do; the text says what."""


@attrs.define(kw_only=True)
class Visit:
    """One request. None: that never happened."""

    request: str
    created: int
    busy: int
    """Places held when it came."""
    line: int
    """Requests waiting for an offer when it came."""
    offered: int | None = None
    assigned: int | None = None
    freed: int | None = None
    """When its place was free again: its session ended, or its customer went while the offer stood."""
    ended: int | None = None

    @property
    def abandoned(self) -> bool:
        """Whether it went before anybody was free."""
        return self.offered is None

    @property
    def waited(self) -> int:
        """Until somebody was free, or until it gave up."""
        until = self.ended if self.offered is None else self.offered
        assert until is not None
        return until - self.created

    @property
    def in_line(self) -> int:
        """What the broker's metrics call its wait: until it was assigned, or gone."""
        until = self.ended if self.assigned is None else self.assigned
        assert until is not None
        return until - self.created

    @property
    def held(self) -> int:
        """How long it kept a place."""
        assert self.offered is not None
        assert self.freed is not None
        return self.freed - self.offered


def read(events: Iterable[Event]) -> dict[str, Visit]:
    """The visits, in the order in which they came. Raises ``Impossible``."""
    visits: dict[str, Visit] = {}
    busy = line = 0
    for event in events:
        name, t = str(event.data.get("request")), event.t_ms
        if event.type == "request.created":
            visits[name] = Visit(request=name, created=t, busy=busy, line=line)
            line += 1
            continue
        visit = visits.get(name)
        if visit is None:
            continue  # presences and the like, which are nobody's request
        match event.type:
            case "offer.made":
                if visit.offered is not None:
                    raise Impossible(f"{name} was offered twice, where everybody accepts")
                visit.offered, busy, line = t, busy + 1, line - 1
            case "request.assigned":
                visit.assigned = t
            case "session.ended" | "session.released":
                visit.freed, busy = t, busy - 1
            case "offer.ended" if event.data.get("reason") != "accepted":
                visit.freed, busy = t, busy - 1
            case "request.ended":
                visit.ended = t
                line -= visit.offered is None
            case _:
                pass
        if busy > SERVERS:
            raise Impossible(f"{busy} places are held at {t}, of {SERVERS}")
    if busy or line:
        raise Impossible(f"{busy} places are held and {line} requests wait when all have gone")
    return visits


def contradictions(visits: Mapping[str, Visit], answers: Mapping[str, str]) -> list[str]:
    """Where the answer to ``request.create`` isn't what the state was: it must say ``waiting`` where every place was
    held at that moment, and ``offered`` where one was free; and with one free, nobody waits."""
    found = []
    if visits.keys() != answers.keys():
        found.append(f"{len(visits)} requests came, {len(answers)} were answered")
    for name, state in answers.items():
        visit = visits[name]
        if state != ("waiting" if visit.busy == SERVERS else "offered"):
            found.append(f"{name} was answered {state} with {visit.busy} places held")
        if visit.busy < SERVERS and visit.line:
            found.append(f"{visit.line} waited with {visit.busy} places held, as {name} came")
    return found


def out_of_turn(visits: Iterable[Visit]) -> list[str]:
    """Who wasn't offered in the very millisecond in which a line of so many servers, first come, first served, with
    these arrivals, these holding times and these who gave up would have had it served. Where all were, what differs
    from theory is what was drawn and how late it came, not who was chosen when."""
    free, found = [0] * SERVERS, []
    for visit in visits:
        turn = max(visit.created, free[0])
        if visit.offered is None:
            if visit.ended is None or visit.ended > turn:
                found.append(f"{visit.request} waited for nobody from {turn} on")
            continue
        if visit.offered != turn:
            found.append(f"{visit.request} was offered at {visit.offered}, and its turn was at {turn}")
        heapq.heapreplace(free, visit.offered + visit.held)
    return found


@attrs.frozen(kw_only=True)
class Run:
    """The figures of one run, without its warm-up. Times in ms, rates per ms."""

    requests: int
    waited: float
    """The share that found everybody busy."""
    mean: float
    """The wait, over all."""
    rate: float
    """Arrivals."""
    handle: float
    """How long a conversation was meant to be in the mean: what was drawn from, not what was drawn."""
    held: float
    """How long a place was held, by who got one."""
    gaps: float
    """Squared coefficient of variation of the gaps between arrivals: 1 for a Poisson process, more where they come in
    bunches."""
    latency: float = 0.0
    """How much longer a place is held than the conversation was meant to be: the way of the offer, of the answer and
    of the end, each with its commit."""
    jitter: float = 0.0
    """The variance of that (ms²)."""
    abandoned: float = 0.0
    """The share that gave up before anybody was free."""
    overstayed: float = 0.0
    """How much longer than their patience those waited who gave up."""

    @property
    def load(self) -> float:
        """Erlangs, with all latencies."""
        return self.rate * self.held

    @property
    def wait(self) -> float:
        """The mean wait in mean holding times."""
        return self.mean / self.held


def figures(
    visits: Sequence[Visit], handles: Mapping[str, float], patience: Mapping[str, float], *, handle: float, warm_up: int
) -> Run:
    """Of all visits but the first ones. ``handles``: how long (ms) each conversation was meant to be, ``handle`` in the
    mean; ``patience``: the same of those who may give up."""
    counted = visits[warm_up:]
    came = [visit.created for visit in counted]
    gaps = [after - before for before, after in pairwise(came)]
    served = [visit for visit in counted if visit.offered is not None]
    talked = [visit for visit in served if visit.assigned is not None]
    latencies = [visit.held - handles[visit.request] for visit in talked]
    gone = [visit for visit in counted if visit.abandoned]
    n = len(counted)
    return Run(
        requests=n,
        waited=sum(visit.busy == SERVERS for visit in counted) / n,
        mean=fmean(visit.waited for visit in counted),
        rate=1 / fmean(gaps),
        handle=handle,
        held=fmean(visit.held for visit in served),
        gaps=pvariance(gaps) / fmean(gaps) ** 2,
        latency=fmean(latencies),
        jitter=pvariance(latencies),
        abandoned=len(gone) / n,
        overstayed=fmean(visit.waited - patience[visit.request] for visit in gone) if gone else 0.0,
    )


@attrs.frozen(kw_only=True)
class Lines:
    """The broker's own counts, ``huntgroup_lines_*`` of ``/metrics``."""

    changed: int
    joined: int
    left: int
    length_ms: int
    waited_ms: int

    @classmethod
    def parse(cls, text: str) -> Lines:
        """From what ``/metrics`` answers, for its only account."""
        found: dict[str, int] = {}
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name.startswith("huntgroup_lines_"):
                bare = name.partition("{")[0].removeprefix("huntgroup_lines_").removesuffix("_total")
                found[bare] = int(float(value))
        return cls(**{field.name: found[field.name] for field in attrs.fields(cls)})

    def since(self, before: Lines) -> Lines:
        """What came to it; ``changed`` is how long that took (ms)."""
        ours, theirs = attrs.astuple(self), attrs.astuple(before)
        return Lines(**dict(zip(attrs.fields_dict(Lines), map(int.__sub__, ours, theirs), strict=True)))

    def __add__(self, other: Lines) -> Lines:
        ours, theirs = attrs.astuple(self), attrs.astuple(other)
        return Lines(**dict(zip(attrs.fields_dict(Lines), map(int.__add__, ours, theirs), strict=True)))

    @property
    def length(self) -> float:
        """L: the mean length of the line, by the length over time."""
        return self.length_ms / self.changed

    @property
    def by_little(self) -> float:
        """λW: what it must be, by who came and how long those waited who left."""
        return self.joined / self.changed * self.waited_ms / self.left


def stood(visits: Iterable[Visit], begin: int, end: int) -> int:
    """How long all these stood in line between two times, together (requests x ms): the length over time, once more."""
    return sum(max(0, min(end, visit.created + visit.in_line) - max(begin, visit.created)) for visit in visits)


def spread(values: Sequence[float], share: float) -> float:
    """The value that this share of all don't exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
