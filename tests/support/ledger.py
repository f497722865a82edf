"""Routing's rules, followed from a desk's records alone: who may have what, who goes first, what may move up, and why.

Beside ``tests.support.history``: here with places, skills, holds, classes and overflow. Plain lists, searched whole;
nothing of ``broker.routing`` is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import attrs

from broker.desk import events as e
from broker.desk.desk import Desk
from broker.desk.outcome import Recorded
from tests.support.history import expect

Levels = dict[str, int]


@attrs.define
class Wish:
    """One open request."""

    request: str
    portal: str
    subportal: str
    visitor: str
    arrived: int
    number: int
    queue: bool
    asked: tuple[str, ...]
    need: Levels = attrs.field(factory=dict)
    steps: list[tuple[int, Levels]] = attrs.field(factory=list)
    """(age, need) of those to come."""
    boost: int = 0
    held: tuple[str, int] | None = None
    been: list[str] = attrs.field(factory=list)
    refused: set[str] = attrs.field(factory=set)
    paused: bool = False
    had_it: set[str] = attrs.field(factory=set)
    """Who had refused it when its round was over."""
    may_go_on: bool = False
    """Since then it needs less, or somebody can do more."""
    went_on: bool = False
    """So perhaps that round went on, perhaps another has begun."""
    offer: e.OfferMade | None = None
    owner: str | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Its place."""
        return (self.arrived - self.boost, self.number)

    @property
    def waits(self) -> bool:
        """In line, and neither offered nor between rounds."""
        return self.queue and self.offer is None and self.owner is None and not self.paused


@attrs.define
class Person:
    """One representative."""

    team: str
    capacity: int
    skills: Levels
    presence: str = "offline"
    connected: bool = False
    lost: bool = False

    @property
    def available(self) -> bool:
        """Whether it may be offered anything."""
        return self.presence == "available" and self.connected


