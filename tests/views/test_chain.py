"""How a transcript's hashes are made; docs/reference/transcript.md has the same."""

from __future__ import annotations

import base64
import doctest
import hashlib
import json
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from broker.views import chain
from broker.views.chain import START, canonical, link
from broker.views.entries import KINDS

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


PAGE = (Path(__file__).parents[2] / "docs/reference/transcript.md").read_text(encoding="utf-8")


def test_the_docs_example_is_what_it_says_it_is() -> None:
    """By what the page says alone: nothing of ours is asked."""
    whole, first = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)
    document = json.loads(whole)
    before = bytes(32)
    for number, entry in enumerate(document["entries"], 1):
        assert entry["n"] == number
        hashed = entry.pop("hash")
        text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert number > 1 or text == first
        before = hashlib.blake2b(before + text.encode(), digest_size=32).digest()
        assert before.hex() == hashed
        assert number > 1 or f"its hash `{hashed}`" in PAGE
    head = document["head"]
    assert (head["hash"], head["entries"]) == (before.hex(), len(document["entries"]))
    prefix = b"huntgroup transcript 1\n"
    assert f"{len(prefix)} bytes" in PAGE
    data = prefix + json.dumps(head, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    key = base64.urlsafe_b64decode(document["key"].removeprefix("ed25519:") + "=")
    Ed25519PublicKey.from_public_bytes(key).verify(base64.urlsafe_b64decode(document["signature"] + "=="), data)


def test_the_docs_name_every_kind_and_field() -> None:
    told = {name for kind in KINDS.values() for name in (kind.kind, *kind.copied)}
    assert {name for name in told if f"`{name}`" not in PAGE} == set()
