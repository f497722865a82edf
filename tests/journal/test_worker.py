"""The writer's loop: commits before questions, chunks between commits, and nobody starved."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager

import pytest

from broker.journal import wire, worker
from broker.journal.base import Append, Committed, Failed, Head, Outcome, Reply, Store
from broker.journal.memory import MemoryStore
from broker.journal.thread import ThreadJournal
from broker.journal.worker import COMMITS_IN_A_ROW, STEPS_BEFORE_IDLE, Idle, Questions, serve
from tests.journal.made import append, log
from tests.journal.waiting import LONG, ask, collect, commit, refused


class Trace:
    """What a writer did, in order; and a gate at which it can be stopped."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.gate = threading.Event()
        self.at_gate = threading.Event()

    def wait(self, _: Store) -> bool:
        """A question during which the test can submit as much as it likes."""
        self.at_gate.set()
        return self.gate.wait(LONG)

    def chunks(self, _: Store, name: str, count: int) -> Generator[None, None, str]:
        """A long question."""
        for n in range(count):
            self.steps.append(f"{name}{n}")
            yield
        return name

    def plain(self, _: Store, name: str) -> str:
        """A short one."""
        self.steps.append(name)
        return name

    def questions(self) -> Questions:
        """All of them."""
        return {"wait": self.wait, "chunks": self.chunks, "plain": self.plain}


class TracedStore(MemoryStore):
    """Notes each commit."""

    def __init__(self, trace: Trace) -> None:
        super().__init__()
        self._trace = trace

    def append(self, epoch: int, appends: Sequence[Append]) -> list[Head]:
        self._trace.steps.append("commit")
        return super().append(epoch, appends)


@contextmanager
def running(trace: Trace, idle: Idle | None = None) -> Iterator[ThreadJournal]:
    journal = ThreadJournal(lambda: TracedStore(trace), trace.questions(), idle=idle)
    try:
        yield journal
    finally:
        trace.gate.set()
        journal.close()


def at_the_gate(trace: Trace, journal: ThreadJournal) -> None:
    """The writer is busy until ``trace.gate`` opens."""
    journal.ask("wait")
    assert trace.at_gate.wait(LONG)


def submit(journal: ThreadJournal, count: int) -> None:
    for seq in range(count):
        journal.submit([append("acme", seq, log(seq + 1, 1))])


def test_commits_go_before_questions_that_do_not_depend_on_them() -> None:
    trace = Trace()
    with running(trace) as journal:
        at_the_gate(trace, journal)
        journal.ask("chunks", "a", 3)
        submit(journal, 2)
        trace.gate.set()
        collect(journal, 4)
    assert trace.steps == ["commit", "commit", "a0", "a1", "a2"]


def test_a_long_question_lets_commits_in_between_its_chunks() -> None:
    trace = Trace()
    inside = threading.Event()
    go_on = threading.Event()

    def long(_: Store) -> Generator[None, None, int]:
        trace.steps.append("first chunk")
        inside.set()
        assert go_on.wait(LONG)
        yield
        trace.steps.append("second chunk")
        return 1

    journal = ThreadJournal(lambda: TracedStore(trace), {"long": long})
    number = journal.ask("long")
    assert inside.wait(LONG)
    submit(journal, 1)
    go_on.set()
    outcomes = collect(journal, 2)
    journal.close()
    assert trace.steps == ["first chunk", "commit", "second chunk"]
    assert [type(outcome) for outcome in outcomes] == [Committed, Reply]
    assert outcomes[1] == Reply(number, 1)


def test_questions_take_turns() -> None:
    trace = Trace()
    with running(trace) as journal:
        at_the_gate(trace, journal)
        journal.ask("chunks", "a", 3)
        journal.ask("chunks", "b", 2)
        journal.ask("plain", "short")
        trace.gate.set()
        replies = collect(journal, 4)
    assert trace.steps == ["a0", "b0", "short", "a1", "b1", "a2"]
    assert [reply.value for reply in replies if isinstance(reply, Reply)] == [True, "short", "b", "a"]


def test_many_commits_do_not_starve_a_question() -> None:
    trace = Trace()
    with running(trace) as journal:
        at_the_gate(trace, journal)
        journal.ask("chunks", "a", 2)
        submit(journal, 4 * COMMITS_IN_A_ROW)
        trace.gate.set()
        collect(journal, 4 * COMMITS_IN_A_ROW + 2)
    assert trace.steps.index("a0") == COMMITS_IN_A_ROW
    assert trace.steps.index("a1") == 2 * COMMITS_IN_A_ROW + 1


def test_idle_work_is_done_when_there_is_nothing_else_and_in_between_when_there_always_is() -> None:
    trace = Trace()
    caught_up = threading.Event()
    left = [3]

    def idle(_: Store) -> bool:
        trace.steps.append("idle")
        left[0] -= 1
        if left[0] == 0:
            caught_up.set()
        return left[0] > 0

    with running(trace, idle) as journal:
        commit(journal, append("beta", 0, log(1, 1)))
        assert caught_up.wait(LONG)
        at_the_gate(trace, journal)
        trace.steps.clear()
        submit(journal, 2 * STEPS_BEFORE_IDLE)
        trace.gate.set()
        collect(journal, 2 * STEPS_BEFORE_IDLE + 1)
    assert "idle" in trace.steps[: STEPS_BEFORE_IDLE + 1]


