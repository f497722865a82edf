"""Pins: scenario 3."""

from __future__ import annotations

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk.commands import ConnectionBack, PinGuessing
from broker.desk.desk import Desk
from broker.protocol import ops
from broker.routing.pins import PinSpace
from broker.units import HOURS, SECONDS
from tests.support.builders import (
    ACCOUNT,
    KEY,
    SLOT,
    customer,
    personal,
    pin_id,
    representative,
    request_id,
    session_id,
)
from tests.support.routed import Routed
from tests.support.scene import Scene, of, office


def pin_office(*names: str, capacity: int = 2) -> Scene:
    scene = office(*(names or ("ann", "bo")), kind="pin", mode="phone", capacity=capacity)
    scene.portal("world", "global_pin", "phone")
    scene.portal("line", "ask", "queue")
    return scene


def make(scene: Scene, name: str = "ann", named: str | None = None) -> str:
    handled = scene.ok(ops.PinCreate(), representative(name), named)
    pin = str(handled.secret["pin"])
    assert len(pin) == 9
    assert pin.isdigit()
    return pin


def states(scene: Scene, name: str = "ann") -> list[str]:
    value = scene.ok(ops.PinList(), representative(name)).value["pins"]
    assert isinstance(value, list)
    return [pin["state"] for pin in value]


def test_a_pin_is_told_once_and_never_in_an_event() -> None:
    scene = pin_office()
    handled = scene.ok(ops.PinCreate(), representative("ann"), "p")
    assert list(handled.secret) == ["pin"]
    assert handled.value == {"id": pin_id("p"), "expires": scene.now + 4 * HOURS}
    assert scene.told("me:ann")[-1] == (
        "pin.changed",
        {"id": pin_id("p"), "state": "live", "expires": scene.now + 4 * HOURS},
    )


def test_a_pin_typed_with_blanks_connects_to_its_maker_and_alerts_nobody_else() -> None:
    scene = pin_office()
    pin = make(scene)
    typed = f" {pin[:3]} {pin[3:6]}-{pin[6:]}\u00a0"
    handled = scene.ok(ops.PinRedeem(typed, personal("Carl", "c_carl")), customer("carl"), "carl")
    assert [type(event) for event in of(handled)] == [e.RequestCreated, e.RequestAssigned]
    assert handled.value == {
        "request": request_id("carl"),
        "session": session_id("carl"),
        "representative": "ann",
        "name": scene.desk.state.representatives["ann"].name,
    }
    assert scene.events(e.OfferMade) == []
    assert [kind for kind, _ in scene.told("me:ann")][-2:] == ["pin.changed", "session.opened"]
    assert scene.told("me:ann")[-1][1]["name"] == "C_CARL"
    assert [kind for kind, _ in scene.told("me:v_carl")] == ["request.created", "request.assigned"]
    assert not {"offer.made", "session.opened"} & {kind for kind, _ in scene.told("me:bo")}


def test_wrong_used_expired_and_revoked_pins_and_those_of_other_accounts_fail_alike() -> None:
    scene = pin_office()
    used, expired, revoked = make(scene), make(scene), make(scene, named="revoked")
    never = scene.desk.state.pinspace.pin(SLOT, 999)
    elsewhere = scene.desk.state.pinspace.pin(SLOT + 1, 0)
    sparse = PinSpace(KEY, 6 * 10**8)  # blocks of one: 4 numbers in 10 are nobody's
    outside = next(digits for n in range(100) if sparse.locate(digits := f"{n:09}") is None)
    scene.ok(ops.PinRedeem(used), customer("carl"))
    scene.ok(ops.PinRevoke(pin_id("revoked")), representative("ann"))
    scene.now += 4 * HOURS  # the deadline itself hasn't fired: no difference
    refusals = [
        scene.refused(ops.PinRedeem(pin), customer("cora", portal), Code.PIN_INVALID)
        for pin in (used, expired, revoked, never, elsewhere, "12345678", "no pin", "١٢٣٤٥٦٧٨٩")
        for portal in ("help", "world", None)
    ]
    other = office(kind="pin", mode="phone", scene=Scene(Desk(ACCOUNT, 0, sparse)))
    refusals.append(other.refused(ops.PinRedeem(outside), customer("carl"), Code.PIN_INVALID))
    assert len({(refusal.code, refusal.text, refusal.retry_ms) for refusal in refusals}) == 1
    assert all(refusal.detail is None for refusal in refusals)
    assert states(scene) == ["revoked", "live", "used"]
    scene.pass_time(0)
    assert states(scene) == ["revoked", "expired", "used"]


