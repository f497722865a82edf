"""What the broker itself tells a desk. What people ask are the operations of ``broker.protocol.ops``."""

from __future__ import annotations

import attrs


@attrs.define(frozen=True)
class BrokerStart:
    """The first command after a start."""


@attrs.define(frozen=True)
class ConnectionLost:
    """The last connection of a person is gone: closed, or silent past the lease."""

    person: str


@attrs.define(frozen=True)
class ConnectionBack:
    """A person that had no connection has one."""

    person: str


@attrs.define(frozen=True)
class PinGuessing:
    """Wrong pins from one source (a shortened address) passed the limit."""

    portal: str | None
    source: str
    wrong: int


Internal = BrokerStart | ConnectionLost | ConnectionBack | PinGuessing
