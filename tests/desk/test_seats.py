"""Login limits: who may sign in, whose place may be taken, and what is left to who was taken over."""

from __future__ import annotations

from typing import cast

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import invariants, members, seats
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Refusal
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.agreement import reloaded, same_desk
from tests.support.builders import customer, manager, offer_id, representative, session_id
from tests.support.scene import Scene, of

MIA = manager()


def desk(*names: str, logins: int | None = 1, mode: str = "queue", capacity: int = 2, wrap_up: int = 0) -> Scene:
    """A portal ``help`` and a team ``blue`` of these, of whom the first ``logins`` are available."""
    scene = Scene()
    scene.ok(ops.PortalPut("help", "ask", mode, ["help"], wrap_up_ms=wrap_up), MIA)
    scene.team("blue", "help", logins=logins)
    scene.staff("blue", *names, capacity=capacity, presence="offline")
    for name in names[:logins]:
        scene.set(name, "available")
    return scene


def full(scene: Scene, name: str, takeover: str | None = None, presence: str = "available") -> dict[str, object]:
    """What somebody is told for whom there is no login left."""
    command = ops.PresenceSet(presence, takeover=takeover)
    return dict(scene.refused(command, representative(name), Code.QUOTA).detail or {})


def take(scene: Scene, name: str, other: str) -> list[e.Event]:
    """One takes over the other."""
    return of(scene.ok(ops.PresenceSet("available", takeover=other), representative(name)))


# --- the limit ----------------------------------------------------------------------------------------


def test_H12_beyond_the_limit_nobody_signs_in_and_is_told_who_has() -> None:
    scene = desk("ann", "bo", "cy", logins=2)
    assert full(scene, "cy") == {"team": "blue", "logins": 2, "signed_in": ["ann", "bo"]}
    assert full(scene, "cy", presence="away")["logins"] == 2
    scene.set("ann", "away")
    assert full(scene, "cy")["signed_in"] == ["ann", "bo"]
    scene.set("ann", "offline")
    scene.set("cy", "available")
    assert full(scene, "ann")["signed_in"] == ["bo", "cy"]


def test_a_lost_representative_has_its_login_until_its_hold_is_over() -> None:
    scene = desk("ann", "bo")
    scene.lose("ann")
    full(scene, "bo")
    scene.pass_time(limits.HOLD)
    scene.set("bo", "available")


def test_who_is_signed_in_changes_presence_at_any_time() -> None:
    scene = desk("ann", "bo")
    for presence in ("away", "available", "available"):
        scene.set("ann", presence)


def test_a_team_counts_those_beneath_it_and_each_limit_holds() -> None:
    scene = desk("ann", logins=3)
    scene.team("north", "help", logins=1, parent="blue")
    scene.team("south", "help", parent="blue")
    scene.staff("north", "bo", "cy", presence="offline")
    scene.staff("south", "di", "ed", "flo", presence="offline")
    scene.set("bo", "available")
    assert full(scene, "cy") == {"team": "north", "logins": 1, "signed_in": ["bo"]}
    scene.set("di", "available")
    assert full(scene, "ed") == {"team": "blue", "logins": 3, "signed_in": ["ann", "bo", "di"]}
    scene.refused(ops.PresenceSet("available", takeover="di"), representative("cy"), Code.QUOTA)
    take(scene, "cy", "bo")  # that leaves both
    take(scene, "ed", "cy")
    assert seats.count(scene.desk.state, "blue") == 3


def test_the_limit_comes_back_and_alone_is_a_change() -> None:
    scene = desk("ann", logins=5)
    put = ops.TeamPut("blue", ["help"], logins=5)
    assert scene.ok(put, MIA).value["changed"] is False
    assert scene.ok(ops.TeamPut("blue", ["help"], logins=6), MIA).value["changed"] is True
    (team,) = cast("list[dict[str, object]]", scene.ok(ops.AccountGet(), MIA).value["teams"])
    assert team["logins"] == 6


