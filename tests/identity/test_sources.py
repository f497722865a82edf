"""Digests of addresses: the same for the same place, and nothing to anybody without the key."""

from __future__ import annotations

import hashlib

from broker.identity.sources import DIGEST_BYTES, Sources

KEY = bytes(range(32))


def test_a_digest_is_the_same_for_one_place_in_one_account_and_under_one_key_only() -> None:
    ours = Sources(KEY)
    digest = ours.digest("acme", "198.51.100.7")
    assert digest == ours.digest("acme", "198.51.100.7")
    assert len(bytes.fromhex(digest)) == DIGEST_BYTES
    others = {
        ours.digest("acme", "198.51.100.8"),
        ours.digest("bolt", "198.51.100.7"),
        Sources(KEY[::-1]).digest("acme", "198.51.100.7"),
        hashlib.blake2b(b"acme\n198.51.100.7", digest_size=DIGEST_BYTES).hexdigest(),
    }
    assert len(others | {digest}) == 5


def test_the_key_is_not_printed() -> None:
    assert repr(KEY) not in repr(Sources(KEY))
