"""What the chat benchmark's peers speak: against small servers made here, and against the real ones where they are."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import pytest

import bench.__main__ as program
from bench.load import chat
from bench.load.chat import ChatPlan, Speech
from bench.load.engine import LoadFailed
from bench.peers.install import PEERS
from bench.peers.jetstream import JetStreamTalk
from bench.peers.talk import FloorTalk, Keeper

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("cc") is None, reason="the load programs need a C compiler: scripts/setup"),
]
Part = str  # of an answer: "ack" or "said"
HERE: Final[dict[str, Callable[[], object]]] = {
    "NATS JetStream": lambda: (PEERS / "venv-nats" / "bin" / "nats-server").exists(),
}
"""Whether a peer is there without installing anything."""
THERE: Final[list[Keeper]] = [FloorTalk(), *(one for one in (JetStreamTalk(),) if HERE[one.name]())]


def quick(plan: ChatPlan) -> ChatPlan:
    return attrs.evolve(plan, warm_ms=20, measure_ms=150, drain_ms=1000)


@pytest.mark.parametrize("keeper", THERE, ids=lambda keeper: keeper.name)
def test_every_message_is_acknowledged_and_read_by_the_other_side(keeper: Keeper) -> None:
    with keeper.talk(3) as talking:
        for inflight, rate, first in ((1, 0.0, 0), (8, 0.0, 10**6), (8, 200.0, 2 * 10**6)):
            plan = talking.plan(inflight=inflight, key=f"k{first}-")
            result = chat.run(attrs.evolve(plan, rate=rate, first=first, warm_ms=20, measure_ms=400))
            assert result["units"] > 5
            assert [result[what] for what in ("undrained", "gone", "stalled", "fails")] == [0] * 4
            assert result["latency_us"]["count"] > 5 < result["ack_us"]["count"]


def test_all_peers_of_the_chat_are_tried_here_where_they_are() -> None:
    usual = {keeper.name for keeper in program.CHAT} | {"Redis"}
    assert {keeper.name for keeper in program.CHAT_ALL} - usual == set(HERE)


@attrs.define
class Made:
    """A server of two sides that speaks one of the languages: what it answers to each message is ``parts``."""

    parts: tuple[Part, ...]
    refuse: bool = False
    wires: list[tuple[socket.socket, socket.socket]] = attrs.field(factory=lambda: [socket.socketpair() for _ in "ab"])
    """(the server's, the load's)."""
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def serve(self, read: Callable[[Made, int], None]) -> None:
        for _, theirs in self.wires:
            theirs.setblocking(False)
        for at in (0, 1):
            threading.Thread(target=self._until_it_is_over, args=(read, at), daemon=True).start()

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


SPOKEN: Final = [pytest.param(Speech.NATS, nats, "talk.0", id="NATS")]


@pytest.fixture
def served() -> Iterator[Callable[..., tuple[Made, ChatPlan]]]:
    made: list[Made] = []

    def make(speech: Speech, read: Callable[[Made, int], None], name: str, **how: Any) -> tuple[Made, ChatPlan]:
        made.append(Made(**how))
        made[0].serve(read)
        sides = [(theirs.fileno(), name) for _, theirs in made[0].wires]
        return made[0], quick(ChatPlan(sides=sides, speech=speech, inflight=4, key="k-"))

    yield make
    made[0].close()


@pytest.mark.parametrize(("speech", "read", "name"), SPOKEN)
def test_a_message_counts_when_both_halves_have_come(
    served: Callable[..., tuple[Made, ChatPlan]], speech: Speech, read: Any, name: str
) -> None:
    _, plan = served(speech, read, name, parts=("said", "ack"))
    result = chat.run(plan)
    assert result["units"] > 5
    assert [result[what] for what in ("undrained", "gone", "stalled", "fails")] == [0] * 4


@pytest.mark.parametrize("silent", ["ack", "said"])
@pytest.mark.parametrize(("speech", "read", "name"), SPOKEN)
def test_half_of_a_message_counts_for_nothing(
    served: Callable[..., tuple[Made, ChatPlan]], speech: Speech, read: Any, name: str, silent: str
) -> None:
    _, plan = served(speech, read, name, parts=tuple({"ack", "said"} - {silent}))
    with pytest.raises(LoadFailed, match="not one message"):
        chat.run(attrs.evolve(plan, drain_ms=20))


@pytest.mark.parametrize(("speech", "read", "name"), SPOKEN)
def test_a_refusal_is_kept_and_counts_for_nothing(
    served: Callable[..., tuple[Made, ChatPlan]], speech: Speech, read: Any, name: str
) -> None:
    _, plan = served(speech, read, name, parts=("said",), refuse=True)
    with pytest.raises(LoadFailed, match=r"'fails': [1-9]"):
        chat.run(attrs.evolve(plan, drain_ms=20))
