"""Clock, timers, rates, randomness and the guard against guessing pins: everything small that waits for nothing."""

# covers: broker/runtime/clock.py
# covers: broker/runtime/timers.py
# covers: broker/runtime/rates.py
# covers: broker/runtime/guesses.py
# covers: broker/runtime/randomness.py

from collections.abc import Callable
from contextlib import suppress

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.runtime.clock import SystemClock, TrioClock
from broker.runtime.guesses import Guesses, shorten, source_of
from broker.runtime.randomness import PAGE_BYTES, Randomness
from broker.runtime.rates import Bucket
from broker.runtime.timers import Timers
from broker.units import HOURS, MINUTES, SECONDS


async def test_the_clock_follows_trio_and_starts_where_it_is_told(autojump_clock: MockClock) -> None:
    clock = TrioClock(start=1000)
    assert clock.now() == 1000
    await trio.sleep(2.5)
    assert clock.now() == 3500


async def test_a_clock_behind_the_journal_is_shifted_and_runs_on_from_there(autojump_clock: MockClock) -> None:
    clock = TrioClock(start=1000)
    clock.raise_to(5000)
    assert clock.now() == 5000
    await trio.sleep(1)
    assert clock.now() == 6000
    clock.raise_to(10)
    assert clock.now() == 6000


def test_the_systems_clock_never_goes_back() -> None:
    clock = SystemClock()
    seen = [clock.now() for _ in range(1000)]
    assert seen == sorted(seen)
    clock.raise_to(seen[-1] + 10_000)
    assert clock.now() >= seen[-1] + 10_000


def test_a_thing_is_woken_at_its_earliest_time_and_says_itself_when_next() -> None:
    timers, woken = Timers(), []

    def wake(now: int) -> int | None:
        woken.append(now)
        return now + 10 if len(woken) < 3 else None

    timers.wake_by("a", 100, wake)
    timers.wake_by("a", 200, wake)
    assert timers.next() == 100
    timers.wake_by("a", 50, wake)
    assert (timers.next(), timers.run(49, 9)) == (50, 0)
    assert timers.run(50, 9) == 1
    assert timers.next() == 60
    assert (timers.run(1000, 9), timers.next()) == (1, 1010)
    assert timers.run(1010, 9) == 1
    assert (woken, timers.next(), len(timers)) == ([50, 1000, 1010], None, 0)


def test_a_call_that_meets_a_bug_is_made_again_later() -> None:
    timers = Timers()

    def bug(now: int) -> None:
        raise ZeroDivisionError

    def guard(call: Callable[[], None]) -> bool:
        with suppress(ZeroDivisionError):
            call()
            return True
        return False

    timers.guard = guard
    timers.wake_by("a", 100, bug)
    assert timers.run(100, 9) == 1
    assert timers.next() == 1100


def test_what_is_forgotten_is_not_woken() -> None:
    timers = Timers()
    timers.wake_by("a", 100, lambda now: None)
    timers.forget("a")
    assert (timers.next(), timers.run(1000, 9)) == (None, 0)


def test_at_most_so_many_calls_are_made_at_once() -> None:
    timers = Timers()
    for number in range(10):
        timers.wake_by(number, number, lambda now: None)
    assert [timers.run(100, 4) for _ in range(4)] == [4, 4, 2, 0]


def test_memory_of_timers_follows_the_live_ones_and_not_the_calls() -> None:
    timers = Timers()
    for number in range(100_000):
        timers.wake_by("one", 1_000_000 - number, lambda now: None)
        timers.wake_by(number, number, lambda now: None)
        timers.forget(number)
    assert len(timers) == 1
    assert len(timers._heap) < 3000


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100)), max_size=60))
def test_timers_wake_each_key_once_at_the_least_of_its_times(wanted: list[tuple[int, int]]) -> None:
    timers = Timers()
    woken: list[int] = []
    model: dict[int, int] = {}
    for key, due in wanted:
        timers.wake_by(key, due, lambda now, key=key: woken.append(key))  # type: ignore[misc]
        model[key] = min(due, model.get(key, due))
    order: list[int] = []
    while (next_due := timers.next()) is not None:
        order.append(next_due)
        timers.run(next_due, 1)
    assert order == sorted(order)
    assert sorted(woken) == sorted(model)
    assert sorted(order) == sorted(model.values())


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(5, 20)
    assert [bucket.take(1000) for _ in range(20)] == [0] * 20
    wait = bucket.take(1000)
    assert 200 <= wait <= 201
    assert bucket.take(1000 + wait) == 0
    assert bucket.take(1000 + wait) > 0
    assert [bucket.take(1_000_000) for _ in range(21)][-2:] != [0, 0]


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=200))
def test_nobody_gets_more_than_burst_plus_rate_times_time(gaps: list[int]) -> None:
    bucket, now, taken = Bucket(5, 20), 1000, 0
    start = now
    bucket.take(now, 0)
    for gap in gaps:
        now += gap
        taken += bucket.take(now) == 0
    assert taken <= 20 + 5 * (now - start) / 1000 + 1


