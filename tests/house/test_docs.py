"""Docs and code say the same: rendered pages are current, every code is in the spec, every dependency has a reason."""

import re
import tomllib
from typing import Final

import pytest

from broker import __version__, codes, limits
from broker.runtime import options
from scripts import render
from tests.house import tree

SPEC: Final = "docs/protocol/spec.md"
DEPENDENCIES: Final = "docs/reference/dependencies.md"
FRAGMENT: Final = re.compile(r"changelog\.d/\+?[a-z0-9][a-z0-9-]*\.(breaking|feature|bugfix|doc|misc)\.md")


@pytest.mark.parametrize("path", render.PAGES)
def test_a_page_made_from_code_is_current(path: str) -> None:
    assert path not in render.outdated(), f"{path} is out of date: run make docs"


@pytest.mark.parametrize("code", [*codes.Code, *codes.Close], ids=lambda code: code.name)
def test_every_code_is_in_the_spec(code: codes.Code | codes.Close) -> None:
    spec = tree.read(SPEC) if SPEC in tree.files() else ""
    assert re.search(rf"\b{int(code)}\b[^\n]*\b{code.name}\b", spec), (
        f"{SPEC} doesn't have {int(code)} and {code.name} in one line: add it to the table of codes"
    )


@pytest.mark.parametrize("code", [*codes.Code, *codes.Close], ids=lambda code: code.name)
def test_every_code_has_a_meaning(code: codes.Code | codes.Close) -> None:
    assert codes.MEANING[code], f"broker/codes.py gives {code.name} no meaning: write one"


def test_the_bounds_on_the_memory_page_exist() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})`", tree.read("docs/explanation/memory.md")))
    assert len(named) > 20
    assert named <= {*dir(limits), *dir(options)}, "mend the name in docs/explanation/memory.md"


def test_every_dependency_has_a_line_of_reason() -> None:
    project = tomllib.loads(tree.read("pyproject.toml"))
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    names = {re.split(r"[<>=!~ \[;]", requirement)[0] for requirement in wanted}
    told = set(re.findall(r"^\| `([^`]+)` \| \S.{9,}", tree.read(DEPENDENCIES), re.MULTILINE))
    assert names - told == set(), f"give each a line of reason in {DEPENDENCIES}"
    assert told - names == set(), f"pyproject.toml doesn't have them: take them out of {DEPENDENCIES}"


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads(tree.read("pyproject.toml"))
    assert project["project"]["version"] == __version__, "broker/__init__.py and pyproject.toml differ: change both"


def test_fragments_are_named_and_say_something() -> None:
    fragments = [path for path in tree.files() if path.startswith("changelog.d/")]
    for path in fragments:
        if path.endswith(("README.md", ".gitignore")):
            continue
        assert FRAGMENT.fullmatch(path), f"{path}: name it +what.feature.md (or breaking, bugfix, doc, misc)"
        text = tree.read(path).strip()
        assert len(text) > 20, f"{path} says nothing: write what a user notices, in the past tense"
        assert text.endswith("."), f"{path}: write whole sentences"
    released = f"## {__version__}" in tree.read("CHANGELOG.md")
    assert released or len(fragments) > 1, "nothing says what this version brings: add a fragment to changelog.d"


def test_every_make_target_is_explained() -> None:
    makefile = tree.read("Makefile")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert targets == explained, "write '## what it does' after the target"
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == targets, "name it in .PHONY"
