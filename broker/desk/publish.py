"""Where an event is published, and with which body: two pure functions of the event.

``audiences`` runs once, when the event happens; what it says is stored with the record and never
recomputed. ``render`` makes the map that goes into EVENT, the same bytes for every reader of a stream.
Names and texts appear only in streams whose readers may take or hold the request: never in
``account`` or ``team:``.
"""

from __future__ import annotations

from collections.abc import Callable

from broker.desk import events as e

Audience = list[tuple[str, str]]
"""(stream, wire type), in the order of publication."""

Decide = Callable[..., Audience]  # type: ignore[explicit-any]  # each takes its own class
"""(event) to where it is published."""

Texts = Callable[[str], str | None]
"""A content's text by its id; None once erased."""

ERASED = {"erased": True}


def audiences(event: e.Event) -> Audience:
    """The streams that carry this event, and its type there. Internal names: a person's ``me`` is ``me:<person>``."""
    decide = _AUDIENCES.get(type(event))
    return [] if decide is None else decide(event)


def render(event: e.Event, wire_type: str, stream: str, texts: Texts) -> dict[str, object]:
    """The data of this event's EVENT in ``stream``. Fields without a value are left out."""
    data: dict[str, object] = {}
    public = stream == "account" or stream.startswith("team:")
    for name, read, personal in _BODIES[type(event), wire_type]:
        value = read(event, stream)
        if value is None or (personal and public):
            continue
        data[name] = resolve(value, texts) if personal else value
    return data


def resolve(value: object, texts: Texts) -> object:
    """The same value with the text (or ``{"erased": True}``) in place of each content ref, however deep."""
    match value:
        case (str(name), bytes()):
            text = texts(name)
            return dict(ERASED) if text is None else text
        case dict():
            return {key: resolve(inner, texts) for key, inner in value.items()}
        case list() | tuple():
            return [resolve(inner, texts) for inner in value]
        case _:
            return value


# --- audiences -------------------------------------------------------------------------------------


def _offer_made(event: e.OfferMade) -> Audience:
    place = f"subportal:{event.subportal}" if event.representative is None else f"me:{event.representative}"
    return [(place, "offer.made"), ("account", "offer.made")]


def _offer_ended(event: e.OfferEnded) -> Audience:
    place = f"subportal:{event.subportal}" if event.representative is None else f"me:{event.representative}"
    told = [(place, "offer.ended"), ("account", "offer.ended")]
    if event.by is not None and event.by != event.representative:
        told.insert(1, (f"me:{event.by}", "offer.ended"))
    return told


def _assigned(event: e.RequestAssigned) -> Audience:
    told: Audience = []
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
        (f"session:{event.session}", "session.opened"),
        ("account", "request.assigned"),
        (f"team:{event.team}", "load.changed"),
    ]


def _transferred(event: e.SessionTransferred) -> Audience:
    return [
        (f"me:{event.representative}", "offer.ended"),
        (f"me:{event.representative}", "session.transferred"),
        (f"me:{event.former}", "session.transferred"),
        (f"session:{event.session}", "session.transferred"),
        ("account", "session.transferred"),
        (f"team:{event.team}", "load.changed"),
    ]


def _ended(event: e.SessionEnded) -> Audience:
    return [
        (f"me:{event.representative}", "session.ended"),
        (f"session:{event.session}", "session.ended"),
        ("account", "session.ended"),
        (f"team:{event.team}", "load.changed"),
    ]


def _of_sessions(wire_type: str) -> Decide:
    return lambda event: [(f"session:{session}", wire_type) for session in event.sessions]


def _presence(event: e.PresenceChanged | e.RepresentativeLost | e.RepresentativeBack, sessions: Audience) -> Audience:
    return [
        (f"me:{event.representative}", "presence.changed"),
        (f"team:{event.team}", "presence.changed"),
        *sessions,
    ]


