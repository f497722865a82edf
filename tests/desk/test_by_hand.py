"""Requests taken or given by hand."""

from __future__ import annotations

from typing import Any

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.commands import BrokerStart
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import (
    START,
    customer,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.routed import MIA, Routed
from tests.support.scene import of

ANN, BO = representative("ann"), representative("bo")


def office(*names: str, take: str = "any", capacity: int = 1, **more: Any) -> Routed:
    """``away`` ones may take what waits; nobody is offered anything."""
    scene = Routed()
    scene.entrance("help", take=take, **more)
    scene.team("blue", "help")
    for name in names:
        scene.hire(name, capacity=capacity)
        scene.set(name, "away")
    return scene


def take(name: str) -> ops.CaseTake:
    return ops.CaseTake(request_id(name))


def give(name: str, to: str) -> ops.CaseAssign:
    return ops.CaseAssign(to, request_id(name))


def state_of(refusal: object) -> object:
    return (getattr(refusal, "detail", None) or {}).get("state")


# --- taken -------------------------------------------------------------------------------------------


def test_a_representative_takes_what_waits_whatever_its_place() -> None:
    scene = office("ann")
    for name in ("one", "two"):
        scene.ask(name)
    scene.now += 5000
    handled = scene.ok(take("two"), ANN)
    assert handled.value == {"request": request_id("two"), "session": session_id("two")}
    (assigned,) = of(handled)
    assert isinstance(assigned, e.RequestAssigned)
    assert (assigned.kind, assigned.offer, assigned.representative, assigned.load) == ("taken", None, "ann", 1)
    assert scene.names("help", "one") == ["one"]
    assert scene.desk.state.router.members["ann"].idle_since == scene.now


def test_taking_costs_no_turn_no_number_and_no_tag() -> None:
    scene = office("ann", "bo")
    scene.tune("help", policy="weighted")
    scene.ask("one")
    router = scene.desk.state.router
    before = (router.turns, dict(router.members["ann"].pool.tags), router.members["ann"].pool.pace)
    scene.ok(take("one"), ANN)
    assert (router.turns, dict(router.members["ann"].pool.tags), router.members["ann"].pool.pace) == before
    assert (router.members["ann"].turn, router.members["ann"].tag) == (0, 0)


def test_a_portal_says_whether_anything_may_be_taken() -> None:
    scene = office("ann", take="off")
    scene.ask("one")
    scene.refused(take("one"), ANN, Code.NOT_ALLOWED)
    scene.entrance("help", take="head")
    scene.ok(take("one"), ANN)


def test_with_head_only_the_first_of_a_line_may_be_taken_offered_ones_counted() -> None:
    scene = office("ann", "bo", take="head")
    for name in ("one", "two"):
        scene.ask(name)
    assert state_of(scene.refused(take("two"), ANN)) == "not_first"
    scene.set("bo", "available")
    assert scene.has("one") == "bo"
    assert state_of(scene.refused(take("two"), ANN)) == "not_first"
    scene.ok(take("one"), ANN)
    scene.set("bo", "away")
    scene.employ("ann", capacity=2)
    scene.ok(take("two"), ANN)


def test_with_head_the_class_decides_who_is_first() -> None:
    scene = office("ann", take="head", classes=[{"class": "vip", "boost_ms": 60_000}])
    for name in ("one", "two"):
        scene.ask(name)
    scene.classify("two", "vip")
    assert state_of(scene.refused(take("one"), ANN)) == "not_first"
    scene.ok(take("two"), ANN)


def test_head_is_a_matter_of_lines_alone() -> None:
    scene = office("ann", "bo", take="head")
    scene.entrance("all", mode="web", take="head")
    scene.team("blue", "help", "all")
    scene.ask("one", "all")
    scene.ask("two", "all")
    scene.ok(take("two"), ANN)
    ended = scene.events(e.OfferEnded)[-1]
    assert isinstance(ended, e.OfferEnded)
    assert (ended.reason, ended.representative) == ("rescinded", None)
    scene.refused(ops.OfferAccept(offer_id("two")), BO, Code.OFFER_GONE)


@pytest.mark.parametrize("why", ["nothing", "pin", "not served", "nobody", "ended"])
def test_what_is_not_there_for_its_asker_cannot_be_taken(why: str) -> None:
    scene = office("ann", "bo")
    scene.entrance("phone", kind="pin", mode="phone", take="any")
    scene.entrance("other", take="any")
    scene.team("blue", "help", "phone")
    scene.ask("carl", "other" if why == "not served" else "help")
    name, who = "carl", ANN
    match why:
        case "nothing":
            name = "nobody-asked"
        case "pin":
            pin = str(scene.ok(ops.PinCreate(), BO).secret["pin"])
            scene.ok(ops.PinRedeem(pin), customer("x", "phone"), "pinned")
            name = "pinned"
        case "nobody":
            who = representative("nobody")
        case "ended":
            scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
        case _:
            pass
    code = {"nobody": Code.NOT_ALLOWED, "ended": Code.WRONG_STATE}.get(why, Code.NO_SUCH)
    scene.refused(take(name), who, code)


def test_what_somebody_has_cannot_be_taken_or_given() -> None:
    scene = office("ann", "bo")
    scene.ask("one")
    scene.ok(take("one"), ANN)
    assert state_of(scene.refused(take("one"), BO)) == "assigned"
    assert state_of(scene.refused(give("one", "bo"), MIA)) == "assigned"


@pytest.mark.parametrize("presence", ["offline", "reconnecting", "restarted"])
def test_who_is_not_there_takes_nothing_and_is_given_nothing(presence: str) -> None:
    scene = office("ann")
    scene.ask("one")
    if presence == "offline":
        scene.set("ann", "offline")
    elif presence == "reconnecting":
        scene.lose("ann")
    else:
        scene.ok(BrokerStart())
    expected = "offline" if presence == "offline" else "reconnecting"
    assert state_of(scene.refused(take("one"), ANN)) == expected
    assert state_of(scene.refused(give("one", "ann"), MIA)) == expected


def test_F4_who_has_no_room_takes_nothing_and_is_given_nothing_but_its_own_offer_is_room() -> None:
    scene = office("ann", capacity=3, places=2)
    scene.ask("one")
    scene.ask("two")
    scene.set("ann", "available")
    assert scene.has("one") == "ann"
    assert state_of(scene.refused(take("two"), ANN)) == "full"
    assert state_of(scene.refused(give("two", "ann"), MIA)) == "full"
    scene.ok(take("one"), ANN)
    assert scene.desk.state.router.members["ann"].load == 2
    assert scene.desk.state.router.members["ann"].offers == 0
    assert state_of(scene.refused(give("two", "ann"), MIA)) == "full"


# --- given -------------------------------------------------------------------------------------------


def test_a_manager_gives_a_request_to_somebody_who_does_not_even_serve_it() -> None:
    scene = office("ann", take="off")
    scene.team("red")
    scene.employ("ann", "red")
    scene.ask("one")
    handled = scene.ok(give("one", "ann"), MIA)
    assert handled.value == {"request": request_id("one"), "session": session_id("one")}
    assert [getattr(event, "kind", None) for event in of(handled)] == ["given"]


def test_what_is_given_must_be_there_and_so_must_whoever_gets_it() -> None:
    scene = office("ann", "bo")
    scene.entrance("phone", kind="pin", mode="phone")
    scene.refused(give("nothing", "ann"), MIA, Code.NO_SUCH)
    pin = str(scene.ok(ops.PinCreate(), BO).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("x", "phone"), "pinned")
    scene.refused(give("pinned", "ann"), MIA, Code.NO_SUCH)
    scene.ask("one")
    refusal = scene.refused(give("one", "nobody"), MIA, Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.representative"
    for who in (ANN, customer("one")):
        scene.refused(give("one", "ann"), who, Code.NOT_ALLOWED)
    for who in (manager(), customer("one")):
        scene.refused(take("one"), who, Code.NOT_ALLOWED)


def test_F2_the_offer_that_is_out_is_rescinded_and_refunded_and_nobody_counts_as_having_refused() -> None:
    scene = office("ann", "bo")
    scene.set("ann", "available")
    scene.ask("one")
    ended, assigned = of(scene.ok(give("one", "bo"), MIA))
    assert isinstance(ended, e.OfferEnded)
    assert (ended.reason, ended.representative, assigned.TYPE) == ("rescinded", "ann", "request.assigned")
    ticket = scene.desk.state.router.tickets[request_id("one")]
    assert ticket.refused == frozenset()
    assert set(scene.desk.state.router.members["ann"].pool.tags.values()) <= {0}
    refusal = scene.refused(ops.OfferAccept(offer_id("one")), ANN, Code.OFFER_GONE)
    assert (refusal.detail or {})["reason"] == "rescinded"


def test_missed_offers_are_not_forgotten_by_taking_something() -> None:
    scene = office("ann", capacity=2)
    scene.set("ann", "available")
    scene.ask("one")
    scene.pass_time(20 * SECONDS)
    assert scene.desk.state.representatives["ann"].missed == 1
    scene.ok(take("one"), ANN)
    assert scene.desk.state.representatives["ann"].missed == 1


def test_a_pick_that_is_given_to_another_tells_nobody_that_its_target_is_gone() -> None:
    scene = Routed()
    scene.entrance("own", kind="pick", mode="web", take="any")
    scene.team("blue", "own")
    for name in ("ann", "bo"):
        scene.hire(name)
    scene.ask("one", "own", pick="ann")
    scene.ok(give("one", "bo"), MIA)
    assert scene.events(e.RequestUnplaced) == []
    assert scene.desk.state.requests[request_id("one")].target == "ann"
    scene.ask("two", "own", pick="ann")
    scene.ask("three", "own", pick="ann")  # waits for ann, who has an offer
    scene.employ("bo", capacity=2)
    scene.ok(take("three"), BO)
    assert list(scene.desk.state.router.members["ann"].direct) == []
    scene.ok(ops.SessionLeave(session_id("three")), BO)
    assert scene.desk.state.requests[request_id("three")].target is None


def test_all_that_it_waited_for_ends_with_the_assignment_and_it_may_be_handed_back() -> None:
    scene = office("ann", "bo")
    scene.entrance("spill")
    overflow = [{"on": "wait", "after_ms": 50_000, "to": "spill"}]
    skills, relax = [{"skill": "tax", "level": 4}], [{"after_ms": 40_000, "less": 4}]
    scene.tune("help", skills=skills, relax=relax, overflow=overflow)
    scene.ask("one")
    assert (scene.due("relax", "one"), scene.due("overflow", "one")) == (40_000, 50_000)
    scene.ok(take("one"), ANN)
    assert (scene.due("relax", "one"), scene.due("overflow", "one")) == (None, None)
    scene.pass_time(10 * SECONDS)
    scene.ok(ops.SessionLeave(session_id("one")), ANN)
    assert (scene.due("relax", "one"), scene.due("overflow", "one")) == (30_000, 40_000)
    assert scene.names("help", "one") == ["one"]


def test_a_request_between_rounds_can_be_taken() -> None:
    scene = office("ann", "bo")
    scene.set("ann", "available")
    scene.ask("one")
    scene.decline("one")
    assert len(scene.events(e.RoundPaused)) == 1
    scene.ok(take("one"), BO)
    assert scene.pass_time(60 * SECONDS) == []


def test_what_was_moved_to_a_line_that_one_serves_can_be_taken_as_its_portal_says() -> None:
    scene = office("ann", take="any")
    scene.entrance("spill", take="off")
    scene.tune("help", overflow=[{"on": "length", "length": 1, "to": "spill"}])
    scene.team("blue", "spill")
    scene.ask("one")
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "two")
    scene.refused(take("one"), ANN, Code.NO_SUCH)
    scene.ok(take("two"), ANN)


def test_a_line_is_listed_for_those_who_may_take_from_it() -> None:
    scene = office("ann", take="head")
    scene.portal("other", "ask", "queue")
    for name in ("one", "two", "three"):
        scene.ask(name)
        scene.pass_time(1000)
    told = scene.ok(ops.CaseList("help", 2), representative("ann")).value
    assert told["waiting"] == 3
    found = told["requests"]
    assert isinstance(found, list)
    assert [(one["request"], one["position"], one["state"], one["class"]) for one in found] == [
        (request_id("two"), 2, "waiting", "normal"),
        (request_id("three"), 3, "waiting", "normal"),
    ]
    assert [one["arrived"] for one in found] == [START + 1000, START + 2000]
    assert all(one["text"] is not None for one in found)
    overseen = scene.ok(ops.CaseList("help"), manager()).value["requests"]
    assert isinstance(overseen, list)
    assert len(overseen) == 3
    assert not any({"name", "text"} & set(one) for one in overseen)
    scene.refused(ops.CaseList("nowhere"), manager(), Code.NO_SUCH)
    scene.refused(ops.CaseList("other"), representative("ann"), Code.NO_SUCH)
    scene.refused(ops.CaseList("help"), representative("nobody"), Code.NOT_ALLOWED)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"]), manager())
    scene.refused(ops.CaseList("help"), representative("ann"), Code.NOT_ALLOWED)


def test_a_page_of_a_line_is_bounded() -> None:
    scene = office()
    for number in range(limits.LISTED_CASES + 1):
        scene.ask(f"n{number}")
    told = scene.ok(ops.CaseList("help"), manager()).value
    assert (told["waiting"], len(told["requests"])) == (limits.LISTED_CASES + 1, limits.LISTED_CASES)  # type: ignore[arg-type]
