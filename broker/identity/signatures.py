"""Signatures that anybody can check: what a broker signs with its own key, others verify with the public one.

Ed25519 (RFC 8032), by the library ``cryptography``. ``tokens`` signs what only the broker itself has to check.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED_BYTES: Final = 32
PREFIX: Final = "ed25519:"
"""What a public key's text begins with, so that another kind can come."""


class Signatures:
    """Signs with the key that ``seed`` makes (``Secrets.transcript_key``)."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a seed has {SEED_BYTES} bytes, this one has {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = PREFIX + _encoded(raw)
        """The public key, as people pass it on."""

    def sign(self, data: bytes) -> str:
        """The signature, as text."""
        return _encoded(self._key.sign(data))

    def __repr__(self) -> str:
        return f"<Signatures {self.public}>"


def check(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether the key with these 32 public bytes signed ``data`` like this."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
