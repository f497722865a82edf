"""Guests who look at a shared screen: on a leg of their own, while they are there, and unseen where they are masked."""
# covers: broker/desk/legs.py

from __future__ import annotations

from typing import Any, cast

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, legs, watching
from broker.desk.commands import Watch
from broker.desk.outcome import Refusal
from broker.desk.view import view
from broker.desk.watching import Side
from broker.protocol import ops
from tests.desk.test_members import listed
from tests.desk.test_planted_faults import breaks
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import desk, manager, offer_id, personal, representative
from tests.support.scene import Scene, of, office
from tests.support.shares import ANN, CARL, SESSION, SHARE, in_state, switch, the

BO, CY = representative("bo"), representative("cy")
LEG = f"{SHARE}.1"
ALL = ("chat", "web_chat", "screen_share", "control", "reboot", "collaboration")


def company(*, masked: bool = False, view_only: bool = False) -> Scene:
    """Carl talks with Ann, and Bo is there too."""
    scene = office("ann", "bo")
    switch(scene)
    scene.assign("carl", "ann")
    scene.ok(ops.SessionInvite(SESSION, "bo", view_only=view_only, masked=masked), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    return scene


def looking(state: str = "active", *, control: bool = True, masked: bool = False, view_only: bool = False) -> Scene:
    """And Bo looks at Carl's screen."""
    scene = in_state(state, control=control, scene=company(masked=masked, view_only=view_only))
    scene.look("bo", SHARE)
    return scene


def told(scene: Scene, part: str = "") -> list[tuple[str, dict[str, Any]]]:
    """What the session's readers, or its staff, were told of who looks."""
    found = scene.told(f"session:{SESSION}{part}")
    return [(kind, dict(data)) for kind, data in found if kind in ("share.watched", "share.unwatched")]


def over(scene: Scene) -> None:
    """Bo has no leg, and nothing is relayed on it."""
    session = scene.desk.state.sessions.get(SESSION)
    assert session is None or all(member.leg is None for member in session.members.values())
    assert [guests for *_, guests in scene.desk.shares()] in ([], [[]])


def refused(scene: Scene, who: str = "bo") -> Refusal:
    """What joining is answered with."""
    found = scene.desk.share_to_join(representative(who), SHARE)
    assert isinstance(found, Refusal)
    return found


@pytest.mark.parametrize("state", ["negotiating", "active"])
def test_a_guest_looks_on_a_leg_of_its_own_and_asks_for_its_media_as_often_as_it_likes(state: str) -> None:
    scene = in_state(state, control=True, scene=company())
    for _ in range(2):
        assert scene.look("bo", SHARE) == Side("guest", LEG, True, ALL)
    (event,) = scene.events(e.ShareWatched)
    assert (event.leg, event.representative, event.holder, event.functions) == (LEG, "bo", "ann", ALL)
    assert list(scene.desk.shares()) == [(SHARE, "v_carl", "ann", [(LEG, "bo")])]
    assert scene.look("ann", SHARE) == Side("representative", None, True, ALL)
    same_desk(scene.desk, reloaded(scene.desk))
    same_desk(scene.desk, replay(desk(), [stored(record) for record in scene.records]))


@pytest.mark.parametrize(
    ("control", "view_only", "may"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_it_may_control_where_the_share_may_and_it_is_not_there_to_view_only(
    *, control: bool, view_only: bool, may: bool
) -> None:
    scene = looking(control=control, view_only=view_only)
    assert scene.look("bo", SHARE).control is may
    assert ("control" in scene.events(e.ShareWatched)[0].functions) is not view_only
    scene.ok(ops.ShareControl(SHARE, False), CARL)  # taken back, from everybody
    assert scene.look("bo", SHARE).control is False


@pytest.mark.parametrize("state", ["requested", "accepted", "rebooting"])
def test_nobody_looks_before_consent_or_while_the_machine_restarts(state: str) -> None:
    scene = in_state(state, scene=company())
    found = refused(scene)
    assert (found.code, found.detail) == (Code.WRONG_STATE, {"state": state, "allowed": ["session.leave"]})
    assert scene.desk.state.sessions[SESSION].members["bo"].leg is None


def test_whoever_is_no_guest_and_a_guest_for_whom_it_is_off_do_not_look() -> None:
    scene = in_state("active", scene=company())
    scene.staff("blue", "cy")
    assert refused(scene, "cy").code == Code.NO_SUCH
    scene.ok(ops.RepresentativePut("bo", personal("Bo"), "blue", 1, functions={"screen_share": False}), manager())
    found = refused(scene)
    assert found.code == Code.NOT_ALLOWED
    assert found.detail is not None
    assert found.detail["function"] == "screen_share"
    assert scene.events(e.ShareWatched) == []


def test_it_looks_no_more_when_it_says_so_and_the_share_goes_on() -> None:
    scene = looking()
    assert [type(event) for event in of(scene.ok(ops.ShareStop(SHARE), BO))] == [e.ShareUnwatched]
    assert the(scene).state == "active"
    over(scene)
    assert of(scene.ok(ops.ShareStop(SHARE), BO)) == []
    assert scene.look("bo", SHARE).leg == f"{SHARE}.2"  # what came on the first is of the past
    scene.refused(ops.ShareStarted(SHARE), BO, Code.NO_SUCH)  # it is neither end


def test_who_goes_takes_the_leg_along() -> None:
    for command, who in (
        (ops.SessionLeave(SESSION), BO),
        (ops.SessionRemove(SESSION, "bo"), ANN),
        (ops.PresenceSet("offline", sessions="hand_back"), BO),
        (ops.SessionEnd(SESSION), CARL),  # the share goes on
    ):
        scene = looking()
        scene.ok(command, who)
        assert [event.leg for event in scene.events(e.MemberLeft)] == [LEG]
        assert the(scene).state == "active"
        over(scene)
        assert refused(scene).code == Code.NO_SUCH


def test_with_the_share_and_with_a_restart_nobody_looks_any_more() -> None:
    scene = looking()
    scene.ok(ops.ShareReboot(SHARE), ANN)
    over(scene)
    scene.machine_back(SHARE)
    assert scene.look("bo", SHARE).leg == f"{SHARE}.2"
    scene.ok(ops.ShareStop(SHARE), CARL)
    over(scene)
    assert refused(scene).detail == {"state": "over", "allowed": ["session.leave"]}
    scene = looking()
    scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN)
    scene.accept(offer_id("carl", 3), "bo")
    over(scene)


def test_what_is_switched_off_for_a_guest_ends_what_it_does() -> None:
    scene = looking()
    bo = ("bo", personal("Bo"), "blue", 1)
    scene.ok(ops.RepresentativePut(*bo, functions={"control": False}), manager())
    (_, changed) = scene.events(e.ShareWatched)
    assert (changed.leg, changed.functions) == (LEG, tuple(name for name in ALL if name != "control"))
    assert (the(scene).legs, len(told(scene))) == (1, 2)
    assert (the(scene).control, scene.look("bo", SHARE).control) == (True, False)
    scene.ok(ops.RepresentativePut(*bo, functions={"screen_share": False}), manager())
    assert [event.reason for event in scene.events(e.ShareUnwatched)] == ["function_off"]
    over(scene)
    assert the(scene).state == "active"
    for function, kinds in {
        "screen_share": [e.ShareEnded],
        "collaboration": [e.ShareGrantChanged, e.MemberLeft],
        "control": [e.ShareGrantChanged, e.ShareWatched],
    }.items():
        scene = looking()
        happened = [type(event) for event in switch(scene, **{function: False})]
        assert [kind for kind in happened if kind is not e.PortalPut] == kinds


def test_the_customer_hears_who_looks_and_of_one_who_is_masked_nothing() -> None:
    scene = looking()
    assert told(scene) == [
        ("share.watched", {"share": SHARE, "session": SESSION, "representative": "bo", "control": True})
    ]
    scene.ok(ops.ShareStop(SHARE), BO)
    stopped = {"share": SHARE, "session": SESSION, "representative": "bo", "reason": "stopped"}
    assert told(scene)[1:] == [("share.unwatched", stopped)]
    assert told(scene, ":staff") == []
    for end in ("ann", "bo"):
        (watched, unwatched) = [data for kind, data in scene.told(f"me:{end}") if kind.endswith("watched")]
        assert (watched["leg"], watched["functions"]) == (LEG, list(ALL))
        assert unwatched == {**stopped, "leg": LEG}

    scene, alone = looking(masked=True), in_state("active", control=True, scene=company(masked=True))
    assert [kind for kind, _ in told(scene, ":staff")] == ["share.watched"]
    assert scene.told(f"session:{SESSION}") == alone.told(f"session:{SESSION}")
    assert view(scene.desk, f"session:{SESSION}", CARL) == view(alone.desk, f"session:{SESSION}", CARL)
    assert scene.told("me:v_carl") == alone.told("me:v_carl")


@pytest.mark.parametrize("masked", [False, True])
def test_a_page_that_is_loaded_anew_finds_who_looks(*, masked: bool) -> None:
    scene = looking(masked=masked)
    (bo,) = listed(scene, f"session:{SESSION}:staff", ANN, "members")
    assert bo["sees_screen"] is True
    seen = [one.get("sees_screen") for one in listed(scene, f"session:{SESSION}", CARL, "members")]
    assert seen == ([] if masked else [True])
    (mine,) = listed(scene, "me:ann", ANN, "sessions")
    assert mine["legs"] == [{"leg": LEG, "representative": "bo", "control": True, "functions": list(ALL)}]
    (its,) = listed(scene, "me:bo", BO, "guest_of")
    assert its["leg"] == LEG


def test_a_page_that_is_loaded_anew_takes_no_guest_for_one_who_looks() -> None:
    scene = company()
    (bo,) = listed(scene, f"session:{SESSION}", CARL, "members")
    assert bo["representative"] == "bo"
    assert "sees_screen" not in bo
    in_state("active", scene=scene)
    (still,) = listed(scene, f"session:{SESSION}", CARL, "members")
    assert still == bo


def test_of_a_masked_one_nothing_is_told_by_how_others_look() -> None:
    def two(*, hidden: bool) -> Scene:
        scene = company(masked=True)
        scene.staff("blue", "cy")
        scene.ok(ops.SessionInvite(SESSION, "cy"), ANN)
        scene.accept(offer_id("carl", 3), "cy")
        in_state("active", control=True, scene=scene)
        if hidden:
            scene.look("bo", SHARE)
        scene.look("cy", SHARE)
        return scene

    beside, alone = two(hidden=True), two(hidden=False)
    assert [leg for leg, _ in next(guests for *_, guests in beside.desk.shares())] == [LEG, f"{SHARE}.2"]
    assert beside.told(f"session:{SESSION}") == alone.told(f"session:{SESSION}")
    assert view(beside.desk, f"session:{SESSION}", CARL) == view(alone.desk, f"session:{SESSION}", CARL)


def test_what_is_on_for_the_guest_alone_is_not_in_what_it_may_do() -> None:
    scene = office("ann", "bo")
    switch(scene, file_transfer=True)
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1, functions={"file_transfer": False}), manager())
    scene.assign("carl", "ann")
    scene.ok(ops.SessionInvite(SESSION, "bo"), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    in_state("active", control=True, scene=scene)
    assert scene.look("bo", SHARE).functions == ALL
    assert "file_transfer" in scene.events(e.ShareWatched)[0].functions


def test_one_who_is_there_to_view_only_has_nothing_to_act_with() -> None:
    scene = in_state("active", control=True, scene=company(view_only=True))
    assert scene.look("bo", SHARE) == Side("guest", LEG, False, ("web_chat", "screen_share", "collaboration"))


def test_what_is_no_news_to_the_session_is_told_to_both_ends_of_the_leg_alone() -> None:
    scene = looking()
    switch(scene, file_transfer=True)
    assert len(scene.events(e.ShareWatched)) == 2
    assert len(told(scene)) == 1
    for end in ("ann", "bo"):
        (_, again) = [data for kind, data in scene.told(f"me:{end}") if kind == "share.watched"]
        assert "file_transfer" in cast("list[str]", again["functions"])


def test_a_second_word_of_the_hub_gives_no_second_leg() -> None:
    scene = looking()
    assert of(scene.ok(Watch(SHARE, "bo"))) == []


# --- planted faults --------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [ops.ShareReboot(SHARE), ops.ShareStop(SHARE)])
def test_caught_a_leg_that_outlives_its_share(monkeypatch: pytest.MonkeyPatch, end: object) -> None:
    scene = looking()
    monkeypatch.setattr(legs, "all_done", lambda session: None)
    breaks("F2", lambda: scene.ok(end, ANN))


def test_caught_a_guest_who_looks_before_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = in_state("accepted", scene=company())
    monkeypatch.setattr(watching, "join", lambda state, share, who: share)
    breaks("F2", lambda: scene.look("bo", SHARE))


def test_caught_a_look_that_goes_on_where_it_was_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = looking()
    monkeypatch.setattr(functions, "_watching", lambda *_: ())
    off = ops.RepresentativePut("bo", personal("Bo"), "blue", 1, functions={"screen_share": False})
    breaks("A11", lambda: scene.ok(off, manager()))


def test_caught_a_leg_that_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = looking()
    scene.staff("blue", "cy")
    scene.ok(ops.SessionInvite(SESSION, "cy"), ANN)
    scene.accept(offer_id("carl", 3), "cy")
    the(scene).legs = 0
    breaks("F2", lambda: scene.look("cy", SHARE))
