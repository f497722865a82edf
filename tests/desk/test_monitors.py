"""Managers who look on: who may, what they read, what others are told of it, and everything that ends it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.commands import BrokerStart, ConnectionLost
from broker.protocol import ops
from tests.support import people
from tests.support.agreement import reloaded, same_desk
from tests.support.builders import customer, manager, offer_id, personal, representative, session_id
from tests.support.scene import Scene, office

SESSION = session_id("carl")
ANN, MIA, TIM = representative("ann"), manager("mia"), manager("tim")
LOOK, STOP = ops.SessionMonitor(SESSION), ops.SessionMonitorEnd(SESSION)


def watched(policy: str = "silent", *, on: bool = True) -> Scene:
    """Carl talks with Ann, at a portal where managers may look on."""
    scene = office("ann")
    people.boss(scene)
    people.hire(scene, "tim", "team", teams=["blue"], rights=["monitor"])
    portal(scene, policy, on=on)
    scene.assign("carl", "ann")
    return scene


def portal(scene: Scene, policy: str, *, on: bool = True) -> None:
    """The portal's word on it."""
    put = ops.PortalPut("help", "ask", "queue", ["help"], functions={"monitoring": on}, monitoring=policy)
    scene.ok(put, MIA)


def ends(scene: Scene) -> list[tuple[str, str]]:
    """(who, why)"""
    return [(event.manager, event.reason) for event in scene.events(e.MonitorEnded)]


def monitored(scene: Scene, stream: str) -> list[dict[str, object]]:
    """What readers of a stream were told of it."""
    return [data for kind, data in scene.told(stream) if kind == "session.monitored"]


def test_a_manager_reads_a_session_while_it_looks_on_and_only_the_audit_knows() -> None:
    scene = watched()
    streams = (f"session:{SESSION}", f"session:{SESSION}:staff")
    assert not any(scene.desk.may_read(MIA, stream) for stream in streams)
    heads = [scene.desk.stream_head(stream) for stream in streams]
    assert scene.ok(LOOK, MIA).value == {"session": SESSION, "announced": False}
    assert all(scene.desk.may_read(MIA, stream) for stream in streams)
    assert not scene.desk.may_read(TIM, streams[0])
    assert not scene.ok(LOOK, MIA).records  # once is enough
    began = scene.now
    scene.pass_time(5000)
    scene.ok(STOP, MIA)
    assert not any(scene.desk.may_read(MIA, stream) for stream in streams)
    assert [scene.desk.stream_head(stream) for stream in streams] == heads
    common = {"session": SESSION, "manager": "mia", "announced": False}
    told = [{**common, "on": True}, {**common, "on": False, "reason": "left", "since": began}]
    assert monitored(scene, "audit") == monitored(scene, "me:mia") == told
    assert monitored(scene, "account") == monitored(scene, "me:ann") == monitored(scene, "team:blue") == []
    scene.refused(STOP, MIA, Code.NO_SUCH)
    scene.refused(ops.SessionMonitorEnd("s_none"), MIA, Code.NO_SUCH)


def test_where_it_is_announced_those_in_the_session_are_told_that_it_is_so_and_not_by_whom() -> None:
    scene = watched("announced")
    scene.ok(LOOK, MIA)
    scene.ok(LOOK, TIM)
    scene.ok(STOP, MIA)
    scene.ok(STOP, TIM)
    told = [{"session": SESSION, "on": True}, {"session": SESSION, "on": False}]
    assert monitored(scene, f"session:{SESSION}") == monitored(scene, f"session:{SESSION}:staff") == told
    assert len(monitored(scene, "audit")) == 4


@pytest.mark.parametrize("how", ["portal", "function", "right", "team"])
def test_nobody_looks_on_who_may_not(how: str) -> None:
    scene = watched("off" if how == "portal" else "silent", on=how != "function")
    if how == "right":
        people.hire(scene, "tim", "team", teams=["blue"])
    elif how == "team":
        scene.team("red", "help")
        people.hire(scene, "tim", "team", teams=["red"], rights=["monitor"])
    scene.refused(LOOK, TIM, Code.NOT_ALLOWED)
    assert scene.events(e.MonitorStarted) == []


