"""What must be true of cases between two commands (G): a part of ``invariants``.

Where a case stands is worked out anew from the case itself; no shelf is trusted.
"""

from __future__ import annotations

from collections import Counter

from broker import ids
from broker.desk.casebook import ASKED, LIVE
from broker.desk.line_invariants import Broken
from broker.desk.state import Case, State


def cases(state: State) -> Broken:
    """Each open request has one case, in a state that fits; each case is listed once, and stands where it belongs."""
    for request in state.requests.values():
        case = state.cases.get(ids.case_of(request.request))
        if case is None:
            yield "G1", f"{request.request} has no case"
        elif case.ended is not None or case.type != LIVE:
            yield "G1", f"{case.case} is {case.type}, ended at {case.ended}, and {request.request} is open"
        elif (request.state == "assigned") != (case.status != "unassigned"):
            yield "G2", f"{case.case} is {case.status}, and {request.request} {request.state}"
        elif case.representative != request.representative or case.subportal != request.subportal:
            yield "G2", f"{case.case} is {case.representative}'s, and {request.request} {request.representative}'s"
    numbers = Counter(case.listed for case in state.cases.values())
    if numbers and (max(numbers) >= state.next_listed or max(numbers.values()) > 1):
        yield "D4", "cases are listed twice, or as what is still to come"
    for case in state.cases.values():
        yield from _alone(state, case)
    yield from _stands(state)
    for mail in state.case_mails.values():
        if mail.case not in state.cases:
            yield "G10", f"{mail.mail} answers {mail.case}, which is gone"


def _alone(state: State, case: Case) -> Broken:
    name = case.case
    if (case.ended is None) != (case.request in state.requests):
        yield "G1", f"{name} ended at {case.ended}, and its request is {case.request in state.requests}"
    if (case.status == "resolved") != (case.resolved is not None):
        yield "G2", f"{name} is {case.status}, resolved at {case.resolved}"
    if case.status == "assigned" and case.representative not in state.representatives:
        yield "G8", f"{name} is assigned to {case.representative}, who isn't there"
    if case.status == "unassigned" and case.representative is not None:
        yield "G2", f"{name} is unassigned and {case.representative}'s"
    runs = case.ended is None if case.type == LIVE else case.status != "resolved"
    if (case.since is not None) != runs:
        yield "G6", f"the clock of {name} runs since {case.since}, and it is {case.type}, {case.status}"


def _stands(state: State) -> Broken:
    shelves = state.shelves
    where: dict[str, dict[str, set[str]]] = {
        kind: {} for kind in ("unassigned", "assigned", "resolved", "mine", "over", "untouched", "left", "asked")
    }
    for case in state.cases.values():
        places = [(case.status, case.subportal)]
        if case.status == "assigned":
            places.append(("mine", case.representative or ""))
        if case.status == "resolved" and case.ended is not None:
            places.append(("over", case.portal))
            places += [] if case.had else [("untouched", "")]
        elif case.type == ASKED:
            places.append(("asked", ""))
        elif case.ended is not None:
            places.append(("left", case.portal))
        for kind, key in places:
            where[kind].setdefault(key, set()).add(case.case)
    for kind, expected in where.items():
        names = {key: set(inner) for key, inner in getattr(shelves, kind).items()}
        if names != expected:
            yield "G4", f"on the shelves {kind} are {names}, and should be {expected}"
    for inner in (*shelves.over.values(), *shelves.left.values()):
        rests = [state.cases[name].rests for name in inner if name in state.cases]
        if rests != sorted(rests):
            yield "G9", f"{list(inner)} don't stand in the order in which they are to be erased"
    for inner in shelves.unassigned.values():
        listed = [state.cases[name].listed for name in inner if name in state.cases]
        if listed != sorted(listed):
            yield "D4", "unassigned cases don't stand in the order in which they were listed"
