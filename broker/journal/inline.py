"""A journal without another thread: for tests, simulation and the memory transport.

It can hold commits back and fail them on purpose, so that a test decides when the disk is slow or full.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence

from broker.journal import wire
from broker.journal.base import Append, Committed, Failed, JournalError, JournalUnavailable, Outcome, Reply, Store
from broker.journal.worker import Questions, describe


class InlineJournal:
    """A ``base.Journal`` that does everything in the call that asks for it. ``on_outcome`` is called, possibly within
    that call, whenever ``poll`` has something after having had nothing."""

    def __init__(self, store: Store, questions: Questions, *, on_outcome: Callable[[], None]) -> None:
        self._store = store
        self._questions = questions
        self._on_outcome = on_outcome
        self._owner = os.urandom(16)
        self._epoch = store.open_epoch(self._owner)
        self._numbers = 0
        self._outcomes: list[Outcome] = []
        self._held: deque[Callable[[], Outcome]] | None = None
        self._failures: deque[tuple[JournalError, bool]] = deque()
        self._failed: str | None = None

    def fileno(self) -> None:
        """None: see ``on_outcome``."""
        return

    def submit(self, appends: Sequence[Append]) -> int:
        """See ``base.Journal``."""
        self._numbers += 1
        number = self._numbers
        self._do(lambda: self._commit(number, appends))
        return number

    def ask(self, question: str, *args: object) -> int:
        """See ``base.Journal``. A generator is run to its end."""
        self._numbers += 1
        number = self._numbers
        self._do(lambda: self._answer(number, question, args))
        return number

    def recover(self) -> int:
        """See ``base.Journal``."""
        self._numbers += 1
        number = self._numbers
        self._do(lambda: self._renew(number))
        return number

    def poll(self) -> list[Outcome]:
        """See ``base.Journal``."""
        outcomes = self._outcomes
        self._outcomes = []
        return outcomes

    def close(self) -> None:
        """See ``base.Journal``. What is held back is carried out; the store is closed."""
        self.release()
        self._store.close()

    # --- for tests -------------------------------------------------------------------------------

    def hold(self) -> None:
        """From now on nothing is carried out until ``release``."""
        if self._held is None:
            self._held = deque()

    def release(self, count: int | None = None) -> None:
        """Carry out what was held back: the oldest ``count``, or everything, and then hold nothing any more."""
        while self._held and count != 0:
            self._add(self._held.popleft()())
            count = None if count is None else count - 1
        if count is None:
            self._held = None

    def fail_next(self, error: JournalError | None = None, *, written: bool = False) -> None:
        """Let one more commit fail, with ``error`` (by default a full disk, surely nothing written). ``written``: it is
        stored all the same, as when the disk fails after the commit; give an error that isn't sure then."""
        if error is None:
            error = JournalUnavailable("cannot commit: the disk is full, says the test", surely_nothing=not written)
        self._failures.append((error, written))

    # --- within ----------------------------------------------------------------------------------

    def _do(self, action: Callable[[], Outcome]) -> None:
        if self._held is None:
            self._add(action())
        else:
            self._held.append(action)

    def _add(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if len(self._outcomes) == 1:
            self._on_outcome()

    def _commit(self, number: int, appends: Sequence[Append]) -> Outcome:
        if self._failed is not None:
            return Failed(number, JournalUnavailable(f"waiting for recovery: {self._failed}", surely_nothing=True))
        try:
            if not self._failures:
                return Committed(number, self._store.append(self._epoch, appends))
            error, written = self._failures.popleft()
            if written:
                self._store.append(self._epoch, appends)
        except JournalError as exc:
            error = exc
        except ValueError as exc:
            error = JournalUnavailable(f"a commit that makes no sense: {exc}", surely_nothing=True)
        self._failed = str(error)
        return Failed(number, error)

    def _answer(self, number: int, question: str, args: tuple[object, ...]) -> Outcome:
        function = self._questions.get(question)
        # Through msgpack and back, as if there were a process in between: tuples out of lists, and no odd types.
        carried = [wire.carry(argument) for argument in args]
        try:
            if function is None:
                raise JournalError(f"no such question: {question}")
            value = function(self._store, *carried)
            if isinstance(value, Generator):
                value = _run(value)
            return Reply(number, wire.carry(value))
        except Exception as exc:  # as in ``worker``: the asker gets it
            return Reply(number, None, describe(exc))

    def _renew(self, number: int) -> Outcome:
        try:
            self._epoch = self._store.open_epoch(self._owner, renew=True)
        except JournalError as exc:
            return Reply(number, None, describe(exc))
        self._failed = None
        return Reply(number, self._epoch)


def _run(generator: Generator[object, None, object]) -> object:
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value
