"""Scenario 11 over real sockets, with a broker of its own as a process and a real mail server: who gives up waiting
leaves a question, and what becomes of it.

A wait of 90 s is on the virtual clock (``test_scenarios``); here it is as long as it takes, by the broker's own times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Final, cast

import pytest

from broker.codes import Code
from broker.protocol.frames import Event
from clients.python.answers import Case
from clients.python.errors import WrongState
from clients.python.roles import Customer, Manager, Representative
from tests.e2e.house import House, Person, house
from tests.identity.post_office import PostOffice

pytestmark = pytest.mark.slow

DESK: Final = """
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
subportals = ["help"]
web_chat = "chat_only"
take = "any"

[[team]]
team = "all"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann"
team = "all"
capacity = 1

[[representative]]
representative = "bert"
name = "Bert"
team = "all"
capacity = 1

[[manager]]
manager = "mia"
kind = "account"

[[service]]
service = "crm"
scopes = ["events"]
"""
MAIL: Final = """
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "desk@example.org"
"""
EMAIL: Final = "kim@example.org"
CASES: Final = "cases:help"
MOVES: Final = ("case.take", "case.resolve", "case.reopen", "case.assign")
ALLOWED: Final = {
    "unassigned": {"representative": ["case.take"], "manager": ["case.assign"]},
    "assigned": {"representative": ["case.resolve"], "manager": ["case.resolve", "case.assign"]},
    "resolved": {"representative": ["case.reopen"], "manager": ["case.reopen"]},
}
"""By state, and by who asks."""


@pytest.fixture
def post() -> Iterator[PostOffice]:
    office = PostOffice()
    office.start()
    yield office
    office.stop()


async def lists(house: House, name: str, case: str) -> dict[str, str | None]:
    """A case's status in each of the three lists, as this representative has them; None: it isn't there."""
    all_ = [cast("Mapping[str, Any]", one) for one in (await house.view(name, CASES)).data.get("cases", ())]
    own = [cast("Mapping[str, Any]", one) for one in (await house.view(name, "me")).data.get("cases", ())]

    def status(rows: list[Mapping[str, Any]]) -> str | None:
        return next((str(row["status"]) for row in rows if row["case"] == case), None)

    unassigned = [row for row in all_ if row["status"] == "unassigned"]
    return {"unassigned": status(unassigned), "mine": status(own), "all": status(all_)}


async def nothing_else_moves_it(
    case: str, state: str, ann: Person[Representative], bert: Person[Representative], mia: Person[Manager]
) -> None:
    """Every transition that its state doesn't have is refused, names those that it has, and changes nothing."""
    before = await ann.does.case(case)
    assert before.status == state
    tries: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
        ("representative", "case.take", lambda: ann.does.take_case(case)),
        ("representative", "case.take", lambda: bert.does.take_case(case)),
        ("representative", "case.resolve", lambda: ann.does.resolve(case)),
        ("manager", "case.resolve", lambda: mia.does.resolve(case)),
        ("representative", "case.reopen", lambda: ann.does.reopen(case)),
        ("manager", "case.reopen", lambda: mia.does.reopen(case)),
        ("manager", "case.assign", lambda: mia.does.assign_case(case, "bert")),
    ]
    assert {op for _, op, _ in tries} == set(MOVES)
    for role, op, move in tries:
        if op in ALLOWED[state][role]:
            continue
        with pytest.raises(WrongState) as refused:
            await move()
        assert refused.value.code == Code.WRONG_STATE
        assert refused.value.detail["allowed"] == ALLOWED[state][role], op
    assert await ann.does.case(case) == before


async def waiting(kim: Person[Customer], ann: Person[Representative]) -> tuple[str, str, Event]:
    """Kim's live chat, in which two messages are written already; request, session, and how its case began."""
    asked = await kim.does.ask(name="Kim", email=EMAIL)
    session = str(asked.session)
    await kim.follow(f"session:{session}", 0)
    for text in ("It is broken.", "Is anybody there?"):
        await kim.does.say(session, text)
    opened = await ann.event("case.opened", request=asked.request)
    told = dict(opened.data)
    assert (told["type"], told["status"], told["name"]) == ("live_chat", "unassigned", "Kim")
    assert (await ann.does.case(str(told["case"]))).clock.kind == "waiting"
    assert [one.request for one in await ann.does.waiting("help")] == [asked.request]
    return str(asked.request), session, opened


