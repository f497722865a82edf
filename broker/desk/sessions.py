"""Sessions: opened by a request or its assignment, released, transferred, ended by either side.

A session lives as long as its request is open: ``waiting`` while nobody has it, ``active`` while somebody does. What
was said in it, and the numbers of that, go with it whoever has it.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker.desk import chat, files, members, monitors, offers, seats, share_ends, uploads, waits, wrap_up
from broker.desk import events as e
from broker.desk.identity import Role
from broker.desk.outcome import Decision, Refusal, wrong_state
from broker.desk.state import Context, Representative, Request, Session, State
from broker.desk.transitions import ALLOWED, OFFER, REQUEST, SESSION, move
from broker.protocol import ops
from broker.routing import estimate

# --- decide ----------------------------------------------------------------------------------------


def end(state: State, command: ops.SessionEnd, context: Context) -> Decision | Refusal:
    """Either side ends the conversation."""
    session = own(state, command.session, context)
    if session is None:
        return chat.over(state, command.session, context)
    if session.representative is None:
        return wrong_state("waiting", *ALLOWED["session"]["waiting"])
    assert context.identity is not None
    happened = finish(state, session, context.identity.role.value, context.now)
    return Decision(happened, {"session": session.session})


def leave(state: State, command: ops.SessionLeave, context: Context) -> Decision | Refusal:
    """Hand a session back to the line; a guest just goes."""
    session = own(state, command.session, context)
    if session is None:
        return members.leave(state, command, context)
    if state.requests[session.request].discipline == "pin":
        return wrong_state("by_pin", "session.end", "session.transfer")
    return Decision(give_back(state, session, "handed_back"), {"session": session.session})


def own(state: State, name: str, context: Context) -> Session | None:
    """The live session of this name, if the asker is in it."""
    assert context.identity is not None
    session = state.sessions.get(name)
    if session is None:
        return None
    party = session.visitor if context.identity.role is Role.CUSTOMER else session.representative
    return session if party == context.identity.person else None


def finish(state: State, session: Session, reason: str, now: int) -> list[e.Event]:
    """End a session and its request for good; the work after it may take its time, and a share goes on. One that isn't
    agreed to yet ends too: nobody is asked by somebody who has left."""
    share = state.shares.get(session.share or "")
    asked = [] if share is None or share.state in share_ends.AGREED else [share_ends.end(share, "session_ended")]
    return [*asked, *_finish(state, session, reason, now, None)]


def _finish(state: State, session: Session, reason: str, now: int, load: int | None) -> list[e.Event]:
    """``load``: the representative's before it, if not as now (several end at once)."""
    portal = state.portals[state.requests[session.request].portal]
    until = now + portal.wrap_up_ms if portal.wrap_up_ms else None
    over = _over(state, session, reason, load, until)
    return [*over, e.RequestEnded(session.request, session.visitor, "closed")]


def end_all(
    state: State, requests: Iterable[Request], now: int, *, session_reason: str, request_state: str
) -> list[e.Event]:
    """End what customers have open: their sessions for this reason, what still waits in this state. Their shares are
    the caller's to end."""
    happened: list[e.Event] = []
    loads: dict[str, int] = {}
    for request in requests:
        if request.state == "assigned":
            session = state.sessions[request.session]
            who = session.lead
            load = loads.get(who, state.router.members[who].load)
            portal = state.portals[request.portal]
            happened += _finish(state, session, session_reason, now, load)
            loads[who] = load if portal.wrap_up_ms else load - portal.places
        else:
            happened += offers.revoke(state, request)
            happened += waits.abandoned(state, request, request_state)
    return happened


def give_back(state: State, session: Session, reason: str, load: int | None = None) -> list[e.Event]:
    """Nobody has a session any more, and its request goes back to waiting; one that nobody else may have (a pin's) is
    over."""
    request = state.requests[session.request]
    happened = share_ends.ends(state, [] if session.share is None else [session.share], reason)
    if request.discipline == "pin":
        happened += _over(state, session, reason, load, None)
        return [*happened, e.RequestEnded(session.request, session.visitor, "closed")]
    person = state.representatives[session.lead]
    if load is None:
        load = state.router.members[person.representative].load
    happened += uploads.left_behind(state, session)
    happened += _loose_ends(state, session, "released")
    happened.append(
        e.SessionReleased(
            session=session.session,
            request=session.request,
            visitor=session.visitor,
            representative=person.representative,
            team=person.team,
            reason=reason,
            load=load - offers.places_of(state, request),
            capacity=person.capacity,
        )
    )
    happened.append(e.RequestRequeued(session.request, session.visitor, person.representative, reason))
    if request.discipline == "direct":
        fallback = state.portals[request.portal].pick_fallback == "broadcast"
        happened.append(e.RequestUnplaced(session.request, session.visitor, person.representative, "gone", fallback))
    return happened


def give_back_all(state: State, person: Representative, reason: str) -> list[e.Event]:
    """A representative lets go of all that it has, shares that have outlived their sessions included, and leaves where
    it is a guest."""
    alone = (name for name in person.shares if state.shares[name].session not in person.sessions)
    happened = [*share_ends.ends(state, alone, reason), *members.leave_all(state, person, reason)]
    load = state.router.members[person.representative].load
    for name in person.sessions:
        session = state.sessions[name]
        happened += give_back(state, session, reason, load)
        load -= offers.places_of(state, state.requests[session.request])
    return happened


