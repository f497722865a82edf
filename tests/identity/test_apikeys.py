"""API keys: one text for each key, and nothing but that text is it."""

import hashlib
import hmac

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from broker.identity.apikeys import ENTROPY_BYTES, ApiKeys, parse

KEY = bytes(range(32))
KEYS = ApiKeys(KEY)

entropies = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)


@given(entropies)
def test_what_was_made_is_read_and_matches(entropy: bytes) -> None:
    prefix, text, digest = KEYS.make(entropy)
    found = parse(text)
    assert found is not None
    assert found[0] == prefix
    assert text == f"hg_{prefix}_{found[1]}"
    assert KEYS.matches(digest, text)


@given(entropies, entropies)
def test_every_bit_of_the_entropy_counts(one: bytes, other: bytes) -> None:
    assume(one[-32:] != other[-32:])
    assert KEYS.make(one).text[14:] != KEYS.make(other).text[14:]


def test_the_format_is_fixed() -> None:
    made = KEYS.make(bytes(10) + b"\xff" * 32)
    assert made.prefix == "0000000000"
    assert made.text == "hg_0000000000_" + "7" * 51 + "q"
    assert made.digest == hmac.digest(KEY, made.text.encode(), hashlib.sha256)


def test_the_text_is_not_in_repr() -> None:
    made = KEYS.make(bytes(range(42)))
    assert made.text[14:] not in repr(made)
    assert made.prefix in repr(made)


@given(entropies, st.data())
def test_any_other_character_is_another_key_or_none(entropy: bytes, data: st.DataObject) -> None:
    made = KEYS.make(entropy)
    place = data.draw(st.integers(0, len(made.text) - 1))
    other = data.draw(st.characters(categories=None) | st.sampled_from("0123456789abcdefghijklmnopqrstuvwxyz_"))
    assume(other != made.text[place])
    assert not KEYS.matches(made.digest, made.text[:place] + other + made.text[place + 1 :])


@given(entropies, st.integers(0, 255))
def test_a_digest_that_differs_in_one_bit_is_another(entropy: bytes, bit: int) -> None:
    made = KEYS.make(entropy)
    other = (int.from_bytes(made.digest, "big") ^ 1 << bit).to_bytes(32, "big")
    assert not KEYS.matches(other, made.text)
    assert not KEYS.matches(made.digest[:-1], made.text)


@given(st.text())
@example("")
@example("hg__")
@example("hg_0000000000_" + "a" * 51)
@example("hg_0000000000_" + "a" * 53)
@example("hg_0000000000_" + "A" * 52)
@example("hg_0000000000_" + "a" * 52 + "\n")
@example("hg_000000000é_" + "a" * 52)
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse(text) is None


@given(entropies, st.binary(min_size=32, max_size=64))
def test_another_installation_keeps_another_digest(entropy: bytes, key: bytes) -> None:
    assume(key != KEY)
    made = KEYS.make(entropy)
    assert ApiKeys(key).make(entropy).text == made.text
    assert not ApiKeys(key).matches(made.digest, made.text)


@pytest.mark.parametrize("size", [0, ENTROPY_BYTES - 1, ENTROPY_BYTES + 1])
def test_too_little_or_too_much_entropy_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"entropy: expected {ENTROPY_BYTES} bytes, got {size}"):
        KEYS.make(bytes(size))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        ApiKeys(bytes(31))
