"""Which files a journal refers to: those that were shared, and whose case wasn't erased since."""

from __future__ import annotations

from typing import Final

import attrs

from broker import ids
from broker.desk import events as e
from broker.runtime.why import Read, event_of

PAGE: Final = 500  # records looked at in one go
_TYPES: Final = frozenset({e.FileShared.TYPE, e.CaseDeleted.TYPE})


@attrs.frozen
class Shared:
    """A file that lies in the store for good."""

    file: str
    size: int
    sha256: str


def shared_files(read: Read) -> dict[str, Shared]:
    """An account's files by name, in the order in which they were shared. Looks at all records and unpacks few.
    ValueError for one of these that this release can't read."""
    sessions: dict[str, list[Shared]] = {}
    after = 0
    while records := read(after, PAGE):
        after = records[-1].seq
        for event in (event_of(record) for record in records if record.type in _TYPES):
            if isinstance(event, e.FileShared):
                sessions.setdefault(event.session, []).append(Shared(event.file, event.size, event.sha256))
            elif isinstance(event, e.CaseDeleted):
                sessions.pop(ids.session_of(event.request), None)
    return {one.file: one for found in sessions.values() for one in found}
