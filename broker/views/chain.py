"""The hash chain of a transcript: how an entry becomes bytes, and how each hash holds all that came before it.

docs/reference/transcript.md has the same with a worked example, for whoever writes a verifier of their own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Final

Entry = dict[str, object]

FORMAT: Final = 1
HASH_BYTES: Final = 32
START: Final = bytes(HASH_BYTES)
"""What stands before the first entry."""
PURPOSE: Final = b"huntgroup transcript 1\n"
"""Signed before a head: no signature of another kind is one of a transcript."""


def canonical(value: object) -> bytes:
    """The one way to write this value: JSON in UTF-8, names sorted, nothing between. ValueError for what has none.

    >>> canonical({"text": "Grüße", "n": 1})
    b'{"n":1,"text":"Gr\\xc3\\xbc\\xc3\\x9fe"}'
    """
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def link(before: bytes, entry: Mapping[str, object]) -> bytes:
    """The hash of an entry (without the one it has) after one with hash ``before``: BLAKE2b over both."""
    told = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.blake2b(before + canonical(told), digest_size=HASH_BYTES).digest()


def signed(head: Mapping[str, object]) -> bytes:
    """The bytes of a head that are signed."""
    return PURPOSE + canonical(head)
