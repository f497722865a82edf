"""Where a line's tickets stand: in groups by what they ask and who refused them, or held for one member each."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sortedcontainers import SortedList

from broker.routing import pools
from broker.routing.model import Key, Kind, Line, Member, Ticket


def group(line: Line, ticket: Ticket) -> None:
    """It stands with those that ask the same and were refused by the same members."""
    by_refused = line.groups.get(ticket.kind)
    if by_refused is None:
        by_refused = line.groups[ticket.kind] = {}
        want = line.want(ticket.kind)
        for pool in line.pools:
            pools.learn(pool, want)
    keys = by_refused.get(ticket.refused)
    if keys is None:
        keys = by_refused[ticket.refused] = SortedList()
    keys.add(ticket.key)
    if ticket.refused:
        line.refused.add(ticket.request)


def ungroup(line: Line, ticket: Ticket) -> None:
    """It waits no longer, or not so."""
    if ticket.paused:
        line.paused.discard(ticket.request)
        return
    by_refused = line.groups[ticket.kind]
    keys = by_refused[ticket.refused]
    keys.discard(ticket.key)
    if not keys:
        del by_refused[ticket.refused]
        if not by_refused:
            del line.groups[ticket.kind]
    line.refused.discard(ticket.request)


def hold(line: Line, ticket: Ticket, member: Member) -> None:
    """It waits for this member alone."""
    held = member.holds.get(line.subportal)
    if held is None:
        held = member.holds[line.subportal] = SortedList()
    held.add(ticket.key)
    pools.call(member, line)


def unhold(line: Line, ticket: Ticket, member: Member) -> None:
    """It is held no longer."""
    held = member.holds[line.subportal]
    held.discard(ticket.key)
    pools.call(member, line)
    if not held:
        del member.holds[line.subportal]


def position(line: Line, ticket: Ticket) -> int | None:
    """The ticket's place, from 1; None if it isn't in the line."""
    index = line.order.bisect_left(ticket.key)
    if ticket.discipline != "queue" or index == len(line.order) or line.order[index] != ticket.key:
        return None
    return index + 1


def in_order(line: Line, first: int, count: int) -> Iterator[tuple[int, Key]]:
    """(place, key) of ``count`` tickets from place ``first`` (from 1) on."""
    return enumerate(line.order.islice(first - 1, first - 1 + count), first)


def round_is_over(line: Line, kind: Kind, refused: Collection[str]) -> bool:
    """Whether every eligible (available) member is among ``refused``. With nobody there it is over too, so that
    whoever comes first begins a new one."""
    want = line.want(kind)
    for pool in line.pools:
        pools.learn(pool, want)
    eligible = sum(pool.able[want] for pool in line.pools)
    had_it = sum(
        1
        for pool in line.pools
        for name in refused
        if (member := pool.members.get(name)) is not None and member.available and want in member.wants
    )
    return had_it >= eligible
