"""The one place where offers are decided. Runs after every change, until it returns None.

It reads the router's facts and changes nothing but the marks that say what is still to be looked at;
the desk turns the match into an event, and the event into facts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from broker.routing.model import Key, Line, Match, Pool, RoundOver, Ticket
from broker.routing.policies import Rank
from broker.routing.router import Router


def next_match(router: Router) -> Match | RoundOver | None:
    """The next offer to make (or round to end), or None: every request that can be offered is.

    Order: what is for everyone, then each member's own line, then the lines, oldest first ticket first.
    """
    for request in router.to_broadcast:
        return Match(request, "broadcast", None)
    while router.dirty_members:
        name = next(iter(router.dirty_members))
        member = router.members[name]
        if member.takes_offers and member.direct:
            return Match(member.direct[0][2], "direct", name)
        del router.dirty_members[name]
    while router.dirty:
        pool = next(iter(router.dirty))
        found = _match_pool(router, pool)
        if found is not None:
            return found
        del router.dirty[pool]
    return None


def _match_pool(router: Router, pool: Pool) -> Match | RoundOver | None:
    if not pool.free:
        return None
    for _, subportal in pool.backlog:  # past the first only where everyone free has refused all of it
        found = _match_line(router, router.lines[subportal])
        if found is not None:
            return found
    return None


def _match_line(router: Router, line: Line) -> Match | RoundOver | None:
    for key in _in_order(line):
        ticket = router.tickets[key[2]]
        member = best_member(line, ticket.refused)
        if member is not None:
            return Match(ticket.request, "queue", member)
        if not ticket.refused:
            return None  # nobody at all is free in this line
        if round_is_over(line, ticket):
            return RoundOver(ticket.request)
    return None


def _in_order(line: Line) -> Iterator[Key]:
    """The refused tickets in their places around the first untouched one; those behind that can't be served
    before it."""
    first = line.ready[0] if line.ready else None
    for key in line.again:
        if first is not None and first < key:
            yield first
            first = None
        yield key
    if first is not None:
        yield first


def best_member(line: Line, refused: Collection[str]) -> str | None:
    """The free member with the best rank over all pools of this line who isn't among ``refused``."""
    best: Rank | None = None
    for pool in line.pools:
        for rank in pool.free:
            if rank[2] not in refused:
                if best is None or rank < best:
                    best = rank
                break
    return None if best is None else best[2]


def round_is_over(line: Line, ticket: Ticket) -> bool:
    """Whether every eligible (available) member has refused this ticket, and there is at least one."""
    eligible = sum(pool.available for pool in line.pools)
    if eligible == 0:
        return False
    refused = sum(
        1
        for pool in line.pools
        for name in ticket.refused
        if (member := pool.members.get(name)) is not None and member.available
    )
    return refused >= eligible
