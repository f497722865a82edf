"""Several runs under one configuration, each with people of its own, drawn from its own seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from broker.routing import estimate as estimator
from broker.simulation.engine import Estimate, Simulation
from broker.simulation.figures import Outcome, outcome
from broker.simulation.lag import LagWatcher
from broker.simulation.ledger import Ledger
from broker.simulation.puts import Put
from broker.simulation.world import World

ESTIMATE: Final[Estimate] = estimator.wait
"""What customers who wait are told; its error is measured."""

Worlds = Callable[[int], World]
"""A seed to the people of that run: the same seed, the same people."""
Progress = Callable[[int], object]
"""Told how many customers have come since it was told last."""


def simulate(
    worlds: Worlds,
    puts: Sequence[Put],
    seeds: Sequence[int],
    *,
    service_level: int,
    estimate: Estimate | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """One outcome for each seed, all under the configuration ``puts``. ``service_level`` in ms."""
    return [one(worlds(seed), puts, seed, service_level, estimate, progress) for seed in seeds]


def one(
    world: World,
    puts: Sequence[Put],
    seed: int,
    service_level: int,
    estimate: Estimate | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """One run."""
    simulation = Simulation(
        world,
        puts,
        seed,
        watchers=lambda desk, world: (Ledger(desk, world), LagWatcher(desk, world)),
        estimate=estimate,
    )
    ledger, lags = simulation.watchers
    assert isinstance(ledger, Ledger)
    assert isinstance(lags, LagWatcher)
    told = 0

    def tell(came: int) -> None:
        nonlocal told
        if progress is not None:
            progress(came - told)
        told = came

    simulation.run(tell)
    ledger.close()
    return outcome(ledger, lags.lags(), service_level)
