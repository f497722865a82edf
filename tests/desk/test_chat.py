"""Messages and their numbers, notes, outcomes and ratings."""

from __future__ import annotations

import pytest

from broker.codes import Code
from broker.desk import chat, invariants, rules
from broker.desk import events as e
from broker.desk.casebook import heads
from broker.desk.commands import Gathered
from broker.desk.identity import Identity
from broker.desk.outcome import Decision, Refusal
from broker.desk.state import Context, State
from broker.desk.transitions import ALLOWED
from broker.ids import case_of
from broker.protocol import ops
from tests.support.allowed import for_role
from tests.support.builders import customer, manager, offer_id, personal, representative, request_id, session_id
from tests.support.scene import Scene, office

Patch = pytest.MonkeyPatch
SESSION = session_id("carl")
CARL, ANN, BO = customer("carl"), representative("ann"), representative("bo")


def talking(*others: str) -> Scene:
    """Carl talks with Ann."""
    scene = office("ann", *others)
    scene.assign("carl", "ann", pick=None)
    return scene


def web_chat(kind: str = "button", *staff: str) -> Scene:
    """A portal where customers write at once."""
    scene = office(*staff)
    scene.ok(ops.PortalPut("help", kind, "queue", ["help"], web_chat="upgradable"), manager())
    return scene


def say(scene: Scene, who: Identity, text: str = "hello", session: str = SESSION) -> int:
    """One message; its number."""
    content = f"c_{text}_{scene.commands}"
    return int(str(scene.ok(ops.ChatSend(session, personal(text, content)), who).value["message_seq"]))


def messages(scene: Scene, session: str = SESSION) -> list[dict[str, object]]:
    """What was said, as the session's readers are told."""
    return [data for kind, data in scene.told(f"session:{session}") if kind == "chat.message"]


# --- messages ----------------------------------------------------------------------------------------


def test_F19_messages_have_the_numbers_1_2_3_whoever_says_them() -> None:
    scene = talking()
    assert [say(scene, who) for who in (CARL, ANN, ANN, CARL)] == [1, 2, 3, 4]
    told = messages(scene)
    assert [one["message_seq"] for one in told] == [1, 2, 3, 4]
    assert [one["role"] for one in told] == ["customer", "representative", "representative", "customer"]
    assert [one.get("by") for one in told] == [None, "ann", "ann", None]  # a customer's id is nobody's business


def test_a_refused_message_takes_no_number() -> None:
    scene = talking("bo")
    say(scene, CARL)
    scene.refused(ops.ChatSend(SESSION, personal("x")), BO, Code.NO_SUCH)
    scene.refused(ops.ChatSend(SESSION, personal("x")), customer("eve"), Code.NO_SUCH)
    assert say(scene, CARL) == 2


def test_in_a_web_chat_the_customer_writes_while_it_waits_and_the_numbers_go_on_with_whoever_comes() -> None:
    scene = web_chat("button", "ann")
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    assert scene.told(f"session:{SESSION}")[0][0] == "session.opened"
    assert scene.desk.state.sessions[SESSION].state == "waiting"
    assert [say(scene, CARL), say(scene, CARL)] == [1, 2]
    scene.set("ann", "available")
    scene.accept(offer_id("carl"), "ann")
    kind, data = scene.told(f"session:{SESSION}")[-1]
    assert (kind, data["representative"], data["name"], data["role"]) == ("session.joined", "ann", "C_ANN", "lead")
    assert say(scene, ANN) == 3


def test_the_question_of_a_web_chat_is_its_first_message() -> None:
    scene = web_chat("ask", "ann")
    scene.ok(ops.RequestCreate(text=personal("why?", "c_why")), CARL, "carl")
    assert [(one["message_seq"], one["text"]) for one in messages(scene)] == [(1, "C_WHY")]
    assert scene.desk.drain_released() == []  # the request still shows it
    assert say(scene, CARL) == 2


