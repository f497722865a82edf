"""Screen shares: two steps of consent, a third for control; silence is refusal; a side may do what the state allows."""
# covers: broker/desk/share_state.py

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import attrs
import pytest

from broker.codes import Code
from broker.desk import events as e
from broker.desk.identity import Identity
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Decision, Handled, Refusal
from broker.desk.rules import RULES
from broker.desk.snapshot import dump
from broker.desk.state import Context, Share, State
from broker.desk.transitions import ALLOWED
from broker.desk.transitions import SHARE as MOVES
from broker.protocol import ops
from broker.units import MINUTES, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.allowed import for_role
from tests.support.builders import customer, desk, personal, representative, session_id, share_id
from tests.support.playbook import Playbook, seen
from tests.support.scene import Scene, of, office
from tests.support.shares import ANN, CARL, MIA, SESSION, SHARE, in_state, steps, switch, talking, the, told

GRANT = ["chat", "web_chat", "screen_share", "control", "reboot", "collaboration"]


def test_a_share_needs_two_steps_and_only_then_are_the_two_named_to_the_hub() -> None:
    scene = talking()
    with Playbook(scene) as play:
        play.at(0).given(ops.ShareRequest(SESSION), ANN).expect(seen(e.ShareRequested, control=False), share=SHARE)
        assert list(scene.desk.shares()) == []
        play.at(59 * SECONDS).given(ops.ShareAccept(SHARE), CARL).expect(seen(e.ShareAccepted), share=SHARE)
        assert list(scene.desk.shares()) == []
        play.at(118 * SECONDS).given(ops.ShareConfirm(SHARE), CARL).expect(
            seen(e.ShareConfirmed, customer="v_carl", representative="ann", control=False), share=SHARE, control=False
        )
        assert list(scene.desk.shares()) == [(SHARE, "v_carl", "ann", [])]
        play.at(119 * SECONDS).given(ops.ShareStarted(SHARE), ANN).expect(seen(e.ShareStarted), share=SHARE)
        play.at(119 * SECONDS).given(ops.ShareStarted(SHARE), CARL).expect(share=SHARE)  # the other end says it too
        play.at(9000 * SECONDS).expect()
        play.at(9000 * SECONDS).given(ops.ShareStop(SHARE), ANN).expect(seen(e.ShareEnded, by="representative"))
        assert list(scene.desk.shares()) == []
    assert steps(scene) == [
        ("requested", "representative"),
        ("accepted", "customer"),
        ("negotiating", "customer"),
        ("active", "representative"),
        ("ended", "representative"),
    ]


@pytest.mark.parametrize("state", ["requested", "accepted"])
def test_F9_saying_nothing_for_60_s_is_a_refusal(state: str) -> None:
    scene = in_state(state, control=True)
    assert scene.pass_time(60 * SECONDS - 1) == []
    assert scene.pass_time(1) == [e.ShareEnded(SHARE, SESSION, "refused", "broker", "no_answer")]
    assert scene.refused(ops.ShareAccept(SHARE), CARL).detail == {"state": "over", "allowed": []}
    assert scene.ok(ops.ShareRequest(SESSION), ANN).value == {"share": share_id("carl", 2)}


def test_media_that_does_not_run_within_60_s_ends_the_share() -> None:
    scene = in_state("negotiating")
    assert scene.pass_time(60 * SECONDS - 1) == []
    assert scene.pass_time(1) == [e.ShareEnded(SHARE, SESSION, "ended", "broker", "not_started")]


# --- the whole square of states and operations ---------------------------------------------------------

STEPS: dict[str, tuple[object, tuple[Identity, ...]]] = {
    "share.accept": (ops.ShareAccept(SHARE), (CARL,)),
    "share.confirm": (ops.ShareConfirm(SHARE), (CARL,)),
    "share.decline": (ops.ShareDecline(SHARE), (CARL,)),
    "share.started": (ops.ShareStarted(SHARE), (CARL, ANN)),
    "share.ask_control": (ops.ShareAskControl(SHARE), (ANN,)),
    "share.control": (ops.ShareControl(SHARE, False), (CARL,)),
    "share.reboot": (ops.ShareReboot(SHARE), (ANN,)),
    "share.stop": (ops.ShareStop(SHARE), (CARL, ANN)),
}
LEGAL = """
requested    share.accept share.decline share.stop
accepted     share.confirm share.decline share.stop
negotiating  share.started share.join share.ask_control share.control share.reboot share.stop
active       share.started share.join share.ask_control share.control share.reboot share.stop
rebooting    share.join share.control share.stop
"""
TABLE = {line.split()[0]: line.split()[1:] for line in LEGAL.strip().splitlines()}
FINAL = ("refused", "ended")
PAGE = Path(__file__).parents[2] / "docs/explanation/screen-share.md"
SQUARE = [(state, op, who) for state in TABLE for op, (_, people) in STEPS.items() for who in people]


