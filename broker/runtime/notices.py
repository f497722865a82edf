"""What is told by the clock and not by events: places in the line, and how far filtered subscriptions are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from broker.limits import POSITIONS_EXACT
from broker.protocol.codec import pack
from broker.protocol.frames import Notice
from broker.runtime.account import Account, Known
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.feeds import Feeds
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.timers import Timers
from broker.units import SECONDS

_TENS = 10
WAIT_STEP: Final = 5 * SECONDS  # estimates are told in steps of this, rounded up: more would be pretence


@attrs.frozen
class Told:
    """A place to tell."""

    request: str
    customer: str
    known: Known
    data: Mapping[str, object]


class Notices:
    """Runs once a period."""

    def __init__(
        self,
        *,
        clock: Clock,
        timers: Timers,
        outbox: Outbox,
        feeds: Feeds,
        accounts: Mapping[str, Account],
        options: Options,
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._outbox = outbox
        self._feeds = feeds
        self._accounts = accounts
        self._options = options
        self.positions = 0
        """Places told since the start."""

    def start(self) -> None:
        """From now on, every period."""
        self._timers.wake_by("notices", self._clock.now() + self._options.position_period, self._tick)

    def _tick(self, now: int) -> int:
        left = self._options.positions_per_period
        for account in self._accounts.values():
            # Nothing happened, nothing moved; and who has told everything needn't look again.
            if account.up and account.told_seq != account.seq and left > 0:
                left -= self._tell_positions(account, left)
        self._feeds.tell_progress()
        self._feeds.retry()
        # By the clock, not by when this ran: nobody's places are told earlier or later for what others do.
        period = self._options.position_period
        return now + period - now % period

    def _tell_positions(self, account: Account, most: int) -> int:
        """Tell the changed places of this account's lines, looking at most at so many; how many were looked at."""
        told: list[Told] = []
        looked = total = 0
        retell, account.retell = account.retell, set()
        for subportal, length in sorted(account.desk.lines(), key=lambda line: line[1]):  # short ones first
            total += length
            boosts = account.desk.state.requests
            wait, moved_by = account.desk.waits(subportal), account.desk.moved_by(subportal)
            for first, count in self._windows(account, subportal, length, most - looked):
                looked += count
                for request, customer, place in account.desk.positions(subportal, first, count):
                    shown = place if place <= POSITIONS_EXACT else -(-place // _TENS) * _TENS
                    known, now = account.told.get(request), Known(subportal, boosts[request].boost, shown)
                    if customer in account.people and (known != now or customer in retell):
                        data: dict[str, object] = {"position": shown, "exact": shown <= POSITIONS_EXACT}
                        if wait is not None:
                            data["wait_ms"] = -round(-wait(place) // WAIT_STEP) * WAIT_STEP
                        why = now.differs(known, moved_by) if known is not None else None
                        if known is None and boosts[request].arrived <= account.desk.state.flow.began:
                            why = "restarted"
                        if why is not None:
                            data["reason"] = why
                        told.append(Told(request, customer, now, data))
        if looked >= total:
            account.told_seq = account.seq
            account.next_place.clear()
        if len(account.told) > 2 * total:
            requests = account.desk.state.requests
            account.told = {request: shown for request, shown in account.told.items() if request in requests}
        self._send(account, told)
        return looked

    def _windows(self, account: Account, subportal: str, length: int, most: int) -> list[tuple[int, int]]:
        """(first place, count) to look at in a line: all of it if it is short enough, else its head and, in turn, a
        piece of the rest."""
        if length <= most:
            return [(1, length)]
        head = min(POSITIONS_EXACT, most)
        first = account.next_place.get(subportal, 0)
        first = first if head < first <= length else head + 1
        piece = min(most - head, length - first + 1)
        account.next_place[subportal] = first + piece
        return [(1, head), (first, piece)] if piece > 0 else [(1, head)] if head > 0 else []

    def _send(self, account: Account, told: list[Told]) -> None:
        if not told:
            return
        if account.parts:
            account.parts[-1].waiting.append(Later(partial(self._notify, account, told)))
        else:
            self._notify(account, told)

    def _notify(self, account: Account, told: list[Told]) -> None:
        for one in told:
            person = account.people.get(one.customer)
            if person is None:
                continue
            if self._to(person.connections, one.request, {"request": one.request, **one.data}):
                account.told[one.request] = one.known
                self.positions += 1

    def _to(self, connections: Iterable[Connection], request: str, data: Mapping[str, object]) -> bool:
        """Whether anybody follows ``me`` to hear it."""
        payload = pack(Notice("me", f"position:{request}", "queue.position", data))
        heard = False
        for connection in connections:
            if "me" in connection.cursors:
                self._outbox.notice(connection, "me", f"position:{request}", payload)
                heard = True
        return heard
