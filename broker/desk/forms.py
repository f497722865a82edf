"""A portal's form: the fields that managers define (A3), and whether what a customer filled in is what they ask for.
Its survey (E13) is another one, filled in afterwards.

The desk keeps names, types and bounds; labels and what customers fill in are contents, read here while they are checked
and never kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Final, cast

from broker import limits
from broker.content import Personal
from broker.desk import texts
from broker.desk.outcome import Refusal, bad_args
from broker.protocol import ops

Field = tuple[str, str, bool, int | None, int | None, tuple[str, ...]]
"""(name, type, required, least, most, choices): of texts the bounds are characters."""
Form = tuple[Field, ...]

LENGTHS: Final = {"text": limits.FORM_TEXT, "long_text": limits.FORM_LONG_TEXT}
"""The types whose bounds are a length, and the largest that it can be."""

_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+")
_PHONE: Final = re.compile(r"\+?[0-9 ()/.-]{3,32}")


# --- what managers define ------------------------------------------------------------------------------


def parse(given: Personal | None, language: str, argument: str = "form") -> Form | Refusal:
    """The fields of this form; or the first mistake in it. ``language``: which each label must have; ``argument``: form
    or survey."""
    if given is None:
        return ()
    if len(given.text.encode()) > limits.FORM_BYTES:
        return bad_args(f"args.{argument}", f"at most {limits.FORM_BYTES} bytes in all")
    found: list[Field] = []
    for index, one in enumerate(cast("Sequence[ops.Map]", given.data)):
        path = f"args.{argument}[{index}]"
        if (refusal := _wrong(path, one, language)) is not None:
            return refusal
        field = _field(one)
        if field[0] in (other[0] for other in found):
            return bad_args(f"{path}.field", "each field once")
        found.append(field)
    return tuple(found)


def _field(one: ops.Map) -> Field:
    least, most = cast("int | None", one.get("min")), cast("int | None", one.get("max"))
    choices = cast("Sequence[Mapping[str, str]]", one.get("choices", ()))
    name, kind, required = cast("str", one["field"]), cast("str", one["type"]), bool(one.get("required"))
    return name, kind, required, least, most, tuple(each["choice"] for each in choices)


def _wrong(path: str, one: ops.Map, language: str) -> Refusal | None:
    _, kind, _, least, most, choices = _field(one)
    for bound, value in (("min", least), ("max", most)):
        if value is None:
            continue
        if kind not in LENGTHS and kind != "number":
            return bad_args(f"{path}.{bound}", "nothing: only text, long_text and number have bounds")
        if kind in LENGTHS and not 0 <= value <= LENGTHS[kind]:
            return bad_args(f"{path}.{bound}", f"a length from 0 to {LENGTHS[kind]}")
    if least is not None and most is not None and least > most:
        return bad_args(f"{path}.max", f"no less than the {least} of min")
    if bool(choices) != (kind == "choice"):
        return bad_args(f"{path}.choices", "choices, with type = choice and only there")
    labels: list[tuple[str, object]] = [(path, one["label"])]
    for index, each in enumerate(cast("Sequence[ops.Map]", one.get("choices", ()))):
        if each["choice"] in choices[:index]:
            return bad_args(f"{path}.choices[{index}].choice", "each choice once")
        labels.append((f"{path}.choices[{index}]", each["label"]))
    wrong = (texts.wrong_label(f"{where}.label", label, language) for where, label in labels)
    return next((refusal for refusal in wrong if refusal is not None), None)


def languages(given: Personal | None) -> tuple[str, ...]:
    """The languages of a form's labels, as far as they are given by language."""
    found: dict[str, None] = {}
    for one in cast("Sequence[ops.Map]", given.data if given is not None else ()):
        for labelled in (one, *cast("Sequence[ops.Map]", one.get("choices", ()))):
            if isinstance(labelled["label"], dict):
                found |= dict.fromkeys(labelled["label"])
    return tuple(found)


# --- what customers fill in ----------------------------------------------------------------------------


def wrong(form: Form, given: Personal | None, what: str = "form") -> Refusal | None:
    """The first thing that isn't as the form (or survey) asks for it, named by its field."""
    values = cast("Mapping[str, object]", given.data if given is not None else {})
    if given is not None and len(given.text.encode()) > limits.FIELDS_BYTES:
        return bad_args("args.fields", f"at most {limits.FIELDS_BYTES} bytes in all")
    names = {field[0] for field in form}
    for name in values:
        if name not in names:
            return bad_args(f"args.fields.{name[:64]}", f"nothing: the portal's {what} has no such field")
    for field in form:
        name, kind, required = field[:3]
        value = values.get(name)
        if value is None:
            if required:
                return bad_args(f"args.fields.{name}", f"a value: it is required ({kind})")
            continue
        expected = _CHECKS[kind](field, value)
        if expected is not None:
            return bad_args(f"args.fields.{name}", expected)
    return None


def _text(field: Field, value: object) -> str | None:
    _, kind, required, least, most, _ = field
    low = max(least or 0, 1 if required else 0)
    high = LENGTHS[kind] if most is None else most
    fits = isinstance(value, str) and low <= len(value) <= high and (bool(value.strip()) or not required)
    return None if fits else f"a text of {low} to {high} characters"


def _matching(pattern: re.Pattern[str], most: int, expected: str) -> Callable[[Field, object], str | None]:
    def check(field: Field, value: object) -> str | None:
        return None if isinstance(value, str) and len(value) <= most and pattern.fullmatch(value) else expected

    return check


def _number(field: Field, value: object) -> str | None:
    least, most = field[3], field[4]
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if fits and (least is None or cast("float", value) >= least) and (most is None or cast("float", value) <= most):
        return None
    bounds = [f"from {least}"] * (least is not None) + [f"to {most}"] * (most is not None)
    return " ".join(["a number", *bounds])


def _choice(field: Field, value: object) -> str | None:
    return None if value in field[5] else f"one of {', '.join(field[5])}"


def _checkbox(field: Field, value: object) -> str | None:
    if field[2]:
        return None if value is True else "true: it is required"
    return None if isinstance(value, bool) else "true or false"


def _date(field: Field, value: object) -> str | None:
    try:
        return None if date.fromisoformat(cast("str", value)).isoformat() == value else _DATE
    except (TypeError, ValueError):
        return _DATE


_DATE: Final = "a date YYYY-MM-DD"
_CHECKS: Final[dict[str, Callable[[Field, object], str | None]]] = {
    "text": _text,
    "long_text": _text,
    "email": _matching(_EMAIL, limits.EMAIL_TEXT, "an e-mail address"),
    "phone": _matching(_PHONE, limits.EMAIL_TEXT, "a telephone number of 3 to 32 digits, blanks and + ( ) / . -"),
    "number": _number,
    "choice": _choice,
    "checkbox": _checkbox,
    "date": _date,
}
"""Type to what checks a value: None, or what was expected."""