def theirs(who: Identity, state: str) -> list[str]:
    """What somebody may ask for in a state: that a restarted machine is back, its customer alone says."""
    return [op for op in for_role(who, TABLE[state]) if (state, op, who) != ("rebooting", "share.join", ANN)]


def test_the_table_is_the_one_that_was_thought_through() -> None:
    assert {state: list(row) for state, row in ALLOWED["share"].items() if state not in FINAL} == TABLE
    assert TABLE.keys() == MOVES.keys()
    assert {op for allowed in TABLE.values() for op in allowed} == {*STEPS, "share.join"}
    assert {op for op in ops.OPS if op.startswith("share.")} == {*STEPS, "share.join", "share.request"}


def test_the_diagram_of_the_page_is_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert drawn == {(state, to) for state, row in MOVES.items() for to in row.values() if to != state}


@pytest.mark.parametrize(("state", "op", "who"), SQUARE)
def test_each_step_is_taken_or_refused_with_what_may_be_done_and_then_nothing_has_changed(
    state: str, op: str, who: Identity
) -> None:
    scene = in_state(state, control=op == "share.reboot")
    before, command = dump(scene.desk), STEPS[op][0]
    if op in TABLE[state]:
        scene.ok(command, who)
        return
    refusal = scene.refused(command, who)
    assert refusal.detail == {"state": state, "allowed": theirs(who, state)}
    assert dump(scene.desk) == before


@pytest.mark.parametrize("state", list(TABLE))
@pytest.mark.parametrize("who", [ANN, CARL])
def test_what_media_needs_is_told_with_consent_alone(state: str, who: Identity) -> None:
    scene = in_state(state)
    found = scene.desk.share_to_join(who, SHARE)
    if "share.join" in theirs(who, state):
        assert found == the(scene)
    else:
        assert isinstance(found, Refusal)
        assert found.detail == {"state": state, "allowed": theirs(who, state)}


@pytest.mark.parametrize("state", list(TABLE))
def test_there_is_one_share_of_a_session_at_a_time(state: str) -> None:
    scene = in_state(state)
    refusal = scene.refused(ops.ShareRequest(SESSION), ANN)
    assert refusal.detail == {"state": state, "allowed": ["share.stop"]}
    scene.refused(ops.ShareRequest("s_none"), ANN, Code.NO_SUCH)


def test_A9_a_chat_that_is_only_one_stays_so_and_another_becomes_a_share() -> None:
    for web_chat in ("chat_only", "upgradable"):
        scene = office("ann")
        scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], web_chat=web_chat), MIA)
        scene.assign("carl", "ann")
        if web_chat == "upgradable":
            scene.ok(ops.ShareRequest(SESSION), ANN)
            continue
        refusal = scene.refused(ops.ShareRequest(SESSION), ANN)
        assert refusal.detail == {"state": "chat_only", "allowed": for_role(ANN, ALLOWED["session"]["active"])}


@pytest.mark.parametrize("by", [ANN, CARL])
@pytest.mark.parametrize("state", list(TABLE))
def test_either_side_stops_a_share_in_any_state_and_the_session_goes_on(by: Identity, state: str) -> None:
    scene = in_state(state)
    scene.ok(ops.ShareStop(SHARE), by)
    assert steps(scene)[-1] == ("ended", str(by.role))
    assert SESSION in scene.desk.state.sessions


def ended() -> Scene:
    """A share that was refused, and another that ended."""
    scene = in_state("requested")
    scene.ok(ops.ShareDecline(SHARE), CARL)
    second = str(scene.ok(ops.ShareRequest(SESSION), ANN).value["share"])
    scene.ok(ops.ShareStop(second), ANN)
    return scene


