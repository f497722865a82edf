"""``transcript.get`` on the wire: to whom, in pages, signed; and that nobody has anything else signed."""

# covers: broker/runtime/reading.py

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Code
from broker.identity.signatures import Signatures, check
from broker.journal import inspect
from broker.journal.sqlite import SqliteStore
from broker.runtime import transcript_pages
from broker.views.verify import read, verify
from tests.runtime.harness import Broker, Client, Refused, broker
from tests.runtime.test_cases import everything

KEY = Signatures(bytes(32)).public
"""Of the harness's broker."""


async def served(b: Broker, text: str = "Where is it?") -> tuple[Client, Client, str]:
    """(customer, ann, a session of both)."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer()
    await joe.write("request.create", text=text, name="Joe")
    offer = (await ann.event("offer.made")).data["offer"]
    return joe, ann, str((await ann.write("offer.accept", offer=offer))["session"])


async def whole(client: Client, session: str, format: str = "json", **args: Any) -> str:
    """All pages of a transcript, at a pace that customers may ask at."""
    page = await client.ask("transcript.get", session=session, format=format, **args)
    data = str(page["data"])
    while "next" in page:
        await trio.sleep(0.25)
        page = await client.ask("transcript.get", session=session, format=format, after=page["next"], **args)
        data += page["data"]
    return data


async def refused(client: Client, **args: Any) -> Refused:
    """What it says no with."""
    await trio.sleep(0.25)
    with pytest.raises(Refused) as no:
        await client.ask("transcript.get", **{"format": "text", **args})
    return no.value


def holds(text: str) -> dict[str, Any]:
    """The content of a transcript that holds and is the broker's."""
    verdict = verify(read(text), check)
    assert (verdict.fault, verdict.key) == (None, KEY)
    content: dict[str, Any] = json.loads(text)
    return content


