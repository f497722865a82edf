"""Who is there: signing out, lost connections (scenario 6 without chat), the broker's start, forgotten visitors."""

from __future__ import annotations

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.desk import Desk
from broker.desk.state import Times
from broker.protocol import ops
from broker.routing.pins import PinSpace
from broker.units import HOURS, MINUTES, SECONDS
from tests.support.agreement import reloaded, same_desk
from tests.support.builders import (
    ACCOUNT,
    KEY,
    SLOT,
    customer,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.playbook import Playbook
from tests.support.routed import MIA, Routed, routed
from tests.support.scene import Scene, of, office

# --- signing out -------------------------------------------------------------------------------------


def test_presence_is_told_to_the_person_and_the_team_with_who_set_it() -> None:
    scene = office("ann")
    scene.ok(ops.PresenceSet("away", "lunch"), representative("ann"))
    data = {"representative": "ann", "presence": "away", "by": "representative", "reason": "lunch"}
    assert scene.told("me:ann")[-1] == ("presence.changed", data)
    assert scene.told("team:blue")[-1] == ("presence.changed", data)


def test_setting_the_same_presence_again_is_no_event() -> None:
    scene = office("ann")
    assert of(scene.set("ann", "available")) == []


def test_nobody_who_is_no_representative_has_a_presence() -> None:
    scene = office("ann")
    scene.refused(ops.PresenceSet("available"), representative("nobody"), Code.NOT_ALLOWED)


def test_signing_out_with_sessions_open_is_refused_and_says_which() -> None:
    scene = office("ann", capacity=2)
    sessions = [scene.assign(name, "ann") for name in ("one", "two")]
    for command in (ops.PresenceSet("offline"), ops.PresenceSet("offline", sessions="keep")):
        refusal = scene.refused(command, representative("ann"))
        assert refusal.detail == {
            "state": "in_session",
            "allowed": ["session.end", "session.leave", "session.transfer", "presence.set"],
            "sessions": sessions,
        }
    scene.end(sessions[0])
    scene.ok(ops.SessionLeave(sessions[1]), representative("ann"))
    scene.set("ann", "offline")
    assert scene.line() == [request_id("two")]


def test_signing_out_hands_sessions_back_in_their_places_and_counts_the_load_down() -> None:
    scene = office("ann", capacity=2)
    scene.assign("one", "ann")
    scene.assign("two", "ann")
    scene.ask("three")
    events = of(scene.set("ann", "offline", sessions="hand_back"))
    assert [event.load for event in events if isinstance(event, e.SessionReleased)] == [1, 0]
    assert scene.line() == [request_id(name) for name in ("one", "two", "three")]
    assert [kind for kind, _ in scene.told("me:v_one")][-1] == "request.requeued"
    scene.staff("blue", "bo", capacity=3)
    assert scene.offered_to("bo") == [request_id(name) for name in ("one", "two", "three")]


@pytest.mark.parametrize("presence", ["away", "offline"])
def test_F18_after_a_break_or_a_sign_out_no_offer_is_left_and_none_is_made(presence: str) -> None:
    scene = office("ann")
    scene.ask("carl")
    events = of(scene.set("ann", presence))
    assert [type(event) for event in events] == [e.PresenceChanged, e.OfferEnded, e.RoundPaused]
    scene.ask("cora")
    scene.pass_time(60 * SECONDS)
    assert scene.offered_to("ann") == []
    refusal = scene.refused(ops.OfferAccept(offer_id("carl")), representative("ann"), Code.OFFER_GONE)
    assert refusal.detail == {"reason": "gone"}


def test_a_break_keeps_the_sessions() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    scene.set("ann", "away")
    assert session in scene.desk.state.sessions


# --- scenario 6: a representative vanishes -----------------------------------------------------------


def test_scenario_6_a_lost_representative_comes_back_to_the_same_sessions() -> None:
    scene = office("ann", capacity=3)
    for name in ("one", "two"):
        scene.assign(name, "ann")
    scene.staff("blue", "bo")
    scene.assign("x", "bo")
    scene.ask("three")
    idle = scene.desk.state.router.members["ann"].idle_since
    with Playbook(scene) as play:
        assert scene.offered_to("ann") == [request_id("three")]
        scene.end(session_id("x"))
        play.at(10 * SECONDS).expect()
        scene.lose("ann")
        play.at(10 * SECONDS).expect()
        assert scene.offered_to("bo") == [request_id("three")]
        assert scene.desk.state.representatives["ann"].presence == "reconnecting"
        for name in ("one", "two"):
            kind, data = scene.told(f"session:{session_id(name)}")[-1]
            assert (kind, data["who"], data["until"]) == ("session.held", "representative", scene.now + 60 * SECONDS)
        scene.accept(offer_id("three", 2), "bo")
        play.at(40 * SECONDS).expect()
        scene.back("ann")
        for name in ("one", "two"):
            assert scene.told(f"session:{session_id(name)}")[-1][0] == "session.resumed"
        play.at(200 * SECONDS).expect()  # nothing else follows
    assert len(scene.desk.state.representatives["ann"].sessions) == 2
    assert scene.desk.state.router.members["ann"].idle_since == idle


def test_scenario_6_without_return_the_sessions_go_back_to_the_line_at_their_age() -> None:
    scene = office("ann", capacity=2)
    for name in ("one", "two"):
        scene.assign(name, "ann")
        scene.now += 1
    scene.staff("blue", "bo")
    scene.assign("x", "bo")
    scene.ask("three")
    scene.lose("ann")
    assert scene.pass_time(60 * SECONDS - 1) == []
    events = scene.pass_time(1)
    assert [type(event) for event in events][:3] == [e.PresenceChanged, e.SessionReleased, e.RequestRequeued]
    assert [event.load for event in events if isinstance(event, e.SessionReleased)] == [1, 0]
    assert {event.reason for event in events if isinstance(event, e.RequestRequeued)} == {"representative_lost"}
    assert scene.line() == [request_id(name) for name in ("one", "two", "three")]
    assert scene.desk.state.representatives["ann"].chosen == "offline"
    scene.end(session_id("x"))
    assert scene.offered_to("bo") == [request_id("one")]
    arrived = [offer.arrived for offer in scene.events(e.OfferMade) if isinstance(offer, e.OfferMade)]
    assert arrived[-1] == arrived[0]


def test_F17_whoever_is_lost_loses_all_offers_at_once() -> None:
    scene = office("ann", capacity=3)
    for name in ("one", "two"):
        scene.ask(name)
    events = of(scene.lose("ann"))
    assert [type(event) for event in events] == [
        e.RepresentativeLost,
        e.OfferEnded,
        e.OfferEnded,
        e.RoundPaused,
        e.RoundPaused,
    ]
    assert of(scene.lose("ann")) == []
    assert scene.told("me:ann")[-1][1]["reason"] == "gone"


def test_one_who_never_signed_in_or_signed_out_cannot_be_lost() -> None:
    scene = office("ann")
    scene.set("ann", "offline")
    for name in ("ann", "nobody", "v_nobody"):
        assert of(scene.lose(name)) == of(scene.back(name)) == []


def test_choosing_a_presence_is_being_there_again() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    scene.lose("ann")
    scene.set("ann", "available")
    assert scene.pass_time(60 * SECONDS) == []
    assert session in scene.desk.state.sessions


# --- customers ---------------------------------------------------------------------------------------


def test_a_lost_customer_keeps_the_place_for_two_minutes() -> None:
    scene = office("ann")
    scene.assign("x", "ann")
    scene.ask("one")
    scene.ask("two")
    assert of(scene.lose("v_one")) == [e.CustomerLost("v_one", scene.now + 120 * SECONDS, ())]
    assert of(scene.lose("v_one")) == []
    scene.pass_time(119 * SECONDS)
    assert of(scene.back("v_one")) == [e.CustomerBack("v_one", ())]
    assert of(scene.back("v_one")) == []
    scene.lose("v_one")
    assert scene.line() == [request_id("one"), request_id("two")]
    (event,) = scene.pass_time(120 * SECONDS)
    assert event == e.RequestEnded(request_id("one"), "v_one", "abandoned")
    assert scene.line() == [request_id("two")]


def test_a_lost_customers_session_and_offer_end_after_the_grace() -> None:
    scene = office("ann", capacity=3)
    scene.portal("more", "ask", "queue")
    scene.portal("third", "ask", "queue")
    scene.team("blue", "help", "more", "third")
    for portal in ("help", "more", "third"):
        scene.ok(ops.RequestCreate(text=personal("?")), customer("carl", portal), portal)
    for portal in ("help", "more"):
        scene.accept(offer_id(portal), "ann")
    lost = of(scene.lose("v_carl"))
    assert lost == [e.CustomerLost("v_carl", scene.now + 120 * SECONDS, (session_id("help"), session_id("more")))]
    assert scene.told(f"session:{session_id('help')}")[-1][1]["who"] == "customer"
    events = scene.pass_time(120 * SECONDS)
    ended = [(event.reason, event.load) for event in events if isinstance(event, e.SessionEnded)]
    assert ended == [("abandoned", 1), ("abandoned", 0)]
    assert [event.state for event in events if isinstance(event, e.RequestEnded)] == ["closed", "closed", "abandoned"]
    assert of(scene.lose("v_carl")) == []  # nothing is open


def test_visitors_are_forgotten_a_day_after_their_last_request_an_hours_worth_at_a_time() -> None:
    scene = office("ann")
    for name in ("one", "two", "three"):
        scene.end(scene.assign(name, "ann"))
        scene.pass_time(20 * MINUTES)
    scene.ok(ops.RequestCreate(text=personal("?")), customer("two"), "two again")
    assert "v_one" in scene.desk.state.visitors
    assert scene.desk.has_open_request("v_two")
    assert not scene.desk.has_open_request("v_one")
    assert not scene.desk.has_open_request("v_none")
    scene.set("ann", "offline")
    scene.pass_time(24 * HOURS)
    assert (scene.now - limits.VISITOR_MEMORY) % HOURS != 0
    scene.pass_time(2 * HOURS)
    assert list(scene.desk.state.visitors) == ["v_two"]
    assert scene.desk.stream_head("me:v_one") == 0
    assert scene.desk.stream_head("me:v_two") > 0
    assert all(due % HOURS == 0 for due in [record.t for record in scene.records if is_forgetting(record.event)])
    assert scene.desk.state.deadlines.get("visitors", "") is None


def is_forgetting(event: e.Event) -> bool:
    return isinstance(event, e.VisitorsForgotten)


# --- the broker starts (decision 3) ------------------------------------------------------------------


def test_after_a_start_everyone_who_waits_for_a_person_gets_the_full_period_anew() -> None:
    scene = office("ann", "bo", "cy", capacity=2)
    session = scene.assign("x", "ann")
    scene.ok(ops.ShareRequest(session), representative("ann"))
    scene.ask("offered")
    pin = scene.ok(ops.PinCreate(), representative("ann")).value["expires"]
    scene.lose("v_x")
    scene.lose("cy")
    scene.set("ann", "away")
    scene.now += 15 * SECONDS
    desk = reloaded(scene.desk)
    same_desk(desk, scene.desk)
    events = of(scene.restart())
    now, state = scene.now, scene.desk.state
    started = e.BrokerStarted(
        now + 10 * SECONDS, now + 60 * SECONDS, now + 120 * SECONDS, now + 60 * SECONDS, now + 600 * SECONDS
    )
    assert events == [started, e.OfferRenewed(offer_id("offered"), "bo", now + 20 * SECONDS)]
    assert scene.told("me:bo")[-1] == (
        "offer.renewed",
        {"offer": offer_id("offered"), "deadline": now + 20 * SECONDS},
    )
    assert list(state.deadlines) == [
        (now + 10 * SECONDS, "lease", "ann"),
        (now + 10 * SECONDS, "lease", "bo"),
        (now + 20 * SECONDS, "offer", offer_id("offered")),
        (now + 60 * SECONDS, "hold", "cy"),
        (now + 60 * SECONDS, "share", next(iter(state.shares))),
        (now + 120 * SECONDS, "abandon", "v_offered"),
        (now + 120 * SECONDS, "abandon", "v_x"),
        (pin, "pin", next(iter(state.pins))),  # a pin's life is absolute
    ]


def test_nobody_waits_for_a_visitor_who_has_nothing_open() -> None:
    scene = office("ann")
    scene.end(scene.assign("carl", "ann"))
    scene.restart()
    assert {kind for _, kind, _ in scene.desk.state.deadlines} == {"lease", "visitors"}


def test_a_share_whose_media_runs_waits_for_nobody_after_a_start() -> None:
    scene = office("ann")
    scene.ok(ops.ShareRequest(scene.assign("carl", "ann")), representative("ann"))
    share = next(iter(scene.desk.state.shares))
    scene.ok(ops.ShareAccept(share), customer("carl"))
    scene.ok(ops.ShareConfirm(share), customer("carl"))
    scene.ok(ops.ShareStarted(share), customer("carl"))
    scene.restart()
    assert {kind for _, kind, _ in scene.desk.state.deadlines} == {"lease", "abandon"}


def test_who_is_back_within_the_lease_after_a_start_has_lost_nothing() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.restart()
    scene.ask("cora")
    assert scene.offered_to("ann") == [request_id("carl")]
    scene.now += 9 * SECONDS
    scene.back("ann")
    assert of(scene.back("ann")) == []
    scene.pass_time(10 * SECONDS)
    scene.accept(offer_id("carl"), "ann")


def test_who_is_not_back_within_the_lease_after_a_start_is_lost() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.restart()
    events = scene.pass_time(10 * SECONDS)
    assert [type(event) for event in events] == [e.RepresentativeLost, e.OfferEnded, e.RoundPaused]
    assert [type(event) for event in scene.pass_time(60 * SECONDS)] == [e.RoundStarted, e.PresenceChanged]


def test_a_start_long_after_an_offers_deadline_still_gives_it_the_full_time() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.now += 10 * MINUTES
    scene.restart()
    scene.back("ann")
    scene.accept(offer_id("carl"), "ann")


def test_broadcasts_have_no_deadline_before_and_after_a_start() -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.ask("carl")
    assert [type(event) for event in of(scene.restart())] == [e.BrokerStarted]
    assert [type(event) for event in of(scene.restart())] == [e.BrokerStarted]
    scene.back("ann")
    scene.accept(offer_id("carl"), "ann")


def test_an_operator_may_set_how_long_a_desk_waits() -> None:
    times = Times(lease=1000, hold=2000, abandon=3000, offer=4000)
    scene = office("ann", scene=Scene(Desk(ACCOUNT, SLOT, PinSpace(KEY), times)))
    scene.ask("carl")
    scene.restart()
    due = {kind: t - scene.now for t, kind, _ in scene.desk.state.deadlines}
    assert due == {"lease": 1000, "abandon": 3000, "offer": 4000}
    scene.pass_time(1000)
    assert {kind: t - scene.now for t, kind, _ in scene.desk.state.deadlines}["hold"] == 2000


# --- set away by missed offers -----------------------------------------------------------------------


def missing(most: int | None = 2, capacity: int = 1) -> Routed:
    """ann and bo are set away after so many offers missed in a row; bo has a break."""
    scene = routed("ann", "bo", capacity=capacity)
    scene.ok(ops.TeamPut("blue", ["help"], away_after=most), MIA)
    scene.set("bo", "away")
    return scene


def missed(scene: Routed, who: str = "ann") -> int:
    return scene.desk.state.representatives[who].missed


def test_who_misses_so_many_offers_in_a_row_is_set_away_in_the_same_command() -> None:
    scene = missing(2)
    scene.ask("one")
    scene.pass_time(20 * SECONDS)
    assert (missed(scene), scene.desk.state.representatives["ann"].presence) == (1, "available")
    scene.pass_time(10 * SECONDS)
    assert scene.has("one") == "ann"
    events = scene.pass_time(20 * SECONDS)
    assert [event.TYPE for event in events][:2] == ["offer.ended", "presence.changed"]
    assert events[1] == e.PresenceChanged("ann", "blue", "away", "broker", "missed_offers")
    assert (missed(scene), scene.has("one")) == (0, None)
    assert scene.pass_time(60 * SECONDS) == [] or scene.has("one") is None
    told = [data for kind, data in scene.told("account") if kind == "presence.changed"]
    assert told == [{"representative": "ann", "presence": "away", "by": "broker", "reason": "missed_offers"}]


def test_F18_who_is_set_away_so_loses_its_other_offers_and_whoever_waits_for_it_is_told() -> None:
    scene = missing(1, capacity=2)
    scene.entrance("own", kind="pick", mode="web")
    scene.team("blue", "help", "own")
    scene.ok(ops.TeamPut("blue", ["help", "own"], away_after=1), MIA)
    scene.ask("one")
    scene.pass_time(5 * SECONDS)
    scene.ask("two")
    scene.ask("three", "own", pick="ann")
    events = scene.pass_time(15 * SECONDS)
    ended = [(event.request, event.reason) for event in events if isinstance(event, e.OfferEnded)]
    assert ended == [(request_id("one"), "expired"), (request_id("two"), "gone")]
    (unplaced,) = [event for event in events if isinstance(event, e.RequestUnplaced)]
    assert (unplaced.request, unplaced.representative) == (request_id("three"), "ann")


@pytest.mark.parametrize("what", ["accepted", "declined", "presence"])
def test_missed_offers_are_counted_in_a_row(what: str) -> None:
    scene = missing(2)
    scene.ask("one")
    scene.pass_time(30 * SECONDS)
    assert (missed(scene), scene.has("one")) == (1, "ann")
    match what:
        case "accepted":
            scene.accept(offer_id("one", 2), "ann")
        case "declined":
            scene.decline("one", 2)
        case _:
            scene.set("ann", "away")
    assert missed(scene) == 0


def test_broadcasts_are_accepted_and_never_missed() -> None:
    scene = missing(1)
    scene.entrance("all", mode="web")
    scene.ok(ops.TeamPut("blue", ["help", "all"], away_after=2), MIA)
    scene.ask("one")
    scene.pass_time(20 * SECONDS)
    scene.ok(ops.RequestWithdraw(request_id("one")), customer("one"))
    scene.ask("two", "all")
    scene.pass_time(60 * SECONDS)
    assert missed(scene) == 1
    scene.accept(offer_id("two"), "ann")
    assert missed(scene) == 0


def test_offers_of_transfers_and_of_picks_are_missed_as_well() -> None:
    scene = missing(3, capacity=2)
    scene.entrance("own", kind="pick", mode="web")
    scene.ok(ops.TeamPut("blue", ["help", "own"], away_after=3), MIA)
    scene.ask("one", "own", pick="ann")
    scene.pass_time(20 * SECONDS)
    scene.ok(ops.RequestWithdraw(request_id("one")), customer("one", "own"))
    assert missed(scene) == 1
    scene.ok(ops.PresenceSet("available"), representative("bo"))
    scene.set("ann", "away")
    session = scene.assign("two", "bo")
    scene.set("ann", "available")
    for count in (1, 2):
        scene.ok(ops.SessionTransfer(session, "ann"), representative("bo"))
        scene.pass_time(20 * SECONDS)
        assert missed(scene) == count
    scene.ok(ops.SessionTransfer(session, "ann"), representative("bo"))
    assert scene.pass_time(20 * SECONDS)[-1].TYPE == "presence.changed"


def test_a_team_without_such_a_number_sets_nobody_away() -> None:
    scene = missing(None)
    scene.ask("one")
    scene.pass_time(300 * SECONDS)
    assert missed(scene) >= 5
    assert scene.desk.state.representatives["ann"].presence == "available"


def test_a_lost_connection_keeps_the_count_and_who_is_not_back_is_not_set_away() -> None:
    scene = missing(2)
    scene.entrance("help", offer_ms=5 * SECONDS)
    scene.ask("one")
    scene.pass_time(5 * SECONDS)
    scene.lose("ann")
    scene.back("ann")
    assert (missed(scene), scene.has("one")) == (1, "ann")
    scene.restart()  # its offer is renewed, and it has time to come back
    assert [event.TYPE for event in scene.pass_time(5 * SECONDS)] == ["offer.ended", "round.paused"]
    assert (missed(scene), scene.desk.state.representatives["ann"].presence) == (2, "reconnecting")
    scene.back("ann")
    scene.pass_time(10 * SECONDS)
    assert scene.desk.state.representatives["ann"].presence == "away"  # the next one is one too many


def test_F12_who_comes_back_after_being_set_away_is_idle_since_then() -> None:
    scene = missing(1)
    scene.ask("one")
    scene.pass_time(20 * SECONDS)
    scene.pass_time(5 * SECONDS)
    scene.set("ann", "available")
    assert scene.desk.state.router.members["ann"].idle_since == scene.now


def test_F12_the_idle_time_survives_a_reconnect_and_a_restart_and_decides() -> None:
    scene = routed("ann", "bo", policy="longest_idle")
    scene.now += 5 * SECONDS
    scene.set("bo", "away")
    scene.set("bo", "available")  # ann is idle for longer
    before = scene.desk.state.router.members["ann"].idle_since
    scene.lose("ann")
    scene.now += 10 * SECONDS
    scene.back("ann")
    assert scene.desk.state.router.members["ann"].idle_since == before
    scene.restart()
    scene.now += 2 * SECONDS
    scene.back("bo")
    scene.back("ann")
    scene.ask("one")
    assert scene.has("one") == "ann"
