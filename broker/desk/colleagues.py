"""Sessions offered to colleagues: to take one over (transfer), or to come into it (invite).

Either goes to one representative, or to everybody who serves a sub-portal, of whom the first yes counts. Until somebody
says it, nothing changes: whoever has the session keeps it, and may take the offer back. What the two write to each
other about it is told with the offer, and to staff of the session alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from broker import limits
from broker.codes import Code
from broker.desk import chat, functions, members, offers, sessions, share_ends, uploads
from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Context, Offer, Representative, Session, State
from broker.protocol import ops

# --- offering --------------------------------------------------------------------------------------


def transfer(state: State, command: ops.SessionTransfer, context: Context) -> Decision | Refusal:
    """Offer a session to another representative, or to those who serve a sub-portal."""
    session = sessions.own(state, command.session, context)
    if session is None:
        return chat.over(state, command.session, context)
    if session.transfer is not None:
        return wrong_state("transfer_offered", "offer.revoke", "session.end", "session.leave")
    to = _asked(state, session, command)
    if isinstance(to, Refusal):
        return to
    if isinstance(to, Representative):
        places = offers.places_of(state, state.requests[session.request])
        if not state.router.members[to.representative].takes(places):
            return _another("full" if to.available else to.presence, command.OP)
    return _offered(state, session, "transfer", to, command, context)


def invite(state: State, command: ops.SessionInvite, context: Context) -> Decision | Refusal:
    """Ask others into a session: one representative, or one of those who serve a sub-portal."""
    session = sessions.own(state, command.session, context)
    if session is None:
        return chat.over(state, command.session, context)
    portal = state.portals[state.requests[session.request].portal]
    holder = state.representatives[session.lead]
    if (refusal := functions.refuse(state, portal, holder, "collaboration")) is not None:
        return refusal
    if len(session.members) + len(session.invites) >= limits.MAX_GUESTS:
        return Refusal(Code.QUOTA, f"a session has at most {limits.MAX_GUESTS} guests and invitations")
    to = _asked(state, session, command)
    if isinstance(to, Refusal):
        return to
    if isinstance(to, Representative):
        if to.representative in session.members:
            return _another("in_session", command.OP, "session.remove")
        if any(state.offers[name].representative == to.representative for name in session.invites):
            return _another("invited", command.OP, "offer.revoke")
        if not to.available:
            return _another(to.presence, command.OP)
    return _offered(state, session, "invite", to, command, context)


def _another(state: str, op: str, *others: str) -> Refusal:
    """Whoever was asked for can't be asked now."""
    return wrong_state(state, *others, op, text=f"not while the state is {state}: {op} to another")


def revoke(state: State, command: ops.OfferRevoke, context: Context) -> Decision | Refusal:
    """Whoever made a transfer or an invitation takes it back."""
    assert context.identity is not None
    offer = state.offers.get(command.offer)
    if offer is None:
        return offers.gone(state, command.offer)
    if offer.by != context.identity.person:
        return no_such("offer")
    return Decision(offers.end(state, offer, "revoked"), {"offer": offer.offer})


def _asked(
    state: State, session: Session, command: ops.SessionTransfer | ops.SessionInvite
) -> Representative | str | Refusal:
    """Who is to be asked: a representative, or (its name) everybody of a sub-portal."""
    if (command.representative is None) == (command.subportal is None):
        return bad_args("args.representative", "a representative here, or a sub-portal in args.subportal: one of them")
    if command.subportal is not None:
        if command.subportal not in state.subportals:
            return bad_args("args.subportal", "a sub-portal of the account")
        if next(_others(state, session, command.subportal, command.OP), None) is None:
            return _another("unstaffed", command.OP)
        return command.subportal
    person = state.representatives.get(command.representative or "")
    if person is None or person.representative == session.representative:
        return bad_args("args.representative", "another representative of the account")
    return person


def _others(state: State, session: Session, subportal: str, op: str) -> Iterator[str]:
    """Who is there, serves this sub-portal, and could say yes, now or with some luck in a moment."""
    for team in sorted(state.serving.get(subportal, ())):
        for name in sorted(state.teams[team].members):
            inside = name == session.representative or (op == ops.SessionInvite.OP and name in session.members)
            if not inside and state.representatives[name].available:
                yield name


