"""Sessions: ended by either side, handed back, transferred."""

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, offer_id, personal, representative, request_id, session_id
from tests.support.playbook import Playbook, seen
from tests.support.routed import Routed
from tests.support.scene import Scene, of, office


def duo(capacity: int = 1) -> tuple[Scene, str]:
    """Ann talks to Carl, Bo is free."""
    scene = office("ann", capacity=capacity)
    session = scene.assign("carl", "ann")
    scene.staff("blue", "bo", capacity=capacity)
    return scene, session


def test_an_assignment_tells_both_sides_what_each_may_know() -> None:
    scene = office("ann")
    question = ops.RequestCreate(text=personal("why?", "c_text"), name=personal("Carl", "c_carl"))
    scene.ok(question, customer("carl"), "carl")
    scene.accept(offer_id("carl"), "ann")
    opened = {
        "session": session_id("carl"),
        "request": request_id("carl"),
        "subportal": "help",
        "representative": "ann",
        "name": "C_CARL",
        "representative_name": "C_ANN",
        "text": "C_TEXT",
    }
    functions = ["chat", "web_chat", "screen_share", "collaboration"]
    assert scene.told("me:ann")[-1] == ("session.opened", {**opened, "functions": functions})
    assert scene.told(f"session:{session_id('carl')}") == [("session.opened", opened)]
    assigned = {"request": request_id("carl"), "session": session_id("carl"), "representative": "ann", "kind": "queue"}
    assert scene.told("me:v_carl")[-1] == ("request.assigned", {**assigned, "name": "C_ANN"})
    assert scene.told("account")[-1] == ("request.assigned", assigned)
    assert scene.told("team:blue")[-1] == ("load.changed", {"representative": "ann", "load": 1, "capacity": 1})


@pytest.mark.parametrize("who", ["ann", "carl"])
def test_either_side_ends_a_session_and_with_it_the_request(who: str) -> None:
    scene, session = duo()
    identity = representative("ann") if who == "ann" else customer("carl")
    events = of(scene.ok(ops.SessionEnd(session), identity))
    assert [type(event) for event in events] == [e.SessionEnded, e.RequestEnded]
    reason = "representative" if who == "ann" else "customer"
    assert scene.told("me:ann")[-2][1]["reason"] == scene.told(f"session:{session}")[-1][1]["reason"] == reason
    assert scene.told("me:v_carl")[-1] == ("request.ended", {"request": request_id("carl"), "state": "closed"})
    assert (scene.refused(ops.SessionEnd(session), identity).detail or {})["state"] == "ended"
    assert scene.desk.may_read(identity, f"session:{session}")  # its end can still be read


def test_nobody_else_ends_leaves_or_moves_a_session() -> None:
    scene, session = duo()
    scene.refused(ops.SessionEnd(session), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.SessionEnd(session), customer("eve"), Code.NO_SUCH)
    scene.refused(ops.SessionLeave(session), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.SessionTransfer(session, "bo"), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.SessionEnd("s_none"), representative("ann"), Code.NO_SUCH)


def test_a_session_handed_back_goes_to_others_first_at_its_old_age() -> None:
    scene, session = duo()
    scene.set("bo", "away")
    scene.now += 5
    scene.ask("late")
    scene.set("bo", "available")
    events = of(scene.ok(ops.SessionLeave(session), representative("ann")))
    assert [type(event) for event in events][:2] == [e.SessionReleased, e.RequestRequeued]
    assert scene.line()[0] == request_id("carl")
    assert request_id("carl") not in scene.offered_to("ann")
    assert scene.told("me:v_carl")[-1] == ("request.requeued", {"request": request_id("carl"), "reason": "handed_back"})


def test_one_alone_who_hands_back_is_asked_again_after_the_pause() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    events = of(scene.ok(ops.SessionLeave(session), representative("ann")))
    assert [type(event) for event in events] == [e.SessionReleased, e.RequestRequeued, e.RoundPaused]
    scene.pass_time(10 * SECONDS)
    assert scene.offered_to("ann") == [request_id("carl")]


def test_a_requeued_session_is_the_same_session_with_another_representative() -> None:
    scene, session = duo()
    scene.ok(ops.SessionLeave(session), representative("ann"))
    assert scene.accept(offer_id("carl", 2), "bo") == session
    assert scene.desk.may_read(representative("bo"), f"session:{session}")
    assert not scene.desk.may_read(representative("ann"), f"session:{session}")
    assert scene.desk.may_read(customer("carl"), f"session:{session}")
    kinds = [kind for kind, _ in scene.told(f"session:{session}")]
    assert kinds == ["session.opened", "session.released", "session.joined"]


# --- transfer ----------------------------------------------------------------------------------------


def test_a_transfer_is_an_offer_and_the_present_one_keeps_the_session_until_it_is_accepted() -> None:
    scene, session = duo()
    with Playbook(scene) as play:
        transfer = ops.SessionTransfer(session, "bo")
        play.at(0).given(transfer, representative("ann")).expect(
            seen(e.OfferMade, kind="transfer", representative="bo", by="ann"),
            session=session,
            offer=offer_id("carl", 2),
        )
        assert scene.desk.state.sessions[session].representative == "ann"
        play.at(1000).given(ops.OfferAccept(offer_id("carl", 2)), representative("bo")).expect(
            seen(e.SessionTransferred, former="ann", representative="bo", load=1),
            seen(e.LoadChanged, representative="ann", load=0),
            session=session,
            request=request_id("carl"),
        )
    assert scene.desk.state.sessions[session].representative == "bo"
    assert [kind for kind, _ in scene.told("me:bo")][-2:] == ["offer.ended", "session.transferred"]
    assert scene.told("me:ann")[-1][0] == "session.transferred"
    loads = [(data["representative"], data["load"]) for kind, data in scene.told("team:blue") if kind == "load.changed"]
    assert loads[-2:] == [("bo", 1), ("ann", 0)]
    assert scene.told("account")[-1][1].get("name") is None
    assert scene.told(f"session:{session}")[-1][1]["name"] == "C_BO"


