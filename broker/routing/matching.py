"""The one place where offers are decided. Runs after every change, until it returns None.

It reads the router's facts and changes nothing but the marks that say what is still to be looked at;
the desk turns the match into an event, and the event into facts.
"""

from __future__ import annotations

from collections.abc import Collection

from broker.routing.model import Key, Line, Match, Pool, RoundOver
from broker.routing.policies import Rank
from broker.routing.router import NOBODY, Router

Found = tuple[Key, Rank]
"""A ticket that can be offered, and the rank of the member it goes to."""


def next_match(router: Router) -> Match | RoundOver | None:
    """The next offer to make (or round to end), or None: every request that can be offered is.

    Order: what is for everyone, then each member's own line, then rounds that are over, then the lines. Each pool
    with somebody free says whose turn it is there; of those tickets the oldest goes first, and to the best of those
    whose turn it is.
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
    found = _oldest_turn(router) if router.dirty else None
    return None if found is None else Match(found[0][2], "queue", found[1][2])


def _oldest_turn(router: Router) -> Found | None:
    """Over all pools that changed. A pool in which nothing can be offered is unmarked."""
    best: Found | None = None
    for pool in list(router.dirty):
        found = _turn(router, pool) if pool.somebody_free else None
        if found is None:
            del router.dirty[pool]
        elif best is None or found < best:
            best = found
    return best


def _turn(router: Router, pool: Pool) -> Found | None:
    """What this pool's members get next: of the lines with something that one of them may take, the one with the
    least tag. A line whose tickets they have all refused blocks nobody, and is charged nothing."""
    for _, _, subportal in pool.backlog:
        found = _match_line(router.lines[subportal], pool)
        if found is not None:
            return found
    return None


def _match_line(line: Line, pool: Pool) -> Found | None:
    """The first ticket that a free member hasn't refused. Of tickets refused by the same, only the first is tried."""
    heads = [(keys[0], refused) for refused, keys in line.groups.items()]
    if line.ready:
        heads.append((line.ready[0], NOBODY))
    if len(heads) > 1:
        heads.sort(key=lambda head: head[0])
    for key, refused in heads:
        rank = best_member(pool, line.policy, refused)
        if rank is not None:
            return key, rank
    return None


def best_member(pool: Pool, policy: str, refused: Collection[str]) -> Rank | None:
    """The best rank of this pool's free members who aren't among ``refused``."""
    return next((rank for rank in pool.free[policy] if rank[2] not in refused), None)


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
