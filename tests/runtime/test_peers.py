"""Whatever clients send: never a fault, never unbounded memory, always the documented code."""

# covers: broker/runtime/connection.py

import gc
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.journal.inline import InlineJournal
from broker.journal.memory import MemoryStore
from broker.protocol import check, codec, frames
from broker.runtime.admission import AddressLimits
from broker.runtime.clock import TrioClock
from broker.runtime.hub import Hub
from broker.runtime.keyring import Secrets
from broker.runtime.options import Options
from broker.transport.memory import MemoryTransport
from broker.transport.stream import HttpStream
from tests.runtime.harness import KEY, PINS, SIGNER, Client, broker

CODES = {int(code) for code in Close} | {1000, 1002, 1003, 1006, 1007, 1009}

_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8) | st.binary(max_size=8)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
_rows = st.tuples(st.integers(0, 200), _values, _values, _values, _values).map(lambda row: codec.pack_value(list(row)))
_ops = st.sampled_from(sorted(check.ROLES))
_requests = st.builds(
    lambda number, op, args, key: codec.pack_value([16, number, op, args, key]),
    st.integers(0, 5),
    _ops,
    st.dictionaries(
        st.sampled_from(
            ["stream", "from", "offset", "request", "offer", "text", "presence", "session", "pin", "token"]
        ),
        st.sampled_from(["me", "now", "offset", "snapshot", "available", "team:t1", "account", 0, 7, "", None]),
        max_size=4,
    ),
    st.none() | st.sampled_from(["k1", "k2", "k3"]),
)
_hello = codec.pack(frames.Hello([1], [], {"portal": "acme/help"}, {}))
_messages = st.one_of(
    st.binary(max_size=60),
    _rows,
    _requests,
    st.lists(_requests, min_size=2, max_size=5).map(b"".join),
    st.just(_hello),
    st.just(codec.pack(frames.Ping(1, 1))),
    st.just(codec.pack(frames.Signal("sh_1", "ice", b"x"))),
    st.just(codec.pack(frames.Goodbye(1000, "", 0))),
)


@settings(max_examples=settings().max_examples // 2, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.booleans(), _messages), min_size=1, max_size=15), st.sampled_from(["before", "after"]))
def test_whatever_is_sent_is_answered_by_the_book(messages: Sequence[tuple[bool, bytes]], welcome: str) -> None:
    trio.run(_send_anything, messages, welcome, clock=MockClock(autojump_threshold=0))


async def _send_anything(messages: Sequence[tuple[bool, bytes]], welcome: str) -> None:
    async with broker() as b:
        if welcome == "after":
            odd, other = await b.staff("ann"), await b.customer()
        else:
            odd, other = Client(b.transport.connect()), Client(b.transport.connect())
        good = await b.staff("bob")
        for first, message in messages:
            client = odd if first else other
            try:
                client.peer.send_nowait(message)
            except trio.BrokenResourceError:
                continue
            await b.settle(0.002)
            client.pump()
        for client in (odd, other):
            if client.goodbye is not None:
                assert client.goodbye.code in CODES
            for frame in client.seen:
                if isinstance(frame, frames.Fail):
                    assert frame.code in set(Code)
                    assert frame.code != Code.INTERNAL
        assert (await good.write("presence.set", presence="available"))["presence"] == "available"
        # `broker` itself checks that no fault was met


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\xdd\xff\xff\xff\xff", Close.PROTOCOL),
        (b"\x91" * 100, Close.PROTOCOL),
        (b"\x92\x03", Close.PROTOCOL),
        (codec.pack(frames.Welcome(1, [], {"account": "a", "person": "p", "role": "service"}, {}, 1000, {})), 4501),
        (b"", Close.PROTOCOL),
    ],
)
async def test_hostile_bytes_end_the_connection_with_their_code(
    autojump_clock: MockClock, message: bytes, code: int
) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        ann.peer.send_nowait(message)
        assert (await ann.ended()).code == code


async def test_an_unknown_kind_is_answered_once_and_then_ends_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        ann.peer.send_nowait(codec.pack_value([77, 1]))
        fail = await ann.expect(frames.Fail)
        assert (fail.id, fail.code) == (0, Code.NO_SUCH)
        ann.peer.send_nowait(codec.pack_value([77, 1]))
        assert (await ann.ended()).code == Close.PROTOCOL


