"""Signed sign-in tokens: who may speak for whom, until when.

A token is ``v1.<payload>.<signature>``: base64url without padding, of canonical JSON and of its HMAC-SHA256.
The version fixes the algorithm, there is nothing to negotiate. One text per content: anything that isn't
byte for byte what ``mint`` would have written is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import Final

import attrs

from broker.desk.identity import Identity, Role
from broker.ids import is_slug
from broker.limits import MAX_ID_BYTES, MAX_INT

MAX_TOKEN_CHARS: Final = 2048  # the schema's bound of `auth.token`; ours take about 200
MIN_KEY_BYTES: Final = 32  # as long as the digest: shorter ones weaken it, longer ones add nothing

_VERSION: Final = "v1"
_TOKEN: Final = re.compile(r"v1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)
_VISITOR: Final = re.compile(r"v_[0-9a-z]+", re.ASCII)
_FIELDS: Final = {"a", "e", "p", "r"}


class BadToken(Exception):
    """Not a token of ours: forged, cut, altered, or of another installation. Says nothing more to whoever sent it."""


class ExpiredToken(BadToken):
    """A token of ours whose time is over: sign in with a fresh one."""


@attrs.frozen(kw_only=True)
class Claims:
    """What a token says."""

    account: str
    person: str
    """Of a customer the visitor id (``v_`` and a token), of the others a slug that doesn't look like one."""
    role: Role
    expires: int
    """Milliseconds since 1970 UTC; the token is good before it."""
    portal: str | None = None
    """Of a customer: the portal it came through."""

    @property
    def identity(self) -> Identity:
        """Who speaks, as a desk wants to know it."""
        return Identity(self.account, self.person, self.role, self.portal)


class Signer:
    """Makes and reads tokens with one key of at least 32 bytes. Cheap to make; holds nothing else."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"a token key has at least {MIN_KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key

    def mint(self, account: str, person: str, role: Role | str, expires: int, portal: str | None = None) -> str:
        """A token for this person, good until ``expires`` (milliseconds since 1970 UTC).

        Raises ``ValueError`` for what no token may say (a name that is none, a customer without a visitor id).
        """
        claims = Claims(account=account, person=person, role=Role(role), expires=expires, portal=portal)
        wrong = _objection(claims)
        if wrong is not None:
            raise ValueError(wrong)
        signed = f"{_VERSION}.{_encode(_payload(claims))}"
        return f"{signed}.{_encode(self._signature(signed))}"

    def verify(self, token: str, now: int) -> Claims:
        """What ``token`` says, if it is ours and good at ``now`` (milliseconds since 1970 UTC).

        Raises ``ExpiredToken`` for ours whose time is over, ``BadToken`` for everything else.
        """
        found = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_CHARS else None
        if found is None:
            raise BadToken("not a token")
        signed, _, signature = token.rpartition(".")
        # Compared as text: of the several base64 spellings of one signature only the canonical one is equal.
        if not hmac.compare_digest(signature, _encode(self._signature(signed))):
            raise BadToken("not signed by this installation")
        claims = _read(found[1])
        if now >= claims.expires:
            raise ExpiredToken("expired")
        return claims

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode("ascii"), hashlib.sha256)


def _payload(claims: Claims) -> bytes:
    fields: dict[str, str | int] = {"a": claims.account, "e": claims.expires, "p": claims.person, "r": claims.role}
    if claims.portal is not None:
        fields["o"] = claims.portal
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read(text: str) -> Claims:
    """The claims in a payload whose signature is right. Still strict: a leaked key must not make a parser a target."""
    try:
        payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        fields = json.loads(payload)
        if not isinstance(fields, dict) or set(fields) | {"o"} != _FIELDS | {"o"}:
            raise BadToken("not the fields of a token")
        values = (fields["a"], fields["p"], fields["r"], fields.get("o", ""))
        if not all(isinstance(value, str) for value in values) or type(fields["e"]) is not int:
            raise BadToken("a field of a wrong type")
        account, person, role, _ = values
        claims = Claims(account=account, person=person, role=Role(role), expires=fields["e"], portal=fields.get("o"))
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, nested too deep, no such role
        raise BadToken("not readable") from None
    if _objection(claims) is not None or _encode(_payload(claims)) != text:
        raise BadToken("not as this installation writes tokens")
    return claims


def _objection(claims: Claims) -> str | None:
    """Why no token may say this, or None."""
    if not is_slug(claims.account):
        return "account: expected a slug"
    visitor = _VISITOR.fullmatch(claims.person) is not None
    if claims.role is Role.CUSTOMER:
        if not visitor or len(claims.person) > MAX_ID_BYTES:
            return "person: expected a visitor id (v_ and a token) for a customer"
    elif visitor or not is_slug(claims.person):
        return "person: expected a slug that doesn't look like a visitor id"
    if claims.portal is not None and (claims.role is not Role.CUSTOMER or not is_slug(claims.portal)):
        return "portal: expected a slug, and only for a customer"
    if not 0 <= claims.expires <= MAX_INT:
        return f"expires: expected milliseconds since 1970, at most {MAX_INT}"
    return None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
