"""The spec in agreement with schema, codes and vectors. It is prose and tables; the tables are rendered."""

import re
from pathlib import Path

import pytest

from broker.codes import Close, Code
from docs.protocol.render import MARKED, SPEC, render, tables
from tests.protocol import agreement, samples

TEXT = SPEC.read_text(encoding="utf-8")
CODES = {code.name: int(code) for family in (Code, Close) for code in family}


def test_its_tables_are_current() -> None:
    assert render(TEXT) == TEXT, "run: python -m docs.protocol.render"


def test_every_table_is_in_it_once() -> None:
    assert sorted(found["name"] for found in MARKED.finditer(TEXT)) == sorted(tables())


def test_everything_that_has_a_name_is_in_it() -> None:
    assert agreement.of_spec(samples.tables(), TEXT, CODES) == []


@pytest.mark.parametrize("part", ["frames", "maps", "ops", "events", "notices"])
def test_what_is_missing_is_noticed(part: str) -> None:
    described = samples.tables()
    described[part]["later.thing"] = {"kind": 99}
    assert agreement.of_spec(described, TEXT, CODES) == [
        f"{part.removesuffix('s') if part in ('frames', 'maps') else part} later.thing: not in the spec"
    ]
    assert agreement.of_spec(samples.tables(), TEXT, {**CODES, "TEAPOT": 2418}) == ["code TEAPOT: not in the spec"]


def test_a_stale_table_is_noticed() -> None:
    assert render(TEXT.replace("| 2400 |", "| 2499 |")) == TEXT


def test_a_marker_that_names_no_table_is_noticed() -> None:
    with pytest.raises(KeyError):
        render("<!-- generated: nothing -->\n<!-- end -->")


def test_its_links_lead_somewhere() -> None:
    anchors = set(re.findall(r'<a id="([a-z]+)">', TEXT))
    assert set(re.findall(r"\]\(#([a-z]+)\)", TEXT)) <= anchors


def test_every_code_it_mentions_exists() -> None:
    mentioned = {int(number) for number in re.findall(r"\b([2-5][0-9]{3})\b(?! to)", MARKED.sub("", TEXT))}
    ranges = {4000, 4499, 4500, 4999}
    assert mentioned <= set(CODES.values()) | ranges | {6455}


def test_the_files_it_names_exist() -> None:
    root = Path(__file__).parents[2]
    for name in re.findall(r"`((?:broker|docs)/[^`]+)`", TEXT):
        assert (root / name).exists(), name
