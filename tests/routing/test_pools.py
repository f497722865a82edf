"""Pools: who takes offers of which kind, sorted, and counted right whatever changes."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from broker.routing import pools
from broker.routing.matching import next_match
from broker.routing.model import ANYBODY, Match, Need, Pool, Ticket, Want, make_key
from broker.routing.policies import DEFAULT, POLICIES
from broker.routing.router import Router
from tests.routing.test_router import router

GERMAN: Need = (("german", 5),)
PLAIN: Want = (DEFAULT, 1, ANYBODY)


def ask(made: Router, name: str, line: str = "x", *, places: int = 1, need: Need = (), held: str | None = None) -> None:
    made.put_line(line)
    number = len(made.tickets) + 1
    made.add_ticket(Ticket(name, line, make_key(number, number, name), "queue", places=places, need=need, held=held))


def hire(made: Router, name: str, capacity: int = 1, *serves: str, **skills: int) -> None:
    made.put_member(name, capacity, serves or ("x",), skills=skills)
    made.set_available(name, 0, available=True, rested=True)


def the_pool(made: Router, *serves: str) -> Pool:
    return made.pools[frozenset(serves or ("x",))]


def free(made: Router, want: Want, *serves: str) -> list[str]:
    return [name for _, _, name in the_pool(made, *serves).free[want]]


# --- kinds -------------------------------------------------------------------------------------------


def test_a_kind_is_learnt_from_the_first_ticket_that_asks_it_and_kept() -> None:
    made = router("ann")
    hire(made, "bo", 2, german=5)
    assert list(the_pool(made).free) == [PLAIN]
    ask(made, "one", need=GERMAN)
    want = (DEFAULT, 1, GERMAN)
    assert (free(made, PLAIN), free(made, want)) == (["ann", "bo"], ["bo"])
    assert the_pool(made).able == {PLAIN: 2, want: 1}
    made.remove("one")
    ask(made, "two", need=GERMAN)
    assert free(made, want) == ["bo"]


def test_who_takes_an_offer_of_fewer_places_may_take_none_of_more() -> None:
    made = Router()
    for name, capacity in (("small", 1), ("big", 3), ("busy", 3)):
        hire(made, name, capacity)
    made.add_load("busy", 2, 0)
    made.tune("x", places=2)
    want = (DEFAULT, 2, ANYBODY)
    assert free(made, want) == ["big"]
    assert the_pool(made).able == {want: 2}  # busy could if it had nothing else to do
    assert list(the_pool(made).awake) == [want]
    assert made.members["small"].wants == ()


def test_a_policy_or_places_that_change_sort_everybody_anew_by_what_waits() -> None:
    made = router("ann")
    ask(made, "one", need=GERMAN)
    made.tune("x", weight=1, policy="longest_idle")
    pool = the_pool(made)
    assert set(pool.free) == {("longest_idle", 1, ANYBODY), ("longest_idle", 1, GERMAN)}
    assert pool.awake == {("longest_idle", 1, ANYBODY): None}
    made.tune("x", weight=9, policy="longest_idle")
    assert pool is the_pool(made)


def test_a_pool_of_nothing_still_sorts_its_members() -> None:
    made = Router()
    made.put_member("ann", 1, ())
    made.set_available("ann", 0, available=True, rested=True)
    assert [name for _, _, name in made.pools[frozenset()].free[PLAIN]] == ["ann"]


def test_who_changes_is_sorted_by_what_it_can_do_now() -> None:
    made = router("ann")
    ask(made, "one", need=GERMAN)
    want = (DEFAULT, 1, GERMAN)
    assert next_match(made) is None
    made.put_member("ann", 1, ("x",), skills={"german": 4})
    assert free(made, want) == []
    made.put_member("ann", 1, ("x",), skills={"german": 6})
    assert (free(made, want), the_pool(made).able[want]) == (["ann"], 1)
    assert next_match(made) == Match("one", "queue", "ann")
    made.put_member("ann", 1, ("y",), skills={"german": 6})
    made.put_member("bo", 1, ("x",))
    assert the_pool(made).able[want] == 0


# --- the pace ----------------------------------------------------------------------------------------


def test_F14_who_joins_a_pool_begins_where_its_members_stand() -> None:
    made = router("ann")
    made.tune("x", policy="weighted")
    for number in range(3):
        ask(made, f"r{number}")
        made.offered(f"r{number}", "ann")
    pool = the_pool(made)
    assert (pool.pace, made.members["ann"].tag) == (2 * 720_720, 3 * 720_720)
    hire(made, "bo")
    assert made.members["bo"].tag == pool.pace
    hire(made, "cy", 1, "y")
    assert made.members["cy"].tag == 0
    hire(made, "cy", 1, "x")
    assert made.members["cy"].tag == pool.pace
    made.put_member("cy", 5, ("x",), weight=3)
    assert made.members["cy"].tag == pool.pace  # it hasn't joined anything


def test_a_pool_that_everybody_left_is_forgotten_with_its_pace() -> None:
    made = router("ann")
    made.tune("x", policy="weighted")
    ask(made, "one")
    made.offered("one", "ann")
    ask(made, "two")
    made.offered("two", "ann")
    assert the_pool(made).pace > 0
    made.put_member("ann", 1, ("y",))
    assert (the_pool(made, "y").pace, made.members["ann"].tag) == (0, 0)
    made.put_member("ann", 1, ("x",))
    assert (the_pool(made).pace, made.members["ann"].tag) == (0, 0)


def test_offers_of_other_policies_and_to_everyone_change_neither_tag_nor_pace() -> None:
    made = router("ann")
    ask(made, "one")
    made.offered("one", "ann")
    made.tune("x", policy="weighted")
    made.add_ticket(Ticket("two", "x", make_key(5, 5, "two"), "broadcast"))
    made.offered("two", None)
    made.add_ticket(Ticket("three", "x", make_key(6, 6, "three"), "direct", "ann"))
    made.offered("three", "ann")
    assert (made.members["ann"].tag, the_pool(made).pace) == (0, 0)
    ask(made, "four")
    made.offered("four", "ann")
    made.returned("four", "ann")
    assert made.members["ann"].tag == 720_720  # nothing is given back


# --- calls -------------------------------------------------------------------------------------------


def test_what_is_held_for_a_member_is_called_while_it_takes_such_an_offer() -> None:
    made = router("ann")
    made.add_load("ann", 1, 0)
    ask(made, "one", held="ann")
    ask(made, "two", held="ann")
    pool = the_pool(made)
    assert not pool.callers.get("x")
    made.add_load("ann", -1, 1)
    assert [(key[2], name) for key, name in pool.callers["x"]] == [("one", "ann")]
    made.remove("one")
    assert [(key[2], name) for key, name in pool.callers["x"]] == [("two", "ann")]
    made.widen("two", (), release=True)
    assert not pool.callers["x"]
    assert made.members["ann"].holds == {}
    assert next_match(made) == Match("two", "queue", "ann")


def test_what_is_held_moves_with_its_member_to_another_pool_that_serves_the_line() -> None:
    made = router("ann", "bo")
    ask(made, "one", held="ann")
    made.put_member("ann", 1, ("x", "y"))
    assert not the_pool(made).callers.get("x")
    assert [name for _, name in the_pool(made, "x", "y").callers["x"]] == ["ann"]
    assert next_match(made) == Match("one", "queue", "ann")


def test_calls_are_made_anew_when_a_line_is_tuned() -> None:
    made = router("ann", "bo")
    ask(made, "one", held="ann")
    made.tune("x", policy="round_robin")
    assert [name for _, name in the_pool(made).callers["x"]] == ["ann"]
    assert next_match(made) == Match("one", "queue", "ann")


# --- whatever happens --------------------------------------------------------------------------------

NEEDS: tuple[Need, ...] = ((), (("a", 1),), (("a", 3), ("b", 2)), (("b", 9),))


def _skills(chance: Random) -> Mapping[str, int]:
    return {skill: chance.randint(1, 9) for skill in "ab" if chance.random() < 0.6}


@given(seed=st.integers(0, 10**6))
def test_F5_a_member_is_among_the_free_of_each_kind_exactly_while_it_could_be_offered_such(seed: int) -> None:
    chance, made = Random(seed), Router()
    names = [f"m{number}" for number in range(4)]
    for name in names:
        made.put_member(name, chance.randint(1, 3), chance.choice([("x",), ("x", "y"), ()]), skills=_skills(chance))
    for step in range(40):
        name = chance.choice(names)
        member = made.members[name]
        match chance.randrange(6):
            case 0:
                serves = chance.choice([("x",), ("x", "y"), ("y",), ()])
                made.put_member(name, chance.randint(1, 3), serves, skills=_skills(chance))
            case 1:
                made.set_available(name, step, available=not member.available, rested=True)
            case 2:
                made.add_load(name, 1 if member.load == 0 else -1, step)
            case 3:
                made.add_offers(name, 1 if member.offers == 0 else -1)
            case 4:
                places = chance.randint(1, 3)
                line = chance.choice("xy")
                ask(made, f"r{step}", line, places=places, need=chance.choice(NEEDS))
            case _:
                made.put_line("x")
                made.tune("x", policy=chance.choice(list(POLICIES)), places=chance.randint(1, 3))
        _agree(made)


def _agree(made: Router) -> None:
    for subportals, pool in made.pools.items():
        members = [member for member in made.members.values() if member.pool is pool]
        assert set(pool.members) == {member.id for member in members}
        for want, takers in pool.free.items():
            policy, places, need = want
            fit = [one for one in members if all(one.skills.get(skill, 0) >= level for skill, level in need)]
            fit = [one for one in fit if one.capacity >= places]
            there = [one for one in fit if one.available and one.load + one.offers + places <= one.capacity]
            assert list(takers) == sorted(POLICIES[policy].rank(one) for one in there)
            assert (want in pool.awake) == bool(there)
            assert pool.able[want] == sum(one.available for one in fit)
        for name in subportals:
            line = made.lines[name]
            assert {line.want(kind) for kind in line.groups} <= set(pool.free)


def test_leaving_takes_a_member_out_of_every_list() -> None:
    made = router("ann", "bo")
    ask(made, "one", need=GERMAN, held="ann")
    member, pool = made.members["ann"], the_pool(made)
    pools.leave(member)
    assert (list(pool.members), pool.available) == (["bo"], 1)
    assert [name for _, _, name in pool.free[PLAIN]] == ["bo"]
    assert not pool.callers["x"]
