"""Asking, choosing again, giving up: scenario 2, the forms of each portal kind, and F23."""

from __future__ import annotations

from typing import cast

import attrs
import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Entry, Identity, Role
from broker.desk.requests import discipline
from broker.protocol import ops, schema
from broker.units import SECONDS
from tests.support.builders import (
    ACCOUNT,
    customer,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.playbook import Playbook, seen
from tests.support.routed import MIA, Routed
from tests.support.scene import Scene, of, office

QUESTION = personal("why?")


def pick_office(fallback: str = "choose", capacity: int = 1) -> Scene:
    return office("ann", "bo", kind="pick", mode="web", fallback=fallback, capacity=capacity)


# --- scenario 2: picking -----------------------------------------------------------------------------


def test_a_pick_portal_lists_only_who_is_there_for_its_sub_portals() -> None:
    scene = pick_office()
    scene.team("red", "help")
    scene.staff("red", "cy", "away-one", presence="away")
    scene.staff("red", "out", presence="offline")
    scene.portal("other", "ask", "web")
    scene.team("green", "other")
    scene.staff("green", "di")
    scene.lose("bo")
    value = scene.ok(ops.PortalOpen(), customer("carl")).value
    people = scene.desk.state.representatives
    assert value["representatives"] == [{"representative": "ann", "name": people["ann"].name, "subportal": "help"}]


def test_only_the_picked_representative_is_asked() -> None:
    scene = pick_office()
    scene.ask("carl", pick="bo")
    assert (scene.offered_to("bo"), scene.offered_to("ann")) == ([request_id("carl")], [])
    assert [kind for kind, _ in scene.told("subportal:help")] == ["subportal.state"]


def test_the_customer_of_a_lost_pick_may_choose_again_and_keeps_the_time_of_arrival() -> None:
    scene = pick_office()
    with Playbook(scene) as play:
        command = ops.RequestCreate(text=QUESTION, representative="bo")
        play.at(0).given(command, customer("carl"), "carl").expect(
            seen(e.RequestCreated, target="bo"), seen(e.OfferMade, kind="direct", representative="bo"), state="offered"
        )
        play.at(3000).given(ops.PresenceSet("offline"), representative("bo")).expect(
            seen(e.PresenceChanged, presence="offline"),
            seen(e.OfferEnded, reason="gone", representative="bo"),
            seen(e.RequestUnplaced, representative="bo", reason="gone", broadcast=False),
        )
        play.at(4000).given(ops.RequestPick(request_id("carl"), "bo"), customer("carl")).refused(
            Code.WRONG_STATE, state="offline"
        )
        arrived = scene.desk.state.requests[request_id("carl")].arrived
        play.at(5000).given(ops.RequestPick(request_id("carl"), "ann"), customer("carl")).expect(
            seen(e.RequestPicked, target="ann"),
            seen(e.OfferMade, kind="direct", representative="ann", arrived=arrived),
            state="offered",
        )
    assert [kind for kind, _ in scene.told("me:v_carl")] == ["request.created", "request.unplaced", "request.picked"]


@pytest.mark.parametrize("how", ["gone", "declined", "expired"])
def test_a_lost_pick_is_asked_of_everyone_where_the_portal_says_so(how: str) -> None:
    scene = pick_office(fallback="broadcast")
    scene.ask("carl", pick="bo")
    if how == "gone":
        scene.set("bo", "away")
    elif how == "declined":
        scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("bo"))
    else:
        scene.pass_time(20 * SECONDS)
    (event,) = scene.events(e.RequestUnplaced)
    assert event == e.RequestUnplaced(request_id("carl"), "v_carl", "bo", how, broadcast=True)
    assert [kind for kind, _ in scene.told("subportal:help")] == ["subportal.state", "offer.made"]
    scene.accept(offer_id("carl", 2), "ann")
    scene.set("ann", "offline", sessions="hand_back")
    assert scene.desk.state.requests[request_id("carl")].discipline == "broadcast"  # it stays for everyone
    assert [kind for kind, _ in scene.told("subportal:help")] == [
        "subportal.state",
        "offer.made",
        "offer.ended",
        "offer.made",
    ]


