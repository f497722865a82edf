"""What a run is told of people: who comes when, how long they take, who is signed in. All of it is drawn before the run
begins and doesn't depend on the configuration, so that "before" and "after" are lived through by the same customers.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from broker.simulation.laws import FOREVER, INSTANT, Law


@attrs.frozen(kw_only=True)
class Arrival:
    """One customer. Times in ms; ``t`` from the beginning of the run."""

    t: int
    subportal: str
    handle: int
    """How long its session takes, whoever has it."""
    patience: int | None
    """How long it waits for a session before it withdraws; None: for ever."""
    visitor: str | None = None
    """Who it is, where the same customer comes more than once; None: somebody new."""
    skills: tuple[str, ...] = ()
    """What it asks for, of what its sub-portal lets it ask for."""
    class_: str | None = None
    """Of which class of its portal it is found to be, if its portal has that."""


@attrs.frozen
class Turn:
    """A representative begins or stops welcoming offers, at ``t`` ms from the beginning. Who stops finishes its
    sessions."""

    t: int
    representative: str
    available: bool


@attrs.frozen(kw_only=True)
class Answers:
    """What representatives do with offers: decline, stay silent until the offer expires, or accept; the first and the
    last after a ``latency``."""

    latency: Law = INSTANT
    declined: float = 0.0
    """Probability."""
    silent: float = 0.0
    """Probability."""
    wrap_up: Law = FOREVER
    """How long the work after a session takes, where its portal gives time for it: never longer than that."""


@attrs.frozen(kw_only=True)
class World:
    """One run's people. Times in ms; those of arrivals and turns, and ``until``, from the beginning of the run."""

    start: int
    """Of the run, since 1970 UTC: at midnight where the hour of the day matters."""
    until: int
    """End of what is measured: nobody comes later, who is there is served to the end."""
    arrivals: Sequence[Arrival]
    """In the order of their times."""
    turns: Sequence[Turn]
    """The same."""
    answers: Answers = attrs.field(factory=Answers)
    warm_up: int = 0
    """Who comes before isn't counted."""
