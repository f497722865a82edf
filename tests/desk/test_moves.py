"""What may be asked for in which state, by doing it: what is allowed happens, everything else is refused with 2410 that
names what is allowed, and changes nothing. (Shares and cases: ``test_shares``, ``test_cases``.)
"""
# covers: broker/desk/transitions.py

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.codes import Code
from broker.desk import snapshot
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Refusal
from broker.protocol import ops
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


def chatting() -> Scene:
    """A web chat, Ann and Bo away."""
    scene = office("ann", "bo")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"], web_chat="upgradable"), manager())
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


def over() -> Scene:
    """It is over."""
    scene = assigned()
    scene.end(SESSION)
    return scene


AT: dict[str, Callable[[], Scene]] = {"waiting": chatting, "offered": offered, "assigned": assigned, "ended": over}
"""State of the request: of the session, it is waiting twice, then active."""

ASKED: dict[str, tuple[Identity, Callable[[], object], set[str]]] = {
    "chat.send by the customer": (
        CARL,
        lambda: ops.ChatSend(SESSION, personal("!")),
        {"waiting", "offered", "assigned"},
    ),
    "session.end by the customer": (CARL, lambda: ops.SessionEnd(SESSION), {"assigned"}),
    "request.withdraw": (CARL, lambda: ops.RequestWithdraw(REQUEST), {"waiting", "offered"}),
    "session.rate": (CARL, lambda: ops.SessionRate(SESSION, 5), {"assigned", "ended"}),
    "session.describe": (
        CARL,
        lambda: ops.SessionDescribe(SESSION, "device", document({"os": "x"})),
        {"waiting", "offered", "assigned"},
    ),
    "chat.send": (ANN, lambda: ops.ChatSend(SESSION, personal("!")), {"assigned"}),
    "session.end": (ANN, lambda: ops.SessionEnd(SESSION), {"assigned"}),
    "session.leave": (ANN, lambda: ops.SessionLeave(SESSION), {"assigned"}),
    "session.outcome": (ANN, lambda: ops.SessionOutcome(SESSION, "resolved"), {"assigned", "ended"}),
    "note.add": (ANN, lambda: ops.NoteAdd(SESSION, personal("hm")), {"assigned", "ended"}),
    "share.request": (ANN, lambda: ops.ShareRequest(SESSION), {"assigned"}),
    "offer.accept": (ANN, lambda: ops.OfferAccept(OFFER), {"offered"}),
    "offer.decline": (ANN, lambda: ops.OfferDecline(OFFER, "busy"), {"offered"}),
    "request.classify": (manager(), lambda: ops.RequestClassify(REQUEST, "normal"), {"waiting", "offered"}),
}
"""Who asks for what, and in which states that is allowed."""

STRANGERS = {
    ("chat.send", "waiting"): Code.WRONG_STATE,
    ("chat.send", "offered"): Code.WRONG_STATE,
    ("request.withdraw", "ended"): Code.NO_SUCH,  # a request that is over is forgotten: its case remains
    ("request.classify", "ended"): Code.NO_SUCH,
    ("offer.accept", "assigned"): Code.OFFER_GONE,
    ("offer.accept", "ended"): Code.OFFER_GONE,
    ("offer.decline", "assigned"): Code.OFFER_GONE,
    ("offer.decline", "ended"): Code.OFFER_GONE,
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
    not_there_yet = who == ANN and state in ("waiting", "offered") and outcome.code is Code.NO_SUCH
    if not_there_yet:  # to somebody who isn't in it there is no such session
        return
    assert outcome.code is STRANGERS.get((op, state), Code.WRONG_STATE), outcome
    if outcome.code is Code.WRONG_STATE:
        told = (outcome.detail or {})["allowed"]
        assert isinstance(told, list)
        assert told
        assert set(told) <= set(ops.OPS)


@pytest.mark.parametrize("state", list(AT))
def test_what_a_refusal_names_is_allowed_to_somebody(state: str) -> None:
    """A promise of the refusal is kept: each operation that it names can be asked for in this very state."""
    possible = {op.partition(" ")[0] for op, (_, _, allowed) in ASKED.items() if state in allowed} | {
        "case.take",
        "request.why",
    }
    for who, command, allowed in ASKED.values():
        outcome = AT[state]().do(command(), who)
        if state not in allowed and isinstance(outcome, Refusal) and outcome.code is Code.WRONG_STATE:
            told = (outcome.detail or {})["allowed"]
            assert isinstance(told, list)
            assert set(told) & possible, f"{told} and nothing of it is possible in {state}"