def test_who_picks_a_busy_representative_waits_for_that_one_in_order_of_arrival() -> None:
    scene = pick_office()
    session = scene.assign("x", "bo", pick="bo")
    scene.ask("one", pick="bo")
    scene.ask("two", pick="ann")
    scene.ask("three", pick="bo")
    scene.ok(ops.OfferDecline(offer_id("two"), "no"), representative("ann"))
    scene.ok(ops.RequestPick(request_id("two"), "bo"), customer("two"))
    assert scene.offered_to("bo") == []
    scene.end(session)
    order = []
    for name in ("one", "two", "three"):
        order += scene.offered_to("bo")
        (offer,) = scene.desk.state.representatives["bo"].offers
        scene.end(scene.accept(offer, "bo"))
        del name
    assert order == [request_id("one"), request_id("two"), request_id("three")]


def test_those_who_wait_for_a_busy_representative_are_told_when_it_leaves() -> None:
    scene = pick_office()
    scene.assign("x", "bo", pick="bo")
    scene.ask("one", pick="bo")
    scene.set("bo", "away")
    assert [kind for kind, _ in scene.told("me:v_one")] == ["request.created", "request.unplaced"]


def test_one_who_handed_a_picked_request_back_is_not_asked_again() -> None:
    scene = pick_office()
    session = scene.assign("carl", "bo", pick="bo")
    events = of(scene.ok(ops.SessionLeave(session), representative("bo")))
    assert [type(event) for event in events] == [e.SessionReleased, e.RequestRequeued, e.RequestUnplaced]
    assert scene.desk.state.requests[request_id("carl")].state == "waiting"
    assert scene.offered_to("bo") == []


def test_picking_again_is_refused_where_it_makes_no_sense() -> None:
    scene = pick_office()
    scene.ask("carl", pick="bo")
    pick = ops.RequestPick(request_id("carl"), "ann")
    assert scene.refused(pick, customer("carl")).detail == {
        "state": "offered",
        "allowed": ["request.withdraw", "request.convert"],
    }
    scene.refused(pick, customer("eve"), Code.NO_SUCH)
    scene.refused(ops.RequestPick("r_none", "ann"), customer("carl"), Code.NO_SUCH)
    scene.accept(offer_id("carl"), "bo")
    assert scene.refused(pick, customer("carl")).detail == {"state": "assigned", "allowed": ["session.end"]}
    scene.ok(ops.SessionLeave(session_id("carl")), representative("bo"))
    refusal = scene.refused(ops.RequestPick(request_id("carl"), "nobody"), customer("carl"), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.representative"
    other = office("ann", scene=Scene())
    other.assign("x", "ann")
    other.ask("carl")
    refusal = other.refused(ops.RequestPick(request_id("carl"), "ann"), customer("carl"))
    assert refusal.detail == {"state": "waiting", "allowed": ["request.withdraw", "request.convert"]}


# --- the form of each kind ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "mode", "expected"),
    [
        ("ask", "queue", "queue"),
        ("button", "queue", "queue"),
        ("ask", "web", "broadcast"),
        ("button", "web", "broadcast"),
        ("pick", "web", "direct"),
        ("pin", "phone", "pin"),
        ("global_pin", "phone", "pin"),
    ],
)
def test_kind_and_mode_say_how_requests_are_handed_out(kind: str, mode: str, expected: str) -> None:
    assert discipline(kind, mode) == expected


