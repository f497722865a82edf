"""The machine-readable half of the protocol: ``v1.toml`` as it lies in the package, read once."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources


@cache
def text() -> str:
    """The file itself, as ``meta.schema`` answers it."""
    return resources.files(__package__).joinpath("v1.toml").read_text(encoding="utf-8")


@cache
def load() -> dict[str, object]:
    """The parsed file: one shared dict, not to be changed by its readers."""
    return tomllib.loads(text())
