"""Places in the line: told to who waits, seldom, only when they changed, never before they are true on disk."""

import trio
from trio.testing import MockClock

from broker.protocol import check, frames
from broker.runtime.options import Options
from tests.runtime.harness import Broker, Client, broker


async def line(b: Broker, count: int) -> list[Client]:
    """So many customers who wait; nobody serves."""
    clients = []
    for number in range(count):
        client = await b.customer(address=f"192.0.2.{number % 250}")
        await client.ask("subscribe", stream="me", from_="now")
        await client.write("request.create", text="x")
        clients.append(client)
    return clients


def places(client: Client) -> list[tuple[object, object]]:
    """(position, reason) of the notices that came since the last look."""
    found = [frame for frame in client.pump() if isinstance(frame, frames.Notice) and frame.type == "queue.position"]
    for notice in found:
        check.check_notice(notice.type, notice.data)
    return [(notice.data["position"], notice.data.get("reason")) for notice in found]


async def test_everyone_in_line_is_told_the_place_and_only_its_changes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        first, second, third = await line(b, 3)
        await trio.sleep(2.1)
        assert (places(first), places(second), places(third)) == ([(1, None)], [(2, None)], [(3, None)])
        await trio.sleep(10)
        assert places(third) == []
        await first.write("request.withdraw", request=(await first.ask("portal.open"))["request"])
        await trio.sleep(2.1)
        assert (places(first), places(second), places(third)) == ([], [(1, None)], [(2, None)])


async def test_places_are_told_at_most_every_two_seconds(autojump_clock: MockClock) -> None:
    async with broker() as b:
        clients = await line(b, 10)
        await trio.sleep(2.1)
        clients[-1].pump()
        for client in clients[:9]:
            await client.write("request.withdraw", request=(await client.ask("portal.open"))["request"])
            await trio.sleep(0.2)
        await trio.sleep(2.1)
        assert 1 <= len(places(clients[-1])) <= 2


async def test_places_beyond_the_hundredth_are_told_in_tens(autojump_clock: MockClock) -> None:
    async with broker() as b:
        clients = await line(b, 112)
        await trio.sleep(4.1)
        assert places(clients[99])[-1] == (100, None)
        assert places(clients[100])[-1] == (110, None)
        assert places(clients[111])[-1] == (120, None)


async def test_a_line_longer_than_the_bound_is_told_piece_by_piece(autojump_clock: MockClock) -> None:
    async with broker(Options(positions_per_period=120)) as b:
        clients = await line(b, 160)
        for _ in range(10):
            await trio.sleep(2)
            for client in clients:
                client.answering = True
        told = [places(client) for client in clients]
        assert all(told)
        assert told[159][-1] == (160, None)


async def test_a_place_is_not_told_before_its_reason_is_on_disk(autojump_clock: MockClock) -> None:
    async with broker() as b:
        first, second = await line(b, 2)
        await trio.sleep(2.1)
        places(second)
        request = (await first.ask("portal.open"))["request"]
        b.journal.hold()
        first.ask_nowait("request.withdraw", "k1", request=request)
        await trio.sleep(5)
        assert places(second) == []
        b.journal.release()
        await b.settle()
        assert places(second) == [(1, None)]


async def test_who_comes_back_is_told_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, second = await line(b, 2)
        await trio.sleep(2.1)
        assert places(second) == [(2, None)]
        assert second.welcome is not None
        again = await b.customer(visitor=str(second.welcome.identity["visitor"]))
        await again.ask("subscribe", stream="me", from_="now")
        await trio.sleep(2.1)
        assert places(again) == [(2, None)]


async def test_who_follows_nothing_is_told_nothing(autojump_clock: MockClock) -> None:
    async with broker() as b:
        joe = await b.customer()
        await joe.write("request.create", text="x")
        await trio.sleep(5)
        assert places(joe) == []
        assert b.hub.accounts["acme"].told == {}


async def test_a_place_that_rises_says_why(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        first, second = await line(b, 2)
        offer = (await ann.event("offer.made")).data["offer"]
        await ann.write("offer.accept", offer=offer)
        await ann.write("presence.set", presence="away")
        await trio.sleep(2.1)
        assert places(second)[-1] == (1, None)
        await ann.write("session.leave", session=(await first.event("request.assigned")).data["session"])
        await trio.sleep(2.1)
        assert places(first)[-1][0] == 1
        assert places(second)[-1] == (2, "sent_back")


async def test_a_place_that_rises_for_a_class_or_a_move_says_so(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss = await b.staff("boss", "manager")
        await boss.write(
            "portal.put",
            portal="help",
            kind="button",
            mode="queue",
            subportals=["help-1", "help-2"],
            classes=[{"class": "gold", "boost_ms": 60_000}],
        )
        await boss.write(
            "subportal.put", subportal="help-2", overflow=[{"on": "wait", "after_ms": 9000, "to": "help-1"}]
        )
        other = await b.customer()
        await other.ask("subscribe", stream="me", from_="now")
        await other.write("request.create", text="x", subportal="help-2")
        first, second = await line(b, 2)
        await trio.sleep(2.1)
        assert (places(first), places(second), places(other)) == ([(1, None)], [(2, None)], [(1, None)])
        request = (await second.ask("portal.open"))["request"]
        await boss.write("request.classify", request=request, **{"class": "gold"})
        await trio.sleep(2.1)
        assert (places(first), places(second)) == ([(2, "priority")], [(1, None)])
        await boss.write("request.classify", request=request, **{"class": "normal"})
        await trio.sleep(2.1)
        assert (places(first), places(second)) == ([(1, None)], [(2, "reclassified")])
        await boss.write("request.classify", request=request, **{"class": "gold"})
        await trio.sleep(2.1)
        assert (places(first), places(second)) == ([(2, "priority")], [(1, None)])
        await trio.sleep(4)
        assert (places(first), places(other)) == ([(3, "moved_in")], [(2, "moved")])  # it had arrived first
        assert places(second) == []


async def test_a_place_comes_with_the_wait_that_is_expected(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        (first,) = await line(b, 1)
        taken = await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
        for _ in range(15):
            await trio.sleep(2)
            assert places(first) == places(ann) == []
        await ann.write("session.end", session=taken["session"])
        waiting = await line(b, 5)  # three of them are offered at once: capacity 3
        await trio.sleep(2.1)
        (last,) = [f for f in waiting[4].pump() if isinstance(f, frames.Notice) and f.type == "queue.position"]
        assert last.data["position"] == 5
        assert last.data["wait_ms"] == 50_000  # 30 s each, 3 at a time


async def test_after_a_restart_the_first_notice_says_that_what_was_told_is_not_known(autojump_clock: MockClock) -> None:
    async with broker() as b:
        first, second = await line(b, 2)
        await trio.sleep(2.1)
        assert (places(first), places(second)) == ([(1, None)], [(2, None)])
        b.stop()
        await b.stopped.wait()
        async with broker(store=b.store, furnished=False) as again:
            back = []
            for client in (first, second):
                assert client.welcome is not None
                back.append(await again.customer(visitor=str(client.welcome.identity["visitor"])))
                await back[-1].ask("subscribe", stream="me", from_="now")
            await trio.sleep(2.1)
            assert [places(client) for client in back] == [[(1, "restarted")], [(2, "restarted")]]
            await trio.sleep(2.1)
            assert places(back[0]) == []
