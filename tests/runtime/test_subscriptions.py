"""Cursors: where they start, what they get, what becomes of a slow reader, and when they end."""

# covers: broker/runtime/cursors.py
# covers: broker/runtime/feeds.py
# covers: broker/runtime/outbox.py
# covers: broker/runtime/asks.py

from collections.abc import Sequence

import attrs
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.protocol import check, frames
from broker.runtime.options import ROLES, Options
from broker.runtime.outbox import joined
from tests.runtime.harness import Client, Refused, broker

QUICK = {role: attrs.evolve(found, rate=(1e6, 1e6)) for role, found in ROLES.items()}
SMALL = Options(roles=QUICK, outbox_bytes=2000, ring_events=8, page_events=5)
"""So small that a few events fill everything."""


async def flip(client: Client, count: int, first: int = 0) -> None:
    """So many presence.changed in ``team:t1`` and ``me:<person>``."""
    for number in range(first, first + count):
        await client.write("presence.set", presence="away" if number % 2 else "available")


def offsets(client: Client, stream: str = "team:t1") -> list[int]:
    """Of the events seen so far."""
    client.pump()
    return [frame.offset for frame in client.seen if isinstance(frame, frames.Event) and frame.stream == stream]


async def test_from_now_on(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await flip(ann, 3)
        value = await boss.ask("subscribe", stream="team:t1", from_="now")
        check.check_result("subscribe", value)
        await flip(ann, 2, 3)
        await b.settle()
        assert offsets(boss) == [value["offset"] + 1, value["offset"] + 2]


async def test_from_an_offset_on_without_gap_or_repeat(autojump_clock: MockClock) -> None:
    async with broker(Options(roles=QUICK, page_events=4)) as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await flip(ann, 20)
        await boss.ask("subscribe", stream="team:t1", from_="offset", offset=5)
        await flip(ann, 3, 20)
        await b.settle()
        assert offsets(boss) == list(range(6, offsets(boss)[-1] + 1))
        assert len(offsets(boss)) >= 20


async def test_from_a_time_on(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await flip(ann, 2)
        await trio.sleep(1)
        since = b.clock.now()
        await trio.sleep(1)
        await flip(ann, 2)
        await boss.ask("subscribe", stream="team:t1", from_="time", time=since)
        await b.settle()
        boss.pump()
        events = [frame for frame in boss.seen if isinstance(frame, frames.Event)]
        assert len(events) == 2
        assert all(event.t_ms >= since for event in events)


async def test_a_snapshot_and_what_comes_after_it(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        joe = await b.customer()
        await joe.write("request.create", text="help", name="Joe")
        value = await ann.ask("subscribe", stream="me", from_="snapshot")
        first = await ann.expect(frames.Snapshot)
        assert (first.stream, first.offset, first.part) == ("me", value["offset"], 0)
        parts = [first]
        while not parts[-1].last:
            parts.append(await ann.expect(frames.Snapshot))
        offers = next(part.data["offers"] for part in parts if "offers" in part.data)
        assert (offers[0]["text"], offers[0]["name"]) == ("help", "Joe")
        await ann.write("offer.accept", offer=offers[0]["offer"])
        assert offsets(ann, "me") == [
            value["offset"] + n for n in (1, 2, 3)
        ]  # case.changed, offer.ended, session.opened


async def test_a_snapshot_comes_in_bounded_parts_and_does_not_fill_a_slow_readers_memory(
    autojump_clock: MockClock,
) -> None:
    names = [f"rep{number:04}" for number in range(350)]
    async with broker(Options(roles=QUICK, outbox_bytes=4000)) as b:
        await b.furnish(names)
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="team:t1", from_="snapshot")
        parts = [await boss.expect(frames.Snapshot)]
        while not parts[-1].last:
            parts.append(await boss.expect(frames.Snapshot))
        assert [part.part for part in parts] == list(range(len(parts)))
        assert len(parts) >= 4
        assert (
            sorted(item["representative"] for part in parts for item in part.data["representatives"])[:350]
            == sorted(["ann", "bob", *names])[:350]
        )


async def test_snapshots_of_one_connection_are_made_and_sent_one_after_another(autojump_clock: MockClock) -> None:
    async with broker(Options(roles=QUICK, outbox_bytes=3000)) as b:
        await b.furnish([f"rep{number:04}" for number in range(250)])
        boss = await b.staff_slow("boss", 3000)
        streams = ["team:t1", "account", "me", "subportal:help-1"]
        numbers = [boss.ask_nowait("subscribe", stream=stream, from_="snapshot") for stream in streams]
        dropped = boss.ask_nowait("unsubscribe", stream="me")
        await b.settle()
        assert b.hub.subscriptions.snapshots == 1
        await b.drain(boss)
        assert b.hub.subscriptions.snapshots == 3
        answered = {frame.id: frame for frame in boss.seen if isinstance(frame, frames.Result | frames.Fail)}
        assert set(numbers) | {dropped} <= set(answered)
        assert isinstance(answered[numbers[2]], frames.Fail)
        last = [frame.stream for frame in boss.seen if isinstance(frame, frames.Snapshot) and frame.last]
        assert last == ["team:t1", "account", "subportal:help-1"]
        assert b.hub.feeds.statistics().behind == 0


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ({"stream": "team:t1", "from": "now"}, Code.NO_SUCH),
        ({"stream": "nothing", "from": "now"}, Code.NO_SUCH),
        ({"stream": "me:ann", "from": "now"}, Code.NO_SUCH),
        ({"stream": "me", "from": "offset"}, Code.BAD_ARGS),
        ({"stream": "me", "from": "time"}, Code.BAD_ARGS),
        ({"stream": "me", "from": "never"}, Code.BAD_ARGS),
    ],
)
async def test_a_stream_that_is_not_for_this_reader_is_refused(
    autojump_clock: MockClock, args: dict[str, object], code: Code
) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        with pytest.raises(Refused) as refused:
            await ann.ask("subscribe", None, **args)
        assert refused.value.code == code