@pytest.mark.parametrize("session", ["open", "over"])
@pytest.mark.parametrize("op", STEPS)
def test_a_share_that_is_over_is_said_to_be_so_to_its_people_alone(op: str, session: str) -> None:
    scene, (command, people) = ended(), STEPS[op]
    scene.staff("blue", "bo")
    if session == "over":
        scene.end(SESSION)
    before = dump(scene.desk)
    instead = ALLOWED["session"]["ended"] if session == "over" else ["share.request"]

    def on(share: str) -> object:
        return attrs.evolve(cast("ops.ShareAccept", command), share=share)

    for who in people:
        for number in (1, 2):
            refusal = scene.refused(on(share_id("carl", number)), who)
            assert refusal.detail == {"state": "over", "allowed": for_role(who, instead)}
        for never in (share_id("carl", 3), share_id("carl", 0), f"{SHARE}x", f"h_{SESSION[2:]}", "h_none.1"):
            scene.refused(on(never), who, Code.NO_SUCH)
        scene.refused(on(SHARE), customer("eve") if who is CARL else representative("bo"), Code.NO_SUCH)
    assert dump(scene.desk) == before == dump(reloaded(scene.desk))


def test_a_share_is_none_of_other_peoples_business() -> None:
    scene = in_state("active", control=True)
    scene.staff("blue", "bo")
    for command, people in STEPS.values():
        for who in people:
            stranger = customer("eve") if who is CARL else representative("bo")
            scene.refused(command, stranger, Code.NO_SUCH)
            wrong = type(command)("h_none.1", True) if isinstance(command, ops.ShareControl) else None
            scene.refused(wrong or type(command)("h_none.1"), who, Code.NO_SUCH)  # type: ignore[call-arg]
        if ANN not in people:
            scene.refused(command, ANN, Code.NOT_ALLOWED)
        if CARL not in people:
            scene.refused(command, CARL, Code.NOT_ALLOWED)
    assert scene.desk.share_to_join(customer("eve"), SHARE) == Refusal(Code.NO_SUCH, "no such share")


# --- view and control -------------------------------------------------------------------------------------


def test_F8_control_is_consented_to_with_the_share_if_it_was_asked_for() -> None:
    scene = in_state("accepted", control=True)
    assert told(scene)[0]["asks"] == ["view", "control"]
    assert scene.ok(ops.ShareConfirm(SHARE, control=True), CARL).value == {"share": SHARE, "control": True}
    assert told(scene)[-1]["grant"] == {"view": True, "control": True, "functions": GRANT}


@pytest.mark.parametrize(("asked", "said"), [(True, None), (True, False), (None, True), (False, True), (None, None)])
def test_F8_to_view_is_all_there_is_where_control_was_not_asked_for_or_not_said_yes_to(
    asked: bool | None,  # noqa: FBT001 (a case of the table)
    said: bool | None,  # noqa: FBT001 (the same)
) -> None:
    scene = talking()
    scene.ok(ops.ShareRequest(SESSION, control=asked), ANN)
    scene.ok(ops.ShareAccept(SHARE), CARL)
    assert scene.ok(ops.ShareConfirm(SHARE, control=said), CARL).value == {"share": SHARE, "control": False}
    assert told(scene)[-1]["grant"] == {"view": True, "control": False, "functions": GRANT}


def test_control_can_not_be_asked_for_where_it_is_off_nor_be_given_once_it_is() -> None:
    scene = talking(control=False)
    refusal = scene.refused(ops.ShareRequest(SESSION, control=True), ANN, Code.NOT_ALLOWED)
    assert dict(refusal.detail or {})["function"] == "control"
    switch(scene)
    scene.ok(ops.ShareRequest(SESSION, control=True), ANN)
    scene.ok(ops.ShareAccept(SHARE), CARL)
    switch(scene, control=False)
    assert scene.ok(ops.ShareConfirm(SHARE, control=True), CARL).value == {"share": SHARE, "control": False}
    scene.refused(ops.ShareAskControl(SHARE), ANN, Code.NOT_ALLOWED)


