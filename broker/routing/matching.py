"""The one place where offers are decided. Runs after every change, until it returns None.

It reads the router's facts and changes nothing but the marks that say what is still to be looked at;
the desk turns the match into an event, and the event into facts.
"""

from __future__ import annotations

from collections.abc import Collection

from broker.routing.model import Key, Line, Match, Pool, RoundOver
from broker.routing.policies import Rank
from broker.routing.router import NOBODY, Router

Found = tuple[Key, str]
"""A ticket that can be offered, and the member it goes to."""


def next_match(router: Router) -> Match | RoundOver | None:
    """The next offer to make (or round to end), or None: every request that can be offered is.

    Order: what is for everyone, then each member's own line, then rounds that are over, then the lines: of all
    tickets that somebody free may take, the oldest first.
    """
    for request in router.to_broadcast:
        return Match(request, "broadcast", None)
    while router.dirty_members:
        name = next(iter(router.dirty_members))
        member = router.members[name]
        if member.takes_offers and member.direct:
            return Match(member.direct[0][2], "direct", name)
        del router.dirty_members[name]
    while router.rounds:
        subportal = next(iter(router.rounds))
        for refused, keys in router.lines[subportal].groups.items():
            if round_is_over(router.lines[subportal], refused):
                return RoundOver(keys[0][2])
        del router.rounds[subportal]
    found = _oldest(router) if router.dirty else None
    return None if found is None else Match(found[0][2], "queue", found[1])


def _oldest(router: Router) -> Found | None:
    """Over all pools that changed. A pool in which nothing can be offered is unmarked."""
    best: Found | None = None
    tried: dict[str, Found | None] = {}  # a line that many pools serve is looked at once
    for pool in _by_age(router):
        if best is not None and best[0] < pool.backlog[0][0]:
            break
        found = _match_pool(router, pool, tried)
        if found is None:
            del router.dirty[pool]
        elif best is None or found[0] < best[0]:
            best = found
    return best


def _by_age(router: Router) -> list[Pool]:
    """The marked pools that have both a free member and a ticket, the one with the oldest first."""
    pools = []
    for pool in list(router.dirty):
        if pool.free and pool.backlog:
            pools.append(pool)
        else:
            del router.dirty[pool]
    if len(pools) > 1:
        pools.sort(key=lambda pool: pool.backlog[0])
    return pools


def _match_pool(router: Router, pool: Pool, tried: dict[str, Found | None]) -> Found | None:
    best: Found | None = None
    for head, subportal in pool.backlog:  # past the first only where everyone free has refused what is first
        if best is not None and best[0] < head:
            break
        if subportal not in tried:
            tried[subportal] = _match_line(router.lines[subportal])
        found = tried[subportal]
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    return best


def _match_line(line: Line) -> Found | None:
    """The first ticket that a free member hasn't refused. Of tickets refused by the same, only the first is tried."""
    heads = [(keys[0], refused) for refused, keys in line.groups.items()]
    if line.ready:
        heads.append((line.ready[0], NOBODY))
    if len(heads) > 1:
        heads.sort(key=lambda head: head[0])
    for key, refused in heads:
        member = best_member(line, refused)
        if member is not None:
            return key, member
    return None


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


def round_is_over(line: Line, refused: Collection[str]) -> bool:
    """Whether every eligible (available) member is among ``refused``. With nobody there it is over too, so that
    whoever comes first begins a new one."""
    eligible = sum(pool.available for pool in line.pools)
    had_it = sum(
        1
        for pool in line.pools
        for name in refused
        if (member := pool.members.get(name)) is not None and member.available
    )
    return had_it >= eligible
