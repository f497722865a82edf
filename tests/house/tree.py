"""The tree as the house tests see it: its files, its modules, and what each module imports."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("broker", "clients", "bench", "scripts")
"""Folders whose Python is the product's."""


@cache
def files() -> tuple[str, ...]:
    """Paths below the root of everything that is, or would be, committed; sorted."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):  # no git, or an unpacked archive
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        skipped = {".venv", "var", "reports", "build", "dist", "__pycache__"}
        listed = [str(path) for path in found if not any(part in skipped or part[0] == "." for part in path.parts)]
    return tuple(sorted(path for path in listed if path and (ROOT / path).is_file()))


def python(*folders: str) -> list[str]:
    """The Python files of some top folders."""
    return [path for path in files() if path.endswith(".py") and path.split("/")[0] in folders]


def read(path: str) -> str:
    """A file's text."""
    return (ROOT / path).read_text(encoding="utf-8")


def module(path: str) -> str:
    """The module in a file: ``broker/desk/__init__.py`` is ``broker.desk``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def modules() -> frozenset[str]:
    """Every module of ours."""
    return frozenset(module(path) for path in python(*PRODUCT))


def imports(tree: ast.AST, known: frozenset[str]) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, wherever it stands. ``from a import b`` is a.b where that is in ``known``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in known else base
