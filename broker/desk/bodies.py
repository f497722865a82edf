"""What an event says on the wire: for each class and wire type, which of its fields, under which names."""
# size: one table of what is told of each event, and how each special field of it is read

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter

import attrs

from broker import ids
from broker.desk import events as e
from broker.desk import functions
from broker.desk.changes import shown

Read = Callable[..., object]  # type: ignore[explicit-any]  # each takes its own class
"""(event, stream) to a value."""


@attrs.frozen
class Body:
    """How the data of one wire type is read from one class of events."""

    names: tuple[str, ...]
    read: Callable[[object], tuple[object, ...]]
    """The event to the values of ``names``."""
    special: tuple[tuple[str, Read], ...]
    personal: tuple[tuple[str, str], ...]
    """(wire field, attribute that holds a content ref)."""


_Changed = (
    e.AccountPut
    | e.PortalPut
    | e.PortalDeleted
    | e.SubportalPut
    | e.TeamPut
    | e.ReplyPut
    | e.RepresentativePut
    | e.ManagerPut
    | e.ServicePut
    | e.Audited
)
"""They say what is different now."""
_Granting = e.ShareConfirmed | e.ShareControlled | e.ShareGrantChanged | e.ShareBack
"""They say what a share may do now."""


@attrs.frozen
class _Attr:
    name: str


def _body(
    *plain: str, personal: Mapping[str, str] | None = None, renamed: Mapping[str, str] | None = None, **special: object
) -> Body:
    """Fields of the same name as the event's attribute, personal ones, those whose names Python keeps for itself, and
    attributes of another name, functions or constants."""
    read = {name: name for name in plain} | dict(renamed or {})
    read.update((name, value.name) for name, value in special.items() if isinstance(value, _Attr))
    rest = [(name, value) for name, value in special.items() if not isinstance(value, _Attr)]
    return Body(
        tuple(read),
        _reader(tuple(read.values())),
        tuple((name, value if callable(value) else _constant(value)) for name, value in rest),
        tuple((personal or {}).items()),
    )


def _reader(attributes: tuple[str, ...]) -> Callable[[object], tuple[object, ...]]:
    if len(attributes) == 1:
        return lambda event: (getattr(event, attributes[0]),)
    return attrgetter(*attributes) if attributes else lambda event: ()


def _constant(value: object) -> Read:
    return lambda event, stream: value


def _none(event: object, stream: str) -> None:
    """Nothing to say."""


def _id_in_stream(event: object, stream: str) -> str:
    return stream.partition(":")[2]


def _assigned_reason(event: e.RequestAssigned, stream: str) -> str:
    return "rescinded" if event.kind == "broadcast" else "accepted"


def _share_body(state: str | _Attr, by: str | _Attr, *more: str, asks: object = _none, grant: object = _none) -> Body:
    return _body("share", "session", *more, state=state, by=by, asks=asks, grant=grant)


def _asks(event: e.ShareRequested, stream: str) -> list[str]:
    return ["view", "control"] if event.control else ["view"]


def _grant(event: _Granting, stream: str) -> dict[str, object]:
    return functions.grant(event.functions, control=event.control)


def _may_control(event: e.ShareWatched, stream: str) -> bool:
    return "control" in event.functions


def _of_leg(event: e.ShareWatched | e.ShareUnwatched, stream: str) -> str | None:
    """To its two ends: the numbers of the others would tell of one who is masked."""
    return event.leg if stream.startswith("me:") else None


def _to_ends(event: e.ShareWatched, stream: str) -> list[str] | None:
    return list(event.functions) if stream.startswith("me:") else None


def _why(event: e.ShareConfirmed | e.ShareGrantChanged, stream: str) -> list[dict[str, object]]:
    return functions.told(event.reasons, event.representative)


def _granted(event: e.RequestAssigned | e.SessionTransferred, stream: str) -> list[str] | None:
    """To whoever may use them."""
    return list(event.functions) if stream == f"me:{event.representative}" else None


def _outcomes(event: e.RequestAssigned | e.SessionTransferred, stream: str) -> list[str] | None:
    """To whoever will say one, where they aren't those by default."""
    return list(event.outcomes) if event.outcomes and stream == f"me:{event.representative}" else None


