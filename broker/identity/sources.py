"""What is kept of a customer's address: a keyed digest, that a block can be held against.

Without the installation's key nobody can find the address to a digest by trying all addresses; and each account's
digests are its own, so that two accounts can't find out that they have a visitor in common.
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs

DIGEST_BYTES: Final = 16


@attrs.frozen
class Sources:
    """Makes the digests."""

    key: bytes = attrs.field(repr=False)

    def digest(self, account: str, place: str) -> str:
        """Of an address (or of the network that counts as one) as this account knows it, in hex."""
        text = f"{account}\n{place}".encode()
        return hashlib.blake2b(text, key=self.key, digest_size=DIGEST_BYTES).hexdigest()
