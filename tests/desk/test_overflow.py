"""Overflow: where a request goes that its sub-portal can't serve, and that none is lost or goes in circles."""

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk import overflow
from broker.desk.state import Subportal
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, personal, representative, request_id, session_id
from tests.support.routed import MIA, Routed, routed
from tests.support.scene import of


def two(*rules: dict[str, object], **more: object) -> Routed:
    """``help`` overflows by these rules, ``far`` is of another portal; nobody is there for either."""
    scene = Routed()
    scene.entrance("help", "help", "near")
    scene.entrance("spill", "far")
    scene.tune("help", overflow=rules, **more)
    scene.team("blue", "help")
    scene.team("green", "far")
    return scene


def wait(after: int, to: str | None = "far") -> dict[str, object]:
    return {"on": "wait", "after_ms": after, **({} if to is None else {"to": to})}


def length(most: int, to: str | None = "far") -> dict[str, object]:
    return {"on": "length", "length": most, **({} if to is None else {"to": to})}


STAFFING: dict[str, object] = {"on": "staffing", "to": "far"}


def moves(scene: Routed) -> list[tuple[str, str, str]]:
    """(rule, from, to) of every request that was moved."""
    return [(m.rule, m.former, m.subportal) for m in scene.events(e.RequestMoved) if isinstance(m, e.RequestMoved)]


# --- wait --------------------------------------------------------------------------------------------


def test_wait_rules_come_by_their_time_whatever_the_order_of_the_list() -> None:
    portal = Subportal("help", "help", overflow=(("wait", 9, "a"), ("length", 2, "b"), ("wait", 5, None)))
    portal.overflow = (*portal.overflow, ("wait", 5, "c"), ("staffing", None, "d"))
    assert overflow.wait_rules(portal) == ((5, None), (5, "c"), (9, "a"))


def test_F1_a_request_that_has_waited_so_long_goes_on_under_the_same_name_and_age() -> None:
    scene = two(wait(30_000))
    scene.ask("carl")
    before = scene.desk.state.router.tickets[request_id("carl")].key
    assert scene.pass_time(30 * SECONDS - 1) == []
    (moved,) = scene.pass_time(1)
    assert isinstance(moved, e.RequestMoved)
    assert (moved.former, moved.subportal, moved.rule) == ("help", "far", "wait")
    request = scene.desk.state.requests[request_id("carl")]
    assert (request.subportal, request.portal, request.been, request.state) == ("far", "help", ("help",), "waiting")
    assert scene.desk.state.router.tickets[request_id("carl")].key == before
    assert (scene.line("help"), scene.line("far")) == ([], [request_id("carl")])
    scene.hire("ann", "green")
    assert scene.has("carl") == "ann"


def test_F22_a_request_that_is_moved_stands_by_its_age_among_those_who_are_there() -> None:
    scene = two(wait(30_000))
    scene.ask("old")
    scene.now += 1000
    scene.ask("young", "spill")
    scene.pass_time(30 * SECONDS)
    assert scene.names("far", "old", "young") == ["old", "young"]
    assert scene.desk.state.router.lines["far"].moved_by == "moved_in"


def test_a_request_may_be_converted_instead() -> None:
    scene = two(wait(30_000, None))
    scene.ask("carl")
    left, ended = scene.pass_time(30 * SECONDS)
    assert isinstance(left, e.QuestionLeft), "what it asked is kept for whoever answers"
    assert ended == e.RequestEnded(request_id("carl"), "v_carl", "converted")
    assert scene.desk.state.requests == {}
    assert scene.line() == []


def test_a_rule_that_cannot_apply_at_its_time_is_passed_over_for_good_and_the_next_one_tried() -> None:
    scene = two(wait(10_000), wait(20_000, "near"))
    scene.tune("far", max_waiting=1)
    scene.ask("full", "spill")
    scene.ask("carl")
    assert scene.pass_time(10 * SECONDS) == [e.OverflowPassed(request_id("carl"))]
    scene.ok(ops.RequestWithdraw(request_id("full")), customer("full", "spill"))
    assert scene.due("overflow", "carl") == 10 * SECONDS
    scene.pass_time(10 * SECONDS)
    assert moves(scene) == [("wait", "help", "near")]
    assert scene.due("overflow", "carl") is None


def test_a_request_that_is_offered_does_not_overflow_and_does_so_at_once_when_it_comes_back() -> None:
    scene = two(wait(10_000))
    scene.hire("ann")
    scene.ask("carl")
    assert scene.due("overflow", "carl") is None
    scene.pass_time(20 * SECONDS - 1)
    assert moves(scene) == []
    happened = scene.pass_time(1)
    assert [type(event) for event in happened] == [e.OfferEnded, e.RoundPaused, e.RequestMoved]
    assert scene.desk.state.deadlines.get("round", request_id("carl")) is None