@pytest.mark.parametrize("state", ["negotiating", "active"])
def test_F8_control_is_asked_for_later_given_and_taken_back(state: str) -> None:
    scene = in_state(state)
    with Playbook(scene) as play:
        play.at(0).given(ops.ShareAskControl(SHARE), ANN).expect(seen(e.ShareControlAsked, state=state), share=SHARE)
        play.at(0).given(ops.ShareAskControl(SHARE), ANN).refused(Code.WRONG_STATE)
        play.at(59 * SECONDS).given(ops.ShareControl(SHARE, True), CARL).expect(
            seen(e.ShareControlled, control=True, by="customer"), control=True
        )
        play.at(59 * SECONDS).given(ops.ShareControl(SHARE, True), CARL).expect(control=True)
        play.at(59 * SECONDS).given(ops.ShareAskControl(SHARE), ANN).refused(Code.WRONG_STATE)
        play.at(59 * SECONDS).given(ops.ShareControl(SHARE, False), CARL).expect(
            seen(e.ShareControlled, control=False), control=False
        )
        play.at(59 * SECONDS).given(ops.ShareControl(SHARE, False), CARL).expect(control=False)
    assert [data.get("asks") for data in told(scene)[-3:]] == [["control"], None, None]
    assert told(scene)[-1]["state"] == the(scene).state == state
    assert told(scene)[-1]["grant"] == {"view": True, "control": False, "functions": GRANT}


def test_F9_the_question_for_control_is_refused_by_a_no_and_by_saying_nothing() -> None:
    scene = in_state("active")
    scene.ok(ops.ShareAskControl(SHARE), ANN)
    assert of(scene.ok(ops.ShareControl(SHARE, False), CARL))[0] == e.ShareControlled(
        SHARE, SESSION, "active", False, "customer", tuple(GRANT)
    )
    scene.ok(ops.ShareAskControl(SHARE), ANN)
    scene.pass_time(60 * SECONDS - 1)
    assert the(scene).asked is not None
    assert scene.pass_time(1) == [
        e.ShareControlled(SHARE, SESSION, "active", False, "broker", tuple(GRANT), "no_answer")
    ]
    refusal = scene.refused(ops.ShareControl(SHARE, True), CARL)
    assert refusal.detail == {"state": "control_not_asked", "allowed": for_role(CARL, TABLE["active"])}
    assert the(scene).control is False


# --- the grant --------------------------------------------------------------------------------------------


def test_F4_the_grant_is_what_portal_and_representative_allow_and_says_who_decides() -> None:
    scene = talking()
    scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1, functions={"file_transfer": True}), MIA)
    in_state("negotiating", scene=scene)
    assert told(scene)[-1]["grant"] == {"view": True, "control": False, "functions": GRANT}
    kind, data = scene.told("me:ann")[-1]
    assert (kind, data["share"], data["grant"]) == ("share.granted", SHARE, told(scene)[-1]["grant"])
    asked = scene.ok(ops.FunctionEffective("ann", "help"), ANN).value
    assert data["functions"] == asked["functions"]
    functions = data["functions"]
    assert isinstance(functions, list)
    (transfer,) = [one for one in functions if one["function"] == "file_transfer"]
    assert transfer["on"] is False
    assert [(r["level"], r["name"], r.get("value")) for r in transfer["reasons"]] == [
        ("portal", "help", None),
        ("default", "portal", False),
        ("representative", "ann", True),
        ("team", "blue", None),
    ]


def test_A11_switching_changes_the_grant_of_a_share_that_goes_on() -> None:
    scene = in_state("active", control=True)
    happened = switch(scene, file_transfer=True)
    (changed,) = [event for event in happened if isinstance(event, e.ShareGrantChanged)]
    assert (changed.state, changed.control) == ("active", True)
    assert "file_transfer" in changed.functions
    assert scene.told("me:ann")[-1][0] == "share.granted"
    switch(scene, control=False)
    assert the(scene).control is False
    last = told(scene)[-1]
    assert (last["state"], last["by"]) == ("active", "broker")
    grant = last["grant"]
    assert isinstance(grant, dict)
    assert grant["control"] is False
    assert "control" not in grant["functions"]
    switch(scene)
    assert the(scene).control is False  # nobody has said yes again


