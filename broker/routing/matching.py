"""The one place where offers are decided. Runs after every change, until it returns None.

It reads the router's facts and changes nothing but the marks that say what is still to be looked at;
the desk turns the match into an event, and the event into facts.
"""

from __future__ import annotations

from collections.abc import Collection

from broker.routing.lines import round_is_over
from broker.routing.model import Key, Kind, Line, Match, Member, Pool, RoundOver, Want
from broker.routing.policies import POLICIES, Rank
from broker.routing.router import Router

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
        picked = _direct(router, router.members[name])
        if picked is not None:
            return Match(picked, "direct", name)
        del router.dirty_members[name]
    while router.rounds:
        subportal = next(iter(router.rounds))
        line = router.lines[subportal]
        for kind, by_refused in line.groups.items():
            for refused, keys in by_refused.items():
                if refused and round_is_over(line, kind, refused):
                    return RoundOver(keys[0][2])
        del router.rounds[subportal]
    found = _oldest_turn(router) if router.dirty else None
    return None if found is None else Match(found[0][2], "queue", found[1][2])


def _direct(router: Router, member: Member) -> str | None:
    """The first request that picked this member and for which there is room."""
    for _, _, request in member.direct:
        if member.takes(router.tickets[request].places):
            return request
    return None


def _oldest_turn(router: Router) -> Found | None:
    """Over all pools that changed. A pool in which nothing can be offered is unmarked."""
    best: Found | None = None
    for pool in list(router.dirty):
        found = turn(router, pool) if pool.awake else None
        if found is None:
            del router.dirty[pool]
        elif best is None or found < best:
            best = found
    return best


def turn(router: Router, pool: Pool) -> Found | None:
    """What this pool's members get next: of the lines with something that one of them may take, the one with the
    least tag. A line whose tickets none of them may take blocks nobody, and is charged nothing."""
    for _, _, subportal in pool.backlog:
        found = match_line(router.lines[subportal], pool)
        if found is not None:
            return found
    return None


def match_line(line: Line, pool: Pool) -> Found | None:
    """The first ticket that a free member of this pool may take, and the best of those who may."""
    heads = [(keys[0], kind, refused) for kind in _kinds(line, pool) for refused, keys in line.groups[kind].items()]
    if len(heads) > 1:
        heads.sort(key=lambda head: head[0])
    callers = pool.callers.get(line.subportal)
    for key, kind, refused in heads:
        if callers and callers[0][0] < key:
            break
        rank = best_member(pool, line.want(kind), refused)
        if rank is not None:
            return key, rank
    if not callers:
        return None
    key, name = callers[0]
    return key, POLICIES[line.policy].rank(pool.members[name])


def _kinds(line: Line, pool: Pool) -> list[Kind]:
    """What tickets of this line ask that somebody free here has, looked for on the side where there is less."""
    if len(line.groups) <= len(pool.awake):
        return [kind for kind in line.groups if pool.free[line.want(kind)]]
    return [want[1:] for want in pool.awake if want[0] == line.policy and want[1:] in line.groups]


def best_member(pool: Pool, want: Want, refused: Collection[str]) -> Rank | None:
    """The best rank of this pool's free members who aren't among ``refused``."""
    return next((rank for rank in pool.free[want] if rank[2] not in refused), None)
