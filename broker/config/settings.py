"""Every setting of the broker: its default, what it expects, and what it means to who operates it.

The reference page and ``huntgroup serve --print-config`` are rendered from these classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, get_type_hints

import attrs

from broker import limits
from broker.addresses import is_address
from broker.config import kinds
from broker.config.kinds import setting
from broker.config.media_settings import Ice, Media
from broker.identity.secrecy import Secret
from broker.ids import SLUG
from broker.units import DAYS, HOURS, MINUTES, SECONDS

MAX_RATE: Final = 1_000_000  # commands a second: above what any machine does, so "no limit"


_slug = kinds.text("a slug: 1 to 64 of a-z 0-9 _ . -, beginning and ending with a letter or digit", SLUG.pattern)
_origin = kinds.text("an origin like https://help.example.org, or *", r"\*|https?://[a-z0-9.\-\[\]:]+")
_base = kinds.text(
    "an address like https://help.example.org, without a slash at its end",
    r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[A-Za-z0-9._~-]+)*",
)
_ascii = r"[!-~]{1,255}"  # what smtplib can send without guessing an encoding
_rate = kinds.whole(1, MAX_RATE, "commands a second")
_burst = kinds.whole(1, MAX_RATE, "commands at once")


@attrs.frozen(kw_only=True)
class Server:
    """Where the broker listens. WebSocket, pages, health and metrics share one port.

    A proxy's word for whom it speaks is believed only from trusted_proxies, and only in proxy_header.
    """

    host: str = setting(
        kinds.text("an address or a host name"),
        "Address to listen on. The default can be reached from this machine only; 0.0.0.0 or :: from everywhere.",
        default="127.0.0.1",
    )
    port: int = setting(kinds.whole(0, 65535), "Port to listen on. 0 takes a free one, which is printed.", default=8470)
    certificate: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a PEM file")),
        "Certificate chain for TLS, leaf first. Without it the broker speaks plain HTTP and WebSocket.",
        default=None,
        example="certificate.pem",
    )
    key: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a PEM file")),
        "The certificate's private key. Given with the certificate or not at all.",
        default=None,
        example="key.pem",
    )
    allowed_origins: tuple[str, ...] = setting(
        kinds.several(_origin),
        "Origins of pages that may connect, beside the broker's own address; * for any. Clients that are no browsers"
        " send none and are not asked.",
        default=(),
        example=("https://help.example.org",),
    )
    public_url: str | None = setting(
        kinds.perhaps(_base),
        "Where people reach the broker: links in e-mails begin with it. Default: the address it listens on, which is"
        " right on one machine only.",
        default=None,
        example="https://help.example.org",
    )
    trusted_proxies: tuple[str, ...] = setting(
        kinds.several(kinds.network()),
        "Proxies that are believed when they say, at the WebSocket upgrade, for which address they speak; limits and"
        " blocks by address count that one. Of a chain, the right-most address that is none of these counts. Never name"
        " a network from which clients come by themselves.",
        default=(),
        example=("127.0.0.1/32", "10.1.0.0/24"),
    )
    proxy_header: str = setting(
        kinds.choice("x-forwarded-for", "forwarded"),
        "The one header in which they say it. It must be one that the proxy itself writes or adds to: others it passes"
        " on as the client made them up.",
        default="x-forwarded-for",
    )

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.certificate is not None


@attrs.frozen(kw_only=True)
class Data:
    """Where and how things are kept."""

    path: Path = setting(
        kinds.place("the path of a folder"),
        "Folder of the journal and of secret.key; made at the first start. Back up both.",
        default=Path("var/huntgroup"),
    )
    journal: str = setting(
        kinds.choice("sqlite", "memory"),
        "sqlite keeps everything on disk before it is acknowledged. memory forgets it all when the broker stops:"
        " for trying things out.",
        default="sqlite",
    )
    writer: str = setting(
        kinds.choice("process", "thread"),
        "Whether the journal is written by a process of its own or by a thread of the broker.",
        default="process",
    )

    @property
    def journal_file(self) -> Path:
        """The SQLite journal of this folder."""
        return self.path / "journal.sqlite"


@attrs.frozen(kw_only=True)
class Account:
    """An account to serve: one table for each, at least one. Not settable by environment."""

    name: str = setting(_slug, "The account's name, as tokens and addresses have it.", example="acme")
    slot: int = setting(
        kinds.whole(0, 999_999),
        "The account's share of the installation's pins: a number below pins.slots that no other account has, or ever"
        " had.",
        example=0,
    )
    desk: Path = setting(
        kinds.place("the path of a TOML file"),
        "The file with the account's portals, teams and representatives; read at every start.",
        example="desk.toml",
    )


@attrs.frozen(kw_only=True)
class Limits:
    """What one connection and one person may ask of the broker. The fixed bounds are in broker/limits.py."""

    max_connections: int = setting(
        kinds.whole(1, 1_000_000),
        "Open connections at most; one more is told to come back later. The process's limit of open files must be"
        " higher.",
        default=limits.MAX_CONNECTIONS,
    )
    max_handshakes: int = setting(
        kinds.whole(1, 1_000_000),
        "Connections that have not signed in yet, at most.",
        default=limits.MAX_HANDSHAKES,
    )
    account_share: int = setting(
        kinds.whole(1, 100, "percent"),
        "How much of max_connections the customers of one account may have. The rest is for representatives and"
        " for other accounts.",
        default=limits.ACCOUNT_SHARE,
    )
    address_connections: int = setting(
        kinds.whole(1, 1_000_000),
        "Connections of one address (of IPv6: of one /64) at most. Offices share one.",
        default=limits.ADDRESS_CONNECTIONS,
    )
    address_handshakes: int = setting(
        kinds.whole(1, 1_000_000),
        "How many of them may have not signed in yet.",
        default=limits.ADDRESS_HANDSHAKES,
    )
    address_rate: int = setting(_rate, "New connections a second of one address.", default=limits.ADDRESS_RATE[0])
    address_burst: int = setting(_burst, "New connections of one address at once.", default=limits.ADDRESS_RATE[1])
    trusted_networks: tuple[str, ...] = setting(
        kinds.several(kinds.network()),
        "Networks that no limit by address binds. Trusted proxies are among them without being named here.",
        default=("127.0.0.0/8", "::1/128"),
    )
    account_rate: int = setting(
        _rate,
        "Commands a second of all people of one account. Short of it, reports are refused first, then new requests,"
        " then the rest; what ends something never.",
        default=limits.ACCOUNT_RATE[0],
    )
    account_burst: int = setting(
        _burst, "Commands that all people of one account may send at once.", default=limits.ACCOUNT_RATE[1]
    )
    customer_rate: int = setting(_rate, "Commands a second of one customer.", default=limits.RATE_CUSTOMER[0])
    customer_burst: int = setting(_burst, "Commands a customer may send at once.", default=limits.RATE_CUSTOMER[1])
    chat_rate: int = setting(_rate, "Messages a second that one customer may write.", default=limits.RATE_CHAT[0])
    chat_burst: int = setting(_burst, "Messages that a customer may write at once.", default=limits.RATE_CHAT[1])
    representative_rate: int = setting(
        _rate, "Commands a second of one representative or manager.", default=limits.RATE_REPRESENTATIVE[0]
    )
    representative_burst: int = setting(
        _burst, "Commands a representative or manager may send at once.", default=limits.RATE_REPRESENTATIVE[1]
    )
    service_rate: int = setting(_rate, "Commands a second of one service.", default=limits.RATE_SERVICE[0])
    service_burst: int = setting(_burst, "Commands a service may send at once.", default=limits.RATE_SERVICE[1])


_heartbeat = kinds.milliseconds(100, 600_000)


@attrs.frozen(kw_only=True)
class Heartbeat:
    """After how much silence the broker pings. A connection that is silent for 2.5 times as long is dead."""

    customer_ms: int = setting(
        _heartbeat, "For customers. Each ping wakes a phone up.", default=limits.HEARTBEAT_CUSTOMER
    )
    representative_ms: int = setting(
        _heartbeat,
        "For representatives and managers. Decides how soon a vanished representative gets no more offers.",
        default=limits.HEARTBEAT_REPRESENTATIVE,
    )
    service_ms: int = setting(_heartbeat, "For services.", default=limits.HEARTBEAT_SERVICE)


_timeout = kinds.milliseconds(1 * SECONDS, 24 * HOURS)


@attrs.frozen(kw_only=True)
class Timeouts:
    """How long the desk waits for people."""

    lease_ms: int = setting(
        kinds.milliseconds(250, 24 * HOURS),
        "After how much silence a representative is reconnecting and gets no offers. At least 2.5 times"
        " heartbeat.representative_ms.",
        default=limits.LEASE,
    )
    hold_ms: int = setting(
        _timeout,
        "How long a lost representative's sessions wait for the return before their requests go back to the line.",
        default=limits.HOLD,
    )
    abandon_ms: int = setting(
        _timeout,
        "How long a lost customer's request or session waits for the return.",
        default=limits.ABANDON_GRACE,
    )
    offer_ms: int = setting(
        _timeout,
        "How long a representative may think about an offer, unless the portal says otherwise.",
        default=limits.OFFER_TIMEOUT,
    )


@attrs.frozen(kw_only=True)
class Logs:
    """What is told on standard error. Never a message's text, a name, a token or a pin."""

    level: str = setting(
        kinds.choice("debug", "info", "warning", "error"), "The least that is worth a line.", default="info"
    )
    format: str = setting(
        kinds.choice("text", "json"), "text for people, json (one object a line) for collectors.", default="text"
    )