def test_the_first_thing_that_is_said_is_what_a_request_without_a_text_is_about() -> None:
    scene = web_chat("ask", "ann")
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")  # in a web chat the question may come later
    say(scene, CARL, "broken")
    say(scene, CARL, "really")
    text = scene.desk.state.requests[request_id("carl")].text
    assert text is not None
    assert text[0].startswith("c_broken")
    assert [event.excerpt for event in scene.events(e.ChatSent)] == [True, False]
    scene.set("ann", "available")
    assert scene.told("me:ann")[-1][1]["text"] == text[0].upper()


def test_an_ask_portal_without_a_web_chat_still_wants_the_question() -> None:
    scene = office("ann")
    scene.ok(ops.PortalPut("help", "ask", "queue", ["help"]), manager())
    assert scene.refused(ops.RequestCreate(), CARL, Code.BAD_ARGS).detail == {
        "path": "args.text",
        "expected": "the question",
    }


def test_a_web_chat_whose_function_is_off_is_none() -> None:
    scene = web_chat("button", "ann")
    scene.ok(
        ops.PortalPut("help", "button", "queue", ["help"], functions={"web_chat": False}, web_chat="chat_only"),
        manager(),
    )
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    assert scene.desk.state.sessions == {}


def test_texts_leave_the_memory_once_they_are_told() -> None:
    scene = talking()
    scene.desk.drain_released()
    say(scene, CARL, "secret")
    (released,) = scene.desk.drain_released()
    assert released.startswith("c_secret")


def test_what_is_said_stays_with_the_session_when_it_is_handed_back_and_its_request_goes_to_another() -> None:
    scene = talking("bo")
    scene.set("bo", "away")
    say(scene, CARL)
    scene.ok(ops.SessionLeave(SESSION), ANN)
    assert scene.desk.state.sessions[SESSION].state == "waiting"
    assert say(scene, CARL) == 2
    scene.set("ann", "away")
    scene.set("bo", "available")
    (offer,) = scene.desk.state.representatives["bo"].offers
    scene.accept(offer, "bo")
    assert say(scene, BO) == 3
    scene.refused(ops.ChatSend(SESSION, personal("x")), ANN, Code.NO_SUCH)


def test_while_nobody_has_it_those_who_could_take_it_read_and_do_not_write() -> None:
    scene = talking("bo")
    scene.ok(ops.SessionLeave(SESSION), ANN)
    assert scene.desk.may_read(BO, f"session:{SESSION}")
    refusal = scene.refused(ops.ChatSend(SESSION, personal("x")), BO)
    assert refusal.detail == {"state": "waiting", "allowed": ["offer.accept", "case.take"]}
    scene.accept(offer_id("carl", 2), "bo")
    assert not scene.desk.may_read(ANN, f"session:{SESSION}")
    assert not scene.desk.may_read(representative("nobody"), f"session:{SESSION}")


@pytest.mark.parametrize("who", [CARL, ANN])
def test_nothing_is_said_after_the_end_and_the_refusal_names_what_may_be_done(who: Identity) -> None:
    scene = talking("bo")
    scene.end(SESSION)
    refusal = scene.refused(ops.ChatSend(SESSION, personal("x")), who)
    assert refusal.detail == {
        "state": "ended",
        "allowed": for_role(who, ALLOWED["session"]["ended"]),
    }
    scene.refused(ops.ChatSend(SESSION, personal("x")), BO, Code.NO_SUCH)


def test_what_was_rated_is_not_said_to_be_there_to_rate() -> None:
    scene = talking()
    scene.end(SESSION)
    scene.ok(ops.SessionRate(SESSION, 4), CARL)
    for command in (ops.ChatSend(SESSION, personal("x")), ops.SessionEnd(SESSION), ops.SessionRate(SESSION, 5)):
        assert "session.rate" not in told(scene.refused(command, CARL))
    assert told(scene.refused(ops.SessionEnd(SESSION), ANN)) == for_role(ANN, ALLOWED["session"]["ended"])


def told(refusal: Refusal) -> list[str]:
    """What may be asked for instead."""
    allowed = (refusal.detail or {})["allowed"]
    assert isinstance(allowed, list)
    return allowed


