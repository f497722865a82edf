"""The part of the invariants that is about who else is in a session: guests, who is asked, and managers who look on."""

from __future__ import annotations

from broker import limits
from broker.desk import functions, monitors
from broker.desk.line_invariants import Broken
from broker.desk.state import Session, State


def accompanied(state: State) -> Broken:
    """E9, I4: sessions and those in them agree, within bounds, and nobody is there who may not be."""
    asked: set[str] = set()
    for session in state.sessions.values():
        asked |= {*session.invites, *([session.transfer] if session.transfer is not None else ())}
        yield from _asked(state, session)
        yield from _guests(state, session)
        yield from _watched(state, session)
    for offer in state.offers.values():
        if (offer.kind in ("transfer", "invite")) != (offer.offer in asked):
            yield "E9", f"{offer.offer} is an offer of kind {offer.kind}, and its session thinks otherwise"
    for person in state.representatives.values():
        if person.guest and person.presence == "offline":
            yield "E9", f"{person.representative} is offline, and a guest of {list(person.guest)}"
    known = sum(len(person.guest) for person in state.representatives.values())
    if known != sum(len(session.members) for session in state.sessions.values()):
        yield "E9", "somebody is a guest of a session that doesn't know"
    if set(state.monitored) != {one.session for one in state.sessions.values() if one.monitors}:
        yield "I4", f"{sorted(state.monitored)} are taken for those in which somebody looks on"


def _asked(state: State, session: Session) -> Broken:
    pending = [(name, "invite") for name in session.invites]
    pending += [(session.transfer, "transfer")] if session.transfer is not None else []
    for name, kind in pending:
        offer = state.offers.get(name)
        if offer is None or (offer.kind, offer.request) != (kind, session.request):
            yield "E9", f"{session.session} waits for {name}, which is no {kind} of it"
        elif offer.by != session.representative or offer.deadline is None:
            yield "E9", f"{name} is {offer.by}'s and stands until {offer.deadline}; {session.representative} is there"


def _guests(state: State, session: Session) -> Broken:
    if len(session.members) + len(session.invites) > limits.MAX_GUESTS:
        yield "E9", f"{session.session} has {len(session.members)} guests and {len(session.invites)} invitations"
    if session.representative in session.members:
        yield "E9", f"{session.representative} has {session.session} and is its guest"
    if any(session.session not in state.representatives[guest].guest for guest in session.members):
        yield "E9", f"{session.session} has guests who don't know"
    if session.representative is not None and (session.members or session.invites):
        portal = state.portals[state.requests[session.request].portal]
        if "collaboration" not in functions.on(state, portal, state.representatives[session.representative]):
            yield "A11", f"{session.session} has guests, and collaboration is off"


def _watched(state: State, session: Session) -> Broken:
    if len(session.monitors) > limits.MAX_MONITORS:
        yield "I4", f"{len(session.monitors)} look on in {session.session}"
    for who in session.monitors:
        if (reason := monitors.may_not(state, session, who)) is not None:
            yield "I4", f"{who} looks on in {session.session} and may not: {reason}"
