"""Each invariant's check is shown to catch a planted fault: the desk is made to do what it must not, and the check
names it. Where ``broker.desk.invariants`` can't see it in one state, the history of ``tests.support`` must.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from broker.desk import events as e
from broker.desk import invariants, offers, requests
from broker.desk import state as desk_state
from broker.desk.desk import DUE, EVOLVE, RULES
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Decision
from broker.desk.state import State
from broker.protocol import ops
from broker.routing import matching
from broker.routing.model import Line, Pool
from broker.routing.router import Router, make_key
from broker.units import SECONDS
from tests.support.builders import customer, manager, offer_id, personal, representative, request_id, session_id
from tests.support.scene import Scene, office

Patch = pytest.MonkeyPatch


def breaks(invariant: str, act: Callable[[], object]) -> None:
    """The act ends in this invariant's check."""
    with pytest.raises(InvariantBroken) as caught:
        act()
    assert caught.value.invariant == invariant, str(caught.value)


# --- faults in the rules -----------------------------------------------------------------------------


def test_F2_F3_caught_an_accept_that_does_not_end_its_offer(monkeypatch: Patch) -> None:
    scene = office("ann", "bo", kind="ask", mode="web")
    scene.ask("carl")
    monkeypatch.setattr(offers, "close", lambda state, name, reason, who: None)
    breaks("F1", lambda: scene.accept(offer_id("carl"), "ann"))


def test_F3_caught_a_second_accept_of_one_offer(monkeypatch: Patch) -> None:
    scene = office("ann", "bo", kind="ask", mode="web")
    scene.ask("carl")
    scene.accept(offer_id("carl"), "ann")
    (event,) = scene.events(e.RequestAssigned)
    assert isinstance(event, e.RequestAssigned)
    second = attrs.evolve(event, representative="bo")
    monkeypatch.setitem(RULES, ops.OfferAccept, lambda state, command, context: Decision([second]))
    monkeypatch.setitem(EVOLVE, e.RequestAssigned, lambda state, event, t: None)
    breaks("F3", lambda: scene.do(ops.OfferAccept(offer_id("carl")), representative("bo")))


def test_F2_caught_a_session_with_two_owners() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.desk.state.representatives["bo"].sessions[session] = None
    breaks("F2", lambda: invariants.check(scene.desk.state))


def test_F4_caught_matching_that_ignores_capacity(monkeypatch: Patch) -> None:
    def anybody(line: object, refused: object) -> str:
        return "ann"

    scene = office("ann", "bo")
    scene.ask("one")
    monkeypatch.setattr(matching, "best_member", anybody)
    breaks("F4", lambda: scene.ask("two"))


def test_F4_caught_an_accept_of_a_broadcast_beyond_capacity(monkeypatch: Patch) -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.ask("one")
    scene.ask("two")
    scene.accept(offer_id("one"), "ann")
    monkeypatch.setattr(type(scene.desk.state.router.members["ann"]), "takes_offers", property(lambda member: True))
    breaks("F4", lambda: scene.accept(offer_id("two"), "ann"))


def test_F5_caught_matching_that_gives_up_too_early(monkeypatch: Patch) -> None:
    scene = office("ann")
    monkeypatch.setattr("broker.desk.desk.next_match", lambda router: None)
    breaks("F5", lambda: scene.ask("carl"))


def test_F5_caught_a_line_that_is_never_looked_at(monkeypatch: Patch) -> None:
    real = matching._match_line
    monkeypatch.setattr(matching, "_match_line", lambda line: None if line.subportal == "b" else real(line))
    scene = office("ann")
    scene.portal("help", "ask", "queue", "help", "b")
    scene.team("blue", "help", "b")
    breaks("F5", lambda: scene.ask("carl", subportal="b"))


def test_F5_caught_a_member_who_frees_unnoticed(monkeypatch: Patch) -> None:
    scene = office("ann")
    session = scene.assign("one", "ann")
    scene.ask("two")
    real = Router._rerank

    def forgetful(router: Router, member: object) -> None:
        real(router, member)  # type: ignore[arg-type]
        router.dirty.clear()

    monkeypatch.setattr(Router, "_rerank", forgetful)
    breaks("F5", lambda: scene.end(session))


def test_F5_caught_a_round_that_never_begins_again(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    monkeypatch.setitem(
        EVOLVE, e.RoundPaused, lambda state, event, t: state.router.pause(event.request)
    )  # and no deadline
    breaks("F5", lambda: scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("ann")))


