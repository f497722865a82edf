"""Guests: in somebody else's session, and gone from it."""

from __future__ import annotations

from broker.codes import Code
from broker.desk import events as e
from broker.protocol import ops
from tests.support.builders import personal, representative, session_id
from tests.support.scene import Scene, office

SESSION = session_id("carl")
ANN, BO = representative("ann"), representative("bo")


def with_guest(*, masked: bool = False, view_only: bool = False) -> Scene:
    """Carl talks with Ann, and Bo is there too."""
    scene = office("ann", "bo")
    scene.assign("carl", "ann")
    name = ("c_bo", b"d" * 16)
    joined = e.MemberJoined(SESSION, "bo", name, view_only, masked, "o_x", None, "ann")
    scene.watch([scene.desk._record(joined, scene.now)])
    return scene


def test_a_guest_speaks_and_goes() -> None:
    scene = with_guest()
    scene.ok(ops.ChatSend(SESSION, personal("hello", "c_hello")), BO)
    scene.ok(ops.SessionLeave(SESSION), BO)
    kinds = [kind for kind, _ in scene.told(f"session:{SESSION}")]
    assert kinds == ["session.opened", "session.joined", "chat.message", "session.left"]
    scene.refused(ops.SessionLeave(SESSION), BO, Code.NO_SUCH)
    assert not scene.desk.may_read(BO, f"session:{SESSION}")


def test_one_that_only_looks_on_and_one_that_the_customer_is_not_to_see_write_notes_instead() -> None:
    for flags in ({"view_only": True}, {"masked": True}):
        scene = with_guest(**flags)
        scene.refused(ops.ChatSend(SESSION, personal("hello")), BO, Code.NOT_ALLOWED)
        scene.ok(ops.NoteAdd(SESSION, personal("hm", "c_hm")), BO)


def test_a_masked_one_is_told_of_to_staff_alone() -> None:
    scene = with_guest(masked=True)
    scene.ok(ops.SessionLeave(SESSION), BO)
    assert [kind for kind, _ in scene.told(f"session:{SESSION}")] == ["session.opened"]
    assert [kind for kind, _ in scene.told(f"session:{SESSION}:staff")] == ["session.joined", "session.left"]
    assert scene.desk.audience(ANN, SESSION) == (f"session:{SESSION}", "ann")


def test_who_a_masked_one_is_heard_by() -> None:
    assert with_guest(masked=True).desk.audience(BO, SESSION) == (f"session:{SESSION}:staff", "bo")
    assert with_guest().desk.audience(BO, SESSION) == (f"session:{SESSION}", "bo")


def test_guests_go_when_whoever_has_the_session_goes_and_with_its_end() -> None:
    scene = with_guest()
    scene.ok(ops.SessionLeave(SESSION), ANN)
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["released"]
    scene = with_guest()
    scene.end(SESSION)
    assert scene.desk.state.representatives["bo"].guest == {}
    assert not scene.desk.may_read(BO, f"session:{SESSION}")


def test_a_guest_that_signs_out_or_is_lost_is_gone() -> None:
    scene = with_guest()
    scene.set("bo", "offline")
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["signed_out"]
    scene = with_guest()
    scene.lose("bo")
    assert scene.events(e.MemberLeft) == []
    scene.pass_time(60_000)
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["representative_lost"]
