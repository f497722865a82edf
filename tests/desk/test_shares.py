"""Screen shares: two steps of consent, silence is refusal, either side stops."""

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Identity
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, offer_id, representative, session_id, share_id
from tests.support.playbook import Playbook, seen
from tests.support.scene import Scene, office

ANN, CARL = representative("ann"), customer("carl")
SHARE = share_id("carl")


def talking() -> Scene:
    scene = office("ann")
    scene.assign("carl", "ann")
    return scene


def in_state(state: str) -> Scene:
    """A share that has come so far."""
    scene = talking()
    scene.ok(ops.ShareRequest(session_id("carl")), ANN)
    if state in ("accepted", "active"):
        scene.ok(ops.ShareAccept(SHARE), CARL)
    if state == "active":
        scene.ok(ops.ShareConfirm(SHARE), CARL)
    return scene


def told(scene: Scene) -> list[tuple[object, object]]:
    stream = scene.told(f"session:{session_id('carl')}")
    return [(data["state"], data["by"]) for kind, data in stream if kind == "share.changed"]


def test_a_share_needs_two_steps_and_only_then_are_the_two_named_to_the_hub() -> None:
    scene = talking()
    with Playbook(scene) as play:
        play.at(0).given(ops.ShareRequest(session_id("carl")), ANN).expect(seen(e.ShareRequested), share=SHARE)
        assert list(scene.desk.shares()) == []
        play.at(59 * SECONDS).given(ops.ShareAccept(SHARE), CARL).expect(seen(e.ShareAccepted), share=SHARE)
        assert list(scene.desk.shares()) == []
        play.at(118 * SECONDS).given(ops.ShareConfirm(SHARE), CARL).expect(
            seen(e.ShareConfirmed, customer="v_carl", representative="ann"), share=SHARE
        )
        assert list(scene.desk.shares()) == [(SHARE, "v_carl", "ann")]
        play.at(1000 * SECONDS).expect()
        play.at(1000 * SECONDS).given(ops.ShareStop(SHARE), ANN).expect(seen(e.ShareEnded, by="representative"))
        assert list(scene.desk.shares()) == []
    assert told(scene) == [
        ("requested", "representative"),
        ("accepted", "customer"),
        ("active", "customer"),
        ("ended", "representative"),
    ]


@pytest.mark.parametrize("state", ["requested", "accepted"])
def test_saying_nothing_for_60_s_is_a_refusal(state: str) -> None:
    scene = in_state(state)
    assert scene.pass_time(60 * SECONDS - 1) == []
    assert scene.pass_time(1) == [e.ShareEnded(SHARE, session_id("carl"), "refused", "broker")]
    scene.refused(ops.ShareAccept(SHARE), CARL, Code.NO_SUCH)
    assert scene.ok(ops.ShareRequest(session_id("carl")), ANN).value == {"share": share_id("carl", 2)}


Step = type[ops.ShareAccept] | type[ops.ShareConfirm] | type[ops.ShareDecline] | type[ops.ShareStop]
ALLOWED: dict[tuple[str, Step], bool] = {
    ("requested", ops.ShareAccept): True,
    ("requested", ops.ShareConfirm): False,
    ("requested", ops.ShareDecline): True,
    ("requested", ops.ShareStop): True,
    ("accepted", ops.ShareAccept): False,
    ("accepted", ops.ShareConfirm): True,
    ("accepted", ops.ShareDecline): True,
    ("accepted", ops.ShareStop): True,
    ("active", ops.ShareAccept): False,
    ("active", ops.ShareConfirm): False,
    ("active", ops.ShareDecline): False,
    ("active", ops.ShareStop): True,
}


@pytest.mark.parametrize(("state", "step"), list(ALLOWED))
def test_each_step_is_taken_or_refused_with_what_may_be_done(state: str, step: Step) -> None:
    scene = in_state(state)
    if ALLOWED[state, step]:
        scene.ok(step(SHARE), CARL)
        return
    may = {op.OP for at, op in ALLOWED if at == state and ALLOWED[at, op]}
    detail = scene.refused(step(SHARE), CARL).detail or {}
    assert detail["state"] == state
    assert isinstance(detail["allowed"], list)
    assert set(detail["allowed"]) == may


def test_there_is_one_share_at_a_time() -> None:
    scene = in_state("requested")
    refusal = scene.refused(ops.ShareRequest(session_id("carl")), ANN)
    assert refusal.detail == {"state": "requested", "allowed": ["share.stop"]}
    scene.refused(ops.ShareRequest("s_none"), ANN, Code.NO_SUCH)


@pytest.mark.parametrize("by", [ANN, CARL])
def test_either_side_stops_a_share_and_the_session_goes_on(by: Identity) -> None:
    scene = in_state("active")
    scene.ok(ops.ShareStop(SHARE), by)
    assert told(scene)[-1] == ("ended", str(by.role))
    assert session_id("carl") in scene.desk.state.sessions


def test_a_share_is_none_of_other_peoples_business() -> None:
    scene = in_state("requested")
    scene.staff("blue", "bo")
    eve = customer("eve")
    for step in (ops.ShareAccept, ops.ShareConfirm, ops.ShareDecline, ops.ShareStop):
        scene.refused(step(SHARE), eve, Code.NO_SUCH)
        scene.refused(step("h_none.1"), CARL, Code.NO_SUCH)
    scene.refused(ops.ShareStop(SHARE), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.ShareStop(SHARE), representative("nobody"), Code.NOT_ALLOWED)
    for step in (ops.ShareAccept, ops.ShareConfirm, ops.ShareDecline):
        scene.refused(step(SHARE), ANN, Code.NOT_ALLOWED)


@pytest.mark.parametrize("how", ["end", "leave", "transfer"])
def test_a_share_ends_with_its_session_and_with_its_representative(how: str) -> None:
    scene = in_state("active")
    scene.staff("blue", "bo")
    if how == "end":
        scene.end(session_id("carl"))
    elif how == "leave":
        scene.ok(ops.SessionLeave(session_id("carl")), ANN)
    else:
        scene.ok(ops.SessionTransfer(session_id("carl"), "bo"), ANN)
        assert list(scene.desk.shares()) != []
        scene.accept(offer_id("carl", 2), "bo")
    assert told(scene)[-1] == ("ended", "broker")
    assert list(scene.desk.shares()) == []
