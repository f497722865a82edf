"""Who takes offers in a pool, sorted for each kind of member that its lines want.

A member is in ``pool.free[want]`` exactly while it takes an offer of that kind. Kinds are known from the lines'
configuration and from what waits; one that came up once stays known until the lines are tuned, so that its list isn't
made anew for each ticket.
"""

from __future__ import annotations

from collections.abc import Mapping

from sortedcontainers import SortedList

from broker.routing.model import ANYBODY, Line, Member, Pool, Want
from broker.routing.policies import DEFAULT, POLICIES


def rank_all(pool: Pool, lines: Mapping[str, Line]) -> None:
    """The pool's lines want other members than before: all lists are made anew, of what the lines' tickets need."""
    wants: dict[Want, None] = {}
    for subportal in sorted(pool.subportals):
        line = lines[subportal]
        wants.update((line.want(kind), None) for kind in ((line.places, ANYBODY), *line.groups))
    pool.free = {want: SortedList() for want in wants or ((DEFAULT, 1, ANYBODY),)}
    pool.able = dict.fromkeys(pool.free, 0)
    pool.callers.clear()
    pool.awake.clear()
    for member in pool.members.values():
        member.ranks.clear()
        member.calls.clear()
        _meet(pool, member)
        rerank(member, lines)


def learn(pool: Pool, want: Want) -> None:
    """A ticket that wants such a member waits: who could take it is sorted from now on."""
    if want in pool.free:
        return
    pool.free[want] = SortedList()
    pool.able[want] = 0
    for member in pool.members.values():
        if member.meets(want):
            member.wants = (*member.wants, want)
            pool.able[want] += member.available
            if member.takes(want[1]):
                _rank(member, want)


def join(pool: Pool, member: Member) -> None:
    """A member serves these sub-portals from now on, and begins where the others stand."""
    member.pool = pool
    member.tag = pool.pace
    pool.members[member.id] = member
    pool.available += member.available
    pool.places += member.available * member.capacity
    _meet(pool, member)


def leave(member: Member) -> None:
    """A member serves them no longer."""
    unrank(member)
    _forget(member)
    del member.pool.members[member.id]
    member.pool.available -= member.available
    member.pool.places -= member.available * member.capacity


def change(member: Member, capacity: int, weight: int, skills: Mapping[str, int]) -> None:
    """What a member can do is another."""
    unrank(member)
    _forget(member)
    member.pool.places += member.available * (capacity - member.capacity)
    member.capacity, member.weight, member.skills = capacity, weight, skills
    _meet(member.pool, member)


def set_available(member: Member, *, available: bool) -> None:
    """It welcomes offers, or no longer; its rank is the caller's to see to."""
    for want in member.wants:
        member.pool.able[want] += available - member.available
    member.pool.available += available - member.available
    member.pool.places += (available - member.available) * member.capacity
    member.available = available


def rerank(member: Member, lines: Mapping[str, Line]) -> bool:
    """Put the member where it stands now; whether it takes any offer."""
    unrank(member)
    room = member.capacity - member.load - member.offers if member.available else 0
    if room <= 0:
        return False
    for want in member.wants:
        if want[1] <= room:
            _rank(member, want)
    for subportal in member.holds:
        call(member, lines[subportal])
    return True


def unrank(member: Member) -> None:
    """It takes no offer until it is ranked again."""
    pool = member.pool
    for want, rank in member.ranks.items():
        free = pool.free[want]
        free.remove(rank)
        if not free:
            del pool.awake[want]
    member.ranks.clear()
    for subportal, key in member.calls.items():
        pool.callers[subportal].remove((key, member.id))
    member.calls.clear()


def call(member: Member, line: Line) -> None:
    """Have the first ticket that is held for this member considered while it takes such an offer."""
    pool, subportal = member.pool, line.subportal
    before = member.calls.pop(subportal, None)
    if before is not None:
        pool.callers[subportal].remove((before, member.id))
    held = member.holds.get(subportal)
    if held and member.takes(line.places):
        member.calls[subportal] = held[0]
        pool.callers.setdefault(subportal, SortedList()).add((held[0], member.id))


def _rank(member: Member, want: Want) -> None:
    rank = member.ranks[want] = POLICIES[want[0]].rank(member)
    member.pool.free[want].add(rank)
    member.pool.awake[want] = None


def _meet(pool: Pool, member: Member) -> None:
    member.wants = tuple(want for want in pool.free if member.meets(want))
    for want in member.wants:
        pool.able[want] += member.available


def _forget(member: Member) -> None:
    for want in member.wants:
        member.pool.able[want] -= member.available
    member.wants = ()
