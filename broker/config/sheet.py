"""Representatives from a CSV file: rows become ``representative.put``, every wrong one is named by line and column.

A column that isn't there, or is empty, says nothing: somebody new gets the default, everybody else keeps what is.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from broker.config.desk import Put
from broker.config.export import puts_of
from broker.config.kinds import nearest
from broker.config.load import ConfigError
from broker.protocol import check

COLUMNS: Final = ("representative", "name", "email", "team", "capacity", "skills", "management")
_YES: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_SKILL: Final = "skills such as german:5;tax:2, each with a level from 1 to 100"
OP: Final = "representative.put"


def load_sheet(path: Path) -> dict[int, dict[str, str]]:
    """Line to its cells, by column; the empty ones left out. Raises ``ConfigError``."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets begin UTF-8 with a mark
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(header, path)
            rows = {}
            problems = []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    problems.append(f"line {reader.line_num}: expected {len(header)} cells, got {len(cells)}")
                row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
                rows[reader.line_num] = row
    except OSError as error:
        raise ConfigError([f"can't be read: {error.strerror}"], str(path)) from None
    except UnicodeDecodeError as error:
        raise ConfigError([f"is not UTF-8: byte {error.start}"], str(path)) from None
    except csv.Error as error:
        raise ConfigError([f"line {reader.line_num}: {error}"], str(path)) from None
    if problems:
        raise ConfigError(problems, str(path))
    return rows


def _check_header(header: list[str], path: Path) -> None:
    problems = [
        f"line 1: there is no column {name!r}{nearest(name, COLUMNS)}; there are {', '.join(COLUMNS)}"
        for name in header
        if name not in COLUMNS
    ]
    problems += [f"line 1: the column {name} is there twice" for name in COLUMNS if header.count(name) > 1]
    if "representative" not in header:
        problems = ["line 1: expected a header with the column representative, separated by commas", *problems]
    if problems:
        raise ConfigError(problems, str(path))


def puts(
    rows: Mapping[int, Mapping[str, str]], exported: Mapping[str, Any], team: str | None, *, invite: bool, source: str
) -> tuple[Put, ...]:
    """The rows as operations, filled up with what is there. ``team``: of those who are new and whose row has none;
    ``invite``: whoever is new needs an e-mail address. Raises ``ConfigError`` with all that is wrong."""
    there = {put.args["representative"]: put.args for put in puts_of(exported) if put.op == OP}
    found: list[Put] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows.items():
        where = f"line {line}"
        given, wrong = _given(row, where)
        name = row.get("representative", "")
        if name and name in lines:
            wrong.append(f"{where}, representative: {name} is on line {lines[name]} already")
        lines.setdefault(name, line)
        new = name not in there
        defaults = {"team": team, "capacity": 1} if new else there[name]
        args = {key: value for key, value in {**defaults, **given}.items() if value is not None}
        if new and invite and "email" not in args:
            wrong.append(f"{where}, email: expected an address, for an invitation goes there")
        if not wrong:
            wrong = _objections(args, where)
        problems += wrong
        found.append(Put(OP, args, where))
    if problems:
        raise ConfigError(problems, source)
    return tuple(found)


def _given(row: Mapping[str, str], where: str) -> tuple[dict[str, Any], list[str]]:
    """The arguments in a row's cells, and what is wrong with them."""
    given: dict[str, Any] = {name: row[name] for name in ("representative", "name", "email", "team") if name in row}
    wrong = []
    if "capacity" in row:
        given["capacity"] = _whole(row["capacity"])
        if given["capacity"] is None:
            wrong.append(f"{where}, capacity: expected a whole number, got {row['capacity']!r}")
    if "skills" in row:
        skills = [one.strip() for one in row["skills"].split(";") if one.strip()]
        parts = [(skill.strip(), _whole(level.strip())) for skill, _, level in (one.partition(":") for one in skills)]
        given["skills"] = [{"skill": skill, "level": level} for skill, level in parts]
        if any(level is None for _, level in parts):
            wrong.append(f"{where}, skills: expected {_SKILL}, got {row['skills']!r}")
    if "management" in row:
        given["management"] = _YES.get(row["management"].lower())
        if given["management"] is None:
            wrong.append(f"{where}, management: expected yes or no, got {row['management']!r}")
    return given, wrong


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _objections(args: Mapping[str, Any], where: str) -> list[str]:
    try:
        check.parse(OP, args)
    except check.BadArgs as bad:
        return [columns(f"{bad.path.replace('args', where, 1)}: expected {bad.expected}")]
    return []


def columns(problem: str) -> str:
    """The same, with the column instead of the argument's path.

    >>> columns("line 3.team: expected the name of a team")
    'line 3, team: expected the name of a team'
    """
    return re.sub(r"^(line \d+)\.", r"\1, ", problem)
