"""Why this request went to this member: what ``matching`` looked at, told for one decision.

Called with the facts as they were just before the decision (a replay gives them). It asks the same functions that
decide, and beside that says of each member what kept it out, and which criterion of the rule made the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

import attrs

from broker.limits import MAX_CANDIDATES
from broker.routing.fairness import UNIT
from broker.routing.matching import Found, turn
from broker.routing.model import Key, Line, Member, Pool, Ticket
from broker.routing.policies import POLICIES, Rank
from broker.routing.router import Router

AHEAD: Final = 20  # older requests of the line whose absence is explained: the first are what people ask about


@attrs.frozen
class Candidate:
    """A member who serves the sub-portal."""

    member: str
    out: str | None
    """What kept it out; None for those among whom the rule chose."""
    rank: Rank | None
    """Of those: the smallest was chosen."""


@attrs.frozen
class Waiting:
    """A line that wanted the same members."""

    subportal: str
    given: float
    """Its tag: what the pool gave it, divided by its weight."""
    first: str
    """The first request that waited there."""


@attrs.frozen
class Turn:
    """What one pool had to say."""

    subportals: tuple[str, ...]
    """Served by its members."""
    lines: tuple[Waiting, ...]
    """Those that waited, the one whose turn it was first."""
    named: tuple[str, str] | None
    """(sub-portal, request) that was next there: the first of ``lines`` with something for somebody free."""


@attrs.frozen
class Passed:
    """An older request of the line that wasn't offered."""

    request: str
    why: str


@attrs.frozen
class Explanation:
    """One decision."""

    request: str
    subportal: str
    rule: str
    """The policy's name."""
    criteria: tuple[str, str, str]
    """What its ranks are made of."""
    chosen: str | None
    decided_by: str
    """The criterion in which the chosen one was better than the next; ``only`` if there was no other."""
    candidates: tuple[Candidate, ...]
    """The best first, then those who were kept out; at most ``MAX_CANDIDATES``."""
    others: int
    """How many more there were."""
    turns: tuple[Turn, ...]
    passed: tuple[Passed, ...]


def explain(router: Router, request: str) -> Explanation:
    """The offer from a line that would be made of this request now. ``chosen`` is None if another would come first."""
    ticket = router.tickets[request]
    line = router.lines[ticket.subportal]
    named = {id(pool): found for pool in router.pools.values() if pool.awake and (found := turn(router, pool))}
    first = min(named.values(), default=None)
    ours = first is not None and first[0] == ticket.key
    candidates = sorted(_candidates(router, line, ticket, named), key=_order)
    ranked = [candidate for candidate in candidates if candidate.out is None]
    policy = POLICIES[line.policy]
    return Explanation(
        request=request,
        subportal=line.subportal,
        rule=line.policy,
        criteria=policy.criteria,
        chosen=ranked[0].member if ours and ranked else None,
        decided_by=_difference(policy.criteria, ranked),
        candidates=tuple(candidates[:MAX_CANDIDATES]),
        others=max(0, len(candidates) - MAX_CANDIDATES),
        turns=tuple(_turn(router, pool, named.get(id(pool))) for pool in line.pools),
        passed=tuple(_passed(router, line, ticket.key)),
    )


def _order(candidate: Candidate) -> tuple[bool, Rank, str]:
    return (candidate.out is not None, candidate.rank or (0, 0, ""), candidate.member)


def _difference(criteria: tuple[str, str, str], ranked: list[Candidate]) -> str:
    """The first criterion in which the best two differ."""
    if len(ranked) < 2 or ranked[0].rank is None or ranked[1].rank is None:
        return "only"
    pairs = zip(criteria, ranked[0].rank, ranked[1].rank, strict=True)
    return next(name for name, one, other in pairs if one != other)


def _candidates(router: Router, line: Line, ticket: Ticket, named: dict[int, Found]) -> Iterator[Candidate]:
    for pool in line.pools:
        found = named.get(id(pool))
        other = None
        if found is not None and found[0] != ticket.key:
            other = f"its turn was another's: {router.tickets[found[0][2]].subportal}, {found[0][2]}"
        for member in pool.members.values():
            out = kept_out(member, ticket) or other
            yield Candidate(member.id, out, POLICIES[line.policy].rank(member) if out is None else None)


def kept_out(member: Member, ticket: Ticket) -> str | None:
    """Why this member couldn't be offered this ticket now, whatever the order; None if it could."""
    if not member.available:
        return "not available"
    used = member.load + member.offers
    if used + ticket.places > member.capacity:
        return f"no room: {used} of {member.capacity} places taken, {ticket.places} needed"
    for skill, level in ticket.need:
        if member.skills.get(skill, 0) < level:
            return f"lacks {skill} {level}: has {member.skills.get(skill, 0)}"
    if member.id in ticket.refused:
        return "refused it in this round"
    if ticket.held not in (None, member.id):
        return f"held for {ticket.held}"
    return None


def _turn(router: Router, pool: Pool, found: Found | None) -> Turn:
    lines = tuple(Waiting(subportal, tag / UNIT, head[2]) for tag, head, subportal in islice(pool.backlog, AHEAD))
    named = None if found is None else (router.tickets[found[0][2]].subportal, found[0][2])
    return Turn(tuple(sorted(pool.subportals)), lines, named)


def _passed(router: Router, line: Line, key: Key) -> Iterator[Passed]:
    """Older ones that waited, and why nobody free could have them."""
    for other in islice(line.order, AHEAD):
        if other >= key:
            return
        ticket = router.tickets[other[2]]
        if ticket.out:
            yield Passed(ticket.request, "offered already")
        elif ticket.paused:
            yield Passed(ticket.request, "between rounds: everybody had refused it")
        else:
            reasons = {kept_out(member, ticket) for pool in line.pools for member in pool.members.values()}
            free = [reason for reason in sorted(filter(None, reasons)) if not reason.startswith(("not ", "no "))]
            yield Passed(ticket.request, "; ".join(free) or "nobody could take it")
