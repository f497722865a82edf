"""What a request waits for: whoever served its customer last, for a while; its steps are in ``test_skills``."""

from __future__ import annotations

import pytest

from broker.desk import events as e
from broker.desk.commands import ConnectionBack
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, offer_id, personal, representative, request_id, session_id
from tests.support.routed import MIA, Routed, routed

STICKY = 40 * SECONDS


def known(*others: str, capacity: int = 1) -> Routed:
    """ann has served carl, and is the one whom the policy would choose last."""
    scene = routed("ann", sticky_ms=STICKY)
    scene.employ("ann", capacity=capacity)
    scene.serve("carl", "ann")
    for name in others:
        scene.hire(name)
    scene.now += 1000
    scene.set("ann", "away")
    scene.set("ann", "available")  # idle for no time at all
    return scene


def again(scene: Routed) -> None:
    """carl asks again."""
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "again")


def busy(*others: str) -> Routed:
    """The same, ann is busy, and carl has asked again."""
    scene = known(*others)
    scene.ok(ops.PresenceSet("away"), representative("ann"))
    for name in others:
        scene.set(name, "away")
    scene.set("ann", "available")
    scene.assign("other", "ann")
    for name in others:
        scene.set(name, "available")
    again(scene)
    return scene


def test_a_customer_comes_back_to_whoever_served_it_last_though_the_policy_would_choose_another() -> None:
    scene = known("bo")
    again(scene)
    assert scene.has("again") == "ann"
    fresh = known("bo")
    fresh.ask("nobody-knows-me")
    assert fresh.has("nobody-knows-me") == "bo"


def test_a_held_request_waits_for_its_representative_who_is_busy_and_for_nobody_else() -> None:
    scene = busy("bo", "cy")
    assert (scene.has("again"), scene.due("sticky", "again")) == (None, STICKY)
    assert scene.names("help", "again") == ["again"]
    scene.pass_time(10 * SECONDS)
    scene.end(session_id("other"))
    assert scene.has("again") == "ann"


def test_a_hold_ends_at_its_time_and_not_before() -> None:
    scene = busy("bo")
    assert scene.pass_time(STICKY - 1) == []
    assert scene.has("again") is None
    assert scene.pass_time(1)[0] == e.RequestReleased(request_id("again"), "ann", "time")
    assert scene.has("again") == "bo"


def test_others_who_ask_later_go_before_a_held_request_to_those_it_is_not_held_for() -> None:
    scene = busy("bo")
    scene.ask("dora")
    assert (scene.has("dora"), scene.has("again")) == ("bo", None)
    scene.end(session_id("other"))
    assert scene.has("again") == "ann"


def test_an_older_request_of_the_line_goes_first_also_to_the_one_who_is_waited_for() -> None:
    scene = known(capacity=1)
    scene.assign("other", "ann")
    scene.ask("older")
    again(scene)
    scene.end(session_id("other"))
    assert (scene.has("older"), scene.has("again")) == ("ann", None)


@pytest.mark.parametrize("how", ["away", "offline", "lost", "moved", "served"])
def test_a_hold_ends_when_its_representative_is_there_no_longer(how: str) -> None:
    scene = busy("bo")
    scene.team("red")
    before = len(scene.records)
    match how:
        case "away":
            scene.set("ann", "away")
        case "offline":
            scene.set("ann", "offline", "hand_back")
        case "lost":
            scene.lose("ann")
        case "moved":
            scene.employ("ann", "red")
        case _:
            scene.entrance("more")
            scene.team("red", "help")
            scene.employ("bo", "red")
            scene.team("blue", "more")
    released = [r.event for r in scene.records[before:] if isinstance(r.event, e.RequestReleased)]
    assert released == [e.RequestReleased(request_id("again"), "ann", "gone")]
    assert (scene.due("sticky", "again"), scene.desk.state.requests[request_id("again")].held_until) == (None, None)
    assert scene.has("again") == "bo" or scene.has("other") == "bo"


def test_F18_in_the_command_in_which_its_representative_goes_nothing_held_is_offered_to_it() -> None:
    scene = known()
    scene.assign("other", "ann")
    again(scene)
    scene.end(session_id("other"))
    assert scene.has("again") == "ann"
    scene.set("ann", "away")
    assert (scene.has("again"), scene.due("sticky", "again")) == (None, None)
    scene.hire("bo")
    assert scene.has("again") == "bo"


@pytest.mark.parametrize("how", ["declined", "expired"])
def test_a_hold_ends_when_an_offer_of_it_comes_back(how: str) -> None:
    scene = known("bo")
    again(scene)
    if how == "declined":
        scene.decline("again")
    else:
        scene.pass_time(20 * SECONDS)
    assert scene.has("again") == "bo"
    assert scene.due("sticky", "again") is None
    assert scene.events(e.RequestReleased) == []


def test_a_hold_ends_when_the_request_does() -> None:
    scene = busy("bo")
    scene.ok(ops.RequestWithdraw(request_id("again")), customer("carl"))
    assert scene.desk.state.deadlines.get("sticky", request_id("again")) is None


def test_a_held_request_can_be_taken_by_hand_by_somebody_else() -> None:
    scene = busy("bo")
    scene.ok(ops.CaseAssign("bo", request_id("again")), MIA)
    assert (scene.has("again"), scene.due("sticky", "again")) == ("bo", None)


def test_a_hold_is_not_carried_over_when_the_request_is_sent_back() -> None:
    scene = known("bo")
    again(scene)
    scene.accept(offer_id("again"), "ann")
    scene.ok(ops.SessionLeave(session_id("again")), representative("ann"))
    assert (scene.has("again"), scene.due("sticky", "again")) == ("bo", None)


