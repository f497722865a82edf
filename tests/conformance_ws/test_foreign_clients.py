"""Other people's clients connect, talk and part with the reactor."""

from collections.abc import AsyncIterator

import pytest
import trio
import trio_websocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from broker.transport.base import Closed, Happening, Messages
from broker.transport.reactor import Reactor, listen
from broker.transport.upgrade import PATH, SUBPROTOCOL

SIZES = [0, 1, 125, 126, 65535, 65536, 200_000]


class Echo:
    """Echoes; closes with 4500 where it is told so."""

    def __init__(self) -> None:
        (listener,) = listen("127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{listener.port}{PATH}"
        self.transport = Reactor([listener])
        self.happenings: list[Happening] = []

    async def run(self) -> None:
        while True:
            await self.transport.ready(None)
            for happening in self.transport.poll():
                self.happenings.append(happening)
                if isinstance(happening, Messages):
                    if b"go away" in happening.messages:
                        self.transport.close(happening.link, 4500, "as you wish")
                    prepared = [self.transport.prepare(m) for m in happening.messages]
                    self.transport.send(happening.link, prepared)

    def closed(self) -> list[int]:
        return [h.code for h in self.happenings if isinstance(h, Closed)]


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    it = Echo()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(it.run)
        yield it
        nursery.cancel_scope.cancel()
    it.transport.dispose()


async def test_websockets_talks_and_parts(echo: Echo) -> None:
    def talk() -> None:
        with connect(echo.url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression="deflate") as client:
            assert client.subprotocol == SUBPROTOCOL
            for size in SIZES:
                client.send(bytes(size))
                assert client.recv() == bytes(size)
            client.send([b"in ", b"three ", b"parts"])
            assert client.recv() == b"in three parts"
            assert client.ping().wait(10)

    with trio.fail_after(30):
        await trio.to_thread.run_sync(talk)
    assert echo.closed() == [1000]


async def test_websockets_hears_why_it_must_go(echo: Echo) -> None:
    def talk() -> None:
        with connect(echo.url, subprotocols=[Subprotocol(SUBPROTOCOL)]) as client:
            client.send(b"go away")
            with pytest.raises(ConnectionClosed) as caught:
                client.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4500, "as you wish")

    with trio.fail_after(30):
        await trio.to_thread.run_sync(talk)
    assert echo.closed() == [4500]


async def test_websockets_hears_that_the_subprotocol_is_missing(echo: Echo) -> None:
    def talk() -> None:
        with pytest.raises(InvalidStatus) as caught:
            connect(echo.url)
        assert caught.value.response.status_code == 400
        assert SUBPROTOCOL.encode() in (caught.value.response.body or b"")

    with trio.fail_after(30):
        await trio.to_thread.run_sync(talk)


async def test_trio_websocket_talks_and_parts(echo: Echo) -> None:
    with trio.fail_after(30):
        async with trio_websocket.open_websocket_url(echo.url, subprotocols=[SUBPROTOCOL]) as client:
            assert client.subprotocol == SUBPROTOCOL
            for size in SIZES:
                await client.send_message(bytes(size))
                assert await client.get_message() == bytes(size)
            await client.ping(b"hello")
    assert echo.closed() == [1000]


async def test_text_is_answered_with_1003(echo: Echo) -> None:
    def talk() -> None:
        with connect(echo.url, subprotocols=[Subprotocol(SUBPROTOCOL)]) as client:
            client.send("text")
            with pytest.raises(ConnectionClosed) as caught:
                client.recv()
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1003

    with trio.fail_after(30):
        await trio.to_thread.run_sync(talk)
    assert echo.closed() == [1003]
