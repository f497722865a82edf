"""A share has a life of its own: it outlives its session, and ends with whoever is in it, or what allows it."""
# covers: broker/desk/visitors.py

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
import pytest

from broker import limits
from broker.desk import blocks, invariants
from broker.desk import events as e
from broker.desk.commands import MachineBack
from broker.desk.identity import Identity
from broker.desk.invariants import InvariantBroken
from broker.desk.state import Share
from broker.desk.view import view
from broker.protocol import ops
from broker.units import HOURS, MINUTES, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import customer, desk, offer_id, personal, representative
from tests.support.scene import Scene
from tests.support.shares import ANN, CARL, MIA, SESSION, SHARE, in_state, steps, switch, talking, the, told

AGREED = ("negotiating", "active", "rebooting")
ASKED = ("requested", "accepted")


def alone(state: str = "active") -> Scene:
    """A share whose session is over."""
    scene = in_state(state)
    scene.ok(ops.SessionEnd(SESSION), CARL)
    return scene


def shown(scene: Scene, what: str) -> list[dict[str, object]]:
    """A list in the snapshot of their session."""
    (part,) = view(scene.desk, f"session:{SESSION}", CARL)
    return cast("list[dict[str, object]]", part[what])


def last(scene: Scene) -> tuple[object, object, object]:
    """How it ended."""
    end = told(scene)[-1]
    return end["state"], end["by"], end.get("reason")


# --- the end of the chat -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", AGREED)
@pytest.mark.parametrize("by", [ANN, CARL])
def test_F2_the_end_of_the_chat_leaves_the_share_and_either_end_stops_it(state: str, by: Identity) -> None:
    scene = alone(state)
    assert (the(scene).state, scene.desk.state.sessions) == (state, {})
    if state != "rebooting":
        scene.ok(ops.ShareStarted(SHARE), by)
    scene.ok(ops.ShareStop(SHARE), by)
    assert steps(scene)[-1] == ("ended", str(by.role))


@pytest.mark.parametrize("state", ASKED)
def test_what_was_not_agreed_to_ends_with_the_chat(state: str) -> None:
    scene = alone(state)
    assert last(scene) == ("ended", "broker", "session_ended")


def test_F2_both_read_the_stream_while_the_share_lives_and_a_while_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 2)
    scene, stream = alone(), f"session:{SESSION}"
    for number in range(4):  # so many that the others are forgotten
        scene.end(scene.assign(f"other{number}", "ann"))
    assert len(scene.desk.state.ended_sessions) == 3
    head = scene.desk.stream_head(stream)
    assert head > 0
    assert scene.desk.may_read(CARL, stream)
    assert scene.desk.may_read(ANN, stream)
    assert not scene.desk.may_read(customer("eve"), stream)
    parts = view(scene.desk, stream, CARL)
    assert parts == [
        {
            "shares": [
                {
                    "share": SHARE,
                    "session": SESSION,
                    "state": "active",
                    "grant": {"view": True, "control": False, "functions": list(the(scene).functions)},
                }
            ]
        }
    ]
    assert parts[0] in view(scene.desk, "me:v_carl", CARL)
    assert parts[0] in view(scene.desk, "me:ann", ANN)
    same_desk(reloaded(scene.desk), scene.desk)
    scene.ok(ops.ShareStop(SHARE), CARL)
    assert scene.desk.stream_head(stream) == head + 1
    assert scene.desk.may_read(ANN, stream)
    assert view(scene.desk, stream, CARL) == [{}]
    for number in range(4, 8):
        scene.end(scene.assign(f"other{number}", "ann"))
    assert scene.desk.stream_head(stream) == head + 1  # its case is kept
    assert scene.desk.may_read(CARL, stream)
    del scene.desk.state.cases[f"k_{SESSION[2:]}"]
    assert not scene.desk.may_read(CARL, stream)


def test_a_stream_is_kept_when_its_request_ends_after_its_session_was_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "RECENT_SESSIONS", 0)
    scene = alone()
    assert scene.desk.stream_head(f"session:{SESSION}") > 0


