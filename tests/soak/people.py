"""Ten representatives, a stream of customers, and a service that follows the account: one run of load.

An open loop: when customers come is drawn before anybody answers. Each comes in on an idle one of many connections,
since a visitor may have one open request; how late they come is measured, here and in the broker's time. All of them
live in one plain loop over sockets and timers: what a task for each would cost is latency, which is load.
"""

from __future__ import annotations

import gc
import heapq
import http.client
import itertools
import math
import random
import selectors
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]
import trio

from bench.load.people import EVENT, FAIL, GOODBYE, PING, PONG, RESULT, Person, everyone, sign_in
from bench.load.ws import BINARY, READ_BYTES, Refused, cut
from broker.protocol.frames import Event
from tests.crash.actors import ACCOUNT
from tests.crash.broker_process import Victim
from tests.soak.trace import SERVERS, Lines, spread

NAMES: Final = [f"rep{number}" for number in range(SERVERS)]
DESK: Final = """
[[portal]]
portal = "line"
kind = "ask"
mode = "queue"
subportals = ["line"]

[[team]]
team = "all"
subportals = ["line"]
""" + "".join(
    f'[[representative]]\nrepresentative = "{name}"\nname = "Robin"\nteam = "all"\ncapacity = 1\n' for name in NAMES
)
CUSTOMERS: Final = 100
"""Connections to begin with: at a load of 0.8 ten are busy in the mean, and a hundred once in a billion arrivals. More
are opened as they are needed, and counted: whoever comes on a new one comes late."""
DRAIN: Final = 60.0
"""Seconds until all who came must have gone."""
QUESTION: Final = {"text": "Where is my parcel?", "name": "Ann"}


@attrs.frozen(kw_only=True)
class Plan:
    """One run."""

    handle: float
    """Mean length of a conversation (ms)."""
    load: float
    """Arrivals in that time."""
    requests: int
    warm_up: int
    """Requests before those that count."""
    patience: float | None
    """Mean patience (ms); None: nobody gives up."""
    seed: int

    @property
    def rate(self) -> float:
        """Arrivals a ms."""
        return self.load / self.handle

    @property
    def arrivals(self) -> int:
        """All of them."""
        return self.warm_up + self.requests


@attrs.define(eq=False, kw_only=True)
class _Visit:
    """What a customer is about."""

    person: Person
    due: float
    """When it was to be asked (s)."""
    patience: float
    """ms"""
    asked: int = 0
    """The id of its request.create."""
    request: str | None = None
    """What that made, once answered."""
    served: bool = False
    """It has a representative, or had one."""
    gone: bool = False
    hasty: bool = False
    """Its patience has run out."""


