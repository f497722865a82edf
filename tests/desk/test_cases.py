"""Cases as people move them (G3, G7, G9, G10, D4): who may what, when, and what is refused."""

from __future__ import annotations

import itertools

import attrs
import pytest

from broker import limits
from broker.codes import Code
from broker.desk import casebook, cases
from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.case_view import row
from broker.desk.state import Case
from broker.desk.transitions import ALLOWED
from broker.protocol import ops
from broker.units import DAYS, SECONDS
from tests.desk.test_casebook import case, listed, reachable, status
from tests.support.agreement import reloaded
from tests.support.allowed import for_role
from tests.support.builders import case_id, customer, offer_id, personal, representative, request_id, session_id
from tests.support.people import DI, MIA, TED, TIM, house
from tests.support.scene import Scene, office

ANN, BO = representative("ann"), representative("bo")
CARL = case_id("carl")
Patch = pytest.MonkeyPatch


def asked(*names: str, capacity: int = 1) -> Scene:
    """A support request of carl's; nobody is offered anything."""
    scene = office(*(names or ("ann", "bo")), mode="web", capacity=capacity)
    reachable(scene)
    scene.ok(ops.RequestConvert(request_id("carl")), customer("carl"))
    return scene


def facts(one: Case) -> tuple[object, ...]:
    return attrs.astuple(one)


# --- G3 ----------------------------------------------------------------------------------------------


def test_G3_taken_resolved_and_opened_again_by_who_had_it() -> None:
    scene = asked()
    assert scene.ok(ops.CaseTake(case=CARL), ANN).value == {
        "request": request_id("carl"),
        "session": session_id("carl"),
    }
    assert status(scene) == ("support_request", "assigned", "ann", "taken")
    assert scene.ok(ops.CaseResolve(CARL), ANN).value == {"case": CARL, "status": "resolved", "version": 4}
    assert "ann" not in scene.desk.state.shelves.mine
    assert scene.ok(ops.CaseReopen(CARL), ANN).value == {"case": CARL, "status": "assigned", "version": 5}
    assert status(scene) == ("support_request", "assigned", "ann", "reopened")
    assert [data["status"] for kind, data in scene.told("me:ann") if kind == "case.changed"] == [
        "assigned",
        "resolved",
        "assigned",
    ]


def test_a_support_request_takes_no_capacity_and_asks_for_no_presence() -> None:
    scene = asked("ann")
    scene.set("ann", "offline")
    scene.ok(ops.CaseTake(case=CARL), ANN)
    assert scene.desk.state.router.members["ann"].load == 0


def test_a_program_is_told_that_somebody_waits_for_an_e_mail() -> None:
    scene = asked()
    scene.ok(ops.CaseTake(case=CARL), ANN)
    (told,) = [data for kind, data in scene.told("account") if kind == "case.follow_up"]
    assert told == {"case": CARL, "request": request_id("carl"), "representative": "ann", "subportal": "help"}


def test_a_live_chat_is_taken_as_a_case_too_and_opens_its_session() -> None:
    scene = office("ann")
    scene.portal("help", "ask", "queue")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], take="any"), MIA)
    scene.set("ann", "away")
    scene.ask("carl")
    scene.ok(ops.CaseTake(case=CARL), ANN)
    assert session_id("carl") in scene.desk.state.sessions
    assert status(scene) == ("live_chat", "assigned", "ann", "taken")


@pytest.mark.parametrize("command", [ops.CaseTake(), ops.CaseTake("r_x", "k_x")])
def test_a_case_or_a_request_is_named_not_both(command: ops.CaseTake) -> None:
    scene = asked()
    scene.refused(command, ANN, Code.BAD_ARGS)
    scene.refused(ops.CaseAssign("ann", command.request, command.case), MIA, Code.BAD_ARGS)


def test_managers_give_cases_also_from_one_to_another_and_twice_changes_nothing() -> None:
    scene = asked()
    scene.ok(ops.CaseAssign("ann", case=CARL), MIA)
    scene.ok(ops.CaseAssign("bo", case=CARL), MIA)
    assert status(scene) == ("support_request", "assigned", "bo", "given")
    assert scene.ok(ops.CaseAssign("bo", case=CARL), MIA).records == []
    scene.refused(ops.CaseAssign("none", case=CARL), MIA, Code.BAD_ARGS)
    scene.refused(ops.CaseAssign("bo", case="k_none"), MIA, Code.NO_SUCH)
    scene.ok(ops.CaseResolve(CARL), MIA)
    scene.refused(ops.CaseAssign("ann", case=CARL), MIA)