@pytest.mark.parametrize(
    ("kind", "command", "path"),
    [
        ("ask", ops.RequestCreate(), "args.text"),
        ("ask", ops.RequestCreate("none", QUESTION), "args.subportal"),
        ("ask", ops.RequestCreate(text=QUESTION, representative="ann"), "args.representative"),
        ("button", ops.RequestCreate(representative="ann"), "args.representative"),
        ("pick", ops.RequestCreate(), "args.representative"),
        ("pick", ops.RequestCreate(representative="nobody"), "args.representative"),
    ],
)
def test_a_form_that_does_not_fit_the_portal_is_refused_with_the_field(
    kind: str, command: ops.RequestCreate, path: str
) -> None:
    scene = office("ann", kind=kind, mode="web")
    refusal = scene.refused(command, customer("carl"), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == path


def test_a_button_needs_no_words_and_the_first_sub_portal_is_taken_where_none_is_named() -> None:
    scene = office("ann", kind="button", mode="web")
    scene.portal("help", "button", "web", "help", "more")
    value = scene.ok(ops.RequestCreate(), customer("carl"), "carl").value
    assert value == {
        "request": request_id("carl"),
        "session": session_id("carl"),
        "state": "offered",
        "existing": False,
    }
    assert scene.desk.state.requests[request_id("carl")].subportal == "help"


def test_pins_are_typed_not_asked_for() -> None:
    scene = Scene()
    scene.portal("help", "pin", "phone")
    refusal = scene.refused(ops.RequestCreate(text=QUESTION), customer("carl"))
    assert refusal.detail == {"state": "pin_portal", "allowed": ["pin.redeem"]}


def test_web_mode_is_open_while_somebody_is_signed_in_and_a_queue_always() -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.portal("line", "ask", "queue")
    scene.set("ann", "away")
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["open"] is True
    scene.set("ann", "offline")
    assert scene.ok(ops.PortalOpen(), customer("carl")).value["open"] is False
    assert scene.refused(ops.RequestCreate(text=QUESTION), customer("carl")).detail == {
        "state": "closed",
        "allowed": ["request.create"],
    }
    assert scene.ok(ops.PortalOpen(), customer("carl", "line")).value["open"] is True
    scene.ask("carl", "line")


def test_an_unknown_portal_has_nothing_to_ask_at() -> None:
    scene = Scene()
    scene.refused(ops.RequestCreate(text=QUESTION), customer("carl", "none"), Code.NO_SUCH)
    scene.refused(ops.RequestCreate(text=QUESTION), customer("carl", None), Code.NO_SUCH)


def test_a_full_line_takes_nobody_more_and_says_how_many_wait() -> None:
    scene = office("ann")
    scene.portal("other", "ask", "queue")
    scene.ok(ops.SubportalPut("help", max_waiting=2), manager())
    scene.ask("one")
    scene.ask("two")
    refusal = scene.refused(ops.RequestCreate(text=QUESTION), customer("three"), Code.QUEUE_FULL)
    assert refusal.retry_ms == limits.ROUND_PAUSE
    assert refusal.detail == {"subportal": "help", "max_waiting": 2}
    assert scene.ok(ops.RequestCreate(text=QUESTION), customer("one")).value["existing"] is True
    scene.ask("four", "other")
    scene.accept(offer_id("one"), "ann")
    scene.ask("three")


def test_a_line_that_is_made_shorter_keeps_who_waits() -> None:
    scene = office()
    for name in ("one", "two", "three"):
        scene.ask(name)
    scene.ok(ops.SubportalPut("help", max_waiting=1), manager())
    assert scene.line() == [request_id(name) for name in ("one", "two", "three")]
    scene.refused(ops.RequestCreate(text=QUESTION), customer("four"), Code.QUEUE_FULL)


def test_the_protocol_lets_a_line_be_as_long_as_the_broker_takes() -> None:
    args = cast("dict[str, dict[str, dict[str, dict[str, object]]]]", schema.load()["ops"])["subportal.put"]["args"]
    assert args["max_waiting"]["max"] == limits.MAX_WAITING


def test_names_and_addresses_stay_with_the_request_as_references() -> None:
    scene = office("ann")
    text, name, email = personal("why?", "c_1"), personal("Carl", "c_2"), personal("c@example.org", "c_3")
    scene.ok(ops.RequestCreate(text=text, name=name, email=email), customer("carl"), "carl")
    request = scene.desk.state.requests[request_id("carl")]
    assert (request.text, request.name, request.email) == (text.ref, name.ref, email.ref)
    assert {"c_1", "c_2", "c_3"} <= scene.desk.held_contents()
    scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
    assert scene.desk.drain_released() == ["c_1", "c_2", "c_3"]
    assert scene.desk.drain_released() == []
    assert not {"c_1", "c_2", "c_3"} & scene.desk.held_contents()


# --- F23 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["waiting", "offered", "assigned"])
def test_F23_a_second_request_at_the_same_portal_returns_the_first(state: str) -> None:
    scene = office("ann") if state != "waiting" else office()
    scene.ask("carl")
    if state == "assigned":
        scene.accept(offer_id("carl"), "ann")
    before = scene.desk.seq
    value = scene.ok(ops.RequestCreate(text=QUESTION), customer("carl"), "again").value
    assert value == {"request": request_id("carl"), "session": session_id("carl"), "state": state, "existing": True}
    assert scene.desk.seq == before


def test_F23_another_portal_and_another_time_are_another_request() -> None:
    scene = office("ann")
    scene.portal("more", "ask", "queue")
    scene.ask("carl")
    value = scene.ok(ops.RequestCreate(text=QUESTION), customer("carl", "more"), "second").value
    assert (value["request"], value["existing"]) == (request_id("second"), False)
    scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
    value = scene.ok(ops.RequestCreate(text=QUESTION), customer("carl"), "third").value
    assert (value["request"], value["existing"]) == (request_id("third"), False)


# --- giving up ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ask", "pick"])
def test_withdrawing_takes_the_offer_back(kind: str) -> None:
    scene = office("ann", kind=kind, mode="web")
    scene.ask("carl", pick="ann" if kind == "pick" else None)
    events = of(scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl")))
    assert [(type(event), getattr(event, "reason", "")) for event in events] == [
        (e.OfferEnded, "revoked"),
        (e.RequestEnded, ""),
    ]
    refusal = scene.refused(ops.OfferAccept(offer_id("carl")), representative("ann"), Code.OFFER_GONE)
    assert refusal.detail == {"reason": "revoked"}
    assert scene.desk.statistics().requests == 0


def test_withdrawing_needs_a_request_of_ones_own_that_nobody_has_taken() -> None:
    scene = office("ann")
    scene.ask("carl")
    withdraw = ops.RequestWithdraw(request_id("carl"))
    scene.refused(withdraw, customer("eve"), Code.NO_SUCH)
    scene.refused(withdraw, Identity(ACCOUNT, "ann", Role.REPRESENTATIVE), Code.NOT_ALLOWED)
    scene.accept(offer_id("carl"), "ann")
    assert scene.refused(withdraw, customer("carl")).detail == {"state": "assigned", "allowed": ["session.end"]}


# --- classes -----------------------------------------------------------------------------------------

VIP, GOLD = {"class": "vip", "boost_ms": 60_000}, {"class": "gold", "boost_ms": 500}


def classes() -> Routed:
    """one, two and three wait, a second apart."""
    scene = Routed()
    scene.entrance("help", classes=[VIP, GOLD])
    scene.team("blue", "help")
    for name in ("one", "two", "three"):
        scene.ask(name)
        scene.now += 1000
    return scene


def stand(scene: Routed) -> list[str]:
    return scene.names("help", "one", "two", "three")


def test_F22_a_class_puts_a_request_where_it_had_stood_if_it_had_come_so_much_earlier() -> None:
    scene = classes()
    handled = scene.classify("three", "gold")
    assert handled.value == {"request": request_id("three"), "changed": True}
    assert of(handled) == [e.RequestClassified(request_id("three"), "v_three", "gold", 500, "mia")]
    assert stand(scene) == ["one", "two", "three"]  # half a second isn't enough
    scene.classify("three", "vip")
    assert stand(scene) == ["three", "one", "two"]
    assert scene.desk.state.router.lines["help"].moved_by == "priority"
    scene.classify("two", "vip")
    assert stand(scene) == ["two", "three", "one"]  # both as if a minute earlier
    scene.classify("two", "normal")
    assert stand(scene) == ["three", "one", "two"]


def test_a_class_that_it_has_changes_nothing() -> None:
    scene = classes()
    handled = scene.classify("one", "normal")
    assert (handled.value["changed"], of(handled)) == (False, [])
    scene.classify("one", "vip")
    assert scene.classify("one", "vip").value["changed"] is False


def test_F7_the_first_by_class_is_offered_first_and_the_others_in_order() -> None:
    scene = classes()
    scene.classify("three", "vip")
    for name, who in (("three", "ann"), ("one", "bo"), ("two", "cy")):
        scene.hire(who)
        assert scene.has(name) == who


def test_a_class_changes_the_place_of_an_offered_request_and_nothing_else() -> None:
    scene = classes()
    scene.hire("ann")
    before = (scene.desk.state.router.turns, dict(scene.desk.state.router.members["ann"].pool.tags))
    handled = scene.classify("one", "vip")
    assert [type(event) for event in of(handled)] == [e.RequestClassified]
    scene.classify("three", "vip")
    assert stand(scene) == ["one", "three", "two"]
    assert scene.has("one") == "ann"
    assert (scene.desk.state.router.turns, dict(scene.desk.state.router.members["ann"].pool.tags)) == before
    scene.hire("bo")
    assert scene.has("three") == "bo"


def test_a_class_changes_the_place_of_a_request_between_rounds_and_its_pause_goes_on() -> None:
    scene = classes()
    scene.hire("ann")
    scene.decline("one")
    assert scene.has("two") == "ann"
    scene.classify("one", "vip")
    assert stand(scene) == ["one", "two", "three"]
    assert scene.has("one") is None
    scene.employ("ann", capacity=2)
    assert (scene.has("one"), scene.has("three")) == (None, "ann")
    scene.employ("ann", capacity=3)
    scene.pass_time(10 * SECONDS)
    assert scene.has("one") == "ann"


def test_a_class_changes_the_place_of_a_held_request_and_it_stays_held() -> None:
    scene = classes()
    for name in ("one", "two", "three"):
        scene.ok(ops.RequestWithdraw(request_id(name)), customer(name))
    scene.tune("help", sticky_ms=60_000)
    scene.hire("ann")
    scene.serve("carl", "ann")
    scene.assign("other", "ann")
    scene.ask("second")
    scene.ok(ops.RequestCreate(None, QUESTION), customer("carl"), "third")
    scene.classify("third", "vip")
    scene.hire("bo")
    assert (scene.has("second"), scene.has("third"), scene.names("help", "second", "third")) == (
        "bo",
        None,
        ["third", "second"],
    )
    scene.end(session_id("other"))
    assert scene.has("third") == "ann"


def test_of_two_lines_whose_turn_it_is_alike_the_head_by_class_goes_first() -> None:
    scene = Routed()
    scene.entrance("help", "x", "y", classes=[VIP])
    scene.team("blue", "x", "y")
    scene.ask("one", "help", "x")
    scene.now += 1
    scene.ask("two", "help", "y")
    scene.classify("two", "vip")
    scene.hire("ann")
    assert scene.has("two") == "ann"


def test_only_an_open_request_in_a_line_has_a_class_and_one_of_its_portal() -> None:
    scene = classes()
    scene.entrance("all", mode="web")
    scene.entrance("phone", kind="pin", mode="phone")
    scene.team("blue", "help", "all")
    scene.hire("ann", capacity=9)
    scene.refused(ops.RequestClassify("r_none", "vip"), MIA, Code.NO_SUCH)
    refusal = scene.refused(ops.RequestClassify(request_id("one"), "platinum"), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.class"
    scene.ask("everyone", "all")
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("x", "phone"), "pinned")
    scene.accept(offer_id("one"), "ann")
    for name in ("everyone", "pinned", "one"):
        scene.refused(ops.RequestClassify(request_id(name), "vip"), MIA)
    scene.refused(ops.RequestClassify(request_id("two"), "vip"), representative("ann"), Code.NOT_ALLOWED)
    service = Identity(ACCOUNT, "crm", Role.SERVICE)
    assert scene.ok(ops.RequestClassify(request_id("two"), "vip"), service).value["changed"] is True


def test_a_class_is_kept_when_its_request_is_sent_back() -> None:
    scene = classes()
    scene.classify("three", "vip")
    scene.hire("ann")
    session = scene.accept(offer_id("three"), "ann")
    scene.set("ann", "away")
    scene.ok(ops.SessionLeave(session), representative("ann"))
    assert stand(scene) == ["three", "one", "two"]
    assert scene.desk.state.router.lines["help"].moved_by == "sent_back"


def test_A13_what_the_page_says_goes_for_the_request_as_far_as_the_portal_still_has_it() -> None:
    scene = Scene()
    classes = [{"class": "vip", "boost_ms": 1000}]
    scene.ok(ops.PortalPut("help", "button", "queue", ["help"], classes=classes), MIA)
    needs = [{"skill": "german", "level": 5, "asked": True}, {"skill": "tax", "level": 5}]
    scene.ok(ops.SubportalPut("help", skills=needs), MIA)
    for number, (class_, expected) in enumerate(((None, None), ("gone", None), ("vip", "vip"))):
        said = Entry(class_=class_, skills=("german", "tax", "none"))
        visitor = attrs.evolve(customer(f"c{number}", "help"), entry=said)
        scene.ok(ops.RequestCreate("help"), visitor)
        made = scene.events(e.RequestCreated)[-1]
        assert isinstance(made, e.RequestCreated)
        assert (made.class_, made.boost, made.asked) == (expected, 1000 * (expected == "vip"), ("german",))
