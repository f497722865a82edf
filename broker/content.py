"""Personal content on its way: a text, and the reference that stands for it wherever it may not be.

Names, contact data and texts are never in a record, a snapshot or a stored result. The protocol's
checker wraps each personal field in ``Personal``; the hub gives it an id and a salted digest before the
desk sees the command; the desk and its events hold ``ref`` alone and never read ``text``.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

import attrs

DOCUMENT: Final = "d_"
"""What the ids of documents begin with: they read as what their JSON says."""

Ref = tuple[str, bytes]
"""(content id, 16-byte salted BLAKE2b digest)."""


@attrs.define
class Personal:
    """One personal field of a command."""

    text: str = attrs.field(repr=False)
    ref: Ref = ("", b"")
    """Empty until ``seal``."""
    salt: bytes = attrs.field(default=b"", repr=False)
    data: object = attrs.field(default=None, repr=False)
    """What the text is the JSON of; None: it is plain text."""

    @classmethod
    def document(cls, data: object) -> Personal:
        """A map or list that is stored as one text. Its own JSON, so that equal ones are equal texts."""
        return cls(json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":")), data=data)

    @property
    def plain(self) -> object:
        """As it came in."""
        return self.text if self.data is None else self.data

    def seal(self, content_id: str, salt: bytes) -> None:
        """Give this text its reference. ``salt``: 16 random bytes."""
        self.salt = salt
        self.ref = (content_id, digest(salt, self.text.encode()))


def digest(salt: bytes, data: bytes) -> bytes:
    """What a record may say of a content: 16 bytes that tell nothing without the salt."""
    return hashlib.blake2b(data, digest_size=16, salt=salt).digest()
