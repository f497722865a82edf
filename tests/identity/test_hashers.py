"""Workers: every job is answered once, by its number; nothing is lost, and nothing waits without bound."""

import os
import select
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.identity import hashers, passwords
from broker.identity.hashers import (
    NICENESS,
    Busy,
    Failed,
    Hash,
    Hashed,
    Hashers,
    InlineHashers,
    Job,
    Result,
    ThreadHashers,
    Verify,
    perform,
    workers_for,
)
from broker.identity.passwords import WRONG, Cost, Verdict
from broker.units import KIB, MIB

CHEAP = Cost(time=1, memory=8 * KIB, lanes=1)
KEPT = passwords.hash("Spring-1942", CHEAP)
PATIENCE = 30.0  # seconds a test waits for a condition before it fails


@pytest.fixture(params=["thread", "inline"])
def pool(request: pytest.FixtureRequest) -> Iterator[Hashers]:
    made: Hashers = ThreadHashers(2, cost=CHEAP) if request.param == "thread" else InlineHashers(cost=CHEAP)
    yield made
    made.close()


def collect(pool: Hashers, count: int) -> dict[int, Result]:
    """Poll as the hub does: when the descriptor is readable."""
    found: dict[int, Result] = {}
    while len(found) < count:
        descriptor = pool.fileno()
        if descriptor is not None:
            assert select.select([descriptor], [], [], PATIENCE)[0], "the workers don't answer"
        results = pool.poll()
        assert results, "readable, and nothing there"
        assert not found.keys() & dict(results).keys()
        found.update(results)
    return found


def test_each_job_gets_its_answer_by_its_number(pool: Hashers) -> None:
    jobs: list[Job] = [
        Hash("Autumn-1876"),
        Verify(KEPT, "Spring-1942"),
        Verify(KEPT, "spring-1942"),
        Verify(None, "Spring-1942"),
        Hash(""),
        Verify("no hash", "Spring-1942"),
    ]
    numbers = [pool.submit(job) for job in jobs]
    found = collect(pool, len(jobs))
    made, right, wrong, nobody, unfit, broken = (found[number] for number in numbers)
    assert isinstance(made, Hashed)
    assert passwords.verify(made.kept, "Autumn-1876", CHEAP) == Verdict(right=True)
    assert right == Verdict(right=True)
    assert wrong == nobody == WRONG
    assert unfit == Failed("password: expected at least 1 character", unfit=True)
    assert broken == Failed("ValueError")
    assert pool.poll() == []
    assert pool.statistics().done == len(jobs)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30), st.integers(1, 4))
def test_nothing_is_lost_however_it_is_polled(steps: list[tuple[bool, bool]], workers: int) -> None:
    pool = ThreadHashers(workers, cost=CHEAP)
    try:
        expected: dict[int, Result] = {}
        found: dict[int, Result] = {}
        for right, poll in steps:
            number = pool.submit(Verify(KEPT, "Spring-1942" if right else "Spring-1943"))
            expected[number] = Verdict(right=right)
            if poll:
                found.update(pool.poll())
        found.update(collect(pool, len(expected) - len(found)))
        assert found == expected
        assert not select.select([pool], [], [], 0)[0], "readable, and nothing there"
    finally:
        pool.close()


