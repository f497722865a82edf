"""The writer: carries out commits, answers questions in between, and does its housekeeping when there is nothing else.

Theory of operation. One loop, one thread, one store. Commits (and RECOVER) are carried out in the
order they came and go before questions. A question's function may be a generator: it is advanced one
``yield`` at a time between commits, and what it *returns* is the reply; so a desk snapshot delays a
commit by one chunk at most. Commits can't starve questions, nor both the idle hook, for ever: each
gets a turn after a number of the others.

The outcome of a commit is in the socket before the next commit begins. So when a writer dies, only the
first commit without an outcome is in doubt: the hub's end (``client``) relies on that.

After a failed commit every commit fails, until RECOVER has claimed the shard anew: what was submitted
behind the failed one was decided on a state that doesn't exist.
"""

from __future__ import annotations

import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from typing import Final

import attrs

from broker.journal import wire
from broker.journal.base import JournalError, JournalUnavailable, Store

Questions = Mapping[str, Callable[..., object]]
"""Name -> function(store, *args). Its value, or a generator's return value, is what msgpack can carry."""

Idle = Callable[[Store], bool]
"""Called when there is nothing to do; whether there is more, at once. A few milliseconds' work at most."""

IDLE_SECONDS: Final = 1.0  # how often the idle hook is asked when nothing comes
IDLE_PAUSE: Final = 0.05  # seconds between two askings where something comes: each costs as much as a small commit
COMMITS_IN_A_ROW: Final = 8  # then a question's chunk; the hub seldom has more than two under way
STEPS_BEFORE_IDLE: Final = 64  # then the idle hook, so that a busy writer's follower stays near the end
READS_IN_A_ROW: Final = 16  # 4 MiB, then the work that came


def run(fd: int, open_store: Callable[[], Store], questions: Questions, *, idle: Idle | None = None) -> None:
    """The main function of a writer process: serve on an inherited socket until the other end closes it."""
    # The hub's process decides when this one ends. Ctrl-C and a service manager's SIGTERM reach both, and a writer
    # that ended first would turn a clean shutdown into a failed commit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(fileno=fd) as sock:
        serve(sock, open_store, questions, idle=idle)


def serve(
    sock: socket.socket, open_store: Callable[[], Store], questions: Questions, *, idle: Idle | None = None
) -> None:
    """Serve until the other end closes, or is gone. Commits that came before that are still carried out."""
    worker = _Worker(sock, open_store, questions, idle)
    try:
        while worker.step():
            pass
    except (BrokenPipeError, ConnectionResetError):
        return  # the hub is gone; nobody is left to be told
    finally:
        worker.close()


@attrs.define
class _Asked:
    number: int
    question: str
    args: tuple[object, ...]
    after: int
    """How many commands must have been carried out before it."""


@attrs.define
class _Running:
    number: int
    generator: Generator[object, None, object]
    after: int = 0


