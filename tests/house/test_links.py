"""Every relative link in a Markdown file leads to a file that is there, and to a heading in it."""

import posixpath
import re
from collections.abc import Mapping
from typing import Final

import pytest

from tests.house import tree

PAGES: Final = [path for path in tree.files() if path.endswith(".md") and not path.startswith("changelog.d/")]

_FENCE: Final = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`[^`\n]*`")
_LINK: Final = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING: Final = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_ANCHOR: Final = re.compile(r"<a id=\"([^\"]+)\">")
_ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def broken(page: str, text: str, files: Mapping[str, str]) -> list[str]:
    """Links of a page that lead nowhere. ``files``: path and text; the text matters for Markdown alone."""
    found = []
    for match in _LINK.finditer(_CODE.sub("", _FENCE.sub("", text))):
        target = match[1] or match[2]
        if _ELSEWHERE.match(target):
            continue
        path, _, anchor = target.partition("#")
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        there = aim in files or any(file.startswith(f"{aim}/") for file in files)
        if not there:
            found.append(f"{page} links to {target}: there is no {aim}; mend the link or write the page")
        elif anchor and anchor not in anchors(files.get(aim, "")):
            found.append(f"{page} links to {target}: {aim} has no such heading; mend the link")
    return found


def anchors(text: str) -> set[str]:
    """The anchors of a page: those it sets itself, and those of its headings, as the usual renderers make them."""
    found = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        number = next(n for n in range(len(found) + 1) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    files = {path: tree.read(path) if path.endswith(".md") else "" for path in tree.files()}
    assert broken(page, tree.read(page), files) == []


FILES: Final = {
    "docs/a.md": '# One thing\n## `serve.port`, and more\n# One thing\n<a id="own"></a>',
    "docs/b/c.md": "",
    "LICENSE": "",
}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[x](gone.md)", "there is no docs/gone.md"),
        ("[x](../gone.md)", "there is no gone.md"),
        ("[x](b/c.md#nothing)", "docs/b/c.md has no such heading"),
        ("[x](#nothing)", "docs/a.md has no such heading"),
        ("[x]: gone.md", "there is no docs/gone.md"),
        ("![x](gone.png)", "there is no docs/gone.png"),
    ],
)
def test_a_link_to_nowhere_is_named(text: str, named: str) -> None:
    (found,) = broken("docs/a.md", text, FILES)
    assert named in found


@pytest.mark.parametrize(
    "text",
    [
        "[x](b/c.md) [y](../LICENSE) [z](b) [w](b/)",
        "[x](#one-thing) [x](a.md#one-thing-1) [x](#serveport-and-more) [x](#own)",
        "[x](https://example.org/gone.md) [y](mailto:a@b.example)",
        "`[x](gone.md)`",
        "```\n[x](gone.md)\n```",
        'words [x](b/c.md "title") words',
    ],
)
def test_other_links_are_left_alone(text: str) -> None:
    assert broken("docs/a.md", text, FILES) == []
