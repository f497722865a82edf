"""A sub-portal's tag and its pool's virtual time, step by step: what random days alone seldom show."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from broker.routing import fairness
from broker.routing.model import Line, Pool
from broker.routing.router import Router
from tests.routing.test_router import router, waiting


def _two_lines() -> Router:
    """x and y of weight 1 share ann, who has room for everything."""
    made = router("ann", serves=("x", "y"), capacity=100)
    for number in range(9):
        for line in "xy":
            waiting(made, f"{line}{number}", number, line=line)
    return made


def test_F9_a_refund_follows_the_lift_and_is_not_swallowed_or_saved_up() -> None:
    made = router("ann", serves=("x", "y"), capacity=100)
    waiting(made, "alone", line="x")
    made.offered("alone", "ann")  # nothing of x waits now
    for number in range(5):
        waiting(made, f"y{number}", number, line="y")
        made.offered(f"y{number}", "ann")
    (pool,) = made.pools.values()
    assert (pool.virtual, pool.tags["x"]) == (4 * fairness.UNIT, fairness.UNIT)
    made.returned("alone", "ann")
    assert pool.tags["x"] == pool.virtual - fairness.UNIT  # one turn back, and none for the time when it asked nothing


def test_F10_virtual_time_never_goes_back() -> None:
    made = _two_lines()
    (pool,) = made.pools.values()
    for name in ("x0", "y0", "x1", "y1", "x2"):
        made.offered(name, "ann")
    assert pool.virtual == 2 * fairness.UNIT
    made.returned("x2", "ann")
    made.returned("x1", "ann")
    assert pool.tags["x"] == fairness.UNIT  # it has two turns to make up for
    made.offered("x1", "ann")
    assert pool.virtual == 2 * fairness.UNIT


@pytest.mark.parametrize("fault", ["no lift before a refund", "a virtual time that goes back"])
def test_F9_F10_caught_faults_of_lift_and_virtual_time(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "no lift before a refund":
        monkeypatch.setattr(fairness, "wake", lambda line: None)
        with pytest.raises(AssertionError):
            test_F9_a_refund_follows_the_lift_and_is_not_swallowed_or_saved_up()
        return
    real = fairness.charge

    def backwards(pool: Pool, line: Line, places: int, lines: Mapping[str, Line]) -> int:
        tag = pool.tags.get(line.subportal, 0)
        cost = real(pool, line, places, lines)
        pool.virtual = tag
        return cost

    monkeypatch.setattr(fairness, "charge", backwards)
    with pytest.raises(AssertionError):
        test_F10_virtual_time_never_goes_back()


def test_what_a_pool_was_charged_that_is_no_more_is_not_given_back_to_its_namesake() -> None:
    made = router("ann", serves=("x",))
    waiting(made, "one")
    made.offered("one", "ann")
    made.put_member("ann", 1, ("x", "y"))  # the last of those who serve x alone
    made.put_member("bo", 1, ("x",))
    made.returned("one", "ann")
    assert [pool.tags.get("x", 0) for pool in made.pools.values()] == [0, 0]
