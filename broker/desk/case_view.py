"""What is told of a case: its row in a list, its details, and which of them somebody looks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from broker import limits
from broker.desk import casebook
from broker.desk.state import Case, State

Row = dict[str, object]


def row(state: State, case: Case, *, texts: bool = True) -> Row:
    """As lists have it (G5). ``texts``: with the customer's name and what the problem is."""
    told: dict[str, object | None] = {
        "case": case.case,
        "number": case.number,
        "request": case.request,
        "session": case.session,
        "portal": case.portal,
        "subportal": case.subportal,
        "type": case.type,
        "status": case.status,
        "reason": case.reason,
        "version": case.version,
        "listed": case.listed,
        "representative": case.representative,
        "created": case.created,
        "ended": case.ended,
        "resolved": case.resolved,
        "clock": casebook.clock(case),
        "outcome": case.outcome,
        "rated": case.rated,
    }
    if texts:
        told["name"] = case.name
        told["text"] = case.text if case.question is None else case.question
        person = state.representatives.get(case.representative or "")
        told["representative_name"] = None if person is None else person.name
    return {name: value for name, value in told.items() if value is not None}


def details(state: State, case: Case) -> Row:
    """As its panel has it: with the e-mail address, and all that the customer filled in."""
    more: dict[str, object | None] = {
        "visitor": case.visitor,
        "email": case.email,
        "text": case.text,
        "question": case.question,
        "fields": case.fields,
        "page": case.page,
        "mails": [mail.mail for mail in state.case_mails.values() if mail.case == case.case] or None,
    }
    return {**row(state, case), **{name: value for name, value in more.items() if value is not None}}


def listed(state: State, subportal: str) -> Iterator[Row]:
    """The list of a sub-portal, the newest first: what isn't resolved, and what was, lately."""
    shelves = state.shelves
    names = [*shelves.unassigned.get(subportal, ()), *shelves.assigned.get(subportal, ())]
    found = [*(state.cases[name] for name in names), *_lately(state, subportal)]
    return (row(state, case) for case in sorted(found, key=lambda case: -case.number))


def _lately(state: State, subportal: str) -> list[Case]:
    """Those resolved last; of those resolved in one moment (many are given up at once after a restart), the newest: a
    desk out of its snapshot shows the same ones."""
    found: list[Case] = []
    for name in reversed(state.shelves.resolved.get(subportal, {})):
        case = state.cases[name]
        if len(found) >= limits.LISTED_RESOLVED and (not found or case.resolved != found[-1].resolved):
            break
        found.append(case)
    return sorted(found, key=lambda case: (-(case.resolved or 0), -case.number))[: limits.LISTED_RESOLVED]


def mine(state: State, representative: str) -> Iterator[Row]:
    """The cases that somebody has to see to, the newest first."""
    found = (state.cases[name] for name in state.shelves.mine.get(representative, ()))
    return (row(state, case) for case in sorted(found, key=lambda case: -case.number))


def fits(case: Case, asked: Mapping[str, object]) -> bool:
    """Whether a case is one of those that are looked for, as far as that is no matter of texts."""
    for name in ("subportal", "status", "type", "representative", "visitor"):
        if asked.get(name) is not None and getattr(case, name) != asked[name]:
            return False
    first, last = asked.get("from"), asked.get("to")
    return not ((isinstance(first, int) and case.created < first) or (isinstance(last, int) and case.created >= last))