async def test_those_in_it_and_the_account_manager_get_it_and_nobody_else(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        boss = await b.staff("boss", "manager")
        for client, reader in ((joe, "customer"), (ann, "staff"), (boss, "staff")):
            found = holds(await whole(client, session))
            assert [one["kind"] for one in found["entries"]] == ["opened"]
            assert found["entries"][0]["text"] == "Where is it?"
            head = found["head"]
            assert (head["reader"], head["account"], head["session"]) == (reader, "acme", session)
            assert (head["portal"], head["notes"]) == ("help", False)
            assert b.clock.now() - head["made"] < 5000
        bob, kim, crm = await b.staff("bob"), await b.customer(address="192.0.2.7"), await b.staff("crm", "service")
        for client in (bob, kim):
            assert (await refused(client, session=session)).code == Code.NO_SUCH
        assert (await refused(crm, session=session)).code == Code.NOT_ALLOWED
        for client in (joe, ann, boss):
            assert (await refused(client, session="s_nobody")).code == Code.NO_SUCH


async def test_a_team_manager_gets_it_by_right_and_scope(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, _, session = await served(b)
        boss = await b.staff("boss", "manager")
        await boss.write("manager.put", manager="boss", kind="account")
        await boss.write("team.put", team="far", subportals=["ask-1"])
        put: dict[str, Any] = {"manager": "tim", "kind": "team"}
        await boss.write("manager.put", **put, teams=["t1"])
        tim = await b.staff("tim", "manager")
        assert "needs the right transcripts" in str(await refused(tim, session=session))
        await boss.write("manager.put", **put, teams=["t1"], rights=["transcripts"])
        assert "Where is it?" in await whole(tim, session)
        away = await refused(tim, session="s_nobody")
        await boss.write("manager.put", **put, teams=["far"], rights=["transcripts"])
        outside = await refused(tim, session=session)
        assert (outside.code, str(outside)) == (away.code, str(away)), "the same as of one that there isn't"
        joe.cut()


async def test_notes_are_for_staff(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        no = await refused(joe, session=session, notes=True)
        assert (no.code, (no.fail.detail or {})["path"]) == (Code.BAD_ARGS, "args.notes")
        assert holds(await whole(ann, session, notes=True))["head"]["notes"] is True
        assert holds(await whole(joe, session, notes=False))["head"]["notes"] is False


async def test_what_staff_alone_may_see_is_in_no_customers_transcript(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        await joe.write("chat.send", session=session, text="Hello?")
        await ann.write("note.add", session=session, text="sounds angry")
        await ann.write("chat.send", session=session, text="Let me look.")
        await joe.write("session.describe", session=session, kind="device", data={"os": "haiku", "inches": 13.5})
        await ann.write("session.outcome", session=session, outcome="resolved", note="by hand")
        await ann.write("session.end", session=session)
        await joe.write("session.rate", session=session, score=5, comment="thanks")
        for format in ("json", "text", "html"):
            text = await whole(joe, session, format)
            for secret in ("angry", "haiku", "by hand", "resolved", "thanks"):
                assert secret not in text
            assert text.count("Let me look.") == 1
        told = holds(await whole(ann, session, notes=True))["entries"]
        kinds = ["opened", "message", "note", "message", "described", "outcome", "ended", "rated"]
        assert [one["kind"] for one in told] == kinds
        assert [one.get("name") for one in told] == ["Joe", "Joe", "Ms ann", "Ms ann", "Joe", "Ms ann", None, "Joe"]
        assert (told[4]["about"], told[4]["data"]) == ("device", {"os": "haiku", "inches": "13.5"})
        assert "angry" not in await whole(ann, session)


async def test_after_the_end_it_is_still_there_for_those_who_were_in_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        boss = await b.staff("boss", "manager")
        await joe.write("chat.send", session=session, text="Hello?")
        await joe.write("session.end", session=session)
        assert joe.welcome is not None
        visitor = str(joe.welcome.identity["visitor"])
        joe.cut()
        again = await b.customer(visitor=visitor)
        for client in (again, ann, boss):
            head = holds(await whole(client, session))["head"]
            assert (head["portal"], head["entries"], head["ended"] is None) == ("help", 3, False)
        stranger, bob = await b.customer(address="192.0.2.7"), await b.staff("bob")
        for client in (stranger, bob):
            assert (await refused(client, session=session)).code == Code.NO_SUCH
        await boss.write("portal.delete", portal="help")
        assert holds(await whole(again, session))["head"]["portal"] == "help"


async def test_a_web_chat_that_waits_is_told_with_its_question_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.write("portal.put", portal="ask", kind="ask", mode="web", subportals=["ask-1"], web_chat="chat_only")
        kim, ann, bob = await b.customer("acme/ask"), await b.staff("ann"), await b.staff("bob")
        await ann.write("presence.set", presence="away")
        asked = await kim.write("request.create", text="Where is it?", name="Kim")
        session = asked["session"]
        await kim.write("chat.send", session=session, text="Anybody?")
        told = holds(await whole(kim, session))["entries"]
        assert [one.get("text") for one in told] == [None, "Where is it?", "Anybody?"]
        assert "Anybody?" in await whole(ann, session), "she could take it"
        assert (await refused(bob, session=session)).code == Code.NO_SUCH, "he isn't signed in"
        await kim.write("request.withdraw", request=asked["request"])
        last = holds(await whole(kim, session))["entries"][-1]
        assert (last["kind"], last["reason"]) == ("ended", "withdrawn")


@pytest.mark.parametrize("web_chat", ["chat_only", "none"])
async def test_the_question_that_a_customer_leaves_is_in_it_until_it_is_erased(
    autojump_clock: MockClock, tmp_path: Path, web_chat: str
) -> None:
    async with broker(store=SqliteStore(tmp_path / "journal.db")) as b:
        boss, ann = await b.staff("boss", "manager"), await b.staff("ann")
        await boss.write(
            "portal.put",
            portal="ask",
            kind="ask",
            mode="web",
            subportals=["ask-1"],
            web_chat=web_chat,
        )
        kim = await b.customer("acme/ask")
        await ann.write("presence.set", presence="away")
        asked = await kim.write("request.create", text="Where is it?", name="Kim")
        left = await kim.write("request.convert", request=asked["request"], text="Is it lost?", email="kim@x.example")
        session = asked["session"]
        await ann.write("case.take", case=left["case"])
        for reader in (kim, ann, boss):
            told = holds(await whole(reader, session))["entries"]
            assert [one["text"] for one in told if "text" in one] == ["Where is it?", "Is it lost?"]
            (question,) = (one for one in told if one.get("text") == "Is it lost?")
            assert (question["kind"], question["role"], question["name"]) == ("question", "customer", "Kim")
            for format in ("text", "html"):
                assert "Is it lost?" in await whole(reader, session, format)
        assert b"Is it lost?" in everything(tmp_path)
        await boss.write("case.delete", case=left["case"])
        await b.settle(1)
        assert not any(text in everything(tmp_path) for text in (b"Where is it?", b"Is it lost?", b"kim@x.example"))
        assert (await refused(boss, session=session)).code == Code.NO_SUCH
    assert [verdict.fault for verdict in inspect.verify(tmp_path / "journal.db", None, None)] == [None]


async def test_who_passed_it_on_gets_what_was_said_until_then(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", 1)
    async with broker() as b:
        joe, ann, session = await served(b)
        bob = await b.staff("bob")
        await bob.ask("subscribe", stream="me", from_="now")
        await bob.write("presence.set", presence="available")
        await joe.write("chat.send", session=session, text="Hello?")
        await ann.write("note.add", session=session, text="sounds angry")
        await ann.write("session.transfer", session=session, representative="bob")
        await bob.write("offer.accept", offer=(await bob.event("offer.made")).data["offer"])
        await bob.write("chat.send", session=session, text="What is it?")
        await bob.write("note.add", session=session, text="is angry")
        told = holds(await whole(ann, session, notes=True))
        assert [one["kind"] for one in told["entries"]][-1] == "transferred"
        texts = [one["text"] for one in told["entries"] if "text" in one]
        assert texts == ["Where is it?", "Hello?", "sounds angry"]
        assert "What is it?" in await whole(bob, session)
        await bob.write("session.end", session=session)
        assert "What is it?" not in await whole(ann, session)
        await trio.sleep(1)
        with pytest.raises(Refused) as no:
            await ann.ask("subscribe", stream=f"session:{session}", from_="now")
        assert no.value.code == Code.NO_SUCH


async def test_it_comes_in_pages_that_go_on_where_they_ended(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", 1)
    async with broker() as b:
        joe, ann, session = await served(b)
        for _ in range(3):
            share = (await ann.write("share.request", session=session))["share"]
            await joe.write("share.decline", share=share)
        first = await joe.ask("transcript.get", session=session, format="json")
        assert first["data"].count('"n"') == 1
        late = (await ann.write("share.request", session=session))["share"]
        data, page = first["data"], first
        while "next" in page:
            page = await joe.ask("transcript.get", session=session, format="json", after=page["next"])
            data += page["data"]
        assert len(holds(data)["entries"]) == 7
        assert late not in data, "it came after the first page"
        assert late in await whole(joe, session)
        for format in ("text", "html"):
            assert "8 entries" in await whole(joe, session, format)


async def test_nobody_goes_on_from_where_it_was_not_sent(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", 1)
    async with broker() as b:
        joe, ann, session = await served(b)
        await ann.write("share.request", session=session)
        after = (await joe.ask("transcript.get", session=session, format="json"))["next"]
        mine = {"session": session, "format": "json", "after": after}
        await joe.ask("transcript.get", **mine)
        data = bytearray(base64.urlsafe_b64decode(after))
        forged = []
        for place in range(0, len(data), 7):
            data[place] ^= 1
            forged.append(base64.urlsafe_b64encode(bytes(data)).decode())
            data[place] ^= 1
        for wrong in (*forged, "x", "=", "ä", after[:-4], after + "AAAA", after + " "):
            no = await refused(joe, **{**mine, "after": wrong})
            assert (no.code, (no.fail.detail or {})["path"]) == (Code.BAD_ARGS, "args.after")
        assert (await refused(joe, **{**mine, "format": "html"})).code == Code.BAD_ARGS
        assert (await refused(ann, **mine)).code == Code.BAD_ARGS, "somebody else's"
        staff = (await ann.ask("transcript.get", session=session, format="json"))["next"]
        no = await refused(ann, session=session, format="json", after=staff, notes=True)
        assert no.code == Code.BAD_ARGS


async def test_a_manager_who_reads_one_is_in_the_audit_once(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcript_pages, "TRANSCRIPT_PAGE_BYTES", 1)
    async with broker() as b:
        joe, ann, session = await served(b)
        await ann.write("share.request", session=session)
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="audit", from_="now")
        for client in (boss, joe, ann):
            await whole(client, session)
        event = await boss.event("audit.recorded")
        assert (event.data["op"], event.data["object"], event.data["person"]) == ("transcript.get", session, "boss")
        await b.settle(1)
        assert [one for one in boss.pump() if getattr(one, "type", None) == "audit.recorded"] == []


async def test_who_left_is_called_by_the_pseudonym(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        bob = await b.staff("bob")
        await bob.ask("subscribe", stream="me", from_="now")
        await bob.write("presence.set", presence="available")
        await ann.write("session.transfer", session=session, representative="bob")
        await bob.write("offer.accept", offer=(await bob.event("offer.made")).data["offer"])
        assert '"former": "ann"' in await whole(joe, session)
        boss = await b.staff("boss", "manager")
        former = (await boss.write("representative.delete", representative="ann"))["former"]
        text = await whole(joe, session)
        assert f'"former": "{former}"' in text
        assert '"ann"' not in text
        assert '"Bob"' not in text
        assert '"name": "Ms bob"' in text
        holds(text)


async def test_many_who_ask_at_once_are_answered_one_after_the_other(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, ann, session = await served(b)
        asked = [
            (client, client.ask_nowait("transcript.get", session=session, format="html")) for client in (joe, ann)
        ] * 1
        asked += [(ann, ann.ask_nowait("transcript.get", session=session, format="text")) for _ in range(3)]
        gone = await b.customer(address="192.0.2.9")
        gone.ask_nowait("transcript.get", session=session, format="text")
        gone.cut()
        for client, number in asked:
            assert (await client.answer(number)).value["data"]  # type: ignore[index]


async def test_while_the_journal_is_down_it_can_be_asked_for_again_later(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe, _, session = await served(b)
        monkey = b.hub.asks.ask
        b.hub.asks.ask = lambda question, *args, then: monkey("no such question", *args, then=then)  # type: ignore[method-assign]
        no = await refused(joe, session=session)
        assert no.code == Code.JOURNAL_DOWN
        assert no.fail.retry_ms
        b.hub.asks.ask = monkey  # type: ignore[method-assign]
        assert "Where is it?" in await whole(joe, session)
