"""What may be asked for in which state, by doing it: what is allowed happens, everything else is refused with 2410 that
names what is allowed, and changes nothing. (Shares and cases: ``test_shares``, ``test_cases``.)
"""
# covers: broker/desk/transitions.py
# covers: broker/desk/own_requests.py

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from broker import ids
from broker.codes import Code
from broker.desk import snapshot
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Refusal
from broker.desk.transitions import ALLOWED, CONDITIONS
from broker.protocol import ops
from broker.protocol.check import ROLES
from broker.units import MINUTES
from tests.support.agreement import reloaded
from tests.support.allowed import for_role
from tests.support.builders import (
    customer,
    document,
    manager,
    offer_id,
    personal,
    representative,
    request_id,
    session_id,
)
from tests.support.scene import Scene, office

CARL, ANN, BO = customer("carl"), representative("ann"), representative("bo")
SESSION, REQUEST, OFFER = session_id("carl"), request_id("carl"), offer_id("carl")
CASE = ids.case_of(REQUEST)


def chatting() -> Scene:
    """A web chat, Ann and Bo away."""
    scene = office("ann", "bo")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], web_chat="upgradable", take="any"), manager())
    for name in ("ann", "bo"):
        scene.set(name, "away")
    scene.ok(ops.RequestCreate(text=personal("why?", "c_why")), CARL, "carl")
    return scene


def offered() -> Scene:
    """Ann is asked."""
    scene = chatting()
    scene.set("ann", "available")
    return scene


def assigned() -> Scene:
    """Ann has it."""
    scene = offered()
    scene.accept(OFFER, "ann")
    return scene


def closed() -> Scene:
    """They have talked."""
    scene = assigned()
    scene.end(SESSION)
    return scene


def withdrawn() -> Scene:
    """Carl doesn't want to wait."""
    scene = chatting()
    scene.ok(ops.RequestWithdraw(REQUEST), CARL)
    return scene


def converted() -> Scene:
    """Carl leaves a question instead."""
    scene = chatting()
    scene.ok(CONVERT, CARL)
    return scene


def abandoned() -> Scene:
    """Carl is gone, and didn't come back."""
    scene = chatting()
    scene.lose(CARL.person)
    scene.pass_time(10 * MINUTES)
    return scene


def refused() -> Scene:
    """Nobody is there any more, and the portal doesn't let people wait for that."""
    scene = office("ann")
    scene.ok(ops.PortalPut("help", "ask", "web", ["help"], web_chat="upgradable"), manager())
    scene.set("ann", "available")
    scene.ok(ops.RequestCreate(text=personal("why?", "c_why")), CARL, "carl")
    scene.set("ann", "offline")
    return scene


CONVERT = ops.RequestConvert(REQUEST, text=personal("later?", "c_later"), email=personal("c@example.org", "c_mail"))

AT: dict[str, Callable[[], Scene]] = {
    "waiting": chatting,
    "offered": offered,
    "assigned": assigned,
    "closed": closed,
    "withdrawn": withdrawn,
    "converted": converted,
    "abandoned": abandoned,
}
"""State of the request: of the session, it is waiting twice, then active, then over."""
OVER = {"closed", "withdrawn", "converted", "abandoned"}

ASKED: dict[str, tuple[Identity, Callable[[], object], set[str]]] = {
    "chat.send by the customer": (
        CARL,
        lambda: ops.ChatSend(SESSION, personal("!")),
        {"waiting", "offered", "assigned"},
    ),
    "session.end by the customer": (CARL, lambda: ops.SessionEnd(SESSION), {"assigned"}),
    "request.withdraw": (CARL, lambda: ops.RequestWithdraw(REQUEST), {"waiting", "offered"}),
    "request.convert": (CARL, lambda: CONVERT, {"waiting", "offered"}),
    "request.pick": (CARL, lambda: ops.RequestPick(REQUEST, "ann"), set()),
    "session.rate": (CARL, lambda: ops.SessionRate(SESSION, 5), {"assigned", "closed"}),
    "session.describe": (
        CARL,
        lambda: ops.SessionDescribe(SESSION, "device", document({"os": "x"})),
        {"waiting", "offered", "assigned"},
    ),
    "chat.send": (ANN, lambda: ops.ChatSend(SESSION, personal("!")), {"assigned"}),
    "session.end": (ANN, lambda: ops.SessionEnd(SESSION), {"assigned"}),
    "session.leave": (ANN, lambda: ops.SessionLeave(SESSION), {"assigned"}),
    "session.outcome": (ANN, lambda: ops.SessionOutcome(SESSION, "resolved"), {"assigned", "closed"}),
    "note.add": (ANN, lambda: ops.NoteAdd(SESSION, personal("hm")), {"assigned", "closed"}),
    "share.request": (ANN, lambda: ops.ShareRequest(SESSION), {"assigned"}),
    "offer.accept": (ANN, lambda: ops.OfferAccept(OFFER), {"offered"}),
    "offer.decline": (ANN, lambda: ops.OfferDecline(OFFER, "busy"), {"offered"}),
    "case.take": (ANN, lambda: ops.CaseTake(REQUEST), {"waiting", "offered", "converted"}),
    "case.resolve": (ANN, lambda: ops.CaseResolve(CASE), {"assigned", "closed"}),
    "case.reopen": (ANN, lambda: ops.CaseReopen(CASE), {"withdrawn", "abandoned"}),
    "request.classify": (manager(), lambda: ops.RequestClassify(REQUEST, "normal"), {"waiting", "offered"}),
}
"""Who asks for what, and in which states that is allowed."""

