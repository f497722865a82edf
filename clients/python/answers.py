"""What the operations answer, as values: one class for each result that holds more than what was asked with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Portal:
    """A portal as its page needs it (``portal.open``)."""

    portal: str
    title: str | None
    kind: str
    """pick, ask, button, pin or global_pin."""
    mode: str
    """web, phone or queue."""
    open: bool
    subportals: Sequence[Mapping[str, Any]]
    """Maps of subportal and open."""
    representatives: Sequence[Mapping[str, Any]]
    """On a pick portal: maps of representative, name and subportal of who can be picked now."""
    request: str | None
    """This customer's open request here."""


@attrs.frozen(kw_only=True)
class Asked:
    """A request of a customer (``request.create``, ``request.pick``)."""

    request: str
    session: str | None
    """Of ``request.create``: where the conversation will be."""
    state: str
    """waiting, offered or assigned."""
    existing: bool | None
    """It was open already."""


@attrs.frozen(kw_only=True)
class Redeemed:
    """A pin was right (``pin.redeem``)."""

    request: str
    session: str
    representative: str
    name: str
    """Of the representative."""


@attrs.frozen(kw_only=True)
class Accepted:
    """An offer is this representative's (``offer.accept``)."""

    request: str
    session: str


@attrs.frozen(kw_only=True)
class MadePin:
    """A pin to tell a customer (``pin.create``)."""

    id: str
    pin: str | None = attrs.field(repr=False)
    """Nine digits, told once: None where a repeated request found it made already. Revoke it then and make another."""
    expires: int
    """ms since 1970 UTC."""


@attrs.frozen(kw_only=True)
class PinState:
    """A pin and what became of it (``pin.list``)."""

    id: str
    state: str
    """live, used, expired or revoked."""
    created: int
    expires: int


@attrs.frozen(kw_only=True)
class Configuration:
    """An account as it is set up (``account.get``)."""

    portals: Sequence[Mapping[str, Any]]
    subportals: Sequence[Mapping[str, Any]]
    teams: Sequence[Mapping[str, Any]]
    representatives: Sequence[Mapping[str, Any]]
