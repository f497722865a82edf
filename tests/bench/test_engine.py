"""The load programs against the C floor: they count what was sent, answer pings, and end by themselves."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import msgpack  # type: ignore[import-untyped]
import pytest

from bench.load import engine, ws
from bench.load.build import NotInstalled, program
from bench.load.engine import Framing, LoadFailed, Member, Mode, Plan
from bench.peers.base import EVENT, SIGNAL, Wired, signal_frame
from bench.peers.plain import FLOOR
from tests.support import compiler

pytestmark = [
    pytest.mark.slow,
    compiler.NEEDED,
]


@pytest.fixture
def pairs() -> Iterator[Wired]:
    with FLOOR.relay(4) as wired:
        yield wired


@pytest.mark.parametrize("inflight", [1, 8])
def test_every_message_that_is_sent_through_a_pair_comes_back_out(pairs: Wired, inflight: int) -> None:
    result = engine.run(pairs.relay(inflight, 50, 200))
    assert result["units"] == result["latency_us"]["count"] > 100
    assert [result[what] for what in ("undrained", "gone", "stalled")] == [0, 0, 0]
    assert result["kinds"].keys() == {str(SIGNAL)}


def test_a_second_run_goes_on_over_the_same_sockets(pairs: Wired) -> None:
    assert engine.run(pairs.relay(1, 20, 50))["units"] > 0
    assert engine.run(pairs.relay(4, 20, 50))["units"] > 0


def test_a_fan_out_counts_one_delivery_for_each_subscriber() -> None:
    with FLOOR.fanout(20) as wired:
        result = engine.run(wired.fanout(2, 50, 200))
    assert result["units"] % 20 in range(20)
    assert result["units"] > 100
    assert result["undrained"] == 0
    assert result["kinds"].keys() == {str(EVENT)}


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """(the test's, the engine's)."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with ours, theirs:
        ours.settimeout(10)
        yield ours, theirs


def alone(fd: int, *, stall_ms: int = 300) -> Plan:
    """One link that answers itself, to be driven by hand."""
    member = Member(fd=fd, source=0, canned=[ws.frame(signal_frame("s"))], initial=1)
    return Plan(
        mode=Mode.PINGPONG,
        framing=Framing.FRAMES,
        members=[member],
        inflight=1,
        unit_kind=SIGNAL,
        warm_ms=10,
        measure_ms=5000,
        drain_ms=50,
        stall_ms=stall_ms,
    )


def test_a_ping_of_the_broker_is_answered_with_its_pong(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ping = msgpack.packb([3, 77, 1_700_000_000_000])
    unit = signal_frame("s")
    ours.sendall(bytes([0x82, len(ping)]) + ping)
    result_of = subprocess.Popen(
        [program("engine")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[theirs.fileno()]
    )
    with result_of:
        assert result_of.stdin is not None
        result_of.stdin.write(alone(theirs.fileno()).pack())
        result_of.stdin.close()
        sent = ours.recv(65536)
        while len(sent) < len(ws.frame(unit)) + len(ws.frame(ping)):
            sent += ours.recv(65536)
        result_of.wait(10)
    pong = ws.frame(msgpack.packb([4, 77, 1_700_000_000_000]), mask=bytes(4))
    assert len(sent) == len(ws.frame(unit)) + len(pong)
    tail = sent[-len(pong) :]
    assert pong[6:] == bytes(b ^ tail[2 + i % 4] for i, b in enumerate(tail[6:]))


def test_silence_ends_a_run_long_before_its_time(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(LoadFailed, match="not one unit came"):
        engine.run(alone(ends[1].fileno()))


def test_a_server_that_hangs_up_ends_a_run(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    ours.shutdown(socket.SHUT_RDWR)
    with pytest.raises(LoadFailed, match="not one unit came"):
        engine.run(alone(theirs.fileno(), stall_ms=60_000))


def test_a_plan_that_is_none_is_refused_with_a_reason(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LoadFailed):
        engine.run_program("engine", b"rubbish", [], 10, engine.nothing, engine.nothing)
    assert "not a plan" in capfd.readouterr().err


def test_without_a_compiler_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotInstalled, match="apt-get install gcc"):
        program("engine")
