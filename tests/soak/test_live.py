"""A live broker over real sockets, on its journal on disk, obeys queueing theory: Erlang C, Erlang A and Little's law.

Ten representatives of capacity 1 accept every offer at once and talk for an exponential time of 100 ms in the mean;
customers come by a Poisson process at 80 a second, and at 100 a second where they have an exponential patience of 200
ms. The broker is a process of its own with its embedded journal; its rates of commands are raised out of reach, all
else is as by default. The theory is taken at the load that was measured, with all latencies in it: see ``theory``.

The soak takes HUNTGROUP_SOAK_RUNS runs of HUNTGROUP_SOAK_REQUESTS requests each (10 of 3,600 by default, and 400 of
warm-up: a quarter of an hour), once without patience and once with it, with seeds that follow from HUNTGROUP_SOAK_SEED,
or from one that is drawn and printed. Ten of 20,000 take an hour and a quarter. Latencies are real, so the same seed
repeats the customers, not the figures. It needs two cores that nobody else uses; where they are busy, latencies grow
until the load has no steady state. HUNTGROUP_SOAK_HANDLE_MS makes conversations, gaps and patience longer (100 by
default), and latencies matter less; the soak takes as much longer.

The short version, in ``make test``, has too few requests to say anything about theory, but holds the account stream,
the answers and the metrics against each other, request by request.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.crash.broker_process import Victim
from tests.soak import theory
from tests.soak.people import DESK, Load, Plan, live
from tests.soak.trace import Lines, Run, Visit, contradictions, figures, out_of_turn, read, stood

say = sys.stdout.write  # what a soak run prints as it goes

RUNS = int(os.environ.get("HUNTGROUP_SOAK_RUNS", "10"))
REQUESTS = int(os.environ.get("HUNTGROUP_SOAK_REQUESTS", "3600"))
HANDLE = float(os.environ.get("HUNTGROUP_SOAK_HANDLE_MS", "100"))
WARM_UP = 400
"""Requests: fifty conversations long, and a line at such a load forgets in ten that it was empty."""
SHORT = (200, 20)
"""Requests and warm-up of the short version."""


def seed() -> int:
    return int(os.environ.get("HUNTGROUP_SOAK_SEED") or random.SystemRandom().getrandbits(32))


async def measure(victim: Victim, plan: Plan) -> tuple[Run, Lines, int]:
    """One run's figures, what the metrics say of the part that counts, and how many came late for want of a connection.
    The run's accounts must agree: the stream with the answers, the metrics with the stream, to the last millisecond."""
    load = Load(plan, victim)
    await trio.to_thread.run_sync(load.run)
    visits = read(load.events)
    assert len(visits) == plan.warm_up + plan.requests
    assert contradictions(visits, load.answers) == []
    assert out_of_turn(visits.values()) == []
    window = check_metrics(load, list(visits.values()))
    run = figures(list(visits.values()), load.handles, load.patience, handle=plan.handle, warm_up=plan.warm_up)
    say(f"  P(wait) {run.waited:.4f}, mean wait {run.mean:.2f} ms, {run.rate * 1000:.2f}/s x {run.held:.2f} ms held")
    say(f" = {run.load:.3f} erlangs, latency {run.latency:.2f} ms (sd {run.jitter**0.5:.2f})")
    say(f", given up {run.abandoned:.4f} (late by {run.overstayed:.2f} ms)\n" if plan.patience else "\n")
    say(f"    Little: L {window.length:.4f}, lambda W {window.by_little:.4f}; {load.lateness()}\n")
    return run, window, load.starved


def check_metrics(load: Load, visits: Sequence[Visit]) -> Lines:
    """Over the whole run, and over the part that counts."""
    first, begin, end, last = load.lines
    whole = last.since(first)
    waited = sum(visit.in_line for visit in visits)
    assert (whole.joined, whole.left, whole.length_ms, whole.waited_ms) == (len(visits), len(visits), waited, waited)
    window = end.since(begin)
    assert window.length_ms == stood(visits, begin.changed, end.changed)
    return window


async def measured(folder: Path, plans: Sequence[Plan]) -> tuple[list[Run], Lines, int]:
    """Of all runs: their figures, and sums of the rest."""
    async with live(Victim(folder, DESK)) as victim:
        runs, windows, starved = zip(*[await measure(victim, plan) for plan in plans], strict=True)
    return list(runs), sum(windows[1:], windows[0]), sum(starved)


def plan(requests: int, warm_up: int, seed: int, *, handle: float, patience: bool) -> Plan:
    return Plan(
        handle=handle,
        load=10.0 if patience else 8.0,
        requests=requests,
        warm_up=warm_up,
        patience=2 * handle if patience else None,
        seed=seed,
    )


@pytest.mark.soak
@pytest.mark.parametrize("patience", [False, True], ids=["erlang-c", "erlang-a"])
async def test_a_live_broker_obeys_queueing_theory(tmp_path: Path, patience: bool) -> None:  # noqa: FBT001
    first = seed()
    made = [plan(REQUESTS, WARM_UP, first + number, handle=HANDLE, patience=patience) for number in range(RUNS)]
    say(f"\nseed {first}, {RUNS} runs of {REQUESTS} requests at {made[0].rate * 1000:g}/s\n")
    runs, lines, starved = await measured(tmp_path, made)
    mean = made[0].patience
    checks = theory.poisson(runs, made[0].rate) + (
        theory.patient(runs) if mean is None else theory.impatient(runs, mean)
    )
    say(f"  1 - cs² {theory.regularity(runs):.3f}\n" + "".join(f"  {check}\n" for check in checks))
    say(f"  Little: L {lines.length:.4f}, lambda W {lines.by_little:.4f}\n")
    assert [str(check) for check in checks if not check.holds] == []
    assert lines.length == pytest.approx(lines.by_little, rel=theory.LITTLE)
    assert starved == 0, "customers came late for want of a connection"


@pytest.mark.slow
async def test_stream_answers_and_metrics_of_a_live_broker_agree(tmp_path: Path) -> None:
    made = [plan(*SHORT, seed=1, handle=100.0, patience=patience) for patience in (False, True)]
    (patient, impatient), _, _ = await measured(tmp_path, made)
    for run in (patient, impatient):
        assert run.waited > 0
        assert run.held > 70  # the mean of 200 that are drawn with a mean of 100; the machine can only add to it
    assert patient.abandoned == 0
    assert 0 < impatient.abandoned < 1
    assert impatient.abandoned == pytest.approx(impatient.mean / 200, rel=0.7)
