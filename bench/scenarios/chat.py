"""P4: messages a second that are on disk, acknowledged and delivered, in 500 conversations of two.

Closed loop: 1 and 8 messages of each conversation on their way; whoever reads the end of one writes the next. A message
counts when its sender has the RESULT of `chat.send` and the other side the `chat.message`, each of which left the
broker after the commit (fsync). 200 bytes of text; both sides follow `me` and their session, so each is sent its own
messages too. Open loop: messages by a Poisson process at half of what the closed loop with 1 in flight reached in the
median, timed from when they were due: of one case the p50 and p99 are the delivery's, of the other the
acknowledgement's. Memory: what the broker's processes hold more (proportional set size) for each of the later
conversations of an office: two connections, request, session, case, and the rings of recent events; once when all
are open, and once when everybody has talked.

What would make the number lie: the load program as the limit (its share of its core is printed) or late (`late_us` in
the JSON); a disk whose fsync costs nothing (the floor has the same disk); many conversations make large groups for each
fsync, few don't; rates (raised in the configuration, a customer's messages among them, as a note says). The journal's
writer is a process of its own on the broker's core: "server %" is both.

The C floor appends to a file and syncs once a tick, Redis does the same with a stream. RabbitMQ syncs the log of its
quorum queues for all that came meanwhile, NATS JetStream and PostgreSQL sync each message by itself. None of them
checks anything, remembers keys, has a chain, or another stream to publish in; each tells the other side alone. Where
all begin at once, the slowest take in thousands before they answer, and go on in waves: warm-up and measurement of the
closed loops each last until as many are done as are on their way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Final

import attrs

from bench.load import chat
from bench.load.chat import ChatPlan
from bench.load.people import everyone
from bench.peers.broker import Running
from bench.peers.talk import Keeper, Talking, converse, talking_broker
from bench.report import BROKER, Report, Sample, Target
from bench.scenarios.measure import measure, told

UNIT: Final = "messages/s"
SCENARIO: Final = "P4 chat"
FEW: Final = "1 in flight"
MANY: Final = "8 in flight"
OPEN: Final = "open loop at half, delivery"
ACK: Final = "open loop at half, acknowledgement"
OPENED: Final = "memory of a conversation, opened"
TALKED: Final = "memory of a conversation, after the talk"
PEERS: Final = ("NATS JetStream", "PostgreSQL", "RabbitMQ", "Redis")
TARGETS: Final = (
    Target(scenario=SCENARIO, case=FEW, bound=20_000.0),
    Target(scenario=SCENARIO, case=MANY, bound=45_000.0),
    *(Target(scenario=SCENARIO, case=case, bound=1.0, against=peer) for peer in PEERS for case in (FEW, MANY)),
)
WINDOW: Final = 8
"""Of one side in the open loop: a customer may have so many without an answer."""
SETTLE: Final = 1.0  # seconds for what was put off to be done


@attrs.frozen(kw_only=True)
class Size:
    """How many take part."""

    conversations: int = 500
    warm: float = 1.0

    @property
    def first(self) -> int:
        """Those whose memory doesn't count: what the broker needs by itself lies among it."""
        return max(1, self.conversations // 5)


def run(report: Report, keepers: Sequence[Keeper], *, rounds: int, seconds: float, size: Size) -> None:
    """``rounds`` times a fresh server of each, one after the other; then memory."""
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        for keeper in keepers:
            with told(report, keeper.name, number), keeper.talk(size.conversations) as talking:
                if talking.note:
                    report.note(talking.note)
                found = rates.setdefault(keeper.name, [])
                _loops(report, talking, found, number, seconds, size)
        with told(report, SCENARIO, number), talking_broker(size.conversations) as (broker, reps):
            _memory(report, broker, reps, number, size)


def _loops(report: Report, talking: Talking, rates: list[float], number: int, seconds: float, size: Size) -> None:
    plan = attrs.evolve(
        talking.plan(inflight=1, key=f"a{number}-"), warm_ms=round(size.warm * 1000), measure_ms=round(seconds * 1000)
    )
    few = _measure(report, talking, plan, FEW, number)
    rates.append(few["units"] / few["seconds"])
    _measure(report, talking, attrs.evolve(plan, inflight=WINDOW, key=f"b{number}-", run=1), MANY, number)
    opened = attrs.evolve(plan, inflight=WINDOW, rate=median(rates) / 2, key=f"c{number}-", seed=number + 1, run=2)
    result = _measure(report, talking, opened, OPEN, number)
    sample = next(s for s in reversed(report.samples) if s.case == OPEN)
    acked = result["ack_us"]
    report.add(attrs.evolve(sample, case=ACK, p50_ms=acked["p50"] / 1000, p99_ms=acked["p99"] / 1000))


def _measure(report: Report, talking: Talking, plan: ChatPlan, case: str, number: int) -> dict[str, Any]:
    def load(opened: Callable[[], None], closed: Callable[[], None]) -> dict[str, Any]:
        return chat.run(plan, opened, closed)

    result = measure(report, talking.server, load, scenario=SCENARIO, case=case, round_=number, unit=UNIT)
    for what in ("fails", "full"):
        if result[what]:
            report.note(f"{SCENARIO}, {case}, {talking.server.name}, round {number + 1}: {what} {result[what]}")
    return result


def _memory(report: Report, broker: Running, reps: Sequence[str], number: int, size: Size) -> None:
    people, sessions = converse(broker, reps[: size.first])
    before = _held(broker)
    for at in range(size.first, len(reps), size.first):
        more, ids = converse(broker, reps[at : at + size.first])
        people += more
        sessions += ids
        for op, args in (("subscribe", {"stream": "me", "from": "now"}), ("unsubscribe", {"stream": "me"})):
            everyone(people, op, args)  # they are heard of meanwhile
    count = len(reps) - size.first
    _add(report, OPENED, number, count, (_held(broker) - before) / count)
    talking = Talking(server=broker.server, sockets=[person.socket for person in people], names=sessions)
    plan = talking.plan(inflight=WINDOW, key="m-")
    result = chat.run(attrs.evolve(plan, warm_ms=1, measure_ms=round(size.warm * 2000)))
    _add(report, TALKED, number, count, (_held(broker) - before) / count, messages=result["units"] / len(reps))


def _held(broker: Running) -> int:
    time.sleep(SETTLE)
    return sum(broker.server.memory_kib().values())


def _add(report: Report, case: str, number: int, count: int, value: float, **details: float) -> None:
    sample = Sample(scenario=SCENARIO, case=case, server=BROKER, round=number, value=value, unit="KiB each")
    sample.details.update(conversations=count, **details)
    report.add(sample)