async def test_pings_are_answered_and_a_flood_of_them_is_not(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        ann.send(frames.Ping(42, 1))
        assert (await ann.expect(frames.Pong)).nonce == 42
        for _ in range(200):
            if ann.goodbye is None:
                ann.send(*[frames.Ping(number, 1) for number in range(64)])
                await b.settle(0.001)
                ann.pump()
        assert ann.goodbye is not None
        assert ann.goodbye.code == Close.TOO_FAST


async def test_a_flood_of_pings_that_nobody_reads_answers_of_stays_bounded(autojump_clock: MockClock) -> None:
    async with broker(Options(frame_rate=(1e9, 1e9), outbox_bytes=4000)) as b:
        ann = await b.staff("ann")
        connection = next(c for c in b.hub.peers.connections if c.identity and c.identity.person == "ann")
        with ann.peer.pipe.stall_writes():
            await b.until_full(lambda: ann.send(*[frames.Ping(number, 1) for number in range(64)]))
        assert connection.paused
        assert connection.link.pending < 20_000


async def test_frames_that_were_sent_before_the_pause_are_handled_in_order_after_it(
    autojump_clock: MockClock,
) -> None:
    async with broker(Options(outbox_bytes=3000)) as b:
        boss = await b.staff_slow("boss", 1500)
        numbers = list(range(500, 530))
        boss.send(*[frames.Request(number, "account.get", {}) for number in numbers])
        await b.settle()
        connection = next(c for c in b.hub.peers.connections if c.identity and c.identity.person == "boss")
        assert connection.backlog
        boss.send(frames.Request(999, "account.get", {}))
        await b.drain(boss)
        answered = [frame.id for frame in boss.seen if isinstance(frame, frames.Result)]
        assert answered == [*numbers, 999]
        assert connection.backlog is None


async def test_memory_stays_flat_over_thousands_of_comers_and_goers(autojump_clock: MockClock) -> None:
    async with broker() as b:

        async def round_(count: int) -> None:
            for number in range(count):
                joe = await b.customer()
                await joe.ask("subscribe", stream="me", from_="now")
                if number % 2:
                    joe.cut()
                else:
                    joe.peer.close()
            await b.settle(10)

        await round_(100)
        tracemalloc.start()
        try:
            await round_(200)
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            await round_(300)
            gc.collect()
            after = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        assert after - before < 80_000  # one that stayed would cost 2 KB
        statistics = b.hub.statistics()
        assert (statistics.connections, statistics.feeds.cursors, statistics.feeds.streams) == (0, 0, 0)


async def test_a_text_message_and_a_message_that_is_too_large_end_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        with suppress(trio.BrokenResourceError):
            await ann.peer.send(bytes(300_000))
        assert (await ann.ended()).code in (1009, Close.PROTOCOL)


async def test_services_may_send_larger_messages(autojump_clock: MockClock) -> None:
    async with broker() as b:
        robot = await b.staff("robot", "service")
        assert robot.welcome is not None
        assert robot.welcome.limits["message_bytes"] == 1 << 20
        padding = {"padding": [b"x" * 10_000] * 40}
        await robot.peer.send(codec.pack(frames.Request(1, "meta.schema", padding)))
        await robot.expect(frames.Result)


async def test_idle_pages_make_room_for_the_next(autojump_clock: MockClock) -> None:
    clock, transport = TrioClock(), MemoryTransport()
    served: list[HttpStream] = []
    hub = Hub(
        transport=transport,
        journal=InlineJournal(MemoryStore(), {}, on_outcome=transport.wake),
        clock=clock,
        secrets=Secrets(signer=SIGNER, pinspace=PINS, fingerprint_key=KEY),
        accounts=(),
        options=Options(max_http=2),
        serve_http=served.append,
    )
    pipes = []
    for _ in range(3):
        pipe = transport.dial()
        pipe.give(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        pipes.append(pipe)
        for _ in range(3):
            hub.step()
    assert len(served) == 3
    assert len(hub.peers.http) == 2
    hub.step()
    assert pipes[0].ended
    assert not pipes[1].ended
    transport.dispose()


async def test_the_address_of_who_is_sent_away_for_being_too_fast_gets_no_more_of_them(
    autojump_clock: MockClock,
) -> None:
    async with broker(Options(addresses=AddressLimits(failures=(0.001, 2)))) as b:
        for _ in range(2):
            joe = await b.customer(address="203.0.113.9")
            for _ in range(200):
                joe.ask_nowait("portal.open")
            assert (await joe.ended()).code == Close.TOO_FAST
        with pytest.raises(ConnectionRefusedError):
            b.transport.connect(address="203.0.113.9")
        assert b.hub.admission.refusals["failures"] == 1
        await b.customer(address="203.0.113.10")


async def test_who_signs_in_is_welcome_at_the_transport_and_nobody_else(autojump_clock: MockClock) -> None:
    async with broker() as b:
        before = set(b.transport._links.values())
        await b.staff("ann")
        Client(b.transport.connect())
        await b.settle()
        new = [link for link in b.transport._links.values() if link not in before]
        assert [link.known for link in new] == [True, False]
