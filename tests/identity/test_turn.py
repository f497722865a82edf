"""TURN credentials: the scheme's own arithmetic, done a second time with the parts that the standard library has."""

from __future__ import annotations

import base64
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from broker.identity import turn
from broker.identity.secrecy import Secret

NORTH, SOUTH = Secret("north-north-north"), Secret("south-south-south")


@given(secret=st.text(min_size=1), until=st.integers(0, 2**40), name=st.from_regex(r"[A-Za-z0-9_-]{1,20}"))
def test_a_password_is_what_the_secret_makes_of_its_username(secret: str, until: int, name: str) -> None:
    username, password = turn.credential(Secret(secret), until, name)
    assert username == f"{until}:{name}"
    made = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    assert base64.b64decode(password) == made


def test_another_secret_time_or_name_makes_another_password() -> None:
    found = {turn.credential(*args)[1] for args in ((NORTH, 5, "a"), (SOUTH, 5, "a"), (NORTH, 6, "a"), (NORTH, 5, "b"))}
    assert len(found) == 4


def test_a_name_says_nothing_to_others_and_always_the_same_to_the_log() -> None:
    name = turn.opaque(NORTH, "acme", "h_1.1", "customer")
    assert name == turn.opaque(NORTH, "acme", "h_1.1", "customer")
    assert len(name) == 16
    others = {
        turn.opaque(SOUTH, "acme", "h_1.1", "customer"),
        turn.opaque(NORTH, "acme", "h_1.1", "representative"),
        turn.opaque(NORTH, "acme", "h_1.", "1customer"),
        turn.opaque(NORTH, "acmeh_1.1", "", "customer"),
    }
    assert len(others | {name}) == 5
    for word in ("acme", "h_1", "customer", ":"):
        assert word not in name
