"""Offers: scenarios 1, 4, 5 and 8, and the ways an offer ends."""

from __future__ import annotations

from random import Random

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk.outcome import Handled, Refusal
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, manager, offer_id, personal, representative, request_id, session_id
from tests.support.playbook import Playbook, seen
from tests.support.routed import Routed
from tests.support.scene import Scene, of, office

# --- scenario 1: broadcast, first wins ---------------------------------------------------------------


def broadcast_office() -> Scene:
    scene = office("ann", "bo", "cy", kind="ask", mode="web")
    scene.portal("other", "ask", "web")
    scene.team("red", "other")
    scene.staff("red", "di")
    return scene


def test_broadcast_is_shown_to_its_sub_portal_and_to_nobody_else() -> None:
    scene = broadcast_office()
    scene.ask("carl")
    assert [data["text"] for kind, data in scene.told("subportal:help") if kind == "offer.made"] == ["C_CARL_12"]
    for name in ("ann", "bo", "cy", "di"):
        assert "offer.made" not in {kind for kind, _ in scene.told(f"me:{name}")}
        stream = "subportal:help"
        assert scene.desk.may_read(representative(name), stream) == (name != "di")
    assert {kind for kind, _ in scene.told("subportal:other")} <= {"subportal.state"}
    scene.refused(ops.OfferAccept(offer_id("carl")), representative("di"), Code.NO_SUCH)


@pytest.mark.slow
def test_F3_of_three_accepts_in_any_order_exactly_one_wins_a_thousand_times() -> None:
    chance = Random(3)
    for round_ in range(1000):
        if round_ % 50 == 0:  # checks take time in proportion to what a desk remembers
            scene = broadcast_office()
        asker, offer = f"c{round_}", offer_id(f"c{round_}")
        scene.ask(asker)
        commands: list[tuple[object, str]] = [(ops.OfferAccept(offer), name) for name in ("ann", "bo", "cy")]
        commands += [(ops.OfferDecline(offer, "busy"), chance.choice(["ann", "bo", "cy"]))] * chance.randrange(2)
        chance.shuffle(commands)
        accepted: list[str] = []
        for command, name in commands:
            before = scene.desk.seq
            outcome = scene.do(command, representative(name))
            if isinstance(command, ops.OfferDecline):
                continue
            if isinstance(outcome, Handled):
                accepted.append(name)
                assert outcome.value == {"request": request_id(asker), "session": session_id(asker)}
            else:
                assert outcome.code is Code.OFFER_GONE
                winner = scene.desk.state.representatives[accepted[0]]
                detail = {"reason": "taken", "representative": accepted[0], "name": winner.name}
                assert (outcome.detail, scene.desk.seq) == (detail, before)
        assert len(accepted) == 1
        joined = [kind for kind, _ in scene.told(f"me:v_{asker}")]
        assert joined == ["request.created", "request.assigned"]
        scene.end(session_id(asker))
        scene.records.clear()


def test_F3_losers_lists_drop_the_offer_because_its_stream_says_who_took_it() -> None:
    scene = broadcast_office()
    scene.ask("carl")
    scene.accept(offer_id("carl"), "bo")
    kind, data = scene.told("subportal:help")[-1]
    assert kind == "offer.ended"
    assert data == {
        "offer": offer_id("carl"),
        "request": request_id("carl"),
        "representative": "bo",
        "reason": "rescinded",
    }


def test_F4_a_full_representative_cannot_take_a_broadcast_and_the_others_can() -> None:
    scene = broadcast_office()
    scene.assign("carl", "ann")
    scene.ask("cora")
    refusal = scene.refused(ops.OfferAccept(offer_id("cora")), representative("ann"))
    assert refusal.detail == {"state": "full", "allowed": ["session.end", "presence.set"]}
    scene.set("bo", "away")
    refusal = scene.refused(ops.OfferAccept(offer_id("cora")), representative("bo"))
    assert (refusal.detail or {})["state"] == "away"
    scene.accept(offer_id("cora"), "cy")