def in_status(name: str) -> Scene:
    scene = asked()
    if name != "unassigned":
        scene.ok(ops.CaseTake(case=CARL), ANN)
    if name == "resolved":
        scene.ok(ops.CaseResolve(CARL), ANN)
    return scene


MOVES = {
    "case.take": ops.CaseTake(case=CARL),
    "case.resolve": ops.CaseResolve(CARL),
    "case.reopen": ops.CaseReopen(CARL),
}


@pytest.mark.parametrize(("name", "op"), list(itertools.product(ALLOWED["case"], MOVES)))
def test_every_other_move_is_refused_naming_the_allowed_ones_and_changes_nothing(name: str, op: str) -> None:
    scene = in_status(name)
    before = facts(case(scene))
    if op in ALLOWED["case"][name]:
        scene.ok(MOVES[op], ANN)
        return
    refusal = scene.refused(MOVES[op], ANN)
    detail = dict(refusal.detail or {})
    assert detail.pop("case") == row(scene.desk.state, case(scene), texts=False)
    assert detail == {"state": name, "allowed": for_role(ANN, ALLOWED["case"][name])}
    assert facts(case(scene)) == before


@pytest.mark.parametrize("command", [ops.CaseResolve, ops.CaseReopen])
def test_G3_another_version_is_refused_with_the_case_as_it_is(command: type) -> None:
    scene = in_status("assigned" if command is ops.CaseResolve else "resolved")
    now = case(scene).version
    refusal = scene.refused(command(CARL, now - 1), ANN)
    told = (refusal.detail or {})["case"]
    assert isinstance(told, dict)
    assert told["version"] == now
    scene.ok(command(CARL, now), ANN)


