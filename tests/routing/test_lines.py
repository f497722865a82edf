"""Lines: who stands where, in which group, and what a decision has to look at."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.routing import lines, matching
from broker.routing.matching import next_match
from broker.routing.model import Match, Need, make_key
from broker.routing.router import Router
from tests.routing.test_pools import GERMAN, ask, hire
from tests.routing.test_router import router

Patch = pytest.MonkeyPatch


def groups(made: Router) -> dict[tuple[object, ...], list[str]]:
    """(kind, refused) to the requests that stand there."""
    return {
        (kind, tuple(sorted(refused))): [key[2] for key in keys]
        for kind, by_refused in made.lines["x"].groups.items()
        for refused, keys in by_refused.items()
    }


def held(made: Router, name: str) -> list[str]:
    return [key[2] for keys in made.members[name].holds.values() for key in keys]


def test_requests_stand_with_those_that_ask_the_same_and_were_refused_by_the_same() -> None:
    made = router("ann", "bo")
    for name, places, need in (("one", 1, ()), ("two", 2, ()), ("three", 1, GERMAN), ("four", 1, ())):
        ask(made, name, places=places, need=need)
    made.offered("four", "ann")
    made.returned("four", "ann")
    assert groups(made) == {
        ((1, ()), ()): ["one"],
        ((1, ()), ("ann",)): ["four"],
        ((2, ()), ()): ["two"],
        ((1, GERMAN), ()): ["three"],
    }
    assert made.lines["x"].refused == {"four"}
    for name in ("one", "two", "three", "four"):
        made.remove(name)
    assert (made.lines["x"].groups, made.lines["x"].refused, made.lines["x"].head) == ({}, set(), None)


def test_a_held_request_stands_in_its_line_but_in_no_group() -> None:
    made = router("ann", "bo")
    ask(made, "one", held="ann")
    ask(made, "two")
    assert (groups(made), held(made, "ann")) == ({((1, ()), ()): ["two"]}, ["one"])
    assert [made.position(name) for name in ("one", "two")] == [1, 2]
    assert made.lines["x"].head == made.tickets["one"].key
    made.assigned("one")
    assert made.members["ann"].holds == {}


def test_a_held_request_counts_as_the_first_of_a_group_of_its_own() -> None:
    made = router("ann", "bo")
    ask(made, "older")
    ask(made, "mine", held="bo")
    ask(made, "younger")
    made.set_available("ann", 0, available=False, rested=False)
    assert next_match(made) == Match("older", "queue", "bo")  # an older one goes first, also to bo
    made.offered("older", "bo")
    made.add_offers("bo", 1)
    assert next_match(made) is None
    made.set_available("ann", 5, available=True, rested=True)
    assert next_match(made) == Match("younger", "queue", "ann")
    made.add_offers("bo", -1)
    assert next_match(made) == Match("mine", "queue", "bo")


def test_a_held_request_goes_to_its_member_whatever_the_policy_and_the_need_say() -> None:
    made = router("ann", "bo")
    ask(made, "mine", need=GERMAN, held="bo")
    assert next_match(made) == Match("mine", "queue", "bo")
    made.widen("mine", GERMAN, release=True)
    assert next_match(made) is None


def test_F22_another_class_moves_a_request_in_line_and_in_whatever_state_it_is() -> None:
    made = router("ann")
    for name in ("one", "two", "three", "four"):
        ask(made, name)
    made.offered("two", "ann")
    made.add_offers("ann", 1)
    made.rekey("three", make_key(-5, 3, "three"))
    made.rekey("two", make_key(-9, 2, "two"))
    assert [name for _, name in made.in_line("x", 1, 9)] == ["two", "three", "one", "four"]
    assert made.lines["x"].head == made.tickets["three"].key
    assert made.tickets["two"].out
    made.returned("two", "ann")
    made.pause("two")
    made.rekey("two", make_key(99, 2, "two"))
    assert [name for _, name in made.in_line("x", 1, 9)] == ["three", "one", "four", "two"]
    assert (made.tickets["two"].paused, made.lines["x"].paused) == (True, {"two"})
    assert "x" in made.lines_again
    made.next_round("two")
    assert groups(made) == {((1, ()), ()): ["three", "one", "four", "two"]}


def test_F22_a_line_says_why_somebody_came_to_stand_before_others() -> None:
    made = router("ann")
    ask(made, "one")
    ask(made, "two")
    line = made.lines["x"]
    before = line.moved_by
    ask(made, "three")
    assert line.moved_by == before  # at the end
    made.rekey("three", make_key(-1, 3, "three"))
    assert line.moved_by == "priority"
    made.remove("two")
    made.assigned("three")
    ask(made, "late")
    made.requeued("three", "ann")
    assert line.moved_by == "sent_back"


def test_a_request_that_is_moved_begins_anew_in_the_other_line_at_its_age() -> None:
    made = router("ann", serves=("x", "y"))
    for name, line in (("old", "x"), ("young", "y")):
        ask(made, name, line)
    made.offered("old", "ann")
    made.returned("old", "ann")
    made.pause("old")
    made.move("old", "y", GERMAN)
    ticket = made.tickets["old"]
    assert (ticket.subportal, ticket.refused, ticket.paused, ticket.held) == ("y", frozenset(), False, None)
    assert [name for _, name in made.in_line("y", 1, 9)] == ["old", "young"]
    assert (list(made.lines["x"].order), made.lines["x"].paused, made.lines["x"].groups) == ([], set(), {})
    assert made.lines["y"].moved_by == "moved_in"
    assert "x" not in made.lines_again


def test_a_need_that_changes_while_a_request_is_out_or_paused_counts_when_it_is_back() -> None:
    made = router("ann")
    ask(made, "one", need=GERMAN)
    made.offered("one", "ann")
    made.widen("one", ())
    made.returned("one", "ann")
    assert groups(made) == {((1, ()), ("ann",)): ["one"]}
    made.pause("one")
    made.widen("one", (("tax", 1),))
    assert groups(made) == {}
    made.next_round("one")
    assert groups(made) == {((1, (("tax", 1),)), ()): ["one"]}


def test_a_place_is_none_for_what_is_not_in_the_line() -> None:
    made = router("ann")
    ask(made, "one")
    line, ticket = made.lines["x"], made.tickets["one"]
    assert lines.position(line, ticket) == 1
    line.order.clear()
    assert lines.position(line, ticket) is None
    assert list(lines.in_order(line, 1, 5)) == []


# --- F6, F7: order on the router alone ----------------------------------------------------------------

NEEDS: tuple[Need, ...] = ((), (("a", 3),), (("b", 3),), (("a", 5), ("b", 5)))


@given(seed=st.integers(0, 10**6))
def test_F7_whoever_is_offered_something_could_have_had_nothing_that_stands_before_it(seed: int) -> None:
    chance, made = Random(seed), Router()
    for number in range(3):
        skills = {skill: chance.randint(1, 6) for skill in "ab" if chance.random() < 0.7}
        hire(made, f"m{number}", chance.randint(1, 3), **skills)
    out: list[tuple[str, str]] = []
    for step in range(1, 40):
        match chance.randrange(5):
            case 0 | 1:
                who = chance.choice([None, None, "m0", "m1"])
                ask(made, f"r{step}", places=chance.randint(1, 2), need=chance.choice(NEEDS), held=who)
            case 2 if made.tickets:
                name = chance.choice(sorted(made.tickets))
                ticket = made.tickets[name]
                made.rekey(name, make_key(ticket.key[0] - chance.randint(-9, 9), ticket.key[1], name))
            case 3 if out:
                name, who = out.pop(chance.randrange(len(out)))
                made.add_offers(who, -made.tickets[name].places)
                made.returned(name, chance.choice([who, None]))
            case _ if out:
                name, who = out.pop(0)
                made.add_offers(who, -made.tickets[name].places)
                made.remove(name)
            case _:
                pass
        while isinstance(found := next_match(made), Match):
            assert found.member is not None
            _could_have_had_nothing_before(made, found.request, found.member)
            made.offered(found.request, found.member)
            made.add_offers(found.member, made.tickets[found.request].places)
            out.append((found.request, found.member))
        if found is not None:
            made.pause(found.request)
            made.next_round(found.request)


def _could_have_had_nothing_before(made: Router, request: str, who: str) -> None:
    member, key = made.members[who], made.tickets[request].key
    room = member.capacity - member.load - member.offers
    for ticket in made.tickets.values():
        fits = all(member.skills.get(skill, 0) >= level for skill, level in ticket.need) or ticket.held == who
        could = fits and ticket.places <= room and who not in ticket.refused and ticket.held in (None, who)
        assert ticket.out or ticket.key >= key or not could, f"{who} gets {request} before {ticket.request}"


# --- P6: how little a decision looks at --------------------------------------------------------------


class Looked:
    """How many heads and people decisions looked at."""

    def __init__(self, patch: Patch) -> None:
        self.heads = self.people = self.kinds = 0
        best, kinds = matching.best_member, matching._kinds

        def counting_best(pool: Any, want: Any, refused: Any) -> Any:
            self.heads += 1
            for rank in pool.free[want]:
                self.people += 1
                if rank[2] not in refused:
                    break
            return best(pool, want, refused)

        def counting_kinds(line: Any, pool: Any) -> Any:
            found = kinds(line, pool)
            self.kinds += len(found)
            return found

        patch.setattr(matching, "best_member", counting_best)
        patch.setattr(matching, "_kinds", counting_kinds)


@pytest.mark.parametrize("size", [5, 300])
def test_P6_a_decision_looks_at_as_many_heads_however_many_wait_or_are_held_or_busy(
    monkeypatch: Patch, size: int
) -> None:
    made = Router()
    hire(made, "ann", 1, german=5)
    made.add_load("ann", 1, 0)
    for number in range(size):
        hire(made, f"busy{number}", 1, german=5)
        made.add_load(f"busy{number}", 1, 0)
    for number in range(size):
        ask(made, f"g{number:03}", need=GERMAN)
        ask(made, f"h{number:03}", held=f"busy{number}")
        ask(made, f"p{number:03}")
    assert next_match(made) is None
    looked = Looked(monkeypatch)
    made.add_load("ann", -1, 1)
    assert next_match(made) == Match("g000", "queue", "ann")
    assert (looked.heads, looked.people, looked.kinds) == (1, 1, 2)


@pytest.mark.parametrize("skills", [3, 200])
def test_P6_a_decision_looks_at_no_more_heads_however_many_skills_are_in_use(monkeypatch: Patch, skills: int) -> None:
    made = Router()
    for number in range(skills):
        ask(made, f"r{number:03}", need=((f"skill{number:03}", 1),))
        hire(made, f"m{number:03}", 1, **{f"skill{number:03}": 1})
        made.add_load(f"m{number:03}", 1, 0)
    assert next_match(made) is None
    looked = Looked(monkeypatch)
    made.add_load("m001", -1, 1)
    assert next_match(made) == Match("r001", "queue", "m001")
    assert (looked.heads, looked.people, looked.kinds) == (1, 1, 1)


@pytest.mark.parametrize("people", [2, 300])
def test_P6_a_held_request_is_found_among_however_many_that_are_free(monkeypatch: Patch, people: int) -> None:
    made = Router()
    for number in range(people):
        hire(made, f"m{number:03}", 1)
    looked = Looked(monkeypatch)
    ask(made, "one", held="m001")
    assert next_match(made) == Match("one", "queue", "m001")
    assert looked.heads == 0
