"""Tells customers the state of the portal they came through: when they subscribe, and when it changes (A12).

Nothing is asked by the clock but how full lines are, and that only where something happened. What changed is gathered
for a moment; then everybody of the account is looked at, a few in each tick, and those of these portals are told. So it
costs nothing while nothing changes, and a desk of 50,000 connected customers goes on while they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import attrs

from broker import limits
from broker.protocol.codec import pack
from broker.protocol.frames import Notice
from broker.runtime.account import Account
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.timers import Timers

_KEY: Final = "portal"
_TYPE: Final = "portal.state"


@attrs.define(eq=False)
class _Round:
    """What is being told to an account's people."""

    payloads: dict[str, bytes]
    """By portal."""
    people: list[str]
    """Who is still to be looked at, the next one last."""


class PortalNotices:
    """Of all accounts."""

    def __init__(
        self, *, clock: Clock, timers: Timers, outbox: Outbox, accounts: Mapping[str, Account], options: Options
    ) -> None:
        self._clock = clock
        self._timers = timers
        self._outbox = outbox
        self._accounts = accounts
        self._options = options
        self._turned: dict[str, set[str]] = {}
        """Account to the portals that are to be told of."""
        self._rounds: dict[str, _Round] = {}
        self._full: dict[str, set[str]] = {}
        """Account to the sub-portals that were full at the last look."""
        self._looked: dict[str, int] = {}
        """Account to its ``seq`` then."""
        self.told = 0
        """Notices since the start."""

    def start(self) -> None:
        """From now on, every period."""
        self._timers.wake_by("full lines", self._clock.now() + self._options.position_period, self._look)

    def _look(self, now: int) -> int:
        """Which lines are full now and weren't, or were and aren't: only where something happened since."""
        for account in self._accounts.values():
            if not account.up or self._looked.get(account.name) == account.seq:
                continue
            self._looked[account.name] = account.seq
            full, before = account.desk.full(), self._full.get(account.name, set())
            self._full[account.name] = full
            subportals = account.desk.state.subportals
            turned = {subportals[name].portal for name in full ^ before if name in subportals}
            if turned:
                self.turned(account, turned)
        period = self._options.position_period
        return now + period - now % period  # by the clock, as places are told

    def turned(self, account: Account, portals: Iterable[str]) -> None:
        """Something else is said of these portals from now on."""
        self._turned.setdefault(account.name, set()).update(portals)
        due = self._clock.now() + limits.PORTAL_STATE_PAUSE
        self._timers.wake_by(("portals", account.name), due, partial(self._tell, account))

    def greet(self, connection: Connection, account: Account) -> None:
        """Somebody has begun to follow ``me``."""
        identity = connection.identity
        assert identity is not None
        if identity.portal is not None:
            payload = self._payload(account, identity.portal)
            if payload is not None:
                self._when_true(account, partial(self._send, connection, payload))

    def _tell(self, account: Account, now: int) -> int | None:
        """Begin a round, or go on with it; when to be called again."""
        told = self._rounds.get(account.name)
        if told is None:
            if not account.up and account.name in self._turned:
                return now + limits.PORTAL_STATE_PAUSE  # its desk is being read
            if account.up and (turned := self._turned.pop(account.name, None)):
                found = {portal: self._payload(account, portal) for portal in sorted(turned)}
                payloads = {portal: payload for portal, payload in found.items() if payload is not None}
                self._when_true(account, partial(self._begin, account, payloads))
            return None
        for _ in range(min(len(told.people), limits.PORTAL_STATES_A_TICK)):
            person = account.people.get(told.people.pop())
            for connection in person.connections if person is not None else ():
                portal = connection.identity.portal if connection.identity is not None else None
                if portal in told.payloads:
                    self._send(connection, told.payloads[portal])
        if told.people:
            return now + 1
        del self._rounds[account.name]
        return now + limits.PORTAL_STATE_PAUSE if account.name in self._turned else None

    def _begin(self, account: Account, payloads: dict[str, bytes]) -> None:
        running = self._rounds.get(account.name)
        if running is not None:  # the journal took long: those who are still to come are told the newer
            payloads = {**running.payloads, **payloads}
        self._rounds[account.name] = _Round(payloads, list(account.people))
        self._timers.wake_by(("portals", account.name), self._clock.now(), partial(self._tell, account))

    def _when_true(self, account: Account, tell: partial[None]) -> None:
        """Once what it rests on is on disk."""
        if account.parts:
            account.parts[-1].waiting.append(Later(tell))
        else:
            tell()

    def _payload(self, account: Account, portal: str) -> bytes | None:
        page = account.desk.page(portal) if account.up else None
        return None if page is None else pack(Notice("me", _KEY, _TYPE, page))

    def _send(self, connection: Connection, payload: bytes) -> None:
        if "me" in connection.cursors and not connection.closing:
            self._outbox.notice(connection, "me", _KEY, payload)
            self.told += 1
