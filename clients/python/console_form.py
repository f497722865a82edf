"""A portal's form at a terminal: one question after the other, and what was typed as the value that its field takes.

The broker decides what is right; here is only what a line of text must be turned into. Sans-IO.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import attrs

from clients.python.account import Field
from clients.python.console import InputError

REQUIRED: Final = {"name": "Your name", "email": "Your e-mail address"}
"""What a portal may ask for beside its form and the question itself, in words."""


@attrs.define(eq=False)
class Form:
    """What is still to be asked, and what was answered."""

    wanted: deque[Field]
    text: str | None = None
    """What is asked, once the form is done."""
    given: dict[str, object] = attrs.field(factory=dict, repr=False)
    """By field."""
    about: dict[str, str] = attrs.field(factory=dict, repr=False)
    """name and email, as far as they were asked for."""
    extra: list[Field] = attrs.field(factory=list)
    """Which of the questions are about those: a form may have fields of these names too."""

    @classmethod
    def of(cls, form: Sequence[Field], require: Sequence[str], known: Mapping[str, str | None]) -> Form:
        """A form to be filled in; ``known``: what of name and email needs no question."""
        extra = [_extra(name) for name in require if name in REQUIRED and not known.get(name)]
        return cls(deque([*extra, *form]), extra=extra)

    @property
    def question(self) -> str | None:
        """What to answer now; None: the form is done."""
        if not self.wanted:
            return None
        field = self.wanted[0]
        hints = [_HINTS.get(field.type, "")]
        if field.choices is not None:
            hints = [", ".join(f"{each.choice} ({_label(each.label)})" for each in field.choices)]
        hints += [] if field.required else ["nothing: leave it out"]
        shown = "; ".join(hint for hint in hints if hint)
        return f"{_label(field.label)}?" + (f" [{shown}]" if shown else "")

    def answer(self, typed: str) -> None:
        """What was typed. InputError for what can't be turned into a value; the question stays."""
        field, typed = self.wanted[0], typed.strip()
        if typed:
            value = _VALUES.get(field.type, str)(typed)
            if any(field is each for each in self.extra):
                self.about[field.field] = typed
            else:
                self.given[field.field] = value
        elif field.required:
            raise InputError("this must be filled in")
        else:
            self.given.pop(field.field, None)
        self.wanted.popleft()

    def again(self, form: Sequence[Field], path: str | None) -> bool:
        """The broker named a field that isn't as it must be: ask for it again. False if it is none of the form's."""
        if path in ("args.name", "args.email"):
            found = [_extra(path.removeprefix("args."))]
            self.extra += found
        else:
            found = [field for field in form if path == f"args.fields.{field.field}"]
        self.wanted.extend(found)
        return bool(found)


def _extra(name: str) -> Field:
    return Field(name, "text", REQUIRED[name], required=True)


def _label(label: object) -> str:
    """In the portal's language: that is how ``portal.open`` tells it."""
    return label if isinstance(label, str) else ""


def _number(typed: str) -> object:
    try:
        return int(typed)
    except ValueError:
        pass
    try:
        return float(typed)
    except ValueError:
        raise InputError(f"a number, not {typed}") from None


def _yes(typed: str) -> object:
    words = {"yes": True, "y": True, "no": False, "n": False}
    if typed.lower() not in words:
        raise InputError("yes or no")
    return words[typed.lower()]


_VALUES: Final[dict[str, Callable[[str], object]]] = {"number": _number, "checkbox": _yes}
_HINTS: Final = {"date": "YYYY-MM-DD", "checkbox": "yes or no", "number": "a number"}
