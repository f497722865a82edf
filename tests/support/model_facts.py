"""The naive model's lists, and the questions that are answered by searching all of them. ``model_matching`` decides by
them who is offered what."""

from __future__ import annotations

import attrs

from tests.support.model_things import Crew, Door, Key, Person, Place, Proposal, Row, Sharing, Turns, Wish


@attrs.define
class Facts:
    """What is so now."""

    doors: dict[str, Door] = attrs.field(factory=dict)
    rows: dict[str, Row] = attrs.field(factory=dict)
    teams: dict[str, Crew] = attrs.field(factory=dict)
    people: list[Person] = attrs.field(factory=list)
    wishes: list[Wish] = attrs.field(factory=list)  # in order of arrival
    proposals: list[Proposal] = attrs.field(factory=list)
    shares: list[Sharing] = attrs.field(factory=list)
    lost: dict[str, int] = attrs.field(factory=dict)
    pins: list[tuple[str, str, int]] = attrs.field(factory=list)
    """Live ones: id, representative, when it expires."""
    turns: dict[Key, Turns] = attrs.field(factory=dict)
    served_by: dict[str, str] = attrs.field(factory=dict)
    """Visitor to who served it last."""
    unstaffed: dict[str, tuple[int, Place]] = attrs.field(factory=dict)
    """Lines that nobody serves any more: when the next of those who wait are sent elsewhere, and up to which place
    they have been looked at."""
    offers: int = 0
    """Made from lines so far."""
    wished: int = 0
    """Requests so far."""
    now: int = 0

    def row(self, line: str) -> Row:
        """How a line is configured."""
        return self.rows.get(line, Row())

    def person(self, name: str) -> Person:
        """By name."""
        return next(person for person in self.people if person.name == name)

    def knows(self, name: str) -> bool:
        """Whether there is such a representative."""
        return any(person.name == name for person in self.people)

    def wish(self, name: str) -> Wish:
        """By name."""
        return next(wish for wish in self.wishes if wish.name == name)

    def is_open(self, name: str) -> bool:
        """Whether this request isn't over."""
        return any(wish.name == name for wish in self.wishes)

    def working(self, name: str) -> list[Wish]:
        """What a representative is working on."""
        return [wish for wish in self.wishes if wish.owner == name]

    def proposed(self, name: str) -> list[Proposal]:
        """What a representative is offered."""
        return [offer for offer in self.proposals if offer.to == name]

    def places(self, wish: Wish) -> int:
        """How many of a representative's places a request takes."""
        return self.doors[wish.portal].places

    def kept_busy(self, name: str) -> int:
        """Places taken by sessions, and by what is left to do after them."""
        after = sum(wrap_up.places for wrap_up in self.person(name).wrap_ups)
        return sum(self.places(wish) for wish in self.working(name)) + after

    def used(self, name: str) -> int:
        """Places taken by sessions, offers and wrap-ups."""
        return self.kept_busy(name) + sum(self.places(self.wish(offer.wish)) for offer in self.proposed(name))

    def has_room(self, name: str, places: int) -> bool:
        """Whether so many more places are free."""
        return self.used(name) + places <= self.person(name).capacity

    def takes(self, name: str, wish: Wish) -> bool:
        """Whether it may be offered this."""
        return self.person(name).there and self.has_room(name, self.places(wish))

    def serves(self, person: Person, line: str) -> bool:
        """Whether its team serves a line."""
        return line in self.teams[person.team].serves

    def serving(self, line: str) -> list[Person]:
        """Everybody whose team serves a line."""
        return [person for person in self.people if self.serves(person, line)]

    def is_staffed(self, line: str) -> bool:
        """Whether anybody who serves a line is signed in."""
        return any(person.chosen != "offline" for person in self.serving(line))

    def open_wish(self, visitor: str, portal: str) -> Wish | None:
        """What a visitor has open at a portal."""
        return next((wish for wish in self.wishes if (wish.visitor, wish.portal) == (visitor, portal)), None)

    def queue(self, line: str) -> list[str]:
        """The requests in a line, first to last: offered ones keep their place."""
        found = [wish for wish in self.wishes if wish.line == line and wish.how == "queue" and wish.owner is None]
        return [wish.name for wish in sorted(found, key=lambda wish: wish.place)]

    def is_full(self, line: str) -> bool:
        """Whether as many stand in a line as may."""
        return len(self.queue(line)) >= self.row(line).most

    def in_line(self) -> list[Wish]:
        """Of all lines, those that may be offered, as far as they go."""
        found = [wish for wish in self.wishes if wish.state == "waiting" and wish.how == "queue" and not wish.paused]
        return sorted(found, key=lambda wish: wish.place)

    def due(self) -> list[tuple[int, str, str]]:
        """All deadlines, in the order in which they come."""
        found: list[tuple[int | None, str, str]] = []
        found += [(offer.deadline, "offer", offer.name) for offer in self.proposals]
        found += [(wish.round_at, "round", wish.name) for wish in self.wishes]
        found += [(wish.relax_at, "relax", wish.name) for wish in self.wishes]
        found += [(wish.kept_until, "sticky", wish.name) for wish in self.wishes]
        found += [(wish.overflow_at, "overflow", wish.name) for wish in self.wishes]
        found += [(share.until, "share", share.name) for share in self.shares]
        found += [(share.asked, "control", share.name) for share in self.shares]
        for person in self.people:
            found += [(person.lease, "lease", person.name), (person.hold, "hold", person.name)]
            found += [(wrap_up.until, "wrap_up", wrap_up.session) for wrap_up in person.wrap_ups]
        found += [(until, "abandon", visitor) for visitor, until in self.lost.items()]
        found += [(at, "unstaffed", line) for line, (at, _) in self.unstaffed.items()]
        found += [(expires, "pin", pin) for pin, _, expires in self.pins]
        return sorted((t, kind, name) for t, kind, name in found if t is not None)
