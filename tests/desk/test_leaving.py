"""A representative is deleted (H11): what it had goes back, its texts are erased, its name is nobody's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker import ids
from broker.codes import Code
from broker.desk import events as e
from broker.desk.events import Event
from broker.desk.outcome import Handled
from broker.protocol import ops
from broker.units import SECONDS
from tests.support import people
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import (
    customer,
    desk,
    entropy,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.scene import Scene, office

ANN, BO = representative("ann"), representative("bo")


def gone(scene: Scene) -> Handled:
    return scene.ok(ops.RepresentativeDelete("ann"), manager(), "gone")


def kinds(handled: Handled) -> list[type[Event]]:
    return [type(record.event) for record in handled.records]


def comes_again(scene: Scene) -> None:
    scene.ok(ops.RequestCreate(None, personal("again")), customer("carl"), "again")


def talking(scene: Scene) -> None:
    scene.ok(ops.ShareRequest(scene.assign("carl", "ann")), ANN)


def offered(scene: Scene) -> None:
    scene.ask("carl")
    assert scene.offered_to("ann") == [request_id("carl")]


def wrapping(scene: Scene) -> None:
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], wrap_up_ms=60 * SECONDS), manager())
    scene.end(scene.assign("carl", "ann"))
    assert scene.desk.state.representatives["ann"].wrap_ups


def pinned(scene: Scene) -> None:
    scene.portal("phone", "pin", "phone")
    scene.team("blue", "help", "phone")
    first, _ = (scene.ok(ops.PinCreate(), ANN, f"pin{number}") for number in (1, 2))
    scene.ok(ops.PinRevoke(str(first.value["id"])), ANN)


def picked(scene: Scene) -> None:
    scene.portal("pick", "pick", "web")
    scene.team("blue", "help", "pick")
    for name in ("one", "two"):
        scene.ask(name, "pick", pick="ann")
    assert list(scene.desk.state.router.members["ann"].direct)


def held(scene: Scene) -> None:
    scene.ok(ops.SubportalPut("help", sticky_ms=60 * SECONDS), manager())
    scene.end(scene.assign("carl", "ann"))
    scene.assign("dora", "ann")
    comes_again(scene)
    assert scene.desk.state.router.members["ann"].holds


def handed_to_it(scene: Scene) -> None:
    scene.set("ann", "away")
    scene.set("bo", "available")
    scene.assign("carl", "bo")
    scene.set("ann", "available")
    scene.ok(ops.SessionTransfer(session_id("carl"), "ann"), BO)


def handed_by_it(scene: Scene) -> None:
    session = scene.assign("carl", "ann")
    scene.set("bo", "available")
    scene.ok(ops.SessionTransfer(session, "bo"), ANN)


def broadcast(scene: Scene) -> None:
    scene.portal("open", "ask", "web")
    scene.team("blue", "help", "open")
    scene.ask("carl", "open")


def lost(scene: Scene) -> None:
    talking(scene)
    scene.lose("ann")


def restarted(scene: Scene) -> None:
    talking(scene)
    scene.restart()


def signed_in(scene: Scene) -> None:
    people.sign_in(scene, "ann")
    scene.ok(ops.PasswordSet("x"), ANN, prepared=people.hashed("x"))


def nothing(scene: Scene) -> None:
    scene.set("ann", "offline")


LIVES: list[Callable[[Scene], None]] = [
    talking,
    offered,
    wrapping,
    pinned,
    picked,
    held,
    handed_to_it,
    handed_by_it,
    broadcast,
    lost,
    restarted,
    signed_in,
    nothing,
]


@pytest.mark.parametrize("after", [0, 1, 61 * SECONDS])
@pytest.mark.parametrize("life", LIVES)
def test_H11_whatever_it_was_doing_it_goes_and_leaves_nothing_behind(life: Callable[[Scene], None], after: int) -> None:
    """The scene checks the invariants after each command; here, that nothing of it is left anywhere."""
    scene = office("ann", "bo", capacity=1)
    scene.set("bo", "away")
    life(scene)
    handled = gone(scene)
    assert handled.value == {"representative": "ann", "former": f"former-{ids.token(entropy('gone'))}"}
    assert kinds(handled).count(e.RepresentativeDeleted) == 1
    state = scene.desk.state
    people_now = (state.representatives, state.router.members, state.access, state.teams["blue"].members)
    assert not any("ann" in found for found in people_now)
    assert not [pin for pin in state.pins.values() if pin.representative == "ann"]
    assert not [offer for offer in state.offers.values() if "ann" in (offer.representative, offer.by)]
    assert "ann" not in [request.representative for request in state.requests.values()]
    assert "ann" not in [request.target for request in state.requests.values() if request.state != "waiting"]
    assert not [ticket for ticket in state.router.tickets.values() if "ann" in (ticket.target, ticket.held)]
    assert not [due for due in state.deadlines if due[2] == "ann"]
    assert scene.desk.stream_head("me:ann") == 0
    assert not scene.desk.knows(ANN)
    scene.pass_time(after)
    scene.set("bo", "available")
    same_desk(scene.desk, replay(desk(), [stored(record) for record in scene.records]))
    same_desk(scene.desk, reloaded(scene.desk))


def test_its_customer_goes_back_to_the_line_and_is_offered_to_another_at_once() -> None:
    scene = office("ann")
    scene.assign("carl", "ann")
    scene.staff("blue", "bo")
    handled = gone(scene)
    assert kinds(handled) == [
        e.PresenceChanged,
        e.SessionReleased,
        e.RequestRequeued,
        e.RepresentativeDeleted,
        e.OfferMade,
    ]
    changed, ended = handled.records[0].event, handled.records[1].event
    assert isinstance(changed, e.PresenceChanged)
    assert (changed.presence, changed.by) == ("offline", "manager")
    assert isinstance(ended, e.SessionReleased)
    assert ended.reason == "signed_out"
    assert scene.offered_to("bo") == [request_id("carl")]


def test_its_team_and_the_account_are_told_and_never_its_name() -> None:
    scene = office("ann")
    former = gone(scene).value["former"]
    told = {"representative": "ann", "team": "blue", "former": former, "by": "mia"}
    for stream in ("account", "team:blue"):
        assert scene.told(stream)[-1] == ("representative.deleted", told)


def test_its_texts_are_erased_from_the_journal_too() -> None:
    scene = office()
    command = ops.RepresentativePut("ann", personal("Ann", "c_name"), "blue", 1, email=personal("a@b.c", "c_mail"))
    scene.ok(command, manager())
    scene.ok(ops.PasswordSet("x"), ANN, prepared=people.hashed("x"))
    assert {"c_name", "c_mail", "c_x"} <= scene.desk.held_contents()
    assert scene.desk.drain_erased() == []
    gone(scene)
    assert sorted(scene.desk.drain_erased()) == ["c_mail", "c_name", "c_x"]
    assert not {"c_name", "c_mail", "c_x"} & scene.desk.held_contents()
    assert scene.desk.drain_erased() == []


def test_another_address_erases_the_one_before() -> None:
    scene = office()
    for content in ("c_1", "c_2"):
        email = personal(f"{content}@example.com", content)
        scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 1, email=email), manager())
    assert scene.desk.drain_erased() == ["c_1"]
    scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 2), manager())
    assert scene.desk.state.representatives["ann"].email == personal("c_2@example.com", "c_2").ref
    assert scene.desk.drain_erased() == []


def test_nobody_who_is_not_there_can_be_deleted() -> None:
    scene = office("ann")
    scene.refused(ops.RepresentativeDelete("bo"), manager(), Code.NO_SUCH)
    gone(scene)
    scene.refused(ops.RepresentativeDelete("ann"), manager(), Code.NO_SUCH)


def test_who_served_a_customer_last_and_is_gone_is_waited_for_by_nobody() -> None:
    scene = office("ann", "bo")
    scene.set("bo", "away")
    scene.ok(ops.SubportalPut("help", sticky_ms=60 * SECONDS), manager())
    scene.end(scene.assign("carl", "ann"))
    gone(scene)
    scene.set("bo", "available")
    comes_again(scene)
    assert scene.offered_to("bo") == [request_id("again")]


def test_a_late_accept_of_what_it_took_names_nobody() -> None:
    scene = office("ann", "bo", kind="ask", mode="web")
    scene.assign("carl", "ann")
    assert "representative" in (scene.refused(ops.OfferAccept(offer_id("carl")), BO, Code.OFFER_GONE).detail or {})
    gone(scene)
    refusal = scene.refused(ops.OfferAccept(offer_id("carl")), BO, Code.OFFER_GONE)
    assert "representative" not in (refusal.detail or {})
