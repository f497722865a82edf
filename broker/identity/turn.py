"""Time-limited credentials for a TURN server, by coturn's shared-secret scheme (draft-uberti-behave-turn-rest).

The server and the broker know one secret. A username says until when it is good, and for whom, in a word that only the
broker understands; its password is what the secret makes of it, so that the server need not be told of anybody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from broker.identity.secrecy import Secret

_NAME_BYTES: Final = 12
_PURPOSE: Final = b"huntgroup turn name\0"  # so that no name is ever what a username would be


def credential(secret: Secret, until: int, name: str) -> tuple[str, str]:
    """(username, password) that are good until then (s since 1970 UTC).

    >>> credential(Secret("north"), 1700000000, "ann")
    ('1700000000:ann', 'C7cFyfQlUSByD8g4AvTcQ2E6lEs=')
    """
    username = f"{until}:{name}"
    made = hmac.digest(secret.reveal().encode(), username.encode(), hashlib.sha1)
    return username, base64.b64encode(made).decode()


def opaque(secret: Secret, *parts: str) -> str:
    """A word for what these say, always the same, from which nobody else can tell what they are: it stands in the
    server's logs."""
    made = hmac.digest(secret.reveal().encode(), _PURPOSE + "\0".join(parts).encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made[:_NAME_BYTES]).decode()
