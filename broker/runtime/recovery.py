"""Reads accounts from the journal: at the start, and again after a commit failed or a bug was met.

Theory of operation. A failed commit leaves desks ahead of the journal by an unknown amount, so they are dropped,
and everything after them with them. The journal is asked to recover until it does; then the dropped accounts are read
anew and told who is there. No deadline fires in between: nobody could have answered in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import attrs

from broker.desk import snapshot, snapshot_load
from broker.desk.desk import Desk
from broker.desk.state import Times
from broker.journal.base import Failed, Journal, Record, Reply
from broker.protocol.codec import unpack_values
from broker.routing.pins import PinSpace
from broker.runtime import signals
from broker.runtime.account import Account, Standing
from broker.runtime.asks import Asks
from broker.runtime.batches import Ledger
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.feeds import Feeds
from broker.runtime.log import Tell
from broker.runtime.options import Options
from broker.runtime.people import KeyEntry
from broker.runtime.presence import Presence
from broker.runtime.publisher import Publisher
from broker.runtime.timers import Timers
from broker.runtime.why import event_of

TAIL_RECORDS: Final = 1000  # asked for and applied at a time: about 20 ms, during which the hub does nothing else
TEXTS: Final = 1000  # contents asked for at a time
FAIR_OUTAGE: Final = 1000  # ms; after a longer one everybody who was waited for gets the full period anew

_UNFIT: Final = "ValueError: a record or snapshot that this release can't apply; see the log"


@attrs.frozen
class Statistics:
    """What recovery can say of itself."""

    down: bool
    """The journal takes no commits now."""
    loading: int
    """Accounts being read."""
    outages: int
    loads: int


@attrs.define(eq=False)
class _Reading:
    """One account on its way from the journal."""

    account: Account
    desk: Desk
    texts: dict[str, str] = attrs.field(factory=dict, repr=False)
    wanted: list[str] = attrs.field(factory=list)
    broken: bool = False
    """A record could not be applied: what comes after it is of no use."""


class Recovery:
    """Owns ``Account.standing``."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        journal: Journal,
        ledger: Ledger,
        asks: Asks,
        clock: Clock,
        timers: Timers,
        conductor: Conductor,
        publisher: Publisher,
        presence: Presence,
        feeds: Feeds,
        pinspace: PinSpace,
        times: Times | None,
        options: Options,
        tell: Tell,
        guard: Callable[[Callable[[], None]], bool],
    ) -> None:
        """``guard`` makes a call that may meet a bug; False where it did."""
        self._accounts = accounts
        self._journal = journal
        self._ledger = ledger
        self._asks = asks
        self._clock = clock
        self._timers = timers
        self._conductor = conductor
        self._publisher = publisher
        self._presence = presence
        self._feeds = feeds
        self._pinspace = pinspace
        self._times = times
        self._options = options
        self._tell = tell
        self._guard = guard
        self._pause = options.retry_first
        self._since = 0
        self._unproven = False
        """Back after an outage, and nothing committed since."""
        self._outages = self._loads = 0
        self._dropped: dict[Account, None] = {}
        """Accounts to be read once the journal is back."""
        self._doubtful: dict[Account, dict[str, None]] = {}
        """Persons whose keys of the failed commit may or may not be stored."""
        self.down = False
        self.loaded: Callable[[Account], None] = lambda account: None  # told of each account that is up
        self.starting = True
        """Until every account was read once: what can't be read then refuses the start."""
        self.fatal: str | None = None
        """Why this broker must stop: another one has the shard, or the journal can't be read at the start."""

    # --- a commit failed -----------------------------------------------------------------------------

    def failed(self, outcome: Failed) -> None:
        """A batch is not, or perhaps not, on disk."""
        batches = self._ledger.failed(outcome.number)
        if not batches:
            return
        self._tell("error", "journal.failed", error=type(outcome.error).__name__, count=sum(b.records for b in batches))
        self._go_down()
        nothing = outcome.error.surely_nothing
        for number, batch in enumerate(batches):
            for account, part in batch.parts.items():
                self._drop(account)
                if number == 0 and not nothing:
                    people = self._doubtful.setdefault(account, {})
                    people.update((person.person, None) for person, _, _ in part.keys)
            # Those behind the first were never handed over.
            self._publisher.failed(batch, surely_nothing=nothing or number > 0, retry_ms=self._options.retry_most)
        self._recover()

    def _go_down(self) -> None:
        self.down = True
        self._outages += 1
        self._since = self._clock.now()
        self._conductor.paused = True

    def _drop(self, account: Account) -> None:
        account.standing = Standing.LOADING
        account.seat(None)
        account.stopped.clear()
        self._timers.forget(account)
        self._dropped[account] = None

    def _recover(self) -> None:
        self._asks.on_reply(self._journal.recover(), self._recovered)

    def _recovered(self, reply: Reply) -> None:
        if reply.error is None:
            if self._unproven:
                # It came back the last time too, and took no commit: not again at once.
                self._later("recover", self._back)
            else:
                self._back()
        elif reply.error.startswith("StaleWriter"):
            self.fatal = reply.error
        else:
            self._later("recover", self._recover)

    def _later(self, what: object, call: Callable[[], None]) -> None:
        """Try again after a pause that doubles."""

        def wake(now: int) -> None:
            call()

        self._timers.wake_by(("retry", what), self._clock.now() + self._pause, wake)
        self._pause = min(2 * self._pause, self._options.retry_most)

    def _back(self) -> None:
        outage = self._clock.now() - self._since
        self._tell("info", "journal.back", ms=outage)
        self.down = False
        self._unproven = True
        self._conductor.paused = False
        dropped, self._dropped = self._dropped, {}
        for account in self._accounts.values():
            if account in dropped:
                self.load(account)
            elif account.up:
                if outage > FAIR_OUTAGE:
                    self._presence.reassert(account)
                self._conductor.schedule(account)

    def proven(self) -> None:
        """A batch is on disk: the journal works again, and the next outage begins with a short pause."""
        if self._unproven:
            self._unproven = False
            self._pause = self._options.retry_first

    def distrust(self, account: Account) -> None:
        """A bug was met in this account's desk: read it anew once what was decided before is on disk."""
        if not account.up:
            return
        account.standing = Standing.SETTLING
        account.seat(None)
        account.reloads += 1
        self._timers.forget(account)
        self.settled(account)

    def settled(self, account: Account) -> None:
        """Called when a batch with this account is on disk."""
        if account.standing is Standing.SETTLING and not account.parts:
            account.standing = Standing.LOADING
            pause = min(self._options.retry_first << min(account.reloads, 10), self._options.retry_most)

            def wake(now: int) -> None:
                self.load(account)

            self._timers.wake_by(("reload", account), self._clock.now() + pause, wake)

    # --- reading -------------------------------------------------------------------------------------

    def load(self, account: Account) -> None:
        """Read this account; it is up when that is done, however often it takes."""
        self._asks.ask("load", account.name, then=lambda reply: self._begun(account, reply))

    def _failed_reading(self, account: Account, reply: Reply) -> bool:
        if reply.error is None and not self.down:
            return False
        if self.starting:
            self.fatal = f"account {account.name}: {reply.error}"
            return True
        self._tell("error", "account.unreadable", account=account.name, error=(reply.error or "down").split(":")[0])
        if self.down:
            self._dropped[account] = None
        elif (reply.error or "").startswith("JournalUnavailable"):
            self._dropped[account] = None
            self._go_down()
            self._recover()
        else:
            self._later(account, lambda: self.load(account))
        return True

    def _begun(self, account: Account, reply: Reply) -> None:
        if self._failed_reading(account, reply):
            return
        value = cast("Mapping[str, Any]", reply.value)
        reading = _Reading(account, Desk(account.name, account.slot, self._pinspace, self._times))
        packed = value["snapshot"]
        if packed is not None and not self._guard(partial(self._restore, reading, packed)):
            self._failed_reading(account, Reply(reply.number, None, _UNFIT))
            return
        account.saved_seq = value["seq"]
        self._ask_tail(reading, reading.desk.seq)

    def _restore(self, reading: _Reading, packed: bytes) -> None:
        account = reading.account
        data = snapshot.merged(cast("Iterable[snapshot.Part]", unpack_values(packed)))
        reading.desk = snapshot_load.load(account.name, account.slot, self._pinspace, data, self._times)

    def _ask_tail(self, reading: _Reading, after: int) -> None:
        name = reading.account.name
        self._asks.ask("tail", name, after, TAIL_RECORDS, then=lambda reply: self._folded(reading, reply))

    def _folded(self, reading: _Reading, reply: Reply) -> None:
        if reading.broken or self._failed_reading(reading.account, reply):
            return
        rows = cast("Sequence[Sequence[Any]]", reply.value)
        more = len(rows) == TAIL_RECORDS
        if more:
            self._ask_tail(reading, rows[-1][0])  # the writer reads the next while these are applied
        desk = reading.desk
        if not self._guard(partial(_apply, desk, rows)):
            reading.broken = True
            self._failed_reading(reading.account, Reply(reply.number, None, _UNFIT))
            return
        if more:
            return
        desk.settle()
        desk.drain_released()
        desk.drain_unstored()  # what a crash left of them is found when the store is compared
        reading.wanted = list(desk.held_contents())
        self._ask_texts(reading)

    def _ask_texts(self, reading: _Reading) -> None:
        if not reading.wanted:
            self._ask_keys(reading)
            return
        wanted, reading.wanted = reading.wanted[:TEXTS], reading.wanted[TEXTS:]

        def found(reply: Reply) -> None:
            if not self._failed_reading(reading.account, reply):
                reading.texts.update(cast("Mapping[str, str]", reply.value))
                self._ask_texts(reading)

        self._asks.ask("texts", reading.account.name, wanted, then=found)

    def _ask_keys(self, reading: _Reading) -> None:
        """Keys of the failed commit: stored or not, the journal knows now."""
        account = reading.account
        people = self._doubtful.get(account)
        if not people:
            self._doubtful.pop(account, None)
            self._ask_heads(reading)
            return
        name, _ = people.popitem()
        person = account.people.get(name)
        if person is None:
            self._ask_keys(reading)
            return

        def found(reply: Reply) -> None:
            if self._failed_reading(account, reply):
                people[name] = None
                return
            for key, digest, result in cast("Sequence[tuple[str, bytes, bytes]]", reply.value):
                if key not in person.keys.entries:
                    person.keys.add(key, KeyEntry(digest, result))
            self._ask_keys(reading)

        self._asks.ask("answers", account.name, name, person.keys.most, then=found)

    def _ask_heads(self, reading: _Reading) -> None:
        """Followed streams whose end the new desk doesn't know, or may know to be further on than was published."""
        account = reading.account
        names = list(account.streams)

        def found(reply: Reply) -> None:
            if not self._failed_reading(account, reply):
                self._seat(reading, cast("Mapping[str, int]", reply.value))

        self._asks.ask("heads", account.name, names, then=found)

    def _seat(self, reading: _Reading, heads: Mapping[str, int]) -> None:
        account, desk = reading.account, reading.desk
        self._clock.raise_to(desk.last_t)
        account.seat(desk)
        account.seq = desk.seq
        account.texts = reading.texts
        if len(account.former) != len(desk.state.former):
            account.former = dict(desk.state.former)
            self._feeds.renamed(account)
        account.told.clear()
        account.told_seq = -1
        for route in account.routes.values():
            signals.shut(route)
        account.routes = signals.routes(desk.shares())
        account.standing = Standing.UP
        self._loads += 1
        self.starting = self.starting and not all(one.up for one in self._accounts.values())
        self._tell("info", "account.loaded", account=account.name, seq=desk.seq)
        self._feeds.rebase(account, heads)
        self._presence.reassert(account)
        self.loaded(account)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        loading = sum(not account.up for account in self._accounts.values())
        return Statistics(self.down, loading, self._outages, self._loads)


def _apply(desk: Desk, rows: Sequence[Sequence[Any]]) -> None:
    """Replay stored records."""
    for row in rows:
        entries = tuple((stream, offset, kind) for stream, offset, kind in row[5])
        record = Record(row[0], row[1], row[2], row[3], row[4], entries)
        desk.evolve(event_of(record), record.t, record.entries)
