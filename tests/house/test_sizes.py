"""Files of at most 400 lines and functions of at most 50; more only with a reason on top: ``# size: …``."""

import ast
from collections.abc import Iterator
from typing import Final

import pytest

from tests.house import tree

FILE_LINES: Final = 400
FUNCTION_LINES: Final = 50
HEAD_LINES: Final = 12  # where a file's reason is looked for: below the docstring, at most so far down
MARK: Final = "# size: "


def oversized(path: str, source: str) -> list[str]:
    """What is too long without a reason: sentences that end with what to do."""
    lines = source.splitlines()
    found = []
    if len(lines) > FILE_LINES and not any(_reason(line) for line in lines[:HEAD_LINES]):
        found.append(
            f"{path} has {len(lines)} lines, more than {FILE_LINES}: split it by nouns, or give the reason on top of it"
            f" in a line '{MARK}…'"
        )
    for function in _functions(ast.parse(source)):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
        above = lines[first - 2] if first > 1 else ""
        if length > FUNCTION_LINES and not _reason(above):
            found.append(
                f"{path}:{function.lineno}: {function.name} has {length} lines, more than {FUNCTION_LINES}: split it by"
                f" steps, or give the reason in the line above it, '{MARK}…'"
            )
    return found


def _reason(line: str) -> bool:
    return len(line.strip().removeprefix(MARK)) >= 10 and line.strip().startswith(MARK)


def _functions(module: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", tree.python(*tree.PRODUCT))
def test_a_file_can_be_read_alone(path: str) -> None:
    assert oversized(path, tree.read(path)) == []


def function(lines: int, above: str = "") -> str:
    return f"{above}\ndef f():\n" + "    x = 1\n" * (lines - 1)


def test_a_long_file_is_named() -> None:
    (found,) = oversized("broker/x.py", "x = 1\n" * 401)
    assert found.startswith("broker/x.py has 401 lines, more than 400: split it")
    assert oversized("broker/x.py", "x = 1\n" * 400) == []


def test_a_long_function_is_named() -> None:
    (found,) = oversized("broker/x.py", function(51))
    assert found.startswith("broker/x.py:2: f has 51 lines, more than 50: split it")
    assert oversized("broker/x.py", function(50)) == []


def test_a_long_method_is_named_too() -> None:
    source = "class A:\n    async def f(self):\n" + "        x = 1\n" * 50
    assert len(oversized("broker/x.py", source)) == 1


def test_a_reason_on_top_is_enough_and_an_empty_one_is_not() -> None:
    reason = "# size: one table, which is read as a whole"
    assert oversized("broker/x.py", function(51, reason)) == []
    assert oversized("broker/x.py", f'"""Docstring."""\n\n{reason}\n' + "x = 1\n" * 500) == []
    assert len(oversized("broker/x.py", function(51, "# size: "))) == 1


def test_a_reason_may_stand_above_decorators() -> None:
    source = "# size: one table, which is read as a whole\n@a\n@b" + function(51)
    assert oversized("broker/x.py", source) == []
