"""A desk as plain data and back: what the follower stores, and what F21 compares.

Only facts are dumped. Lines, pools, deadlines and counters are rebuilt from them.
"""
# size: one format, both ways; what is written and what is read are looked at side by side

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import Final, TypedDict, cast

import attrs

from broker.desk import account as account_settings
from broker.desk.desk import Desk
from broker.desk.hours import as_data
from broker.desk.state import (
    Access,
    ApiKey,
    Block,
    Case,
    CaseMail,
    EndedSession,
    File,
    Manager,
    Offer,
    Pin,
    Portal,
    Reply,
    Request,
    Service,
    Session,
    Share,
    SignIn,
    State,
    Subportal,
    Visitor,
)
from broker.routing.model import Ticket

VERSION: Final = 12
"""Of this format: a snapshot of another version is ignored, and the whole journal is replayed."""

PART_ROWS: Final = 500  # about 1 ms of reading and packing, which is what a commit may have to wait for

Row = tuple[object, ...]
Part = tuple[str, object]
"""(field of ``Dump``, its number, or some of its rows)."""


class Dump(TypedDict):
    """One desk as msgpack can carry it."""

    seq: int
    last_t: int
    next_serial: int
    next_number: int
    next_listed: int
    turns: int
    account: Row
    portals: list[Row]
    subportals: list[Row]
    teams: list[Row]
    replies: list[Row]
    representatives: list[Row]
    managers: list[Row]
    services: list[Row]
    former: list[Row]
    access: list[Row]
    sign_ins: list[Row]
    keys: list[Row]
    blocks: list[Row]
    visitors: list[Row]
    idle_visitors: list[str]
    requests: list[Row]
    pools: list[Row]
    cases: list[Row]
    case_mails: list[Row]
    offers: list[Row]
    sessions: list[Row]
    shares: list[Row]
    files: list[Row]
    pins: list[Row]
    ended_offers: list[Row]
    ended_sessions: list[Row]
    streams: dict[str, int]


def dump(desk: Desk) -> Dump:
    """Everything that a later ``load`` needs, in a canonical order."""
    return merged(parts(desk))


def merged(found: Iterable[Part]) -> Dump:
    """``parts`` put together again."""
    data: dict[str, object] = {name: [] for name in Dump.__annotations__}
    data["streams"] = {}
    for name, value in found:
        if isinstance(value, dict):
            cast("dict[str, int]", data[name]).update(value)
        elif isinstance(value, int) or name == "account":
            data[name] = value
        else:
            cast("list[object]", data[name]).extend(cast("Iterable[object]", value))
    return cast("Dump", data)


def parts(desk: Desk) -> Iterator[Part]:
    """The dump in pieces of at most ``PART_ROWS`` rows, each made when it is asked for. The desk must not change until
    the last one."""
    state = desk.state
    yield "seq", desk.seq
    yield "last_t", desk.last_t
    yield "next_serial", state.next_serial
    yield "next_number", state.next_number
    yield "next_listed", state.next_listed
    yield "turns", state.router.turns
    yield "account", account_settings.as_row(state.account_settings)
    for name, rows in _sections(state):
        while chunk := list(islice(rows, PART_ROWS)):
            yield name, chunk
    streams = iter(state.streams.items())
    while some := dict(islice(streams, PART_ROWS)):
        yield "streams", some


def _sections(state: State) -> Iterator[tuple[str, Iterator[object]]]:
    yield (
        "portals",
        (
            (*_PORTAL(portal), _hours(portal), state.deadlines.get("hours", portal.portal))
            for portal in state.portals.values()
        ),
    )
    yield "subportals", _subportals(state)
    yield "teams", map(_TEAM, state.teams.values())
    yield "replies", ((team.team, *_REPLY(one)) for team in state.teams.values() for one in team.replies.values())
    yield "representatives", _representatives(state)
    yield "managers", map(_MANAGER, state.managers.values())
    yield "services", map(_SERVICE, state.services.values())
    yield "former", iter(state.former.items())
    yield "access", map(_ACCESS, state.access.values())
    yield "sign_ins", map(_SIGN_IN, state.sign_ins.values())
    yield "keys", map(_KEY, state.keys.values())
    yield "blocks", map(_BLOCK, state.blocks.values())
    yield "visitors", ((tuple(one.requests.items()), *_VISITOR(one)) for one in state.visitors.values())
    yield "idle_visitors", iter(state.idle_visitors)
    yield "requests", _requests(state)
    yield "pools", _pools(state)
    yield "cases", map(_CASE, state.cases.values())
    yield "case_mails", map(_CASE_MAIL, state.case_mails.values())
    yield "offers", map(_OFFER, state.offers.values())
    yield "sessions", ((*_SESSION(session), *_company(session)) for session in state.sessions.values())
    yield "shares", map(_SHARE, state.shares.values())
    yield "files", map(_FILE, state.files.values())
    yield "pins", map(_PIN, state.pins.values())
    yield (
        "ended_offers",
        ((name, ended.reason, ended.representative) for name, ended in state.ended_offers.items()),
    )
    yield "ended_sessions", ((name, *_ENDED(one)) for name, one in state.ended_sessions.items())


