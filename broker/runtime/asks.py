"""Questions to the writer's process and who waits for their answers. Bounded: the rest queues here, not there."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from broker.journal.base import Journal, Reply

Then = Callable[[Reply], None]

MOST: Final = 64  # questions with the writer at once: commits queue behind them


class Asks:
    """Asks in order, at most ``MOST`` at a time; each answer goes to the one who asked."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[int, Then] = {}
        self._queue: deque[tuple[str, tuple[object, ...], Then]] = deque()
        self.guard: Callable[[Callable[[], None]], object] = lambda call: call()
        """Runs a call that may meet a bug."""

    def ask(self, question: str, *args: object, then: Then) -> None:
        """Ask, now or when there is room; ``then`` gets the reply, errors included."""
        if len(self._waiting) < MOST:
            self._waiting[self._journal.ask(question, *args)] = then
        else:
            self._queue.append((question, args, then))

    def on_reply(self, number: int, then: Then) -> None:
        """The same for something that was asked in another way."""
        self._waiting[number] = then

    def replied(self, reply: Reply) -> None:
        """An answer is here."""
        then = self._waiting.pop(reply.number, None)
        if self._queue and len(self._waiting) < MOST:
            question, args, waiting = self._queue.popleft()
            self._waiting[self._journal.ask(question, *args)] = waiting
        if then is not None:
            answered = then
            self.guard(lambda: answered(reply))

    def __len__(self) -> int:
        return len(self._waiting) + len(self._queue)