def test_a_request_that_somebody_has_does_not_overflow_and_does_so_at_once_when_it_is_handed_back() -> None:
    scene = two(wait(10_000))
    scene.hire("ann")
    session = scene.assign("carl", "ann")
    scene.pass_time(60 * SECONDS)
    scene.ok(ops.SessionLeave(session), representative("ann"))
    assert scene.due("overflow", "carl") == -50 * SECONDS
    scene.pass_time(0)
    assert scene.line("far") == [request_id("carl")]


def test_who_refused_it_there_may_have_it_here_and_no_pause_or_hold_goes_with_it() -> None:
    scene = two(wait(15_000), sticky_ms=60_000)
    scene.team("blue", "help", "far")
    scene.hire("ann")
    scene.serve("carl", "ann")
    scene.assign("other", "ann")
    scene.ok(ops.RequestCreate("help", personal("?")), customer("carl"), "again")
    assert scene.due("sticky", "again") == 60 * SECONDS
    scene.pass_time(15 * SECONDS)
    assert (scene.due("sticky", "again"), scene.line("far")) == (None, [request_id("again")])
    refused = two(wait(5_000))
    refused.team("blue", "help", "far")
    refused.hire("ann")
    refused.ask("carl")
    refused.decline("carl")
    refused.pass_time(5 * SECONDS)
    assert refused.has("carl") == "ann"


def test_F1_rules_cannot_send_a_request_in_circles() -> None:
    scene = two(wait(10_000))
    scene.tune("far", overflow=[wait(20_000, "help"), wait(30_000, "near")])
    scene.tune("near", overflow=[wait(1_000, "far"), wait(40_000, "help")])
    scene.ask("carl")
    scene.pass_time(100 * SECONDS)
    assert moves(scene) == [("wait", "help", "far"), ("wait", "far", "near")]
    assert scene.desk.state.requests[request_id("carl")].been == ("help", "far")
    assert scene.line("near") == [request_id("carl")]


def test_the_rules_of_a_request_are_those_of_its_creation_and_again_of_its_move() -> None:
    scene = two(wait(10_000))
    scene.ask("carl")
    scene.tune("help")
    scene.tune("far", overflow=[wait(12_000, "near")])
    scene.pass_time(10 * SECONDS)
    scene.tune("far")
    scene.pass_time(2 * SECONDS)  # its arrival still counts
    assert moves(scene) == [("wait", "help", "far"), ("wait", "far", "near")]


def test_a_request_needs_in_its_new_place_what_that_place_says_for_its_age() -> None:
    scene = two(wait(30_000), skills=[{"skill": "tax", "level": 9, "asked": True}, {"skill": "law", "level": 1}])
    listed = [{"skill": "tax", "level": 5, "asked": True}, {"skill": "art", "level": 3}]
    relax = [{"after_ms": 20_000, "less": 2}, {"after_ms": 30_000, "less": 3}, {"after_ms": 40_000, "less": 4}]
    scene.tune("far", skills=listed, relax=relax)
    scene.request("carl", "help", None, "tax")
    scene.pass_time(30 * SECONDS)
    ticket, request = scene.desk.state.router.tickets[request_id("carl")], scene.desk.state.requests[request_id("carl")]
    assert (ticket.need, request.asked) == ((("tax", 2),), ("tax",))
    scene.pass_time(10 * SECONDS)
    assert ticket.need == (("tax", 1),)
    bare = two(wait(30_000), skills=listed)
    bare.request("carl", "help", None, "tax")
    bare.pass_time(30 * SECONDS)
    request = bare.desk.state.requests[request_id("carl")]
    assert (request.asked, bare.desk.state.router.tickets[request_id("carl")].need) == ((), ())


def test_a_moved_request_keeps_the_places_and_the_offer_time_of_its_portal() -> None:
    scene = two(wait(10_000))
    scene.entrance("help", "help", "near", places=2, offer_ms=5000)
    scene.hire("ann", "green")
    scene.ask("carl")
    scene.pass_time(10 * SECONDS)
    assert scene.has("carl") is None
    scene.employ("ann", "green", 2)
    assert scene.has("carl") == "ann"
    assert scene.pass_time(5 * SECONDS)[0].TYPE == "offer.ended"


def test_a_class_goes_with_its_request() -> None:
    scene = two(wait(30_000))
    scene.entrance("help", "help", "near", classes=[{"class": "vip", "boost_ms": 60_000}])
    scene.ask("early", "spill")
    scene.now += 10 * SECONDS
    scene.ask("carl")
    scene.classify("carl", "vip")
    scene.pass_time(30 * SECONDS)
    assert scene.names("far", "early", "carl") == ["carl", "early"]


# --- length ------------------------------------------------------------------------------------------