async def test_so_many_subscriptions_and_no_more(autojump_clock: MockClock) -> None:
    async with broker(Options(max_subscriptions=2)) as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="team:t1", from_="now")
        await boss.ask("subscribe", stream="account", from_="now")
        await boss.ask("subscribe", stream="account", from_="now")  # the same again moves the cursor
        with pytest.raises(Refused) as refused:
            await boss.ask("subscribe", stream="me", from_="now")
        assert refused.value.code == Code.QUOTA
        await boss.ask("unsubscribe", stream="account")
        await boss.ask("subscribe", stream="me", from_="now")
        with pytest.raises(Refused):
            await boss.ask("unsubscribe", stream="account")


async def test_subscriptions_that_wait_for_their_place_count_too(autojump_clock: MockClock) -> None:
    async with broker(Options(max_subscriptions=2)) as b:
        boss = await b.staff("boss", "manager")
        streams = ("team:t1", "account", "me", "subportal:help-1")
        numbers = [boss.ask_nowait("subscribe", stream=stream, from_="time", time=0) for stream in streams]
        for number in numbers[:2]:
            await boss.answer(number)
        for number in numbers[2:]:
            with pytest.raises(Refused) as refused:
                await boss.answer(number)
            assert refused.value.code == Code.QUOTA


async def test_an_offset_past_the_end_is_a_gap_that_says_too_far(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        value = await boss.ask("subscribe", stream="team:t1", from_="offset", offset=1000)
        gap = await boss.expect(frames.Gap)
        assert (gap.from_, gap.to, gap.reason) == (value["offset"] + 1, 1000, "too_far_behind")
        await flip(ann, 1)
        assert (await boss.event("presence.changed")).offset == value["offset"] + 1


async def test_a_filter_skips_events_but_not_offsets_and_tells_how_far_it_is(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss, ann = await b.staff("boss", "manager"), await b.staff("ann")
        await boss.ask("subscribe", stream="account", from_="now", types=["request.created"])
        await ann.write("presence.set", presence="available")
        await (await b.customer()).write("request.create", text="x")
        created = await boss.event("request.created")
        notice = await boss.expect(frames.Notice, type="progress")
        assert notice.data["offset"] > created.offset
        while notice.data["offset"] < b.hub.accounts["acme"].desk.stream_head("account"):  # a period may end in between
            notice = await boss.expect(frames.Notice, type="progress")
        check.check_notice("progress", notice.data)
        types = {frame.type for frame in boss.seen if isinstance(frame, frames.Event)}
        assert types == {"request.created"}
        await trio.sleep(5)  # periods pass; nobody is taken for lost yet
        assert [frame for frame in boss.pump() if isinstance(frame, frames.Notice)] == []


async def test_a_slow_reader_falls_behind_and_comes_back_by_the_ring_without_gap_or_repeat(
    autojump_clock: MockClock,
) -> None:
    async with broker(attrs.evolve(SMALL, ring_events=1000)) as b:
        ann = await b.staff("ann")
        boss = await b.staff_slow("boss", 2000)
        value = await boss.ask("subscribe", stream="team:t1", from_="now")
        await flip(ann, 100)
        assert b.hub.feeds.statistics().behind == 1
        await b.drain(boss)
        assert offsets(boss) == list(range(value["offset"] + 1, value["offset"] + 101))
        statistics = b.hub.feeds.statistics()
        assert (statistics.behind, statistics.pages) == (0, 0)


async def test_a_slower_one_is_fed_by_the_journals_reader_until_it_rejoins(autojump_clock: MockClock) -> None:
    async with broker(SMALL) as b:
        ann = await b.staff("ann")
        boss = await b.staff_slow("boss", 2000)
        value = await boss.ask("subscribe", stream="team:t1", from_="now")
        await flip(ann, 200)
        assert len(b.hub.accounts["acme"].streams["team:t1"].ring) == 8
        await b.drain(boss)
        assert offsets(boss) == list(range(value["offset"] + 1, value["offset"] + 201))
        await flip(ann, 1)
        await b.settle()
        assert offsets(boss)[-1] == value["offset"] + 201
        statistics = b.hub.feeds.statistics()
        assert statistics.behind == 0
        assert statistics.pages > 10


async def test_who_does_not_read_costs_nobody_else_anything_and_is_sent_away(autojump_clock: MockClock) -> None:
    async with broker(SMALL) as b:
        ann, quick = await b.staff("ann"), await b.staff("chief", "manager")
        boss = await b.staff_slow("boss", 2000)
        await quick.ask("subscribe", stream="team:t1", from_="now")
        await boss.ask("subscribe", stream="team:t1", from_="now")
        with boss.peer.pipe.stall_writes():
            await flip(ann, 100)
            assert len(offsets(quick)) == 100
            began = b.clock.now()
            while b.hub.watch.too_slow == 0:
                await trio.sleep(0.5)
                quick.pump()
                ann.pump()
            assert 9000 <= b.clock.now() - began <= 11_000
        await b.settle(6)
        assert (await boss.ended()).code in (Close.TOO_SLOW, 1006)
        assert b.hub.feeds.statistics().cursors == 1


async def test_the_result_waits_for_its_events_also_on_a_slow_connection(autojump_clock: MockClock) -> None:
    async with broker(SMALL) as b:
        ann = await b.staff_slow("ann", 1000)
        await ann.ask("subscribe", stream="me", from_="now")
        numbers = []
        for number in range(30):
            numbers.append(ann.ask_nowait("presence.set", f"k{number}", presence="away" if number % 2 else "available"))
            await b.settle()
        await b.drain(ann)
        told: list[int] = []
        for frame in ann.seen:
            if isinstance(frame, frames.Event):
                told.append(frame.offset)
            elif isinstance(frame, frames.Result) and frame.offsets:
                assert frame.offsets["me"] in told
        assert len([frame for frame in ann.seen if isinstance(frame, frames.Result) and frame.id in numbers]) == 30


async def test_who_does_not_read_its_answers_is_not_read_from(autojump_clock: MockClock) -> None:
    async with broker(SMALL) as b:
        boss = await b.staff_slow("boss", 1000)
        numbers = await b.until_full(lambda: boss.ask_nowait("account.get"))
        connection = next(c for c in b.hub.peers.connections if c.identity and c.identity.person == "boss")
        assert connection.paused
        assert connection.link.pending < 20_000
        await b.drain(boss)
        answered = [frame.id for frame in boss.seen if isinstance(frame, frames.Result | frames.Fail)]
        assert [number for number in answered if number in numbers] == numbers
        assert not connection.paused


async def test_a_lost_right_ends_the_cursor_with_a_gap(autojump_clock: MockClock) -> None:
    async with broker() as b:
        boss, ann = await b.staff("boss", "manager"), await b.staff("ann")
        await boss.write("team.put", team="t2", subportals=["ask-1"])
        await boss.write("representative.put", representative="bob", name="B", team="t2", capacity=3)
        await ann.write("presence.set", presence="available")
        await ann.ask("subscribe", stream="subportal:ask-1", from_="now")
        b.journal.hold()
        boss.ask_nowait("team.put", "k1", team="t1", subportals=["help-1"])
        await b.settle()
        assert not [frame for frame in ann.pump() if isinstance(frame, frames.Gap)]
        b.journal.release()
        gap = await ann.expect(frames.Gap)
        assert (gap.stream, gap.reason) == ("subportal:ask-1", "rights")
        bob = await b.staff("bob")
        await bob.write("presence.set", presence="available")
        await (await b.customer("acme/ask")).write("request.create", text="x")
        await b.settle()
        assert not [frame for frame in ann.pump() if isinstance(frame, frames.Event)]
        assert b.hub.feeds.statistics().cursors == 0


async def test_signing_out_ends_the_sub_portals_and_not_the_others(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.write("presence.set", presence="available")
        await ann.ask("subscribe", stream="subportal:ask-1", from_="now")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="offline")
        gap = next(frame for frame in ann.seen if isinstance(frame, frames.Gap))
        assert gap.stream == "subportal:ask-1"
        assert b.hub.feeds.statistics().cursors == 1


async def test_streams_that_nobody_follows_are_not_kept(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        streams = b.hub.accounts["acme"].streams
        assert list(streams) == ["me:ann"]
        await ann.ask("unsubscribe", stream="me")
        assert streams == {}
        await ann.ask("subscribe", stream="me", from_="now")
        ann.cut()
        await b.settle()
        assert streams == {}
        assert b.hub.feeds.statistics().cursors == 0


async def test_an_ended_session_can_still_be_read_to_its_end(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        joe = await b.customer()
        made = await joe.write("request.create", text="x")
        await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
        await joe.write("session.end", session=made["session"])
        stream = f"session:{made['session']}"
        value = await joe.ask("subscribe", stream=stream, from_="offset", offset=0)
        assert value["offset"] == 0
        await b.settle()
        events = [frame for frame in joe.pump() if isinstance(frame, frames.Event)]
        assert [event.type for event in events] == ["session.opened", "session.ended"]
        assert [event.offset for event in events] == [1, 2]


async def test_an_event_is_packed_once_for_all(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        bosses = [await b.staff(f"boss{number}", "manager") for number in range(20)]
        for boss in bosses:
            await boss.ask("subscribe", stream="team:t1", from_="now")
        await flip(ann, 1)
        await b.settle()
        stream = b.hub.accounts["acme"].streams["team:t1"]
        assert len(stream.live) == 20
        assert len(stream.ring) == 1
        assert all(len(offsets(boss)) == 1 for boss in bosses)
        assert b.hub.feeds.statistics().deliveries == 20


async def test_two_subscribes_at_once_leave_one_cursor(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, boss = await b.staff("ann"), await b.staff("boss", "manager")
        await flip(ann, 4)
        numbers = [
            boss.ask_nowait("subscribe", stream="team:t1", from_="time", time=0),
            boss.ask_nowait("subscribe", stream="team:t1", from_="snapshot"),
            boss.ask_nowait("subscribe", stream="team:t1", from_="now"),
        ]
        for number in numbers[:2]:
            with pytest.raises(Refused) as refused:
                await boss.answer(number)
            assert refused.value.code == Code.WRONG_STATE
        await boss.answer(numbers[2])
        await b.settle()
        assert b.hub.feeds.statistics().cursors == 1
        boss.pump()
        await flip(ann, 1)
        await b.settle()
        assert len([frame for frame in boss.pump() if isinstance(frame, frames.Event)]) == 1


@settings(max_examples=settings().max_examples // 4)
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("flip"), st.integers(1, 12)),
            st.tuples(st.just("read"), st.integers(1, 4000)),
            st.tuples(st.just("again"), st.integers(0, 40)),
        ),
        min_size=1,
        max_size=25,
    ),
    types=st.sampled_from([None, ["presence.changed"]]),
)
def test_whatever_a_reader_does_it_sees_each_event_once_and_in_order(
    steps: Sequence[tuple[str, int]], types: list[str] | None
) -> None:
    trio.run(_read_anyhow, steps, types, clock=MockClock(autojump_threshold=0))


async def _read_anyhow(steps: Sequence[tuple[str, int]], types: list[str] | None) -> None:
    async with broker(SMALL) as b:
        ann = await b.staff("ann")
        boss = await b.staff_slow("boss", 700)
        await boss.ask("subscribe", stream="team:t1", from_="offset", offset=0, types=types)
        expected_first, flips = 1, 0
        for what, size in steps:
            if what == "flip":
                await flip(ann, size, flips)
                flips += size
            elif what == "read":
                await _read_some(boss, size)
            else:
                await b.drain(boss)
                before = offsets(boss)
                assert before == sorted(set(before))
                boss.seen.clear()
                number = boss.ask_nowait("subscribe", stream="team:t1", types=types, from_="offset", offset=size)
                while not [f for f in boss.seen if isinstance(f, frames.Result) and f.id == number]:
                    await b.settle()
                    boss.pump()
                head = b.hub.accounts["acme"].desk.stream_head("team:t1")
                expected_first = min(size, head) + 1
        await b.drain(boss)
        seen = offsets(boss)
        head = b.hub.accounts["acme"].desk.stream_head("team:t1")
        hidden = [
            offset
            for offset, record in b.store.stream("acme", "team:t1", 0, 10_000)
            if types and ("team:t1", offset, "presence.changed") not in record.entries
        ]
        assert seen == [offset for offset in range(expected_first, head + 1) if offset not in hidden]
        assert b.hub.feeds.statistics().behind == 0


async def _read_some(client: Client, size: int) -> None:
    data = bytes(client.peer.pipe._to_peer[:size])
    del client.peer.pipe._to_peer[:size]
    client.peer.pipe._change()
    client.peer._inbox.extend(client.peer.client.receive(data))
    await trio.sleep(0.01)


@given(st.lists(st.integers(1, 70_000), min_size=1, max_size=200))
def test_joined_messages_hold_what_was_put_in_and_keep_the_bounds(sizes: list[int]) -> None:
    payloads = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    messages = joined(payloads)
    assert b"".join(messages) == b"".join(payloads)
    assert all(len(message) <= 256 * 1024 for message in messages)
    assert len(messages) >= len(payloads) / 64
