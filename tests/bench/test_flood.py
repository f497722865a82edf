"""The flooder: each kind sends what it says, to a socket that listens here and answers nothing."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import h11
import pytest

from bench.load.flood import ADDRESSES, CATCH_UP, KINDS, LONG, UPGRADE, Flooder, Kind
from broker import limits
from broker.protocol.codec import CLIENT, decode
from broker.protocol.frames import Hello, Request
from broker.transport import upgrade
from broker.transport.websocket import Parser


@pytest.fixture(name="listener")
def _listener() -> Iterator[socket.socket]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        found.listen(128)
        yield found


def accepted(listener: socket.socket) -> tuple[socket.socket, str]:
    assert select.select([listener], [], [], 60)[0]
    ours, address = listener.accept()
    return ours, str(address[0])


def frames_of(data: bytes) -> list[object]:
    return [frame for message in Parser(limits.MAX_MESSAGE_BYTES).feed(data) for frame in decode(message, CLIENT)]


@pytest.mark.parametrize("name", ["bad tokens", "wrong passwords", "pins at sign-in", "pins redeemed", "frames"])
def test_a_kind_that_signs_in_sends_a_good_upgrade_and_one_hello(name: str) -> None:
    sent = KINDS[name].hello(1)
    length = upgrade.head_length(sent, 0)
    assert length == len(UPGRADE)
    assert isinstance(upgrade.judge(sent[:length]), upgrade.Accepted)
    (hello,) = frames_of(sent[length:])
    assert isinstance(hello, Hello)
    assert len(hello.auth) == 1


@pytest.mark.parametrize(("name", "op"), [("pins redeemed", "pin.redeem"), ("frames", "portal.open")])
def test_what_is_asked_again_and_again_never_has_the_same_id(name: str, op: str) -> None:
    asked = [frame for number in range(3) for frame in frames_of(KINDS[name].message(number))]
    assert all(isinstance(frame, Request) and frame.op == op for frame in asked)
    assert len({frame.id for frame in asked if isinstance(frame, Request)}) == len(asked)


def test_slow_heads_are_pieces_of_a_head_and_long_ones_nearly_as_long_as_may_be() -> None:
    said = b"".join(KINDS["slow heads"].message(number) for number in range(20))
    assert said.isalpha()
    assert upgrade.head_length(said, 0) is None
    assert limits.HTTP_HEAD_BYTES * 0.9 < len(LONG) <= limits.HTTP_HEAD_BYTES
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(LONG)
    assert isinstance(reader.next_event(), h11.Request)


def test_the_oldest_connection_goes_for_a_new_one_and_addresses_take_turns(listener: socket.socket) -> None:
    flooder = Flooder(Kind(opens=1, held=2, hello=lambda number: b"%d" % number), listener.getsockname()[1])
    for _ in range(3):
        flooder.open()
    assert (len(flooder.held), flooder.tried, flooder.opened) == (2, 3, 3)
    found = [accepted(listener) for _ in range(3)]
    assert [address for _, address in found] == [f"127.9.0.{n % ADDRESSES + 1}" for n in (1, 2, 3)]
    assert [ours.recv(10) for ours, _ in found] == [b"1", b"2", b"3"]
    assert found[0][0].recv(10) == b""
    for one in (*flooder.held, *(ours for ours, _ in found)):
        one.close()


def test_who_reopens_waits_until_somebody_was_shut_out(listener: socket.socket) -> None:
    kind = Kind(opens=1, held=1, sends=1, message=lambda number: b"x", reopens=True)
    flooder = Flooder(kind, listener.getsockname()[1])
    flooder.send()  # nobody there to send on
    flooder.open()
    flooder.open()
    assert (flooder.tried, flooder.sent) == (1, 0)
    flooder.send()
    assert flooder.sent == 1
    ours, _ = accepted(listener)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ours.close()
    assert select.select(list(flooder.held), [], [], 60)[0]
    flooder.send()
    assert not flooder.held
    flooder.open()
    assert flooder.tried == 2
    flooder.held[0].close()


def test_an_address_that_is_not_there_counts_as_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise OSError

    monkeypatch.setattr(socket.socket, "bind", refuse)
    flooder = Flooder(KINDS["half-open"], 1)
    flooder.open()
    assert json.loads(flooder.as_json(2.0)) == {"tried": 0, "opened": 0, "sent": 0}
    assert (flooder.tried, flooder.opened) == (1, 0)


def test_it_begins_ends_and_tells_what_it_reached(listener: socket.socket) -> None:
    port = str(listener.getsockname()[1])
    command = [sys.executable, "-m", "bench.load.flood", "half-open", port]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flooder:
        assert flooder.stdout is not None
        assert flooder.stdout.readline() == "flooding\n"
        ours, _ = accepted(listener)
        os.kill(flooder.pid, signal.SIGTERM)
        assert set(json.loads(flooder.stdout.readline())) == {"tried", "opened", "sent"}
        ours.close()


def test_a_stalled_flooder_does_not_make_up_for_all_of_it_at_once() -> None:
    assert max(kind.opens for kind in KINDS.values()) * CATCH_UP <= 64
