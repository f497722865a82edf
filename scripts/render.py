"""Writes the reference pages that are made from the code; ``--check`` only says which are out of date.

``make docs`` runs it, and so does ``make fix``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from broker.cli import parser
from broker.cli.common import EXIT_MEANINGS
from broker.config.render import reference as configuration
from docs.protocol.render import SPEC
from docs.protocol.render import render as fill
from scripts.render_rights import page as rights
from scripts.render_states import page as states

ROOT: Final = Path(__file__).parents[1]


def command_line() -> str:
    """docs/reference/cli.md. Not argparse's own text: that differs between versions of Python."""
    lines = [
        "# Command line",
        "",
        "<!-- Made from broker/cli by `make docs`; change it there. -->",
        "",
        "`huntgroup COMMAND --help` says the same as this page. `python -m broker` is the same command.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {int(code)} | {meaning} |" for code, meaning in EXIT_MEANINGS.items()),
    ]
    for name, command in _commands(parser()):
        lines += ["", f"## `{name}`", "", " ".join((command.description or "").split())]
        actions = [action for action in command._actions if not _hidden(action)]  # argparse has no public way
        if actions:
            lines += ["", "| | |", "|---|---|", *(f"| {_name(action)} | {_text(action)} |" for action in actions)]
        if command.epilog:
            lines += ["", "```text", command.epilog, "```"]
    return "\n".join(lines) + "\n"


def spec() -> str:
    """docs/protocol/spec.md: its own text, with the tables from the schema filled in."""
    return fill(SPEC.read_text(encoding="utf-8"))


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/protocol/spec.md": spec,
    "docs/reference/cli.md": command_line,
    "docs/reference/configuration.md": configuration,
    "docs/reference/rights.md": rights,
    "docs/reference/states.md": states,
}
"""Path below the root, and what makes its text."""


def outdated() -> list[str]:
    """The pages that don't say what the code says."""
    return [path for path, make in PAGES.items() if not _says(ROOT / path, make())]


def main() -> int:
    """Write or check; 1 when a check found something."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    args = options.parse_args()
    paths = outdated()
    for path in paths:
        if args.check:
            print(f"{path} is out of date: run make docs")
        else:
            (ROOT / path).write_text(PAGES[path](), encoding="utf-8")
            print(f"{path} is written")
    return 1 if args.check and paths else 0


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _commands(top: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that can be run, with its words."""
    found = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not found:
        yield top.prog, top
    for action in found:
        for command in action.choices.values():
            yield from _commands(command)


def _hidden(action: argparse.Action) -> bool:
    return isinstance(action, argparse._HelpAction) or action.help is argparse.SUPPRESS


def _name(action: argparse.Action) -> str:
    """``-s URL, --server URL``, or the argument's name."""
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _text(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    choices = f": {', '.join(map(str, action.choices))}" if action.choices else ""
    return f"{text}{choices}".replace("|", "\\|").replace("_", "\\_")


if __name__ == "__main__":
    sys.exit(main())
