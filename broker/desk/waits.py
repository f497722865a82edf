"""What a queue request waits for beside a representative: that it needs less, is held no longer, or overflows."""

from __future__ import annotations

from broker import ids
from broker.content import Ref
from broker.desk import casebook
from broker.desk import events as e
from broker.desk.state import Request, State


def arm(state: State, request: Request) -> None:
    """It waits (again): its next step and its next overflow rule have their times, which may be past."""
    if request.discipline != "queue":
        return
    step = request.ladder[request.step][0] if request.step < len(request.ladder) else None
    state.deadlines.set("relax", request.request, None if step is None else request.arrived + step)
    arm_overflow(state, request)


def arm_overflow(state: State, request: Request) -> None:
    """It waits, and isn't offered: its next overflow rule has its time."""
    if request.overflow:
        state.deadlines.set("overflow", request.request, request.arrived + request.overflow[0][0])


def disarm_overflow(state: State, request: Request) -> None:
    """It is offered, or out of rules."""
    if request.overflow:
        state.deadlines.set("overflow", request.request, None)


def end_hold(state: State, request: Request) -> None:
    """It waits for nobody in particular any more."""
    if request.held_until is not None:
        request.held_until = None
        state.deadlines.set("sticky", request.request, None)


def disarm(state: State, request: Request) -> None:
    """It waits no longer."""
    if request.ladder:
        state.deadlines.set("relax", request.request, None)
    disarm_overflow(state, request)
    end_hold(state, request)


# --- due -------------------------------------------------------------------------------------------


def widen(state: State, name: str, now: int) -> list[e.Event]:
    """The request has waited long enough for its next step."""
    return [e.RequestWidened(name, state.requests[name].step + 1)]


def release(state: State, name: str, now: int) -> list[e.Event]:
    """The representative who served its customer last had time enough."""
    return [e.RequestReleased(name, state.router.tickets[name].held or "", "time")]


def over(state: State, request: Request | e.RequestCreated, how: str) -> e.RequestEnded:
    """The end of a request that waits, and of the session that waits with it. Of one that is only just asked, too."""
    opened = request.web_chat != "none" if isinstance(request, e.RequestCreated) else request.session in state.sessions
    return e.RequestEnded(request.request, request.visitor, how, request.session if opened else None)


def converted(
    state: State,
    request: Request | e.RequestCreated,
    text: Ref | None = None,
    name: Ref | None = None,
    email: Ref | None = None,
) -> list[e.Event]:
    """It waits no more and becomes a support request, with what is left now. What nobody has said in its session yet is
    told there: whoever answers reads that."""
    ended = over(state, request, "converted")
    ended.text, ended.name, ended.email = text, name, email
    told = _unsaid(request, ended, name or request.name)
    if text is not None:
        told.append(e.QuestionLeft(request.request, request.session, text, name or request.name))
    return [*told, ended]


def abandoned(state: State, request: Request, how: str) -> list[e.Event]:
    """The customer is gone: with its address it left what it asked."""
    ended = over(state, request, how)
    left = how == "abandoned" and casebook.answerable(state, state.cases[ids.case_of(request.request)])
    return [*(_unsaid(request, ended, request.name) if left else []), ended]


def _unsaid(request: Request | e.RequestCreated, ended: e.RequestEnded, name: Ref | None) -> list[e.Event]:
    """What was asked with a request that no session was opened for."""
    if ended.session is not None or request.text is None:
        return []
    return [e.QuestionLeft(request.request, request.session, request.text, name, request.fields, request.page)]


# --- evolve ----------------------------------------------------------------------------------------


def request_widened(state: State, event: e.RequestWidened, t: int) -> None:
    """Apply ``RequestWidened``."""
    request = state.requests[event.request]
    request.step = event.step
    state.router.widen(event.request, request.ladder[event.step - 1][1])
    upcoming = request.ladder[event.step][0] if event.step < len(request.ladder) else None
    state.deadlines.set("relax", event.request, None if upcoming is None else request.arrived + upcoming)


def question_left(state: State, event: e.QuestionLeft, t: int) -> None:
    """Apply ``QuestionLeft``: it only tells. The texts are let go of with the request, which ends with it."""


def request_released(state: State, event: e.RequestReleased, t: int) -> None:
    """Apply ``RequestReleased``."""
    end_hold(state, state.requests[event.request])
    state.router.widen(event.request, state.router.tickets[event.request].need, release=True)
