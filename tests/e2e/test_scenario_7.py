"""Scenario 7 over real sockets, with a broker of its own as a process: exact chat resume."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from clients.python.client import open_client
from clients.python.connection import dial
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth, Settings
from tests.crash.broker_process import REPRESENTATIVES, Victim
from tests.e2e.cutting import Cut, Dialler, Way
from tests.e2e.talking import Speaker, meet, resumes, right, talk

COUNT = 200
"""Messages of each."""
TOGETHER = 4
LIVES = (1_500, 12_000)
"""Between how many bytes a connection lives: the whole talk takes some 40,000 up and 100,000 down."""
WAYS: tuple[Way, ...] = ("up", "down", "answer")
PATIENCE = 240  # seconds; a hang, not a time to be met
pytestmark = [pytest.mark.slow, pytest.mark.timeout(PATIENCE + 60)]
DESK = """
[[portal]]
portal = "line"
kind = "ask"
mode = "queue"
subportals = ["line"]

[[team]]
team = "all"
subportals = ["line"]

[[representative]]
representative = "rep0"
name = "Rep0"
team = "all"
capacity = 3
"""


def _cuts(chance: random.Random) -> Iterator[Cut]:
    while True:
        yield Cut(chance.choice(WAYS), chance.randint(*LIVES))


@attrs.define(eq=False)
class Two:
    """The two, and how they dial."""

    speakers: list[Speaker]
    diallers: list[Dialler]
    auth: Auth
    """The representative's."""


@asynccontextmanager
async def _two(victim: Victim, seed: int) -> AsyncIterator[Two]:
    """A customer and a representative in a session; their connections are cut from now on."""
    url = f"http://127.0.0.1:{victim.port}"
    auth = Auth(token=victim.tokens()[REPRESENTATIVES[0]])
    diallers = [Dialler(dial, iter(())) for _ in range(2)]
    quick = [Settings(dial=each, first_pause_ms=20, most_pause_ms=200, patient=True) for each in diallers]
    async with (
        open_client(url, Auth(portal="crash/line"), Customer, settings=quick[0]) as carl,
        open_client(url, auth, Representative, settings=quick[1]) as rep,
    ):
        session = await meet(carl, rep)
        speakers = [Speaker("customer", carl, session, TOGETHER), Speaker("representative", rep, session, TOGETHER)]
        for number, dialler in enumerate(diallers):
            cuts = _cuts(random.Random(seed + number))
            assert dialler.stream is not None
            dialler.stream.count_from_now(next(cuts))
            dialler.cuts = cuts
        yield Two(speakers, diallers, auth)


async def _finish(victim: Victim, two: Two) -> None:
    right(two.speakers, COUNT)
    for dialler in two.diallers:
        assert dialler.dials > 3, "nothing was cut"
        dialler.from_now(())
    # of one of them alone it would be a matter of luck, for it depends on where the cuts hit
    answers = [answer for speaker in two.speakers for answer in speaker.answers.values()]
    assert any(answer.replayed for answer in answers), "nothing was stored and not acknowledged"
    async with open_client(f"http://127.0.0.1:{victim.port}", two.auth, Representative) as again:
        await resumes(again, two.speakers[1], COUNT)


async def test_scenario_7_four_hundred_messages_over_sockets_that_are_cut(tmp_path: Path) -> None:
    victim = Victim(tmp_path, DESK)
    await victim.start()
    try:
        with trio.fail_after(PATIENCE):
            async with _two(victim, seed=7) as two:
                await talk(two.speakers, COUNT)
                await _finish(victim, two)
    finally:
        victim.kill()


@pytest.mark.parametrize("blow", [Victim.kill, Victim.kill_hub])
async def test_scenario_7_and_the_broker_is_killed_in_the_middle(
    tmp_path: Path, blow: Callable[[Victim], None]
) -> None:
    victim = Victim(tmp_path, DESK)
    await victim.start()
    try:
        with trio.fail_after(PATIENCE):
            async with _two(victim, seed=70) as two:

                async def before(number: int) -> None:
                    if number == COUNT // 2:  # the others' are in flight
                        blow(victim)
                        await victim.start()

                two.speakers[0].before = before
                await talk(two.speakers, COUNT)
                await _finish(victim, two)
    finally:
        victim.kill()
