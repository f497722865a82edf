"""Requests taken or given by hand: an assignment without an offer, exempt from order, not from capacity or ownership.

It costs the sub-portal no turn and the representative no number; what is counted are the assignments, by kind.
"""

from __future__ import annotations

from broker import limits
from broker.codes import Code
from broker.desk import cases, offers
from broker.desk.identity import Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Context, Representative, Request, State
from broker.desk.transitions import ALLOWED
from broker.protocol import ops


def listed(state: State, command: ops.CaseList, context: Context) -> Decision | Refusal:
    """A page of a line."""
    assert context.identity is not None
    subportal = state.subportals.get(command.subportal)
    if subportal is None:
        return no_such("sub-portal")
    tells = context.identity.role is Role.REPRESENTATIVE
    if tells:
        person = state.representatives.get(context.identity.person)
        if person is None or command.subportal not in state.teams[person.team].subportals:
            return no_such("sub-portal")
        if state.portals[subportal.portal].take == "off":
            return _off(subportal.portal)
    first = command.from_ or 1
    return Decision(
        value={
            "waiting": len(state.router.lines[command.subportal].order),
            "requests": [
                _shown(state.requests[name], place, tells=tells)
                for place, name in state.router.in_line(command.subportal, first, limits.LISTED_CASES)
            ],
        }
    )


def _shown(request: Request, place: int, *, tells: bool) -> dict[str, object]:
    shown: dict[str, object] = {
        "request": request.request,
        "position": place,
        "state": request.state,
        "class": request.class_,
        "arrived": request.arrived,
    }
    return (
        {**shown, "name": request.name, "text": request.text, "fields": request.fields, "page": request.page}
        if tells
        else shown
    )


def _off(portal: str) -> Refusal:
    return Refusal(Code.NOT_ALLOWED, f"nothing of portal {portal} is taken by hand: its take is off")


def take(state: State, command: ops.CaseTake, context: Context) -> Decision | Refusal:
    """A representative takes a waiting request, as far as the portal allows it."""
    assert context.identity is not None
    person = state.representatives[context.identity.person]  # the gate lets nobody else come here
    name = cases.request_of(command)
    if isinstance(name, Refusal):
        return name
    request = _open(state, name)
    if request is None:
        return cases.take(state, name, person, context)
    if request.subportal not in state.teams[person.team].subportals:
        return no_such("request")
    take = state.portals[request.portal].take
    if take == "off":
        return _off(request.portal)
    if (refusal := _cannot(state, request, person)) is not None:
        return refusal
    if take == "head" and request.discipline == "queue" and state.router.position(request.request) != 1:
        return wrong_state("not_first", "case.take", "offer.accept", text="only the first in line may be taken")
    return _handed_over(state, request, person, "taken")


def assign(state: State, command: ops.CaseAssign, context: Context) -> Decision | Refusal:
    """A manager gives a waiting request to somebody who has room for it."""
    name = cases.request_of(command)
    if isinstance(name, Refusal):
        return name
    person = state.representatives.get(command.representative)
    request = _open(state, name)
    if request is None and cases.settled(state, name) is None:
        return no_such("request")
    if person is None:
        return bad_args("args.representative", "a representative of the account")
    if request is None:
        return cases.give(state, name, person, context)
    return _cannot(state, request, person) or _handed_over(state, request, person, "given")


def _open(state: State, name: str) -> Request | None:
    request = state.requests.get(name)
    return None if request is None or request.discipline == "pin" else request


def _cannot(state: State, request: Request, person: Representative) -> Refusal | None:
    """Why this one can't have it; whoever gives it may give it to somebody else."""
    if request.state == "assigned":
        return wrong_state("assigned", *ALLOWED["request"]["assigned"])
    if person.presence not in ("available", "away"):
        return wrong_state(person.presence, "presence.set", "case.assign")
    if person.taken_over:
        return wrong_state("taken_over", "presence.set", "case.assign")
    member = state.router.members[person.representative]
    places = state.portals[request.portal].places
    own = places if request.offer in person.offers else 0
    if member.load + member.offers - own + places > member.capacity:
        return wrong_state("full", "session.end", "case.assign")
    return None


def _handed_over(state: State, request: Request, person: Representative, kind: str) -> Decision:
    happened = [] if request.offer is None else offers.end(state, state.offers[request.offer], "rescinded")
    happened.append(offers.assigned(state, request, person, kind, None))
    return Decision(happened, {"request": request.request, "session": request.session})
