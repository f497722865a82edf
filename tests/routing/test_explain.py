"""Why somebody was chosen, and everybody else wasn't. That explanations agree with decisions is checked wherever the
tests replay a desk (``tests.support.agreement``)."""

from __future__ import annotations

import pytest

from broker import limits
from broker.routing.explain import Candidate, Explanation, Passed, explain
from broker.routing.matching import next_match
from broker.routing.model import Match, Ticket, make_key
from broker.routing.router import Router
from tests.routing.test_router import router, waiting


def out(told: Explanation) -> dict[str, str | None]:
    return {candidate.member: candidate.out for candidate in told.candidates}


def test_the_best_comes_first_and_the_criterion_that_decided_is_named() -> None:
    made = router("ann", "bo", "cy", capacity=2)
    made.add_load("ann", 1, 5)
    made.set_available("cy", 9, available=True, rested=True)
    waiting(made, "one")
    told = explain(made, "one")
    assert (told.rule, told.chosen, told.decided_by) == ("least_occupied", "bo", "idle_since")
    assert [(one.member, one.rank) for one in told.candidates] == [
        ("bo", (0.0, 0, "bo")),
        ("cy", (0.0, 9, "cy")),
        ("ann", (0.5, 5, "ann")),
    ]
    made.set_available("cy", 0, available=False, rested=False)
    assert explain(made, "one").decided_by == "occupied"
    made.set_available("bo", 0, available=False, rested=False)
    assert explain(made, "one").decided_by == "only"
    made.set_available("ann", 0, available=False, rested=False)
    told = explain(made, "one")
    assert (told.chosen, told.decided_by) == (None, "only")


def test_what_keeps_somebody_out_is_told() -> None:
    made = router("free", "away", "full", "small", "refused", "dull", capacity=2)
    made.put_member("free", 2, ("x",), skills={"german": 5})
    for name in ("full", "refused", "small"):
        made.put_member(name, 2, ("x",), skills={"german": 5})
    made.put_member("small", 1, ("x",), skills={"german": 5})
    made.put_member("dull", 2, ("x",), skills={"german": 2})
    made.set_available("away", 0, available=False, rested=False)
    made.add_load("full", 1, 0)
    ticket = Ticket("r", "x", make_key(0, 1, "r"), "queue", refused=frozenset({"refused"}))
    ticket.places, ticket.need = 2, (("german", 3),)
    made.add_ticket(ticket)
    told = explain(made, "r")
    assert (told.chosen, told.candidates[0]) == ("free", Candidate("free", None, (0.0, 0, "free")))
    assert out(told) == {
        "free": None,
        "away": "not available",
        "full": "no room: 1 of 2 places taken, 2 needed",
        "small": "no room: 0 of 1 places taken, 2 needed",
        "refused": "refused it in this round",
        "dull": "lacks german 3: has 2",
    }


def test_a_held_request_is_for_one_alone() -> None:
    made = router("ann", "bo")
    ticket = Ticket("r", "x", make_key(0, 1, "r"), "queue")
    ticket.held = "bo"
    made.add_ticket(ticket)
    told = explain(made, "r")
    assert (told.chosen, out(told)) == ("bo", {"bo": None, "ann": "held for bo"})


def test_whose_turn_it_was_is_told() -> None:
    made = router("ann", serves=("x", "y"))
    made.add_load("ann", 1, 0)
    for name, line in (("x1", "x"), ("x2", "x"), ("y1", "y")):
        waiting(made, name, line=line)
    made.offered("x1", "ann")  # x has had its turn
    made.add_load("ann", -1, 1)
    told = explain(made, "x2")
    assert told.chosen is None
    assert out(told) == {"ann": "its turn was another's: y, y1"}
    (turn,) = explain(made, "y1").turns
    assert (turn.subportals, turn.named) == (("x", "y"), ("y", "y1"))
    assert [(line.subportal, line.given, line.first) for line in turn.lines] == [("y", 0.0, "y1"), ("x", 1.0, "x2")]
    made.add_load("ann", 1, 2)
    assert explain(made, "y1").turns[0].named is None


def test_older_requests_that_were_passed_over_are_told() -> None:
    made = router("ann", "bo")
    made.add_load("bo", 1, 0)
    for number, name in enumerate(("out", "paused", "german", "refused", "nobody", "young"), 1):
        ticket = Ticket(name, "x", make_key(number, number, name), "queue")
        ticket.need = (("german", 1),) if name == "german" else ()
        ticket.refused = frozenset({"ann"}) if name in ("refused", "paused") else frozenset()
        ticket.places = 2 if name == "nobody" else 1
        made.add_ticket(ticket)
    made.offered("out", None)
    made.pause("paused")
    told = explain(made, "young")
    assert told.chosen == "ann"
    assert told.passed == (
        Passed("out", "offered already"),
        Passed("paused", "between rounds: everybody had refused it"),
        Passed("german", "lacks german 1: has 0"),
        Passed("refused", "refused it in this round"),
        Passed("nobody", "nobody could take it"),
    )


def test_no_more_are_told_one_by_one_than_somebody_reads() -> None:
    made = router(*(f"m{number:03}" for number in range(limits.MAX_CANDIDATES + 7)))
    for number in range(30):
        waiting(made, f"r{number:02}")
        made.offered(f"r{number:02}", None)
    waiting(made, "last", 1)
    told = explain(made, "last")
    assert (len(told.candidates), told.others, len(told.passed)) == (limits.MAX_CANDIDATES, 7, 20)


def test_an_explanation_that_leaves_a_filter_out_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Router = router("ann", "bo")
    made.put_line("x")
    made.add_ticket(Ticket("r", "x", make_key(0, 1, "r"), "queue", refused=frozenset({"ann"})))
    assert next_match(made) == Match("r", "queue", "bo")
    assert explain(made, "r").chosen == "bo"
    monkeypatch.setattr("broker.routing.explain.kept_out", lambda member, ticket: None)
    assert explain(made, "r").chosen == "ann"  # and the replays of the desk's machine would see it
