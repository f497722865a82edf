"""What becomes of a case by the events of its request: types, statuses, clocks, and where it stands (G1 to G8)."""

# covers: broker/desk/support.py

from __future__ import annotations

import attrs
import pytest

from broker import limits
from broker.codes import Code
from broker.desk import case_view, casebook, cases
from broker.desk import events as e
from broker.desk.desk import Desk
from broker.desk.state import Case
from broker.protocol import ops
from broker.units import SECONDS
from tests.desk.test_members import listed as read
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import case_id, customer, desk, manager, offer_id, personal, representative, request_id
from tests.support.people import MIA
from tests.support.scene import Scene, office

ANN, BO = representative("ann"), representative("bo")
Patch = pytest.MonkeyPatch


def case(scene: Scene, name: str = "carl") -> Case:
    return scene.desk.state.cases[case_id(name)]


def clock(scene: Scene, name: str = "carl") -> tuple[object, int]:
    """What the clock counts, and how much of it there is now."""
    told = casebook.clock(case(scene, name))
    ms, since = told["ms"], told.get("since", scene.now)
    assert isinstance(ms, int)
    assert isinstance(since, int)
    return told["kind"], ms + scene.now - since


def status(scene: Scene, name: str = "carl") -> tuple[str, str, str | None, str]:
    one = case(scene, name)
    return one.type, one.status, one.representative, one.reason


def reachable(scene: Scene, name: str = "carl", *, text: bool = True, portal: str = "help") -> None:
    """A customer asks who can be answered by e-mail."""
    said = personal("Why?", f"c_{name}_why") if text else None
    scene.ok(ops.RequestCreate(text=said, email=personal("c@x.org", f"c_{name}_mail")), customer(name, portal), name)


def listed(scene: Scene, subportal: str = "help") -> list[tuple[str, dict[str, object]]]:
    return [one for one in scene.told(f"cases:{subportal}") if one[0].startswith("case.")]


# --- along its request -------------------------------------------------------------------------------


def test_a_case_comes_with_the_request_and_is_told_where_it_is_served() -> None:
    scene = office()
    scene.ask("carl")
    assert status(scene) == ("live_chat", "unassigned", None, "opened")
    ((kind, data),) = listed(scene)
    assert kind == "case.opened"
    assert (data["case"], data["number"], data["listed"], data["version"]) == (case_id("carl"), 1, 1, 1)
    assert data["text"] == f"C_CARL_{scene.commands - 1}"


def test_a_taken_offer_assigns_it_a_hand_back_unassigns_it_and_counts_as_new() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    assert status(scene) == ("live_chat", "assigned", "ann", "assigned")
    scene.ok(ops.SessionLeave(session), ANN)
    assert status(scene) == ("live_chat", "unassigned", None, "requeued")
    assert (case(scene).listed, case(scene).version) == (2, 3)
    told = [data for kind, data in scene.told("me:ann") if kind == "case.changed"]
    assert [one["status"] for one in told] == ["assigned", "unassigned"]
    assert listed(scene)[-1][1]["listed"] == 2


def test_a_transfer_gives_it_to_the_other_and_tells_both() -> None:
    scene = office("ann", "bo")
    session = scene.assign("carl", "ann")
    scene.ok(ops.SessionTransfer(session, "bo"), ANN)
    scene.accept(offer_id("carl", 2), "bo")
    assert status(scene) == ("live_chat", "assigned", "bo", "transferred")
    for name in ("ann", "bo"):
        (last,) = [data for kind, data in scene.told(f"me:{name}") if data.get("reason") == "transferred"]
        assert last["representative"] == "bo"
    assert case_id("carl") in scene.desk.state.shelves.mine["bo"]
    assert "ann" not in scene.desk.state.shelves.mine


def test_G8_the_end_of_the_chat_leaves_it_assigned_with_its_clock_standing() -> None:
    scene = office("ann")
    session = scene.assign("carl", "ann")
    version = case(scene).version
    scene.now += 5 * SECONDS
    scene.end(session)
    assert status(scene) == ("live_chat", "assigned", "ann", "closed")
    assert case(scene).version == version
    scene.now += 5 * SECONDS
    assert clock(scene) == ("chat", 5000)
    assert case(scene).ended == scene.now - 5 * SECONDS