def test_a_snapshot_says_what_a_share_is_asked_for_and_until_when() -> None:
    scene = talking()
    for control, asks in ((None, ["view"]), (True, ["view", "control"])):
        share = str(scene.ok(ops.ShareRequest(SESSION, control=control), ANN).value["share"])
        (session,) = shown(scene, "sessions")
        until = scene.now + 60 * SECONDS
        assert session["share"] == {
            "share": share,
            "session": SESSION,
            "state": "requested",
            "asks": asks,
            "until": until,
        }
        scene.ok(ops.ShareStop(share), CARL)


def test_a_snapshot_says_that_control_is_asked_for() -> None:
    scene = alone()
    scene.ok(ops.ShareAskControl(SHARE), ANN)
    (share,) = shown(scene, "shares")
    assert (share["asks"], share["until"]) == (["control"], scene.now + 60 * SECONDS)


def test_a_share_takes_no_capacity_and_is_asked_for_in_a_live_session_only() -> None:
    scene = alone()
    assert scene.desk.state.router.members["ann"].load == 0
    scene.refused(ops.ShareRequest(SESSION), ANN)
    scene.assign("eve", "ann")


# --- whoever is in it --------------------------------------------------------------------------------------


def _signs_out(scene: Scene) -> None:
    scene.set("ann", "offline", "hand_back")


def _is_lost(scene: Scene) -> None:
    scene.lose("ann")
    scene.pass_time(59 * SECONDS)
    assert SHARE in scene.desk.state.shares
    scene.pass_time(1 * SECONDS)


def _is_deleted(scene: Scene) -> None:
    scene.ok(ops.RepresentativeDelete("ann"), MIA)


def _is_given_up(scene: Scene) -> None:
    scene.lose("v_carl")
    scene.pass_time(119 * SECONDS)
    assert SHARE in scene.desk.state.shares
    scene.pass_time(1 * SECONDS)


def _is_blocked(scene: Scene) -> None:
    scene.ok(ops.VisitorBlock("abuse", visitor="v_carl"), MIA)


def _is_switched_off(scene: Scene) -> None:
    switch(scene, screen_share=False)


HOW: dict[str, Callable[[Scene], None]] = {
    "signed_out": _signs_out,
    "representative_lost": _is_lost,
    "abandoned": _is_given_up,
    "blocked": _is_blocked,
    "function_off": _is_switched_off,
}


@pytest.mark.parametrize("reason", list(HOW))
@pytest.mark.parametrize("over", [False, True])
def test_a_share_ends_with_its_people_and_its_function_whether_the_chat_is_over_or_not(
    reason: str,
    over: bool,  # noqa: FBT001 (a case of the table)
) -> None:
    scene = alone() if over else in_state("active")
    HOW[reason](scene)
    assert last(scene) == ("ended", "broker", reason)
    assert list(scene.desk.shares()) == []
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)


def test_a_representative_who_is_deleted_leaves_no_share() -> None:
    scene = alone()
    _is_deleted(scene)
    assert last(scene) == ("ended", "broker", "signed_out")


def test_who_is_blocked_by_address_loses_shares_and_others_keep_theirs() -> None:
    scene = talking()
    there = attrs.evolve(customer("eve", "help"), source="digest", network="198.51.100.0")
    scene.set("ann", "away")
    scene.staff("blue", "bo")
    scene.ok(ops.RequestCreate(text=personal("?")), there, "eve")
    session = scene.accept(offer_id("eve"), "bo")
    share = str(scene.ok(ops.ShareRequest(session), representative("bo")).value["share"])
    in_state("active", scene=scene)
    scene.ok(ops.VisitorBlock("abuse", session=session, what="address"), MIA)
    assert list(scene.desk.state.shares) == [SHARE]
    assert share != SHARE


def test_L5_caught_a_block_that_forgets_the_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_shared", lambda state, visitor, source: ())
    with pytest.raises(InvariantBroken) as caught:
        _is_blocked(alone())
    assert caught.value.invariant == "L5"


def test_F2_caught_a_share_of_nobody() -> None:
    scene = alone()
    del scene.desk.state.visitors["v_carl"]
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(scene.desk.state)
    assert caught.value.invariant == "F2"


