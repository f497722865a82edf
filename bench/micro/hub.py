"""What a whole request costs the hub, without sockets, disk and waiting: ``python -m bench.micro.hub [N] [--profile]``;
with ``--chat``: what a message does.

Timed: CPU time in `Hub.step`, for requests that go their whole way (created, offered, accepted, assigned, ended: three
commands, five records), 64 at a time, over the memory transport; or for messages that each side of 64 sessions says in
turn, both of which follow it. The journal commits in memory; its time is taken off. The least of many rounds is shown
beside the median, since everything else on a machine only adds. Not timed: the clients, the journal, and what the
kernel does for real sockets; the memory transport's pipes are Python and stand in for that. What would make the number
lie: a core that runs slower than it can (its speed is printed: compare runs of the same speed).
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from time import process_time_ns
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]
import trio

from bench.load.people import EVENT, FAIL, HELLO, request
from bench.machine import speed
from broker.identity.tokens import Signer
from broker.journal.base import Append
from broker.journal.inline import InlineJournal
from broker.journal.memory import MemoryStore
from broker.routing.pins import PinSpace
from broker.runtime.clock import TrioClock
from broker.runtime.follower import Follower
from broker.runtime.hub import Hub
from broker.runtime.keyring import Secrets
from broker.runtime.options import ROLES, Options
from broker.transport.memory import MemoryPeer, MemoryTransport

ACCOUNT: Final = "bench"
KEY: Final = bytes(range(32))
FOREVER: Final = 2**52
TOGETHER: Final = 64
ROUNDS: Final = 100
TICKS: Final = 4  # enough for everything that one wave of commands leads to
UNHURRIED: Final = (1e6, 1e6)
TEXT: Final = "x" * 200
TOP: Final = 40
"""Lines of a profile."""


class TimedJournal(InlineJournal):
    """Knows how long its commits took."""

    spent = 0

    def submit(self, appends: Sequence[Append]) -> int:
        """See ``base.Journal``."""
        began = process_time_ns()
        number = super().submit(appends)
        self.spent += process_time_ns() - began
        return number


class Office:
    """A hub with ``TOGETHER`` customers and as many representatives."""

    def __init__(self) -> None:
        self.transport = MemoryTransport()
        self.journal = TimedJournal(MemoryStore(), Follower().questions(), on_outcome=self.transport.wake)
        self.signer = Signer(KEY)
        self.hub = Hub(
            transport=self.transport,
            journal=self.journal,
            clock=TrioClock(),
            secrets=Secrets(signer=self.signer, pinspace=PinSpace(KEY), fingerprint_key=KEY),
            accounts=[(ACCOUNT, 0)],
            options=Options(
                roles={role: attrs.evolve(bounds, rate=UNHURRIED) for role, bounds in ROLES.items()},
                commit_rate=UNHURRIED,
                chat_rate=UNHURRIED,
            ),
        )
        self.numbers = 0
        self.spent = 0
        self.profile: cProfile.Profile | None = None
        self.hub.start()
        self.step()
        self.customers, self.representatives = self.furnish()
        self.sessions: dict[MemoryPeer, str] = {}

    def step(self) -> None:
        """A few ticks, timed without the journal."""
        before = self.journal.spent
        if self.profile is not None:
            self.profile.enable()
        began = process_time_ns()
        for _ in range(TICKS):
            self.hub.step()
        took = process_time_ns() - began
        if self.profile is not None:
            self.profile.disable()
        self.spent += took - (self.journal.spent - before)

    def connect(self, auth: Mapping[str, object]) -> MemoryPeer:
        """Somebody who has said HELLO and follows ``me``."""
        peer = self.transport.connect()
        self.step()
        peer.pump()
        peer.send_nowait(msgpack.packb([HELLO, [1], [], auth, {}]))
        self.step()
        self.ask(peer, "subscribe", {"stream": "me", "from": "now"})
        return peer

    def staff(self, person: str, role: str) -> MemoryPeer:
        """A representative or a manager."""
        return self.connect({"token": self.signer.mint(ACCOUNT, person, role, FOREVER)})

    def ask(self, peer: MemoryPeer, op: str, args: Mapping[str, object]) -> None:
        """Send a REQUEST, let the hub handle it, and pass over what it says."""
        self.send(peer, op, args)
        self.step()
        read(peer)

    def send(self, peer: MemoryPeer, op: str, args: Mapping[str, object]) -> None:
        """Send a REQUEST."""
        self.numbers += 1
        peer.send_nowait(request(op, args, self.numbers))

    def furnish(self) -> tuple[list[MemoryPeer], list[MemoryPeer]]:
        """(customers, available representatives)."""
        boss = self.staff("boss", "manager")
        self.ask(boss, "portal.put", {"portal": "ask", "kind": "ask", "mode": "queue", "subportals": ["help"]})
        self.ask(boss, "team.put", {"team": "bench", "subportals": ["help"]})
        representatives = []
        for number in range(TOGETHER):
            name = f"rep-{number:05}"
            args = {"representative": name, "name": "Robin", "team": "bench", "capacity": 4}
            self.ask(boss, "representative.put", args)
            representatives.append(self.staff(name, "representative"))
            self.ask(representatives[-1], "presence.set", {"presence": "available"})
        return [self.connect({"portal": f"{ACCOUNT}/ask"}) for _ in range(TOGETHER)], representatives

    def round(self) -> float:
        """Every customer's request goes its whole way; CPU microseconds of the hub for each."""
        self.spent = 0
        for customer in self.customers:
            self.send(customer, "request.create", {"subportal": "help", "text": "How do I change my address?"})
        self.step()
        self.answer("offer.made", "offer.accept", "offer")
        self.answer("session.opened", "session.end", "session")
        ended = sum(item[3] == "request.ended" for customer in self.customers for item in read(customer))
        for representative in self.representatives:
            read(representative)
        assert ended == TOGETHER, f"{ended} of {TOGETHER} requests went their whole way"
        return self.spent / TOGETHER / 1000

    def meet(self) -> None:
        """Everybody is in a session, and both sides follow it."""
        for customer in self.customers:
            self.send(customer, "request.create", {"subportal": "help", "text": "How do I change my address?"})
        self.step()
        self.answer("offer.made", "offer.accept", "offer")
        for peer, item in self.events([*self.customers, *self.representatives]):
            if item[3] in ("session.opened", "request.assigned"):
                self.sessions[peer] = item[5]["session"]
        for peer, session in self.sessions.items():
            self.ask(peer, "subscribe", {"stream": f"session:{session}", "from": "now"})
        assert len(self.sessions) == 2 * TOGETHER

    def message(self) -> float:
        """One message of each side of every session; CPU microseconds of the hub for each."""
        self.spent = 0
        told = 0
        for side in (self.customers, self.representatives):
            for peer in side:
                self.send(peer, "chat.send", {"session": self.sessions[peer], "text": TEXT})
            self.step()
            told += sum(item[3] == "chat.message" for _, item in self.events(self.sessions))
        assert told == 4 * TOGETHER, f"{told} of {4 * TOGETHER} messages came"
        return self.spent / (2 * TOGETHER) / 1000

    def events(self, peers: Iterable[MemoryPeer]) -> list[tuple[MemoryPeer, list[Any]]]:
        """What has come for them."""
        return [(peer, item) for peer in peers for item in read(peer)]

    def answer(self, event: str, op: str, field: str) -> None:
        """Every representative answers each such event."""
        for representative in self.representatives:
            for item in read(representative):
                if item[3] == event:
                    self.send(representative, op, {field: item[5][field]})
        self.step()