def test_there_must_be_a_conversation_and_a_manager_of_it() -> None:
    scene = watched()
    scene.ok(ops.PortalPut("more", "button", "queue", ["more"], web_chat="upgradable"), MIA)
    scene.ok(ops.RequestCreate(), customer("zoe", "more"), "zoe")
    refusal = scene.refused(ops.SessionMonitor(session_id("zoe")), MIA, Code.WRONG_STATE)
    assert (refusal.detail or {})["state"] == "waiting"
    scene.refused(ops.SessionMonitor("s_none"), MIA, Code.NO_SUCH)
    scene.refused(ops.SessionMonitor("s_none"), TIM, Code.NOT_ALLOWED)
    people.hire(scene, "pia", "api")
    scene.refused(LOOK, manager("pia"), Code.NOT_ALLOWED)


def test_only_so_many_look_on_in_one_session() -> None:
    scene = watched()
    for number in range(limits.MAX_MONITORS + 1):
        people.hire(scene, f"m{number}", "account")
        if number < limits.MAX_MONITORS:
            scene.ok(LOOK, manager(f"m{number}"))
    scene.refused(LOOK, manager(f"m{limits.MAX_MONITORS}"), Code.QUOTA)


def _fire(scene: Scene) -> None:
    scene.ok(ops.ManagerDelete("tim"), MIA)


def test_the_operators_word_ends_with_the_first_account_manager() -> None:
    scene = office("ann")
    portal(scene, "silent")
    scene.assign("carl", "ann")
    scene.ok(LOOK, MIA)
    people.hire(scene, "boss", "account")
    assert ends(scene) == [("mia", "rights")]


def _hand_on(scene: Scene) -> None:
    scene.team("red", "help")
    scene.staff("red", "bo")
    scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN)
    scene.accept(offer_id("carl", 2), "bo")


def _move(scene: Scene) -> None:
    scene.team("red", "help")
    scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "red", 1), MIA)


def _own_setting(scene: Scene) -> None:
    put = ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 1, functions={"monitoring": False})
    scene.ok(put, MIA)


ENDS: dict[str, tuple[str, Callable[[Scene], object]]] = {
    "the session is over": ("ended", lambda scene: scene.ok(ops.SessionEnd(SESSION), customer("carl"))),
    "it is handed back": ("released", lambda scene: scene.ok(ops.SessionLeave(SESSION), ANN)),
    "the manager's connection is lost": ("connection_lost", lambda scene: scene.ok(ConnectionLost("tim"))),
    "the broker starts": ("restarted", lambda scene: scene.ok(BrokerStart())),
    "the policy is another": ("policy", lambda scene: portal(scene, "announced")),
    "there is none": ("policy", lambda scene: portal(scene, "off")),
    "the function is off at the portal": ("function_off", lambda scene: portal(scene, "silent", on=False)),
    "the function is off for whoever is there": ("function_off", _own_setting),
    "the right is taken away": ("rights", lambda scene: people.hire(scene, "tim", "team", teams=["blue"])),
    "the manager is gone": ("rights", _fire),
    "the team is another's": ("scope", lambda scene: people.hire(scene, "tim", "team", rights=["monitor"])),
    "the session goes to another team": ("scope", _hand_on),
    "whoever has it does": ("scope", _move),
}


@pytest.mark.parametrize("what", ENDS)
def test_it_ends_when(what: str) -> None:
    reason, act = ENDS[what]
    scene = watched()
    scene.ok(LOOK, TIM)
    act(scene)
    assert ends(scene) == [("tim", reason)]
    assert not scene.desk.may_read(TIM, f"session:{SESSION}")
    assert scene.desk.state.monitored == {}


def test_an_account_manager_goes_on_where_a_team_manager_ends_and_the_loss_of_others_is_nothing_to_it() -> None:
    scene = watched()
    scene.ok(LOOK, TIM)
    scene.ok(LOOK, MIA)
    _hand_on(scene)
    scene.ok(ConnectionLost("boss"))
    scene.ok(ConnectionLost("tim"))
    assert ends(scene) == [("tim", "scope")]
    assert list(scene.desk.state.sessions[SESSION].monitors) == ["mia"]


def test_who_looks_on_survives_a_snapshot() -> None:
    scene = watched("announced")
    scene.ok(LOOK, MIA)
    twin = reloaded(scene.desk)
    same_desk(twin, scene.desk)
    assert twin.state.monitored == scene.desk.state.monitored
