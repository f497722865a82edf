"""Threads that call the store: every job is answered once, a file's in their order; nothing waits without bound."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.blobs.base import Behind, Blob, Blobs, Missing
from broker.blobs.keeper import Busy, Failed, InlineKeeper, Job, Keeper, Result, ThreadKeeper
from broker.blobs.memory import MemoryBlobs

ONE = Blob("acme", "f_0000000000000000")
PATIENCE = 30.0  # seconds a test waits for a condition before it fails
KEEPERS: dict[str, Callable[..., Keeper]] = {
    "thread": lambda blobs, **most: ThreadKeeper(blobs, 3, **most),
    "inline": InlineKeeper,
}


@pytest.fixture(params=list(KEEPERS))
def keeper(request: pytest.FixtureRequest) -> Iterator[Keeper]:
    made = KEEPERS[request.param](MemoryBlobs())
    yield made
    made.close()


def collect(keeper: Keeper, count: int) -> dict[int, Result]:
    """Poll as the hub does: when the descriptor is readable."""
    found: dict[int, Result] = {}
    while len(found) < count:
        descriptor = keeper.fileno()
        if descriptor is not None:
            assert select.select([descriptor], [], [], PATIENCE)[0], "the keeper doesn't answer"
        results = keeper.poll()
        assert results, "readable, and nothing there"
        found.update(results)
    return found


def append(blob: Blob, offset: int, data: bytes) -> Job:
    return Job(blob.name, lambda blobs: blobs.append(blob, offset, data), len(data))


def test_each_job_gets_its_answer_by_its_number(keeper: Keeper) -> None:
    def bug(blobs: Blobs) -> None:
        raise PermissionError("a path that nobody is told")

    jobs = [
        append(ONE, 0, b"abc"),
        append(ONE, 0, b"abc"),
        Job(ONE.name, lambda blobs: blobs.read(ONE, 1, 9)),
        Job("nobody", lambda blobs: blobs.read(Blob("acme", "f_1111111111111111"), 0, 9)),
        Job("bug", bug),
    ]
    numbers = [keeper.submit(job) for job in jobs]
    found = collect(keeper, len(jobs))
    size, behind, data, missing, failed = (found[number] for number in numbers)
    assert (size, data, failed) == (3, b"bc", Failed("PermissionError"))
    assert isinstance(behind, Behind)
    assert behind.size == 3
    assert isinstance(missing, Missing)
    assert keeper.poll() == []
    told = keeper.statistics()
    assert (told.done, told.failed, told.waiting, told.bytes) == (5, 1, 0, 0)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_jobs_of_one_file_are_done_in_their_order(files: list[str]) -> None:
    done: list[tuple[str, int]] = []
    keeper = ThreadKeeper(MemoryBlobs(), 3)
    try:
        for number, about in enumerate(files):
            keeper.submit(Job(about, lambda blobs, about=about, number=number: done.append((about, number))))  # type: ignore[misc]  # bound now
        collect(keeper, len(files))
    finally:
        keeper.close()
    for about in "abc":
        assert [number for name, number in done if name == about] == [n for n, one in enumerate(files) if one == about]


def test_a_slow_file_holds_up_nobody_else() -> None:
    gate, keeper = threading.Event(), ThreadKeeper(MemoryBlobs(), 2)
    try:
        slow = [keeper.submit(Job("slow", lambda blobs: gate.wait(PATIENCE))) for _ in range(3)]
        quick = keeper.submit(Job("quick", lambda blobs: "here"))
        assert collect(keeper, 1) == {quick: "here"}
        gate.set()
        assert collect(keeper, 3) == dict.fromkeys(slow, True)
    finally:
        gate.set()
        keeper.close()


@pytest.mark.parametrize("kind", list(KEEPERS))
def test_jobs_and_their_bytes_are_bounded(kind: str) -> None:
    gate = threading.Event()
    keeper = KEEPERS[kind](MemoryBlobs(), most=2, most_bytes=100)
    try:
        first = keeper.submit(Job("x", lambda blobs: gate.wait(PATIENCE) if kind == "thread" else True, 60))
        with pytest.raises(Busy):
            keeper.submit(Job("x", lambda blobs: None, 41))
        second = keeper.submit(Job("x", lambda blobs: None, 40))
        if kind == "inline":
            with pytest.raises(Busy):
                keeper.submit(Job("x", lambda blobs: None))
        third = keeper.submit(Job("x", lambda blobs: "gone", frees=True))
        with pytest.raises(Busy):
            keeper.submit(Job("x", lambda blobs: None))
        assert keeper.statistics().bytes == 100
        gate.set()
        assert collect(keeper, 3) == {first: True, second: None, third: "gone"}
        told = keeper.statistics()
        assert (told.bytes, told.refused) == (0, 3 if kind == "inline" else 2)
        keeper.submit(Job("x", lambda blobs: None, 100))
    finally:
        gate.set()
        keeper.close()


def test_a_closed_keeper_takes_nothing(keeper: Keeper) -> None:
    keeper.close()
    keeper.close()
    with pytest.raises(Busy):
        keeper.submit(Job("x", lambda blobs: None, frees=True))
    assert keeper.poll() == []


def test_what_was_begun_when_it_closed_is_told_and_what_waited_is_not() -> None:
    begun, gate = threading.Event(), threading.Event()

    def slow(blobs: Blobs) -> str:
        begun.set()
        gate.wait(PATIENCE)
        return "done"

    keeper = ThreadKeeper(MemoryBlobs(), 1)
    first = keeper.submit(Job("x", slow))
    keeper.submit(Job("x", lambda blobs: "never"))
    assert begun.wait(PATIENCE)
    closer = threading.Thread(target=keeper.close)
    closer.start()
    gate.set()
    closer.join(PATIENCE)
    assert keeper.poll() == [(first, "done")]
