"""Each fault that cases may have is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from broker.desk import events as e
from broker.desk import invariants
from broker.desk.invariants import InvariantBroken
from broker.desk.rules import EVOLVE
from broker.desk.state import State
from broker.protocol import ops
from tests.desk.test_casebook import lived
from tests.support.builders import case_id, customer, representative, request_id
from tests.support.scene import office

FAULTS: list[tuple[str, Callable[[State], object]]] = [
    ("G1", lambda state: state.cases.pop(case_id("two"))),
    ("G1", lambda state: setattr(state.cases[case_id("two")], "type", "support_request")),
    ("G1", lambda state: setattr(state.cases[case_id("one")], "ended", None)),
    ("G2", lambda state: setattr(state.cases[case_id("two")], "status", "assigned")),
    ("G2", lambda state: setattr(state.cases[case_id("two")], "subportal", "other")),
    ("G2", lambda state: setattr(state.cases[case_id("one")], "resolved", None)),
    ("G8", lambda state: setattr(state.cases[case_id("three")], "representative", "zoe")),
    ("G6", lambda state: setattr(state.cases[case_id("two")], "since", None)),
    ("G4", lambda state: state.shelves.resolved.clear()),
    ("D4", lambda state: setattr(state, "next_listed", 3)),
    ("D4", lambda state: setattr(state.cases[case_id("one")], "listed", 99)),
    ("G10", lambda state: setattr(next(iter(state.case_mails.values())), "case", "k_none")),
]


@pytest.mark.parametrize(("invariant", "plant"), FAULTS)
def test_caught_a_case_that_is_not_as_it_must_be(invariant: str, plant: Callable[[State], object]) -> None:
    scene = lived()
    invariants.check(scene.desk.state)
    plant(scene.desk.state)
    with pytest.raises(InvariantBroken) as caught:
        invariants.check(scene.desk.state)
    assert caught.value.invariant == invariant, str(caught.value)


def test_caught_an_unassigned_case_that_is_somebodys_and_one_that_stands_before_a_newer_one() -> None:
    scene = lived()
    scene.ask("five")
    shelf = scene.desk.state.shelves.unassigned["help"]
    first = next(iter(shelf))
    del shelf[first]
    shelf[first] = None
    with pytest.raises(InvariantBroken, match="D4"):
        invariants.check(scene.desk.state)
    scene = lived()
    scene.ok(ops.RequestConvert(request_id("four")), customer("four"))
    scene.desk.state.cases[case_id("four")].representative = "ann"
    with pytest.raises(InvariantBroken, match="G2"):
        invariants.check(scene.desk.state)


@pytest.mark.parametrize("shelf", ["over", "left"])
def test_caught_a_case_that_would_be_erased_before_an_older_one(shelf: str) -> None:
    scene = office("ann", capacity=2)
    for name in ("carl", "dora"):
        scene.end(scene.assign(name, "ann"))
        scene.now += 1
        if shelf == "over":
            scene.ok(ops.CaseResolve(case_id(name)), representative("ann"))
    names = getattr(scene.desk.state.shelves, shelf)["help"]
    del names[case_id("carl")]
    names[case_id("carl")] = None
    with pytest.raises(InvariantBroken, match="G9"):
        invariants.check(scene.desk.state)


def test_caught_an_event_that_forgets_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = office("ann")
    whole = EVOLVE[e.RequestAssigned]
    assert whole.__closure__ is not None
    monkeypatch.setitem(EVOLVE, e.RequestAssigned, whole.__closure__[0].cell_contents)
    with pytest.raises(InvariantBroken, match="G2"):
        scene.assign("carl", "ann")
