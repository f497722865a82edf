"""Offers: from a match to an event, accepted once, declined, timed out, or taken back.

An offer never loses its request's place: whatever ends it without an assignment puts the request back
where it was, with its age, and whoever had it behind everyone else in this round.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, waits
from broker.desk.outcome import Decision, Refusal, no_such, wrong_state
from broker.desk.skills import fits
from broker.desk.state import Context, Offer, Representative, Request, State
from broker.desk.transitions import OFFER, REQUEST, move
from broker.protocol import ops
from broker.routing.model import Match, RoundOver, Ticket

COLLEAGUES: Final = ("transfer", "invite")
"""Kinds of offers by which one representative asks others about its session; see ``colleagues``."""

# --- decide ----------------------------------------------------------------------------------------


def from_match(state: State, match: Match | RoundOver, now: int) -> e.Event:
    """The event that carries out what ``routing.matching`` found."""
    request = state.requests[match.request]
    if isinstance(match, RoundOver):
        return e.RoundPaused(request.request, now + limits.ROUND_PAUSE)
    deadline = None
    if match.member is not None:
        deadline = now + state.portals[request.portal].offer_ms
    return made(request, match.discipline, match.member, deadline, None)


def made(request: Request, kind: str, who: str | None, deadline: int | None, by: str | None) -> e.OfferMade:
    """The event of an offer: with a deadline where it is to somebody, or about a session."""
    return e.OfferMade(
        offer=f"o_{request.request[2:]}.{request.offers + 1}",
        request=request.request,
        subportal=request.subportal,
        kind=kind,
        representative=who,
        deadline=deadline,
        arrived=request.arrived,
        text=request.text,
        name=request.name,
        by=by,
        fields=request.fields,
        page=request.page,
    )


def accept(state: State, command: ops.OfferAccept, context: Context) -> Decision | Refusal:
    """Take an offered request."""
    found = addressed(state, command.offer, context)
    if isinstance(found, Refusal):
        return found
    offer, person = found
    request = state.requests[offer.request]
    if offer.deadline is not None and offer.deadline <= context.now:
        return EXPIRED
    if offer.kind == "broadcast" and (refusal := no_room(state, request, person)) is not None:
        return refusal
    value = {"request": request.request, "session": request.session}
    return Decision([assigned(state, request, person, offer.kind, offer.offer)], value)


EXPIRED: Final = Refusal(Code.OFFER_GONE, "the offer has expired", {"reason": "expired"})


def addressed(state: State, name: str, context: Context) -> tuple[Offer, Representative] | Refusal:
    """A pending offer, and whoever asks, if it is meant for that one."""
    assert context.identity is not None
    person = state.representatives.get(context.identity.person)
    offer = state.offers.get(name)
    if person is None or offer is None:
        return gone(state, name)
    return _not_for(state, offer, person) or (offer, person)


def no_room(state: State, request: Request, person: Representative) -> Refusal | None:
    """Of an offer that keeps nobody a place: whether this one has none."""
    if state.router.members[person.representative].takes(places_of(state, request)):
        return None
    return wrong_state("full" if person.available else person.presence, "session.end", "presence.set")


def assigned(state: State, request: Request, person: Representative, kind: str, offer: str | None) -> e.RequestAssigned:
    """The event of an assignment."""
    return e.RequestAssigned(
        request=request.request,
        session=request.session,
        subportal=request.subportal,
        visitor=request.visitor,
        representative=person.representative,
        team=person.team,
        offer=offer,
        kind=kind,
        pin=None,
        pin_expires=None,
        text=request.text,
        customer_name=request.name,
        representative_name=person.name,
        load=state.router.members[person.representative].load + places_of(state, request),
        capacity=person.capacity,
        fields=request.fields,
        functions=functions.on(state, state.portals[request.portal], person),
        page=request.page,
        opens=request.session not in state.sessions,
        outcomes=state.portals[request.portal].own_outcomes,
    )


def places_of(state: State, request: Request) -> int:
    """How much of a representative's capacity it takes."""
    return state.portals[request.portal].places


def place_of(state: State, offer: Offer) -> str:
    """The sub-portal that an offer is made in."""
    return offer.subportal or state.requests[offer.request].subportal


def kept(state: State, offer: Offer) -> int:
    """How much of a representative's capacity is kept for it: guests take none."""
    return 0 if offer.kind == "invite" else places_of(state, state.requests[offer.request])


def decline(state: State, command: ops.OfferDecline, context: Context) -> Decision | Refusal:
    """Refuse an offer; it goes to the next."""
    found = addressed(state, command.offer, context)
    if isinstance(found, Refusal):
        return found
    offer, person = found
    value = {"offer": offer.offer}
    if offer.representative is None:
        declined = e.BroadcastDeclined(offer.offer, offer.request, person.representative, command.reason)
        return Decision([declined], value)
    return Decision(end(state, offer, "declined", command.reason), value)


