"""What people who left are called in everything that is told from then on (H11): one table, one function.

Records keep the names: a chain can't be changed, and a login is no text that could be erased. So names are put in at
the last moment, wherever a record is told: live, from the journal, and in what replays it. The audit alone keeps them:
it is there to say who did what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import attrs

from broker.desk import events as e

Former = Callable[[str], str | None]
"""What somebody who left is called, by its name; None for everybody else."""

AUDIT: Final = "audit"
"""The stream in which people keep their names."""
BROKER: Final = "broker"
"""Who did what nobody asked for. An event can't tell it from a person of that name, who therefore keeps it."""

NAMED: Final[Mapping[type, tuple[str, ...]]] = {
    e.OfferRenewed: ("representative",),
    e.LoadChanged: ("representative",),
    e.AccountPut: ("by",),
    e.PortalPut: ("by",),
    e.PortalDeleted: ("by",),
    e.SubportalPut: ("by",),
    e.TeamPut: ("by",),
    e.TeamDeleted: ("representatives", "by"),
    e.ReplyPut: ("by",),
    e.ReplyDeleted: ("by",),
    e.RepresentativePut: ("representative", "by"),
    e.RepresentativeDeleted: ("representative", "by"),
    e.ManagerPut: ("manager", "by"),
    e.ManagerDeleted: ("manager", "by"),
    e.ServicePut: ("service", "by"),
    e.ServiceDeleted: ("service", "by"),
    e.SignedIn: ("person",),
    e.SignInsEnded: ("person", "by"),
    e.PasswordSet: ("person", "by"),
    e.KeyCreated: ("person", "by"),
    e.KeyEnded: ("person", "by"),
    e.VisitorBlocked: ("by",),
    e.BlockEnded: ("by",),
    e.PresenceChanged: ("representative",),
    e.TakenOver: ("representative", "by"),
    e.RepresentativeLost: ("representative",),
    e.RepresentativeBack: ("representative",),
    e.RequestCreated: ("target", "held_for"),
    e.RequestClassified: ("by",),
    e.RequestReleased: ("representative",),
    e.RequestPicked: ("target",),
    e.RequestUnplaced: ("representative",),
    e.RequestRequeued: ("representative",),
    e.OfferMade: ("representative", "by"),
    e.OfferEnded: ("representative", "by"),
    e.BroadcastDeclined: ("representative",),
    e.RequestAssigned: ("representative",),
    e.SessionTransferred: ("representative", "former"),
    e.SessionReleased: ("representative",),
    e.MemberJoined: ("representative", "by"),
    e.MemberLeft: ("representative",),
    e.MonitorStarted: ("manager",),
    e.MonitorEnded: ("manager",),
    e.ChatSent: ("by",),
    e.NoteAdded: ("by",),
    e.OutcomeSet: ("representative",),
    e.SessionRated: ("representative",),
    e.SessionEnded: ("representative",),
    e.RequestEnded: ("representative",),
    e.CaseChanged: ("representative", "former", "by"),
    e.CaseDeleted: ("representative", "by"),
    e.CasesSeen: ("representative",),
    e.CaseMailed: ("by",),
    e.WrapUpEnded: ("representative",),
    e.PinCreated: ("representative",),
    e.PinEnded: ("representative",),
    e.ShareRequested: ("representative",),
    e.ShareConfirmed: ("representative",),
    e.ShareGrantChanged: ("representative",),
    e.ShareBack: ("representative",),
    e.ShareWatched: ("representative", "holder"),
    e.ShareUnwatched: ("representative", "holder"),
    e.FileBegun: ("by",),
    e.FileShared: ("by",),
    e.FileEnded: ("by",),
}
"""The fields of events that hold the name of a representative, manager or service. (``Audited`` and
``RefusalsCounted`` hold some too, and are told in the audit alone.)"""

_LEAVING: Final = (e.RepresentativeDeleted, e.ManagerDeleted, e.ServiceDeleted)
LEAVES: Final = frozenset(event.TYPE for event in _LEAVING)
"""The types of records with which somebody leaves."""
KEYS: Final = frozenset({"representative", "by", "held_for"})
"""Where names stand in views and in told decisions."""


def left(event: e.Event) -> tuple[str, str] | None:
    """(name, pseudonym) of whoever leaves with this event; None where nobody does."""
    if not isinstance(event, _LEAVING):  # nearly always
        return None
    if isinstance(event, e.RepresentativeDeleted):
        return event.representative, event.former
    return event.manager if isinstance(event, e.ManagerDeleted) else event.service, event.former


def of_event(event: e.Event, former: Former) -> e.Event:
    """The same event, naming nobody who left."""
    changed = {
        field: now
        for field in NAMED.get(type(event), ())
        if (before := getattr(event, field)) is not None and (now := _told(before, former)) != before
    }
    return attrs.evolve(event, **changed) if changed else event  # type: ignore[arg-type]  # fields of this very class


def of_value(value: object, former: Former) -> object:
    """The same view, or told decision, naming nobody who left."""
    if isinstance(value, dict):
        return {
            key: _told(inner, former) if key in KEYS and isinstance(inner, str) else of_value(inner, former)
            for key, inner in value.items()
        }
    return type(value)(of_value(inner, former) for inner in value) if isinstance(value, list | tuple) else value


def _told(name: str | tuple[str, ...], former: Former) -> object:
    if isinstance(name, str):
        return name if name == BROKER else former(name) or name
    return tuple(_told(one, former) for one in name)
