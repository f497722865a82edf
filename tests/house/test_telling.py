"""What the broker tells its log: events by literal names, fields that the log knows."""

import ast
from typing import Final

import pytest

from broker.observe.logs import Fields, Level
from tests.house import tree

LEVELS: Final = {level.name.lower() for level in Level}


def mistold(path: str, source: str) -> list[str]:
    """Calls of ``tell(level, event, …)`` that the log would cut: sentences that end with what to do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) != 2 or not isinstance(node.args[0], ast.Constant):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        level, event = node.args
        if name.lstrip("_") != "tell" or not isinstance(level, ast.Constant) or not isinstance(level.value, str):
            continue
        where = f"{path}:{node.lineno}"
        if level.value not in LEVELS:
            found.append(f"{where}: there is no level {level.value}: use {', '.join(sorted(LEVELS))}")
        if not isinstance(event, ast.Constant):
            found.append(f"{where}: the event's name is computed: write it out, and put what varies into a field")
        found += [
            f"{where}: the log has no field {keyword.arg}: add it to broker/observe/logs.py, if it is nothing personal"
            for keyword in node.keywords
            if keyword.arg not in Fields.__annotations__
        ]
    return found


@pytest.mark.parametrize("path", tree.python("broker"))
def test_what_is_told_arrives(path: str) -> None:
    assert mistold(path, tree.read(path)) == []


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("self._tell('loud', 'x')", "no level loud"),
        ("tell('info', f'x.{y}')", "is computed"),
        ("tell('info', 'x', text=y)", "no field text"),
        ("tell('info', 'x', **y)", "no field None"),
    ],
)
def test_what_would_not_arrive_is_named(call: str, named: str) -> None:
    (found,) = mistold("broker/x.py", call)
    assert found.startswith("broker/x.py:1: ")
    assert named in found


@pytest.mark.parametrize("call", ["tell('info', 'x', seq=1)", "conductor.tell(account, command)", "file.tell()"])
def test_other_calls_are_left_alone(call: str) -> None:
    assert mistold("broker/x.py", call) == []