def test_A11_a_question_for_control_falls_with_its_function_and_another_change_leaves_it() -> None:
    scene = in_state("active")
    scene.ok(ops.ShareAskControl(SHARE), ANN)
    switch(scene, recording=True)
    assert the(scene).asked is not None
    switch(scene, control=False)
    assert the(scene).asked is None
    assert scene.pass_time(60 * SECONDS) == []


def test_what_is_only_asked_for_has_no_grant_that_could_change() -> None:
    scene = in_state("requested")
    assert [event for event in switch(scene, recording=True) if isinstance(event, e.ShareGrantChanged)] == []


# --- a restart of the customer's machine ------------------------------------------------------------------


def test_F5_the_machine_comes_back_into_the_same_share_with_the_same_grant() -> None:
    scene = in_state("active", control=True)
    reboot = scene.ok(ops.ShareReboot(SHARE), ANN)
    assert reboot.value == {"share": SHARE, "until": scene.now + 10 * MINUTES}
    assert list(scene.desk.shares()) == []
    scene.lose("v_carl")
    assert scene.pass_time(10 * MINUTES - 1) == []
    assert [type(event) for event in of(scene.back("v_carl"))] == [e.CustomerBack]
    assert the(scene).state == "rebooting"  # it may be another device of carl's
    assert [type(event) for event in of(scene.machine_back(SHARE))] == [e.ShareBack]
    assert told(scene)[-1]["state"] == "negotiating"
    assert told(scene)[-1]["grant"] == {"view": True, "control": True, "functions": GRANT}
    assert list(scene.desk.shares()) == [(SHARE, "v_carl", "ann", [])]
    scene.ok(ops.ShareStarted(SHARE), CARL)
    assert (the(scene).state, the(scene).control, the(scene).session) == ("active", True, SESSION)


def test_F5_who_is_not_back_in_time_has_no_share_and_what_else_is_open_is_given_up_too() -> None:
    scene = in_state("rebooting")
    scene.lose("v_carl")
    happened = scene.pass_time(10 * MINUTES)
    ended = [event for event in happened if isinstance(event, e.ShareEnded)]
    assert [(event.state, event.reason) for event in ended] == [("ended", "not_back")]
    assert [event.reason for event in happened if isinstance(event, e.SessionEnded)] == ["abandoned"]


def test_F5_a_machine_that_never_went_away_has_as_long() -> None:
    scene = in_state("rebooting")
    assert scene.pass_time(10 * MINUTES - 1) == []
    assert scene.pass_time(1) == [e.ShareEnded(SHARE, SESSION, "ended", "broker", "not_back")]


def test_F5_a_customer_who_is_lost_already_is_waited_for_as_long_as_its_machine() -> None:
    scene = in_state("active", control=True)
    scene.lose("v_carl")
    scene.pass_time(100 * SECONDS)
    scene.ok(ops.ShareReboot(SHARE), ANN)
    assert scene.pass_time(10 * MINUTES - 1) == []
    scene.back("v_carl")
    scene.machine_back(SHARE)
    assert the(scene).state == "negotiating"


def test_F5_a_second_device_keeps_nobody_from_coming_back_and_is_not_taken_for_the_machine() -> None:
    scene = in_state("rebooting")
    scene.pass_time(2 * MINUTES)  # the telephone stays: nobody is lost
    assert scene.desk.state.visitors["v_carl"].lost_until is None
    scene.lose("v_carl")
    scene.back("v_carl")  # and here it was away for a moment
    assert scene.pass_time(8 * MINUTES - 1) == []
    assert isinstance(scene.desk.share_to_join(CARL, SHARE), Share)
    assert [type(event) for event in of(scene.machine_back(SHARE))] == [e.ShareBack]
    assert scene.pass_time(60 * SECONDS - 1) == []  # as long as for any set-up
    scene.ok(ops.ShareStarted(SHARE), CARL)
    assert of(scene.machine_back(SHARE)) == []  # its page asks again: nothing new


def test_F5_the_representative_cannot_say_that_the_machine_is_back() -> None:
    scene = in_state("rebooting")
    refusal = scene.desk.share_to_join(ANN, SHARE)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.detail) == (
        Code.WRONG_STATE,
        {"state": "rebooting", "allowed": ["share.stop"]},
    )


