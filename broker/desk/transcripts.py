"""Which conversations there are to be read, and of which portal each is. What was said in them is the journal's."""

from __future__ import annotations

import attrs

from broker.desk.state import State


@attrs.frozen
class Conversation:
    """A session that goes on."""

    session: str
    portal: str
    subportal: str
    zone: str | None
    """The portal's time zone, if it has one."""


def find(state: State, name: str) -> Conversation | None:
    """The conversation of this name."""
    session = state.sessions.get(name)
    if session is None:
        return None
    portal = state.requests[session.request].portal
    hours = state.portals[portal].hours
    return Conversation(name, portal, session.subportal, None if hours is None else hours.zone)
