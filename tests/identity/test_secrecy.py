"""Secrets show themselves to nobody who doesn't ask."""

import traceback

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.identity.secrecy import SHOWN, Secret, veil


@attrs.frozen
class _Holder:
    password: Secret


def test_nothing_that_prints_shows_it() -> None:
    secret = Secret("hunter2-hunter2")
    holder = _Holder(secret)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r}", repr([secret]), repr(holder)]
    assert all("hunter2" not in text for text in shown)
    assert shown[0] == SHOWN
    assert "hunter2" not in repr(attrs.asdict(holder))
    assert not hasattr(secret, "__dict__")


def test_an_exception_about_it_does_not_show_it() -> None:
    nothing: dict[Secret, int] = {}
    secret = Secret("-".join(["hunter2"] * 2))
    with pytest.raises(KeyError) as caught:
        nothing[secret]
    assert secret.reveal() not in "".join(traceback.format_exception(caught.value))


@given(st.text(), st.text())
def test_secrets_are_equal_as_their_texts_are(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one).reveal() == one


def test_a_secret_equals_no_text() -> None:
    assert Secret("a") != "a"


def test_texts_are_veiled_once() -> None:
    secret = Secret("a")
    assert veil(secret) is secret
    assert veil("a") == secret