def test_what_is_resolved_while_they_talk_is_nobodys_again_when_it_is_handed_back() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.ok(ops.CaseResolve(CARL), ANN)
    assert case(scene).since is not None
    scene.ok(ops.SessionTransfer(session, "bo"), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    assert status(scene) == ("live_chat", "assigned", "bo", "transferred")
    scene.ok(ops.CaseResolve(CARL), BO)
    scene.ok(ops.SessionLeave(session), BO)
    assert status(scene) == ("live_chat", "unassigned", None, "requeued")


def test_what_is_resolved_and_then_ends_is_over_from_then_on() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    scene.ok(ops.CaseResolve(CARL), ANN)
    assert not case(scene).over
    scene.now += SECONDS
    scene.end(session)
    assert case(scene).over
    assert cases.until(scene.desk.state, case(scene)) == scene.now + 90 * DAYS


# --- who ---------------------------------------------------------------------------------------------


def test_only_its_representative_or_a_manager_says_what_becomes_of_it() -> None:
    scene = house()
    reachable(scene)
    scene.ok(ops.RequestConvert(request_id("carl")), customer("carl"))
    scene.refused(ops.CaseTake(case=CARL), DI, Code.NO_SUCH)
    scene.refused(ops.CaseResolve(CARL), DI, Code.NO_SUCH)
    scene.ok(ops.CaseTake(case=CARL), ANN)
    scene.staff("blue", "bo")
    scene.refused(ops.CaseResolve(CARL), BO, Code.NOT_ALLOWED)
    scene.refused(ops.CaseReopen("k_none"), BO, Code.NO_SUCH)
    scene.refused(ops.CaseResolve(CARL), TED, Code.NOT_ALLOWED)
    scene.ok(ops.CaseResolve(CARL), TIM)
    scene.refused(ops.CaseReopen(CARL), BO, Code.NOT_ALLOWED)


def test_who_has_a_case_keeps_it_in_a_team_that_does_not_serve_it() -> None:
    scene = house()
    reachable(scene)
    scene.ok(ops.RequestConvert(request_id("carl")), customer("carl"))
    scene.ok(ops.CaseAssign("di", case=CARL), MIA)
    scene.ok(ops.CaseResolve(CARL), DI)


def test_the_cases_of_who_leaves_are_nobodys_and_count_as_new() -> None:
    scene = asked("ann", "bo", capacity=3)
    scene.ok(ops.CaseTake(case=CARL), ANN)
    scene.portal("phone", "pin", "phone")
    pin = str(scene.ok(ops.PinCreate(), ANN).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("pinned", "phone"), "pinned")
    scene.ask("live")
    scene.accept(offer_id("live"), "ann")
    scene.ok(ops.RepresentativeDelete("ann"), MIA)
    assert status(scene) == ("support_request", "unassigned", None, "left")
    assert status(scene, "pinned") == ("live_chat", "unassigned", None, "left")
    assert status(scene, "live") == ("live_chat", "unassigned", None, "requeued")
    assert case(scene).listed > 3
    scene.ok(ops.CaseTake(case=CARL), BO)


@pytest.mark.parametrize("then", ["opened", "deleted"])
def test_what_is_opened_again_when_its_representative_left_is_for_anybody(then: str) -> None:
    scene = in_status("resolved")
    scene.ok(ops.RepresentativeDelete("ann"), MIA)
    scene.refused(ops.CaseReopen(CARL), DI, Code.NOT_ALLOWED)  # nobody of that name
    if then == "deleted":
        scene.ok(ops.CaseDelete(CARL), MIA, prepared=gathered(scene))
        assert scene.told("account")[-1][0] == "case.deleted"
        return
    assert scene.ok(ops.CaseReopen(CARL), BO).value["status"] == "unassigned"
    assert status(scene) == ("support_request", "unassigned", None, "returned")


def test_not_more_are_opened_again_than_there_may_be(monkeypatch: Patch) -> None:
    scene = in_status("resolved")
    monkeypatch.setattr(limits, "MAX_OPEN_CASES", 0)
    scene.refused(ops.CaseReopen(CARL), ANN, Code.QUOTA)


# --- D4 ----------------------------------------------------------------------------------------------


def test_D4_what_was_seen_is_kept_told_and_never_less() -> None:
    scene = asked()
    scene.ask("dora")
    assert scene.ok(ops.CasesSeen(1), ANN).value == {"upto": 1}
    assert scene.ok(ops.CasesSeen(9), ANN).value == {"upto": 2}
    assert scene.ok(ops.CasesSeen(1), ANN).value == {"upto": 2}
    assert [data for kind, data in scene.told("me:ann") if kind == "cases.seen"] == [{"upto": 1}, {"upto": 2}]
    assert scene.desk.state.representatives["bo"].cases_seen == 0


# --- G10 ---------------------------------------------------------------------------------------------


def mailed() -> Scene:
    scene = in_status("assigned")
    handled = scene.ok(ops.CaseMail(CARL, personal("Hello", "c_hello"), personal("You asked", "c_subject")), ANN)
    assert handled.value == {"mail": f"m_{CARL[2:]}.1"}
    return scene


def test_G10_an_e_mail_is_on_its_way_until_it_is_sent_or_given_up() -> None:
    scene = mailed()
    mail = f"m_{CARL[2:]}.1"
    assert set(scene.desk.state.case_mails) == {mail}
    assert {"c_hello", "c_subject"} <= set(scene.desk.drain_released())
    scene.ok(c.MailAttempted(mail, "deferred", 451, "deferred"))
    assert scene.desk.state.case_mails[mail].attempts == 1
    scene.ok(c.MailAttempted(mail, "sent", 0, ""))
    assert scene.desk.state.case_mails == {}
    told = scene.told(f"session:{session_id('carl')}:staff")
    assert [(kind, data.get("state"), data.get("attempt")) for kind, data in told] == [
        ("case.mailed", None, None),
        ("case.mail_attempted", "deferred", 1),
        ("case.mail_attempted", "sent", 2),
    ]
    assert told[0][1]["text"] == "C_HELLO"
    assert scene.ok(c.MailAttempted(mail, "sent", 0, "")).records == []
    assert scene.ok(ops.CaseMail(CARL, personal("And", "c_and")), MIA).value == {"mail": f"m_{CARL[2:]}.2"}


def test_nobody_writes_without_an_address_or_for_nobodys_case() -> None:
    scene = asked()
    scene.refused(ops.CaseMail(CARL, personal("Hello")), ANN)
    scene.refused(ops.CaseMail("k_none", personal("Hello")), ANN, Code.NO_SUCH)
    scene.end(scene.accept(str(scene.desk.state.requests[scene.ask("dora")].offer), "ann"))
    refusal = scene.refused(ops.CaseMail(case_id("dora"), personal("Hello")), ANN)
    assert (refusal.detail or {})["state"] == "no_email"


def test_not_more_e_mails_are_on_their_way_than_may_be(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "MAX_CASE_MAILS", 1)
    scene = mailed()
    scene.refused(ops.CaseMail(CARL, personal("Again")), ANN, Code.QUOTA)


# --- G9 ----------------------------------------------------------------------------------------------


def gathered(scene: Scene, name: str = "carl") -> c.Gathered:
    return c.Gathered(casebook.heads(scene.desk.state, session_id(name)))


def test_G9_a_case_is_deleted_with_all_that_hangs_on_it() -> None:
    scene = mailed()
    one = case(scene)
    scene.desk.drain_erased()
    assert scene.ok(ops.CaseDelete(CARL), MIA, prepared=gathered(scene)).value == {"case": CARL}
    assert set(scene.desk.drain_erased()) == {
        "c_carl_why",
        "c_carl_mail",
        "c_hello",
        "c_subject",
    }
    assert CARL not in scene.desk.state.cases
    assert scene.desk.state.case_mails == {}
    assert f"session:{one.session}:staff" not in scene.desk.state.streams
    assert listed(scene)[-1] == (
        "case.deleted",
        {"case": CARL, "request": request_id("carl"), "reason": "deleted", "by": "mia"},
    )
    assert scene.told("me:ann")[-1][0] == scene.told("account")[-1][0] == "case.deleted"
    scene.refused(ops.CaseDelete(CARL), MIA, Code.NO_SUCH, prepared=c.Gathered((0, 0)))


def test_G9_not_while_they_talk_or_wait_and_not_by_anybody_else() -> None:
    scene = office("ann")
    scene.ask("carl")
    for _ in range(2):
        refusal = scene.refused(ops.CaseDelete(CARL), MIA, prepared=gathered(scene))
        assert (refusal.detail or {})["state"] == "live"
        if scene.desk.state.offers:
            scene.accept(offer_id("carl"), "ann")
    scene.end(session_id("carl"))
    scene.refused(ops.CaseDelete(CARL), ANN, Code.NOT_ALLOWED, prepared=gathered(scene))
    scene.refused(ops.CaseDelete(CARL), MIA, Code.OVERLOADED, prepared=c.Gathered((1, 0)))


def test_what_is_over_is_erased_after_its_portals_time(monkeypatch: Patch) -> None:
    scene = in_status("resolved")
    state = scene.desk.state
    last = scene.now + 90 * DAYS
    assert cases.due(state, last - 1, 9) == ("retention", [])
    assert cases.due(state, last, 9) == ("retention", [CARL])
    assert cases.due(state, last, 0) == ("retention", [])
    state.portals["help"].retention_days = 1
    assert cases.due(state, scene.now + DAYS, 9) == ("retention", [CARL])
    early = scene.ok(c.EraseCases(((CARL, gathered(scene)),), "retention"))
    assert early.records == []
    scene.now += DAYS
    assert scene.ok(c.EraseCases(((CARL, c.Gathered((7, 7))),), "retention")).records == []
    handled = scene.ok(c.EraseCases(((CARL, gathered(scene)), ("k_none", gathered(scene))), "retention"))
    (deleted,) = [record.event for record in handled.records]
    assert isinstance(deleted, e.CaseDeleted)
    assert (deleted.reason, deleted.by) == ("retention", "broker")


@pytest.mark.parametrize("touched", ["resolved", "reopened", "given", "left"])
def test_a_conversation_that_ended_is_erased_after_its_portals_time_resolved_or_not(touched: str) -> None:
    scene = office("ann", "bo")
    scene.end(scene.assign("carl", "ann"))
    first, state = scene.now + 90 * DAYS, scene.desk.state
    assert case(scene).status == "assigned"
    assert cases.due(state, first - 1, 9)[1] == []
    assert cases.due(state, first, 9) == ("retention", [CARL])
    scene.now += 80 * DAYS
    if touched in ("resolved", "reopened"):
        scene.ok(ops.CaseResolve(CARL), ANN)
    if touched == "reopened":
        scene.now += DAYS
        scene.ok(ops.CaseReopen(CARL), ANN)
    elif touched == "given":
        scene.ok(ops.CaseAssign("bo", case=CARL), MIA)
    elif touched == "left":
        scene.ok(ops.RepresentativeDelete("ann"), MIA)
        assert case(scene).status == "unassigned"
    last = scene.now + 90 * DAYS
    assert cases.due(reloaded(scene.desk).state, last - 1, 9) == cases.due(state, last - 1, 9) == ("retention", [])
    assert cases.due(reloaded(scene.desk).state, last, 9) == cases.due(state, last, 9) == ("retention", [CARL])


def test_what_rests_longer_is_erased_first_whoever_ended_first() -> None:
    scene = office("ann", capacity=9)
    for name in ("carl", "dora", "emil"):
        scene.end(scene.assign(name, "ann"))
        scene.now += 1
    scene.ok(ops.CaseResolve(CARL), ANN)
    scene.ok(ops.CaseReopen(CARL), ANN)
    dora = scene.now - 2 + 90 * DAYS
    assert cases.due(scene.desk.state, dora, 9)[1] == [case_id("dora")]
    scene.ok(ops.CaseResolve(case_id("dora")), ANN)
    assert cases.due(scene.desk.state, dora + 1, 9)[1] == [case_id("emil")]
    scene.pass_time(90 * DAYS)
    assert cases.due(scene.desk.state, scene.now, 2)[1] == [case_id("dora"), case_id("emil")]
    assert cases.due(scene.desk.state, scene.now, 9)[1] == [case_id("dora"), case_id("emil"), CARL]


def test_who_still_waits_for_an_answer_is_forgotten_by_nobody() -> None:
    scene = asked()
    assert cases.due(scene.desk.state, scene.now + 9999 * DAYS, 9) == ("retention", [])
    scene.ok(ops.CaseTake(case=CARL), ANN)
    assert cases.due(scene.desk.state, scene.now + 9999 * DAYS, 9) == ("retention", [])
    scene.ok(ops.CaseResolve(CARL), ANN)
    assert cases.due(scene.desk.state, scene.now + 90 * DAYS, 9) == ("retention", [CARL])
    scene.ok(ops.CaseReopen(CARL), ANN)
    assert cases.due(scene.desk.state, scene.now + 9999 * DAYS, 9) == ("retention", [])


def test_the_time_of_a_portal_that_is_gone_is_the_usual_one() -> None:
    scene = in_status("resolved")
    scene.ok(ops.PortalDelete("help"), MIA)
    assert cases.until(scene.desk.state, case(scene)) == scene.now + 90 * DAYS


def test_what_another_portal_keeps_longer_does_not_keep_what_nobody_ever_had() -> None:
    scene = office()
    scene.portal("long", "ask", "queue")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], retention_days=1), MIA)
    for name, portal in (("first", "long"), ("carl", "help")):
        scene.ask(name, portal)
        scene.ok(ops.RequestWithdraw(request_id(name)), customer(name, portal))
    scene.pass_time(DAYS)
    assert cases.due(scene.desk.state, scene.now, 9) == ("retention", [CARL])


