"""The settings as people read them: a commented default file, and the reference page."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import attrs

from broker.config.kinds import toml
from broker.config.load import variable
from broker.config.settings import SECTIONS, Account, settings_of

WIDTH = 110


def default_file() -> str:
    """A configuration file that changes nothing: every setting as a comment, with its meaning and its default."""
    lines = [
        "# Configuration of Huntgroup. What is commented out is the default, or an example where there is none.",
        "# Each setting can be overridden by an environment variable: port in [server] by HUNTGROUP_SERVER_PORT.",
    ]
    for name, section in SECTIONS.items():
        lines += ["", *_comment(_summary(section)), f"[{name}]"]
        for field in settings_of(section).values():
            lines += _setting(field)
        if name == "data":
            lines += ["", *_comment(_summary(Account)), "# [[accounts]]"]
            for field in settings_of(Account).values():
                lines += _setting(field)
    return "\n".join(lines) + "\n"


def reference() -> str:
    """docs/reference/configuration.md."""
    lines = [
        "# Configuration",
        "",
        "<!-- Made from broker/config/settings.py by `make docs`; change it there. -->",
        "",
        "`huntgroup serve --config huntgroup.toml` reads a TOML file; `huntgroup serve --print-config` prints one",
        "with every setting in it, commented. An environment variable `HUNTGROUP_SECTION_FIELD` overrides the file,",
        "an option of the command line overrides both. Lists in variables are divided by commas.",
        "`HUNTGROUP_CONFIG` names the file where `--config` isn't given.",
        "",
        "Relative paths count from the folder of the file that names them; in variables, options and defaults, from",
        "the working directory. A setting that is unknown or wrong refuses the start, and the message names every",
        "one of them.",
        "The format of an account's desk file is described in [Set up an account](../how-to/account.md).",
    ]
    for name, section in [*list(SECTIONS.items())[:2], ("accounts", Account), *list(SECTIONS.items())[2:]]:
        heading = "[[accounts]]" if section is Account else f"[{name}]"
        lines += ["", f"## `{heading}`", "", _summary(section)]
        for field in settings_of(section).values():
            lines += ["", f"### `{name}.{field.name}`", "", field.metadata["doc"], ""]
            lines += _facts(name, field)
    return "\n".join(lines) + "\n"


def _facts(section: str, field: attrs.Attribute[Any]) -> Iterator[str]:
    yield f"- expected: {_escaped(field.metadata['kind'].expected)}"
    if field.default is attrs.NOTHING:
        yield f"- required; for example `{toml(field.metadata['example'])}`"
        return
    yield "- default: not set" if field.default is None else f"- default: `{toml(field.default)}`"
    yield f"- variable: `{variable(section, field.name)}`"


def _setting(field: attrs.Attribute[Any]) -> Iterator[str]:
    yield ""
    yield from _comment(field.metadata["doc"])
    yield from _comment(f"Expected: {field.metadata['kind'].expected}.")
    example = field.metadata["example"]
    value = field.default if field.default is not attrs.NOTHING and field.default is not None else example
    yield f"# {field.name} = {toml(value)}"


def _summary(section: type) -> str:
    """A section's docstring on one line."""
    return " ".join((section.__doc__ or "").split()).replace("``", "`")


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _escaped(text: str) -> str:
    """For Markdown: an asterisk is an asterisk."""
    return text.replace("*", r"\*").replace("_", r"\_")