STRANGERS = {
    ("chat.send", "waiting"): Code.WRONG_STATE,  # of Ann, who could take it
    ("chat.send", "offered"): Code.WRONG_STATE,
    **{(op, state): Code.OFFER_GONE for op in ("offer.accept", "offer.decline") for state in ("assigned", "closed")},
}
"""Where the refusal isn't 2410, or is so for a reason of its own."""


@pytest.mark.parametrize("state", list(AT))
@pytest.mark.parametrize("op", list(ASKED))
def test_what_is_allowed_happens_and_everything_else_is_refused_and_changes_nothing(op: str, state: str) -> None:
    who, command, allowed = ASKED[op]
    scene = AT[state]()
    before = snapshot.dump(scene.desk)
    outcome = scene.do(command(), who)
    if state in allowed:
        assert isinstance(outcome, Handled), outcome
        return
    assert isinstance(outcome, Refusal), f"{op} was carried out in {state}"
    assert snapshot.dump(scene.desk) == before
    not_there_yet = who == ANN and state not in ("assigned", "closed") and outcome.code is Code.NO_SUCH
    if not_there_yet:  # to somebody who isn't in it there is no such session
        return
    assert outcome.code is STRANGERS.get((op, state), Code.WRONG_STATE), outcome
    if outcome.code is Code.WRONG_STATE:
        assert set(told(outcome)) <= {op for op in ops.OPS if who.role in ROLES[op]} - {op.partition(" ")[0]}


def told(refusal: Refusal) -> list[str]:
    """What may be asked for instead."""
    allowed = (refusal.detail or {})["allowed"]
    assert isinstance(allowed, list)
    return allowed


READS = {"request.why", "transcript.get", "case.get"}
"""What only reads, and is the hub's: in every state."""


@pytest.mark.parametrize("state", list(AT))
@pytest.mark.parametrize("op", list(ASKED))
def test_of_what_a_refusal_names_something_can_be_done_by_whoever_asked(op: str, state: str) -> None:
    who, command, _ = ASKED[op]
    outcome = AT[state]().do(command(), who)
    if not isinstance(outcome, Refusal) or outcome.code is not Code.WRONG_STATE:
        return
    possible = {name.partition(" ")[0] for name, (by, _, at) in ASKED.items() if state in at and by.role == who.role}
    if state in OVER:
        possible |= {"request.create"} if who is CARL else set()
    if instead := told(outcome):
        assert set(instead) & (possible | READS), f"{instead}, and nothing of it is possible in {state}"


@pytest.mark.parametrize("state", sorted(OVER))
def test_how_a_request_ended_is_told_to_its_customer_alone_and_as_long_as_its_case_is_kept(state: str) -> None:
    scene = AT[state]()
    withdraw = ops.RequestWithdraw(REQUEST)
    for desk in (scene.desk, reloaded(scene.desk)):
        scene.desk = desk
        refusal = scene.refused(withdraw, CARL)
        assert refusal.detail == {"state": state, "allowed": for_role(CARL, ALLOWED["request"][state])}
        scene.refused(withdraw, customer("eve"), Code.NO_SUCH)
    scene.desk.state.cases.clear()
    scene.refused(withdraw, CARL, Code.NO_SUCH)


def words(node: ast.expr) -> list[str]:
    """The texts in an expression."""
    return [one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]


SAID_ELSEWHERE = {
    *("away", "reconnecting", "offline"),  # Representative.presence
    *("representative_reconnecting", "representative_offline", "representative_taken_over", "representative_full"),
    *("used", "expired", "revoked"),  # Pin.state
    *("control_granted", "control_asked"),  # by what the share is
    *("invited", "unstaffed"),  # a helper of colleagues and one of pins are given them
}
"""Conditions whose names don't stand in a call of ``wrong_state``."""


def test_every_state_that_a_refusal_names_is_in_the_docs_and_what_it_allows_is_an_operation() -> None:
    states = {state for rows in ALLOWED.values() for state in rows}
    found = set[str]()
    for path in (Path(__file__).parents[2] / "broker").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "wrong_state":
                if not isinstance(node.args[0], ast.Name | ast.Attribute | ast.Subscript | ast.JoinedStr):
                    found |= set(words(node.args[0]))
                named = {one.value for one in node.args[1:] if isinstance(one, ast.Constant)}
                assert named <= ops.OPS.keys(), f"{path}: {named}"
    assert found <= states | CONDITIONS.keys()
    assert CONDITIONS.keys() <= found | SAID_ELSEWHERE
    assert CONDITIONS.keys() >= SAID_ELSEWHERE