def test_lowering_the_limit_or_moving_somebody_signs_nobody_out() -> None:
    scene = desk("ann", "bo", "cy", "di", logins=3)
    scene.team("blue", "help", logins=1)
    assert seats.count(scene.desk.state, "blue") == 3
    assert full(scene, "di")["logins"] == 1
    take(scene, "di", "ann")  # one for one
    assert seats.count(scene.desk.state, "blue") == 3
    scene.team("red", "help", logins=1)
    scene.staff("red", "ed")
    scene.ok(ops.TeamDelete("blue", "red"), MIA)
    assert seats.count(scene.desk.state, "red") == 4
    assert full(scene, "ann")["team"] == "red"


def test_no_more_names_are_told_than_are_read() -> None:
    names = [f"p{number:03}" for number in range(limits.LISTED_SEATS + 2)]
    scene = desk(*names, logins=limits.LISTED_SEATS + 1)
    assert full(scene, names[-1])["signed_in"] == names[: limits.LISTED_SEATS]


# --- taking over ---------------------------------------------------------------------------------------


def test_D7_who_is_taken_over_keeps_its_sessions_and_gets_nothing_new() -> None:
    scene = desk("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.ask("dora")
    happened = take(scene, "bo", "ann")
    assert [type(event) for event in happened] == [e.TakenOver, e.OfferEnded, e.PresenceChanged, e.OfferMade]
    ann = scene.desk.state.representatives["ann"]
    assert (ann.taken_over, ann.presence, list(ann.sessions), list(ann.offers)) == (True, "away", [session], [])
    assert scene.offered_to("bo") == [scene.desk.state.requests["r_" + offer_id("dora")[2:-2]].request]
    told = {"representative": "ann", "presence": "away", "by": "representative", "reason": "taken_over"}
    for stream in ("me:ann", "team:blue", "account"):
        assert ("presence.changed", {**told, "taken_by": "bo"}) in scene.told(stream)
    assert seats.count(scene.desk.state, "blue") == 1


def test_D7_the_broker_signs_it_out_when_its_last_session_and_its_wrap_up_are_over() -> None:
    scene = desk("ann", "bo", wrap_up=5 * SECONDS)
    session = scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    scene.end(session)
    assert scene.pass_time(4 * SECONDS) == []
    assert scene.desk.state.representatives["ann"].chosen == "away"
    happened = scene.pass_time(1 * SECONDS)
    assert [type(event) for event in happened] == [e.WrapUpEnded, e.PresenceChanged]
    ann = scene.desk.state.representatives["ann"]
    assert (ann.chosen, ann.taken_over) == ("offline", False)
    told = {"representative": "ann", "presence": "offline", "by": "broker", "reason": "taken_over"}
    assert scene.told("me:ann")[-1] == ("presence.changed", told)


def test_who_has_nothing_open_is_signed_out_at_once() -> None:
    scene = desk("ann", "bo")
    take(scene, "bo", "ann")
    assert [type(event) for event in scene.pass_time(0)] == [e.PresenceChanged]
    assert scene.desk.state.representatives["ann"].chosen == "offline"


def test_a_session_handed_to_another_was_the_last_one() -> None:
    scene = desk("ann", "bo")
    session = scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.accept(offer_id("carl", 2), "bo")
    scene.pass_time(0)
    assert scene.desk.state.representatives["ann"].chosen == "offline"


def test_only_who_has_one_of_the_logins_can_be_taken_over() -> None:
    scene = desk("ann", "bo", "cy")
    scene.team("red", "help")
    scene.staff("red", "di")
    for other in ("cy", "bo", "di", "nobody"):
        assert full(scene, "bo", takeover=other)["signed_in"] == ["ann"]


def test_while_a_login_is_left_nobody_is_taken_over() -> None:
    scene = desk("ann", "bo", logins=None)
    assert not any(isinstance(event, e.TakenOver) for event in take(scene, "bo", "ann"))
    assert scene.desk.state.representatives["ann"].available


def test_it_comes_back_when_a_login_is_free_or_by_taking_one_itself() -> None:
    scene = desk("ann", "bo")
    session = scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    assert full(scene, "ann")["signed_in"] == ["bo"]
    scene.set("ann", "away")  # it is
    assert scene.desk.state.representatives["ann"].taken_over
    take(scene, "ann", "bo")
    scene.pass_time(0)
    assert scene.desk.state.representatives["bo"].chosen == "offline"
    ann = scene.desk.state.representatives["ann"]
    assert (ann.taken_over, ann.available, list(ann.sessions)) == (False, True, [session])
    take(scene, "bo", "ann")
    scene.set("bo", "offline")
    scene.set("ann", "available")
    scene.end(session)
    assert scene.pass_time(0) == []


def test_it_signs_out_by_itself_and_hands_its_sessions_back() -> None:
    scene = desk("ann", "bo")
    scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    scene.set("ann", "offline", sessions="hand_back")
    assert scene.offered_to("bo")
    assert scene.pass_time(0) == []


def test_its_sessions_are_held_when_it_is_lost_and_go_back_to_the_line() -> None:
    scene = desk("ann", "bo")
    session = scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    scene.lose("ann")
    assert session in scene.desk.state.sessions
    scene.back("ann")
    assert scene.desk.state.representatives["ann"].presence == "away"
    scene.lose("ann")
    scene.pass_time(limits.HOLD)
    ann = scene.desk.state.representatives["ann"]
    assert (ann.chosen, ann.taken_over, list(ann.sessions)) == ("offline", False, [])
    assert scene.offered_to("bo")


def test_who_is_lost_can_be_taken_over_and_is_still_waited_for() -> None:
    scene = desk("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.lose("ann")
    take(scene, "bo", "ann")
    told = {"representative": "ann", "presence": "reconnecting", "by": "representative", "reason": "taken_over"}
    assert ("presence.changed", {**told, "taken_by": "bo"}) in scene.told("team:blue")
    ann = scene.desk.state.representatives["ann"]
    assert (ann.presence, ann.hold_until) == ("reconnecting", scene.now + limits.HOLD)
    full(scene, "ann", presence="away")  # not there: it would sign in
    scene.back("ann")
    assert (ann.presence, list(ann.sessions)) == ("away", [session])


def test_nothing_new_reaches_it_by_pin_by_hand_or_by_transfer() -> None:
    scene = desk("ann", "bo")
    scene.portal("phone", "pin", "phone")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], take="any"), MIA)
    session = scene.assign("carl", "ann")
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    take(scene, "bo", "ann")
    refusal = scene.refused(ops.PinRedeem(pin), customer("dora", "phone"))
    assert (refusal.detail or {})["state"] == "representative_taken_over"
    request = scene.ask("dora")
    scene.refused(ops.CaseTake(request), representative("ann"))
    scene.refused(ops.CaseAssign("ann", request), MIA)
    own = scene.accept(offer_id("dora"), "bo")
    scene.refused(ops.SessionTransfer(own, "ann"), representative("bo"))
    assert list(scene.desk.state.representatives["ann"].sessions) == [session]


