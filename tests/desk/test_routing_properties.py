"""Routing's invariants over random lives that use every rule of it at once: classes, skills, holds, places, overflow,
wrap-ups, work by hand. ``Routed`` checks each command's records and the state that they leave; the tests below count
beside it, each on its own, and say what an invariant means where rules meet.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.desk import events as e
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import offer_id, representative, request_id
from tests.support.roam import roam
from tests.support.routed import Routed, routed

seeds = st.integers(0, 10**6)
several = settings(max_examples=settings().max_examples // 5)


def lived(seed: int, steps: int = 70) -> Routed:
    scene = Routed()
    for _ in roam(scene, seed, steps):
        pass
    return scene


# --- F1, F4, F5, F16, F17, F18 -----------------------------------------------------------------------


@given(seed=seeds)
@several
def test_F1_every_request_is_open_in_one_line_or_ended_in_one_way_however_often_it_was_moved(seed: int) -> None:
    scene = lived(seed)
    created = [event.request for event in scene.events(e.RequestCreated) if isinstance(event, e.RequestCreated)]
    ended = [event.request for event in scene.events(e.RequestEnded) if isinstance(event, e.RequestEnded)]
    assert sorted(created) == sorted([*ended, *scene.desk.state.requests])
    where: dict[str, list[str]] = {}
    for event in scene.events(e.RequestCreated, e.RequestMoved):
        if isinstance(event, e.RequestCreated | e.RequestMoved):
            where.setdefault(event.request, []).append(event.subportal)
    assert all(len(set(been)) == len(been) for been in where.values())  # never twice in a line
    standing = Counter(request for line in ("x", "y", "z", "p") for request in scene.line(line))
    assert set(standing.values()) <= {1}
    for name, request in scene.desk.state.requests.items():
        waits = request.discipline == "queue" and request.state != "assigned"
        assert standing[name] == waits
        assert not waits or name in scene.line(where[name][-1])
        assert (*request.been, request.subportal) == tuple(where[name])


@given(seed=seeds)
@several
def test_F4_places_of_sessions_offers_and_wrap_ups_stay_within_capacity_at_every_step(seed: int) -> None:
    scene = Routed()
    for _ in roam(scene, seed, 70):
        state = scene.desk.state
        for name, person in state.representatives.items():
            places = {portal.portal: portal.places for portal in state.portals.values()}
            sessions = sum(places[state.requests[state.sessions[one].request].portal] for one in person.sessions)
            asked = [state.offers[one] for one in person.offers if state.offers[one].kind != "invite"]
            offers = sum(places[state.requests[one.request].portal] for one in asked)  # guests take no places
            wrapped = sum(work.places for work in person.wrap_ups.values())
            within = sessions + offers + wrapped <= person.capacity
            assert within or (not offers and name in scene.lowered)


@given(seed=seeds)
@several
def test_F5_nobody_waits_for_whom_somebody_is_free_but_between_rounds_or_held_for_another(seed: int) -> None:
    scene = Routed()
    for _ in roam(scene, seed, 70):
        state = scene.desk.state
        for name, request in state.requests.items():
            ticket = state.router.tickets.get(name)
            if ticket is None or request.state != "waiting" or request.discipline != "queue" or ticket.paused:
                continue
            for who, person in state.representatives.items():
                member, skills = state.router.members[who], dict(person.skills)
                room = person.capacity - member.load - member.offers if person.available else 0
                serves = request.subportal in state.teams[person.team].subportals
                fits = all(skills.get(skill, 0) >= level for skill, level in ticket.need)
                ours = ticket.held in (None, who) and who not in ticket.refused
                assert not (serves and fits and ours and room >= ticket.places), (name, who)


@given(seed=seeds)
@several
def test_F16_F17_F18_a_hold_an_offer_and_a_wrap_up_end_at_their_very_time_or_before(seed: int) -> None:
    scene = lived(seed)
    until: dict[str, int] = {}
    for record in scene.records:
        match record.event:
            case e.RequestCreated(request=name, held_until=int(t)):
                until[name] = t
            case e.RequestReleased(request=name, reason=reason):
                held = until.pop(name)
                assert record.t == held if reason == "time" else record.t <= held
            case e.OfferEnded(request=name) | e.RequestAssigned(request=name) | e.RequestEnded(request=name):
                assert record.t <= until.pop(name, record.t)
            case e.RequestMoved(request=name):
                assert record.t <= until.pop(name, record.t)
            case e.SessionEnded(session=name, wrap_up=int(t)):
                until[name] = t
            case e.WrapUpEnded(session=name, reason=reason):
                assert record.t == until.pop(name) if reason == "expired" else record.t <= until.pop(name)
            case _:
                pass
    assert all(t >= scene.now for t in until.values())


@given(seed=seeds)
@several
def test_a_held_request_waits_at_most_so_long_for_somebody_and_never_for_one_who_is_not_there(seed: int) -> None:
    scene = Routed()
    for _ in roam(scene, seed, 70):
        for name, request in scene.desk.state.requests.items():
            if request.held_until is None:
                continue
            who = scene.desk.state.representatives[scene.desk.state.router.tickets[name].held or ""]
            assert request.held_until <= request.arrived + 40 * SECONDS
            assert who.presence == "available" or (who.presence == "reconnecting" and who.lease_until is not None)
            assert scene.desk.state.deadlines.get("sticky", name) == request.held_until >= scene.now


# --- F6, F7 ------------------------------------------------------------------------------------------


@given(
    kinds=st.lists(st.sampled_from(["normal", "gold", "vip"]), min_size=1, max_size=25),
    gaps=st.lists(st.integers(0, 4000), min_size=25, max_size=25),
    seed=seeds,
)
@several
def test_F6_F7_one_is_offered_before_an_older_one_only_if_its_boost_makes_up_for_coming_later(
    kinds: list[str], gaps: list[int], seed: int
) -> None:
    """Classes are given at once. Nobody is held and everybody may have everything, so nothing is skipped."""
    chance = Random(seed)
    boosts = {"normal": 0, "gold": 3000, "vip": 20_000}
    scene = Routed()
    listed = [{"class": name, "boost_ms": boost} for name, boost in boosts.items() if boost]
    scene.entrance("help", classes=listed)
    scene.team("blue", "help")
    scene.hire("ann", capacity=2)
    scene.set("ann", "away")
    arrived: dict[str, tuple[int, int, int]] = {}
    for number, kind in enumerate(kinds):
        name = f"c{number}"
        scene.ask(name)
        if kind != "normal":
            scene.classify(name, kind)
        arrived[request_id(name)] = (scene.now, boosts[kind], number)
        scene.pass_time(gaps[number])
        if chance.random() < 0.3:
            scene.set("ann", chance.choice(["available", "away"]))
        for offer in list(scene.desk.state.offers):
            if chance.random() < 0.5:
                scene.ok(ops.OfferDecline(offer, "no"), representative("ann"))
            elif chance.random() < 0.5:
                scene.end(scene.accept(offer, "ann"))
    offered = [event.request for event in scene.events(e.OfferMade) if isinstance(event, e.OfferMade)]
    first = list(dict.fromkeys(offered))
    known_at: dict[str, int] = {}
    for at, record in enumerate(scene.records):
        if isinstance(record.event, e.RequestCreated | e.RequestClassified):
            known_at[record.event.request] = at
    made_at = {name: scene_index(scene, name) for name in first}
    never = [name for name in arrived if name not in first]
    for at, name in enumerate(first):
        for other in [*first[at + 1 :], *never]:
            if known_at[other] < made_at[name] and arrived[other][2] < arrived[name][2]:
                (later, mine, _), (earlier, its, _) = arrived[name], arrived[other]
                assert later - earlier < mine - its


def scene_index(scene: Routed, request: str) -> int:
    """Where its first offer is among the records."""
    found = (at for at, one in enumerate(scene.records) if isinstance(one.event, e.OfferMade))
    return next(at for at in found if getattr(scene.records[at].event, "request", "") == request)


@given(seed=seeds)
@several
def test_F6_F7_with_every_rule_whoever_is_offered_something_could_have_had_nothing_before_it(seed: int) -> None:
    """By class, boost and age as they are at that moment, reclassified ones included: who gets r' could not have any r
    of that line with an earlier virtual arrival: it is held for another or asks more than it has, or it refused it."""
    scene = lived(seed)  # the ledger says so at each offer
    assert scene.events(e.RequestCreated)


def test_F7_an_overtaking_is_bounded_by_the_largest_boost() -> None:
    scene = Routed()
    scene.entrance("help", classes=[{"class": "vip", "boost_ms": 10_000}])
    scene.team("blue", "help")
    scene.ask("old")
    for number in range(12):
        scene.pass_time(1000)
        scene.ask(f"vip{number}")
        scene.classify(f"vip{number}", "vip")
    names = [f"vip{number}" for number in range(12)]
    assert scene.names("help", "old", *names) == [*names[:9], "old", *names[9:]]  # at 10 s it ties: by number


@given(seed=seeds)
@several
def test_F6_requests_of_one_class_and_need_are_first_offered_in_order_of_arrival(seed: int) -> None:
    chance = Random(seed)
    scene = routed(skills=[{"skill": "tax", "level": 3, "asked": True}])
    scene.hire("ann", capacity=2, tax=3)
    scene.hire("bo", capacity=2)
    asked: dict[str, bool] = {}
    for number in range(25):
        wants = chance.random() < 0.5
        asked[request_id(f"c{number}")] = wants
        scene.request(f"c{number}", "help", None, *(["tax"] if wants else []))
        scene.pass_time(chance.choice([0, 500, 21_000]))
        for name, offer in list(scene.desk.state.offers.items()):
            if name in scene.desk.state.offers and chance.random() < 0.6:
                who = offer.representative or ""
                if chance.random() < 0.5:
                    scene.do(ops.OfferDecline(name, "no"), representative(who))
                else:
                    scene.end(scene.accept(name, who))
    made = [event.request for event in scene.events(e.OfferMade) if isinstance(event, e.OfferMade)]
    first = list(dict.fromkeys(made))
    for wants in (True, False):
        mine = [name for name in first if asked[name] is wants]
        assert mine == [name for name in asked if name in mine]
    assert {event.representative for event in scene.events(e.OfferMade) if asked[event.request]} <= {"ann"}


# --- F12 ---------------------------------------------------------------------------------------------


@given(seed=seeds)
@several
def test_F12_the_idle_clock_begins_with_work_and_breaks_and_survives_everything_else(seed: int) -> None:
    scene, began = Routed(), dict[str, int]()
    chosen: dict[str, str] = {}
    seen = 0
    for _ in roam(scene, seed, 70):
        for record in scene.records[seen:]:
            event, t = record.event, record.t
            match event:
                case e.RequestAssigned(representative=who) | e.WrapUpEnded(representative=who):
                    began[who] = t
                case e.SessionEnded(representative=who, wrap_up=None) | e.SessionReleased(representative=who):
                    began[who] = t
                case e.SessionTransferred(representative=who, former=former):
                    began[who] = began[former] = t
                case e.PresenceChanged(representative=who, presence=presence):
                    if presence == "available" and chosen.get(who) != "available":
                        began[who] = t
                    chosen[who] = presence
                case _:
                    pass
        seen = len(scene.records)
        for who, member in scene.desk.state.router.members.items():
            assert member.idle_since == began.get(who, 0)


# --- F14 ---------------------------------------------------------------------------------------------


@given(weights=st.lists(st.integers(1, 100), min_size=2, max_size=5), seed=seeds)
@several
def test_F14_those_who_are_there_throughout_get_what_their_weights_say(weights: list[int], seed: int) -> None:
    chance = Random(seed)
    scene = routed(policy="weighted")
    names = [f"m{number}" for number in range(len(weights))]
    for name, weight in zip(names, weights, strict=True):
        scene.hire(name, capacity=1000, weight=weight)
    offered: Counter[str] = Counter()
    since = {name: Counter[str]() for name in names}
    for number in range(35):
        if chance.random() < 0.1 and number > 5:
            name = chance.choice(names)
            now = scene.desk.state.representatives[name].chosen
            scene.set(name, "away" if now == "available" else "available")
            since[name] = Counter(offered)  # it begins anew, whoever it is compared with
        scene.ask(f"c{number}")
        who = scene.has(f"c{number}")
        if who is None:
            continue
        scene.accept(offer_id(f"c{number}"), who)
        offered[who] += 1
        there = [name for name in names if scene.desk.state.representatives[name].available]
        for one, other in combinations(there, 2):
            w, v = weights[names.index(one)], weights[names.index(other)]
            begin = max((since[one], since[other]), key=lambda counts: counts.total())
            drift = Fraction(offered[one] - begin[one], w) - Fraction(offered[other] - begin[other], v)
            assert abs(drift) <= Fraction(1, w) + Fraction(1, v) + Fraction(1, 10_000), (one, other)


def test_F14_who_comes_back_is_not_flooded_and_nobody_catches_up() -> None:
    scene = routed(policy="weighted")
    for name, weight in (("ann", 2), ("bo", 1)):
        scene.hire(name, capacity=1000, weight=weight)
    scene.set("bo", "away")
    for number in range(30):
        scene.assign(f"a{number}", "ann")
    scene.set("bo", "available")
    served = []
    for number in range(9):
        scene.ask(f"b{number}")
        served.append(scene.has(f"b{number}"))
        scene.accept(offer_id(f"b{number}"), served[-1] or "")
    assert served.count("bo") == 3
    scene.hire("cy", capacity=1000)
    newcomers = []
    for number in range(12):
        scene.ask(f"c{number}")
        newcomers.append(scene.has(f"c{number}"))
        scene.accept(offer_id(f"c{number}"), newcomers[-1] or "")
    assert abs(newcomers.count("cy") - newcomers.count("bo")) <= 2
    assert abs(newcomers.count("ann") - 6) <= 2


def test_F14_a_declined_turn_was_a_turn() -> None:
    scene = routed("ann", "bo", policy="weighted")
    scene.ask("one")
    assert scene.has("one") == "ann"
    scene.decline("one")
    assert scene.has("one") == "bo"
    members = scene.desk.state.router.members
    assert members["ann"].tag == members["bo"].tag


# --- F22 ---------------------------------------------------------------------------------------------


@given(seed=seeds)
@several
def test_F22_a_place_rises_only_behind_one_that_was_sent_back_reclassified_or_moved_in(seed: int) -> None:
    scene, before, seen = Routed(), dict[str, list[str]](), 0
    for _ in roam(scene, seed, 70):
        events = [record.event for record in scene.records[seen:]]
        seen = len(scene.records)
        came = e.RequestRequeued | e.RequestClassified | e.RequestMoved
        reasons = {event.request for event in events if isinstance(event, came)}
        for name in ("x", "y", "z"):
            line = scene.line(name)
            for place, request in enumerate(line, 1):
                was = before.get(name, [])
                if request in was and request not in reasons:
                    risen = place - 1 - was.index(request)
                    assert risen <= sum(other in reasons for other in line[: place - 1])
            before[name] = line


# --- F8 with every rule ------------------------------------------------------------------------------


@pytest.mark.slow
def test_F1_F5_a_long_life_with_every_rule_ends_with_nothing_left_over() -> None:
    scene = lived(11, steps=700)
    for name in ("x", "y", "z"):
        scene.tune(name)
    for name, person in scene.desk.state.representatives.items():
        scene.lowered.add(name)
        if person.chosen != "offline":
            scene.do(ops.PresenceSet("offline", sessions="hand_back"), representative(name))
    scene.pass_time(300 * SECONDS)
    scene.employ("ann", "blue", 100, de=9, fr=9, tax=9)
    scene.team("blue", "x", "y", "z", "p")
    scene.set("ann", "available")
    while scene.desk.state.offers:
        for name, offer in list(scene.desk.state.offers.items()):
            session = scene.accept(name, "ann")
            assert scene.desk.state.sessions[session].representative == "ann", offer
            scene.end(session)
            if session in scene.desk.state.wrapping:
                scene.ok(ops.WrapUpEnd(session), representative("ann"))
    scene.pass_time(100 * SECONDS)
    scene.do(ops.PresenceSet("offline"), representative("ann"))
    state = scene.desk.state
    assert (state.requests, state.offers, state.sessions, state.wrapping) == ({}, {}, {}, {})
    assert {kind for _, kind, _ in state.deadlines} <= {"visitors"}
    assert not state.router.tickets
    assert all(not member.holds and not member.load for member in state.router.members.values())
