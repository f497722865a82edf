"""Workers that hash and check passwords, so that the hub never waits 0.15 s for one.

The same shape as the hub's end of a journal: ``submit`` gives a number, ``fileno`` is readable when something is done,
``poll`` gives what is. ``ThreadHashers`` is what a broker runs, ``InlineHashers`` does it at once, for tests.

Threads are enough: Argon2 lets go of the interpreter while it works. On Linux they and the lanes they start are nicer
than the hub, so that a wave of sign-ins takes the processors' spare time and not the conversations'.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import Final, Protocol

import attrs

from broker.identity import passwords
from broker.identity.passwords import COST, WRONG, Cost, UnfitPassword, Verdict
from broker.identity.secrecy import Secret, veil
from broker.limits import MAX_HASHES_WAITING

NICENESS: Final = 10  # a ninth of the hub's share where both want a processor
END_SECONDS: Final = 10.0  # for a hash at the highest cost that is checked; after it a daemon thread is left behind


class Busy(Exception):
    """Too many wait already, or the workers are closed: nothing was taken. Ask again later."""


@attrs.frozen
class Hash:
    """Make a hash of a new password: answered by a ``Hashed``, or ``Failed``."""

    password: Secret = attrs.field(converter=veil)


@attrs.frozen
class Verify:
    """Check a password against ``kept``: answered by a ``Verdict``, or ``Failed``.

    None where nobody of that name has one: takes as long, and is wrong."""

    kept: str | None = attrs.field(repr=False)
    password: Secret = attrs.field(converter=veil)


Job = Hash | Verify


@attrs.frozen
class Hashed:
    """What to store."""

    kept: str = attrs.field(repr=False)


@attrs.frozen
class Failed:
    """It couldn't be done: ``reason`` says why without a word of the password."""

    reason: str
    unfit: bool = False
    """The password is at fault, and ``reason`` may be shown to who gave it; else it is ours (memory, a broken hash)."""


Result = Hashed | Verdict | Failed


@attrs.frozen(kw_only=True)
class Statistics:
    """What the workers can say of themselves."""

    workers: int
    waiting: int
    """Taken, and not begun."""
    busy: int
    """Being worked on."""
    done: int
    """Since the start, whatever came of them."""
    refused: int
    """Not taken, for too many waited."""


class Hashers(Protocol):
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


def workers_for(processors: int) -> int:
    """How many workers a machine gets: one for each two processors, as each of them keeps more than one busy."""
    return max(1, processors // 2)


def perform(job: Job, cost: Cost = COST) -> Result:
    """Do it, here and now. Whatever goes wrong is in the result."""
    try:
        if isinstance(job, Hash):
            return Hashed(passwords.hash(job.password, cost))
        if job.kept is None:
            passwords.verify(passwords.dummy(cost), job.password, cost)
            return WRONG
        return passwords.verify(job.kept, job.password, cost)
    except UnfitPassword as error:
        return Failed(str(error), unfit=True)
    except Exception as error:  # no memory, a hash cut short, a bug: who asked is told, and the worker lives on
        return Failed(type(error).__name__)


class ThreadHashers:
    """``workers`` threads, started at once; each holds ``cost.memory`` while it works."""

    def __init__(self, workers: int | None = None, *, cost: Cost = COST, waiting: int = MAX_HASHES_WAITING) -> None:
        self._cost = cost
        self._most = waiting
        self._numbers = 0
        self._done = 0
        self._busy = 0
        self._refused = 0
        self._closed = False
        self._jobs: deque[tuple[int, Job]] = deque()
        self._results: list[tuple[int, Result]] = []
        self._change = threading.Condition()  # guards all of the above
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        count = workers_for(os.cpu_count() or 1) if workers is None else workers
        self._threads = [
            threading.Thread(target=self._work, name=f"hasher-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        """See ``Hashers``. The same from the beginning to the end."""
        return self._wake.fileno()

    def submit(self, job: Job) -> int:
        """See ``Hashers``."""
        with self._change:
            if self._closed or len(self._jobs) >= self._most:
                self._refused += 1
                raise Busy
            self._numbers += 1
            self._jobs.append((self._numbers, job))
            self._change.notify()
            return self._numbers

    def poll(self) -> list[tuple[int, Result]]:
        """See ``Hashers``."""
        with self._change:
            if not self._closed:
                with suppress(BlockingIOError):
                    self._wake.recv(64)  # at most one byte for each time that there was nothing before
            results = self._results
            self._results = []
            return results

    def close(self) -> None:
        """See ``Hashers``. What was begun is in the next ``poll``."""
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
        """See ``Hashers``."""
        with self._change:
            return Statistics(
                workers=len(self._threads),
                waiting=len(self._jobs),
                busy=self._busy,
                done=self._done,
                refused=self._refused,
            )

    def _work(self) -> None:
        _be_nice()
        while True:
            with self._change:
                while not self._jobs and not self._closed:
                    self._change.wait()
                if self._closed:
                    return
                number, job = self._jobs.popleft()
                self._busy += 1
            result = perform(job, self._cost)
            del job  # the password goes with it, and doesn't wait for the next one
            with self._change:
                self._busy -= 1
                self._done += 1
                self._results.append((number, result))
                if len(self._results) == 1 and self._waker.fileno() >= 0:  # closed if this took longer than close waits
                    with suppress(BlockingIOError):
                        self._waker.send(b"\0")


class InlineHashers:
    """Does what was submitted when it is polled: for tests and simulation, at a cost they can bear."""

    def __init__(self, *, cost: Cost = COST, waiting: int = MAX_HASHES_WAITING) -> None:
        self._cost = cost
        self._most = waiting
        self._numbers = 0
        self._done = 0
        self._refused = 0
        self._closed = False
        self._jobs: deque[tuple[int, Job]] = deque()

    def fileno(self) -> None:
        """None: poll after submitting."""
        return

    def submit(self, job: Job) -> int:
        """See ``Hashers``."""
        if self._closed or len(self._jobs) >= self._most:
            self._refused += 1
            raise Busy
        self._numbers += 1
        self._jobs.append((self._numbers, job))
        return self._numbers

    def poll(self) -> list[tuple[int, Result]]:
        """See ``Hashers``."""
        results = []
        while self._jobs:
            number, job = self._jobs.popleft()
            results.append((number, perform(job, self._cost)))
            self._done += 1
        return results

    def close(self) -> None:
        """See ``Hashers``."""
        self._closed = True
        self._jobs.clear()

    def statistics(self) -> Statistics:
        """See ``Hashers``."""
        return Statistics(workers=0, waiting=len(self._jobs), busy=0, done=self._done, refused=self._refused)


def _be_nice() -> None:
    """Lower this thread's priority. Where a thread can't be told from its process, nothing is lowered."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
