"""Canned replies, outcomes and surveys as they are asked for and told over connections (E12, E13, E15)."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from broker.codes import Code
from broker.journal.memory import MemoryStore
from tests.runtime.harness import Broker, Client, Refused, broker

HELLO = {"reply": "hello", "title": "First words", "text": "Hello {customer}, I am {representative}."}
BYE = {"reply": "bye", "texts": {"en": "Goodbye", "de": "Auf Wiedersehen"}}
SURVEY = [
    {"field": "again", "type": "checkbox", "label": {"en": "Would you come again?", "de": "Kommen Sie wieder?"}},
    {"field": "why", "type": "text", "label": "Why?", "required": True},
]


async def test_E12_replies_are_told_in_words_once_written_twice_and_after_a_restart(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        for one in (HELLO, BYE):
            assert [(await boss.write("reply.put", team="t1", **one))["changed"] for _ in range(2)] == [True, False]
        told = await boss.event("reply.changed")
        assert told.data["changes"] == [{"field": "title"}, {"field": "text"}]
        account = b.hub.accounts["acme"]
        assert set(account.texts) == account.desk.held_contents()
        await boss.write("reply.put", team="t1", **{**HELLO, "text": "Hi"})
        await boss.write("reply.put", team="t1", **HELLO)
        await b.settle()
        assert set(account.texts) == account.desk.held_contents(), "what it said before is let go"
    async with broker(store=store, furnished=False) as b:
        ann = await b.staff("ann")
        told_ann = await ann.ask("reply.list")
        assert told_ann == {"replies": [{"team": "t1", **BYE}, {"team": "t1", **HELLO}], "name": "Ms ann"}
        boss = await b.staff("boss", "manager")
        assert (await boss.ask("account.get"))["replies"] == told_ann["replies"]
        await boss.write("reply.delete", team="t1", reply="bye")
        assert [one["reply"] for one in (await ann.ask("reply.list", subportal="help-1"))["replies"]] == ["hello"]


async def surveyed(b: Broker) -> tuple[Client, Client, Client, str]:
    """A customer, the representative, a manager that follows the account, and a session at a portal with a survey."""
    boss, ann = await b.staff("boss", "manager"), await b.staff("ann")
    portal: dict[str, Any] = {"portal": "help", "kind": "button", "mode": "queue", "subportals": ["help-1"]}
    await boss.write("portal.put", **portal, survey=SURVEY, outcomes=["sold", "lost"])
    assert (await boss.write("portal.put", **portal, survey=SURVEY, outcomes=["sold", "lost"]))["changed"] is False
    await boss.ask("subscribe", stream="account", from_="now")
    carl = await b.customer()
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    asked = await carl.write("request.create")
    await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
    return carl, ann, boss, str(asked["session"])


async def test_E13_a_survey_is_told_by_the_page_filled_in_and_read_by_staff_alone(autojump_clock: MockClock) -> None:
    async with broker() as b:
        carl, ann, boss, session = await surveyed(b)
        page = await carl.ask("portal.open", language="de")
        assert [one["label"] for one in page["survey"]] == ["Kommen Sie wieder?", "Why?"]
        await ann.ask("subscribe", stream=f"session:{session}:staff", from_="now")
        await ann.write("session.end", session=session)
        with pytest.raises(Refused) as refused:
            await carl.write("session.rate", session=session, score=2, fields={"again": True})
        assert refused.value.code == Code.BAD_ARGS
        assert "args.fields.why" in str(refused.value)
        await carl.write("session.rate", session=session, score=2, fields={"again": True, "why": "too slow"})
        rated = await ann.event("session.rated")
        assert rated.data["fields"] == {"again": True, "why": "too slow"}
        told = await boss.event("session.rated")
        assert told.data["score"] == 2
        assert "fields" not in told.data
        assert not [text for text in b.hub.accounts["acme"].texts.values() if "too slow" in text]


async def test_E15_a_representative_is_told_the_outcomes_and_says_one(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, ann, boss, session = await surveyed(b)
        assert (await ann.event("session.opened")).data["outcomes"] == ["sold", "lost"]
        with pytest.raises(Refused, match="one of sold, lost"):
            await ann.write("session.outcome", session=session, outcome="resolved")
        await ann.write("session.outcome", session=session, outcome="sold")
        assert (await boss.event("session.outcome")).data["outcome"] == "sold"
