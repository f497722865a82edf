"""Blocks: who is shut out has nothing open and opens nothing, others are never touched, and it ends by itself."""

# covers: broker/desk/blocks.py
# covers: broker/desk/culprits.py

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import sessions
from broker.desk.identity import Identity, Role
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Handled, Refusal
from broker.desk.rules import RULES
from broker.protocol import ops
from broker.protocol.codec import pack_value
from broker.units import HOURS, MINUTES, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import block_id, customer, desk, offer_id, personal, representative, request_id, session_id
from tests.support.people import MIA, TED, TIM, house
from tests.support.scene import Scene, of, office
from tests.support.walk import walk

Patch = pytest.MonkeyPatch
HERE, THERE = "aa" * 16, "bb" * 16
NETWORK = "198.51.100.0/24"


def kim(name: str = "kim", source: str | None = HERE, portal: str = "help") -> Identity:
    """A customer at an address."""
    return attrs.evolve(customer(name, portal), source=source, network=NETWORK)


def asks(scene: Scene, name: str, source: str | None = HERE, portal: str = "help") -> str:
    """A request of this customer, from that address."""
    command = ops.RequestCreate(text=personal("help"))
    return str(scene.ok(command, kim(name, source, portal), f"{name}.{portal}").value["request"])


def block(
    scene: Scene, request: str, what: str | None = None, named: str = "block", life: int | None = None
) -> Handled:
    """A manager blocks."""
    return scene.ok(ops.VisitorBlock("abuse", request, what=what, life_ms=life), MIA, named)


def ends(handled: Handled) -> dict[str, str]:
    """Request to the state in which it ended."""
    return {event.request: event.state for event in of(handled) if isinstance(event, e.RequestEnded)}


def shut_out(scene: Scene, who: Identity) -> bool:
    """Whether the hub would refuse the HELLO."""
    return not scene.desk.knows(who)


# --- what is blocked ---------------------------------------------------------------------------------


def test_a_blocked_visitors_request_is_refused_and_it_cannot_come_in_or_ask_again() -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "other")
    handled = block(scene, request_id("kim.help"))
    assert handled.value == {"block": block_id("block"), "until": scene.now + limits.BLOCK_LIFE, "existing": False}
    assert ends(handled) == {request_id("kim.help"): "refused"}
    assert shut_out(scene, kim())
    assert shut_out(scene, kim(source=THERE))
    assert not shut_out(scene, kim("other"))
    assert scene.desk.shuts_out(kim())
    assert "nobody here" in scene.refused(ops.RequestCreate(text=personal("x")), kim(), Code.NOT_ALLOWED).text
    assert not scene.desk.may_read(kim(), "me:v_kim")
    assert list(scene.desk.state.requests) == [request_id("other.help")]


def test_a_blocked_address_shuts_out_everybody_there_and_the_visitor_nowhere_else() -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "neighbour")
    asks(scene, "other", THERE)
    asks(scene, "unknown", None)
    handled = block(scene, request_id("kim.help"), "address")
    assert ends(handled) == dict.fromkeys((request_id("kim.help"), request_id("neighbour.help")), "refused")
    assert shut_out(scene, kim("fresh"))
    assert not shut_out(scene, kim(source=THERE))
    assert not shut_out(scene, kim("unknown", None))
    assert list(scene.desk.state.requests) == [request_id("other.help"), request_id("unknown.help")]


def test_both_shuts_out_the_visitor_everywhere_and_the_address() -> None:
    scene = office()
    asks(scene, "kim")
    block(scene, request_id("kim.help"), "both")
    assert shut_out(scene, kim(source=THERE))
    assert shut_out(scene, kim("fresh"))
    assert not shut_out(scene, kim("fresh", THERE))


def test_sessions_and_offers_of_whoever_is_blocked_end_and_the_representative_is_free() -> None:
    scene = office("ann", capacity=3)
    for name in ("pub", "bar", "inn"):
        scene.portal(name, "ask", "queue")
    scene.ok(ops.PortalPut("inn", "ask", "queue", ["inn"], wrap_up_ms=MINUTES), MIA)
    scene.team("blue", "help", "pub", "bar", "inn")
    for portal in ("help", "pub", "inn"):
        asks(scene, "kim", portal=portal)
    for portal in ("help", "inn"):
        scene.accept(offer_id(f"kim.{portal}"), "ann")
    session = session_id("kim.help")
    scene.ok(ops.ShareRequest(session), representative("ann"))
    asks(scene, "other", THERE, "bar")
    handled = scene.ok(ops.VisitorBlock("abuse", session=session), MIA)
    sessions_ended = [event for event in of(handled) if isinstance(event, e.SessionEnded)]
    assert {one.session: one.reason for one in sessions_ended} == dict.fromkeys(
        (session, session_id("kim.inn")), "blocked"
    )
    assert ends(handled) == {
        request_id("kim.help"): "closed",
        request_id("kim.inn"): "closed",
        request_id("kim.pub"): "refused",
    }
    assert scene.offered_to("ann") == [request_id("other.bar")]
    assert scene.desk.state.router.members["ann"].load == 1  # the work after the session at inn
    assert ("session.ended", "blocked") in [
        (kind, data.get("reason")) for kind, data in scene.told(f"session:{session}")
    ]
    assert ("request.ended", "refused") in [(kind, data.get("state")) for kind, data in scene.told("me:v_kim")]


