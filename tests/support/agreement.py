"""Where two desks, or a desk and the naive model, must agree: the words of each comparison, so that a difference reads
as a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from broker.desk import snapshot, snapshot_load
from broker.desk.desk import Desk
from broker.desk.events import OfferMade, pack_body, unpack_body
from broker.desk.outcome import Recorded
from broker.protocol.codec import pack_value, unpack_value
from broker.routing.explain import explain
from broker.routing.fairness import UNIT
from tests.support import builders
from tests.support.model import Model
from tests.support.model_things import Wish


def agree(desk: Desk, model: Model) -> None:
    """The desk is in the state that the model predicts."""
    state = desk.state
    assert list(state.requests) == [wish.name for wish in model.wishes]
    tickets = state.router.tickets
    requests = {
        name: (
            request.visitor,
            request.discipline,
            request.state,
            request.representative,
            request.target if request.state == "waiting" and request.discipline == "direct" else None,
            set(tickets[name].refused) if request.discipline == "queue" and request.state == "waiting" else set(),
            name in tickets and tickets[name].paused,
        )
        for name, request in state.requests.items()
    }
    expected = {
        wish.name: (
            wish.visitor,
            wish.how,
            wish.state,
            wish.owner,
            wish.target if wish.state == "waiting" and wish.how == "direct" else None,
            wish.refused if wish.how == "queue" and wish.state == "waiting" else set(),
            wish.paused,
        )
        for wish in model.wishes
    }
    assert requests == expected
    offers = {(o.offer, o.request, o.kind, o.representative, o.deadline) for o in state.offers.values()}
    assert offers == {(o.name, o.wish, o.kind, o.to, o.deadline) for o in model.proposals}
    for wish in model.wishes:
        _agree_on_place(desk, wish)
    shares = [(s.share, s.session, s.state, s.visitor, s.representative, s.control) for s in state.shares.values()]
    assert shares == [(s.name, f"s_{s.wish[2:]}", s.state, s.visitor, s.owner, s.control) for s in model.shares]
    for visitor in state.visitors.values():
        assert visitor.served_by == model.served_by.get(visitor.visitor), f"{visitor.visitor}: {visitor.served_by}"
    _agree_on_people(desk, model)
    _agree_on_turns(desk, model)
    due = [(t, kind, name) for t, kind, name in state.deadlines if kind != "visitors"]
    expected_due = model.due()
    assert due == expected_due, f"due {sorted(set(due) ^ set(expected_due))}, {len(due)} at the desk"


def _agree_on_place(desk: Desk, wish: Wish) -> None:
    """Where it stands, what it needs there, and whom it is kept for."""
    request, ticket = desk.state.requests[wish.name], desk.state.router.tickets.get(wish.name)
    assert (request.subportal, request.class_, request.boost) == (wish.line, wish.class_, wish.boost), request
    assert wish.how != "queue" or set(request.asked) == set(wish.asked), f"{wish.name} asks for {request.asked}"
    assert request.held_until == wish.kept_until, f"{wish.name} is held until {request.held_until}"
    if ticket is not None:
        assert ticket.held == wish.kept_for, f"{wish.name} is held for {ticket.held}"
        assert ticket.key[:2] == wish.place, f"{wish.name} has the key {ticket.key}"
        assert ticket.need == tuple(sorted(wish.need.items())), f"{wish.name} needs {ticket.need}"


def _agree_on_people(desk: Desk, model: Model) -> None:
    state = desk.state
    for person in model.people:
        mine = state.representatives[person.name]
        member = state.router.members[person.name]
        assert (mine.chosen, mine.connected, mine.team, mine.capacity) == (
            person.chosen,
            person.connected,
            person.team,
            person.capacity,
        )
        assert {state.sessions[name].request for name in mine.sessions} == {w.name for w in model.working(person.name)}
        wrap_ups = {session: wrap_up.until for session, wrap_up in mine.wrap_ups.items()}
        assert wrap_ups == {wrap_up.session: wrap_up.until for wrap_up in person.wrap_ups}
        assert mine.missed == person.missed, f"{person.name} has missed {mine.missed}"
        assert Fraction(member.tag, UNIT) == person.tag
        assert member.turn == person.turn
        assert member.idle_since == person.idle_since, f"{person.name} is idle since {member.idle_since}"
    for line in state.router.lines:
        queue = model.queue(line)
        assert [request for request, _, _ in desk.positions(line, 1, len(queue) + 1)] == queue
        for place, request in enumerate(queue, 1):
            assert state.router.position(request) == place


def _agree_on_turns(desk: Desk, model: Model) -> None:
    pools = desk.state.router.pools
    assert set(pools) == set(model.turns)
    for key, turns in model.turns.items():
        given = {line: Fraction(tag, UNIT) for line, tag in pools[key].tags.items() if tag}
        assert given == {line: amount for line, amount in turns.given.items() if amount}
        assert Fraction(pools[key].virtual, UNIT) == turns.last
        assert Fraction(pools[key].pace, UNIT) == turns.pace


def same_desk(one: Desk, other: Desk) -> None:
    """Both hold the same facts, and wait for the same."""
    assert snapshot.dump(one) == snapshot.dump(other)
    # of a request that waits between rounds, a snapshot keeps the deadline; it keeps none of those that do nothing
    assert list(one.state.deadlines) == list(other.state.deadlines)
    assert dict(one.lines()) == dict(other.lines())
    assert one.statistics() == other.statistics()


Stored = tuple[str, int, bytes, int, tuple[tuple[str, int, str], ...]]
"""A record as a journal keeps it: type, version, packed body, time, entries."""


def stored(record: Recorded) -> Stored:
    """What a journal keeps of a record."""
    event = record.event
    return event.TYPE, event.VERSION, pack_value(pack_body(event)), record.t, record.entries


def replay(desk: Desk, records: Sequence[Stored]) -> Desk:
    """Apply stored records to a desk, as after a restart. Each offer from a line is explained on the way (C17)."""
    for type_, version, body, t, entries in records:
        values = unpack_value(body)
        assert isinstance(values, tuple)
        event = unpack_body(type_, version, values)
        if isinstance(event, OfferMade) and event.kind == "queue":
            told = explain(desk.state.router, event.request)
            assert told.chosen == event.representative, f"{event.offer} went to {event.representative}: {told}"
        desk.evolve(event, t, entries)
    desk.settle()
    return desk


def reloaded(desk: Desk) -> Desk:
    """The same desk out of its packed snapshot."""
    data = unpack_value(pack_value(snapshot.dump(desk)))
    assert isinstance(data, dict)
    return snapshot_load.load(builders.ACCOUNT, builders.SLOT, desk.state.pinspace, data)  # type: ignore[arg-type]
