import tomllib
from collections.abc import Callable
from typing import Any

import pytest

from broker.protocol import schema
from tests.protocol import agreement
from tests.protocol.samples import tables


def test_text_is_the_file_and_load_its_content() -> None:
    assert tomllib.loads(schema.text()) == schema.load()


def test_it_is_read_once() -> None:
    assert schema.load() is schema.load()


def test_it_answers_within_the_bound_of_its_own_operation() -> None:
    described = tables()
    assert len(schema.text().encode()) <= described["ops"]["meta.schema"]["result"]["toml"]["max"]


def test_every_field_is_made_of_known_words() -> None:
    assert agreement.of_schema(schema.load()) == []


def _spoil(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(described: Any) -> None:
        *way, last = path.split("/")
        for step in way:
            described = described[int(step)] if isinstance(described, list) else described[step]
        described[last] = value

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        _spoil("ops/request.create/args/text/typ", "str"),
        _spoil("ops/request.create/args/text/type", "text"),
        _spoil("ops/request.create/args/text/type", "enum"),
        _spoil("ops/request.create/args/text/values", ["a"]),
        _spoil("ops/request.create/roles", ["visitor"]),
        _spoil("ops/request.create/roles", []),
        _spoil("ops/request.create/doc", "no full stop"),
        _spoil("ops/request.create/result/state/fallback", "gone"),
        _spoil("ops/request.create/result/state", {"type": "enum", "values": ["a"]}),
        _spoil("ops/portal.put/args/subportals/of/personal", True),
        _spoil("ops/presence.set/args/presence/personal", True),
        _spoil("ops/portal.open/result/subportals/of/fields", "nowhere"),
        _spoil("events/request.ended/data/state", {"type": "enum", "values": ["a"]}),
        _spoil("events/request.ended/data/request/secret", True),
        _spoil("events/request.ended/streams", ["everywhere"]),
        _spoil("notices/progress/doc", "x"),
        _spoil("maps/auth/token/kind", "x"),
        _spoil("frames/goodbye/fields/1/optional", True),
    ],
)
def test_a_spoiled_schema_is_noticed(spoil: Callable[[dict[str, Any]], None]) -> None:
    described = tables()
    spoil(described)
    assert agreement.of_schema(described) != []
