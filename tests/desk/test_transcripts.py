"""Whose transcript is whose: what the desk says before the journal is asked for it."""

from __future__ import annotations

import pytest

from broker import limits
from broker.desk.identity import Identity, Role
from broker.desk.transcripts import Conversation
from broker.protocol import ops
from tests.support import people
from tests.support.agreement import reloaded, replay, stored
from tests.support.builders import (
    ACCOUNT,
    case_id,
    customer,
    desk,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
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


# --- those who had it ----------------------------------------------------------------------------------


def heads(scene: Scene, session: str) -> tuple[int, int]:
    streams = scene.desk.state.streams
    return streams.get(f"session:{session}", 0), streams.get(f"session:{session}:staff", 0)


def passed_on(how: str) -> tuple[Scene, str]:
    """A scene in which Ann had the session, and somebody else has or nobody."""
    scene = office("ann", "bo")
    scene.set("bo", "away")
    session = scene.assign("carl", "ann")
    scene.ok(ops.ChatSend(session, personal("Hello")), customer("carl"))
    scene.ok(ops.NoteAdd(session, personal("Careful")), representative("ann"))
    match how:
        case "transferred":
            scene.set("bo", "available")
            scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
            scene.accept(offer_id("carl", 2), "bo")
        case "handed back":
            scene.ok(ops.SessionLeave(session), representative("ann"))
            scene.set("ann", "away")
        case "lost":
            scene.lose("ann")
            scene.pass_time(limits.HOLD)
        case _:
            scene.end(session)
            scene.ok(ops.CaseAssign("bo", case=case_id("carl")), MIA)
    return scene, session


@pytest.mark.parametrize("how", ["transferred", "handed back", "lost"])
def test_whoever_had_it_reads_what_was_said_until_it_left(how: str) -> None:
    scene, session = passed_on(how)
    then = heads(scene, session)
    if how != "transferred":
        scene.set("bo", "available")
        (offer,) = scene.desk.state.offers
        scene.accept(offer, "bo")
    scene.ok(ops.ChatSend(session, personal("More")), representative("bo"))
    scene.ok(ops.NoteAdd(session, personal("Hm")), representative("bo"))
    assert heads(scene, session) > then
    found, current = (got(scene, representative(name), session) for name in ("ann", "bo"))
    assert found is not None
    assert current is not None
    assert (found.upto, current.upto) == (then, None)
    assert not scene.desk.may_read(representative("ann"), f"session:{session}"), "what is said now isn't its"
    for other in (reloaded(scene.desk), replay(desk(), [stored(record) for record in scene.records])):
        assert other.conversation(representative("ann"), session) == found


def test_so_does_whoever_gave_the_case_away_when_it_was_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 0)
    scene, session = passed_on("given away")
    found = got(scene, representative("ann"), session)
    assert found is not None
    assert found.upto == heads(scene, session)
    assert scene.desk.state.cases[case_id("carl")].former[0][3] is None, "no message came after it"


def test_who_has_it_again_reads_all_of_it_and_then_up_to_its_last_leave() -> None:
    scene, session = passed_on("transferred")
    scene.ok(ops.SessionTransfer(session, "ann"), representative("bo"))
    scene.accept(offer_id("carl", 3), "ann")
    found = [got(scene, representative(name), session) for name in ("ann", "bo")]
    assert [one and one.upto for one in found] == [None, heads(scene, session)]
    scene.ok(ops.ChatSend(session, personal("More")), representative("ann"))
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.accept(offer_id("carl", 4), "bo")
    found = [got(scene, representative(name), session) for name in ("ann", "bo")]
    assert [one and one.upto for one in found] == [heads(scene, session), None]
    assert [one[0] for one in scene.desk.state.cases[case_id("carl")].former] == ["bo", "ann"]


def test_whoever_had_it_and_serves_it_no_more_reads_nothing() -> None:
    scene, session = passed_on("transferred")
    scene.team("far")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "far", 1), MIA)
    assert got(scene, representative("ann"), session) is None
    assert got(scene, customer("ann"), session) is None


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CASE_FORMER", 1)
    scene, session = passed_on("transferred")
    scene.ok(ops.SessionLeave(session), representative("bo"))
    assert [one[0] for one in scene.desk.state.cases[case_id("carl")].former] == ["bo"]


def test_what_is_over_and_nobodys_is_read_by_those_who_could_take_it() -> None:
    scene = office("ann", "bo")
    scene.team("far")
    scene.staff("far", "di")
    scene.set("ann", "away")
    scene.set("bo", "offline")
    scene.ask("carl")
    command = ops.RequestConvert(request_id("carl"), email=personal("c@x.org"))
    session = session_id("carl")
    assert got(scene, representative("bo"), session) is None, "it isn't over"
    scene.ok(command, customer("carl"))
    found = Conversation(session, "help", "help", None)
    assert [got(scene, representative(name), session) for name in ("ann", "bo", "di")] == [found, found, None]
    scene.ok(ops.CaseTake(case=case_id("carl")), representative("ann"))
    assert [got(scene, representative(name), session) for name in ("ann", "bo")] == [found, None]
