"""What people type for ``huntgroup simulate``, read: each function raises ValueError with what was expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from broker.simulation.day import Crew

T = TypeVar("T")


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` for argparse, which shows only its own errors' words."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


def named(text: str, parse: Callable[[str], T]) -> tuple[str | None, T]:
    """``NAME=VALUE``, or ``VALUE`` for all."""
    name, equals, value = text.rpartition("=")
    return (name if equals else None), parse(value)


def parse_team(text: str) -> Crew:
    """``NAME=COUNTxCAPACITY:SUBPORTALS``; without ``xCAPACITY`` it is 1. ValueError says what was expected."""
    name, _, rest = text.partition("=")
    size, _, subportals = rest.partition(":")
    number, _, capacity = size.partition("x")
    if not name or not subportals or not number.isdecimal() or not (capacity or "1").isdecimal():
        raise ValueError(f"{text!r}: expected NAME=COUNTxCAPACITY:SUBPORTALS, such as blue=5x2:orders,returns")
    return Crew(team=name, count=int(number), capacity=int(capacity or 1), subportals=tuple(subportals.split(",")))


def share(text: str) -> float:
    """A number from 0 to 1."""
    if not 0 <= (value := float(text)) <= 1:
        raise ValueError(f"{text!r}: expected a number from 0 to 1")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    if not 0 < (value := float(text)) < float("inf"):
        raise ValueError(f"{text!r}: expected a number above 0")
    return value


def count(text: str) -> int:
    """A number from 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"{text!r}: expected a number from 1")
    return int(text)