def _speaker(event: e.ChatSent, stream: str) -> str | None:
    """Who of several; there is only one customer."""
    return event.by if event.role == "representative" else None


def _if_masked(event: e.MemberJoined, stream: str) -> str | None:
    return event.by if event.masked else None


def _or_none(name: str) -> Read:
    """Told where it is so."""
    return lambda event, stream: True if getattr(event, name) else None


def _taken(event: e.SessionTransferred | e.MemberJoined, stream: str) -> str:
    return "accepted" if event.subportal is None or not stream.startswith("subportal:") else "rescinded"


def _request_of(event: e.MemberJoined, stream: str) -> str:
    """A request and its session share their token."""
    return f"r_{event.session[2:]}"


def _apart(name: str) -> Read:
    """Those who are looked at hear that it is so, and nothing more of it."""
    return lambda event, stream: None if stream.startswith("session:") else getattr(event, name)


def _changes(event: _Changed, stream: str) -> list[dict[str, object]]:
    return shown(event.changes)


def _refused(event: e.RefusalsCounted, stream: str) -> list[dict[str, object]]:
    rows = (
        {"person": person, "network": network, "code": code, "count": count}
        for person, network, code, count in event.rows
    )
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _former(event: e.ManagerDeleted | e.ServiceDeleted, stream: str) -> str | None:
    return event.former or None  # the first who left were given none


def _if_audit(event: e.VisitorBlocked, stream: str) -> str | None:
    """Networks are for those who read audits."""
    return event.network if stream == "audit" else None


def _who_moved(event: e.TeamDeleted, stream: str) -> list[str] | None:
    return None if stream.startswith("me:") else list(event.representatives)


def _by_staff(event: e.FileShared, stream: str) -> str | None:
    """A visitor's id is nobody's business."""
    return event.by if event.role == "representative" else None


_GRANTED = _body("share", "session", grant=_grant, functions=_why)


_CaseMoves = (
    e.RequestAssigned | e.RequestRequeued | e.RequestMoved | e.RequestEnded | e.SessionTransferred | e.CaseChanged
)


def _its_request(event: e.ChatSent, stream: str) -> str:
    return f"r_{event.session[2:]}"


def _its_case(event: e.ChatSent, stream: str) -> str:
    return ids.case_of(event.session)


def _case_id(event: _CaseMoves | e.RequestCreated | e.CaseDeleted, stream: str) -> str:
    """A request and its case have one token."""
    return ids.case_of(event.request)


def _now(at: int) -> Callable[[_CaseMoves, str], object]:
    return lambda event, stream: None if event.case is None else event.case[at]


def _clock(event: _CaseMoves, stream: str) -> dict[str, object] | None:
    assert event.case is not None  # else nobody is told
    told: dict[str, object] = {"kind": event.case[6], "ms": event.case[7]}
    return told if event.case[8] is None else {**told, "since": event.case[8]}


def _left_to(event: e.RequestEnded | e.RequestRequeued, stream: str) -> str | None:
    """Who has the case from then on."""
    return event.representative if isinstance(event, e.RequestEnded) else None


def _session_id(event: e.RequestMoved, stream: str) -> str:
    return ids.session_of(event.request)


_CASE = {"type": 0, "status": 1, "reason": 2, "version": 3, "listed": 4, "subportal": 5, "ended": 9}
_CASE_NOW = {name: _now(at) for name, at in _CASE.items()}


def _case_changed(*plain: str, personal: Mapping[str, str] | None = None, **special: object) -> Body:
    shown: dict[str, object] = {**_CASE_NOW, **special}
    return _body("request", *plain, personal=personal, renamed=None, case=_case_id, clock=_clock, **shown)


def _excerpt() -> Body:
    shown: dict[str, object] = {**_CASE_NOW, "request": _its_request, "case": _its_case}
    return _body(personal={"text": "text"}, renamed=None, clock=_clock, **shown)


_LOAD = _body("representative", "load", "capacity")
_OPENED = _body(
    "session",
    "request",
    "subportal",
    "representative",
    personal={
        "name": "customer_name",
        "representative_name": "representative_name",
        "text": "text",
        "fields": "fields",
        "page": "page",
    },
    functions=_granted,
    outcomes=_outcomes,
)
_CUSTOMERS_NAME = {"text": "text", "name": "name", "fields": "fields", "page": "page"}