def test_idle_work_is_not_looked_for_after_every_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "IDLE_PAUSE", 1000 * LONG)
    trace = Trace()
    looked = []

    def idle(_: Store) -> bool:
        looked.append(1)
        return False

    with running(trace, idle) as journal:
        for seq in range(STEPS_BEFORE_IDLE - 1):
            commit(journal, append("acme", seq, log(seq + 1, 1)))
    assert len(looked) <= 1


def test_a_follower_that_breaks_is_switched_off_and_commits_go_on(capfd: pytest.CaptureFixture[str]) -> None:
    trace = Trace()
    called = []

    def idle(_: Store) -> bool:
        called.append(1)
        raise KeyError("ann@example.org")

    with running(trace, idle) as journal:
        ask(journal, "plain", "a")
        commit(journal, append("acme", 0, log(1, 1)))
        ask(journal, "plain", "b")
    assert len(called) <= 1
    said = capfd.readouterr().err
    assert not called or "the follower is switched off: KeyError in " in said
    assert "example" not in said


def test_an_outcome_does_not_wait_behind_a_long_reply() -> None:
    """The reply comes in parts, and the outcome between two of them."""
    size = 40 * wire.PART_BYTES
    questions: Questions = {"large": lambda _: bytes(size)}
    with raw_writer(questions) as sock:
        sock.sendall(wire.pack((wire.RECOVER, 1, b"", False)))
        sock.sendall(wire.pack((wire.ASK, 2, "large", ())))
        inbox = wire.Inbox()
        first = next(read(sock, inbox))
        assert first[0] == wire.REPLY
        parts = 0
        committed_after = None
        sock.sendall(wire.pack_commit(3, [append("acme", 0, log(1, 1))]))
        for message in read(sock, inbox):
            if message[0] == wire.COMMITTED:
                committed_after = parts
            if message[0] == wire.REPLY:
                break
            parts += 1
    assert committed_after is not None
    assert committed_after < parts


@contextmanager
def raw_writer(questions: Questions, open_store: Callable[[], Store] = MemoryStore) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    ours.settimeout(LONG)
    thread = threading.Thread(target=serve, args=(theirs, open_store, questions))
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join(LONG)
        assert not thread.is_alive()


def read(sock: socket.socket, inbox: wire.Inbox) -> Iterator[wire.Message]:
    while data := sock.recv(65536):
        yield from inbox.feed(data)


def test_commits_received_before_the_hub_died_are_carried_out() -> None:
    trace = Trace()
    with raw_writer(trace.questions(), lambda: TracedStore(trace)) as sock:
        sock.sendall(wire.pack((wire.RECOVER, 1, b"", False)))
        for seq in range(5):
            sock.sendall(wire.pack_commit(2 + seq, [append("acme", seq, log(seq + 1, 1))]))
        sock.shutdown(socket.SHUT_WR)
        kinds = [message[0] for message in read(sock, wire.Inbox())]
    assert kinds.count(wire.COMMITTED) == 5
    assert trace.steps == ["commit"] * 5


def test_messages_are_cut_right_wherever_the_stream_is_cut() -> None:
    messages: list[wire.Message] = [(wire.REPLY, n, bytes(n)) for n in range(30)]
    stream = b"".join(wire.pack(message) for message in messages)
    for size in (1, 2, 3, 5, 7, 100, len(stream)):
        inbox = wire.Inbox()
        found = [
            message for start in range(0, len(stream), size) for message in inbox.feed(stream[start : start + size])
        ]
        assert found == messages


def test_a_stream_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        list(wire.Inbox().feed(b"\xff" * 8))


def test_replies_of_any_length_survive_being_cut_into_parts() -> None:
    for size in (0, wire.PART_BYTES - 10, wire.PART_BYTES, wire.PART_BYTES + 1, 3 * wire.PART_BYTES):
        messages = [
            message for packed in wire.pack_reply(7, bytes(size), None) for message in wire.Inbox().feed(packed)
        ]
        assert [message[0] for message in messages[:-1]] == [wire.PART] * (len(messages) - 1)
        whole = b"".join(message[2] for message in messages if isinstance(message[2], bytes))
        assert wire.unpack_reply(whole) == (bytes(size), None)


def test_a_thread_that_dies_of_a_bug_fails_what_was_asked_of_it() -> None:
    class Bug(BaseException):
        pass

    def bug(_: Store) -> None:
        raise Bug

    outcomes: list[Outcome] = []
    seen: list[type[BaseException]] = []
    hook, threading.excepthook = threading.excepthook, lambda args: seen.append(args.exc_type)
    try:
        journal = ThreadJournal(MemoryStore, {"bug": bug})
        assert "the writer died" in refused(journal, journal.ask("bug"))
        journal.submit([append("acme", 0, log(1, 1))])
        outcomes = collect(journal, 1)
        journal.close()
    finally:
        threading.excepthook = hook
    assert seen == [Bug]
    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].error.surely_nothing
