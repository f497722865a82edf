"""The end of a broker: what was decided is stored and told, clients hear when to come back, desks are saved.

Bounded by ``SHUTDOWN_GRACE`` in each of its steps; whatever isn't done then is as after a kill, which loses nothing
that was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.codes import Close
from broker.journal.base import Journal
from broker.runtime.hub import Hub
from broker.transport.base import Transport


async def shut_down(hub: Hub, transport: Transport, journal: Journal) -> None:
    """End everything; the hub's own task calls this once it has stopped ticking."""
    transport.shut()
    hub.peers.stopping = True
    hub.conductor.paused = True  # deadlines wait for the next start, which gives everybody the full period
    grace = hub.options.shutdown_grace
    end = hub.clock.now() + grace
    await _tick_until(hub, end, lambda: hub.ledger.empty or hub.recovery.down)
    for connection in list(hub.peers.connections):
        hub.outbox.end(connection, Close.SHUTDOWN, "the broker is stopping", retry_ms=hub.options.come_back)
    saved = _save(hub)
    await _tick_until(hub, hub.clock.now() + grace, lambda: not hub.peers.connections and not saved)
    journal.close()
    transport.dispose()


async def _tick_until(hub: Hub, end: int, done: Callable[[], bool]) -> None:
    """Tick until ``done`` or until ``end`` (ms)."""
    hub.timers.wake_by("shutdown", end, lambda now: None)
    while not done() and hub.clock.now() < end:
        await hub.tick()
    hub.timers.forget("shutdown")


def _save(hub: Hub) -> set[str]:
    """Have the follower store each changed desk, so that the next start reads little; names of those under way."""
    under_way: set[str] = set()
    if hub.recovery.down:
        return under_way
    for account in hub.accounts.values():
        if account.up and account.seq > account.saved_seq:
            under_way.add(account.name)
            name = account.name
            hub.asks.ask("save", name, then=lambda reply, name=name: under_way.discard(name))  # type: ignore[misc]
    return under_way
