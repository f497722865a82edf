"""The consoles talk: what is typed and what is read, on both sides; and the representative's lists of cases."""

# covers: clients/python/console_chat.py clients/python/console_talk.py clients/python/console_sessions.py
# covers: clients/python/console_cases.py

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Code
from clients.python.console_cases import UNREAD
from clients.python.console_talk import END, OVER
from tests.clients.python.fake_broker import FakeBroker
from tests.clients.python.test_console import PORTAL, PRESENCE, REQUEST, Table

ASSIGNED = {"request": "r_1", "session": "s_1", "representative": "bo", "name": "Bo"}
SAID = {"session": "s_1", "message_seq": 1, "role": "representative", "by": "bo", "text": "Hello."}
FILE = {"session": "s_1", "file": "f_1", "name": "a.pdf", "size": 2048, "type": "application/pdf"}
CASE: dict[str, Any] = {
    "case": "k_1",
    "number": 7,
    "request": "r_1",
    "session": "s_1",
    "portal": "p",
    "subportal": "orders",
    "type": "support_request",
    "status": "unassigned",
    "reason": "converted",
    "version": 2,
    "listed": 3,
    "created": 1,
    "clock": {"kind": "request", "ms": 61_000},
    "name": "Kim",
    "text": "It hums",
}


@pytest.fixture
async def customer(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        table = Table(broker, "customer", nursery)
        await table.settle()
        await table.happens("me", "request.created", **REQUEST)
        yield table
        nursery.cancel_scope.cancel()


@pytest.fixture
async def representative(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        table = Table(broker, "representative", nursery)
        sessions = [{"session": "s_1", "subportal": "orders", "name": "Kim"}]
        table.snapshots["me"] = {"presence": [{**PRESENCE, "presence": "available"}], "sessions": sessions}
        await table.settle()
        yield table
        nursery.cancel_scope.cancel()


async def test_E1_plain_lines_are_said_and_answers_are_read(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    assert await say.type("say hello") == ["! there is nobody to talk to"]
    assert await say.type("hello") == ["! no command 'hello'; help lists them"]
    assert await say.happens("me", "request.assigned", **ASSIGNED) == ["Bo is here."]
    assert await say.type("no it hums") == []
    assert await say.type("say end of story") == []
    assert await say.type("end of story") == []
    texts = [args for op, args in say.asked if op == "chat.send"]
    assert texts == [{"session": "s_1", "text": text} for text in ("no it hums", "end of story", "end of story")]
    assert await say.happens("session:s_1", "chat.message", **SAID) == ["Bo: Hello."]
    own = {"session": "s_1", "message_seq": 2, "role": "customer", "text": "no it hums"}
    assert await say.happens("session:s_1", "chat.message", **own) == []
    assert await say.happens("session:s_1", "chat.message", **own) == ["you: no it hums"]  # from another window
    told = await say.happens("session:s_1", "file.shared", **FILE, role="representative", by="bo")
    assert told == ["Bo sent a file: a.pdf (2.0 KiB)"]


async def test_what_was_refused_is_not_taken_for_said(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.happens("me", "request.assigned", **ASSIGNED)
    say.refused["chat.send"] = Code.WRONG_STATE, {"state": "ended"}
    assert await say.type("It hums") == ["! chat.send: no (2410)"]
    own = {"session": "s_1", "message_seq": 1, "role": "customer", "text": "It hums"}
    assert await say.happens("session:s_1", "chat.message", **own) == ["you: It hums"]


async def test_E4_in_a_web_chat_one_writes_before_anybody_comes(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    opened = {"session": "s_1", "request": "r_1", "subportal": "chat", "web_chat": "upgradable"}
    assert await say.happens("session:s_1", "session.opened", **opened) == [
        "You can write already: whoever comes will read it."
    ]
    await say.type("It hums")
    assert say.asked[-1] == ("chat.send", {"session": "s_1", "text": "It hums"})
    assert await say.happens("me", "request.assigned", **ASSIGNED) == ["Bo is here."]
    joined = {"session": "s_1", "representative": "bo", "name": "Bo", "role": "lead"}
    assert await say.happens("session:s_1", "session.joined", **joined) == []  # told already
    guest = {"session": "s_1", "representative": "cy", "name": "Cy", "role": "guest"}
    assert await say.happens("session:s_1", "session.joined", **guest) == ["Cy is here as well."]
    looks = {"share": "h_1", "session": "s_1", "representative": "cy"}
    watched = "session:s_1", "share.watched"
    assert await say.happens(*watched, **looks, control=False) == ["Cy sees your screen too, without control."]
    assert await say.happens(*watched, **looks, control=True) == ["Cy sees your screen too."]
    stopped = {"share": "h_1", "session": "s_1", "representative": "cy", "reason": "stopped"}
    assert await say.happens("session:s_1", "share.unwatched", **stopped) == ["Cy sees your screen no more."]
    left = {"session": "s_1", "representative": "cy", "reason": "left"}
    assert await say.happens("session:s_1", "session.left", **left) == ["Cy has left."]
    (line,) = await say.happens("session:s_1", "session.released", session="s_1", representative="bo", reason="x")
    assert line.startswith("Bo has left; ")
    assert await say.happens("session:s_1", "session.joined", **joined) == ["Bo is here."]


async def test_E5_a_conversation_ends_after_a_yes(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.happens("me", "request.assigned", **ASSIGNED)
    asks = {"share": "h_1", "session": "s_1", "by": "representative", "state": "requested"}
    await say.happens("session:s_1", "share.changed", **asks)
    assert await say.type("end") == [END]
    assert await say.type("no") == ["You go on."]
    assert await say.type("end") == [END]
    await say.type("wait")
    assert say.asked[-1] == ("chat.send", {"session": "s_1", "text": "wait"})
    assert await say.type("end") == [END]
    await say.type("Yes")
    assert say.asked[-1] == ("session.end", {"session": "s_1"})
    assert "share.accept" not in {op for op, _ in say.asked}  # a yes to the end is no consent


async def test_it_is_rated_and_kept_after_the_end(autojump_clock: MockClock, customer: Table, tmp_path: Path) -> None:
    say = customer
    assert await say.type("rate 5") == ["! there is no conversation to rate"]
    assert await say.type("save x") == ["! there is no conversation to save"]
    await say.happens("me", "request.assigned", **ASSIGNED)
    assert await say.happens("me", "request.ended", request="r_1", state="closed") == [OVER]
    assert await say.type("rate well") == ["! rate SCORE [COMMENT]: a score from 1 (bad) to 5"]
    assert await say.type("rate 5 Quick.") == ["Thank you."]
    assert say.asked[-1] == ("session.rate", {"session": "s_1", "score": 5, "comment": "Quick."})
    say.values["transcript.get"] = {"format": "html", "data": "<p>"}
    path = tmp_path / "said.html"
    assert await _written(say, f"save {path}") == [f"saved in {path}"]
    assert path.read_text() == "<p>"
    assert say.asked[-1] == ("transcript.get", {"session": "s_1", "format": "html"})
    assert await _written(say, f"save {path}") == [f"! {path} can't be written: File exists"]
    assert await say.type("save") == ["! save FILE"]


async def _written(say: Table, line: str) -> list[str]:
    """What is said once a file was written, which a thread does."""
    said = await say.type(line)
    while not said:
        said = await say.settle()
    return said


async def test_a_survey_is_asked_with_the_rating(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "customer", nursery)
        field = {"field": "again", "type": "checkbox", "label": "Again", "required": True}
        say.values["portal.open"] = {**PORTAL, "survey": [field]}
        await say.settle()
        await say.happens("me", "request.assigned", **ASSIGNED)
        assert await say.type("rate 4") == ["Again? [yes or no]"]
        assert await say.type("yes") == ["Thank you."]
        assert say.asked[-1] == ("session.rate", {"session": "s_1", "score": 4, "fields": {"again": True}})
        nursery.cancel_scope.cancel()


async def test_G3_who_does_not_wait_leaves_the_question(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    say.refused["request.convert"] = Code.BAD_ARGS, {"path": "args.email"}
    assert await say.type("convert") == ["! request.convert: no (2400)"]
    say.refused.clear()
    await say.type("convert kim@example.org It hums")
    asked = {"request": "r_1", "email": "kim@example.org", "text": "It hums"}
    assert say.asked[-1] == ("request.convert", asked)
    (line,) = await say.happens("me", "request.ended", request="r_1", state="converted")
    assert line == "Your question is left: you will be answered by e-mail."
    assert await say.type("convert") == ["! you have not asked yet"]


async def test_a_representative_talks_in_its_sessions(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    assert await say.type("say Hello, Kim") == []
    assert await say.type("say 2 lamps?") == []
    assert await say.type("note 1 asked before") == ["noted"]
    assert say.asked == [
        ("chat.send", {"session": "s_1", "text": "Hello, Kim"}),
        ("chat.send", {"session": "s_1", "text": "2 lamps?"}),
        ("note.add", {"session": "s_1", "text": "asked before"}),
    ]
    said: dict[str, Any] = {"session": "s_1", "message_seq": 1, "role": "customer", "text": "It hums"}
    assert await say.happens("session:s_1", "chat.message", **said) == ["session 1, Kim: It hums"]
    own = {**SAID, "by": "ann", "text": "Hello, Kim"}
    assert await say.happens("session:s_1", "chat.message", **own) == []
    assert await say.happens("session:s_1", "chat.message", **own) == ["session 1, you: Hello, Kim"]
    told = await say.happens("session:s_1", "file.shared", **FILE, role="customer")
    assert told == ["session 1, Kim sent a file: a.pdf (2.0 KiB)"]
    opened = {"session": "s_2", "request": "r_2", "subportal": "orders", "representative": "ann"}
    await say.happens("me", "session.opened", **opened)
    assert await say.type("say 3 lamps") == ["! there is no session 3"]
    assert await say.type("say lamps") == ["! which session? there is 1, 2"]
    assert await say.type("say 2") == ["! say [SESSION] TEXT"]
    await say.happens("me", "session.ended", session="s_1", request="r_1", reason="customer")
    await say.happens("me", "session.ended", session="s_2", request="r_2", reason="customer")
    await say.type("note 1 was kind")
    assert say.asked[-1] == ("note.add", {"session": "s_1", "text": "was kind"})
    await say.type("note was short")
    assert say.asked[-1] == ("note.add", {"session": "s_2", "text": "was short"})


async def test_D3_the_three_lists_of_cases(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    say.values |= {"case.search": {"cases": [CASE]}, "cases.seen": {"upto": 3}}
    line = "case 7: Kim (orders, support request, unassigned, 2 minutes): It hums"
    dotted, plain = f"  \N{BLACK CIRCLE} {line}", f"    {line}"
    assert await say.type("resolve 7") == ["! there is no case 7 in the lists that you have seen; cases shows them"]
    assert await say.type("cases") == ["unassigned: 1", dotted, "mine: 1", dotted, "all: 1", dotted]
    assert [op for op, _ in say.asked] == ["case.search"] * 3 + ["cases.seen"]
    assert say.asked[1][1] == {"status": "assigned", "representative": "ann"}
    assert await say.type("cases unassigned") == ["unassigned: 1", plain]
    assert await say.type("cases yours") == ["! cases, or cases unassigned or mine or all"]
    await say.type("take 7")
    assert say.asked[-1] == ("case.take", {"case": "k_1"})
    say.values["case.resolve"] = {"case": "k_1", "status": "resolved", "version": 3}
    say.values["case.reopen"] = {"case": "k_1", "status": "assigned", "version": 4}
    say.values["case.mail"] = {"mail": "m_1"}
    assert await say.type("resolve 7") == ["case 7 is resolved"]
    assert await say.type("reopen k_1") == ["case k_1 is assigned"]
    assert (await say.type("mail 7 Try this."))[0].startswith("it is on its way")
    assert say.asked[-1] == ("case.mail", {"case": "k_1", "text": "Try this."})
    assert await say.type("mail 7") == ["! mail CASE TEXT"]


async def test_D4_the_red_dot(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    assert await say.happens("cases:orders", "case.opened", **CASE) == [UNREAD]
    second = {**CASE, "case": "k_2", "number": 8, "listed": 4}
    assert await say.happens("cases:orders", "case.opened", **second) == []  # it shows already
    assert UNREAD in (await say.type("status"))[0]
    await say.happens("me", "cases.seen", upto=4)  # on another device
    assert UNREAD not in (await say.type("status"))[0]
    back = {**CASE, "listed": 5}
    assert await say.happens("cases:orders", "case.changed", **back) == [UNREAD]
    await say.happens("cases:orders", "case.deleted", case="k_1", request="r_1", reason="deleted")
    assert UNREAD not in (await say.type("status"))[0]


async def test_json_talks_as_well(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = Table(broker, "customer", nursery, as_json=True)
        say.values["chat.send"] = {"session": "s_1", "message_seq": 1}
        await say.settle()
        await say.happens("me", "request.created", **REQUEST)
        await say.happens("me", "request.assigned", **ASSIGNED)
        (said,) = await say.type("It hums")
        assert json.loads(said) == {"command": "say", "value": {"session": "s_1", "message_seq": 1}}
        await say.type("end")
        assert say.asked[-1] == ("session.end", {"session": "s_1"})
        nursery.cancel_scope.cancel()


async def test_who_comes_and_goes_is_told_to_the_representative(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    guest = {"session": "s_1", "representative": "cy", "name": "Cy", "role": "guest"}
    assert await say.happens("session:s_1", "session.joined", **guest) == ["session 1: Cy is in it as a guest"]
    left = {"session": "s_1", "representative": "cy", "reason": "left"}
    assert await say.happens("session:s_1", "session.left", **left) == ["session 1: cy has left (left)"]
    assert await say.happens("session:s_1", "session.left", **{**left, "reason": "ended"}) == []
    taken = {"session": "s_8", "request": "r_8", "representative": "ann", "former": "bo"}
    await say.happens("me", "session.transferred", **taken)
    told = {**SAID, "session": "s_8"}
    assert await say.happens("session:s_8", "chat.message", **told) == ["session 2, bo: Hello."]  # it is followed


STAFF = "session:s_1:staff"


async def test_E11_notes_are_read_by_whoever_has_the_session_and_its_own_are_told_once(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    note = {"session": "s_1", "by": "cy", "text": "sounds angry"}
    assert await say.happens(STAFF, "note.added", **note) == ["session 1, cy notes: sounds angry"]
    assert await say.type("note 1 asked before") == ["noted"]
    own = {**note, "by": "ann", "text": "asked before"}
    assert await say.happens(STAFF, "note.added", **own) == []
    assert await say.happens(STAFF, "note.added", **own) == ["session 1, you note: asked before"]  # another window
    erased = {**note, "text": {"erased": True}}
    assert await say.happens(STAFF, "note.added", **erased) == ["session 1, cy notes: (erased)"]
    say.refused["note.add"] = Code.WRONG_STATE, {"state": "ended"}
    assert await say.type("note 1 hm") == ["! note.add: no (2410)"]
    assert await say.happens(STAFF, "note.added", **{**own, "text": "hm"}) == ["session 1, you note: hm"]


async def test_E9_masked_guests_come_and_go_before_staff_alone(
    autojump_clock: MockClock, representative: Table
) -> None:
    say = representative
    guest = {"session": "s_1", "representative": "cy", "name": "Cy", "role": "guest", "masked": True, "by": "ann"}
    told = await say.happens(STAFF, "session.joined", **guest)
    assert told == ["session 1: Cy is in it masked: the customer isn't told"]
    left = {"session": "s_1", "representative": "cy", "reason": "left"}
    told = await say.happens(STAFF, "session.left", **left)
    assert told == ["session 1: cy, who was masked, has left (left)"]
    assert await say.happens(STAFF, "session.left", **{**left, "reason": "ended"}) == []
    for own in ("session.joined", "session.left"):
        assert await say.happens(STAFF, own, **{**guest, **left, "representative": "ann"}) == []


async def test_what_else_staff_alone_hears_of_a_session(autojump_clock: MockClock, representative: Table) -> None:
    say = representative
    offer = {"offer": "o_5", "request": "r_1", "subportal": "orders", "kind": "invite", "arrived": 1, "by": "cy"}
    told = await say.happens(STAFF, "offer.made", **offer, representative="bo")
    assert told == ["session 1: cy asks bo in"]
    told = await say.happens(STAFF, "offer.made", **{**offer, "kind": "transfer"})
    assert told == ["session 1: cy asks orders to take it over"]
    assert await say.happens(STAFF, "offer.made", **{**offer, "by": "ann"}, representative="bo") == []
    assert await say.type("accept") == ["! which offer? there is none"], "nobody asked ann"
    assert await say.happens(STAFF, "offer.ended", offer="o_5", request="r_1", reason="declined") == []
    looks = {"session": "s_1", "on": True}
    assert await say.happens("session:s_1", "session.monitored", **looks) == ["session 1: a manager looks on"]
    assert await say.happens(STAFF, "session.monitored", **looks) == [], "told already"
    watched = {"share": "h_1", "session": "s_1", "representative": "cy"}
    told = await say.happens(STAFF, "share.watched", **watched, control=False)
    assert told == ["session 1: cy sees the screen too, without control"]
    ends = {"leg": "h_1.1", "functions": ["chat"]}
    assert await say.happens("me", "share.watched", **watched, **ends, control=False) == [], "told to the session"
    told = await say.happens("session:s_1", "share.watched", **watched, control=True)
    assert told == ["session 1: cy sees the screen too"]
    stopped = {"share": "h_1", "session": "s_1", "representative": "cy", "reason": "stopped"}
    told = await say.happens(STAFF, "share.unwatched", **stopped)
    assert told == ["session 1: cy sees the screen no more (stopped)"]
    outcome = {"session": "s_1", "request": "r_1", "representative": "bo", "outcome": "resolved", "note": "by hand"}
    assert await say.happens(STAFF, "session.outcome", **outcome) == ["session 1: bo says it is resolved: by hand"]
    assert await say.happens(STAFF, "session.outcome", **{**outcome, "representative": "ann"}) == []
    rated = {"session": "s_1", "request": "r_1", "score": 4}
    assert await say.happens(STAFF, "session.rated", **rated) == ["session 1: the customer rates it 4 of 5"]
    device = {"session": "s_1", "kind": "device", "data": {"os": "haiku", "touch": False}}
    told = await say.happens(STAFF, "session.described", **device)
    assert told == ["session 1: the customer's device: os haiku, touch False"]
    for data, shown in (({}, ": -"), ({"erased": True}, " (erased)")):
        told = await say.happens(STAFF, "session.described", **{**device, "data": data})
        assert told == [f"session 1: the customer's device{shown}"]


async def test_a_guest_reads_notes_from_its_coming_on_and_after_a_new_start(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    note = {"session": "s_4", "by": "bo", "text": "careful"}
    async with trio.open_nursery() as nursery:
        say = Table(broker, "representative", nursery)
        guest = {"session": "s_4", "subportal": "orders", "name": "Kim", "text": "It hums"}
        say.snapshots["me"] = {"presence": [PRESENCE], "guest_of": [guest]}
        lines = await say.settle()
        assert lines[-1] == "session 1: you are in it as a guest (orders): It hums"
        assert await say.happens("session:s_4:staff", "note.added", **note) == ["session 1, bo notes: careful"]
        joined = {"session": "s_5", "representative": "ann", "name": "Ann", "role": "guest", "masked": True}
        await say.happens("me", "session.joined", **joined)
        told = await say.happens("session:s_5:staff", "note.added", **{**note, "session": "s_5"})
        assert told == ["session 2, bo notes: careful"]
        nursery.cancel_scope.cancel()


async def test_a_stream_that_is_not_ones_own_ends_nothing(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    say.forbidden.add("session:s_7")
    assert await say.happens("me", "request.created", **{**REQUEST, "session": "s_7"}) != []
    assert await say.happens("me", "request.assigned", **ASSIGNED) == ["Bo is here."]
