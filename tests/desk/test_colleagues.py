"""Transfers and invitations: to one, to all of a sub-portal, the first yes, and the ends that come without one."""

from __future__ import annotations

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.commands import BrokerStart
from broker.desk.explain import tell
from broker.protocol import ops
from broker.units import SECONDS
from tests.desk.test_members import listed
from tests.support.builders import manager, offer_id, personal, representative, session_id
from tests.support.scene import Scene, office

SESSION = session_id("carl")
ANN, BO, CY, DI = map(representative, ("ann", "bo", "cy", "di"))


def between() -> Scene:
    """Carl talks with Ann; Bo is of her team, Cy and Di serve another portal."""
    scene = office("ann", "bo")
    scene.portal("tech", "ask", "queue")
    scene.team("red", "tech")
    scene.staff("red", "cy", "di")
    scene.assign("carl", "ann")
    return scene


def transferred(scene: Scene) -> str:
    """Ann offers the session to all of the other portal."""
    command = ops.SessionTransfer(SESSION, subportal="tech", comment=personal("he shouts", "c_shouts"))
    return str(scene.ok(command, ANN).value["offer"])


def invited(scene: Scene, *args: object, **more: object) -> str:
    """Ann asks somebody in."""
    return str(scene.ok(ops.SessionInvite(SESSION, *args, **more), ANN).value["offer"])  # type: ignore[arg-type]


def ends(scene: Scene) -> list[tuple[str, str | None]]:
    """(reason, whose) of offers that ended without a yes."""
    return [(event.reason, event.representative) for event in scene.events(e.OfferEnded)]


# --- transfers ---------------------------------------------------------------------------------------


def test_all_of_a_sub_portal_are_alerted_and_the_first_yes_takes_the_session() -> None:
    scene = between()
    offer = transferred(scene)
    kind, alert = scene.told("subportal:tech")[-1]
    assert (kind, alert["kind"], alert["subportal"], alert["comment"]) == (
        "offer.made",
        "transfer",
        "tech",
        "C_SHOUTS",
    )
    assert alert["deadline"] == scene.now + limits.TRANSFER_TIMEOUT
    assert scene.desk.state.sessions[SESSION].representative == "ann"
    assert scene.accept(offer, "di") == SESSION
    assert scene.desk.state.sessions[SESSION].representative == "di"
    assert scene.told("subportal:tech")[-1][1]["reason"] == "rescinded"
    assert scene.refused(ops.OfferAccept(offer), CY, Code.OFFER_GONE).detail == {
        "reason": "taken",
        "representative": "di",
        "name": scene.desk.state.representatives["di"].name,
    }
    assert scene.desk.state.router.members["ann"].load == 0
    assert not scene.desk.may_read(ANN, f"session:{SESSION}")
    assert scene.desk.may_read(DI, f"session:{SESSION}:staff")
    scene.ok(ops.SessionLeave(SESSION), DI)  # it stands in its own line again, which di doesn't serve
    assert scene.offered_to("bo") or scene.offered_to("ann")


def test_the_comment_is_in_nothing_that_the_customer_is_told() -> None:
    scene = between()
    scene.accept(transferred(scene), "cy")
    staff = scene.told(f"session:{SESSION}:staff")
    assert [data["comment"] for kind, data in staff if kind == "offer.made"] == ["C_SHOUTS"]
    for stream in (f"session:{SESSION}", "me:v_carl", "account", "team:blue", "team:red"):
        assert "C_SHOUTS" not in str(scene.told(stream))
    assert "c_shouts" in scene.desk.drain_released()
    assert "c_shouts" not in scene.desk.held_contents()


def test_messages_go_on_with_their_numbers_after_a_transfer() -> None:
    scene = between()
    scene.ok(ops.ChatSend(SESSION, personal("a", "c_a")), ANN)
    scene.accept(transferred(scene), "cy")
    assert scene.ok(ops.ChatSend(SESSION, personal("b", "c_b")), CY).value["message_seq"] == 2


