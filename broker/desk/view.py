"""What a stream's SNAPSHOT says: the present state behind it, in bounded parts.

Texts are content refs here; ``publish.resolve`` turns them into words at the last moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from broker.desk import case_view, functions, offers, share_ends
from broker.desk.casebook import unread
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.state import Member, Offer, Representative, Session, Share, State, Subportal
from broker.routing import estimate

Part = dict[str, object]

PART_ITEMS = 100  # list items in one SNAPSHOT frame: far below the frame's limit with the longest texts cut


def view(desk: Desk, stream: str, identity: Identity) -> list[Part]:
    """The parts of this stream's snapshot for this reader; at least one, perhaps empty.

    A part is ``{list name: [item, …]}``. Unknown streams give one empty part."""
    kind, _, name = stream.partition(":")
    state = desk.state
    match kind:
        case "me" if identity.role is Role.REPRESENTATIVE:
            return _parts(*_representative(state, name))
        case "me":
            visitor = state.visitors.get(name)
            shares = _alone(state, visitor.shares if visitor is not None else ())
            return _parts(("requests", _requests_of(state, name)), ("shares", shares))
        case "subportal":
            return _parts(("offers", _broadcasts(state, name)), ("subportals", _subportal(state, name)))
        case "session":
            name, _, part = name.partition(":")
            return _parts(
                ("sessions", _session(state, name)),
                ("members", _members(state, name, masked=bool(part))),
                ("shares", _share_of(state, name)),
            )
        case "team":
            return _parts(("representatives", _team(state, name)))
        case "cases":
            return _parts(("cases", case_view.listed(state, name)))
        case "account":
            return _parts(("subportals", _lines(desk)))
        case _:
            return [{}]


def _parts(*groups: tuple[str, Iterable[Part]]) -> list[Part]:
    parts: list[Part] = []
    for name, items in groups:
        remaining = iter(items)
        while chunk := list(islice(remaining, PART_ITEMS)):
            parts.append({name: chunk})
    return parts or [{}]


def _representative(state: State, name: str) -> list[tuple[str, Iterable[Part]]]:
    person = state.representatives.get(name)
    if person is None:
        return []
    member = state.router.members[name]
    presence: Part = {
        "presence": person.presence,
        "load": member.load,
        "capacity": person.capacity,
        "team": person.team,
        "subportals": list(state.teams[person.team].subportals),
    }
    presence["cases_seen"] = person.cases_seen
    presence["unread"] = unread(state, state.teams[person.team].subportals, person.cases_seen)
    if person.taken_over:
        presence["taken_over"] = True
    return [
        ("presence", [presence]),
        ("offers", [_offer(state, state.offers[offer]) for offer in person.offers]),
        ("sessions", [_granted(state, person, state.sessions[session]) for session in person.sessions]),
        ("shares", _alone(state, person.shares)),
        ("guest_of", [_guest(state, state.sessions[session], name) for session in person.guest]),
        ("wrap_ups", [{"session": name, "until": work.until} for name, work in person.wrap_ups.items()]),
        ("cases", case_view.mine(state, name)),
    ]


def _offer(state: State, offer: Offer) -> Part:
    request = state.requests[offer.request]
    part: Part = {
        "offer": offer.offer,
        "request": offer.request,
        "subportal": offers.place_of(state, offer),
        "kind": offer.kind,
        "deadline": offer.deadline,
        "arrived": request.arrived,
        "text": request.text,
        "name": request.name,
        "fields": request.fields,
        "page": request.page,
        "by": offer.by,
    }
    if offer.comment is not None:
        part["comment"] = offer.comment
    if offer.kind == "invite":
        part.update(view_only=offer.view_only, masked=offer.masked)
    return part


def _session_part(state: State, session: Session) -> Part:
    request = state.requests[session.request]
    holder = session.representative
    return {
        "session": session.session,
        "request": session.request,
        "subportal": session.subportal,
        "representative": session.representative,
        "representative_name": None if holder is None else state.representatives[holder].name,
        "state": session.state,
        "web_chat": session.web_chat,
        "messages": session.messages,
        "name": request.name,
        "fields": request.fields,
        "page": request.page,
        "text": request.text,
        "since": session.since,
        "share": None if session.share is None else _share(state.shares[session.share]),
    }


def _share(share: Share) -> Part:
    """What its next step is, for whom."""
    part: Part = {"share": share.share, "session": share.session, "state": share.state}
    if share.state in share_ends.AGREED:
        part["grant"] = functions.grant(share.functions, control=share.control)
    elif share.wanted:
        part["asks"] = ["view", "control"]
    else:
        part["asks"] = ["view"]
    if share.asked is not None:
        return {**part, "asks": ["control"], "until": share.asked}
    return part if share.until is None else {**part, "until": share.until}


def _alone(state: State, shares: Iterable[str]) -> Iterator[Part]:
    """Shares that have outlived their sessions."""
    for share in (state.shares[name] for name in shares):
        if share.session not in state.sessions:
            yield _share(share)


def _granted(state: State, person: Representative, session: Session) -> Part:
    portal = state.portals[state.requests[session.request].portal]
    granted: Part = {"functions": list(functions.on(state, portal, person)), "offered": _asked(state, session)}
    if portal.own_outcomes:
        granted["outcomes"] = list(portal.own_outcomes)
    if looking := [_leg(who, member) for who, member in session.members.items() if member.leg is not None]:
        granted["legs"] = looking
    return {**_session_part(state, session), **granted}


def _leg(who: str, member: Member) -> Part:
    """A guest who looks, as whoever passes the picture on knows it."""
    control = "control" in member.functions
    return {"leg": member.leg, "representative": who, "control": control, "functions": list(member.functions)}


def _asked(state: State, session: Session) -> list[Part]:
    """What whoever has a session has asked others about it."""
    asked: list[Part] = []
    for offer in (state.offers[name] for name in ([session.transfer] if session.transfer else []) + [*session.invites]):
        to = {"representative": offer.representative} if offer.subportal is None else {"subportal": offer.subportal}
        asked.append({"offer": offer.offer, "kind": offer.kind, "deadline": offer.deadline, **to})
    return asked


def _guest(state: State, session: Session, name: str) -> Part:
    member = session.members[name]
    part = {**_session_part(state, session), "view_only": member.view_only, "masked": member.masked}
    return part if member.leg is None else {**part, "leg": member.leg}


def _requests_of(state: State, visitor: str) -> Iterator[Part]:
    person = state.visitors.get(visitor)
    for name in person.requests.values() if person is not None else ():
        request = state.requests[name]
        who = request.representative
        part: Part = {
            "request": name,
            "session": request.session,
            "portal": request.portal,
            "subportal": request.subportal,
            "state": request.state,
            "class": request.class_,
            "arrived": request.arrived,
            "representative": who,
            "representative_name": state.representatives[who].name if who is not None else None,
        }
        if request.discipline == "queue" and request.state != "assigned":
            part["position"] = state.router.position(name)
            part["wait_ms"] = estimate.wait(state.router, name)
        yield part


def _broadcasts(state: State, subportal: str) -> Iterator[Part]:
    for offer in state.offers.values():
        if offer.representative is None and offers.place_of(state, offer) == subportal:
            yield _offer(state, offer)


def _subportal(state: State, name: str) -> Iterator[Part]:
    one = state.subportals.get(name)
    if one is not None:
        yield {"subportal": name, "portal": one.portal, **_state(one)}


def _state(one: Subportal) -> Part:
    return {"state": one.told[0], "opens": one.told[1], "closes": one.told[2]}


def _session(state: State, name: str) -> Iterator[Part]:
    session = state.sessions.get(name)
    if session is not None:
        yield _session_part(state, session)


def _members(state: State, name: str, *, masked: bool) -> Iterator[Part]:
    """Its guests; those that its customer isn't to see only where that doesn't read."""
    session = state.sessions.get(name)
    for who, member in session.members.items() if session is not None else ():
        if not member.masked or masked:
            part: Part = {"representative": who, "name": state.representatives[who].name, "since": member.since}
            part["view_only"] = member.view_only
            if member.masked:
                part["masked"] = True
            if member.leg is not None:
                part["sees_screen"] = True
            yield part


def _share_of(state: State, session: str) -> Iterator[Part]:
    """The share that has outlived this session."""
    share = state.sharing.get(session)
    return _alone(state, () if share is None else (share,))


def _team(state: State, name: str) -> Iterator[Part]:
    team = state.teams.get(name)
    for member in sorted(team.members) if team is not None else ():
        person = state.representatives[member]
        yield {
            "representative": member,
            "name": person.name,
            "presence": person.presence,
            "load": state.router.members[member].load,
            "offers": len(person.offers),
            "capacity": person.capacity,
        }


def _lines(desk: Desk) -> Iterator[Part]:
    waiting = dict(desk.lines())
    for one in desk.state.subportals.values():
        line = desk.state.router.lines[one.subportal]
        handle_ms = round(line.handle_ms) if line.handled else None
        yield {
            "subportal": one.subportal,
            "portal": one.portal,
            "waiting": waiting.get(one.subportal, 0),
            "handle_ms": handle_ms,
            **_state(one),
        }
