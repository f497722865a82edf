"""Waits for what a journal has to say, for a bounded time and never by sleeping."""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Any

from broker.journal.base import Append, Committed, Failed, Journal, Outcome, Reply

LONG = 30.0
"""Seconds after which a test has failed: never reached when all is well."""


def collect(journal: Journal, count: int) -> list[Outcome]:
    """The next ``count`` outcomes."""
    outcomes: list[Outcome] = []
    while True:
        outcomes += journal.poll()
        if len(outcomes) >= count:
            assert len(outcomes) == count, outcomes
            return outcomes
        wait_readable(journal)


def wait_readable(journal: Journal) -> None:
    """Until ``poll`` has something to do."""
    fd = journal.fileno()
    assert fd is not None, "an inline journal has said all it can"
    readable, _, _ = select.select([fd], [], [], LONG)
    assert readable, "the journal said nothing"


def commit(journal: Journal, *appends: Append) -> Committed:
    """Submit, and insist."""
    number = journal.submit(appends)
    (outcome,) = collect(journal, 1)
    assert isinstance(outcome, Committed), outcome
    assert outcome.number == number
    return outcome


def fail(journal: Journal, *appends: Append) -> Failed:
    """Submit what can't be committed."""
    number = journal.submit(appends)
    (outcome,) = collect(journal, 1)
    assert isinstance(outcome, Failed), outcome
    assert outcome.number == number
    return outcome


def ask(journal: Journal, question: str, *args: object) -> Any:
    """Ask, and insist."""
    return replied(journal, journal.ask(question, *args))


def recover(journal: Journal) -> Any:
    """The epoch."""
    return replied(journal, journal.recover())


def replied(journal: Journal, number: int) -> Any:
    """The value of the one reply that is due."""
    (outcome,) = collect(journal, 1)
    assert isinstance(outcome, Reply), outcome
    assert outcome.number == number
    assert outcome.error is None
    return outcome.value


def refused(journal: Journal, number: int) -> str:
    """The error of the one reply that is due."""
    (outcome,) = collect(journal, 1)
    assert isinstance(outcome, Reply), outcome
    assert outcome.number == number
    assert outcome.error is not None
    return outcome.error


def numbers(outcomes: Sequence[Outcome], kind: type[Outcome]) -> list[int]:
    """Numbers of the outcomes of one kind."""
    return [outcome.number for outcome in outcomes if isinstance(outcome, kind)]
