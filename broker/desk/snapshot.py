"""A desk as plain data and back: what the follower stores, and what F21 compares.

Only facts are dumped. Lines, pools, deadlines and counters are rebuilt from them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypedDict

import attrs

from broker.desk.desk import Desk
from broker.desk.presence import wake_for_visitors
from broker.desk.state import (
    EndedOffer,
    Offer,
    Pin,
    Portal,
    Representative,
    Request,
    Session,
    Share,
    State,
    Team,
    Times,
    Visitor,
)
from broker.routing.model import Ticket
from broker.routing.pins import PinSpace
from broker.routing.router import make_key

VERSION = 1
"""Of this format: a snapshot of another version is ignored, and the whole journal is replayed."""

Row = tuple[object, ...]


class Dump(TypedDict):
    """One desk as msgpack can carry it."""

    seq: int
    last_t: int
    next_serial: int
    next_number: int
    portals: list[Row]
    teams: list[Row]
    representatives: list[Row]
    visitors: list[Row]
    idle_visitors: list[str]
    requests: list[Row]
    offers: list[Row]
    sessions: list[Row]
    shares: list[Row]
    pins: list[Row]
    ended_offers: list[Row]
    ended_sessions: list[Row]
    streams: dict[str, int]


def dump(desk: Desk) -> Dump:
    """Everything that a later ``load`` needs, in a canonical order."""
    state = desk.state
    members, tickets = state.router.members, state.router.tickets
    return {
        "seq": desk.seq,
        "last_t": desk.last_t,
        "next_serial": state.next_serial,
        "next_number": state.next_number,
        "portals": [_row(portal) for portal in state.portals.values()],
        "teams": [(team.team, team.title, team.subportals) for team in state.teams.values()],
        "representatives": [
            (
                person.representative,
                person.name,
                person.team,
                person.capacity,
                person.chosen,
                person.connected,
                person.lease_until,
                person.hold_until,
                tuple(person.sessions),
                tuple(person.offers),
                tuple(person.pins),
                members[name].idle_since,
            )
            for name, person in state.representatives.items()
        ],
        "visitors": [
            (visitor.visitor, tuple(visitor.requests.items()), visitor.lost_until, visitor.ended)
            for visitor in state.visitors.values()
        ],
        "idle_visitors": list(state.idle_visitors),
        "requests": [
            (*_row(request), state.deadlines.get("round", name), *_routing_of(tickets.get(name)))
            for name, request in state.requests.items()
        ],
        "offers": [_row(offer) for offer in state.offers.values()],
        "sessions": [_row(session) for session in state.sessions.values()],
        "shares": [_row(share) for share in state.shares.values()],
        "pins": [_row(pin) for pin in state.pins.values()],
        "ended_offers": [(name, ended.reason, ended.representative) for name, ended in state.ended_offers.items()],
        "ended_sessions": [(name, *parties) for name, parties in state.ended_sessions.items()],
        "streams": dict(state.streams),
    }


def _row(value: attrs.AttrsInstance) -> Row:
    return attrs.astuple(value, recurse=False)


def _routing_of(ticket: Ticket | None) -> Row:
    return ((), False) if ticket is None else (tuple(sorted(ticket.refused)), ticket.paused)


def load(account: str, slot: int, pinspace: PinSpace, data: Dump, times: Times | None = None) -> Desk:
    """The desk that ``dump`` was made of."""
    desk = Desk(account, slot, pinspace, times)
    desk.seq, desk.last_t = data["seq"], data["last_t"]
    state = desk.state
    state.next_serial, state.next_number = data["next_serial"], data["next_number"]
    _load_configuration(state, data)
    _load_people(state, data)
    _load_open(state, data)
    state.ended_offers = OrderedDict(
        (name, EndedOffer(reason, who)) for name, reason, who in _rows(data["ended_offers"])
    )
    state.ended_sessions = OrderedDict((name, (visitor, who)) for name, visitor, who in _rows(data["ended_sessions"]))
    state.streams = dict(data["streams"])
    wake_for_visitors(state)
    desk.settle()
    return desk


def _rows(rows: list[Row]) -> list[tuple]:  # type: ignore[type-arg]  # what a dump holds, its reader knows
    return [tuple(row) for row in rows]


def _load_configuration(state: State, data: Dump) -> None:
    for row in _rows(data["portals"]):
        portal = Portal(*row)
        state.portals[portal.portal] = portal
        for name in portal.subportals:
            state.subportals[name] = portal.portal
            state.router.put_line(name)
    for name, title, subportals in _rows(data["teams"]):
        state.teams[name] = Team(name, title, subportals)
        for subportal in subportals:
            state.serving.setdefault(subportal, set()).add(name)


def _load_people(state: State, data: Dump) -> None:
    for *facts, sessions, offers, pins, idle_since in _rows(data["representatives"]):
        person = Representative(*facts)
        person.sessions, person.offers, person.pins = map(dict.fromkeys, (sessions, offers, pins))
        name = person.representative
        state.representatives[name] = person
        team = state.teams[person.team]
        team.members.add(name)
        team.signed_in += person.chosen != "offline"
        state.router.put_member(name, person.capacity, team.subportals)
        member = state.router.members[name]
        member.load, member.offers, member.idle_since = len(sessions), len(offers), idle_since
        state.router.set_available(name, idle_since, available=person.available, rested=False)
        state.deadlines.set("lease", name, person.lease_until)
        state.deadlines.set("hold", name, person.hold_until)
    for name, requests, lost_until, ended in _rows(data["visitors"]):
        state.visitors[name] = Visitor(name, dict(requests), lost_until, ended)
        state.deadlines.set("abandon", name, lost_until)
    state.idle_visitors = OrderedDict.fromkeys(data["idle_visitors"])
    for row in _rows(data["pins"]):
        pin = Pin(*row)
        state.pins[pin.pin] = pin
        if pin.state == "live":
            state.serials[pin.serial] = pin.pin
            state.deadlines.set("pin", pin.pin, pin.expires)


def _load_open(state: State, data: Dump) -> None:
    for *facts, round_until, refused, paused in _rows(data["requests"]):
        request = Request(*facts)
        state.requests[request.request] = request
        state.deadlines.set("round", request.request, round_until)
        if request.discipline != "pin":
            _load_ticket(state, request, frozenset(refused), paused=paused)
    for row in _rows(data["offers"]):
        offer = Offer(*row)
        state.offers[offer.offer] = offer
        state.deadlines.set("offer", offer.offer, offer.deadline)
    for row in _rows(data["sessions"]):
        session = Session(*row)
        state.sessions[session.session] = session
    for row in _rows(data["shares"]):
        share = Share(*row)
        state.shares[share.share] = share
        state.deadlines.set("consent", share.share, share.until)


def _load_ticket(state: State, request: Request, refused: frozenset[str], *, paused: bool) -> None:
    key = make_key(request.arrived, request.number, request.request)
    ticket = Ticket(request.request, request.subportal, key, request.discipline, request.target, refused)
    router = state.router
    router.add_ticket(ticket)
    if request.state == "offered":
        router.offered(request.request)
    elif request.state == "assigned":
        router.assigned(request.request)
    elif paused:
        router.pause(request.request)
