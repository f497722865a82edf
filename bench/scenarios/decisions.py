"""P6: what a queue-mode decision costs as the work grows. The desk alone: no sockets, no journal, no packing.

Timed: single calls of `Desk.handle`, on desks prepared with real commands. Four kinds of growth, one at a time:
waiting requests (100 to 100,000; 100 representatives, all occupied), representatives (10 to 10,000, all free),
sub-portals (1 to 1,000; one team serves them all, 1,000 requests wait), skills (1 to 100 that requests ask for, one
each, in sub-portals of eight skills; 1,000 wait, and each of 100 representatives has three of them). A "decision" is
the one call that makes the offer: a session's end that lets its representative have the next in line, or, with
everybody free, a request's creation. A "whole cycle" is that, the accept, and what restores the former size (another
request, or the session's end), so sizes stay as they are. Beyond the table's targets, "pools" lets 1 to 100 teams with
different rights serve one sub-portal, everybody free, which nothing promises.

What would make the number lie: medians (they hide the rare slow call, so the p99 is beside; it holds what Python's
garbage collector does with what a cycle leaves behind, but not its passes over the prepared desk, which is frozen
first); a desk in which every other cycle takes a shorter way (each cycle checks that it made exactly one offer); caches
(100,000 requests don't fit into them, and that is as it would be).
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Sequence
from random import Random
from statistics import median, quantiles
from time import perf_counter_ns
from typing import Final

import attrs

from bench.report import Report, Sample, Target
from broker.content import Personal
from broker.desk.commands import ConnectionBack
from broker.desk.desk import Desk
from broker.desk.events import OfferMade
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled
from broker.desk.state import Request
from broker.protocol import ops
from broker.routing.pins import PinSpace

ACCOUNT: Final = "bench"
MANAGER: Final = Identity(ACCOUNT, "mia", Role.MANAGER)
START: Final = 1_700_000_000_000
PORTAL_SUBPORTALS: Final = 64
"""Sub-portals of one portal: the schema's bound."""
SKILLS_EACH: Final = 8
"""Skills of one sub-portal: the schema's bound."""
UNIT: Final = "µs"
MOST_SECONDS: Final = 3
"""For one size in one round."""
DECISION: Final = "decision"
CYCLE: Final = "whole cycle"
GROWTH: Final = (
    ("P6 waiting requests", (100, 1_000, 10_000, 100_000)),
    ("P6 representatives", (10, 100, 1_000, 10_000)),
    ("P6 sub-portals", (1, 10, 100, 1_000)),
    ("P6 skills", (1, 10, 100)),
    ("P6 pools of one line (no target)", (1, 10, 100)),
)
TARGETS: Final = tuple(
    Target(scenario=name, case=case, server=f"{sizes[-1]:,}", against=f"{sizes[0]:,}", bound=2.0, at_most=True)
    for name, sizes in GROWTH[:4]
    for case in (DECISION, CYCLE)
)


