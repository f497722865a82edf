"""What must be true of a desk over time, seen from its records alone: the half of the invariants that no single state
can show (``broker.desk.invariants`` has the other). Plain lists, searched whole."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from broker.desk import events as e
from broker.desk.invariants import InvariantBroken
from broker.desk.outcome import Recorded
from broker.routing.model import Need
from broker.units import SECONDS


@attrs.define
class Life:
    """One request so far."""

    subportal: str
    arrived: int
    place: tuple[int, int]
    portal: str
    need: Need
    ladder: list[tuple[int, Need]]
    held: str | None
    offered: bool = False
    paused: bool = False
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
    places: dict[str, int] = attrs.field(factory=dict)
    """Portal to what each of its sessions takes."""
    capacity: dict[str, int] = attrs.field(factory=dict)
    skills: dict[str, dict[str, int]] = attrs.field(factory=dict)
    welcome: dict[str, bool] = attrs.field(factory=dict)
    connected: dict[str, bool] = attrs.field(factory=dict)
    offsets: dict[str, int] = attrs.field(factory=dict)
    seats: dict[str, str] = attrs.field(factory=dict)
    """Session to representative."""
    wrap_ups: dict[str, tuple[str, int]] = attrs.field(factory=dict)
    """Session to who is busy with what is left to do, and the places that this takes."""

    company: dict[str, set[str]] = attrs.field(factory=dict)
    """Session to its guests, and (with an at) to managers who look on."""
    said: dict[str, int] = attrs.field(factory=dict)
    """Open session to the number of its last message."""
    bosses: set[str] = attrs.field(factory=set)
    """Account managers."""

    def see(self, records: Iterable[Recorded]) -> None:
        """Take note of one command's records; InvariantBroken names what they break."""
        for record in records:
            for stream, offset, _ in record.entries:
                expect("dense", offset == self.offsets.get(stream, 0) + 1, f"{stream} goes on at {offset}")
                self.offsets[stream] = offset
            self._unseen(record)
            self._see(record.event, record.t)

    def _unseen(self, record: Recorded) -> None:
        """E9, I4: what a customer is not to know of is in no stream that it reads."""
        event = record.event
        match event:
            case e.MemberJoined() | e.MemberLeft():
                hidden = event.masked
            case e.MonitorStarted() | e.MonitorEnded():
                hidden = not event.announced
            case _:
                hidden = isinstance(event, e.OfferMade | e.OfferEnded | e.NoteAdded)
        seen = [stream for stream, _, _ in record.entries if stream.startswith("session:") and stream.count(":") == 1]
        expect("E9", not (hidden and seen), f"{type(event).__name__} is told in {seen}, where the customer reads")

    def _see(self, event: e.Event, t: int) -> None:
        match event:
            case e.RequestCreated():
                self._created(event, t)
                if event.web_chat != "none":
                    self.said[event.session] = 0
            case e.RequestEnded():
                expect("F1", event.request in self.lives, f"{event.request} ends twice")
                expect("F2", self.lives.pop(event.request).owner is None, f"{event.request} ends while assigned")
                self.ended[event.request] = event.state
                if event.session is not None:
                    del self.said[event.session]
            case e.RequestRequeued():
                life = self.lives[event.request]
                life.refused, life.held = {event.representative}, None
            case e.OfferMade():
                self._offered(event, t)
            case e.OfferRenewed():
                self.deadlines[event.offer] = event.deadline
            case e.OfferEnded():
                self._refused(event, t)
            case e.RequestAssigned():
                self._assigned(event, t)
            case e.SessionTransferred():
                made = self._accepted(event.offer, event.representative, t)
                expect("F2", self.seats.get(event.session) == event.former, f"{event.session} isn't {event.former}'s")
                self.seats[event.session] = self.lives[event.request].owner = event.representative
                guests = self.company.get(event.session, set())
                expect("E9", event.representative not in guests, f"{event.representative} is its own guest")
                if made.representative is None:  # nothing was kept for it
                    self._within_capacity(event.representative)
            case e.ChatSent() | e.FileShared():
                expect("F19", event.session in self.said, f"something is said in {event.session}, which isn't open")
                last = self.said[event.session]
                expect("F19", event.number == last + 1, f"{event.session} goes on at {event.number}, not {last + 1}")
                self.said[event.session] = event.number
            case e.SessionEnded() | e.SessionReleased():
                self._session_over(event)
            case e.ManagerPut() | e.ManagerDeleted():
                self._managed(event)
            case e.MemberJoined():
                made = self._accepted(event.offer, event.representative, t)
                expect("E9", made.kind == "invite" and made.masked == event.masked, f"{event} follows from {made}")
                self._comes(event.session, event.representative)
            case e.MonitorStarted():
                self._comes(event.session, f"@{event.manager}")
            case e.MemberLeft():
                self._goes(event.session, event.representative)
            case e.MonitorEnded():
                self._goes(event.session, f"@{event.manager}")
            case _:
                self._waited(event)
                self._presence(event, t)
        expect("F1", self.created == len(self.ended) + len(self.lives), f"{self.created} came, not so many are known")

    def _managed(self, event: e.ManagerPut | e.ManagerDeleted) -> None:
        """H3: once there is an account manager, there is always one."""
        had = bool(self.bosses)
        self.bosses.discard(event.manager)
        if isinstance(event, e.ManagerPut) and event.kind == "account":
            self.bosses.add(event.manager)
        expect("H3", bool(self.bosses) or not had, f"{event.manager} was the last account manager")

    def _comes(self, session: str, who: str) -> None:
        there = self.company.setdefault(session, set())
        expect("E9", who not in there and who != self.seats.get(session), f"{who} comes into {session} twice")
        expect("E9", session in self.seats, f"{who} comes into {session}, which nobody has")
        there.add(who)

    def _goes(self, session: str, who: str) -> None:
        expect("E9", who in self.company.get(session, ()), f"{who} leaves {session} and wasn't there")
        self.company[session].discard(who)

    def _session_over(self, event: e.SessionEnded | e.SessionReleased) -> None:
        expect("F2", self.seats.pop(event.session, None) == event.representative, f"{event.session} has no seat")
        left = self.company.pop(event.session, set())
        expect("E9", not left, f"{sorted(left)} are left behind in {event.session}")
        life = self.lives[event.request]
        life.owner = None
        if isinstance(event, e.SessionEnded):
            expect("F19", self.said.pop(event.session, None) is not None, f"{event.session} ends and wasn't open")
        if isinstance(event, e.SessionEnded) and event.wrap_up is not None:
            self.wrap_ups[event.session] = (event.representative, self.places[life.portal])
        expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")

    def _waited(self, event: e.Event) -> None:
        match event:
            case e.RequestClassified():
                life = self.lives[event.request]
                life.place = (life.arrived - event.boost, life.place[1])
            case e.RequestWidened():
                life = self.lives[event.request]
                life.need = life.ladder.pop(0)[1]
            case e.RequestReleased():
                expect("held", self.lives[event.request].held is not None, f"{event.request} is released twice")
                self.lives[event.request].held = None
            case e.RequestMoved():
                life = self.lives[event.request]
                expect("F2", life.owner is None, f"{event.request} is moved while assigned")
                expect("moved", life.subportal == event.former, f"{event.request} comes from {life.subportal}")
                life.subportal, life.refused, life.held = event.subportal, set(), None
                life.need, life.ladder = event.need, list(event.ladder)
            case e.WrapUpEnded():
                expect("wrap-up", event.session in self.wrap_ups, f"the wrap-up of {event.session} ends twice")
                del self.wrap_ups[event.session]
                expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")
            case _:
                pass

    def _presence(self, event: e.Event, t: int) -> None:
        match event:
            case e.RoundPaused() | e.RoundStarted():
                life = self.lives[event.request]
                life.refused.clear()
                life.paused = isinstance(event, e.RoundPaused)
            case e.PortalPut():
                self.places[event.portal] = event.places
            case e.RepresentativePut():
                self.capacity[event.representative] = event.capacity
                self.skills[event.representative] = dict(event.skills)
            case e.PresenceChanged():
                self.welcome[event.representative] = event.presence == "available"
                self.connected[event.representative] = event.presence != "offline"
            case e.TakenOver():
                self.welcome[event.representative] = False
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
        self.lives[event.request] = Life(
            event.subportal, t, (t, event.number), event.portal, event.need, list(event.ladder), event.held_for
        )

    def _offered(self, event: e.OfferMade, t: int) -> None:
        life = self.lives[event.request]
        self.pending[event.offer] = event
        if event.deadline is not None:
            self.deadlines[event.offer] = event.deadline
            expect("F16", t + 1 * SECONDS <= event.deadline, f"{event.offer} leaves no time")
        of_session = event.kind in ("transfer", "invite")
        expect("F2", (life.owner is not None) == of_session, f"{event.offer} offers what is taken")
        others = [
            offer for offer in self.pending.values() if (offer.request, offer.kind) == (event.request, event.kind)
        ]
        expect("F2", event.kind == "invite" or len(others) == 1, f"{event.request} is offered {len(others)} times")
        expect("E9", len(others) <= 7, f"{event.request} has {len(others)} invitations")
        who = event.representative
        if who is not None:
            expect("F18", self.welcome.get(who, False), f"{event.offer} goes to {who}, who doesn't want offers")
            expect("F17", self.connected.get(who, False), f"{event.offer} goes to {who}, who isn't there")
            self._within_capacity(who)
        if event.kind == "queue":
            assert who is not None
            expect("F16", who not in life.refused, f"{event.offer} goes to {who} again in the same round")
            expect("skills", self._may_have(who, life), f"{event.offer} goes to {who}, who can't or mayn't have it")
            older = [name for name, other in self.lives.items() if self._goes_before(other, life, who)]
            expect("F6", life.offered or not older, f"{event.request} is first offered before the older {older}")
        life.offered = True

    def _may_have(self, who: str, life: Life) -> bool:
        """Whether it fits, and the request isn't held for somebody else."""
        fits = all(self.skills[who].get(skill, 0) >= level for skill, level in life.need)
        return fits and life.held in (None, who)

    def _goes_before(self, other: Life, life: Life, who: str) -> bool:
        """Whether who is offered one should have been offered the other, which nobody was offered so far."""
        room = self.capacity[who] - self._used(who) + self.places[life.portal]
        return (
            other.subportal == life.subportal
            and other.place < life.place
            and not other.offered
            and not other.paused
            and other.owner is None
            and who not in other.refused
            and self._may_have(who, other)
            and self.places[other.portal] <= room
        )

    def _refused(self, event: e.OfferEnded, t: int) -> None:
        offer = self.pending.pop(event.offer, None)
        expect("F3", offer is not None, f"{event.offer} ends twice")
        due = self.deadlines.pop(event.offer, None)
        expect("F16", event.reason != "expired" or due == t, f"{event.offer} expires at {t}, not at {due}")
        life = self.lives[event.request]
        if event.kind not in ("transfer", "invite"):
            life.held = None
        if event.kind == "queue" and event.representative and event.reason not in ("revoked", "rescinded"):
            life.refused.add(event.representative)

    def _accepted(self, offer: str, who: str, t: int) -> e.OfferMade:
        made = self.pending.pop(offer, None)
        expect("F3", made is not None and offer not in self.accepted, f"{offer} is accepted twice")
        assert made is not None
        self.accepted.add(offer)
        expect("F3", made.representative in (None, who), f"{offer} is accepted by {who}")
        due = self.deadlines.pop(offer, None)
        expect("F16", due is None or t < due, f"{offer} is accepted at {t}, after {due}")
        return made

    def _assigned(self, event: e.RequestAssigned, t: int) -> None:
        life, free = self.lives[event.request], event.offer is None
        if event.offer is not None:
            free = self.pending[event.offer].representative is None if event.offer in self.pending else False
            self._accepted(event.offer, event.representative, t)
        expect("F2", life.owner is None, f"{event.request} is assigned to {event.representative} and {life.owner}")
        expect("F19", event.opens == (event.session not in self.said), f"{event.session} opens twice, or never did")
        self.said.setdefault(event.session, 0)
        life.owner = self.seats[event.session] = event.representative
        life.held, life.paused = None, False
        if free:  # nothing was kept for it: it must have found a place
            self._within_capacity(event.representative)
        expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")

    def load(self, who: str) -> int:
        """Places that sessions of one representative take, and what is left to do after them."""
        seats = [life for life in self.lives.values() if life.owner == who]
        after = sum(places for owner, places in self.wrap_ups.values() if owner == who)
        return sum(self.places[life.portal] for life in seats) + after

    def _used(self, who: str) -> int:
        kept = (offer for offer in self.pending.values() if offer.kind != "invite")  # guests take no place
        offered = [self.lives[offer.request] for offer in kept if offer.representative == who]
        return self.load(who) + sum(self.places[life.portal] for life in offered)

    def _within_capacity(self, who: str) -> None:
        used = self._used(who)
        expect("F4", used <= self.capacity[who], f"{who} has {used} of {self.capacity[who]} places in use")


def expect(invariant: str, holds: bool, what: str) -> None:  # noqa: FBT001 (reads as a sentence)
    """Raise InvariantBroken unless it holds."""
    if not holds:
        raise InvariantBroken(invariant, what)
