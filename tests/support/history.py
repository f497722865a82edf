"""What must be true of a desk over time, seen from its records alone: the half of the invariants that no single state
can show (``broker.desk.invariants`` has the other). Plain lists, searched whole."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from broker.desk import events as e
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Recorded
from broker.units import SECONDS


@attrs.define
class Life:
    """One request so far."""

    subportal: str
    place: tuple[int, int]
    kind: str
    mode: str
    offered: bool = False
    refused: set[str] = attrs.field(factory=set)
    owner: str | None = None


@attrs.define
class History:
    """Every record so far, and what it left open."""

    lives: dict[str, Life] = attrs.field(factory=dict)
    created: int = 0
    ended: dict[str, str] = attrs.field(factory=dict)
    pending: dict[str, e.OfferMade] = attrs.field(factory=dict)
    deadlines: dict[str, int] = attrs.field(factory=dict)
    accepted: set[str] = attrs.field(factory=set)
    capacity: dict[str, int] = attrs.field(factory=dict)
    welcome: dict[str, bool] = attrs.field(factory=dict)
    connected: dict[str, bool] = attrs.field(factory=dict)
    offsets: dict[str, int] = attrs.field(factory=dict)
    seats: dict[str, str] = attrs.field(factory=dict)
    """Session to representative."""

    def see(self, records: Iterable[Recorded]) -> None:
        """Take note of one command's records; InvariantBroken names what they break."""
        for record in records:
            for stream, offset, _ in record.entries:
                expect("dense", offset == self.offsets.get(stream, 0) + 1, f"{stream} goes on at {offset}")
                self.offsets[stream] = offset
            self._see(record.event, record.t)

    def _see(self, event: e.Event, t: int) -> None:
        match event:
            case e.RequestCreated():
                self._created(event, t)
            case e.RequestEnded():
                expect("F1", event.request in self.lives, f"{event.request} ends twice")
                expect("F2", self.lives.pop(event.request).owner is None, f"{event.request} ends while assigned")
                self.ended[event.request] = event.state
            case e.RequestRequeued():
                self.lives[event.request].refused = {event.representative}
            case e.OfferMade():
                self._offered(event, t)
            case e.OfferRenewed():
                self.deadlines[event.offer] = event.deadline
            case e.OfferEnded():
                self._refused(event, t)
            case e.RequestAssigned():
                self._assigned(event, t)
            case e.SessionTransferred():
                self._accepted(event.offer, event.representative, t)
                expect("F2", self.seats.get(event.session) == event.former, f"{event.session} isn't {event.former}'s")
                self.seats[event.session] = self.lives[event.request].owner = event.representative
            case e.SessionEnded():
                expect(
                    "F2", self.seats.pop(event.session, None) == event.representative, f"{event.session} has no seat"
                )
                expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")
                self.lives[event.request].owner = None
            case _:
                self._presence(event, t)
        expect("F1", self.created == len(self.ended) + len(self.lives), f"{self.created} came, not so many are known")

    def _presence(self, event: e.Event, t: int) -> None:
        match event:
            case e.RoundPaused() | e.RoundStarted():
                self.lives[event.request].refused.clear()
            case e.RepresentativePut():
                self.capacity[event.representative] = event.capacity
            case e.PresenceChanged():
                self.welcome[event.representative] = event.presence == "available"
                self.connected[event.representative] = event.presence != "offline"
            case e.RepresentativeLost():
                self.connected[event.representative] = False
            case e.RepresentativeBack():
                self.connected[event.representative] = True
            case e.BrokerStarted():
                self.connected = dict.fromkeys(self.connected, False)
            case _:
                pass

    def _created(self, event: e.RequestCreated, t: int) -> None:
        self.created += 1
        expect(
            "F1",
            event.request not in self.lives and event.request not in self.ended,
            f"{event.request} is created twice",
        )
        self.lives[event.request] = Life(event.subportal, (t, event.number), event.kind, event.mode)

    def _offered(self, event: e.OfferMade, t: int) -> None:
        life = self.lives[event.request]
        self.pending[event.offer] = event
        if event.deadline is not None:
            self.deadlines[event.offer] = event.deadline
            expect("F16", t + 1 * SECONDS <= event.deadline, f"{event.offer} leaves no time")
        expect("F2", (life.owner is not None) == (event.kind == "transfer"), f"{event.offer} offers what is taken")
        others = [offer for offer in self.pending.values() if offer.request == event.request]
        expect("F2", len(others) == 1, f"{event.request} is offered {len(others)} times at once")
        who = event.representative
        if who is not None:
            expect("F18", self.welcome.get(who, False), f"{event.offer} goes to {who}, who doesn't want offers")
            expect("F17", self.connected.get(who, False), f"{event.offer} goes to {who}, who isn't there")
            self._within_capacity(who)
        if event.kind == "queue":
            expect("F16", who not in life.refused, f"{event.offer} goes to {who} again in the same round")
            older = [
                name
                for name, other in self.lives.items()
                if other.subportal == life.subportal and other.place < life.place and not other.offered
            ]
            expect("F6", life.offered or not older, f"{event.request} is first offered before the older {older}")
        life.offered = True

    def _refused(self, event: e.OfferEnded, t: int) -> None:
        offer = self.pending.pop(event.offer, None)
        expect("F3", offer is not None, f"{event.offer} ends twice")
        due = self.deadlines.pop(event.offer, None)
        expect("F16", event.reason != "expired" or due == t, f"{event.offer} expires at {t}, not at {due}")
        if event.kind == "queue" and event.representative and event.reason != "revoked":
            self.lives[event.request].refused.add(event.representative)

    def _accepted(self, offer: str, who: str, t: int) -> None:
        made = self.pending.pop(offer, None)
        expect("F3", made is not None and offer not in self.accepted, f"{offer} is accepted twice")
        assert made is not None
        self.accepted.add(offer)
        expect("F3", made.representative in (None, who), f"{offer} is accepted by {who}")
        due = self.deadlines.pop(offer, None)
        expect("F16", due is None or t < due, f"{offer} is accepted at {t}, after {due}")

    def _assigned(self, event: e.RequestAssigned, t: int) -> None:
        life, free = self.lives[event.request], event.offer is None
        if event.offer is not None:
            free = self.pending[event.offer].representative is None if event.offer in self.pending else False
            self._accepted(event.offer, event.representative, t)
        expect("F2", life.owner is None, f"{event.request} is assigned to {event.representative} and {life.owner}")
        life.owner = self.seats[event.session] = event.representative
        if free:  # nothing was kept for it: it must have found a place
            self._within_capacity(event.representative)
        expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")

    def load(self, who: str) -> int:
        """Sessions of one representative."""
        return sum(owner == who for owner in self.seats.values())

    def _within_capacity(self, who: str) -> None:
        used = self.load(who) + sum(offer.representative == who for offer in self.pending.values())
        expect("F4", used <= self.capacity[who], f"{who} has {used} of {self.capacity[who]} places in use")


def expect(invariant: str, holds: bool, what: str) -> None:  # noqa: FBT001 (reads as a sentence)
    """Raise InvariantBroken unless it holds."""
    if not holds:
        raise InvariantBroken(invariant, what)
