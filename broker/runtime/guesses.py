"""The guard against guessing pins: wrong ones are counted per visitor and per address."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

import attrs

from broker import limits
from broker.transport.forwarded import parse
from broker.units import HOURS, MINUTES


@attrs.define(eq=False)
class _Wrong:
    """One source's wrong pins."""

    minute_from: int
    hour_from: int
    minute: int = 0
    hour: int = 0


@attrs.define(eq=False)
class Guesses:
    """Counts wrong pins per visitor and per address, in fixed windows; the oldest source is forgotten first."""

    per_minute: int = limits.WRONG_PINS_MINUTE
    per_hour: int = limits.WRONG_PINS_HOUR
    most: int = limits.MAX_TRACKED_ADDRESSES
    _sources: OrderedDict[str, _Wrong] = attrs.field(factory=OrderedDict)

    def wait(self, source: str, now: int) -> int:
        """How long (ms) this source may not try; 0 when it may."""
        wrong = self._sources.get(source)
        if wrong is None:
            return 0
        waits = 0
        if wrong.minute >= self.per_minute:
            waits = wrong.minute_from + MINUTES - now
        if wrong.hour >= self.per_hour:
            waits = max(waits, wrong.hour_from + HOURS - now)
        return max(waits, 0)

    def wrong(self, source: str, now: int) -> int:
        """One more wrong pin; returns how many in this hour if that was the one that closes the door, else 0."""
        wrong = self._sources.get(source)
        if wrong is None:
            wrong = self._sources[source] = _Wrong(now, now)
            if len(self._sources) > self.most:
                self._sources.popitem(last=False)
        self._sources.move_to_end(source)
        if now >= wrong.minute_from + MINUTES:
            wrong.minute, wrong.minute_from = 0, now
        if now >= wrong.hour_from + HOURS:
            wrong.hour, wrong.hour_from = 0, now
        wrong.minute += 1
        wrong.hour += 1
        return wrong.hour if wrong.minute == self.per_minute or wrong.hour == self.per_hour else 0

    def __len__(self) -> int:
        return len(self._sources)


def source_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 one, which one customer's line has whole."""
    parsed = parse(address)
    return str(_network(parsed, 64)) if isinstance(parsed, IPv6Address) else address


def shorten(address: str) -> str:
    """An address as managers may see it: the network (/24, of IPv6 /48), not the host."""
    parsed = parse(address)
    if parsed is None:
        return "unknown"
    return str(_network(parsed, 24 if isinstance(parsed, IPv4Address) else 48))


def _network(address: IPv4Address | IPv6Address, bits: int) -> IPv4Network | IPv6Network:
    return ip_network((address, bits), strict=False)
