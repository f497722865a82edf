"""Signatures that anybody can check: RFC 8032's own example, and everything that is near to one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.identity.signatures import Signatures, check
from broker.views.verify import key_bytes

# RFC 8032, section 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNED = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_it_is_ed25519() -> None:
    signatures = Signatures(SEED)
    assert key_bytes(signatures.public) == PUBLIC
    assert base64.urlsafe_b64decode(signatures.sign(b"\x72") + "==") == SIGNED
    assert check(PUBLIC, SIGNED, b"\x72")


@given(st.integers(0, 32 * 8 + 64 * 8 + 8 - 1))
def test_one_bit_anywhere_spoils_it(bit: int) -> None:
    whole = bytearray(PUBLIC + SIGNED + b"\x72")
    whole[bit // 8] ^= 1 << bit % 8
    assert not check(bytes(whole[:32]), bytes(whole[32:96]), bytes(whole[96:]))


def test_keys_and_signatures_of_another_length_are_none() -> None:
    assert not check(PUBLIC[:-1], SIGNED, b"\x72")
    assert not check(PUBLIC, SIGNED[:-1], b"\x72")
    with pytest.raises(ValueError, match="32 bytes"):
        Signatures(SEED[:-1])


def test_it_is_shown_without_what_signs() -> None:
    assert SEED.hex() not in repr(Signatures(SEED))
    assert repr(Signatures(SEED)).startswith("<Signatures ed25519:")
