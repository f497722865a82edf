"""Guessing pins from many addresses: the budget holds at any rate, and whoever has the right pin is only late."""

from __future__ import annotations

import itertools

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from broker.codes import Close, Code
from broker.routing.pins import PINS as SPACE
from broker.runtime.options import Options
from broker.runtime.pin_guard import MANY, SOUR, YEAR, Crowd
from broker.units import DAYS, HOURS, MINUTES, SECONDS
from tests.runtime.harness import Broker, Client, Ended, Refused, broker
from tests.security.strangers import FAST

networks = (f"203.{n >> 8}.{n & 255}.0/24" for n in itertools.count())


def guess(crowd: Crowd, live: int, start: int, end: int, pause: int) -> int:
    """An attacker with endless networks tries once every ``pause`` ms; how many tries were looked at."""
    tried = 0
    for now in range(start, end, pause):
        network = f"n{now}"
        if not crowd.wait(network, live, now):
            tried += 1
            crowd.wrong(network, live, now)
    return tried


@pytest.mark.parametrize("live", [1, 10, 100, 1000, 10_000])
def test_all_the_guesses_of_a_month_at_any_rate_are_worth_a_month(live: int) -> None:
    """A budget of ``SPACE / live`` guesses a year: one hit is expected in a year; the burst is next to nothing."""
    crowd = Crowd()
    tried = guess(crowd, live, 0, 30 * DAYS, 30 * DAYS // 40_000)
    assert tried <= crowd.burst + 1 + 30 * DAYS / YEAR * SPACE / live
    assert tried * live / SPACE < 30 * DAYS / YEAR + crowd.burst * 10_000 / SPACE + 0.001


@given(
    st.lists(st.tuples(st.integers(0, 10 * MINUTES), st.integers(0, 40), st.booleans()), max_size=200),
    st.integers(1, 100_000),
)
def test_the_budget_is_never_overspent(steps: list[tuple[int, int, bool]], live: int) -> None:
    crowd = Crowd(burst=20)
    now = wrong = 0
    crowd.wait("n", live, now)
    for pause, network, right in steps:
        now += pause
        if not crowd.wait(f"n{network}", live, now) and not right:
            wrong += 1
            crowd.wrong(f"n{network}", live, now)
        assert wrong <= 20 + now * SPACE / (live * YEAR) + 1e-6
        assert crowd.wait("somebody new", live, now) <= DAYS


def test_a_network_that_guessed_waits_longer_than_one_that_did_not() -> None:
    crowd = Crowd(burst=10)
    assert guess(crowd, 1000, 0, 1000, 100) == 10
    assert crowd.on_guard
    assert crowd.wait("n100", 1000, 1000) > 30 * MINUTES
    assert 0 < crowd.wait("clean", 1000, 1000) < 40 * SECONDS
    assert crowd.wait("clean", 1000, 1000 + 40 * SECONDS) == 0
    assert crowd.wait("n100", 1000, 1000 + SOUR) == 0


def test_managers_are_told_at_the_beginning_and_once_an_hour() -> None:
    crowd = Crowd(burst=5)
    told = []
    for now in range(0, 3 * HOURS, MINUTES):
        network = next(networks)
        if not crowd.wait(network, 10_000, now):
            told.append((now, crowd.wrong(network, 10_000, now)))
    found = [(now // HOURS, many) for now, many in told if many]
    assert [hour for hour, _ in found] == [0, 1, 2]
    assert sum(many for _, many in found) <= len(told)


def test_the_guard_ends_when_half_of_the_budget_is_back() -> None:
    crowd = Crowd(burst=10)
    guess(crowd, 100, 0, 1000, 100)
    assert crowd.wait("n100", 100, 1000) > 0
    assert crowd.wait("n100", 100, 1000 + 20 * SECONDS) == 0
    assert not crowd.on_guard


def test_networks_are_remembered_within_the_bound() -> None:
    crowd = Crowd(burst=1e9, most=10)
    for number in range(50):
        crowd.wrong(f"n{number}", 1, number)
    assert len(crowd._sour) == 10
    crowd.wrong("late", 1, SOUR + 45)
    assert len(crowd._sour) == 5


async def shop(b: Broker) -> tuple[Client, str]:
    """A manager who follows the account, and a live pin."""
    boss, ann = await b.staff("boss", "manager"), await b.staff("ann")
    await boss.ask("subscribe", stream="account", from_="now")
    await ann.write("presence.set", presence="available")
    return boss, str((await ann.write("pin.create"))["pin"])


async def test_guessing_from_many_addresses_is_slowed_down_and_told(autojump_clock: MockClock) -> None:
    async with broker(Options(wrong_pins=10, commit_rate=FAST)) as b:
        boss, good = await shop(b)
        for number in range(10):
            guesser = await b.customer("acme/pin", address=f"203.0.{number}.7")
            with pytest.raises(Refused) as refused:
                await guesser.write("pin.redeem", pin=f"{number:09d}")
            assert refused.value.code == Code.PIN_INVALID
        told = (await boss.event("pin.guessing")).data
        assert told == {"portal": "pin", "source": MANY, "wrong": 10}
        again = await b.customer("acme/pin", address="203.0.3.99")
        with pytest.raises(Refused) as refused:
            await again.write("pin.redeem", pin=good)
        assert refused.value.code == Code.RATE
        customer = await b.customer("acme/pin", address="198.51.100.7")
        with pytest.raises(Refused) as refused:
            await customer.write("pin.redeem", pin=good)
        wait = refused.value.fail.retry_ms or 0
        assert 0 < wait < SECONDS
        await trio.sleep(wait / 1000)
        await customer.write("pin.redeem", pin=good)


async def test_signing_in_by_a_pin_is_a_guess_too(autojump_clock: MockClock) -> None:
    async with broker(Options(wrong_pins=10, commit_rate=FAST)) as b:
        boss, good = await shop(b)
        for number in range(5):
            await b.connect({"pin": f"{number:09d}"}, address="203.0.113.7")
        assert (await boss.event("pin.guessing")).data == {"source": "203.0.113.0/24", "wrong": 5}
        with pytest.raises(Ended) as end:
            await b.connect({"pin": good}, address="203.0.113.7")
        assert end.value.code == Close.BUSY
        assert end.value.goodbye is not None
        assert end.value.goodbye.retry_ms
        for number in range(5):
            await b.connect({"pin": f"{number:09d}"}, address=f"198.51.{number}.7")
        assert (await boss.event("pin.guessing")).data == {"source": MANY, "wrong": 10}
        assert b.hub.entrance.sign_in.refusals["pins"] == 1
        assert b.hub.pin_guard.wrong_pins == 10


async def test_a_slip_is_counted_once_at_sign_in_and_redeem_together(autojump_clock: MockClock) -> None:
    async with broker() as b:
        _, good = await shop(b)
        slip = await b.connect({"pin": "123456789"}, address="203.0.113.7")
        for _ in range(2):
            with pytest.raises(Refused):
                await slip.write("pin.redeem", pin="123-456-789")
        assert b.hub.pin_guard.wrong_pins == 2
        right = await b.connect({"pin": good}, address="203.0.113.7")
        await right.write("pin.redeem", pin=good)
        assert b.hub.pin_guard.wrong_pins == 2
