"""P1 and P2: SIGNAL from one person to another, 50 pairs, with 1 and with 64 on their way in each pair.

Timed: deliveries of one 200-byte SIGNAL frame a WebSocket message, both directions, over real sockets on the
loopback; each pair is a customer and a representative with an active screen share, so the broker checks the
frame, the right and the committed consent, and finds the other side by the share. The peers only find the other
side by the connection and send the same bytes on: less work than the broker's. Latency is from queueing at one
end to reading at the other, in a closed loop: it says how long a message waits at full load, not what a person
feels. Not timed: connecting, signing in, requests, consent.

What would make the number lie: the load program as the limit (its share of its core is printed, and the C floor
shows how far it goes); another process on either core (printed as "others"); one-sided traffic (half of what is
on its way starts from each end); rates (the broker's limits of commands don't count SIGNAL frames; its config is
printed beside); bytes that differ (the engine counts only frames of kind 34, and the drain checks that every one
sent came out). In the row "8 a message" the clients pack 8 frames in one message, as the protocol allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from bench.load import engine
from bench.peers.base import Contender
from bench.report import Report, Target
from bench.scenarios.measure import measure, told

UNIT: Final = "messages/s"
CASES: Final = ((1, "P1"), (64, "P2"))
TARGETS: Final = (
    Target(scenario="P1 relay", case="1 in flight", against="node ws", bound=1.0),
    Target(scenario="P1 relay", case="1 in flight", against="trio-websocket", bound=6.0),
    Target(scenario="P1 relay", case="1 in flight", against="socket.io", bound=2.0),
    Target(scenario="P1 relay", case="1 in flight", against="picows", bound=0.75),
    Target(scenario="P2 relay", case="64 in flight", against="node ws", bound=2.0),
    Target(scenario="P2 relay", case="64 in flight", against="socket.io", bound=4.0),
    Target(scenario="P2 relay", case="64 in flight", against="picows", bound=1.5),
)


def run(
    report: Report, contenders: Sequence[Contender], *, rounds: int, seconds: float, pairs: int = 50, warm: float = 0.5
) -> None:
    """``rounds`` times: each contender started afresh and measured in both cases, one contender after the other."""
    for number in range(rounds):
        for contender in contenders:
            with told(report, contender.name, number), contender.relay(pairs) as wired:
                for inflight, name in CASES:
                    if inflight < wired.per_message:
                        continue
                    plan = wired.relay(inflight, round(warm * 1000), round(seconds * 1000))
                    measure(
                        report,
                        wired.server,
                        partial(engine.run, plan),
                        scenario=f"{name} relay",
                        case=f"{inflight} in flight",
                        round_=number,
                        unit=UNIT,
                    )
                if wired.note:
                    report.note(wired.note)
