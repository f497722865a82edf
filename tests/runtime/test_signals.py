"""SIGNAL: between the two ends of a share, from committed consent to its end, byte for byte."""

from random import Random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.journal.memory import MemoryStore
from broker.protocol import codec, frames
from broker.protocol.errors import RemoteProtocolError
from broker.runtime.options import Options
from broker.runtime.signals import _count
from tests.runtime.harness import Broker, Client, Refused, broker


async def sharing(b: Broker) -> tuple[Client, Client, str]:
    """Ann, joe and their share with full consent."""
    ann = await b.staff("ann")
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    joe = await b.customer("acme/ask")
    made = await joe.write("request.create", text="x")
    await ann.ask("subscribe", stream="subportal:ask-1", from_="snapshot")
    parts = await ann.expect(frames.Snapshot)
    await ann.write("offer.accept", offer=parts.data["offers"][0]["offer"])
    share = (await ann.write("share.request", session=made["session"]))["share"]
    await joe.write("share.accept", share=share)
    await joe.write("share.confirm", share=share)
    ann.pump()
    joe.pump()
    return ann, joe, share


def signals(client: Client) -> list[frames.Signal]:
    """Those that came since the last look."""
    return [frame for frame in client.pump() if isinstance(frame, frames.Signal)]


async def test_signals_go_both_ways_as_they_came(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        sent = [frames.Signal(share, kind, b"x" * size) for kind, size in (("offer", 300), ("ice", 0), ("restart", 20))]
        for frame in sent:
            ann.send(frame)
        joe.send(frames.Signal(share, "answer", b"y" * 200))
        await b.settle()
        assert signals(joe) == sent
        assert signals(ann) == [frames.Signal(share, "answer", b"y" * 200)]
        statistics = b.hub.signals.statistics()
        assert (statistics.relayed, statistics.unpacked, statistics.refused) == (4, 2, 0)


async def test_several_in_a_message_are_relayed_too(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        sent = [frames.Signal(share, "ice", bytes([number])) for number in range(64)]
        ann.send(*sent)
        ann.send(*sent)
        await b.settle()
        assert signals(joe) == [*sent, *sent]
        assert b.hub.signals.statistics().unpacked == 64


@pytest.mark.parametrize("messages", [(1, 3, 1), (3, 1, 3, 3, 1, 1), (1, 1, 64, 1)])
async def test_they_come_in_order_however_they_are_put_into_messages(
    autojump_clock: MockClock, messages: tuple[int, ...]
) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        sent = [frames.Signal(share, "ice", bytes([number])) for number in range(sum(messages))]
        ann.send(sent[0])
        await b.settle()  # from now on the quick way
        left = sent[1:]
        for size in messages:
            ann.send(*left[:size])
            left = left[size:]
        await b.settle()
        assert signals(joe) == sent


async def test_one_among_other_frames_is_found(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        one = frames.Signal(share, "ice", b"1")
        ann.send(one)
        ann.send(one, frames.Ping(5, 1), one, frames.Request(999, "pin.list", {}), one)
        await b.settle()
        assert signals(joe) == [one] * 4
        assert [type(frame).__name__ for frame in ann.pump()] == ["Result", "Pong"]


async def test_nothing_is_relayed_before_consent_is_on_disk_or_after_its_end_is_decided(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        joe = await b.customer()
        made = await joe.write("request.create", text="x")
        await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
        share = (await ann.write("share.request", session=made["session"]))["share"]
        await joe.write("share.accept", share=share)
        one = frames.Signal(share, "ice", b"1")
        b.journal.hold()
        confirmed = joe.ask_nowait("share.confirm", "k1", share=share)
        joe.send(one)
        ann.send(one)
        await b.settle()
        assert signals(ann) == signals(joe) == []
        b.journal.release()
        await joe.answer(confirmed)
        await b.settle()
        joe.pump()
        refused = [frame for frame in joe.seen if isinstance(frame, frames.Fail)]
        assert [(frame.id, frame.code) for frame in refused] == [(0, Code.NOT_ALLOWED)]
        joe.send(one)
        joe.send(one)
        await b.settle()
        assert signals(ann) == [one, one]
        b.journal.hold()
        ann.ask_nowait("share.stop", "k2", share=share)
        joe.send(one)
        await b.settle()
        assert signals(ann) == []
        b.journal.release()
        joe.send(one)
        await b.settle()
        assert signals(ann) == []
        assert b.hub.accounts["acme"].routes == {}
        assert b.hub.accounts["acme"].stopped == {}


async def test_consent_that_ends_before_it_is_on_disk_never_lives(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann = await b.staff("ann")
        await ann.ask("subscribe", stream="me", from_="now")
        await ann.write("presence.set", presence="available")
        joe = await b.customer()
        made = await joe.write("request.create", text="x")
        await ann.write("offer.accept", offer=(await ann.event("offer.made")).data["offer"])
        share = (await ann.write("share.request", session=made["session"]))["share"]
        await joe.write("share.accept", share=share)
        b.journal.hold()
        joe.ask_nowait("share.confirm", "k1", share=share)
        await b.settle()
        joe.ask_nowait("share.stop", "k2", share=share)
        await b.settle()
        b.journal.release(1)
        await b.settle()
        assert b.hub.accounts["acme"].routes == {}
        b.journal.release()


async def rebooting(b: Broker) -> tuple[Client, Client, str]:
    """Ann and joe have a share with control, at a portal that allows everything."""
    boss = await b.staff("boss", "manager")
    functions = {"control": True, "reboot": True}
    await boss.write("portal.put", portal="ask", kind="ask", mode="web", subportals=["ask-1"], functions=functions)
    ann, joe, share = await sharing(b)
    await ann.write("share.ask_control", share=share)
    await joe.write("share.control", share=share, allow=True)
    return ann, joe, share


async def test_nothing_is_relayed_while_a_machine_restarts_and_then_again(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await rebooting(b)
        one = frames.Signal(share, "ice", b"1")
        b.journal.hold()
        ann.ask_nowait("share.reboot", "k1", share=share)
        await b.settle()
        joe.send(one)
        await b.settle()
        b.journal.release()
        await b.settle()
        joe.send(one)
        await b.settle()
        assert signals(ann) == []
        assert b.hub.accounts["acme"].routes == {}
        assert joe.welcome is not None
        visitor = str(joe.welcome.identity["visitor"])
        joe.cut()
        await b.settle()
        again = await b.customer("acme/ask", visitor)
        again.send(one)
        await b.settle()
        assert signals(ann) == []
        await again.ask("share.join", share=share)
        again.send(one)
        await b.settle()
        assert signals(ann) == [one]
        assert b.hub.accounts["acme"].stopped == {}


async def test_an_end_that_is_decided_after_a_restart_outweighs_the_return(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, _, share = await rebooting(b)
        b.journal.hold()
        ann.ask_nowait("share.reboot", "k1", share=share)
        await b.settle()
        ann.ask_nowait("share.stop", "k2", share=share)
        await b.settle()
        account = b.hub.accounts["acme"]
        assert account.stopped == {share: 2}
        b.journal.release(1)
        await b.settle()
        b.hub.signals.committed(account, share, "v", "ann")  # a return that was decided in between
        assert account.routes == {}
        b.journal.release()
        await b.settle()
        assert account.stopped == {}


# --- guests: a leg each ---------------------------------------------------------------------------------------


async def looking(b: Broker, *, masked: bool = False) -> tuple[Client, Client, Client, str, str]:
    """Ann, joe, and bob, a guest who looks at joe's screen on a leg."""
    ann, joe, share = await sharing(b)
    bob = await b.staff("bob")
    await bob.ask("subscribe", stream="me", from_="now")
    await bob.write("presence.set", presence="available")
    session = f"s_{share[2:].partition('.')[0]}"
    await ann.write("session.invite", session=session, representative="bob", masked=masked)
    await bob.write("offer.accept", offer=(await bob.event("offer.made")).data["offer"])
    told = await bob.ask("share.join", share=share)
    for one in (ann, bob, joe):
        one.pump()
    return ann, joe, bob, share, told["leg"]


@pytest.mark.parametrize("masked", [False, True])
async def test_a_leg_is_between_the_guest_and_whoever_has_the_share(autojump_clock: MockClock, *, masked: bool) -> None:
    async with broker() as b:
        ann, joe, bob, share, leg = await looking(b, masked=masked)
        sent = [frames.Signal(leg, kind, b"x" * size) for kind, size in (("offer", 300), ("ice", 0), ("ice", 20))]
        bob.send(*sent)
        ann.send(frames.Signal(leg, "answer", b"y"), frames.Signal(share, "ice", b"z"), frames.Signal(leg, "ice", b""))
        joe.send(frames.Signal(share, "ice", b"j"))
        await b.settle()
        assert signals(bob) == [frames.Signal(leg, "answer", b"y"), frames.Signal(leg, "ice", b"")]
        assert signals(joe) == [frames.Signal(share, "ice", b"z")]
        assert signals(ann) == [*sent, frames.Signal(share, "ice", b"j")]
        for stranger, name in ((joe, leg), (bob, share), (bob, f"{leg}.1"), (ann, f"{share}.2")):
            stranger.send(frames.Signal(name, "ice", b"1"))
            assert (await stranger.expect(frames.Fail)).code == Code.NOT_ALLOWED
        await b.settle()
        assert signals(ann) == signals(joe) == signals(bob) == []


@pytest.mark.parametrize("how", ["leaves", "removed", "stops", "ends", "chat over", "collaboration"])
async def test_nothing_is_relayed_on_a_leg_once_its_end_is_decided(autojump_clock: MockClock, how: str) -> None:
    async with broker() as b:
        ann, joe, bob, share, leg = await looking(b)
        boss = await b.staff("boss", "manager")
        session = f"s_{share[2:].partition('.')[0]}"
        one = frames.Signal(leg, "ice", b"1")
        bob.send(one)
        bob.send(one)
        ann.send(one)
        await b.settle()
        assert (signals(ann), signals(bob)) == ([one, one], [one])
        b.journal.hold()
        match how:
            case "leaves":
                bob.ask_nowait("session.leave", "k", session=session)
            case "removed":
                ann.ask_nowait("session.remove", "k", session=session, representative="bob")
            case "stops":
                bob.ask_nowait("share.stop", "k", share=share)
            case "ends":
                joe.ask_nowait("share.stop", "k", share=share)
            case "collaboration":
                portal = {"portal": "ask", "kind": "ask", "mode": "web", "subportals": ["ask-1"]}
                boss.ask_nowait("portal.put", "k", **portal, functions={"collaboration": False})
            case _:
                joe.ask_nowait("session.end", "k", session=session)
        await b.settle()
        for sender in (ann, bob):
            sender.send(one)
        await b.settle()
        assert signals(ann) == signals(bob) == []
        b.journal.release()
        await b.settle()
        account = b.hub.accounts["acme"]
        assert account.stopped == {}
        assert list(account.routes) == ([] if how == "ends" else [share])
        assert all(route.legs == {} for route in account.routes.values())


@pytest.mark.parametrize("op", ["share.stop", "session.leave"])
async def test_a_leg_that_is_over_before_it_is_on_disk_never_lives(autojump_clock: MockClock, op: str) -> None:
    async with broker() as b:
        ann, _, bob, share, _ = await looking(b)
        await bob.write("share.stop", share=share)
        b.journal.hold()
        number = bob.ask_nowait("share.join", share=share)
        await b.settle()
        assert [frame for frame in bob.pump() if isinstance(frame, frames.Result)] == []
        args = {"share": share} if op == "share.stop" else {"session": f"s_{share[2:].partition('.')[0]}"}
        last = bob.ask_nowait(op, "k2", **args)
        await b.settle()
        b.journal.release(1)
        leg = cast("dict[str, str]", (await bob.answer(number)).value)["leg"]
        assert b.hub.accounts["acme"].routes[share].legs == {}
        bob.send(frames.Signal(leg, "ice", b"1"))
        await b.settle()
        b.journal.release()
        await bob.answer(last)
        assert (await bob.expect(frames.Fail)).code == Code.NOT_ALLOWED
        assert signals(ann) == []
        assert b.hub.accounts["acme"].stopped == {}


async def test_after_a_failed_commit_legs_are_those_on_disk_and_nobody_keeps_an_old_one(
    autojump_clock: MockClock,
) -> None:
    async with broker() as b:
        ann, _, bob, share, leg = await looking(b)
        old = b.hub.accounts["acme"].routes[share]
        routes = [old, *old.legs.values()]
        b.journal.fail_next()
        with pytest.raises(Refused):
            await bob.answer(bob.ask_nowait("share.stop", "k", share=share))
        await b.settle(5)
        assert [route.active for route in routes] == [False, False]
        assert list(b.hub.accounts["acme"].routes[share].legs) == [leg]
        bob.send(frames.Signal(leg, "ice", b"1"))
        assert (await ann.expect(frames.Signal)).data == b"1"


async def test_who_is_taken_over_looks_on_until_it_goes(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, bob, share, leg = await looking(b)
        await joe.write("share.started", share=share)
        boss = await b.staff("boss", "manager")
        await boss.write("team.put", team="t5", subportals=["ask-1"], logins=1)
        for name in ("bob", "dan"):
            await boss.write("representative.put", representative=name, name=name, team="t5", capacity=3)
        dan = await b.staff("dan")
        await dan.write("presence.set", presence="available", takeover="bob")
        await b.settle(5)
        bob.send(frames.Signal(leg, "ice", b"1"))
        assert (await ann.expect(frames.Signal)).data == b"1"
        bob.cut()
        for number in range(25):  # longer than bob is waited for; the others are there
            for one in (ann, joe):
                one.send(frames.Ping(number, 0))
            await b.settle(3)
        assert b.hub.accounts["acme"].routes[share].legs == {}


async def test_a_leg_goes_on_when_what_is_on_for_its_guest_changes_and_after_a_restart(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        ann, _, bob, share, leg = await looking(b)
        route = b.hub.accounts["acme"].routes[share].legs[leg]
        boss = await b.staff("boss", "manager")
        functions = {"file_transfer": True}
        await boss.write("portal.put", portal="ask", kind="ask", mode="web", subportals=["ask-1"], functions=functions)
        await b.settle()
        assert b.hub.accounts["acme"].routes[share].legs[leg] is route
        bob.send(frames.Signal(leg, "ice", b"1"))
        assert (await ann.expect(frames.Signal)).data == b"1"
    async with broker(store=store, furnished=False) as b:
        ann, bob = await b.staff("ann"), await b.staff("bob")
        bob.send(frames.Signal(leg, "restart", b""))
        assert (await ann.expect(frames.Signal)).kind == "restart"
        assert (await bob.ask("share.join", share=share))["leg"] == leg


async def test_strangers_to_a_share_are_refused(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        bob = await b.staff("bob")
        bob.send(frames.Signal(share, "ice", b"1"))
        fail = await bob.expect(frames.Fail)
        assert (fail.id, fail.code) == (0, Code.NOT_ALLOWED)
        assert signals(ann) == signals(joe) == []


async def test_the_connection_that_answers_is_the_one_that_is_spoken_to(autojump_clock: MockClock) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        other = await b.staff("ann")
        joe.send(frames.Signal(share, "offer", b"1"))
        await b.settle()
        assert len(signals(ann)) == len(signals(other)) == 1
        other.send(frames.Signal(share, "answer", b"2"))
        joe.send(frames.Signal(share, "ice", b"3"))
        await b.settle()
        assert len(signals(other)) == 1
        assert signals(ann) == []
        other.cut()
        await b.settle()
        joe.send(frames.Signal(share, "ice", b"4"))
        await b.settle()
        assert len(signals(ann)) == 1


async def test_an_end_with_several_connections_is_spoken_to_where_it_spoke_last_and_never_speaks_to_itself(
    autojump_clock: MockClock,
) -> None:
    """Beside a naive model: for each end the connection that spoke last, while it is there; else all it has."""
    for seed in range(30):
        await _crowd(Random(seed))


async def _crowd(random: Random) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        there = {"ann": [ann], "joe": [joe]}
        last: dict[str, Client] = {}
        visitor = str(joe.welcome.identity["visitor"])  # type: ignore[union-attr]
        for step in range(25):
            who = random.choice(["ann", "joe"])
            mine, theirs = there[who], there["joe" if who == "ann" else "ann"]
            what = random.choice(["come", "go", *["speak"] * 6])
            if what == "come" and len(mine) < 3:
                mine.append(await (b.staff("ann") if who == "ann" else b.customer("acme/ask", visitor=visitor)))
            elif what == "go" and len(mine) > 1:
                gone = mine.pop(random.randrange(len(mine)))
                gone.cut()
                await b.settle()
                if last.get(who) is gone:
                    del last[who]
            elif what == "speak":
                speaker = random.choice(mine)
                said = [frames.Signal(share, "ice", bytes([step, n])) for n in range(random.choice([1, 1, 3]))]
                speaker.send(*said)
                await b.settle()
                last[who] = speaker
                other = last.get("joe" if who == "ann" else "ann")
                for client in mine + theirs:
                    expected = said if client in theirs and other in (None, client) else []
                    assert signals(client) == expected, (step, who)


async def test_whoever_signals_on_no_share_of_its_own_is_sent_away(autojump_clock: MockClock) -> None:
    async with broker(Options(signal_rate=(50_000, 100_000))) as b:
        eve = await b.customer("acme/ask")
        for _ in range(10):
            eve.send(*[frames.Signal("h_none.1", "ice", b"")] * 10)
            await b.settle()
        assert (await eve.ended()).code == Close.TOO_FAST
        assert b.hub.signals.statistics().refused < 10


async def test_a_share_goes_on_after_a_restart(autojump_clock: MockClock) -> None:
    store = MemoryStore()
    async with broker(store=store) as b:
        _, joe, share = await sharing(b)
        visitor = str(joe.welcome.identity["visitor"])  # type: ignore[union-attr]
    async with broker(store=store, furnished=False) as b:
        ann = await b.staff("ann")
        joe = await b.customer("acme/ask", visitor=visitor)
        joe.send(frames.Signal(share, "restart", b""))
        assert (await ann.expect(frames.Signal)).kind == "restart"


async def test_a_loop_is_stopped_and_a_set_up_is_not(autojump_clock: MockClock) -> None:
    async with broker(Options(signal_rate=(50_000, 100_000))) as b:
        ann, joe, share = await sharing(b)
        for _ in range(30):
            ann.send(frames.Signal(share, "ice", b"x" * 300))
        await b.settle()
        assert len(signals(joe)) == 30
        assert ann.goodbye is None
        for _ in range(20):
            joe.send(frames.Signal(share, "offer", b"x" * 16_000))
            await b.settle(0.001)
        assert (await joe.ended()).code == Close.TOO_FAST


async def test_who_does_not_read_signals_is_sent_away_before_memory_fills(autojump_clock: MockClock) -> None:
    async with broker(Options(hard_outbox=200_000)) as b:
        ann, joe, share = await sharing(b)
        with ann.peer.pipe.stall_writes():
            for _ in range(40):
                joe.send(frames.Signal(share, "offer", b"x" * 16_000))
                await b.settle(0.001)
            connection = [c for c in b.hub.peers.connections if c.identity and c.identity.person == "ann"]
            assert all(c.closing for c in connection)


def _accepts(message: bytes, prefix: bytes) -> int:
    """How many frames the codec finds, all of them SIGNALs with this beginning; else 0."""
    try:
        found = codec.decode(message, codec.CLIENT)
    except RemoteProtocolError:
        return 0
    packed = b"".join(codec.pack(frame) for frame in found)
    same = all(isinstance(frame, frames.Signal) and codec.pack(frame).startswith(prefix) for frame in found)
    return len(found) if same and packed == message else 0


_PREFIX = codec.pack(frames.Signal("sh_1", "ice", b""))[:-6]
_FRAME = st.builds(
    lambda kind, data: codec.pack(frames.Signal("sh_1", kind, data)),
    st.sampled_from(["offer", "answer", "ice", "restart"]),
    st.binary(max_size=300) | st.integers(250, 16_384).map(bytes),
)


@given(st.lists(_FRAME, min_size=1, max_size=6))
def test_the_quick_way_counts_what_the_codec_counts(parts: list[bytes]) -> None:
    message = b"".join(parts)
    assert _count(message, _PREFIX) == _accepts(message, _PREFIX) == len(parts)


@given(st.lists(_FRAME, min_size=1, max_size=3), st.data())
def test_the_quick_way_takes_nothing_that_the_codec_would_refuse(parts: list[bytes], data: st.DataObject) -> None:
    message = bytearray(b"".join(parts))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, min(len(message) - 1, 40)))
        message[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(message)))
    mutated = bytes(message[:cut]) if data.draw(st.booleans()) else bytes(message)
    quick = _count(mutated, _PREFIX) if mutated.startswith(_PREFIX) else 0
    if quick:
        assert quick == _accepts(mutated, _PREFIX)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        _PREFIX,
        _PREFIX + b"\xa3ice",
        _PREFIX + b"\xa3ice\xc4",
        _PREFIX + b"\xa3ice\xc4\x05abcd",
        _PREFIX + b"\xa3ice\xc5\x00",
        _PREFIX + b"\xa3ice\xc5\x40\x01" + bytes(16_385),
        _PREFIX + b"\xa3ice\xc6\x00\x00\x00\x01a",
        _PREFIX + b"\xa4icee\xc4\x00",
        _PREFIX + b"\xa3ice\xc4\x00\x00",
        codec.pack(frames.Signal("sh_1", "ice", b"1")) * 65,
    ],
)
def test_anything_unusual_goes_the_general_way(message: bytes) -> None:
    assert _count(message, _PREFIX) == 0


def test_a_longer_row_is_not_passed_on_as_it_is() -> None:
    longer = codec.pack_value([34, "sh_1", "ice", b"1", "extra"])
    assert not longer.startswith(_PREFIX)


@pytest.mark.parametrize("size", [16385, 65000])
async def test_a_signal_with_too_much_data_is_refused_and_nothing_else(autojump_clock: MockClock, size: int) -> None:
    async with broker() as b:
        ann, joe, share = await sharing(b)
        large, small = frames.Signal(share, "ice", bytes(size)), frames.Signal(share, "ice", b"x")
        elsewhere = frames.Signal("h_none", "ice", bytes(size))
        for sent in ((large,), (small,), (large,), (small,), (small, large, small), (elsewhere,)):
            ann.send(*sent)  # the first one when none was relayed before, the others when the quick way is open
            await b.settle()
        assert signals(joe) == [small] * 4
        ann.pump()
        refused = [frame for frame in ann.seen if isinstance(frame, frames.Fail)]
        detail = {"path": "SIGNAL.data", "max_bytes": 16384}
        assert refused == [frames.Fail(0, 2413, "SIGNAL.data: expected a bin of 0 to 16384 bytes", None, detail)] * 4
        assert b.hub.signals.statistics().refused == 4
        joe.send(frames.Signal(share, "answer", b"y"))
        await b.settle()
        assert signals(ann) == [frames.Signal(share, "answer", b"y")]


async def test_signals_with_too_much_data_cost_as_many_bytes_as_others(autojump_clock: MockClock) -> None:
    async with broker(Options(signal_rate=(50_000, 100_000))) as b:
        ann, joe, share = await sharing(b)
        for _ in range(3):
            ann.send(frames.Signal(share, "ice", bytes(40_000)))
            await b.settle()
        assert (await ann.ended()).code == Close.TOO_FAST
        assert signals(joe) == []
