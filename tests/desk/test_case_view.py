"""What lists and panels have of a case (G4, G5), and what the events of its conversation add to it."""

from __future__ import annotations

from typing import Any

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import case_view
from broker.desk.casebook import heads
from broker.desk.commands import Gathered
from broker.desk.view import view
from broker.protocol import check, ops
from tests.desk.test_casebook import case, listed, lived, reachable
from tests.desk.test_share_ends import alone
from tests.support.builders import case_id, customer, manager, personal, representative, request_id, session_id
from tests.support.people import MIA
from tests.support.scene import Scene, office
from tests.support.shares import SESSION

ANN, BO = representative("ann"), representative("bo")


def rows(scene: Scene, stream: str = "cases:help") -> list[Any]:
    parts: list[Any] = view(scene.desk, stream, manager())
    return [row for part in parts for row in part.get("cases", [])]


def test_the_list_has_the_newest_first_and_of_resolved_ones_the_last_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = lived()
    assert [row["number"] for row in rows(scene)] == [4, 3, 2, 1]
    monkeypatch.setattr(limits, "LISTED_RESOLVED", 0)
    assert [row["number"] for row in rows(scene)] == [4, 3, 2]
    assert rows(scene, "cases:nowhere") == []


def test_mine_are_those_that_are_assigned_and_not_resolved() -> None:
    scene = lived()
    state = scene.desk.state
    assert [row["case"] for row in case_view.mine(state, "bo")] == [case_id("three")]
    assert list(case_view.mine(state, "ann")) == []


def test_details_fit_the_schema_and_rows_have_the_question_in_place_of_the_text() -> None:
    scene = lived()
    scene.ok(ops.CaseMail(case_id("three"), personal("More", "c_more")), BO)
    three = case(scene, "three")
    three.question = personal("And now?", "c_question").ref
    told = scene.words(case_view.details(scene.desk.state, three), "{}")
    assert (told["text"], told["question"], told["email"]) == ("C_THREE_WHY", "C_QUESTION", "C_THREE_MAIL")
    assert told["mails"] == [f"m_{case_id('three')[2:]}.1", f"m_{case_id('three')[2:]}.2"]
    check.check_result("case.get", {"case": told})
    row = scene.words(case_view.row(scene.desk.state, three), "{}")
    assert (row["text"], row["representative_name"]) == ("C_QUESTION", "C_BO")
    assert "email" not in row
    check.check_result("case.search", {"cases": [row]})


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ({}, True),
        ({"status": "assigned", "representative": "bo"}, True),
        ({"status": "resolved"}, False),
        ({"from": 0, "to": 10**15}, True),
        ({"from": 10**15}, False),
        ({"to": 5}, False),
    ],
)
def test_what_is_looked_for(asked: dict[str, object], fits: bool) -> None:  # noqa: FBT001 (a table)
    assert case_view.fits(case(lived(), "three"), asked) is fits


def test_the_first_thing_that_a_customer_writes_says_what_its_case_is_about() -> None:
    scene = Scene()
    scene.ok(ops.PortalPut("help", "button", "web", ["help"], web_chat="upgradable"), manager())
    scene.team("blue", "help")
    scene.staff("blue", "ann", presence="away")
    scene.ok(ops.RequestCreate(), customer("carl"), "carl")
    scene.now += 7
    for number, text in enumerate(("First", "Second"), 1):
        scene.ok(ops.ChatSend(session_id("carl"), personal(text, f"c_{number}")), customer("carl"))
    assert case(scene).text == personal("First", "c_1").ref
    kind, data = listed(scene)[-1]
    assert (kind, data["case"], data["text"], data["version"]) == ("case.changed", case_id("carl"), "C_1", 1)
    assert data["clock"] == {"kind": "waiting", "ms": 7, "since": scene.now}
    assert len(listed(scene)) == 2
    scene.ok(ops.RequestConvert(request_id("carl"), email=personal("c@x.org", "c_3")), customer("carl"))


def test_what_came_of_it_and_how_it_was_stay_with_the_case_while_it_is_kept() -> None:
    scene = office("ann")
    for name in ("kept", "gone"):
        reachable(scene, name)
        scene.end(scene.accept(str(scene.desk.state.requests[request_id(name)].offer), "ann"))
    scene.ok(ops.CaseDelete(case_id("gone")), MIA, prepared=Gathered(heads(scene.desk.state, session_id("gone"))))
    scene.ok(ops.SessionOutcome(session_id("kept"), "resolved"), ANN)
    scene.ok(ops.SessionRate(session_id("kept"), 4), customer("kept"))
    for command, who in (
        (ops.SessionOutcome(session_id("gone"), "resolved"), ANN),
        (ops.SessionRate(session_id("gone"), 4), customer("gone")),
        (ops.NoteAdd(session_id("gone"), personal("Late")), ANN),
    ):
        scene.refused(command, who, Code.NO_SUCH)  # what is erased stays so
    kept = case_view.row(scene.desk.state, case(scene, "kept"))
    assert (kept["outcome"], kept["rated"]) == ("resolved", 4)


def test_a_case_is_not_deleted_while_its_screen_share_goes_on() -> None:
    scene = alone()
    command = ops.CaseDelete(f"k_{SESSION[2:]}")
    refusal = scene.refused(command, MIA, Code.WRONG_STATE, Gathered(heads(scene.desk.state, SESSION)))
    assert (refusal.detail or {})["state"] == "sharing"