def test_a_declined_broadcast_stays_open_for_the_others() -> None:
    scene = broadcast_office()
    scene.ask("carl")
    handled = scene.ok(ops.OfferDecline(offer_id("carl"), "busy"), representative("ann"))
    assert of(handled) == [e.BroadcastDeclined(offer_id("carl"), request_id("carl"), "ann", "busy")]
    kinds = [(kind, data["reason"]) for kind, data in scene.told("me:ann") if kind == "offer.ended"]
    assert kinds == [("offer.ended", "declined")]
    scene.accept(offer_id("carl"), "bo")


def test_accepting_on_one_device_clears_the_offer_on_the_other() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.accept(offer_id("carl"), "ann")
    last = [(kind, data.get("reason")) for kind, data in scene.told("me:ann")][-2:]
    assert last == [("offer.ended", "accepted"), ("session.opened", None)]
    refusal = scene.refused(ops.OfferAccept(offer_id("carl")), representative("ann"), Code.OFFER_GONE)
    assert (refusal.detail or {})["reason"] == "taken"


# --- scenario 4: the line, first in first out --------------------------------------------------------


def test_scenario_4_the_line_drains_in_order_and_a_late_comer_overtakes_nobody() -> None:
    scene = office("ann", "bo")
    first, _ = scene.assign("x", "ann"), scene.assign("y", "bo")
    for name in ("one", "two", "three"):
        scene.ask(name)
        scene.now += 1
    names = {request_id(name): name for name in ("one", "two", "three", "four")}
    assert [names[request] for request in scene.line()] == ["one", "two", "three"]
    with Playbook(scene) as play:
        step = play.at(5000).given(ops.SessionEnd(first), representative("ann"))
        step.expect(
            seen(e.SessionEnded, session=first, load=0),
            seen(e.RequestEnded, state="closed"),
            seen(e.OfferMade, request=request_id("one"), representative="ann"),
        )
        assert [names[request] for request in scene.line()] == ["one", "two", "three"]  # offered: it keeps its place
        play.at(5000).given(ops.OfferAccept(offer_id("one")), representative("ann")).expect(seen(e.RequestAssigned))
        question = ops.RequestCreate(text=personal("?"))
        play.at(5000).given(question, customer("four"), "four").expect(seen(e.RequestCreated))
    assert [names[request] for request in scene.line()] == ["two", "three", "four"]
    assert scene.desk.positions("help", 2, 2) == [
        (request_id("three"), "v_three", 2),
        (request_id("four"), "v_four", 3),
    ]
    served = []
    for session in (session_id("y"), session_id("one"), session_id("two")):
        scene.end(session)
        (offer,) = scene.desk.state.offers.values()
        served.append(names[offer.request])
        scene.accept(offer.offer, offer.representative or "")
    assert served == ["two", "three", "four"]


# --- scenario 5: time-outs and declines --------------------------------------------------------------


def test_scenario_5_an_offer_times_out_is_declined_and_comes_back_to_the_head_of_the_line() -> None:
    scene = office("ann", "bo", "cy")
    one = request_id("one")
    with Playbook(scene) as play:
        question = ops.RequestCreate(text=personal("?"))
        play.at(0).given(question, customer("one"), "one").expect(
            seen(e.RequestCreated), seen(e.OfferMade, representative="ann"), state="offered"
        )
        play.at(20 * SECONDS).expect(
            seen(e.OfferEnded, offer=offer_id("one"), reason="expired", representative="ann"),
            seen(e.OfferMade, offer=offer_id("one", 2), representative="bo", arrived=scene.history.lives[one].place[0]),
        )
        late = play.at(21 * SECONDS).given(ops.OfferAccept(offer_id("one")), representative("ann"))
        late.refused(Code.OFFER_GONE, reason="expired")
        decline = ops.OfferDecline(offer_id("one", 2), "lunch")
        play.at(22 * SECONDS).given(decline, representative("bo")).expect(
            seen(e.OfferEnded, reason="declined", code="lunch"), seen(e.OfferMade, representative="cy")
        )
        decline = ops.OfferDecline(offer_id("one", 3), "lunch")
        play.at(23 * SECONDS).given(decline, representative("cy")).expect(
            seen(e.OfferEnded, reason="declined"), seen(e.RoundPaused, request=one)
        )
        play.at(24 * SECONDS).given(ops.RequestCreate(text=personal("!")), customer("two"), "two").expect(
            seen(e.RequestCreated), seen(e.OfferMade, representative="ann")
        )
        assert scene.line() == [one, request_id("two")]
        play.at(33 * SECONDS).expect(seen(e.RoundStarted), seen(e.OfferMade, request=one, representative="bo"))
    ended = [event.reason for event in scene.events(e.OfferEnded) if isinstance(event, e.OfferEnded)]
    assert (ended.count("expired"), ended.count("declined")) == (1, 2)