def test_a_waiting_session_ends_with_its_request() -> None:
    scene = web_chat("button", "ann")
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    assert scene.refused(ops.SessionEnd(SESSION), CARL).detail == {
        "state": "waiting",
        "allowed": ["chat.send", "request.withdraw"],
    }
    scene.ok(ops.RequestWithdraw(request_id("carl")), CARL)
    assert scene.told(f"session:{SESSION}")[-1] == (
        "session.ended",
        {"session": SESSION, "request": request_id("carl"), "reason": "withdrawn"},
    )
    assert scene.refused(ops.ChatSend(SESSION, personal("x")), CARL).detail == {
        "state": "ended",
        "allowed": ["request.create", "transcript.get"],
    }


@pytest.mark.parametrize("at", ["portal", "representative"])
def test_chat_that_is_switched_off_is_refused_with_the_reasons(at: str) -> None:
    scene = talking()
    off = {"chat": False}
    if at == "portal":
        scene.ok(
            ops.PortalPut("help", scene.desk.state.portals["help"].kind, "queue", ["help"], functions=off), manager()
        )
    else:
        scene.ok(ops.RepresentativePut("ann", personal("Ann", "c_ann"), "blue", 1, functions=off), manager())
    said = ops.ChatSend(SESSION, personal("x"))
    refusal = scene.refused(said, ANN, Code.NOT_ALLOWED)
    assert refusal.detail is not None
    assert refusal.detail["function"] == "chat"
    assert refusal.detail["reasons"]
    assert scene.refused(said, CARL, Code.NOT_ALLOWED).detail == {"function": "chat"}  # who decided it is staff's
    scene.ok(ops.SessionEnd(SESSION), CARL)


def test_chat_that_is_switched_off_at_the_portal_is_so_while_it_waits_too() -> None:
    scene = web_chat("button", "ann")
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    scene.ok(
        ops.PortalPut("help", "button", "queue", ["help"], functions={"chat": False}, web_chat="upgradable"), manager()
    )
    scene.refused(ops.ChatSend(SESSION, personal("x")), CARL, Code.NOT_ALLOWED)


# --- notes, outcomes, ratings ------------------------------------------------------------------------


def test_notes_are_for_staff_alone_during_the_session_and_after() -> None:
    scene = talking("bo")
    scene.ok(ops.NoteAdd(SESSION, personal("difficult", "c_note")), ANN)
    scene.end(SESSION)
    scene.ok(ops.NoteAdd(SESSION, personal("again", "c_again")), ANN)
    scene.refused(ops.NoteAdd(SESSION, personal("x")), BO, Code.NO_SUCH)
    scene.refused(ops.NoteAdd(SESSION, personal("x")), CARL, Code.NOT_ALLOWED)
    staff = f"session:{SESSION}:staff"
    assert [data["text"] for _, data in scene.told(staff)] == ["C_NOTE", "C_AGAIN"]
    assert not scene.desk.may_read(CARL, staff)
    assert scene.desk.may_read(ANN, staff)
    assert not scene.desk.may_read(ANN, f"session:{SESSION}:other")


def test_an_outcome_is_of_whoever_has_or_had_the_session_and_its_words_are_known() -> None:
    scene = talking("bo")
    scene.ok(ops.SessionOutcome(SESSION, "unresolved", personal("why", "c_why")), ANN)
    scene.end(SESSION)
    scene.ok(ops.SessionOutcome(SESSION, "resolved"), ANN)
    scene.refused(ops.SessionOutcome(SESSION, "resolved"), BO, Code.NO_SUCH)
    assert scene.refused(ops.SessionOutcome(SESSION, "great"), ANN, Code.BAD_ARGS).text == (
        "args.outcome: expected one of resolved, unresolved, unknown"
    )
    told = [data for kind, data in scene.told("account") if kind == "session.outcome"]
    assert [one["outcome"] for one in told] == ["unresolved", "resolved"]
    assert "note" not in told[0]
    assert scene.told(f"session:{SESSION}:staff")[0][1]["note"] == "C_WHY"


