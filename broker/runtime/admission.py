"""Who may come in, by address: the door that the transport asks about each new socket, and the hub about each sign-in.

A source is an IPv4 address or the /64 of an IPv6 one. Each may hold so many connections, so many of them not signed in,
open so many a second, and fail so often; past that its sockets are closed before they have cost a TLS handshake.
Sources with open connections are always known; of the others the last ``most``.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Final

import attrs

from broker import limits
from broker.runtime.clock import Clock
from broker.runtime.guesses import source_of
from broker.runtime.rates import Bucket
from broker.transport.base import Link
from broker.transport.forwarded import Networks, networks, parse, within

REASONS: Final = ("connections", "handshakes", "rate", "failures")
"""Why a source gets no place: too many connections, too many of them not signed in, too many a second, too many failed
sign-ins."""
LOOPBACK: Final = networks(("127.0.0.0/8", "::1/128"))
"""This machine: whoever is on it already can do worse, and a proxy on it speaks for everybody."""


@attrs.frozen(kw_only=True)
class AddressLimits:
    """What one source may do."""

    connections: int = limits.ADDRESS_CONNECTIONS
    handshakes: int = limits.ADDRESS_HANDSHAKES
    rate: tuple[float, float] = limits.ADDRESS_RATE
    failures: tuple[float, float] = limits.ADDRESS_FAILURES
    trusted: Networks = LOOPBACK
    """Not counted at all."""


@attrs.define(eq=False)
class _Source:
    name: str
    arrivals: Bucket
    failures: Bucket
    connections: int = 0
    strangers: int = 0


@attrs.define(eq=False)
class Place:
    """One connection at its source (None: a trusted one)."""

    source: _Source | None
    known: bool = False
    """Signed in: no stranger any more."""


class Admission:
    """Counts sources; see ``transport.base.Door``."""

    def __init__(
        self, clock: Clock, bounds: AddressLimits | None = None, *, most: int = limits.MAX_TRACKED_ADDRESSES
    ) -> None:
        self._clock = clock
        self._limits = bounds or AddressLimits()
        self._most = most
        self._sources: dict[str, _Source] = {}
        self._idle: OrderedDict[str, None] = OrderedDict()
        """Those without a connection, the one that left first first."""
        self.refusals = dict.fromkeys(REASONS, 0)
        self._key = lru_cache(maxsize=4096)(self._find_key)

    def _find_key(self, address: str) -> str | None:
        """The source of an address; None for a trusted one, or none at all."""
        parsed = parse(address)
        return None if parsed is None or within(parsed, self._limits.trusted) else source_of(address)

    def enter(self, address: str) -> Place | None:
        """See ``Door.enter``."""
        key = self._key(address)
        if key is None:
            return Place(None)
        source = self._sources.get(key)
        if source is None:
            source = _Source(key, Bucket(*self._limits.rate), Bucket(*self._limits.failures))
        reason = self._objection(source, self._clock.now())
        if key not in self._sources:
            self._sources[key] = source
            self._rest(source)
        if reason is not None:
            self.refusals[reason] += 1
            return None
        self._idle.pop(key, None)
        source.connections += 1
        source.strangers += 1
        return Place(source)

    def _objection(self, source: _Source, now: int) -> str | None:
        if source.connections >= self._limits.connections:
            return "connections"
        if source.strangers >= self._limits.handshakes:
            return "handshakes"
        if source.failures.wait(now):
            return "failures"
        return "rate" if source.arrivals.take(now) else None

    def leave(self, place: object) -> None:
        """See ``Door.leave``."""
        assert isinstance(place, Place)
        source = place.source
        if source is None:
            return
        self.welcome(place)
        source.connections -= 1
        if not source.connections:
            self._rest(source)

    def welcome(self, place: object) -> None:
        """It has signed in, or is a page's connection: no stranger."""
        if isinstance(place, Place) and not place.known:
            place.known = True
            if place.source is not None:
                place.source.strangers -= 1

    def failed(self, place: object) -> None:
        """Its credential was none, its head no HTTP, or it had to be ended for what it did."""
        if isinstance(place, Place) and place.source is not None:
            place.source.failures.take(self._clock.now())

    def forgiven(self, place: object) -> None:
        """What was counted as a failure was none."""
        if isinstance(place, Place) and place.source is not None:
            place.source.failures.give(self._clock.now())

    def refused(self, link: Link) -> bool:
        """Whether the client that its proxy named has no place."""
        return link.place is None

    def _rest(self, source: _Source) -> None:
        self._idle[source.name] = None
        if len(self._idle) > self._most:
            oldest, _ = self._idle.popitem(last=False)
            del self._sources[oldest]

    def __len__(self) -> int:
        return len(self._sources)