@pytest.mark.parametrize("why", ["withdrawn", "abandoned", "refused"])
def test_who_gives_up_leaves_a_resolved_case(why: str) -> None:
    scene = office()
    scene.ask("carl")
    match why:
        case "withdrawn":
            scene.ok(ops.RequestWithdraw(request_id("carl")), customer("carl"))
        case "abandoned":
            scene.lose("v_carl")
            scene.pass_time(limits.ABANDON_GRACE)
        case _:
            scene.ok(ops.VisitorBlock("rude", request_id("carl")), MIA)
    assert status(scene) == ("live_chat", "resolved", None, why)
    assert listed(scene)[-1][1]["reason"] == why


@pytest.mark.parametrize("text", ["text", "none"])
def test_who_is_gone_and_can_be_answered_leaves_a_support_request(text: str) -> None:
    scene = office(kind="button")
    reachable(scene, text=text == "text")
    scene.lose("v_carl")
    scene.pass_time(limits.ABANDON_GRACE)
    type_, state = ("support_request", "unassigned") if text == "text" else ("live_chat", "resolved")
    assert status(scene) == (type_, state, None, "abandoned")


def test_a_case_moves_with_its_request_from_one_list_to_the_other() -> None:
    scene = office()
    scene.portal("next", "ask", "queue")
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "wait", "after_ms": 30_000, "to": "next"}]), MIA)
    scene.ask("carl")
    scene.pass_time(30 * SECONDS)
    assert [kind for kind, _ in listed(scene)] == ["case.opened", "case.deleted"]
    ((kind, data),) = listed(scene, "next")
    assert (kind, data["portal"], data["subportal"], data["reason"]) == ("case.opened", "help", "next", "moved")
    assert data["text"] == listed(scene)[0][1]["text"]
    assert (case(scene).subportal, case(scene).listed, case(scene).version) == ("next", 2, 1)


def test_a_pins_case_is_its_makers_from_the_first() -> None:
    scene = office("ann")
    scene.portal("phone", "pin", "phone")
    pin = str(scene.ok(ops.PinCreate(), ANN).secret["pin"])
    scene.ok(ops.PinRedeem(pin), customer("carl", "phone"), "carl")
    assert status(scene) == ("live_chat", "assigned", "ann", "assigned")


# --- a question is left ------------------------------------------------------------------------------


def test_C12_giving_up_the_wait_leaves_a_support_request_with_what_was_added() -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.ask("carl")
    text = case(scene).text
    command = ops.RequestConvert(
        request_id("carl"), personal("More", "c_more"), personal("Carl", "c_name"), personal("c@x.org", "c_mail")
    )
    handled = scene.ok(command, customer("carl"))
    assert handled.value == {"request": request_id("carl"), "case": case_id("carl")}
    assert status(scene) == ("support_request", "unassigned", None, "converted")
    one = case(scene)
    assert (one.text, one.question and one.question[0], one.email and one.email[0]) == (text, "c_more", "c_mail")
    assert scene.desk.state.offers == {}
    kind, data = listed(scene)[-1]
    assert (kind, data["type"], data["text"], data["name"]) == ("case.changed", "support_request", "C_MORE", "C_NAME")
    assert {"c_more", "c_name", "c_mail"} <= set(scene.desk.drain_released())
    assert one.listed == 1


@pytest.mark.parametrize("web_chat", ["chat_only", "none"])
def test_what_is_left_is_told_in_the_session_before_its_end(web_chat: str) -> None:
    scene = office("ann", kind="ask", mode="web")
    scene.ok(ops.PortalPut("help", "ask", "web", ("help",), web_chat=web_chat), MIA)
    first = personal("It hums", "c_1")
    scene.ok(ops.RequestCreate(text=first, name=personal("Karl", "c_2")), customer("carl"), "carl")
    command = ops.RequestConvert(request_id("carl"), personal("Why?", "c_3"), email=personal("c@x.org", "c_4"))
    handled = scene.ok(command, customer("carl"))
    stream = f"session:s_{request_id('carl')[2:]}"
    told = [(kind, at) for one in handled.records for name, at, kind in one.entries if name == stream]
    texts = [one.event.text for one in handled.records if isinstance(one.event, e.QuestionLeft)]
    if web_chat == "chat_only":
        assert told == [("question.left", 3), ("session.ended", 4)], "after what it said already"
        assert texts == [command.text and command.text.ref]
    else:
        assert told == [("question.left", 1), ("question.left", 2)], "nothing has told what it asked at first"
        assert texts == [first.ref, command.text and command.text.ref]


