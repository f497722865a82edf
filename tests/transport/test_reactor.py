"""What only sockets have: ports, floods, full tables, and a wait in the kernel."""

import errno
import socket
from collections.abc import Callable, Iterator

import pytest
import trio

from broker import limits
from broker.transport.base import Closed, Messages, Opened
from broker.transport.client import Client
from broker.transport.links import Settings
from broker.transport.reactor import Reactor, listen
from tests.transport.worlds import World, reactor_world


@pytest.fixture
def make() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def create(**settings: int) -> World:
        made.append(reactor_world(Settings(**settings), None, None))  # type: ignore[arg-type]
        return made[-1]

    yield create
    for world in made:
        world.transport.dispose()
        for end in world.sockets:
            end.close()


def test_a_name_that_means_nothing_is_an_error_and_leaves_no_socket() -> None:
    with pytest.raises(OSError, match=r"."):
        listen("no.such.name.invalid", 0)
    (taken,) = listen("127.0.0.1", 0)
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.port)
    taken.socket.close()


def test_connections_past_the_limit_are_turned_away(make: Callable[..., World]) -> None:
    world = make(max_connections=2)
    world.open()
    second, _ = world.open()
    third = world.call()
    world.until(lambda: third.end.ended)
    assert world.transport.statistics().refused == 1
    second.close()
    world.until(lambda: world.of(Closed) and second.end.ended)
    second.end.half_close()
    world.settle()
    world.open()


def test_past_the_limit_of_handshakes_the_oldest_makes_room(make: Callable[..., World]) -> None:
    world = make(max_handshakes=2)
    first, second = world.call(), world.call()
    world.until(lambda: world.transport.statistics().handshaking == 2)
    world.call()
    world.until(lambda: first.end.ended)
    assert not second.end.ended
    assert world.transport.statistics().handshaking == 2
    assert world.transport.refusals()["made_room"] == 1
    world.open()  # whoever is quick comes in
    world.clock.now += limits.HELLO_TIMEOUT / 1000
    world.until(lambda: world.transport.statistics().handshaking == 0)


class Bouncer:
    """Lets so many in at a time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.inside: list[str] = []
        self.failures: list[str] = []

    def enter(self, address: str) -> object | None:
        if len(self.inside) >= self.most:
            return None
        self.inside.append(address)
        return address

    def leave(self, place: object) -> None:
        self.inside.remove(str(place))

    def failed(self, place: object) -> None:
        self.failures.append(str(place))


def test_the_door_is_asked_first_and_told_of_the_end_once(make: Callable[..., World]) -> None:
    world = make()
    world.transport.door = door = Bouncer(1)
    peer, link = world.open()
    assert (link.place, door.inside) == ("127.0.0.1", ["127.0.0.1"])
    other = world.call()
    world.until(lambda: other.end.ended)
    assert world.transport.refusals()["door"] == 1
    peer.close()
    world.until(lambda: world.of(Closed) and peer.end.ended)
    peer.end.half_close()
    world.settle()
    assert door.inside == []
    world.open()
    assert door.inside == ["127.0.0.1"]


def test_many_connections_at_once_are_all_served(make: Callable[..., World]) -> None:
    world = make()
    world.echo = True
    count = 3 * limits.TICK_ACCEPTS
    peers = [world.connect() for _ in range(count)]
    for number, peer in enumerate(peers):
        peer.send(b"%d" % number)
    world.until(lambda: all(peer.messages for peer in peers))
    assert [peer.messages for peer in peers] == [[b"%d" % number] for number in range(count)]


def test_no_tick_reads_more_sockets_than_its_share(make: Callable[..., World]) -> None:
    world = make()
    peers = [world.connect() for _ in range(limits.TICK_SOCKETS + 20)]
    world.until(lambda: len(world.of(Opened)) == len(peers))
    for opened in world.of(Opened):
        world.transport.welcome(opened.link)
    for peer in peers:
        peer.send(b"x")
    world.give_way()
    first = world.transport.poll()
    assert 0 < len(first) <= limits.TICK_SOCKETS
    seen = len(first) + sum(len(world.transport.poll()) for _ in range(3))
    assert seen == len(peers)


def test_a_flood_on_some_links_does_not_starve_the_others(make: Callable[..., World]) -> None:
    world = make()
    loud = [world.open()[0] for _ in range(20)]
    quiet, link = world.open()
    flood = b"".join(loud[0].client.message(bytes(10)) for _ in range(20_000))
    for peer in loud:
        peer.end.give(flood)
    quiet.send(b"me too")
    for _ in range(20):
        happenings = world.transport.poll()
        handed = sum(len(h.messages) for h in happenings if isinstance(h, Messages))
        assert handed <= limits.TICK_BYTES // limits.MESSAGE_COST + 2 * limits.LINK_MESSAGES
        if any(isinstance(h, Messages) and h.link is link for h in happenings):
            break
        for peer in loud:
            peer.turn()
    else:
        raise AssertionError("not heard in 20 ticks")


class Exhausted:
    """A listening socket in a process that has no descriptors left."""

    def __init__(self, listener: socket.socket, code: int) -> None:
        self._listener = listener
        self._code = code
        self.tries = 0

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        self.tries += 1
        if self._code:
            raise OSError(self._code, "as the test says")
        return self._listener.accept()

    def recover(self) -> None:
        self._code = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._listener, name)


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_accepting_pauses_and_goes_on(code: int) -> None:
    world = reactor_world(Settings(), None, None)
    assert isinstance(world.transport, Reactor)
    listener = world.transport._listeners[0]
    exhausted = Exhausted(listener.socket, code)
    object.__setattr__(listener, "socket", exhausted)
    peer = world.connect()
    world.settle()
    assert exhausted.tries == 1, "it did not try again in each tick"
    exhausted.recover()
    world.settle()
    assert not world.of(Opened)
    world.clock.now += limits.ACCEPT_PAUSE / 1000
    world.until(lambda: peer.client.opened)
    world.transport.dispose()
    world.sockets[0].close()


def test_a_connection_aborted_in_the_backlog_does_not_stop_the_next() -> None:
    world = reactor_world(Settings(), None, None)
    assert isinstance(world.transport, Reactor)
    listener = world.transport._listeners[0]
    aborted = Exhausted(listener.socket, errno.ECONNABORTED)
    object.__setattr__(listener, "socket", aborted)
    peer = world.connect()
    world.settle()
    aborted.recover()
    world.until(lambda: peer.client.opened)
    world.transport.dispose()
    world.sockets[0].close()


def test_after_shut_nobody_comes_in_and_links_stay(make: Callable[..., World]) -> None:
    world = make()
    world.echo = True
    peer, _ = world.open()
    world.transport.shut()
    with pytest.raises(ConnectionRefusedError):
        world.dial()
    peer.send(b"still here")
    world.until(lambda: peer.messages == [b"still here"])


async def test_both_families_may_be_listened_on() -> None:
    listeners = [*listen("127.0.0.1", 0), *listen("::1", 0)]
    reactor = Reactor(listeners)
    addresses: list[str] = []
    with trio.fail_after(10):
        for number, listener in enumerate(listeners):
            stream = await trio.open_tcp_stream(listener.socket.getsockname()[0], listener.port)
            await stream.send_all(Client().request())
            while len(addresses) == number:
                await reactor.ready(None)
                addresses += [h.link.address for h in reactor.poll() if isinstance(h, Opened)]
            await stream.aclose()
    reactor.dispose()
    assert addresses == ["127.0.0.1", "::1"]
