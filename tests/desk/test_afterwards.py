"""What is said of a session afterwards: outcomes as its portal has them, and the portal's survey (E13, E15)."""

from __future__ import annotations

from typing import Any, cast

import pytest

from broker.codes import Code
from broker.desk.view import view
from broker.protocol import ops
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import customer, desk, document, manager, personal, representative, session_id
from tests.support.scene import Scene, office

SESSION = session_id("carl")
CARL, ANN = customer("carl"), representative("ann")


def talking() -> Scene:
    """Carl talks with Ann."""
    scene = office("ann")
    scene.assign("carl", "ann")
    return scene


def sessions(scene: Scene, who: str) -> list[dict[str, object]]:
    """What a representative's snapshot says of its sessions."""
    parts = view(scene.desk, f"me:{who}", representative(who))
    return [one for part in parts for one in cast("list[dict[str, object]]", part.get("sessions", []))]


def portal(scene: Scene, **settings: Any) -> None:
    """The portal, set up otherwise."""
    scene.ok(ops.PortalPut("help", scene.desk.state.portals["help"].kind, "queue", ["help"], **settings), manager())


@pytest.mark.parametrize("when", ["during", "after"])
def test_E15_an_outcome_is_one_of_those_that_the_portal_has(when: str) -> None:
    scene = talking()
    if when == "after":
        scene.end(SESSION)
    portal(scene, outcomes=["sold", "lost"])
    assert scene.refused(ops.SessionOutcome(SESSION, "resolved"), ANN, Code.BAD_ARGS).text == (
        "args.outcome: expected one of sold, lost"
    )
    scene.ok(ops.SessionOutcome(SESSION, "sold"), ANN)
    portal(scene)
    scene.ok(ops.SessionOutcome(SESSION, "resolved"), ANN)


def test_E15_where_the_portal_is_gone_the_outcomes_are_those_by_default() -> None:
    scene = talking()
    portal(scene, outcomes=["sold"])
    scene.end(SESSION)
    scene.ok(ops.PortalDelete("help"), manager())
    scene.refused(ops.SessionOutcome(SESSION, "sold"), ANN, Code.BAD_ARGS)
    scene.ok(ops.SessionOutcome(SESSION, "unknown"), ANN)


def test_E15_each_outcome_is_there_once_and_a_change_of_them_is_told() -> None:
    scene = office()
    twice = ops.PortalPut("help", "ask", "queue", ["help"], outcomes=["sold", "sold"])
    assert scene.refused(twice, manager(), Code.BAD_ARGS).text == "args.outcomes: expected each outcome once"
    portal(scene, outcomes=["sold"])
    (change,) = cast("list[object]", scene.told("account")[-1][1]["changes"])
    assert change == {"field": "outcomes", "from": ["resolved", "unresolved", "unknown"], "to": ["sold"]}


@pytest.mark.parametrize("comes", ["offer", "pin", "transfer"])
def test_E15_whoever_has_a_session_is_told_its_outcomes_where_they_are_not_those_by_default(comes: str) -> None:
    scene = office("ann", "bo")
    scene.portal("phone", "pin", "phone")
    scene.team("blue", "help", "phone")
    scene.ok(ops.PortalPut("phone", "pin", "phone", ["phone"], outcomes=["done"]), manager())
    portal(scene, outcomes=["sold", "lost"])
    if comes == "pin":
        pin = str(scene.ok(ops.PinCreate(), ANN).secret["pin"])
        session = str(scene.ok(ops.PinRedeem(pin), customer("carl", "phone")).value["session"])
    else:
        session = scene.assign("carl", "ann")
    who, expected = ("ann", ["done"]) if comes == "pin" else ("ann", ["sold", "lost"])
    if comes == "transfer":
        offer = str(scene.ok(ops.SessionTransfer(session, "bo"), ANN).value["offer"])
        scene.accept(offer, "bo")
        who = "bo"
    assert scene.told(f"me:{who}")[-1][1]["outcomes"] == expected
    assert all("outcomes" not in data for _, data in scene.told(f"session:{session}"))
    (shown,) = sessions(scene, who)
    assert shown["outcomes"] == expected


def test_E15_outcomes_by_default_need_no_telling() -> None:
    scene = talking()
    assert "outcomes" not in scene.told("me:ann")[-1][1]
    (shown,) = sessions(scene, "ann")
    assert "outcomes" not in shown


# --- the survey --------------------------------------------------------------------------------------

SURVEY = [
    {"field": "again", "type": "checkbox", "label": {"en": "Would you come again?", "de": "Kommen Sie wieder?"}},
    {"field": "why", "type": "text", "label": "Why?", "required": True, "max": 9},
]


def surveyed(survey: object = SURVEY, **settings: Any) -> Scene:
    """Carl talks with Ann, at a portal with a survey."""
    scene = talking()
    portal(scene, survey=document(survey, "d_survey"), **settings)
    return scene