def test_a_request_that_finds_so_many_goes_elsewhere_at_once() -> None:
    scene = two(length(2))
    for name in ("one", "two"):
        scene.ask(name)
    handled = scene.request("three")
    assert [type(event) for event in of(handled)] == [e.RequestCreated, e.RequestMoved]
    assert handled.value["state"] == "waiting"
    assert (scene.names("help", "one", "two"), scene.line("far")) == (["one", "two"], [request_id("three")])
    assert moves(scene) == [("length", "help", "far")]


def test_it_is_offered_there_in_the_same_command() -> None:
    scene = two(length(1))
    scene.hire("ann", "green")
    scene.ask("one")
    handled = scene.request("two")
    assert (handled.value["state"], scene.has("two")) == ("offered", "ann")


def test_a_request_that_finds_so_many_may_be_converted() -> None:
    scene = two(length(1, None))
    scene.ask("one")
    handled = scene.request("two")
    assert (handled.value["state"], handled.value["existing"]) == ("converted", False)
    assert [type(event) for event in of(handled)] == [e.RequestCreated, e.QuestionLeft, e.RequestEnded]
    assert "r_two" not in scene.desk.state.requests


def test_the_first_rule_that_applies_wins_and_one_whose_target_is_full_is_skipped() -> None:
    scene = two(length(5, "near"), length(1), length(1, "near"))
    scene.tune("far", max_waiting=1)
    for name in ("one", "two", "three"):
        scene.ask(name)
    assert moves(scene) == [("length", "help", "far"), ("length", "help", "near")]


def test_a_full_line_refuses_only_what_no_rule_takes() -> None:
    scene = two(length(1), max_waiting=1)
    scene.tune("far", max_waiting=1)
    scene.ask("one")
    scene.ask("two")
    scene.refused(ops.RequestCreate(None, personal("?")), customer("three"), Code.QUEUE_FULL)
    assert moves(scene) == [("length", "help", "far")]


def test_the_rules_of_the_new_place_are_not_asked_at_the_move() -> None:
    scene = two(length(1))
    scene.tune("far", overflow=[length(1, "near"), {"on": "staffing", "to": "near"}])
    scene.ask("x", "spill")
    assert moves(scene) == [("staffing", "far", "near")]
    scene.ask("one")
    scene.ask("two")
    assert scene.line("far") == [request_id("two")]


# --- staffing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("presence", "goes"), [("available", False), ("away", False), ("offline", True)])
def test_a_request_goes_elsewhere_when_nobody_who_serves_it_is_signed_in(presence: str, goes: bool) -> None:  # noqa: FBT001
    scene = two(STAFFING)
    scene.hire("ann")
    scene.set("ann", presence)
    scene.ask("carl")
    assert scene.line("far") == ([request_id("carl")] if goes else [])


def test_somebody_who_is_lost_is_signed_in_until_given_up() -> None:
    scene = two(STAFFING)
    scene.hire("ann")
    scene.lose("ann")
    scene.ask("carl")
    assert scene.line("far") == []
    scene.pass_time(scene.desk.state.times.hold)
    assert scene.line("far") == [request_id("carl")]


def test_when_the_last_one_signs_out_those_who_wait_go_elsewhere_at_once_first_to_last() -> None:
    scene = two(STAFFING)
    scene.hire("ann")
    session = scene.assign("zero", "ann")
    for name in ("one", "two"):
        scene.ask(name)
    scene.set("ann", "offline", "hand_back")
    assert scene.desk.next_deadline() == scene.now
    happened = scene.pass_time(0)
    assert scene.desk.state.sessions[session].representative is None
    expected = [request_id(name) for name in ("zero", "one", "two")]
    assert [event.request for event in happened if isinstance(event, e.RequestMoved)] == expected
    assert scene.line("far") == expected


@pytest.mark.parametrize("how", ["team", "member"])
def test_a_team_that_serves_others_now_counts_as_gone(how: str) -> None:
    scene = two(STAFFING)
    scene.hire("ann")
    scene.assign("zero", "ann")
    scene.ask("one")
    if how == "team":
        scene.team("blue", "far")
    else:
        scene.employ("ann", "green")
    scene.pass_time(0)
    assert scene.line("far") == [request_id("one")]


def test_nothing_goes_if_somebody_is_there_again_or_the_rule_is_gone() -> None:
    for mend in ("back", "rule"):
        scene = two(STAFFING)
        scene.hire("ann")
        scene.assign("zero", "ann")
        scene.ask("one")
        scene.set("ann", "offline", "hand_back")
        if mend == "back":
            scene.set("ann", "away")
        else:
            scene.tune("help")
        assert scene.pass_time(0) == [e.LineUnstaffed("help", None)]
        assert len(scene.line("help")) == 2


