"""Where an event is published, and with which body: two pure functions of the event.

``audiences`` runs once, when the event happens; what it says is stored with the record and never
recomputed. ``render`` makes the map that goes into EVENT, the same bytes for every reader of a stream.
Names and texts appear only in streams whose readers may take or hold the request: never in
``account`` or ``team:``.
"""
# size: where everything is published, read as one list

from __future__ import annotations

import json
from collections.abc import Callable

from broker import ids
from broker.content import DOCUMENT
from broker.desk import events as e
from broker.desk import pseudonyms
from broker.desk.bodies import BODIES
from broker.desk.texts import InLanguage

Audience = list[tuple[str, str]]
"""(stream, wire type), in the order of publication."""

_OfShare = (
    e.ShareRequested
    | e.ShareAccepted
    | e.ShareStarted
    | e.ShareControlAsked
    | e.ShareControlled
    | e.ShareRebooting
    | e.ShareBack
    | e.ShareEnded
)

Decide = Callable[..., Audience]  # type: ignore[explicit-any]  # each takes its own class
"""(event) to where it is published."""

Texts = Callable[[str], str | None]
"""A content's text by its id; None once erased."""

ERASED = {"erased": True}


def audiences(event: e.Event) -> Audience:
    """The streams that carry this event, and its type there. Internal names: a person's ``me`` is ``me:<person>``."""
    decide = _AUDIENCES.get(type(event))
    return [] if decide is None else decide(event)


def render(
    event: e.Event, wire_type: str, stream: str, texts: Texts, former: pseudonyms.Former | None = None
) -> dict[str, object]:
    """The data of this event's EVENT in ``stream``. Fields without a value are left out. ``former``: what people are
    called who left; None where nobody did."""
    if former is not None and stream != pseudonyms.AUDIT:
        event = pseudonyms.of_event(event, former)
    body = BODIES[type(event), wire_type]
    data = {name: value for name, value in zip(body.names, body.read(event), strict=True) if value is not None}
    for name, special in body.special:
        if (value := special(event, stream)) is not None:
            data[name] = value
    if body.personal and stream != "account" and not stream.startswith("team:"):
        for name, attr in body.personal:
            ref = getattr(event, attr)
            if ref is not None:
                data[name] = _text(ref[0], texts)
    return data


def resolve(value: object, texts: Texts) -> object:
    """The same value with the text (or ``{"erased": True}``) in place of each content ref, however deep."""
    if type(value) is dict:
        return {key: inner if type(inner) is str else resolve(inner, texts) for key, inner in value.items()}
    if type(value) is tuple or type(value) is list:
        if len(value) == 2 and type(value[0]) is str and type(value[1]) is bytes:
            return _text(value[0], texts)
        return [resolve(inner, texts) for inner in value]
    if type(value) is InLanguage:
        text = texts(value.ref[0])
        return dict(ERASED) if text is None else value.told(text)
    return value


def _text(content_id: str, texts: Texts) -> object:
    text = texts(content_id)
    if text is None:
        return dict(ERASED)
    return json.loads(text) if content_id.startswith(DOCUMENT) else text


# --- audiences -------------------------------------------------------------------------------------


def _offer_made(event: e.OfferMade) -> Audience:
    place = f"subportal:{event.subportal}" if event.representative is None else f"me:{event.representative}"
    return [(place, "offer.made"), *_to_colleagues(event, "offer.made"), ("account", "offer.made")]


def _to_colleagues(event: e.OfferMade | e.OfferEnded, wire_type: str) -> Audience:
    """Staff of a session hear who else is asked about it: its customer doesn't."""
    if event.kind not in ("transfer", "invite"):
        return []
    return [(f"session:{ids.session_of(event.request)}:staff", wire_type)]


def _offer_ended(event: e.OfferEnded) -> Audience:
    place = f"subportal:{event.subportal}" if event.representative is None else f"me:{event.representative}"
    told = [(place, "offer.ended"), *_to_colleagues(event, "offer.ended"), ("account", "offer.ended")]
    if event.by is not None and event.by != event.representative:
        told.insert(1, (f"me:{event.by}", "offer.ended"))
    return told


def _case(case: e.CaseNow | None, *owners: str | None) -> Audience:
    """Those who have a case in one of their lists. Those who had it, too: there it goes from."""
    if case is None:
        return []
    told = [(f"me:{name}", "case.changed") for name in dict.fromkeys(owners) if name is not None]
    return [*told, (f"cases:{case[5]}", "case.changed")]