@attrs.frozen(kw_only=True)
class Metrics:
    """Figures for Prometheus at /metrics."""

    enabled: bool = setting(
        kinds.switch(), "Whether /metrics answers. It holds counts, and account names as labels.", default=True
    )


@attrs.frozen(kw_only=True)
class Pins:
    """Nine-digit pins, unique over the installation."""

    slots: int = setting(
        kinds.whole(1, 1_000_000),
        "How many accounts this installation can ever have; each gets 1,000,000,000 / slots pins. Never change it once"
        " pins are out.",
        default=1000,
    )


@attrs.frozen(kw_only=True)
class SignIn:
    """How long sign-ins last, and what checks passwords. What passwords must be like is each account's own."""

    access_ms: int = setting(
        kinds.milliseconds(1 * MINUTES, 1 * DAYS),
        "How long an access token is good. Clients fetch the next one by themselves; signing out ends it at once.",
        default=limits.SIGN_IN_ACCESS,
    )
    refresh_ms: int = setting(
        kinds.milliseconds(1 * MINUTES, 400 * DAYS),
        "How long a sign-in lasts that isn't used. Each use begins the time anew. At least sign_in.access_ms.",
        default=limits.SIGN_IN_REFRESH,
    )
    hash_workers: int | None = setting(
        kinds.perhaps(kinds.whole(1, 64)),
        "Threads that check passwords, with 64 MiB each. Default: one for each two processors.",
        default=None,
        example=1,
    )


