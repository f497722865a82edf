import os
import socket

import pytest

from broker.transport.pollers import BROKEN, READABLE, WRITABLE, DefaultPoller


def test_it_reports_what_was_asked_for_as_long_as_it_holds() -> None:
    poller = DefaultPoller()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        fd = ours.fileno()
        poller.register(fd, READABLE)
        assert poller.poll(10) == []
        theirs.send(b"x")
        assert poller.poll(10) == [(fd, READABLE)]
        assert poller.poll(10) == [(fd, READABLE)]
        poller.modify(fd, READABLE | WRITABLE)
        assert poller.poll(10) == [(fd, READABLE | WRITABLE)]
        ours.recv(1)
        assert poller.poll(10) == [(fd, WRITABLE)]
        poller.modify(fd, 0)
        assert poller.poll(10) == []
        theirs.close()
        ((_, mask),) = poller.poll(10)
        assert mask & BROKEN
        poller.unregister(fd)
        assert poller.poll(10) == []
    poller.close()


def test_unregistering_what_is_gone_is_no_error() -> None:
    poller = DefaultPoller()
    read, write = os.pipe()
    poller.register(read, READABLE)
    os.close(read)
    os.close(write)
    poller.unregister(read)
    poller.close()


def test_everybody_has_a_turn_when_more_is_ready_than_asked_for() -> None:
    poller = DefaultPoller()
    pairs = [socket.socketpair() for _ in range(5)]
    for ours, theirs in pairs:
        poller.register(ours.fileno(), READABLE)
        theirs.send(b"x")
    seen = {fd for _ in range(5) for fd, _ in poller.poll(2)}
    assert seen == {ours.fileno() for ours, _ in pairs}
    for pair in pairs:
        for end in pair:
            end.close()
    poller.close()


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_than_asked_for(most: int) -> None:
    poller = DefaultPoller()
    pairs = [socket.socketpair() for _ in range(5)]
    for ours, _ in pairs:
        poller.register(ours.fileno(), WRITABLE)
    assert len(poller.poll(most)) == most
    for pair in pairs:
        for end in pair:
            end.close()
    poller.close()
