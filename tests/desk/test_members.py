"""Guests: in somebody else's session, and gone from it."""

from __future__ import annotations

from typing import Any, cast

from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Identity
from broker.desk.view import view
from broker.protocol import ops
from tests.support.builders import manager, offer_id, personal, representative, session_id
from tests.support.scene import Scene, office

SESSION = session_id("carl")
ANN, BO = representative("ann"), representative("bo")


def with_guest(*, masked: bool = False, view_only: bool = False) -> Scene:
    """Carl talks with Ann, and Bo is there too."""
    scene = office("ann", "bo")
    scene.assign("carl", "ann")
    scene.ok(ops.SessionInvite(SESSION, "bo", view_only=view_only, masked=masked), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    return scene


def listed(scene: Scene, stream: str, who: Identity, name: str) -> list[dict[str, Any]]:
    """A list of a stream's snapshot."""
    return [one for part in view(scene.desk, stream, who) for one in cast("list[dict[str, Any]]", part.get(name, ()))]


def kinds(scene: Scene, stream: str) -> list[str]:
    """What readers of a stream were told of."""
    return [kind for kind, _ in scene.told(stream)]


def test_a_guest_speaks_and_goes() -> None:
    scene = with_guest()
    scene.ok(ops.ChatSend(SESSION, personal("hello", "c_hello")), BO)
    scene.ok(ops.SessionLeave(SESSION), BO)
    assert kinds(scene, f"session:{SESSION}") == ["session.opened", "session.joined", "chat.message", "session.left"]
    assert kinds(scene, "me:bo")[-3:] == ["offer.ended", "session.joined", "session.left"]
    assert ("session.left", {"session": SESSION, "representative": "bo", "reason": "left"}) in scene.told("account")
    scene.refused(ops.SessionLeave(SESSION), BO, Code.NO_SUCH)
    assert not scene.desk.may_read(BO, f"session:{SESSION}")


def test_one_that_only_looks_on_and_one_that_the_customer_is_not_to_see_write_notes_instead() -> None:
    for scene in (with_guest(view_only=True), with_guest(masked=True)):
        scene.refused(ops.ChatSend(SESSION, personal("hello")), BO, Code.NOT_ALLOWED)
        scene.ok(ops.NoteAdd(SESSION, personal("hm", "c_hm")), BO)


def test_a_masked_one_is_told_of_to_staff_alone() -> None:
    scene = with_guest(masked=True)
    scene.ok(ops.SessionLeave(SESSION), BO)
    assert kinds(scene, f"session:{SESSION}") == ["session.opened"]
    staff = scene.told(f"session:{SESSION}:staff")
    assert [kind for kind, _ in staff] == ["offer.made", "session.joined", "session.left"]
    assert staff[1][1] == {
        "session": SESSION,
        "representative": "bo",
        "name": "C_BO",
        "role": "guest",
        "masked": True,
        "by": "ann",
    }
    assert scene.desk.audience(ANN, SESSION) == (f"session:{SESSION}", "ann")


def test_account_and_teams_are_told_who_is_a_guest_and_not_what_it_is_called() -> None:
    scene = with_guest()
    (joined,) = (data for kind, data in scene.told("account") if kind == "session.joined")
    assert joined == {"session": SESSION, "representative": "bo", "role": "guest"}


def test_who_a_masked_one_is_heard_by() -> None:
    assert with_guest(masked=True).desk.audience(BO, SESSION) == (f"session:{SESSION}:staff", "bo")
    assert with_guest().desk.audience(BO, SESSION) == (f"session:{SESSION}", "bo")


def test_guests_go_when_whoever_has_the_session_goes_and_with_its_end() -> None:
    scene = with_guest()
    scene.ok(ops.SessionLeave(SESSION), ANN)
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["released"]
    scene = with_guest()
    scene.end(SESSION)
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["ended"]
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


def test_whoever_has_the_session_sends_a_guest_away_and_nobody_else_does() -> None:
    scene = with_guest()
    remove = ops.SessionRemove(SESSION, "bo")
    scene.refused(remove, BO, Code.NO_SUCH)
    scene.refused(ops.SessionRemove("s_none", "bo"), ANN, Code.NO_SUCH)
    scene.ok(remove, ANN)
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["removed"]
    scene.refused(remove, ANN, Code.NO_SUCH)


def test_guests_and_invitations_end_when_collaboration_is_switched_off_and_where_it_is_off_for_the_next_one() -> None:
    scene = with_guest()
    scene.staff("blue", "cy")
    scene.ok(ops.SessionInvite(SESSION, "cy"), ANN)
    scene.portal("other", "ask", "queue")
    scene.team("blue", "help", "other")
    scene.ok(ops.SessionInvite(SESSION, subportal="other"), ANN)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], functions={"collaboration": False}), manager())
    assert [event.reason for event in scene.events(e.OfferEnded)] == ["revoked", "revoked"]
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["function_off"]
    scene.refused(ops.SessionInvite(SESSION, "bo"), ANN, Code.NOT_ALLOWED)
    scene = with_guest()
    cy = personal("Cy", "c_cy")
    scene.ok(ops.RepresentativePut("cy", cy, "blue", 1, functions={"collaboration": False}), manager())
    scene.set("cy", "available")
    scene.ok(ops.SessionTransfer(SESSION, "cy"), ANN)
    scene.accept(offer_id("carl", 3), "cy")
    assert [event.reason for event in scene.events(e.MemberLeft)] == ["function_off"]


def test_a_guest_is_shown_where_it_is_one() -> None:
    scene = with_guest(masked=True)
    (one,) = listed(scene, "me:bo", BO, "guest_of")
    assert (one["session"], one["representative"], one["view_only"], one["masked"]) == (SESSION, "ann", False, True)


def test_where_a_portal_lets_guests_look_on_alone_they_are_asked_for_no_more() -> None:
    scene = with_guest()
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], guests="view_only"), manager())
    assert scene.desk.state.sessions[SESSION].members["bo"].view_only is False  # asked before
    scene.ok(ops.SessionLeave(SESSION), BO)
    for view_only in (False, True, None):
        made = scene.ok(ops.SessionInvite(SESSION, "bo", view_only=view_only), ANN)
        (offer,) = listed(scene, "me:bo", BO, "offers")
        assert offer["view_only"] is True
        scene.accept(str(made.value["offer"]), "bo")
        scene.refused(ops.ChatSend(SESSION, personal("hello")), BO, Code.NOT_ALLOWED)
        scene.ok(ops.SessionLeave(SESSION), BO)
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"]), manager())
    scene.ok(ops.SessionInvite(SESSION, "bo"), ANN)
    assert listed(scene, "me:bo", BO, "offers")[0]["view_only"] is False
