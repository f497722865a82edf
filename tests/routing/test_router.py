"""The router's facts: lines, pools and members, without a desk."""
# covers: broker/routing/model.py

from __future__ import annotations

import pytest

from broker.routing.matching import next_match
from broker.routing.model import Match, RoundOver, Statistics, Ticket, make_key
from broker.routing.router import Router


def router(*names: str, serves: tuple[str, ...] = ("x",), capacity: int = 1) -> Router:
    made = Router()
    for name in names:
        made.put_member(name, capacity, serves)
        made.set_available(name, 0, available=True, rested=True)
    return made


def waiting(
    made: Router, name: str, t: int = 0, line: str = "x", how: str = "queue", target: str | None = None
) -> None:
    made.put_line(line)
    made.add_ticket(Ticket(name, line, make_key(t, len(made.tickets), name), how, target))


def test_a_place_is_by_arrival_then_by_number() -> None:
    made = router()
    for name, t in (("late", 9), ("early", 1), ("next", 9)):
        waiting(made, name, t)
    assert list(made.in_line("x", 1, 10)) == [(1, "early"), (2, "late"), (3, "next")]
    assert list(made.in_line("x", 2, 1)) == [(2, "late")]
    assert [made.position(name) for name in ("early", "late", "next")] == [1, 2, 3]


def test_a_place_is_kept_while_offered_and_gone_when_assigned() -> None:
    made = router("ann")
    waiting(made, "one")
    waiting(made, "two")
    made.offered("one", "ann")
    assert made.position("one") == 1
    made.assigned("one")
    assert made.position("two") == 1
    with pytest.raises(KeyError):
        made.position("one")
    made.requeued("one", "ann")
    assert (made.position("one"), made.position("two")) == (1, 2)
    waiting(made, "direct", how="direct", target="ann")
    with pytest.raises(KeyError):
        made.position("direct")
    waiting(made, "last", 99)
    made.remove("last")
    waiting(made, "very last", 100)
    made.assigned("very last")
    with pytest.raises(KeyError):
        made.position("very last")


def test_putting_a_line_or_a_member_again_changes_nothing() -> None:
    made = router("ann")
    waiting(made, "one")
    made.put_line("x")
    made.put_member("ann", 1, ("x",))
    assert made.statistics() == Statistics(waiting=1, members=1, available=1, lines=1, pools=1)
    assert next_match(made) == Match("one", "queue", "ann")


def test_members_with_the_same_sub_portals_share_a_pool_and_an_empty_pool_goes() -> None:
    made = router("ann", "bo", serves=("x", "y"))
    assert len(made.pools) == 1
    made.put_member("bo", 1, ("y", "z"))
    assert len(made.pools) == 2
    assert [len(made.lines[line].pools) for line in ("x", "y", "z")] == [1, 2, 1]
    made.put_member("ann", 1, ("z", "y"))
    assert [len(made.lines[line].pools) for line in ("x", "y", "z")] == [0, 1, 1]


def test_a_line_that_comes_after_its_pool_is_found_by_it() -> None:
    made = router("ann", serves=())
    made.put_line("x")
    waiting(made, "one")
    made.put_member("ann", 1, ("x",))
    assert next_match(made) == Match("one", "queue", "ann")


def test_a_member_who_moves_away_from_a_marked_pool_leaves_nothing_to_look_at() -> None:
    made = router("ann")
    waiting(made, "one")
    made.put_member("ann", 1, ("y",))
    assert next_match(made) is None


def test_a_paused_ticket_is_offered_to_nobody_until_its_next_round() -> None:
    made = router("ann")
    waiting(made, "one")
    made.offered("one", "ann")
    made.returned("one", "ann")
    assert next_match(made) == RoundOver("one")
    made.pause("one")
    assert next_match(made) is None
    made.next_round("one")
    assert next_match(made) == Match("one", "queue", "ann")
    made.next_round("one")  # not paused: nothing happens
    assert next_match(made) == Match("one", "queue", "ann")


def test_a_paused_ticket_can_be_removed() -> None:
    made = router("ann")
    waiting(made, "one")
    made.offered("one", "ann")
    made.returned("one", "ann")
    made.pause("one")
    made.remove("one")
    assert made.statistics().waiting == 0
    assert (made.lines_again, made.lines["x"].paused, made.lines["x"].groups) == ({}, set(), {})


def test_an_offer_that_nobody_refused_comes_back_as_it_was() -> None:
    made = router("ann")
    waiting(made, "one")
    made.offered("one", "ann")
    made.returned("one", None)
    assert made.tickets["one"].refused == frozenset()
    assert next_match(made) == Match("one", "queue", "ann")


def test_aiming_a_ticket_that_is_out_waits_for_its_return() -> None:
    made = router("ann", "bo")
    waiting(made, "one", how="direct", target="ann")
    made.offered("one", "ann")
    made.aim("one", "direct", "bo")
    assert next_match(made) is None
    made.returned("one", None)
    assert next_match(made) == Match("one", "direct", "bo")