@attrs.define(eq=False)
class Load:
    """A run under way, and what it has gathered."""

    plan: Plan
    victim: Victim
    events: list[Event] = attrs.field(factory=list)
    """Of the account stream."""
    answers: dict[str, str] = attrs.field(factory=dict)
    """Request to the state that its creation answered."""
    handles: dict[str, float] = attrs.field(factory=dict)
    """Request to how long its conversation is meant to be (ms)."""
    patience: dict[str, float] = attrs.field(factory=dict)
    """The same for the patience of those who wait."""
    due: dict[str, float] = attrs.field(factory=dict)
    """Request to when it was to be asked (ms of this process)."""
    late: list[float] = attrs.field(factory=list)
    """How long after that it was sent (ms)."""
    starved: int = 0
    """Arrivals for which a connection had to be opened."""
    lines: list[Lines] = attrs.field(factory=list)
    """Before anybody came, after the warm-up, with the last arrival, when all have gone."""
    _looks: list[Future[Lines]] = attrs.field(factory=list)
    _helper: ThreadPoolExecutor = attrs.field(factory=lambda: ThreadPoolExecutor(1))
    _idle: deque[Person] = attrs.field(factory=deque)
    _timers: list[tuple[float, int, Callable[[float], None]]] = attrs.field(factory=list)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count)
    _selector: selectors.BaseSelector = attrs.field(factory=selectors.DefaultSelector)
    _people: ExitStack = attrs.field(factory=ExitStack)
    _came: int = 0
    _ended: int = 0

    def run(self) -> None:
        """All of it. Blocks."""
        with self._helper, self._selector, self._people, _no_collector():
            self._sign_in()
            self._look()
            self._looks[0].result()
            chance = random.Random(self.plan.seed)
            self.at(time.monotonic(), lambda due: self._arrive(due, chance))
            end = time.monotonic() + self.plan.arrivals / (self.plan.rate * 1000) + DRAIN
            while self._ended < self.plan.arrivals:
                self._turn()
                if time.monotonic() > end:
                    raise TimeoutError(
                        f"{self._came} came and {self._ended} are gone, {DRAIN:g} s after the last was due"
                    )
            self._look()
            self.lines = [look.result() for look in self._looks]

    def _sign_in(self) -> None:
        (watcher,) = self._connect([{"token": self.victim.tokens(["watcher"], "service")["watcher"]}])
        watcher.subscribe("account")
        self._follow(watcher, self._watched)
        staff = self._connect([{"token": token} for token in self.victim.tokens(NAMES).values()])
        everyone(staff, "subscribe", {"stream": "me", "from": "now"})
        everyone(staff, "presence.set", {"presence": "available"})
        for number, person in enumerate(staff):
            chance = random.Random(f"{number} {self.plan.seed}")
            self._follow(person, _Representative(self, person, chance).take)
        self._open(CUSTOMERS)

    def _connect(self, auths: Sequence[dict[str, str]]) -> list[Person]:
        people = sign_in(self.victim.port, auths)
        for person in people:
            self._people.callback(person.socket.close)
        return people

    def _open(self, count: int) -> None:
        people = self._connect([{"portal": f"{ACCOUNT}/line"}] * count)
        everyone(people, "subscribe", {"stream": "me", "from": "now"})
        for person in people:
            self._follow(person, _ignore)
            self._idle.append(person)

    # --- the loop ------------------------------------------------------------------------------------

    def _follow(self, person: Person, take: Callable[[list[Any]], None]) -> None:
        for frame in _whole(person):  # what came with the answer: how its portal stands
            take(frame)
        self._selector.register(person.socket.sock, selectors.EVENT_READ, (person, take))

    def at(self, due: float, act: Callable[[float], None]) -> None:
        """Do this then."""
        heapq.heappush(self._timers, (due, next(self._numbers), act))

    def _turn(self) -> None:
        wait = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else 1.0
        for key, _ in self._selector.select(min(wait, 1.0)):
            person, take = key.data
            for frame in _frames(person):
                take(frame)
        while self._timers and self._timers[0][0] <= time.monotonic():
            due, _, act = heapq.heappop(self._timers)
            act(due)

    # --- people --------------------------------------------------------------------------------------

    def _watched(self, frame: list[Any]) -> None:
        assert frame[0] == EVENT, f"the account stream has a hole: {frame}"
        event = Event(*frame[1:])
        self.events.append(event)
        self._ended += event.type == "request.ended"

    def _arrive(self, due: float, chance: random.Random) -> None:
        patience = chance.expovariate(1 / self.plan.patience) if self.plan.patience else math.inf
        following = due + chance.expovariate(self.plan.rate) / 1000
        if not self._idle:
            self.starved += 1
            self._open(1)
        person = self._idle.popleft()
        visit = _Visit(person=person, due=due, patience=patience)
        told = (person, partial(self._told, visit))
        self._selector.modify(person.socket.sock, selectors.EVENT_READ, told)
        visit.asked = person.ask_nowait("request.create", QUESTION)
        sent = time.monotonic()
        self.late.append((sent - due) * 1000)
        if self.plan.patience:
            self.at(sent + patience / 1000, lambda due: self._lose_patience(visit))
        self._came += 1
        if self._came < self.plan.arrivals:
            self.at(following, lambda due: self._arrive(due, chance))
        if self._came in (self.plan.warm_up, self.plan.arrivals):
            self._look()

    def _told(self, visit: _Visit, frame: list[Any]) -> None:
        kind = frame[0]
        if kind == RESULT and frame[1] == visit.asked:
            self._answered(visit, frame[2])
        elif kind == FAIL and frame[1] == visit.asked:
            raise Refused(f"a request was refused: {frame[2:]}")
        elif kind == EVENT:
            visit.served |= frame[3] == "request.assigned"
            visit.gone |= frame[3] == "request.ended"
        else:
            return
        if visit.gone and visit.request is not None:
            self._selector.modify(visit.person.socket.sock, selectors.EVENT_READ, (visit.person, _ignore))
            self._idle.append(visit.person)

    def _answered(self, visit: _Visit, value: Mapping[str, Any]) -> None:
        assert not value["existing"]
        visit.request = value["request"]
        self.answers[value["request"]] = value["state"]
        self.due[value["request"]] = visit.due * 1000
        if value["state"] == "waiting":
            self.patience[value["request"]] = visit.patience
        else:
            visit.served = True
        if visit.hasty:
            self._lose_patience(visit)

    def _lose_patience(self, visit: _Visit) -> None:
        """Who has got a representative in the meantime is refused, and stays."""
        visit.hasty = True
        if visit.request is not None and not visit.served and not visit.gone:
            visit.person.ask_nowait("request.withdraw", {"request": visit.request})

    # --- measuring -----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._looks.append(self._helper.submit(self._metrics))

    def _metrics(self) -> Lines:
        asking = http.client.HTTPConnection("127.0.0.1", self.victim.port, timeout=10)
        try:
            asking.request("GET", "/metrics")
            return Lines.parse(asking.getresponse().read().decode())
        finally:
            asking.close()

    def lateness(self) -> str:
        """How late arrivals were: as they were sent, and as the broker made requests of them."""
        created = {str(event.data["request"]): event.t_ms for event in self.events if event.type == "request.created"}
        delays = [created[name] - due for name, due in self.due.items()]
        least = min(delays)
        made = [delay - least for delay in delays]  # the two clocks differ by something unknown
        return f"arrivals sent late by {_spread(self.late)} ms, made by {_spread(made)} ms (mean, p99, most)"


