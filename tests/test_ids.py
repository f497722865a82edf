"""Names: what may be a slug, and tokens that entropy decides."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import ids
from broker.limits import MAX_ID_BYTES


@pytest.mark.parametrize("text", ["a", "7", "acme", "first-line", "a.b_c-d", "a" * 64, "0" * 64])
def test_a_slug(text: str) -> None:
    assert ids.is_slug(text)


@pytest.mark.parametrize(
    "text", ["", "A", "-a", "a-", ".a", "a.", "a b", "a/b", "a:b", "é", "a\n", "a" * 65, "me:a", "\u0661"]
)
def test_no_slug(text: str) -> None:
    assert not ids.is_slug(text)


@given(st.binary(min_size=ids.ENTROPY_BYTES, max_size=ids.ENTROPY_BYTES))
def test_a_token_is_a_slug_of_16_characters(entropy: bytes) -> None:
    token = ids.token(entropy)
    assert len(token) == 16
    assert ids.is_slug(token)
    assert len(f"session:s_{token}") <= 2 * MAX_ID_BYTES


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_tokens_differ_where_their_80_bits_do(one: bytes, other: bytes) -> None:
    assert (ids.token(one) == ids.token(other)) is (one == other)


def test_the_examples_are_right() -> None:
    assert doctest.testmod(ids).failed == 0
