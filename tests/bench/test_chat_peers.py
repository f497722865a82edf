"""What the chat benchmark's peers speak: against small servers made here, and (``make deep``) against the real ones."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import attrs
import pytest

import bench.__main__ as program
from bench.load import chat
from bench.load.build import NotInstalled
from bench.load.chat import ChatPlan, Speech
from bench.load.engine import LoadFailed
from bench.peers import postgres, rabbit
from bench.peers.install import PEERS
from bench.peers.jetstream import JetStreamTalk
from bench.peers.postgres import PostgresTalk
from bench.peers.rabbit import RabbitTalk
from bench.peers.talk import FloorTalk, Keeper
from tests.support import compiler

pytestmark = [
    pytest.mark.slow,
    compiler.NEEDED,
]
Part = str  # of an answer: "ack" or "said"


def _nats_is_here() -> None:
    """The benchmark would install it; a test doesn't."""
    if not (PEERS / "venv-nats" / "bin" / "nats-server").exists():
        raise NotInstalled("NATS")


def _postgres_is_here() -> None:
    postgres.programs()
    postgres.account()


ON_DEMAND: Final[list[tuple[Keeper, Callable[[], object]]]] = [
    (JetStreamTalk(), _nats_is_here),
    (PostgresTalk(), _postgres_is_here),
    (RabbitTalk(), rabbit.programs),
]


def quick(plan: ChatPlan) -> ChatPlan:
    return attrs.evolve(plan, warm_ms=20, measure_ms=150, drain_ms=1000)


def real(keeper: Keeper, look: Callable[[], object]) -> object:
    """Other people's servers take half a minute to start on a busy machine, and no test sets them up."""
    return pytest.param(keeper, look, id=keeper.name, marks=pytest.mark.deep)


@pytest.mark.parametrize(
    ("keeper", "look"), [pytest.param(FloorTalk(), None, id="floor"), *(real(*one) for one in ON_DEMAND)]
)
def test_every_message_is_acknowledged_and_read_by_the_other_side(
    keeper: Keeper, look: Callable[[], object] | None
) -> None:
    if look is not None:
        try:
            look()
        except NotInstalled as error:
            pytest.skip(str(error))
    with keeper.talk(3) as talking:
        for run, (inflight, rate) in enumerate(((1, 0.0), (8, 0.0), (8, 200.0))):
            plan = talking.plan(inflight=inflight, key=f"k{run}-")
            result = chat.run(attrs.evolve(plan, rate=rate, run=run, warm_ms=20, measure_ms=400))
            assert result["units"] > 5
            assert [result[what] for what in ("undrained", "gone", "stalled", "fails")] == [0] * 4
            assert result["latency_us"]["count"] > 5 < result["ack_us"]["count"]


def test_all_peers_of_the_chat_are_tried_here_where_they_are() -> None:
    usual = {keeper.name for keeper in program.CHAT} | {"Redis"}
    assert {keeper.name for keeper in program.CHAT_ALL} - usual == {keeper.name for keeper, _ in ON_DEMAND}


@attrs.define
class Made:
    """A server of two sides that speaks one of the languages: what it answers to each message is ``parts``."""

    parts: tuple[Part, ...]
    refuse: bool = False
    wires: list[tuple[socket.socket, socket.socket]] = attrs.field(factory=lambda: [socket.socketpair() for _ in "ab"])
    """(the server's, the load's)."""
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    counted: Counter[tuple[str, int]] = attrs.field(factory=Counter)
    """What a language keeps of a side."""
    threads: list[threading.Thread] = attrs.field(factory=list)

    def serve(self, read: Callable[[Made, int], None]) -> None:
        for _, theirs in self.wires:
            theirs.setblocking(False)
        for at in (0, 1):
            self.threads.append(threading.Thread(target=self._until_it_is_over, args=(read, at), daemon=True))
            self.threads[at].start()

    def _until_it_is_over(self, read: Callable[[Made, int], None], at: int) -> None:
        try:
            while True:
                read(self, at)
        except OSError:
            pass

    def exactly(self, at: int, count: int) -> bytes:
        found = self.wires[at][0].recv(count, socket.MSG_WAITALL)
        if len(found) < count:
            raise ConnectionError("it is over")
        return found

    def line(self, at: int) -> bytes:
        found = b""
        while not found.endswith(b"\r\n"):
            found += self.exactly(at, 1)
        return found[:-2]

    def tell(self, at: int, data: bytes) -> None:
        """In two pieces: what comes is cut anywhere."""
        with self.lock:
            self.wires[at][0].sendall(data[:7])
            self.wires[at][0].sendall(data[7:])

    def hang_up(self) -> None:
        """All that was written is read by then."""
        for _, theirs in self.wires:
            theirs.shutdown(socket.SHUT_WR)
        for thread in self.threads:
            thread.join(10)

    def close(self) -> None:
        for two in self.wires:
            for one in two:
                one.close()