@attrs.define
class Office:
    """A desk, and who is doing what at it."""

    desk: Desk
    subportals: Sequence[str]
    chance: Random
    now: int = START
    customers: int = 0
    skills: int = 0
    """How many its customers can ask for, in sub-portals of ``SKILLS_EACH``."""
    sessions: deque[tuple[str, str]] = attrs.field(factory=deque)
    """(session, representative), the oldest first."""

    @classmethod
    def built(cls, *, subportals: int = 1, representatives: int, teams: int = 1, skills: int = 0) -> Office:
        """Everybody signed in and available, nobody waiting. Capacity 1 each."""
        subportals = max(subportals, -(-skills // SKILLS_EACH))
        names = [f"sub-{n:04}" for n in range(subportals)]
        office = cls(Desk(ACCOUNT, 0, PinSpace(bytes(32))), names, Random(20260214), skills=skills)
        for start in range(0, subportals, PORTAL_SUBPORTALS):
            part = names[start : start + PORTAL_SUBPORTALS]
            office.do(MANAGER, ops.PortalPut(f"portal-{start}", "ask", "queue", part))
        for at in range(subportals if skills else 0):
            asked = [{"skill": skill, "level": 1, "asked": True} for skill in office.asked(at)]
            office.do(MANAGER, ops.SubportalPut(names[at], skills=asked))
        for n in range(
            teams if teams > 1 else 0
        ):  # each team gets a sub-portal of its own, so that no two are one pool
            office.do(MANAGER, ops.PortalPut(f"own-{n}", "ask", "queue", [f"own-{n:04}"]))
        for n in range(teams):
            served = names if teams == 1 else [*names, f"own-{n:04}"]
            office.do(MANAGER, ops.TeamPut(f"team-{n}", served))
        for n in range(representatives):
            name = Personal("Robin Example", ("c_name", bytes(16)))
            can = [{"skill": f"skill-{(n + k) % skills}", "level": 1} for k in range(min(3, skills))]
            office.do(MANAGER, ops.RepresentativePut(f"rep-{n:05}", name, f"team-{n % teams}", 1, skills=can))
            office.tell(ConnectionBack(f"rep-{n:05}"))
            office.do(office.representative(f"rep-{n:05}"), ops.PresenceSet("available"))
        return office

    def representative(self, name: str) -> Identity:
        """Who they are."""
        return Identity(ACCOUNT, name, Role.REPRESENTATIVE)

    def tell(self, command: ConnectionBack) -> None:
        """What the broker itself tells the desk."""
        self.now += 1
        self.desk.handle(command, None, self.now, self.chance.randbytes(16))

    def do(self, who: Identity, command: object) -> Handled:
        """One command that must work."""
        self.now += 1
        handled = self.desk.handle(command, who, self.now, self.chance.randbytes(16))
        if not isinstance(handled, Handled):
            raise TypeError(f"{command} was refused: {handled}")
        return handled

    def timed(self, who: Identity, command: object) -> tuple[Handled, int]:
        """The same, and how many nanoseconds ``handle`` took."""
        self.now += 1
        entropy = self.chance.randbytes(16)
        handle, now = self.desk.handle, self.now
        began = perf_counter_ns()
        handled = handle(command, who, now, entropy)
        took = perf_counter_ns() - began
        if not isinstance(handled, Handled):
            raise TypeError(f"{command} was refused: {handled}")
        return handled, took

    def question(self, like: Request | None = None) -> tuple[Identity, ops.RequestCreate]:
        """A new customer with a question for any sub-portal, or for that of another question, and with its needs."""
        self.customers += 1
        at = self.chance.randrange(len(self.subportals)) if like is None else self.subportals.index(like.subportal)
        portal = f"portal-{at - at % PORTAL_SUBPORTALS}"
        who = Identity(ACCOUNT, f"v_{self.customers:016}", Role.CUSTOMER, portal)
        text = Personal("How do I change my address?", (f"c_{self.customers}", bytes(16)))
        needed = [] if like is None else list(like.asked)
        if like is None and self.skills:
            needed = [self.chance.choice(self.asked(at))]
        return who, ops.RequestCreate(self.subportals[at], text, skills=needed)

    def asked(self, at: int) -> list[str]:
        """What customers of this sub-portal may ask for."""
        return [f"skill-{n}" for n in range(at * SKILLS_EACH, min((at + 1) * SKILLS_EACH, self.skills))]

    def accept(self, offer: OfferMade) -> int:
        """The representative takes it; nanoseconds."""
        assert offer.representative is not None
        handled, took = self.timed(self.representative(offer.representative), ops.OfferAccept(offer.offer))
        self.sessions.append((str(handled.value["session"]), offer.representative))
        return took

    def end(self) -> tuple[Handled, int]:
        """The oldest session ends."""
        session, name = self.sessions.popleft()
        return self.timed(self.representative(name), ops.SessionEnd(session))

    def occupy(self, waiting: int) -> None:
        """Everybody gets a session, and so many more requests wait."""
        while len(self.sessions) < len(self.desk.state.representatives) or len(self.desk.state.requests) < waiting:
            for record in self.do(*self.question()).records:
                if isinstance(record.event, OfferMade):
                    self.accept(record.event)
        for _ in range(waiting + len(self.sessions) - len(self.desk.state.requests)):
            self.do(*self.question())

    def cycle_in_line(self) -> tuple[int, int]:
        """A session ends, the next in line is offered (decision) and accepted, somebody joins: (decision, all)."""
        handled, decision = self.end()
        offer = one_offer(handled)
        accepting = self.accept(offer)
        _, joining = self.timed(*self.question(self.desk.state.requests[offer.request]))
        return decision, decision + accepting + joining

    def cycle_free(self) -> tuple[int, int]:
        """A request finds the best free representative (decision), is accepted, and ends: (decision, all)."""
        handled, decision = self.timed(*self.question())
        accepting = self.accept(one_offer(handled))
        _, ending = self.end()
        return decision, decision + accepting + ending


def one_offer(handled: Handled) -> OfferMade:
    """The offer that this command led to: exactly one."""
    (offer,) = [record.event for record in handled.records if isinstance(record.event, OfferMade)]
    return offer


def prepared(scenario: str, size: int) -> tuple[Office, Callable[[], tuple[int, int]]]:
    """An office of this size, and the cycle to time on it."""
    if scenario == "P6 representatives":
        office = Office.built(representatives=size)
        return office, office.cycle_free
    if scenario == "P6 waiting requests":
        office = Office.built(representatives=100)
        office.occupy(size)
    elif scenario == "P6 sub-portals":
        office = Office.built(subportals=size, representatives=100)
        office.occupy(1000)
    elif scenario == "P6 skills":
        office = Office.built(representatives=100, skills=size)
        office.occupy(1000)
    else:
        office = Office.built(representatives=100, teams=size)
        return office, office.cycle_free
    return office, office.cycle_in_line


def timed(cycle: Callable[[], tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """That many cycles, fewer where they take longer than ``MOST_SECONDS`` together."""
    times: list[tuple[int, int]] = []
    end = perf_counter_ns() + MOST_SECONDS * 10**9
    while len(times) < count and perf_counter_ns() < end:
        times.append(cycle())
    return times


def run(report: Report, *, rounds: int, cycles: int = 2000, largest: int = 100_000) -> None:
    """Build each kind's desks up to ``largest``, then time ``cycles`` on each in turn, ``rounds`` times."""
    for scenario, sizes in GROWTH:
        wanted = [size for size in sizes if size <= largest]
        offices = {size: prepared(scenario, size) for size in wanted}
        gc.collect()
        gc.freeze()
        for _, cycle in offices.values():  # warm-up: caches, and what the interpreter specialises
            timed(cycle, max(10, cycles // 10))
        for number in range(rounds):
            for size, (_, cycle) in offices.items():
                _add(report, scenario, f"{size:,}", number, timed(cycle, cycles))
        del offices
        gc.unfreeze()
        gc.collect()


def _add(report: Report, scenario: str, size: str, number: int, times: list[tuple[int, int]]) -> None:
    for index, case in enumerate((DECISION, CYCLE)):
        values = [pair[index] / 1000 for pair in times]
        report.add(
            Sample(
                scenario=scenario,
                case=case,
                server=size,
                round=number,
                value=median(values),
                unit=UNIT,
                p50_ms=median(values) / 1000,
                p99_ms=quantiles(values, n=100)[98] / 1000,
                details={"mean": sum(values) / len(values), "max": max(values), "cycles": len(values)},
            )
        )
