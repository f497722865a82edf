"""H11 on the wire: who left is named by nobody from then on; live, from the ring, from the journal, after a restart."""

# covers: broker/desk/pseudonyms.py

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore
from broker.protocol import codec, frames
from broker.runtime import feeds
from broker.runtime.options import Options
from tests.runtime.harness import Broker, Client, broker

STREAMS = ("account", "team:t1", "subportal:help-1")
NAME, EMAIL = "Ms Annabelle Unforgettable", "annabelle@unforgettable.example"


async def served(b: Broker, name: str = "ann", fresh: str = "") -> str:
    """A customer whom this representative served; the request."""
    one, joe = await b.staff(name), await b.customer(address=f"192.0.2.{len(name + fresh)}")
    await one.ask("subscribe", stream="me", from_="now")
    await one.write("presence.set", presence="available")
    request = str((await joe.write("request.create", text="x"))["request"])
    offer = (await one.event("offer.made")).data["offer"]
    taken = await one.write("offer.accept", offer=offer)
    await one.write("session.end", session=taken["session"])
    await one.write("presence.set", presence="offline")
    joe.cut()
    return request


async def history(b: Broker, stream: str, after: int = 0) -> list[frames.Event]:
    """What somebody reads who comes now."""
    reader = await b.staff("boss", "manager")
    await reader.ask("subscribe", stream=stream, from_="offset", offset=after)
    await b.settle(1)
    reader.pump()
    found = events(reader, stream)
    reader.cut()
    return found


def events(client: Client, stream: str) -> list[frames.Event]:
    """The events of one stream that a client was sent."""
    return [frame for frame in client.seen if isinstance(frame, frames.Event) and frame.stream == stream]


def packed(event: frames.Event) -> bytes:
    """Its bytes."""
    return codec.pack(event)


def naming(found: list[frames.Event], *people: str) -> list[frames.Event]:
    """Those with a value that is somebody's name."""
    return [event for event in found if any(f"'{name}'" in repr(event.data) for name in people)]


async def test_H11_history_calls_who_left_by_a_pseudonym_and_live_tells_the_same(autojump_clock: MockClock) -> None:
    async with broker() as b:
        request = await served(b)
        watcher = await b.staff("boss", "manager")
        for stream in STREAMS:
            await watcher.ask("subscribe", stream=stream, from_="offset", offset=0)
        await b.settle(1)
        assert naming(events(watcher, "account"), "ann")  # she was there, and was told by name
        before = {stream: len(events(watcher, stream)) for stream in STREAMS}
        left = await watcher.write("representative.delete", representative="ann")
        await served(b, "bob")
        await watcher.write("team.put", team="t1", subportals=["help-1", "ask-1"])
        await b.settle(1)
        for stream in STREAMS:
            told, live = await history(b, stream), events(watcher, stream)
            assert [(one.offset, one.type, one.t_ms) for one in told] == [(o.offset, o.type, o.t_ms) for o in live]
            again = [one.type for one in naming(told, "ann")]
            assert again == ([] if stream.startswith("subportal") else ["representative.deleted"])
            assert list(map(packed, told[before[stream] :])) == list(map(packed, live[before[stream] :]))
        served_by = [one.data["representative"] for one in await history(b, "account") if one.type == "session.opened"]
        assert served_by == []  # that is told to those who are in it
        assigned = [one for one in await history(b, "account") if one.type == "request.assigned"]
        assert [one.data["representative"] for one in assigned] == [left["former"], "bob"]
        why = await watcher.ask("request.why", request=request)
        assert "'ann'" not in repr(why)
        assert left["former"] in repr(why)


async def test_after_a_day_the_event_itself_does_not_say_any_more_who_it_was(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "KEY_MEMORY", 10_000)
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        former = (await boss.write("representative.delete", representative="ann"))["former"]
        (told,) = [one for one in await history(b, "team:t1") if one.type == "representative.deleted"]
        assert (told.data["representative"], told.data["former"]) == ("ann", former)
        await b.settle(11)
        (told,) = [one for one in await history(b, "team:t1") if one.type == "representative.deleted"]
        assert (told.data["representative"], told.data["former"]) == (former, former)


