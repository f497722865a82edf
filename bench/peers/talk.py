"""Who can keep a conversation: each message on disk before it is acknowledged and delivered.

The C floor appends it to a file, Redis to a stream (``appendfsync always``: it answers, and tells its subscribers,
after the fsync of all that came meanwhile). Neither checks anything, nor remembers keys. The others that are installed
on demand have modules of their own.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from bench.load.build import CACHE, NotInstalled, program
from bench.load.chat import ChatPlan, Speech
from bench.load.people import Person
from bench.load.ws import Refused, Socket, connect
from bench.peers.base import end
from bench.peers.broker import RAISED, Running, desk_file, names, running, settle
from bench.peers.process import Server, free_port, listening, start
from bench.peers.pubsub import dial, until

REDIS: Final = ("--bind", "127.0.0.1", "--appendonly", "yes", "--appendfsync", "always", "--maxclients", "8000")
"""No snapshots beside the log, either: ``--save`` with nothing."""


@attrs.frozen(kw_only=True)
class Talking:
    """A running server with conversations in it."""

    server: Server
    sockets: Sequence[Socket]
    """Neighbours (0, 1), (2, 3)... talk to each other. The same one may be there many times: a pool's."""
    names: Sequence[str]
    """Of each socket's conversation."""
    speech: Speech = Speech.FRAMES
    ears: Sequence[Socket] = ()
    """Those that only listen, for all."""
    note: str = ""

    def plan(self, *, inflight: int, key: str) -> ChatPlan:
        """A plan for its people."""
        sides = [(s.hand_over(), name) for s, name in zip(self.sockets, self.names, strict=True)]
        ears = [s.hand_over() for s in self.ears]
        return ChatPlan(sides=sides, ears=ears, speech=self.speech, inflight=inflight, key=key)


class Keeper(Protocol):
    """A server that keeps conversations."""

    @property
    def name(self) -> str:
        """As the table says it."""

    def talk(self, conversations: int) -> AbstractContextManager[Talking]:
        """Started, with so many."""


@contextmanager
def talking_broker(conversations: int) -> Iterator[tuple[Running, list[str]]]:
    """A broker, and the names of its representatives."""
    reps = names(conversations)
    with running(desk_file(kind="pick", mode="web", representatives=reps, capacity=4)) as broker:
        yield broker, reps


def converse(broker: Running, reps: Sequence[str]) -> tuple[list[Person], list[str]]:
    """(customer, representative, customer, ...), each two in a session that both follow; the sessions' ids. Everybody
    takes each step before the next, so that all are heard of often enough to be alive."""
    staff, customers = broker.representatives(reps), broker.customers("pick", len(reps))
    _all_ask(customers, "request.create", [{"representative": name} for name in reps])
    offers = [person.event("offer.made")["offer"] for person in staff]
    accepted = _all_ask(staff, "offer.accept", [{"offer": offer} for offer in offers])
    people = [one for two in zip(customers, staff, strict=True) for one in two]
    sessions: list[str] = [told["session"] for told in accepted for _ in range(2)]
    _all_ask(people, "subscribe", [{"stream": f"session:{session}", "from": "now"} for session in sessions])
    settle(people)
    return people, sessions


def _all_ask(people: Sequence[Person], op: str, args: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    asked = [(person, person.ask_nowait(op, given)) for person, given in zip(people, args, strict=True)]
    return [person.answer(number) for person, number in asked]


@attrs.frozen
class BrokerTalk:
    """Huntgroup itself."""

    name: str = "broker"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``. Both sides follow the session, so each reads its own messages, too."""
        with talking_broker(conversations) as (broker, reps):
            people, sessions = converse(broker, reps)
            sockets = [person.socket for person in people]
            yield Talking(server=broker.server, sockets=sockets, names=sessions, note=RAISED)


@attrs.frozen
class FloorTalk:
    """The C floor."""

    name: str = "C floor"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``."""
        with folder() as kept:
            server = start(self.name, [program("echo"), kept / "said"])
            sockets: list[Socket] = []
            try:
                sockets.extend(connect(server.port, f"/talk/{i // 2}") for i in range(2 * conversations))
                yield Talking(server=server, sockets=sockets, names=["session"] * len(sockets))
            finally:
                end(server, sockets)


@attrs.frozen
class RedisTalk:
    """A stream for each conversation, and a channel for each side."""

    name: str = "Redis"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``."""
        path = shutil.which("redis-server")
        if path is None:
            raise NotInstalled("redis-server is not on PATH (Debian: apt-get install redis-server)")
        with folder() as kept:
            port = free_port()
            given = ["--port", str(port), "--dir", str(kept), *REDIS, "--save", ""]
            server = listening(start(self.name, [path, *given], port=port))
            sockets: list[Socket] = []
            try:
                sockets.extend(_redis_side(port, f"talk{i // 2}:{i}") for i in range(2 * conversations))
                keys = [f"talk{i // 2}" for i in range(2 * conversations)]
                yield Talking(server=server, sockets=sockets, names=keys, speech=Speech.REDIS)
            finally:
                end(server, sockets)


def _redis_side(port: int, channel: str) -> Socket:
    s = dial(port)
    s.sock.sendall(b"HELLO 3\r\n")
    if b"redis" not in until(s, b"modules"):
        raise Refused("not a Redis server that speaks RESP3")
    s.sock.sendall(f"SUBSCRIBE {channel}\r\nPING\r\n".encode())
    until(s, b"PONG\r\n")
    return s


@contextmanager
def folder() -> Iterator[Path]:
    """On the same disk for all of them, and gone afterwards."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="talk-", dir=CACHE) as folder:
        yield Path(folder)
