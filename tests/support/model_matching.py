"""Who is offered what, naively: every line and everybody is looked at again after each change. ``model`` says what
changes."""

from __future__ import annotations

from fractions import Fraction

import attrs

from tests.support.model_facts import Facts
from tests.support.model_things import PAUSE, TRANSFER, Elsewhere, Key, Person, Proposal, Step, Turns, Wish

Rank = tuple[float | Fraction, float, str]


@attrs.define
class Matching(Facts):
    """How offers are made and come back."""

    # --- groups of people, and turns ---------------------------------------------------------------

    def group_of(self, person: Person) -> Key:
        """The lines that somebody serves."""
        return frozenset(self.teams[person.team].serves)

    def regroup(self) -> None:
        """Whoever serves other lines than before is in another group, which begins with nothing given; who comes into
        one that is there takes up its pace."""
        self.turns = {key: self.turns.get(key) or Turns() for key in map(self.group_of, self.people)}
        for offer in self.proposals:  # what a group was charged that is no more is nobody's
            if offer.charge is not None and offer.charge[0] not in self.turns:
                offer.charge = None
        for person in self.people:
            if person.group != self.group_of(person):
                person.group = self.group_of(person)
                person.tag = self.turns[person.group].pace

    def wake(self, wish: Wish) -> None:
        """This wish is about to wait in its line: if nothing does, the line takes up turns where they stand now."""
        if wish.how != "queue" or any(other.line == wish.line and other is not wish for other in self.in_line()):
            return
        for key, turns in self.turns.items():
            if wish.line in key:
                turns.given[wish.line] = max(turns.given.get(wish.line, Fraction(0)), turns.last)

    def begin_rounds(self, person: Person) -> None:
        """Somebody became eligible or freed: what everybody had refused begins a new round."""
        for wish in self.wishes:
            if wish.paused and self.serves(person, wish.line):
                self.next_round(wish)

    def next_round(self, wish: Wish) -> None:
        """Everybody may be offered it again."""
        self.wake(wish)
        wish.paused, wish.refused = False, set()

    # --- offers ------------------------------------------------------------------------------------

    def full_time(self, offer: Proposal) -> int | None:
        """Until when an offer stands that is made now."""
        if offer.to is None:
            return None if offer.line is None else self.now + TRANSFER
        return self.now + self.doors[self.wish(offer.wish).portal].offer_ms

    def propose(self, wish: Wish, kind: str, to: str | None, line: str | None = None) -> None:
        """Make an offer."""
        wish.offers += 1
        made = Proposal(f"o_{wish.name[2:]}.{wish.offers}", wish.name, kind, to, None, line=line)
        made.deadline = self.full_time(made)
        self.proposals.append(made)
        if kind != "transfer":
            wish.state = "offered"

    def undo(self, offer: Proposal, *, refused: bool) -> None:
        """An offer comes back."""
        self.proposals.remove(offer)
        wish = self.wish(offer.wish)
        if offer.kind == "transfer":
            return
        self.wake(wish)
        wish.state = "waiting"
        self.let_all_have(wish)
        if offer.charge is not None:
            self.turns[offer.charge[0]].given[wish.line] -= offer.charge[1]
        if refused and offer.to is not None:
            wish.refused.add(offer.to)
        if refused and offer.kind == "direct":
            self.unplace(wish)

    def unplace(self, wish: Wish) -> None:
        """Whom the customer picked won't come."""
        wish.target, wish.refused = None, set()
        if self.doors[wish.portal].broadcast:
            wish.how = "broadcast"

    def let_all_have(self, wish: Wish) -> None:
        """It isn't kept for anybody any more."""
        wish.kept_for = wish.kept_until = None

    # --- what a line asks of those who stand in it --------------------------------------------------

    def ladder(self, wish: Wish) -> list[Step]:
        """What a wish that comes into its line now needs, and what it needs later."""
        if wish.how != "queue":
            return [(0, {})]
        row = self.row(wish.line)
        first = {skill: level for skill, level, asked in row.skills if not asked or skill in wish.asked}
        steps: list[Step] = [(0, first)]
        for after, less in row.relax:
            need = {skill: level - less for skill, level in first.items() if level > less}
            if need != steps[-1][1]:
                steps.append((after, need))
        return steps

    def waits(self, wish: Wish) -> list[Elsewhere]:
        """The rules of its line for those who wait too long, the earliest first."""
        rules = [rule for rule in self.row(wish.line).overflow if rule.on == "wait"]
        return sorted(rules, key=lambda rule: rule.at) if wish.how == "queue" else []

    def leads_on(self, rule: Elsewhere, been: set[str]) -> bool:
        """Whether a rule may be followed by whoever has been in these lines."""
        return rule.to is None or (rule.to not in been and not self.is_full(rule.to))

    # --- matching ----------------------------------------------------------------------------------

    def match(self) -> None:
        """Every offer that can be made is made: to everyone, to those who were picked, then by turns."""
        for wish in self.wishes:
            if wish.state == "waiting" and wish.how == "broadcast":
                self.propose(wish, "broadcast", None)
            elif wish.state == "waiting" and wish.how == "direct" and wish.target and self.takes(wish.target, wish):
                self.propose(wish, "direct", wish.target)
        while True:
            self._end_rounds()
            found = [one for key in self.turns if (one := self._turn(key)) is not None]
            if not found:
                return
            wish = min((wish for wish, _ in found), key=lambda wish: wish.place)
            best = min((who for one, who in found if one is wish), key=lambda who: self._rank(wish.line, who))
            self._charge(wish, best)

    def _charge(self, wish: Wish, best: Person) -> None:
        key, row = self.group_of(best), self.row(wish.line)
        turns, cost = self.turns[key], Fraction(self.places(wish), row.weight)
        before = turns.given.get(wish.line, Fraction(0))
        turns.last = max(turns.last, before)
        for line in {other.line for other in self.in_line()} & key:
            if turns.given.get(line, 0) < before:  # passed over: nobody free would have what waits there
                turns.given[line] = turns.last
        turns.given[wish.line] = before + cost
        self.propose(wish, "queue", best.name)
        self.proposals[-1].charge = (key, cost)
        if row.policy == "round_robin":
            self.offers += 1
            best.turn = self.offers
        elif row.policy == "weighted":
            turns.pace = max(best.tag, turns.pace)
            best.tag = turns.pace + Fraction(1, best.weight)

    def _end_rounds(self) -> None:
        for wish in self.in_line():
            if wish.refused and not self._still_to_ask(wish):
                wish.paused, wish.round_at = True, self.now + PAUSE

    def _still_to_ask(self, wish: Wish) -> bool:
        """Whether anybody eligible hasn't refused it in this round."""
        return any(
            person.there
            and person.fits(wish.need)
            and person.capacity >= self.places(wish)
            and person.name not in wish.refused
            for person in self.serving(wish.line)
        )

    def resume(self, wish: Wish) -> None:
        """Somebody may have become eligible: then this round goes on."""
        if wish.paused and self._still_to_ask(wish):
            self.wake(wish)
            wish.paused = False

    def _turn(self, key: Key) -> tuple[Wish, Person] | None:
        """Of the lines that these people serve, the one that was given the least has the first turn; of those that were
        given as much, the one whose first wish is the oldest."""
        lines: dict[str, list[Wish]] = {}
        for wish in self.in_line():
            if wish.line in key:
                lines.setdefault(wish.line, []).append(wish)
        given = self.turns[key].given
        people = [one for one in self.people if self.group_of(one) == key]
        for line in sorted(lines, key=lambda line: (given.get(line, 0), lines[line][0].place)):
            for wish in lines[line]:
                could = [one for one in people if self._could(one, wish)]
                if could:
                    return wish, min(could, key=lambda who: self._rank(line, who))
        return None

    def _could(self, person: Person, wish: Wish) -> bool:
        """Whether this wish of a line may be offered to somebody who serves it."""
        return (
            self.takes(person.name, wish)
            and person.fits(wish.need)
            and person.name not in wish.refused
            and wish.kept_for in (None, person.name)
        )

    def _rank(self, line: str, who: Person) -> Rank:
        occupied = self.used(who.name) / who.capacity
        match self.row(line).policy:
            case "longest_idle":
                return (who.idle_since, occupied, who.name)
            case "round_robin":
                return (who.turn, 0, who.name)
            case "weighted":
                return (who.tag, who.idle_since, who.name)
            case _:
                return (occupied, who.idle_since, who.name)