def test_who_was_just_served_can_be_blocked_by_the_session_or_the_visitor_while_it_is_remembered() -> None:
    scene = office("ann")
    asks(scene, "kim")
    scene.accept(offer_id("kim.help"), "ann")
    scene.end(session_id("kim.help"))
    scene.refused(ops.VisitorBlock("x", request_id("kim.help")), MIA, Code.NO_SUCH)
    scene.ok(ops.VisitorBlock("x", session=session_id("kim.help"), what="both"), MIA, "block")
    assert shut_out(scene, kim("fresh"))
    scene.ok(ops.BlockEnd(block_id("block")), MIA)
    scene.ok(ops.VisitorBlock("x", visitor="v_kim"), MIA)
    assert shut_out(scene, kim())
    assert not shut_out(scene, kim("fresh"))


def test_a_visitor_with_several_requests_is_blocked_where_it_asked_last() -> None:
    scene = office()
    scene.portal("pub", "ask", "queue")
    asks(scene, "kim", HERE)
    asks(scene, "kim", THERE, "pub")
    handled = scene.ok(ops.VisitorBlock("x", visitor="v_kim", what="address"), MIA)
    assert ends(handled) == {request_id("kim.pub"): "refused"}
    assert (shut_out(scene, kim(source=THERE)), shut_out(scene, kim())) == (True, False)


# --- what is asked wrongly ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ops.VisitorBlock("x"),
        ops.VisitorBlock("x", "r_1", "s_1"),
        ops.VisitorBlock("x", "r_1", visitor="v_1"),
        ops.VisitorBlock("x", "r_1", "s_1", "v_1"),
    ],
)
def test_exactly_one_of_request_session_and_visitor_is_given(command: ops.VisitorBlock) -> None:
    refusal = office().refused(command, MIA, Code.BAD_ARGS)
    assert refusal.detail == {"path": "args", "expected": "exactly one of request, session, visitor"}


def test_what_is_not_there_cannot_be_blocked_or_ended() -> None:
    scene = office()
    for command, what in (
        (ops.VisitorBlock("x", "r_none"), "request"),
        (ops.VisitorBlock("x", session="s_none"), "session"),
        (ops.VisitorBlock("x", visitor="v_none"), "visitor"),
        (ops.BlockEnd("b_none"), "block"),
    ):
        assert scene.refused(command, MIA, Code.NO_SUCH).text == f"no such {what}"


@pytest.mark.parametrize("what", ["address", "both"])
def test_an_address_that_is_not_known_is_not_blocked_in_silence(what: str) -> None:
    scene = office()
    asks(scene, "kim", None)
    refusal = scene.refused(ops.VisitorBlock("x", request_id("kim.help"), what=what), MIA)
    assert refusal.detail == {"state": "no_address", "allowed": ["visitor.block"]}
    assert not scene.desk.state.blocks


def test_blocking_the_same_again_returns_the_block_that_is_there() -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "neighbour")
    first = block(scene, request_id("kim.help"), life=5 * MINUTES)
    scene.now += SECONDS
    again = scene.ok(ops.VisitorBlock("x", visitor="v_kim", life_ms=HOURS), MIA)
    assert again.value == {**first.value, "existing": True}
    assert again.records == []
    more = scene.ok(ops.VisitorBlock("x", visitor="v_kim", what="both"), MIA, "more")
    assert (more.value["block"], more.value["existing"]) == (block_id("more"), False)
    found = scene.desk.state.blocks[block_id("more")]
    assert (found.visitor, found.source) == (None, HERE)
    assert ends(more) == {request_id("neighbour.help"): "refused"}
    assert scene.ok(ops.VisitorBlock("x", visitor="v_kim", what="both"), MIA).value == {**first.value, "existing": True}


def test_there_are_so_many_blocks_and_no_more(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "MAX_BLOCKS", 2)
    scene = office()
    for name in ("one", "two", "three"):
        asks(scene, name, None)
    for name in ("one", "two"):
        block(scene, request_id(f"{name}.help"), named=name)
    scene.refused(ops.VisitorBlock("x", request_id("three.help")), MIA, Code.QUOTA)
    scene.ok(ops.BlockEnd(block_id("one")), MIA)
    block(scene, request_id("three.help"))