def _over(state: State, session: Session, reason: str, load: int | None, until: int | None) -> list[e.Event]:
    happened = _loose_ends(state, session, "ended")
    person = state.representatives[session.lead]
    if load is None:
        load = state.router.members[person.representative].load
    if until is None:
        load -= offers.places_of(state, state.requests[session.request])
    happened.append(
        e.SessionEnded(
            session=session.session,
            request=session.request,
            visitor=session.visitor,
            representative=person.representative,
            team=person.team,
            reason=reason,
            load=load,
            capacity=person.capacity,
            wrap_up=until,
        )
    )
    return happened


def _loose_ends(state: State, session: Session, reason: str) -> list[e.Event]:
    """What can't go on when whoever has the session goes: it is released, or ended."""
    happened = [] if session.transfer is None else offers.end(state, state.offers[session.transfer], "revoked")
    happened += members.revoke_all(state, session)
    happened += members.all_leave(session, reason)
    happened += monitors.all_end(session, reason)
    return happened


# --- evolve ----------------------------------------------------------------------------------------


def request_assigned(state: State, event: e.RequestAssigned, t: int) -> None:
    """Apply ``RequestAssigned``: the session is open and counts as load."""
    request = state.requests[event.request]
    places, freed = offers.places_of(state, request), 0
    if event.offer is not None:
        move(OFFER, "pending", event.TYPE)
        if offers.close(state, event.offer, "taken", event.representative).representative is not None:
            freed = places
        state.representatives[event.representative].missed = 0
    if event.pin is not None:
        pin = state.pins[event.pin]
        pin.state = "used"
        del state.serials[pin.serial]
        state.deadlines.set("pin", pin.pin, None)
    request.state = move(REQUEST, request.state, event.TYPE)
    state.flow.assigned(event.kind)
    if request.discipline == "queue":
        state.flow.leave(request.joined, t)
        estimate.left(state.router.lines[request.subportal], t - request.joined, gave_up=False)
    request.offer, request.representative = None, event.representative
    if request.discipline != "pin":
        state.router.assigned(event.request)
    state.deadlines.set("round", event.request, None)
    waits.disarm(state, request)
    state.visitors[event.visitor].served_by = event.representative
    session = state.sessions.get(event.session)
    if session is None:
        session = open_(state, request, "none", t)
    move(SESSION, session.state, event.TYPE)
    session.representative, session.since = event.representative, t
    state.representatives[event.representative].sessions[event.session] = None
    state.router.add_load(event.representative, places, t, offers=-freed)


def open_(state: State, request: Request, web_chat: str, t: int) -> Session:
    """A session begins: nobody has it yet."""
    session = Session(request.session, request.request, request.subportal, request.visitor, None, 0, t, web_chat)
    state.sessions[session.session] = session
    return session


def session_transferred(state: State, event: e.SessionTransferred, t: int) -> None:
    """Apply ``SessionTransferred``."""
    move(OFFER, "pending", event.TYPE)
    offer = offers.close(state, event.offer, "taken", event.representative)
    session = state.sessions[event.session]
    move(SESSION, session.state, event.TYPE)
    session.transfer, session.representative, session.since = None, event.representative, t
    request, person = state.requests[event.request], state.representatives[event.representative]
    request.representative = state.visitors[event.visitor].served_by = event.representative
    del state.representatives[event.former].sessions[event.session]
    person.sessions[event.session] = None
    person.missed = 0
    places = offers.places_of(state, request)
    state.router.add_load(event.former, -places, t)
    seats.done(state, state.representatives[event.former], t)
    state.router.add_load(event.representative, places, t, offers=0 if offer.representative is None else -places)


def session_ended(state: State, event: e.SessionEnded, t: int) -> None:
    """Apply ``SessionEnded``."""
    session = forget(state, event.session, event.TYPE)
    request = state.requests[event.request]
    request.representative = None
    del state.representatives[event.representative].sessions[event.session]
    places = offers.places_of(state, request)
    if event.wrap_up is None:
        state.router.add_load(event.representative, -places, t)
        estimate.handled(state.router.lines[session.subportal], t - session.since)
    else:
        wrap_up.begin(state, session, event.wrap_up, places)
    seats.done(state, state.representatives[event.representative], t)


def session_released(state: State, event: e.SessionReleased, t: int) -> None:
    """Apply ``SessionReleased``."""
    session = state.sessions[event.session]
    move(SESSION, session.state, event.TYPE)
    session.representative = None
    request = state.requests[event.request]
    request.representative = None
    del state.representatives[event.representative].sessions[event.session]
    state.router.add_load(event.representative, -offers.places_of(state, request), t)
    estimate.handled(state.router.lines[session.subportal], t - session.since)
    seats.done(state, state.representatives[event.representative], t)


def forget(state: State, name: str, event_type: str) -> Session:
    """A session is over, and its end can be read for a while."""
    session = state.sessions[name]
    move(SESSION, session.state, event_type)
    files.session_over(state, name, event_type)
    state.remember_session(session)
    del state.sessions[name]
    return session


def load_changed(state: State, event: e.LoadChanged, t: int) -> None:
    """Apply ``LoadChanged``: it only tells."""
