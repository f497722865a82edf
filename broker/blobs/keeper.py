"""Threads that call a store of files, so that the hub never waits for a disk.

The same shape as the hub's end of a journal: ``submit`` gives a number, ``fileno`` is readable when something is done,
``poll`` gives what is. ``ThreadKeeper`` is what a broker runs, ``InlineKeeper`` does it when it is polled, for tests.

Theory of operation. A job names its file. Jobs of one file are done one after the other, as they came, those of others
beside them: a worker takes the first job whose file nobody is at. Jobs and the bytes they carry are bounded; past that
``submit`` raises ``Busy`` and nothing was taken. Only what frees something, a deletion, is always taken: it carries no
bytes.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import attrs

from broker.blobs.base import Behind, Blobs, Missing
from broker.limits import FILE_JOBS, FILE_JOBS_BYTES, FILE_WORKERS

END_SECONDS: Final = 10.0  # for a disk that hangs; after it a daemon thread is left behind

Call = Callable[[Blobs], object]


class Busy(Exception):
    """Too much waits already, or the keeper is closed: nothing was taken. Ask again later."""


@attrs.frozen
class Job:
    """One call of a store."""

    about: str
    """Jobs with the same are done in order."""
    call: Call = attrs.field(repr=False)
    carries: int = 0
    """Bytes that it holds, or will."""
    frees: bool = False
    """Taken even where too much waits."""


@attrs.frozen
class Failed:
    """The disk didn't do it: ``reason`` is the error's kind."""

    reason: str


Result = object
"""What the call returned; or the ``Behind`` or ``Missing`` that it raised, or ``Failed``."""


@attrs.frozen(kw_only=True)
class Statistics:
    """What a keeper can say of itself."""

    workers: int
    waiting: int
    """Taken, and not begun."""
    bytes: int
    """That those carry which aren't told yet."""
    done: int
    failed: int
    """Of them, for the disk didn't do it."""
    refused: int
    """Not taken, for too much waited."""


class Keeper(Protocol):
    """The hub's end. Nothing here blocks, but ``close``; called from the hub's task alone."""

    def fileno(self) -> int | None:
        """A descriptor that is readable when ``poll`` has something; None where that is right after ``submit``."""

    def submit(self, job: Job) -> int:
        """Hand over a job; its number comes back from ``poll``. Raises ``Busy``."""

    def poll(self) -> list[tuple[int, Result]]:
        """What was done since the last time."""

    def close(self) -> None:
        """Drop what waits, let what was begun end, and stop. Blocks for a bounded time."""

    def statistics(self) -> Statistics:
        """How it stands."""


def perform(job: Job, blobs: Blobs) -> Result:
    """Do it, here and now. Whatever goes wrong is in the result."""
    try:
        return job.call(blobs)
    except (Behind, Missing) as told:
        return told
    except Exception as error:  # a full disk, a bug: who asked is told, and the worker lives on
        return Failed(type(error).__name__)


@attrs.define
class _Load:
    """How much was taken and isn't told yet."""

    most: int
    most_bytes: int
    numbers: int = 0
    waiting: int = 0
    bytes: int = 0
    done: int = 0
    failed: int = 0
    refused: int = 0

    def take(self, job: Job, *, closed: bool) -> int:
        full = self.waiting >= self.most or self.bytes + job.carries > self.most_bytes
        if closed or (full and not job.frees):
            self.refused += 1
            raise Busy
        self.numbers += 1
        self.waiting += 1
        self.bytes += job.carries
        return self.numbers

    def told(self, job: Job, result: Result) -> None:
        self.bytes -= job.carries
        self.done += 1
        self.failed += isinstance(result, Failed)

    def statistics(self, workers: int) -> Statistics:
        return Statistics(
            workers=workers,
            waiting=self.waiting,
            bytes=self.bytes,
            done=self.done,
            failed=self.failed,
            refused=self.refused,
        )


