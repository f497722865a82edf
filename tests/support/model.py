"""What a desk must do, told naively: plain lists, every question answered by searching all of them.

It is given the commands that the desk has carried out (each method is one), and works out by itself what follows: who
is offered what, in which states everything is, when what is due. It knows nothing of events, lines, pools or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

import attrs

from broker.units import HOURS, SECONDS

LEASE, HOLD, ABANDON, PAUSE, CONSENT, PIN_LIFE = (
    10 * SECONDS,
    60 * SECONDS,
    120 * SECONDS,
    10 * SECONDS,
    60 * SECONDS,
    4 * HOURS,
)


@attrs.define
class Person:
    """A representative."""

    name: str
    team: str
    capacity: int
    chosen: str = "offline"
    connected: bool = False
    lease: int | None = None
    hold: int | None = None
    idle_since: int = 0
    turn: int = 0

    @property
    def there(self) -> bool:
        """Whether offers may be made."""
        return self.chosen == "available" and self.connected


@attrs.define
class Wish:
    """An open request."""

    name: str
    visitor: str
    portal: str
    line: str
    how: str
    target: str | None
    arrived: int
    state: str = "waiting"
    owner: str | None = None
    offers: int = 0
    refused: set[str] = attrs.field(factory=set)
    paused: bool = False
    round_at: int | None = None
    share: str | None = None
    share_until: int | None = None
    shares: int = 0


@attrs.define
class Proposal:
    """A pending offer."""

    name: str
    wish: str
    kind: str
    to: str | None
    deadline: int | None
    charge: tuple[Key, Fraction] | None = None
    """Whose turn it was in which group of people, and what that cost."""


Key = frozenset[str]
"""The lines that some people serve: those who serve the same share turns."""


@attrs.define
class Turns:
    """What each line was given by the people who serve the same lines, divided by its weight."""

    given: dict[str, Fraction] = attrs.field(factory=dict)
    last: Fraction = Fraction(0)


@attrs.define
class Model:
    """A desk, naively."""

    portals: dict[str, tuple[str, str, int, bool]] = attrs.field(factory=dict)
    """Kind, mode, offer ms, whether a lost pick is broadcast."""
    teams: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    people: list[Person] = attrs.field(factory=list)
    wishes: list[Wish] = attrs.field(factory=list)  # in order of arrival
    proposals: list[Proposal] = attrs.field(factory=list)
    lost: dict[str, int] = attrs.field(factory=dict)
    pins: list[tuple[str, str, int]] = attrs.field(factory=list)
    """Live ones: id, representative, when it expires."""
    weights: dict[str, int] = attrs.field(factory=dict)
    policies: dict[str, str] = attrs.field(factory=dict)
    turns: dict[Key, Turns] = attrs.field(factory=dict)
    offers: int = 0
    """Made from lines so far."""
    now: int = 0

    # --- questions, all answered by searching -----------------------------------------------------

    def person(self, name: str) -> Person:
        """By name."""
        return next(person for person in self.people if person.name == name)

    def wish(self, name: str) -> Wish:
        """By name."""
        return next(wish for wish in self.wishes if wish.name == name)

    def held(self, name: str) -> list[Wish]:
        """What a representative is working on."""
        return [wish for wish in self.wishes if wish.owner == name]

    def proposed(self, name: str) -> list[Proposal]:
        """What a representative is offered."""
        return [offer for offer in self.proposals if offer.to == name]

    def places(self, name: str) -> int:
        """Sessions and offers of a representative."""
        return len(self.held(name)) + len(self.proposed(name))

    def takes(self, name: str) -> bool:
        """Whether one more offer may be made."""
        person = self.person(name)
        return person.there and self.places(name) < person.capacity

    def serving(self, line: str) -> list[Person]:
        """Everybody whose team serves a line."""
        return [person for person in self.people if line in self.teams[person.team]]

    def open_wish(self, visitor: str, portal: str) -> Wish | None:
        """What a visitor has open at a portal."""
        return next((wish for wish in self.wishes if (wish.visitor, wish.portal) == (visitor, portal)), None)

    def queue(self, line: str) -> list[str]:
        """The requests in a line, first to last: offered ones keep their place."""
        return [wish.name for wish in self.wishes if wish.line == line and wish.how == "queue" and wish.owner is None]

    def due(self) -> list[tuple[int, str, str]]:
        """All deadlines, in the order in which they come."""
        found: list[tuple[int | None, str, str]] = []
        found += [(offer.deadline, "offer", offer.name) for offer in self.proposals]
        found += [(wish.round_at, "round", wish.name) for wish in self.wishes]
        found += [(wish.share_until, "consent", wish.share or "") for wish in self.wishes]
        for person in self.people:
            found += [(person.lease, "lease", person.name), (person.hold, "hold", person.name)]
        found += [(until, "abandon", visitor) for visitor, until in self.lost.items()]
        found += [(expires, "pin", pin) for pin, _, expires in self.pins]
        return sorted((t, kind, name) for t, kind, name in found if t is not None)

    # --- configuration ---------------------------------------------------------------------------

    def put_team(self, team: str, serves: Iterable[str]) -> None:
        """A team serves other lines: what its members were offered from the others goes back."""
        before, self.teams[team] = self.teams.get(team, ()), tuple(serves)
        self._regroup()
        for person in self.people:
            if person.team == team:
                self._moved(person, before, self.teams[team])

    def put_line(self, line: str, weight: int, policy: str) -> None:
        """A line's share and policy."""
        self.weights[line], self.policies[line] = weight, policy

    def _regroup(self) -> None:
        """Whoever serves other lines than before is in another group, which begins with nothing given."""
        there = {frozenset(self.teams[person.team]) for person in self.people}
        self.turns = {key: self.turns.get(key) or Turns() for key in there}

    def _wake(self, wish: Wish) -> None:
        """This wish is about to wait in its line: if nothing does, the line takes up turns where they stand now."""
        if wish.how == "queue" and not any(other.line == wish.line for other in self._in_line()):
            for key, turns in self.turns.items():
                if wish.line in key:
                    turns.given[wish.line] = max(turns.given.get(wish.line, Fraction(0)), turns.last)

    def put_person(self, name: str, team: str, capacity: int) -> None:
        """A new representative, or another team or capacity: the newest offers that no longer fit go back."""
        known = [person for person in self.people if person.name == name]
        if not known:
            self.people.append(Person(name, team, capacity))
            self._regroup()
            return
        before = self.teams[known[0].team]
        known[0].team, known[0].capacity = team, capacity
        self._regroup()
        self._moved(known[0], before, self.teams[team])
        while self.places(name) > capacity and self.proposed(name):
            self._undo(self.proposed(name)[-1], refused=True)

    def _moved(self, person: Person, before: Iterable[str], after: Iterable[str]) -> None:
        if set(before) == set(after):
            return
        gone = set(before) - set(after)
        for offer in self.proposed(person.name):
            if offer.kind != "transfer" and self.wish(offer.wish).line in gone:
                self._undo(offer, refused=True)
        for wish in self.wishes:
            if wish.target == person.name and wish.state == "waiting" and wish.line in gone:
                self._unplace(wish)
        if person.there:
            self._begin_rounds(person)

    # --- presence --------------------------------------------------------------------------------

    def choose(self, name: str, presence: str) -> None:
        """A representative sets its presence; offline hands everything back."""
        person = self.person(name)
        rested = person.chosen != "available" and presence == "available"
        was_there = person.there
        person.chosen, person.connected = presence, presence != "offline"
        person.lease = person.hold = None
        if rested:
            person.idle_since = self.now
        if person.there and not was_there:
            self._begin_rounds(person)
        if presence != "available":
            self._withdraw(person)
        if presence == "offline":
            for wish in self.held(name):
                self.leave(wish.name)

    def lose(self, who: str) -> None:
        """A person's last connection is gone."""
        person = next((person for person in self.people if person.name == who), None)
        if person is not None:
            if person.connected:
                person.connected, person.lease, person.hold = False, None, self.now + HOLD
                self._withdraw(person)
        elif any(wish.visitor == who for wish in self.wishes):
            self.lost.setdefault(who, self.now + ABANDON)

    def back(self, who: str) -> None:
        """And there again."""
        self.lost.pop(who, None)
        for person in self.people:
            if person.name == who and person.chosen != "offline" and not person.connected:
                person.connected, person.lease, person.hold = True, None, None
                if person.there:
                    self._begin_rounds(person)

    def start(self) -> None:
        """The broker starts: whoever waits for a person waits the whole time again."""
        for offer in self.proposals:
            if offer.to is not None:
                offer.deadline = self.now + self.portals[self.wish(offer.wish).portal][2]
        for person in self.people:
            if person.chosen != "offline":
                held = person.hold is not None
                person.connected = False
                person.lease, person.hold = (None, self.now + HOLD) if held else (self.now + LEASE, None)
        self.lost = {wish.visitor: self.now + ABANDON for wish in self.wishes}
        for wish in self.wishes:
            if wish.share_until is not None:
                wish.share_until = self.now + CONSENT

    def _withdraw(self, person: Person) -> None:
        for offer in self.proposed(person.name):
            self._undo(offer, refused=True)
        for wish in self.wishes:
            if wish.target == person.name and wish.state == "waiting":
                self._unplace(wish)

    # --- requests --------------------------------------------------------------------------------

    def ask(self, wish: Wish) -> None:
        """A customer asks."""
        self._wake(wish)
        self.wishes.append(wish)

    def pick(self, name: str, target: str) -> None:
        """The customer chooses again."""
        self.wish(name).target = target

    def close(self, name: str) -> None:
        """A request is over: withdrawn, abandoned, or its session ended."""
        wish = self.wish(name)
        self._let_go(wish)
        for offer in self.proposals[:]:
            if offer.wish == name:
                self._undo(offer, refused=False)
        self.wishes.remove(wish)
        if not any(other.visitor == wish.visitor for other in self.wishes):
            self.lost.pop(wish.visitor, None)

    def accept(self, offer_name: str, who: str) -> None:
        """An offer is accepted."""
        offer = next(offer for offer in self.proposals if offer.name == offer_name)
        self.proposals.remove(offer)
        wish = self.wish(offer.wish)
        if offer.kind == "transfer":
            assert wish.owner is not None
            self._let_go(wish)
        wish.state, wish.owner, wish.round_at, wish.paused = "assigned", who, None, False
        self.person(who).idle_since = self.now

    def decline(self, offer_name: str) -> None:
        """The one it was offered to doesn't want it (or doesn't answer)."""
        offer = next(offer for offer in self.proposals if offer.name == offer_name)
        if offer.to is not None:
            self._undo(offer, refused=True)

    def leave(self, name: str) -> None:
        """A session is handed back: the request waits again, at its age; a pin's is over."""
        wish = self.wish(name)
        if wish.how == "pin":
            self.close(name)
            return
        former = wish.owner
        assert former is not None
        self._let_go(wish)
        for offer in [offer for offer in self.proposals if offer.wish == name]:
            self.proposals.remove(offer)
        self._wake(wish)
        wish.state, wish.refused, wish.target = "waiting", {former}, None
        if wish.how == "direct":
            self._unplace(wish)

    def transfer(self, name: str, to: str) -> None:
        """A session is offered to somebody else."""
        self._propose(self.wish(name), "transfer", to)

    def _let_go(self, wish: Wish) -> None:
        if wish.owner is None:
            return
        person = self.person(wish.owner)
        wish.owner, wish.share, wish.share_until = None, None, None
        person.idle_since = self.now
        if person.there:
            self._begin_rounds(person)

    def _unplace(self, wish: Wish) -> None:
        wish.target, wish.refused = None, set()
        if self.portals[wish.portal][3]:
            wish.how = "broadcast"

    def _undo(self, offer: Proposal, *, refused: bool) -> None:
        self.proposals.remove(offer)
        wish = self.wish(offer.wish)
        if offer.kind == "transfer":
            return
        self._wake(wish)
        wish.state = "waiting"
        if offer.charge is not None and offer.charge[0] in self.turns:
            self.turns[offer.charge[0]].given[wish.line] -= offer.charge[1]
        if refused and offer.to is not None:
            wish.refused.add(offer.to)
        if refused and offer.kind == "direct":
            self._unplace(wish)

    # --- time ------------------------------------------------------------------------------------

    def fire(self, kind: str, name: str) -> None:
        """A deadline has come."""
        happens: dict[str, Callable[[str], None]] = {
            "offer": self.decline,
            "round": self._next_round,
            "lease": self.lose,
            "hold": lambda name: self.choose(name, "offline"),
            "abandon": self._abandon,
            "pin": self.forget_pin,
            "consent": self.end_share,
        }
        if kind == "lease":  # it was never seen again since the restart
            self.person(name).connected = True
        happens[kind](name)

    def forget_pin(self, name: str) -> None:
        """A pin was used, revoked, or expired."""
        self.pins = [pin for pin in self.pins if pin[0] != name]

    def end_share(self, name: str) -> None:
        """A screen share is refused or over."""
        wish = next(wish for wish in self.wishes if wish.share == name)
        wish.share = wish.share_until = None

    def _next_round(self, name: str) -> None:
        wish = self.wish(name)
        wish.round_at = None
        if wish.paused:
            self._wake(wish)
            wish.paused, wish.refused = False, set()

    def _abandon(self, visitor: str) -> None:
        for wish in [wish for wish in self.wishes if wish.visitor == visitor]:
            self.close(wish.name)

    def _begin_rounds(self, person: Person) -> None:
        """Somebody became eligible or freed: what everybody had refused begins a new round."""
        for wish in self.wishes:
            if wish.paused and wish.line in self.teams[person.team]:
                self._wake(wish)
                wish.paused, wish.refused = False, set()

    # --- matching --------------------------------------------------------------------------------

    def match(self) -> None:
        """Every offer that can be made is made: to everyone, to those who were picked, then by turns."""
        for wish in self.wishes:
            if wish.state == "waiting" and wish.how == "broadcast":
                self._propose(wish, "broadcast", None)
            elif wish.state == "waiting" and wish.how == "direct" and wish.target and self.takes(wish.target):
                self._propose(wish, "direct", wish.target)
        while True:
            self._end_rounds()
            found = [one for key in self.turns if (one := self._turn(key)) is not None]
            if not found:
                return
            wish = min((wish for wish, _ in found), key=self.wishes.index)
            best = min((who for one, who in found if one is wish), key=lambda who: self._rank(wish.line, who))
            key = frozenset(self.teams[best.team])
            turns, cost = self.turns[key], Fraction(1, self.weights.get(wish.line, 1))
            before = turns.given.get(wish.line, Fraction(0))
            turns.last = max(turns.last, before)
            for line in {other.line for other in self._in_line()} & key:
                if turns.given.get(line, 0) < before:  # passed over: nobody free would have what waits there
                    turns.given[line] = turns.last
            turns.given[wish.line] = before + cost
            self._propose(wish, "queue", best.name)
            self.proposals[-1].charge = (key, cost)
            self.offers += 1
            best.turn = self.offers

    def _end_rounds(self) -> None:
        for wish in self._in_line():
            if wish.refused and all(
                not person.there or person.name in wish.refused for person in self.serving(wish.line)
            ):
                wish.paused, wish.round_at = True, self.now + PAUSE

    def _in_line(self) -> list[Wish]:
        return [wish for wish in self.wishes if wish.state == "waiting" and wish.how == "queue" and not wish.paused]

    def _turn(self, key: Key) -> tuple[Wish, Person] | None:
        """Of the lines that these people serve, the one that was given the least has the first turn; of those that were
        given as much, the one whose first wish is the oldest."""
        lines: dict[str, list[Wish]] = {}
        for wish in self._in_line():
            if wish.line in key:
                lines.setdefault(wish.line, []).append(wish)
        given = self.turns[key].given
        free = [one for one in self.people if frozenset(self.teams[one.team]) == key and self.takes(one.name)]
        for line in sorted(lines, key=lambda line: (given.get(line, 0), self.wishes.index(lines[line][0]))):
            for wish in lines[line]:
                could = [one for one in free if one.name not in wish.refused]
                if could:
                    return wish, min(could, key=lambda who: self._rank(line, who))
        return None

    def _rank(self, line: str, who: Person) -> tuple[float, float, str]:
        occupied = self.places(who.name) / who.capacity
        match self.policies.get(line, "least_occupied"):
            case "longest_idle":
                return (who.idle_since, occupied, who.name)
            case "round_robin":
                return (who.turn, 0, who.name)
            case _:
                return (occupied, who.idle_since, who.name)

    def _propose(self, wish: Wish, kind: str, to: str | None) -> None:
        wish.offers += 1
        deadline = None if to is None else self.now + self.portals[wish.portal][2]
        self.proposals.append(Proposal(f"o_{wish.name[2:]}.{wish.offers}", wish.name, kind, to, deadline))
        if kind != "transfer":
            wish.state = "offered"
