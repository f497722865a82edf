"""What a hub may be told: every bound it uses, with the product's values as defaults.

Tests shrink them, benchmarks raise the rates (and say so). The reasons stand in ``broker.limits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from broker import limits
from broker.desk.identity import Role
from broker.protocol import codec
from broker.runtime.admission import AddressLimits
from broker.units import MIB, MINUTES, SECONDS

SIGNAL_RATE: Final = (4 * MIB, 4 * MIB)  # bytes a second, burst: a set-up takes 50 KiB; a loop is stopped
SIGNAL_COST: Final = 256  # bytes that a SIGNAL counts at least: small ones cost the hub as much as large ones
FRAME_RATE: Final = (200, 1000)  # frames a second, burst, that are neither REQUEST nor SIGNAL: pings and rubbish
STRIKES: Final = (5, 100)  # refusals for being too fast, a second and burst, before the connection is ended
HARD_OUTBOX: Final = 1 * MIB  # unsent bytes past which a receiver of SIGNAL is taken for gone: 5000 of them


@attrs.frozen(kw_only=True)
class RoleOptions:
    """What binds the connections of one role."""

    heartbeat_ms: int
    """Silence (ms) after which the broker pings."""
    inflight: int
    """Unanswered requests of one connection."""
    rate: tuple[float, float]
    """Requests a second and burst, of one person over all its connections."""
    frames: codec.Limits = codec.CLIENT
    """Bounds on what a client sends."""


ROLES: Final[Mapping[Role, RoleOptions]] = {
    Role.CUSTOMER: RoleOptions(
        heartbeat_ms=limits.HEARTBEAT_CUSTOMER, inflight=limits.INFLIGHT_CUSTOMER, rate=limits.RATE_CUSTOMER
    ),
    Role.REPRESENTATIVE: RoleOptions(
        heartbeat_ms=limits.HEARTBEAT_REPRESENTATIVE,
        inflight=limits.INFLIGHT_REPRESENTATIVE,
        rate=limits.RATE_REPRESENTATIVE,
    ),
    Role.MANAGER: RoleOptions(
        heartbeat_ms=limits.HEARTBEAT_SERVICE, inflight=limits.INFLIGHT_REPRESENTATIVE, rate=limits.RATE_REPRESENTATIVE
    ),
    Role.SERVICE: RoleOptions(
        heartbeat_ms=limits.HEARTBEAT_SERVICE,
        inflight=limits.INFLIGHT_SERVICE,
        rate=limits.RATE_SERVICE,
        frames=codec.SERVICE,
    ),
}


@attrs.frozen(kw_only=True)
class Options:
    """One hub's bounds. Times in ms, sizes in bytes."""

    name: str = "huntgroup"
    build: str = "dev"
    """Told in WELCOME: a page that sees another one reloads itself."""
    allowed_origins: frozenset[str] | None = None
    """Pages that may connect; None: any. A client that sends no Origin (no browser) is never refused for it. A portal
    that has origins of its own goes before this, for its customers."""
    own_origins: frozenset[str] = frozenset()
    """The broker's own pages: whatever a portal says, they may connect."""
    roles: Mapping[Role, RoleOptions] = ROLES
    max_connections: int = limits.MAX_CONNECTIONS
    max_handshakes: int = limits.MAX_HANDSHAKES
    addresses: AddressLimits = attrs.field(factory=AddressLimits)
    account_customers: int | None = None
    """Connections of customers of one account; None: ``ACCOUNT_SHARE`` of all."""
    person_connections: int = limits.MAX_PERSON_CONNECTIONS
    account_rate: tuple[float, float] = limits.ACCOUNT_RATE
    """Commands a second and burst, of all people of one account."""
    wrong_pins: float = limits.WRONG_PINS_BURST
    max_http: int = 256
    """Plain HTTP connections at once: pages and health checks, each a task."""
    access_life: int = limits.SIGN_IN_ACCESS
    """Of access tokens (ms)."""
    refresh_life: int = limits.SIGN_IN_REFRESH
    """Of a sign-in that isn't refreshed (ms)."""
    public_url: str = ""
    """What links in e-mails begin with."""
    hello_timeout: int = limits.HELLO_TIMEOUT
    stalled_after: int = limits.STALLED_AFTER
    outbox_bytes: int = limits.OUTBOX_BYTES
    hard_outbox: int = HARD_OUTBOX
    ring_events: int = limits.RING_EVENTS
    ring_bytes: int = limits.RING_BYTES
    page_events: int = limits.HISTORY_PAGE_EVENTS
    max_subscriptions: int = limits.MAX_SUBSCRIPTIONS
    max_notice_keys: int = limits.MAX_NOTICE_KEYS
    chat_rate: tuple[float, float] = limits.RATE_CHAT
    """Messages a second and burst, of one customer."""
    file_rate: tuple[float, float] = limits.FILE_RATE
    """Bytes of files a second and burst, of one person, both ways."""
    signal_rate: tuple[float, float] = SIGNAL_RATE
    frame_rate: tuple[float, float] = FRAME_RATE
    strikes: tuple[float, float] = STRIKES
    batch_records: int = limits.BATCH_RECORDS
    commit_rate: tuple[float, float] = limits.COMMIT_RATE
    small_commit: int = limits.SMALL_COMMIT
    open_batch_records: int = limits.OPEN_BATCH_RECORDS
    tick_deadlines: int = limits.TICK_DEADLINES
    position_period: int = limits.POSITION_PERIOD
    positions_per_period: int = limits.POSITIONS_PER_PERIOD
    snapshot_records: int = limits.SNAPSHOT_RECORDS
    forget_period: int = 10 * MINUTES
    """How often stored answers past ``KEY_MEMORY`` are dropped."""
    retry_first: int = 100
    """First pause before the journal is tried again; doubles up to ``retry_most``."""
    retry_most: int = 5 * SECONDS
    shutdown_grace: int = limits.SHUTDOWN_GRACE
    come_back: int = limits.COME_BACK

    @property
    def customers_of_one(self) -> int:
        """How many connections the customers of one account may have."""
        if self.account_customers is not None:
            return self.account_customers
        return max(1, self.max_connections * limits.ACCOUNT_SHARE // 100)
