"""API keys, by which services sign in: ``hg_<prefix>_<secret>``.

The prefix is no secret: it is shown, and finds the key's record. The secret is 32 random bytes, which nobody guesses at
any speed; so a single keyed SHA-256 keeps it as well as Argon2id would, and checking one costs microseconds on the hub.
(A slow hash protects what people choose, for that can be guessed.) The digest is keyed with the installation's
secret: a journal alone doesn't even show whether a key that was found somewhere is one of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final, NamedTuple

from broker.ids import token

PREFIX_CHARS: Final = 10  # 50 bits: two of 10,000 keys share one with a chance of 1 to 20 million
SECRET_BYTES: Final = 32
ENTROPY_BYTES: Final = 10 + SECRET_BYTES
MIN_KEY_BYTES: Final = 32

_KEY: Final = re.compile(r"hg_([0-9a-z]{10})_([a-z2-7]{52})", re.ASCII)


class Made(NamedTuple):
    """A new API key. The text is shown once, to who asked for it, and kept nowhere."""

    prefix: str
    text: str
    digest: bytes

    def __repr__(self) -> str:
        return f"Made(prefix={self.prefix!r}, text=<secret>)"


def parse(text: str) -> tuple[str, str] | None:
    """(prefix, secret) of a text that is written as a key; None for any other. Says nothing of whether it is one."""
    found = _KEY.fullmatch(text)
    return None if found is None else (found[1], found[2])


class ApiKeys:
    """Makes and checks keys of one installation, whose own key (``Secrets.api_key_key``) has at least 32 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise ValueError(f"an installation's key has at least {MIN_KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key

    def make(self, entropy: bytes) -> Made:
        """A key out of ``ENTROPY_BYTES`` random bytes. Whether its prefix is taken is for the caller to look up."""
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError(f"entropy: expected {ENTROPY_BYTES} bytes, got {len(entropy)}")
        prefix = token(entropy)[:PREFIX_CHARS]
        secret = base64.b32encode(entropy[-SECRET_BYTES:]).decode().rstrip("=").lower()
        text = f"hg_{prefix}_{secret}"
        return Made(prefix, text, self.digest(text))

    def digest(self, text: str) -> bytes:
        """What is stored of a key: 32 bytes over its whole text, so that no other spelling of it is one."""
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def matches(self, digest: bytes, text: str) -> bool:
        """Whether ``digest`` is this key's, found in a time that says nothing."""
        return hmac.compare_digest(digest, self.digest(text))