async def test_scenario_11_giving_up_the_wait(tmp_path: Path, post: PostOffice) -> None:
    async with house(tmp_path, DESK, MAIL.format(port=post.port)) as found:
        ann, bert = [await found.representative(name, available=False) for name in ("ann", "bert")]
        mia = await found.manager("mia")
        crm = await found.service("crm", "account")
        for one in (ann, bert):
            await one.does.set_presence("away")  # signed in, and nobody is offered anything
            await one.follow(CASES)
        kim = await found.customer("kim", "help")
        request, session, opened = await waiting(kim, ann)
        case = str(opened.data["case"])
        assert await lists(found, "ann", case) == {"unassigned": "unassigned", "mine": None, "all": "unassigned"}

        # I click "don't wait", send question text
        left = await kim.does.convert(request, text="Please write to me.")
        assert (left.request, left.case) == (request, case)
        assert (await kim.event("request.ended", request=request)).data["state"] == "converted"
        # case becomes support request (grey); still unassigned
        grey = await ann.event("case.changed", stream=CASES, case=case, reason="converted")
        assert (grey.data["type"], grey.data["status"]) == ("support_request", "unassigned")
        assert grey.data["text"] == "Please write to me."
        assert await lists(found, "bert", case) == {"unassigned": "unassigned", "mine": None, "all": "unassigned"}
        # time = what it waited + time since
        clock = (await ann.does.case(case)).clock
        assert (clock.kind, clock.ms, clock.since) == ("request", grey.t_ms - opened.t_ms, grey.t_ms)
        assert clock.at(grey.t_ms + 5000) == clock.ms + 5000
        # it leaves the queue: nobody sees it in line, and whoever comes on duty is offered the next one alone
        assert await ann.does.waiting("help") == []
        await bert.does.set_presence("available")
        lea = await found.customer("lea", "help")
        asked = await lea.does.ask("And me?")
        offer = await bert.event("offer.made")
        assert offer.data["request"] == asked.request
        await bert.does.accept(str(offer.data["offer"]))
        assert bert.seen("offer.made", request=request) == []
        await nothing_else_moves_it(case, "unassigned", ann, bert, mia)

        # a rep takes it: appears in My cases and All; I get the e-mail hook event
        await ann.does.take_case(case)
        hook = await crm.event("case.follow_up", case=case)
        assert (hook.data["request"], hook.data["representative"]) == (request, "ann")
        assert await lists(found, "ann", case) == {"unassigned": None, "mine": "assigned", "all": "assigned"}
        assert await lists(found, "bert", case) == {"unassigned": None, "mine": None, "all": "assigned"}
        await nothing_else_moves_it(case, "assigned", ann, bert, mia)
        await answered(ann, session, case, post)

        # resolve moves it to All only
        assert (await ann.does.resolve(case)).status == "resolved"
        assert await lists(found, "ann", case) == {"unassigned": None, "mine": None, "all": "resolved"}
        still = (await ann.does.case(case)).clock
        assert still.since is None  # it stands
        await nothing_else_moves_it(case, "resolved", ann, bert, mia)
        # reopen gives Assigned, same rep
        assert (await mia.does.reopen(case)).status == "assigned"
        assert (await ann.does.case(case)).representative == "ann"
        assert await lists(found, "ann", case) == {"unassigned": None, "mine": "assigned", "all": "assigned"}
        await nothing_else_moves_it(case, "assigned", ann, bert, mia)


async def answered(ann: Person[Representative], session: str, case: str, post: PostOffice) -> None:
    """What Ann has before her, and her answer by e-mail, which comes to the customer's mail server once."""
    kept: Case = await ann.does.case(case)
    assert (kept.name, kept.email, kept.question) == ("Kim", EMAIL, "Please write to me.")
    await ann.follow(f"session:{session}", 0)
    await ann.hears(session, "Is anybody there?")
    assert [text for _, text, _ in ann.said(session)] == ["It is broken.", "Is anybody there?"]
    await ann.follow(f"session:{session}:staff", 0)
    mail = await ann.does.mail(case, "Turn it off, and on again.", subject="Your printer")
    sent = await ann.event("case.mail_attempted", mail=mail)
    assert (sent.data["state"], sent.data["attempt"]) == ("sent", 1)
    (taken,) = post.post.taken
    assert (taken.mail_from, taken.rcpt_tos) == ("desk@example.org", [EMAIL])
    assert isinstance(taken.content, bytes)
    letter = message_from_bytes(taken.content, policy=policy.default)
    assert (letter["to"], letter["subject"]) == (EMAIL, "Your printer")
    body = letter.get_body()
    assert body is not None
    assert "Turn it off, and on again." in body.get_content()
