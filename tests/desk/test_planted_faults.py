"""Each invariant's check is shown to catch a fault planted in the rules: the desk does what it must not, and the check
names it. Where ``broker.desk.invariants`` can't see it in one state, the history of ``tests.support`` must.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from broker.desk import events as e
from broker.desk import invariants, monitors, offers, publish, requests
from broker.desk import state as desk_state
from broker.desk.casebook import STAMPS
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Decision
from broker.desk.rules import EVOLVE, RULES
from broker.desk.state import State
from broker.protocol import ops
from broker.routing import matching
from broker.routing.model import Line, Pool, make_key
from broker.routing.policies import LeastOccupied, Rank
from broker.routing.router import Router
from broker.units import SECONDS
from tests.support.builders import customer, manager, offer_id, personal, representative, session_id
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
    monkeypatch.setattr(offers, "close", lambda state, name, reason, who: state.offers[name])
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
    monkeypatch.delitem(STAMPS, e.RequestAssigned)
    breaks("F3", lambda: scene.do(ops.OfferAccept(offer_id("carl")), representative("bo")))


def test_F3_caught_two_who_win_one_transfer(monkeypatch: Patch) -> None:
    scene = office("ann", "bo", "cy")
    session = scene.assign("carl", "ann")
    transfer = ops.SessionTransfer(session, subportal="help")
    offer = str(scene.ok(transfer, representative("ann")).value["offer"])
    scene.accept(offer, "bo")
    (event,) = scene.events(e.SessionTransferred)
    second = attrs.evolve(event, representative="cy", former="bo")
    monkeypatch.setitem(RULES, ops.OfferAccept, lambda state, command, context: Decision([second]))
    monkeypatch.setitem(EVOLVE, e.SessionTransferred, lambda state, event, t: None)
    breaks("F3", lambda: scene.do(ops.OfferAccept(offer), representative("cy")))


def test_F4_caught_a_transfer_to_somebody_without_room(monkeypatch: Patch) -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    transfer = ops.SessionTransfer(session, subportal="help")
    offer = str(scene.ok(transfer, representative("ann")).value["offer"])
    scene.assign("tom", "bo")
    monkeypatch.setattr(offers, "no_room", lambda state, request, person: None)
    breaks("F4", lambda: scene.accept(offer, "bo"))


@pytest.mark.parametrize("cls", [e.MemberJoined, e.MemberLeft])
def test_E9_caught_a_masked_guest_that_is_told_to_the_customer(monkeypatch: Patch, cls: type) -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    monkeypatch.setitem(publish._AUDIENCES, cls, lambda event: [(f"session:{event.session}", "x")])
    scene.ok(ops.SessionInvite(session, "bo", masked=True), representative("ann"))

    def comes_and_goes() -> None:
        scene.accept(offer_id("carl", 2), "bo")
        scene.ok(ops.SessionLeave(session), representative("bo"))

    breaks("E9", comes_and_goes)


def _looked_at() -> tuple[Scene, str]:
    scene = office("ann")
    put = ops.PortalPut("help", "ask", "queue", ["help"], functions={"monitoring": True}, monitoring="silent")
    scene.ok(put, manager())
    session = scene.assign("carl", "ann")
    scene.ok(ops.SessionMonitor(session), manager())
    return scene, session


def test_I4_caught_a_manager_who_is_left_behind_in_a_session_that_ends(monkeypatch: Patch) -> None:
    scene, session = _looked_at()
    monkeypatch.setattr(monitors, "all_end", lambda session, reason: [])
    monkeypatch.setattr(monitors, "lapsed", lambda state: [])
    breaks("E9", lambda: scene.ok(ops.SessionEnd(session), representative("ann")))


def test_I4_caught_a_manager_who_looks_on_after_it_was_forbidden(monkeypatch: Patch) -> None:
    scene, _ = _looked_at()
    monkeypatch.setattr(monitors, "lapsed", lambda state: [])
    breaks("I4", lambda: scene.ok(ops.PortalPut("help", "ask", "queue", ["help"]), manager()))


def test_F2_caught_a_session_with_two_owners() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.desk.state.representatives["bo"].sessions[session] = None
    breaks("F2", lambda: invariants.check(scene.desk.state))


def test_F4_caught_matching_that_ignores_capacity(monkeypatch: Patch) -> None:
    def anybody(pool: object, policy: object, refused: object) -> Rank:
        return (0.0, 0, "ann")

    scene = office("ann", "bo")
    scene.ask("one")
    monkeypatch.setattr(matching, "best_member", anybody)
    breaks("F4", lambda: scene.ask("two"))


def test_F4_caught_an_accept_of_a_broadcast_beyond_capacity(monkeypatch: Patch) -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.ask("one")
    scene.ask("two")
    scene.accept(offer_id("one"), "ann")
    monkeypatch.setattr(type(scene.desk.state.router.members["ann"]), "takes", lambda member, places: True)
    breaks("F4", lambda: scene.accept(offer_id("two"), "ann"))


def test_F5_caught_matching_that_gives_up_too_early(monkeypatch: Patch) -> None:
    scene = office("ann")
    monkeypatch.setattr("broker.desk.desk.next_match", lambda router: None)
    breaks("F5", lambda: scene.ask("carl"))


def test_F5_caught_a_line_that_is_never_looked_at(monkeypatch: Patch) -> None:
    real = matching.match_line
    monkeypatch.setattr(matching, "match_line", lambda line, pool: None if line.subportal == "b" else real(line, pool))
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
    real = matching.match_line

    def youngest(line: Line, pool: Pool) -> matching.Found | None:
        found = real(line, pool)
        return None if found is None else (line.waiting[-1], found[1])

    monkeypatch.setattr(matching, "match_line", youngest)
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

    monkeypatch.setattr(LeastOccupied, "rank", lambda self, member: (0.0, 0, member.id))
    with pytest.raises((AssertionError, InvariantBroken)):
        test_F13_the_least_occupied_is_chosen_then_the_longest_idle_then_the_first_by_name()


def test_F16_caught_a_refused_set_that_is_ignored(monkeypatch: Patch) -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    real = matching.best_member
    monkeypatch.setattr(matching, "best_member", lambda pool, want, refused: real(pool, want, frozenset()))
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
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person, ended=None: [])
    breaks("F17", lambda: scene.lose("ann"))


def test_F17_caught_a_lost_representative_nobody_waits_for(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.lose("ann")
    scene.desk.state.representatives["ann"].hold_until = None
    breaks("F17", lambda: invariants.check(scene.desk.state))


def test_F18_caught_an_offer_to_somebody_who_is_away(monkeypatch: Patch) -> None:
    scene = office("ann")
    scene.ask("carl")
    monkeypatch.setattr(offers, "withdraw_all", lambda state, person, ended=None: [])
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
        monkeypatch.setattr(place, lambda arrived, number, request, boost=0: (arrived - number, number, request))
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