def _representatives(state: State) -> Iterator[Row]:
    members = state.router.members
    for name, person in state.representatives.items():
        yield (
            person.representative,
            person.name,
            person.team,
            person.capacity,
            person.weight,
            person.skills,
            person.functions,
            person.chosen,
            person.connected,
            person.lease_until,
            person.hold_until,
            person.missed,
            person.taken_over,
            person.email,
            person.management,
            person.cases_seen,
            tuple(person.sessions),
            tuple(person.offers),
            tuple(person.pins),
            tuple((session, *attrs.astuple(work)) for session, work in person.wrap_ups.items()),
            members[name].idle_since,
            members[name].turn,
            members[name].tag,
            state.deadlines.get("vacate", name),
        )


def _subportals(state: State) -> Iterator[Row]:
    for name, subportal in state.subportals.items():
        line = state.router.lines[name]
        yield (*_SUBPORTAL(subportal), state.deadlines.get("unstaffed", name), *_MEASURED(line))


def _company(session: Session) -> Row:
    """Its guests, who else is asked, and who looks on."""
    members = tuple((name, *attrs.astuple(one)) for name, one in session.members.items())
    monitors = tuple((name, *attrs.astuple(one)) for name, one in session.monitors.items())
    return members, tuple(session.invites), monitors


def _hours(portal: Portal) -> object:
    return None if portal.hours is None else as_data(portal.hours)


def _requests(state: State) -> Iterator[Row]:
    tickets, deadlines = state.router.tickets, state.deadlines
    for name, request in state.requests.items():
        yield (*_REQUEST(request), deadlines.get("round", name), *_routing_of(tickets.get(name)))


def _pools(state: State) -> Iterator[Row]:
    """Whose turn it is. Facts, though routing keeps them: they are the sum of all offers since the pool began."""
    for key in sorted(state.router.pools, key=sorted):
        pool = state.router.pools[key]
        yield (tuple(sorted(key)), pool.virtual, pool.pace, tuple(sorted(pool.tags.items())))


def _row_of(cls: type[attrs.AttrsInstance], *but: str) -> Callable[[object], Row]:
    """All fields, in the order of the class."""
    names = (field.name for field in attrs.fields(cls) if field.name not in but)
    read: Callable[[object], Row] = attrgetter(*names)
    return read


_PORTAL: Final = _row_of(Portal, "hours")
_MEASURED: Final = attrgetter("handled", "handle_ms", "waited_ms", "gave_up")
_TEAM: Final = attrgetter("team", "title", "subportals", "away_after", "parent", "logins", "functions")
_SUBPORTAL, _OFFER, _REPLY = map(_row_of, (Subportal, Offer, Reply))
_SHARE, _PIN, _ENDED = map(_row_of, (Share, Pin, EndedSession))
_SESSION: Final = _row_of(Session, "members", "invites", "monitors")
_FILE: Final = _row_of(File)
_REQUEST: Final = _row_of(Request)
_CASE, _CASE_MAIL = map(_row_of, (Case, CaseMail))
_MANAGER, _SERVICE, _SIGN_IN, _KEY = map(_row_of, (Manager, Service, SignIn, ApiKey))
_BLOCK: Final = _row_of(Block)
_VISITOR: Final = _row_of(Visitor, "requests", "shares")
_ACCESS: Final = _row_of(Access, "sign_ins", "keys")


def _routing_of(ticket: Ticket | None) -> Row:
    if ticket is None:
        return ((), False, None, (), None)
    charge = None if ticket.charge is None else (tuple(sorted(ticket.charge[0])), ticket.charge[1])
    return (tuple(sorted(ticket.refused)), ticket.paused, charge, ticket.need, ticket.held)