@attrs.frozen(kw_only=True)
class Mail:
    """The SMTP server that takes e-mail, as links to set a password. Without a host none is sent."""

    host: str | None = setting(
        kinds.perhaps(kinds.text("a host name", r"[A-Za-z0-9.:-]{1,253}")),
        "The server. Its certificate is checked against this name.",
        default=None,
        example="smtp.example.org",
    )
    port: int | None = setting(
        kinds.perhaps(kinds.whole(1, 65535)),
        "Its port. Default: 587 with starttls, 465 with tls, 25 with none.",
        default=None,
        example=587,
    )
    security: str = setting(
        kinds.choice("none", "starttls", "tls"),
        "starttls begins in the clear and sends nothing before it is encrypted, tls is encrypted from the first byte."
        " none is for a server on this machine.",
        default="starttls",
    )
    authorities: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a PEM file")),
        "Authorities to trust instead of the system's, for a server with a certificate of your own.",
        default=None,
        example="authorities.pem",
    )
    user: str | None = setting(
        kinds.perhaps(kinds.text("1 to 255 printable ASCII characters", _ascii)),
        "Who signs in there. Given with a password or not at all, and not with security none.",
        default=None,
        example="desk",
    )
    password: Secret | None = setting(
        kinds.perhaps(kinds.secret("1 to 255 printable ASCII characters", _ascii)),
        "The user's password. Better given by its variable or by password_file than in this file. Wins over that.",
        default=None,
        example="not-this-one",
    )
    password_file: Path | None = setting(
        kinds.perhaps(kinds.place("the path of a text file")),
        "A file with the password on its first line; read at the start.",
        default=None,
        example="mail-password",
    )
    reply_to: str | None = setting(
        kinds.perhaps(kinds.text("an e-mail address", r"[!-~]{3,254}")),
        "Where answers to e-mails go that representatives write to customers. Default: to the sender.",
        default=None,
        example="help@example.org",
    )
    sender: str | None = setting(
        kinds.perhaps(kinds.fitting("one plain e-mail address, like desk@example.org", is_address)),
        "Who writes. Required with a host.",
        default=None,
        example="desk@example.org",
    )
    timeout_ms: int = setting(
        kinds.milliseconds(1 * SECONDS, 10 * MINUTES),
        "How long one attempt may take, from connecting to the server's last word.",
        default=limits.MAIL_TIMEOUT,
    )


@attrs.frozen(kw_only=True)
class Config:
    """All of it."""

    server: Server = attrs.field(factory=Server)
    data: Data = attrs.field(factory=Data)
    accounts: tuple[Account, ...] = ()
    limits: Limits = attrs.field(factory=Limits)
    heartbeat: Heartbeat = attrs.field(factory=Heartbeat)
    timeouts: Timeouts = attrs.field(factory=Timeouts)
    logs: Logs = attrs.field(factory=Logs)
    metrics: Metrics = attrs.field(factory=Metrics)
    pins: Pins = attrs.field(factory=Pins)
    sign_in: SignIn = attrs.field(factory=SignIn)
    mail: Mail = attrs.field(factory=Mail)
    media: Media = attrs.field(factory=Media)
    ice: Ice = attrs.field(factory=Ice)


SECTIONS: Final[dict[str, type]] = {name: hint for name, hint in get_type_hints(Config).items() if name != "accounts"}
"""The tables of the file but ``[[accounts]]``, in the order of ``Config``."""


def settings_of(section: type) -> dict[str, attrs.Attribute[Any]]:
    """A section's settings by name; ``metadata`` has kind, doc and example."""
    return {field.name: field for field in attrs.fields(section)}