def _moved(event: e.RequestMoved) -> Audience:
    told = [(f"me:{event.visitor}", "request.moved"), ("account", "request.moved")]
    if event.case is not None:
        told += [(f"cases:{event.former}", "case.deleted"), (f"cases:{event.subportal}", "case.opened")]
    return told


def _requeued(event: e.RequestRequeued) -> Audience:
    told = [(f"me:{event.visitor}", "request.requeued"), ("account", "request.requeued")]
    return told + _case(event.case, event.representative)


def _case_changed(event: e.CaseChanged) -> Audience:
    told = _case(event.case, event.representative, event.former)
    if event.case is None:
        return told
    told.append(("account", "case.changed"))
    if event.case[0] == "support_request" and event.reason in ("taken", "given"):
        told.append(("account", "case.follow_up"))
    return told


def _case_deleted(event: e.CaseDeleted) -> Audience:
    told = [(f"cases:{event.subportal}", "case.deleted"), ("account", "case.deleted")]
    return told if event.representative is None else [(f"me:{event.representative}", "case.deleted"), *told]


def _assigned(event: e.RequestAssigned) -> Audience:
    told = _case(event.case, event.representative)
    if event.kind == "broadcast":
        told.append((f"subportal:{event.subportal}", "offer.ended"))
    elif event.offer is not None:
        told.append((f"me:{event.representative}", "offer.ended"))
    if event.pin is not None:
        told.append((f"me:{event.representative}", "pin.changed"))
    return [
        *told,
        (f"me:{event.representative}", "session.opened"),
        (f"me:{event.visitor}", "request.assigned"),
        (f"session:{event.session}", "session.opened" if event.opens else "session.joined"),
        ("account", "request.assigned"),
        (f"team:{event.team}", "load.changed"),
    ]


def _transferred(event: e.SessionTransferred) -> Audience:
    asked = f"me:{event.representative}" if event.subportal is None else f"subportal:{event.subportal}"
    return [
        *_case(event.case, event.representative, event.former),
        (asked, "offer.ended"),
        (f"me:{event.representative}", "session.transferred"),
        (f"me:{event.former}", "session.transferred"),
        (f"session:{event.session}", "session.transferred"),
        ("account", "session.transferred"),
        (f"team:{event.team}", "load.changed"),
    ]


def _out_of_hand(wire_type: str) -> Decide:
    """Nobody has a session any more."""
    return lambda event: [
        (f"me:{event.representative}", wire_type),
        (f"session:{event.session}", wire_type),
        ("account", wire_type),
        (f"team:{event.team}", "load.changed"),
    ]


def _created(event: e.RequestCreated) -> Audience:
    told = [(f"me:{event.visitor}", "request.created"), ("account", "request.created")]
    if event.web_chat != "none":
        told.append((f"session:{event.session}", "session.opened"))
    return [*told, (f"cases:{event.subportal}", "case.opened")]


def _request_ended(event: e.RequestEnded) -> Audience:
    told = [(f"me:{event.visitor}", "request.ended"), ("account", "request.ended")]
    if event.session is not None:
        told.append((f"session:{event.session}", "session.ended"))
    return told + _case(event.case, event.representative)


def _in_session(event: e.MemberJoined | e.MemberLeft | e.ShareWatched | e.ShareUnwatched) -> str:
    """Masked ones are told of to staff alone."""
    return f"session:{event.session}:staff" if event.masked else f"session:{event.session}"


def _joined(event: e.MemberJoined) -> Audience:
    return [
        (f"me:{event.representative}" if event.subportal is None else f"subportal:{event.subportal}", "offer.ended"),
        (f"me:{event.by}", "offer.ended"),
        (f"me:{event.representative}", "session.joined"),
        (_in_session(event), "session.joined"),
        ("account", "session.joined"),
    ]


def _left(event: e.MemberLeft) -> Audience:
    return [
        (f"me:{event.representative}", "session.left"),
        (_in_session(event), "session.left"),
        ("account", "session.left"),
    ]


def _monitored(event: e.MonitorStarted | e.MonitorEnded) -> Audience:
    """The audit always, those in the session where its portal announces it."""
    told: Audience = [("audit", "session.monitored"), (f"me:{event.manager}", "session.monitored")]
    if event.told:
        told += [(f"session:{event.session}{part}", "session.monitored") for part in ("", ":staff")]
    return told