def test_it_is_nobody_who_staffs_a_portal() -> None:
    scene = desk("ann", logins=None, mode="web")
    scene.team("top", logins=1)
    scene.staff("top", "bo", presence="offline")
    scene.team("blue", "help", parent="top")
    scene.assign("carl", "ann")
    assert scene.ok(ops.PortalOpen(), customer("dora")).value["open"] is True
    take(scene, "bo", "ann")
    assert scene.ok(ops.PortalOpen(), customer("dora")).value["open"] is False


def test_a_restart_and_a_snapshot_keep_who_was_taken_over() -> None:
    scene = desk("ann", "bo", "cy", logins=2)
    scene.assign("carl", "ann")
    take(scene, "cy", "ann")
    scene.ok(ops.PresenceSet("away"), representative("bo"))
    scene.team("red", "help", logins=1)
    scene.staff("red", "di", "ed", presence="offline")
    scene.set("di", "available")
    take(scene, "ed", "di")  # and is about to be signed out
    twin = reloaded(scene.desk)
    same_desk(twin, scene.desk)
    assert twin.state.representatives["ann"].taken_over
    scene.restart()
    scene.pass_time(limits.LEASE + limits.HOLD)
    assert {person.chosen for person in scene.desk.state.representatives.values()} == {"offline"}


