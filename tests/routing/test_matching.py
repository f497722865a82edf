"""Matching: what is offered next, and how little it looks at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.routing import matching
from broker.routing.lines import round_is_over
from broker.routing.matching import next_match
from broker.routing.model import Match, RoundOver, Ticket, make_key
from broker.routing.router import Router
from tests.routing.test_router import router, waiting

PLAIN = (1, ())


def matches(made: Router) -> Iterator[Match | RoundOver]:
    """Carry out what is found until nothing is."""
    while (found := next_match(made)) is not None:
        yield found
        if isinstance(found, RoundOver):
            made.pause(found.request)
        else:
            made.offered(found.request, found.member)
            if found.member is not None:
                made.add_offers(found.member, 1)


def test_what_is_for_everyone_comes_first_then_ones_own_line_then_the_lines() -> None:
    made = router("ann", "bo")
    waiting(made, "queue", 1)
    waiting(made, "own", 2, how="direct", target="bo")
    waiting(made, "all", 3, how="broadcast")
    assert list(matches(made)) == [
        Match("all", "broadcast", None),
        Match("own", "direct", "bo"),
        Match("queue", "queue", "ann"),
    ]


def test_of_all_lines_the_oldest_ticket_comes_first() -> None:
    made = router("ann", "bo", serves=("x", "y"))
    made.set_available("ann", 0, available=False, rested=False)
    made.set_available("bo", 0, available=False, rested=False)
    for name, t, line in (("third", 3, "x"), ("first", 1, "y"), ("second", 2, "x")):
        waiting(made, name, t, line)
    made.put_member("gus", 1, ("x",))
    made.set_available("gus", 0, available=True, rested=True)
    made.set_available("ann", 0, available=True, rested=True)
    assert [match.request for match in matches(made)] == ["first", "second"]
    made.set_available("bo", 0, available=True, rested=True)
    assert [match.request for match in matches(made)] == ["third"]


def test_the_oldest_comes_first_in_whatever_order_pools_were_marked() -> None:
    made = Router()
    for name, serves in (("ann", ("x",)), ("bo", ("y",)), ("cy", ("x", "z"))):
        made.put_member(name, 1, serves)
    for request, t, line in (("middle", 2, "x"), ("young", 3, "y"), ("old", 1, "z")):
        waiting(made, request, t, line)
    for name, idle_since in (("ann", 5), ("bo", 5), ("cy", 0)):  # cy is the best for x too, and alone serves z
        made.set_available(name, idle_since, available=True, rested=True)
    assert list(matches(made)) == [
        Match("old", "queue", "cy"),
        Match("middle", "queue", "ann"),
        Match("young", "queue", "bo"),
    ]


def test_a_refused_ticket_in_front_holds_nobody_up() -> None:
    made = router("ann", "bo")
    waiting(made, "old", 1)
    made.offered("old", "ann")
    made.add_load("bo", 1, 5)  # busy, and eligible
    made.returned("old", "ann")
    waiting(made, "new", 2)
    assert list(matches(made)) == [Match("new", "queue", "ann")]
    made.add_load("bo", -1, 6)
    assert list(matches(made)) == [Match("old", "queue", "bo")]


def test_among_refused_tickets_too_the_oldest_that_somebody_may_take_comes_first() -> None:
    made = router("ann", "bo", serves=("x", "y"))
    for name, t, line, by in (("a", 1, "x", "ann"), ("b", 2, "y", "bo"), ("c", 3, "x", "bo"), ("d", 4, "y", "ann")):
        waiting(made, name, t, line)
        made.offered(name, by)
        made.returned(name, by)
    made.set_available("bo", 9, available=False, rested=False)
    assert [found.request for found in matches(made) if isinstance(found, RoundOver)] == ["a", "d"]
    assert made.tickets["b"].out
    assert not made.tickets["c"].out


def test_a_round_is_over_when_nobody_is_left_to_ask() -> None:
    made = router("ann", "bo")
    line = made.lines["x"]
    assert round_is_over(line, PLAIN, {"ann", "bo"})
    assert not round_is_over(line, PLAIN, {"ann", "who-moved-away"})
    made.set_available("bo", 0, available=False, rested=False)
    assert round_is_over(line, PLAIN, {"ann", "bo"})
    made.set_available("ann", 0, available=False, rested=False)
    assert round_is_over(line, PLAIN, set())


@given(
    ranks=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6),
    refused=st.sets(st.integers(0, 5)),
    split=st.integers(0, 5),
)
def test_F13_the_best_of_all_pools_that_have_not_refused(
    ranks: list[tuple[int, int]], refused: set[int], split: int
) -> None:
    made = Router()
    made.put_line("x")
    for number, (load, idle) in enumerate(ranks):
        made.put_member(f"m{number}", 3, ("x", "y") if number < split else ("x",))
        for _ in range(load):
            made.add_load(f"m{number}", 1, 0)
        made.set_available(f"m{number}", idle, available=True, rested=True)
    able = [
        (load / 3, idle, f"m{number}")
        for number, (load, idle) in enumerate(ranks)
        if load < 3 and number not in refused
    ]
    made.add_ticket(Ticket("r", "x", make_key(0, 1, "r"), "queue", refused=frozenset(f"m{one}" for one in refused)))
    found = next_match(made)
    if able:
        assert found == Match("r", "queue", min(able)[2])
    else:
        assert not isinstance(found, Match)


# --- how little it looks at (P6) ---------------------------------------------------------------------


class Counted:
    """How often lines and members were looked at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines = self.members = 0
        match_line, best = matching.match_line, matching.best_member

        def counting_line(line: Any, pool: Any) -> Any:
            self.lines += 1
            return match_line(line, pool)

        def counting_best(pool: Any, want: Any, refused: Any) -> Any:
            self.members += 1
            return best(pool, want, refused)

        monkeypatch.setattr(matching, "match_line", counting_line)
        monkeypatch.setattr(matching, "best_member", counting_best)


@pytest.mark.parametrize("size", [10, 300])
def test_P6_a_decision_looks_at_no_more_however_many_wait(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    made = router("ann")
    made.add_load("ann", 1, 0)
    for number in range(size):
        waiting(made, f"r{number:03}", number, line=f"l{number % 10}" if size > 10 else "x")
    for line in made.lines:
        assert line
    made.put_member("ann", 1, tuple(made.lines))
    counted = Counted(monkeypatch)
    made.add_load("ann", -1, 1)
    assert [match.request for match in matches(made)] == ["r000"]
    assert (counted.lines, counted.members) == (1, 1)


@pytest.mark.parametrize("size", [10, 300])
def test_P6_requests_that_the_same_people_refused_are_looked_at_as_one(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    made = router("ann", "bo")
    made.add_load("bo", 1, 0)
    for number in range(size):
        waiting(made, f"r{number:03}", number)
        made.offered(f"r{number:03}", "ann")
        made.returned(f"r{number:03}", "ann")
    assert next_match(made) is None
    counted = Counted(monkeypatch)
    waiting(made, "fresh", size + 1)
    assert next_match(made) == Match("fresh", "queue", "ann")
    assert counted.members == 2
