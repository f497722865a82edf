"""kill -9 again and again: nothing acknowledged is lost, nobody is assigned twice, nobody was told a thing that the
journal doesn't hold."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import attrs
import pytest
import trio

from tests.crash.actors import Scene, crowd
from tests.crash.auditor import Audit, Lost
from tests.crash.broker_process import REPRESENTATIVES, Victim
from tests.crash.ledger import Ledger, Told

say = sys.stdout.write  # what a soak run prints as it goes

ROUNDS = 4
SOAK_ROUNDS = 200
LIFE = (0.2, 1.0)
"""Between how many seconds of work the blow falls."""


async def _round(victim: Victim, chance: random.Random, number: int) -> Ledger:
    ledger = Ledger()
    await victim.start()
    scene = Scene(victim.port, ledger, chance, tokens=victim.tokens())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd, scene, REPRESENTATIVES)
        await trio.sleep(chance.uniform(*LIFE))
        (victim.kill if number % 2 else victim.kill_hub)()
        nursery.cancel_scope.deadline = trio.current_time() + 2  # what was still in the sockets is told, too
    return ledger


async def _kill_loop(folder: Path, rounds: int, seed: int) -> list[Ledger]:
    chance = random.Random(seed)
    victim = Victim(folder)
    told: list[Ledger] = []
    try:
        for number in range(rounds):
            ledger = await _round(victim, chance, number)
            told.append(ledger)
            audit = Audit.of(victim.journal)
            try:
                audit.check(ledger)
                desk = audit.replay()
            finally:
                audit.close()
            say(f"round {number + 1}: seq {desk.seq}, {ledger.summary()}\n")
        await victim.start()
        assert victim.stop() == 0
    finally:
        if victim.process is not None:
            victim.kill()
    audit = Audit.of(victim.journal)
    for ledger in told:  # and it is all still there in the end
        audit.check(ledger)
    audit.replay()
    audit.close()
    return told


@pytest.mark.slow
async def test_F21_what_was_told_survives_kill_9(tmp_path: Path) -> None:
    told = await _kill_loop(tmp_path, ROUNDS, seed=20)
    assert all(ledger.results and ledger.events for ledger in told)  # work was under way at every blow


@pytest.mark.soak
async def test_F21_what_was_told_survives_200_times_kill_9(tmp_path: Path) -> None:
    seed = random.SystemRandom().getrandbits(32)
    say(f"seed {seed}\n")
    told = await _kill_loop(tmp_path, SOAK_ROUNDS, seed)
    say(f"{sum(len(ledger.results) for ledger in told)} results in {SOAK_ROUNDS} lives\n")


@pytest.mark.slow
async def test_the_audit_notices_what_was_never_written(tmp_path: Path) -> None:
    (ledger,) = await _kill_loop(tmp_path, 1, seed=21)
    audit = Audit.of(tmp_path / "data" / "journal.sqlite")
    try:
        result = next(told for told in ledger.results if told.key is not None)
        event = ledger.events[0]
        forged: list[Ledger] = [
            Ledger(results=[attrs.evolve(result, key="never-sent")]),
            Ledger(results=[attrs.evolve(result, offsets={"account": 10**9})]),
            Ledger(events=[attrs.evolve(event, offset=10**9)]),
            Ledger(events=[attrs.evolve(event, data={**event.data, "extra": 1})]),
            Ledger(events=[attrs.evolve(event, t=event.t + 1)]),
            Ledger(refusals=[Told("rep0", "offer.accept", {"offer": "o_x.1"}, None, {}, {}, 2405, _TAKEN)]),
            Ledger(refusals=[Told("rep0", "offer.accept", {"offer": "o_x.1"}, None, {}, {}, 2405, {"reason": "gone"})]),
            Ledger(notices=[("v_x", "queue.position", {"request": "r_x"})]),
        ]
        audit.check(ledger)
        for wrong in forged:
            with pytest.raises(Lost):
                audit.check(wrong)
    finally:
        audit.close()


_TAKEN = {"reason": "taken", "representative": "rep1"}
