"""The part of the invariants that is about files: which are kept, how much they count, and which may still be sent."""

from __future__ import annotations

from broker.desk.line_invariants import Broken
from broker.desk.state import File, Session, State


def _in_it(state: State, session: Session, file: File) -> bool:
    if file.role == "customer":
        return file.by == state.requests[session.request].visitor
    return file.by == session.representative or file.by in session.members


def files_kept(state: State) -> Broken:
    """E7: each file is counted once, in its session; an upload's session is open; numbers are the session's."""
    by_session: dict[str, set[str]] = {}
    for file in state.files.values():
        by_session.setdefault(file.session, set()).add(file.file)
        session = state.sessions.get(file.session)
        if (file.until is not None) != (file.file in state.uploads):
            yield "E7", f"{file.file} is on its way until {file.until}, and listed as {file.file in state.uploads}"
        if file.until is not None and session is None:
            yield "E7", f"{file.file} is on its way in a session that is over"
        elif session is not None and file.until is not None and not _in_it(state, session, file):
            yield "E7", f"{file.file} is on its way from {file.by}, who isn't in {file.session}"
        if (file.until is None) != (file.number > 0):
            yield "E7", f"{file.file} has the number {file.number}"
        if session is not None and file.number > session.messages:
            yield "E7", f"{file.file} is message {file.number} of {session.messages}"
    due = {name: t for t, kind, name in state.deadlines if kind == "upload"}
    if due != {file.file: file.until for file in state.files.values() if file.until is not None}:
        yield "E7", f"uploads are given up at {due}"
    if by_session != {name: set(files) for name, files in state.session_files.items()}:
        yield "E7", f"sessions have {by_session}, listed are {state.session_files}"
    if state.uploads.keys() - state.files.keys():
        yield "E7", f"uploads that are no files: {state.uploads.keys() - state.files.keys()}"
    if state.file_bytes != sum(file.size for file in state.files.values()):
        yield "E7", f"{state.file_bytes} bytes are counted"
