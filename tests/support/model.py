"""What a desk must do, told naively: plain lists, every question answered by searching all of them.

It is given the commands that the desk has carried out (each method is one), and works out by itself what follows: who
is offered what, in which states everything is, when what is due. It knows nothing of events, lines, pools or ranks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import attrs

from tests.support.model_matching import Matching
from tests.support.model_shares import Shares
from tests.support.model_things import (
    ABANDON,
    BATCH,
    HOLD,
    LEASE,
    NOWHERE,
    Crew,
    Elsewhere,
    Person,
    Proposal,
    Row,
    Wish,
    WrapUp,
)


@attrs.define
class Model(Matching, Shares):
    """A desk, naively."""

    # --- configuration ---------------------------------------------------------------------------

    def put_team(self, team: str, serves: Iterable[str], away_after: int | None = None) -> None:
        """A team serves other lines: what its members were offered from the others goes back."""
        before, self.teams[team] = self.teams.get(team, Crew(())), Crew(tuple(serves), away_after)
        self.regroup()
        for person in self.people:
            if person.team == team:
                self._moved(person, before.serves, self.teams[team].serves)
        self._look_who_serves([*before.serves, *serves])

    def put_line(self, line: str, row: Row) -> None:
        """How a line is configured."""
        changed, self.rows[line] = self.row(line) != row, row
        if changed:
            self._look_who_serves([line])

    def put_person(
        self, name: str, team: str, capacity: int, weight: int = 1, skills: Mapping[str, int] | None = None
    ) -> None:
        """A new representative, or another team or capacity: the newest offers that no longer fit go back."""
        if not self.knows(name):
            self.people.append(Person(name, team, capacity, weight, skills or {}))
            self.regroup()
            return
        person = self.person(name)
        before, former = self.teams[person.team].serves, person.team
        person.team, person.capacity, person.weight, person.skills = team, capacity, weight, skills or {}
        self.regroup()
        self._moved(person, before, self.teams[team].serves)
        for wish in self.wishes:
            able = capacity >= self.places(wish) and person.fits(wish.need)
            if wish.kept_for == name and wish.state == "waiting" and not able:
                self.let_all_have(wish)
        if set(before) == set(self.teams[team].serves) and person.there:
            for wish in self.wishes:
                if self.serves(person, wish.line):
                    self.resume(wish)
        while self.used(name) > capacity and self.proposed(name):
            self.undo(self.proposed(name)[-1], refused=True)
        if former != team:
            self._look_who_serves([*before, *self.teams[team].serves])

    def _moved(self, person: Person, before: Iterable[str], after: Iterable[str]) -> None:
        if set(before) == set(after):
            return
        gone = set(before) - set(after)
        for offer in self.proposed(person.name):
            if offer.kind != "transfer" and self.wish(offer.wish).line in gone:
                self.undo(offer, refused=True)
        for wish in self.wishes:
            if wish.target == person.name and wish.state == "waiting" and wish.line in gone:
                self.unplace(wish)
            if wish.kept_for == person.name and wish.line in gone:
                self.let_all_have(wish)
        if person.there:
            self.begin_rounds(person)

    # --- presence --------------------------------------------------------------------------------

    def choose(self, name: str, presence: str) -> None:
        """A representative sets its presence; offline hands everything back."""
        person = self.person(name)
        rested = person.chosen != "available" and presence == "available"
        was_there = person.there
        person.chosen, person.connected, person.missed = presence, presence != "offline", 0
        person.lease = person.hold = None
        if rested:
            person.idle_since = self.now
        if person.there and not was_there:
            self.begin_rounds(person)
        if presence != "available":
            self._withdraw(person)
        if presence == "offline":
            for wish in self.working(name):
                self.leave(wish.name)
            for wrap_up in person.wrap_ups[:]:
                self.end_wrap_up(wrap_up.session)
            self.end_shares(lambda share: share.owner == name)
            self._look_who_serves(self.teams[person.team].serves)

    def lose(self, who: str) -> None:
        """A person's last connection is gone."""
        if self.knows(who):
            person = self.person(who)
            if person.connected:
                person.connected, person.lease, person.hold = False, None, self.now + HOLD
                self._withdraw(person)
        elif self.is_busy(who):
            self.lost.setdefault(who, max(self.now + ABANDON, self.restart_until(who)))

    def back(self, who: str) -> None:
        """And there again."""
        self.lost.pop(who, None)
        for person in self.people:
            if person.name == who and person.chosen != "offline" and not person.connected:
                person.connected, person.lease, person.hold = True, None, None
                if person.there:
                    self.begin_rounds(person)

    def start(self) -> None:
        """The broker starts: whoever waits for a person waits the whole time again."""
        for offer in self.proposals:
            offer.deadline = self.full_time(offer)
        for person in self.people:
            if person.chosen != "offline":
                held = person.hold is not None
                person.connected = False
                person.lease, person.hold = (None, self.now + HOLD) if held else (self.now + LEASE, None)
        self.renew_shares()
        self.lost = {visitor: max(self.now + ABANDON, self.restart_until(visitor)) for visitor in self.busy()}

    def _withdraw(self, person: Person) -> None:
        for offer in self.proposed(person.name):
            self.undo(offer, refused=True)
        for wish in self.wishes:
            if wish.target == person.name and wish.state == "waiting":
                self.unplace(wish)
            if wish.kept_for == person.name:
                self.let_all_have(wish)

    # --- requests --------------------------------------------------------------------------------

    def ask(self, wish: Wish) -> None:
        """A customer asks; one for whom there is no room here is sent elsewhere at once."""
        rule = self.first_rule(wish.line) if wish.how == "queue" else None
        self.wished += 1
        wish.number, wish.been = self.wished, {wish.line}
        self.wake(wish)
        self.wishes.append(wish)
        wish.ladder, wish.waits = self.ladder(wish), self.waits(wish)
        if wish.how == "queue" and self.row(wish.line).sticky:
            self._keep(wish)
        if rule is not None:
            self._send(wish, rule)

    def first_rule(self, line: str) -> Elsewhere | None:
        """Where somebody who comes to this line now is sent instead."""
        for rule in self.row(line).overflow:
            length = rule.on == "length" and len(self.queue(line)) >= rule.at
            staffing = rule.on == "staffing" and not self.is_staffed(line)
            if (length or staffing) and self.leads_on(rule, {line}):
                return rule
        return None

    def _keep(self, wish: Wish) -> None:
        """For whoever served this customer last, if that one is there and could take it."""
        name = self.served_by.get(wish.visitor)
        if name is None or not self.knows(name):
            return
        person = self.person(name)
        could = person.there and person.fits(wish.need) and person.capacity >= self.places(wish)
        if could and self.serves(person, wish.line):
            wish.kept_for, wish.kept_until = name, self.now + self.row(wish.line).sticky

    def _send(self, wish: Wish, rule: Elsewhere) -> None:
        """To another line, or out of the queue."""
        if rule.to is None:
            self.close(wish.name)
            return
        wish.line = rule.to
        wish.been.add(rule.to)
        self.wake(wish)
        wish.paused, wish.round_at, wish.refused = False, None, set()
        self.let_all_have(wish)
        wish.asked = [skill for skill in wish.asked if skill in self.row(rule.to).asked]
        wish.ladder, wish.waits = self.ladder(wish), self.waits(wish)
        wish.step = max(step for step, (after, _) in enumerate(wish.ladder) if wish.arrived + after <= self.now)
        self._look_who_serves([wish.line])

    def pick(self, name: str, target: str) -> None:
        """The customer chooses again."""
        self.wish(name).target = target

    def classify(self, name: str, class_: str) -> None:
        """A request is of another class."""
        wish = self.wish(name)
        if wish.class_ != class_:
            wish.class_, wish.boost = class_, dict(self.doors[wish.portal].classes).get(class_, 0)

    def close(self, name: str, *, given_up: bool = False) -> None:
        """A request is over: withdrawn, abandoned, or its session ended. ``given_up``: by whom it was assigned to."""
        wish = self.wish(name)
        self._let_go(wish, for_good=not given_up)
        for offer in self.proposals[:]:
            if offer.wish == name:
                self.undo(offer, refused=False)
        self.wishes.remove(wish)
        self.rest(wish.visitor)

    def accept(self, offer_name: str, who: str) -> None:
        """An offer is accepted."""
        offer = next(offer for offer in self.proposals if offer.name == offer_name)
        self.proposals.remove(offer)
        wish = self.wish(offer.wish)
        if offer.kind == "transfer":
            assert wish.owner is not None
            self._let_go(wish)
        self.person(who).missed = 0
        self.assign(wish, who)

    def take(self, name: str, who: str) -> None:
        """A request is taken, or given, whoever it is offered to."""
        for offer in [offer for offer in self.proposals if offer.wish == name]:
            self.undo(offer, refused=False)
        self.assign(self.wish(name), who)

    def assign(self, wish: Wish, who: str) -> None:
        """It has its representative."""
        wish.state, wish.owner, wish.round_at, wish.paused = "assigned", who, None, False
        self.let_all_have(wish)
        self.person(who).idle_since = self.now
        self.served_by[wish.visitor] = who

    def decline(self, offer_name: str, who: str) -> None:
        """Somebody doesn't want it."""
        offer = next(offer for offer in self.proposals if offer.name == offer_name)
        offer.declined.add(who)
        if offer.to is not None or (offer.line is not None and self.all_declined(offer)):
            self.undo(offer, refused=True)
        self.person(who).missed = 0

    def all_declined(self, offer: Proposal) -> bool:
        """Whether everybody who is there and could take a session doesn't want it."""
        others = {person.name for person in self.serving(offer.line or "") if person.there}
        return others <= offer.declined | {self.wish(offer.wish).owner or ""}

    def leave(self, name: str) -> None:
        """A session is handed back: the request waits again, at its age; a pin's is over."""
        wish = self.wish(name)
        if wish.how == "pin":
            self.close(name, given_up=True)
            return
        former = wish.owner
        assert former is not None
        self._let_go(wish)
        for offer in [offer for offer in self.proposals if offer.wish == name]:
            self.proposals.remove(offer)
        self.wake(wish)
        wish.state, wish.refused, wish.target = "waiting", {former}, None
        if wish.how == "direct":
            self.unplace(wish)
        self._look_who_serves([wish.line])

    def transfer(self, name: str, to: str | None, line: str | None = None) -> None:
        """A session is offered to somebody else, or to all who serve a line."""
        self.propose(self.wish(name), "transfer", to, line)

    def _let_go(self, wish: Wish, *, for_good: bool = False) -> None:
        if wish.owner is None:
            return
        person, door = self.person(wish.owner), self.doors[wish.portal]
        wish.owner = None
        self.end_shares(lambda share: share.wish == wish.name and not (for_good and share.agreed))
        if for_good and door.wrap_up:
            person.wrap_ups.append(WrapUp("s_" + wish.name[2:], door.places, self.now + door.wrap_up))
        else:
            self._freed(person)

    def end_wrap_up(self, session: str) -> None:
        """What was left to do after a session is done."""
        for person in self.people:
            for wrap_up in person.wrap_ups[:]:
                if wrap_up.session == session:
                    person.wrap_ups.remove(wrap_up)
                    self._freed(person)

    def _freed(self, person: Person) -> None:
        person.idle_since = self.now
        if person.there:
            self.begin_rounds(person)

    # --- time ------------------------------------------------------------------------------------

    def fire(self, kind: str, name: str) -> None:
        """A deadline has come."""
        happens: dict[str, Callable[[str], None]] = {
            "offer": self._expire,
            "round": self._round_over,
            "relax": self._relax,
            "sticky": lambda name: self.let_all_have(self.wish(name)),
            "overflow": self._overflow,
            "unstaffed": self._leave_unstaffed,
            "wrap_up": self.end_wrap_up,
            "lease": self.lose,
            "hold": lambda name: self.choose(name, "offline"),
            "abandon": self._abandon,
            "pin": self.forget_pin,
            "share": lambda name: self.step(name, "over"),
            "control": self.no_control,
        }
        if kind == "lease":  # it was never seen again since the restart
            self.person(name).connected = True
        happens[kind](name)

    def forget_pin(self, name: str) -> None:
        """A pin was used, revoked, or expired."""
        self.pins = [pin for pin in self.pins if pin[0] != name]

    def _expire(self, name: str) -> None:
        """Who misses too many in a row is set away."""
        offer = next(offer for offer in self.proposals if offer.name == name)
        self.undo(offer, refused=True)
        if offer.to is None:
            return
        person = self.person(offer.to)
        person.missed += 1
        limit = self.teams[person.team].away_after
        if limit is not None and person.missed >= limit and person.there:
            self.choose(person.name, "away")

    def _round_over(self, name: str) -> None:
        wish = self.wish(name)
        wish.round_at = None
        if wish.paused:
            self.next_round(wish)

    def _relax(self, name: str) -> None:
        self.wish(name).step += 1
        self.resume(self.wish(name))

    def _overflow(self, name: str) -> None:
        wish = self.wish(name)
        rule = wish.waits.pop(0)
        if self.leads_on(rule, wish.been):
            self._send(wish, rule)

    def _look_who_serves(self, lines: Iterable[str]) -> None:
        """Of these lines, those that nobody serves any more send their requests elsewhere, if they have a rule."""
        for line in lines:
            ruled = any(rule.on == "staffing" for rule in self.row(line).overflow)
            if ruled and self.queue(line) and not self.is_staffed(line):
                self.unstaffed[line] = (self.now, NOWHERE)

    def _leave_unstaffed(self, line: str) -> None:
        """Nobody serves this line: those who wait are sent elsewhere, so many at once."""
        _, looked_at = self.unstaffed.pop(line)
        if self.is_staffed(line):
            return
        left = [wish for wish in map(self.wish, self.queue(line)) if wish.place > looked_at]
        for wish in left[:BATCH]:
            if wish.state == "waiting" and (rule := self._unstaffed_rule(wish)) is not None:
                self._send(wish, rule)
        if left[BATCH:]:
            self.unstaffed[line] = (self.now, left[BATCH - 1].place)

    def _unstaffed_rule(self, wish: Wish) -> Elsewhere | None:
        rules = [rule for rule in self.row(wish.line).overflow if rule.on == "staffing"]
        return next((rule for rule in rules if self.leads_on(rule, wish.been)), None)

    def _abandon(self, visitor: str) -> None:
        self.end_shares(lambda share: share.visitor == visitor)
        for wish in [wish for wish in self.wishes if wish.visitor == visitor]:
            self.close(wish.name)
