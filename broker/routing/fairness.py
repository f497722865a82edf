"""Whose turn it is among the sub-portals that share representatives: start-time fair queueing, kept in each pool.

Theory of operation (after Goyal, Vin and Cheng, "Start-time Fair Queueing", IEEE/ACM Transactions on Networking 5(5),
1997: fair whatever the capacity does, which here comes and goes with people). Each sub-portal has a *tag* in each
pool: the places it has been given there, divided by its weight. The one with the least tag is next. An offer is charged
when it is made, and given back exactly if nobody accepts it, so offers that are still out count. A pool's *virtual
time* is the tag of whom it served last, and never goes back. A sub-portal in whose line nothing waited begins there
again if its tag is lower: it neither saves up turns while nobody asks (F10) nor pays for having been alone. The same
goes for one that was passed over because nobody free might have what waits there.

The bound (F9) and its proof are in ``docs/explanation/fairness.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Final

from broker.routing.model import Line, Member, Pool

UNIT: Final = 720_720
"""One place at weight 1. Divisible by every weight up to 16, so that equal shares are equal ints; past that a charge is
less than one part in 7,000 too small."""


def wake(line: Line) -> None:
    """Something is about to wait in this line. If nothing did, it begins where its pools stand; a refund comes after
    this, so that what is given back isn't taken by it."""
    if line.head is None:
        for pool in line.pools:
            lift(pool, line)


def lift(pool: Pool, line: Line) -> None:
    """Raise the line's tag to where the pool stands."""
    pool.tags[line.subportal] = max(pool.tags.get(line.subportal, 0), pool.virtual)


def charge(pool: Pool, line: Line, places: int, lines: Mapping[str, Line]) -> int:
    """A member of this pool is offered a request of this line that takes so many places; what that costs the line. Its
    entry in the backlog is the caller's to see to, with the head that the offer takes away. ``lines``: all of the
    account."""
    tag = pool.tags.get(line.subportal, 0)
    pool.virtual = max(pool.virtual, tag)
    for _, _, skipped in list(takewhile(lambda turn: turn[0] < tag, pool.backlog)):
        lift(pool, lines[skipped])  # nobody free would have its requests: as if nothing had waited there
        place(pool, lines[skipped])
    cost = UNIT * places // line.weight
    pool.tags[line.subportal] = tag + cost
    return cost


def refund(pool: Pool, line: Line, cost: int) -> None:
    """The offer came to nothing."""
    pool.tags[line.subportal] = pool.tags.get(line.subportal, 0) - cost
    place(pool, line)


def place(pool: Pool, line: Line) -> None:
    """Put the line's entry in the pool's backlog where its tag and its head have it."""
    subportal = line.subportal
    turn = None if line.head is None else (pool.tags.get(subportal, 0), line.head, subportal)
    before = pool.turns.get(subportal)
    if turn == before:
        return
    if before is not None:
        pool.backlog.remove(before)
    if turn is None:
        del pool.turns[subportal]
    else:
        pool.backlog.add(turn)
        pool.turns[subportal] = turn


def rehead(line: Line) -> None:
    """Another ticket may be the line's first that can be offered."""
    head = line.waiting[0] if line.waiting else None
    if head == line.head:
        return
    line.head = head
    for pool in line.pools:
        place(pool, line)


def pass_on(pool: Pool, member: Member) -> None:
    """A weighted line offers this member something: start-time fair queueing again, among members. One who was busy or
    away while others were chosen begins where they stand; nothing is given back, for a declined turn was a turn."""
    pool.pace = max(pool.pace, member.tag)
    member.tag = pool.pace + UNIT // member.weight