def test_what_somebody_talked_about_is_missed_more_than_what_nobody_ever_had(monkeypatch: Patch) -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    scene.ask("dora")
    scene.now += SECONDS
    scene.ok(ops.SessionLeave(session), ANN)
    for name in ("carl", "dora"):
        scene.now += 1
        scene.ok(ops.RequestWithdraw(request_id(name)), customer(name))
    monkeypatch.setattr(limits, "MAX_CASES", 1)
    assert cases.due(scene.desk.state, scene.now, 9) == ("full", [case_id("dora")])


def test_past_the_bound_conversations_that_ended_first_go_first_also_if_opened_again(monkeypatch: Patch) -> None:
    scene = office("ann", capacity=2)
    for name in ("carl", "dora"):
        scene.end(scene.assign(name, "ann"))
        scene.now += 1
    scene.ok(ops.CaseResolve(CARL), ANN)
    scene.ok(ops.CaseReopen(CARL), ANN)
    monkeypatch.setattr(limits, "MAX_CASES", 1)
    assert cases.due(scene.desk.state, scene.now, 9) == ("full", [CARL])


def test_past_the_bound_those_are_erased_that_are_missed_least(monkeypatch: Patch) -> None:
    scene = office("ann", capacity=9)
    for name in ("resolved", "left", "given-up", "open"):
        scene.ask(name)
        scene.now += 1
    for name in ("resolved", "left", "open"):
        scene.accept(offer_id(name), "ann")
    scene.end(session_id("resolved"))
    scene.ok(ops.CaseResolve(case_id("resolved")), ANN)
    scene.end(session_id("left"))
    scene.ok(ops.RequestWithdraw(request_id("given-up")), customer("given-up"))
    order = [case_id(name) for name in ("given-up", "resolved", "left")]
    for most in range(5):
        monkeypatch.setattr(limits, "MAX_CASES", 4 - most)
        reason, found = cases.due(scene.desk.state, scene.now, 9)
        assert (reason, found) == ("full" if most else "retention", order[:most])
    assert cases.due(scene.desk.state, scene.now, 2)[1] == order[:2]