def _staff(wire_type: str) -> Decide:
    return lambda event: [(f"session:{event.session}:staff", wire_type)]


def _sent(event: e.ChatSent) -> Audience:
    return [(f"session:{event.session}", "chat.message"), *_case(event.case)]


def _staff_and_account(wire_type: str) -> Decide:
    return lambda event: [(f"session:{event.session}:staff", wire_type), ("account", wire_type)]


def _of_sessions(wire_type: str) -> Decide:
    return lambda event: [(f"session:{session}", wire_type) for session in event.sessions]


def _taken_over(event: e.TakenOver) -> Audience:
    return [(place, "presence.changed") for place in (f"me:{event.representative}", f"team:{event.team}", "account")]


def _presence(event: e.PresenceChanged | e.RepresentativeLost | e.RepresentativeBack, sessions: Audience) -> Audience:
    told = [(f"me:{event.representative}", "presence.changed"), (f"team:{event.team}", "presence.changed")]
    if isinstance(event, e.PresenceChanged) and event.by == "broker" and event.reason is not None:
        told.append(("account", "presence.changed"))  # for the managers: nobody chose this
    return told + sessions


def _customer_and_account(wire_type: str) -> Decide:
    return lambda event: [(f"me:{event.visitor}", wire_type), ("account", wire_type)]


def _wrapped_up(event: e.WrapUpEnded) -> Audience:
    return [
        (f"me:{event.representative}", "wrap_up.ended"),
        ("account", "wrap_up.ended"),
        (f"team:{event.team}", "load.changed"),
    ]


def _account(wire_type: str) -> Decide:
    return lambda event: [("account", wire_type)]


def _share(event: _OfShare) -> Audience:
    return [(f"session:{event.session}", "share.changed")]


def _of_leg(event: e.ShareWatched | e.ShareUnwatched, wire_type: str) -> Audience:
    """Its two ends."""
    return [(f"me:{event.holder}", wire_type), (f"me:{event.representative}", wire_type)]


def _watched(event: e.ShareWatched) -> Audience:
    told = _of_leg(event, "share.watched")
    return [*told, (_in_session(event), "share.watched")] if event.told else told


def _granted(event: e.ShareConfirmed | e.ShareGrantChanged) -> Audience:
    """Who may use it is told why, too."""
    return [(f"session:{event.session}", "share.changed"), (f"me:{event.representative}", "share.granted")]


def _pin(event: e.PinCreated | e.PinEnded) -> Audience:
    return [(f"me:{event.representative}", "pin.changed")]


def _team_deleted(event: e.TeamDeleted) -> Audience:
    told = [("account", "team.deleted"), (f"team:{event.team}", "team.deleted")]
    if event.into is not None:
        told.append((f"team:{event.into}", "team.deleted"))
    return [*told, *((f"me:{name}", "team.deleted") for name in event.representatives)]


def _team(wire_type: str) -> Decide:
    return lambda event: [("account", wire_type), (f"team:{event.team}", wire_type)]


def _representative(event: e.RepresentativePut) -> Audience:
    teams = [event.team] if event.former is None else [event.former, event.team]
    return [
        ("account", "representative.changed"),
        *((f"team:{team}", "representative.changed") for team in teams),
        (f"me:{event.representative}", "representative.changed"),
    ]


def _me_and_audit(wire_type: str) -> Decide:
    return lambda event: [(f"me:{event.person}", wire_type), ("audit", wire_type)]


def _key(event: e.KeyCreated | e.KeyEnded) -> Audience:
    return [("account", "key.changed"), ("audit", "key.changed")]


def _account_and_audit(wire_type: str) -> Decide:
    return lambda event: [("account", wire_type), ("audit", wire_type)]


