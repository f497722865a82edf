"""A decision of the desk in plain data: who was considered, what kept whom out, which rule chose.

``tell`` takes the desk as it was before the event and the event that carried the decision out; ``huntgroup why``
prints what it says, and replays the journal to get there.
"""

from __future__ import annotations

import re
from typing import cast

import attrs

from broker.desk import events as e
from broker.desk import pseudonyms
from broker.desk.desk import Desk
from broker.routing.explain import Candidate, Explanation, Passed, Turn, explain

Told = dict[str, object]

DECISIONS = (e.OfferMade, e.RequestAssigned, e.RoundPaused, e.RequestWidened, e.RequestReleased, e.RequestMoved)
"""Events that carry out a decision about one request."""


def is_decision(event: e.Event, name: str) -> bool:
    """Whether this event decides something about this request, or is this offer."""
    if isinstance(event, e.OfferMade) and event.offer == name:
        return True
    if isinstance(event, e.RequestAssigned) and event.offer is not None:
        return False  # decided by whoever accepted; the offer is explained
    ended = isinstance(event, e.RequestEnded) and event.state == "converted"
    return (ended or isinstance(event, DECISIONS)) and getattr(event, "request", None) == name


def tell(desk: Desk, event: e.Event, t: int) -> Told:
    """The decision that this event carries out, as the desk before it saw things."""
    told: Told = {"seq": desk.seq + 1, "t": t, "decision": event.TYPE}
    match event:
        case e.OfferMade(kind="queue"):
            found = explain(desk.state.router, event.request)
            return {**told, **_offer(event), **_queue(desk, event, found)}
        case e.OfferMade():
            return {**told, **_offer(event), "rule": _RULES[event.kind]}
        case e.RequestAssigned():
            return {**told, "request": event.request, "representative": event.representative, "rule": event.kind}
        case e.RoundPaused():
            return {**told, "request": event.request, "rule": "everybody eligible has refused it in this round"}
        case e.RequestWidened():
            need = desk.state.requests[event.request].ladder[event.step - 1][1]
            return {**told, "request": event.request, "rule": "relax", "needs": _need(need)}
        case e.RequestReleased():
            return {**told, "request": event.request, "rule": "sticky", "why": event.reason}
        case e.RequestMoved():
            rule = f"overflow: {event.rule}"
            return {**told, "request": event.request, "rule": rule, "from": event.former, "to": event.subportal}
        case _:
            return {**told, "request": getattr(event, "request", None), "rule": "overflow: to a support request"}


_HELD = re.compile(r"(?<=held for )[^\s;]+")


def named(found: list[Told], former: pseudonyms.Former) -> list[Told]:
    """The same decisions, naming nobody who left since."""

    def once(name: re.Match[str]) -> str:
        return former(name[0]) or name[0]

    for told in found:
        for one in cast("list[Told]", told.get("candidates", [])):
            if "rank" in one:
                *criteria, last = cast("list[object]", one["rank"])
                one["rank"] = [*criteria, former(cast("str", last)) or last]
            else:
                one["out"] = _HELD.sub(once, cast("str", one["out"]))
        for one in cast("list[Told]", told.get("passed", [])):
            one["why"] = _HELD.sub(once, cast("str", one["why"]))
    return cast("list[Told]", pseudonyms.of_value(found, former))


_RULES = {
    "direct": "the customer picked this representative",
    "broadcast": "everyone who is signed in and serves the sub-portal is asked",
    "transfer": "another representative offers its session",
    "invite": "another representative asks for company in its session",
}


def _offer(event: e.OfferMade) -> Told:
    return {
        "offer": event.offer,
        "request": event.request,
        "subportal": event.subportal,
        "kind": event.kind,
        "representative": event.representative,
    }


def _queue(desk: Desk, event: e.OfferMade, found: Explanation) -> Told:
    ticket = desk.state.router.tickets[event.request]
    return {
        "position": desk.state.router.position(event.request),
        "class": desk.state.requests[event.request].class_,
        "needs": _need(ticket.need),
        "held_for": ticket.held,
        "rule": found.rule,
        "criteria": list(found.criteria),
        "decided_by": found.decided_by,
        "agrees": found.chosen == event.representative,
        "candidates": [_candidate(one) for one in found.candidates],
        "others": found.others,
        "turns": [_turn(turn) for turn in found.turns],
        "passed": [_passed(one) for one in found.passed],
    }


def _need(need: tuple[tuple[str, int], ...]) -> list[Told]:
    return [{"skill": skill, "level": level} for skill, level in need]


def _candidate(one: Candidate) -> Told:
    told: Told = {"representative": one.member}
    return {**told, "out": one.out} if one.rank is None else {**told, "rank": list(one.rank)}


def _turn(turn: Turn) -> Told:
    return {
        "subportals": list(turn.subportals),
        "lines": [attrs.asdict(line) for line in turn.lines],
        "named": None if turn.named is None else list(turn.named),
    }


def _passed(one: Passed) -> Told:
    return attrs.asdict(one)