def rate(**fields: object) -> ops.SessionRate:
    """Four, and a survey filled in."""
    return ops.SessionRate(SESSION, 4, personal("fine", "c_fine"), document(fields, "d_fields"))


@pytest.mark.parametrize("when", ["during", "after"])
def test_E13_what_is_filled_into_the_survey_is_for_staff_and_the_account_has_the_score(when: str) -> None:
    scene = surveyed()
    if when == "after":
        scene.end(SESSION)
    scene.desk.drain_released()
    scene.ok(rate(again=True, why="kind"), CARL)
    assert scene.desk.drain_released() == ["c_fine", "d_fields"]  # told, and the journal's alone from now on
    (told,) = [data for kind, data in scene.told("account") if kind == "session.rated"]
    assert told["score"] == 4
    assert not {"comment", "fields"} & told.keys()
    staff = scene.told(f"session:{SESSION}:staff", '{"why": "kind"}')[-1][1]
    assert (staff["comment"], staff["fields"]) == ("C_FINE", {"why": "kind"})
    assert not [data for _, data in scene.told(f"session:{SESSION}") if "fields" in data]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (None, "args.fields.why: expected a value: it is required (text)"),
        ({"why": "x" * 10}, "args.fields.why: expected a text of 1 to 9 characters"),
        ({"why": "x", "again": "yes"}, "args.fields.again: expected true or false"),
        ({"why": "x", "more": 1}, "args.fields.more: expected nothing: the portal's survey has no such field"),
    ],
    ids=str,
)
def test_E13_a_survey_that_is_filled_in_wrong_is_refused_and_can_be_sent_again(
    fields: dict[str, object] | None, says: str
) -> None:
    scene = surveyed()
    wrong = ops.SessionRate(SESSION, 1) if fields is None else rate(**fields)
    assert scene.refused(wrong, CARL, Code.BAD_ARGS).text == says
    scene.ok(rate(why="kind"), CARL)


def test_E13_without_a_survey_and_where_the_portal_is_gone_there_is_nothing_to_fill_in() -> None:
    scene = talking()
    scene.refused(rate(why="kind"), CARL, Code.BAD_ARGS)
    portal(scene, survey=document(SURVEY, "d_survey"))
    scene.end(SESSION)
    scene.ok(ops.PortalDelete("help"), manager())
    assert scene.desk.held_contents() == {"c_ann"}
    scene.refused(rate(why="kind"), CARL, Code.BAD_ARGS)
    scene.ok(ops.SessionRate(SESSION, 4), CARL)


def test_E13_the_page_is_told_the_survey_in_the_visitors_language() -> None:
    scene = surveyed()
    handled = scene.ok(ops.PortalOpen("de-AT"), CARL)
    told = scene.words(handled.value, document(SURVEY).text)
    assert told["language"] == "de"
    assert [one["label"] for one in cast("list[dict[str, object]]", told["survey"])] == ["Kommen Sie wieder?", "Why?"]
    portal(scene)
    assert "survey" not in scene.ok(ops.PortalOpen(), CARL).value
    assert scene.desk.drain_released()[-1] == "d_survey"


def test_E13_a_mistake_in_a_survey_is_named() -> None:
    scene = office()
    for survey, says in (
        ([SURVEY[1], SURVEY[1]], "args.survey[1].field: expected each field once"),
        ([{"field": "a", "type": "date", "label": {"de": "A"}}], "args.survey[0].label: expected a text, or texts by"),
    ):
        command = ops.PortalPut("help", "ask", "queue", ["help"], survey=document(survey))
        assert scene.refused(command, manager(), Code.BAD_ARGS).text.startswith(says)
    long = [{"field": f"f{n}", "type": "text", "label": {f"e{a}": "x" * 200 for a in "abcdefn"}} for n in range(20)]
    command = ops.PortalPut("help", "ask", "queue", ["help"], survey=document(long))
    assert scene.refused(command, manager(), Code.BAD_ARGS).text == "args.survey: expected at most 16384 bytes in all"


def test_E13_a_portal_for_pins_may_have_a_survey() -> None:
    scene = office()
    scene.ok(ops.PortalPut("phone", "pin", "phone", ["phone"], survey=document(SURVEY)), manager())


def test_E13_E15_outcomes_and_survey_outlive_a_snapshot_and_a_replay() -> None:
    scene = surveyed(outcomes=["sold"])
    same_desk(replay(desk(), list(map(stored, scene.records))), scene.desk)
    again = reloaded(scene.desk)
    same_desk(again, scene.desk)
    assert again.state.portals["help"].survey == scene.desk.state.portals["help"].survey != ()
    assert again.state.portals["help"].outcomes == ("sold",)