def expire(state: State, name: str, now: int) -> list[e.Event]:
    """The offer's deadline has come. Who has missed so many in a row as its team allows is set away."""
    offer = state.offers[name]
    happened = end(state, offer, "expired")
    if offer.representative is None or offer.kind == "invite":  # nobody's miss: it was one of many, or doing a favour
        return happened
    person = state.representatives[offer.representative]
    most = state.teams[person.team].away_after
    if most is not None and person.missed + 1 >= most and person.available:
        happened.append(e.PresenceChanged(person.representative, person.team, "away", "broker", "missed_offers"))
        happened += withdraw_all(state, person, ended=name)
    return happened


def end(state: State, offer: Offer, reason: str, code: str | None = None) -> list[e.Event]:
    """End an offer without an assignment; a picked representative's refusal leaves the request unplaced."""
    request = state.requests[offer.request]
    place = place_of(state, offer)
    ended = e.OfferEnded(offer.offer, offer.request, place, offer.kind, offer.representative, reason, code, offer.by)
    if offer.kind != "direct" or reason in ("revoked", "rescinded"):
        return [ended]
    return [ended, unplaced(state, request, reason)]


def unplaced(state: State, request: Request, reason: str) -> e.RequestUnplaced:
    """The picked representative won't come: the portal says whether everyone is asked instead."""
    fallback = state.portals[request.portal].pick_fallback == "broadcast"
    return e.RequestUnplaced(
        request.request, request.visitor, request.target or request.representative or "", reason, fallback
    )


def revoke(state: State, request: Request) -> list[e.Event]:
    """Take back the pending offer of a request that is about to end."""
    return [] if request.offer is None else end(state, state.offers[request.offer], "revoked")


def take_away(state: State, person: Representative, subportals: Collection[str]) -> list[e.Event]:
    """A representative no longer serves these: what came from there, or waits for it, goes to others; its sessions
    stay."""
    happened: list[e.Event] = []
    for name in person.offers:
        offer = state.offers[name]
        if offer.kind not in COLLEAGUES and state.requests[offer.request].subportal in subportals:
            happened += end(state, offer, "gone")
    for key in state.router.members[person.representative].direct:
        if state.requests[key[2]].subportal in subportals:
            happened.append(unplaced(state, state.requests[key[2]], "gone"))
    return happened + _release(state, person, subportals)


def _release(state: State, person: Representative, subportals: Collection[str]) -> list[e.Event]:
    """What is held for it in these is held no longer."""
    return [_released(ticket) for ticket in _held(state, person) if ticket.subportal in subportals]


def release_unfit(
    state: State, person: Representative, put: e.RepresentativePut, released: Collection[str]
) -> list[e.Event]:
    """A representative can do less from now on: what is held for it and beyond it is held no longer. ``released``:
    sub-portals whose requests are released already."""
    return [
        _released(ticket)
        for ticket in _held(state, person)
        if ticket.subportal not in released and (put.capacity < ticket.places or not fits(put.skills, ticket.need))
    ]


def _held(state: State, person: Representative) -> list[Ticket]:
    """The tickets that are held for it, by sub-portal and place."""
    holds = state.router.members[person.representative].holds
    return [state.router.tickets[key[2]] for subportal in sorted(holds) for key in holds[subportal]]


def _released(ticket: Ticket) -> e.RequestReleased:
    return e.RequestReleased(ticket.request, ticket.held or "", "gone")


def end_asked(state: State, subportals: Collection[str]) -> list[e.Event]:
    """These sub-portals are gone: what was offered to all of their people is offered to nobody."""
    asked = [offer for offer in state.offers.values() if offer.subportal in subportals] if subportals else []
    return [event for offer in asked for event in end(state, offer, "gone")]


def make_fit(state: State, person: Representative, capacity: int, ended: Collection[e.Event]) -> list[e.Event]:
    """A representative may carry less from now on (F4): the newest offers go to others, sessions stay.
    ``ended``: events that take some of its offers already."""
    taken = {event.offer for event in ended if isinstance(event, e.OfferEnded)}
    left = {name: kept(state, state.offers[name]) for name in person.offers if name not in taken}
    left = {name: places for name, places in left.items() if places}
    used = state.router.members[person.representative].load + sum(left.values())
    happened: list[e.Event] = []
    while left and used > capacity:
        name, places = left.popitem()
        used -= places
        happened += end(state, state.offers[name], "gone")
    return happened


def withdraw_all(state: State, person: Representative, ended: str | None = None) -> list[e.Event]:
    """A representative is no longer there for offers: its own go back (but for one that has ended), those who picked it
    are told, and nothing waits for it."""
    happened: list[e.Event] = []
    for name in person.offers:
        if name != ended:
            happened += end(state, state.offers[name], "gone")
    member = state.router.members[person.representative]
    happened += [unplaced(state, state.requests[key[2]], "gone") for key in member.direct]
    return happened + _release(state, person, member.holds)


