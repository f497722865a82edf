"""When a visitor has nothing open any more, and when it is forgotten: once for requests and shares alike."""

from __future__ import annotations

from broker import limits
from broker.desk.state import State, Visitor


def rest(state: State, visitor: Visitor, t: int) -> None:
    """Something of this visitor's is over: the last that was open?"""
    if visitor.busy:
        return
    visitor.ended = t
    visitor.lost_until = None
    state.deadlines.set("abandon", visitor.visitor, None)
    state.idle_visitors[visitor.visitor] = None
    if len(state.idle_visitors) == 1:
        wake_for_visitors(state)


def wake_for_visitors(state: State) -> None:
    """Wake once the oldest idle visitor's time is over, at full hours only: one event for many."""
    if not state.idle_visitors:
        state.deadlines.set("visitors", "", None)
        return
    due = state.visitors[next(iter(state.idle_visitors))].ended + limits.VISITOR_MEMORY
    state.deadlines.set("visitors", "", due - due % limits.FORGET_PERIOD + limits.FORGET_PERIOD)
