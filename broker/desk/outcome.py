"""What a desk answers: events and a value, or a refusal. Both are data; an exception means a bug."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from broker.codes import Code
from broker.desk.events import Event

Entry = tuple[str, int, str]
"""(stream, offset, wire type): where a record is published."""


@attrs.define(frozen=True)
class Recorded:
    """An event as it goes into the journal: already applied to the desk, published at these entries."""

    event: Event
    t: int
    entries: tuple[Entry, ...]


@attrs.define(frozen=True)
class Handled:
    """The command was carried out."""

    records: Sequence[Recorded]
    value: Mapping[str, object]
    """The RESULT's value. A personal field holds a content ref, which the hub turns into its text."""
    secret: Mapping[str, object] = attrs.field(factory=dict)
    """Fields for the first RESULT only: never stored, never repeated."""


@attrs.define(frozen=True)
class Refusal:
    """The command was refused; nothing has changed."""

    code: Code
    text: str
    """For a developer's eyes: names the field and what was expected."""
    detail: Mapping[str, object] | None = None
    retry_ms: int | None = None
