"""A desk as plain data and back: what the follower stores, and what F21 compares.

Only facts are dumped. Lines, pools, deadlines and counters are rebuilt from them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import attrgetter
from typing import Final, TypedDict, cast

import attrs

from broker.desk import account as account_settings
from broker.desk import waits
from broker.desk.desk import Desk
from broker.desk.flow import Flow
from broker.desk.hours import as_data, restore
from broker.desk.presence import wake_for_visitors
from broker.desk.state import (
    Access,
    ApiKey,
    Block,
    EndedOffer,
    Manager,
    Offer,
    Pin,
    Portal,
    Representative,
    Request,
    Service,
    Session,
    Share,
    SignIn,
    State,
    Subportal,
    Team,
    Times,
    Visitor,
    WrapUp,
)
from broker.routing.model import Ticket, make_key
from broker.routing.pins import PinSpace

VERSION: Final = 7
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
    turns: int
    account: Row
    portals: list[Row]
    subportals: list[Row]
    teams: list[Row]
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
    offers: list[Row]
    sessions: list[Row]
    shares: list[Row]
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
    yield "offers", map(_OFFER, state.offers.values())
    yield "sessions", map(_SESSION, state.sessions.values())
    yield "shares", map(_SHARE, state.shares.values())
    yield "pins", map(_PIN, state.pins.values())
    yield (
        "ended_offers",
        ((name, ended.reason, ended.representative) for name, ended in state.ended_offers.items()),
    )
    yield "ended_sessions", ((name, *parties) for name, parties in state.ended_sessions.items())


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
_SUBPORTAL, _OFFER = map(_row_of, (Subportal, Offer))
_SESSION, _SHARE, _PIN = map(_row_of, (Session, Share, Pin))
_REQUEST: Final = _row_of(Request)
_MANAGER, _SERVICE, _SIGN_IN, _KEY = map(_row_of, (Manager, Service, SignIn, ApiKey))
_BLOCK: Final = _row_of(Block)
_VISITOR: Final = _row_of(Visitor, "requests")
_ACCESS: Final = _row_of(Access, "sign_ins", "keys")


def _routing_of(ticket: Ticket | None) -> Row:
    if ticket is None:
        return ((), False, None, (), None)
    charge = None if ticket.charge is None else (tuple(sorted(ticket.charge[0])), ticket.charge[1])
    return (tuple(sorted(ticket.refused)), ticket.paused, charge, ticket.need, ticket.held)


def load(account: str, slot: int, pinspace: PinSpace, data: Dump, times: Times | None = None) -> Desk:
    """The desk that ``dump`` was made of."""
    desk = Desk(account, slot, pinspace, times)
    desk.seq, desk.last_t = data["seq"], data["last_t"]
    state = desk.state
    state.next_serial, state.next_number = data["next_serial"], data["next_number"]
    state.account_settings = account_settings.of_row(tuple(data["account"]))
    _load_configuration(state, data)
    _load_access(state, data)
    _load_people(state, data)
    _load_open(state, data)
    state.ended_offers = OrderedDict(
        (name, EndedOffer(reason, who)) for name, reason, who in _rows(data["ended_offers"])
    )
    state.ended_sessions = OrderedDict((name, (visitor, who)) for name, visitor, who in _rows(data["ended_sessions"]))
    state.streams = dict(data["streams"])
    wake_for_visitors(state)
    state.router.turns = data["turns"]
    state.flow = Flow(desk.last_t, desk.last_t, sum(len(line.order) for line in state.router.lines.values()))
    desk.settle()
    return desk


def _rows(rows: list[Row]) -> list[tuple]:  # type: ignore[type-arg]  # what a dump holds, its reader knows
    return [tuple(row) for row in rows]


def _load_configuration(state: State, data: Dump) -> None:
    for *fields, hours, wake in _rows(data["portals"]):
        portal = Portal(*fields)
        portal.hours = None if hours is None else restore(hours)
        state.portals[portal.portal] = portal
        state.deadlines.set("hours", portal.portal, wake)
    for *fields, unstaffed, handled, handle_ms, waited_ms, gave_up in _rows(data["subportals"]):
        subportal = Subportal(*fields)
        state.subportals[subportal.subportal] = subportal
        state.deadlines.set("unstaffed", subportal.subportal, unstaffed)
        state.router.put_line(subportal.subportal)
        places = state.portals[subportal.portal].places
        state.router.tune(subportal.subportal, weight=subportal.weight, policy=subportal.policy, places=places)
        line = state.router.lines[subportal.subportal]
        line.handled, line.handle_ms, line.waited_ms, line.gave_up = handled, handle_ms, waited_ms, gave_up
    for name, title, subportals, *facts in _rows(data["teams"]):
        team = state.teams[name] = Team(name, title, subportals)
        team.away_after, team.parent, team.logins, team.functions = facts
        for subportal in subportals:
            state.serving.setdefault(subportal, set()).add(name)
    for team in state.teams.values():  # a parent may be younger than its sub-team
        if team.parent is not None:
            state.teams[team.parent].children.add(team.team)


def _load_access(state: State, data: Dump) -> None:
    state.managers = {row[0]: Manager(*row) for row in _rows(data["managers"])}
    state.services = {row[0]: Service(*row) for row in _rows(data["services"])}
    state.former = dict(_rows(data["former"]))
    state.access = {row[0]: Access(*row) for row in _rows(data["access"])}
    for row in _rows(data["sign_ins"]):
        one = SignIn(*row)
        state.sign_ins[one.sign_in] = one
        state.access[one.person].sign_ins[one.sign_in] = None
        state.deadlines.set("sign_in", one.sign_in, one.until)
    for row in _rows(data["keys"]):
        key = ApiKey(*row)
        state.keys[key.key] = key
        state.access[key.person].keys[key.key] = None
        state.deadlines.set("key", key.key, key.expires)
    for row in _rows(data["blocks"]):
        block = Block(*row)
        state.blocks[block.block] = block
        state.blocked.update(dict.fromkeys(block.targets, block.block))
        state.deadlines.set("block", block.block, block.until)


def _load_people(state: State, data: Dump) -> None:
    for *facts, email, management, sessions, offers, pins, wrap_ups, idle_since, turn, tag, vacate in _rows(
        data["representatives"]
    ):
        person = Representative(*facts)
        person.email, person.management = email, management
        person.sessions, person.offers, person.pins = map(dict.fromkeys, (sessions, offers, pins))
        name = person.representative
        for session, *work in wrap_ups:
            person.wrap_ups[session] = WrapUp(*work)
            state.wrapping[session] = name
            state.deadlines.set("wrap_up", session, person.wrap_ups[session].until)
        state.representatives[name] = person
        team = state.teams[person.team]
        team.members.add(name)
        team.signed_in += person.seated
        skills = dict(person.skills)
        state.router.put_member(name, person.capacity, team.subportals, weight=person.weight, skills=skills)
        member = state.router.members[name]
        member.load = sum(work.places for work in person.wrap_ups.values())
        member.idle_since, member.turn, member.tag = idle_since, turn, tag
        state.router.set_available(name, idle_since, available=person.available, rested=False)
        state.deadlines.set("lease", name, person.lease_until)
        state.deadlines.set("hold", name, person.hold_until)
        state.deadlines.set("vacate", name, vacate)
    for requests, name, *rest in _rows(data["visitors"]):
        visitor = state.visitors[name] = Visitor(name, dict(requests), *rest)
        state.deadlines.set("abandon", name, visitor.lost_until)
    state.idle_visitors = OrderedDict.fromkeys(data["idle_visitors"])
    for row in _rows(data["pins"]):
        pin = Pin(*row)
        state.pins[pin.pin] = pin
        if pin.state == "live":
            state.serials[pin.serial] = pin.pin
            state.deadlines.set("pin", pin.pin, pin.expires)


def _load_open(state: State, data: Dump) -> None:
    for *facts, round_until, refused, paused, charge, need, held in _rows(data["requests"]):
        request = Request(*facts)
        state.requests[request.request] = request
        state.deadlines.set("round", request.request, round_until)
        if request.discipline != "pin":
            key = make_key(request.arrived, request.number, request.request, request.boost)
            ticket = Ticket(request.request, request.subportal, key, request.discipline, request.target)
            ticket.refused, ticket.need, ticket.held = frozenset(refused), need, held
            ticket.places = state.portals[request.portal].places
            _load_ticket(state, request, ticket, paused=paused)
            if charge is not None:
                ticket.charge = (frozenset(charge[0]), charge[1])
        if request.state != "assigned":
            waits.arm(state, request)
            state.deadlines.set("sticky", request.request, request.held_until)
        if request.state == "offered":
            waits.disarm_overflow(state, request)
    for subportals, virtual, pace, tags in _rows(data["pools"]):
        state.router.restore(subportals, virtual, pace, dict(tags))
    for row in _rows(data["offers"]):
        offer = Offer(*row)
        state.offers[offer.offer] = offer
        state.deadlines.set("offer", offer.offer, offer.deadline)
        if offer.representative is not None:
            places = state.portals[state.requests[offer.request].portal].places
            state.router.add_offers(offer.representative, places)
    for row in _rows(data["sessions"]):
        session = Session(*row)
        state.sessions[session.session] = session
        member = state.router.members[session.representative]
        places = state.portals[state.requests[session.request].portal].places
        state.router.add_load(session.representative, places, member.idle_since)
    for row in _rows(data["shares"]):
        share = Share(*row)
        state.shares[share.share] = share
        state.deadlines.set("consent", share.share, share.until)


def _load_ticket(state: State, request: Request, ticket: Ticket, *, paused: bool) -> None:
    router = state.router
    router.add_ticket(ticket)
    if request.state == "offered":
        router.offered(request.request, None)
    elif request.state == "assigned":
        router.assigned(request.request)
    elif paused:
        router.pause(request.request)
