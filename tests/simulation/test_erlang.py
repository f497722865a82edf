"""The formulas against tables that were computed elsewhere, digit for digit, and against laws that need no table."""

import math
from fractions import Fraction

import pytest

from broker.simulation.erlang import erlang_a, erlang_b, erlang_c

# c, rho, P(wait), mean wait, mean line, p95 wait, Erlang B; times in mean handle times. Where a wait is computed from a
# P(wait) that was rounded before, its last digit can be another: c=5, rho=0.5 is 0.05215 and c=10, rho=0.7 is 0.49648.
TABLE_C = """
1 0.5 0.5000 1.0000 0.5000 4.605 0.3333
1 0.8 0.8000 4.0000 3.2000 13.863 0.4444
1 0.9 0.9000 9.0000 8.1000 28.904 0.4737
2 0.5 0.3333 0.3333 0.3333 1.897 0.2000
2 0.8 0.7111 1.7778 2.8444 6.637 0.3299
2 0.9 0.8526 4.2632 7.6737 14.182 0.3665
3 0.8 0.6472 1.0787 2.5888 4.268 0.2684
5 0.5 0.1304 0.0521 0.1304 0.383 0.0697
5 0.7 0.3778 0.2519 0.8816 1.348 0.1541
5 0.8 0.5541 0.5541 2.2165 2.405 0.1991
5 0.9 0.7625 1.5250 6.8624 5.449 0.2430
10 0.7 0.2217 0.0739 0.5174 0.496 0.0787
10 0.8 0.4092 0.2046 1.6367 1.051 0.1217
10 0.9 0.6687 0.6687 6.0186 2.593 0.1680
20 0.8 0.2561 0.0640 1.0243 0.408 0.0644
20 0.9 0.5508 0.2754 4.9569 1.200 0.1092
20 0.95 0.7554 0.7554 14.3526 2.715 0.1338
50 0.8 0.0870 0.0087 0.3478 0.055 0.0187
50 0.9 0.3639 0.0728 3.2748 0.397 0.0541
50 0.95 0.6291 0.2516 11.9528 1.013 0.0782
100 0.9 0.2169 0.0217 1.9525 0.147 0.0270
100 0.95 0.5065 0.1013 9.6227 0.463 0.0488
200 0.95 0.3653 0.0365 6.9400 0.199 0.0280
"""

# c, rho, theta, P(wait), P(abandon), mean wait of all
TABLE_A = """
5 1.0 1.0 0.5595 0.1755 0.1755
10 0.8 0.5 0.3174 0.0388 0.0776
10 1.0 0.5 0.6197 0.1039 0.2078
10 1.2 0.5 0.8504 0.1957 0.3913
10 1.0 1.0 0.5421 0.1251 0.1251
50 0.95 0.5 0.4345 0.0276 0.0552
50 1.0 1.0 0.5188 0.0563 0.0563
50 1.1 0.5 0.8662 0.1021 0.2042
100 1.0 0.5 0.5967 0.0330 0.0661
100 1.2 1.0 0.9721 0.1677 0.1677
"""

ROWS_C = [row.split() for row in TABLE_C.strip().splitlines()]
ROWS_A = [row.split() for row in TABLE_A.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS_C, ids=lambda row: f"c={row[0]}, rho={row[1]}")
def test_erlang_b_and_c_are_those_of_the_table_digit_for_digit(row: list[str]) -> None:
    c, load = int(row[0]), int(row[0]) * float(row[1])
    found = erlang_c(c, load)
    four = [found.probability, found.mean, found.line]
    assert [f"{value:.4f}" for value in four] == row[2:5]
    assert f"{found.quantile(0.95):.3f}" == row[5]
    assert f"{erlang_b(c, load):.4f}" == row[6]


@pytest.mark.parametrize("row", ROWS_C, ids=lambda row: f"c={row[0]}, rho={row[1]}")
def test_erlang_c_is_that_of_exact_fractions(row: list[str]) -> None:
    c, rho = int(row[0]), Fraction(row[1])
    # the textbook's sums over the states, not the recursion: a^c/c! over sum of a^k/k! and the tail
    terms = [(rho * c) ** k / math.factorial(k) for k in range(c + 1)]
    tail = terms[c] / (1 - rho)
    exact = tail / (sum(terms[:c]) + tail)
    found = erlang_c(c, float(rho * c))
    assert found.probability == pytest.approx(float(exact), rel=1e-11)
    assert found.mean == pytest.approx(float(exact / (c - rho * c)), rel=1e-11)


@pytest.mark.parametrize("row", ROWS_A, ids=lambda row: f"c={row[0]}, rho={row[1]}, theta={row[2]}")
def test_erlang_a_is_that_of_the_table_digit_for_digit(row: list[str]) -> None:
    c, theta = int(row[0]), float(row[2])
    found = erlang_a(c, c * float(row[1]), theta)
    assert [f"{value:.4f}" for value in (found.probability, found.abandoned, found.mean)] == row[3:]


def test_one_representative_waits_as_often_as_it_is_busy() -> None:
    assert erlang_c(1, 0.37).probability == pytest.approx(0.37)


def test_one_representative_with_equal_rates_is_known_in_closed_form() -> None:
    assert erlang_a(1, 1.0, 1.0).probability == pytest.approx(1 - 1 / math.e)


@pytest.mark.parametrize(("c", "load"), [(3, 1.5), (10, 8.0), (50, 47.5)])
def test_patience_without_end_leads_from_a_to_c(c: int, load: float) -> None:
    patient, endless = erlang_a(c, load, 1e-9), erlang_c(c, load)
    assert patient.probability == pytest.approx(endless.probability, rel=1e-6)
    assert patient.line == pytest.approx(endless.line, rel=1e-6)


def test_no_patience_at_all_leads_from_a_to_b() -> None:
    assert erlang_a(5, 4.0, 1e9).abandoned == pytest.approx(erlang_b(5, 4.0), rel=1e-6)


@pytest.mark.parametrize("load", [0.01, 3.0, 30.0, 3000.0])
def test_the_chain_is_summed_wherever_its_weight_lies(load: float) -> None:
    found = erlang_a(20, load, 0.1)
    served = load * (1 - found.abandoned)  # what is served is what keeps representatives busy
    assert served <= 20 + 1e-9
    assert 0 <= found.abandoned < 1
    if load >= 30:
        assert served == pytest.approx(20, rel=0.01)


def test_the_tail_is_exponential_and_the_quantile_is_its_inverse() -> None:
    found = erlang_c(5, 4.0)
    assert found.beyond(0) == found.probability
    assert found.beyond(found.quantile(0.9)) == pytest.approx(0.1)
    assert found.quantile(0.3) == 0.0  # 44.6 % don't wait at all


@pytest.mark.parametrize("load", [0.0, -1.0, 5.0, 6.0])
def test_a_load_without_a_steady_state_is_refused(load: float) -> None:
    with pytest.raises(ValueError, match="no steady state"):
        erlang_c(5, load)


@pytest.mark.parametrize(("load", "theta"), [(0.0, 1.0), (1.0, 0.0)])
def test_rates_of_nothing_are_refused(load: float, theta: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        erlang_a(2, load, theta)
