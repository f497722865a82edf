"""Strangers wait in a lobby: however many there are, a tick gives them its share, and those signed in go first."""

# covers: broker/transport/engine.py
# covers: broker/transport/reactor.py

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker import limits
from broker.transport.base import Closed, Link, Messages, Opened
from broker.transport.links import Settings, WireLink
from broker.transport.memory import MemoryTransport
from broker.transport.tls import server_context
from tests.transport.worlds import FakeClock, Peer, World, reactor_world

MEMBERS, STRANGERS = 6, 2 * limits.TICK_STRANGERS + 3


class Office:
    """A world with some who are signed in, and many who are not."""

    def __init__(self) -> None:
        self.world = reactor_world(Settings(), None, None)
        self.members = [self.world.open() for _ in range(MEMBERS)]
        for _, link in self.members:
            self.world.transport.welcome(link)
        self.strangers = [self.world.open() for _ in range(STRANGERS)]

    def tick(self) -> list[Link]:
        """Whose messages one tick hands on, in order."""
        return [h.link for h in self.world.transport.poll() if isinstance(h, Messages)]

    def quiet(self) -> None:
        """Until nothing is left to be read."""
        while self.tick():
            pass

    def close(self) -> None:
        self.world.transport.dispose()
        for end in self.world.sockets:
            end.close()


@pytest.fixture(name="office", scope="module")
def _office() -> Iterator[Office]:
    office = Office()
    yield office
    office.close()


def speak(chosen: list[tuple[Peer, Link]]) -> list[Link]:
    for peer, link in chosen:
        peer.send(b"x")
        assert isinstance(link, WireLink)
        assert isinstance(link.wire, socket.socket)
        assert select.select([link.wire], [], [], 60)[0]  # it is there when the broker looks
    return [link for _, link in chosen]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.integers(0, MEMBERS - 1)), st.sets(st.integers(0, STRANGERS - 1)))
def test_members_are_all_read_first_and_strangers_in_shares(
    office: Office, members: set[int], strangers: set[int]
) -> None:
    office.quiet()
    knocking = speak([office.strangers[number] for number in strangers])
    heard = speak([office.members[number] for number in members])
    first = office.tick()
    assert set(first[: len(heard)]) == set(heard)
    seen = first[len(heard) :]
    assert len(seen) <= limits.TICK_STRANGERS
    while more := office.tick():
        assert len(more) <= limits.TICK_STRANGERS
        seen += more
    assert sorted(link.number for link in seen) == sorted(link.number for link in knocking)


def test_a_member_who_was_left_in_the_lobby_would_have_to_wait(office: Office) -> None:
    """What the check above finds if nobody is welcomed."""
    office.quiet()
    speak(office.strangers)
    last = office.strangers[-1][1]
    ticks = [office.tick() for _ in range(3)]
    assert any(last in tick for tick in ticks)
    assert len(ticks[0]) == limits.TICK_STRANGERS < STRANGERS


@pytest.fixture(name="make")
def _make() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def create(**given: int) -> World:
        made.append(reactor_world(Settings(**given), None, None))  # type: ignore[arg-type]
        return made[-1]

    yield create
    for world in made:
        world.transport.dispose()
        for end in world.sockets:
            end.close()


def test_a_tick_takes_so_many_new_connections_and_no_more(make: Callable[..., World]) -> None:
    world = make()
    callers = [world.call() for _ in range(3 * limits.TICK_ACCEPTS)]
    counts = []
    while world.transport.statistics().handshaking < len(callers):
        world.give_way()
        world.transport.poll()
        counts.append(world.transport.statistics().handshaking)
    assert all(after - before <= limits.TICK_ACCEPTS for before, after in zip([0, *counts], counts, strict=False))


def test_who_is_welcome_twice_paused_or_gone_changes_nothing(make: Callable[..., World]) -> None:
    world = make()
    peer, link = world.open()
    world.transport.pause(link)
    world.transport.welcome(link)
    world.transport.welcome(link)
    peer.send(b"later")
    world.settle()
    assert world.messages(link) == []
    world.transport.resume(link)
    world.until(lambda: world.messages(link) == [b"later"])
    peer.close()
    world.until(lambda: world.of(Closed))
    peer.end.half_close()
    world.settle()
    other, gone = world.open()
    other.end.abort()
    world.until(lambda: len(world.of(Closed)) == 2)
    world.transport.welcome(gone)
    assert world.transport.statistics().links == 0


class Ledger:
    """A door that lets everybody in and remembers who failed."""

    def __init__(self) -> None:
        self.failures = 0

    def enter(self, address: str) -> object | None:
        return address

    def leave(self, place: object) -> None:
        pass

    def failed(self, place: object) -> None:
        self.failures += 1


LINES = b"GET /v1/ws HTTP/1.1\r\nHost: x\r\n"
WRONG = {
    "no HTTP": (b"\x16\x03\x01", b"400", 1),
    "no request": (b"GET\r\n\r\n", b"400", 1),
    "too many lines, whole": (LINES + b"X: y\r\n" * limits.HTTP_HEAD_LINES + b"\r\n", b"431", 1),
    "too many lines, going on": (LINES + b"X: y\r\n" * limits.HTTP_HEAD_LINES, b"431", 1),
    "another path": (LINES.replace(b"/v1/ws", b"/v2/ws") + b"Upgrade: websocket\r\n\r\n", b"404", 0),
    "no upgrade": (LINES + b"\r\n", b"426", 0),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_the_door_is_told_of_heads_that_no_client_sends(name: str, make: Callable[..., World]) -> None:
    world = make()
    world.transport.door = door = Ledger()
    head, status, failures = WRONG[name]
    caller = world.call(head)
    world.until(lambda: caller.got)
    assert caller.got.startswith(b"HTTP/1.1 " + status)
    assert door.failures == failures
    assert world.of(Opened) == []


def test_as_many_lines_as_are_allowed_come_through(make: Callable[..., World]) -> None:
    world = make()
    peer = world.connect()
    assert peer.client.request().count(b"\n") < limits.HTTP_HEAD_LINES
    world.until(lambda: peer.client.opened)
    lines = LINES.replace(b"/v1/ws", b"/page") + b"X: y\r\n" * (limits.HTTP_HEAD_LINES - 3) + b"\r\n"
    assert lines.count(b"\n") == limits.HTTP_HEAD_LINES
    world.call(lines)
    world.until(lambda: len(world.of(Opened)) == 2)


def test_bytes_that_are_no_tls_are_a_failure_of_their_address(certificate: Path) -> None:
    transport = MemoryTransport(context=server_context(certificate), clock=FakeClock())
    transport.door = door = Ledger()
    pipe = transport.dial()
    pipe.give(b"GET / HTTP/1.1\r\n\r\n")
    transport.poll()
    assert (transport.refusals()["bad_tls"], door.failures) == (1, 1)
    transport.dispose()
