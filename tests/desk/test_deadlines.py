"""Deadlines: at most one per kind and thing, the earliest first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker.desk.deadlines import Deadlines


def test_a_deadline_set_again_replaces_the_one_before_and_none_takes_it_away() -> None:
    deadlines = Deadlines()
    assert deadlines.first() is None
    deadlines.set("offer", "o", 20)
    deadlines.set("hold", "ann", 10)
    assert (deadlines.first(), len(deadlines)) == ((10, "hold", "ann"), 2)
    deadlines.set("hold", "ann", 30)
    assert (deadlines.first(), deadlines.get("hold", "ann"), len(deadlines)) == ((20, "offer", "o"), 30, 2)
    deadlines.set("offer", "o", None)
    deadlines.set("offer", "none", None)
    assert (list(deadlines), deadlines.get("offer", "o")) == ([(30, "hold", "ann")], None)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.none() | st.integers(0, 9))))
def test_deadlines_are_a_sorted_mapping(steps: list[tuple[str, str, int | None]]) -> None:
    deadlines, model = Deadlines(), dict[tuple[str, str], int]()
    for kind, name, t in steps:
        deadlines.set(kind, name, t)
        model.pop((kind, name), None)
        if t is not None:
            model[kind, name] = t
        assert list(deadlines) == sorted((t, kind, name) for (kind, name), t in model.items())
        assert deadlines.first() == next(iter(deadlines), None)