BODIES: dict[tuple[type, str], Body] = {
    (e.OfferRenewed, "offer.renewed"): _body("offer", "deadline"),
    (e.LoadChanged, "load.changed"): _LOAD,
    (e.AccountPut, "account.changed"): _body("modes", "password_min", "password_classes", "by", changes=_changes),
    (e.PortalPut, "portal.changed"): _body("portal", "kind", "mode", "subportals", "by", changes=_changes),
    (e.PortalDeleted, "portal.deleted"): _body("portal", "subportals", "by", changes=_changes),
    (e.SubportalState, "subportal.state"): _body("subportal", "portal", "state", "opens", "closes"),
    (e.SubportalPut, "subportal.changed"): _body(
        "subportal", "weight", "policy", "max_waiting", "by", changes=_changes
    ),
    (e.TeamPut, "team.changed"): _body("team", "subportals", "parent", "by", changes=_changes),
    (e.TeamDeleted, "team.deleted"): _body("team", "into", "by", representatives=_who_moved),
    (e.ReplyPut, "reply.changed"): _body("team", "reply", "by", changes=_changes),
    (e.ReplyDeleted, "reply.deleted"): _body("team", "reply", "by"),
    (e.RepresentativePut, "representative.changed"): _body(
        "representative", "team", "capacity", "by", changes=_changes
    ),
    (e.RepresentativeDeleted, "representative.deleted"): _body("representative", "team", "former", "by"),
    (e.ManagerPut, "manager.changed"): _body("manager", "kind", "teams", "rights", "by", changes=_changes),
    (e.ManagerDeleted, "manager.deleted"): _body("manager", "by", former=_former),
    (e.ServicePut, "service.changed"): _body("service", "scopes", "by", changes=_changes),
    (e.ServiceDeleted, "service.deleted"): _body("service", "by", former=_former),
    (e.SignedIn, "sign_in.changed"): _body("person", "role", "sign_in", "how", "network", state="begun"),
    (e.SignInsEnded, "sign_in.changed"): _body("person", "sign_ins", "reason", "by", state="ended"),
    (e.PasswordSet, "password.changed"): _body("person", "by", "must_change"),
    (e.KeyCreated, "key.changed"): _body("person", "by", prefix=_Attr("key"), state="live"),
    (e.KeyEnded, "key.changed"): _body("person", "by", prefix=_Attr("key"), state=_Attr("reason")),
    (e.VisitorBlocked, "visitor.blocked"): _body("block", "visitor", "reason", "until", "by", network=_if_audit),
    (e.BlockEnded, "block.ended"): _body("block", "reason", "by"),
    (e.Audited, "audit.recorded"): _body("person", "role", "network", "op", "object", changes=_changes),
    (e.RefusalsCounted, "audit.refusals"): _body("more", rows=_refused),
    (e.PresenceChanged, "presence.changed"): _body("representative", "presence", "by", "reason"),
    (e.TakenOver, "presence.changed"): _body(
        "representative", "presence", by="representative", reason="taken_over", taken_by=_Attr("by")
    ),
    (e.RepresentativeLost, "presence.changed"): _body("representative", presence="reconnecting", by="broker"),
    (e.RepresentativeLost, "session.held"): _body("until", session=_id_in_stream, who="representative"),
    (e.RepresentativeBack, "presence.changed"): _body("representative", "presence", by="broker"),
    (e.RepresentativeBack, "session.resumed"): _body(session=_id_in_stream, who="representative"),
    (e.CustomerLost, "session.held"): _body("until", session=_id_in_stream, who="customer"),
    (e.CustomerBack, "session.resumed"): _body(session=_id_in_stream, who="customer"),
    (e.RequestCreated, "request.created"): _body(
        "request",
        "session",
        "portal",
        "subportal",
        "kind",
        "mode",
        renamed={"class": "class_"},
        representative=_Attr("target"),
    ),
    (e.RequestCreated, "session.opened"): _body(
        "session",
        "request",
        "subportal",
        "web_chat",
        personal={"name": "name", "text": "text", "fields": "fields", "page": "page"},
    ),
    (e.RequestCreated, "case.opened"): _body(
        "request",
        "number",
        "session",
        "portal",
        "subportal",
        "listed",
        personal={"name": "name", "text": "text"},
        case=_case_id,
        type="live_chat",
        status="unassigned",
        reason="opened",
        version=1,
    ),
    (e.RequestMoved, "case.opened"): _case_changed(
        "number", "portal", personal={"name": "name", "text": "text"}, created=_Attr("arrived"), session=_session_id
    ),
    (e.RequestMoved, "case.deleted"): _body("request", case=_case_id, reason="moved"),
    (e.RequestRequeued, "case.changed"): _case_changed(),
    (e.RequestEnded, "case.changed"): _case_changed(personal={"name": "name", "text": "text"}, representative=_left_to),
    (e.RequestAssigned, "case.changed"): _case_changed("representative"),
    (e.SessionTransferred, "case.changed"): _case_changed("representative"),
    (e.CaseChanged, "case.changed"): _case_changed("representative", "by"),
    (e.CaseChanged, "case.follow_up"): _body("request", "representative", case=_case_id, subportal=_now(5)),
    (e.CaseDeleted, "case.deleted"): _body("request", "reason", "by", case=_case_id),
    (e.CasesSeen, "cases.seen"): _body("upto"),
    (e.CaseMailed, "case.mailed"): _body(
        "session", "mail", "by", personal={"subject": "subject", "text": "text"}, case=_case_id
    ),
    (e.CaseMailAttempted, "case.mail_attempted"): _body(
        "session", "mail", "attempt", "state", "code", "reason", case=_case_id
    ),
    (e.RequestClassified, "request.classified"): _body("request", renamed={"class": "class_"}, boost_ms=_Attr("boost")),
    (e.RequestWidened, "request.widened"): _body("request", "step"),
    (e.RequestReleased, "request.released"): _body("request", "representative", "reason"),
    (e.RequestMoved, "request.moved"): _body(
        "request", renamed={"from": "former"}, to=_Attr("subportal"), on=_Attr("rule")
    ),
    (e.LineUnstaffed, "subportal.unstaffed"): _body("subportal"),
    (e.RequestPicked, "request.picked"): _body("request", representative=_Attr("target")),
    (e.RequestUnplaced, "request.unplaced"): _body("request", "representative", "reason", "broadcast"),
    (e.RequestRequeued, "request.requeued"): _body("request", "reason"),
    (e.RequestEnded, "request.ended"): _body("request", "state"),
    (e.RequestEnded, "session.ended"): _body("session", "request", reason=_Attr("state")),
    (e.QuestionLeft, "question.left"): _body(
        "session", "request", personal={"name": "name", "text": "text", "fields": "fields", "page": "page"}
    ),
    (e.OfferMade, "offer.made"): _body(
        "offer",
        "request",
        "subportal",
        "kind",
        "representative",
        "deadline",
        "arrived",
        "by",
        personal={**_CUSTOMERS_NAME, "comment": "comment"},
        view_only=_or_none("view_only"),
        masked=_or_none("masked"),
    ),
    (e.OfferEnded, "offer.ended"): _body("offer", "request", "reason", "representative", "code"),
    (e.BroadcastDeclined, "offer.ended"): _body("offer", "request", "representative", "code", reason="declined"),
    (e.RequestAssigned, "offer.ended"): _body("offer", "request", "representative", reason=_assigned_reason),
    (e.RequestAssigned, "pin.changed"): _body(id=_Attr("pin"), state="used", expires=_Attr("pin_expires")),
    (e.RequestAssigned, "session.opened"): _OPENED,
    (e.RequestAssigned, "request.assigned"): _body(
        "request", "session", "representative", "kind", personal={"name": "representative_name"}
    ),
    (e.RequestAssigned, "session.joined"): _body(
        "session", "representative", personal={"name": "representative_name"}, role="lead"
    ),
    (e.RequestAssigned, "load.changed"): _LOAD,
    (e.SessionTransferred, "offer.ended"): _body("offer", "request", "representative", reason=_taken),
    (e.MemberJoined, "offer.ended"): _body("offer", "representative", request=_request_of, reason=_taken),
    (e.SessionTransferred, "session.transferred"): _body(
        "session",
        "request",
        "representative",
        "former",
        personal={"name": "representative_name"},
        functions=_granted,
        outcomes=_outcomes,
    ),
    (e.SessionTransferred, "load.changed"): _LOAD,
    (e.SessionReleased, "session.released"): _body("session", "request", "representative", "reason"),
    (e.SessionReleased, "load.changed"): _LOAD,
    (e.MemberJoined, "session.joined"): _body(
        "session",
        "representative",
        personal={"name": "name"},
        role="guest",
        view_only=_or_none("view_only"),
        masked=_or_none("masked"),
        by=_if_masked,
    ),
    (e.MemberLeft, "session.left"): _body("session", "representative", "reason"),
    (e.MonitorStarted, "session.monitored"): _body(
        "session", on=True, manager=_apart("manager"), announced=_apart("announced")
    ),
    (e.MonitorEnded, "session.monitored"): _body(
        "session",
        on=False,
        manager=_apart("manager"),
        announced=_apart("announced"),
        reason=_apart("reason"),
        since=_apart("since"),
    ),
    (e.ChatSent, "chat.message"): _body(
        "session", "role", personal={"text": "text"}, message_seq=_Attr("number"), by=_speaker
    ),
    (e.ChatSent, "case.changed"): _excerpt(),
    (e.NoteAdded, "note.added"): _body("session", "by", personal={"text": "text"}),
    (e.OutcomeSet, "session.outcome"): _body(
        "session", "request", "representative", "outcome", personal={"note": "note"}
    ),
    (e.SessionRated, "session.rated"): _body(
        "session", "request", "representative", "score", personal={"comment": "comment", "fields": "fields"}
    ),
    (e.SessionDescribed, "session.described"): _body("session", "kind", personal={"data": "data"}),
    (e.SessionEnded, "session.ended"): _body("session", "request", "reason", "wrap_up"),
    (e.SessionEnded, "load.changed"): _LOAD,
    (e.WrapUpEnded, "wrap_up.ended"): _body("session", "representative", "reason"),
    (e.WrapUpEnded, "load.changed"): _LOAD,
    (e.PinCreated, "pin.changed"): _body("expires", id=_Attr("pin"), state="live"),
    (e.PinEnded, "pin.changed"): _body("state", "expires", id=_Attr("pin")),
    (e.PinGuessed, "pin.guessing"): _body("portal", "source", "wrong"),
    (e.ShareRequested, "share.changed"): _share_body("requested", "representative", "until", asks=_asks),
    (e.ShareAccepted, "share.changed"): _share_body("accepted", "customer", "until"),
    (e.ShareConfirmed, "share.changed"): _share_body("negotiating", "customer", "until", grant=_grant),
    (e.ShareConfirmed, "share.granted"): _GRANTED,
    (e.ShareStarted, "share.changed"): _share_body("active", _Attr("by")),
    (e.ShareControlAsked, "share.changed"): _share_body(_Attr("state"), "representative", "until", asks=["control"]),
    (e.ShareControlled, "share.changed"): _share_body(_Attr("state"), _Attr("by"), "reason", grant=_grant),
    (e.ShareGrantChanged, "share.changed"): _share_body(_Attr("state"), "broker", grant=_grant),
    (e.ShareGrantChanged, "share.granted"): _GRANTED,
    (e.ShareRebooting, "share.changed"): _share_body("rebooting", "representative", "until"),
    (e.ShareBack, "share.changed"): _share_body("negotiating", "customer", "until", grant=_grant),
    (e.ShareEnded, "share.changed"): _share_body(_Attr("state"), _Attr("by"), "reason"),
    (e.ShareWatched, "share.watched"): _body(
        "share", "session", "representative", control=_may_control, leg=_of_leg, functions=_to_ends
    ),
    (e.ShareUnwatched, "share.unwatched"): _body("share", "session", "representative", "reason", leg=_of_leg),
    (e.FileShared, "file.shared"): _body(
        *("session", "file", "size", "type", "sha256", "role"),
        personal={"name": "name"},
        message_seq=_Attr("number"),
        by=_by_staff,
    ),
    (e.FileEnded, "file.ended"): _body("file", "session", "reason"),
}
