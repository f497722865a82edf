"""Each invariant over random lives of a desk. ``Scene`` checks state, history and places after every single command,
so the tests below say what must beside come true, each by its own count."""

from __future__ import annotations

from collections import Counter, defaultdict
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import events as e
from broker.desk import invariants
from broker.desk.outcome import Handled
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, offer_id, personal, representative, request_id
from tests.support.scene import Scene, office
from tests.support.walk import walk

seeds = st.integers(0, 10**6)
several = settings(max_examples=settings().max_examples // 5)


def lived(seed: int, steps: int = 60) -> Scene:
    scene = Scene()
    for _ in walk(scene, seed, steps):
        pass
    return scene


@given(seed=seeds)
@several
def test_F1_every_request_that_came_is_in_one_state_or_has_ended_in_one(seed: int) -> None:
    scene = lived(seed)
    created = [event.request for event in scene.events(e.RequestCreated) if isinstance(event, e.RequestCreated)]
    ended = Counter(event.request for event in scene.events(e.RequestEnded) if isinstance(event, e.RequestEnded))
    assert set(ended.values()) <= {1}
    assert sorted(created) == sorted([*ended, *scene.desk.state.requests])
    states = Counter(request.state for request in scene.desk.state.requests.values())
    assert len(created) == sum(ended.values()) + states["waiting"] + states["offered"] + states["assigned"]


@given(seed=seeds)
@several
def test_F2_no_request_ever_has_two_representatives(seed: int) -> None:
    owners: dict[str, set[str]] = defaultdict(set)
    for event in [record.event for record in lived(seed).records]:
        match event:
            case e.RequestAssigned():
                assert not owners[event.request]
                owners[event.request].add(event.representative)
            case e.SessionTransferred():
                assert owners[event.request] == {event.former}
                owners[event.request] = {event.representative}
            case e.SessionEnded() | e.SessionReleased():
                assert owners.pop(event.request) == {event.representative}
            case _:
                pass


@given(order=st.permutations(["ann", "bo", "cy", "di", "ed"]), declines=st.sets(st.integers(0, 4)))
@several
def test_F3_of_n_accepts_in_any_order_one_wins_and_the_losers_change_nothing(
    order: list[str], declines: set[int]
) -> None:
    scene = office(*sorted(order), kind="ask", mode="web")
    scene.ask("carl")
    wins, losses = 0, 0
    for at, name in enumerate(order):
        if at in declines:
            scene.do(ops.OfferDecline(offer_id("carl"), "no"), representative(name))
        before = scene.desk.seq
        outcome = scene.do(ops.OfferAccept(offer_id("carl")), representative(name))
        if isinstance(outcome, Handled):
            wins += 1
        else:
            losses += 1
            assert (outcome.code, scene.desk.seq) == (Code.OFFER_GONE, before)
            assert (outcome.detail or {})["reason"] == "taken"
    assert (wins, losses) == (1, 4)


@given(capacities=st.lists(st.integers(1, 4), min_size=1, max_size=5), requests=st.integers(0, 25), chance=st.randoms())
@several
def test_F4_F5_F6_a_burst_fills_every_place_in_order_and_never_one_too_many(
    capacities: list[int], requests: int, chance: Random
) -> None:
    scene = office()
    for number, capacity in enumerate(capacities):
        scene.staff("blue", f"r{number}", capacity=capacity)
    for n in range(requests):
        scene.ask(f"c{n}")
    offered = [event.request for event in scene.events(e.OfferMade) if isinstance(event, e.OfferMade)]
    places = sum(capacities)
    assert offered == [request_id(f"c{n}") for n in range(min(places, requests))]
    while scene.desk.state.offers:
        offer = chance.choice(sorted(scene.desk.state.offers))
        session = scene.accept(offer, scene.desk.state.offers[offer].representative or "")
        if chance.random() < 0.7:
            scene.end(session)
    firsts = [event.request for event in scene.events(e.OfferMade) if isinstance(event, e.OfferMade)]
    assert firsts == [request_id(f"c{n}") for n in range(len(firsts))]
    busy = sum(len(person.sessions) for person in scene.desk.state.representatives.values())
    assert len(scene.line()) == 0 or busy == places


@given(seed=seeds)
@several
def test_F6_first_offers_of_a_line_come_in_the_order_of_arrival_whatever_happens_to_them(seed: int) -> None:
    scene = lived(seed)
    arrived: dict[str, list[str]] = defaultdict(list)
    first: dict[str, list[str]] = defaultdict(list)
    for event in [record.event for record in scene.records]:
        if isinstance(event, e.RequestCreated) and event.mode == "queue":
            arrived[event.subportal].append(event.request)
        if isinstance(event, e.OfferMade) and event.kind == "queue" and event.request not in first[event.subportal]:
            first[event.subportal].append(event.request)
    for line, requests in first.items():
        assert requests == [request for request in arrived[line] if request in requests]


@given(
    loads=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=2, max_size=6),
    chance=st.randoms(),
)
@several
def test_F13_who_is_chosen_is_the_least_occupied_and_of_those_the_longest_idle(
    loads: list[tuple[int, int]], chance: Random
) -> None:
    scene = office()
    for number, (load, capacity) in enumerate(loads):
        scene.staff("blue", f"r{number}", capacity=capacity)
        for n in range(min(load, capacity)):
            scene.assign(f"c{number}.{n}", f"r{number}")
            scene.now += chance.randrange(3)
        scene.set(f"r{number}", "away")
    for number in range(len(loads)):
        scene.now += chance.randrange(2)
        scene.set(f"r{number}", "available")
    people, members = scene.desk.state.representatives, scene.desk.state.router.members
    free = [name for name in people if len(people[name].sessions) < people[name].capacity]
    scene.ask("carl")
    if not free:
        assert scene.desk.state.requests[request_id("carl")].state == "waiting"
        return
    (event,) = [event for event in scene.events(e.OfferMade) if getattr(event, "request", "") == request_id("carl")]
    assert isinstance(event, e.OfferMade)
    least = min(len(people[name].sessions) / people[name].capacity for name in free)
    equal = [name for name in free if len(people[name].sessions) / people[name].capacity == least]
    assert event.representative in equal
    longest = min(members[name].idle_since for name in equal)
    assert event.representative == min(name for name in equal if members[name].idle_since == longest)


