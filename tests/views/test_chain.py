"""How a transcript's hashes are made; docs/reference/transcript.md has the same."""

from __future__ import annotations

import doctest
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.views import chain
from broker.views.chain import START, canonical, link

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def test_the_examples_hold() -> None:
    assert doctest.testmod(chain) == (0, 1)


def test_a_link_is_what_anybody_can_compute() -> None:
    first = link(START, {"text": "Grüße", "n": 1, "hash": "not in it"})
    assert first == hashlib.blake2b(bytes(32) + '{"n":1,"text":"Grüße"}'.encode(), digest_size=32).digest()
    assert link(first, {"n": 2}) == hashlib.blake2b(first + b'{"n":2}', digest_size=32).digest()


@given(VALUES, VALUES)
def test_values_are_written_alike_only_if_they_are_alike(one: object, other: object) -> None:
    assert (canonical(one) == canonical(other)) == (repr(_sorted(one)) == repr(_sorted(other)))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return [(name, _sorted(value[name])) for name in sorted(value)]
    return tuple(map(_sorted, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_has_no_bytes_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (either module's own words)
        canonical(value)