class ThreadKeeper:
    """``workers`` threads, started at once."""

    def __init__(
        self, blobs: Blobs, workers: int = FILE_WORKERS, *, most: int = FILE_JOBS, most_bytes: int = FILE_JOBS_BYTES
    ) -> None:
        self._blobs = blobs
        self._load = _Load(most, most_bytes)
        self._closed = False
        self._jobs: deque[tuple[int, Job]] = deque()
        self._busy: set[str] = set()
        self._results: list[tuple[int, Job, Result]] = []
        self._change = threading.Condition()  # guards all of the above
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._threads = [
            threading.Thread(target=self._work, name=f"keeper-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """See ``Keeper``. The same from the beginning to the end."""
        return self._wake.fileno()

    def submit(self, job: Job) -> int:
        """See ``Keeper``."""
        with self._change:
            number = self._load.take(job, closed=self._closed)
            self._jobs.append((number, job))
            self._change.notify()
            return number

    def poll(self) -> list[tuple[int, Result]]:
        """See ``Keeper``."""
        with self._change:
            if not self._closed:
                with suppress(BlockingIOError):
                    self._wake.recv(64)  # at most one byte for each time that there was nothing before
            results, self._results = self._results, []
            for _, job, result in results:
                self._load.told(job, result)
        return [(number, result) for number, _, result in results]

    def close(self) -> None:
        """See ``Keeper``. What was begun is in the next ``poll``."""
        with self._change:
            if self._closed:
                return
            self._closed = True
            self._jobs.clear()
            self._change.notify_all()
        for thread in self._threads:
            thread.join(END_SECONDS)
        with self._change:
            self._wake.close()
            self._waker.close()

    def statistics(self) -> Statistics:
        """See ``Keeper``."""
        with self._change:
            return self._load.statistics(len(self._threads))

    def _next(self) -> tuple[int, Job] | None:
        """The first whose file nobody is at. There are few: a bound is on what waits, and a file's are few of them."""
        for at, (_, job) in enumerate(self._jobs):
            if job.about not in self._busy:
                found = self._jobs[at]
                del self._jobs[at]
                return found
        return None

    def _work(self) -> None:
        while True:
            with self._change:
                while (found := None if self._closed else self._next()) is None:
                    if self._closed:
                        return
                    self._change.wait()
                number, job = found
                self._load.waiting -= 1
                self._busy.add(job.about)
            result = perform(job, self._blobs)
            with self._change:
                self._busy.discard(job.about)
                self._change.notify()  # what waited for this file
                self._results.append((number, job, result))
                if len(self._results) == 1 and self._waker.fileno() >= 0:  # closed if this took longer than close waits
                    with suppress(BlockingIOError):
                        self._waker.send(b"\0")


class InlineKeeper:
    """Does what was submitted when it is polled."""

    def __init__(self, blobs: Blobs, *, most: int = FILE_JOBS, most_bytes: int = FILE_JOBS_BYTES) -> None:
        self._blobs = blobs
        self._load = _Load(most, most_bytes)
        self._closed = False
        self._jobs: deque[tuple[int, Job]] = deque()

    def fileno(self) -> None:
        """None: poll after submitting."""
        return

    def submit(self, job: Job) -> int:
        """See ``Keeper``."""
        number = self._load.take(job, closed=self._closed)
        self._jobs.append((number, job))
        return number

    def poll(self) -> list[tuple[int, Result]]:
        """See ``Keeper``."""
        results: list[tuple[int, Result]] = []
        while self._jobs:
            number, job = self._jobs.popleft()
            self._load.waiting -= 1
            results.append((number, perform(job, self._blobs)))
            self._load.told(job, results[-1][1])
        return results

    def close(self) -> None:
        """See ``Keeper``."""
        self._closed = True
        self._jobs.clear()

    def statistics(self) -> Statistics:
        """See ``Keeper``."""
        return self._load.statistics(0)