@attrs.define(eq=False)
class _Representative:
    """Accepts every offer at once, and ends the conversation when it is over."""

    load: Load
    person: Person
    chance: random.Random
    accepted: dict[int, float] = attrs.field(factory=dict)
    """Id of an offer.accept to how long the conversation will be (ms)."""

    def take(self, frame: list[Any]) -> None:
        """A frame."""
        kind = frame[0]
        if kind == EVENT and frame[3] == "offer.made":
            length = self.chance.expovariate(1 / self.load.plan.handle)
            self.load.handles[frame[5]["request"]] = length
            self.accepted[self.person.ask_nowait("offer.accept", {"offer": frame[5]["offer"]})] = length
        elif kind == RESULT and frame[1] in self.accepted:
            end = time.monotonic() + self.accepted.pop(frame[1]) / 1000
            self.load.at(end, lambda due: self._end(frame[2]["session"]))

    def _end(self, session: str) -> None:
        self.person.ask_nowait("session.end", {"session": session})


def _frames(person: Person) -> list[list[Any]]:
    """What comes in whole messages."""
    data = person.socket.sock.recv(READ_BYTES)
    if not data:
        raise Refused("the broker closed a connection")
    person.socket.rest += data
    return _whole(person)


def _whole(person: Person) -> list[list[Any]]:
    """The whole messages that are here; pings are answered on the way."""
    socket = person.socket
    found: list[list[Any]] = []
    while (message := cut(socket.rest)) is not None:
        opcode, payload, used = message
        socket.rest = socket.rest[used:]
        if opcode != BINARY:
            raise Refused(f"the broker closed a connection, or sent what is none of the protocol: {payload!r}")
        unpacker = msgpack.Unpacker(max_buffer_size=4 << 20)
        unpacker.feed(payload)
        for frame in unpacker:
            if frame[0] == PING:
                person.send(PONG, *frame[1:3])
            elif frame[0] == GOODBYE:
                raise Refused(f"the broker said goodbye: {frame[1:]}")
            else:
                found.append(frame)
    return found


def _ignore(frame: list[Any]) -> None:
    """The rest of what an idle customer is told: results of withdrawals."""


def _spread(values: Sequence[float]) -> str:
    return f"{sum(values) / len(values):.2f}, {spread(values, 0.99):.1f}, {max(values):.1f}"


@contextmanager
def _no_collector() -> Iterator[None]:
    """A run makes some 50 MB, and a collection in it makes everybody late."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@asynccontextmanager
async def live(victim: Victim) -> AsyncIterator[Victim]:
    """Started for the block, and ended politely."""
    await victim.start()
    try:
        yield victim
        assert await trio.to_thread.run_sync(victim.stop) == 0
    finally:
        if victim.process is not None:
            victim.kill()
