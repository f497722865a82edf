"""The half of the invariants that is about lines: who stands where, and whether anybody waits who could be served."""

from __future__ import annotations

from collections.abc import Iterator

from broker.desk.state import Representative, State
from broker.routing.lines import round_is_over
from broker.routing.model import ANYBODY, Key, Line, Pool, Ticket, Want
from broker.routing.router import Router

Broken = Iterator[tuple[str, str]]
"""(invariant, what is wrong) of each thing that is."""


def in_order(state: State) -> Broken:
    """F1, F6: each line holds its requests, in order. Who was offered first no single state can show: one that was held
    or handed back, or whose class changed, looks like any other afterwards."""
    expected = _expected(state)
    for line in state.router.lines.values():
        keys = expected.get(line.subportal, ([], [], set(), set()))
        found = (list(line.order), list(line.waiting), line.refused, line.paused)
        if list(line.order) != sorted(line.order):
            yield "F6", f"{line.subportal} is out of order"
        if found != keys:
            yield "F1", f"{line.subportal} holds {found}, not {keys}"


Keys = list[Key]


def _expected(state: State) -> dict[str, tuple[Keys, Keys, set[str], set[str]]]:
    """Per line: all keys, those that wait, the requests of them that somebody refused, and those between rounds."""
    lines: dict[str, tuple[Keys, Keys, set[str], set[str]]] = {}
    for ticket in sorted(state.router.tickets.values(), key=lambda ticket: ticket.key):
        if ticket.discipline != "queue" or state.requests[ticket.request].state == "assigned":
            continue
        every, waiting, refused, paused = lines.setdefault(ticket.subportal, ([], [], set(), set()))
        every.append(ticket.key)
        if ticket.paused:
            paused.add(ticket.request)
        elif not ticket.out:
            waiting.append(ticket.key)
            if ticket.refused:
                refused.add(ticket.request)
    return lines


def working(state: State) -> Broken:
    """F5: nobody waits while somebody who may take the request is free, and hasn't refused it in this round."""
    router = state.router
    for pool in router.pools.values():
        yield from _ranked(router, pool)
    free: dict[str, dict[str, int]] = {}
    for person in state.representatives.values():
        room = person.capacity - sum(used(state, person))
        if person.available and room > 0:
            for subportal in state.teams[person.team].subportals:
                free.setdefault(subportal, {})[person.representative] = room
    for request in state.requests.values():
        if request.state != "waiting" or request.discipline == "pin":
            continue
        ticket = router.tickets[request.request]
        if request.discipline == "broadcast" or (ticket.target is not None and _takes(state, ticket)):
            yield "F5", f"{request.request} waits and could be offered"
        if ticket.paused and state.deadlines.get("round", request.request) is None:
            yield "F5", f"{request.request} waits for a round that never begins"
        if request.discipline == "queue" and not ticket.paused:
            if (could := _others(state, free, ticket)) is not None:
                yield "F5", f"{request.request} waits while {could} is free"
            if ticket.refused and round_is_over(router.lines[request.subportal], ticket.kind, ticket.refused):
                yield "F5", f"{request.request} was refused by everybody, and its round isn't over"
    for line in router.lines.values():
        yield from _indexed(state, line)


def _ranked(router: Router, pool: Pool) -> Broken:
    """F5: the members of a pool who are free are where matching looks for them."""
    members = pool.members.values()
    if pool.available != sum(member.available for member in members):
        yield "F5", f"a pool counts {pool.available} available"
    if pool.places != sum(member.capacity for member in members if member.available):
        yield "F5", f"a pool counts {pool.places} places"
    lines = [router.lines[name] for name in pool.subportals]
    wanted = {line.want(kind) for line in lines for kind in ((line.places, ANYBODY), *line.groups)}
    if not wanted <= set(pool.free):
        yield "F5", f"a pool ranks by {sorted(pool.free)}, which isn't all that its lines want: {sorted(wanted)}"
    for want, takers in pool.free.items():
        if list(takers) != sorted(member.ranks[want] for member in members if want in member.ranks):
            yield "F5", f"a pool takes others for free than {list(takers)}"
        if (want in pool.awake) != bool(takers):
            yield "F5", f"a pool has {len(takers)} free for {want}, and thinks otherwise"
        if pool.able.get(want) != sum(member.available for member in members if want in member.wants):
            yield "F5", f"a pool counts {pool.able.get(want)} who could take {want}"
    if list(pool.backlog) != sorted(pool.turns.values()):
        yield "F5", f"a pool goes through other lines than {list(pool.backlog)}"
    called = sorted((name, *call) for name, calls in pool.callers.items() for call in calls)
    held = [
        (name, keys[0], member.id)
        for member in members
        for name, keys in member.holds.items()
        if member.takes(router.lines[name].places) and name in pool.subportals
    ]
    if called != sorted(held):
        yield "F5", f"a pool calls {called}, not {held}"


def _takes(state: State, ticket: Ticket) -> bool:
    person = state.representatives[ticket.target or ""]
    return person.available and sum(used(state, person)) + ticket.places <= person.capacity


def _others(state: State, free: dict[str, dict[str, int]], ticket: Ticket) -> str | None:
    """Somebody free who meets it and hasn't refused it."""
    for name, room in free.get(ticket.subportal, {}).items():
        ours = ticket.held in (None, name) and name not in ticket.refused
        if ours and room >= ticket.places and meets(state.representatives[name], ("", *ticket.kind)):
            return name
    return None


def _indexed(state: State, line: Line) -> Broken:
    """F5: what matching looks at first is what is there."""
    if line.head != (line.waiting[0] if line.waiting else None):
        yield "F5", f"{line.subportal} stands in its pools under {line.head}"
    for pool in line.pools:
        turn = (pool.tags.get(line.subportal, 0), line.head, line.subportal) if line.head is not None else None
        if pool.turns.get(line.subportal) != turn:
            yield "F9", f"{line.subportal} has the turn {pool.turns.get(line.subportal)} in a pool, not {turn}"
    tickets = state.router.tickets
    grouped = [
        (key, kind, refused)
        for kind, by_refused in line.groups.items()
        for refused, keys in by_refused.items()
        for key in keys
    ]
    held = [key for member in state.router.members.values() for key in member.holds.get(line.subportal, ())]
    if sorted([key for key, _, _ in grouped] + held) != list(line.waiting) or any(
        (tickets[key[2]].kind, tickets[key[2]].refused) != (kind, refused) or tickets[key[2]].held is not None
        for key, kind, refused in grouped
    ):
        yield "F5", f"{line.subportal} groups its requests wrongly"


def used(state: State, person: Representative) -> tuple[int, int]:
    """Places taken by sessions and wrap-ups, and by offers."""
    sessions = [state.requests[state.sessions[name].request] for name in person.sessions]
    reserving = (state.offers[name] for name in person.offers)
    offers = [state.requests[offer.request] for offer in reserving if offer.kind != "invite"]
    taken, offered = (
        sum(state.portals[request.portal].places for request in requests) for requests in (sessions, offers)
    )
    return taken + sum(work.places for work in person.wrap_ups.values()), offered


def meets(person: Representative, want: Want) -> bool:
    """Whether this person could take such a request if it had nothing else to do."""
    _, places, need = want
    return person.capacity >= places and all(dict(person.skills).get(skill, 0) >= level for skill, level in need)
