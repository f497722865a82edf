"""The facts that routing decides on: who is there, who waits, who refused. ``matching`` reads them.

Theory of operation. The desk tells the router every fact as it becomes one (a member is available,
a ticket has come back, an offer is out) and afterwards asks ``matching.next_match`` until it says
None. A fact marks as *dirty* the pools in which it could make a new match possible; only those are
looked at. So the work per command is that of the command, not of the desk's size.

A ticket is in ``line.order`` from its creation to its assignment, and beside that in exactly one of:
``ready`` (nobody refused it), ``again`` (somebody did), ``paused`` (everybody did), or none of them
while it is out. A member is in ``pool.free`` exactly while it takes offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import attrs
from sortedcontainers import SortedList

from broker.routing import fairness
from broker.routing.model import Key, Line, Member, Pool, Ticket
from broker.routing.policies import DEFAULT, POLICIES

NOBODY: Final[frozenset[str]] = frozenset()


@attrs.frozen
class Statistics:
    """Counts of one account's routing."""

    waiting: int
    """Queue tickets in line, offered ones included."""
    members: int
    available: int
    lines: int
    pools: int


class Router:
    """One account's routing facts. Changed by the desk's ``evolve`` alone."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.members: dict[str, Member] = {}
        self.lines: dict[str, Line] = {}
        self.pools: dict[frozenset[str], Pool] = {}
        self.turns = 0
        """Offers made from lines so far."""
        self.dirty: dict[Pool, None] = {}  # ordered: first marked, first looked at
        self.dirty_members: dict[str, None] = {}  # whose direct line may be served
        self.to_broadcast: dict[str, None] = {}  # broadcast tickets whose offer isn't open
        self.lines_again: dict[str, None] = {}  # lines with a refused or paused ticket: few
        self.rounds: dict[str, None] = {}  # lines in which a round may be over

    # --- configuration ---------------------------------------------------------------------------

    def put_line(self, subportal: str) -> None:
        """Make sure this sub-portal has a line."""
        if subportal in self.lines:
            return
        line = self.lines[subportal] = Line(subportal)
        line.pools = [pool for pool in self.pools.values() if subportal in pool.subportals]

    def tune(self, subportal: str, weight: int, policy: str) -> None:
        """From the next offer on, this sub-portal's share and the policy of its offers are these."""
        line = self.lines[subportal]
        line.weight = weight
        if line.policy != policy:
            line.policy = policy
            for pool in line.pools:
                self._rank_all(pool)

    def _rank_all(self, pool: Pool) -> None:
        """The pool's lines have other policies than before."""
        used = {self.lines[subportal].policy for subportal in pool.subportals} or {DEFAULT}
        pool.free = {policy: SortedList() for policy in sorted(used)}
        for member in pool.members.values():
            member.ranks = {}
            self._rerank(member)

    def restore(self, pool: Iterable[str], virtual: int, tags: Mapping[str, int]) -> None:
        """A pool as a snapshot has it."""
        found = self.pools[frozenset(pool)]
        found.virtual, found.tags = virtual, dict(tags)
        for subportal in found.subportals:
            fairness.place(found, self.lines[subportal])

    def put_member(self, member_id: str, capacity: int, subportals: Iterable[str]) -> None:
        """Add a member or change it: its capacity, and the sub-portals it serves (its pool)."""
        pool = self._pool(frozenset(subportals))
        member = self.members.get(member_id)
        if member is None:
            member = self.members[member_id] = Member(member_id, capacity, pool)
            pool.members[member_id] = member
            return
        member.capacity = capacity
        if member.pool is not pool:
            self._leave_pool(member)
            member.pool = pool
            pool.members[member_id] = member
            pool.available += member.available
            if member.available:
                self._restart_rounds(pool)
        self._rerank(member)

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
            self._rank_all(pool)
        return pool

    def _leave_pool(self, member: Member) -> None:
        pool = member.pool
        self._unrank(member)
        del pool.members[member.id]
        pool.available -= member.available
        self._recheck_rounds(pool)
        if not pool.members:  # nobody serves this set of sub-portals any more
            del self.pools[pool.subportals]
            self.dirty.pop(pool, None)
            for subportal in pool.subportals:
                self.lines[subportal].pools.remove(pool)

    # --- members ---------------------------------------------------------------------------------

    def set_available(self, member_id: str, now: int, *, available: bool, rested: bool) -> None:
        """A member welcomes offers, or no longer. ``rested``: it comes from a break, so its idle time starts
        now (a reconnect within the grace isn't one)."""
        member = self.members[member_id]
        if rested:
            member.idle_since = now
        if member.available != available:
            member.available = available
            member.pool.available += 1 if available else -1
            if available:
                self._restart_rounds(member.pool)
            else:
                self._recheck_rounds(member.pool)
        self._rerank(member)

    def add_load(self, member_id: str, change: int, now: int, *, offers: int = 0) -> None:
        """A session began (+1) or ended (-1); ``offers``: -1 where it began with an offer to this member alone."""
        member = self.members[member_id]
        member.load += change
        member.offers += offers
        member.idle_since = now
        if change < 0 and member.available:
            self._restart_rounds(member.pool)
        self._rerank(member)

    def add_offers(self, member_id: str, change: int) -> None:
        """An offer to this member alone was made (+1) or ended (-1)."""
        member = self.members[member_id]
        member.offers += change
        self._rerank(member)

    def _rerank(self, member: Member) -> None:
        pool = member.pool
        self._unrank(member)
        if member.takes_offers:
            for policy, free in pool.free.items():
                rank = member.ranks[policy] = POLICIES[policy].rank(member)
                free.add(rank)
            if pool.backlog:
                self.dirty[pool] = None
            if member.direct:
                self.dirty_members[member.id] = None

    def _unrank(self, member: Member) -> None:
        for policy, rank in member.ranks.items():
            member.pool.free[policy].remove(rank)
        member.ranks.clear()

    # --- tickets ---------------------------------------------------------------------------------

    def add_ticket(self, ticket: Ticket) -> None:
        """A request is open and waits."""
        self.tickets[ticket.request] = ticket
        if ticket.discipline == "queue":
            self.lines[ticket.subportal].order.add(ticket.key)
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
            ticket.charge = (pool.subportals, fairness.charge(pool, line, self.lines))
            self.turns += 1
            member.turn = self.turns  # its rank follows with the offer, which ``add_offers`` is told of
        self._unwait(ticket)
        ticket.out = True
        if pool is not None:
            fairness.place(pool, line)

    def returned(self, request: str, refused_by: str | None) -> None:
        """The offer ended and nobody took it: the ticket is where it was, its age kept."""
        ticket = self.tickets[request]
        ticket.out = False
        if refused_by is not None:
            ticket.refused |= {refused_by}
        if ticket.charge is None:
            self._wait(ticket)
            return
        line, pool = self.lines[ticket.subportal], self.pools.get(ticket.charge[0])
        fairness.wake(line)
        if pool is not None:  # else its last member has left meanwhile, and the account of it with that one
            fairness.refund(pool, line, ticket.charge[1])
        ticket.charge = None
        self._line_up(ticket)

    def assigned(self, request: str) -> None:
        """The request has its representative: it leaves the line."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)
        ticket.out = True
        ticket.charge = None

    def requeued(self, request: str, refused_by: str) -> None:
        """The assignment was undone: back in line at the original age. Whoever had it comes last in the new round;
        a direct ticket has no target until ``aim``."""
        ticket = self.tickets[request]
        ticket.out = ticket.paused = False
        ticket.target = None
        ticket.refused = frozenset({refused_by})
        if ticket.discipline == "queue":
            self.lines[ticket.subportal].order.add(ticket.key)
        self._wait(ticket)

    def remove(self, request: str) -> None:
        """The request is over."""
        ticket = self.tickets.pop(request)
        self._unwait(ticket)
        self.lines[ticket.subportal].order.discard(ticket.key)

    def pause(self, request: str) -> None:
        """Its round is over: nobody is offered it until ``next_round``."""
        ticket = self.tickets[request]
        self._unwait(ticket)
        ticket.paused = True
        line = self.lines[ticket.subportal]
        line.paused.add(request)
        self.lines_again[line.subportal] = None

    def next_round(self, request: str) -> None:
        """Everyone may be offered it again."""
        ticket = self.tickets[request]
        if ticket.paused:
            self._unwait(ticket)
            ticket.refused = NOBODY
            self._wait(ticket)

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
                if ticket.refused:
                    self._group(line, ticket)
                else:
                    line.ready.add(ticket.key)
                fairness.rehead(line)
                self._mark(line)

    def _unwait(self, ticket: Ticket) -> None:
        if ticket.discipline == "broadcast":
            self.to_broadcast.pop(ticket.request, None)
        elif ticket.discipline == "direct":
            if ticket.target is not None:
                self.members[ticket.target].direct.discard(ticket.key)
        else:
            line = self.lines[ticket.subportal]
            if ticket.out:
                return
            if not ticket.refused:
                line.ready.discard(ticket.key)
            else:
                self._ungroup(line, ticket)
            fairness.rehead(line)
        ticket.paused = False

    def _group(self, line: Line, ticket: Ticket) -> None:
        """Somebody has refused it: it stands with those that the same members refused."""
        line.again.add(ticket.key)
        group = line.groups.get(ticket.refused)
        if group is None:
            group = line.groups[ticket.refused] = SortedList()
        group.add(ticket.key)
        self.lines_again[line.subportal] = self.rounds[line.subportal] = None

    def _ungroup(self, line: Line, ticket: Ticket) -> None:
        if ticket.paused:
            line.paused.discard(ticket.request)
        else:
            line.again.discard(ticket.key)
            group = line.groups[ticket.refused]
            group.discard(ticket.key)
            if not group:
                del line.groups[ticket.refused]
        if not line.again and not line.paused:
            self.lines_again.pop(line.subportal, None)

    # --- rounds ----------------------------------------------------------------------------------

    def _mark(self, line: Line) -> None:
        for pool in line.pools:
            if pool.somebody_free:
                self.dirty[pool] = None

    def _restart_rounds(self, pool: Pool) -> None:
        """A member of this pool became eligible or freed: what everybody had refused has a new chance."""
        for subportal in [name for name in self.lines_again if name in pool.subportals]:
            for request in sorted(self.lines[subportal].paused):
                self.next_round(request)

    def _recheck_rounds(self, pool: Pool) -> None:
        """A member left: a round in which only that one was missing is over now."""
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
        order = self.lines[ticket.subportal].order
        index = order.bisect_left(ticket.key)
        if ticket.discipline != "queue" or index == len(order) or order[index] != ticket.key:
            raise KeyError(request)
        return index + 1

    def in_line(self, subportal: str, first: int, count: int) -> Iterator[tuple[int, str]]:
        """(place, request) of ``count`` tickets from place ``first`` (from 1) on."""
        order = self.lines[subportal].order
        for place, key in enumerate(order.islice(first - 1, first - 1 + count), first):
            yield place, key[2]

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(
            waiting=sum(len(line.order) for line in self.lines.values()),
            members=len(self.members),
            available=sum(pool.available for pool in self.pools.values()),
            lines=len(self.lines),
            pools=len(self.pools),
        )


def make_key(arrived: int, number: int, request: str) -> Key:
    """A ticket's place: by arrival, then by the account's order of arrival."""
    return (arrived, number, request)
