"""Cases over the wire: details, search, export, and that nothing is left of what was deleted."""

# covers: broker/runtime/case_reader.py

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from broker import limits
from broker.desk import cases
from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore
from broker.protocol import frames
from tests.runtime.harness import Broker, Client, Refused, broker

NAME, EMAIL = "Kim Unmistakable", "kim@unmistakable.example"
WORDS = "my flux capacitor smells of almonds"
QUESTION = "who mends flux capacitors on a sunday"
MAIL = "a screwdriver and courage, Kim"


async def left(b: Broker, name: str = NAME, email: str = EMAIL, text: str = WORDS) -> tuple[str, str, Client]:
    """A customer who asked, gave up and left a question: (case, request, the customer)."""
    kim = await b.customer(address="192.0.2.8")
    request = str((await kim.write("request.create", text=text, name=name, email=email))["request"])
    made = await kim.write("request.convert", request=request, text=QUESTION)
    return str(made["case"]), request, kim


async def chatted(b: Broker, ann: Client, email: str | None = None) -> str:
    """A conversation that ended; its case."""
    joe = await b.customer(address="192.0.2.77")
    more = {} if email is None else {"email": email}
    request = str((await joe.write("request.create", text="hello", **more))["request"])
    await b.settle(0.1)
    offer = (await ann.event("offer.made")).data["offer"]
    taken = await ann.write("offer.accept", offer=offer)
    await ann.write("session.end", session=taken["session"])
    return f"k_{request[2:]}"


async def on_duty(b: Broker, name: str = "ann") -> Client:
    one = await b.staff(name)
    await one.ask("subscribe", stream="me", from_="now")
    await one.write("presence.set", presence="available")
    return one


async def test_details_are_told_to_those_who_serve_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        case, request, _ = await left(b)
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        for reader in (ann, boss):
            found = (await reader.ask("case.get", case=case))["case"]
            assert (found["name"], found["email"], found["text"], found["question"]) == (NAME, EMAIL, WORDS, QUESTION)
            assert (found["request"], found["status"]) == (request, "unassigned")
            with pytest.raises(Refused) as refused:
                await reader.ask("case.get", case="k_none")
            assert refused.value.code == 2404


