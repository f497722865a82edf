"""What a hub can say of itself: its own counts and those of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from broker.protocol.handshake import State
from broker.runtime import batches, feeds, outbox, recovery, requests, signals

if TYPE_CHECKING:
    from broker.runtime.hub import Hub


@attrs.frozen(kw_only=True)
class Statistics:
    """The hub's own and those of its parts."""

    connections: int
    signed_in: int
    welcomed: int
    sign_ins_refused: int
    turned_away: int
    """Before HELLO, for whatever reason; ``Peers.refusals`` has them by reason."""
    http: int
    ticks: int
    faults: int
    pings: int
    dead: int
    positions: int
    timers: int
    questions: int
    snapshots: int
    outbox: outbox.Statistics
    ledger: batches.Statistics
    feeds: feeds.Statistics
    signals: signals.Statistics
    requests: requests.Statistics
    recovery: recovery.Statistics


def of(hub: Hub) -> Statistics:
    """The counts as they are now."""
    connections = hub.peers.connections
    signed_in = sum(connection.machine.state is State.OPEN for connection in connections)
    return Statistics(
        connections=len(connections),
        signed_in=signed_in,
        welcomed=hub.entrance.sign_in.welcomed,
        sign_ins_refused=sum(hub.entrance.sign_in.refusals.values()),
        turned_away=sum(hub.peers.refusals.values()),
        http=len(hub.peers.http),
        ticks=hub.ticks,
        faults=hub.faults.met,
        pings=hub.watch.pings,
        dead=hub.watch.dead,
        positions=hub.notices.positions,
        timers=len(hub.timers),
        questions=len(hub.asks),
        snapshots=hub.subscriptions.snapshots,
        outbox=hub.outbox.statistics(),
        ledger=hub.ledger.statistics(),
        feeds=hub.feeds.statistics(),
        signals=hub.signals.statistics(),
        requests=hub.requests.statistics(),
        recovery=hub.recovery.statistics(),
    )
