"""Sub-portals that share representatives: each pool's turns follow the weights (F8, F9, F10).

A pool is driven through random arrivals, answers, refusals, withdrawals and people who come and go, decision by
decision. What is counted is what customers would count: offers made and not given back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import combinations
from math import ceil

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.routing import fairness
from broker.routing.matching import next_match
from broker.routing.model import Line, Match, Pool, RoundOver, Ticket, make_key
from broker.routing.policies import DEFAULT
from broker.routing.router import Router

LINES = ("x", "y", "z")
Patch = pytest.MonkeyPatch
Lines = Mapping[str, Line]


@attrs.define
class Window:
    """How far two lines have drifted apart while both had something to offer at every decision."""

    least: Fraction = Fraction(0)
    most: Fraction = Fraction(0)
    now: Fraction = Fraction(0)

    def move(self, change: Fraction) -> None:
        self.now += change
        self.least, self.most = min(self.least, self.now), max(self.most, self.now)


@attrs.define
class Shop:
    """A router with one pool that serves every line, and the count of what each was given."""

    weights: dict[str, int]
    strict: bool = True
    """Whether F9 is held against every step."""
    router: Router = attrs.field(factory=Router)
    now: int = 0
    tickets: int = 0
    out: dict[str, str] = attrs.field(factory=dict)
    """Outstanding offer: request to member."""
    held: list[tuple[str, str]] = attrs.field(factory=list)
    """(request, member) of sessions."""
    windows: dict[tuple[str, str], Window] = attrs.field(factory=dict)
    refunds: dict[str, int] = attrs.field(factory=dict)
    """Of each line, since its windows began; and the most that were out at once."""
    most_out: dict[str, int] = attrs.field(factory=dict)
    services: list[tuple[str, set[str]]] = attrs.field(factory=list)
    """(line served, lines that could have been) of each decision."""

    def __attrs_post_init__(self) -> None:
        for line, weight in self.weights.items():
            self.router.put_line(line)
            self.router.tune(line, weight=weight, policy=DEFAULT)
            self._begin(line)

    @property
    def pool(self) -> Pool:
        return self.router.pools[frozenset(self.weights)]

    def staff(self, count: int, capacity: int) -> None:
        for number in range(count):
            self.router.put_member(f"m{number}", capacity, self.weights)
            self.router.set_available(f"m{number}", 0, available=True, rested=True)
        self.settle()

    def arrive(self, line: str, count: int = 1) -> None:
        for _ in range(count):
            self.tickets += 1
            name = f"r{self.tickets:04}"
            self.router.add_ticket(Ticket(name, line, make_key(self.now, self.tickets, name), "queue"))
        self.settle()

    def answer(self, which: int, *, accept: bool) -> None:
        """Somebody accepts an offer or lets it pass."""
        if not self.out:
            return
        request = sorted(self.out)[which % len(self.out)]
        member = self.out.pop(request)
        line = self.router.tickets[request].subportal
        if accept:
            self.router.assigned(request)
            self.router.add_load(member, 1, self.now, offers=-1)
            self.held.append((request, member))
        else:
            self.router.add_offers(member, -1)
            self.router.returned(request, member)
            self.refunds[line] += 1
            self._count(line, -1)
        self.settle()

    def end(self, which: int) -> None:
        """A session ends."""
        if self.held:
            request, member = self.held.pop(which % len(self.held))
            self.router.remove(request)
            self.router.add_load(member, -1, self.now)
            self.settle()

    def come_or_go(self, which: int) -> None:
        """Somebody takes a break, its offers going back, or returns."""
        name = sorted(self.router.members)[which % len(self.router.members)]
        there = self.router.members[name].available
        for request in [request for request, member in self.out.items() if member == name] if there else ():
            self.answer(sorted(self.out).index(request), accept=False)
        self.router.set_available(name, self.now, available=not there, rested=not there)
        self.settle()

    def withdraw(self, which: int) -> None:
        """A customer who waits, or is offered, gives up."""
        waiting = sorted(set(self.router.tickets) - {request for request, _ in self.held})
        if not waiting:
            return
        request = waiting[which % len(waiting)]
        line = self.router.tickets[request].subportal
        member = self.out.pop(request, None)
        if member is not None:
            self.router.add_offers(member, -1)
            self.router.returned(request, None)
            self.refunds[line] += 1
            self._count(line, -1)
        self.router.remove(request)
        self.settle()

    def settle(self) -> None:
        """Every offer that is possible is made."""
        self.now += 1
        self._watch()
        while (found := next_match(self.router)) is not None:
            if isinstance(found, RoundOver):
                self.router.pause(found.request)
                self.router.next_round(found.request)  # at once: what waits for rounds is no matter of turns
                self._watch()
            else:
                self._serve(found)

    def _serve(self, found: Match) -> None:
        assert found.member is not None
        could = {line for line in self.weights if self._offerable(line)}
        line = self.router.tickets[found.request].subportal
        for other in set(self.weights) - could:
            self._begin(other)
        self.services.append((line, could))
        self.router.offered(found.request, found.member)
        self.router.add_offers(found.member, 1)
        self.out[found.request] = found.member
        self._count(line, 1)
        pending = sum(self.router.tickets[request].subportal == line for request in self.out)
        self.most_out[line] = max(self.most_out[line], pending)
        self._watch()

    def _offerable(self, line: str) -> bool:
        """Whether somebody free has not refused something that waits there: worked out from the plain facts."""
        free = [one.id for one in self.router.members.values() if one.takes(1)]
        return any(
            ticket.subportal == line and not ticket.out and not ticket.paused and set(free) - ticket.refused
            for ticket in self.router.tickets.values()
        )

    def _watch(self) -> None:
        for line in self.weights:
            tickets = [ticket for ticket in self.router.tickets.values() if ticket.subportal == line]
            if all(ticket.out or ticket.paused for ticket in tickets):
                self._begin(line)

    def _begin(self, line: str) -> None:
        """Whatever this line is held against begins anew."""
        for pair in combinations(sorted(self.weights), 2):
            if line in pair:
                self.windows[pair] = Window()
        self.refunds[line] = 0
        self.most_out[line] = sum(self.router.tickets[request].subportal == line for request in self.out)

    def _count(self, line: str, change: int) -> None:
        share = Fraction(change, self.weights[line])
        for (first, second), window in self.windows.items():
            if line in (first, second):
                window.move(share if line == first else -share)
                bound = self._bound(first) + self._bound(second)
                drift = window.most - window.least
                assert drift <= bound or not self.strict, (
                    f"F9: {first} and {second} are {drift} apart, {bound} is the most"
                )

    def _bound(self, line: str) -> Fraction:
        back = min(self.refunds[line], self.most_out[line])
        return Fraction(1 + back, self.weights[line])


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["arrive", "arrive", "many", "accept", "accept", "accept", "refuse", "end", "end", "go", "withdraw"]
        ),
        st.integers(0, 30),
    ),
    max_size=80,
)
WEIGHTS = st.fixed_dictionaries({line: st.integers(1, 5) for line in LINES})


def play(shop: Shop, steps: list[Step]) -> None:
    """A random day."""
    does: dict[str, Callable[[int], None]] = {
        "arrive": lambda which: shop.arrive(LINES[which % 3]),
        "many": lambda which: shop.arrive(LINES[which % 3], which),
        "accept": lambda which: shop.answer(which, accept=True),
        "refuse": lambda which: shop.answer(which, accept=False),
        "end": shop.end,
        "go": shop.come_or_go,
        "withdraw": shop.withdraw,
    }
    for what, which in steps:
        does[what](which)


@given(weights=WEIGHTS, people=st.integers(1, 4), capacity=st.integers(1, 3), steps=STEPS)
@example(  # a line whose only request is on offer doesn't save up turns meanwhile
    weights={"x": 1, "y": 2, "z": 1},
    people=3,
    capacity=2,
    steps=[("arrive", 0)] * 6 + [("many", 4), ("accept", 0), ("accept", 0), ("go", 14), ("end", 0), ("end", 0)],
)
def test_F9_lines_that_both_wait_get_what_their_weights_say(
    weights: dict[str, int], people: int, capacity: int, steps: list[Step]
) -> None:
    shop = Shop(weights)
    shop.staff(people, capacity)
    play(shop, steps)


@given(weights=WEIGHTS, people=st.integers(1, 4), steps=STEPS)
@example(
    weights={"x": 2, "y": 1, "z": 3},
    people=3,
    steps=[("arrive", which) for which in (0, 1, 1, 0, 0, 8)] + [("accept", 0), ("accept", 0), ("end", 0), ("end", 0)],
)
def test_F8_whoever_is_first_in_its_line_waits_for_a_bounded_number_of_others(
    weights: dict[str, int], people: int, steps: list[Step]
) -> None:
    shop = Shop(weights)
    shop.staff(people, 1)
    play(shop, [step for step in steps if step[0] not in ("refuse", "go", "withdraw")])
    _nobody_is_passed_over(shop)


def _nobody_is_passed_over(shop: Shop) -> None:
    for line, weight in shop.weights.items():
        most = ceil(sum(shop.weights.values()) / weight) + len(shop.weights)
        waited = 0
        for served, could in shop.services:
            waited = 0 if served == line or line not in could else waited + 1
            assert waited < most, f"F8: {line} was passed over {waited} times"


@given(alone=st.integers(0, 60), weights=st.tuples(st.integers(1, 5), st.integers(1, 5)), both=st.integers(1, 60))
def test_F10_who_comes_back_gets_its_share_and_no_more(alone: int, weights: tuple[int, int], both: int) -> None:
    x, y = weights
    shop = Shop({"x": x, "y": y})
    shop.staff(1, 1)
    shop.arrive("y")  # both were served once upon a time
    shop.arrive("x")
    for _ in range(2):
        shop.answer(0, accept=True)
        shop.end(0)
    shop.arrive("x", alone + both + 2)
    for _ in range(alone):  # x has everybody to itself
        shop.answer(0, accept=True)
        shop.end(0)
    shop.arrive("y", both + 2)
    before = len(shop.services)
    for _ in range(both):
        shop.answer(0, accept=True)
        shop.end(0)
    served = [line for line, _ in shop.services[before:]]
    drift = Fraction(served.count("x"), x) - Fraction(served.count("y"), y)
    assert abs(drift) <= Fraction(1, x) + Fraction(1, y)


def test_a_line_that_nobody_free_may_take_blocks_nobody_and_is_charged_nothing() -> None:
    shop = Shop({"x": 1, "y": 1})
    shop.staff(2, 1)
    shop.router.add_load("m1", 1, 0)
    shop.arrive("x")
    shop.answer(0, accept=False)  # m0 doesn't want it, m1 is busy
    assert shop.out == {}
    shop.arrive("y", 2)
    assert [shop.router.tickets[request].subportal for request in shop.out] == ["y"]
    assert shop.pool.tags == {"x": 0, "y": fairness.UNIT}


def test_what_a_dissolved_pool_was_charged_is_nobodys() -> None:
    shop = Shop({"x": 1, "y": 1})
    shop.staff(1, 1)
    shop.arrive("x")
    shop.router.put_member("m0", 1, ("x",))
    shop.router.add_offers("m0", -1)
    shop.router.returned("r0001", None)
    shop.out.clear()
    assert next_match(shop.router) == Match("r0001", "queue", "m0")
    assert shop.router.pools[frozenset("x")].tags.get("x", 0) == 0


def test_people_who_serve_one_line_alone_do_not_wait_for_the_turns_of_others() -> None:
    shop = Shop({"x": 1, "y": 1})
    shop.staff(1, 1)
    shop.router.put_member("solo", 1, ("y",))
    shop.arrive("x", 2)
    shop.arrive("y", 2)
    shop.router.set_available("solo", 0, available=True, rested=True)
    shop.settle()
    assert sorted(shop.out.values()) == ["m0", "solo"]


# --- planted faults --------------------------------------------------------------------------------


def _uneven(*, refuse: bool = False) -> None:
    """A day on which every fault below shows."""
    shop = Shop({"x": 3, "y": 1})
    shop.staff(3, 2)
    shop.arrive("y", 6)
    for _ in range(6):
        shop.answer(0, accept=True)
        shop.end(0)
    shop.arrive("x", 60)
    for _ in range(20):
        shop.answer(0, accept=True)
        shop.end(0)
    shop.arrive("y", 40)
    for number in range(60):
        shop.answer(number, accept=not refuse or number % 2 == 0)
        shop.end(0)


@pytest.mark.parametrize("refuse", [False, True])
def test_the_day_of_the_planted_faults_is_fair_without_them(refuse: bool) -> None:  # noqa: FBT001
    _uneven(refuse=refuse)


def test_F9_caught_weights_that_are_ignored(monkeypatch: Patch) -> None:
    charge = fairness.charge

    def at_weight_one(pool: Pool, line: Line, places: int, lines: Lines) -> int:
        return charge(pool, attrs.evolve(line, weight=1), places, lines)

    monkeypatch.setattr(fairness, "charge", at_weight_one)
    with pytest.raises(AssertionError, match="F9"):
        _uneven()


def test_F9_caught_offers_that_cost_nothing(monkeypatch: Patch) -> None:
    monkeypatch.setattr(fairness, "charge", lambda pool, line, places, lines: 0)
    with pytest.raises(AssertionError, match="F9"):
        _uneven()


def test_F9_caught_a_refund_that_is_forgotten(monkeypatch: Patch) -> None:
    monkeypatch.setattr(fairness, "refund", lambda pool, line, cost: None)
    shop = Shop({"x": 1, "y": 1})
    shop.staff(4, 1)
    shop.arrive("x", 4)
    shop.arrive("y", 40)

    def x_is_never_wanted() -> None:
        for _ in range(30):
            refused = next((r for r in sorted(shop.out) if shop.router.tickets[r].subportal == "x"), None)
            shop.answer(sorted(shop.out).index(refused) if refused else 0, accept=refused is None)
            shop.end(0)

    with pytest.raises(AssertionError, match="F9"):
        x_is_never_wanted()


def test_F9_F10_caught_turns_saved_up_while_nobody_asked(monkeypatch: Patch) -> None:
    monkeypatch.setattr(fairness, "lift", lambda pool, line: None)
    with pytest.raises(AssertionError, match="F9"):
        _uneven()


def test_F8_caught_a_line_that_is_passed_over(monkeypatch: Patch) -> None:
    charge = fairness.charge

    def dear_to_x(pool: Pool, line: Line, places: int, lines: Lines) -> int:
        return charge(pool, attrs.evolve(line, weight=1 if line.subportal == "x" else 5000), places, lines)

    monkeypatch.setattr(fairness, "charge", dear_to_x)
    shop = Shop({"x": 1, "y": 1}, strict=False)  # F9 sees it as well
    shop.staff(1, 1)
    shop.arrive("x", 3)
    shop.arrive("y", 20)
    for _ in range(10):
        shop.answer(0, accept=True)
        shop.end(0)
    with pytest.raises(AssertionError, match="F8"):
        _nobody_is_passed_over(shop)