def read(peer: MemoryPeer) -> list[list[Any]]:
    """The EVENTs that are there."""
    found: list[list[Any]] = []
    while True:
        try:
            message = peer.receive_nowait()
        except trio.WouldBlock:
            return found
        unpacker = msgpack.Unpacker()
        unpacker.feed(message)
        for item in unpacker:
            assert item[0] != FAIL, item
            if item[0] == EVENT:
                found.append(item)


async def main(rounds: int, *, profile: bool, chat: bool) -> None:
    """Print the figures."""
    office = Office()
    measured, what, times = (
        (office.message, "message", 2 * TOGETHER) if chat else (office.round, "whole request", TOGETHER)
    )
    if chat:
        office.meet()
    for _ in range(10):
        measured()
    if profile:
        office.profile = cProfile.Profile()
    speeds, costs = [], []
    for _ in range(rounds):
        speeds.append(speed())
        costs.append(measured())
    print(f"{min(costs):8.1f} µs of the hub for a {what} at the least, {median(costs):.1f} in the median")
    print(f"{max(speeds):8.1f} loops a µs on this core at the most, {median(speeds):.1f} in the median")
    if office.profile is not None:
        print(f"\ncProfile over {rounds * times} of them (it slows everything down: read shares, not times)")
        pstats.Stats(office.profile).sort_stats("tottime").print_stats(TOP)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.micro.hub")
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--chat", action="store_true", help="messages instead of requests")
    arguments = parser.parse_args()
    trio.run(lambda: main(arguments.rounds, profile=arguments.profile, chat=arguments.chat))
