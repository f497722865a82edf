"""The memory transport's peers: waiting for messages, and faults with names."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker import limits
from broker.transport.base import Closed, Drained, Happening, Messages, Opened
from broker.transport.client import Client, UpgradeRefused
from broker.transport.memory import LinkClosed, MemoryTransport
from broker.transport.websocket import BINARY, client_frame, may_close_with
from tests.transport.worlds import FakeClock


class Echo:
    """A hub that echoes, in a task."""

    def __init__(self, transport: MemoryTransport) -> None:
        self.transport = transport
        self.happenings: list[Happening] = []

    async def run(self) -> None:
        while True:
            await self.transport.ready(None)
            for happening in self.transport.poll():
                self.happenings.append(happening)
                if isinstance(happening, Messages):
                    self.transport.send(happening.link, [self.transport.prepare(m) for m in happening.messages])

    def count(self, kind: type) -> int:
        return sum(isinstance(h, kind) for h in self.happenings)


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    hub = Echo(MemoryTransport())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub
        nursery.cancel_scope.cancel()
    hub.transport.dispose()


async def test_a_peer_sends_and_receives_whole_messages(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"one")
    peer.send_nowait(b"two")
    assert await peer.receive() == b"one"
    assert await peer.receive() == b"two"
    with pytest.raises(trio.WouldBlock):
        peer.receive_nowait()


async def test_a_large_message_waits_for_room(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect(capacity=1000)
    large = bytes(limits.MAX_MESSAGE_BYTES)
    with pytest.raises(trio.WouldBlock):
        peer.send_nowait(large)
    await peer.send(large)
    assert await peer.receive() == large


async def test_a_link_that_is_closed_raises_for_the_peer(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"x")
    await peer.receive()
    peer.close(4000, "bye")
    with pytest.raises(LinkClosed) as caught:
        await peer.receive()
    assert caught.value.code == 4000
    with pytest.raises(trio.BrokenResourceError):
        await peer.send(b"late")
    (closed,) = [h for h in echo.happenings if isinstance(h, Closed)]
    assert (closed.code, closed.reason) == (4000, "bye")


async def test_a_refused_upgrade_raises_with_the_reason(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect(subprotocol="mqtt")
    with pytest.raises(UpgradeRefused, match=r"huntgroup\.v1\.msgpack") as caught:
        await peer.receive()
    assert caught.value.status == 400


async def test_address_and_origin_are_the_callers(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect(address="10.1.2.3", origin="https://a.example")
    await peer.send(b"x")
    await peer.receive()
    link = echo.happenings[0].link
    assert (link.address, link.origin) == ("10.1.2.3", "https://a.example")


async def test_stalled_writes_stay_pending_until_it_is_over(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"x")
    await peer.receive()
    with peer.pipe.stall_writes():
        await peer.send(b"y")
        await trio.sleep(100)
        with pytest.raises(trio.WouldBlock):
            peer.receive_nowait()
        assert echo.count(Drained) == 0
    assert await peer.receive() == b"y"
    await trio.sleep(1)
    assert echo.count(Drained) == 1


async def test_a_cable_that_is_cut_after_some_bytes(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"x")
    await peer.receive()
    peer.pipe.cut_after(5)
    await peer.send(b"never whole")
    with pytest.raises(LinkClosed) as caught:
        await peer.receive()
    assert caught.value.code == 1006
    await trio.sleep(1)
    assert echo.count(Closed) == 1


@pytest.mark.parametrize("fault", ["half_close", "abort"])
async def test_other_faults_end_the_link(echo: Echo, fault: str, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"x")
    await peer.receive()
    getattr(peer.pipe, fault)()
    with pytest.raises(LinkClosed):
        await peer.receive()
    await trio.sleep(1)
    assert echo.count(Closed) == 1


async def test_nothing_left_is_cut_at_once(echo: Echo, autojump_clock: MockClock) -> None:
    peer = echo.transport.connect()
    await peer.send(b"x")
    await peer.receive()
    peer.pipe.cut_after(0)
    await trio.sleep(1)
    assert echo.count(Closed) == 1


@pytest.mark.parametrize("full", [True, False])
async def test_nobody_comes_in_past_the_limit_or_after_shut(full: bool) -> None:  # noqa: FBT001 - a table's column
    from broker.transport.links import Settings

    transport = MemoryTransport(Settings(max_connections=1))
    transport.dial()
    if not full:
        transport.shut()
    with pytest.raises(ConnectionRefusedError):
        transport.connect()


async def test_idle_pipes_cost_a_tick_nothing(autojump_clock: MockClock) -> None:
    transport = MemoryTransport()
    peers = [transport.connect() for _ in range(200)]
    opened: list[Happening] = []
    while len(opened) < len(peers):
        await transport.ready(None)
        opened += transport.poll()
    transport.poll()
    peers[7].send_nowait(b"x")
    looked = transport._pipes.poll(1000)
    assert [(fd, mask) for fd, mask in looked if mask & 1] == [(peers[7].pipe.fd, 1)]
    assert len(transport._pipes._touched) == 1


@pytest.mark.slow
@given(
    st.booleans(),
    st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([Client().request(), client_frame(BINARY, b"x")]))),
)
def test_whatever_a_peer_sends_the_link_ends_in_a_documented_way(
    upgraded: bool,  # noqa: FBT001 - hypothesis gives it
    chunks: list[bytes],
) -> None:
    clock = FakeClock()
    transport = MemoryTransport(clock=clock)
    pipe = transport.dial(capacity=1_000_000)
    if upgraded:
        pipe.give(Client().request())
    happenings: list[Happening] = []
    for chunk in chunks:
        if not pipe.ended:
            with contextlib.suppress(trio.BrokenResourceError):
                pipe.give(chunk)
        happenings += transport.poll()
    pipe.half_close()
    for _ in range(3):
        happenings += transport.poll()
        pipe.take()
    for link in {h.link for h in happenings}:
        transport.close(link)
    happenings += transport.poll()
    clock.now += 60
    happenings += transport.poll()
    assert transport.statistics().links == transport.statistics().handshaking == 0
    opened = sum(isinstance(h, Opened) for h in happenings)
    closed = [h.code for h in happenings if isinstance(h, Closed)]
    assert len(closed) == opened
    assert all(code == 1005 or code == 1006 or may_close_with(code) for code in closed)


def test_a_transport_polled_by_hand_needs_no_trio() -> None:
    transport = MemoryTransport(clock=FakeClock())
    peer = transport.connect()
    peer.send_nowait(b"hello")
    messages = [h.messages for h in transport.poll() if isinstance(h, Messages)]
    assert messages == [[b"hello"]]
