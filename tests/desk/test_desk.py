"""The desk's own words: what it answers about itself, and whom it knows."""
# covers: broker/desk/commands.py broker/desk/identity.py broker/desk/rules.py

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import desk as desks
from broker.desk import events as e
from broker.desk import rules as module
from broker.desk.identity import Identity, Role
from broker.protocol import ops
from broker.routing.model import Statistics
from broker.units import SECONDS
from tests.support.builders import ACCOUNT, START, customer, desk, manager, offer_id, representative, request_id
from tests.support.people import ANN, MIA, hashed, house
from tests.support.scene import Scene, office


def test_every_event_is_applied_and_every_operation_decided_by_somebody() -> None:
    assert set(module.EVOLVE) == set(e.EVENTS.values())
    hubs = {
        ops.AuthRefresh,
        ops.Subscribe,
        ops.Unsubscribe,
        ops.MetaSchema,
        ops.RequestWhy,
        ops.TranscriptGet,
        ops.ChatTyping,
        ops.ChatRead,
        ops.ShareJoin,
    }
    hubs |= {ops.CaseGet, ops.CaseSearch, ops.CustomerExport}
    assert set(ops.OPS.values()) - set(module.RULES) == hubs


def test_records_are_counted_and_timed() -> None:
    scene = office("ann")
    before = scene.desk.seq
    scene.now += 5
    scene.ask("carl")
    assert (scene.desk.seq, scene.desk.last_t) == (before + 2, START + 5)
    assert scene.desk.seq == len(scene.records)
    scene.ok(ops.PinList(), representative("ann"))
    assert scene.desk.seq == before + 2


def test_offsets_are_dense_in_each_stream() -> None:
    scene = office("ann")
    scene.ask("carl")
    entries = [entry for record in scene.records for entry in record.entries]
    for stream in {stream for stream, _, _ in entries}:
        offsets = [offset for place, offset, _ in entries if place == stream]
        assert offsets == list(range(1, len(offsets) + 1))
        assert scene.desk.stream_head(stream) == offsets[-1]
    assert scene.desk.stream_head("me:nobody") == 0


def test_nothing_is_due_in_an_empty_desk() -> None:
    empty = desk()
    assert (empty.fire(10**15), empty.next_deadline()) == (None, None)
    assert empty.account == ACCOUNT


def test_fire_carries_out_one_deadline_at_a_time() -> None:
    scene = office("ann", "bo")
    scene.ask("one")
    scene.ask("two")
    now = START + 20 * SECONDS
    assert scene.desk.next_deadline() == now
    assert scene.desk.fire(now - 1) is None
    handled = [scene.desk.fire(now), scene.desk.fire(now), scene.desk.fire(now)]
    ended = [
        [record.event.offer for record in one.records if isinstance(record.event, e.OfferEnded)]
        for one in handled
        if one is not None
    ]
    assert sorted(ended) == sorted([[offer_id("one")], [offer_id("two")]])
    assert handled[2] is None


def test_lines_and_statistics_count_what_is_there() -> None:
    scene = office("ann")
    assert list(scene.desk.lines()) == []
    scene.ask("one")
    scene.ask("two")
    scene.ok(ops.PinCreate(), representative("ann"))
    assert list(scene.desk.lines()) == [("help", 2)]
    assert scene.desk.positions("help", 1, 1) == [(request_id("one"), "v_one", 1)]
    statistics = scene.desk.statistics()
    assert statistics == desks.Statistics(
        requests=2,
        sessions=0,
        offers=1,
        visitors=2,
        files=0,
        file_bytes=0,
        pins=1,
        streams=len(scene.desk.state.streams),
        deadlines=2,
        routing=Statistics(waiting=2, members=1, available=1, lines=1, pools=1),
    )
    assert repr(scene.desk) == f"<Desk acme: seq {scene.desk.seq}, 2 open requests>"


@pytest.mark.parametrize(
    ("identity", "known"),
    [
        (representative("ann"), True),
        (representative("bo"), False),
        (customer("carl"), True),
        (customer("carl", "none"), False),
        (customer("carl", None), False),
        (manager(), True),
        (manager("ann"), False),  # the name is a representative's
        (Identity(ACCOUNT, "robot", Role.SERVICE), True),
    ],
)
def test_a_credential_names_somebody_who_is_still_there(identity: Identity, known: bool) -> None:  # noqa: FBT001
    assert office("ann").desk.knows(identity) is known


def test_the_global_pin_address_needs_a_portal_for_pins() -> None:
    scene = office("ann", kind="pin", mode="phone")
    assert scene.desk.knows(customer("carl", None))


def test_a_representative_is_never_called_like_a_visitor() -> None:
    from broker.codes import Code
    from tests.support.builders import personal

    scene = office()
    command = ops.RepresentativePut("v_ann", personal("Ann"), "blue", 1)
    refusal = scene.refused(command, manager(), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.representative"


def test_settling_after_a_replay_makes_no_offer() -> None:
    scene = Scene()
    scene.desk.settle()
    router = scene.desk.state.router
    assert [len(marks) for marks in (router.dirty, router.dirty_members, router.rounds)] == [0, 0, 0]


def test_what_a_customer_is_told_of_its_place_is_asked_once_for_a_line() -> None:
    scene = office("ann")
    assert scene.desk.waits("help") is None  # nothing has been measured
    session = scene.assign("one", "ann")
    scene.pass_time(60_000)
    scene.end(session)
    wait = scene.desk.waits("help")
    assert wait is not None
    assert (wait(1), wait(3)) == (60_000, 180_000)
    assert scene.desk.moved_by("help") == "sent_back"


def test_what_the_hub_asks_a_desk_before_it_asks_for_anything() -> None:
    scene = house()
    told = scene.desk
    assert [told.role_of(name) for name in ("ann", "tim", "robot", "zoe")] == [
        Role.REPRESENTATIVE,
        Role.MANAGER,
        Role.SERVICE,
        None,
    ]
    assert told.exists(Role.MANAGER, "tim")
    assert not told.exists(Role.REPRESENTATIVE, "tim")
    assert [told.provisions(name) for name in ("pia", "tim", "ann")] == [True, False, False]
    assert told.passwords_of("ann") == 0
    scene.ok(ops.PasswordSet("new", person="ann"), MIA, prepared=hashed("new"))
    assert told.passwords_of("ann") == 1
    assert told.refuse(ANN, ops.PinList()) is None
    assert (refusal := told.refuse(ANN, ops.AccountExport())) is not None
    assert refusal.code is Code.NOT_ALLOWED


def test_a_class_is_of_a_portal_or_the_one_that_every_portal_has() -> None:
    scene = house()
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], classes=[{"class": "vip", "boost_ms": 1000}]), MIA)
    asked = [("help", "vip"), ("help", "normal"), ("side", "vip"), ("nowhere", "normal")]
    assert [scene.desk.has_class(*one) for one in asked] == [True, True, False, False]
