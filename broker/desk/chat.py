"""What is said in a session, written down beside it, and thought of it afterwards.

A message has the next number of its session (1, 2, 3 …) and is stored once: whoever isn't sure that it was sends it
again with its key. Typing and reading are told and forgotten (``audience``).
"""

from __future__ import annotations

from collections.abc import Sequence

from broker import ids
from broker.codes import Code
from broker.content import Ref
from broker.desk import events as e
from broker.desk import forms, functions
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import OUTCOMES, Context, EndedSession, Portal, Request, Session, State
from broker.desk.transitions import AFTER, ALLOWED, SESSION, move
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def send(state: State, command: ops.ChatSend, context: Context) -> Decision | Refusal:
    """Somebody in a session says something."""
    identity = context.identity
    assert identity is not None
    session = state.sessions.get(command.session)
    if session is None:
        return over(state, command.session, context)
    if (refusal := may_speak(state, session, identity, "chat")) is not None:
        return refusal
    event = message(state.requests[session.request], session.messages + 1, identity, command.text.ref)
    return Decision([event], {"session": session.session, "message_seq": event.number})


def message(request: Request | e.RequestCreated, number: int, identity: Identity, text: Ref) -> e.ChatSent:
    """The event of a message. The first that a customer writes says what it is about, if nothing else has."""
    by_customer = identity.role is Role.CUSTOMER
    role = "customer" if by_customer else "representative"
    excerpt = by_customer and request.text is None
    return e.ChatSent(request.session, number, identity.person, role, text, request.subportal, excerpt)


def over(state: State, name: str, context: Context) -> Refusal:
    """Of a session that isn't there for the asker: that it has ended, if it was in it."""
    assert context.identity is not None
    return _over(state, name, context.identity)


def _over(state: State, name: str, identity: Identity) -> Refusal:
    ended = was_in(state, name, identity)
    return no_such("session") if ended is None else wrong_state("ended", *instead(ended))


def instead(ended: EndedSession) -> Sequence[str]:
    """What may be asked for of a session that is over."""
    if not ended.attended:
        return AFTER
    return [op for op in ALLOWED["session"]["ended"] if not (ended.rated and op == ops.SessionRate.OP)]


def was_in(state: State, name: str, identity: Identity) -> EndedSession | None:
    """A session that is over, of whoever was in it to the end, as long as its case is kept."""
    ended = state.ended_sessions.get(name)
    if ended is None or ids.case_of(name) not in state.cases:  # what is erased with its case stays so
        return None
    party = ended.visitor if identity.role is Role.CUSTOMER else ended.representative
    return ended if party == identity.person else None


def may_speak(state: State, session: Session, identity: Identity, function: str) -> Refusal | None:
    """Whether somebody may say or send something here that its customer gets."""
    who = identity.person
    if identity.role is Role.CUSTOMER:
        if session.visitor != who:
            return no_such("session")
    elif session.representative != who:
        guest = session.members.get(who)
        if guest is None:
            if session.representative is None and serves(state, who, session.subportal):
                return wrong_state("waiting", "offer.accept", "case.take")
            return no_such("session")
        if guest.view_only or guest.masked:
            kind = "masked" if guest.masked else "view_only"
            return Refusal(Code.NOT_ALLOWED, f"you are here {kind}: the customer gets nothing from you, staff note.add")
    portal = state.portals[state.requests[session.request].portal]
    holder = None if session.representative is None else state.representatives[session.representative]
    return functions.refuse(state, portal, holder, function)


def serves(state: State, name: str, subportal: str) -> bool:
    """Whether a representative is signed in and serves a sub-portal."""
    person = state.representatives.get(name)
    return person is not None and person.chosen != "offline" and subportal in state.teams[person.team].subportals


def audience(state: State, name: str, identity: Identity, upto: int = 0) -> tuple[str, str] | Refusal:
    """(stream, key) of what is told of somebody in a session and not kept; refused to who isn't in it, or only looks
    on. The key says who: ``customer``, or the representative's name. ``upto``: a message that must be there."""
    session = state.sessions.get(name)
    if session is None:
        return _over(state, name, identity)
    found = _audience(session, identity)
    if not isinstance(found, Refusal) and upto > session.messages:
        return bad_args("args.upto", f"at most {session.messages}, which is the last message")
    return found


