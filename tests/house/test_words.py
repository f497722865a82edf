"""Words that have no place in the tree: paths of somebody's machine, hosts of registries, other companies' marks."""

import re
from typing import Final

import pytest

from tests.house import tree

MARKS: Final = "docs/reference/mapping.md"
"""The one page that names other companies' marks, to say what is called how here."""

RULES: Final = {
    "a path of one machine: use a relative path, or tmp_path": (
        re.compile(r"(?<![\w.~-])/(?:work|root|home|Users|opt)/[\w.-]+"),
        frozenset[str](),
    ),
    "a registry's host: who installs knows theirs": (
        re.compile(r"\b(?:files\.pythonhosted\.org|(?:www\.)?pypi\.org|registry\.npmjs\.org|npmjs\.com)\b"),
        frozenset[str](),
    ),
    "a number of an issue: the code outlives the list; say what it is about": (
        re.compile(r"\b(?:issue|ticket|PR) ?#?\d+\b", re.IGNORECASE),
        frozenset[str](),
    ),
    "another company's mark: use our word, docs/glossary.md has it": (
        re.compile(r"\b(?:Citrix|GoTo(?:Assist)?|LogMeIn|SmartMatch|SmartBox|SmartButton|SmartPin|HelpAlert)\b"),
        frozenset({MARKS}),
    ),
}
"""What to do, the pattern, and the files that may."""

SELF: Final = "tests/house/test_words.py"
TEXTS: Final = [
    path
    for path in tree.files()
    if path.endswith((".py", ".md", ".toml", ".ts", ".tsx", ".js", ".json", ".html", ".css", ".yaml", ".yml", ".sh"))
    or "." not in path.rpartition("/")[2]
]


def misplaced(path: str, text: str) -> list[str]:
    """Words that have no place in this file, each with what to do."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]!r} is {advice}"
        for advice, (pattern, allowed) in RULES.items()
        if path not in allowed
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("path", [path for path in TEXTS if path != SELF])
def test_every_word_may_be_here(path: str) -> None:
    assert misplaced(path, tree.read(path)) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("see /work/tree/x", "a path of one machine"),
        ("open('/root/secret')", "a path of one machine"),
        ("from pypi.org", "a registry's host"),
        ("as issue 12 says", "a number of an issue"),
        ("like HelpAlert does", "another company's mark"),
    ],
)
def test_a_misplaced_word_is_named_by_line(text: str, named: str) -> None:
    (found,) = misplaced("docs/x.md", f"one\n{text}\n")
    assert found.startswith("docs/x.md:2: ")
    assert named in found


@pytest.mark.parametrize("text", ["docs/work/x", "~/home/x", "/v1/ws", "a framework/library", "https://x.example/opt"])
def test_other_words_are_left_alone(text: str) -> None:
    assert misplaced("docs/x.md", text) == []


def test_the_mapping_page_may_name_marks() -> None:
    assert misplaced(MARKS, "HelpAlert") == []