def _offered(
    state: State,
    session: Session,
    kind: str,
    to: Representative | str,
    command: ops.SessionTransfer | ops.SessionInvite,
    context: Context,
) -> Decision:
    request = state.requests[session.request]
    alone = isinstance(to, Representative)
    wait = state.portals[request.portal].offer_ms if alone else limits.TRANSFER_TIMEOUT
    who = to.representative if isinstance(to, Representative) else None
    event = offers.made(request, kind, who, context.now + wait, session.lead)
    if isinstance(to, str):
        event.subportal = to
    event.comment = None if command.comment is None else command.comment.ref
    if isinstance(command, ops.SessionInvite):
        view_only = state.portals[request.portal].guests == "view_only"
        event.view_only, event.masked = view_only or bool(command.view_only), bool(command.masked)
    return Decision([event], {"session": session.session, "offer": event.offer})


# --- answering -------------------------------------------------------------------------------------


def accept(state: State, command: ops.OfferAccept, context: Context) -> Decision | Refusal:
    """Take what is offered: a request, a session, or a place in one."""
    offer = state.offers.get(command.offer)
    if offer is None or offer.kind not in offers.COLLEAGUES:
        return offers.accept(state, command, context)
    found = offers.addressed(state, command.offer, context)
    if isinstance(found, Refusal):
        return found
    if offer.deadline is not None and offer.deadline <= context.now:
        return offers.EXPIRED
    _, person = found
    request = state.requests[offer.request]
    session = state.sessions[request.session]
    value = {"request": request.request, "session": request.session}
    if person.representative == session.representative:
        return wrong_state("yours", "offer.revoke")
    if offer.kind == "transfer":
        if offer.representative is None and (refusal := offers.no_room(state, request, person)) is not None:
            return refusal
        return Decision(_transferred(state, session, offer, person), value)
    if person.representative in session.members:
        return wrong_state("in_session", "session.leave")
    if not person.available:
        return wrong_state(person.presence, "presence.set")
    return Decision(_joined(state, session, offer, person), value)


def decline(state: State, command: ops.OfferDecline, context: Context) -> Decision | Refusal:
    """Refuse an offer. One to many is over once everybody who could have said yes has said no."""
    decided = offers.decline(state, command, context)
    if isinstance(decided, Refusal):
        return decided
    offer = state.offers[command.offer]
    if offer.subportal is None:
        return decided
    assert context.identity is not None
    session = state.sessions[state.requests[offer.request].session]
    said_no = {*offer.declined, context.identity.person}
    op = ops.SessionInvite.OP if offer.kind == "invite" else ops.SessionTransfer.OP
    if any(name not in said_no for name in _others(state, session, offer.subportal, op)):
        return decided
    return Decision([*decided.events, *offers.end(state, offer, "declined", command.reason)], decided.value)


def _joined(state: State, session: Session, offer: Offer, person: Representative) -> list[e.Event]:
    """It comes in; whatever else asked it to is over."""
    joined = e.MemberJoined(
        session.session,
        person.representative,
        person.name,
        offer.view_only,
        offer.masked,
        offer.offer,
        offer.subportal,
        session.lead,
    )
    others = (state.offers[name] for name in session.invites if name != offer.offer)
    same = [one for one in others if one.representative == person.representative]
    return [joined, *(event for one in same for event in offers.end(state, one, "revoked"))]


def _transferred(state: State, session: Session, offer: Offer, person: Representative) -> list[e.Event]:
    former, request = state.representatives[session.lead], state.requests[session.request]
    routed, places = state.router.members, offers.places_of(state, request)
    happened: list[e.Event] = []
    if session.share is not None:  # its consent was given to the former one
        happened.append(share_ends.end(state.shares[session.share], "transferred"))
    happened += members.revoke_all(state, session)  # nobody comes at the word of somebody who isn't there
    portal = state.portals[request.portal]
    granted = functions.on(state, portal, person)
    for name in session.members:
        if name == person.representative:
            happened.append(members.left(session, name, "transferred"))
        elif "collaboration" not in granted:
            happened.append(members.left(session, name, "function_off"))
    staying = session.members.keys() if "collaboration" in granted else set[str]()
    gone = {former.representative, *session.members} - {*staying, person.representative}
    happened += uploads.left_behind(state, session, gone)
    happened.append(
        e.SessionTransferred(
            offer=offer.offer,
            session=session.session,
            request=session.request,
            visitor=session.visitor,
            representative=person.representative,
            team=person.team,
            former=former.representative,
            representative_name=person.name,
            load=routed[person.representative].load + places,
            capacity=person.capacity,
            functions=granted,
            outcomes=portal.own_outcomes,
            subportal=offer.subportal,
        )
    )
    load = routed[former.representative].load - places
    happened.append(e.LoadChanged(former.representative, former.team, load, former.capacity))
    return happened