@given(seed=seeds)
@several
def test_F16_no_offer_outlives_its_deadline_and_none_is_made_twice_in_a_round(seed: int) -> None:
    scene = lived(seed)
    ends: dict[str, tuple[str, int]] = {}
    for record in scene.records:
        if isinstance(record.event, e.OfferEnded):
            ends[record.event.offer] = (record.event.reason, record.t)
    due: dict[str, int] = {}
    for record in scene.records:
        if isinstance(record.event, e.OfferMade | e.OfferRenewed) and record.event.deadline is not None:
            due[record.event.offer] = record.event.deadline
    for offer, deadline in due.items():
        reason, t = ends.get(offer, ("open", min(deadline - 1, scene.now)))
        assert t == deadline if reason == "expired" else t < deadline or reason in ("gone", "revoked")
        assert offer not in scene.desk.state.offers or scene.now < deadline


@given(names=st.permutations(["ann", "bo", "cy", "di"]), rounds=st.integers(1, 3))
@several
def test_F16_in_each_round_everyone_eligible_is_asked_once(names: list[str], rounds: int) -> None:
    scene = office(*names)
    scene.ask("carl")
    for _ in range(rounds):
        asked = []
        while (offers := list(scene.desk.state.offers.values())) != []:
            asked.append(offers[0].representative)
            scene.ok(ops.OfferDecline(offers[0].offer, "no"), representative(offers[0].representative or ""))
        assert sorted(str(name) for name in asked) == sorted(names)
        scene.pass_time(10 * SECONDS)


@given(seed=seeds)
@several
def test_F17_F18_who_is_lost_away_or_signed_out_holds_no_offer_and_gets_none(seed: int) -> None:
    scene, open_offers, there = Scene(), dict[str, str](), dict[str, bool]()
    for _ in walk(scene, seed, 60):
        pass
    for record in scene.records:
        match record.event:
            case e.OfferMade(offer=offer, representative=str(who)):
                assert there.get(who, False)
                open_offers[offer] = who
            case e.OfferEnded(offer=offer) | e.SessionTransferred(offer=offer) | e.RequestAssigned(offer=str(offer)):
                open_offers.pop(offer, None)
            case e.PresenceChanged(representative=who, presence=presence):
                there[who] = presence == "available"
            case e.RepresentativeBack(representative=who, presence=presence):
                there[who] = presence == "available"
            case e.RepresentativeLost(representative=who):
                there[who] = False
            case e.BrokerStarted():
                there.clear()  # until they are back; what they were offered is renewed
            case _:
                pass
    people = scene.desk.state.representatives
    for who in open_offers.values():
        assert people[who].available or people[who].lease_until is not None


@given(seed=seeds)
@several
def test_F22_a_place_rises_only_behind_somebody_who_was_sent_back(seed: int) -> None:
    scene, before = Scene(), dict[str, int]()
    for count in walk(scene, seed, 60):
        places = {name: place for place, name in enumerate(scene.line("x"), 1)}
        sent_back = [r.event for r in scene.records[-30:] if isinstance(r.event, e.RequestRequeued)]
        rises = {name for name, place in places.items() if place > before.get(name, place)}
        assert not rises or sent_back, count
        before = places


@given(seed=seeds)
@several
def test_F23_a_visitor_has_at_most_one_open_request_at_each_portal(seed: int) -> None:
    scene = Scene()
    for _ in walk(scene, seed, 60):
        at = Counter((request.visitor, request.portal) for request in scene.desk.state.requests.values())
        assert set(at.values()) <= {1}
    for request in list(scene.desk.state.requests.values()):
        if request.discipline == "pin":
            continue
        again = ops.RequestCreate(request.subportal, personal("?"))
        handled = scene.ok(again, customer(request.visitor[2:], request.portal))
        assert (handled.value["request"], handled.value["existing"]) == (request.request, True)


@pytest.mark.slow
def test_a_long_life_ends_with_nothing_left_over() -> None:
    scene = lived(7, steps=600)
    for name in scene.desk.state.representatives:
        scene.do(ops.PresenceSet("offline", sessions="hand_back"), representative(name))
    for request in list(scene.desk.state.requests.values()):
        scene.do(ops.RequestWithdraw(request.request), customer(request.visitor[2:], request.portal))
    scene.pass_time(200 * SECONDS)
    statistics = scene.desk.statistics()
    assert (statistics.requests, statistics.sessions, statistics.offers) == (0, 0, 0)
    assert statistics.routing.waiting == 0
    scene.pass_time(30 * 3600 * SECONDS)
    state = scene.desk.state
    assert (scene.desk.statistics().visitors, scene.desk.statistics().deadlines, scene.desk.next_deadline()) == (
        0,
        0,
        None,
    )
    assert [stream for stream in state.streams if stream.startswith("me:v_")] == []
    assert not state.router.tickets
    assert not state.router.lines_again
    invariants.check(state)
