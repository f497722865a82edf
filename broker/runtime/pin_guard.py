"""Wrong pins: whoever tries too many waits, alone or as one of a crowd, and the account's managers are told.

Theory of operation. Per visitor and per address ``guesses`` counts. Against many addresses each account has a budget of
wrong pins that is filled again so slowly that all of it, spent on guessing, hits one of its live pins once in a year:
``PINS / (live pins x a year)`` tries. When it is spent the account is on guard until half of it is back: networks (/24,
of IPv6 /48) from which a wrong pin came within ``SOUR`` wait that long, the others take turns at the budget's pace.
A right pin costs nothing, so customers are late and not locked out, as long as the guessers run out of networks before
they run out of patience. Signing in by a pin is a guess as well; its budget is the whole installation's, because a pin
alone says which account it is for. The arithmetic is in ``docs/explanation/security.md``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import attrs

from broker import limits
from broker.desk.commands import PinGuessing
from broker.routing.pins import PINS
from broker.runtime.account import Account
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.guesses import Guesses, shorten, source_of
from broker.units import DAYS, HOURS

YEAR: Final = 365 * DAYS
SOUR: Final = 1 * HOURS  # how long a network counts as one that guesses, while the account is on guard
MANY: Final = "many"
"""The source in ``pin.guessing`` where no single network is to blame."""


@attrs.define(eq=False)
class Crowd:
    """The wrong pins of one account, or of the installation, from everywhere."""

    burst: float = limits.WRONG_PINS_BURST
    most: int = limits.MAX_TRACKED_ADDRESSES
    tokens: float = attrs.field(init=False)
    at: int = 0
    on_guard: bool = False
    wrong_pins: int = 0
    """Since it is on guard, or was last told of."""
    told_at: int = 0
    _sour: OrderedDict[str, int] = attrs.field(factory=OrderedDict)
    """Network to when its last wrong pin came, the oldest first."""

    def __attrs_post_init__(self) -> None:
        self.tokens = self.burst

    def wait(self, network: str, live: int, now: int) -> int:
        """How long (ms) somebody from this network may not try; 0: now."""
        pace = self._refill(live, now)
        if not self.on_guard:
            return 0
        soured = self._sour.get(network)
        if soured is not None and now < soured + SOUR:
            return soured + SOUR - now
        return 0 if self.tokens >= 1 else min(DAYS, 1 + int((1 - self.tokens) / pace))

    def wrong(self, network: str, live: int, now: int) -> int:
        """One more; returns how many since the last time, if that is to be told now, else 0."""
        self._refill(live, now)
        self.tokens -= 1
        self.wrong_pins += 1
        self._sour.pop(network, None)
        self._sour[network] = now
        while len(self._sour) > self.most or next(iter(self._sour.values())) + SOUR <= now:
            self._sour.popitem(last=False)
        if self.tokens >= 1 and not self.on_guard:
            return 0
        news = not self.on_guard or now >= self.told_at + HOURS
        self.on_guard = True
        if not news:
            return 0
        self.told_at = now
        told, self.wrong_pins = self.wrong_pins, 0
        return told

    def _refill(self, live: int, now: int) -> float:
        """Tokens gained a millisecond, added for the time that has passed."""
        pace = PINS / (max(live, 1) * YEAR)
        self.tokens = min(self.burst, self.tokens + (now - self.at) * pace)
        self.at = now
        if self.on_guard and self.tokens >= self.burst / 2:
            self.on_guard = False
            self.wrong_pins = 0
        return pace


class PinGuard:
    """What ``pin.redeem`` and a sign-in by pin ask before they look at a pin, and tell when it was wrong."""

    def __init__(
        self, *, accounts: Mapping[str, Account], conductor: Conductor, burst: float = limits.WRONG_PINS_BURST
    ) -> None:
        self._accounts = accounts
        self._conductor = conductor
        self._guesses = Guesses()
        self._burst = burst
        self._everywhere = Crowd(burst)
        self._crowds: dict[str, Crowd] = {}
        self.wrong_pins = 0
        self.refused = 0

    def may_redeem(self, connection: Connection, now: int) -> int:
        """0, or the ms until this visitor, from this address, may try a pin again."""
        account = connection.account
        assert account is not None
        crowd = self._crowds.get(account.name)
        wait = 0 if crowd is None else crowd.wait(shorten(connection.link.address), account.desk.live_pins, now)
        wait = max(wait, *(self._guesses.wait(source, now) for source in _sources(connection)))
        self.refused += wait > 0
        return wait

    def redeemed_wrong(self, connection: Connection, digits: str | None, now: int) -> None:
        """A pin was redeemed and was none."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        if digits is not None and digits == connection.wrong_pin:
            connection.wrong_pin = None  # it was counted when this connection signed in by it
            return
        self.wrong_pins += 1
        closed = max(self._guesses.wrong(source, now) for source in _sources(connection))
        self._tell(account, identity.portal, shorten(connection.link.address), closed)
        crowd = self._crowds.setdefault(account.name, Crowd(self._burst))
        many = crowd.wrong(shorten(connection.link.address), account.desk.live_pins, now)
        self._tell(account, identity.portal, MANY, many)

    def may_enter(self, connection: Connection, now: int) -> int:
        """0, or the ms until somebody from this address may sign in by a pin."""
        address = connection.link.address
        wait = max(
            self._guesses.wait(source_of(address), now),
            self._everywhere.wait(shorten(address), self._live(), now),
        )
        self.refused += wait > 0
        return wait

    def entered_wrong(self, connection: Connection, account: Account, digits: str, now: int) -> None:
        """Somebody signed in by a pin that isn't live."""
        self.wrong_pins += 1
        connection.wrong_pin = digits
        address = connection.link.address
        self._tell(account, None, shorten(address), self._guesses.wrong(source_of(address), now))
        self._tell(account, None, MANY, self._everywhere.wrong(shorten(address), self._live(), now))

    def _live(self) -> int:
        return sum(account.desk.live_pins for account in self._accounts.values() if account.up)

    def _tell(self, account: Account, portal: str | None, source: str, wrong: int) -> None:
        if wrong:
            self._conductor.tell(account, PinGuessing(portal, source, wrong))


def _sources(connection: Connection) -> tuple[str, str]:
    assert connection.identity is not None
    identity = connection.identity
    return source_of(connection.link.address), f"{identity.account}/{identity.person}"