def _audience(session: Session, identity: Identity) -> tuple[str, str] | Refusal:
    who, stream = identity.person, f"session:{session.session}"
    if identity.role is Role.CUSTOMER:
        return (stream, "customer") if session.visitor == who else no_such("session")
    guest = session.members.get(who)
    if session.representative != who and guest is None:
        return no_such("session")
    return (f"{stream}:staff" if guest is not None and guest.masked else stream), who


def note(state: State, command: ops.NoteAdd, context: Context) -> Decision | Refusal:
    """Staff writes something down, while it is in a session or after it had it."""
    assert context.identity is not None
    who, session = context.identity.person, state.sessions.get(command.session)
    known = was_in(state, command.session, context.identity) is not None
    if session is not None:
        known = session.representative == who or who in session.members
    if not known:
        return no_such("session")
    return Decision([e.NoteAdded(command.session, who, command.text.ref)], {"session": command.session})


def set_outcome(state: State, command: ops.SessionOutcome, context: Context) -> Decision | Refusal:
    """Whoever has a session, or had it last, says what came of it."""
    assert context.identity is not None
    who = context.identity.person
    session = state.sessions.get(command.session)
    last = session if session is not None else was_in(state, command.session, context.identity)
    if last is None or last.representative != who:
        return no_such("session")
    portal = _portal_of(state, last)
    outcomes = OUTCOMES if portal is None else portal.outcomes
    if command.outcome not in outcomes:
        return bad_args("args.outcome", f"one of {', '.join(outcomes)}")
    ref = None if command.note is None else command.note.ref
    event = e.OutcomeSet(command.session, last.request, who, command.outcome, ref)
    return Decision([event], {"session": command.session})


def _portal_of(state: State, last: Session | EndedSession) -> Portal | None:
    """The portal that a session's customer came through; None: it is gone."""
    return state.portals.get(last.portal if isinstance(last, EndedSession) else state.requests[last.request].portal)


def rate(state: State, command: ops.SessionRate, context: Context) -> Decision | Refusal:
    """The customer says how it was, once somebody has been there."""
    assert context.identity is not None
    session = state.sessions.get(command.session)
    if session is not None and session.visitor == context.identity.person:
        if not session.since:
            return wrong_state("waiting", *ALLOWED["session"]["waiting"])
        last: Session | EndedSession | None = session
    else:
        last = None if session is not None else was_in(state, command.session, context.identity)
    if last is None:
        return no_such("session")
    if isinstance(last, EndedSession) and not last.attended:
        return wrong_state("ended", *AFTER)
    if last.rated:
        allowed = ALLOWED["session"]["ended" if session is None else session.state]
        return wrong_state("rated", *(op for op in allowed if op != command.OP))
    portal = _portal_of(state, last)
    if (refusal := forms.wrong(() if portal is None else portal.survey, command.fields, "survey")) is not None:
        return refusal
    comment, fields = (None if given is None else given.ref for given in (command.comment, command.fields))
    event = e.SessionRated(command.session, last.request, last.representative, command.score, comment, fields)
    return Decision([event], {"session": command.session})


# --- evolve ----------------------------------------------------------------------------------------


def chat_sent(state: State, event: e.ChatSent, t: int) -> None:
    """Apply ``ChatSent``: its text is the journal's, but for what the request is about."""
    session = state.sessions[event.session]
    move(SESSION, session.state, event.TYPE)
    session.messages = event.number
    request = state.requests[session.request]
    if event.excerpt:
        request.text = event.text
    elif event.text != request.text:
        state.release(event.text)


def note_added(state: State, event: e.NoteAdded, t: int) -> None:
    """Apply ``NoteAdded``: it only tells."""
    state.release(event.text)


def outcome_set(state: State, event: e.OutcomeSet, t: int) -> None:
    """Apply ``OutcomeSet``."""
    state.release(event.note)


def session_rated(state: State, event: e.SessionRated, t: int) -> None:
    """Apply ``SessionRated``: once."""
    (state.sessions.get(event.session) or state.ended_sessions[event.session]).rated = True
    state.release(event.comment, event.fields)
