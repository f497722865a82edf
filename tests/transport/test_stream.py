from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from broker import limits
from broker.transport.base import Closed, Data, Drained, Opened
from broker.transport.memory import MemoryPipe, MemoryTransport
from broker.transport.stream import HttpStream

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Hub:
    """Feeds one stream."""

    def __init__(self) -> None:
        self.transport = MemoryTransport()
        self.pipe: MemoryPipe = self.transport.dial(capacity=1_000_000)
        self.pipe.give(HEAD)
        self.stream: HttpStream | None = None
        self.opened = trio.Event()

    async def run(self) -> None:
        while True:
            await self.transport.ready(None)
            for happening in self.transport.poll():
                if isinstance(happening, Opened):
                    self.stream = HttpStream(self.transport, happening.link)
                    self.opened.set()
                assert self.stream is not None
                if isinstance(happening, Data):
                    self.stream.feed(happening.data)
                elif isinstance(happening, Drained):
                    self.stream.drained()
                elif isinstance(happening, Closed):
                    self.stream.lost()

    async def open(self) -> HttpStream:
        await self.opened.wait()
        assert self.stream is not None
        assert await self.stream.receive_some() == HEAD
        return self.stream


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    it = Hub()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.run)
        yield it
        nursery.cancel_scope.cancel()


async def test_receiving_waits_for_bytes_and_then_for_the_end(hub: Hub, autojump_clock: MockClock) -> None:
    stream = await hub.open()
    assert stream.address == "127.0.0.1"
    with trio.move_on_after(1) as scope:
        await stream.receive_some()
    assert scope.cancelled_caught
    hub.pipe.give(b"more")
    with assert_checkpoints():
        assert await stream.receive_some() == b"more"
    hub.pipe.half_close()
    assert await stream.receive_some() == b""
    assert await stream.receive_some() == b""


async def test_what_nobody_takes_is_bounded(hub: Hub, autojump_clock: MockClock) -> None:
    stream = await hub.open()
    sent = bytes(900_000)
    hub.pipe.give(sent)
    await trio.sleep(1)
    assert hub.pipe.room < 900_000, "the rest waits in the socket"
    first = await stream.receive_some()
    assert len(first) <= limits.HTTP_BUFFER_BYTES
    got = len(first)
    while got < len(sent):
        got += len(await stream.receive_some())
    assert got == len(sent)


async def test_sending_waits_until_the_socket_has_it_all(hub: Hub, autojump_clock: MockClock) -> None:
    stream = await hub.open()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, bytes(5_000_000))
        await trio.sleep(1)
        assert nursery.child_tasks
        got = 0
        while got < 5_000_000:
            got += len(hub.pipe.take())
            await trio.sleep(0.01)
    with assert_checkpoints():
        await stream.send_all(b"")


async def test_the_end_of_the_link_breaks_receiving_and_sending(hub: Hub, autojump_clock: MockClock) -> None:
    stream = await hub.open()
    async with trio.open_nursery() as nursery:

        async def receive() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()

        async def send() -> None:
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(bytes(5_000_000))

        nursery.start_soon(receive)
        nursery.start_soon(send)
        await trio.sleep(1)
        hub.pipe.abort()
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"x")


async def test_closing_ends_the_stream_once(hub: Hub, autojump_clock: MockClock) -> None:
    stream = await hub.open()
    await stream.send_all(b"last")
    stream.close()
    stream.close()
    await trio.sleep(1)
    assert hub.pipe.take() == b"last"
    assert hub.pipe.ended