def test_F5_caught_a_broadcast_that_is_never_made(monkeypatch: Patch) -> None:
    scene = office("ann", kind="ask", mode="web")
    monkeypatch.setattr(Router, "_wait", lambda router, ticket: None)
    breaks("F5", lambda: scene.ask("carl"))


def test_F6_caught_a_refused_request_put_at_the_tail(monkeypatch: Patch) -> None:
    scene = office("ann", "bo")
    for name in ("one", "two", "three"):
        scene.ask(name)
    real = Router.returned

    def at_the_tail(router: Router, request: str, refused_by: str | None) -> None:
        ticket = router.tickets[request]
        line = router.lines[ticket.subportal]
        line.order.discard(ticket.key)
        ticket.key = make_key(ticket.key[0] + 1, ticket.key[1] + 1000, request)
        line.order.add(ticket.key)
        real(router, request, refused_by)

    monkeypatch.setattr(Router, "returned", at_the_tail)
    breaks("F22", lambda: scene.ok(ops.OfferDecline(offer_id("one"), "no"), representative("ann")))


def test_F6_caught_the_youngest_served_first(monkeypatch: Patch) -> None:
    scene = office("ann")
    session = scene.assign("x", "ann")
    for name in ("one", "two"):
        scene.ask(name)
    real = matching._match_line

    def youngest(line: Line) -> matching.Found | None:
        found = real(line)
        return None if found is None else (line.ready[-1], found[1])

    monkeypatch.setattr(matching, "_match_line", youngest)
    breaks("F6", lambda: scene.end(session))


def test_F6_caught_a_line_out_of_order() -> None:
    scene = office()
    for name in ("one", "two"):
        scene.ask(name)
    scene.desk.state.router.lines["help"].order._lists[0].reverse()  # type: ignore[attr-defined]
    breaks("F6", lambda: invariants.check(scene.desk.state))


def test_F13_caught_a_choice_that_looks_at_names_alone(monkeypatch: Patch) -> None:
    from tests.desk.test_offers import (
        test_F13_the_least_occupied_is_chosen_then_the_longest_idle_then_the_first_by_name,
    )

    monkeypatch.setattr(
        "broker.routing.router.least_occupied",
        lambda load, offers, capacity, idle_since, member: (0.0, 0, member),
    )
    with pytest.raises((AssertionError, InvariantBroken)):
        test_F13_the_least_occupied_is_chosen_then_the_longest_idle_then_the_first_by_name()


def test_F16_caught_a_refused_set_that_is_ignored(monkeypatch: Patch) -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    real = matching.best_member
    monkeypatch.setattr(matching, "best_member", lambda line, refused: real(line, frozenset()))
    breaks("F16", lambda: scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("ann")))


