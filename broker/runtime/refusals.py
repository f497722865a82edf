"""Counts what is refused, per person or network and code, and has it written into the audit once a minute.

A flood of refusals must not cost the journal a record each; what it was, and from where, is kept all the same.
"""

from __future__ import annotations

from collections import Counter

from broker import limits
from broker.codes import Close, Code
from broker.desk.commands import CountRefusals
from broker.desk.identity import Identity, Role
from broker.runtime.account import Account
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.timers import Timers

MOST = 1024  # different ones kept in a period and account; what has no room is counted together

TELLING = frozenset({Code.NOT_ALLOWED, Code.PIN_INVALID, Code.RATE})
"""Refused requests that an audit wants to know of; the others are mistakes, or nobody's fault."""

Key = tuple[str | None, str | None, str]
"""(person, network, code)."""

_OTHERS: Key = (None, None, "")


class Refusals:
    """Counts, and tells each account's desk."""

    def __init__(self, *, clock: Clock, timers: Timers, conductor: Conductor) -> None:
        self._clock = clock
        self._timers = timers
        self._conductor = conductor
        self._counts: dict[Account, Counter[Key]] = {}

    def sign_in(self, account: Account, person: str | None, network: str | None, code: Close) -> None:
        """Somebody was not let in. ``person``: of those who have a name here."""
        self._count(account, (person, network, str(int(code))))

    def request(self, account: Account, identity: Identity, code: Code) -> None:
        """A request was refused. A customer is told by the network alone: its name is drawn at each visit."""
        if code in TELLING:
            person = None if identity.role is Role.CUSTOMER else identity.person
            self._count(account, (person, identity.network, str(int(code))))

    def _count(self, account: Account, key: Key) -> None:
        counts = self._counts.get(account)
        if counts is None:
            counts = self._counts[account] = Counter()
            due = self._clock.now() + limits.AUDIT_PERIOD
            self._timers.wake_by((self, account), due, lambda now: self._write(account, now))
        counts[key if key in counts or len(counts) < MOST else _OTHERS] += 1

    def _write(self, account: Account, now: int) -> int | None:
        if not account.up:
            return now + limits.AUDIT_PERIOD
        counts = self._counts.pop(account)
        more = counts.pop(_OTHERS, 0)
        told = counts.most_common(limits.AUDIT_ROWS)
        more += counts.total() - sum(count for _, count in told)
        self._conductor.tell(account, CountRefusals(tuple((*key, count) for key, count in told), more))
        return None