def test_nobody_answers_and_the_present_one_keeps_it_and_is_told() -> None:
    scene = between()
    transferred(scene)
    scene.pass_time(limits.TRANSFER_TIMEOUT - 1)
    assert ends(scene) == []
    scene.pass_time(1)
    assert ends(scene) == [("expired", None)]
    assert scene.told("me:ann")[-1] == (
        "offer.ended",
        {"offer": offer_id("carl", 2), "request": "r_" + SESSION[2:], "reason": "expired"},
    )
    assert scene.told("subportal:tech")[-1][0] == "offer.ended"
    assert scene.desk.state.sessions[SESSION].transfer is None
    assert [scene.desk.state.representatives[name].missed for name in ("cy", "di")] == [0, 0]
    transferred(scene)


def test_it_is_over_once_everybody_has_declined_and_not_before() -> None:
    scene = between()
    offer = transferred(scene)
    for _ in range(2):
        scene.ok(ops.OfferDecline(offer, "busy"), CY)
    assert ends(scene) == []
    assert scene.desk.state.offers[offer].declined == ("cy",)
    scene.ok(ops.OfferDecline(offer, "no"), DI)
    assert ends(scene) == [("declined", None)]
    scene.refused(ops.OfferDecline(offer, "no"), DI, Code.OFFER_GONE)


def test_one_who_was_asked_alone_and_declines() -> None:
    scene = between()
    offer = scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN).value["offer"]
    scene.ok(ops.OfferDecline(str(offer), "no"), BO)
    assert ends(scene) == [("declined", "bo")]


def test_room_is_asked_for_when_somebody_says_yes() -> None:
    scene = between()
    scene.ask("tom", "tech")
    offer = transferred(scene)
    scene.accept(offer_id("tom"), "cy")
    assert (scene.refused(ops.OfferAccept(offer), CY).detail or {})["state"] == "full"
    scene.set("di", "away")
    assert (scene.refused(ops.OfferAccept(offer), DI).detail or {})["state"] == "away"
    scene.set("di", "available")
    scene.accept(offer, "di")


def test_who_is_asked_must_be_there_and_be_somebody_else() -> None:
    scene = between()
    for command, path in (
        (ops.SessionTransfer(SESSION), "representative"),
        (ops.SessionTransfer(SESSION, "bo", "tech"), "representative"),
        (ops.SessionTransfer(SESSION, "ann"), "representative"),
        (ops.SessionTransfer(SESSION, "nobody"), "representative"),
        (ops.SessionTransfer(SESSION, subportal="none"), "subportal"),
        (ops.SessionInvite(SESSION, "ann"), "representative"),
    ):
        assert (scene.refused(command, ANN, Code.BAD_ARGS).detail or {})["path"] == f"args.{path}"
    for command in (ops.SessionTransfer(SESSION, "bo"), ops.SessionInvite(SESSION, "bo")):
        scene.refused(command, CY, Code.NO_SUCH)
        scene.set("bo", "away")
        assert (scene.refused(command, ANN).detail or {})["state"] == "away"
        scene.set("bo", "available")
    scene.ask("tom")
    scene.accept(offer_id("tom"), "bo")
    assert (scene.refused(ops.SessionTransfer(SESSION, "bo"), ANN).detail or {})["state"] == "full"
    scene.set("bo", "away")
    assert (scene.refused(ops.SessionTransfer(SESSION, subportal="help"), ANN).detail or {})["state"] == "unstaffed"


def test_the_present_one_cannot_take_its_own_offer_and_takes_it_back() -> None:
    scene = between()
    offer = str(scene.ok(ops.SessionTransfer(SESSION, subportal="help"), ANN).value["offer"])
    assert scene.refused(ops.OfferAccept(offer), ANN).detail == {"state": "yours", "allowed": ["offer.revoke"]}
    assert (scene.refused(ops.SessionTransfer(SESSION, "bo"), ANN).detail or {})["state"] == "transfer_offered"
    scene.refused(ops.OfferRevoke(offer), BO, Code.NO_SUCH)
    scene.refused(ops.OfferRevoke("o_none"), ANN, Code.NO_SUCH)
    scene.refused(ops.OfferAccept(offer), CY, Code.NO_SUCH)  # it serves something else
    scene.ok(ops.OfferRevoke(offer), ANN)
    assert scene.refused(ops.OfferRevoke(offer), ANN, Code.OFFER_GONE).detail == {"reason": "revoked"}
    assert ends(scene) == [("revoked", None)]
    scene.refused(ops.OfferAccept(offer), BO, Code.OFFER_GONE)