# --- its end -----------------------------------------------------------------------------------------


def test_a_block_ends_by_itself_or_by_a_manager_and_both_are_told() -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "max", THERE)
    block(scene, request_id("kim.help"), "both", "one", 5 * MINUTES)
    block(scene, request_id("max.help"), named="two")
    scene.pass_time(5 * MINUTES - 1)
    assert shut_out(scene, kim())
    assert scene.pass_time(1) == [e.BlockEnded(block_id("one"), "expired", "broker")]
    assert not shut_out(scene, kim())
    scene.ok(ops.BlockEnd(block_id("two")), MIA)
    assert not shut_out(scene, kim("max", THERE))
    scene.ok(ops.RequestCreate(text=personal("again")), kim("max", THERE))
    ended = [data for kind, data in scene.told("account") if kind == "block.ended"]
    assert ended == [data for kind, data in scene.told("audit") if kind == "block.ended"]
    assert ended == [
        {"block": block_id("one"), "reason": "expired", "by": "broker"},
        {"block": block_id("two"), "reason": "ended", "by": "mia"},
    ]


# --- what is told ------------------------------------------------------------------------------------


def test_the_list_says_who_what_and_why_and_never_the_digest() -> None:
    scene = office()
    for name, source in (("one", HERE), ("two", THERE), ("three", None)):
        asks(scene, name, source)
    for name, what in (("one", "both"), ("two", "address"), ("three", "visitor")):
        block(scene, request_id(f"{name}.help"), what, name)
    common = {"reason": "abuse", "by": "mia", "since": scene.now, "until": scene.now + limits.BLOCK_LIFE}
    blocks = scene.ok(ops.BlockList(), MIA).value["blocks"]
    assert blocks == [
        {"block": block_id("one"), "what": "both", "visitor": "v_one", "network": NETWORK, **common},
        {"block": block_id("two"), "what": "address", "network": NETWORK, **common},
        {"block": block_id("three"), "what": "visitor", "visitor": "v_three", **common},
    ]
    told = [scene.told(stream) for stream in ("account", "audit", "me:v_one", "me:mia")]
    said = b"".join(pack_value(data) for stream in told for _, data in stream) + pack_value(blocks)
    assert HERE.encode() not in said
    assert [data.get("network") for kind, data in told[0] if kind == "visitor.blocked"] == [None] * 3
    assert [data.get("network") for kind, data in told[1] if kind == "visitor.blocked"] == [NETWORK, NETWORK, None]


def test_a_team_manager_sees_and_ends_the_blocks_of_its_sub_portals_alone() -> None:
    scene = house()
    for name, portal in (("in", "side"), ("out", "other")):
        asks(scene, name, portal=portal)
        block(scene, request_id(f"{name}.{portal}"), named=name)
    asks(scene, "idle", portal="help")
    scene.ok(ops.RequestWithdraw(request_id("idle.help")), kim("idle"))
    command = ops.VisitorBlock("x", visitor="v_idle")
    scene.refused(command, TIM, Code.NOT_ALLOWED)  # it asks for nothing of theirs any more
    scene.ok(command, MIA, "idle")
    listed = scene.ok(ops.BlockList(), TIM).value["blocks"]
    assert [one["block"] for one in listed if isinstance(one, dict)] == [block_id("in")]  # type: ignore[attr-defined]
    for name in ("out", "idle"):
        scene.refused(ops.BlockEnd(block_id(name)), TIM, Code.NOT_ALLOWED)
    scene.refused(ops.BlockList(), TED, Code.NOT_ALLOWED)
    scene.ok(ops.BlockEnd(block_id("in")), TIM)


# --- over random lives -------------------------------------------------------------------------------


@attrs.define
class Rough(Scene):
    """Customers come from three addresses, and every now and then a manager blocks one, or ends a block. ``Scene``
    checks the invariants after each command."""

    chance: Random = attrs.field(factory=Random)
    blocked: int = 0
    kept_out: int = 0

    def do(
        self, command: object, who: Identity | None = None, named: str | None = None, prepared: object = None
    ) -> Handled | Refusal:
        """The command, and perhaps a block."""
        if who is not None and who.role is Role.CUSTOMER:
            who = attrs.evolve(who, source=f"{sum(who.person.encode()) % 3:032x}", network=NETWORK)
            gone = self.desk.shuts_out(who)
            outcome = super().do(command, who, named, prepared)
            assert not gone or (isinstance(outcome, Refusal) and outcome.code is Code.NOT_ALLOWED)
            self.kept_out += gone
        else:
            outcome = super().do(command, who, named, prepared)
        if self.chance.random() < 0.3:
            self.a_managers_turn()
        return outcome

    def a_managers_turn(self) -> None:
        """Block somebody, or end a block."""
        state = self.desk.state
        if state.blocks and self.chance.random() < 0.5:
            super().do(ops.BlockEnd(self.chance.choice(list(state.blocks))), MIA)
            return
        command = ops.VisitorBlock("x", what=self.chance.choice(["visitor", "address", "both"]), life_ms=5 * MINUTES)
        known: dict[str, list[str]] = {
            "request": list(state.requests),
            "session": list(state.ended_sessions),
            "visitor": list(state.visitors),
        }
        by = self.chance.choice(list(known))
        if not known[by]:
            return
        setattr(command, by, self.chance.choice(known[by]))
        before = {name: (one.visitor, one.source, one.state) for name, one in state.requests.items()}
        outcome = super().do(command, MIA)
        if isinstance(outcome, Handled) and not outcome.value["existing"]:
            self.blocked += 1
            others_untouched(self, before)


