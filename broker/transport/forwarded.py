"""Whom a proxy speaks for: addresses, networks, and the headers X-Forwarded-For and Forwarded (RFC 7239). No I/O.

A header is believed only from a peer in a trusted network, and only the one header that was configured: proxies pass
on whatever other headers a client made up. Each proxy adds whom it heard at the right end, so the list is read from
there: the first that is no trusted proxy is the client, and what stands left of it is the client's own invention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol

X_FORWARDED_FOR: Final = "x-forwarded-for"
FORWARDED: Final = "forwarded"

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]

_FOR: Final = re.compile(r'(?:^|;)\s*for\s*=\s*"?([^";]*)"?\s*(?:;|$)', re.IGNORECASE)
_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", re.ASCII)


class Trust(Protocol):
    """The part of a transport's settings that is about proxies."""

    @property
    def proxies(self) -> Networks:
        """Peers who are believed."""

    @property
    def proxy_header(self) -> str:
        """In what."""


def networks(texts: Iterable[str]) -> Networks:
    """Networks from their texts; a single address is one. Raises ``ValueError``."""
    return tuple(ip_network(text) for text in texts)


def parse(text: str) -> Address | None:
    """An address, without the zone of a link-local one; one of IPv4 in IPv6's clothes is IPv4. None: it is none."""
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def within(address: Address | None, known: Networks) -> bool:
    """Whether it is in one of these networks."""
    return address is not None and any(address in network for network in known)


def client_of(peer: str, named: str, trust: Trust) -> str:
    """The address that counts for a connection from ``peer`` whose header says ``named``.

    The peer's own where it isn't a trusted proxy, or where what it says can't be read: then nobody further left is
    believed either."""
    nearest = peer
    if not within(parse(peer), trust.proxies):
        return peer
    for element in reversed(named.split(",")):
        found = parse(_address(element.strip(), trust.proxy_header))
        if found is None:
            break
        nearest = str(found)
        if not within(found, trust.proxies):
            break
    return nearest


def _address(element: str, header: str) -> str:
    if header == FORWARDED:
        found = _FOR.search(element)
        element = found[1] if found else ""
    port = _PORT.fullmatch(element)
    return (port[1] or port[2]) if port else element
