"""What every ``Journal`` must do, whatever its writer lives in: one suite for inline, thread and process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.journal.base import (
    Append,
    Committed,
    Failed,
    Journal,
    JournalUnavailable,
    Record,
    Reply,
    StaleWriter,
)
from broker.journal.inline import InlineJournal
from broker.journal.process import FD, ProcessJournal
from broker.journal.sqlite import SqliteStore
from broker.journal.thread import ThreadJournal
from tests.journal.made import answer, append, content, log
from tests.journal.waiting import ask, collect, commit, fail, recover, refused
from tests.journal.writer_main import QUESTIONS

JOURNALS: dict[str, Callable[[Path], Journal]] = {
    "inline": lambda path: InlineJournal(SqliteStore(path), QUESTIONS, on_outcome=lambda: None),
    "thread": lambda path: ThreadJournal(lambda: SqliteStore(path), QUESTIONS),
    "process": lambda path: ProcessJournal([sys.executable, "-m", "tests.journal.writer_main", FD, str(path)]),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shard.journal"


@pytest.fixture(params=["inline", "thread", pytest.param("process", marks=pytest.mark.slow)])
def journal(request: pytest.FixtureRequest, path: Path) -> Iterator[Journal]:
    made = JOURNALS[request.param](path)
    yield made
    made.close()


def test_what_was_committed_is_in_the_file(journal: Journal, path: Path) -> None:
    beside = Append("acme", 0, log(1, 3), contents=[content("c1")], answers=[answer("ann", 1)])
    outcome = commit(journal, beside, append("beta", 0, log(1, 1)))
    assert [head.seq for head in outcome.heads] == [3, 1]
    commit(journal, Append("acme", 3, erase=["c1"]))
    journal.close()

    store = SqliteStore(path)
    assert store.records("acme", 0, 10) == log(1, 3)
    assert store.answers("acme", "ann", 5) == [answer("ann", 1)]
    assert store.contents("acme", ["c1"]) == {}
    assert (store.head("acme"), store.head("beta")) == tuple(outcome.heads)
    store.close()


def test_commits_are_carried_out_in_order_without_waiting_for_each_other(journal: Journal) -> None:
    numbers = [journal.submit([append("acme", seq, log(seq + 1, 1))]) for seq in range(50)]
    outcomes = collect(journal, 50)
    assert [(type(outcome), outcome.number) for outcome in outcomes] == [(Committed, number) for number in numbers]
    assert len(set(numbers)) == 50


def test_questions_are_answered_by_number_with_tuples_for_lists(journal: Journal) -> None:
    commit(journal, append("acme", 0, log(1, 3)))
    page = ask(journal, "records", "acme", 1, 9)
    assert [Record(*values) for values in page] == log(2, 2)
    assert isinstance(page, tuple)


def test_a_question_knows_of_every_commit_submitted_before_it(journal: Journal) -> None:
    for seq in range(40):
        journal.submit([append("acme", seq, log(seq + 1, 1))])
    number = journal.ask("head", "acme")
    replies = [outcome for outcome in collect(journal, 41) if isinstance(outcome, Reply)]
    assert [(reply.number, reply.value[0]) for reply in replies if isinstance(reply.value, tuple)] == [(number, 40)]


def test_a_question_may_be_answered_in_chunks(journal: Journal) -> None:
    commit(journal, append("acme", 0, log(1, 3)))
    assert ask(journal, "in_chunks", "acme", 5) == (3, 3, 3, 3, 3)


def test_a_question_that_fails_gives_an_error_without_its_arguments(journal: Journal) -> None:
    error = refused(journal, journal.ask("broken", "ann@example.org"))
    assert error.startswith("KeyError in broken")
    assert "example" not in error
    assert "no such question: nonsense" in refused(journal, journal.ask("nonsense"))
    assert "TypeError" in refused(journal, journal.ask("head"))
    assert "TypeError" in refused(journal, journal.ask("unpackable"))
    commit(journal, append("acme", 0, log(1, 1)))


def test_after_a_failed_commit_all_fail_until_recovery_was_answered(journal: Journal) -> None:
    commit(journal, append("acme", 0, log(1, 3)))
    wrong = journal.submit([append("acme", 1, log(2, 1))])
    behind = [journal.submit([append("acme", 3, log(4, 1))]), journal.submit([append("beta", 0, log(1, 1))])]
    first, *others = collect(journal, 3)
    assert isinstance(first, Failed)
    assert (first.number, type(first.error)) == (wrong, StaleWriter)
    assert [outcome.number for outcome in others] == behind
    assert all(isinstance(outcome, Failed) and outcome.error.surely_nothing for outcome in others)

    assert ask(journal, "head", "acme")[0] == 3
    assert fail(journal, append("beta", 0, log(1, 1))).error.surely_nothing

    assert isinstance(recover(journal), int)
    commit(journal, append("acme", 3, log(4, 1)), append("beta", 0, log(1, 1)))


def test_a_commit_submitted_behind_the_recovery_is_carried_out(journal: Journal) -> None:
    journal.submit([append("acme", 7, log(8, 1))])
    journal.recover()
    journal.submit([append("acme", 0, log(1, 1))])
    assert [type(outcome) for outcome in collect(journal, 3)] == [Failed, Reply, Committed]


def test_a_commit_that_makes_no_sense_fails_and_leaves_nothing(journal: Journal) -> None:
    failed = fail(journal, append("acme", 0, log(1, 1) + log(3, 1)))
    assert isinstance(failed.error, JournalUnavailable)
    assert failed.error.surely_nothing
    recover(journal)
    assert ask(journal, "head", "acme")[0] == 0


def test_a_broker_that_lost_the_shard_does_not_take_it_back(journal: Journal, path: Path) -> None:
    commit(journal, append("acme", 0, log(1, 1)))
    other = SqliteStore(path)
    epoch = other.open_epoch(b"another broker")
    failed = fail(journal, append("acme", 1, log(2, 1)))
    assert isinstance(failed.error, StaleWriter)
    assert "StaleWriter" in refused(journal, journal.recover())
    other.append(epoch, [append("acme", 1, log(2, 1))])
    other.close()


def test_closing_finishes_what_was_submitted(journal: Journal, path: Path) -> None:
    for seq in range(20):
        journal.submit([append("acme", seq, log(seq + 1, 1))])
    journal.close()
    assert [type(outcome) for outcome in journal.poll()] == [Committed] * 20
    store = SqliteStore(path)
    assert store.head("acme").seq == 20
    store.close()


def test_closing_twice_is_closing_once(journal: Journal) -> None:
    journal.close()
    journal.close()
    assert journal.poll() == []
