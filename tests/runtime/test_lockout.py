"""Who guesses at a password waits, and nobody else does for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broker import limits
from broker.runtime.lockout import Lockout
from broker.units import HOURS, MINUTES, SECONDS

HERE, THERE, NOW = "203.0.113.9", "198.51.100.7", 1_000_000_000


def test_a_few_mistakes_cost_nothing_and_then_each_doubles_the_wait() -> None:
    lockout = Lockout()
    waits = []
    now = NOW
    for _ in range(limits.WRONG_PASSWORDS + 12):
        now += lockout.wait("a/r/ann", HERE, now)
        lockout.tried("a/r/ann", HERE, now)
        waits.append(lockout.wait("a/r/ann", HERE, now))
    free = limits.WRONG_PASSWORDS - 1
    assert waits[:free] == [0] * free
    assert waits[free : free + 4] == [1 * SECONDS, 2 * SECONDS, 4 * SECONDS, 8 * SECONDS]
    assert max(waits) == limits.LOCKOUT_MOST == 15 * MINUTES


def test_the_owner_elsewhere_and_other_names_do_not_wait() -> None:
    lockout = Lockout()
    for _ in range(10):
        lockout.tried("a/r/ann", HERE, NOW)
    assert lockout.wait("a/r/ann", HERE, NOW) > 0
    assert lockout.wait("a/r/ann", THERE, NOW) == lockout.wait("a/r/bob", HERE, NOW) == 0


def test_the_right_one_and_an_hour_wipe_it_out() -> None:
    for forgive in (True, False):
        lockout = Lockout()
        for _ in range(limits.WRONG_PASSWORDS):
            lockout.tried("a/r/ann", HERE, NOW)
        later = NOW + HOURS + 1
        if forgive:
            lockout.right("a/r/ann", HERE)
            later = NOW
        assert lockout.wait("a/r/ann", HERE, later) == 0
        lockout.tried("a/r/ann", HERE, later)
        assert lockout.wait("a/r/ann", HERE, later) == 0


@given(st.lists(st.integers(0, 5000), min_size=200, max_size=300))
def test_a_name_guessed_at_from_everywhere_takes_few_guesses_and_is_never_shut_for_good(
    pauses: list[int],
) -> None:
    lockout = Lockout()
    now, taken = NOW, 0
    for number, pause in enumerate(pauses):
        now += pause
        source = f"net{number}"
        if lockout.wait("a/r/ann", source, now) == 0:
            taken += 1
            lockout.tried("a/r/ann", source, now)
        assert lockout.wait("a/r/ann", "fresh", now) <= limits.LOCKOUT_ANYWHERE
    assert taken <= limits.WRONG_PASSWORDS_ANYWHERE + (now - NOW) / limits.LOCKOUT_ANYWHERE + 1


def test_it_remembers_a_bounded_number_of_names_and_forgets_the_oldest() -> None:
    lockout = Lockout(most=10)
    for number in range(50):
        for _ in range(limits.WRONG_PASSWORDS):
            lockout.tried(f"n{number}", HERE, NOW)
    assert len(lockout._wrong) <= 10
    assert lockout.wait("n49", HERE, NOW) > 0
    assert lockout.wait("n0", HERE, NOW) == 0


def test_a_hundred_at_once_are_not_one_and_what_was_not_looked_at_does_not_count() -> None:
    lockout = Lockout()
    looked_at = 0
    for _ in range(100):
        if lockout.wait("a/r/ann", HERE, NOW) == 0:
            lockout.tried("a/r/ann", HERE, NOW)
            looked_at += 1
    assert looked_at == limits.WRONG_PASSWORDS
    busy = Lockout()
    for _ in range(100):
        assert busy.wait("a/r/ann", HERE, NOW) == 0
        busy.tried("a/r/ann", HERE, NOW)
        busy.unseen("a/r/ann", HERE)
    assert busy._wrong == {}


def test_right_ones_do_not_count_against_a_name_anywhere() -> None:
    lockout = Lockout()
    for number in range(3 * limits.WRONG_PASSWORDS_ANYWHERE):
        assert lockout.wait("a/r/ann", f"net{number}", NOW) == 0
        lockout.tried("a/r/ann", f"net{number}", NOW)
        lockout.right("a/r/ann", f"net{number}")