def test_the_fifth_wrong_pin_of_a_minute_closes_the_door_for_the_rest_of_it() -> None:
    guesses, now = Guesses(), 1_000_000
    assert [guesses.wrong("a", now) for _ in range(4)] == [0] * 4
    assert guesses.wait("a", now) == 0
    assert guesses.wrong("a", now + 10 * SECONDS) == 5
    assert guesses.wait("a", now + 10 * SECONDS) == 50 * SECONDS
    assert guesses.wait("a", now + MINUTES) == 0
    assert guesses.wait("b", now) == 0


def test_the_twentieth_wrong_pin_of_an_hour_closes_it_for_the_hour() -> None:
    guesses, now = Guesses(), 1_000_000
    for number in range(20):
        guesses.wrong("a", now + number * MINUTES)
    assert guesses.wait("a", now + 20 * MINUTES) == 40 * MINUTES
    assert guesses.wait("a", now + HOURS) == 0


def test_so_many_sources_are_remembered_and_no_more() -> None:
    guesses = Guesses(most=10)
    for number in range(100):
        guesses.wrong(str(number), 0)
    assert len(guesses) == 10


def test_managers_see_a_network_and_not_a_host() -> None:
    assert shorten("192.0.2.77") == "192.0.2.0/24"
    assert shorten("2001:db8:1:2::7") == "2001:db8:1::/48"
    assert shorten("2001:db8::5") == "2001:db8::/48"
    assert shorten("::1") == "::/48"
    assert shorten("::ffff:192.0.2.77") == "192.0.2.0/24"
    assert shorten("fe80::1%eth0") == "fe80::/48"
    assert shorten("local") == "unknown"


def test_one_line_of_the_internet_is_one_source() -> None:
    assert source_of("192.0.2.77") == "192.0.2.77"
    assert source_of("2001:db8:1:2::7") == source_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert source_of("2001:db8:1:3::7") != source_of("2001:db8:1:2::7")


@given(st.lists(st.integers(0, 3 * PAGE_BYTES), max_size=20))
def test_no_random_byte_is_given_twice_and_few_calls_draw_them(counts: list[int]) -> None:
    drawn: list[int] = []

    def draw(count: int) -> bytes:
        drawn.append(count)
        return len(drawn).to_bytes(2, "big") * (count // 2) + b"!" * (count % 2)

    randomness = Randomness(draw)
    given_out = [randomness(count) for count in counts]
    assert [len(some) for some in given_out] == counts
    for page in {some[:2] for some in given_out if len(some) > 1}:
        whole = sum(len(some) for some in given_out if some[:2] == page)
        assert whole <= max(PAGE_BYTES, *counts)
    assert all(count >= PAGE_BYTES for count in drawn)
    assert len(drawn) <= len(counts)


def test_randomness_is_the_systems() -> None:
    randomness = Randomness()
    seen = [randomness(16) for _ in range(2000)]
    assert len(set(seen)) == 2000


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=40))
def test_what_is_given_back_is_as_if_it_had_never_been_taken(steps: list[tuple[bool, int]]) -> None:
    touched, plain, now = Bucket(2, 10), Bucket(2, 10), 1000
    for take, pause in steps:
        now += pause
        if take:
            assert (touched.take(now) == 0) == (plain.take(now) == 0)
        elif touched.take(now) == 0:
            touched.give(now)
        assert touched.tokens <= touched.burst
        assert abs(touched.wait(now, 10) - plain.wait(now, 10)) <= 1


def test_a_full_bucket_takes_nothing_back() -> None:
    bucket = Bucket(1, 3)
    bucket.give(5)
    assert bucket.tokens == 3
