"""``ready``: what wakes it, and that it always lets others run. On both transports."""

# covers: broker/transport/base.py broker/transport/lifecycle.py

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from broker import limits
from broker.transport.base import Closed, Data, Messages, Opened
from broker.transport.client import Client
from broker.transport.engine import Engine
from broker.transport.memory import MemoryTransport
from broker.transport.reactor import Reactor, listen

Send = Callable[[bytes], Awaitable[None]]


class Place:
    """A transport on trio's own clock, and a way to send bytes to it."""

    def __init__(self, transport: Engine, connect: Callable[[], Awaitable[Send]]) -> None:
        self.transport = transport
        self.connect = connect

    async def until(self, kind: type) -> list[object]:
        """Be the hub until such a happening comes."""
        found: list[object] = []
        with trio.fail_after(10):
            while not found:
                await self.transport.ready(None)
                found = [h for h in self.transport.poll() if isinstance(h, kind)]
        return found


@pytest.fixture(params=["memory", "reactor"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    if request.param == "memory":
        memory = MemoryTransport()

        async def dial() -> Send:
            pipe = memory.dial()

            async def send(data: bytes) -> None:
                pipe.give(data)

            return send

        yield Place(memory, dial)
        memory.dispose()
        return
    (listener,) = listen("127.0.0.1", 0)
    reactor = Reactor([listener])
    streams: list[trio.SocketStream] = []

    async def connect() -> Send:
        streams.append(await trio.open_tcp_stream("127.0.0.1", listener.port))
        return streams[-1].send_all

    yield Place(reactor, connect)
    reactor.dispose()
    for stream in streams:
        await stream.aclose()


async def test_ready_returns_when_something_came(place: Place) -> None:
    send = await place.connect()
    async with trio.open_nursery() as nursery:

        async def come() -> None:
            await wait_all_tasks_blocked()
            await send(Client().request())

        nursery.start_soon(come)
        assert await place.until(Opened)


async def test_ready_is_a_checkpoint_even_when_there_is_something(place: Place) -> None:
    send = await place.connect()
    await send(Client().request() + Client().message(b"x"))
    await place.until(Opened)
    place.transport.wake()
    with assert_checkpoints():
        await place.transport.ready(None)
    with assert_checkpoints():
        await place.transport.ready(0)


async def test_ready_can_be_cancelled_and_used_again(place: Place) -> None:
    with trio.move_on_after(0.01) as scope:
        await place.transport.ready(None)
    assert scope.cancelled_caught
    send = await place.connect()
    await send(Client().request())
    assert await place.until(Opened)


async def test_ready_ends_with_its_timeout(place: Place) -> None:
    with trio.fail_after(10):
        await place.transport.ready(0.001)
        await place.transport.ready(0)
    assert place.transport.poll() == []


async def test_wake_before_and_during_ready(place: Place) -> None:
    with trio.fail_after(10):
        place.transport.wake()
        await place.transport.ready(None)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.transport.ready, None)
            await wait_all_tasks_blocked()
            place.transport.wake()
    assert place.transport.poll() == []


async def test_a_wake_is_used_up(place: Place) -> None:
    place.transport.wake()
    await place.transport.ready(None)
    with trio.move_on_after(0.01) as scope:
        await place.transport.ready(None)
    assert scope.cancelled_caught


async def test_a_watched_descriptor_makes_ready_return_while_it_is_readable(place: Place) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, trio.fail_after(10):
        place.transport.watch(ours.fileno())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(place.transport.ready, None)
            await wait_all_tasks_blocked(0.001)
            theirs.send(b"!")
        await place.transport.ready(None)
        assert place.transport.poll() == []
        ours.recv(1)
        place.transport.poll()
        with trio.move_on_after(0.01) as scope:
            await place.transport.ready(None)
        assert scope.cancelled_caught
        theirs.send(b"!")
        place.transport.unwatch(ours.fileno())
        with trio.move_on_after(0.01) as scope:
            await place.transport.ready(None)
        assert scope.cancelled_caught


async def test_another_task_may_close_a_link_while_the_hub_waits(place: Place) -> None:
    send = await place.connect()
    await send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    (opened,) = await place.until(Opened)
    assert isinstance(opened, Opened)
    async with trio.open_nursery() as nursery:

        async def answer() -> None:
            await wait_all_tasks_blocked(0.001)
            place.transport.send_raw(opened.link, b"answer")
            place.transport.close(opened.link)

        nursery.start_soon(answer)
        assert await place.until(Closed)


async def test_resuming_lets_the_hub_go_on_with_what_was_read(place: Place) -> None:
    send = await place.connect()
    client = Client()
    await send(client.request())
    (opened,) = await place.until(Opened)
    assert isinstance(opened, Opened)
    await send(b"".join(client.message(b"x") for _ in range(limits.LINK_MESSAGES + 1)))
    await place.until(Messages)
    place.transport.pause(opened.link)
    async with trio.open_nursery() as nursery:

        async def resume() -> None:
            await wait_all_tasks_blocked(0.001)
            place.transport.resume(opened.link)

        nursery.start_soon(resume)
        assert await place.until(Messages)


async def test_timeouts_run_by_trios_clock(autojump_clock: MockClock) -> None:
    transport = MemoryTransport()
    silent = transport.dial()
    while not silent.ended:
        await transport.ready(None)
        transport.poll()
    assert trio.current_time() == pytest.approx(limits.HELLO_TIMEOUT / 1000)


async def test_half_a_tls_hello_is_dropped_in_time_too(
    autojump_clock: MockClock, certificate: Path, trusting: ssl.SSLContext
) -> None:
    from broker.transport.tls import server_context

    transport = MemoryTransport(context=server_context(certificate))
    silent = transport.dial()
    silent.give(b"\x16\x03\x01")
    happenings: list[object] = []
    while not silent.ended:
        await transport.ready(None)
        happenings += [h for h in transport.poll() if isinstance(h, Opened | Data)]
    assert trio.current_time() == pytest.approx(limits.HELLO_TIMEOUT / 1000)
    assert happenings == []