def test_F16_an_accept_at_the_deadline_itself_is_too_late() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.now += 20 * SECONDS - 1
    assert scene.desk.fire(scene.now) is None
    scene.now += 1
    refusal = scene.refused(ops.OfferAccept(offer_id("carl")), representative("ann"), Code.OFFER_GONE)
    assert refusal.detail == {"reason": "expired"}


def test_F16_a_transfer_can_be_accepted_until_its_deadline_and_not_at_it() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    scene.staff("blue", "bo")
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.now += 20 * SECONDS
    refusal = scene.refused(ops.OfferAccept(offer_id("carl", 2)), representative("bo"), Code.OFFER_GONE)
    assert refusal.detail == {"reason": "expired"}


def test_a_portal_has_its_own_time_for_offers() -> None:
    scene = office("ann")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], offer_ms=5 * SECONDS), manager())
    scene.ask("carl")
    assert scene.pass_time(5 * SECONDS - 1) == []
    assert [type(event) for event in scene.pass_time(1)] == [e.OfferEnded, e.RoundPaused]


def test_an_offer_of_somebody_else_is_none() -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    scene.refused(ops.OfferAccept(offer_id("carl")), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.OfferAccept(offer_id("carl")), representative("nobody"), Code.NOT_ALLOWED)
    scene.refused(ops.OfferDecline(offer_id("carl"), "no"), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.OfferDecline("o_none.1", "no"), representative("bo"), Code.NO_SUCH)


# --- rounds (2.2, item 4) ----------------------------------------------------------------------------


def refused_by_all(scene: Scene, *names: str) -> None:
    scene.ask("carl")
    for number, name in enumerate(names, 1):
        scene.ok(ops.OfferDecline(offer_id("carl", number), "no"), representative(name))


def test_a_round_ends_when_everyone_eligible_has_refused_and_the_next_begins_10_s_later() -> None:
    scene = office("ann", "bo")
    refused_by_all(scene, "ann", "bo")
    assert scene.pass_time(10 * SECONDS - 1) == []
    assert [type(event) for event in scene.pass_time(1)] == [e.RoundStarted, e.OfferMade]
    assert scene.offered_to("ann") == [request_id("carl")]


def test_a_round_pause_ends_when_somebody_becomes_eligible() -> None:
    scene = office("ann", "bo")
    refused_by_all(scene, "ann", "bo")
    scene.staff("blue", "cy")
    assert scene.offered_to("ann") == [request_id("carl")]  # a new round, in which ann has waited longest
    assert [type(event) for event in scene.pass_time(15 * SECONDS)] == [e.RoundStarted]  # too late to do anything


