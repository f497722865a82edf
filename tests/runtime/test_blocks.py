"""A block as people meet it: whoever is shut out is shown the door once it is on disk, and finds no portal there."""

# covers: broker/runtime/revocations.py

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker import limits
from broker.codes import Close, Code
from broker.identity.sources import Sources
from broker.protocol import frames
from broker.runtime.options import Options
from broker.units import HOURS, MINUTES
from tests.runtime.harness import DAY, Broker, Client, Ended, Refused, broker

SELDOM = Options(position_period=HOURS, forget_period=DAY)
HOME, OFFICE, V6 = "203.0.113.9", "198.51.100.7", "2001:db8:1:2::3"


async def kept_out(b: Broker, auth: dict[str, Any], address: str) -> Ended:
    with pytest.raises(Ended) as end:
        await b.connect(auth, address=address)
    assert end.value.goodbye is not None
    return end.value


def told(end: Ended) -> tuple[object, ...]:
    """All that a goodbye says."""
    assert end.goodbye is not None
    return (end.code, end.goodbye.code, end.goodbye.text, end.goodbye.retry_ms)


async def asker(b: Broker, address: str, portal: str = "acme/help") -> tuple[Client, str, str]:
    """A customer who waits: its connection, its request, its visitor token."""
    client = await b.customer(portal, address=address)
    request = (await client.write("request.create", text="words"))["request"]
    assert client.welcome is not None
    return client, request, str(client.welcome.identity["visitor"])


async def test_a_blocked_visitor_is_kicked_once_it_is_on_disk_and_then_there_is_no_such_portal(
    autojump_clock: MockClock,
) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        bad, request, token = await asker(b, HOME)
        await bad.ask("subscribe", stream="me", from_="now")
        good, _, _ = await asker(b, OFFICE)
        b.journal.hold()
        number = boss.ask_nowait("visitor.block", "k", reason="abuse", request=request)
        await b.settle()
        assert not [frame for frame in bad.pump() if isinstance(frame, frames.Event | frames.Goodbye)]
        b.journal.release()
        ended = await bad.event("request.ended")
        assert ended.data == {"request": request, "state": "refused"}
        assert told(await bad.ended()) == (Close.KICKED, Close.KICKED, "a manager ended this connection", None)
        made: Any = (await boss.answer(number)).value
        nowhere = told(await kept_out(b, {"portal": "acme/nowhere"}, HOME))
        for auth in ({"portal": "acme/help", "visitor": token}, {"token": token}):
            assert told(await kept_out(b, auth, OFFICE)) == nowhere
        assert nowhere[0] == Close.BAD_AUTH
        await b.customer(address=HOME)  # as somebody new: the address isn't blocked
        assert (await good.ask("portal.open"))["portal"]
        assert b.hub.entrance.revocations.kicked == 1
        await boss.write("block.end", block=made["block"])
        await b.customer(visitor=token, address=HOME)


async def test_a_blocked_address_is_everybodys_there_and_no_manager_is_shown_the_host(
    autojump_clock: MockClock,
) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        bad, request, token = await asker(b, HOME)
        near, _, _ = await asker(b, HOME)
        idle = await b.customer(address=HOME)
        far, _, _ = await asker(b, OFFICE)
        made = await boss.write("visitor.block", reason="abuse", request=request, what="address", life_ms=HOURS)
        assert made["until"] == (await boss.event("visitor.blocked")).data["until"]
        for client in (bad, near, idle):
            assert (await client.ended()).code == Close.KICKED
        nowhere = told(await kept_out(b, {"portal": "acme/nowhere"}, OFFICE))
        pin = b.hub.accounts["acme"].desk.state.pinspace.pin(0, 1)
        for auth in ({"portal": "acme/help"}, {"portal": "acme/help", "entry": "x"}, {"pin": pin}):
            assert told(await kept_out(b, auth, HOME)) == nowhere
        await b.customer(visitor=token, address=OFFICE)
        await b.staff("ann")  # who is no customer
        (listed,) = (await boss.ask("block.list"))["blocks"]
        assert (listed["what"], listed["network"], listed["by"]) == ("address", "203.0.113.0/24", "boss")
        assert "visitor" not in listed
        assert HOME not in repr(boss.seen)
        assert (await far.ask("portal.open"))["portal"]
        assert (await boss.event("block.ended")).data["reason"] == "expired"
        await b.customer(address=HOME)


