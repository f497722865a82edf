"""The hub's end of a writer that has a thread or a process of its own. Nothing here blocks, save ``close``.

``process`` and ``thread`` supply the writer; ``worker`` is the other end.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol

import attrs

from broker.journal import wire
from broker.journal.base import Append, Committed, Failed, Head, JournalUnavailable, Outcome, Reply

CLOSE_SECONDS: Final = 5.0  # for what is under way: many times the slowest commit of a working disk
READS_A_POLL: Final = 8  # 2 MiB, then the hub's tick goes on


class Writer(Protocol):
    """A running writer."""

    @property
    def sock(self) -> socket.socket:
        """Our end of the socketpair."""

    def end(self) -> None:
        """Make certain that it has ended. Blocks for a bounded time."""


@attrs.define(frozen=True, kw_only=True)
class Statistics:
    """What can be said of the writer from here."""

    alive: bool
    commits: int
    """Submitted, outcome not known yet."""
    questions: int
    unsent_bytes: int
    """Waiting for room in the socket."""
    starts: int
    """Writers started, the first one included."""
    epoch: int
    """The newest confirmed; 0 before the first."""


@attrs.define
class _Unsent:
    number: int
    data: memoryview


class WorkerJournal:
    """A ``base.Journal``. Starts its writer at once; raises ``JournalUnavailable`` if it can't even be started. A
    journal that can't be opened shows in the first outcomes."""

    def __init__(self, start: Callable[[], Writer]) -> None:
        self._start = start
        # Readable when anything is to be polled: a socket with something in it, one with room again for what waits,
        # or (_wake) an outcome made here. One descriptor for all, so that it survives the writer it stands for.
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        self._wake.setblocking(False)
        self._waker.setblocking(False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._owner = os.urandom(16)
        self._numbers = 0
        self._outcomes: list[Outcome] = []
        self._commits: deque[int] = deque()
        self._questions: dict[int, bytearray] = {}
        """Numbers of questions and recoveries, with the parts of the reply that have come."""
        self._recoveries: set[int] = set()
        self._unsent: deque[_Unsent] = deque()
        self._writer: Writer | None = None
        self._inbox = wire.Inbox()
        self._starts = 0
        self._epoch = 0
        self._closed = False
        try:
            self._open()
        except OSError as exc:
            self._release()
            raise JournalUnavailable(f"cannot start the writer: {exc}", surely_nothing=True) from exc
        self._recoveries.add(0)
        self._questions[0] = bytearray()
        self._send(0, wire.pack((wire.RECOVER, 0, self._owner, False)))

    def fileno(self) -> int:
        """See ``base.Journal``. The same from the beginning to the end."""
        return self._selector.fileno()

    def submit(self, appends: Sequence[Append]) -> int:
        """See ``base.Journal``."""
        number = self._next()
        if self._writer is None:
            self._add(Failed(number, JournalUnavailable("the writer is gone", surely_nothing=True)))
            return number
        self._commits.append(number)
        self._send(number, wire.pack_commit(number, appends))
        return number

    def ask(self, question: str, *args: object) -> int:
        """See ``base.Journal``."""
        number = self._next()
        if self._writer is None:
            self._add(Reply(number, None, "JournalUnavailable: the writer is gone"))
            return number
        self._questions[number] = bytearray()
        self._send(number, wire.pack((wire.ASK, number, question, args)))
        return number

    def recover(self) -> int:
        """See ``base.Journal``. Starts a new writer if the last one died, which takes a few milliseconds."""
        number = self._next()
        try:
            if self._writer is None:
                self._open()
        except OSError as exc:
            self._add(Reply(number, None, f"JournalUnavailable: cannot start the writer: {exc}"))
            return number
        self._questions[number] = bytearray()
        self._recoveries.add(number)
        # Renewing asks that nobody else has claimed the shard since; before the first claim there is nothing to renew.
        self._send(number, wire.pack((wire.RECOVER, number, self._owner, self._epoch > 0)))
        return number

    def poll(self) -> list[Outcome]:
        """See ``base.Journal``."""
        if self._writer is not None:
            self._flush()
            self._receive(self._writer.sock)
        if not self._closed:
            self._drain_wake()
        outcomes = self._outcomes
        self._outcomes = []
        return outcomes

    def close(self) -> None:
        """See ``base.Journal``. What was under way is in the next ``poll``."""
        if self._closed:
            return
        if self._writer is not None:
            self._finish(self._writer.sock, time.monotonic() + CLOSE_SECONDS)
            self._bury()
        self._release()

    def statistics(self) -> Statistics:
        """How it stands."""
        return Statistics(
            alive=self._writer is not None,
            commits=len(self._commits),
            questions=len(self._questions),
            unsent_bytes=sum(len(unsent.data) for unsent in self._unsent),
            starts=self._starts,
            epoch=self._epoch,
        )

    # --- the writer --------------------------------------------------------------------------------

    def _open(self) -> None:
        if self._closed:
            raise OSError("the journal is closed")
        self._writer = self._start()
        self._starts += 1
        self._inbox = wire.Inbox()
        self._writer.sock.setblocking(False)
        self._selector.register(self._writer.sock, selectors.EVENT_READ)

    def _bury(self) -> None:
        """The writer is gone, and what it said has been read to the end: say what became of the rest.

        It begins a commit only when the outcome before is in the socket, so all but the first without an outcome were
        never begun; nor was the first, if its last byte never left."""
        assert self._writer is not None
        self._selector.unregister(self._writer.sock)
        self._writer.end()
        self._writer.sock.close()
        self._writer = None
        unsent = {message.number for message in self._unsent}
        for place, number in enumerate(self._commits):
            nothing = place > 0 or number in unsent
            self._add(Failed(number, JournalUnavailable("the writer died", surely_nothing=nothing)))
        for number in self._questions:
            if number:  # 0 is our own
                self._add(Reply(number, None, "JournalUnavailable: the writer died"))
        self._commits.clear()
        self._questions.clear()
        self._recoveries.clear()
        self._unsent.clear()

    def _finish(self, sock: socket.socket, deadline: float) -> None:
        """Send what waits, let the writer end, and read what it still says; all before ``deadline``."""
        ending = False
        while self._writer is not None and time.monotonic() < deadline:
            if not self._unsent and not ending:
                sock.shutdown(socket.SHUT_WR)
                ending = True
            self._selector.select(deadline - time.monotonic())
            self._drain_wake()
            if not ending:
                self._flush()
            if not self._read(sock, READS_A_POLL):
                return

    def _release(self) -> None:
        self._closed = True
        self._selector.close()
        self._wake.close()
        self._waker.close()

    # --- sending -----------------------------------------------------------------------------------

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _send(self, number: int, message: bytes) -> None:
        self._unsent.append(_Unsent(number, memoryview(message)))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            return
        was_waiting = bool(self._unsent)
        sock = self._writer.sock
        waiting = False
        while self._unsent:
            message = self._unsent[0]
            try:
                message.data = message.data[sock.send(message.data) :]
            except BlockingIOError:
                waiting = True
                break
            except OSError:
                break  # it died: reading will say so, once what it said before has been read
            if not message.data:
                self._unsent.popleft()
        if was_waiting or waiting:
            self._selector.modify(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if waiting else 0))

    # --- receiving ---------------------------------------------------------------------------------

    def _receive(self, sock: socket.socket) -> None:
        if not self._read(sock, READS_A_POLL):
            self._bury()

    def _read(self, sock: socket.socket, times: int) -> bool:
        """Whether there may be more, now or later."""
        for _ in range(times):
            try:
                data = sock.recv(wire.READ_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            for message in self._inbox.feed(data):
                self._take(message)
        return True

    def _take(self, message: wire.Message) -> None:
        kind, number, *rest = message
        assert isinstance(number, int)
        if kind == wire.COMMITTED:
            self._commits.popleft()
            self._outcomes.append(Committed(number, [Head(*head) for head in rest[0]]))  # type: ignore[attr-defined]
        elif kind == wire.FAILED:
            self._commits.popleft()
            error_kind, text, nothing = rest
            failed = wire.unpack_failed(number, error_kind, text, surely_nothing=nothing)  # type: ignore[arg-type]
            self._outcomes.append(failed)
        elif kind == wire.PART:
            self._questions[number] += rest[0]  # type: ignore[arg-type]
        else:
            self._take_reply(number, rest[0])  # type: ignore[arg-type]

    def _take_reply(self, number: int, last: bytes) -> None:
        parts = self._questions.pop(number)
        value, error = wire.unpack_reply(parts + last if parts else last)
        if number in self._recoveries:
            self._recoveries.remove(number)
            if error is None:
                assert isinstance(value, int)
                self._epoch = value
            if number == 0:
                return
        self._outcomes.append(Reply(number, value, error))

    # --- outcomes made here ------------------------------------------------------------------------

    def _add(self, outcome: Outcome) -> None:
        if not self._outcomes and not self._closed:
            with suppress(BlockingIOError):  # full of earlier ones: it is readable all the same
                self._waker.send(b"\0")
        self._outcomes.append(outcome)

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            while self._wake.recv(4096):
                pass
