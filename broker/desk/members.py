"""Guests: representatives in somebody else's session, to help or to look on, seen by the customer or not.

They come by an invitation (``colleagues``), take nothing of their capacity for it, and go when they like, when whoever
has the session says so, or with that one.
"""

from __future__ import annotations

from broker.desk import chat, offers, seats, uploads
from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, no_such
from broker.desk.state import Context, Member, Representative, Session, State
from broker.desk.transitions import OFFER, move
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def leave(state: State, command: ops.SessionLeave, context: Context) -> Decision | Refusal:
    """A guest goes."""
    assert context.identity is not None
    session = state.sessions.get(command.session)
    if session is None or context.identity.person not in session.members:
        return chat.over(state, command.session, context)
    return _goes(state, session, context.identity.person, "left")


def remove(state: State, command: ops.SessionRemove, context: Context) -> Decision | Refusal:
    """Whoever has the session sends a guest away."""
    assert context.identity is not None
    session = state.sessions.get(command.session)
    if session is None or session.representative != context.identity.person:
        return chat.over(state, command.session, context)
    if command.representative not in session.members:
        return no_such("guest")
    return _goes(state, session, command.representative, "removed")


def _goes(state: State, session: Session, who: str, reason: str) -> Decision:
    happened: list[e.Event] = [*uploads.left_behind(state, session, (who,)), left(session, who, reason)]
    return Decision(happened, {"session": session.session})


def all_leave(session: Session, reason: str) -> list[e.Event]:
    """Every guest of a session goes."""
    return [left(session, name, reason) for name in session.members]


def revoke_all(state: State, session: Session) -> list[e.Event]:
    """Nobody is asked into a session any more."""
    return [event for name in session.invites for event in offers.end(state, state.offers[name], "revoked")]


def leave_all(state: State, person: Representative, reason: str) -> list[e.Event]:
    """A representative leaves wherever it is a guest."""
    who = person.representative
    gone = uploads.left_behind_anywhere(state, person.guest, who)
    return [*gone, *(left(state.sessions[name], who, reason) for name in person.guest)]


def left(session: Session, who: str, reason: str) -> e.MemberLeft:
    """A guest goes."""
    member = session.members[who]
    return e.MemberLeft(session.session, who, member.masked, reason, member.leg)


# --- evolve ----------------------------------------------------------------------------------------


def member_joined(state: State, event: e.MemberJoined, t: int) -> None:
    """Apply ``MemberJoined``: an invitation was accepted."""
    session, person = state.sessions[event.session], state.representatives[event.representative]
    move(OFFER, "pending", event.TYPE)
    offers.close(state, event.offer, "taken", event.representative)
    del session.invites[event.offer]
    session.members[event.representative] = Member(t, event.view_only, event.masked)
    person.guest[event.session] = None
    person.missed = 0


def member_left(state: State, event: e.MemberLeft, t: int) -> None:
    """Apply ``MemberLeft``."""
    del state.sessions[event.session].members[event.representative]
    person = state.representatives[event.representative]
    del person.guest[event.session]
    seats.done(state, person, t)