async def test_search_finds_words_in_any_capitals_and_pages(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.runtime.case_reader.LISTED_CASES", 2)
    monkeypatch.setattr("broker.runtime.case_reader.PAGE", 2)
    async with broker() as b:
        made = [(await left(b, f"Person {number}", f"p{number}@example.org"))[0] for number in range(5)]
        ann = await b.staff("ann")

        async def found(**asked: Any) -> list[str]:
            names: list[str] = []
            after: dict[str, Any] = {}
            while True:
                page = await ann.ask("case.search", **asked, **after)
                assert len(page["cases"]) <= 2
                names += [one["case"] for one in page["cases"]]
                if "next" not in page:
                    return names
                after = {"after": page["next"]}

        assert await found() == made[::-1]
        assert await found(query="PERSON 3") == [made[3]]
        assert await found(query="p1@EXAMPLE") == [made[1]]
        assert await found(query="sunday", status="unassigned") == made[::-1]
        assert await found(query="4") == [made[4], made[3]]  # the number, or within a name
        assert await found(query="nobody said this") == []
        (other, *_) = await left(b, "Mu\u0308ller Stra\u00dfe", "m@example.org", "\uff21pricots?")
        for query in ("m\u00fcller", "MU\u0308LLER", "strasse", "  apricots "):
            assert await found(query=query) == [other], query
        assert await found(status="resolved") == []
        assert await found(type="live_chat") == []


async def test_a_team_manager_and_an_outsider_find_what_is_theirs(autojump_clock: MockClock) -> None:
    async with broker() as b:
        case, _, _ = await left(b)
        boss = await b.staff("boss", "manager")
        await boss.write("manager.put", manager="boss", kind="account")
        await boss.write("portal.put", portal="far", kind="ask", mode="web", subportals=["far-1"])
        await boss.write("team.put", team="t9", subportals=["far-1"])
        await boss.write("representative.put", representative="zoe", name="Zoe", team="t9", capacity=1)
        await boss.write("manager.put", manager="tim", kind="team", teams=["t9"])
        await boss.write("manager.put", manager="tom", kind="team", teams=["t1"])
        zoe, tim, tom = await b.staff("zoe"), await b.staff("tim", "manager"), await b.staff("tom", "manager")
        for outsider, code in ((zoe, 2404), (tim, 2401)):
            with pytest.raises(Refused) as refused:
                await outsider.ask("case.get", case=case)
            assert refused.value.code == code
            assert (await outsider.ask("case.search"))["cases"] == []
        assert [one["case"] for one in (await tom.ask("case.search"))["cases"]] == [case]
        for op, args in (("case.delete", {"case": case}),):
            with pytest.raises(Refused):
                await tom.write(op, **args)
        with pytest.raises(Refused) as refused:
            await tom.ask("customer.export", email=EMAIL)
        assert refused.value.code == 2401


async def test_all_about_a_customer_is_exported_and_audited(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.runtime.customer_reader.EXPORT_CASES", 1)
    async with broker() as b:
        ann, boss = await on_duty(b), await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="audit", from_="now")
        first = await chatted(b, ann, EMAIL.upper())
        second, _, _ = await left(b)
        await left(b, "Joe", "joe@example.org")
        told: list[dict[str, object]] = []
        after: dict[str, Any] = {}
        while True:
            page = await boss.ask("customer.export", email=EMAIL, **after)
            told += page["cases"]
            if "next" not in page:
                break
            after = {"after": page["next"]}
        assert [one["case"]["case"] for one in told] == [first, second]  # type: ignore[index]
        kinds = [event["type"] for event in told[0]["events"]]  # type: ignore[attr-defined]
        assert kinds == ["session.opened", "session.ended"]
        more: list[dict[str, Any]] = [{}, {"email": EMAIL, "visitor": "v_x"}]
        for args in more:
            with pytest.raises(Refused) as refused:
                await boss.ask("customer.export", **args)
            assert refused.value.code == 2400
        with pytest.raises(Refused) as unknown:
            await boss.ask("customer.export", visitor="v_none")
        assert unknown.value.code == 2404
        audited = [frame for frame in boss.seen if isinstance(frame, frames.Event) and frame.stream == "audit"]
        assert EMAIL not in repr(audited).casefold()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


SECRETS = [text.encode() for text in (NAME, EMAIL, WORDS, QUESTION, MAIL)]


async def test_after_deleting_a_case_no_byte_of_it_is_in_any_file(autojump_clock: MockClock, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "journal.db")
    async with broker(store=store) as b:
        case, _, kim = await left(b)
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await ann.write("presence.set", presence="away")
        await ann.ask("subscribe", stream="cases:help-1", from_="now")
        await ann.write("case.take", case=case)
        await ann.write("case.mail", case=case, text=MAIL)
        await b.settle(1)
        stored = everything(tmp_path)
        assert all(text in stored for text in SECRETS)
        with pytest.raises(Refused) as refused:
            await ann.write("case.delete", case=case)
        assert refused.value.code == 2401
        await boss.write("case.delete", case=case)
        assert (await ann.event("case.deleted")).data["reason"] == "deleted"
        await b.settle(1)
        left_over = everything(tmp_path)
        assert [text for text in SECRETS if text in left_over] == []
        account = b.hub.accounts["acme"]
        assert not any(word in repr(account.texts) for word in (NAME, EMAIL, WORDS, QUESTION, MAIL))
        assert all(not stream.ring for stream in account.streams.values())
        late = await b.staff("boss", "manager")
        await late.ask("subscribe", stream="cases:help-1", from_="offset", offset=0)
        opened = await late.event("case.opened")
        assert opened.offset == 1
        assert opened.data["name"] == opened.data["text"] == {"erased": True}
        with pytest.raises(Refused):
            await boss.write("case.delete", case=case)
        kim.cut()
    with closing(sqlite3.connect(tmp_path / "journal.db")) as db:
        assert db.execute("SELECT count(*) FROM contents WHERE erased = 1").fetchone()[0] >= 5


async def test_what_a_page_told_of_its_device_goes_with_the_case(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with broker(store=SqliteStore(tmp_path / "journal.db")) as b:
        ann, boss, joe = await on_duty(b), await b.staff("boss", "manager"), await b.customer(address="192.0.2.77")
        request = str((await joe.write("request.create", text="hello"))["request"])
        offer = (await ann.event("offer.made")).data["offer"]
        session = (await ann.write("offer.accept", offer=offer))["session"]
        await ann.ask("subscribe", stream=f"session:{session}:staff", from_="now")
        told = {"session": session, "kind": "device", "data": {"os": "Haiku R1"}}
        await joe.write("session.describe", **told)
        assert (await ann.event("session.described")).data == told
        for data in ({"picture": b"x"}, {"a": "x" * 16384}):
            with pytest.raises(Refused) as refused:
                await joe.write("session.describe", session=session, kind="device", data=data)
            assert refused.value.code == 2400
        await ann.write("session.end", session=session)
        await b.settle(1)
        assert b"Haiku R1" in everything(tmp_path)
        assert "Haiku R1" not in repr(b.hub.accounts["acme"].texts)
        await boss.write("case.delete", case=f"k_{request[2:]}")
        await b.settle(1)
        assert b"Haiku R1" not in everything(tmp_path)


async def test_the_name_of_who_served_stays_when_a_case_goes(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        ann, boss = await on_duty(b), await b.staff("boss", "manager")
        case = await chatted(b, ann)
        await boss.write("case.delete", case=case)
        assert await chatted(b, ann)
        joe = await b.customer(address="192.0.2.9")
        await joe.ask("subscribe", stream="me", from_="now")
        await joe.write("request.create", text="again")
        offer = [f for f in ann.pump() if isinstance(f, frames.Event) and f.type == "offer.made"]
        await ann.write("offer.accept", offer=offer[-1].data["offer"])
        assert isinstance((await joe.event("request.assigned")).data["name"], str)


async def test_cases_whose_time_is_over_go_by_themselves(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(limits, "ERASED_AT_ONCE", 1)
    store = SqliteStore(tmp_path / "journal.db")
    async with broker(store=store) as b:
        one, _, _ = await left(b)
        two, _, _ = await left(b, "Joe", "joe@example.org")
        ann = await b.staff("ann")
        for case in (one, two):
            await ann.write("case.take", case=case)
            await ann.write("case.resolve", case=case)
        portal = next(iter(b.hub.accounts["acme"].desk.state.portals.values()))
        portal.retention_days = 0
        await b.settle(limits.CASE_SWEEP / 1000 + 1)
        assert b.hub.accounts["acme"].desk.state.cases == {}
        assert not any(text in everything(tmp_path) for text in SECRETS)


async def test_what_was_over_while_the_broker_was_down_goes_right_after_the_start(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        case = await chatted(b, await on_duty(b))
        assert b.hub.accounts["acme"].desk.state.cases[case].status == "assigned"
    monkeypatch.setattr(cases, "until", lambda state, case: 0)
    async with broker(store=store, furnished=False) as b:
        await b.settle()
        assert b.hub.accounts["acme"].desk.state.cases == {}


async def test_past_the_bound_the_one_over_longest_goes(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="away")
        await ann.ask("subscribe", stream="cases:help-1", from_="now")
        cases = [(await left(b, f"P{n}"))[0] for n in range(3)]
        for case in cases[:2]:
            await ann.write("case.take", case=case)
            await ann.write("case.resolve", case=case)
        monkeypatch.setattr(limits, "MAX_CASES", 2)
        b.hub.cases.sweep(b.hub.accounts["acme"])
        gone = (await ann.event("case.deleted")).data
        assert (gone["case"], gone["reason"]) == (cases[0], "full")
        assert list(b.hub.accounts["acme"].desk.state.cases) == cases[1:]
