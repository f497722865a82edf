"""Addresses, and everything that may answer at one without being a broker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
import trio_websocket

from broker.protocol.codec import pack
from broker.protocol.frames import Frame, Goodbye, Hello, Ping, Welcome
from broker.protocol.handshake import TERMS
from clients.python.connection import SUBPROTOCOL, Address, Cut, open_link, sign_in
from clients.python.errors import UnreachableError
from tests.clients.python.fake_broker import FakeBroker
from tests.e2e import cutting

WAIT = 10  # seconds; a hang, not a time to be met
HELLO = Hello([1], [], {"token": "t"}, {})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8470", Address("127.0.0.1", 8470, secure=False)),
        ("127.0.0.1:8470", Address("127.0.0.1", 8470, secure=False)),
        ("wss://desk.example/", Address("desk.example", 443, secure=True)),
        ("https://desk.example/other/ws", Address("desk.example", 443, secure=True, path="/other/ws")),
        ("ws://[::1]:9000", Address("::1", 9000, secure=False)),
    ],
)
def test_addresses_as_people_give_them(url: str, address: Address) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize("url", ["ftp://x", "http://", "", "http://x:notaport"])
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|Port"):
        Address.parse(url)


def test_the_host_header_leaves_out_a_usual_port() -> None:
    assert Address("a", 443, secure=True).host_header == "a"
    assert Address("::1", 80, secure=True).host_header == "[::1]:80"
    assert str(Address("a", 8470, secure=False)) == "http://a:8470"


async def against(answer: Callable[[trio.SocketStream], Awaitable[None]]) -> None:
    """Open a link to a server that answers so."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port = listeners[0].socket.getsockname()[1]
        with trio.fail_after(WAIT):
            try:
                async with open_link(Address("127.0.0.1", port, secure=False)):
                    raise AssertionError("that is no broker")
            finally:
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b""]
)
async def test_a_server_that_is_no_broker_is_unreachable(answer: bytes) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.aclose()

    with pytest.RaisesGroup(UnreachableError, flatten_subgroups=True):
        await against(serve)


@pytest.mark.parametrize("bytes_up", [0, 1, 100])
async def test_a_connection_that_breaks_before_it_is_asked_for_anything_is_not_waited_for(
    autojump_clock: trio.testing.MockClock, bytes_up: int
) -> None:
    async def dial(address: Address) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        kept.append(theirs)
        return cutting.Breaking(ours, cutting.Cut("up", bytes_up))

    kept: list[trio.abc.Stream] = []
    began = trio.current_time()
    with pytest.raises(UnreachableError, match="does not speak"):
        async with open_link(Address("huntgroup", 80, secure=False), dial=dial):
            raise AssertionError("nobody is there")
    assert trio.current_time() - began < 1.0


async def test_a_port_where_nobody_listens_is_unreachable() -> None:
    with trio.socket.socket() as probe:
        await probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(UnreachableError, match="no broker answers"):
        async with open_link(Address("127.0.0.1", port, secure=False)):
            pass


async def served(
    nursery: trio.Nursery,
    talk: Callable[[trio_websocket.WebSocketConnection], Awaitable[None]],
    subprotocol: str | None,
) -> Address:
    """A WebSocket server that takes HELLO and then talks so."""

    async def handle(request: trio_websocket.WebSocketRequest) -> None:
        ws = await request.accept(subprotocol=subprotocol)
        try:
            await ws.get_message()
            await talk(ws)
        except trio_websocket.ConnectionClosed:
            pass

    async def serve(*, task_status: trio.TaskStatus[trio_websocket.WebSocketServer]) -> None:
        await trio_websocket.serve_websocket(handle, "127.0.0.1", 0, None, task_status=task_status)

    server = await nursery.start(serve)
    return Address("127.0.0.1", server.port, secure=False)


async def test_a_websocket_without_our_subprotocol_is_no_broker() -> None:
    async def talk(ws: trio_websocket.WebSocketConnection) -> None:
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        address = await served(nursery, talk, None)
        with trio.fail_after(WAIT), pytest.raises(UnreachableError, match="does not speak"):
            async with open_link(address):
                pass
        nursery.cancel_scope.cancel()


IDENTITY: dict[str, object] = {"account": "a", "person": "ann", "role": "representative"}
SERVER: dict[str, object] = {"name": "fake", "build": "1", "t_ms": 1}
WELCOME = Welcome(1, [], IDENTITY, TERMS["representative"].limits(), 4000, SERVER)
BYE = Goodbye(4500, "no", 0)


@pytest.mark.parametrize(
    ("message", "code", "goodbye"),
    [
        ("text", 1002, None),
        (b"\xc1", 1002, None),
        (pack(Ping(1, 1)), 1002, None),
        (pack(BYE), 4500, BYE),
    ],
)
async def test_what_is_no_welcome_ends_the_connection(message: bytes | str, code: int, goodbye: Goodbye | None) -> None:
    async def talk(ws: trio_websocket.WebSocketConnection) -> None:
        await ws.send_message(message)
        await ws.get_message()

    cut = None
    async with trio.open_nursery() as nursery:
        address = await served(nursery, talk, SUBPROTOCOL)
        with trio.fail_after(WAIT):
            async with open_link(address) as link:
                try:
                    await sign_in(link, HELLO)
                except Cut as exc:
                    cut = exc
        nursery.cancel_scope.cancel()
    assert cut is not None
    assert (cut.code, cut.goodbye) == (code, goodbye)


async def test_frames_behind_welcome_and_before_goodbye_are_not_lost() -> None:
    async def talk(ws: trio_websocket.WebSocketConnection) -> None:
        await ws.send_message(pack(WELCOME) + pack(Ping(1, 1)))
        await ws.send_message(pack(Ping(2, 1)) + pack(BYE))
        await ws.get_message()

    got: list[Frame] = []
    async with trio.open_nursery() as nursery:
        address = await served(nursery, talk, SUBPROTOCOL)
        with trio.fail_after(WAIT):
            async with open_link(address) as link:
                assert await sign_in(link, HELLO) == WELCOME
                got += await link.receive()
                got += await link.receive()
                with pytest.raises(Cut) as caught:
                    await link.receive()
        nursery.cancel_scope.cancel()
    assert got == [Ping(1, 1), Ping(2, 1)]
    assert caught.value.goodbye == BYE


async def test_a_cut_is_seen_as_a_reset_without_a_close_frame() -> None:
    codes: list[int] = []

    async def talk(ws: trio_websocket.WebSocketConnection) -> None:
        try:
            await ws.get_message()
        except trio_websocket.ConnectionClosed as closed:
            codes.append(closed.reason.code if closed.reason is not None else 0)
            raise

    async with trio.open_nursery() as nursery:
        address = await served(nursery, talk, SUBPROTOCOL)
        with trio.fail_after(WAIT):
            async with open_link(address) as link:
                await link.send(HELLO)
                await link.cut()
                with pytest.raises(Cut):
                    await link.receive()
            while not codes:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert codes == [1006]


async def test_a_broker_that_says_nothing_to_hello_is_given_up(
    autojump_clock: trio.testing.MockClock, broker: FakeBroker
) -> None:
    broker.mute_hello = True
    async with open_link(Address("x", 1, secure=False), dial=broker.dial) as link:
        with pytest.raises(Cut, match="did not answer"):
            await sign_in(link, HELLO)
