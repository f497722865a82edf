"""A desk on a virtual clock, watched: after every command and every deadline its state and its history are checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import attrs

from broker.codes import Code
from broker.content import DOCUMENT
from broker.desk import invariants, seats
from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost, MachineBack
from broker.desk.deadlines import Due
from broker.desk.desk import Desk
from broker.desk.events import (
    Event,
    RepresentativePut,
    RequestClassified,
    RequestCreated,
    RequestMoved,
    RequestRequeued,
    TeamDeleted,
    TeamPut,
)
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Recorded, Refusal
from broker.desk.portal_state import state_of
from broker.desk.publish import render, resolve
from broker.desk.state import Share
from broker.desk.watching import Side
from broker.protocol import ops
from tests.support import builders
from tests.support.history import History, expect

E = TypeVar("E", bound=Event)


@attrs.define
class Scene:
    """A desk, what time it is there, and all that has happened."""

    desk: Desk = attrs.field(factory=builders.desk)
    now: int = builders.START
    records: list[Recorded] = attrs.field(factory=list)
    history: History = attrs.field(factory=History)
    lowered: set[str] = attrs.field(factory=set)
    commands: int = 0
    seated: dict[str, int] = attrs.field(factory=dict)
    """Team with a limit to how many are signed in there."""
    over: set[str] = attrs.field(factory=set)
    """Teams with more than that."""
    places: dict[str, int] = attrs.field(factory=dict)
    """Request to its place in its line."""

    # --- commands --------------------------------------------------------------------------------

    def do(
        self, command: object, who: Identity | None = None, named: str | None = None, prepared: object = None
    ) -> Handled | Refusal:
        """One command at this moment. ``named`` is what its ids are made of, ``prepared`` what the hub adds."""
        self.commands += 1
        outcome = self.desk.handle(command, who, self.now, builders.entropy(named or f"#{self.commands}"), prepared)
        if isinstance(outcome, Handled):
            self.watch(outcome.records)
        return outcome

    def ok(
        self, command: object, who: Identity | None = None, named: str | None = None, prepared: object = None
    ) -> Handled:
        """One that must be carried out."""
        outcome = self.do(command, who, named, prepared)
        assert isinstance(outcome, Handled), f"{command} was refused: {outcome}"
        return outcome

    def refused(
        self, command: object, who: Identity | None = None, code: Code = Code.WRONG_STATE, prepared: object = None
    ) -> Refusal:
        """One that must be refused with this code."""
        outcome = self.do(command, who, prepared=prepared)
        assert isinstance(outcome, Refusal), f"{command} was carried out"
        assert outcome.code is code, f"{command} was refused with {outcome}"
        return outcome

    def pass_time(self, ms: int) -> list[Event]:
        """Let time pass, each deadline at its very moment; the events of that."""
        first, until = len(self.records), self.now + ms
        while self.fire(until) is not None:
            pass
        return [record.event for record in self.records[first:]]

    def fire(self, until: int) -> Due | None:
        """Let time pass until the next deadline and carry it out; None, at ``until``, when none is due before."""
        due = self.desk.state.deadlines.first()
        assert self.desk.next_deadline() == (None if due is None else due[0])
        if due is None or due[0] > until:
            assert self.desk.fire(until) is None
            self.now = until
            return None
        self.now = max(self.now, due[0])
        handled = self.desk.fire(self.now)
        assert handled is not None
        self.watch(handled.records)
        return due

    def watch(self, records: Sequence[Recorded]) -> None:
        """Keep these records and check what they did."""
        self.records += records
        self.history.see(records)
        self._watch_seats(records)
        invariants.check(self.desk.state, lowered=self.lowered)
        self._watch_places(records)
        self.watch_portals()

    def watch_portals(self) -> None:
        """A12, A14: what was said last of each sub-portal is what is true now, unless a deadline will say otherwise."""
        state = self.desk.state
        for subportal in state.subportals.values():
            portal = state.portals[subportal.portal]
            if (state.deadlines.get("hours", portal.portal) or self.now + 1) > self.now:
                true = state_of(state, portal, subportal.subportal, self.now)
                expect("A12", subportal.told == true, f"{subportal.subportal} is {true}, told was {subportal.told}")

    def _watch_seats(self, records: Sequence[Recorded]) -> None:
        """H12: beyond a team's logins nobody signs in; only managers can bring that about, and it only shrinks."""
        put = any(isinstance(record.event, TeamPut | TeamDeleted | RepresentativePut) for record in records)
        state = self.desk.state
        seated = {name: seats.count(state, name) for name, team in state.teams.items() if team.logins is not None}
        over = {name for name, count in seated.items() if count > (state.teams[name].logins or 0)}
        for name in () if put else over:
            expect("H12", seated[name] <= self.seated.get(name, 0), f"{seated[name]} are signed in to {name}")
        self.lowered = {name for name in self.lowered if not name.startswith("team:")}
        self.lowered |= {f"team:{name}" for name in over if put or name in self.over}
        self.over, self.seated = over, seated

    def _watch_places(self, records: Sequence[Recorded]) -> None:
        """F22: a place in a line only rises when somebody was put before it: sent back, moved or of another class."""
        comes_in = RequestRequeued | RequestMoved | RequestClassified
        came_in = {record.event.request for record in records if isinstance(record.event, comes_in)}
        came_in |= {r.event.request for r in records if isinstance(r.event, RequestCreated) and r.event.boost}
        places = {}
        for subportal, count in self.desk.lines():
            back = 0
            for request, _, place in self.desk.positions(subportal, 1, count):
                risen = 0 if request in came_in else place - self.places.get(request, place)
                expect("F22", risen <= back, f"{request} goes back by {risen} places, {back} were put before it")
                back += request in came_in
                places[request] = place
        self.places = places

    # --- what is often done ----------------------------------------------------------------------

    def portal(self, name: str, kind: str, mode: str, *subportals: str, fallback: str = "choose") -> None:
        """A portal; its sub-portal is called like it unless names are given."""
        command = ops.PortalPut(name, kind, mode, subportals or (name,), pick_fallback=fallback)
        self.ok(command, builders.manager())

    def team(self, name: str, *subportals: str, logins: int | None = None, parent: str | None = None) -> None:
        """A team and what it serves."""
        self.ok(ops.TeamPut(name, subportals, parent=parent, logins=logins), builders.manager())

    def staff(self, team: str, *names: str, capacity: int = 1, presence: str = "available") -> None:
        """Representatives of a team, signed in."""
        for name in names:
            person = builders.personal(name.title(), f"c_{name}")
            self.ok(ops.RepresentativePut(name, person, team, capacity), builders.manager())
            if presence != "offline":
                self.set(name, presence)

    def set(self, name: str, presence: str, sessions: str | None = None) -> Handled:
        """A representative's presence."""
        return self.ok(ops.PresenceSet(presence, sessions=sessions), builders.representative(name))

    def ask(self, name: str, portal: str = "help", subportal: str | None = None, pick: str | None = None) -> str:
        """The customer ``name`` asks at a portal; the request's id."""
        text = builders.personal(f"{name} asks", f"c_{name}_{self.commands}")
        command = ops.RequestCreate(subportal, text, representative=pick)
        return str(self.ok(command, builders.customer(name, portal), name).value["request"])

    def accept(self, offer: str, name: str) -> str:
        """A representative accepts; the session's id."""
        return str(self.ok(ops.OfferAccept(offer), builders.representative(name)).value["session"])

    def assign(self, name: str, to: str, portal: str = "help", pick: str | None = None) -> str:
        """A customer asks, and the representative who is offered it accepts; the session's id."""
        self.ask(name, portal, pick=pick)
        return self.accept(builders.offer_id(name), to)

    def end(self, session: str) -> None:
        """Its representative ends a session."""
        who = self.desk.state.sessions[session].lead
        self.ok(ops.SessionEnd(session), builders.representative(who))

    def lose(self, person: str) -> Handled:
        """A person's last connection is gone."""
        return self.ok(ConnectionLost(person))

    def back(self, person: str) -> Handled:
        """And there again."""
        return self.ok(ConnectionBack(person))

    def machine_back(self, share: str) -> Handled:
        """The machine that shows this is back from its restart."""
        return self.ok(MachineBack(share))

    def look(self, name: str, share: str) -> Side:
        """A representative asks for the media of a share, as the hub carries it out."""
        identity = builders.representative(name)
        found = self.desk.share_to_join(identity, share)
        assert isinstance(found, Share), found
        if (first := self.desk.joins(identity, found)) is not None:
            self.ok(first)
        return self.desk.side(identity, found)

    def restart(self) -> Handled:
        """The broker starts."""
        return self.ok(BrokerStart())

    # --- what is often asked ---------------------------------------------------------------------

    def events(self, *kinds: type[E]) -> list[E]:
        """All events so far of these classes."""
        return [record.event for record in self.records if isinstance(record.event, kinds)]

    def words(self, value: Mapping[str, object], document: str) -> dict[str, object]:
        """A value as it leaves the broker, where every document is this one."""
        told = resolve(value, lambda content: document if content.startswith(DOCUMENT) else content.upper())
        assert isinstance(told, dict)
        return told

    def told(self, stream: str, document: str = "{}") -> list[tuple[str, dict[str, object]]]:
        """What readers of a stream have seen: (wire type, data)."""

        def text(content: str) -> str:
            return document if content.startswith(DOCUMENT) else content.upper()

        return [
            (wire_type, render(record.event, wire_type, place, text))
            for record in self.records
            for place, _, wire_type in record.entries
            if place == stream
        ]

    def offered_to(self, name: str) -> list[str]:
        """The requests that one representative has offers of now."""
        state = self.desk.state
        return [state.offers[offer].request for offer in state.representatives[name].offers]

    def line(self, subportal: str = "help") -> list[str]:
        """The requests in a line, first to last."""
        return [request for request, _, _ in self.desk.positions(subportal, 1, 10_000)]


def of(handled: Handled | Iterable[Recorded]) -> list[Event]:
    """The events of an outcome."""
    records = handled.records if isinstance(handled, Handled) else handled
    return [record.event for record in records]


def office(
    *names: str,
    capacity: int = 1,
    kind: str = "ask",
    mode: str = "queue",
    fallback: str = "choose",
    scene: Scene | None = None,
) -> Scene:
    """A desk with the portal ``help`` and a team ``blue`` of these representatives, all available."""
    scene = scene or Scene()
    scene.portal("help", kind, mode, fallback=fallback)
    scene.team("blue", "help")
    scene.staff("blue", *names, capacity=capacity)
    return scene
