"""What only the inline journal can do: hold commits back, and fail them on purpose."""

from __future__ import annotations

import pytest

from broker.journal.base import Committed, Failed, JournalUnavailable, Reply
from broker.journal.inline import InlineJournal
from broker.journal.memory import MemoryStore
from tests.journal.made import append, log


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def journal(store: MemoryStore, bell: Bell) -> InlineJournal:
    return InlineJournal(store, {"seq": lambda store, account: store.head(account).seq}, on_outcome=bell.ring)


def test_the_bell_rings_when_there_is_something_after_nothing(journal: InlineJournal, bell: Bell) -> None:
    assert journal.fileno() is None  # type: ignore[func-returns-value]
    journal.submit([append("acme", 0, log(1, 1))])
    journal.ask("seq", "acme")
    assert bell.rung == 1
    assert [type(outcome) for outcome in journal.poll()] == [Committed, Reply]
    assert journal.poll() == []
    journal.ask("seq", "acme")
    assert bell.rung == 2


def test_what_is_held_is_carried_out_in_order_at_the_release(
    journal: InlineJournal, store: MemoryStore, bell: Bell
) -> None:
    journal.hold()
    for seq in range(3):
        journal.submit([append("acme", seq, log(seq + 1, 1))])
    journal.ask("seq", "acme")
    assert (journal.poll(), bell.rung, store.head("acme").seq) == ([], 0, 0)
    journal.release(2)
    assert (len(journal.poll()), store.head("acme").seq) == (2, 2)
    journal.release(0)
    assert journal.poll() == []
    journal.release()
    assert [type(outcome) for outcome in journal.poll()] == [Committed, Reply]
    journal.submit([append("acme", 3, log(4, 1))])
    assert len(journal.poll()) == 1


def test_a_failure_on_purpose_is_followed_by_failures_until_recovery(
    journal: InlineJournal, store: MemoryStore
) -> None:
    journal.fail_next()
    journal.submit([append("acme", 0, log(1, 1))])
    journal.submit([append("acme", 1, log(2, 1))])
    journal.recover()
    journal.submit([append("acme", 0, log(1, 1))])
    outcomes = journal.poll()
    assert [type(outcome) for outcome in outcomes] == [Failed, Failed, Reply, Committed]
    assert [outcome.error.surely_nothing for outcome in outcomes if isinstance(outcome, Failed)] == [True, True]
    assert store.head("acme").seq == 1


def test_a_commit_may_fail_and_be_written_all_the_same(journal: InlineJournal, store: MemoryStore) -> None:
    journal.fail_next(written=True)
    journal.submit([append("acme", 0, log(1, 1))])
    (failed,) = journal.poll()
    assert isinstance(failed, Failed)
    assert not failed.error.surely_nothing
    assert store.head("acme").seq == 1


def test_a_failure_may_be_of_any_kind(journal: InlineJournal) -> None:
    error = JournalUnavailable("on fire", surely_nothing=False)
    journal.fail_next(error)
    number = journal.submit([append("acme", 0, log(1, 1))])
    assert journal.poll() == [Failed(number, error)]


def test_closing_carries_out_what_is_held(journal: InlineJournal, store: MemoryStore) -> None:
    journal.hold()
    journal.submit([append("acme", 0, log(1, 1))])
    journal.close()
    assert store.head("acme").seq == 1
    assert len(journal.poll()) == 1
