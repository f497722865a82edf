"""What goes through the lines, counted in two ways that must agree (Little's law)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.flow import Flow
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.agreement import reloaded
from tests.support.builders import START, customer, manager, offer_id, representative, request_id
from tests.support.scene import Scene, office


def agrees(scene: Scene) -> None:
    """The length over time is the waits of those who left and of those who are still there."""
    flow, state = scene.desk.state.flow, scene.desk.state
    there = [one for one in state.requests.values() if one.discipline == "queue" and one.state != "assigned"]
    assert flow.length == len(there)
    area = flow.length_ms + flow.length * (scene.now - flow.changed)
    assert area == flow.waited_ms + sum(scene.now - max(one.joined, flow.began) for one in there)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30_000)), max_size=60))
def test_littles_law_holds_in_the_counts(steps: list[tuple[int, int]]) -> None:
    scene = office("ann", "bo")
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "wait", "after_ms": 60_000}]), manager())
    for number, (what, ms) in enumerate(steps):
        scene.pass_time(ms)
        state = scene.desk.state
        active = [one for one in state.sessions.values() if one.state == "active"]
        if what < 4:
            scene.ask(f"n{number}")
        elif what < 6 and state.offers:
            offer = next(iter(state.offers.values()))
            scene.accept(offer.offer, offer.representative or "")
        elif what == 6 and active:
            scene.end(active[0].session)
        elif what == 7 and active:
            session = active[0]
            scene.ok(ops.SessionLeave(session.session), representative(session.lead))
        elif what == 8:
            scene.restart()
        agrees(scene)


def test_assignments_are_counted_by_kind_and_those_by_hand_with_them() -> None:
    scene = office("ann", "bo", capacity=9)
    scene.portal("help", "ask", "queue", "help", "spare")
    scene.portal("hand", "ask", "queue")
    scene.team("blue", "hand")
    scene.ok(ops.PortalPut("hand", "ask", "queue", ["hand"], take="any"), manager())
    scene.assign("one", "ann", "hand")
    for name in ("ann", "bo"):
        scene.set(name, "away")
    for name in ("two", "three"):
        scene.ask(name, "hand")
    scene.ok(ops.CaseTake(request_id("two")), representative("ann"))
    scene.ok(ops.CaseAssign("bo", request_id("three")), manager())
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "wait", "after_ms": 1000, "to": "spare"}]), manager())
    scene.ok(ops.SubportalPut("spare", overflow=[{"on": "wait", "after_ms": 2000}]), manager())
    scene.ask("four")
    scene.pass_time(3 * SECONDS)
    flow = scene.desk.state.flow
    assert (flow.queue, flow.taken, flow.given, flow.direct, flow.broadcast, flow.pin) == (1, 1, 1, 0, 0, 0)
    assert (flow.overflowed, flow.converted, flow.joined, flow.left, flow.length) == (1, 1, 4, 4, 0)
    assert flow.waited_ms == flow.length_ms == 2000


def test_other_requests_stand_in_no_line() -> None:
    scene = office("ann")
    scene.portal("open", "ask", "web")
    scene.team("blue", "open")
    scene.ask("carl", "open")
    scene.ask("cora", "open")
    scene.accept(offer_id("carl"), "ann")
    scene.ok(ops.RequestWithdraw(request_id("cora")), customer("cora", "open"))
    flow = scene.desk.state.flow
    assert (flow.broadcast, flow.joined, flow.left) == (1, 0, 0)


def test_counts_begin_anew_with_the_broker_and_the_length_does_not() -> None:
    scene = office()
    for name in ("one", "two"):
        scene.ask(name)
    scene.pass_time(5 * SECONDS)
    assert reloaded(scene.desk).state.flow.length == 2
    scene.restart()
    scene.pass_time(2 * SECONDS)
    scene.ok(ops.RequestWithdraw(request_id("one")), customer("one"))
    flow = scene.desk.state.flow
    assert (flow.began, flow.length, flow.left, flow.waited_ms) == (START + 5000, 1, 1, 2000)


def test_a_wait_that_is_counted_from_the_wrong_moment_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Flow.leave
    monkeypatch.setattr(Flow, "leave", lambda flow, since, t: real(flow, since + 1000, t))
    with pytest.raises(AssertionError):
        test_littles_law_holds_in_the_counts()
