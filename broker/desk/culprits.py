"""Who is meant by a request, a session or a visitor, when somebody is to be blocked."""

from __future__ import annotations

from broker.desk.state import Request, State, Visitor
from broker.protocol import ops


def find(state: State, command: ops.VisitorBlock) -> Request | Visitor | None:
    """The open request, or of a visitor who has none, the visitor; None if it isn't known (any more). Of a visitor with
    several requests, the last one."""
    if command.request is not None:
        return state.requests.get(command.request)
    if command.session is None:
        return _of_visitor(state, command.visitor)
    session = state.sessions.get(command.session)
    if session is not None:
        return state.requests[session.request]
    ended = state.ended_sessions.get(command.session)
    return None if ended is None else _of_visitor(state, ended.visitor)


def _of_visitor(state: State, name: str | None) -> Request | Visitor | None:
    visitor = state.visitors.get(name or "")
    if visitor is None or not visitor.requests:
        return visitor
    return state.requests[next(reversed(visitor.requests.values()))]
