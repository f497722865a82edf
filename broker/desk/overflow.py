"""Where a request goes that its sub-portal can't serve: too long a wait, too long a line, nobody there.

Length and staffing are asked when a request arrives, staffing again when the last one signs out, wait rules at their
times. A request never comes back to a line that it was in, so rules can't send it in circles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

from broker.desk import casebook, skills, waits
from broker.desk import events as e
from broker.desk.state import Request, Rule, State, Subportal, Waits
from broker.desk.transitions import REQUEST, move

SLICE: Final = 64  # requests looked at in one step when the last one has signed out: about 5 ms


def wait_rules(subportal: Subportal) -> Waits:
    """Its wait rules, the earliest first."""
    found = [(number or 0, to) for on, number, to in subportal.overflow if on == "wait"]
    return tuple(sorted(found, key=lambda rule: rule[0]))


def is_full(state: State, subportal: str) -> bool:
    """Whether as many wait as may."""
    return len(state.router.lines[subportal].order) >= state.subportals[subportal].max_waiting


def is_staffed(state: State, subportal: str) -> bool:
    """Whether anybody who serves it is signed in."""
    return any(state.teams[team].signed_in for team in state.serving.get(subportal, ()))


def at_arrival(state: State, subportal: str) -> Rule | None:
    """The rule that takes a request elsewhere which arrives now."""
    rules = state.subportals[subportal].overflow
    if not rules:
        return None
    waiting = len(state.router.lines[subportal].order)
    for rule in rules:
        on, number, to = rule
        applies = waiting >= (number or 0) if on == "length" else on == "staffing" and not is_staffed(state, subportal)
        if applies and _can_go(state, to, (subportal,)):
            return rule
    return None


def go(state: State, request: e.RequestCreated | Request, rule: str, to: str | None, age: int) -> list[e.Event]:
    """The events that carry a rule out for a request of this age (ms)."""
    if to is None:
        return waits.converted(state, request)
    there = state.subportals[to]
    asked = tuple(name for name in request.asked if any(skill == name and only for skill, _, only in there.skills))
    steps = skills.ladder(there, asked)
    past = [need for after, need in steps if after <= age]
    moved = e.RequestMoved(
        request=request.request,
        visitor=request.visitor,
        former=request.subportal,
        subportal=to,
        rule=rule,
        asked=asked,
        need=past[-1] if past else skills.need(there, asked),
        ladder=steps[len(past) :],
        overflow=wait_rules(there),
    )
    return [moved]


def _can_go(state: State, to: str | None, been: Collection[str], coming: int = 0) -> bool:
    """``coming``: requests that are on their way there already."""
    if to is None:
        return casebook.has_room(state, coming)
    there = state.subportals.get(to)
    return there is not None and to not in been and len(state.router.lines[to].order) + coming < there.max_waiting


# --- due -------------------------------------------------------------------------------------------


def due(state: State, name: str, now: int) -> list[e.Event]:
    """The time of a request's first wait rule."""
    request = state.requests[name]
    _, to = request.overflow[0]
    if not _can_go(state, to, (*request.been, request.subportal)):
        return [e.OverflowPassed(name)]
    return go(state, request, "wait", to, now - request.arrived)


def unstaffed(state: State, name: str, now: int) -> list[e.Event]:
    """The last one who serves this sub-portal has signed out: a slice of its waiting requests goes elsewhere."""
    subportal, order = state.subportals[name], state.router.lines[name].order
    targets = [to for on, _, to in subportal.overflow if on == "staffing"]
    if not targets or is_staffed(state, name):
        return [e.LineUnstaffed(name, None)]
    first = 0 if subportal.unstaffed_upto is None else order.bisect_right(subportal.unstaffed_upto)
    looked_at = list(order.islice(first, first + SLICE))
    moves: list[e.Event] = []
    coming: Counter[str | None] = Counter()
    for _, _, request_name in looked_at:  # all of them wait: whoever had an offer has left, and the offer came back
        request = state.requests[request_name]
        been = (*request.been, name)
        to = next((to for to in targets if _can_go(state, to, been, coming[to])), name)
        if to != name:
            coming[to] += 1
            moves += go(state, request, "staffing", to, now - request.arrived)
    more = first + SLICE < len(order)
    return [e.LineUnstaffed(name, looked_at[-1] if more else None), *moves]


# --- evolve ----------------------------------------------------------------------------------------


def watch_staff(state: State, subportals: Iterable[str], t: int) -> None:
    """Somebody may have been the last: what waits there is looked at once."""
    for name in subportals:
        rules = state.subportals[name].overflow
        asked = rules and any(on == "staffing" for on, _, _ in rules)
        if asked and not is_staffed(state, name) and state.router.lines[name].order:
            state.subportals[name].unstaffed_upto = None
            state.deadlines.set("unstaffed", name, t)


def line_unstaffed(state: State, event: e.LineUnstaffed, t: int) -> None:
    """Apply ``LineUnstaffed``."""
    upto = event.upto
    state.subportals[event.subportal].unstaffed_upto = None if upto is None else (upto[0], upto[1], upto[2])
    state.deadlines.set("unstaffed", event.subportal, None if upto is None else t)


def overflow_passed(state: State, event: e.OverflowPassed, t: int) -> None:
    """Apply ``OverflowPassed``: the next rule has its time."""
    request = state.requests[event.request]
    waits.disarm_overflow(state, request)
    request.overflow = request.overflow[1:]
    waits.arm_overflow(state, request)


def request_moved(state: State, event: e.RequestMoved, t: int) -> None:
    """Apply ``RequestMoved``."""
    request = state.requests[event.request]
    request.state = move(REQUEST, request.state, event.TYPE)
    waits.disarm(state, request)
    state.deadlines.set("round", request.request, None)
    request.been = (*request.been, request.subportal)
    request.subportal, request.asked = event.subportal, event.asked
    if (session := state.sessions.get(request.session)) is not None:
        session.subportal = event.subportal
    request.ladder, request.step, request.overflow = event.ladder, 0, event.overflow
    state.router.move(event.request, event.subportal, event.need)
    state.flow.overflowed += 1
    waits.arm(state, request)
    watch_staff(state, [request.subportal], t)