class _Worker:
    def __init__(
        self, sock: socket.socket, open_store: Callable[[], Store], questions: Questions, idle: Idle | None
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._open_store = open_store
        self._questions = questions
        self._idle = idle
        self._selector = selectors.DefaultSelector()
        self._selector.register(sock, selectors.EVENT_READ)
        self._inbox = wire.Inbox()
        self._commands: deque[wire.Message] = deque()
        """COMMIT and RECOVER, in order."""
        self._received = 0
        self._carried_out = 0
        """Commands, both: a question waits for those that came before it."""
        self._waiting: deque[_Asked | _Running] = deque()
        self._replies: deque[bytes] = deque()
        self._partial = b""
        """The rest of a message that is half in the socket."""
        self._store: Store | None = None
        self._epoch = 0
        self._failed: str | None = "the journal is not open yet"
        self._commits_in_a_row = 0
        self._steps_since_idle = 0
        """Commits and chunks of questions."""
        self._idle_due = 0.0
        """When the idle hook is asked next (monotonic seconds)."""
        self._ended = False

    def step(self) -> bool:
        """Do one thing, or wait; False at the end."""
        self._receive()
        self._send_replies()
        questions = bool(self._waiting) and self._waiting[0].after <= self._carried_out
        if self._commands and (self._commits_in_a_row < COMMITS_IN_A_ROW or not questions):
            self._commits_in_a_row += 1
            self._steps_since_idle += 1
            self._carry_out(self._commands.popleft())
            if self._steps_since_idle >= STEPS_BEFORE_IDLE:
                self._be_idle()
            return True
        self._commits_in_a_row = 0
        if self._ended:
            return bool(self._commands)  # questions are dropped: who asked them has gone
        if questions:
            self._steps_since_idle += 1
            self._advance()
            if self._steps_since_idle >= STEPS_BEFORE_IDLE:
                self._be_idle()
            return True
        wait = self._idle_due - time.monotonic()
        if wait > 0:
            self._wait(wait)
        else:
            self._be_idle()
        return True

    def close(self) -> None:
        """Release everything."""
        for question in self._waiting:
            if isinstance(question, _Running):
                question.generator.close()
        if self._store is not None:
            self._store.close()
        self._selector.close()
        self._sock.close()  # last: it tells the hub's end that the file is free

    # --- commits -----------------------------------------------------------------------------------

    def _carry_out(self, message: wire.Message) -> None:
        if message[0] == wire.RECOVER:
            self._recover(*message[1:])  # type: ignore[arg-type]  # our own client packed it
        else:
            self._commit(*message[1:])  # type: ignore[arg-type]
        self._carried_out += 1

    def _commit(self, number: int, parts: list[list[list[list[object]]]]) -> None:
        if self._failed is not None or self._store is None:
            error: JournalError = JournalUnavailable(f"waiting for recovery: {self._failed}", surely_nothing=True)
        else:
            try:
                heads = self._store.append(self._epoch, wire.unpack_appends(parts))
            except JournalError as exc:
                error = exc
            except ValueError as exc:
                error = JournalUnavailable(f"a commit that makes no sense: {exc}", surely_nothing=True)
            else:
                self._send_now(wire.pack((wire.COMMITTED, number, [(head.seq, head.hash) for head in heads])))
                return
            self._failed = str(error)
        self._send_now(wire.pack_failed(number, error))

    def _recover(self, number: int, owner: bytes, renew: object) -> None:
        try:
            if self._store is None:
                self._store = self._open_store()
            self._epoch = self._store.open_epoch(owner, renew=bool(renew))
        except JournalError as exc:
            self._failed = str(exc)
            self._reply(number, None, describe(exc))
        else:
            self._failed = None
            self._reply(number, self._epoch, None)

    # --- questions ---------------------------------------------------------------------------------

    def _advance(self) -> None:
        """One chunk of the next question; in turns, so that a long one doesn't hold up the short ones."""
        question = self._waiting.popleft()
        try:
            if isinstance(question, _Asked):
                value = self._begin(question)
                if not isinstance(value, Generator):
                    self._reply(question.number, value, None)
                    return
                question = _Running(question.number, value)
            next(question.generator)
        except StopIteration as stop:
            self._reply(question.number, stop.value, None)
        except Exception as exc:  # one question must not stop the commits
            self._reply(question.number, None, describe(exc))
        else:
            self._waiting.append(question)

    def _begin(self, question: _Asked) -> object:
        function = self._questions.get(question.question)
        if function is None:
            raise JournalError(f"no such question: {question.question}")
        if self._store is None:
            raise JournalUnavailable(str(self._failed), surely_nothing=True)
        return function(self._store, *question.args)

    def _reply(self, number: int, value: object, error: str | None) -> None:
        try:
            self._replies.extend(wire.pack_reply(number, value, error))
        except (TypeError, ValueError, OverflowError) as exc:
            self._replies.extend(wire.pack_reply(number, None, f"{describe(exc)}: the answer can't be packed"))

    # --- idle --------------------------------------------------------------------------------------

    def _be_idle(self) -> None:
        pause = IDLE_PAUSE if self._steps_since_idle else IDLE_SECONDS
        self._steps_since_idle = 0
        self._idle_due = 0.0 if self._keep_house() else time.monotonic() + pause

    def _keep_house(self) -> bool:
        """Whether there is more of it."""
        if self._store is None or self._failed is not None:
            return False
        more = self._store.tidy()
        if self._idle is None:
            return more
        try:
            return self._idle(self._store) or more
        except JournalError:
            return more  # the disk, most likely: it is asked again later
        except Exception as exc:  # a view that is broken must not stop the commits
            sys.stderr.write(f"huntgroup: the follower is switched off: {describe(exc)}\n")
            self._idle = None
            return more

    # --- the socket --------------------------------------------------------------------------------

    def _receive(self) -> None:
        for _ in range(READS_IN_A_ROW):
            if self._ended:
                return
            try:
                data = self._sock.recv(wire.READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._ended = True
            for message in self._inbox.feed(data):
                if message[0] == wire.ASK:
                    _, number, question, args = message
                    self._waiting.append(_Asked(number, question, args, self._received))  # type: ignore[arg-type]
                else:
                    self._commands.append(message)
                    self._received += 1

    def _send_replies(self) -> None:
        """As much as goes without waiting."""
        while self._partial or self._replies:
            self._partial = self._partial or self._replies.popleft()
            try:
                sent = self._sock.send(self._partial)
            except BlockingIOError:
                return
            self._partial = self._partial[sent:]

    def _send_now(self, message: bytes) -> None:
        """An outcome goes out before anything else is begun, behind at most the rest of one message."""
        data = self._partial + message
        self._partial = b""
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                self._wait(None, writing=True)

    def _wait(self, seconds: float | None, *, writing: bool = False) -> None:
        if not writing and not (self._partial or self._replies):
            self._selector.select(seconds)
            return
        self._selector.modify(self._sock, selectors.EVENT_WRITE | (0 if writing else selectors.EVENT_READ))
        self._selector.select(seconds)
        self._selector.modify(self._sock, selectors.EVENT_READ)


def describe(exc: BaseException) -> str:
    """An error in a line that holds no personal content: our own errors' text, or the place of somebody else's."""
    if isinstance(exc, JournalError):
        return f"{type(exc).__name__}: {exc}"
    traceback = exc.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    place = "" if traceback is None else f" in {traceback.tb_frame.f_code.co_qualname}, line {traceback.tb_lineno}"
    return f"{type(exc).__name__}{place}"
