"""Wrap-ups: the places of a session stay taken after it, until its representative is done or the time is over."""

from __future__ import annotations

from typing import Any

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk.outcome import Handled
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.agreement import reloaded, same_desk
from tests.support.builders import customer, entropy, offer_id, personal, representative, request_id, session_id
from tests.support.routed import MIA, Routed
from tests.support.scene import of

CAP = 30 * SECONDS


def office(*names: str, capacity: int = 1, places: int = 1, **more: Any) -> Routed:
    scene = Routed()
    scene.entrance("help", wrap_up_ms=CAP, places=places, **more)
    scene.team("blue", "help")
    for name in names:
        scene.hire(name, capacity=capacity)
    return scene


def done(scene: Routed, session: str, who: str = "ann") -> Handled:
    return scene.ok(ops.WrapUpEnd(session), representative(who))


def used(scene: Routed, who: str = "ann") -> tuple[int, int]:
    """(load, idle since) as routing has them, the latter in ms before now."""
    member = scene.desk.state.router.members[who]
    return member.load, scene.now - member.idle_since


def test_F4_the_places_of_a_session_stay_taken_until_the_time_is_over() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.ask("two")
    scene.pass_time(5 * SECONDS)
    handled = scene.ok(ops.SessionEnd(session), representative("ann"))
    ended = of(handled)[0]
    assert isinstance(ended, e.SessionEnded)
    assert (ended.wrap_up, ended.load) == (scene.now + CAP, 1)
    assert used(scene) == (1, 5 * SECONDS)  # idle for as long as before: its load hasn't changed
    assert scene.pass_time(CAP - 1) == []
    over, offered = scene.pass_time(1)
    assert over == e.WrapUpEnded(session, "ann", "blue", "expired", 0, 1)
    assert (offered.TYPE, scene.has("two"), used(scene)) == ("offer.made", "ann", (0, 0))


@pytest.mark.parametrize("side", ["representative", "customer", "abandoned"])
def test_a_session_that_is_over_for_good_is_wrapped_up_whoever_ended_it(side: str) -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    if side == "representative":
        scene.end(session)
    elif side == "customer":
        scene.ok(ops.SessionEnd(session), customer("one"))
    else:
        scene.lose("v_one")
        scene.pass_time(scene.desk.state.times.abandon)
    assert used(scene)[0] == 1
    assert list(scene.desk.state.representatives["ann"].wrap_ups) == [session]


def test_the_representative_may_be_done_before() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.ask("two")
    scene.end(session)
    scene.pass_time(7 * SECONDS)
    handled = done(scene, session)
    assert handled.value == {"session": session}
    assert of(handled)[0] == e.WrapUpEnded(session, "ann", "blue", "done", 0, 1)
    assert (scene.has("two"), used(scene)) == ("ann", (0, 0))
    scene.refused(ops.WrapUpEnd(session), representative("ann"), Code.NO_SUCH)
    assert scene.desk.state.deadlines.get("wrap_up", session) is None


def test_nobody_ends_the_wrap_up_of_another_and_a_session_is_none() -> None:
    scene = office("ann", "bo")
    session = scene.assign("one", "ann")
    scene.refused(ops.WrapUpEnd(session), representative("ann"), Code.NO_SUCH)
    scene.end(session)
    scene.refused(ops.WrapUpEnd(session), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.WrapUpEnd(session), representative("nobody"), Code.NOT_ALLOWED)


def test_F11_rounds_begin_anew_at_the_end_of_the_wrap_up_and_not_at_the_end_of_the_session() -> None:
    scene = office("ann", capacity=2)
    session = scene.assign("one", "ann")
    scene.ask("two")
    scene.decline("two")
    assert len(scene.events(e.RoundPaused)) == 1
    scene.end(session)
    assert scene.has("two") is None
    scene.pass_time(SECONDS)
    done(scene, session)
    assert scene.has("two") == "ann"


@pytest.mark.parametrize("how", ["handed back", "transferred", "signed out", "lost", "no cap"])
def test_what_is_not_over_for_good_is_not_wrapped_up(how: str) -> None:
    scene = office("ann", "bo")
    scene.set("bo", "away")
    if how == "no cap":
        scene.entrance("help")
    session = scene.assign("one", "ann")
    match how:
        case "handed back":
            scene.ok(ops.SessionLeave(session), representative("ann"))
        case "transferred":
            scene.set("bo", "available")
            scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
            scene.accept(offer_id("one", 2), "bo")
        case "signed out":
            scene.set("ann", "offline", "hand_back")
        case "lost":
            scene.lose("ann")
            scene.pass_time(scene.desk.state.times.hold)
        case _:
            scene.end(session)
    assert scene.desk.state.representatives["ann"].wrap_ups == {}
    assert used(scene)[0] == 0


def test_who_has_only_wrap_ups_may_sign_out_and_that_ends_them() -> None:
    scene = office("ann", capacity=4, places=2)
    sessions = [scene.assign(name, "ann") for name in ("one", "two")]
    for session in sessions:
        scene.end(session)
    assert used(scene)[0] == 4
    events = of(scene.ok(ops.PresenceSet("offline"), representative("ann")))
    ended = [(event.session, event.reason, event.load) for event in events if isinstance(event, e.WrapUpEnded)]
    assert ended == [(sessions[0], "signed_out", 2), (sessions[1], "signed_out", 0)]
    assert scene.desk.next_deadline() is None or "wrap_up" not in {kind for _, kind, _ in scene.desk.state.deadlines}


