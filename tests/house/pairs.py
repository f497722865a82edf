"""File pairs: every module has its tests, and they are found where its name says.

``broker/x/y.py`` is tested by ``tests/x/test_y.py``, or by a suite that names it: a test file in ``tests/x`` that
imports it, or any that says ``# covers: broker/x/y.py`` in a comment line. A package's own file is named like the
package: ``broker/cli/__init__.py`` by ``tests/cli/test_cli.py``. What defines no function or class needs no test.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Final

from tests.house.tree import imports, module

EXCEPTIONS: Final = {
    "broker/__main__.py": "two lines; tests/cli runs it as a process",
}
"""Modules without a test of their own, and why."""

_COVERS: Final = re.compile(r"^# covers: (.+)$", re.MULTILINE)


def homes(path: str) -> tuple[str, ...]:
    """Where the tests of a module are looked for."""
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts.pop()
        # a package's file: beside its modules' tests, or one folder up
        rooms = ["/".join(parts[1:]), "/".join(parts[1:-1])]
    else:
        rooms = ["/".join(parts[1:-1])]
    if parts[0] == "clients":
        rooms = [f"clients/{room}" for room in rooms]
    return tuple(f"tests/{room}/test_{parts[-1]}.py".replace("//", "/") for room in rooms)


def unpaired(sources: Mapping[str, str], tests: Mapping[str, str]) -> list[str]:
    """What is wrong with the pairs of ``sources`` and ``tests`` (path and text): sentences that end with what to do."""
    covered: dict[str, str] = {}
    known = frozenset(module(path) for path in sources)
    imported = {
        (test.rpartition("/")[0], name) for test, text in tests.items() for _, name in imports(ast.parse(text), known)
    }
    for test, text in tests.items():
        for names in _COVERS.findall(text):
            covered.update(dict.fromkeys(names.split(), test))
    found = [
        f"{test} says it covers {path}, which isn't there: mend its '# covers:' line"
        for path, test in covered.items()
        if path not in sources
    ]
    for path, text in sources.items():
        tested = path in covered or any(
            home in tests or (home.rpartition("/")[0], module(path)) in imported for home in homes(path)
        )
        if path in EXCEPTIONS or tested or not _defines(text):
            continue
        found.append(
            f"{path} has no tests: create {homes(path)[0]}, or write '# covers: {path}' into the suite that tests it"
        )
    return found


def _defines(source: str) -> bool:
    """Whether there is anything to test: a function or a class."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return any(isinstance(node, kinds) for node in ast.walk(ast.parse(source)))
