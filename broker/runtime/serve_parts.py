"""From the configuration to the parts of a broker: what each is told, one function a part."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from broker import __version__
from broker.blobs.directory import Directory
from broker.blobs.keeper import ThreadKeeper
from broker.blobs.memory import MemoryBlobs
from broker.config import Config
from broker.config.load import ConfigError
from broker.config.mail import courier
from broker.config.media import media
from broker.desk.identity import Role
from broker.desk.state import Times
from broker.identity import secrets as keys
from broker.identity.apikeys import ApiKeys
from broker.identity.mail import Mailer
from broker.identity.signatures import Signatures
from broker.identity.sources import Sources
from broker.identity.tokens import Signer
from broker.journal.base import Journal, Store
from broker.journal.memory import MemoryStore
from broker.journal.process import ProcessJournal
from broker.journal.sqlite import SqliteStore
from broker.journal.thread import ThreadJournal
from broker.routing.pins import PinSpace
from broker.runtime import writer
from broker.runtime.admission import AddressLimits
from broker.runtime.follower import Follower
from broker.runtime.keyring import Secrets
from broker.runtime.options import ROLES, Options
from broker.transport.forwarded import networks
from broker.transport.links import Settings
from broker.transport.reactor import Listener
from broker.transport.reactor import listen as listen_on
from broker.transport.tls import BadCertificate, server_context

_SPARE_FILES: Final = 64  # descriptors that are not connections


class StartError(ConfigError):
    """The broker can't start as it is configured."""


def options(config: Config, url: str) -> Options:
    """What the hub may be told, by the configuration."""
    beats, rates = config.heartbeat, config.limits
    customer = (rates.customer_rate, rates.customer_burst)
    staff = (rates.representative_rate, rates.representative_burst)
    service = (rates.service_rate, rates.service_burst)
    roles = {
        Role.CUSTOMER: attrs.evolve(ROLES[Role.CUSTOMER], heartbeat_ms=beats.customer_ms, rate=customer),
        Role.REPRESENTATIVE: attrs.evolve(ROLES[Role.REPRESENTATIVE], heartbeat_ms=beats.representative_ms, rate=staff),
        Role.MANAGER: attrs.evolve(ROLES[Role.MANAGER], heartbeat_ms=beats.representative_ms, rate=staff),
        Role.SERVICE: attrs.evolve(ROLES[Role.SERVICE], heartbeat_ms=beats.service_ms, rate=service),
    }
    return Options(
        build=__version__,
        allowed_origins=origins(config, url),
        own_origins=own_origins(url),
        roles=roles,
        max_connections=rates.max_connections,
        max_handshakes=rates.max_handshakes,
        addresses=addresses(config),
        account_rate=(rates.account_rate, rates.account_burst),
        chat_rate=(rates.chat_rate, rates.chat_burst),
        account_customers=max(1, rates.max_connections * rates.account_share // 100),
        access_life=config.sign_in.access_ms,
        refresh_life=config.sign_in.refresh_ms,
        public_url=config.server.public_url or url,
    )


def addresses(config: Config) -> AddressLimits:
    """What one address may do."""
    given = config.limits
    return AddressLimits(
        connections=given.address_connections,
        handshakes=given.address_handshakes,
        rate=(given.address_rate, given.address_burst),
        trusted=networks((*given.trusted_networks, *config.server.trusted_proxies)),
    )


def mailer(config: Config, now: Callable[[], int], tell: Callable[..., None]) -> Mailer | None:
    """What sends e-mails, if there is a server that takes them."""
    found = courier(config.mail)
    if found is None or config.mail.sender is None:
        return None
    return Mailer(found.deliver, sender=config.mail.sender, now=now, tell=tell)


def origins(config: Config, url: str) -> frozenset[str] | None:
    """Pages that may connect: those named, and the broker's own. None: any."""
    if "*" in config.server.allowed_origins:
        return None
    return own_origins(url) | set(config.server.allowed_origins)


def own_origins(url: str) -> frozenset[str]:
    """The broker's own pages."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    hosts = {host} | ({"localhost", "127.0.0.1", "[::1]"} if host in ("127.0.0.1", "[::1]", "localhost") else set())
    own = {f"{scheme}://{name}:{port}" for name in hosts}
    if port == {"http": "80", "https": "443"}[scheme]:
        own |= {f"{scheme}://{name}" for name in hosts}  # browsers leave the usual port out
    return frozenset(own)


def times(config: Config) -> Times:
    """How long the desks wait for people."""
    given = config.timeouts
    return Times(lease=given.lease_ms, hold=given.hold_ms, abandon=given.abandon_ms, offer=given.offer_ms)


def secrets(config: Config) -> Secrets:
    """The hub's keys, out of the data folder's one secret."""
    found = keys.load_or_create(config.data.path)
    return Secrets(
        signer=Signer(found.token_key),
        pinspace=PinSpace(found.pin_key, config.pins.slots),
        fingerprint_key=found.fingerprint_key,
        api_keys=ApiKeys(found.api_key_key),
        sources=Sources(found.source_key),
        signatures=Signatures(found.transcript_key),
        page_key=found.page_key,
        media=media(config),
    )


def settings(config: Config) -> Settings:
    """What the transport may be told."""
    most = config.limits
    return Settings(
        max_connections=most.max_connections + _SPARE_FILES,
        max_handshakes=most.max_handshakes,
        proxies=networks(config.server.trusted_proxies),
        proxy_header=config.server.proxy_header,
    )


def listen(config: Config) -> list[Listener]:
    """The sockets that clients connect to. Raises ``StartError``."""
    server = config.server
    try:
        context = server_context(server.certificate, server.key) if server.certificate is not None else None
    except BadCertificate as error:
        raise StartError([f"server.certificate: {error}"]) from None
    try:
        return listen_on(server.host, server.port, context)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StartError([f"server: can't listen on {server.host} port {server.port}: {reason}"]) from None


def close(listeners: Sequence[Listener]) -> None:
    """Listen no more."""
    for listener in listeners:
        listener.socket.close()


def url(config: Config, listeners: Sequence[Listener]) -> str:
    """Where the broker listens, as people write it."""
    host = config.server.host
    scheme = "https" if config.server.tls else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listeners[0].port}"


def keeper(config: Config) -> ThreadKeeper:
    """What keeps files: beside the journal, or in memory as that."""
    return ThreadKeeper(MemoryBlobs() if config.data.journal == "memory" else Directory(config.data.path / "files"))


def journal(config: Config) -> Journal:
    """What writes to the disk."""
    follower = Follower()
    if config.data.journal == "memory":
        return ThreadJournal(MemoryStore, follower.questions(), idle=follower.idle)
    file = config.data.journal_file
    if config.data.writer == "thread":

        def open_store() -> Store:
            return SqliteStore(file)

        return ThreadJournal(open_store, follower.questions(), idle=follower.idle)
    return ProcessJournal(writer.command(sys.executable, file))


def raise_file_limit(connections: int) -> None:
    """As many open files as connections may come, as far as the system lets us."""
    try:
        import resource
    except ImportError:  # a platform without it has no such limit either
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