@pytest.mark.parametrize("known", ["email", "nothing"])
def test_whoever_vanishes_leaves_what_it_asked_if_that_can_be_answered(known: str) -> None:
    scene = office()
    email = personal("c@x.org", "c_2") if known == "email" else None
    scene.ok(ops.RequestCreate(text=personal("Why?", "c_1"), email=email), customer("carl"), "carl")
    scene.lose("v_carl")
    left = [type(event) for event in scene.pass_time(limits.ABANDON_GRACE)]
    assert left[-2:] == [e.QuestionLeft, e.RequestEnded] if known == "email" else e.QuestionLeft not in left


def test_a_name_given_anew_replaces_the_one_before_for_good() -> None:
    scene = office()
    scene.ok(
        ops.RequestCreate(text=personal("Why?", "c_1"), name=personal("Karl", "c_2"), email=personal("x@y.zz", "c_3")),
        customer("carl"),
        "carl",
    )
    scene.ok(ops.RequestConvert(request_id("carl"), name=personal("Carl", "c_4")), customer("carl"))
    assert case(scene).name == personal("Carl", "c_4").ref
    assert scene.desk.drain_erased() == ["c_2"]
    assert case(scene).question is None


@pytest.mark.parametrize(("missing", "given"), [("email", "text"), ("text", "email")])
def test_nobody_can_answer_without_a_question_or_an_address(missing: str, given: str) -> None:
    scene = office(kind="button")
    said = personal("a@b.cc", "c_1")
    command = ops.RequestCreate(text=said) if given == "text" else ops.RequestCreate(email=said)
    scene.ok(command, customer("carl"), "carl")
    refusal = scene.refused(ops.RequestConvert(request_id("carl")), customer("carl"), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == f"args.{missing}"


def test_only_what_still_waits_and_is_ones_own_can_be_left() -> None:
    scene = office("ann")
    reachable(scene)
    scene.refused(ops.RequestConvert(request_id("carl")), customer("dora"), Code.NO_SUCH)
    scene.accept(offer_id("carl"), "ann")
    scene.refused(ops.RequestConvert(request_id("carl")), customer("carl"))


def test_a_question_can_be_left_where_it_is_closed_or_full() -> None:
    scene = office()
    scene.portal("shut", "pick", "web")
    for portal in ("shut", "help"):
        text, email = personal("Why?", f"c_{portal}"), personal("c@x.org", f"c_{portal}_m")
        made = scene.ok(ops.RequestCreate(text=text, email=email, support=True), customer(portal, portal), portal)
        assert made.value["state"] == "converted"
        assert status(scene, portal) == ("support_request", "unassigned", None, "converted")
    refusal = scene.refused(ops.RequestCreate(text=personal("Why?"), support=True), customer("dora"), Code.BAD_ARGS)
    assert (refusal.detail or {})["path"] == "args.email"


def test_past_their_bound_no_support_requests_come(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_CASES", 1)
    scene = office()
    for name in ("one", "two"):
        reachable(scene, name)
    scene.ok(ops.RequestConvert(request_id("one")), customer("one"))
    refusal = scene.refused(ops.RequestConvert(request_id("two")), customer("two"), Code.QUEUE_FULL)
    assert refusal.detail == {"max_open": 1}
    text, email = personal("Why?"), personal("x@y.zz")
    scene.refused(ops.RequestCreate(text=text, email=email, support=True), customer("three"), Code.QUEUE_FULL)
    scene.lose("v_two")
    scene.pass_time(limits.ABANDON_GRACE)
    assert status(scene, "two") == ("live_chat", "resolved", None, "abandoned")
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "wait", "after_ms": 30_000}]), MIA)
    scene.ask("four")
    scene.pass_time(60 * SECONDS)
    assert case(scene, "four").type == "live_chat"  # the rule found no room