def test_a_pin_lives_for_4_hours_and_not_a_millisecond_longer() -> None:
    scene = pin_office()
    first, second = make(scene), make(scene)
    scene.now += 4 * HOURS - 1
    scene.ok(ops.PinRedeem(first), customer("carl"))
    assert [type(event) for event in scene.pass_time(1)] == [e.PinEnded]
    scene.refused(ops.PinRedeem(second), customer("cora"), Code.PIN_INVALID)
    assert scene.told("me:ann")[-1][1]["state"] == "expired"


def test_the_global_portal_takes_every_pin_with_or_without_a_portal_of_the_account() -> None:
    scene = pin_office()
    scene.ok(ops.PinRedeem(make(scene)), customer("carl", "world"))
    handled = scene.ok(ops.PinRedeem(make(scene)), customer("cora", None))
    assert of(handled)[0].portal == "world"  # type: ignore[union-attr]
    plain = office("ann", kind="pin", mode="phone", capacity=2)
    handled = plain.ok(ops.PinRedeem(make(plain)), customer("cora", None))
    assert of(handled)[0].portal == "help"  # type: ignore[union-attr]
    none = office("ann")
    refusal = none.refused(ops.PinRedeem(make(none)), customer("cora", None))
    assert (refusal.detail or {})["state"] == "not_a_pin_portal"


def test_a_pin_is_nothing_at_a_portal_that_takes_no_pins() -> None:
    scene = pin_office()
    refusal = scene.refused(ops.PinRedeem(make(scene)), customer("carl", "line"))
    assert refusal.detail == {"state": "not_a_pin_portal", "allowed": ["request.create"]}
    scene.refused(ops.PinRedeem("1"), customer("carl", "none"))


def test_F4_a_place_that_an_offer_holds_is_not_free_for_a_pin() -> None:
    scene = pin_office(capacity=1)
    scene.team("blue", "help", "line")
    pin = make(scene)
    scene.ask("carl", "line")
    assert scene.offered_to("ann") == [request_id("carl")]
    assert (scene.refused(ops.PinRedeem(pin), customer("cora")).detail or {})["state"] == "representative_full"


def test_a_good_pin_waits_for_its_maker_to_be_there_and_to_have_a_place() -> None:
    scene = pin_office(capacity=1)
    pin = make(scene)
    scene.set("ann", "offline")
    assert (scene.refused(ops.PinRedeem(pin), customer("carl")).detail or {})["state"] == "representative_offline"
    scene.set("ann", "away")  # on the phone, so to speak
    scene.lose("ann")
    assert (scene.refused(ops.PinRedeem(pin), customer("carl")).detail or {})["state"] == "representative_reconnecting"
    scene.ok(ConnectionBack("ann"))
    session = str(scene.ok(ops.PinRedeem(make(scene)), customer("cora")).value["session"])
    assert (scene.refused(ops.PinRedeem(pin), customer("carl")).detail or {})["state"] == "representative_full"
    scene.end(session)
    scene.ok(ops.PinRedeem(pin), customer("carl"))


def test_one_customer_has_one_session_by_pin_at_a_time() -> None:
    scene = pin_office()
    session = str(scene.ok(ops.PinRedeem(make(scene)), customer("carl")).value["session"])
    pin = make(scene)
    refusal = scene.refused(ops.PinRedeem(pin), customer("carl"))
    assert refusal.detail == {"state": "assigned", "allowed": ["session.end"]}
    scene.end(session)
    scene.ok(ops.PinRedeem(pin), customer("carl"))


def test_a_session_by_pin_cannot_be_handed_back_and_ends_with_its_representative() -> None:
    scene = pin_office()
    session = str(scene.ok(ops.PinRedeem(make(scene)), customer("carl")).value["session"])
    refusal = scene.refused(ops.SessionLeave(session), representative("ann"))
    assert refusal.detail == {"state": "by_pin", "allowed": ["session.end", "session.transfer"]}
    scene.lose("ann")
    events = scene.pass_time(60 * SECONDS)
    assert [type(event) for event in events] == [e.PresenceChanged, e.SessionEnded, e.RequestEnded]


def test_only_its_maker_revokes_a_pin_and_only_while_it_lives() -> None:
    scene = pin_office()
    make(scene, named="p")
    scene.refused(ops.PinRevoke(pin_id("p")), representative("bo"), Code.NO_SUCH)
    scene.refused(ops.PinRevoke("p_none"), representative("ann"), Code.NO_SUCH)
    assert scene.ok(ops.PinRevoke(pin_id("p")), representative("ann")).value == {"id": pin_id("p")}
    refusal = scene.refused(ops.PinRevoke(pin_id("p")), representative("ann"))
    assert refusal.detail == {"state": "revoked", "allowed": ["pin.create"]}


