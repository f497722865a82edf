"""P3: one event to 1,000 subscribers, with 1 and with 8 publishes on their way.

Timed: deliveries of one 200-byte EVENT to each of 1,000 connections; the next publish leaves when every subscriber
has one more. At the broker the cheapest durable event with many readers does it: a representative's `presence.set`
seen by 1,000 managers on `team:bench`. So the broker also checks and decides a command, commits it with an fsync
(several publishes share one), and answers it; the peers only copy the same number of bytes to everyone and promise
nothing. NATS and mosquitto publish to one subject at most once, as they do by default.

What would make the number lie: the load program as the limit (1,000 sockets cost it as much as the server; see its
share of its core, and the C floor); a disk whose fsync costs nothing or much (the broker's 1-in-flight figure holds
one commit for each 1,000 deliveries); rates (a representative may ask 20 times a second, which the benchmark's config
raises, as its note says); packed messages (several events in one WebSocket message count as so many deliveries).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from bench.load import engine
from bench.peers.base import Contender
from bench.report import Report, Target
from bench.scenarios.measure import measure, told

UNIT: Final = "deliveries/s"
SCENARIO: Final = "P3 fan-out"
TARGETS: Final = (
    Target(scenario=SCENARIO, case="1 in flight", against="mosquitto", bound=1.3),
    Target(scenario=SCENARIO, case="1 in flight", against="NATS", bound=1.3),
    Target(scenario=SCENARIO, case="1 in flight", against="C floor", bound=0.65),
    Target(scenario=SCENARIO, case="8 in flight", against="NATS", bound=1.5),
    Target(scenario=SCENARIO, case="8 in flight", against="Crossbar", bound=6.0),
    Target(scenario=SCENARIO, case="8 in flight", against="C floor", bound=0.65),
)


def run(
    report: Report,
    contenders: Sequence[Contender],
    *,
    rounds: int,
    seconds: float,
    subscribers: int = 1000,
    warm: float = 0.5,
) -> None:
    """``rounds`` times: one contender after the other, started afresh for each case."""
    for number in range(rounds):
        for contender in contenders:
            for inflight in (1, 8):
                with told(report, contender.name, number), contender.fanout(subscribers) as wired:
                    plan = wired.fanout(inflight, round(warm * 1000), round(seconds * 1000))
                    measure(
                        report,
                        wired.server,
                        partial(engine.run, plan),
                        scenario=SCENARIO,
                        case=f"{inflight} in flight",
                        round_=number,
                        unit=UNIT,
                    )
                    if wired.note:
                        report.note(wired.note)
