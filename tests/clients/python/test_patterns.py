"""The vectors' little language: values to send, patterns to expect."""

from __future__ import annotations

import json
import random
from importlib.resources import files
from typing import Any

import pytest

from clients.python.patterns import DiffersError, Scope, ScriptError, mint, raw

NOW = 1_700_000_000_000


def scope(**variables: object) -> Scope:
    return Scope("conformance", bytes(32), random.Random(1), lambda: NOW, dict(variables))


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ([1, {"a": None}], [1, {"a": None}]),
        ({"$bin": "00ff"}, b"\x00\xff"),
        ({"$var": "x"}, 5),
        ({"$plus": ["x", 3]}, 8),
        ({"$now": 5}, NOW + 5),
        ({"$repeat": ["ab", 2]}, "abab"),
        ({"$join": ["session:", {"$var": "name"}]}, "session:s_1"),
    ],
)
def test_values(given: Any, value: object) -> None:
    assert scope(x=5, name="s_1").value(given) == value


def test_unique_is_new_each_time() -> None:
    one = scope()
    first, second = one.value({"$unique": "k-"}), one.value({"$unique": "k-"})
    assert first != second
    assert str(first).startswith("k-")
    assert len(str(first)) == 18


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (5, 5),
        (None, None),
        ([1, 2], (1, 2)),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"$absent": True}}, {"b": 2}),
        ({"a": {"$absent": True}}, {"a": None}),
        ({"$any": True}, 0),
        ({"$type": "int"}, 3),
        ({"$type": "nil"}, None),
        ({"$var": "x"}, 5),
        ({"$plus": ["x", 1]}, 6),
        ({"$prefix": "r_"}, "r_1"),
        ({"$min": 1, "$max": 9}, 9),
        ({"$one_of": [1, {"$prefix": "a"}]}, "ab"),
        ({"$bin": "00"}, b"\x00"),
        ({"$capture": "new", "like": {"$min": 1}}, 4),
    ],
)
def test_what_matches(pattern: Any, value: object) -> None:
    scope(x=5).match(pattern, value, "")


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (5, 5.0),
        (1, True),
        ("a", b"a"),
        (None, 0),
        ([1], [1, 2]),
        ({"a": 1}, {}),
        ({"a": 1}, [1]),
        ({"a": {"$absent": True}}, {"a": 1}),
        ({"$any": True}, None),
        ({"a": {"$any": True}}, {}),
        ({"$type": "int"}, True),
        ({"$type": "str"}, 1),
        ({"$var": "x"}, 4),
        ({"$prefix": "r_"}, "s_1"),
        ({"$min": 1}, 0),
        ({"$max": 1}, 2),
        ({"$min": 1}, "1"),
        ({"$one_of": [1, 2]}, 3),
        ({"$capture": "new", "like": 5}, 4),
    ],
)
def test_what_differs(pattern: Any, value: object) -> None:
    with pytest.raises(DiffersError):
        scope(x=5).match(pattern, value, "")


def test_a_frame_and_its_pattern_may_be_of_different_length() -> None:
    one = scope()
    one.match_frame([17, 1], [17, 1, {"new": 1}])
    one.match_frame([18, 1, 2400, "x", None, {"$absent": True}], [18, 1, 2400, "x"])
    with pytest.raises(DiffersError):
        one.match_frame([17, 1, {"$any": True}], [17, 1])


def test_captures_of_a_pattern_that_did_not_match_are_dropped() -> None:
    one = scope()
    assert not one.matches_frame([{"$capture": "a"}, 2], [1, 3])
    assert "a" not in one.variables
    assert one.matches_frame([{"$capture": "a"}, 3], [1, 3])
    assert one.variable("a") == 1


@pytest.mark.parametrize("given", [{"$var": "nobody"}, {"$plus": ["nobody", 1]}, {"$nonsense": 1}])
def test_a_wrong_script_is_said(given: Any) -> None:
    with pytest.raises(ScriptError):
        scope().value(given)
    with pytest.raises(ScriptError):
        scope().match(given, 1, "")


def test_bytes_may_be_put_together() -> None:
    assert raw("00ff") == b"\x00\xff"
    assert raw(["01", {"repeat": "02", "times": 3}]) == b"\x01\x02\x02\x02"


def test_tokens_are_those_of_the_vectors() -> None:
    where = files("broker.protocol") / "vectors" / "conformance.json"
    facts = json.loads(where.read_text(encoding="utf-8"))
    key = bytes.fromhex(facts["token_key"])
    for each in facts["tokens"]:
        made = mint(key, each["account"], each["person"], each["role"], each["expires"], each.get("portal"))
        assert made == each["token"]


def test_a_scripts_token_may_have_its_own_life_and_key() -> None:
    one = scope()
    said = {"person": "ann", "role": "representative", "life_ms": -1000, "key": "11" * 32}
    assert one.value({"$token": said}) == mint(b"\x11" * 32, "conformance", "ann", "representative", NOW - 1000)