def test_F1_many_go_in_slices_of_64_each_due_at_once() -> None:
    scene = two(STAFFING)
    scene.hire("ann")
    for number in range(150):
        scene.ask(f"c{number}")
    scene.set("ann", "offline")
    sizes = []
    while scene.fire(scene.now) is not None:
        sizes.append(len(scene.line("far")))
    assert sizes == [64, 128, 150]
    assert scene.line("far") == [request_id(f"c{number}") for number in range(150)]
    told = [event.upto is None for event in scene.events(e.LineUnstaffed) if isinstance(event, e.LineUnstaffed)]
    assert told == [False, False, True]


def test_a_target_that_is_full_counting_those_on_their_way_is_skipped() -> None:
    scene = two(STAFFING, {"on": "staffing", "to": "near"})
    scene.tune("far", max_waiting=2)
    scene.tune("near", max_waiting=1)
    scene.hire("ann")
    for name in ("one", "two", "three", "four"):
        scene.ask(name)
    scene.set("ann", "offline")
    scene.pass_time(0)
    assert scene.names("far", "one", "two") == ["one", "two"]
    assert (scene.names("near", "three"), scene.names("help", "four")) == (["three"], ["four"])
    assert scene.desk.state.deadlines.get("unstaffed", "help") is None


def test_those_who_wait_are_converted_where_the_rule_names_no_place() -> None:
    scene = two({"on": "staffing"})
    scene.hire("ann")
    scene.assign("zero", "ann")
    scene.ask("one")
    scene.end(session_id("zero"))
    scene.set("ann", "offline")
    assert e.RequestEnded(request_id("one"), "v_one", "converted") in scene.pass_time(0)
    assert of(scene.request("two"))[-1] == e.RequestEnded(request_id("two"), "v_two", "converted")


def test_a_request_that_is_handed_back_into_a_line_without_staff_goes_elsewhere() -> None:
    scene = two(STAFFING)
    scene.hire("bo", "green")
    scene.hire("ann")
    scene.set("bo", "away")
    scene.ask("carl")
    scene.ok(ops.CaseAssign("bo", request_id("carl")), MIA)
    scene.set("ann", "offline")
    assert scene.desk.next_deadline() is None or scene.desk.next_deadline() != scene.now
    scene.ok(ops.SessionLeave(session_id("carl")), representative("bo"))
    scene.pass_time(0)
    assert scene.line("far") == [request_id("carl")]


# --- what rules say ----------------------------------------------------------------------------------


def test_a_rules_target_that_is_gone_takes_nothing() -> None:
    scene = two(wait(10_000), length(1))
    scene.ask("one")
    scene.entrance("spill", "other")
    scene.ask("two")
    assert scene.pass_time(10 * SECONDS)[0] == e.OverflowPassed(request_id("one"))
    assert len(scene.line("help")) == 2


@pytest.mark.parametrize("change", ["mode", "subportals"])
def test_a_portal_in_which_moved_requests_wait_is_in_use(change: str) -> None:
    scene = two(wait(10_000))
    scene.ask("carl")
    scene.pass_time(10 * SECONDS)
    mode, names = ("web", ["far"]) if change == "mode" else ("queue", ["other"])
    refusal = scene.refused(ops.PortalPut("spill", "ask", mode, names), MIA)
    assert (refusal.detail or {})["state"] == "in_use"
    scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
    scene.ok(ops.PortalPut("spill", "ask", mode, names), MIA)


def test_a_sub_portal_that_is_dropped_while_its_staff_is_waited_for_is_forgotten_whole() -> None:
    scene = two(STAFFING)
    scene.hire("ann")
    scene.ask("one")
    scene.set("ann", "offline")
    scene.ok(ops.RequestWithdraw(request_id("one")), customer("one"))
    scene.entrance("help", "near")
    assert scene.desk.state.deadlines.get("unstaffed", "help") is None


def test_a_guest_in_its_line_does_not_keep_a_portal_from_changing_its_own_places() -> None:
    scene = routed()
    scene.entrance("spare")
    scene.tune(overflow=[{"on": "staffing", "to": "spare"}])
    scene.ask("carl")
    assert scene.line("spare") == [request_id("carl")]
    scene.entrance("spare", places=2)
    scene.refused(ops.PortalPut("spare", "ask", "queue", ["other"], places=2), MIA)
    scene.refused(ops.PortalPut("spare", "ask", "web", ["spare"], places=2), MIA)
    scene.refused(ops.PortalPut("help", "ask", "queue", ["help"], places=2), MIA)


def test_a_staffing_rule_that_is_set_while_nobody_is_there_takes_those_who_wait() -> None:
    scene = routed()
    scene.entrance("spare")
    scene.ask("carl")
    scene.tune(overflow=[{"on": "staffing", "to": "spare"}])
    scene.pass_time(0)
    assert (scene.line("help"), scene.line("spare")) == ([], [request_id("carl")])
