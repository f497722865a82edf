"""What a customer's page tells of its device: who may, how much, who reads it, and when it is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker import limits
from broker.codes import Code
from broker.desk import casebook, invariants, rules
from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.identity import Identity
from broker.desk.outcome import Decision, Refusal
from broker.desk.publish import audiences
from broker.desk.snapshot import dump
from broker.desk.state import Context, State
from broker.protocol import ops
from broker.units import DAYS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import case_id, customer, desk, document, manager, personal, representative
from tests.support.scene import Scene, office
from tests.support.shares import ANN, CARL, SESSION, SHARE, in_state, switch, talking

Patch = pytest.MonkeyPatch
STAFF = f"session:{SESSION}:staff"


def tell(kind: str = "device", data: object = None, content: str = "d_device") -> ops.SessionDescribe:
    """One document of Carl's page."""
    return ops.SessionDescribe(SESSION, kind, document({"os": "x"} if data is None else data, content))


def sized(size: int) -> dict[str, str]:
    """A map of so many bytes as JSON."""
    return {"a": "x" * (size - len('{"a":""}'))}


def waiting(**settings: object) -> Scene:
    """Carl writes in a page, and nobody is there yet."""
    scene = office("ann", "bo")
    scene.ok(ops.PortalPut("help", "button", "queue", ["help"], web_chat="upgradable", **settings), manager())  # type: ignore[arg-type]
    for who in ("ann", "bo"):
        scene.set(who, "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    return scene


def ended(scene: Scene | None = None) -> Scene:
    """The chat is over, and the share goes on."""
    scene = in_state("active", scene=scene)
    scene.end(SESSION)
    return scene


# --- who reads it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["device", "diagnostics"])
def test_F7_what_the_page_tells_is_for_staff_alone_and_leaves_the_memory(kind: str) -> None:
    scene = talking()
    before = scene.told(f"session:{SESSION}"), scene.told("account"), scene.told("me:v_carl")
    scene.desk.drain_released()
    handled = scene.ok(tell(kind), CARL)
    assert handled.value == {"session": SESSION}
    assert scene.desk.drain_released() == ["d_device"]
    assert "d_device" not in scene.desk.held_contents()
    told = scene.told(STAFF, '{"os": "x"}')[-1]
    assert told == ("session.described", {"session": SESSION, "kind": kind, "data": {"os": "x"}})
    assert (scene.told(f"session:{SESSION}"), scene.told("account"), scene.told("me:v_carl")) == before
    assert scene.desk.may_read(ANN, STAFF)
    assert not scene.desk.may_read(CARL, STAFF)


def test_F7_a_customer_who_waits_tells_it_and_whoever_could_take_it_reads() -> None:
    scene = waiting()
    scene.ok(tell(), CARL)
    scene.ok(tell("diagnostics"), CARL)
    assert len(scene.told(STAFF)) == 2
    assert scene.desk.may_read(representative("bo"), STAFF)
    assert scene.desk.state.sessions[SESSION].documents == 2


def test_what_is_told_changes_nothing_of_the_conversation() -> None:
    scene = talking()
    scene.ok(tell(), CARL)
    number = scene.ok(ops.ChatSend(SESSION, personal("hi")), CARL).value["message_seq"]
    assert number == 1


# --- refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "code"),
    [
        (customer("eve"), Code.NO_SUCH),
        (ANN, Code.NOT_ALLOWED),
        (manager(), Code.NOT_ALLOWED),
    ],
)
@pytest.mark.parametrize("make", [talking, ended])
def test_nobody_else_tells_it(make: Callable[[], Scene], who: Identity, code: Code) -> None:
    make().refused(tell(), who, code)


def test_there_must_be_a_session() -> None:
    office("ann").refused(tell(), CARL, Code.NO_SUCH)