def _customer_and_account(wire_type: str) -> Decide:
    return lambda event: [(f"me:{event.visitor}", wire_type), ("account", wire_type)]


def _share(event: e.ShareRequested | e.ShareAccepted | e.ShareConfirmed | e.ShareEnded) -> Audience:
    return [(f"session:{event.session}", "share.changed")]


def _pin(event: e.PinCreated | e.PinEnded) -> Audience:
    return [(f"me:{event.representative}", "pin.changed")]


def _representative(event: e.RepresentativePut) -> Audience:
    teams = [event.team] if event.former is None else [event.former, event.team]
    return [
        ("account", "representative.changed"),
        *((f"team:{team}", "representative.changed") for team in teams),
        (f"me:{event.representative}", "representative.changed"),
    ]


_AUDIENCES: dict[type, Decide] = {
    e.OfferRenewed: lambda event: [(f"me:{event.representative}", "offer.renewed")],
    e.LoadChanged: lambda event: [(f"team:{event.team}", "load.changed")],
    e.PortalPut: lambda event: [("account", "portal.changed")],
    e.TeamPut: lambda event: [("account", "team.changed"), (f"team:{event.team}", "team.changed")],
    e.RepresentativePut: _representative,
    e.PresenceChanged: lambda event: _presence(event, []),
    e.RepresentativeLost: lambda event: _presence(event, _of_sessions("session.held")(event)),
    e.RepresentativeBack: lambda event: _presence(event, _of_sessions("session.resumed")(event)),
    e.CustomerLost: _of_sessions("session.held"),
    e.CustomerBack: _of_sessions("session.resumed"),
    e.RequestCreated: _customer_and_account("request.created"),
    e.RequestPicked: _customer_and_account("request.picked"),
    e.RequestUnplaced: _customer_and_account("request.unplaced"),
    e.RequestRequeued: _customer_and_account("request.requeued"),
    e.RequestEnded: _customer_and_account("request.ended"),
    e.OfferMade: _offer_made,
    e.OfferEnded: _offer_ended,
    e.BroadcastDeclined: lambda event: [(f"me:{event.representative}", "offer.ended"), ("account", "offer.ended")],
    e.RequestAssigned: _assigned,
    e.SessionTransferred: _transferred,
    e.SessionEnded: _ended,
    e.PinCreated: _pin,
    e.PinEnded: _pin,
    e.PinGuessed: lambda event: [("account", "pin.guessing")],
    e.ShareRequested: _share,
    e.ShareAccepted: _share,
    e.ShareConfirmed: _share,
    e.ShareEnded: _share,
}

# --- bodies ----------------------------------------------------------------------------------------

Read = Callable[..., object]  # type: ignore[explicit-any]  # each takes its own class
"""(event, stream) to a value."""
Body = tuple[tuple[str, Read, bool], ...]
"""(wire field, how to read it, whether it is personal)."""


def _attr(name: str) -> Read:
    return lambda event, stream: getattr(event, name)


def _body(*plain: str, personal: dict[str, str] | None = None, **special: object) -> Body:
    """Fields of the same name as the event's attribute, personal ones, and constants or functions."""
    fields: list[tuple[str, Read, bool]] = [(name, _attr(name), False) for name in plain]
    for name, value in special.items():
        fields.append((name, value if callable(value) else _constant(value), False))
    fields.extend((name, _attr(attr), True) for name, attr in (personal or {}).items())
    return tuple(fields)


def _constant(value: object) -> Read:
    return lambda event, stream: value


def _id_in_stream(event: object, stream: str) -> str:
    return stream.partition(":")[2]


def _assigned_reason(event: e.RequestAssigned, stream: str) -> str:
    return "rescinded" if event.kind == "broadcast" else "accepted"


def _share_body(state: str | Read, by: str | Read) -> Body:
    return _body("share", "session", state=state, by=by)