def test_a_round_pause_ends_when_somebody_frees() -> None:
    scene = office("ann", "bo", capacity=2)
    session = scene.assign("x", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl", 1), "no"), representative("bo"))
    scene.ok(ops.OfferDecline(offer_id("carl", 2), "no"), representative("ann"))
    scene.now += 1
    scene.end(session)
    assert scene.offered_to("bo") == [request_id("carl")]


def test_a_round_is_over_when_the_last_who_could_have_taken_it_leaves() -> None:
    scene = office("ann", "bo")
    scene.assign("x", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("bo"))
    assert scene.events(e.RoundPaused) == []  # ann, who is busy, hasn't refused it
    events = of(scene.ok(ops.PresenceSet("away"), representative("ann")))
    assert [type(event) for event in events] == [e.PresenceChanged, e.RoundPaused]


def test_a_round_ends_even_while_all_who_refused_are_busy_so_that_the_first_to_free_begins_a_new_one() -> None:
    scene = office("ann", "bo")
    scene.assign("x", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("bo"))
    scene.assign("y", "bo")
    scene.set("ann", "away")
    assert len(scene.events(e.RoundPaused)) == 1
    scene.pass_time(60 * SECONDS)
    scene.end(session_id("y"))
    assert scene.offered_to("bo") == [request_id("carl")]


def test_the_only_representative_who_is_back_gets_the_request_at_once() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.lose("ann")
    assert scene.offered_to("ann") == []
    scene.now += 3 * SECONDS
    scene.back("ann")
    assert scene.offered_to("ann") == [request_id("carl")]


def test_F16_nobody_is_offered_a_request_again_before_the_others_had_it() -> None:
    scene = office("ann", "bo", "cy")
    scene.assign("x", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("bo"))
    scene.pass_time(20 * SECONDS)
    assert scene.offered_to("bo") == scene.offered_to("cy") == []  # ann is busy, and comes next
    scene.end(session_id("x"))
    assert scene.offered_to("ann") == [request_id("carl")]


# --- scenario 8: capacity ----------------------------------------------------------------------------


@pytest.mark.slow
def test_scenario_8_500_requests_fill_20_representatives_and_wait_in_order() -> None:
    names = [f"r{n:02}" for n in range(20)]
    scene = office(*names, capacity=3)
    for n in range(500):
        scene.ask(f"c{n}")
        scene.now += 2
        for offer in list(scene.desk.state.offers.values()):
            scene.accept(offer.offer, offer.representative or "")
    people = scene.desk.state.representatives
    assert [len(people[name].sessions) for name in names] == [3] * 20  # Jain's index is 1
    waiting = [request_id(f"c{n}") for n in range(60, 500)]
    assert scene.line() == waiting
    chance = Random(8)
    for expected in waiting[:40]:
        session = chance.choice(sorted(scene.desk.state.sessions))
        who = scene.desk.state.sessions[session].lead
        scene.end(session)
        assert scene.offered_to(who) == [expected]
        (offer,) = scene.desk.state.offers.values()
        scene.accept(offer.offer, who)
    assert scene.line() == waiting[40:]


# --- F13 ---------------------------------------------------------------------------------------------


def test_F13_the_least_occupied_is_chosen_then_the_longest_idle_then_the_first_by_name() -> None:
    scene = office("bo", "ann")
    scene.staff("blue", "big", capacity=4)
    scene.ask("1")
    assert scene.offered_to("ann") == [request_id("1")]  # all idle, all as long: by name
    scene.ask("2")
    assert scene.offered_to("big") == [request_id("2")]
    scene.ask("3")
    assert scene.offered_to("bo") == [request_id("3")]  # big holds an offer: a quarter occupied
    for name, number in (("ann", "1"), ("big", "2"), ("bo", "3")):
        scene.accept(offer_id(number), name)
    scene.now += 10
    scene.end(session_id("3"))
    scene.now += 10
    scene.end(session_id("1"))
    scene.ask("4")
    assert scene.offered_to("bo") == [request_id("4")]  # idle for longer than ann


def test_F13_a_break_starts_the_idle_time_anew_and_a_lost_connection_does_not() -> None:
    scene = office("ann", "bo")
    scene.now += 1000
    scene.set("ann", "away")
    scene.set("ann", "available")
    scene.ask("1")
    assert scene.offered_to("bo") == [request_id("1")]
    scene.accept(offer_id("1"), "bo")
    scene.lose("ann")
    scene.back("ann")
    scene.now += 1
    scene.staff("blue", "aaa")
    scene.ask("2")
    assert scene.offered_to("ann") == [request_id("2")]


def test_a_refused_accept_changes_nothing() -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    before = scene.desk.seq
    assert isinstance(scene.do(ops.OfferAccept(offer_id("carl")), representative("bo")), Refusal)
    assert scene.desk.seq == before


# --- places ------------------------------------------------------------------------------------------


def wide(capacity: int, places: int = 2) -> Routed:
    """A portal of so many places and one of a single place, served by ann."""
    scene = Routed()
    scene.entrance("help", places=places)
    scene.entrance("small")
    scene.entrance("all", mode="web", places=places)
    scene.entrance("own", kind="pick", mode="web", places=places)
    scene.team("blue", "help", "small", "all", "own")
    scene.hire("ann", capacity=capacity)
    return scene


def used(scene: Routed, who: str = "ann") -> tuple[int, int]:
    member = scene.desk.state.router.members[who]
    return member.load, member.offers


def test_F4_an_offer_needs_room_for_all_its_places() -> None:
    scene = wide(3)
    for name in ("one", "two"):
        scene.ask(name)
    assert (scene.has("one"), scene.has("two"), used(scene)) == ("ann", None, (0, 2))
    scene.accept(offer_id("one"), "ann")
    assert used(scene) == (2, 0)
    scene.ask("little", "small")
    assert (scene.has("little"), used(scene)) == ("ann", (2, 1))
    scene.end(session_id("one"))
    assert (scene.has("two"), used(scene)) == ("ann", (0, 3))


def test_F5_what_takes_more_room_than_there_is_blocks_nobody_and_waits_for_its_turn() -> None:
    scene = wide(1)
    scene.ask("one")
    scene.ask("little", "small")
    assert (scene.has("one"), scene.has("little")) == (None, "ann")
    scene.employ("ann", capacity=3)
    assert scene.has("one") == "ann"


def test_a_round_is_over_without_those_who_could_never_carry_it() -> None:
    scene = wide(2)
    scene.hire("bo", capacity=1)
    scene.ask("one")
    scene.decline("one")
    assert len(scene.events(e.RoundPaused)) == 1


def test_F4_a_broadcast_is_accepted_by_whoever_has_room_for_it() -> None:
    scene = wide(3)
    scene.assign("little", "ann", "small")
    scene.ask("one", "all")
    scene.ask("two", "all")
    scene.accept(offer_id("one"), "ann")
    assert used(scene) == (3, 0)
    refusal = scene.refused(ops.OfferAccept(offer_id("two")), representative("ann"))
    assert (refusal.detail or {})["state"] == "full"


def test_F4_whoever_was_picked_is_asked_when_it_has_room() -> None:
    scene = wide(3)
    scene.assign("one", "ann")
    scene.ask("two", "own", pick="ann")
    assert scene.has("two") is None
    scene.end(session_id("one"))
    assert scene.has("two") == "ann"


def test_F4_of_a_capacity_that_is_lowered_the_newest_offers_go_back_until_the_rest_fits() -> None:
    scene = wide(5)
    scene.ask("one")
    scene.ask("little", "small")
    scene.ask("two")
    assert used(scene) == (0, 5)
    scene.employ("ann", capacity=3)
    assert (scene.has("one"), scene.has("little"), scene.has("two"), used(scene)) == ("ann", "ann", None, (0, 3))
    scene.employ("ann", capacity=2)
    assert (scene.has("one"), scene.has("little"), used(scene)) == ("ann", None, (0, 2))
    scene.accept(offer_id("one"), "ann")
    scene.ask("three", "small")
    scene.lowered.add("ann")
    scene.employ("ann", capacity=1)
    assert used(scene) == (2, 0)


def test_F13_occupied_is_places_by_capacity() -> None:
    scene = wide(4)
    scene.hire("bo", capacity=3)
    scene.assign("one", "ann")
    scene.ask("little", "small")
    assert scene.has("little") == "bo"
    scene.ask("less", "small")
    assert scene.has("less") == "bo"  # a third against a half
    scene.ask("least", "small")
    assert scene.has("least") == "ann"  # a half against two thirds
