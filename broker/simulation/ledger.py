"""What happened in a run: a line for each request, time integrals for each representative. Reads events alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from sortedcontainers import SortedList

from broker.desk import events as e
from broker.desk.desk import Desk
from broker.simulation.world import World


@attrs.define(eq=False)
class Row:
    """One request. Times in ms from the beginning."""

    number: int
    """Its place in the order of arrival, from 0."""
    subportal: str
    """Where it came in."""
    arrived: int
    offered: int | None = None
    """When it was first offered."""
    assigned: int | None = None
    """When it first got a session."""
    ended: int | None = None
    outcome: str = "open"
    """The final state of the request, by the desk's word; ``open`` before it."""
    representative: str | None = None
    """Who first had it."""
    estimate: int | None = None
    """How long it was told, at its arrival, to wait (ms)."""

    @property
    def gave_up(self) -> bool:
        """Whether it left the line by itself."""
        return self.assigned is None and self.outcome in ("withdrawn", "abandoned")

    @property
    def waited(self) -> int | None:
        """From arrival to the session or to giving up (ms); None for one that still waits, or was handed on."""
        until = self.assigned if self.assigned is not None else self.ended if self.gave_up else None
        return None if until is None else until - self.arrived


@attrs.define(eq=False)
class Account:
    """One representative's time. Integrals over what is measured, in ms times places."""

    team: str
    capacity: int
    available: bool = False
    load: int = 0
    """Places taken, by sessions and the work after them."""
    since: int = 0
    """Until when the integrals are made."""
    offered_time: int = 0
    """Of the capacity while it welcomed offers: what could have been used."""
    staffed_time: int = 0
    """The same, and of the load while it finished sessions without welcoming offers."""
    busy_time: int = 0
    """Of the load."""
    assignments: int = 0
    """Sessions begun while measured."""


class Ledger:
    """A ``Watcher`` that writes everything down. Requests that came before the warm-up was over are in ``rows`` too."""

    def __init__(self, desk: Desk, world: World) -> None:
        self.first, self.last = world.warm_up, world.until
        self.rows: dict[str, Row] = {}
        self.accounts = {
            name: Account(one.team, one.capacity) for name, one in sorted(desk.state.representatives.items())
        }
        self.refusals = 0
        self.offers_ended: dict[str, int] = {}
        """Reason to how many offers ended so, while measured."""
        self.overtakes = 0
        """Requests first offered before an older one that waited in the same line."""
        self.line_time = 0
        """Integral of the number of requests that wait or are offered (ms)."""
        self._line, self._line_since = 0, 0
        self._unoffered: dict[str, SortedList[int]] = {}
        """Sub-portal to the numbers of those in its line that haven't been offered to anybody."""
        self._lines: dict[str, str] = {}
        """Request that hasn't been offered to the sub-portal in whose line it is."""
        self._see: dict[type, Callable[[Any, int], None]] = {
            e.RequestCreated: self._created,
            e.OfferMade: self._offered,
            e.OfferEnded: self._offer_ended,
            e.RequestAssigned: self._assigned,
            e.RequestRequeued: self._requeued,
            e.RequestEnded: self._ended,
            e.RequestMoved: self._moved,
            e.SessionEnded: self._freed,
            e.SessionReleased: self._freed,
            e.WrapUpEnded: self._freed,
            e.PresenceChanged: self._presence,
        }

    def see(self, event: e.Event, t: int) -> None:
        """See ``Watcher``."""
        written = self._see.get(type(event))
        if written is not None:
            written(event, t)

    def refused(self, subportal: str, t: int) -> None:
        """See ``Watcher``."""
        self.refusals += self._measured(t)

    def estimated(self, request: str, ms: int) -> None:
        """See ``Watcher``."""
        self.rows[request].estimate = ms

    def close(self) -> None:
        """The run is over: bring the integrals to its end."""
        for account in self.accounts.values():
            self._integrate(account, self.last)
        self._lengthen(0, self.last)

    def measured(self) -> list[Row]:
        """The rows that count, in the order of arrival."""
        return [row for row in self.rows.values() if self._measured(row.arrived)]

    def _measured(self, t: int) -> bool:
        return self.first <= t < self.last

    def _within(self, since: int, t: int) -> int:
        return max(0, min(t, self.last) - max(since, self.first))

    # --- requests --------------------------------------------------------------------------------

    def _created(self, event: e.RequestCreated, t: int) -> None:
        row = self.rows[event.request] = Row(len(self.rows), event.subportal, t)
        self._line_up(event.request, row, event.subportal)
        self._lengthen(1, t)

    def _line_up(self, request: str, row: Row, subportal: str) -> None:
        self._lines[request] = subportal
        self._unoffered.setdefault(subportal, SortedList()).add(row.number)

    def _moved(self, event: e.RequestMoved, t: int) -> None:
        row = self.rows[event.request]
        if self._leave(event.request, row):
            self._line_up(event.request, row, event.subportal)

    def _leave(self, request: str, row: Row) -> bool:
        line = self._lines.pop(request, None)
        if line is not None:
            self._unoffered[line].remove(row.number)
        return line is not None

    def _offered(self, event: e.OfferMade, t: int) -> None:
        row = self.rows[event.request]
        if row.offered is not None:
            return
        row.offered = t
        if self._unoffered[self._lines[event.request]][0] != row.number:
            self.overtakes += self._measured(row.arrived)
        self._leave(event.request, row)

    def _offer_ended(self, event: e.OfferEnded, t: int) -> None:
        if self._measured(t):
            self.offers_ended[event.reason] = self.offers_ended.get(event.reason, 0) + 1

    def _assigned(self, event: e.RequestAssigned, t: int) -> None:
        row = self.rows[event.request]
        if row.assigned is None:
            row.assigned, row.representative = t, event.representative
        account = self.accounts[event.representative]
        self._integrate(account, t)
        account.load = event.load
        account.assignments += self._measured(t)
        self._lengthen(-1, t)

    def _requeued(self, event: e.RequestRequeued, t: int) -> None:
        self._lengthen(1, t)

    def _ended(self, event: e.RequestEnded, t: int) -> None:
        row = self.rows[event.request]
        row.ended, row.outcome = t, event.state
        if row.assigned is None:
            self._lengthen(-1, t)
            self._leave(event.request, row)

    def _lengthen(self, change: int, t: int) -> None:
        self.line_time += self._line * self._within(self._line_since, t)
        self._line += change
        self._line_since = t

    # --- representatives -------------------------------------------------------------------------

    def _freed(self, event: e.SessionEnded | e.SessionReleased | e.WrapUpEnded, t: int) -> None:
        account = self.accounts[event.representative]
        self._integrate(account, t)
        account.load = event.load

    def _presence(self, event: e.PresenceChanged, t: int) -> None:
        account = self.accounts[event.representative]
        self._integrate(account, t)
        account.available = event.presence == "available"

    def _integrate(self, account: Account, t: int) -> None:
        span = self._within(account.since, t)
        account.since = t
        account.busy_time += span * account.load
        if account.available:
            account.offered_time += span * account.capacity
            account.staffed_time += span * account.capacity
        else:
            account.staffed_time += span * account.load
