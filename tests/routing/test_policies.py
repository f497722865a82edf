"""The default rule: least occupied, then longest idle, then id."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from broker.routing.policies import least_occupied

members = st.tuples(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(1, 1000),
    st.integers(0, 5),
    st.text("ab"),
)


@given(one=members, other=members)
def test_F13_the_smaller_rank_is_the_less_occupied_then_the_longer_idle_then_the_first_by_name(
    one: tuple[int, int, int, int, str], other: tuple[int, int, int, int, str]
) -> None:
    exact = [(Fraction(load + offers, capacity), idle, name) for load, offers, capacity, idle, name in (one, other)]
    assert (least_occupied(*one) < least_occupied(*other)) == (exact[0] < exact[1])
    assert (least_occupied(*one) == least_occupied(*other)) == (exact[0] == exact[1])


def test_offers_count_like_sessions_so_that_a_burst_spreads() -> None:
    assert least_occupied(0, 1, 2, 0, "a") == least_occupied(1, 0, 2, 0, "a") > least_occupied(0, 0, 2, 9, "b")
