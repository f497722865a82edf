"""The client against a broker that does what the test says: errors, limits, heartbeats, goodbyes."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from broker.codes import Code
from broker.protocol.errors import LocalProtocolError
from broker.protocol.frames import Event, Frame, Gap, Notice, Request, Result, Signal, Unknown
from broker.protocol.ops import MetaSchema, OfferAccept, PinCreate
from clients.python import errors
from clients.python.following import View
from tests.clients.python.fake_broker import FakeBroker
from tests.clients.python.world import connected, fails

# --- requests -----------------------------------------------------------------------------------------


async def test_a_request_gives_its_result(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        answer = await client.request(OfferAccept("o_1"))
        assert answer["args"] == {"offer": "o_1"}
        assert answer.offsets == {"me": 1}
        assert not answer.replayed


async def test_what_writes_gets_a_new_key_each_time_and_what_reads_none(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client:
        for command in (PinCreate(), PinCreate(), MetaSchema()):
            await client.request(command)
        first, second, third = [frame.key for frame in broker.seen if isinstance(frame, Request)]
    assert first is not None
    assert second is not None
    assert first != second
    assert third is None


async def test_the_same_key_gives_the_same_answer_marked_replayed(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client:
        first = await client.request(OfferAccept("o_1"), key="mine")
        again = await client.request(OfferAccept("o_1"), key="mine")
    assert again.replayed
    assert again["number"] == first["number"]
    assert len(broker.carried_out) == 1


@pytest.mark.parametrize("code", [Code.OFFER_GONE, Code.DEADLINE, Code.INTERNAL])
async def test_a_refusal_is_raised_as_its_error(autojump_clock: MockClock, broker: FakeBroker, code: Code) -> None:
    broker.handler = fails(code, 1)
    async with connected(broker) as client:
        with pytest.raises(errors.REFUSALS[code]) as caught:
            await client.request(OfferAccept("o_1"), key="mine")
    assert caught.value.key == "mine"
    assert caught.value.op == "offer.accept"


@pytest.mark.parametrize("code", [Code.RATE, Code.JOURNAL_DOWN, Code.UNKNOWN_OUTCOME, Code.OVERLOADED])
async def test_a_later_is_repeated_with_its_key_not_before_its_time(
    autojump_clock: MockClock, broker: FakeBroker, code: Code
) -> None:
    broker.handler = fails(code, 3, retry_ms=1000)
    async with connected(broker) as client:
        before = trio.current_time()
        await client.request(OfferAccept("o_1"))
        assert trio.current_time() - before >= 3
    requests = [frame for frame in broker.seen if isinstance(frame, Request)]
    assert len(requests) == 4
    assert len({frame.key for frame in requests}) == 1


async def test_patience_has_an_end_and_long_pauses_are_the_callers(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client:
        broker.handler = fails(Code.OVERLOADED, 100)
        with pytest.raises(errors.Overloaded):
            await client.request(OfferAccept("o_1"))
        broker.handler = fails(Code.RATE, 1, retry_ms=60_000)
        with pytest.raises(errors.RateLimited) as caught:
            await client.request(OfferAccept("o_1"))
        assert caught.value.retry_ms == 60_000


async def test_no_more_requests_are_in_flight_than_the_broker_allows(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    broker.limits = {"inflight": 3}
    answers: list[Frame] = []
    broker.handler = lambda peer, request: answers.append(Result(request.id, {})) or []  # type: ignore[func-returns-value]
    async with connected(broker) as client, trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(client.request, OfferAccept(f"o_{number}"))
        await trio.testing.wait_all_tasks_blocked()
        assert len(broker.seen) == 3
        await broker.peers[0].send(answers[0])
        await trio.testing.wait_all_tasks_blocked()
        assert len(broker.seen) == 4
        nursery.cancel_scope.cancel()


async def test_requests_keep_to_the_rate_of_welcome(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.limits = {"commands_per_second": 5, "commands_burst": 10}
    async with connected(broker) as client:
        before = trio.current_time()
        for _ in range(20):
            await client.request(MetaSchema())
        assert 2 <= trio.current_time() - before <= 2.3


async def test_what_is_too_large_is_refused_before_it_is_sent(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.limits = {"frame_bytes": 2000}
    async with connected(broker) as client:
        with pytest.raises(errors.TooLarge):
            await client.call("offer.decline", {"offer": "o_1", "reason": "x" * 3000})
        await client.request(MetaSchema())
    assert len([frame for frame in broker.seen if isinstance(frame, Request)]) == 1


@pytest.mark.parametrize(
    ("op", "args", "path"),
    [
        ("chat.send", {"session": "s_1", "text": "x" * 16385}, "args.text"),
        ("chat.send", {"session": "s_1", "text": "\U0001f600" * 4097}, "args.text"),
        ("session.describe", {"session": "s_1", "kind": "device", "data": {"a": ("x" * 20_000,)}}, "args.data.a[0]"),
        ("team.put", {"team": "t", "subportals": [], "functions": {"x" * 16385: True}}, "args.functions"),
        ("file.chunk", {"file": "f_1", "offset": 0, "data": bytes(49153)}, "args.data"),
        ("offer.accept", {"offer": "o" * 65}, "args.offer"),
    ],
)
async def test_a_text_that_is_too_long_is_named_before_anything_is_sent(
    autojump_clock: MockClock, broker: FakeBroker, op: str, args: dict[str, object], path: str
) -> None:
    async with connected(broker) as client:
        with pytest.raises(errors.TooLarge) as refused:
            await client.call(op, args, key="k")
        assert (refused.value.code, refused.value.path, refused.value.op) == (2413, path, op)
        assert str(refused.value).startswith(f"{op}: {path}: expected ")
        assert isinstance(refused.value, errors.BadArgs)
        await client.request(MetaSchema())
        assert (broker.dials, [frame.op for frame in broker.seen if isinstance(frame, Request)]) == (1, ["meta.schema"])


async def test_what_else_is_wrong_is_the_brokers_to_say(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        for op, args in (("chat.send", {"session": "s_1"}), ("chat.shout", {"text": "x" * 20_000})):
            await client.call(op, args)
    assert [frame.args for frame in broker.seen if isinstance(frame, Request)] == [
        {"session": "s_1"},
        {"text": "x" * 20_000},
    ]


async def test_what_would_be_no_request_is_not_sent(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        with pytest.raises(LocalProtocolError, match=r"REQUEST\.key: expected a string of 1 to 64 bytes"):
            await client.request(PinCreate(), key="k" * 65)
        with pytest.raises(LocalProtocolError, match=r"REQUEST\.op: expected a string of 1 to 64 bytes"):
            await client.call("x" * 65, {})
        with pytest.raises(LocalProtocolError, match="more than 4096 values"):
            await client.call("meta.schema", {"x": [0] * 4096})
        with pytest.raises(errors.TooLarge, match=r"args\.stream: expected a string of 1 to 128 bytes"):
            client.subscribe("s" * 129)
        with pytest.raises(errors.TooLarge, match=r"args.types\[1\]: expected a string of 0 to 64 bytes"):
            client.subscribe("me", types=["chat.message", "x" * 65])
        await client.request(MetaSchema())
    assert (broker.dials, len([frame for frame in broker.seen if isinstance(frame, Request)])) == (1, 1)


async def test_a_request_whose_caller_left_is_not_sent_again(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.handler = lambda peer, request: []
    async with connected(broker) as client:
        with trio.move_on_after(1):
            await client.request(OfferAccept("o_1"))
        await client.cut()
        broker.handler = lambda peer, request: None
        await client.request(MetaSchema())
    assert [frame.op for frame in broker.seen if isinstance(frame, Request)] == ["offer.accept", "meta.schema"]


async def test_an_unanswered_request_is_sent_again_with_its_key_after_a_cut(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    broker.handler = lambda peer, request: []
    async with connected(broker) as client, trio.open_nursery() as nursery:
        nursery.start_soon(client.request, OfferAccept("o_1"))
        await trio.testing.wait_all_tasks_blocked()
        broker.handler = lambda peer, request: None
        await client.cut()
    first, second = [frame for frame in broker.seen if isinstance(frame, Request)]
    assert first == second


async def test_after_the_block_everything_says_that_it_is_closed(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        me = client.subscribe("me")
        await me.wait_placed()
    for call in (lambda: client.request(MetaSchema()), me.__anext__):
        with pytest.raises(errors.ClosedError):
            await call()
    with pytest.raises(errors.ClosedError):
        client.subscribe("me")


async def test_an_exception_of_the_block_comes_out_as_it_is(autojump_clock: MockClock, broker: FakeBroker) -> None:
    with pytest.raises(KeyError):
        async with connected(broker):
            raise KeyError("mine")


async def test_leaving_says_goodbye(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker):
        peer = broker.peers[0]
    assert peer.ws.closed is not None
    assert peer.ws.closed.code == 1000


# --- streams ------------------------------------------------------------------------------------------


async def test_events_caused_by_a_request_are_read_before_its_answer(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client, client.subscribe("me") as me:
        answer = await client.request(OfferAccept("o_1"))
        assert me.offset == answer.offsets["me"]
        assert await me.next() == broker.streams["me"][0]


async def test_from_snapshot_gives_the_whole_state_then_events(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.publish("me")
    async with connected(broker) as client, client.subscribe("me", "snapshot") as me:
        broker.publish("me")
        await broker.flush()
        view, event = await me.next(), await me.next()
    assert view == View("me", 1, {"offers": [1, 2, 3], "sessions": []})
    assert isinstance(event, Event)
    assert event.offset == 2


async def test_from_a_time_and_with_types(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.publish("account", "a")
    broker.publish("account", "b")
    async with connected(broker) as client, client.subscribe("account", since=5, types=["b"]) as account:
        item = await account.next()
    assert isinstance(item, Event)
    assert item.type == "b"
    subscribed = next(frame for frame in broker.seen if isinstance(frame, Request))
    assert subscribed.args == {"stream": "account", "from": "time", "time": 5, "types": ["b"]}


async def test_a_stream_that_may_not_be_read_is_refused(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        with pytest.raises(errors.NoSuch):
            async with client.subscribe("secret"):
                pass
        secret = client.subscribe("secret")
        with pytest.raises(errors.NoSuch):
            await secret.next()


async def test_a_right_lost_while_away_is_a_gap_and_the_end(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client, client.subscribe("session:s_1", 0) as session:
        broker.handler = fails(Code.NO_SUCH, 1)
        await client.cut()
        assert [item async for item in session] == [Gap("session:s_1", 1, 1, "rights")]


async def test_one_subscription_a_stream_and_again_after_it_is_closed(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client:
        me = client.subscribe("me")
        with pytest.raises(ValueError, match="followed already"):
            client.subscribe("me")
        await me.wait_placed()
        me.close()
        async with client.subscribe("me"):
            pass
    asked = [frame.op for frame in broker.seen if isinstance(frame, Request)]
    assert asked[:3] == ["subscribe", "unsubscribe", "subscribe"]


async def test_a_subscription_closed_before_it_began_is_given_up(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        client.subscribe("me").close()
        await trio.testing.wait_all_tasks_blocked()
        await client.request(MetaSchema())
        assert "me" not in broker.peers[0].cursors


async def test_streams_beyond_the_limit_are_refused_here(autojump_clock: MockClock, broker: FakeBroker) -> None:
    broker.limits = {"subscriptions": 1}
    async with connected(broker) as client, client.subscribe("me"):
        with pytest.raises(errors.Quota):
            client.subscribe("account")


async def test_a_reader_slower_than_its_stream_misses_nothing_and_holds_up_nobody(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client, client.subscribe("me", 0) as me:
        for _ in range(1300):
            broker.publish("me")
        await broker.flush()
        await client.request(MetaSchema())  # not behind 1300 unread events
        assert me.offset is not None
        assert me.offset < 1300
        for offset in range(1, 1301):
            item = await me.next()
            assert isinstance(item, Event)
            assert item.offset == offset


async def test_a_hole_ends_the_connection_and_is_asked_for_again(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client, client.subscribe("me", 0) as me:
        broker.publish("me")
        event = broker.publish("me")
        await broker.peers[0].send(event)
        items = [await me.next(), await me.next()]
    assert [item.offset for item in items if isinstance(item, Event)] == [1, 2]
    assert broker.dials == 2


async def test_notices_and_gaps_are_items(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client, client.subscribe("me") as me:
        notice = Notice("me", "r_1", "queue.position", {"position": 2})
        gap = Gap("me", 1, 4, "retention")
        await broker.peers[0].send(notice, gap, Unknown(99, (1,)))
        assert [await me.next(), await me.next()] == [notice, gap]


# --- signals -------------------------------------------------------------------------------------


async def test_signals_go_out_and_come_in(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with connected(broker) as client:
        heard = client.signals("h_1")
        assert client.send_signal_nowait("h_1", "offer", b"sdp")
        assert await heard.receive() == Signal("h_1", "offer", b"sdp")
        assert client.send_signal_nowait("h_2", "ice", b"nobody listens")


async def test_a_signal_that_is_none_is_refused_before_it_is_sent(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    async with connected(broker) as client:
        with pytest.raises(errors.TooLarge, match=r"SIGNAL\.data: expected a bin of 0 to 16384 bytes") as refused:
            client.send_signal_nowait("h_1", "ice", bytes(16385))
        assert refused.value.path == "SIGNAL.data"
        for share in ("", "h" * 65, "\u00fc" * 33):
            with pytest.raises(ValueError, match=r"SIGNAL\.share: expected a string of 1 to 64 bytes"):
                client.send_signal_nowait(share, "ice", b"")
        heard = client.signals("h_1")
        assert client.send_signal_nowait("h_1", "ice", bytes(16384))
        assert await heard.receive() == Signal("h_1", "ice", bytes(16384))
    broker.limits = {"signal_bytes": 100}
    async with connected(broker) as client:
        with pytest.raises(errors.TooLarge, match="0 to 100 bytes"):
            client.send_signal_nowait("h_1", "ice", bytes(101))
    assert len([frame for frame in broker.seen if isinstance(frame, Signal)]) == 1