def test_nobody_who_is_no_representative_has_pins() -> None:
    scene = pin_office()
    scene.refused(ops.PinCreate(), representative("nobody"), Code.NOT_ALLOWED)
    scene.refused(ops.PinList(), representative("nobody"), Code.NOT_ALLOWED)


def test_a_representative_has_at_most_64_live_pins_and_the_last_256_are_listed() -> None:
    scene = pin_office()
    for n in range(limits.LISTED_PINS + 10):
        if n >= limits.MAX_PINS:
            scene.ok(ops.PinRevoke(pin_id(f"p{n - limits.MAX_PINS}")), representative("ann"))
        make(scene, named=f"p{n}")
    scene.refused(ops.PinCreate(), representative("ann"), Code.QUOTA)
    value = scene.ok(ops.PinList(), representative("ann")).value["pins"]
    assert isinstance(value, list)
    assert [pin["id"] for pin in value] == [
        pin_id(f"p{n}") for n in range(limits.LISTED_PINS + 9, 9, -1)
    ]  # the newest first; the first ten are forgotten
    assert [pin["state"] for pin in value].count("live") == limits.MAX_PINS
    make(scene, "bo")


def test_a_live_pin_stays_listed_however_many_came_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTED_PINS", 3)
    scene = pin_office()
    make(scene, named="old")
    for n in range(5):
        make(scene, named=f"p{n}")
        scene.ok(ops.PinRevoke(pin_id(f"p{n}")), representative("ann"))
    assert list(scene.desk.state.representatives["ann"].pins) == [pin_id(name) for name in ("old", "p3", "p4")]


def small_space(slots: int) -> Scene:
    scene = Scene(Desk(ACCOUNT, SLOT, PinSpace(KEY, slots)))
    return office("ann", "bo", kind="pin", mode="phone", scene=scene)


def test_serials_go_round_and_step_over_those_still_live() -> None:
    scene = small_space(10**8)  # ten serials each
    pins = {make(scene, named="kept")}
    for n in range(9):
        pins.add(make(scene, named=f"p{n}"))
        scene.ok(ops.PinRevoke(pin_id(f"p{n}")), representative("ann"))
    assert len(pins) == 10
    assert scene.desk.state.next_serial == 0
    again = make(scene, "bo")
    assert again in pins
    scene.ok(ops.PinRedeem(again), customer("carl"))
    (event,) = [event for event in scene.events(e.RequestAssigned) if isinstance(event, e.RequestAssigned)]
    assert event.representative == "bo"


def test_a_block_that_is_full_is_a_quota_and_not_an_endless_search() -> None:
    scene = small_space(10**8)
    pins = {make(scene) for _ in range(10)}
    assert len(pins) == 10
    scene.refused(ops.PinCreate(), representative("ann"), Code.QUOTA)
    scene.refused(ops.PinCreate(), representative("bo"), Code.QUOTA)


def test_managers_are_told_of_guessing_by_the_shortened_address() -> None:
    scene = pin_office()
    scene.ok(PinGuessing("help", "198.51.100.0", 5))
    scene.ok(PinGuessing(None, "198.51.100.0", 6))
    assert scene.told("account")[-2:] == [
        ("pin.guessing", {"portal": "help", "source": "198.51.100.0", "wrong": 5}),
        ("pin.guessing", {"source": "198.51.100.0", "wrong": 6}),
    ]


def test_F4_a_pin_needs_room_for_the_places_of_its_portal() -> None:
    scene = Routed()
    scene.entrance("help", kind="pin", mode="phone", places=2)
    scene.entrance("line")
    scene.team("blue", "line")
    scene.hire("ann", capacity=3)
    session = scene.assign("one", "ann", "line")
    scene.ask("two", "line")
    pin = make(scene)
    refusal = scene.refused(ops.PinRedeem(pin), customer("carl"))
    assert (refusal.detail or {})["state"] == "representative_full"
    scene.set("ann", "away")  # the offer goes back
    scene.ok(ops.PinRedeem(pin), customer("carl"))
    assert scene.desk.state.router.members["ann"].load == 3
    scene.end(session)
    assert scene.desk.state.router.members["ann"].load == 2


def test_the_live_pins_are_counted_and_known_by_their_digits() -> None:
    scene = pin_office()
    before = scene.desk.live_pins
    pin = make(scene)
    assert scene.desk.live_pins == before + 1
    assert scene.desk.is_live(pin, scene.now)
    assert not scene.desk.is_live(pin, scene.now + limits.PIN_LIFE)
    assert not scene.desk.is_live(f"{int(pin) ^ 1:09d}", scene.now)