class Gate:
    """Stands in for the hashing: each job waits until it is let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()
        monkeypatch.setattr(hashers, "perform", self._perform)

    def _perform(self, job: Job, cost: Cost) -> Result:
        self.begun.release()
        assert self.open.wait(PATIENCE)
        return WRONG

    def wait_begun(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE)


def test_one_more_than_may_wait_is_refused_and_nothing_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    pool = ThreadHashers(1, cost=CHEAP, waiting=3)
    try:
        pool.submit(Verify(None, "x"))
        gate.wait_begun()
        for _ in range(3):
            pool.submit(Verify(None, "x"))
        with pytest.raises(Busy):
            pool.submit(Verify(None, "x"))
        found = pool.statistics()
        assert (found.workers, found.waiting, found.busy, found.done, found.refused) == (1, 3, 1, 0, 1)
        gate.open.set()
        assert sorted(collect(pool, 4)) == [1, 2, 3, 4]
        assert pool.submit(Verify(None, "x")) == 5
    finally:
        gate.open.set()
        pool.close()


def test_workers_work_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    pool = ThreadHashers(3, cost=CHEAP)
    try:
        for _ in range(3):
            pool.submit(Verify(None, "x"))
        for _ in range(3):
            gate.wait_begun()
        assert pool.statistics().busy == 3
        gate.open.set()
        assert len(collect(pool, 3)) == 3
    finally:
        gate.open.set()
        pool.close()


def test_closing_ends_the_threads_drops_what_waits_and_keeps_what_was_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    before = set(threading.enumerate())
    pool = ThreadHashers(1, cost=CHEAP)
    pool.submit(Verify(None, "x"))
    gate.wait_begun()
    pool.submit(Verify(None, "x"))
    closing = threading.Thread(target=pool.close)
    closing.start()
    gate.open.set()
    closing.join(PATIENCE)
    assert set(threading.enumerate()) == before
    assert pool.poll() in ([(1, WRONG)], [(1, WRONG), (2, WRONG)])
    pool.close()


def test_a_closed_pool_takes_nothing(pool: Hashers) -> None:
    pool.close()
    with pytest.raises(Busy):
        pool.submit(Verify(None, "x"))
    assert pool.poll() == []
    assert pool.statistics().refused == 1


def test_an_inline_pool_is_bounded_too() -> None:
    pool = InlineHashers(cost=CHEAP, waiting=1)
    pool.submit(Verify(None, "x"))
    with pytest.raises(Busy):
        pool.submit(Verify(None, "x"))
    assert pool.statistics().waiting == 1


def test_nothing_printed_holds_a_password_or_a_hash() -> None:
    shown = repr([Hash("Spring-1942"), Verify(KEPT, "Spring-1942"), perform(Hash("Spring-1942"), CHEAP)])
    assert "Spring" not in shown
    assert "argon2" not in shown


def test_a_bug_is_told_to_who_asked_by_its_class_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise MemoryError("while hashing Spring-1942")

    monkeypatch.setattr(passwords, "hash", fail)
    assert perform(Hash("Spring-1942"), CHEAP) == Failed("MemoryError")


def test_a_hash_that_was_cut_is_our_fault_and_not_the_passwords() -> None:
    cut = KEPT[:-5] + "AAAAB"  # the last character has bits to spare that aren't zero
    found = perform(Verify(cut, "Spring-1942"), CHEAP)
    assert isinstance(found, Failed) or found == WRONG
    assert not isinstance(found, Failed) or not found.unfit


def test_nobody_is_checked_at_the_full_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes as long: the same function, on a hash of the same cost."""
    asked: list[tuple[str, Cost]] = []

    def spy(kept: str, password: object, cost: Cost) -> Verdict:
        asked.append((kept, cost))
        return Verdict(right=True)

    monkeypatch.setattr(passwords, "verify", spy)
    assert perform(Verify(None, "Spring-1942")) == WRONG
    assert asked == [(passwords.dummy(), passwords.COST)]


def test_workers_are_nicer_than_the_hub() -> None:
    before = {thread.native_id for thread in threading.enumerate()}
    pool = ThreadHashers(1, cost=CHEAP)
    try:
        pool.submit(Verify(None, "x"))
        collect(pool, 1)
        (made,) = [thread for thread in threading.enumerate() if thread.native_id not in before]
        assert made.native_id is not None
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            own = os.getpriority(os.PRIO_PROCESS, 0)
            assert os.getpriority(os.PRIO_PROCESS, made.native_id) == max(own, NICENESS)
    finally:
        pool.close()


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 1), (3, 1), (4, 2), (64, 32)])
def test_a_machine_gets_one_worker_for_two_processors(processors: int, workers: int) -> None:
    assert workers_for(processors) == workers


@pytest.mark.slow
def test_at_the_real_cost_sixty_four_mebibytes_are_filled() -> None:
    pool = ThreadHashers()
    try:
        number = pool.submit(Hash("Spring-1942"))
        made = collect(pool, 1)[number]
        assert isinstance(made, Hashed)
        assert f"m={64 * MIB // KIB},t=3,p=4" in made.kept
        number = pool.submit(Verify(made.kept, "Spring-1942"))
        assert collect(pool, 1)[number] == Verdict(right=True)
    finally:
        pool.close()
