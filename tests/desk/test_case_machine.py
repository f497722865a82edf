"""Everything that may happen to cases, at random, beside a naive casework that is written from the documents.

G1 to G10, C12, D4, F21. What representatives and managers may read is compared after every step; what is refused
changes nothing.

Faults planted in the rules are shown to be found by the comparison: the invariants are switched off for that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from broker.desk import case_view, casebook, cases, invariants, view
from broker.desk import events as e
from broker.desk.outcome import Decision
from broker.desk.rules import RULES
from broker.desk.transitions import CASE
from broker.protocol import ops
from broker.runtime import case_reader
from broker.units import DAYS
from tests.support.case_staff import CaseMachine

Patch = pytest.MonkeyPatch

TestCaseMachine = pytest.mark.slow(CaseMachine.TestCase)
TestCaseMachine.settings = settings(stateful_step_count=40, max_examples=settings().max_examples // 4)


# --- planted faults ----------------------------------------------------------------------------------


def clock_goes_on_from_before(patch: Patch) -> None:
    """What went by is lost, and the clock runs since it once began."""
    patch.setattr(casebook, "_clocks", lambda case, type_, status, ended, t: (case.waited, case.talked, case.since))


def handed_back_and_still_somebodys(patch: Patch) -> None:
    whole = casebook._owner
    patch.setattr(
        casebook, "_owner", lambda case, ev: case.representative if type(ev) is e.RequestRequeued else whole(case, ev)
    )


def nothing_is_unread(patch: Patch) -> None:
    patch.setattr(view, "unread", lambda state, subportals, seen: False)


def what_comes_back_is_as_old_as_before(patch: Patch) -> None:
    whole = casebook.after
    patch.setattr(
        casebook,
        "after",
        lambda state, case, ev, t: (*(now := whole(state, case, ev, t))[:4], case.listed, *now[5:]),
    )


def resolved_out_of_the_line(patch: Patch) -> None:
    whole = RULES[ops.CaseResolve]

    def resolve(state: Any, command: Any, context: Any) -> Any:
        case = state.cases.get(command.case)
        if case is None or case.status != "unassigned" or case.ended is None:
            return whole(state, command, context)
        event = e.CaseChanged(case.request, "resolved", None, None, context.who)
        return Decision([event], {"case": case.case, "status": "resolved", "version": case.version + 1})

    patch.setitem(RULES, ops.CaseResolve, resolve)
    patch.setitem(CASE["unassigned"], f"{e.CaseChanged.TYPE}:resolved", "resolved")


def a_name_outlives_its_case(patch: Patch) -> None:
    patch.setattr(casebook, "contents", lambda case: (case.email, case.text, case.question))


def what_was_said_outlives_its_case(patch: Patch) -> None:
    whole = case_reader.named

    def named(*args: Any) -> Any:
        found: Any = yield from whole(*args)
        return [[heads, []] for heads, _ in found]

    patch.setattr(case_reader, "named", named)


def any_version_will_do(patch: Patch) -> None:
    whole = RULES[ops.CaseResolve]
    patch.setitem(
        RULES,
        ops.CaseResolve,
        lambda state, command, context: whole(state, attrs.evolve(command, version=None), context),
    )


def everybody_knows_of_every_case(patch: Patch) -> None:
    patch.setattr(cases, "sees", lambda state, person, case: True)


def kept_a_day_longer(patch: Patch) -> None:
    whole = cases.until
    patch.setattr(cases, "until", lambda state, case: whole(state, case) + DAYS)


def what_nobody_resolved_is_kept(patch: Patch) -> None:
    whole = cases.due

    def due(state: Any, now: int, most: int) -> Any:
        reason, found = whole(state, now, most)
        return reason, [name for name in found if reason == "full" or state.cases[name].status == "resolved"]

    patch.setattr(cases, "due", due)


def what_waits_for_an_answer_is_erased(patch: Patch) -> None:
    whole = cases.due

    def due(state: Any, now: int, most: int) -> Any:
        reason, found = whole(state, now, most)
        asked = (state.cases[name] for name in state.shelves.asked.get("", ()))
        more = [case.case for case in asked if case.ended is not None and cases.until(state, case) <= now]
        return reason, found if reason == "full" else [*found, *more][:most]

    patch.setattr(cases, "due", due)


def who_vanishes_leaves_nothing(patch: Patch) -> None:
    whole = casebook._outcome

    def outcome(state: Any, case: Any, event: Any) -> Any:
        if isinstance(event, e.RequestEnded) and event.state == "abandoned":
            return case.type, "resolved", "abandoned"
        return whole(state, case, event)

    patch.setattr(casebook, "_outcome", outcome)


def the_oldest_on_top(patch: Patch) -> None:
    whole = case_view.listed
    patch.setattr(case_view, "listed", lambda state, subportal: reversed(list(whole(state, subportal))))


FAULTS = [
    clock_goes_on_from_before,
    handed_back_and_still_somebodys,
    nothing_is_unread,
    what_comes_back_is_as_old_as_before,
    resolved_out_of_the_line,
    a_name_outlives_its_case,
    what_was_said_outlives_its_case,
    any_version_will_do,
    everybody_knows_of_every_case,
    kept_a_day_longer,
    what_nobody_resolved_is_kept,
    what_waits_for_an_answer_is_erased,
    who_vanishes_leaves_nothing,
    the_oldest_on_top,
]


@pytest.mark.slow
@pytest.mark.parametrize("plant", FAULTS)
def test_caught_by_the_casework_alone(monkeypatch: Patch, plant: Callable[[Patch], None]) -> None:
    monkeypatch.setattr(invariants, "check", lambda state, *, lowered=(): None)
    plant(monkeypatch)
    quickly = settings(max_examples=400, stateful_step_count=40, phases=[Phase.generate], database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(CaseMachine, settings=quickly)
