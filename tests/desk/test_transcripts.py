"""Whose transcript is whose: what the desk says before the journal is asked for it."""

from __future__ import annotations

import pytest

from broker import limits
from broker.desk.identity import Identity, Role
from broker.desk.transcripts import Conversation
from broker.protocol import ops
from tests.support import people
from tests.support.builders import ACCOUNT, customer, manager, representative
from tests.support.people import MIA, TIM, house
from tests.support.scene import Scene, office


def got(scene: Scene, who: Identity, session: str) -> Conversation | None:
    """What somebody gets."""
    assert scene.desk.refuse(who, ops.TranscriptGet(session, "text")) is None
    return scene.desk.conversation(who, session)


def test_a_conversation_is_for_those_in_it_and_for_managers() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    found = Conversation(session, "help", "help", None)
    operator = Identity(ACCOUNT, "operator", Role.OPERATOR)
    assert [got(scene, who, session) for who in (customer("carl"), representative("ann"), manager(), operator)] == [
        found
    ] * 4
    assert [got(scene, who, session) for who in (customer("kim"), representative("bo"))] == [None] * 2
    assert [got(scene, who, "s_none") for who in (customer("carl"), representative("ann"), manager())] == [None] * 3


def test_the_portals_time_zone_goes_with_it() -> None:
    scene = office("ann")
    hours = {"zone": "Europe/Berlin", "weekly": [{"day": "mon", "from": "00:00", "to": "24:00"}]}
    session = scene.assign("carl", "ann")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], hours=hours), MIA)
    found = got(scene, customer("carl"), session)
    assert found is not None
    assert found.zone == "Europe/Berlin"


def test_one_that_is_over_is_remembered_with_its_portal() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    before = got(scene, customer("carl"), session)
    scene.end(session)
    for who in (customer("carl"), representative("ann"), manager()):
        assert got(scene, who, session) == before
    assert [got(scene, who, session) for who in (customer("kim"), representative("bo"))] == [None] * 2
    scene.ok(ops.PortalDelete("help"), MIA)
    assert got(scene, manager(), session) == before


@pytest.mark.parametrize("right", [True, False])
def test_a_team_manager_needs_the_right_and_the_scope(right: bool) -> None:  # noqa: FBT001 (a table)
    scene = house()
    inside, outside = scene.assign("carl", "ann", "help"), scene.assign("kim", "di", "other")
    people.hire(scene, "tim", "team", teams=["blue"], rights=["transcripts"] if right else [])
    for session, fits in ((inside, True), (outside, False), ("s_none", False)):
        refusal = scene.desk.refuse(TIM, ops.TranscriptGet(session, "text"))
        assert (refusal is None) == (right and fits)
    texts = {str(scene.desk.refuse(TIM, ops.TranscriptGet(one, "text"))) for one in (outside, "s_none")}
    assert len(texts) == 1, "whether there is one elsewhere is nothing for a team manager"


def test_one_that_is_over_is_had_as_long_as_its_case_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 0)
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.end(session)
    assert got(scene, customer("carl"), session) is not None
    assert got(scene, representative("ann"), session) is not None
    assert got(scene, customer("kim"), session) is None
    del scene.desk.state.cases[f"k_{session[2:]}"]
    assert [got(scene, who, session) for who in (customer("carl"), representative("ann"), manager())] == [None] * 3