def test_an_offer_is_good_until_its_deadline_and_not_at_it() -> None:
    for made in (transferred, lambda scene: invited(scene, "cy")):
        scene = between()
        offer = made(scene)
        scene.now = scene.desk.state.offers[offer].deadline or 0
        refusal = scene.refused(ops.OfferAccept(offer), CY, Code.OFFER_GONE)
        assert refusal.detail == {"reason": "expired"}


@pytest.mark.parametrize("how", ["portal.put", "portal.delete"])
def test_a_sub_portal_that_goes_takes_what_is_offered_to_its_people_with_it(how: str) -> None:
    scene = between()
    scene.portal("tech", "ask", "queue", "tech", "more")
    transferred(scene)
    invited(scene, subportal="tech")
    if how == "portal.put":
        scene.ok(ops.PortalPut("tech", "ask", "queue", ["more"]), manager())
    else:
        scene.ok(ops.PortalDelete("tech"), manager())
    assert ends(scene) == [("gone", None), ("gone", None)]


def test_after_a_restart_they_have_their_full_time_again() -> None:
    scene = between()
    transferred(scene)
    invited(scene, "bo")
    scene.pass_time(5 * SECONDS)
    scene.ok(BrokerStart())
    assert [(event.representative, event.subportal, event.deadline) for event in scene.events(e.OfferRenewed)] == [
        (None, "tech", scene.now + limits.TRANSFER_TIMEOUT),
        ("bo", None, scene.now + limits.OFFER_TIMEOUT),
    ]
    assert scene.told("subportal:tech")[-1][0] == "offer.renewed"


# --- invitations -------------------------------------------------------------------------------------


def test_an_invitation_takes_no_place_and_goes_to_somebody_full() -> None:
    scene = between()
    scene.ask("tom", "tech")
    scene.accept(offer_id("tom"), "cy")
    offer = invited(scene, "cy", view_only=True, comment=personal("look", "c_look"))
    kind, alert = scene.told("me:cy")[-1]
    assert (kind, alert["kind"], alert["view_only"], alert["comment"]) == ("offer.made", "invite", True, "C_LOOK")
    member = scene.desk.state.router.members["cy"]
    assert (member.load, member.offers) == (1, 0)
    scene.accept(offer, "cy")
    assert (member.load, member.offers) == (1, 0)
    assert scene.told("me:ann")[-1][1] == {
        "offer": offer,
        "request": "r_" + SESSION[2:],
        "representative": "cy",
        "reason": "accepted",
    }


def test_the_first_of_a_sub_portal_comes_in_and_the_others_are_told() -> None:
    scene = between()
    offer = invited(scene, subportal="tech")
    scene.ok(ops.OfferDecline(offer, "no"), CY)
    scene.accept(offer, "cy")  # it thought again
    assert scene.told("subportal:tech")[-1][1]["reason"] == "rescinded"
    scene.refused(ops.OfferAccept(offer), DI, Code.OFFER_GONE)
    assert list(scene.desk.state.sessions[SESSION].members) == ["cy"]


def test_all_of_a_sub_portal_but_those_who_are_in_already_have_to_decline() -> None:
    scene = between()
    scene.accept(invited(scene, "cy"), "cy")
    offer = invited(scene, subportal="tech")
    assert (scene.refused(ops.OfferAccept(offer), CY).detail or {})["state"] == "in_session"
    scene.ok(ops.OfferDecline(offer, "no"), DI)
    assert ends(scene) == [("declined", None)]
    scene.accept(invited(scene, "di"), "di")
    refusal = scene.refused(ops.SessionInvite(SESSION, subportal="tech"), ANN)
    assert refusal.detail == {"state": "unstaffed", "allowed": ["session.invite"]}


def test_nobody_is_asked_twice_or_in_while_inside() -> None:
    scene = between()
    offer = invited(scene, "cy")
    assert (scene.refused(ops.SessionInvite(SESSION, "cy"), ANN).detail or {})["state"] == "invited"
    scene.refused(ops.SessionInvite(SESSION, "di"), CY, Code.NO_SUCH)
    scene.accept(offer, "cy")
    assert (scene.refused(ops.SessionInvite(SESSION, "cy"), ANN).detail or {})["state"] == "in_session"
    scene.refused(ops.SessionInvite(SESSION, "di"), CY, Code.NO_SUCH)  # guests bring nobody


