"""Uploads of staff who leave a session: given up, for they count against what the others may send there (E7)."""

from __future__ import annotations

from collections.abc import Container, Iterable

from broker.desk import events as e
from broker.desk.state import Session, State


def left_behind(state: State, session: Session, who: Container[str] | None = None) -> list[e.FileEnded]:
    """What these people, or all but the customer, were sending in a session that they leave."""
    files = (state.files[name] for name in state.session_files.get(session.session, ()) if name in state.uploads)
    return [
        e.FileEnded(file.file, file.session, file.by, "left")
        for file in files
        if (file.role == "representative" if who is None else file.by in who)
    ]


def left_behind_anywhere(state: State, sessions: Iterable[str], who: str) -> list[e.FileEnded]:
    """The same of one person and all these sessions."""
    return [event for name in sessions for event in left_behind(state, state.sessions[name], (who,))]
