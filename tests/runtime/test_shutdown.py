"""The end: what was decided is stored and told, clients hear when to come back, desks are saved."""

import trio
from trio.testing import MockClock

from broker.codes import Close
from broker.journal.memory import MemoryStore
from broker.protocol import frames
from broker.runtime.options import Options
from broker.runtime.shutdown import shut_down
from tests.runtime.harness import Broker, Client, broker, hub_of


async def test_everyone_is_told_when_to_come_back(autojump_clock: MockClock) -> None:
    async with hub_of() as b:
        ann, joe = await b.staff("ann"), await b.customer()
        stranger = Client(b.transport.connect())
        await b.settle()
        async with trio.open_nursery() as nursery:
            ends: list[tuple[int, int | None, int]] = []

            async def wait(client: Client) -> None:
                await client.ended()
                assert client.goodbye is not None
                ends.append((client.goodbye.code, client.goodbye.retry_ms, client.goodbye.action))

            for client in (ann, joe, stranger):
                nursery.start_soon(wait, client)
            await stop(b)
        assert ends == [(Close.SHUTDOWN, 2000, frames.COME_BACK)] * 3


async def test_what_is_under_way_is_committed_and_answered_first(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with hub_of(store=store) as b:
        joe = await b.customer()
        b.journal.hold()
        number = joe.ask_nowait("request.create", "k1", text="x")
        await b.settle()
        later = joe.ask_nowait("portal.open")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop, b)
            await trio.sleep(1)
            assert joe.goodbye is None
            b.journal.release()
            await joe.answer(number)
            await joe.answer(later)
            assert (await joe.ended()).code == Close.SHUTDOWN
    assert [record.type for record in store.records("acme", 0, 1000)].count("request.created") == 1


async def test_a_journal_that_hangs_does_not_hold_the_end_up(autojump_clock: MockClock) -> None:
    async with hub_of(Options(shutdown_grace=3000)) as b:
        joe = await b.customer()
        b.journal.hold()
        joe.ask_nowait("request.create", "k1", text="x")
        await b.settle()
        began = b.clock.now()
        await stop(b)
        assert b.clock.now() - began <= 6100
        assert not [frame for frame in joe.pump() if isinstance(frame, frames.Result)]


async def test_a_client_that_does_not_close_does_not_hold_it_up_either(autojump_clock: MockClock) -> None:
    async with hub_of() as b:
        await b.customer()
        began = b.clock.now()
        await stop(b)
        assert b.clock.now() - began <= 5100


async def test_desks_are_saved_so_that_the_next_start_reads_little(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with hub_of(store=store) as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        seq = b.hub.accounts["acme"].seq
        await stop(b)
    saved = store.load_snapshot("acme")
    assert saved is not None
    assert saved.seq >= seq
    async with broker(store=store, furnished=False) as again:
        assert again.hub.accounts["acme"].saved_seq == saved.seq


async def test_nobody_new_is_taken_while_it_ends(autojump_clock: MockClock) -> None:
    async with hub_of() as b:
        joe = await b.customer()
        b.journal.hold()
        joe.ask_nowait("request.create", "k1", text="x")
        await b.settle()
        early = b.transport.connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop, b)
            await trio.sleep(0.1)
            try:
                b.transport.connect()
            except ConnectionRefusedError:
                refused = True
            assert refused
            b.journal.release()
            assert (await Client(early).ended()).code == Close.SHUTDOWN


async def stop(b: Broker) -> None:
    """What ``serve`` does at a signal."""
    b.stop()
    await b.stopped.wait()
    await shut_down(b.hub, b.transport, b.journal)
