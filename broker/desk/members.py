"""Guests: representatives in somebody else's session, to help or to look on, seen by the customer or not."""

from __future__ import annotations

from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, no_such
from broker.desk.state import Context, Member, Representative, Session, State
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def leave(state: State, command: ops.SessionLeave, context: Context) -> Decision | Refusal:
    """A guest goes."""
    assert context.identity is not None
    session = state.sessions.get(command.session)
    if session is None or context.identity.person not in session.members:
        return no_such("session")
    return Decision([_left(session, context.identity.person, "left")], {"session": session.session})


def all_leave(session: Session, reason: str) -> list[e.Event]:
    """Every guest of a session goes."""
    return [_left(session, name, reason) for name in session.members]


def leave_all(state: State, person: Representative, reason: str) -> list[e.Event]:
    """A representative leaves wherever it is a guest."""
    return [_left(state.sessions[name], person.representative, reason) for name in person.guest]


def _left(session: Session, who: str, reason: str) -> e.MemberLeft:
    return e.MemberLeft(session.session, who, session.members[who].masked, reason)


# --- evolve ----------------------------------------------------------------------------------------


def member_joined(state: State, event: e.MemberJoined, t: int) -> None:
    """Apply ``MemberJoined``."""
    state.sessions[event.session].members[event.representative] = Member(t, event.view_only, event.masked)
    state.representatives[event.representative].guest[event.session] = None


def member_left(state: State, event: e.MemberLeft, t: int) -> None:
    """Apply ``MemberLeft``."""
    del state.sessions[event.session].members[event.representative]
    del state.representatives[event.representative].guest[event.session]
