"""Each kind of decision in plain data, as the desk before it saw things."""

from __future__ import annotations

from typing import cast

from broker.desk import events as e
from broker.desk.explain import Told, is_decision, tell
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.units import SECONDS
from tests.support.builders import (
    START,
    customer,
    desk,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.scene import Scene, office


def decisions(scene: Scene, name: str) -> list[Told]:
    """All that was decided about a request, by a replay."""
    replayed, found = desk(), []
    for record in scene.records:
        if is_decision(record.event, name):
            found.append(tell(replayed, record.event, record.t))
            pack_value(found[-1])  # it can travel
        replayed.evolve(record.event, record.t, record.entries)
    return found


def words(told: Told) -> tuple[object, ...]:
    return told["decision"], told["rule"], told.get("representative")


def test_an_offer_from_a_line_tells_everything() -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    (told,) = decisions(scene, request_id("carl"))
    assert told == {
        "seq": len(scene.records),
        "t": START,
        "decision": "offer.made",
        "offer": offer_id("carl"),
        "request": request_id("carl"),
        "subportal": "help",
        "kind": "queue",
        "representative": "ann",
        "position": 1,
        "class": "normal",
        "needs": [],
        "held_for": None,
        "rule": "least_occupied",
        "criteria": ["occupied", "idle_since", "id"],
        "decided_by": "id",
        "agrees": True,
        "candidates": [
            {"representative": "ann", "rank": [0.0, START, "ann"]},
            {"representative": "bo", "rank": [0.0, START, "bo"]},
        ],
        "others": 0,
        "turns": [
            {
                "subportals": ["help"],
                "lines": [{"subportal": "help", "given": 0.0, "first": request_id("carl")}],
                "named": ["help", request_id("carl")],
            }
        ],
        "passed": [],
    }
    assert decisions(scene, offer_id("carl")) == [told]
    assert decisions(scene, request_id("cora")) == []


def test_rounds_and_refusals_are_told() -> None:
    scene = office("ann", "bo")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "busy"), representative("ann"))
    scene.ok(ops.OfferDecline(offer_id("carl", 2), "busy"), representative("bo"))
    first, second, paused = decisions(scene, request_id("carl"))
    assert [first["representative"], second["representative"]] == ["ann", "bo"]
    assert cast("list[Told]", second["candidates"])[1] == {"representative": "ann", "out": "refused it in this round"}
    assert paused["rule"] == "everybody eligible has refused it in this round"


def test_other_ways_to_a_representative_are_told_in_a_word() -> None:
    scene = office("ann", "bo")
    scene.portal("pick", "pick", "web")
    scene.portal("open", "ask", "web")
    scene.team("blue", "help", "pick", "open")
    scene.ask("picky", "pick", pick="bo")
    scene.ask("open", "open")
    assert [words(told) for told in decisions(scene, request_id("picky"))] == [
        ("offer.made", "the customer picked this representative", "bo")
    ]
    assert [words(told)[1] for told in decisions(scene, request_id("open"))] == [
        "everyone who is signed in and serves the sub-portal is asked"
    ]
    scene.accept(offer_id("picky"), "bo")
    scene.ok(ops.SessionTransfer(session_id("picky"), "ann"), representative("bo"))
    assert words(decisions(scene, request_id("picky"))[-1]) == (
        "offer.made",
        "another representative offers its session",
        "ann",
    )


def test_what_time_and_hands_decide_is_told() -> None:
    scene = office("ann")
    scene.portal("help", "ask", "queue", "help", "spare")
    rules = [{"on": "wait", "after_ms": 40_000, "to": "spare"}]
    skills = [{"skill": "german", "level": 3}]
    put = ops.SubportalPut("help", skills=skills, relax=[{"after_ms": 30_000, "less": 1}], overflow=rules)
    scene.ok(put, manager())
    scene.ok(ops.SubportalPut("spare", overflow=[{"on": "wait", "after_ms": 50_000}]), manager())
    for name in ("carl", "cora"):
        scene.ask(name)
    scene.pass_time(45 * SECONDS)
    assert [words(told)[:2] for told in decisions(scene, request_id("carl"))] == [
        ("request.widened", "relax"),
        ("request.moved", "overflow: wait"),
    ]
    scene.ok(ops.CaseAssign("ann", request_id("carl")), manager())
    scene.pass_time(10 * SECONDS)
    assert words(decisions(scene, request_id("carl"))[-1]) == ("request.assigned", "given", "ann")
    assert words(decisions(scene, request_id("cora"))[-1])[:2] == ("request.ended", "overflow: to a support request")


def test_a_hold_that_ends_is_told() -> None:
    scene = office("ann", "bo")
    scene.ok(ops.SubportalPut("help", sticky_ms=5000), manager())
    session = scene.assign("carl", "ann")
    scene.ok(ops.SessionEnd(session), customer("carl"))
    for name in ("cora", "dora"):  # ann has a session again, and so has bo
        scene.ask(name)
        scene.accept(offer_id(name), "ann" if scene.offered_to("ann") else "bo")
    scene.ok(ops.RequestCreate("help", personal("again")), customer("carl"), "carl2")
    scene.pass_time(6 * SECONDS)
    (released,) = [
        tell(scene.desk, record.event, record.t)
        for record in scene.records
        if isinstance(record.event, e.RequestReleased)
    ]
    assert (released["rule"], released["why"]) == ("sticky", "time")


def test_who_was_passed_over_is_told_with_the_reason() -> None:
    scene = office("ann")
    scene.ok(ops.SubportalPut("help", skills=[{"skill": "german", "level": 3, "asked": True}]), manager())
    scene.ok(ops.RequestCreate("help", personal("?"), skills=["german"]), customer("gert"), "gert")
    scene.ask("carl")
    (told,) = decisions(scene, request_id("carl"))
    assert told["passed"] == [{"request": request_id("gert"), "why": "lacks german 3: has 0"}]
