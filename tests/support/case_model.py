"""What becomes of cases, told naively: a list of dossiers, every question answered by searching all of it.

It is written from what the documents say of cases, not from how the desk keeps them: each method is something that
people do or that time brings, and it knows nothing of events, shelves or offers. Clocks are added up from the whole
story of a case each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from broker.content import Ref
from broker.units import DAYS, SECONDS
from tests.support.case_things import CHAT, QUESTION, Clerk, Dossier

LEASE, HOLD, ABANDON = 10 * SECONDS, 60 * SECONDS, 120 * SECONDS
USUAL = 90
"""Days that a case is kept where its portal says nothing else, or is gone."""

ALLOWED = {
    "unassigned": ["case.take", "case.assign"],
    "assigned": ["case.resolve", "case.assign"],
    "resolved": ["case.reopen"],
}
"""What may be asked for, as the table in the documents has it."""


@attrs.define
class Casework:
    """All cases of an account, and who sees to them."""

    now: int
    most: int
    """Cases that are kept."""
    most_open: int
    """Support requests that may be unresolved."""
    kept_days: Mapping[str, int] = attrs.field(factory=dict)
    serves: dict[str, set[str]] = attrs.field(factory=dict)
    """Team to its sub-portals."""
    portals: dict[str, tuple[str, ...]] = attrs.field(factory=dict)
    clerks: dict[str, Clerk] = attrs.field(factory=dict)
    former: dict[str, str] = attrs.field(factory=dict)
    dossiers: list[Dossier] = attrs.field(factory=list)
    lost: dict[str, int] = attrs.field(factory=dict)
    """Visitor to when it is given up."""
    listings: int = 0
    opened: int = 0
    steps: int = 0

    # --- questions -------------------------------------------------------------------------------

    def find(self, request: str) -> Dossier:
        """By its request."""
        return next(one for one in self.dossiers if one.request == request)

    def at(self, visitor: str, portal: str) -> Dossier | None:
        """What a visitor has open at a portal."""
        return next((one for one in self.live() if (one.visitor, one.portal) == (visitor, portal)), None)

    def live(self) -> list[Dossier]:
        """Those whose customer waits or talks."""
        return [one for one in self.dossiers if one.live]

    def waiting(self) -> list[Dossier]:
        """Those whose customer waits."""
        return [one for one in self.live() if one.who is None]

    def talking(self, who: str | None = None) -> list[Dossier]:
        """Those whose customer talks, in the order in which it was begun."""
        found = [one for one in self.live() if one.who is not None and who in (None, one.who)]
        return sorted(found, key=lambda one: one.got)

    def busy(self) -> list[str]:
        """Visitors who wait or talk."""
        return sorted({one.visitor for one in self.live()})

    def line(self, subportal: str) -> list[Dossier]:
        """G4, all of a sub-portal, the newest on top."""
        return sorted((one for one in self.dossiers if one.line == subportal), key=lambda one: -one.number)

    def listing(self, subportal: str, most: int) -> list[Dossier]:
        """What the list of a sub-portal shows: of resolved ones the last."""
        found = self.line(subportal)
        resolved = sorted(
            (one for one in found if one.status == "resolved"), key=lambda one: (-(one.resolved or 0), -one.number)
        )
        return [one for one in found if one.status != "resolved" or one in resolved[:most]]

    def mine(self, who: str) -> list[Dossier]:
        """G4: those of one representative that aren't resolved, the newest on top."""
        found = [one for one in self.dossiers if one.status == "assigned" and one.who == who]
        return sorted(found, key=lambda one: -one.number)

    def unread(self, who: Clerk) -> bool:
        """D4: whether there is an unassigned case that it hasn't seen."""
        served = self.serves[who.team]
        return any(one.status == "unassigned" and one.line in served and one.listed > who.seen for one in self.dossiers)

    def open_questions(self) -> int:
        """Support requests that aren't resolved."""
        return sum(one.kind == QUESTION and one.status != "resolved" for one in self.dossiers)

    def has_room(self) -> bool:
        """Whether there may be another one."""
        return self.open_questions() < self.most_open

    def serving(self, line: str) -> list[Clerk]:
        """Everybody whose team serves a sub-portal."""
        return [clerk for clerk in self.clerks.values() if line in self.serves[clerk.team]]

    def staffed(self, line: str) -> bool:
        """Whether any of them is signed in."""
        return any(clerk.chosen != "offline" for clerk in self.serving(line))

    def due(self) -> tuple[str, list[Dossier]]:
        """(why, which cases are to be erased by now)."""
        if len(self.dossiers) > self.most:
            order = [*self._by_age(had=False), *self._by_age(had=True), *self._left()]
            return "full", order[: len(self.dossiers) - self.most]
        return "retention", [one for one in self.dossiers if one.rests is not None and self._until(one) <= self.now]

    def _until(self, one: Dossier) -> int:
        days = self.kept_days.get(one.portal, USUAL) if one.portal in self.portals else USUAL
        return (one.rests or 0) + days * DAYS

    def _by_age(self, *, had: bool) -> Iterator[Dossier]:
        found = [one for one in self.dossiers if one.over is not None and one.talked is had]
        yield from sorted(found, key=lambda one: (one.over, one.number))

    def _left(self) -> Iterator[Dossier]:
        found = [one for one in self.dossiers if one.kind == CHAT and not one.live and one.status != "resolved"]
        yield from sorted(found, key=lambda one: (one.ended or 0, one.number))

    # --- what happens ----------------------------------------------------------------------------

    def _count(self, one: Dossier) -> None:
        """From now on another thing counts of its time."""
        if not one.story or one.story[-1][1] != one.doing():
            one.story.append((self.now, one.doing()))

    def _step(self) -> int:
        self.steps += 1
        return self.steps

    def _list(self, one: Dossier) -> None:
        self.listings += 1
        one.listed = self.listings

    def _moved(self, one: Dossier, status: str, who: str | None, reason: str) -> None:
        """It has another status or representative."""
        if status == "resolved" and one.status != "resolved":
            one.resolved = self.now
        if status != "resolved":
            one.resolved = None
        if status == "unassigned" and one.status != "unassigned":
            self._list(one)
        if who != one.who or status == "assigned":
            one.got = self._step()
        one.status, one.who, one.reason, one.moved = status, who, reason, self.now
        one.had = one.had or who is not None
        one.version += 1
        self._count(one)

    def open(self, one: Dossier) -> None:
        """A case comes with its request."""
        self.opened += 1
        one.number = self.opened
        self._list(one)
        self.dossiers.append(one)
        self._count(one)

    def write(self, one: Dossier, text: Ref) -> None:
        """The first thing that a customer writes is what it is about."""
        one.said.add(text[0])
        if one.text is None:
            one.text = text

    def assign(self, one: Dossier, who: str, reason: str) -> None:
        """Somebody has it."""
        self._moved(one, "assigned", who, reason)

    def requeue(self, one: Dossier) -> None:
        """Its conversation is handed back; a pin's is over."""
        if one.pin:
            self.close(one)
        else:
            self._moved(one, "unassigned", None, "requeued")

    def move(self, one: Dossier, line: str) -> None:
        """Its request waits elsewhere."""
        one.line, one.reason = line, "moved"
        self._list(one)

    def close(self, one: Dossier) -> None:
        """The conversation is over; that settles nothing (G8)."""
        self._end(one)
        one.reason = "closed"
        self._count(one)

    def give_up(self, one: Dossier, reason: str) -> None:
        """The customer doesn't wait any more, and left nothing."""
        self._end(one)
        self._moved(one, "resolved", None, reason)

    def _end(self, one: Dossier) -> None:
        one.ended = self.now
        if one.visitor not in self.busy():
            self.lost.pop(one.visitor, None)

    def convert(self, one: Dossier, reason: str = "converted") -> None:
        """The customer left a question."""
        self._end(one)
        one.kind, one.reason = QUESTION, reason
        one.version += 1
        self._count(one)

    def resolve(self, one: Dossier) -> None:
        """Nothing is left to do."""
        self._moved(one, "resolved", one.who, "resolved")

    def reopen(self, one: Dossier) -> None:
        """There is, for who had it; if that one left, for anybody."""
        if one.who in self.clerks:
            self._moved(one, "assigned", one.who, "reopened")
        else:
            self._moved(one, "unassigned", None, "returned")

    def forget(self, one: Dossier) -> None:
        """It is erased."""
        self.dossiers.remove(one)

    # --- people ----------------------------------------------------------------------------------

    def choose(self, name: str, presence: str) -> None:
        """Offline hands all conversations back."""
        clerk = self.clerks[name]
        clerk.chosen, clerk.connected = presence, presence != "offline"
        clerk.lease = clerk.hold = None
        if presence == "offline":
            for one in self.talking(name):
                self.requeue(one)

    def leave_for_good(self, name: str, former: str) -> None:
        """What a representative had is nobody's."""
        conversations = self.talking(name)
        others = [one for one in reversed(self.mine(name)) if one not in conversations or one.pin]
        for one in conversations:
            self.requeue(one)
        for one in others:
            self._moved(one, "unassigned", None, "left")
        del self.clerks[name]
        self.former[name] = former

    def lose(self, who: str) -> None:
        """A person's last connection is gone."""
        clerk = self.clerks.get(who)
        if clerk is not None and clerk.connected:
            clerk.connected, clerk.lease, clerk.hold = False, None, self.now + HOLD
        elif who in self.busy():
            self.lost.setdefault(who, self.now + ABANDON)

    def back(self, who: str) -> None:
        """And there again."""
        self.lost.pop(who, None)
        clerk = self.clerks.get(who)
        if clerk is not None and clerk.chosen != "offline" and not clerk.connected:
            clerk.connected, clerk.lease, clerk.hold = True, None, None

    def start(self) -> None:
        """The broker starts: everybody who is waited for has the whole time again."""
        for clerk in self.clerks.values():
            if clerk.chosen != "offline":
                held = clerk.hold is not None
                clerk.connected = False
                clerk.lease, clerk.hold = (None, self.now + HOLD) if held else (self.now + LEASE, None)
        self.lost = dict.fromkeys(self.busy(), self.now + ABANDON)

    def vanish(self, visitor: str) -> None:
        """A customer didn't come back."""
        for one in [one for one in self.live() if one.visitor == visitor]:
            if one.who is not None:
                self.close(one)
            elif one.answerable and self.has_room():
                self.convert(one, "abandoned")
            else:
                self.give_up(one, "abandoned")
        self.lost.pop(visitor, None)

    def shut_out(self, visitor: str) -> None:
        """A customer is blocked."""
        for one in [one for one in self.live() if one.visitor == visitor]:
            if one.who is not None:
                self.close(one)
            else:
                self.give_up(one, "refused")

    def overdue(self) -> Iterable[str]:
        """Who should have been given up before now."""
        times = [(name, time) for name, time in self.lost.items()]
        times += [(c.name, t) for c in self.clerks.values() for t in (c.lease, c.hold) if t is not None]
        return [name for name, time in times if time < self.now]
