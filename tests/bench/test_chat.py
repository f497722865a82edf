"""The chat load: a message counts when it is acknowledged and delivered, and never before."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import attrs
import msgpack  # type: ignore[import-untyped]
import pytest

from bench.load import chat, ws
from bench.load.chat import ChatPlan
from bench.load.engine import LoadFailed
from bench.load.people import EVENT, RESULT
from bench.peers.talk import FloorTalk, Talking
from tests.support import compiler

pytestmark = [
    pytest.mark.slow,
    compiler.NEEDED,
]


def quick(plan: ChatPlan) -> ChatPlan:
    return attrs.evolve(plan, warm_ms=20, measure_ms=150, drain_ms=1000)


@pytest.fixture
def talking() -> Iterator[Talking]:
    with FloorTalk().talk(4) as found:
        yield found


@pytest.mark.parametrize("inflight", [1, 8])
def test_every_message_is_acknowledged_and_read_by_the_other_side(talking: Talking, inflight: int) -> None:
    for key, run in (("a-", 0), ("b-", 1)):  # a second run goes on over the same sockets
        result = chat.run(attrs.evolve(quick(talking.plan(inflight=inflight, key=key)), run=run))
        assert result["units"] > 20
        assert [result[what] for what in ("undrained", "gone", "stalled", "fails", "full")] == [0] * 5
        assert result["kinds"].keys() == {str(RESULT), str(EVENT)}
        assert result["kinds"][str(EVENT)] == 2 * result["kinds"][str(RESULT)]  # both sides are told


def test_arrivals_of_the_open_loop_come_by_the_clock(talking: Talking) -> None:
    result = chat.run(attrs.evolve(talking.plan(inflight=8, key="o-"), rate=400.0, measure_ms=500, warm_ms=20))
    assert 100 < result["late_us"]["count"] < 320  # 200 are due
    assert result["undrained"] == 0


def _serve(end: socket.socket, answer: Callable[[list[object]], list[list[object]]], other: socket.socket) -> None:
    """Answer one side's requests: what ``answer`` gives goes to it (RESULT) or to the other one (EVENT)."""
    wire = ws.Socket(end)
    while True:
        try:
            sent = msgpack.unpackb(_unmasked(wire))
        except (OSError, ws.Refused):
            return
        for frame in answer(sent):
            packed = msgpack.packb(frame)
            (end if frame[0] == RESULT else other).sendall(bytes([0x82, 126]) + len(packed).to_bytes(2, "big") + packed)


def _unmasked(wire: ws.Socket) -> bytes:
    head = _exactly(wire, 2)
    size = head[1] & 127
    if size == 126:
        size = int.from_bytes(_exactly(wire, 2), "big")
    mask = _exactly(wire, 4)
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(_exactly(wire, size)))


def _exactly(wire: ws.Socket, count: int) -> bytes:
    found = wire.sock.recv(count, socket.MSG_WAITALL)
    if len(found) < count:
        raise ws.Refused("it is over")
    return found


def _told(sent: list[object]) -> list[list[object]]:
    return [[RESULT, sent[1], {}], [EVENT, "session", 1, "chat.message", 1, sent[3]]]


@pytest.fixture
def ends() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    """(the server's, the load's) of two sides."""
    made = [socket.socketpair() for _ in range(2)]
    for _, theirs in made:
        theirs.setblocking(False)
    yield made
    for ours, theirs in made:
        ours.close()
        theirs.close()


def _between(ends: list[tuple[socket.socket, socket.socket]], answer: Callable[..., list[list[object]]]) -> ChatPlan:
    for at in (0, 1):
        threading.Thread(target=_serve, args=(ends[at][0], answer, ends[1 - at][0]), daemon=True).start()
    return quick(ChatPlan(sides=[(theirs.fileno(), "s") for _, theirs in ends], inflight=1, key="k-"))


@pytest.mark.parametrize("silent", [RESULT, EVENT])
def test_half_of_a_message_counts_for_nothing(silent: int, ends: list[tuple[socket.socket, socket.socket]]) -> None:
    plan = _between(ends, lambda sent: [frame for frame in _told(sent) if frame[0] != silent])
    with pytest.raises(LoadFailed, match="not one message"):
        chat.run(attrs.evolve(plan, drain_ms=20))


def test_what_comes_late_of_an_earlier_run_is_no_answer(ends: list[tuple[socket.socket, socket.socket]]) -> None:
    plan = _between(ends, lambda sent: [[RESULT, 7, {}], *_told(sent)])
    assert chat.run(attrs.evolve(plan, run=1))["units"] > 5
    with pytest.raises(LoadFailed):  # an answer that it gave to nobody
        chat.run(plan)
