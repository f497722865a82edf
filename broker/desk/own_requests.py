"""The request that somebody names: open and its own, or why there is none."""

from __future__ import annotations

from broker import ids
from broker.desk.outcome import Refusal, no_such, wrong_state
from broker.desk.state import Context, Request, State
from broker.desk.transitions import ALLOWED


def find(state: State, name: str, context: Context) -> Request | Refusal:
    """The open request of this name, if it is the asker's."""
    assert context.identity is not None
    request, who = state.requests.get(name), context.identity.person
    if request is None:
        return over(state, name, who)
    return request if request.visitor == who else no_such("request")


def over(state: State, name: str, visitor: str | None = None) -> Refusal:
    """Of a request that isn't open: how it ended, as long as its case is kept. ``visitor``: it must have been its."""
    case = state.cases.get(ids.case_of(name))
    if case is None or case.how is None or visitor not in (None, case.visitor):
        return no_such("request")
    return wrong_state(case.how, *ALLOWED["request"][case.how])
