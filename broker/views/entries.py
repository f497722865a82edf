"""What a session's stream says, as entries of its transcript: one table from wire types to what is told of them.

An entry is made of what the readers of that stream were told anyway, and of nothing else; so what a customer may not
see can't come into its transcript. Events that are no part of a conversation, or that this release doesn't know, make
none.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final, cast

import attrs

from broker.views.chain import Entry

MOST_NAMES: Final = 8  # people whose names are kept in mind, the last who came: as many as can be in a session
CUSTOMER: Final = "customer"

Data = Mapping[str, object]


@attrs.frozen
class Kind:
    """How one wire type is told."""

    kind: str
    copied: tuple[str, ...] = ()
    """Fields that are told under their own name."""
    by: str | None = "by"
    """The field that says who it was, if it isn't the customer."""
    role: str | None = None
    """Whose doing it was, where the event doesn't say so."""


KINDS: Final[Mapping[str, Kind]] = {
    "session.opened": Kind("opened", ("text", "fields", "page"), by=None, role=CUSTOMER),
    "session.joined": Kind("joined", ("view_only", "masked"), by="representative"),
    "session.left": Kind("left", ("reason", "masked"), by="representative"),
    "session.transferred": Kind("transferred", ("former",), by="representative", role="lead"),
    "session.released": Kind("released", ("reason",), by="representative", role="lead"),
    "session.held": Kind("held", by=None),
    "session.resumed": Kind("resumed", by=None),
    "session.ended": Kind("ended", ("reason",), by=None),
    "share.changed": Kind("share", ("share", "state", "asks", "grant", "until", "reason"), by=None),
    "share.watched": Kind("watched", ("share", "control"), by="representative", role="guest"),
    "share.unwatched": Kind("unwatched", ("share", "reason"), by="representative", role="guest"),
    "session.monitored": Kind("monitored", ("on",), by=None, role="manager"),
    "case.mailed": Kind("mail", ("mail", "subject", "text"), role="lead"),
    "case.mail_attempted": Kind(
        "mail_attempted", ("mail", "attempt", "state", "code", "reason"), by=None, role="broker"
    ),
    "chat.message": Kind("message", ("message_seq", "text")),
    "file.shared": Kind("file", ("message_seq",)),
    "question.left": Kind("question", ("text", "fields", "page"), by=None, role=CUSTOMER),
    "note.added": Kind("note", ("text",), role="lead"),
    "session.outcome": Kind("outcome", ("outcome", "note"), by="representative", role="lead"),
    "session.rated": Kind("rated", ("score", "comment"), by=None, role=CUSTOMER),
    "session.described": Kind("described", ("data",), by=None, role=CUSTOMER),
}
"""Wire type to how it is told."""

_FILE: Final = ("file", "name", "size", "type", "sha256")
_ARRIVALS: Final = frozenset({"session.joined", "session.transferred"})
"""They say what somebody is called."""


@attrs.define
class People:
    """What those who speak are called, as far as they were introduced."""

    customer: object = None
    names: OrderedDict[str, object] = attrs.field(factory=OrderedDict)
    """Person to name, the last who came last."""

    def meet(self, person: str, name: object) -> None:
        """Somebody is introduced."""
        self.names[person] = name
        self.names.move_to_end(person)
        if len(self.names) > MOST_NAMES:
            self.names.popitem(last=False)

    def name(self, role: object, person: object) -> object:
        """What somebody is called, if that is known; ``role`` says whether it is the customer."""
        return self.customer if role == CUSTOMER else self.names.get(cast("str", person))


def entry_of(wire_type: str, data: Data, people: People) -> Entry | None:
    """The entry of an event as its stream's readers got it; None where it has none. Number, time and hash are not in it
    yet."""
    told = KINDS.get(wire_type)
    if told is None:
        return None
    _introduce(wire_type, data, people)
    role = told.role or data.get("role") or data.get("who") or data.get("by")
    by = None if told.by is None or role == CUSTOMER else data.get(told.by)
    entry: Entry = {"kind": told.kind, "role": role, "by": by, "name": people.name(role, by)}
    entry.update((name, _plain(data.get(name))) for name in told.copied)
    if wire_type == "session.opened" and data.get("web_chat", "none") != "none":
        entry["text"] = None  # it is the first message, too
    if told.kind == "described":
        entry["about"] = data.get("kind")
    if told.kind == "file":
        entry["file"] = {name: data[name] for name in _FILE if data.get(name) is not None}
    return {name: value for name, value in entry.items() if value is not None}


def _introduce(wire_type: str, data: Data, people: People) -> None:
    """Who is told by name in this event."""
    if wire_type in ("session.opened", "question.left"):
        if data.get("name") is not None:
            people.customer = data["name"]
        person, name = data.get("representative"), data.get("representative_name")
    elif wire_type in _ARRIVALS:
        person, name = data.get("representative"), data.get("name")
    else:
        return
    if person is not None and name is not None:
        people.meet(cast("str", person), name)


def _plain(value: object) -> object:
    """The same without fractions: every language writes those in another way, and a hash needs one."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