async def test_an_address_of_ipv6_is_the_whole_line_of_one_customer(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        _, request, _ = await asker(b, V6)
        await boss.write("visitor.block", reason="abuse", request=request, what="address")
        assert (await kept_out(b, {"portal": "acme/help"}, "2001:db8:1:2:ffff::1")).code == Close.BAD_AUTH
        await b.customer(address="2001:db8:1:3::3")


async def test_a_visitor_who_is_blocked_while_it_signs_in_is_not_welcomed(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        first, request, token = await asker(b, HOME)
        b.journal.hold()
        comer = Client(b.transport.connect(address=HOME))
        comer.send(frames.Hello([1], [], {"portal": "acme/help", "visitor": token}, {}))
        number = boss.ask_nowait("visitor.block", "k", reason="abuse", request=request)
        await b.settle()
        b.journal.release()
        assert (await first.ended()).code == Close.KICKED
        end = await comer.ended()
        assert end.code in (Close.BAD_AUTH, Close.KICKED)
        await boss.answer(number)
        assert (await kept_out(b, {"portal": "acme/help", "visitor": token}, HOME)).code == Close.BAD_AUTH


async def test_nothing_is_opened_between_the_decision_and_the_disk(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        bad, request, _ = await asker(b, HOME)
        b.journal.hold()
        boss.ask_nowait("visitor.block", "k", reason="abuse", request=request)
        await b.settle()
        again = bad.ask_nowait("request.create", "again", text="more")
        await b.settle()
        b.journal.release()
        with pytest.raises((Refused, Ended)) as refused:
            await bad.answer(again)
        assert getattr(refused.value, "code", None) in (Code.NOT_ALLOWED, Close.KICKED)
        assert b.hub.accounts["acme"].desk.state.requests == {}


async def test_a_block_that_was_not_stored_shuts_nobody_out(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        bad, request, token = await asker(b, HOME)
        b.journal.fail_next()
        with pytest.raises(Refused):
            await boss.write("visitor.block", reason="abuse", request=request, what="both")
        await b.settle(5)
        assert (await bad.ask("portal.open"))["portal"]
        await b.customer(visitor=token, address=HOME)
        assert (await boss.ask("block.list"))["blocks"] == []


async def test_blocks_outlive_the_broker(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        _, request, token = await asker(b, HOME)
        await boss.write("visitor.block", reason="abuse", request=request, what="both", life_ms=10 * MINUTES)
        store = b.store
    async with broker(SELDOM, store=store, furnished=False) as b:
        assert (await kept_out(b, {"portal": "acme/help", "visitor": token}, OFFICE)).code == Close.BAD_AUTH
        assert (await kept_out(b, {"portal": "acme/help"}, HOME)).code == Close.BAD_AUTH
        await trio.sleep(10 * MINUTES / 1000 + 1)
        await b.customer(address=HOME)


async def test_the_journal_keeps_no_address_and_only_digests_of_customers_sources(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        _, request, _ = await asker(b, HOME)
        found = b.hub.accounts["acme"].desk.state.requests[request]
        assert found.source == Sources(bytes(32)).digest("acme", HOME)
        assert found.network == "203.0.113.0/24"
        staff = await b.staff("ann")
        (connection,) = [one for one in b.hub.peers.connections if one.identity and one.identity.person == "ann"]
        assert connection.identity is not None
        assert connection.identity.source is None
        staff.peer.close()


async def test_the_digest_of_an_expired_block_may_be_blocked_again(autojump_clock: MockClock) -> None:
    async with broker(SELDOM) as b:
        boss = await b.staff("boss", "manager")
        for _ in range(2):
            _, request, _ = await asker(b, HOME)
            made = await boss.write("visitor.block", reason="abuse", request=request, what="address")
            assert made["existing"] is False
            assert made["until"] <= b.clock.now() + limits.BLOCK_LIFE
            await boss.write("block.end", block=made["block"])
