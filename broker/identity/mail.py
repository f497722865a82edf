"""Outgoing e-mail: a bounded queue, and tasks that bring it to the server, again and again within bounds.

``letters`` has what is written, ``smtp`` one attempt. The queue is memory: what waits when the broker stops is lost,
and who waits for it asks again. That is the price of texts with links in them being nowhere on disk. What isn't wanted
any more is dropped, and each attempt begins by asking for that: its text and address leave the memory at once.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import attrs
import trio

from broker import limits
from broker.identity.letters import Mail, write
from broker.identity.smtp import Attempt, Came
from broker.units import SECONDS

NAME_BYTES: Final = 16  # of a message's id


class Deliver(Protocol):
    """One attempt: ``smtp.Courier.deliver``."""

    async def __call__(self, to: str, message: bytes) -> Attempt:
        """Try once."""


class Tell(Protocol):
    """The log's door, as the runtime has it."""

    def __call__(self, level: str, event: str, /, *, reason: str, number: int) -> None:
        """One line."""


Told = Callable[[Attempt, str], None]
"""What came of an attempt, and what follows: sent, deferred (tried again) or failed (given up)."""
Wanted = Callable[[], bool]
"""Asked just before each attempt: whether the e-mail is still to be sent."""
Drop = Callable[[], None]
"""Don't send it, and keep nothing of it; an attempt under way is cut off. After its end this does nothing."""


@attrs.frozen(kw_only=True)
class Pace:
    """How often and how long an e-mail is tried. Durations in milliseconds."""

    attempts: int = limits.MAIL_ATTEMPTS
    pause: int = limits.MAIL_PAUSE
    most: int = limits.MAX_MAIL_PAUSE
    life: int = limits.MAIL_LIFE

    def pause_after(self, attempts: int) -> int:
        """How long to wait after so many."""
        return min(self.most, self.pause << min(attempts - 1, 32))


@attrs.frozen(kw_only=True)
class Statistics:
    """What can be said of outgoing e-mail."""

    waiting: int
    """Taken, and neither sent nor given up; those being tried included."""
    sent: int
    failed: int
    """Given up: refused for good, or tried too often or too long."""
    retried: int
    """Attempts that were not the first."""
    refused: int
    """Not taken, for too many waited."""
    dropped: int
    """Taken and not wanted any more before they were sent."""


@attrs.define(order=True)
class _Item:
    due: float
    number: int
    to: str = attrs.field(order=False, repr=False)
    message: bytes = attrs.field(order=False, repr=False)
    since: float = attrs.field(order=False)
    attempts: int = attrs.field(order=False, default=0)
    told: Told | None = attrs.field(order=False, default=None)
    wanted: Wanted | None = attrs.field(order=False, default=None)
    trying: trio.CancelScope | None = attrs.field(order=False, default=None)
    over: bool = attrs.field(order=False, default=False)


def _silent(level: str, event: str, /, *, reason: str, number: int) -> None:
    """Tells nobody."""


class Mailer:
    """Sends what it is given, while ``run`` runs. ``now`` gives milliseconds since 1970 UTC, for the Date header."""

    def __init__(
        self, deliver: Deliver, *, sender: str, now: Callable[[], int], pace: Pace | None = None, tell: Tell = _silent
    ) -> None:
        self._deliver = deliver
        self._sender = sender
        self._now = now
        self._pace = pace or Pace()
        self._tell = tell
        self._queue: list[_Item] = []
        self._changed = trio.Event()
        self._numbers = self._waiting = self._sent = self._failed = self._retried = self._refused = 0
        self._dropped = 0

    def send_nowait(self, mail: Mail, told: Told | None = None, wanted: Wanted | None = None) -> Drop:
        """Take an e-mail and return at once; ``told`` is called after each attempt, and ``wanted`` before. One that is
        dropped, or not wanted any more, is told nobody of. Raises ``trio.WouldBlock`` where too many wait already."""
        if self._waiting >= limits.MAX_MAILS_WAITING:
            self._refused += 1
            raise trio.WouldBlock
        message = write(mail, sender=self._sender, now=self._now(), name=secrets.token_hex(NAME_BYTES))
        self._numbers += 1
        self._waiting += 1
        time = trio.current_time()
        item = _Item(time, self._numbers, mail.to, message, time, told=told, wanted=wanted)
        self._put(item)
        return partial(self._drop, item)

    async def run(self) -> None:
        """Send until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(limits.MAIL_SENDERS):
                nursery.start_soon(self._send)

    def statistics(self) -> Statistics:
        """How it stands."""
        return Statistics(
            waiting=self._waiting,
            sent=self._sent,
            failed=self._failed,
            retried=self._retried,
            refused=self._refused,
            dropped=self._dropped,
        )

    def _put(self, item: _Item) -> None:
        heapq.heappush(self._queue, item)
        self._changed.set()
        self._changed = trio.Event()

    async def _send(self) -> None:
        while True:
            await self._try(await self._next())

    async def _try(self, item: _Item) -> None:
        """Once, if it is wanted. In a frame of its own: what waits for the next one keeps nothing of this one."""
        if item.wanted is not None and not item.wanted():
            self._drop(item)
            return
        item.attempts += 1
        self._retried += item.attempts > 1
        attempt = None
        with trio.CancelScope() as item.trying:
            attempt = await self._deliver(item.to, item.message)
        item.trying = None
        if attempt is not None and not item.over:
            self._settle(item, attempt)

    def _drop(self, item: _Item) -> None:
        if item.over:
            return
        self._dropped += 1
        self._end(item)
        self._queue = [one for one in self._queue if one is not item]
        heapq.heapify(self._queue)
        if item.trying is not None:
            item.trying.cancel()

    def _end(self, item: _Item) -> None:
        """It waits no more, and nothing of it is kept by whoever could drop it."""
        item.over = True
        self._waiting -= 1
        item.to, item.message = "", b""

    async def _next(self) -> _Item:
        """The first that is due."""
        while True:
            await trio.lowlevel.checkpoint()
            due = self._queue[0].due if self._queue else float("inf")
            if due <= trio.current_time():
                return heapq.heappop(self._queue)
            with trio.move_on_at(due):
                await self._changed.wait()

    def _settle(self, item: _Item, attempt: Attempt) -> None:
        """Sent, given up, or put back for later."""
        if attempt.came is Came.AGAIN and item.attempts < self._pace.attempts:
            due = trio.current_time() + self._pace.pause_after(item.attempts) / SECONDS
            if due <= item.since + self._pace.life / SECONDS:
                self._tell("info", "mail_deferred", reason=attempt.reason, number=attempt.code)
                item.due = due
                self._put(item)
                if item.told is not None:
                    item.told(attempt, "deferred")
                return
        self._end(item)
        if item.told is not None:
            item.told(attempt, "sent" if attempt.came is Came.SENT else "failed")
        if attempt.came is Came.SENT:
            self._sent += 1
            return
        self._failed += 1
        self._tell("warning", "mail_failed", reason=attempt.reason, number=attempt.code)