@pytest.mark.parametrize("why", ["away", "skill", "places", "team", "off", "stranger"])
def test_nothing_is_held_for_somebody_who_could_not_have_it(why: str) -> None:
    scene = known("bo")
    match why:
        case "away":
            scene.set("ann", "away")
        case "skill":
            scene.tune("help", sticky_ms=STICKY, skills=[{"skill": "german", "level": 1}])
            scene.employ("bo", german=1)
        case "places":
            scene.entrance("help", places=2)
            scene.employ("bo", capacity=2)
        case "team":
            scene.team("red")
            scene.employ("ann", "red")
        case "off":
            scene.tune("help")
        case _:
            pass
    who = "carl" if why != "stranger" else "dora"
    scene.ok(ops.RequestCreate(None, personal("?")), customer(who), "again")
    assert (scene.has("again"), scene.due("sticky", "again")) == ("bo", None)


def test_a_hold_is_for_somebody_who_is_available_however_busy() -> None:
    scene = busy()
    assert scene.due("sticky", "again") == STICKY


@pytest.mark.parametrize("how", ["given", "transferred"])
def test_whoever_had_the_last_session_however_it_came_to_it_is_who_served_last(how: str) -> None:
    scene = known("bo", "cy")
    again(scene)
    if how == "given":
        scene.ok(ops.CaseAssign("bo", request_id("again")), MIA)
    else:
        scene.accept(offer_id("again"), "ann")
        scene.ok(ops.SessionTransfer(session_id("again"), "bo"), representative("ann"))
        scene.accept(offer_id("again", 2), "bo")
    assert scene.desk.state.visitors["v_carl"].served_by == "bo"
    scene.end(session_id("again"))
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "third")
    assert scene.has("third") == "bo"


def test_a_pin_and_another_portal_count_as_well_and_who_is_forgotten_is_not_waited_for() -> None:
    scene = routed("ann", "bo", sticky_ms=STICKY)
    scene.entrance("phone", kind="pin", mode="phone")
    made = scene.ok(ops.PinCreate(), representative("bo"))
    pin = str(made.secret["pin"])
    redeemed = scene.ok(ops.PinRedeem(pin), customer("carl", "phone"), "phoned")
    scene.end(str(redeemed.value["session"]))
    scene.set("bo", "away")
    scene.set("bo", "available")
    again(scene)
    assert scene.has("again") == "bo"
    scene.ok(ops.RequestWithdraw(request_id("again")), customer("carl"))
    scene.pass_time(80 * 3600 * SECONDS)
    assert "v_carl" not in scene.desk.state.visitors
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "much later")
    assert scene.due("sticky", "much later") is None


def test_F21_after_a_restart_holds_stay_until_their_time_or_until_their_representative_is_lost() -> None:
    scene = busy("bo")
    scene.pass_time(5 * SECONDS)
    scene.restart()
    scene.ok(ConnectionBack("bo"))
    assert (scene.has("again"), scene.due("sticky", "again")) == (None, STICKY - 5 * SECONDS)
    until = scene.desk.state.representatives["ann"].lease_until or 0
    scene.pass_time(until - scene.now - 1)
    assert scene.due("sticky", "again") is not None
    scene.pass_time(1)
    assert (scene.has("again"), scene.due("sticky", "again")) == ("bo", None)


def test_two_held_requests_of_one_representative_come_in_order() -> None:
    scene = known("bo", capacity=2)
    scene.set("bo", "away")
    scene.serve("dora", "ann")
    scene.employ("ann", capacity=1)
    scene.assign("other", "ann")
    scene.set("bo", "available")
    again(scene)
    scene.ok(ops.RequestCreate(None, personal("?")), customer("dora"), "second")
    assert (scene.has("again"), scene.has("second")) == (None, None)
    scene.end(session_id("other"))
    assert (scene.has("again"), scene.has("second")) == ("ann", None)
    scene.ok(ops.OfferDecline(offer_id("again"), "no"), representative("ann"))
    assert (scene.has("again"), scene.has("second")) == ("bo", "ann")


def test_a_hold_ends_when_its_representative_can_no_longer_have_the_request() -> None:
    scene = routed("ann", sticky_ms=STICKY)
    scene.entrance("help", places=2)
    scene.employ("ann", capacity=2)
    scene.serve("carl", "ann")
    scene.assign("other", "ann")
    again(scene)
    scene.ok(ops.RepresentativePut("ann", personal("Anna", "c_anna"), "blue", 2), MIA)  # a name is no matter
    assert scene.due("sticky", "again") == STICKY
    scene.lowered.add("ann")
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1), MIA)
    (released,) = scene.events(e.RequestReleased)
    assert isinstance(released, e.RequestReleased)
    assert (released.request, released.reason) == (request_id("again"), "gone")
    assert scene.due("sticky", "again") is None


def test_a_hold_ends_when_its_representative_forgets_what_the_request_needs() -> None:
    scene = routed(sticky_ms=STICKY, skills=[{"skill": "german", "level": 2, "asked": False}])
    scene.hire("ann", german=5)
    scene.serve("carl", "ann")
    scene.assign("other", "ann")
    again(scene)
    assert scene.due("sticky", "again") == STICKY
    scene.hire("ann", german=2)
    assert scene.due("sticky", "again") == STICKY
    scene.hire("ann", german=1)
    assert scene.due("sticky", "again") is None