# --- invariants ----------------------------------------------------------------------------------------


def broken(scene: Scene) -> None:
    """H12 doesn't hold."""
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(scene.desk.state)
    assert caught.value.invariant == "H12"


def test_H12_caught_a_sign_in_that_nobody_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def anybody(*args: object) -> list[e.Event] | Refusal:
        return []

    scene = desk("ann", "bo")
    monkeypatch.setattr(seats, "seek", anybody)
    with pytest.raises(InvariantBroken) as caught:
        scene.set("bo", "available")
    assert caught.value.invariant == "H12"


def test_H12_caught_more_signed_in_than_logins() -> None:
    scene = desk("ann", "bo", logins=2)
    scene.desk.state.teams["blue"].logins = 1
    broken(scene)
    invariants.check(scene.desk.state, lowered={"team:blue"})


def test_H12_caught_one_who_was_taken_over_and_welcomes_offers() -> None:
    scene = desk("ann", "bo")
    scene.assign("carl", "ann")
    take(scene, "bo", "ann")
    scene.desk.state.representatives["ann"].chosen = "available"
    broken(scene)


def test_H12_caught_one_who_was_taken_over_and_stays() -> None:
    scene = desk("ann", "bo")
    take(scene, "bo", "ann")
    scene.desk.state.deadlines.set("vacate", "ann", None)
    broken(scene)


# --- guests ---------------------------------------------------------------------------------------------


def test_D7_who_is_taken_over_stays_where_it_is_a_guest_and_is_offline_afterwards() -> None:
    scene = desk("ann", "bo", "cy", logins=2)
    scene.assign("carl", "ann")
    session = session_id("carl")
    made = scene.ok(ops.SessionInvite(session, "bo"), representative("ann"))
    scene.accept(str(made.value["offer"]), "bo")
    take(scene, "cy", "bo")
    scene.pass_time(1)
    bo = scene.desk.state.representatives["bo"]
    assert (bo.presence, bo.taken_over, list(bo.guest)) == ("away", True, [session])
    same_desk(scene.desk, reloaded(scene.desk))
    scene.ok(ops.SessionLeave(session), representative("bo"))
    scene.pass_time(0)
    assert (bo.presence, bo.guest) == ("offline", {})


def test_D7_who_is_taken_over_and_lost_is_a_guest_no_longer() -> None:
    scene = desk("ann", "bo", "cy", logins=2)
    scene.assign("carl", "ann")
    made = scene.ok(ops.SessionInvite(session_id("carl"), "bo"), representative("ann"))
    scene.accept(str(made.value["offer"]), "bo")
    take(scene, "cy", "bo")
    scene.lose("bo")
    scene.pass_time(61 * SECONDS)
    bo = scene.desk.state.representatives["bo"]
    assert (bo.presence, bo.guest) == ("offline", {})


def test_caught_a_guest_who_is_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = desk("ann", "bo", logins=2)
    scene.assign("carl", "ann")
    made = scene.ok(ops.SessionInvite(session_id("carl"), "bo"), representative("ann"))
    scene.accept(str(made.value["offer"]), "bo")
    monkeypatch.setattr(members, "leave_all", lambda state, person, reason: [])
    with pytest.raises(InvariantBroken, match="is offline, and a guest"):
        scene.set("bo", "offline", "hand_back")
