"""What is exported of a customer, by address and by visitor alike: cases, and all that is kept by its id."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from broker.identity.smtp import Attempt, Came
from tests.runtime.harness import Broker, Client, Refused, broker
from tests.runtime.test_cases import EMAIL, MAIL, chatted, left, on_duty

Row = dict[str, Any]


def visitor_of(b: Broker, case: str) -> str:
    return b.hub.accounts["acme"].desk.state.cases[case].visitor


async def about(boss: Client, **who: str) -> Row:
    """What is kept of the one visitor that is meant."""
    (one,) = (await boss.ask("customer.export", **who))["visitors"]
    assert isinstance(one, dict)
    return one


def kinds(row: Row, stream: str) -> list[str]:
    return [event["type"] for event in row["events"] if event["stream"] == stream]


async def test_a_block_is_in_the_export_and_stays_there_without_its_case_and_once_it_is_over(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        case, request, _ = await left(b)
        name, boss = visitor_of(b, case), await b.staff("boss", "manager")
        before = await about(boss, visitor=name)
        assert ("blocks" in before, before["memory"]["network"]) == (False, "192.0.2.0/24")
        made = await boss.write("visitor.block", reason="rude", visitor=name, what="both")
        (listed,) = (await boss.ask("block.list"))["blocks"]
        for who in ({"visitor": name}, {"email": EMAIL}):
            found = await about(boss, **who)
            assert found["blocks"] == [listed]
            assert (listed["visitor"], listed["reason"], listed["by"], listed["what"]) == (name, "rude", "boss", "both")
        await boss.write("case.delete", case=case)
        found = await boss.ask("customer.export", visitor=name)
        assert (found["cases"], found["visitors"][0]["blocks"]) == ([], [listed])
        await boss.write("block.end", block=made["block"])
        found = await about(boss, visitor=name)
        assert "blocks" not in found
        assert [kind for kind in kinds(found, "audit") if kind != "audit.recorded"] == [
            "visitor.blocked",
            "block.ended",
        ]
        ops = [event["data"]["op"] for event in found["events"] if event["type"] == "audit.recorded"]
        assert [op for op in ops if op != "customer.export"] == ["visitor.block", "case.delete"]
        assert "customer.export" in ops
        assert kinds(found, "me") == ["request.created", "request.ended"]
        created = next(event for event in found["events"] if event["type"] == "request.created")
        assert (created["data"]["request"], created["data"]["network"]) == (request, "192.0.2.0/24")


async def test_a_block_of_an_address_is_told_to_its_own_with_the_reason_and_to_another_there_without(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        mine, other = (await left(b))[0], (await left(b, "Joe", "joe@example.org"))[0]
        away = await chatted(b, await on_duty(b))
        boss = await b.staff("boss", "manager")
        await boss.write("visitor.block", reason="rude", visitor=visitor_of(b, mine), what="address")
        (listed,) = (await boss.ask("block.list"))["blocks"]
        assert (await about(boss, visitor=visitor_of(b, mine)))["blocks"] == [listed]
        (shown,) = (await about(boss, visitor=visitor_of(b, other)))["blocks"]
        assert shown == {key: value for key, value in listed.items() if key not in ("reason", "by")}
        assert "blocks" not in await about(boss, visitor=visitor_of(b, away))
        await boss.write("block.end", block=listed["block"])
        await boss.write("visitor.block", reason="worse", visitor=visitor_of(b, mine), what="both")
        found = await about(boss, visitor=visitor_of(b, other))
        assert "worse" not in repr(found)
        assert visitor_of(b, mine) not in repr(found)
        assert found["blocks"][0]["what"] == "both"


async def test_what_is_open_and_the_keys_of_its_commands_are_exported(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer(address="192.0.2.77")
        request = str((await joe.write("request.create", text="hello", email=EMAIL))["request"])
        boss = await b.staff("boss", "manager")
        found = await about(boss, email=EMAIL)
        (one,) = found["open"]
        assert (one["request"], one["class"], one["network"]) == (request, "normal", "192.0.2.0/24")
        assert [row["key"] for row in found["answers"]] == [
            row.key for row in b.store.answers("acme", found["visitor"], 9)
        ]
        assert len(found["answers"]) == 1


async def test_what_was_said_rated_told_and_mailed_is_in_the_cases(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, boss = await on_duty(b), await b.staff("boss", "manager")
        joe = await b.customer(address="192.0.2.77")
        asked = await joe.write("request.create", text="hello", email=EMAIL)
        session, case = asked["session"], f"k_{asked['request'][2:]}"
        await b.settle(0.1)
        await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
        await joe.write("session.describe", session=session, kind="device", data={"os": "haiku"})
        await joe.write("session.end", session=session)
        await joe.write("session.rate", session=session, score=2)
        await ann.write("case.mail", case=case, text=MAIL)
        await b.settle(0.5)
        told = b.post.told[0]
        assert told is not None
        told(Attempt(Came.SENT), "sent")
        await b.settle(0.5)
        (whole,) = (await boss.ask("customer.export", email=EMAIL))["cases"]
        seen = {event["type"] for event in whole["events"]}
        assert {"session.described", "session.rated", "case.mailed", "case.mail_attempted"} <= seen
        assert (await about(boss, email=EMAIL))["memory"]["representative"] == "ann"


async def test_who_was_never_here_is_nobody_however_often_somebody_asks(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        for _ in range(2):
            with pytest.raises(Refused) as unknown:
                await boss.ask("customer.export", visitor="v_none")
            assert unknown.value.code == 2404
        assert await boss.ask("customer.export", email="nobody@example.org") == {"cases": [], "visitors": []}


async def test_each_page_tells_of_the_visitors_of_its_cases(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.runtime.customer_reader.EXPORT_CASES", 1)
    monkeypatch.setattr("broker.runtime.customer_reader.PAGE", 2)
    async with broker() as b:
        first, second = [(await left(b))[0] for _ in range(2)]
        boss = await b.staff("boss", "manager")
        page = await boss.ask("customer.export", email=EMAIL)
        assert [one["visitor"] for one in page["visitors"]] == [visitor_of(b, first)]
        page = await boss.ask("customer.export", email=EMAIL, after=page["next"])
        assert [one["visitor"] for one in page["visitors"]] == [visitor_of(b, second)]
        only = await boss.ask("customer.export", visitor=visitor_of(b, second))
        later = await boss.ask("customer.export", visitor=visitor_of(b, second), after=only["next"])
        assert (len(only["visitors"]), later) == (1, {"cases": [], "visitors": []})
