"""What one address, one account and one person may hold; and that the counts are right whatever happens."""

from __future__ import annotations

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close
from broker.runtime.admission import AddressLimits, Admission, Place
from broker.runtime.options import Options
from broker.transport.forwarded import networks
from broker.transport.links import Settings
from broker.transport.memory import MemoryTransport
from tests.runtime.harness import Client, Ended, broker


@attrs.define
class Now:
    """A clock that stands."""

    at: int = 1_000_000

    def now(self) -> int:
        return self.at

    def raise_to(self, t: int) -> None:
        self.at = max(self.at, t)


TIGHT = AddressLimits(connections=4, handshakes=2, rate=(1, 6), failures=(1, 3))
FREE = AddressLimits(connections=1000, handshakes=1000, rate=(1e6, 1e6), failures=(1e6, 1e6))


def test_strangers_of_one_address_are_fewer_than_its_connections() -> None:
    door = Admission(Now(), TIGHT)
    first, second = door.enter("198.51.100.7"), door.enter("198.51.100.7")
    assert door.enter("198.51.100.7") is None
    assert door.enter("198.51.100.8") is not None
    door.welcome(first)
    door.welcome(first)
    third = door.enter("198.51.100.7")
    door.welcome(second)
    assert door.enter("198.51.100.7") is not None
    door.welcome(third)
    assert door.enter("198.51.100.7") is None
    assert door.refusals == {"connections": 1, "handshakes": 1, "rate": 0, "failures": 0}


def test_new_connections_of_one_address_come_at_a_rate() -> None:
    clock = Now()
    door = Admission(clock, attrs.evolve(TIGHT, connections=100, handshakes=100))
    assert sum(door.enter("2001:db8::1") is not None for _ in range(9)) == 6
    assert door.enter("2001:db8::2:0:0:2") is None  # the same /64
    clock.at += 2000
    assert sum(door.enter("2001:db8::3") is not None for _ in range(9)) == 2
    assert door.refusals["rate"] == 3 + 1 + 7


def test_an_address_that_fails_again_and_again_is_shut_out_for_a_while() -> None:
    clock = Now()
    door = Admission(clock, attrs.evolve(TIGHT, rate=(100, 100)))
    for _ in range(3):
        place = door.enter("198.51.100.7")
        assert place is not None
        door.failed(place)
        door.leave(place)
    assert door.enter("198.51.100.7") is None
    assert door.refusals["failures"] == 1
    clock.at += 1000
    assert door.enter("198.51.100.7") is not None


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "10.0.0.7", "no address"])
def test_trusted_networks_are_not_counted(address: str) -> None:
    door = Admission(Now(), attrs.evolve(TIGHT, trusted=networks(["127.0.0.0/8", "::1", "10.0.0.0/8"])))
    for _ in range(50):
        place = door.enter(address)
        assert place is not None
        door.failed(place)
        door.forgiven(place)
        door.welcome(place)
    assert len(door) == 0


def test_idle_sources_are_forgotten_the_oldest_first_and_busy_ones_never() -> None:
    door = Admission(Now(), TIGHT, most=3)
    stays = door.enter("198.51.100.1")
    for number in range(2, 12):
        place = door.enter(f"198.51.100.{number}")
        assert place is not None
        door.leave(place)
    assert len(door) == 4
    assert door.enter("198.51.100.1") is not None
    assert stays is not None
    assert stays.source is not None
    assert stays.source.connections == 2


def test_a_refused_source_is_remembered_within_the_bound() -> None:
    door = Admission(Now(), attrs.evolve(TIGHT, handshakes=0), most=3)
    for number in range(10):
        assert door.enter(f"198.51.100.{number}") is None
    assert len(door) == 3


def test_a_failure_that_is_forgiven_shuts_nobody_out() -> None:
    door = Admission(Now(), attrs.evolve(TIGHT, rate=(100, 100)))
    place = door.enter("198.51.100.7")
    for _ in range(10):
        door.failed(place)
        door.forgiven(place)
    assert door.enter("198.51.100.7") is not None
    for _ in range(3):
        door.failed(place)
    door.forgiven(place)
    door.failed(place)
    assert door.enter("198.51.100.7") is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "welcome", "fail", "forgive"]), st.integers(0, 3)), max_size=60
)