@pytest.mark.parametrize("when", ["during", "after"])
def test_a_customer_rates_once_during_or_after(when: str) -> None:
    scene = talking()
    if when == "after":
        scene.end(SESSION)
    scene.ok(ops.SessionRate(SESSION, 4, personal("fine", "c_fine")), CARL)
    assert (scene.refused(ops.SessionRate(SESSION, 5), CARL).detail or {})["state"] == "rated"
    if when == "during":
        scene.end(SESSION)
        scene.refused(ops.SessionRate(SESSION, 5), CARL)
    scene.refused(ops.SessionRate(SESSION, 5), customer("eve"), Code.NO_SUCH)
    (told,) = [data for kind, data in scene.told("account") if kind == "session.rated"]
    assert (told["score"], told["representative"], "comment" in told) == (4, "ann", False)
    assert scene.told(f"session:{SESSION}:staff")[-1][1]["comment"] == "C_FINE"


def test_nothing_is_rated_before_anybody_came() -> None:
    scene = web_chat("button", "ann")
    scene.set("ann", "away")
    scene.ok(ops.RequestCreate(), CARL, "carl")
    assert scene.refused(ops.SessionRate(SESSION, 1), CARL).detail == {
        "state": "waiting",
        "allowed": ["chat.send", "request.withdraw"],
    }


# --- what is told and not kept -----------------------------------------------------------------------


def test_who_is_in_a_session_is_heard_there_and_nobody_else() -> None:
    scene = talking("bo")
    audience = scene.desk.audience
    assert audience(CARL, SESSION) == (f"session:{SESSION}", "customer")
    assert audience(ANN, SESSION) == (f"session:{SESSION}", "ann")
    refusal = scene.desk.audience(CARL, SESSION, 99)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.text.partition(":")[0]) == (Code.BAD_ARGS, "args.upto")
    for who, session in ((BO, SESSION), (customer("eve"), SESSION), (ANN, "s_none")):
        refusal = audience(who, session)
        assert isinstance(refusal, Refusal)
        assert refusal.code is Code.NO_SUCH
    scene.end(SESSION)
    over = audience(CARL, SESSION)
    assert isinstance(over, Refusal)
    assert (over.detail or {})["state"] == "ended"


# --- planted faults ----------------------------------------------------------------------------------


def test_caught_a_number_that_is_given_twice(monkeypatch: Patch) -> None:
    def forgetful(state: State, event: e.ChatSent, t: int) -> None:
        state.sessions[event.session].messages = event.number - 1

    scene = talking()
    monkeypatch.setitem(rules.EVOLVE, e.ChatSent, forgetful)
    say(scene, CARL)
    with pytest.raises(invariants.InvariantBroken, match="F19"):
        say(scene, CARL)


def test_caught_a_message_after_the_end(monkeypatch: Patch) -> None:
    def careless(state: State, command: ops.ChatSend, context: Context) -> Decision | Refusal:
        event = e.ChatSent(command.session, 1, "v_carl", "customer", command.text.ref, "help", excerpt=False)
        return Decision([event])

    scene = talking()
    scene.end(SESSION)
    monkeypatch.setitem(rules.RULES, ops.ChatSend, careless)
    monkeypatch.setattr(chat, "chat_sent", lambda state, event, t: None)
    monkeypatch.setitem(rules.EVOLVE, e.ChatSent, chat.chat_sent)
    with pytest.raises(invariants.InvariantBroken, match="F19"):
        scene.do(ops.ChatSend(SESSION, personal("x")), CARL)


def test_caught_a_session_that_nobody_has_and_its_representative_thinks_otherwise() -> None:
    scene = talking()
    scene.desk.state.sessions[SESSION].representative = None
    with pytest.raises(invariants.InvariantBroken):
        invariants.check(scene.desk.state)


def test_whoever_had_it_last_reads_its_end_also_when_its_case_is_erased() -> None:
    scene = talking("bo")
    scene.end(SESSION)
    assert scene.desk.may_read(ANN, f"session:{SESSION}")
    scene.ok(ops.CaseDelete(case_of(SESSION)), manager(), prepared=Gathered(heads(scene.desk.state, SESSION)))
    assert scene.desk.may_read(ANN, f"session:{SESSION}")
    assert not scene.desk.may_read(BO, f"session:{SESSION}")
