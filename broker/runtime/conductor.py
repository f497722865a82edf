"""The only caller of desks: carries out commands and deadlines, and puts what happened into the open batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from broker.content import Personal
from broker.desk.commands import Internal
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Recorded, Refusal
from broker.ids import ENTROPY_BYTES
from broker.journal.base import Content
from broker.protocol.ops import Command
from broker.runtime import signals
from broker.runtime.account import Account
from broker.runtime.batches import Ledger, Part
from broker.runtime.clock import Clock
from broker.runtime.timers import Timers

Entropy = Callable[[int], bytes]
"""So many random bytes."""

_CROWDED: Final = 20  # ms until a deadline is tried again when the journal has too much to do


class Conductor:
    """Runs one command at a time; time and entropy go in here."""

    def __init__(self, *, clock: Clock, ledger: Ledger, timers: Timers, entropy: Entropy, tick_deadlines: int) -> None:
        self._clock = clock
        self._ledger = ledger
        self._timers = timers
        self._entropy = entropy
        self._most = tick_deadlines
        self.paused = False
        """While the journal is down no deadline fires: nobody could have answered in time."""
        self.guard: Callable[[Callable[[], None]], object] = lambda call: call()
        """Runs a call that may meet a bug; the account is reloaded if it does."""
        self._touching: Account | None = None
        self._fired_at = 0
        self._fired = 0
        """Deadlines carried out at ``_fired_at``."""
        self.turned: Callable[[Account, set[str]], None] = lambda account, portals: None
        """Told of portals whose customers are to be told something else."""
        self.unstored: Callable[[Part, Sequence[str]], None] = lambda part, gone: None
        """Told of files whose bytes are to go once this part is on disk."""
        self.decided: Callable[[Part, Sequence[Recorded]], None] = lambda part, records: None
        """Told of each command's events right after they were decided."""

    def carry_out(
        self,
        account: Account,
        command: Command | Internal,
        identity: Identity | None,
        personal: Sequence[Personal] = (),
        prepared: object = None,
    ) -> Handled | Refusal:
        """Ask the desk. What it did is in the account's newest part when this returns."""
        self._touching = account
        outcome = account.desk.handle(command, identity, self._clock.now(), self._entropy(ENTROPY_BYTES), prepared)
        if isinstance(outcome, Handled) and outcome.records:
            self._record(account, outcome.records, personal)
            self.schedule(account)
        self._touching = None
        return outcome

    def touched(self) -> Account | None:
        """The account whose desk was interrupted by a bug, once."""
        account, self._touching = self._touching, None
        return account

    def tell(self, account: Account, command: Internal) -> None:
        """Something the broker itself has to say. A desk that isn't there is told anew when it is back."""
        if account.up:
            self.guard(lambda: self._tell(account, command))

    def _tell(self, account: Account, command: Internal) -> None:
        self.carry_out(account, command, None)

    def schedule(self, account: Account) -> None:
        """Make sure the desk is woken when it wants to be."""
        due = account.desk.next_deadline()
        if due is not None and not self.paused:
            self._timers.wake_by(account, due, lambda now: self._wake(account, now))

    def _wake(self, account: Account, now: int) -> int | None:
        if self.paused or not account.up:
            return None  # scheduled again when the journal is back, or the desk
        if self._ledger.crowded():
            return now + _CROWDED
        self._fired = self._fired + 1 if now == self._fired_at else 1
        self._fired_at = now
        if self._fired > self._most:
            return now + 1  # the rest in the next tick: somebody may have something more urgent to say
        self.guard(lambda: self._fire(account))
        return account.desk.next_deadline() if account.up else None

    def _fire(self, account: Account) -> None:
        self._touching = account
        # Not at the tick's time: a command of this tick may have been decided since, and records never go back in time.
        handled = account.desk.fire(self._clock.now())
        if handled is not None and handled.records:
            self._record(account, handled.records, ())
        self._touching = None

    def _record(self, account: Account, records: Sequence[Recorded], personal: Sequence[Personal]) -> None:
        ledger = self._ledger
        part = ledger.part(account)
        for one in personal:
            account.texts[one.ref[0]] = one.text
            part.contents.append(Content(one.ref[0], one.salt, one.text.encode()))
        for recorded in records:
            ledger.record(part, recorded)
            event = recorded.event
            if (name := signals.over(event)) is not None:
                signals.close(account, name)
        part.released.extend(account.desk.drain_released())
        part.erased.extend(account.desk.drain_erased())
        if gone := account.desk.drain_unstored():
            self.unstored(part, gone)
        if turned := account.desk.drain_turned():
            self.turned(account, turned)
        self.decided(part, records)