def nats(made: Made, at: int) -> None:
    word, *rest = made.line(at).split()
    if word == b"PONG":
        return
    subject, answer_at, size = rest
    text = made.exactly(at, int(size) + 2)
    assert (word, subject) == (b"PUB", b"talk.0.%d" % (1 - at))
    if made.refuse or "ack" in made.parts:
        answer = b'{"error":{"code":10077}}' if made.refuse else b'{"stream":"TALK", "seq":77}'
        made.tell(at, b"PING\r\nMSG %b 1 %d\r\n%b\r\n" % (answer_at, len(answer), answer))
    if "said" in made.parts:
        made.tell(1 - at, b"MSG %b 2 $JS.ACK.TALK.x.1.2.3.4.5 %b\r\n%b" % (subject, size, text))


def pg(kind: bytes, body: bytes) -> bytes:
    return kind + (len(body) + 4).to_bytes(4, "big") + body


def pg_read(made: Made, at: int) -> None:
    """A pool of one connection, and one that listens, on which nothing comes in."""
    bound: list[tuple[bytes, bytes]] = []
    while True:
        kind, size = made.exactly(at, 1), int.from_bytes(made.exactly(at, 4), "big")
        body = made.exactly(at, size - 4)
        if kind == b"S":
            break
        if kind == b"B":
            _, statement, rest = body.split(b"\0", 2)
            assert rest[:4] == b"\0\0\0\2"
            channel = int.from_bytes(rest[4:8], "big")
            bound.append((statement, rest[12 + channel : -2]))
    (first, text), (second, told) = bound
    assert (first, second, at) == (b"i", b"n", 0)
    assert text == told
    if made.refuse:
        made.tell(0, pg(b"E", b"SERROR\0\0") + pg(b"Z", b"I"))
    elif "ack" in made.parts:
        made.tell(0, pg(b"2", b"") + pg(b"C", b"INSERT 0 1\0") + pg(b"2", b"") + pg(b"Z", b"I"))
    if "said" in made.parts:
        made.tell(1, pg(b"A", b"\0\0\0\7talk0\0" + text + b"\0"))


def amqp(channel: int, method: tuple[int, int], args: bytes, *, content: bytes = b"") -> bytes:
    def frame(kind: int, body: bytes) -> bytes:
        return struct.pack(">BHI", kind, channel, len(body)) + body + b"\xce"

    head = struct.pack(">HHQHB", method[0], 0, len(content), 0x1000, 2)
    return frame(1, struct.pack(">HH", *method) + args) + (frame(2, head) + frame(3, content) if content else b"")


def amqp_read(made: Made, at: int) -> None:
    """One frame. The first message of a side is confirmed together with the second."""
    kind, channel, size = struct.unpack(">BHI", made.exactly(at, 7))
    body, over = made.exactly(at, size), made.exactly(at, 1)
    assert over == b"\xce"
    method = struct.unpack(">HH", body[:4])
    if kind == 1 and channel == 1:
        tag, upto = struct.unpack(">QB", body[4:])
        assert (method, upto) == ((60, 80), 1)
        assert made.counted["taken", at] < tag <= made.counted["told", at]
        made.counted["taken", at] = tag
    elif kind == 1 and method in ((20, 10), (85, 10)):
        made.tell(at, amqp(channel, (method[0], 11), b"\0\0\0\0" if method[0] == 20 else b""))
    elif kind == 1:
        assert (method, body[6:]) == ((60, 40), b"\0\x07talk0.%d\0" % (1 - at))
    elif kind == 2:
        assert body[-3:] == b"\x10\0\2"  # persistent
    else:
        _amqp_answer(made, at, channel, body)