def test_F16_caught_an_offer_that_is_withdrawn_late(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    real = scene.desk.state.deadlines.set
    real("offer", offer_id("carl"), scene.now + 21 * SECONDS)
    breaks("F16", lambda: scene.pass_time(21 * SECONDS))


def test_F16_caught_a_late_accept(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.desk.state.offers[offer_id("carl")].deadline = scene.now + 60 * SECONDS
    scene.now += 20 * SECONDS
    breaks("F16", lambda: scene.accept(offer_id("carl"), "ann"))


def test_F17_caught_a_lost_representative_who_keeps_offers(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person: [])
    breaks("F17", lambda: scene.lose("ann"))


def test_F17_caught_a_lost_representative_nobody_waits_for(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.lose("ann")
    scene.desk.state.representatives["ann"].hold_until = None
    breaks("F17", lambda: invariants.check(scene.desk.state))


def test_F18_caught_an_offer_to_somebody_who_is_away(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person: [])
    breaks("F18", lambda: scene.set("ann", "away"))


def test_F18_caught_routing_that_does_not_know_of_a_sign_out(monkeypatch: Patch) -> None:
    scene = office("ann")
    monkeypatch.setattr(Router, "set_available", lambda router, name, now, *, available, rested: None)
    breaks("F18", lambda: scene.set("ann", "offline"))


def test_F21_caught_an_event_that_leaves_something_out(monkeypatch: Patch) -> None:
    from tests.support.agreement import replay, same_desk, stored
    from tests.support.builders import desk

    scene = office("ann")
    scene.assign("carl", "ann")
    records = [stored(record) for record in scene.records]
    same_desk(replay(desk(), records), scene.desk)
    scene.desk.state.sessions[session_id("carl")].since += 1  # changed by something that was no event
    with pytest.raises(AssertionError):
        same_desk(replay(desk(), records), scene.desk)


def test_F22_caught_a_place_that_rises_without_a_reason(monkeypatch: Patch) -> None:
    scene = office()
    for place in ("broker.desk.requests.make_key", "broker.desk.invariants.make_key"):
        monkeypatch.setattr(place, lambda arrived, number, request: (arrived - number, number, request))
    scene.ask("one")
    breaks("F22", lambda: scene.ask("two"))


def test_F23_caught_a_second_request_at_the_same_portal(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")

    def create(state: State, command: ops.RequestCreate, context: desk_state.Context) -> Decision:
        return Decision([requests.created(state, context, state.portals["help"], "help", None)])

    monkeypatch.setitem(RULES, ops.RequestCreate, create)
    breaks("F23", lambda: scene.ok(ops.RequestCreate(text=personal("?")), customer("carl"), "again"))


def test_A8_caught_two_live_pins_with_one_serial(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ok(ops.PinCreate(), representative("ann"))

    def again(state: State, command: object, context: desk_state.Context) -> Decision:
        return Decision([e.PinCreated("p_2", 0, "ann", context.now + 1)])

    monkeypatch.setitem(RULES, ops.PinCreate, again)
    breaks("A8", lambda: scene.ok(ops.PinCreate(), representative("ann")))


# --- faults in the state: every line of the check, once ---------------------------------------------


def _anything() -> Scene:
    """A desk where everything occurs once."""
    scene = office("ann", "bo", capacity=2)
    scene.portal("pick", "pick", "web")
    scene.portal("phone", "pin", "phone")
    scene.team("blue", "help", "pick", "phone")
    scene.staff("blue", "cy")
    scene.assign("talks", "ann")
    scene.ok(ops.ShareRequest(session_id("talks")), representative("ann"))
    scene.ok(ops.SessionTransfer(session_id("talks"), "cy"), representative("ann"))
    scene.ask("picked", "pick", pick="cy")
    scene.ask("again")
    for number, name in enumerate(("bo", "ann"), 1):
        assert scene.offered_to(name) == [request_id("again")]
        scene.ok(ops.OfferDecline(offer_id("again", number), "no"), representative(name))
    scene.ok(ops.PinCreate(), representative("ann"))
    scene.lose("v_picked")
    scene.ask("offered")
    return scene


def _set(thing: object, name: str, value: object) -> None:
    setattr(thing, name, value)


FAULTS: dict[str, tuple[str, Callable[[State], object]]] = {
    "a state that doesn't exist": ("F1", lambda s: _set(s.requests[request_id("offered")], "state", "lost")),
    "a number given twice": ("F1", lambda s: _set(s.requests[request_id("offered")], "number", 1)),
    "offered without an offer": ("F1", lambda s: _set(s.requests[request_id("offered")], "offer", None)),
    "assigned without a session": ("F1", lambda s: s.sessions.clear()),
    "an offer of nothing": ("F1", lambda s: _set(s.offers[offer_id("offered")], "request", "r_none")),
    "a transfer its session doesn't know": (
        "F1",
        lambda s: _set(s.sessions[session_id("talks")], "transfer", None),
    ),
    "a session of no request": ("F2", lambda s: _set(s.sessions[session_id("talks")], "request", "r_none")),
    "a session of somebody else": ("F2", lambda s: _set(s.sessions[session_id("talks")], "representative", "bo")),
    "a session nobody holds": ("F2", lambda s: s.representatives["ann"].sessions.clear()),
    "a session held after its end": ("F2", lambda s: s.representatives["bo"].sessions.update({"s_over": None})),
    "a share that isn't there": ("F2", lambda s: s.shares.clear()),
    "a waiting request with an owner": (
        "F2",
        lambda s: _set(s.requests[request_id("again")], "representative", "bo"),
    ),
    "a request without a ticket": ("F1", lambda s: s.router.tickets.pop(request_id("again"))),
    "a ticket without a request": (
        "F1",
        lambda s: s.router.tickets.update({"r_none": s.router.tickets[request_id("again")]}),
    ),
    "a ticket in another state": ("F1", lambda s: _set(s.router.tickets[request_id("again")], "out", True)),
    "a ticket for somebody else": ("F1", lambda s: _set(s.router.tickets[request_id("picked")], "target", "bo")),
    "a ticket with another place": ("F22", lambda s: _set(s.requests[request_id("again")], "arrived", 1)),
    "a direct line that forgot somebody": ("F1", lambda s: s.router.members["cy"].direct.clear()),
    "an offer of what was refused": (
        "F16",
        lambda s: _set(s.router.tickets[request_id("offered")], "refused", frozenset({"ann", "bo"})),
    ),
    "a visitor whose request is unknown": ("F23", lambda s: s.visitors["v_again"].requests.clear()),
    "a visitor whose request is over": ("F23", lambda s: s.visitors["v_again"].requests.update({"pick": "r_none"})),
    "a busy visitor taken for idle": ("F23", lambda s: s.idle_visitors.update({"v_again": None})),
    "waited for although there": ("F17", lambda s: _set(s.representatives["bo"], "lease_until", 5)),
    "a team that miscounts": ("F18", lambda s: _set(s.teams["blue"], "signed_in", 7)),
    "a team that serves something else": ("F5", lambda s: _set(s.teams["blue"], "subportals", ("help",))),
    "a load miscounted": ("F4", lambda s: _set(s.router.members["ann"], "load", 0)),
    "a wrong rank": ("F4", lambda s: _set(s.router.members["bo"], "rank", (0.9, 0, "bo"))),
    "more places than capacity": ("F4", lambda s: _lower(s, "cy")),
    "a pin without a serial": ("A8", lambda s: s.serials.clear()),
    "an offer without a deadline": ("F16", lambda s: s.deadlines.set("offer", offer_id("offered"), None)),
    "a lost customer for ever": ("F17", lambda s: s.deadlines.set("abandon", "v_picked", None)),
    "a consent for ever": ("F17", lambda s: s.deadlines.set("consent", next(iter(s.shares)), None)),
    "a pin for ever": ("A8", lambda s: s.deadlines.set("pin", next(iter(s.pins)), None)),
    "forgetting without anybody idle": ("F23", lambda s: s.deadlines.set("visitors", "", 5)),
    "a deadline of nothing": ("F16", lambda s: s.deadlines.set("offer", "o_none", 5)),
    "a round of nothing": ("F5", lambda s: s.deadlines.set("round", "r_none", 5)),
    "an older request never offered": ("F6", lambda s: _set(s.requests[request_id("again")], "offers", 0)),
    "a line that lost a request": ("F1", lambda s: s.router.lines["help"].order.pop()),
    "a direct line not served": ("F5", lambda s: _free(s, "cy")),
    "a line under a wrong head": ("F5", lambda s: _set(s.router.lines["help"], "head", (1, 1, "r"))),
    "a pool that miscounts": ("F5", lambda s: _set(_pool(s), "available", 9)),
    "a pool that takes others for free": ("F5", lambda s: _pool(s).free.clear()),
}


def _pool(state: State) -> Pool:
    return state.router.members["ann"].pool


def _lower(state: State, name: str) -> None:
    state.representatives[name].capacity = 0
    state.router.members[name].capacity = 0


def _free(state: State, name: str) -> None:
    """Room for one more, in the facts and in routing alike, and nothing made of it."""
    state.router.put_member(name, 2, state.teams["blue"].subportals)
    state.representatives[name].capacity = 2


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_desk_with_a_planted_fault_is_caught(fault: str) -> None:
    invariant, plant = FAULTS[fault]
    scene = _anything()
    invariants.check(scene.desk.state)
    plant(scene.desk.state)
    breaks(invariant, lambda: invariants.check(scene.desk.state))


def test_faults_between_refused_requests_are_caught() -> None:
    scene = office("bo")
    scene.assign("x", "bo")
    scene.staff("blue", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("ann"))  # bo is busy: it waits for him
    state = scene.desk.state
    line = state.router.lines["help"]
    groups = dict(line.groups)
    line.groups.clear()
    breaks("F5", lambda: invariants.check(state))
    line.groups.update({frozenset({"bo"}): next(iter(groups.values()))})
    breaks("F5", lambda: invariants.check(state))
    line.groups.clear()
    line.groups.update(groups)
    invariants.check(state)
    _pool(state).backlog.clear()
    breaks("F5", lambda: invariants.check(state))


def test_waiting_twice_is_caught() -> None:
    scene = office("ann")
    scene.lose("ann")
    scene.desk.state.representatives["ann"].lease_until = scene.now
    breaks("F17", lambda: invariants.check(scene.desk.state))


def test_a_lowered_capacity_is_no_fault_where_it_is_known() -> None:
    scene = office("ann", capacity=2)
    for name in ("one", "two"):
        scene.ask(name)
    with pytest.raises(InvariantBroken):
        scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1), manager())
    invariants.check(scene.desk.state, lowered=["ann"])


def test_every_deadline_of_a_desk_has_an_owner() -> None:
    assert set(DUE) == set(invariants._OF_DEADLINE)
