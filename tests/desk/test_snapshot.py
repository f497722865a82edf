"""Snapshots: a desk as plain data and back, at any moment, and on from there."""
# covers: broker/desk/snapshot.py broker/desk/snapshot_load.py

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.desk import events as e
from broker.desk import snapshot, snapshot_load
from broker.desk.state import Times
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import (
    ACCOUNT,
    SLOT,
    customer,
    desk,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.roam import roam
from tests.support.routed import Routed
from tests.support.scene import Scene, office
from tests.support.walk import walk


def busy() -> Scene:
    """A desk with a little of everything."""
    scene = office("ann", "bo", capacity=2)
    scene.portal("pick", "pick", "web")
    scene.portal("open", "ask", "web")
    scene.portal("phone", "pin", "phone")
    scene.team("blue", "help", "pick", "open", "phone")
    scene.staff("blue", "cy")
    session = scene.assign("one", "ann")
    scene.ok(ops.ShareRequest(session), representative("ann"))
    scene.ok(ops.SessionTransfer(session, "bo"), representative("ann"))
    pins = [str(scene.ok(ops.PinCreate(), representative("bo")).secret["pin"]) for _ in range(2)]
    scene.ok(ops.PinRedeem(pins[0]), customer("dora", "phone"))
    scene.ask("picked", "pick", pick="cy")
    scene.ask("waits", "pick", pick="cy")
    scene.ask("all", "open")
    for name in ("two", "three", "four"):
        scene.ask(name)
    scene.ok(ops.OfferDecline(offer_id("two"), "no"), representative("ann"))
    scene.lose("bo")
    scene.lose("v_four")
    scene.pass_time(5 * SECONDS)
    return scene


def test_F21_a_loaded_desk_is_the_same_desk() -> None:
    scene = busy()
    same_desk(reloaded(scene.desk), scene.desk)
    assert scene.desk.statistics().offers > 0
    assert snapshot.VERSION == 12


def test_F21_a_loaded_desk_decides_as_the_one_it_was_made_of() -> None:
    scene = busy()
    twin = reloaded(scene.desk)
    for step in range(30):
        now = scene.now + 7 * SECONDS * step
        while (handled := scene.desk.fire(now)) is not None:
            again = twin.fire(now)
            assert again is not None
            assert again.records == handled.records
        assert twin.fire(now) is None
    same_desk(twin, scene.desk)


def test_a_snapshot_keeps_an_operators_times() -> None:
    times = Times(lease=1)
    data = snapshot.dump(desk())
    assert snapshot_load.load(ACCOUNT, SLOT, desk().state.pinspace, data, times).state.times == times


def test_F21_ended_things_are_remembered_too() -> None:
    scene = office("ann")
    scene.end(scene.assign("one", "ann"))
    other = reloaded(scene.desk)
    assert other.may_read(customer("one"), f"session:{session_id('one')}")
    outcome = other.handle(ops.OfferAccept(offer_id("one")), representative("ann"), scene.now, bytes(16))
    assert outcome.detail == {  # type: ignore[union-attr]
        "reason": "taken",
        "representative": "ann",
        "name": scene.desk.state.representatives["ann"].name,
    }
    assert "v_one" in other.state.visitors


Life = Callable[[int, int], tuple[Scene, Iterator[int]]]


def plain(seed: int, steps: int) -> tuple[Scene, Iterator[int]]:
    """A random life, and how many records there are after each of its steps."""
    scene = Scene()
    return scene, walk(scene, seed, steps=steps)


def of_every_rule(seed: int, steps: int) -> tuple[Scene, Iterator[int]]:
    """The same with all that routing can do."""
    scene = Routed()
    return scene, roam(scene, seed, steps=3 * steps // 2)


lives = pytest.mark.parametrize("life", [plain, of_every_rule])


@lives
@given(seed=st.integers(0, 10**6), cut=st.floats(0, 1))
@settings(max_examples=settings().max_examples // 4)
def test_F21_a_snapshot_at_any_moment_and_the_records_after_it_give_the_same_desk(
    life: Life, seed: int, cut: float
) -> None:
    scene, steps = life(seed, 40)
    desks = [(count, snapshot.dump(scene.desk)) for count in steps]
    records = [stored(record) for record in scene.records]
    same_desk(replay(desk(), records), scene.desk)
    count, data = desks[int(cut * (len(desks) - 1))]
    loaded = snapshot_load.load(ACCOUNT, SLOT, scene.desk.state.pinspace, data)
    assert snapshot.dump(loaded) == data
    same_desk(replay(loaded, records[count:]), scene.desk)


@lives
@given(seed=st.integers(0, 10**6))
@settings(max_examples=settings().max_examples // 10)
def test_F21_a_follower_that_stops_in_the_middle_of_a_command_loses_nothing(life: Life, seed: int) -> None:
    scene, steps = life(seed, 20)
    for _ in steps:
        pass
    records = [stored(record) for record in scene.records]
    follower = desk()
    for at, record in enumerate(records):
        replay(follower, [record])
        if at % 5 == seed % 5:
            follower = reloaded(follower)
    same_desk(follower, scene.desk)


def test_a_paused_request_and_its_round_survive() -> None:
    scene = office("ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("ann"))
    scene.ok(ops.RequestCreate(text=personal("?")), customer("cora"))
    scene.desk = reloaded(scene.desk)
    assert [type(event) for event in scene.pass_time(10 * SECONDS)] == [e.RoundStarted]
    assert scene.line()[0] == request_id("carl")


def test_F21_a_line_that_is_half_emptied_for_want_of_staff_is_emptied_on() -> None:
    scene = Routed()
    scene.entrance("help")
    scene.entrance("spill")
    scene.tune("help", overflow=[{"on": "staffing", "to": "spill"}])
    scene.team("blue", "help")
    scene.hire("ann")
    for number in range(70):
        scene.ask(f"c{number}")
    scene.set("ann", "offline")
    for waiting in (70, 6, 0):
        scene.desk = reloaded(scene.desk)
        assert len(scene.line("help")) == waiting
        scene.fire(scene.now)
    assert scene.desk.next_deadline() is None