@pytest.mark.parametrize("how", ["declined", "expired", "gone"])
def test_a_transfer_nobody_took_leaves_the_session_where_it_is_and_tells_who_offered_it(how: str) -> None:
    scene, session = duo()
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    if how == "declined":
        scene.ok(ops.OfferDecline(offer_id("carl", 2), "busy"), representative("bo"))
    elif how == "expired":
        scene.pass_time(20 * SECONDS)
    else:
        scene.lose("bo")
    told = scene.told("me:ann")[-1]
    assert told[0] == "offer.ended"
    assert (told[1]["reason"], told[1]["representative"]) == (how, "bo")
    assert scene.desk.state.sessions[session].representative == "ann"
    if how != "gone":
        scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))  # and again


def test_a_session_is_offered_to_one_at_a_time_and_only_to_somebody_else_who_has_a_place() -> None:
    scene, session = duo()
    move = ops.SessionTransfer(session, "bo")
    ann = representative("ann")
    for name in ("ann", "nobody"):
        scene.refused(ops.SessionTransfer(session, name), ann, Code.BAD_ARGS)
    scene.set("bo", "away")
    assert (scene.refused(move, ann).detail or {})["state"] == "away"
    scene.set("bo", "available")
    scene.assign("x", "bo")
    assert (scene.refused(move, ann).detail or {})["state"] == "full"
    scene.end(session_id("x"))
    scene.ok(move, ann)
    assert (scene.refused(move, ann).detail or {})["state"] == "transfer_offered"


@pytest.mark.parametrize("how", ["end", "leave", "lost"])
def test_a_session_that_is_over_takes_its_transfer_back(how: str) -> None:
    scene, session = duo()
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    if how == "end":
        scene.ok(ops.SessionEnd(session), customer("carl"))
    elif how == "leave":
        scene.ok(ops.SessionLeave(session), representative("ann"))
    else:
        scene.ok(ops.PresenceSet("offline", sessions="hand_back"), representative("ann"))
    told = [data["reason"] for kind, data in scene.told("me:bo") if kind == "offer.ended"]
    assert told == ["revoked"]
    refusal = scene.refused(ops.OfferAccept(offer_id("carl", 2)), representative("bo"), Code.OFFER_GONE)
    assert refusal.detail == {"reason": "revoked"}


def test_a_place_is_kept_for_a_transfer() -> None:
    scene, session = duo()
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.ask("next")
    assert scene.offered_to("bo") == [request_id("carl")]
    assert scene.line() == [request_id("next")]


def test_a_transferred_session_frees_a_place_with_the_former() -> None:
    scene, session = duo()
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.ask("next")
    scene.accept(offer_id("carl", 2), "bo")
    assert scene.offered_to("ann") == [request_id("next")]


def test_a_session_by_pin_can_be_moved() -> None:
    scene, _ = duo()
    scene.portal("phone", "pin", "phone")
    scene.end(session_id("carl"))
    pin = str(scene.ok(ops.PinCreate(), representative("ann")).secret["pin"])
    session = str(scene.ok(ops.PinRedeem(pin), customer("cora", "phone"), "cora").value["session"])
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.accept(offer_id("cora"), "bo")
    scene.end(session)


def test_a_lost_representatives_session_can_still_be_taken_over() -> None:
    scene, session = duo()
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    scene.lose("ann")
    scene.accept(offer_id("carl", 2), "bo")
    assert [type(event) for event in scene.pass_time(60 * SECONDS)] == [e.PresenceChanged]
    assert scene.desk.state.sessions[session].representative == "bo"


def test_F4_a_transfer_needs_and_moves_all_its_places() -> None:
    scene = Routed()
    scene.entrance("help", places=2)
    scene.entrance("small")
    scene.team("blue", "help", "small")
    scene.hire("ann", capacity=2)
    session = scene.assign("carl", "ann")
    scene.hire("bo", capacity=2)
    little = scene.assign("cora", "bo", "small")
    refusal = scene.refused(ops.SessionTransfer(session, "bo"), representative("ann"))
    assert (refusal.detail or {})["state"] == "full"
    scene.end(little)
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    members = scene.desk.state.router.members
    assert (members["ann"].load, members["bo"].load, members["bo"].offers) == (2, 0, 2)
    scene.accept(offer_id("carl", 2), "bo")
    assert (members["ann"].load, members["bo"].load, members["bo"].offers) == (0, 2, 0)
    told = [data for kind, data in scene.told("team:blue") if kind == "load.changed"]
    assert told[-2:] == [
        {"representative": "bo", "load": 2, "capacity": 2},
        {"representative": "ann", "load": 0, "capacity": 2},
    ]
    scene.set("bo", "offline", "hand_back")
    assert (members["bo"].load, scene.has("carl")) == (0, "ann")


def test_a_customer_with_several_sessions_that_is_given_up_frees_the_places_of_each() -> None:
    scene = Routed()
    scene.entrance("help", places=2)
    scene.entrance("small")
    scene.team("blue", "help", "small")
    scene.hire("ann", capacity=3)
    scene.assign("carl", "ann")
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl", "small"), "too")
    scene.accept(offer_id("too"), "ann")
    scene.lose("v_carl")
    events = scene.pass_time(scene.desk.state.times.abandon)
    assert [event.load for event in events if isinstance(event, e.SessionEnded)] == [1, 0]
