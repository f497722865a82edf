"""Signed tokens: who may speak for whom, until when; and three that are good for one other thing each.

A token is ``v1.<payload>.<signature>``: base64url without padding, of canonical JSON and of its HMAC-SHA256.
The version fixes the algorithm, there is nothing to negotiate. One text per content: anything that isn't
byte for byte what ``sign`` would have written is refused. The purpose is signed with the rest, and whoever reads a
token says which one is wanted: a token of one purpose never passes as another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import Any, Final, Literal, overload

import attrs

from broker.desk.identity import Role
from broker.identity.claims import CLASSES, AnyClaims, Claims, Entry, Purpose, Refresh, SetPassword, objection

__all__ = [
    "MAX_TOKEN_CHARS",
    "AnyClaims",
    "BadToken",
    "Claims",
    "Entry",
    "ExpiredToken",
    "Purpose",
    "Refresh",
    "SetPassword",
    "Signer",
]

MAX_TOKEN_CHARS: Final = 2048  # the schema's bound of `auth.token`; ours take about 200, entries at most 2,020
MIN_KEY_BYTES: Final = 32  # as long as the digest: shorter ones weaken it, longer ones add nothing

_VERSION: Final = "v1"
_TOKEN: Final = re.compile(r"v1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)

_PURPOSE: Final = "u"
_LETTERS: Final = {
    "account": "a",
    "class_": "c",
    "expires": "e",
    "page": "g",
    "issued": "i",
    "skills": "k",
    "language": "l",
    "serial": "n",
    "portal": "o",
    "person": "p",
    "role": "r",
    "sign_in": "s",
    "scopes": "x",
}
"""How claims are written. A letter never gets another meaning: tokens outlive releases."""
_NUMBERS: Final = frozenset({"expires", "issued", "serial"})
_LISTS: Final = frozenset({"skills", "scopes"})
_NAMES: Final = {
    purpose: {_LETTERS[field.name]: field.name for field in attrs.fields(cls)} for purpose, cls in CLASSES.items()
}
_REQUIRED: Final = {
    purpose: {_LETTERS[field.name] for field in attrs.fields(cls) if field.default is attrs.NOTHING}
    for purpose, cls in CLASSES.items()
}
_PURPOSES: Final = {claims: purpose for purpose, claims in CLASSES.items()}


class BadToken(Exception):
    """Not a token of ours: forged, cut, altered, of another installation, or made for something else. Says nothing more
    to whoever sent it."""


class ExpiredToken(BadToken):
    """A token of ours whose time is over: sign in with a fresh one."""


class Signer:
    """Makes and reads tokens with one key of at least 32 bytes. Cheap to make; holds nothing else."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"a token key has at least {MIN_KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key

    def mint(
        self,
        account: str,
        person: str,
        role: Role | str,
        expires: int,
        portal: str | None = None,
        *,
        issued: int | None = None,
        sign_in: str | None = None,
        scopes: Iterable[str] | None = None,
    ) -> str:
        """An access token for this person, good until ``expires`` (milliseconds since 1970 UTC).

        Raises ``ValueError`` for what no token may say (a name that is none, a customer without a visitor id).
        """
        return self.sign(
            Claims(
                account=account,
                person=person,
                role=Role(role),
                expires=expires,
                portal=portal,
                issued=issued,
                sign_in=sign_in,
                scopes=None if scopes is None else tuple(sorted(set(scopes))),
            )
        )

    def sign(self, claims: AnyClaims) -> str:
        """A token of any purpose. Raises ``ValueError`` for what no token may say, by its field."""
        wrong = objection(claims)
        if wrong is not None:
            raise ValueError(wrong)
        signed = f"{_VERSION}.{_encode(_payload(claims))}"
        return f"{signed}.{_encode(self._signature(signed))}"

    @overload
    def verify(self, token: str, now: int, purpose: Literal[Purpose.ACCESS] = Purpose.ACCESS) -> Claims: ...
    @overload
    def verify(self, token: str, now: int, purpose: Literal[Purpose.REFRESH]) -> Refresh: ...
    @overload
    def verify(self, token: str, now: int, purpose: Literal[Purpose.PASSWORD]) -> SetPassword: ...
    @overload
    def verify(self, token: str, now: int, purpose: Literal[Purpose.ENTRY]) -> Entry: ...

    def verify(self, token: str, now: int, purpose: Purpose = Purpose.ACCESS) -> AnyClaims:
        """What ``token`` says, if it is ours, for this purpose, and good at ``now`` (milliseconds since 1970 UTC).

        Raises ``ExpiredToken`` for such a one whose time is over, ``BadToken`` for everything else.
        """
        found = _TOKEN.fullmatch(token) if len(token) <= MAX_TOKEN_CHARS else None
        if found is None:
            raise BadToken("not a token")
        signed, _, signature = token.rpartition(".")
        # Compared as text: of the several base64 spellings of one signature only the canonical one is equal.
        if not hmac.compare_digest(signature, _encode(self._signature(signed))):
            raise BadToken("not signed by this installation")
        claims = _read(found[1], purpose)
        if now >= claims.expires:
            raise ExpiredToken("expired")
        return claims

    def _signature(self, signed: str) -> bytes:
        return hmac.digest(self._key, signed.encode("ascii"), hashlib.sha256)


def _payload(claims: AnyClaims) -> bytes:
    fields: dict[str, Any] = {}
    purpose = _PURPOSES[type(claims)]
    for letter, name in _NAMES[purpose].items():
        value = getattr(claims, name)
        if value is not None and (value != () or name == "scopes"):  # no scopes at all is something to say
            fields[letter] = value
    if purpose is not Purpose.ACCESS:
        fields[_PURPOSE] = purpose
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("ascii")


def _read(text: str, purpose: Purpose) -> AnyClaims:
    """The claims in a payload whose signature is right. Still strict: a leaked key must not make a parser a target."""
    try:
        payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        fields = json.loads(payload)
        if not isinstance(fields, dict):
            raise BadToken("not the fields of a token")
        if fields.pop(_PURPOSE, Purpose.ACCESS) != purpose:
            raise BadToken("a token for something else")
        names, required = _NAMES[purpose], _REQUIRED[purpose]
        if not required <= fields.keys() <= names.keys():
            raise BadToken("not the fields of a token")
        values: dict[str, Any] = {names[letter]: _value(names[letter], value) for letter, value in fields.items()}
        claims = CLASSES[purpose](**values)
    except (ValueError, RecursionError):  # not base64, not UTF-8, not JSON, nested too deep, no such role
        raise BadToken("not readable") from None
    if objection(claims) is not None or _encode(_payload(claims)) != text:
        raise BadToken("not as this installation writes tokens")
    return claims


def _value(name: str, value: object) -> int | str | tuple[str, ...]:
    """A claim as JSON gave it, in the type that its class has."""
    if name in _LISTS:
        if isinstance(value, list) and all(isinstance(element, str) for element in value):
            return tuple(value)
    elif name in _NUMBERS:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    elif isinstance(value, str):
        return Role(value) if name == "role" else value
    raise BadToken("a field of a wrong type")


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