@given(STEPS)
def test_counts_are_those_of_the_open_places(steps: list[tuple[str, int]]) -> None:
    door = Admission(Now(), attrs.evolve(TIGHT, rate=(1e6, 1e6), failures=(1e6, 1e6)), most=2)
    held: list[Place] = []
    for what, number in steps:
        if what == "enter":
            place = door.enter(f"198.51.100.{number}")
            if place is not None:
                held.append(place)
        elif held:
            one = held[number % len(held)]
            if what == "leave":
                held.remove(one)
                door.leave(one)
            elif what == "welcome":
                door.welcome(one)
            elif what == "forgive":
                door.forgiven(one)
            else:
                door.failed(one)
        for source in {place.source for place in held}:
            assert source is not None
            mine = [place for place in held if place.source is source]
            assert source.connections == len(mine) <= 4
            assert source.strangers == sum(not place.known for place in mine) <= 2
        assert len(door) <= len({place.source for place in held}) + 2


async def test_the_hub_tells_the_door_who_signed_in_and_who_failed(autojump_clock: MockClock) -> None:
    async with broker(Options(addresses=TIGHT)) as b:
        carl, cora = [await b.customer(address="198.51.100.7") for _ in range(2)]
        with pytest.raises(Ended) as end:
            await b.connect({"token": "nonsense"}, address="198.51.100.7")
        assert end.value.code == Close.BAD_AUTH
        waiting = b.transport.connect(address="198.51.100.7")
        with pytest.raises(ConnectionRefusedError):
            b.transport.connect(address="198.51.100.7")
        assert b.hub.admission.refusals["connections"] == 1
        for one in (carl.peer, cora.peer, waiting):
            one.pipe.abort()
        await b.settle()
        for _ in range(2):
            b.transport.connect(address="198.51.100.7").pipe.abort()
            await b.settle()
        with pytest.raises(ConnectionRefusedError):
            b.transport.connect(address="198.51.100.7")
        assert b.hub.admission.refusals["rate"] == 1


async def test_behind_a_proxy_each_client_has_its_own_limits(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    behind = Settings(proxies=networks(["127.0.0.1"]))
    monkeypatch.setattr("tests.runtime.harness.MemoryTransport", lambda: MemoryTransport(behind))
    async with broker(Options(addresses=TIGHT)) as b:
        for named in ("198.51.100.7", "198.51.100.7", "198.51.100.8"):
            link = b.transport.dial()
            link.give(upgrade(named))
        await b.settle()
        third = Client(b.transport.connect())
        third.peer.pipe.take()
        late = b.transport.dial()
        late.give(upgrade("1.1.1.1, 198.51.100.7"))
        await b.settle()
        assert late.take().startswith(b"HTTP/1.1 101")
        assert b.hub.peers.refusals["address"] == 1
        assert b.hub.admission.refusals["handshakes"] == 1
        await trio.sleep(10)
        again = b.transport.dial()
        again.give(upgrade("198.51.100.7"))
        await b.settle()
        assert b.hub.peers.refusals["address"] == 1


def upgrade(named: str) -> bytes:
    return (
        "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: huntgroup.v1.msgpack\r\nX-Forwarded-For: {named}\r\n\r\n"
    ).encode()


async def test_the_customers_of_one_account_leave_room_for_others(autojump_clock: MockClock) -> None:
    async with broker(Options(max_connections=10, account_customers=2), accounts=(("acme", 0), ("bolt", 1))) as b:
        carl = await b.customer()
        await b.customer()
        with pytest.raises(Ended) as end:
            await b.customer()
        assert end.value.code == Close.BUSY
        assert end.value.goodbye is not None
        assert end.value.goodbye.retry_ms
        await b.staff("ann")
        await b.customer("bolt/help")
        carl.cut()
        await b.settle()
        await b.customer()
        assert b.hub.accounts["acme"].customers == 2
        assert b.hub.entrance.sign_in.refusals["account_full"] == 1


def test_an_account_may_have_a_share_of_all_connections() -> None:
    assert Options(max_connections=1000).customers_of_one == 800
    assert Options(max_connections=1).customers_of_one == 1
    assert Options(account_customers=7).customers_of_one == 7


async def test_one_person_has_so_many_connections_and_the_oldest_ends(autojump_clock: MockClock) -> None:
    async with broker(Options(person_connections=2)) as b:
        first, second = await b.staff("ann"), await b.staff("ann")
        third = await b.staff("ann")
        assert (await first.ended()).code == Close.TAKEN_OVER
        assert await second.write("presence.set", presence="available")
        assert await third.write("presence.set", presence="away")


async def test_past_the_bound_of_strangers_the_oldest_makes_room(autojump_clock: MockClock) -> None:
    async with broker(Options(max_handshakes=2)) as b:
        silent = [Client(b.transport.connect()) for _ in range(2)]
        await b.settle()
        await b.customer()
        assert (await silent[0].ended()).code == Close.BUSY
        assert b.hub.peers.refusals["made_room"] == 1
        assert not silent[1].pump()
