"""What the ends of a screen share are given to set their media up, by the back-end that the installation has.

The broker carries no media. With ``webrtc`` the ends connect by themselves, helped by STUN and TURN servers; their
offers and answers go through the broker as SIGNAL. With ``link`` another product (Guacamole, MeshCentral, LiveKit) does
it all: each end gets an address with a signed token, which that product checks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final, Protocol

import attrs

from broker import limits
from broker.identity import turn
from broker.identity.secrecy import Secret

TOKEN: Final = "{token}"
SHARE: Final = "{share}"
"""What an address's template holds: the token, and if it wants to, the share's id."""


@attrs.frozen(kw_only=True)
class End:
    """One end of a share, and what the share may do."""

    account: str
    share: str
    side: str
    """customer, representative, or guest."""
    leg: str | None = None
    """A guest's, of whom there may be several."""
    control: bool
    functions: tuple[str, ...]


class Media(Protocol):
    """A back-end."""

    def describe(self, end: End, now: int) -> Mapping[str, object]:
        """What this end is told, as ``share.join`` answers it. It may hold credentials: it is neither logged nor
        stored."""


@attrs.frozen(kw_only=True)
class WebRtc:
    """The ends connect by themselves."""

    stun: tuple[str, ...] = ()
    turn: tuple[str, ...] = ()
    secret: Secret | None = None
    """The TURN servers'."""
    life: int = limits.TURN_LIFE
    """Of a credential (ms)."""

    def describe(self, end: End, now: int) -> Mapping[str, object]:
        """The servers, TURN's with a credential of this end's own."""
        until = (now + self.life) // 1000
        servers: list[Mapping[str, object]] = [{"urls": list(self.stun)}] if self.stun else []
        if self.turn and self.secret is not None:
            name = turn.opaque(self.secret, end.account, end.leg or end.share, end.side)
            username, password = turn.credential(self.secret, until, name)
            servers.append({"urls": list(self.turn), "username": username, "credential": password})
        return {"backend": "webrtc", "ice": servers, "until": until * 1000}


@attrs.frozen(kw_only=True)
class Link:
    """Another product has the media: the ends are sent there."""

    template: str
    """Its address, with ``{token}`` and perhaps ``{share}`` in it."""
    secret: Secret
    life: int = limits.MEDIA_LINK_LIFE
    """Of a token (ms)."""

    def describe(self, end: End, now: int) -> Mapping[str, object]:
        """The address, with a token of this end's own."""
        until = (now + self.life) // 1000
        claims = {
            "iss": "huntgroup",
            "sub": turn.opaque(self.secret, end.account, end.leg or end.share, end.side),
            "iat": now // 1000,
            "exp": until,
            "account": end.account,
            "share": end.share,
            "side": end.side,
            "grant": {"view": True, "control": end.control, "functions": list(end.functions)},
        }
        url = self.template.replace(SHARE, end.share).replace(TOKEN, _signed(claims, self.secret))
        return {"backend": "link", "url": url, "until": until * 1000}


def _signed(claims: Mapping[str, object], secret: Secret) -> str:
    """A JSON Web Token (RFC 7519) with HMAC-SHA256, which every language has a library to check."""
    body = b".".join(_part(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    made = hmac.digest(secret.reveal().encode(), body, hashlib.sha256)
    return b".".join((body, _base64(made))).decode()


def _part(value: Mapping[str, object]) -> bytes:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value).rstrip(b"=")
