"""Gives the texts of a command their content ids, and finds which contents a value refers to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from broker.content import DOCUMENT, Personal
from broker.desk.publish import resolve
from broker.ids import token

PREFIX: Final = "c_"
_TOKEN_BYTES: Final = 10
_SALT_BYTES: Final = 16


def seal(personal: Personal, entropy: Callable[[int], bytes]) -> None:
    """Give a text its id and salted digest."""
    drawn = entropy(_TOKEN_BYTES + _SALT_BYTES)
    prefix = PREFIX if personal.data is None else DOCUMENT
    personal.seal(prefix + token(drawn), drawn[_TOKEN_BYTES:])


def refs(value: object) -> list[str]:
    """The ids of all contents that this value refers to."""
    found: list[str] = []

    def note(content_id: str) -> None:
        found.append(content_id)

    resolve(value, note)
    return found
