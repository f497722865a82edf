"""What clients were told, kept outside of the broker that is killed."""

from __future__ import annotations

from collections.abc import Mapping

import attrs


@attrs.define
class Told:
    """One RESULT or FAIL, with what was asked."""

    person: str
    op: str
    args: Mapping[str, object]
    key: str | None
    value: Mapping[str, object]
    offsets: Mapping[str, int]
    code: int | None = None
    """Of a FAIL."""
    detail: Mapping[str, object] = attrs.field(factory=dict)


@attrs.define
class Seen:
    """One EVENT."""

    person: str
    stream: str
    """Internal name: ``me:<person>`` for ``me``."""
    offset: int
    type: str
    t: int
    data: Mapping[str, object]


@attrs.define
class Ledger:
    """Everything that any client was told in one life of one broker, and before."""

    results: list[Told] = attrs.field(factory=list)
    refusals: list[Told] = attrs.field(factory=list)
    events: list[Seen] = attrs.field(factory=list)
    notices: list[tuple[str, str, Mapping[str, object]]] = attrs.field(factory=list)
    """(person, type, data)."""

    def summary(self) -> str:
        """Counts for the log of a run."""
        return (
            f"{len(self.results)} results, {len(self.refusals)} refusals, {len(self.events)} events,"
            f" {len(self.notices)} notices"
        )
