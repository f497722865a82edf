"""The life of a request, an offer, a session, a case and a share, each as a table: state, event, next state.

``evolve`` moves along these tables and nowhere else: a pair that isn't listed is a bug and raises
``IllegalMove``. Docs and tests are made from the same tables. What people may ask for in a wrong state
is refused before (2410), so no command reaches an unlisted pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.desk import events as e

Table = Mapping[str, Mapping[str, str]]
"""State to (event type, or ``type:how`` where the event says how) to next state. A state without a row is final."""

REQUEST: Final[Table] = {
    "waiting": {
        e.OfferMade.TYPE: "offered",
        e.RequestAssigned.TYPE: "assigned",  # by a pin or by hand: nobody was asked
        e.RequestMoved.TYPE: "waiting",
        e.RequestPicked.TYPE: "waiting",
        e.RequestUnplaced.TYPE: "waiting",
        f"{e.RequestEnded.TYPE}:withdrawn": "withdrawn",
        f"{e.RequestEnded.TYPE}:abandoned": "abandoned",
        f"{e.RequestEnded.TYPE}:converted": "converted",
        f"{e.RequestEnded.TYPE}:refused": "refused",
    },
    "offered": {
        e.OfferEnded.TYPE: "waiting",
        e.RequestAssigned.TYPE: "assigned",
    },
    "assigned": {
        e.RequestRequeued.TYPE: "waiting",
        f"{e.RequestEnded.TYPE}:closed": "closed",
    },
}

OFFER: Final[Table] = {
    "pending": {
        e.RequestAssigned.TYPE: "accepted",
        e.SessionTransferred.TYPE: "accepted",
        e.MemberJoined.TYPE: "accepted",
        e.OfferRenewed.TYPE: "pending",
        f"{e.OfferEnded.TYPE}:declined": "declined",
        f"{e.OfferEnded.TYPE}:expired": "expired",
        f"{e.OfferEnded.TYPE}:gone": "gone",
        f"{e.OfferEnded.TYPE}:revoked": "revoked",
        f"{e.OfferEnded.TYPE}:rescinded": "rescinded",
    },
}

CASE: Final[Table] = {
    "unassigned": {
        e.RequestAssigned.TYPE: "assigned",
        e.RequestMoved.TYPE: "unassigned",
        f"{e.RequestEnded.TYPE}:withdrawn": "resolved",
        f"{e.RequestEnded.TYPE}:abandoned": "resolved",
        f"{e.RequestEnded.TYPE}:refused": "resolved",
        f"{e.RequestEnded.TYPE}:converted": "unassigned",  # also of who is gone, and left what to answer and where to
        f"{e.CaseChanged.TYPE}:taken": "assigned",
        f"{e.CaseChanged.TYPE}:given": "assigned",
        e.CaseDeleted.TYPE: "deleted",
    },
    "assigned": {
        e.RequestRequeued.TYPE: "unassigned",
        e.SessionTransferred.TYPE: "assigned",
        f"{e.RequestEnded.TYPE}:closed": "assigned",
        f"{e.CaseChanged.TYPE}:given": "assigned",
        f"{e.CaseChanged.TYPE}:resolved": "resolved",
        f"{e.CaseChanged.TYPE}:left": "unassigned",
        e.CaseDeleted.TYPE: "deleted",
    },
    "resolved": {
        e.RequestRequeued.TYPE: "unassigned",  # it was resolved while they still talked
        e.SessionTransferred.TYPE: "assigned",
        f"{e.RequestEnded.TYPE}:closed": "resolved",
        f"{e.CaseChanged.TYPE}:reopened": "assigned",
        f"{e.CaseChanged.TYPE}:returned": "unassigned",
        e.CaseDeleted.TYPE: "deleted",
    },
}

SESSION: Final[Table] = {
    "waiting": {
        e.ChatSent.TYPE: "waiting",
        e.FileShared.TYPE: "waiting",
        e.RequestAssigned.TYPE: "active",
        e.RequestEnded.TYPE: "ended",  # withdrawn, abandoned, converted or refused
    },
    "active": {
        e.ChatSent.TYPE: "active",
        e.FileShared.TYPE: "active",
        e.SessionTransferred.TYPE: "active",
        e.SessionReleased.TYPE: "waiting",
        e.SessionEnded.TYPE: "ended",
    },
}

FILE: Final[Table] = {
    "uploading": {
        e.FileShared.TYPE: "shared",
        f"{e.FileEnded.TYPE}:cancelled": "ended",
        f"{e.FileEnded.TYPE}:expired": "ended",
        f"{e.FileEnded.TYPE}:function_off": "ended",
        f"{e.FileEnded.TYPE}:left": "ended",
        e.SessionEnded.TYPE: "ended",
        e.RequestEnded.TYPE: "ended",
    },
}

SHARE: Final[Table] = {
    "requested": {
        e.ShareAccepted.TYPE: "accepted",
        f"{e.ShareEnded.TYPE}:refused": "refused",
        f"{e.ShareEnded.TYPE}:ended": "ended",
    },
    "accepted": {
        e.ShareConfirmed.TYPE: "negotiating",
        f"{e.ShareEnded.TYPE}:refused": "refused",
        f"{e.ShareEnded.TYPE}:ended": "ended",
    },
    "negotiating": {
        e.ShareStarted.TYPE: "active",
        e.ShareControlAsked.TYPE: "negotiating",
        e.ShareControlled.TYPE: "negotiating",
        e.ShareGrantChanged.TYPE: "negotiating",
        e.ShareRebooting.TYPE: "rebooting",
        f"{e.ShareEnded.TYPE}:ended": "ended",
    },
    "active": {
        e.ShareControlAsked.TYPE: "active",
        e.ShareControlled.TYPE: "active",
        e.ShareGrantChanged.TYPE: "active",
        e.ShareRebooting.TYPE: "rebooting",
        f"{e.ShareEnded.TYPE}:ended": "ended",
    },
    "rebooting": {
        e.ShareControlled.TYPE: "rebooting",
        e.ShareGrantChanged.TYPE: "rebooting",
        e.ShareBack.TYPE: "negotiating",
        f"{e.ShareEnded.TYPE}:ended": "ended",
    },
}

AFTER: Final = ("request.create", "transcript.get", "case.get", "request.why")
"""What may be asked for of whatever is over."""

ALLOWED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "request": {
        "waiting": (
            "request.pick",
            "request.withdraw",
            "request.convert",
            "request.classify",
            "request.why",
            "case.take",
            "case.assign",
        ),
        "offered": (
            "request.withdraw",
            "request.convert",
            "request.classify",
            "request.why",
            "offer.accept",
            "offer.decline",
            "case.take",
            "case.assign",
        ),
        "assigned": ("session.end", "session.leave", "session.transfer", "request.why"),
        "withdrawn": AFTER,
        "abandoned": AFTER,
        "converted": (*AFTER, "case.take", "case.assign"),
        "refused": AFTER,
        "closed": ("session.rate", "session.outcome", "note.add", *AFTER),
    },
    "offer": {
        "pending": ("offer.accept", "offer.decline", "offer.revoke"),
    },
    "session": {
        "waiting": ("chat.send", "request.withdraw", "offer.accept", "case.take"),
        "active": ("chat.send", "session.end", "session.leave", "session.transfer", "session.rate", "session.outcome"),
        "ended": ("session.rate", "session.outcome", "note.add", *AFTER),
    },
    "share": {
        "requested": ("share.accept", "share.decline", "share.stop"),
        "accepted": ("share.confirm", "share.decline", "share.stop"),
        "negotiating": (
            "share.started",
            "share.join",
            "share.ask_control",
            "share.control",
            "share.reboot",
            "share.stop",
        ),
        "active": (
            "share.started",  # the other end says it too
            "share.join",
            "share.ask_control",
            "share.control",
            "share.reboot",
            "share.stop",
        ),
        "rebooting": (
            "share.join",  # the customer's end: it is back
            "share.control",
            "share.stop",
        ),
        "refused": ("share.request",),
        "ended": ("share.request",),
    },
    "file": {
        "uploading": ("file.chunk", "file.finish", "file.cancel"),
        "shared": ("file.get",),
    },
    "case": {
        "unassigned": ("case.take", "case.assign"),
        "assigned": ("case.resolve", "case.assign"),
        "resolved": ("case.reopen",),
    },
}
"""What may be asked for in each state, by the kind of thing. A refusal (2410) names what of that is for whoever
asks. Of an offer that is over nothing may be asked for: 2405 says what became of it."""

CONDITIONS: Final[Mapping[str, str]] = {
    "in_use": "there are open requests, or portals, that need it as it is",
    "closed": "nobody may ask at this portal now; `opens` says when that begins",
    "pin_portal": "the portal is entered with a pin",
    "not_a_pin_portal": "the portal isn't entered with a pin",
    "unstaffed": "nobody else who serves the sub-portal is signed in",
    "not_queued": "the request isn't in a line with classes",
    "not_first": "another request comes first",
    "by_pin": "the session came by a pin, and has no line to go back to",
    "full": "the representative has no place left",
    "away": "the representative takes no requests now",
    "reconnecting": "the representative's connection is lost, and waited for",
    "offline": "the representative isn't signed in",
    "taken_over": "the representative's login went to somebody else",
    "representative_full": "the representative of the pin has no place left",
    "representative_reconnecting": "the connection of the pin's representative is lost, and waited for",
    "representative_offline": "the representative of the pin isn't signed in",
    "representative_taken_over": "the login of the pin's representative went to somebody else",
    "in_session": "the representative is in the session, or in sessions, already",
    "invited": "the representative is asked into the session already",
    "yours": "the session is the asker's already",
    "transfer_offered": "a transfer of the session is on offer already",
    "chat_only": "the session's portal has no way from chat to a screen share",
    "control_granted": "the share has control already",
    "control_asked": "the customer is asked for control already",
    "control_not_asked": "nobody asked for control",
    "view_only": "the share is without control",
    "over": "the share was refused, or has ended",
    "rated": "the session is rated already",
    "live": "the conversation of the case goes on",
    "sharing": "the screen share of the case goes on",
    "no_email": "there is no e-mail address",
    "no_mail": "this broker sends no e-mail",
    "no_address": "the customer's address isn't known",
    "changed": "the password was changed meanwhile",
    "used": "the link, or the pin, was used already",
    "expired": "the pin's time is over",
    "revoked": "the pin was taken back",
    "last_account_manager": "an account keeps one account manager at least",
    "replaced": "another subscribe or unsubscribe of the stream came meanwhile",
}
"""States beside those of the tables, that a refusal (2410) may name, and what they mean."""


TABLES: Final[Mapping[str, Table]] = {
    "request": REQUEST,
    "offer": OFFER,
    "session": SESSION,
    "case": CASE,
    "file": FILE,
    "share": SHARE,
}
"""Everything that has a life."""


class IllegalMove(Exception):
    """An event that this state has no row for: the rule that decided it has a bug."""


def move(table: Table, state: str, event_type: str, how: str | None = None) -> str:
    """The state after this event. ``how``: the event's own word for the way it ended.

    >>> move(SHARE, "accepted", "share.confirmed")
    'negotiating'
    """
    name = event_type if how is None else f"{event_type}:{how}"
    try:
        return table[state][name]
    except KeyError:
        raise IllegalMove(f"{name} in state {state}") from None
