"""A guest's leg of a screen share: the events that make and end it, and what they change. Rules are in ``watching``."""

from __future__ import annotations

from typing import Final

from broker.desk import events as e
from broker.desk.state import Member, Session, Share, State

_DEEDS: Final = frozenset({"chat", "control", "file_transfer", "reboot"})
"""Functions that do more than look on."""


def may(member: Member, on: tuple[str, ...]) -> tuple[str, ...]:
    """What a guest may do of what is on for it at the portal."""
    return tuple(name for name in on if name not in _DEEDS) if member.view_only else on


def watched(share: Share, session: Session, who: str, leg: str, now: tuple[str, ...]) -> e.ShareWatched:
    """A guest who may do this looks at the screen, or goes on to."""
    member = session.members[who]
    return e.ShareWatched(
        share=share.share,
        session=share.session,
        leg=leg,
        representative=who,
        holder=share.representative,
        masked=member.masked,
        functions=now,
        told=member.leg is None or ("control" in now) != ("control" in member.functions),
    )


def unwatched(share: Share, who: str, member: Member, reason: str) -> e.ShareUnwatched:
    """A guest who looked looks no more."""
    assert member.leg is not None
    return e.ShareUnwatched(share.share, share.session, member.leg, who, share.representative, member.masked, reason)


def of(share: Share, session: Session | None) -> list[tuple[str, str]]:
    """(leg, guest) of those who look."""
    members = {} if session is None else session.members
    return [(member.leg, who) for who, member in members.items() if member.leg is not None]


# --- evolve ----------------------------------------------------------------------------------------


def share_watched(state: State, event: e.ShareWatched, t: int) -> None:
    """Apply ``ShareWatched``."""
    member = state.sessions[event.session].members[event.representative]
    if member.leg is None:
        state.shares[event.share].legs += 1
    member.leg, member.functions = event.leg, event.functions


def share_unwatched(state: State, event: e.ShareUnwatched, t: int) -> None:
    """Apply ``ShareUnwatched``."""
    _done(state.sessions[event.session].members[event.representative])


def all_done(session: Session) -> None:
    """Nobody looks any more: the session's share is over, or its machine restarts."""
    for member in session.members.values():
        _done(member)


def _done(member: Member) -> None:
    member.leg, member.functions = None, ()