def test_who_signs_out_with_both_hands_its_sessions_back_and_ends_its_wrap_ups() -> None:
    scene = office("ann", capacity=2)
    scene.end(scene.assign("one", "ann"))
    scene.assign("two", "ann")
    events = of(scene.ok(ops.PresenceSet("offline", sessions="hand_back"), representative("ann")))
    assert [event.load for event in events if isinstance(event, e.SessionReleased | e.WrapUpEnded)] == [1, 0]


def test_F17_a_wrap_up_survives_being_lost_until_the_hold_is_over() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.entrance("help", wrap_up_ms=10 * CAP)
    scene.end(session)
    scene.lose("ann")
    scene.pass_time(scene.desk.state.times.hold - 1)
    assert used(scene)[0] == 1
    events = scene.pass_time(1)
    assert [event.TYPE for event in events] == ["presence.changed", "wrap_up.ended"]
    assert events[-1] == e.WrapUpEnded(session, "ann", "blue", "signed_out", 0, 1)


def test_a_wrap_up_ends_at_its_time_while_its_representative_is_away_or_lost() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.end(session)
    scene.set("ann", "away")
    scene.lose("ann")
    assert e.WrapUpEnded(session, "ann", "blue", "expired", 0, 1) in scene.pass_time(CAP)


def test_several_sessions_of_one_customer_that_are_abandoned_are_each_wrapped_up_as_their_portal_says() -> None:
    scene = office("ann", capacity=5, places=2)
    scene.entrance("quick")
    scene.team("blue", "help", "quick")
    scene.assign("one", "ann")
    scene.ok(ops.RequestCreate(None, personal("?")), customer("one", "quick"), "also")
    scene.accept(offer_id("also"), "ann")
    scene.lose("v_one")
    events = scene.pass_time(scene.desk.state.times.abandon)
    assert [event.load for event in events if isinstance(event, e.SessionEnded)] == [3, 2]
    assert used(scene)[0] == 2


def test_F4_places_of_wrap_ups_count_for_all_that_needs_room() -> None:
    scene = office("ann", "bo", capacity=1, take="any")
    scene.entrance("phone", kind="pin", mode="phone")
    scene.entrance("all", mode="web")
    scene.team("blue", "help", "all")
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    scene.set("bo", "away")
    scene.end(scene.assign("one", "ann"))
    scene.set("bo", "available")
    assert scene.assign("two", "bo")
    full = {"state": "full"}
    scene.ask("three")
    for command, who in (
        (ops.CaseTake(request_id("three")), representative("ann")),
        (ops.CaseAssign("ann", request_id("three")), MIA),
        (ops.SessionTransfer(session_id("two"), "ann"), representative("bo")),
    ):
        assert full.items() <= (scene.refused(command, who).detail or {}).items()
    refusal = scene.refused(ops.PinRedeem(pin), customer("four", "phone"))
    assert (refusal.detail or {})["state"] == "representative_full"
    scene.ask("five", "all")
    assert (
        full.items() <= (scene.refused(ops.OfferAccept(offer_id("five")), representative("ann")).detail or {}).items()
    )


def test_a_wrap_up_keeps_the_places_and_the_time_it_began_with() -> None:
    scene = office("ann", capacity=3, places=2)
    session = scene.assign("one", "ann")
    scene.end(session)
    scene.entrance("help", places=1, wrap_up_ms=0)
    scene.ask("two")
    assert (scene.has("two"), used(scene)[0]) == ("ann", 2)
    assert scene.desk.state.deadlines.get("wrap_up", session) == scene.now + CAP


def test_a_session_by_pin_is_wrapped_up_as_its_portal_says() -> None:
    scene = Routed()
    scene.entrance("phone", kind="pin", mode="phone", wrap_up_ms=CAP)
    scene.team("blue", "phone")
    scene.hire("ann")
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    session = str(scene.ok(ops.PinRedeem(pin), customer("carl", "phone"), "carl").value["session"])
    scene.end(session)
    assert used(scene)[0] == 1
    done(scene, session)
    assert used(scene)[0] == 0


def test_F21_a_wrap_up_outlives_its_sub_portal_and_a_restart() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.end(session)
    scene.entrance("help", "other", wrap_up_ms=CAP)
    twin = reloaded(scene.desk)
    assert e.WrapUpEnded(session, "ann", "blue", "expired", 0, 1) in scene.pass_time(CAP)
    assert twin.fire(scene.now) is not None
    again = ops.PortalPut("help", "ask", "queue", ["other", "help"])
    scene.ok(again, MIA, "again")
    twin.handle(again, MIA, scene.now, entropy("again"))
    same_desk(twin, scene.desk)


def test_F21_a_sub_portal_that_is_made_again_is_another_and_nothing_was_measured_of_it() -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.pass_time(5 * SECONDS)
    scene.end(session)
    done(scene, session)
    scene.entrance("help", "other")
    twin = reloaded(scene.desk)
    again = ops.PortalPut("help", "ask", "queue", ["other", "help"])
    scene.ok(again, MIA, "again")
    twin.handle(again, MIA, scene.now, entropy("again"))
    same_desk(twin, scene.desk)