@attrs.define
class Ledger:
    """All of it so far."""

    portals: dict[str, e.PortalPut] = attrs.field(factory=dict)
    settings: dict[str, e.SubportalPut] = attrs.field(factory=dict)
    serves: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    people: dict[str, Person] = attrs.field(factory=dict)
    wishes: dict[str, Wish] = attrs.field(factory=dict)
    created: int = 0
    ended: Counter[str] = attrs.field(factory=Counter)
    served_by: dict[str, str] = attrs.field(factory=dict)
    idle: dict[str, int] = attrs.field(factory=dict)
    """Visitor to when its last request ended."""
    transfers: dict[str, e.OfferMade] = attrs.field(factory=dict)
    wrap_ups: dict[str, tuple[str, int, int]] = attrs.field(factory=dict)
    """Session to (who, places, until)."""
    lines: dict[str, list[str]] = attrs.field(factory=dict)
    """As they stood before."""

    # --- what happens ----------------------------------------------------------------------------

    def see(self, desk: Desk, records: Sequence[Recorded], lowered: Iterable[str] = ()) -> None:
        """One command's records, and how they left the desk."""
        for index, record in enumerate(records):
            following = records[index + 1].event if index + 1 < len(records) else None
            self._see(record.event, record.t, following)
        expect("F1", self.created == sum(self.ended.values()) + len(self.wishes), "a request is lost, or there twice")
        if records:
            self._quiet(records[-1].t, set(lowered))
            self._moved_up(desk, records)

    def _see(self, event: e.Event, t: int, following: e.Event | None) -> None:
        match event:
            case e.RequestCreated():
                self._created(event, t, following)
            case e.OfferMade():
                self._offered(event)
            case e.OfferEnded():
                self._came_back(event)
            case e.RequestAssigned():
                wish = self.wishes[event.request]
                wish.offer, wish.owner, wish.held, wish.paused = None, event.representative, None, False
                self.served_by[event.visitor] = event.representative
                self._fits_in(event.representative)
            case e.SessionTransferred():
                del self.transfers[event.offer]
                self.wishes[event.request].owner = self.served_by[event.visitor] = event.representative
                self._fits_in(event.representative)
            case e.SessionEnded() | e.SessionReleased():
                wish = self.wishes[event.request]
                wish.owner = None
                if isinstance(event, e.SessionEnded) and event.wrap_up is not None:
                    places = self.portals[wish.portal].places
                    self.wrap_ups[event.session] = (event.representative, places, event.wrap_up)
                expect("load", event.load == self.load(event.representative), f"{event} says a wrong load")
            case e.WrapUpEnded():
                who, _, until = self.wrap_ups.pop(event.session)
                expect("F4", who == event.representative, f"{event.session} is wrapped up by {who}")
                expect("F4", event.reason != "expired" or until == t, f"{event.session} is wrapped up until {until}")
                expect("load", event.load == self.load(who), f"{event} says a wrong load")
            case e.RequestEnded():
                del self.wishes[event.request]
                self.ended[event.state] += 1
                self.idle[event.visitor] = t
            case e.VisitorsForgotten():
                idle = [name for name, ended in self.idle.items() if ended <= event.before]
                for name in set(idle) - {wish.visitor for wish in self.wishes.values()}:
                    self.served_by.pop(name, None)
            case _:
                self._waited(event, t)
                self._set_up(event)

    def _created(self, event: e.RequestCreated, t: int, following: e.Event | None) -> None:
        self.created += 1
        wish = Wish(
            event.request, event.portal, event.subportal, event.visitor, t, event.number, event.mode == "queue", ()
        )
        self.wishes[event.request] = wish
        goes_on = (
            isinstance(following, e.RequestMoved | e.QuestionLeft | e.RequestEnded)
            and following.request == event.request
        )
        wish.asked = tuple(event.asked)
        if wish.queue and not goes_on:
            self._climb(wish, 0)
            expect("skills", dict(event.need) == wish.need, f"{event.request} needs {event.need}, not {wish.need}")
            wish.held = self._hold_of(wish, t)
            held = None if event.held_for is None else (event.held_for, event.held_until)
            expect("sticky", held == wish.held, f"{event.request} is held for {held}, not {wish.held}")

    def _climb(self, wish: Wish, age: int) -> None:
        """What it needs in its sub-portal at this age, and what it will."""
        settings = self.settings.get(wish.subportal)
        listed = settings.skills if settings else ()
        levels = {skill: level for skill, level, asked in listed if not asked or skill in wish.asked}
        ladder: list[tuple[int, Levels]] = [(0, levels)]
        for after, less in settings.relax if settings else ():
            fewer = {skill: level - less for skill, level in levels.items() if level > less}
            if fewer != ladder[-1][1]:
                ladder.append((after, fewer))
        wish.need = [need for after, need in ladder if after <= age][-1]
        wish.steps = [(after, need) for after, need in ladder if after > age]

    def _hold_of(self, wish: Wish, t: int) -> tuple[str, int] | None:
        settings = self.settings.get(wish.subportal)
        who = self.served_by.get(wish.visitor)
        if settings is None or not settings.sticky_ms or who is None:
            return None
        ready = self.people[who].available and wish.subportal in self.serves[self.people[who].team]
        able = self._able(who, wish)
        return (who, t + settings.sticky_ms) if ready and able else None

    def _able(self, who: str, wish: Wish) -> bool:
        return self.fits(who, wish) and self.people[who].capacity >= self.places(wish)

    def _begun(self, wish: Wish, *, others: bool) -> None:
        """A new round, or the one before with somebody else."""
        wish.paused, wish.went_on = False, others and wish.may_go_on
        wish.refused = set(wish.had_it) if wish.went_on else set()

    def _offered(self, event: e.OfferMade) -> None:
        wish, who = self.wishes[event.request], event.representative
        if event.kind == "invite":
            return
        if event.kind == "transfer":
            self.transfers[event.offer] = event
        else:
            expect("F2", wish.offer is None and wish.owner is None, f"{event.request} is offered twice")
        if event.kind == "queue":
            assert who is not None
            if wish.paused:
                self._begun(wish, others=who not in wish.had_it)
            again = who in wish.refused and not wish.went_on
            expect("F16", not again, f"{event.offer} goes to {who} again in the same round")
            expect("F5", wish.subportal in self.serves[self.people[who].team], f"{who} doesn't serve {event.subportal}")
            expect("skills", self.fits(who, wish), f"{event.offer} goes to {who}, who hasn't {wish.need}")
            expect("sticky", self.is_for(who, wish), f"{event.offer} goes to {who}, and is held for {wish.held}")
            before = [one.request for one in self.wishes.values() if one.key < wish.key and self.could(who, one)]
            before = [name for name in before if self.wishes[name].subportal == wish.subportal]
            expect("F7", not before, f"{who} is offered {event.request} before {before}, which stand before it")
        if event.kind != "transfer":
            wish.offer, wish.paused = event, False
        if who is not None:
            expect("F18", self.people[who].available, f"{event.offer} goes to {who}, who isn't available")
            self._fits_in(who)

    def _came_back(self, event: e.OfferEnded) -> None:
        if event.kind in ("transfer", "invite"):
            self.transfers.pop(event.offer, None)
            return
        wish = self.wishes[event.request]
        expect("F3", wish.offer is not None and wish.offer.offer == event.offer, f"{event.offer} isn't out")
        wish.offer = wish.held = None
        if event.representative is not None and event.reason in ("declined", "expired", "gone"):
            wish.refused.add(event.representative)

    def _waited(self, event: e.Event, t: int) -> None:
        match event:
            case e.RequestClassified():
                self.wishes[event.request].boost = event.boost
            case e.RequestWidened():
                wish = self.wishes[event.request]
                after, wish.need = wish.steps.pop(0)
                wish.may_go_on = True
                expect("skills", t >= wish.arrived + after, f"{event.request} needs less too early")
                expect("skills", wish.owner is None, f"{event.request} needs less while somebody has it")
            case e.RequestReleased():
                self._released(event, t)
            case e.RequestMoved():
                wish = self.wishes[event.request]
                expect("F1", event.subportal not in [*wish.been, wish.subportal], f"{event.request} goes in circles")
                expect("F1", wish.offer is None and wish.owner is None, f"{event.request} is moved from somebody")
                wish.been.append(wish.subportal)
                wish.subportal, wish.refused, wish.held, wish.paused = event.subportal, set(), None, False
                settings = self.settings.get(wish.subportal)
                offered = [skill for skill, _, asked in (settings.skills if settings else ()) if asked]
                wish.asked = tuple(skill for skill in wish.asked if skill in offered)
                self._climb(wish, t - wish.arrived)
                expect("skills", dict(event.need) == wish.need, f"{event.request} needs {event.need}, not {wish.need}")
            case e.RequestRequeued():
                wish = self.wishes[event.request]
                wish.refused, wish.paused = {event.representative}, False
            case e.RoundPaused():
                wish = self.wishes[event.request]
                wish.had_it, wish.refused, wish.paused = wish.refused, set(), True
                wish.may_go_on = wish.went_on = False
            case e.RoundStarted():  # unless somebody had it meanwhile: then that was the next round's begin
                if self.wishes[event.request].paused:
                    self._begun(self.wishes[event.request], others=True)
            case _:
                pass

    def _released(self, event: e.RequestReleased, t: int) -> None:
        wish = self.wishes[event.request]
        expect("sticky", wish.held is not None, f"{event.request} is released, and wasn't held")
        assert wish.held is not None
        who, until = wish.held
        person = self.people[who]
        gone = not person.available or wish.subportal not in self.serves[person.team] or not self._able(who, wish)
        expect("sticky", t == until if event.reason == "time" else gone, f"{event.request} is released by {event}")
        wish.held = None

    def _set_up(self, event: e.Event) -> None:
        match event:
            case e.PortalPut():
                self.portals[event.portal] = event
            case e.SubportalPut():
                self.settings[event.subportal] = event
            case e.TeamPut():
                self.serves[event.team] = tuple(event.subportals)
            case e.TeamDeleted():
                del self.serves[event.team]
                for name in event.representatives:
                    self.people[name].team = event.into or ""
            case e.RepresentativePut():
                person = self.people.setdefault(event.representative, Person(event.team, event.capacity, {}))
                person.team, person.capacity, person.skills = event.team, event.capacity, dict(event.skills)
                for wish in self.wishes.values():
                    wish.may_go_on = True
            case e.PresenceChanged():
                person = self.people[event.representative]
                person.presence, person.connected, person.lost = event.presence, event.presence != "offline", False
            case e.TakenOver():
                self.people[event.representative].presence = "away"
            case e.RepresentativeLost():
                self.people[event.representative].connected, self.people[event.representative].lost = False, True
            case e.RepresentativeBack():
                self.people[event.representative].connected, self.people[event.representative].lost = True, False
            case e.BrokerStarted():
                for person in self.people.values():
                    person.connected = False
            case _:
                pass

    # --- what is true ----------------------------------------------------------------------------

    def places(self, wish: Wish) -> int:
        """What its session takes."""
        return self.portals[wish.portal].places

    def fits(self, who: str, wish: Wish) -> bool:
        """Whether somebody has the skills."""
        return all(self.people[who].skills.get(skill, 0) >= level for skill, level in wish.need.items())

    def is_for(self, who: str, wish: Wish) -> bool:
        """Whether it isn't held for somebody else."""
        return wish.held is None or wish.held[0] == who

    def load(self, who: str) -> int:
        """Places of its sessions and wrap-ups."""
        sessions = sum(self.places(wish) for wish in self.wishes.values() if wish.owner == who)
        return sessions + sum(places for owner, places, _ in self.wrap_ups.values() if owner == who)

    def offers(self, who: str) -> int:
        """Places of the offers that are out to it alone."""
        out = [wish.offer for wish in self.wishes.values() if wish.offer is not None] + list(self.transfers.values())
        return sum(self.places(self.wishes[offer.request]) for offer in out if offer.representative == who)

    def could(self, who: str, wish: Wish) -> bool:
        """Whether it might be offered this one now."""
        person = self.people[who]
        room = person.capacity - self.load(who) - self.offers(who) if person.available else 0
        able = wish.subportal in self.serves[person.team] and (self.fits(who, wish) or wish.held is not None)
        return wish.waits and room >= self.places(wish) and able and who not in wish.refused and self.is_for(who, wish)

    def _fits_in(self, who: str) -> None:
        used = self.load(who) + self.offers(who)
        expect("F4", used <= self.people[who].capacity, f"{who} uses {used} of {self.people[who].capacity} places")

    def _quiet(self, t: int, lowered: set[str]) -> None:
        """Nothing is left to do."""
        for who, person in self.people.items():
            load, offers = self.load(who), self.offers(who)
            within = load + offers <= person.capacity or (not offers and who in lowered)
            expect("F4", within, f"{who} uses {load} + {offers} of {person.capacity} places")
            there = person.presence == "available" and not person.lost
            expect("F17" if person.lost else "F18", there or not offers, f"{who} isn't there and has offers")
        for wish in self.wishes.values():
            who_could = [who for who in self.people if self.could(who, wish)]
            expect("F5", not who_could, f"{wish.request} waits while {who_could} could have it")
            if wish.held is not None:
                who, until = wish.held
                person = self.people[who]
                expect("sticky", until >= t, f"{wish.request} is held since {until}")
                waited_for = person.presence == "available" and not person.lost
                expect("sticky", waited_for, f"{wish.request} is held for {who}, who isn't there")
                expect("sticky", wish.subportal in self.serves[person.team], f"{wish.request} is held by others")
        for session, (who, _, until) in self.wrap_ups.items():
            expect("F4", until >= t, f"{who} wraps up {session} since {until}")
            expect("F4", self.people[who].presence != "offline", f"{who} is offline and wraps up {session}")

    def line(self, subportal: str) -> list[str]:
        """Its requests, first to last."""
        there = [wish for wish in self.wishes.values() if wish.queue and wish.owner is None]
        return [w.request for w in sorted(there, key=lambda wish: wish.key) if w.subportal == subportal]

    def _moved_up(self, desk: Desk, records: Sequence[Recorded]) -> None:
        """F22: nobody comes to stand before another without a reason, which the line tells."""
        reasons: dict[str, str] = {}
        for event in [record.event for record in records]:
            match event:
                case e.RequestRequeued():
                    reasons[event.request] = "sent_back"
                case e.RequestMoved():
                    reasons[event.request] = "moved_in"
                case e.RequestClassified():
                    reasons[event.request] = "priority"
                case _:
                    pass
        for name, line in desk.state.router.lines.items():
            now, before = self.line(name), self.lines.get(name, [])
            found = [request for request, _, _ in desk.positions(name, 1, len(now) + 1)]
            expect("F6", found == now, f"{name} stands as {found}, not as {now}")
            stayed = [request for request in before if request in now and request not in reasons]
            expect("F22", stayed == [one for one in now if one in stayed], f"{name} changed its order to {now}")
            passed = now[: now.index(stayed[-1])] if stayed else []
            came = [request for request in passed if request not in before or request in reasons]
            unexplained = [request for request in came if request not in reasons]
            expect("F22", not unexplained, f"{unexplained} came to stand before others in {name}")
            if fresh := [request for request in came if request not in before]:
                told = line.moved_by
                expect("F22", told in reasons.values(), f"{fresh} came before others in {name}, which says {told}")
            self.lines[name] = now
