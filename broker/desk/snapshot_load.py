"""The other half of ``snapshot``: a dump's rows back into a desk, lines, pools, deadlines and counters rebuilt."""

from __future__ import annotations

from collections import OrderedDict

from broker.desk import account as account_settings
from broker.desk import casebook, files, share_state, waits
from broker.desk.desk import Desk
from broker.desk.flow import Flow
from broker.desk.hours import restore
from broker.desk.offers import kept
from broker.desk.snapshot import Dump, Row
from broker.desk.state import (
    Access,
    ApiKey,
    Block,
    Case,
    CaseMail,
    EndedOffer,
    EndedSession,
    File,
    Manager,
    Member,
    Monitor,
    Offer,
    Pin,
    Portal,
    Reply,
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
from broker.desk.visitors import wake_for_visitors
from broker.routing.model import Ticket, make_key
from broker.routing.pins import PinSpace


def load(account: str, slot: int, pinspace: PinSpace, data: Dump, times: Times | None = None) -> Desk:
    """The desk that ``dump`` was made of."""
    desk = Desk(account, slot, pinspace, times)
    desk.seq, desk.last_t = data["seq"], data["last_t"]
    state = desk.state
    state.next_serial, state.next_number = data["next_serial"], data["next_number"]
    state.next_listed = data["next_listed"]
    state.account_settings = account_settings.of_row(tuple(data["account"]))
    _load_configuration(state, data)
    _load_access(state, data)
    _load_people(state, data)
    _load_open(state, data)
    _load_cases(state, data)
    state.ended_offers = OrderedDict(
        (name, EndedOffer(reason, who)) for name, reason, who in _rows(data["ended_offers"])
    )
    state.ended_sessions = OrderedDict((name, EndedSession(*row)) for name, *row in _rows(data["ended_sessions"]))
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
    for name, *reply in _rows(data["replies"]):
        one = Reply(*reply)
        state.teams[name].replies[one.reply] = one
        state.replies_bytes += one.size
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
    for *facts, email, management, seen, sessions, offers, pins, wrap_ups, idle_since, turn, tag, vacate in _rows(
        data["representatives"]
    ):
        person = Representative(*facts)
        person.email, person.management, person.cases_seen = email, management, seen
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
            state.router.add_offers(offer.representative, kept(state, offer))
    for *of_session, guests, invites, monitors in _rows(data["sessions"]):
        session = Session(*of_session)
        state.sessions[session.session] = session
        for name, *facts in guests:
            session.members[name] = Member(*facts)
            state.representatives[name].guest[session.session] = None
        session.invites = dict.fromkeys(invites)
        session.monitors = {name: Monitor(*facts) for name, *facts in monitors}
        if monitors:
            state.monitored[session.session] = None
        if session.representative is None:
            continue
        member = state.router.members[session.representative]
        places = state.portals[state.requests[session.request].portal].places
        state.router.add_load(session.representative, places, member.idle_since)
    for row in _rows(data["shares"]):
        share_state.keep(state, Share(*row))
    for row in _rows(data["files"]):
        files.keep(state, File(*row))


def _load_cases(state: State, data: Dump) -> None:
    """On the shelves they stand in the order in which they came there."""
    for *fields, former in _rows(data["cases"]):
        case = Case(*fields)
        case.former = tuple(map(tuple, former))
        state.cases[case.case] = case
    state.case_mails = {row[0]: CaseMail(*row) for row in _rows(data["case_mails"])}
    casebook.fill(state.shelves, state.cases.values())


def _load_ticket(state: State, request: Request, ticket: Ticket, *, paused: bool) -> None:
    router = state.router
    router.add_ticket(ticket)
    if request.state == "offered":
        router.offered(request.request, None)
    elif request.state == "assigned":
        router.assigned(request.request)
    elif paused:
        router.pause(request.request)