def test_a_line_that_nobody_serves_any_more_makes_no_more_of_them_than_may_be(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "MAX_OPEN_CASES", 2)
    scene = office("ann")
    scene.ok(ops.SubportalPut("help", overflow=[{"on": "staffing"}]), MIA)
    scene.set("ann", "away")
    for name in ("one", "two", "three"):
        reachable(scene, name)
    scene.set("ann", "offline")
    scene.pass_time(0)
    assert [case(scene, name).type for name in ("one", "two", "three")] == [*["support_request"] * 2, "live_chat"]
    assert scene.line() == [request_id("three")]


# --- clocks ------------------------------------------------------------------------------------------


def test_G6_a_live_chats_clock_is_the_wait_then_the_time_in_chat_summed_over_hand_backs() -> None:
    scene = office("ann", mode="web")
    scene.ask("carl")
    scene.now += 90 * SECONDS
    assert clock(scene) == ("waiting", 90_000)
    session = scene.accept(offer_id("carl"), "ann")
    assert clock(scene) == ("chat", 0)
    scene.now += 40 * SECONDS
    assert clock(scene) == ("chat", 40_000)
    scene.ok(ops.SessionLeave(session), ANN)
    scene.now += 10 * SECONDS
    assert clock(scene) == ("waiting", 100_000)
    scene.accept(offer_id("carl", 2), "ann")
    scene.now += 5 * SECONDS
    assert clock(scene) == ("chat", 45_000)


def test_G6_a_support_requests_clock_is_the_wait_and_the_time_since_until_it_is_resolved() -> None:
    scene = office("ann", mode="web")
    reachable(scene)
    scene.now += 90 * SECONDS
    scene.ok(ops.RequestConvert(request_id("carl")), customer("carl"))
    assert clock(scene) == ("request", 90_000)
    scene.now += 3600 * SECONDS
    assert clock(scene) == ("request", 3_690_000)
    scene.ok(ops.CaseTake(case=case_id("carl")), ANN)
    scene.now += 10 * SECONDS
    assert clock(scene) == ("request", 3_700_000)
    scene.ok(ops.CaseResolve(case_id("carl")), ANN)
    scene.now += 10 * SECONDS
    assert clock(scene) == ("request", 3_700_000)
    scene.ok(ops.CaseReopen(case_id("carl")), ANN)
    scene.now += 10 * SECONDS
    assert clock(scene) == ("request", 3_710_000)


def test_the_clock_in_the_event_is_the_one_of_the_case() -> None:
    scene = office("ann", mode="web")
    scene.ask("carl")
    scene.now += 7 * SECONDS
    session = scene.accept(offer_id("carl"), "ann")
    assert listed(scene)[-1][1]["clock"] == casebook.clock(case(scene))
    scene.now += 7 * SECONDS
    scene.end(session)
    assert listed(scene)[-1][1]["clock"] == casebook.clock(case(scene)) == {"kind": "chat", "ms": 7000}
    assert listed(scene)[-1][1]["ended"] == scene.now


# --- replay ------------------------------------------------------------------------------------------


def lived() -> Scene:
    scene = office("ann", "bo", capacity=4)
    for name in ("one", "two", "three", "four"):
        reachable(scene, name)
        scene.now += 1
    scene.end(scene.accept(offer_id("one"), "ann"))
    scene.ok(ops.SessionLeave(scene.accept(offer_id("two"), "bo")), BO)
    scene.set("ann", "away")
    scene.set("bo", "away")
    scene.ok(ops.RequestConvert(request_id("three")), customer("three"))
    scene.ok(ops.CaseResolve(case_id("one")), ANN)
    scene.ok(ops.CasesSeen(2), ANN)
    scene.ok(ops.CaseTake(case=case_id("three")), BO)
    scene.ok(ops.CaseMail(case_id("three"), personal("Hello", "c_hello")), BO)
    scene.now += SECONDS
    return scene


