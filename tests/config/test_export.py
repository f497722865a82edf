"""An export as operations and as a desk file: what is written is what is read."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.config.desk import Put, parse_desk
from broker.config.export import puts_of, value_of, written

EXPORTED: dict[str, Any] = {
    "account": {"modes": ["queue"]},
    "portals": [
        {
            "portal": "help",
            "title": 'Say "hi"',
            "kind": "ask",
            "mode": "queue",
            "subportals": ["orders"],
            "offer_ms": 20_000,
            "closing_ms": 0,
            "form": [{"field": "order", "type": "text", "label": {"en": "Order", "pt-BR": "Pedido"}, "min": None}],
            "texts": None,
            "hours": None,
            "functions": {},
        }
    ],
    "subportals": [{"subportal": "orders", "portal": "help", "weight": 1, "skills": [], "overflow": []}],
    "teams": [
        {"team": "z-first", "title": {"erased": True}, "subportals": ["orders"], "parent": None, "functions": {}},
        {"team": "night", "title": None, "subportals": [], "parent": "z-first", "functions": {"chat": False}},
    ],
    "representatives": [
        {"representative": "bo", "name": {"erased": True}, "team": "night", "capacity": 1, "management": False},
        {"representative": "ann", "name": "Änn\u007f", "team": "night", "capacity": 2, "email": "ann@example.org"},
    ],
    "managers": [{"manager": "boss", "kind": "account", "name": None, "email": None, "teams": [], "rights": []}],
    "services": [{"service": "crm", "scopes": []}],
    "defaults": {"offer_ms": 1},
}


def test_an_export_becomes_the_operations_that_make_it_again() -> None:
    puts = puts_of(EXPORTED)
    assert [(put.op, put.where) for put in puts] == [
        ("account.put", "account"),
        ("portal.put", "portal[0]"),
        ("subportal.put", "subportal[0]"),
        ("team.put", "team[0]"),
        ("team.put", "team[1]"),
        ("representative.put", "representative[0]"),
        ("representative.put", "representative[1]"),
        ("service.put", "service[0]"),
        ("manager.put", "manager[0]"),
    ]
    assert puts[1].args["form"] == [
        {"field": "order", "type": "text", "label": {"en": "Order", "pt-BR": "Pedido"}},
    ]
    assert puts[1].args["closing_ms"] == 0, "a zero says something"
    assert puts[2].args == {"subportal": "orders", "weight": 1}
    assert [put.args["team"] for put in puts[3:5]] == ["z-first", "night"], "parents first, as they are told"
    assert puts[3].args == {"team": "z-first", "subportals": ["orders"]}, "what is erased isn't there"
    assert [put.args["representative"] for put in puts[5:7]] == ["ann", "bo"], "in an order that doesn't change"
    assert puts[6].args["name"] == "bo", "a representative has to be called something"
    assert puts[7].args == {"service": "crm", "scopes": []}


def test_the_file_is_read_back_as_it_was_written() -> None:
    puts = puts_of(EXPORTED)
    text = written("acme", puts)
    assert text.startswith("# The account acme, as huntgroup export wrote it.")
    assert parse_desk(text, "f") == tuple(puts)


def test_an_account_with_nothing_is_a_file_with_nothing() -> None:
    assert puts_of({}) == []
    assert parse_desk(written("acme", []), "f") == ()


_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(_values)
def test_any_value_is_read_back_as_it_was_written(value: object) -> None:
    assert tomllib.loads(f"x = {value_of(value)}") == {"x": value}


@pytest.mark.parametrize("name", ["two words", "", 'quo"te', "a.b"])
def test_keys_that_are_not_bare_are_quoted(name: str) -> None:
    assert tomllib.loads(f"x = {value_of({name: 1})}") == {"x": {name: 1}}


def test_rows_whose_parents_make_a_circle_still_come_out() -> None:
    """No desk tells such a thing; a broken one must not hang who reads it."""
    circle = [{"team": "a", "parent": "b", "subportals": []}, {"team": "b", "parent": "a", "subportals": []}]
    assert [put.args["team"] for put in puts_of({"teams": circle})] == ["a", "b"]
    assert isinstance(puts_of({"teams": circle})[0], Put)
