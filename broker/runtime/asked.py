"""One REQUEST on its way through the hub. Data, no I/O."""

from __future__ import annotations

import attrs

from broker.desk.identity import Identity
from broker.runtime.account import Account
from broker.runtime.connection import Connection


@attrs.define
class Asked:
    """One REQUEST on its way through."""

    connection: Connection
    account: Account
    identity: Identity
    number: int
    op: str
    key: str | None
    now: int
