"""The state of a portal: told to its customers when they subscribe and when it changes, never before it is on disk."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from broker import limits
from broker.protocol import check, frames
from tests.runtime.harness import Broker, Client, broker


async def visit(b: Broker, portal: str = "acme/ask", count: int = 1) -> list[Client]:
    """So many customers of a portal who follow ``me``."""
    clients = []
    for number in range(count):
        client = await b.customer(portal, address=f"192.0.2.{number % 250}")
        await client.ask("subscribe", stream="me", from_="now")
        clients.append(client)
    return clients


def states(client: Client) -> list[object]:
    """The states told since the last look."""
    found = [frame for frame in client.pump() if isinstance(frame, frames.Notice) and frame.type == "portal.state"]
    for notice in found:
        assert (notice.stream, notice.key) == ("me", "portal")
        check.check_notice(notice.type, notice.data)
    return [notice.data["state"] for notice in found]


async def on(b: Broker, name: str, presence: str = "available") -> Client:
    client = await b.staff(name)
    await client.write("presence.set", presence=presence)
    return client


async def test_A12_the_state_is_told_at_subscribing_and_when_it_changes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        (kim,) = await visit(b)
        (other,) = await visit(b, "acme/help")
        await b.settle()
        assert (states(kim), states(other)) == (["closed"], ["open"])
        ann = await on(b, "ann")
        await trio.sleep(0.4)
        assert (states(kim), states(other)) == (["open"], [])
        await ann.write("presence.set", presence="away")
        await trio.sleep(5)
        assert states(kim) == []
        await ann.write("presence.set", presence="offline")
        await trio.sleep(0.4)
        assert states(kim) == ["closed"]


async def test_A12_what_changes_at_once_is_told_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        (kim,) = await visit(b)
        await b.settle()
        states(kim)
        ann = await on(b, "ann")
        await ann.write("presence.set", presence="offline")
        await ann.write("presence.set", presence="available")
        await trio.sleep(1)
        assert states(kim) == ["open"]


async def test_A12_nothing_is_told_before_it_is_on_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        (kim,) = await visit(b)
        await b.settle()
        states(kim)
        ann = await b.staff("ann")
        b.journal.hold()
        ann.ask_nowait("presence.set", "k1", presence="available")
        await trio.sleep(3)
        assert states(kim) == []
        b.journal.release()
        await b.settle()
        assert states(kim) == ["open"]


async def test_A12_a_full_line_is_told_and_that_it_has_room_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.write("subportal.put", subportal="help-1", max_waiting=1)
        kim, lou = await visit(b, "acme/help", 2)
        await b.settle()
        states(lou)
        asked = await kim.write("request.create")
        await trio.sleep(2.5)
        assert states(lou) == ["full"]
        await kim.write("request.withdraw", request=asked["request"])
        await trio.sleep(2.5)
        assert states(lou) == ["open"]


async def test_A12_a_crowd_is_told_a_few_at_a_time(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PORTAL_STATES_A_TICK", 4)
    async with broker() as b:
        crowd = await visit(b, count=18)
        await b.settle()
        for client in crowd:
            states(client)
        told = b.hub.portal_notices.told
        await on(b, "ann")
        await trio.sleep(0.253)
        partly = b.hub.portal_notices.told - told
        await trio.sleep(1)
        assert 0 < partly < 18
        assert b.hub.portal_notices.told - told == 18
        assert [states(client) for client in crowd] == [["open"]] * 18


async def test_A12_who_comes_by_a_deleted_portal_or_no_portal_or_follows_nothing_is_told_nothing(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        quiet = await b.customer("acme/ask")
        caller = await b.connect({"pin": "123456789"})
        await caller.ask("subscribe", stream="me", from_="now")
        (kim,) = await visit(b)
        await b.settle()
        states(kim)
        await on(b, "ann")
        boss = await b.staff("boss", "manager")
        await boss.write("portal.delete", portal="ask")
        await trio.sleep(3)
        assert states(quiet) == states(caller) == states(kim) == []
        (late,) = await visit(b, "acme/help")
        assert late is not None
        await kim.ask("unsubscribe", stream="me")
        await kim.ask("subscribe", stream="me", from_="now")
        await b.settle()
        assert states(kim) == []


async def test_A12_nothing_is_done_while_nothing_changes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await visit(b, count=3)
        await b.settle()
        before = b.hub.portal_notices.told
        await trio.sleep(60)
        assert b.hub.portal_notices.told == before == 3