def test_F5_a_machine_that_comes_too_late_finds_no_share() -> None:
    scene = in_state("rebooting")
    scene.pass_time(10 * MINUTES)
    late = scene.desk.share_to_join(CARL, SHARE)
    assert isinstance(late, Refusal)
    assert (late.code, (late.detail or {})["state"]) == (Code.WRONG_STATE, "over")
    assert of(scene.machine_back(SHARE)) == []


def test_F5_a_customer_with_much_patience_left_keeps_it() -> None:
    scene = talking()
    scene.desk.state.times = type(scene.desk.state.times)(abandon=60 * MINUTES)
    in_state("active", control=True, scene=scene)
    scene.lose("v_carl")
    until = scene.desk.state.visitors["v_carl"].lost_until
    scene.ok(ops.ShareReboot(SHARE), ANN)
    assert scene.desk.state.visitors["v_carl"].lost_until == until


def test_F5_a_restart_needs_its_function_and_control() -> None:
    scene = in_state("active")
    refusal = scene.refused(ops.ShareReboot(SHARE), ANN)
    assert refusal.detail == {
        "state": "view_only",
        "allowed": ["share.started", "share.join", "share.ask_control", "share.stop"],
    }
    switch(scene, reboot=False)
    scene.refused(ops.ShareReboot(SHARE), ANN, Code.NOT_ALLOWED)


def test_control_is_taken_back_and_a_question_falls_while_the_machine_restarts() -> None:
    scene = in_state("rebooting")
    scene.ok(ops.ShareControl(SHARE, False), CARL)
    scene.lose("v_carl")
    scene.back("v_carl")
    scene.machine_back(SHARE)
    assert told(scene)[-1]["grant"] == {"view": True, "control": False, "functions": GRANT}


# --- a stop of the broker ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(TABLE))
def test_F21_after_a_start_a_share_is_as_it_was_and_whoever_is_asked_has_the_full_time(state: str) -> None:
    scene = in_state(state)
    if state == "active":
        scene.ok(ops.ShareAskControl(SHARE), ANN)
    scene.pass_time(30 * SECONDS)
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)
    scene.desk = reloaded(scene.desk)
    assert the(scene).state == state
    scene.restart()
    full = scene.now + (10 * MINUTES if state == "rebooting" else 60 * SECONDS)
    assert the(scene).until == (None if state == "active" else full)
    assert the(scene).asked == (scene.now + 60 * SECONDS if state == "active" else None)
    lost_until = scene.desk.state.visitors["v_carl"].lost_until
    assert lost_until == scene.now + (10 * MINUTES if state == "rebooting" else 120 * SECONDS)


def test_what_older_records_say_of_a_share_is_still_understood() -> None:
    scene = talking()
    for event in (
        e.ShareRequested(SHARE, SESSION, scene.now + 1),
        e.ShareAccepted(SHARE, SESSION, scene.now + 1),
        e.ShareConfirmed(SHARE, SESSION, "v_carl", "ann"),
    ):
        scene.desk.evolve(event, scene.now, ())
    share = the(scene)
    assert (share.visitor, share.representative, share.portal) == ("v_carl", "ann", "help")
    assert (share.until, share.control) == (None, False)
    assert isinstance(scene.desk.handle(ops.ShareStop(SHARE), CARL, scene.now, bytes(16)), Handled)


def test_shares_are_numbered_within_their_session() -> None:
    scene = talking()
    for number in (1, 2, 3):
        share = scene.ok(ops.ShareRequest(SESSION), ANN).value["share"]
        assert share == share_id("carl", number)
        scene.ok(ops.ShareDecline(str(share)), CARL)
    assert session_id("carl") == SESSION
    assert steps(scene)[-1] == ("refused", "customer")


def test_F9_caught_a_rule_that_gives_control_without_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = RULES[ops.ShareConfirm]

    def generous(state: State, command: ops.ShareConfirm, context: Context) -> Decision:
        decision = decide(state, command, context)
        assert isinstance(decision, Decision)
        (event,) = decision.events
        assert isinstance(event, e.ShareConfirmed)
        event.control = True
        return decision

    scene = in_state("accepted")
    switch(scene, control=False)
    monkeypatch.setitem(RULES, ops.ShareConfirm, generous)
    with pytest.raises(InvariantBroken) as caught:
        scene.ok(ops.ShareConfirm(SHARE), CARL)
    assert caught.value.invariant == "F9"