def test_it_is_as_large_as_it_may_be_and_no_larger() -> None:
    scene = talking()
    most = limits.DESCRIBE_BYTES
    refusal = scene.refused(tell(data=sized(most + 1)), CARL, Code.BAD_ARGS)
    assert refusal.text == f"args.data: expected at most {most} bytes in all"
    scene.refused(tell(data={"a": "é" * (most // 2)}), CARL, Code.BAD_ARGS)  # bytes, not characters
    scene.ok(tell(data=sized(most)), CARL)


@pytest.mark.parametrize("when", ["waiting", "talking", "moved", "sharing"])
def test_a_session_has_so_many_whoever_has_it_meanwhile(when: str) -> None:
    scene = waiting() if when == "waiting" else talking()
    for _ in range(limits.SESSION_DOCUMENTS):
        scene.ok(tell(), CARL)
    if when == "moved":
        scene.ok(ops.SessionLeave(SESSION), ANN)
    if when == "sharing":
        ended(scene)
    refusal = scene.refused(tell(), CARL, Code.QUOTA)
    assert refusal.detail == {"limit": "session_documents", "most": limits.SESSION_DOCUMENTS}


def test_F6_diagnostics_need_the_function_and_the_device_does_not() -> None:
    scene = talking()
    switch(scene, screen_share=False)
    refusal = scene.refused(tell("diagnostics"), CARL, Code.NOT_ALLOWED)
    assert refusal.detail == {"function": "screen_share"}
    scene.ok(tell("device"), CARL)


def test_F6_while_nobody_is_there_the_portal_decides_and_then_the_representative_as_well() -> None:
    scene = waiting(functions={"screen_share": False})
    scene.refused(tell("diagnostics"), CARL, Code.NOT_ALLOWED)
    scene = talking()
    off = ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 1, functions={"screen_share": False})
    scene.ok(off, manager())
    scene.refused(tell("diagnostics"), CARL, Code.NOT_ALLOWED)


# --- the end ---------------------------------------------------------------------------------------------


def test_after_the_end_it_goes_on_with_the_share_and_ends_with_it() -> None:
    scene = ended()
    scene.ok(tell("diagnostics"), CARL)
    assert scene.told(STAFF)[-1][0] == "session.described"
    assert scene.desk.state.ended_sessions[SESSION].documents == 1
    scene.ok(ops.ShareStop(SHARE), CARL)
    refusal = scene.refused(tell(), CARL, Code.WRONG_STATE)
    assert (refusal.detail or {})["state"] == "ended"


def test_after_the_end_without_a_share_it_is_over() -> None:
    scene = talking()
    scene.end(SESSION)
    assert (scene.refused(tell(), CARL, Code.WRONG_STATE).detail or {})["state"] == "ended"


def test_while_a_share_lets_it_be_told_the_case_is_kept_to_erase_it_with() -> None:
    scene = ended()
    scene.ok(ops.CaseResolve(case_id("carl")), ANN)
    scene.now += 91 * DAYS

    def erase() -> int:
        gathered = c.Gathered(casebook.heads(scene.desk.state, SESSION))
        return len(scene.ok(c.EraseCases(((case_id("carl"), gathered),), "retention")).records)

    assert erase() == 0
    scene.ok(tell(), CARL)
    scene.ok(ops.ShareStop(SHARE), CARL)
    assert erase() == 1
    scene.refused(tell(), CARL, Code.NO_SUCH)


def test_what_is_told_while_its_case_is_being_erased_stops_that() -> None:
    scene = ended()
    scene.ok(ops.CaseResolve(case_id("carl")), ANN)
    before = casebook.heads(scene.desk.state, SESSION)[1]
    scene.ok(tell(), CARL)
    scene.ok(ops.ShareStop(SHARE), CARL)
    gathered = c.Gathered((casebook.heads(scene.desk.state, SESSION)[0], before))  # all but what the page told
    scene.now += 91 * DAYS
    assert scene.ok(c.EraseCases(((case_id("carl"), gathered),), "retention")).records == []


# --- snapshots -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("over", [False, True])
def test_F21_how_many_there_were_survives_snapshot_and_replay(*, over: bool) -> None:
    scene = talking()
    scene.ok(tell(), CARL)
    if over:
        ended(scene)
        scene.ok(tell(), CARL)
    twin = reloaded(scene.desk)
    same_desk(twin, scene.desk)
    found = twin.state.ended_sessions if over else twin.state.sessions
    assert found[SESSION].documents == 1 + over
    again = replay(desk(), [stored(record) for record in scene.records])
    assert dump(again) == dump(scene.desk)


# --- planted faults --------------------------------------------------------------------------------------


def test_caught_a_rule_that_does_not_count(monkeypatch: Patch) -> None:
    def generous(state: State, command: ops.SessionDescribe, context: Context) -> Decision | Refusal:
        return Decision([e.SessionDescribed(command.session, command.kind, command.data.ref)])

    monkeypatch.setitem(rules.RULES, ops.SessionDescribe, generous)
    scene = talking()
    for _ in range(limits.SESSION_DOCUMENTS):
        scene.do(tell(), CARL)
    with pytest.raises(invariants.InvariantBroken, match="F7"):
        scene.do(tell(), CARL)


def test_caught_a_count_that_is_forgotten_with_the_session(monkeypatch: Patch) -> None:
    def forgetful(state: State, event: e.SessionDescribed, t: int) -> None:
        state.release(event.data)

    monkeypatch.setitem(rules.EVOLVE, e.SessionDescribed, forgetful)
    with pytest.raises(AssertionError):
        test_a_session_has_so_many_whoever_has_it_meanwhile("talking")


def test_the_customers_stream_is_none_of_its_places() -> None:
    event = e.SessionDescribed(SESSION, "device", ("d_device", b"d" * 16))
    assert audiences(event) == [(STAFF, "session.described")]
