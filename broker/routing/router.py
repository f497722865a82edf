"""The facts that routing decides on: who is there, who waits, who refused. ``matching`` reads them.

Theory of operation. The desk tells the router every fact as it becomes one (a member is available, a ticket has come
back, an offer is out) and afterwards asks ``matching.next_match`` until it says None. A fact marks as *dirty* the pools
in which it could make a new match possible; only those are looked at: the work is the command's, not the desk's size.

A ticket is in ``line.order`` from its creation to its assignment. Beside that it is ``waiting`` (in a group of its
line, or held for a member), ``paused`` (everybody refused it), or neither while it is out. A member is in ``pool.free``
exactly while it takes offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from broker.routing import fairness, lines, pools
from broker.routing.model import NOBODY, Key, Line, Member, Need, Pool, Statistics, Ticket
from broker.routing.policies import DEFAULT, ROUND_ROBIN, WEIGHTED

NO_SKILLS: Final[Mapping[str, int]] = {}


class Router:
    """One account's routing facts. Changed by the desk's ``evolve`` alone."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.members: dict[str, Member] = {}
        self.lines: dict[str, Line] = {}
        self.pools: dict[frozenset[str], Pool] = {}
        self.turns = 0  # offers made by lines whose policy is round_robin so far
        self.dirty: dict[Pool, None] = {}  # ordered: first marked, first looked at
        self.dirty_members: dict[str, None] = {}  # whose direct line may be served
        self.to_broadcast: dict[str, None] = {}  # broadcast tickets whose offer isn't open
        self.lines_again: dict[str, None] = {}  # lines with a refused or paused ticket: few
        self.rounds: dict[str, None] = {}  # lines in which a round may be over

    # --- configuration ---------------------------------------------------------------------------

    def put_line(self, subportal: str) -> None:
        """Make sure this sub-portal has a line."""
        if subportal not in self.lines:
            line = self.lines[subportal] = Line(subportal)
            line.pools = [pool for pool in self.pools.values() if subportal in pool.subportals]

    def tune(self, subportal: str, *, weight: int = 1, policy: str = DEFAULT, places: int = 1) -> None:
        """From the next offer on, this sub-portal's share, the policy of its offers, and the places that a request of
        it takes, are these. The places don't change while it has open requests."""
        line = self.lines[subportal]
        line.weight = weight
        if (line.policy, line.places) != (policy, places):
            line.policy, line.places = policy, places
            for pool in line.pools:
                pools.rank_all(pool, self.lines)

    def restore(self, pool: Iterable[str], virtual: int, pace: int, tags: Mapping[str, int]) -> None:
        """A pool as a snapshot has it."""
        found = self.pools[frozenset(pool)]
        found.virtual, found.pace, found.tags = virtual, pace, dict(tags)
        for subportal in found.subportals:
            fairness.place(found, self.lines[subportal])

    def put_member(
        self,
        member_id: str,
        capacity: int,
        subportals: Iterable[str],
        *,
        weight: int = 1,
        skills: Mapping[str, int] = NO_SKILLS,
    ) -> None:
        """Add a member or change it: its capacity in places, the sub-portals it serves (its pool), its weight and what
        it can do."""
        pool = self._pool(frozenset(subportals))
        member = self.members.get(member_id)
        if member is None:
            member = self.members[member_id] = Member(member_id, capacity, pool, weight, skills)
            pools.join(pool, member)
            return
        pools.change(member, capacity, weight, skills)
        if member.pool is not pool:
            self._leave_pool(member)
            pools.join(pool, member)
            if member.available:
                self._restart_rounds(pool)
        elif member.available:
            self._recheck_rounds(pool)
            for subportal in [name for name in self.lines_again if name in pool.subportals]:
                for request in sorted(self.lines[subportal].paused):
                    self._resume(self.tickets[request])
        self._rerank(member)

    def remove_member(self, member_id: str) -> None:
        """A member is gone for good. It takes no offers, and has none out, no load and nothing held for it."""
        self._leave_pool(self.members.pop(member_id))
        self.dirty_members.pop(member_id, None)

    def _pool(self, subportals: frozenset[str]) -> Pool:
        pool = self.pools.get(subportals)
        if pool is None:
            pool = self.pools[subportals] = Pool(subportals)
            for subportal in sorted(subportals):
                self.put_line(subportal)
                line = self.lines[subportal]
                if pool not in line.pools:
                    line.pools.append(pool)
                fairness.place(pool, line)
            pools.rank_all(pool, self.lines)
        return pool

    def _leave_pool(self, member: Member) -> None:
        pool = member.pool
        pools.leave(member)
        self._recheck_rounds(pool)
        if not pool.members:  # nobody serves this set of sub-portals any more
            del self.pools[pool.subportals]
            self.dirty.pop(pool, None)
            for subportal in pool.subportals:
                self.lines[subportal].pools.remove(pool)
            for ticket in self.tickets.values():  # what it charged is nobody's, also if there is such a pool again
                if ticket.charge is not None and ticket.charge[0] == pool.subportals:
                    ticket.charge = None

    # --- members ---------------------------------------------------------------------------------

    def set_available(self, member_id: str, now: int, *, available: bool, rested: bool) -> None:
        """A member welcomes offers, or no longer. ``rested``: it comes from a break, so its idle time starts
        now (a reconnect within the grace isn't one)."""
        member = self.members[member_id]
        if rested:
            member.idle_since = now
        if member.available != available:
            pools.set_available(member, available=available)
            if available:
                self._restart_rounds(member.pool)
            else:
                self._recheck_rounds(member.pool)
        self._rerank(member)

    def add_load(self, member_id: str, change: int, now: int, *, offers: int = 0) -> None:
        """A session began (its places) or its places were freed (less than 0); ``offers``: less than 0 where it began
        with an offer to this member alone."""
        member = self.members[member_id]
        member.load += change
        member.offers += offers
        member.idle_since = now
        if change < 0 and member.available:
            self._restart_rounds(member.pool)
        self._rerank(member)

    def add_offers(self, member_id: str, places: int) -> None:
        """An offer to this member alone was made (its places) or ended (less than 0)."""
        member = self.members[member_id]
        member.offers += places
        self._rerank(member)

    def _rerank(self, member: Member) -> None:
        if pools.rerank(member, self.lines):
            if member.pool.backlog:
                self.dirty[member.pool] = None
            if member.direct:
                self.dirty_members[member.id] = None

    # --- tickets ---------------------------------------------------------------------------------

    def add_ticket(self, ticket: Ticket) -> None:
        """A request is open and waits."""
        self.tickets[ticket.request] = ticket
        if ticket.discipline == "queue":
            self._join_line(ticket, "priority")
        self._wait(ticket)

    def aim(self, request: str, discipline: str, target: str | None) -> None:
        """A direct ticket gets another target, none (its customer has to choose), or goes to everyone."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        ticket.discipline, ticket.target = discipline, target
        ticket.refused = NOBODY
        if not ticket.out:
            self._wait(ticket)

    def offered(self, request: str, member_id: str | None) -> None:
        """An offer of this request is out: to a member, or (None) to everyone."""
        ticket = self.tickets[request]
        pool = None
        if ticket.discipline == "queue" and member_id is not None:
            member, line = self.members[member_id], self.lines[ticket.subportal]
            pool = member.pool
            ticket.charge = (pool.subportals, fairness.charge(pool, line, ticket.places, self.lines))
            if line.policy == ROUND_ROBIN:
                self.turns += 1
                member.turn = self.turns  # its rank follows with the offer, which ``add_offers`` is told of
            elif line.policy == WEIGHTED:
                fairness.pass_on(pool, member)
        self._unwait(ticket)
        ticket.out = True
        if pool is not None:
            fairness.place(pool, line)

    def returned(self, request: str, refused_by: str | None) -> None:
        """The offer ended and nobody took it: the ticket is where it was, its age kept. It is held for nobody now."""
        ticket = self.tickets[request]
        ticket.out = False
        ticket.held = None
        if refused_by is not None:
            ticket.refused |= {refused_by}
        if ticket.charge is None:
            self._wait(ticket)
            return
        subportals, cost = ticket.charge
        line = self.lines[ticket.subportal]
        fairness.wake(line)
        fairness.refund(self.pools[subportals], line, cost)
        ticket.charge = None
        self._line_up(ticket)

    def assigned(self, request: str) -> None:
        """The request has its representative: it leaves the line."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)
        ticket.out = True
        ticket.charge = ticket.held = None

    def requeued(self, request: str, refused_by: str) -> None:
        """The assignment was undone: back in line at the original age. Whoever had it comes last in the new round;
        a direct ticket has no target until ``aim``."""
        ticket = self.tickets[request]
        ticket.out = ticket.paused = False
        ticket.target = None
        ticket.refused = frozenset({refused_by})
        if ticket.discipline == "queue":
            self._join_line(ticket, "sent_back")
        self._wait(ticket)

    def remove(self, request: str) -> None:
        """The request is over."""
        ticket = self.tickets.pop(request)
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)

    def rekey(self, request: str, key: Key) -> None:
        """The ticket's class is another: so is its place."""
        ticket = self.tickets[request]
        paused, out = ticket.paused, ticket.out
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)
        ticket.key = key
        self._join_line(ticket, "priority")
        if paused:
            self._stand_aside(ticket)
        elif not out:
            self._line_up(ticket)

    def move(self, request: str, subportal: str, need: Need) -> None:
        """A waiting ticket leaves its line for another, its age kept, and begins anew there."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)
        ticket.subportal, ticket.need, ticket.held, ticket.refused = subportal, need, None, NOBODY
        self._join_line(ticket, "moved_in")
        self._wait(ticket)

    def widen(self, request: str, need: Need, *, release: bool = False) -> None:
        """A ticket needs less than before; ``release``: it is held for nobody any more."""
        ticket = self.tickets[request]
        waits = not ticket.out and not ticket.paused
        if waits:
            self._unwait(ticket)
        ticket.need, ticket.held = need, None if release else ticket.held
        if waits:
            self._line_up(ticket)
        elif ticket.paused:
            self._resume(ticket)

    def pause(self, request: str) -> None:
        """Its round is over: nobody is offered it until ``next_round``."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        self._stand_aside(ticket)

    def _stand_aside(self, ticket: Ticket) -> None:
        ticket.paused = True
        self.lines[ticket.subportal].paused.add(ticket.request)
        self.lines_again[ticket.subportal] = None

    def next_round(self, request: str) -> None:
        """Everyone may be offered it again."""
        ticket = self.tickets[request]
        if ticket.paused:
            self._unwait(ticket)
            ticket.refused = NOBODY
            self._wait(ticket)

    def _join_line(self, ticket: Ticket, why: str) -> None:
        line = self.lines[ticket.subportal]
        if line.order and ticket.key < line.order[-1]:
            line.moved_by = why
        line.order.add(ticket.key)

    def _wait(self, ticket: Ticket) -> None:
        if ticket.discipline == "queue":
            fairness.wake(self.lines[ticket.subportal])
        self._line_up(ticket)

    def _line_up(self, ticket: Ticket) -> None:
        match ticket.discipline:
            case "broadcast":
                self.to_broadcast[ticket.request] = None
            case "direct":
                if ticket.target is not None:
                    member = self.members[ticket.target]
                    member.direct.add(ticket.key)
                    self.dirty_members[member.id] = None
            case _:
                line = self.lines[ticket.subportal]
                line.waiting.add(ticket.key)
                if ticket.held is not None:
                    lines.hold(line, ticket, self.members[ticket.held])
                else:
                    lines.group(line, ticket)
                    if ticket.refused:
                        self.lines_again[line.subportal] = self.rounds[line.subportal] = None
                fairness.rehead(line)
                self._mark(line)

    def _unwait(self, ticket: Ticket) -> None:
        if ticket.discipline == "broadcast":
            self.to_broadcast.pop(ticket.request, None)
        elif ticket.discipline == "direct":
            if ticket.target is not None:
                self.members[ticket.target].direct.discard(ticket.key)
        elif ticket.out:
            return
        else:
            line = self.lines[ticket.subportal]
            line.waiting.discard(ticket.key)
            if ticket.held is not None:
                lines.unhold(line, ticket, self.members[ticket.held])
            else:
                lines.ungroup(line, ticket)
                if not line.refused and not line.paused:
                    self.lines_again.pop(line.subportal, None)
            fairness.rehead(line)
        ticket.paused = False

    # --- rounds ----------------------------------------------------------------------------------

    def _mark(self, line: Line) -> None:
        for pool in line.pools:
            if pool.awake:
                self.dirty[pool] = None

    def _restart_rounds(self, pool: Pool) -> None:
        """A member of this pool became eligible or freed: what everybody had refused has a new chance."""
        for subportal in [name for name in self.lines_again if name in pool.subportals]:
            for request in sorted(self.lines[subportal].paused):
                self.next_round(request)

    def _resume(self, ticket: Ticket) -> None:
        """Somebody may have become eligible who hasn't refused this paused ticket: then its round isn't over."""
        if not lines.round_is_over(self.lines[ticket.subportal], ticket.kind, ticket.refused):
            self._unwait(ticket)
            self._wait(ticket)

    def _recheck_rounds(self, pool: Pool) -> None:
        """A member left or can do less: a round in which only that one was missing is over now."""
        for subportal in self.lines_again:
            if subportal in pool.subportals:
                self.rounds[subportal] = None

    def settle(self) -> None:
        """What is marked needs no look: the facts are of a time when everything had been looked at."""
        self.dirty.clear()
        self.dirty_members.clear()
        self.rounds.clear()

    # --- reading ---------------------------------------------------------------------------------

    def position(self, request: str) -> int:
        """The ticket's place in its line, from 1. Raises KeyError for one that isn't in a line."""
        ticket = self.tickets[request]
        if (found := lines.position(self.lines[ticket.subportal], ticket)) is None:
            raise KeyError(request)
        return found

    def in_line(self, subportal: str, first: int, count: int) -> Iterator[tuple[int, str]]:
        """(place, request) of ``count`` tickets from place ``first`` (from 1) on."""
        return ((place, key[2]) for place, key in lines.in_order(self.lines[subportal], first, count))

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(
            waiting=sum(len(line.order) for line in self.lines.values()),
            members=len(self.members),
            available=sum(pool.available for pool in self.pools.values()),
            lines=len(self.lines),
            pools=len(self.pools),
        )
