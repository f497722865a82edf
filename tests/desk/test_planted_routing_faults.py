"""Faults planted in the rules of routing: classes, skills, holds, places, overflow, wrap-ups, work by hand. Each is
found by a check or by a property. ``test_planted_faults`` has the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from broker.desk import by_hand, invariants, offers, overflow, presence, skills, waits, wrap_up
from broker.desk import events as e
from broker.desk.invariants import InvariantBroken
from broker.desk.rules import EVOLVE
from broker.desk.state import Session, State
from broker.protocol import ops
from broker.routing import fairness, matching, pools
from broker.routing.model import Key, Line, Member, Pool, make_key
from broker.routing.policies import LongestIdle
from broker.routing.router import Router
from broker.units import SECONDS
from tests.desk import test_routing_properties as properties
from tests.desk.test_planted_faults import breaks
from tests.support.builders import customer, personal, representative, request_id, session_id
from tests.support.routed import MIA, Routed, routed

Patch = pytest.MonkeyPatch
GERMAN = [{"skill": "german", "level": 5}]
VIP = [{"class": "vip", "boost_ms": 60_000}]
AWAY = [{"on": "wait", "after_ms": 10_000, "to": "far"}]


def found(prove: Callable[..., object]) -> None:
    """The property fails, or a check within it."""
    with pytest.raises((AssertionError, InvariantBroken)):
        prove()


def by_some_seed(prove: Any, **more: object) -> Callable[[], object]:
    """The property over a few seeds, quickly: nobody wants to read the smallest example."""
    return lambda: [prove.hypothesis.inner_test(seed=seed, **more) for seed in range(40)]


def unchecked(monkeypatch: Patch) -> None:
    """Only the ledger looks: what it knows, it knows by itself."""
    monkeypatch.setattr(invariants, "check", lambda state, *, lowered=(): None)


def spilling(**more: Any) -> Routed:
    scene = Routed()
    scene.entrance("help", classes=VIP, **more)
    scene.entrance("spill", "far")
    scene.tune("help", overflow=AWAY)
    scene.team("blue", "help")
    scene.team("green", "far")
    return scene


def sticky() -> Routed:
    """ann has served carl, who has asked again; she is busy, and bo is free."""
    scene = routed("ann", sticky_ms=60_000)
    scene.serve("carl", "ann")
    scene.assign("other", "ann")
    scene.hire("bo")
    return scene


def again(scene: Routed) -> None:
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "again")


# --- F7 ----------------------------------------------------------------------------------------------


def test_F7_caught_a_class_that_changes_nothing(monkeypatch: Patch) -> None:
    scene = spilling()
    for name in ("one", "two"):
        scene.ask(name)
    monkeypatch.setattr(Router, "rekey", lambda router, request, key: None)
    unchecked(monkeypatch)
    breaks("F6", lambda: scene.classify("two", "vip"))


def test_F7_caught_a_head_that_is_not_found_anew_after_a_reclassification(monkeypatch: Patch) -> None:
    scene = spilling()
    for name in ("one", "two"):
        scene.ask(name)
    real = matching.match_line

    def by_number(line: Line, pool: Pool) -> matching.Found | None:
        found = real(line, pool)
        return None if found is None else (min(line.waiting, key=lambda key: key[1]), found[1])

    scene.classify("two", "vip")
    unchecked(monkeypatch)
    monkeypatch.setattr(matching, "match_line", by_number)
    breaks("F7", lambda: scene.hire("ann"))


def test_F7_caught_a_boost_that_never_ends(monkeypatch: Patch) -> None:

    def first_of_all(arrived: int, number: int, request: str, boost: int = 0) -> Key:
        return make_key(arrived if not boost else 0, number, request)

    monkeypatch.setattr("broker.desk.requests.make_key", first_of_all)
    unchecked(monkeypatch)
    found(properties.test_F7_an_overtaking_is_bounded_by_the_largest_boost)


def test_F22_caught_a_line_that_tells_a_wrong_reason(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.ask("old")
    scene.now += 1000
    scene.ask("young", "spill")
    real = Router._join_line
    monkeypatch.setattr(Router, "_join_line", lambda router, ticket, why: real(router, ticket, "sent_back"))
    breaks("F22", lambda: scene.pass_time(10 * SECONDS))


# --- skills ------------------------------------------------------------------------------------------


def test_F5_caught_somebody_who_is_offered_what_it_cannot_do(monkeypatch: Patch) -> None:
    scene = routed(skills=GERMAN)
    monkeypatch.setattr(Member, "meets", lambda member, want: True)
    unchecked(monkeypatch)
    scene.hire("ann")
    breaks("skills", lambda: scene.ask("carl"))


def test_F5_caught_skills_that_are_asked_of_nobody_by_the_state_alone(monkeypatch: Patch) -> None:
    scene = routed(skills=GERMAN)
    monkeypatch.setattr(Member, "meets", lambda member, want: True)
    monkeypatch.setattr(scene.ledger.__class__, "see", lambda ledger, desk, records, lowered: None)
    scene.ask("carl")
    breaks("F4", lambda: scene.hire("ann"))


def test_F5_caught_a_need_that_relaxes_unnoticed(monkeypatch: Patch) -> None:
    scene = routed("ann", skills=GERMAN, relax=[{"after_ms": 30_000, "less": 5}])
    scene.ask("carl")
    monkeypatch.setattr(Router, "_mark", lambda router, line: None)
    breaks("F5", lambda: scene.pass_time(30 * SECONDS))


def test_F5_caught_a_need_that_never_relaxes(monkeypatch: Patch) -> None:
    scene = routed("ann", skills=GERMAN, relax=[{"after_ms": 30_000, "less": 5}])
    monkeypatch.setattr(waits, "arm", lambda state, request: None)
    breaks("F5", lambda: scene.ask("carl"))


def test_a_need_that_is_worked_out_wrongly_is_caught(monkeypatch: Patch) -> None:
    scene = routed(skills=[{"skill": "tax", "level": 3, "asked": True}])
    monkeypatch.setattr(skills, "need", lambda subportal, asked, less=0: ())
    breaks("skills", lambda: scene.request("carl", "help", None, "tax"))


def test_F6_caught_a_group_that_is_looked_at_before_an_older_one(monkeypatch: Patch) -> None:
    real = matching._kinds
    monkeypatch.setattr(matching, "_kinds", lambda line, pool: sorted(real(line, pool), reverse=True)[:1])
    scene = routed(skills=[{"skill": "tax", "level": 1, "asked": True}])
    scene.request("plain")
    scene.request("picky", "help", None, "tax")
    unchecked(monkeypatch)
    breaks("F7", lambda: scene.hire("ann", tax=1))


# --- sticky ------------------------------------------------------------------------------------------


def test_sticky_caught_a_hold_that_others_are_offered(monkeypatch: Patch) -> None:
    scene = sticky()
    real = Router.add_ticket

    def forgetful(router: Router, ticket: Any) -> None:
        ticket.held = None
        real(router, ticket)

    monkeypatch.setattr(Router, "add_ticket", forgetful)
    unchecked(monkeypatch)
    breaks("sticky", lambda: again(scene))


def test_sticky_caught_a_hold_that_does_not_end_at_its_time(monkeypatch: Patch) -> None:
    scene = sticky()
    again(scene)
    scene.desk.state.deadlines.set("sticky", request_id("again"), None)
    unchecked(monkeypatch)
    breaks("sticky", lambda: (scene.pass_time(61 * SECONDS) and None) or (scene.ask("late") and None))


def test_F5_caught_the_same_by_the_state_alone(monkeypatch: Patch) -> None:
    scene = sticky()
    again(scene)
    scene.desk.state.deadlines.set("sticky", request_id("again"), None)
    breaks("F5", lambda: invariants.check(scene.desk.state))


def test_sticky_caught_a_hold_for_somebody_who_has_gone(monkeypatch: Patch) -> None:
    scene = sticky()
    again(scene)
    monkeypatch.setattr(offers, "_release", lambda state, person, subportals: [])
    unchecked(monkeypatch)
    breaks("sticky", lambda: scene.set("ann", "away"))


def test_sticky_caught_a_hold_that_its_own_member_is_not_offered(monkeypatch: Patch) -> None:
    scene = sticky()
    again(scene)
    monkeypatch.setattr(pools, "call", lambda member, line: None)
    breaks("F5", lambda: scene.end(session_id("other")))


def test_sticky_caught_a_hold_that_outlives_the_offer_that_came_back(monkeypatch: Patch) -> None:
    scene = sticky()
    again(scene)
    scene.end(session_id("other"))
    monkeypatch.setattr(waits, "end_hold", lambda state, request: None)
    breaks("F5", lambda: scene.decline("again"))


# --- places ------------------------------------------------------------------------------------------


def test_F4_caught_places_that_count_as_one(monkeypatch: Patch) -> None:
    scene = Routed()
    scene.entrance("help", places=2)
    scene.team("blue", "help")
    scene.hire("ann", capacity=3)
    monkeypatch.setattr(offers, "places_of", lambda state, request: 1)
    breaks("F4", lambda: scene.ask("one"))


def test_F4_caught_an_offer_for_which_there_is_not_room_enough(monkeypatch: Patch) -> None:
    scene = Routed()
    scene.entrance("help", places=2)
    scene.team("blue", "help")
    monkeypatch.setattr(Member, "takes", lambda member, places: member.available)
    monkeypatch.setattr(pools, "rerank", _roomy(pools.rerank))
    unchecked(monkeypatch)
    scene.hire("ann", capacity=3)
    scene.ask("one")
    breaks("F4", lambda: scene.ask("two"))


def _roomy(real: Callable[..., bool]) -> Callable[..., bool]:
    def rerank(member: Member, lines: Any) -> bool:
        offered, member.offers = member.offers, 0
        try:
            return real(member, lines)
        finally:
            member.offers = offered

    return rerank


def test_F4_caught_offers_that_stay_when_a_capacity_is_lowered(monkeypatch: Patch) -> None:
    scene = routed("ann", capacity=2)
    for name in ("one", "two"):
        scene.ask(name)
    monkeypatch.setattr(offers, "make_fit", lambda state, person, capacity, ended: [])
    breaks("F4", lambda: scene.employ("ann", capacity=1))


# --- wrap-up -----------------------------------------------------------------------------------------


def wrapping() -> Routed:
    scene = Routed()
    scene.entrance("help", wrap_up_ms=30_000)
    scene.team("blue", "help")
    scene.hire("ann")
    scene.assign("one", "ann")
    return scene


def test_F4_caught_a_wrap_up_that_takes_no_place(monkeypatch: Patch) -> None:
    scene = wrapping()
    real = wrap_up.begin

    def free(state: State, session: Session, until: int, places: int) -> None:
        real(state, session, until, places)
        state.router.add_load(session.lead, -places, 0)

    monkeypatch.setattr(wrap_up, "begin", free)
    breaks("F4", lambda: scene.end(session_id("one")))


def test_F4_caught_a_wrap_up_that_never_ends(monkeypatch: Patch) -> None:
    scene = wrapping()
    scene.end(session_id("one"))
    scene.desk.state.deadlines.set("wrap_up", session_id("one"), None)
    breaks("F4", lambda: invariants.check(scene.desk.state))
    unchecked(monkeypatch)
    scene.now += 31 * SECONDS
    breaks("F4", lambda: scene.ask("two"))


def test_F4_caught_a_wrap_up_that_survives_a_sign_out(monkeypatch: Patch) -> None:
    scene = wrapping()
    scene.end(session_id("one"))
    monkeypatch.setattr(wrap_up, "end_all", lambda state, person: [])
    breaks("F4", lambda: scene.set("ann", "offline"))


def test_F12_caught_an_idle_clock_that_begins_at_the_end_of_the_session_and_not_of_the_wrap_up(
    monkeypatch: Patch,
) -> None:
    real = wrap_up.begin

    def eager(state: State, session: Session, until: int, places: int) -> None:
        real(state, session, until, places)
        state.router.members[session.lead].idle_since += 1

    monkeypatch.setattr(wrap_up, "begin", eager)
    unchecked(monkeypatch)
    found(by_some_seed(properties.test_F12_the_idle_clock_begins_with_work_and_breaks_and_survives_everything_else))


# --- F12, F14 ----------------------------------------------------------------------------------------


def test_F12_caught_a_reconnect_that_resets_the_idle_clock(monkeypatch: Patch) -> None:
    back = presence.representative_back

    def rested(state: State, event: e.RepresentativeBack, t: int) -> None:
        back(state, event, t)
        person = state.representatives[event.representative]
        state.router.set_available(event.representative, t, available=person.available, rested=True)

    from tests.desk.test_presence import test_F12_the_idle_time_survives_a_reconnect_and_a_restart_and_decides

    monkeypatch.setitem(EVOLVE, e.RepresentativeBack, rested)
    found(test_F12_the_idle_time_survives_a_reconnect_and_a_restart_and_decides)
    found(by_some_seed(properties.test_F12_the_idle_clock_begins_with_work_and_breaks_and_survives_everything_else))


def test_F12_caught_the_shortest_idle_chosen(monkeypatch: Patch) -> None:
    from tests.desk.test_presence import test_F12_the_idle_time_survives_a_reconnect_and_a_restart_and_decides

    monkeypatch.setattr(LongestIdle, "rank", lambda self, member: (-member.idle_since, 0, member.id))
    found(test_F12_the_idle_time_survives_a_reconnect_and_a_restart_and_decides)


def test_F14_caught_weights_that_are_ignored(monkeypatch: Patch) -> None:
    real = fairness.pass_on

    def equal(pool: Pool, member: Member) -> None:
        weight, member.weight = member.weight, 1
        real(pool, member)
        member.weight = weight

    monkeypatch.setattr(fairness, "pass_on", equal)
    found(by_some_seed(properties.test_F14_those_who_are_there_throughout_get_what_their_weights_say, weights=[1, 5]))


def test_F14_caught_one_who_catches_up_on_what_it_missed(monkeypatch: Patch) -> None:
    def without_a_pace(pool: Pool, member: Member) -> None:
        member.tag += fairness.UNIT // member.weight

    monkeypatch.setattr(fairness, "pass_on", without_a_pace)
    found(properties.test_F14_who_comes_back_is_not_flooded_and_nobody_catches_up)


def test_F14_caught_a_newcomer_who_begins_at_nothing(monkeypatch: Patch) -> None:
    real = pools.join

    def from_nothing(pool: Pool, member: Member) -> None:
        real(pool, member)
        member.tag = -(10**9)

    monkeypatch.setattr(pools, "join", from_nothing)
    monkeypatch.setattr(fairness, "pass_on", _slow(fairness.pass_on))
    found(properties.test_F14_who_comes_back_is_not_flooded_and_nobody_catches_up)


def _slow(real: Callable[[Pool, Member], None]) -> Callable[[Pool, Member], None]:
    def pass_on(pool: Pool, member: Member) -> None:
        tag = member.tag
        real(pool, member)
        member.tag = min(member.tag, tag + fairness.UNIT // member.weight)

    return pass_on


# --- by hand -----------------------------------------------------------------------------------------


def test_F2_caught_a_request_given_while_its_offer_is_out(monkeypatch: Patch) -> None:
    scene = routed("ann", "bo")
    scene.ask("one")
    monkeypatch.setattr(offers, "end", lambda state, offer, reason, code=None: [])
    with pytest.raises(InvariantBroken):
        scene.ok(ops.CaseAssign("bo", request_id("one")), MIA)


def test_F4_caught_a_request_taken_without_room(monkeypatch: Patch) -> None:
    scene = routed("ann")
    scene.entrance("help", take="any")
    scene.assign("zero", "ann")
    scene.ask("one")
    monkeypatch.setattr(by_hand, "_cannot", lambda state, request, person: None)
    breaks("F4", lambda: scene.ok(ops.CaseTake(request_id("one")), representative("ann")))


def test_F2_caught_a_request_taken_from_somebody(monkeypatch: Patch) -> None:
    scene = routed("ann", "bo")
    scene.assign("one", "ann")
    monkeypatch.setattr(by_hand, "_cannot", lambda state, request, person: None)
    with pytest.raises(Exception, match=r"assigned|F2"):
        scene.ok(ops.CaseAssign("bo", request_id("one")), MIA)


# --- overflow ----------------------------------------------------------------------------------------


def test_F1_caught_a_request_that_is_lost_on_its_way(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.ask("one")
    real = Router.move

    def lost(router: Router, request: str, subportal: str, need: Any) -> None:
        real(router, request, subportal, need)
        router.lines[subportal].order.clear()

    monkeypatch.setattr(Router, "move", lost)
    breaks("F6", lambda: scene.pass_time(10 * SECONDS))


def test_F1_caught_the_same_by_the_state_alone(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.ask("one")
    scene.pass_time(10 * SECONDS)
    scene.desk.state.router.lines["far"].order.clear()
    breaks("F1", lambda: invariants.check(scene.desk.state))


def test_F1_caught_rules_that_send_a_request_in_circles(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.tune("far", overflow=[{"on": "wait", "after_ms": 20_000, "to": "help"}])
    scene.ask("one")
    scene.pass_time(10 * SECONDS)
    monkeypatch.setattr(overflow, "_can_go", lambda state, to, been, coming=0: True)
    breaks("F1", lambda: scene.pass_time(10 * SECONDS))


def test_F1_caught_an_overflow_that_nothing_wakes(monkeypatch: Patch) -> None:
    scene = spilling()
    monkeypatch.setattr(waits, "arm_overflow", lambda state, request: None)
    breaks("F1", lambda: scene.ask("one"))


def test_F6_caught_a_moved_request_that_is_put_at_the_end(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.ask("old")
    scene.now += 1000
    scene.ask("young", "spill")
    real = Router.move

    def at_the_end(router: Router, request: str, subportal: str, need: Any) -> None:
        real(router, request, subportal, need)
        router.rekey(request, (10**15, 0, request))

    monkeypatch.setattr(Router, "move", at_the_end)
    unchecked(monkeypatch)
    breaks("F6", lambda: scene.pass_time(10 * SECONDS))


def test_F5_caught_a_hold_that_goes_along(monkeypatch: Patch) -> None:
    scene = sticky()
    scene.entrance("spill", "far")
    scene.tune("help", sticky_ms=60_000, overflow=AWAY)
    again(scene)
    monkeypatch.setattr(waits, "end_hold", lambda state, request: None)
    breaks("F5", lambda: scene.pass_time(10 * SECONDS))


# --- set away, F16, F17, F21, F23 --------------------------------------------------------------------


def test_F18_caught_one_who_is_set_away_and_keeps_offers(monkeypatch: Patch) -> None:
    scene = routed("ann", capacity=2)
    scene.ok(ops.TeamPut("blue", ["help"], away_after=1), MIA)
    scene.ask("one")
    scene.pass_time(SECONDS)
    scene.ask("two")
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person, ended=None: [])
    breaks("F18", lambda: scene.pass_time(19 * SECONDS))


def test_F16_caught_a_round_that_forgets_who_refused(monkeypatch: Patch) -> None:
    scene = routed("ann", "bo", skills=GERMAN)
    for name in ("ann", "bo"):
        scene.employ(name, german=5)
    scene.ask("one")
    real = Router.returned
    monkeypatch.setattr(Router, "returned", lambda router, request, refused_by: real(router, request, None))
    unchecked(monkeypatch)
    breaks("F16", lambda: scene.decline("one"))


def test_F17_caught_one_who_is_lost_and_keeps_offers(monkeypatch: Patch) -> None:
    scene = routed("ann")
    scene.ask("one")
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person, ended=None: [])
    unchecked(monkeypatch)
    breaks("F17", lambda: scene.lose("ann"))


@pytest.mark.parametrize("what", ["hold", "class", "step", "wrap_up", "tag", "unstaffed", "been"])
def test_F21_caught_a_snapshot_that_leaves_something_out(what: str) -> None:
    from tests.support.agreement import reloaded, same_desk

    scene = sticky()
    scene.entrance("help", classes=VIP, wrap_up_ms=50_000)
    scene.tune("help", sticky_ms=60_000, policy="weighted")
    again(scene)
    scene.classify("again", "vip")
    scene.end(session_id("other"))
    twin = reloaded(scene.desk)
    same_desk(twin, scene.desk)
    request, state = twin.state.requests[request_id("again")], twin.state
    change: dict[str, Callable[[], object]] = {
        "hold": lambda: state.deadlines.set("sticky", request.request, None),
        "class": lambda: setattr(request, "class_", "normal"),
        "step": lambda: setattr(request, "step", 1),
        "wrap_up": lambda: state.representatives["ann"].wrap_ups.clear(),
        "tag": lambda: setattr(state.router.members["bo"], "tag", 5),
        "unstaffed": lambda: state.deadlines.set("unstaffed", "help", 5),
        "been": lambda: setattr(request, "been", ("x",)),
    }
    change[what]()
    with pytest.raises(AssertionError):
        same_desk(twin, scene.desk)


def test_F23_caught_a_second_request_where_the_first_was_moved_away(monkeypatch: Patch) -> None:
    scene = spilling()
    scene.ask("one")
    scene.pass_time(10 * SECONDS)
    real = overflow.request_moved

    def forgotten(state: State, event: e.RequestMoved, t: int) -> None:
        real(state, event, t)
        state.visitors[event.visitor].requests.clear()

    monkeypatch.setitem(EVOLVE, e.RequestMoved, forgotten)
    scene.ask("two")
    breaks("F23", lambda: scene.pass_time(10 * SECONDS))
