"""What a desk answers: events and a value, or a refusal. Both are data; an exception means a bug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from broker.codes import Code
from broker.desk.events import Event

Entry = tuple[str, int, str]
"""(stream, offset, wire type): where a record is published."""


@attrs.define
class Recorded:
    """An event as it goes into the journal: already applied to the desk, published at these entries."""

    event: Event
    t: int
    entries: tuple[Entry, ...]


@attrs.define
class Handled:
    """The command was carried out."""

    records: Sequence[Recorded]
    value: Mapping[str, object]
    """The RESULT's value. A personal field holds a content ref, which the hub turns into its text."""
    secret: Mapping[str, object] = attrs.field(factory=dict)
    """Fields for the first RESULT only: never stored, never repeated."""


@attrs.define
class Decision:
    """What a rule decided, before anything is applied."""

    events: Sequence[Event] = ()
    value: Mapping[str, object] = attrs.field(factory=dict)
    secret: Mapping[str, object] = attrs.field(factory=dict)
    state_of: str | None = None
    """A request whose state after matching belongs into the value."""


@attrs.define(frozen=True)
class Refusal:
    """The command was refused; nothing has changed."""

    code: Code
    text: str
    """For a developer's eyes: names the field and what was expected."""
    detail: Mapping[str, object] | None = None
    """A personal value in it is a content ref, as in ``Handled.value``."""
    retry_ms: int | None = None


def wrong_state(state: str, *allowed: str, text: str | None = None, **told: object) -> Refusal:
    """2410: not in this state (of ``transitions``), and the operations that may be asked for instead; ``text`` where
    their names don't say how, ``told``: what else the detail holds."""
    return Refusal(
        Code.WRONG_STATE,
        text or f"this can't be done while the state is {state}",
        {"state": state, "allowed": list(allowed), **told},
    )


def bad_args(path: str, expected: str) -> Refusal:
    """2400: this argument isn't what was expected."""
    return Refusal(Code.BAD_ARGS, f"{path}: expected {expected}", {"path": path, "expected": expected})


def no_such(what: str) -> Refusal:
    """2404: there is none, or none that this identity may know of."""
    return Refusal(Code.NO_SUCH, f"no such {what}")
