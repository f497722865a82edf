"""Skills: what a request needs, who fits, and how the need relaxes while it waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.codes import Code
from broker.desk import events as e
from broker.desk import skills
from broker.desk.state import Ladder, Subportal
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, offer_id, personal, representative, request_id
from tests.support.routed import MIA, Routed, routed

GERMAN = {"skill": "german", "level": 5}
TAX = {"skill": "tax", "level": 3, "asked": True}
LAW = {"skill": "law", "level": 4, "asked": True}


def ladder_of(*listed: tuple[str, int, bool], relax: tuple[tuple[int, int], ...]) -> Ladder:
    return skills.ladder(Subportal("help", "help", skills=listed, relax=relax), ("tax",))


# --- the need ----------------------------------------------------------------------------------------


def test_a_request_needs_what_all_need_and_what_it_asked_for() -> None:
    portal = Subportal("help", "help", skills=(("tax", 3, True), ("german", 5, False), ("law", 4, True)))
    assert skills.need(portal, ()) == (("german", 5),)
    assert skills.need(portal, ("tax",)) == (("german", 5), ("tax", 3))
    assert skills.need(portal, ("tax", "law"), less=3) == (("german", 2), ("law", 1))


def test_steps_that_change_nothing_are_left_out() -> None:
    assert ladder_of(("german", 2, False), relax=((1000, 2), (2000, 3), (3000, 4))) == ((1000, ()),)
    assert ladder_of(("german", 2, False), ("tax", 9, True), relax=((1000, 1), (2000, 8), (3000, 9))) == (
        (1000, (("german", 1), ("tax", 8))),
        (2000, (("tax", 1),)),
        (3000, ()),
    )
    assert ladder_of(relax=((1000, 1),)) == ()


@given(
    levels=st.dictionaries(st.sampled_from("abc"), st.integers(1, 100)),
    relax=st.lists(st.tuples(st.integers(1000, 9000), st.integers(1, 100)), max_size=4),
    person=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 100)),
)
def test_each_step_of_a_ladder_asks_less_and_whoever_fits_one_fits_all_later_ones(
    levels: dict[str, int], relax: list[tuple[int, int]], person: dict[str, int]
) -> None:
    times, lesses = sorted({after for after, _ in relax}), sorted({less for _, less in relax})
    portal = Subportal("x", "x", skills=tuple((skill, level, False) for skill, level in levels.items()))
    portal.relax = tuple(zip(times, lesses, strict=False))
    needs = [skills.need(portal, ()), *(need for _, need in skills.ladder(portal, ()))]
    assert len(set(needs)) == len(needs)
    fits = [skills.fits(tuple(person.items()), need) for need in needs]
    assert fits == sorted(fits)
    for need, fitting in zip(needs, fits, strict=True):
        assert fitting == all(person.get(skill, 0) >= level for skill, level in need)


# --- who is offered it -------------------------------------------------------------------------------


def test_F5_only_those_who_fit_are_offered_a_request_whoever_else_is_free() -> None:
    scene = routed("ann", skills=[GERMAN])
    scene.hire("bo", german=4)
    scene.ask("carl")
    assert scene.has("carl") is None
    scene.hire("cy", german=5)
    assert scene.has("carl") == "cy"


def test_F6_of_requests_of_one_need_the_older_goes_first_and_one_nobody_can_take_blocks_nobody() -> None:
    scene = routed("ann", skills=[TAX])
    scene.request("one", "help", None, "tax")
    scene.request("two")
    assert (scene.has("one"), scene.has("two")) == (None, "ann")
    scene.request("three", "help", None, "tax")
    scene.employ("ann", capacity=2, tax=3)
    assert (scene.has("one"), scene.has("three")) == ("ann", None)
    assert scene.names("help", "one", "two", "three") == ["one", "two", "three"]


def test_a_skill_that_is_asked_for_must_be_one_that_the_sub_portal_lists_so() -> None:
    scene = routed(skills=[GERMAN, TAX])
    for wanted in (["german"], ["tax", "law"]):
        command = ops.RequestCreate(None, personal("?"), skills=wanted)
        refusal = scene.refused(command, customer("carl"), Code.BAD_ARGS)
        assert (refusal.detail or {})["path"] == f"args.skills[{len(wanted) - 1}]"
    bare = routed()
    bare.refused(ops.RequestCreate(None, personal("?"), skills=["tax"]), customer("carl"), Code.BAD_ARGS)


def test_a_round_is_over_when_those_who_fit_have_refused() -> None:
    scene = routed("ann", skills=[GERMAN])
    scene.hire("bo", german=5)
    scene.hire("cy", german=6)
    scene.ask("carl")
    scene.decline("carl", 1)
    assert scene.events(e.RoundPaused) == []
    scene.decline("carl", 2)
    assert len(scene.events(e.RoundPaused)) == 1
    scene.pass_time(10 * SECONDS)
    assert scene.has("carl") in ("bo", "cy")


def test_a_round_is_over_when_the_last_who_had_not_refused_loses_the_skill() -> None:
    scene = routed(skills=[GERMAN])
    scene.hire("bo", german=5)
    scene.hire("cy", german=6)
    scene.assign("dora", "bo")
    scene.ask("carl")
    scene.decline("carl")
    assert scene.events(e.RoundPaused) == []
    scene.employ("bo", german=4)
    assert len(scene.events(e.RoundPaused)) == 1


def test_skills_bind_neither_broadcasts_nor_picks_nor_transfers_nor_hands() -> None:
    scene = routed("ann", "bo", skills=[GERMAN])
    scene.entrance("all", mode="web")
    scene.entrance("own", kind="pick", mode="web")
    for name in ("all", "own"):
        scene.tune(name, skills=[GERMAN])
    scene.team("blue", "help", "all", "own")
    scene.employ("ann", capacity=9)
    session = scene.assign("carl", "ann", "all")
    assert scene.assign("cora", "ann", "own", pick="ann")
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.accept(offer_id("carl", 2), "bo")
    scene.ask("dora")
    scene.ok(ops.CaseAssign("ann", request_id("dora")), MIA)
    assert scene.has("dora") == "ann"


# --- how the need relaxes ----------------------------------------------------------------------------


def relaxing() -> Routed:
    scene = routed(skills=[GERMAN], relax=[{"after_ms": 30_000, "less": 2}, {"after_ms": 60_000, "less": 5}])
    scene.hire("ann", german=3)
    scene.hire("bo")
    return scene


def test_a_request_needs_less_from_its_time_on_and_not_before() -> None:
    scene = relaxing()
    scene.ask("carl")
    assert scene.pass_time(30 * SECONDS - 1) == []
    assert scene.has("carl") is None
    widened, offered = scene.pass_time(1)
    assert widened == e.RequestWidened(request_id("carl"), 1)
    assert isinstance(offered, e.OfferMade)
    assert scene.has("carl") == "ann"
    assert scene.due("relax", "carl") == 30 * SECONDS


def test_a_need_relaxes_while_the_request_is_offered_and_the_offer_stays() -> None:
    scene = relaxing()
    scene.ask("carl")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], offer_ms=60_000), MIA)
    scene.pass_time(60 * SECONDS)
    assert scene.has("carl") == "ann"
    assert scene.events(e.OfferEnded) == []
    scene.decline("carl")
    assert scene.has("carl") == "bo"  # whom it doesn't ask too much any more


def test_a_ladder_is_of_the_settings_at_its_requests_creation() -> None:
    scene = relaxing()
    scene.ask("carl")
    scene.tune("help", skills=[{"skill": "law", "level": 9}])
    scene.pass_time(30 * SECONDS)
    assert scene.has("carl") == "ann"
    scene.ask("dora")
    scene.pass_time(60 * SECONDS)
    assert scene.has("dora") is None


def test_steps_whose_time_comes_while_somebody_has_the_request_are_taken_one_by_one_afterwards() -> None:
    scene = relaxing()
    scene.ask("carl")
    scene.ok(ops.CaseAssign("bo", request_id("carl")), MIA)
    assert scene.due("relax", "carl") is None
    scene.pass_time(70 * SECONDS)
    scene.ok(ops.SessionLeave(scene.desk.state.requests[request_id("carl")].session), representative("bo"))
    assert scene.due("relax", "carl") == -40 * SECONDS  # its raw time
    assert scene.fire(scene.now) == (scene.now - 40 * SECONDS, "relax", request_id("carl"))
    assert scene.desk.state.requests[request_id("carl")].step == 1
    assert scene.due("relax", "carl") == -10 * SECONDS
    scene.pass_time(0)
    assert (scene.desk.state.requests[request_id("carl")].step, scene.due("relax", "carl")) == (2, None)
    scene.pass_time(10 * SECONDS)  # of all who fitted when it came back, bo alone, it has just been: a pause
    assert scene.has("carl") in ("ann", "bo")


def test_a_round_goes_on_when_the_request_needs_less_and_somebody_has_not_had_it() -> None:
    scene = routed(skills=[GERMAN], relax=[{"after_ms": 5000, "less": 5}])
    scene.hire("ann", german=5)
    scene.hire("bo")
    scene.ask("carl")
    scene.decline("carl")
    scene.pass_time(4999)
    assert scene.has("carl") is None
    scene.pass_time(1)
    assert scene.has("carl") == "bo"
    scene.decline("carl", 2)  # now everybody has had it
    assert scene.has("carl") is None


@pytest.mark.parametrize("german", [5, 9])
def test_F16_a_round_goes_on_with_whoever_learns_what_it_takes(german: int) -> None:
    scene = routed(skills=[GERMAN])
    scene.hire("ann", german=5)
    scene.hire("bo")
    scene.ask("carl")
    scene.decline("carl")
    scene.hire("ann", german=6)  # had it already
    assert scene.has("carl") is None
    scene.hire("bo", german=german)
    assert scene.has("carl") == "bo"


def test_a_request_that_is_over_relaxes_no_more() -> None:
    scene = relaxing()
    scene.ask("carl")
    scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
    assert scene.desk.state.deadlines.get("relax", request_id("carl")) is None


@pytest.mark.parametrize("level", [4, 5])
def test_a_representative_whose_skills_change_is_offered_what_it_fits_now(level: int) -> None:
    scene = routed("ann", skills=[GERMAN])
    scene.ask("carl")
    scene.employ("ann", german=level)
    assert scene.has("carl") == ("ann" if level == 5 else None)
