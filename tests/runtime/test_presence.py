"""Leases and heartbeats: who is there, who is gone, and when that is noticed."""

# covers: broker/runtime/watch.py

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Close
from broker.desk.identity import Role
from broker.protocol import frames
from broker.runtime.options import ROLES
from tests.runtime.harness import Broker, Client, Ended, broker


def presence(b: Broker, who: str) -> str:
    """As the desk sees it."""
    return b.hub.accounts["acme"].desk.state.representatives[who].presence


async def test_a_silent_representative_is_pinged_and_gone_after_ten_seconds(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        ann.answering = False
        began = b.clock.now()
        end = await ann.ended()
        assert end.code == Close.DEAD
        assert 10_000 <= b.clock.now() - began <= 10_100
        assert len([frame for frame in ann.seen if isinstance(frame, frames.Ping)]) == 2
        assert presence(b, "ann") == "reconnecting"


async def test_who_takes_bytes_slowly_is_there_although_it_says_nothing(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="team:t1", from_="now")
        boss.answering = False  # its PONG lies behind all that it has yet to read
        for round_ in range(30):
            with boss.peer.pipe.stall_writes():
                await ann.write("presence.set", presence=("away", "available")[round_ % 2])
                await trio.sleep(3)
            await b.settle()
            ann.pump(), boss.pump()
        assert boss.goodbye is None
        assert (await boss.ended()).code == Close.DEAD  # nothing more to take, and still not a word


async def test_any_frame_is_a_sign_of_life(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        ann.answering = False
        for number in range(20):
            await trio.sleep(3)
            ann.send(frames.Pong(number, 1))
        ann.pump()
        assert ann.goodbye is None
        assert not [frame for frame in ann.seen if isinstance(frame, frames.Ping)]


async def test_customers_are_pinged_seldom(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        joe.answering = False
        began = b.clock.now()
        assert (await joe.ended()).code == Close.DEAD
        assert 62_500 <= b.clock.now() - began <= 62_600


async def test_the_lease_ends_with_the_last_connection_and_comes_back_with_the_first(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        one, two = await b.staff("ann"), await b.staff("ann")
        await one.write("presence.set", presence="available")
        one.cut()
        await b.settle()
        assert presence(b, "ann") == "available"
        two.peer.close()
        await b.settle()
        assert presence(b, "ann") == "reconnecting"
        await b.staff("ann")
        await b.settle()
        assert presence(b, "ann") == "available"


async def test_a_name_is_one_person_so_nobody_else_holds_its_lease(autojump_clock: MockClock) -> None:
    async with broker() as b:
        with pytest.raises(Ended) as end:
            await b.staff("ann", "manager")
        assert end.value.code == Close.BAD_AUTH


async def test_an_offer_to_a_vanished_representative_goes_to_the_next(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, bob = await b.staff("ann"), await b.staff("bob")
        for who in (ann, bob):
            await who.ask("subscribe", stream="me", from_="now")
            await who.write("presence.set", presence="available")
        joe = await b.customer()
        await joe.write("request.create", text="x")
        await b.settle()
        first = next(c for c in (ann, bob) if [f for f in c.pump() if getattr(f, "type", "") == "offer.made"])
        second = bob if first is ann else ann
        first.cut()
        await second.event("offer.made")


async def test_a_customer_who_comes_back_in_time_keeps_the_place(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        await joe.write("request.create", text="x")
        assert joe.welcome is not None
        joe.cut()
        await trio.sleep(60)
        again = await b.customer(visitor=str(joe.welcome.identity["visitor"]))
        for _ in range(10):
            await trio.sleep(20)
            again.pump()
        assert (await again.ask("portal.open"))["request"]
        again.cut()
        await trio.sleep(121)
        third = await b.customer(visitor=str(joe.welcome.identity["visitor"]))
        assert "request" not in await third.ask("portal.open")


async def test_a_polite_goodbye_ends_the_connection_at_once(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        ann.send(frames.Goodbye(1000, "closing time", 0))
        assert (await ann.ended()).code == 1000
        assert presence(b, "ann") == "reconnecting"
        await b.settle()
        assert b.hub.statistics().connections == 0


async def test_a_thousand_connections_cost_no_tasks_and_leave_nothing_behind(autojump_clock: MockClock) -> None:
    async with broker() as b:
        await b.settle(6)
        before = (len(b.hub.timers), trio.lowlevel.current_statistics().tasks_living)
        clients: list[Client] = [await b.customer() for _ in range(300)]
        assert trio.lowlevel.current_statistics().tasks_living == before[1]
        assert len(b.hub.timers) == before[0] + 300
        for client in clients:
            client.cut()
        await b.settle(0.1)
        assert (len(b.hub.timers), b.hub.peers.connections) == (before[0], {})
        assert b.hub.accounts["acme"].people == {}


async def test_an_api_manager_may_ask_as_much_as_a_service_and_no_other_manager(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.write("manager.put", manager="boss", kind="account", rights=["api_managers"])
        await boss.write("manager.put", manager="robot", kind="api")
        for name, role in (("boss", Role.MANAGER), ("robot", Role.SERVICE)):
            client = await b.staff(name, "manager")
            assert client.welcome is not None
            told, options = client.welcome.limits, ROLES[role]
            assert (told["inflight"], told["commands_per_second"]) == (options.inflight, options.rate[0])
            person = b.hub.accounts["acme"].people[name]
            assert (person.rate.burst, person.keys.most) == (options.rate[1], 2 * options.inflight)