def _not_for(state: State, offer: Offer, person: Representative) -> Refusal | None:
    if offer.representative is not None:
        return None if offer.representative == person.representative else no_such("offer")
    subportal = place_of(state, offer)
    if person.chosen == "offline" or subportal not in state.teams[person.team].subportals:
        return no_such("offer")
    return None


def gone(state: State, name: str) -> Refusal:
    """Of an offer that isn't there: what became of it."""
    ended = state.ended_offers.get(name)
    if ended is None:
        return no_such("offer")
    detail: dict[str, object] = {"reason": ended.reason}
    if ended.reason == "taken" and ended.representative in state.representatives:
        detail["representative"] = ended.representative
        detail["name"] = state.representatives[ended.representative].name
    return Refusal(Code.OFFER_GONE, f"the offer has ended: {ended.reason}", detail)


# --- evolve ----------------------------------------------------------------------------------------


def offer_made(state: State, event: e.OfferMade, t: int) -> None:
    """Apply ``OfferMade``."""
    offer = Offer(event.offer, event.request, event.kind, event.representative, event.deadline, t, event.by)
    if offer.kind in COLLEAGUES:
        offer.subportal = event.subportal if event.representative is None else None
        offer.view_only, offer.masked, offer.comment = event.view_only, event.masked, event.comment
    request = state.requests[event.request]
    request.offers += 1
    state.offers[offer.offer] = offer
    state.deadlines.set("offer", offer.offer, offer.deadline)
    if offer.kind == "transfer":
        state.sessions[request.session].transfer = offer.offer
    elif offer.kind == "invite":
        state.sessions[request.session].invites[offer.offer] = None
    else:
        request.offer, request.state = offer.offer, move(REQUEST, request.state, event.TYPE)
        waits.disarm_overflow(state, request)
        state.router.offered(request.request, offer.representative)
    if offer.representative is not None:
        state.representatives[offer.representative].offers[offer.offer] = None
        state.router.add_offers(offer.representative, kept(state, offer))


def offer_renewed(state: State, event: e.OfferRenewed, t: int) -> None:
    """Apply ``OfferRenewed``."""
    state.offers[event.offer].deadline = event.deadline
    state.deadlines.set("offer", event.offer, event.deadline)


def offer_ended(state: State, event: e.OfferEnded, t: int) -> None:
    """Apply ``OfferEnded``: the request is where it was."""
    offer = close(state, event.offer, move(OFFER, "pending", event.TYPE, event.reason), event.representative)
    request = state.requests[event.request]
    if offer.representative is not None:
        state.router.add_offers(offer.representative, -kept(state, offer))
        _count_missed(state.representatives[offer.representative], event)
    if event.kind == "transfer":
        state.sessions[request.session].transfer = None
        return
    if event.kind == "invite":
        del state.sessions[request.session].invites[event.offer]
        return
    request.offer, request.state = None, move(REQUEST, request.state, event.TYPE)
    refused_by = event.representative if event.reason in ("declined", "expired", "gone") else None
    state.router.returned(request.request, refused_by)
    waits.end_hold(state, request)
    waits.arm_overflow(state, request)


def _count_missed(person: Representative, event: e.OfferEnded) -> None:
    if event.reason == "expired":
        person.missed += event.kind != "invite"
    elif event.reason == "declined":
        person.missed = 0


def close(state: State, name: str, reason: str, who: str | None) -> Offer:
    """An offer is over, one way or the other. The place that it held in its representative's load is the caller's to
    free, with what else changes there."""
    offer = state.offers.pop(name)
    state.deadlines.set("offer", name, None)
    state.remember_offer(name, reason, who)
    state.release(offer.comment)
    if offer.representative is not None:
        del state.representatives[offer.representative].offers[name]
    return offer


def round_paused(state: State, event: e.RoundPaused, t: int) -> None:
    """Apply ``RoundPaused``."""
    state.router.pause(event.request)
    state.deadlines.set("round", event.request, event.until)


def round_started(state: State, event: e.RoundStarted, t: int) -> None:
    """Apply ``RoundStarted``."""
    state.deadlines.set("round", event.request, None)
    state.router.next_round(event.request)


def broadcast_declined(state: State, event: e.BroadcastDeclined, t: int) -> None:
    """Apply ``BroadcastDeclined``: it is still open for the others, and whoever declined is there."""
    state.representatives[event.representative].missed = 0
    offer = state.offers[event.offer]
    if offer.kind in COLLEAGUES:  # which end with the last of them
        offer.declined = tuple(dict.fromkeys((*offer.declined, event.representative)))