def as_told(one: Desk) -> tuple[object, ...]:
    shelves = {
        name: {key: list(inner) for key, inner in kind.items()}
        for name, kind in attrs.asdict(one.state.shelves).items()
    }
    mails = [attrs.astuple(mail) for mail in one.state.case_mails.values()]
    return [attrs.astuple(each) for each in one.state.cases.values()], shelves, mails, one.state.next_listed


def test_F21_a_replay_and_a_snapshot_give_the_same_cases_in_the_same_places() -> None:
    scene = lived()
    replayed = desk()
    for record in scene.records:
        event = e.unpack_body(record.event.TYPE, 1, e.pack_body(record.event))
        replayed.evolve(event, record.t, record.entries)
    assert as_told(replayed) == as_told(scene.desk) == as_told(reloaded(scene.desk))
    assert reloaded(scene.desk).state.representatives["ann"].cases_seen == 2


def test_F21_a_list_shows_the_same_resolved_ones_after_a_restart(monkeypatch: Patch) -> None:
    scene = office("ann", capacity=2)
    talking = scene.assign("carl", "ann")
    for name in ("carl", "dora"):
        if name == "dora":
            scene.end(scene.assign(name, "ann"))
        scene.now += SECONDS
        scene.ok(ops.CaseResolve(case_id(name)), ANN)
    scene.now += SECONDS
    scene.end(talking)
    monkeypatch.setattr(limits, "LISTED_RESOLVED", 1)
    told = [[row["case"] for row in case_view.listed(one.state, "help")] for one in (scene.desk, reloaded(scene.desk))]
    assert told == [[case_id("dora")]] * 2


def test_records_of_older_releases_have_the_cases_they_would_have_now() -> None:
    scene = lived()
    replayed = desk()
    for record in scene.records:
        if isinstance(record.event, casebook.Moves):
            record.event.case = None
        if isinstance(record.event, e.RequestCreated):
            record.event.listed = 0
        replayed.evolve(record.event, record.t, record.entries)
    assert as_told(replayed) == as_told(scene.desk)


# --- shelves -----------------------------------------------------------------------------------------


def test_D4_unread_is_what_was_listed_after_the_last_look() -> None:
    scene = office("ann", "bo", mode="web")
    state = scene.desk.state
    assert not casebook.unread(state, ("help", "nowhere"), 0)
    scene.ask("one")
    scene.ask("two")
    assert casebook.unread(state, ("help",), 1)
    assert not casebook.unread(state, ("help",), 2)
    session = scene.accept(offer_id("one"), "ann")
    assert not casebook.unread(state, ("help",), 2)
    scene.ok(ops.SessionLeave(session), ANN)
    assert casebook.unread(state, ("help",), 2)


def _dot(scene: Scene) -> tuple[object, object]:
    (ann,) = read(scene, "me:ann", ANN, "presence")
    return ann["cases_seen"], ann["unread"]


@pytest.mark.parametrize("how", ["moves", "serves more", "comes from a team that goes"])
def test_D4_cases_that_come_with_another_sub_portal_were_never_looked_at(how: str) -> None:
    scene = office("ann", mode="web")
    scene.portal("desk", "ask", "web", "far")
    scene.team("red", "far")
    scene.staff("red", "cy")
    scene.ask("one", "desk")
    scene.ask("two")
    scene.ok(ops.CasesSeen(2), ANN)
    assert _dot(scene) == (2, False)
    match how:
        case "moves":
            scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "red", 3), manager())
        case "serves more":
            scene.ok(ops.TeamPut("blue", ["help", "far"]), manager())
        case _:
            scene.ok(ops.TeamDelete("blue", "red"), manager())
    assert _dot(scene) == (0, True)
    same_desk(replay(desk(), [stored(record) for record in scene.records]), scene.desk)
    scene.ok(ops.CasesSeen(2), ANN)
    scene.ok(ops.TeamPut("red", ["far"]), manager())
    assert scene.desk.state.representatives["ann"].cases_seen == 2


def test_the_case_of_an_open_request_is_nobodys_to_settle() -> None:
    scene = office("ann")
    scene.ask("carl")
    assert cases.settled(scene.desk.state, request_id("carl")) is None