def others_untouched(scene: Scene, before: dict[str, tuple[str, str | None, str]]) -> None:
    """Of all requests that were open, those of the blocked are over, and no other is worse off."""
    state = scene.desk.state
    for name, (visitor, source, was) in before.items():
        request = state.requests.get(name)
        meant = visitor in state.blocked or source in state.blocked
        assert meant == (request is None), f"{name} of {visitor} is {request}"
        if request is not None:
            order = ("waiting", "offered", "assigned")
            assert order.index(request.state) >= order.index(was)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=settings().max_examples // 5)
def test_L5_a_blocked_customer_never_has_an_open_request_and_others_are_never_touched(seed: int) -> None:
    scene = Rough(chance=Random(seed))
    for _ in walk(scene, seed, 40):
        pass
    same_desk(reloaded(scene.desk), scene.desk)
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)


def test_the_lives_above_have_blocks_and_customers_who_are_kept_out_in_them() -> None:
    found = []
    for seed in range(40):
        scene = Rough(chance=Random(seed))
        for _ in walk(scene, seed, 40):
            pass
        found.append((scene.blocked, scene.kept_out))
    assert sum(blocked for blocked, _ in found) > 10
    assert sum(kept for _, kept in found) > 10


def test_a_loaded_desk_keeps_its_blocks_and_ends_them_in_time() -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "max", THERE)
    block(scene, request_id("kim.help"), "both")
    twin = reloaded(scene.desk)
    same_desk(twin, scene.desk)
    assert not twin.knows(kim("fresh"))
    assert twin.state.requests[request_id("max.help")].source == THERE
    ended = twin.fire(scene.now + limits.BLOCK_LIFE)
    assert ended is not None
    assert [record.event for record in ended.records] == [e.BlockEnded(block_id("block"), "expired", "broker")]
    assert twin.knows(kim("fresh"))


# --- planted faults ----------------------------------------------------------------------------------


def caught(scene: Scene, command: object, who: Identity = MIA) -> None:
    with pytest.raises(InvariantBroken) as found:
        scene.do(command, who)
    assert found.value.invariant == "L5", str(found.value)


def test_L5_caught_a_block_that_leaves_what_is_open(monkeypatch: Patch) -> None:
    def lenient(*args: object, **more: object) -> Sequence[e.Event]:
        return []

    monkeypatch.setattr(sessions, "end_all", lenient)
    for what in ("visitor", "address"):
        scene = office()
        asks(scene, "kim")
        caught(scene, ops.VisitorBlock("x", request_id("kim.help"), what=what))


def test_L5_caught_a_gate_that_lets_the_blocked_ask(monkeypatch: Patch) -> None:
    scene = office()
    asks(scene, "kim")
    block(scene, request_id("kim.help"))
    monkeypatch.setattr(type(scene.desk.state), "shuts_out", lambda state, identity: False)
    caught(scene, ops.RequestCreate(text=personal("again")), kim())


def test_L5_caught_a_block_that_nobody_knows_and_too_many_of_them(monkeypatch: Patch) -> None:
    scene = office()
    asks(scene, "kim")
    asks(scene, "max", THERE)
    block(scene, request_id("kim.help"))
    scene.desk.state.blocked["v_x"] = "b_none"
    caught(scene, ops.PortalPut("new", "ask", "queue", ["new"]))
    del scene.desk.state.blocked["v_x"]
    monkeypatch.setattr(limits, "MAX_BLOCKS", 0)
    caught(scene, ops.PortalPut("new", "ask", "queue", ["new", "newer"]))


def test_L5_caught_a_block_that_never_ends(monkeypatch: Patch) -> None:
    scene = office()
    asks(scene, "kim")
    block(scene, request_id("kim.help"))
    scene.desk.state.deadlines.set("block", block_id("block"), None)
    caught(scene, ops.PortalPut("new", "ask", "queue", ["new"]))


def test_every_rule_of_blocks_is_in_the_table() -> None:
    assert {ops.VisitorBlock, ops.BlockEnd, ops.BlockList} <= RULES.keys()