def test_who_comes_by_one_invitation_needs_no_other() -> None:
    scene = between()
    invited(scene, "cy")
    others = invited(scene, "di")
    scene.accept(invited(scene, subportal="tech"), "cy")
    assert ends(scene) == [("revoked", "cy")]
    assert list(scene.desk.state.sessions[SESSION].invites) == [others]


def test_who_is_away_comes_in_when_it_is_back() -> None:
    scene = between()
    offer = invited(scene, subportal="tech")
    scene.set("cy", "away")
    assert (scene.refused(ops.OfferAccept(offer), CY).detail or {})["state"] == "away"
    scene.set("cy", "available")
    scene.accept(offer, "cy")


def test_there_are_seven_guests_and_invitations_at_most() -> None:
    scene = between()
    scene.staff("red", *(f"g{number}" for number in range(limits.MAX_GUESTS)))
    for number in range(limits.MAX_GUESTS):
        offer = invited(scene, f"g{number}")
        if number % 2:
            scene.accept(offer, f"g{number}")
    scene.refused(ops.SessionInvite(SESSION, "bo"), ANN, Code.QUOTA)
    scene.ok(ops.SessionRemove(SESSION, "g1"), ANN)
    invited(scene, "bo")


def test_a_missed_invitation_counts_as_nobodys_miss() -> None:
    scene = between()
    scene.ok(ops.TeamPut("red", ["tech"], away_after=1), manager())
    invited(scene, "cy")
    scene.pass_time(limits.OFFER_TIMEOUT)
    assert ends(scene) == [("expired", "cy")]
    assert scene.desk.state.representatives["cy"].presence == "available"
    scene.ok(ops.OfferDecline(invited(scene, "cy"), "no"), CY)


def test_an_invitation_survives_fewer_places_and_other_work_and_ends_with_being_there() -> None:
    scene = between()
    invited(scene, "cy")
    scene.lowered.add("cy")
    scene.ok(ops.RepresentativePut("cy", personal("Cy", "c_cy"), "blue", 1), manager())
    assert ends(scene) == []
    scene.set("cy", "away")
    assert ends(scene) == [("gone", "cy")]


@pytest.mark.parametrize("how", ["end", "leave", "transfer"])
def test_invitations_go_with_whoever_made_them_and_guests_stay_through_a_transfer(how: str) -> None:
    scene = between()
    scene.accept(invited(scene, "cy", masked=True), "cy")
    scene.accept(invited(scene, "bo"), "bo")
    invited(scene, "di")
    if how == "transfer":
        scene.accept(str(scene.ok(ops.SessionTransfer(SESSION, "bo"), ANN).value["offer"]), "bo")
        session = scene.desk.state.sessions[SESSION]
        assert (session.representative, list(session.members)) == ("bo", ["cy"])
        assert [event.reason for event in scene.events(e.MemberLeft)] == ["transferred"]
    else:
        scene.ok((ops.SessionEnd if how == "end" else ops.SessionLeave)(SESSION), ANN)
        assert [event.representative for event in scene.events(e.MemberLeft)] == ["cy", "bo"]
    assert ("revoked", "di") in ends(scene)


def test_what_was_asked_is_shown_to_whoever_asked_and_to_those_who_are_asked() -> None:
    scene = between()
    one, two = transferred(scene), invited(scene, "bo", masked=True)
    (mine,) = listed(scene, "me:ann", ANN, "sessions")
    assert [(each["offer"], each["kind"]) for each in mine["offered"]] == [(one, "transfer"), (two, "invite")]
    (told,) = listed(scene, "subportal:tech", CY, "offers")
    assert (told["offer"], told["subportal"], told["comment"][0]) == (one, "tech", "c_shouts")
    (told,) = listed(scene, "me:bo", BO, "offers")
    assert (told["kind"], told["masked"], "comment" in told) == ("invite", True, False)


def test_why_somebody_was_asked() -> None:
    scene = between()
    invited(scene, "bo")
    (event,) = (event for event in scene.events(e.OfferMade) if event.kind == "invite")
    assert tell(scene.desk, event, 0)["rule"] == "another representative asks for company in its session"