def test_a_share_ends_when_the_session_is_handed_back_or_somebody_else_has_it() -> None:
    scene = in_state("active")
    scene.ok(ops.SessionLeave(SESSION), ANN)
    assert last(scene) == ("ended", "broker", "handed_back")
    scene = in_state("active")
    scene.staff("blue", "bo")
    scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN)
    assert list(scene.desk.shares()) != []
    scene.accept(offer_id("carl", 2), "bo")
    assert last(scene) == ("ended", "broker", "transferred")


def test_a_share_ends_with_its_portal() -> None:
    scene = alone()
    scene.portal("other", "ask", "queue")
    scene.ok(ops.PortalDelete("other"), MIA)
    assert SHARE in scene.desk.state.shares
    scene.ok(ops.PortalDelete("help"), MIA)
    assert last(scene) == ("ended", "broker", "portal_deleted")


def test_who_was_taken_over_keeps_its_share_and_is_offline_after_it() -> None:
    scene = alone()
    scene.team("blue", "help", logins=1)
    scene.staff("blue", "bo", presence="offline")
    scene.ok(ops.PresenceSet("available", takeover="ann"), representative("bo"))
    assert scene.pass_time(HOURS) == []
    scene.ok(ops.ShareStop(SHARE), CARL)
    assert [type(event) for event in scene.pass_time(0)] == [e.PresenceChanged]
    assert scene.desk.state.representatives["ann"].chosen == "offline"


# --- who is away ---------------------------------------------------------------------------------------------


def test_who_has_a_share_alone_is_waited_for_and_the_other_end_is_told() -> None:
    scene = alone()
    stream = f"session:{SESSION}"
    assert scene.desk.has_open_request("v_carl")
    scene.lose("v_carl")
    until = scene.now + 120 * SECONDS
    assert scene.told(stream)[-1] == ("session.held", {"session": SESSION, "who": "customer", "until": until})
    scene.back("v_carl")
    assert scene.told(stream)[-1] == ("session.resumed", {"session": SESSION, "who": "customer"})
    scene.lose("ann")
    assert scene.told(stream)[-1][0] == "session.held"
    scene.back("ann")
    assert scene.told(stream)[-1] == ("session.resumed", {"session": SESSION, "who": "representative"})
    assert the(scene).state == "active"


def test_who_is_lost_when_the_chat_ends_is_still_waited_for() -> None:
    scene = in_state("active")
    scene.lose("v_carl")
    scene.end(SESSION)
    assert scene.desk.state.visitors["v_carl"].lost_until is not None
    scene.pass_time(120 * SECONDS)
    assert last(scene) == ("ended", "broker", "abandoned")
    assert scene.desk.state.visitors["v_carl"].lost_until is None


def test_F23_who_has_a_share_is_not_forgotten_and_later_is() -> None:
    scene = alone()
    scene.pass_time(30 * HOURS)
    assert "v_carl" in scene.desk.state.visitors
    scene.ok(ops.ShareStop(SHARE), CARL)
    scene.pass_time(23 * HOURS)
    assert "v_carl" in scene.desk.state.visitors
    assert not scene.desk.has_open_request("v_carl")
    scene.pass_time(2 * HOURS)
    assert "v_carl" not in scene.desk.state.visitors


def test_who_asks_again_and_shares_has_two_things_open() -> None:
    scene = alone()
    scene.ask("again")  # somebody else
    scene.ok(ops.RequestCreate(text=personal("?")), customer("carl", "help"), "more")
    scene.ok(ops.ShareStop(SHARE), CARL)
    assert "v_carl" not in scene.desk.state.idle_visitors
    scene.pass_time(MINUTES)
    assert "v_carl" in scene.desk.state.visitors


def test_a_machine_restarts_also_when_the_chat_is_over() -> None:
    scene = in_state("active", control=True)
    scene.end(SESSION)
    scene.ok(ops.ShareReboot(SHARE), ANN)
    share = scene.desk.share_to_join(CARL, SHARE)
    assert isinstance(share, Share)
    assert scene.desk.joins(CARL, share) == MachineBack(SHARE)
    scene.machine_back(SHARE)
    assert scene.desk.joins(CARL, share) is None
    assert the(scene).state == "negotiating"
