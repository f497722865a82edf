"""Cuts at every point: what the caller asked for is done once, what it follows comes once and in order."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.frames import Event
from broker.protocol.ops import OfferAccept, OfferDecline
from clients.python.client import open_client
from clients.python.reconnect import Backoff
from clients.python.settings import Auth, Settings
from tests.clients.python.fake_broker import FakeBroker

ASKED = 6


def settings(broker: FakeBroker, seed: int = 1) -> Settings:
    return Settings(dial=broker.dial, rng=random.Random(seed), clock=lambda: 1_700_000_000_000, patient=True)


async def play(cuts: Iterator[int]) -> tuple[FakeBroker, list[int], list[int]]:
    """A representative who answers six offers while the broker tells of other things."""
    offsets: list[int] = []
    answers: list[int] = []
    async with trio.open_nursery() as nursery:
        broker = FakeBroker(nursery, cuts=cuts)
        async with open_client("http://broker", Auth(token="t"), settings=settings(broker)) as client:
            events = client.subscribe("me", 0)

            async def ask(number: int) -> None:
                answer = await client.request(OfferAccept(f"o_{number}"))
                answers.append(answer["number"])

            async with trio.open_nursery() as asking:
                for number in range(ASKED - 1):
                    asking.start_soon(ask, number)
                    broker.publish("me", other=number)
                    await broker.flush()
            answers.append((await client.request(OfferDecline("o_9", "busy")))["number"])
            async for item in events:
                assert isinstance(item, Event)
                offsets.append(item.offset)
                if item.offset == 2 * ASKED - 1:
                    break
        nursery.cancel_scope.cancel()
    return broker, offsets, answers


def right(broker: FakeBroker, offsets: list[int], answers: list[int]) -> None:
    assert offsets == list(range(1, 2 * ASKED))
    assert sorted(answers) == list(range(1, ASKED + 1))
    assert len(broker.carried_out) == len(broker.stored) == ASKED


def run(cuts: list[int]) -> FakeBroker:
    broker, offsets, answers = trio.run(play, iter(cuts), clock=trio.testing.MockClock(autojump_threshold=0))
    right(broker, offsets, answers)
    return broker


def test_without_a_cut_one_connection_is_enough() -> None:
    assert run([]).dials == 1


@pytest.mark.slow
def test_a_cut_after_any_number_of_bytes_loses_and_repeats_nothing() -> None:
    for count in range(0, 2600, 13):
        run([count])


@pytest.mark.slow
@given(st.lists(st.integers(0, 2500), max_size=12))
def test_any_series_of_cuts_loses_and_repeats_nothing(cuts: list[int]) -> None:
    run(cuts)


def test_pauses_grow_to_a_ceiling_and_are_drawn_from_all_of_it() -> None:
    ceilings = (100, 200, 400, 800, 1600, 1600, 1600)
    clients = [Backoff(random.Random(seed), first_ms=100, most_ms=1600) for seed in range(200)]
    pauses = [[client.pause() for _ in ceilings] for client in clients]
    for ceiling, drawn in zip(ceilings, zip(*pauses, strict=True), strict=True):
        assert 0 <= min(drawn) < ceiling * 0.1
        assert ceiling * 0.9 < max(drawn) <= ceiling
        assert 60 <= sum(pause < ceiling / 2 for pause in drawn) <= 140  # of 200: both halves alike
    assert len(set(map(tuple, pauses))) == len(clients)  # no two of them come back in step
    clients[0].reset()
    assert clients[0].pause() <= 100


def test_a_pause_is_never_shorter_than_the_broker_asks_for() -> None:
    backoff = Backoff(random.Random(0))
    pauses = [backoff.pause(2000) for _ in range(5)]
    assert min(pauses) >= 2000
    assert len(set(pauses)) == 5  # jitter: they don't all come at once