def _amqp_answer(made: Made, at: int, channel: int, text: bytes) -> None:
    made.counted["sent", at] += 1
    tag = made.counted["sent", at]
    if made.refuse:
        made.tell(at, amqp(channel, (60, 120), struct.pack(">QB", tag, 0)))
    elif "ack" in made.parts and tag > 1:
        made.tell(at, amqp(channel, (60, 80), struct.pack(">QB", tag, tag == 2)))
    if "said" in made.parts:
        made.counted["told", 1 - at] += 1  # by this thread alone: there is one other side
        given = b"\4side" + struct.pack(">QB", made.counted["told", 1 - at], 0) + b"\0" + b"\7talk0.%d" % (1 - at)
        made.tell(1 - at, amqp(1, (60, 60), given, content=text))


def each(name: str, made: Made) -> dict[str, Any]:
    """A connection for each side."""
    return {"sides": [(theirs.fileno(), name) for _, theirs in made.wires]}


def pooled(name: str, made: Made) -> dict[str, Any]:
    """One that both sides use, and one that listens."""
    pool, ear = (theirs.fileno() for _, theirs in made.wires)
    return {"sides": [(pool, name)] * 2, "ears": [ear]}


SPOKEN: Final = [
    pytest.param(Speech.NATS, nats, partial(each, "talk.0"), id="NATS"),
    pytest.param(Speech.AMQP, amqp_read, partial(each, "talk0"), id="RabbitMQ"),
    pytest.param(Speech.POSTGRES, pg_read, partial(pooled, "talk0"), id="PostgreSQL"),
]
Serve = Callable[..., ChatPlan]


@pytest.fixture
def servers() -> Iterator[list[Made]]:
    made: list[Made] = []
    yield made
    for one in made:
        one.close()


@pytest.fixture
def served(servers: list[Made]) -> Serve:
    def make(speech: Speech, read: Callable[[Made, int], None], wired: Callable[[Made], Any], **how: Any) -> ChatPlan:
        made = Made(**how)
        servers.append(made)
        made.serve(read)
        return quick(ChatPlan(**wired(made), speech=speech, inflight=4, key="k-"))

    return make


@pytest.mark.parametrize(("speech", "read", "wired"), SPOKEN)
def test_a_message_counts_when_both_halves_have_come(served: Serve, speech: Speech, read: Any, wired: Any) -> None:
    result = chat.run(served(speech, read, wired, parts=("said", "ack")))
    assert result["units"] > 5
    assert [result[what] for what in ("undrained", "gone", "stalled", "fails")] == [0] * 4


@pytest.mark.parametrize("silent", ["ack", "said"])
@pytest.mark.parametrize(("speech", "read", "wired"), SPOKEN)
def test_half_of_a_message_counts_for_nothing(
    served: Serve, speech: Speech, read: Any, wired: Any, silent: str
) -> None:
    plan = served(speech, read, wired, parts=tuple({"ack", "said"} - {silent}))
    with pytest.raises(LoadFailed, match="not one message"):
        chat.run(attrs.evolve(plan, drain_ms=20))


@pytest.mark.parametrize(("speech", "read", "wired"), SPOKEN)
def test_a_refusal_is_kept_and_counts_for_nothing(served: Serve, speech: Speech, read: Any, wired: Any) -> None:
    plan = served(speech, read, wired, parts=("said",), refuse=True)
    with pytest.raises(LoadFailed, match=r"'fails': [1-9]"):
        chat.run(attrs.evolve(plan, drain_ms=20))


def test_what_a_side_consumes_it_acknowledges(served: Serve, servers: list[Made]) -> None:
    result = chat.run(served(Speech.AMQP, amqp_read, partial(each, "talk0"), parts=("said", "ack")))
    servers[0].hang_up()
    counted = servers[0].counted
    assert counted["told", 0] + counted["told", 1] >= result["units"]
    assert [counted["taken", at] for at in (0, 1)] == [counted["told", at] for at in (0, 1)]
