"""P7, first figure: memory for each idle connection, plain WebSocket.

Measured: the broker's proportional set size (both its processes) with a few hundred idle customers and again with some
thousand more, divided by the difference, so that what the broker needs by itself drops out. Signed-in customers came
through a portal and follow `me`, as a customer's page does; "connected" ones have only upgraded to WebSocket, within
the five seconds they have for that. Not measured: what the kernel holds for each socket (about 5 KiB on
Linux, outside of any process), TLS, ten minutes of soak.

What would make the number lie: memory that the allocator holds for the peak of the sign-in and would use again (so the
first few hundred are not counted); a collection of garbage that hasn't run (CPython's doesn't wait long).
"""

from __future__ import annotations

import time
from typing import Final

from bench.load.people import PATH, PROTOCOL
from bench.load.ws import connect
from bench.peers.broker import Running, desk_file, names, running
from bench.report import BROKER, Report, Sample, Target
from bench.scenarios.measure import told

SCENARIO: Final = "P7 memory"
SIGNED_IN: Final = "signed-in customer"
CONNECTED: Final = "connection in the transport"
UNIT: Final = "KiB each"
TARGETS: Final = (
    Target(scenario=SCENARIO, case=SIGNED_IN, bound=12.0, at_most=True),
    Target(scenario=SCENARIO, case=CONNECTED, bound=4.0, at_most=True),
)
FIRST: Final = 500
MORE: Final = 4000
SETTLE: Final = 1.0  # seconds for what was put off to be done


def run(report: Report, *, rounds: int, first: int = FIRST, more: int = MORE) -> None:
    """``rounds`` times a fresh broker."""
    desk = desk_file(kind="ask", mode="queue", representatives=names(1), capacity=1)
    for number in range(rounds):
        for case, measured in ((CONNECTED, _connected), (SIGNED_IN, _signed_in)):
            with told(report, SCENARIO, number), running(desk) as broker:
                _add(report, case, number, more, measured(broker, first, more))


def _signed_in(broker: Running, first: int, more: int) -> float:
    broker.customers("ask", first)
    before = _held(broker)
    broker.customers("ask", more)
    after = _held(broker)
    return (after - before) / more


def _connected(broker: Running, first: int, more: int) -> float:
    """Within HELLO_TIMEOUT, so without the second of settling, and half as many."""
    few = more // 2
    held = [connect(broker.server.port, PATH, PROTOCOL) for _ in range(first)]
    before = sum(broker.server.memory_kib().values())
    held += [connect(broker.server.port, PATH, PROTOCOL) for _ in range(few)]
    after = sum(broker.server.memory_kib().values())
    for socket in held:
        socket.close()
    return (after - before) / few


def _held(broker: Running) -> int:
    time.sleep(SETTLE)
    return sum(broker.server.memory_kib().values())


def _add(report: Report, case: str, number: int, count: int, value: float) -> None:
    sample = Sample(scenario=SCENARIO, case=case, server=BROKER, round=number, value=value, unit=UNIT)
    sample.details["connections"] = count
    report.add(sample)
