"""From the media and ice sections to what describes media: secrets read from their files, all checked as a whole."""

from __future__ import annotations

from broker import limits
from broker.config import secret_file
from broker.config.load import ConfigError
from broker.config.media_settings import LEAST_SECRET
from broker.config.settings import Config
from broker.identity.media import Link, Media, WebRtc


def media(config: Config) -> Media:
    """The back-end that is configured. Raises ``ConfigError``, which never quotes a secret."""
    return _link(config) if config.media.backend == "link" else _webrtc(config)


def _link(config: Config) -> Link:
    given = config.media
    secret = given.link_secret or secret_file.read(given.link_secret_file, "media.link_secret_file", LEAST_SECRET)
    if given.link_url is None:
        raise ConfigError(["media.link_url: expected an address with media.backend link, got nothing"])
    if secret is None:
        raise ConfigError(["media.link_secret: expected one with media.backend link, got nothing"])
    return Link(template=given.link_url, secret=secret, life=given.link_ms)


def _webrtc(config: Config) -> WebRtc:
    given = config.ice
    if len(given.urls) > limits.MAX_ICE_URLS:
        raise ConfigError([f"ice.urls: expected at most {limits.MAX_ICE_URLS}, got {len(given.urls)}"])
    secret = given.turn_secret or secret_file.read(given.turn_secret_file, "ice.turn_secret_file", LEAST_SECRET)
    relays = tuple(url for url in given.urls if url.startswith("turn"))
    if relays and secret is None:
        raise ConfigError(["ice.turn_secret: expected one with TURN servers in ice.urls, got nothing"])
    if secret is not None and not relays:
        raise ConfigError(["ice.urls: expected a TURN server with ice.turn_secret, got none"])
    stun = tuple(url for url in given.urls if url.startswith("stun"))
    return WebRtc(stun=stun, turn=relays, secret=secret, life=given.turn_ms)