_AUDIENCES: dict[type, Decide] = {
    e.OfferRenewed: lambda event: [
        (
            f"subportal:{event.subportal}" if event.representative is None else f"me:{event.representative}",
            "offer.renewed",
        )
    ],
    e.LoadChanged: lambda event: [(f"team:{event.team}", "load.changed")],
    e.AccountPut: _account("account.changed"),
    e.PortalPut: _account("portal.changed"),
    e.PortalDeleted: _account("portal.deleted"),
    e.SubportalState: lambda event: [
        (f"subportal:{event.subportal}", "subportal.state"),
        ("account", "subportal.state"),
    ],
    e.SubportalPut: lambda event: [("account", "subportal.changed")],
    e.TeamPut: _team("team.changed"),
    e.TeamDeleted: _team_deleted,
    e.ReplyPut: _team("reply.changed"),
    e.ReplyDeleted: _team("reply.deleted"),
    e.RepresentativePut: _representative,
    e.RepresentativeDeleted: lambda event: [
        ("account", "representative.deleted"),
        (f"team:{event.team}", "representative.deleted"),
    ],
    e.ManagerPut: lambda event: [("account", "manager.changed"), (f"me:{event.manager}", "manager.changed")],
    e.ManagerDeleted: _account("manager.deleted"),
    e.ServicePut: lambda event: [("account", "service.changed"), (f"me:{event.service}", "service.changed")],
    e.ServiceDeleted: _account("service.deleted"),
    e.SignedIn: _me_and_audit("sign_in.changed"),
    e.SignInsEnded: _me_and_audit("sign_in.changed"),
    e.PasswordSet: _me_and_audit("password.changed"),
    e.KeyCreated: _key,
    e.KeyEnded: _key,
    e.VisitorBlocked: _account_and_audit("visitor.blocked"),
    e.BlockEnded: _account_and_audit("block.ended"),
    e.Audited: lambda event: [("audit", "audit.recorded")],
    e.RefusalsCounted: lambda event: [("audit", "audit.refusals")],
    e.PresenceChanged: lambda event: _presence(event, []),
    e.TakenOver: _taken_over,
    e.RepresentativeLost: lambda event: _presence(event, _of_sessions("session.held")(event)),
    e.RepresentativeBack: lambda event: _presence(event, _of_sessions("session.resumed")(event)),
    e.CustomerLost: _of_sessions("session.held"),
    e.CustomerBack: _of_sessions("session.resumed"),
    e.RequestCreated: _created,
    e.RequestClassified: _customer_and_account("request.classified"),
    e.RequestWidened: _account("request.widened"),
    e.RequestReleased: _account("request.released"),
    e.RequestMoved: _moved,
    e.LineUnstaffed: lambda event: [] if event.upto is not None else [("account", "subportal.unstaffed")],
    e.RequestPicked: _customer_and_account("request.picked"),
    e.RequestUnplaced: _customer_and_account("request.unplaced"),
    e.RequestRequeued: _requeued,
    e.RequestEnded: _request_ended,
    e.QuestionLeft: lambda event: [(f"session:{event.session}", "question.left")],
    e.OfferMade: _offer_made,
    e.OfferEnded: _offer_ended,
    e.BroadcastDeclined: lambda event: [(f"me:{event.representative}", "offer.ended"), ("account", "offer.ended")],
    e.RequestAssigned: _assigned,
    e.SessionTransferred: _transferred,
    e.SessionReleased: _out_of_hand("session.released"),
    e.MemberJoined: _joined,
    e.MemberLeft: _left,
    e.MonitorStarted: _monitored,
    e.MonitorEnded: _monitored,
    e.ChatSent: _sent,
    e.NoteAdded: _staff("note.added"),
    e.OutcomeSet: _staff_and_account("session.outcome"),
    e.SessionRated: _staff_and_account("session.rated"),
    e.SessionDescribed: _staff("session.described"),
    e.SessionEnded: _out_of_hand("session.ended"),
    e.CaseChanged: _case_changed,
    e.CaseDeleted: _case_deleted,
    e.CasesSeen: lambda event: [(f"me:{event.representative}", "cases.seen")],
    e.CaseMailed: _staff("case.mailed"),
    e.CaseMailAttempted: _staff("case.mail_attempted"),
    e.WrapUpEnded: _wrapped_up,
    e.PinCreated: _pin,
    e.PinEnded: _pin,
    e.PinGuessed: lambda event: [("account", "pin.guessing")],
    e.ShareRequested: _share,
    e.ShareAccepted: _share,
    e.ShareConfirmed: _granted,
    e.ShareStarted: _share,
    e.ShareControlAsked: _share,
    e.ShareControlled: _share,
    e.ShareGrantChanged: _granted,
    e.ShareRebooting: _share,
    e.ShareBack: _share,
    e.ShareWatched: _watched,
    e.ShareUnwatched: lambda event: [*_of_leg(event, "share.unwatched"), (_in_session(event), "share.unwatched")],
    e.ShareEnded: _share,
    e.FileShared: lambda event: [(f"session:{event.session}", "file.shared")],
    e.FileEnded: lambda event: [(f"me:{event.by}", "file.ended")],
}
