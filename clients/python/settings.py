"""What a client is told at its start, and what it tells of itself. Plain values."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import Literal

import attrs

from broker import __version__
from clients.python.connection import Dial, dial
from clients.python.reconnect import Patience


def _sendable(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        # Not "from" it: what it was raised for has the password in it.
        raise ValueError(f"{attribute.name}: expected characters of Unicode, got half of a surrogate pair") from None


@attrs.frozen(kw_only=True)
class Login:
    """A person's password, and whose it is."""

    account: str
    role: Literal["representative", "manager"]
    person: str
    """Its name or its e-mail address."""
    password: str = attrs.field(repr=False, validator=_sendable)


@attrs.frozen(kw_only=True)
class Tokens:
    """What a sign-in goes on with: for ``Settings.on_tokens`` to keep, and for an ``Auth`` of a later run."""

    token: str | None = attrs.field(repr=False)
    """The access token; None: there is none any more, but the refresh token gives one."""
    refresh: str = attrs.field(repr=False)
    """Good once: keep the newest, and only that."""
    expires: int | None
    """Of the access token (ms since 1970 UTC)."""


@attrs.frozen(kw_only=True)
class Auth:
    """How to sign in: one of ``login`` (a person's password), ``token``, ``refresh``, ``key`` (an API key), ``portal``
    ("account/portal") and ``pin``; ``visitor`` beside the latter two brings a customer back, and ``refresh`` beside
    ``token`` goes on where that has expired.

    By ``login`` and ``refresh`` the client keeps the sign-in alive by itself, and forgets the password."""

    login: Login | None = None
    refresh: str | None = attrs.field(default=None, repr=False)
    key: str | None = attrs.field(default=None, repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    portal: str | None = None
    pin: str | None = attrs.field(default=None, repr=False)
    visitor: str | None = attrs.field(default=None, repr=False)
    entry: str | None = attrs.field(default=None, repr=False)
    """Beside portal: what the page that embeds it says of the visitor, signed (``huntgroup entry``)."""
    expires: int | None = None
    """Of token, where refresh stands beside it, as ``Tokens`` has it; only for ``on_tokens``."""

    @classmethod
    def again(cls, tokens: Tokens) -> Auth:
        """Go on with a sign-in of an earlier run."""
        return cls(token=tokens.token, refresh=tokens.refresh, expires=tokens.expires)

    def fields(self) -> dict[str, object]:
        """HELLO's auth map."""
        return attrs.asdict(self, filter=lambda field, value: value is not None and field.name != "expires")


FreshAuth = Callable[[], Awaitable[Auth]]
"""Asked before each connection, until there is a sign-in that the client keeps alive: for tokens that run out. An
OSError of it is taken as a broker that can't be reached, and tried again; whatever else it raises ends the client, and
comes out of its calls as it is."""


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
    sign_in: str | None = None
    """Of a connection by password or refresh token."""
    must_change: bool = False
    """Somebody else chose the password: until another is set (``set_password``), everything else is ``NotAllowed``."""


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
    on_tokens: Callable[[Tokens], None] = lambda tokens: None
    """Told of each new pair of tokens, before it is used: where to keep it for another run (``Auth.again``). What it
    raises ends the client, and comes out of its calls."""
    dial: Dial = dial
    rng: random.Random = attrs.field(factory=random.SystemRandom)
    clock: Callable[[], int] = wall_clock
    """Told in PONG; nothing follows from it."""
