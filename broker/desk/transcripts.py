"""Which conversations there are to be read, and of which portal each is. What was said in them is the journal's."""

from __future__ import annotations

import attrs

from broker import ids
from broker.desk.state import Case, FormerHolder, State


@attrs.frozen
class Conversation:
    """A session that goes on, or that is over and whose case is kept."""

    session: str
    portal: str
    subportal: str
    zone: str | None
    """The portal's time zone, if it has one."""
    upto: tuple[int, int] | None = None
    """How far the session's stream and its staff's are to be read, for whoever had it and left; None: to their ends."""
    messages: int | None = None
    """Up to which message, likewise."""


def find(state: State, name: str) -> Conversation | None:
    """The conversation of this name."""
    session, case = state.sessions.get(name), state.cases.get(ids.case_of(name))
    if session is not None:
        return _of(state, name, state.requests[session.request].portal, session.subportal)
    return None if case is None else _of(state, name, case.portal, case.subportal)


def left_behind(state: State, name: str, who: str) -> FormerHolder | None:
    """How far a representative may read who had the case of this session once, and whose team still serves it."""
    case = state.cases.get(ids.case_of(name))
    if case is None or not served(state, case, who):
        return None
    return next((former for former in case.former if former[0] == who), None)


def open_to(state: State, name: str, who: str) -> bool:
    """Whether this representative could take the case of a session that is over, for nobody has it. A live chat that
    nobody has is another matter: it is offered."""
    case = state.cases.get(ids.case_of(name))
    return case is not None and case.ended is not None and case.status == "unassigned" and served(state, case, who)


def served(state: State, case: Case, who: str) -> bool:
    """Whether this is a representative whose team serves the case's sub-portal."""
    person = state.representatives.get(who)
    return person is not None and case.subportal in state.teams[person.team].subportals


def _of(state: State, name: str, portal: str, subportal: str) -> Conversation:
    known = state.portals.get(portal)
    hours = None if known is None else known.hours
    return Conversation(name, portal, subportal, None if hours is None else hours.zone)
