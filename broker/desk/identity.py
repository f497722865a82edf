"""Who speaks: the account, the person and the role, as the credential says; never from an argument."""

from __future__ import annotations

from enum import StrEnum

import attrs


class Role(StrEnum):
    """What a person is to an account."""

    CUSTOMER = "customer"
    REPRESENTATIVE = "representative"
    MANAGER = "manager"
    SERVICE = "service"
    OPERATOR = "operator"
    """Who runs the broker: speaks through desk files alone, no credential names it."""


@attrs.define(frozen=True)
class Entry:
    """What the page that embeds a portal says of its visitor, signed (A13)."""

    page: str | None = None
    class_: str | None = None
    """Of the requests that are made with it."""
    skills: tuple[str, ...] = ()
    """What they ask for."""


@attrs.define(frozen=True)
class Identity:
    """One signed-in person."""

    account: str
    person: str
    """Of a customer: the visitor id, ``v_`` and a token. Of the others: a slug."""
    role: Role
    portal: str | None = None
    """Of a customer: the portal it came through."""
    scopes: tuple[str, ...] | None = None
    """Of a service: what its credential allows; None: whatever the account allows it."""
    network: str | None = None
    """Where it speaks from, as far as an audit says it: the network, not the host."""
    language: str | None = None
    """Of a customer: what its client speaks, or its page says."""
    entry: Entry | None = None
    """Of a customer who came by a page with an entry token."""
    source: str | None = None
    """Of a customer: a keyed digest of the address it comes from. It can be compared, and says nothing else."""
