"""Representatives from CSV: every wrong row named by line and column; where the file says nothing, nothing changes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from broker.config import ConfigError
from broker.config.sheet import load_sheet, puts

THERE: dict[str, Any] = {
    "teams": [{"team": "first", "subportals": []}],
    "representatives": [
        {
            "representative": "ann",
            "name": "Ann",
            "team": "first",
            "capacity": 3,
            "weight": 2,
            "skills": [{"skill": "tax", "level": 9}],
            "email": "ann@example.org",
            "functions": {"chat": False},
        }
    ],
}


def made(folder: Path, text: str | bytes, team: str | None = "first", *, invite: bool = False) -> list[Any]:
    path = folder / "new.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return [put.args for put in puts(load_sheet(path), THERE, team, invite=invite, source="new.csv")]


def problems(folder: Path, text: str | bytes, team: str | None = "first", *, invite: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        made(folder, text, team, invite=invite)
    return caught.value.problems


def test_a_row_becomes_a_put(tmp_path: Path) -> None:
    text = (
        "representative,name,email,team,capacity,skills,management\r\n"
        'cleo,"Cleo, C.",cleo@example.org,night,2,german:5; tax:2,Yes\r\n'
        "\r\n"
        "dan,Dan,,,,,\r\n"
    )
    assert made(tmp_path, b"\xef\xbb\xbf" + text.encode()) == [
        {
            "representative": "cleo",
            "name": "Cleo, C.",
            "email": "cleo@example.org",
            "team": "night",
            "capacity": 2,
            "skills": [{"skill": "german", "level": 5}, {"skill": "tax", "level": 2}],
            "management": True,
        },
        {"representative": "dan", "name": "Dan", "team": "first", "capacity": 1},
    ]


def test_who_is_there_is_changed_only_in_what_the_row_says(tmp_path: Path) -> None:
    there = THERE["representatives"][0]
    assert made(tmp_path, "representative,capacity,name\nann,5,\n", "other") == [{**there, "capacity": 5}]
    assert made(tmp_path, "representative\nann\n") == [there]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: expected a header with the column representative"),
        ("name,team\nAnn,first\n", "line 1: expected a header with the column representative"),
        ("representative,nam\nx,y\n", "line 1: there is no column 'nam'; did you mean name?"),
        ("representative,name,name\nx,y,z\n", "line 1: the column name is there twice"),
        ("representative,name\nx\n", "line 2: expected 2 cells, got 1"),
        ("representative,name\nx,y,z\n", "line 2: expected 2 cells, got 3"),
        ('representative,name\nx,"y\n', "line 2: unexpected end of data"),
        ("representative,name\nx,X\nx,Y\n", "line 3, representative: x is on line 2 already"),
        ("representative,name\nX,X\n", "line 2, representative: expected a name of 1 to 64"),
        ("representative,name\n,X\n", "line 2, representative: expected a value: it is required"),
        ("representative,capacity\nx,1\n", "line 2, name: expected a value: it is required"),
        ("representative,name,capacity\nx,X,many\n", "line 2, capacity: expected a whole number, got 'many'"),
        ("representative,name,capacity\nx,X,0\n", "line 2, capacity: expected an int from 1"),
        ("representative,name,capacity\nx,X,²\n", "line 2, capacity: expected a whole number"),
        ("representative,name,skills\nx,X,german\n", "line 2, skills: expected skills such as german:5"),
        ("representative,name,skills\nx,X,german:101\n", "line 2, skills[0].level: expected an int from 1 to 100"),
        ("representative,name,management\nx,X,perhaps\n", "line 2, management: expected yes or no, got 'perhaps'"),
        ("representative,name,email\nx,X,a\n", "line 2, email: expected a string of"),
    ],
)
def test_a_wrong_row_is_named_by_line_and_column(tmp_path: Path, text: str, expected: str) -> None:
    assert problems(tmp_path, text)[0].startswith(expected)


def test_every_wrong_row_is_named_at_once(tmp_path: Path) -> None:
    text = "representative,name,capacity,management\nx,X,many,perhaps\nok,Ok,1,no\ny,Y,0,no\n"
    found = [problem.partition(":")[0] for problem in problems(tmp_path, text)]
    assert found == ["line 2, capacity", "line 2, management", "line 4, capacity"]


def test_a_quoted_cell_may_have_lines_and_the_row_is_named_by_its_last(tmp_path: Path) -> None:
    assert problems(tmp_path, 'representative,name,capacity\nx,"X\nY",0\n')[0].startswith("line 3, capacity")


def test_a_new_one_needs_a_team_and_for_an_invitation_an_address(tmp_path: Path) -> None:
    text = "representative,name\nx,X\nann,Ann\n"
    assert problems(tmp_path, text, None) == ["line 2, team: expected a value: it is required"]
    assert problems(tmp_path, text, invite=True) == ["line 2, email: expected an address, for an invitation goes there"]


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, b"representative,name\nx,\xff\n") == ["is not UTF-8: byte 22"]
    with pytest.raises(ConfigError, match=r"none\.csv: can't be read"):
        load_sheet(tmp_path / "none.csv")


def test_the_sheet_of_the_guide_is_right(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/provision.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```text\n(representative,.*?)```", guide, re.DOTALL)
    assert [args["representative"] for args in made(tmp_path, text, invite=True)] == ["cleo", "dan"]
