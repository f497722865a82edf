"""What a client is told at its start, and what it tells of itself. Plain values."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

import attrs

from broker import __version__
from clients.python.connection import Dial, dial
from clients.python.reconnect import Patience


@attrs.frozen(kw_only=True)
class Auth:
    """How to sign in: exactly one of ``token``, ``key``, ``portal`` ("account/portal") and ``pin``; ``visitor`` beside
    the latter two brings a customer back."""

    token: str | None = attrs.field(default=None, repr=False)
    portal: str | None = None
    pin: str | None = attrs.field(default=None, repr=False)
    visitor: str | None = attrs.field(default=None, repr=False)
    entry: str | None = attrs.field(default=None, repr=False)
    """Beside portal: what the page that embeds it says of the visitor, signed (``huntgroup entry``)."""
    key: str | None = attrs.field(default=None, repr=False)
    """An API key, of a service or an API manager."""

    def fields(self) -> dict[str, object]:
        """HELLO's auth map."""
        return {name: value for name, value in attrs.asdict(self).items() if value is not None}


FreshAuth = Callable[[], Awaitable[Auth]]
"""Asked before each connection: for tokens that run out. An OSError of it is taken as a broker that can't be reached,
and tried again; whatever else it raises ends the client, and comes out of its calls as it is."""


@attrs.frozen(kw_only=True)
class Identity:
    """Who this client is, as the broker says."""

    account: str
    person: str
    role: str
    portal: str | None = None
    visitor: str | None = attrs.field(default=None, repr=False)
    """A customer's token for coming back, later and from elsewhere too: as secret as a password."""
    expires: int | None = None
    """ms since 1970 UTC."""


@attrs.frozen
class Connected:
    """A connection is open."""

    again: bool
    """Not the first one."""


@attrs.frozen
class Disconnected:
    """The connection is lost, and will be tried again."""

    code: int
    text: str
    pause_ms: int
    """How long until the next try."""


def wall_clock() -> int:
    """Milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


@attrs.frozen(kw_only=True)
class Settings:
    """How a client behaves; the defaults are right for programs."""

    name: str = "huntgroup-python"
    version: str | None = __version__
    language: str | None = None
    """Such as ``de-CH``."""
    patient: bool = False
    """Wait for a broker that can't be reached at first, instead of raising ``UnreachableError``."""
    patience: Patience = attrs.field(factory=Patience)
    first_pause_ms: int = 200
    most_pause_ms: int = 30_000
    on_change: Callable[[Connected | Disconnected], None] = lambda change: None
    """Told of each connection and of each loss; for the eyes of a person, programs needn't care."""
    dial: Dial = dial
    rng: random.Random = attrs.field(factory=random.SystemRandom)
    clock: Callable[[], int] = wall_clock
    """Told in PONG; nothing follows from it."""
