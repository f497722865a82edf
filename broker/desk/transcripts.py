"""Which conversations there are to be read, and of which portal each is. What was said in them is the journal's."""

from __future__ import annotations

import attrs

from broker.desk.state import State


@attrs.frozen
class Conversation:
    """A session that goes on, or that is over and whose case is kept."""

    session: str
    portal: str
    subportal: str
    zone: str | None
    """The portal's time zone, if it has one."""


def find(state: State, name: str) -> Conversation | None:
    """The conversation of this name."""
    session, case = state.sessions.get(name), state.cases.get(f"k_{name[2:]}")
    if session is not None:
        return _of(state, name, state.requests[session.request].portal, session.subportal)
    return None if case is None else _of(state, name, case.portal, case.subportal)


def _of(state: State, name: str, portal: str, subportal: str) -> Conversation:
    known = state.portals.get(portal)
    hours = None if known is None else known.hours
    return Conversation(name, portal, subportal, None if hours is None else hours.zone)