@pytest.mark.parametrize("at_once", [1, 5000])
async def test_a_restarted_broker_and_its_reader_know_who_left(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(feeds, "_FORMER_AT_ONCE", at_once)
    store = MemoryStore()
    async with broker(store=store) as b:
        await served(b)
        boss = await b.staff("boss", "manager")
        await boss.write("manager.put", manager="boss", kind="account")
        await boss.write("manager.put", manager="max", kind="account")
        max_ = await b.staff("max", "manager")
        await max_.write("team.put", team="t2", subportals=[])
        for op, who in (("representative", "ann"), ("manager", "max"), ("representative", "bob")):
            await boss.write(f"{op}.delete", **{op: who})
        told = {stream: list(map(packed, await history(b, stream))) for stream in STREAMS}
    async with broker(store=store, furnished=False) as b:
        assert list(b.hub.accounts["acme"].former) == ["ann", "max", "bob"]
        for stream in STREAMS:
            found = await history(b, stream)
            assert list(map(packed, found))[: len(told[stream])] == told[stream]
            assert {one.type for one in naming(found, "ann", "bob", "max")} <= {
                "representative.deleted",
                "manager.deleted",
            }


async def test_who_reads_slowly_is_told_the_pseudonym_of_what_was_made_ready_before(autojump_clock: MockClock) -> None:
    """Its page lies ready, made when she was still there; the ring's events too."""
    async with broker(Options(outbox_bytes=2000, ring_events=20, page_events=5)) as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        for number in range(100):
            await ann.write("presence.set", presence="away" if number % 2 else "available")
            await b.settle(0.2)
        slow = await b.staff_slow("mia", 1500)
        await slow.ask("subscribe", stream="team:t1", from_="offset", offset=0)
        await b.settle(1)
        (cursor,) = (one for one in b.hub.accounts["acme"].streams["team:t1"].others)
        assert cursor.page
        await boss.write("representative.delete", representative="ann")
        at = cursor.position
        await b.drain(slow)
        told = [one for one in events(slow, "team:t1") if one.offset > at]  # up to there, it was on its way
        assert len(told) > 50
        assert [one.offset for one in told] == list(range(told[0].offset, told[-1].offset + 1))
        assert {one.type for one in naming(told, "ann")} <= {"representative.deleted"}


async def test_a_page_that_was_asked_before_somebody_left_is_asked_for_again(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with broker(Options(ring_events=1)) as b:
        await served(b)
        account, reader = b.hub.accounts["acme"], await b.staff("boss", "manager")
        asked: list[tuple[Any, ...]] = []
        ask = b.hub.asks.ask

        def hold(question: str, *args: object, then: Any) -> None:
            if question == "page" and not asked:
                asked.append((question, args, then))
                return
            ask(question, *args, then=then)

        monkeypatch.setattr(b.hub.asks, "ask", hold)
        await reader.ask("subscribe", stream="team:t1", from_="offset", offset=0)
        boss = await b.staff("boss", "manager")
        await boss.write("representative.delete", representative="ann")
        ((question, args, then),) = asked
        ask(question, *args, then=then)
        await b.settle(1)
        reader.pump()
        assert {one.type for one in naming(events(reader, "team:t1"), "ann")} == {"representative.deleted"}
        assert len(account.former) == 1


async def test_what_is_told_before_the_commit_of_a_leaving_still_names_them(autojump_clock: MockClock) -> None:
    """The working state is ahead of what may be told."""
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="team:t1", from_="now")
        ann = await b.staff("ann")
        b.journal.hold()
        ann.ask_nowait("presence.set", "k1", presence="available")
        await b.settle()
        boss.ask_nowait("representative.delete", "k2", representative="ann")
        await b.settle()
        assert "ann" in b.hub.accounts["acme"].desk.state.former
        assert b.hub.accounts["acme"].former == {}
        b.journal.release()
        changed = await boss.event("presence.changed")
        assert changed.data["representative"] == "ann"
        assert (await boss.event("representative.deleted")).data["representative"] == "ann"
        assert list(b.hub.accounts["acme"].former) == ["ann"]


async def test_H11_no_byte_of_a_name_or_address_is_left_in_any_file(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    store = SqliteStore(path)
    async with broker(store=store) as b:
        boss = await b.staff("boss", "manager")
        put = {"representative": "ann", "name": NAME, "team": "t1", "capacity": 3, "email": EMAIL}
        await boss.write("representative.put", **put)
        await served(b)
        await boss.write("manager.put", manager="boss", kind="account")
        await boss.write("manager.put", manager="max", kind="account", name=NAME, email=EMAIL)
        assert {NAME, EMAIL} <= set(found_in(tmp_path))
        await boss.write("representative.delete", representative="ann")
        await boss.write("manager.delete", manager="max")
        await b.settle(1)
        while store.tidy():
            pass
        assert found_in(tmp_path) == []
        assert {NAME, EMAIL}.isdisjoint(b.hub.accounts["acme"].texts.values())
        name = [one for one in await history(b, "account") if one.type == "representative.changed"]
        assert name  # what it was is told, without a word of it
    store.close()
    assert found_in(tmp_path) == []


def found_in(folder: Path) -> list[str]:
    """Which of the texts are in any file."""
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [text for text in (NAME, EMAIL) if text.encode() in everything]


async def test_H11_also_where_the_broker_was_killed_between_the_erasing_and_the_scrubbing(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a" / "journal.sqlite"
    path.parent.mkdir()
    store = SqliteStore(path)
    async with broker(store=store) as b:
        boss = await b.staff("boss", "manager")
        monkeypatch.setattr(SqliteStore, "_scrub", lambda store: None)
        await boss.write("representative.put", representative="ann", name=NAME, team="t1", capacity=3, email=EMAIL)
        await boss.write("representative.delete", representative="ann")
        killed = tmp_path / "b"
        killed.mkdir()
        for file in path.parent.iterdir():  # as a dead process leaves them
            (killed / file.name).write_bytes(file.read_bytes())
    monkeypatch.undo()
    assert found_in(killed) == [NAME, EMAIL]  # in the WAL
    again = SqliteStore(killed / path.name)
    again.tidy()
    assert found_in(killed) == []
    again.close()
    with closing(sqlite3.connect(killed / path.name)) as db:
        assert db.execute("SELECT count(*) FROM contents WHERE erased = 1").fetchone()[0] >= 2
