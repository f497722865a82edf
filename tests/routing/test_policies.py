"""The policies: what each ranks by, and what follows for those who are ranked."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol import schema
from broker.routing import policies
from broker.routing.matching import next_match
from broker.routing.model import Match, Ticket, make_key
from broker.routing.policies import DEFAULT, POLICIES, LeastOccupied, LongestIdle, Policy, RoundRobin
from broker.routing.router import Router


@attrs.define
class Somebody:
    """A member to rank."""

    id: str = "a"
    load: int = 0
    offers: int = 0
    capacity: int = 1
    idle_since: int = 0
    turn: int = 0
    tag: int = 0


members = st.builds(
    Somebody,
    st.text("ab"),
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(1, 1000),
    st.integers(0, 5),
    st.integers(0, 5),
)


def occupied(member: Somebody) -> Fraction:
    return Fraction(member.load + member.offers, member.capacity)


@given(one=members, other=members)
def test_F13_the_smaller_rank_is_the_less_occupied_then_the_longer_idle_then_the_first_by_name(
    one: Somebody, other: Somebody
) -> None:
    exact = [(occupied(member), member.idle_since, member.id) for member in (one, other)]
    ranks = [LeastOccupied().rank(member) for member in (one, other)]
    assert (ranks[0] < ranks[1]) == (exact[0] < exact[1])
    assert (ranks[0] == ranks[1]) == (exact[0] == exact[1])


@given(one=members, other=members)
def test_F12_the_smaller_rank_is_the_longer_idle_then_the_less_occupied(one: Somebody, other: Somebody) -> None:
    exact = [(member.idle_since, occupied(member), member.id) for member in (one, other)]
    ranks = [LongestIdle().rank(member) for member in (one, other)]
    assert (ranks[0] < ranks[1]) == (exact[0] < exact[1])


def test_offers_count_like_sessions_so_that_a_burst_spreads() -> None:
    rank = LeastOccupied().rank
    assert rank(Somebody(offers=1, capacity=2)) == rank(Somebody(load=1, capacity=2))
    assert rank(Somebody(offers=1, capacity=2)) > rank(Somebody("b", capacity=2, idle_since=9))


def test_the_protocol_names_the_policies_that_there_are() -> None:
    ops = cast("dict[str, dict[str, dict[str, dict[str, object]]]]", schema.load()["ops"])
    assert ops["subportal.put"]["args"]["policy"]["values"] == list(POLICIES)
    assert next(iter(POLICIES)) == DEFAULT


# --- what follows -----------------------------------------------------------------------------------


@attrs.define
class Line:
    """One line under one policy, on the router alone."""

    policy: str
    router: Router = attrs.field(factory=Router)
    now: int = 0
    held: list[tuple[str, str]] = attrs.field(factory=list)
    chosen: list[str] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.router.put_line("x")
        self.router.tune("x", weight=1, policy=self.policy)

    def come(self, name: str, capacity: int) -> None:
        self.router.put_member(name, capacity, ("x",))
        self.router.set_available(name, self.now, available=True, rested=True)

    def ask(self) -> None:
        """One more request; if somebody is offered it, it is accepted at once."""
        self.now += 1
        number = self.router.turns + len(self.router.tickets) + 1
        name = f"r{self.now}"
        self.router.add_ticket(Ticket(name, "x", make_key(self.now, number, name), "queue"))
        self.settle()

    def end(self, which: int) -> None:
        """A session ends."""
        self.now += 1
        if self.held:
            name, member = self.held.pop(which % len(self.held))
            self.router.remove(name)
            self.router.add_load(member, -1, self.now)
            self.settle()

    def settle(self) -> None:
        while (found := next_match(self.router)) is not None:
            assert isinstance(found, Match)
            assert found.member is not None
            self._agrees(found.member)
            self.router.offered(found.request, found.member)
            self.router.add_offers(found.member, 1)
            self.router.assigned(found.request)
            self.router.add_load(found.member, 1, self.now, offers=-1)
            self.held.append((found.request, found.member))
            self.chosen.append(found.member)

    def _agrees(self, chosen: str) -> None:
        """Nobody who could have had it comes before: worked out from the plain facts."""
        free = [one for one in self.router.members.values() if one.available and one.load + one.offers < one.capacity]
        best = min(free, key=lambda one: POLICIES[self.policy].rank(one))
        assert chosen == best.id


@pytest.mark.parametrize("policy", POLICIES)
@given(people=st.lists(st.integers(1, 3), min_size=1, max_size=5), seed=st.integers(0, 10**6))
def test_F12_F13_the_chosen_one_is_the_best_of_all_that_could(policy: str, people: list[int], seed: int) -> None:
    chance, line = Random(seed), Line(policy)
    for number, capacity in enumerate(people):
        line.come(f"m{number}", capacity)
    for _ in range(60):
        if chance.random() < 0.1:
            name = f"m{chance.randrange(len(people))}"
            there = line.router.members[name].available
            line.router.set_available(name, line.now, available=not there, rested=not there)
            line.settle()
        elif chance.random() < 0.5:
            line.ask()
        else:
            line.end(chance.randrange(9))


@given(people=st.integers(1, 6), seed=st.integers(0, 10**6), before=st.integers(0, 12))
def test_F11_those_who_are_always_free_get_as_many_give_or_take_one(people: int, seed: int, before: int) -> None:
    chance, line = Random(seed), Line("round_robin")
    for number in range(people):
        line.come(f"m{number}", 1000)
    for _ in range(before):
        line.ask()
    began = len(line.chosen)
    for _ in range(50):
        line.ask()
        if chance.random() < 0.5:
            line.end(chance.randrange(9))
        counts = Counter(line.chosen[began:])
        assert max(counts.values()) - min(counts[f"m{number}"] for number in range(people)) <= 1


@pytest.mark.parametrize("other", [name for name in POLICIES if name != "round_robin"])
def test_F11_lines_of_other_policies_in_the_pool_change_nothing(other: str) -> None:
    made = Router()
    for name in ("ann", "bo"):
        made.put_member(name, 1000, ("mine", "other"), weight=1 if name == "ann" else 100)
        made.set_available(name, 0, available=True, rested=True)
    made.tune("mine", policy="round_robin")
    made.tune("other", policy=other)
    counts: Counter[str] = Counter(ann=0, bo=0)
    for number in range(60):
        line, name = ("mine", "other")[number % 2], f"r{number}"
        made.add_ticket(Ticket(name, line, make_key(number, number, name), "queue"))
        found = next_match(made)
        assert isinstance(found, Match)
        assert found.member is not None
        made.offered(name, found.member)
        made.add_offers(found.member, 1)
        made.assigned(name)
        made.add_load(found.member, 1, number, offers=-1)
        counts[found.member] += line == "mine"
        assert abs(counts["ann"] - counts["bo"]) <= 1


def test_F11_who_comes_back_from_leave_is_not_flooded() -> None:
    line = Line("round_robin")
    line.come("ann", 1000)
    line.come("bo", 1000)
    line.router.set_available("bo", 0, available=False, rested=False)
    for _ in range(20):
        line.ask()
    line.router.set_available("bo", line.now, available=True, rested=True)
    for _ in range(6):
        line.ask()
    assert line.chosen[20:] == ["bo", "ann", "bo", "ann", "bo", "ann"]


@pytest.mark.parametrize("policy", POLICIES)
@given(people=st.integers(1, 8), rounds=st.integers(1, 12))
def test_F15_with_equal_people_and_equal_work_everybody_gets_as_many(policy: str, people: int, rounds: int) -> None:
    line = Line(policy)
    for number in range(people):
        line.come(f"m{number}", 1)
    for _ in range(rounds * people):
        line.ask()
        if len(line.held) == people:
            line.end(0)  # each takes as long: first come, first gone
    counts = Counter(line.chosen)
    assert max(counts.values()) - min(counts[f"m{number}"] for number in range(people)) <= 1


def test_a_policy_that_changes_ranks_everybody_anew() -> None:
    line = Line("least_occupied")
    line.come("ann", 4)
    line.come("bo", 1)
    line.ask()
    line.ask()
    assert line.chosen == ["ann", "bo"]
    line.policy = "longest_idle"
    line.router.tune("x", weight=1, policy=line.policy)
    line.end(1)
    line.ask()
    assert line.chosen == ["ann", "bo", "ann"]  # a quarter occupied, but idle for longer than bo
    assert list(line.router.pools[frozenset("x")].free) == [("longest_idle", 1, ())]


def test_F11_caught_turns_that_are_not_counted() -> None:
    class Forgetful(RoundRobin):
        def rank(self, member: object) -> tuple[float, float, str]:
            return (0, 0, str(getattr(member, "id", "")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RoundRobin, "rank", Forgetful.rank)
        with pytest.raises(AssertionError):
            test_F11_those_who_are_always_free_get_as_many_give_or_take_one()


def test_F12_caught_an_idle_time_that_is_read_backwards() -> None:
    line = Line("longest_idle")
    line.come("ann", 1)
    line.now = 5
    line.come("bo", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LongestIdle, "rank", lambda self, member: (-member.idle_since, 0, member.id))
        line.router.tune("x", weight=1, policy="round_robin")
        line.router.tune("x", weight=1, policy="longest_idle")
        line.ask()
    assert line.chosen == ["bo"]  # so the order is the policy's, and the property above would see it


def test_the_guides_example_is_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[2] / "docs/how-to/policy.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    made: dict[str, type[Policy]] = {}
    exec(code, vars(policies).copy(), made)
    monkeypatch.setitem(cast("dict[str, Policy]", POLICIES), "most_room", made["MostRoom"]())
    line = Line("most_room")
    line.come("ann", 2)
    line.come("big", 4)
    for _ in range(6):
        line.ask()
    assert line.chosen == ["big", "big", "ann", "big", "ann", "big"]