_LOAD = _body("representative", "load", "capacity")
_OPENED = _body("session", "request", "subportal", "representative", personal={"name": "customer_name", "text": "text"})
_CUSTOMERS_NAME = {"text": "text", "name": "name"}

_BODIES: dict[tuple[type, str], Body] = {
    (e.OfferRenewed, "offer.renewed"): _body("offer", "deadline"),
    (e.LoadChanged, "load.changed"): _LOAD,
    (e.PortalPut, "portal.changed"): _body("portal", "kind", "mode", "subportals", "by"),
    (e.TeamPut, "team.changed"): _body("team", "subportals", "by"),
    (e.RepresentativePut, "representative.changed"): _body("representative", "team", "capacity", "by"),
    (e.PresenceChanged, "presence.changed"): _body("representative", "presence", "by", "reason"),
    (e.RepresentativeLost, "presence.changed"): _body("representative", presence="reconnecting", by="broker"),
    (e.RepresentativeLost, "session.held"): _body("until", session=_id_in_stream, who="representative"),
    (e.RepresentativeBack, "presence.changed"): _body("representative", "presence", by="broker"),
    (e.RepresentativeBack, "session.resumed"): _body(session=_id_in_stream, who="representative"),
    (e.CustomerLost, "session.held"): _body("until", session=_id_in_stream, who="customer"),
    (e.CustomerBack, "session.resumed"): _body(session=_id_in_stream, who="customer"),
    (e.RequestCreated, "request.created"): _body(
        "request", "session", "portal", "subportal", "kind", "mode", representative=_attr("target")
    ),
    (e.RequestPicked, "request.picked"): _body("request", representative=_attr("target")),
    (e.RequestUnplaced, "request.unplaced"): _body("request", "representative", "reason", "broadcast"),
    (e.RequestRequeued, "request.requeued"): _body("request", "reason"),
    (e.RequestEnded, "request.ended"): _body("request", "state"),
    (e.OfferMade, "offer.made"): _body(
        "offer", "request", "subportal", "kind", "representative", "deadline", "arrived", "by", personal=_CUSTOMERS_NAME
    ),
    (e.OfferEnded, "offer.ended"): _body("offer", "request", "reason", "representative", "code"),
    (e.BroadcastDeclined, "offer.ended"): _body("offer", "request", "representative", "code", reason="declined"),
    (e.RequestAssigned, "offer.ended"): _body("offer", "request", "representative", reason=_assigned_reason),
    (e.RequestAssigned, "pin.changed"): _body(id=_attr("pin"), state="used", expires=_attr("pin_expires")),
    (e.RequestAssigned, "session.opened"): _OPENED,
    (e.RequestAssigned, "request.assigned"): _body(
        "request", "session", "representative", personal={"name": "representative_name"}
    ),
    (e.RequestAssigned, "load.changed"): _LOAD,
    (e.SessionTransferred, "offer.ended"): _body("offer", "request", "representative", reason="accepted"),
    (e.SessionTransferred, "session.transferred"): _body(
        "session", "request", "representative", "former", personal={"name": "representative_name"}
    ),
    (e.SessionTransferred, "load.changed"): _LOAD,
    (e.SessionEnded, "session.ended"): _body("session", "request", "reason"),
    (e.SessionEnded, "load.changed"): _LOAD,
    (e.PinCreated, "pin.changed"): _body("expires", id=_attr("pin"), state="live"),
    (e.PinEnded, "pin.changed"): _body("state", "expires", id=_attr("pin")),
    (e.PinGuessed, "pin.guessing"): _body("portal", "source", "wrong"),
    (e.ShareRequested, "share.changed"): _share_body("requested", "representative"),
    (e.ShareAccepted, "share.changed"): _share_body("accepted", "customer"),
    (e.ShareConfirmed, "share.changed"): _share_body("active", "customer"),
    (e.ShareEnded, "share.changed"): _share_body(_attr("state"), _attr("by")),
}
