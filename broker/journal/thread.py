"""A writer in a thread of the hub's process: for platforms and embedders that can't spawn one (ADR 0003)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Final

import attrs

from broker.journal.base import Store
from broker.journal.client import WorkerJournal
from broker.journal.worker import Idle, Questions, serve

END_SECONDS: Final = 5.0  # a thread can't be killed: after this it is left behind, as a daemon


class ThreadJournal(WorkerJournal):
    """``open_store`` and ``questions`` are called in the writer's thread."""

    def __init__(self, open_store: Callable[[], Store], questions: Questions, *, idle: Idle | None = None) -> None:
        super().__init__(partial(_start, open_store, questions, idle))


@attrs.define
class _Thread:
    sock: socket.socket
    _thread: threading.Thread

    def end(self) -> None:
        self._thread.join(END_SECONDS)


def _start(open_store: Callable[[], Store], questions: Questions, idle: Idle | None) -> _Thread:
    ours, theirs = socket.socketpair()
    thread = threading.Thread(
        target=serve, args=(theirs, open_store, questions), kwargs={"idle": idle}, name="journal", daemon=True
    )
    thread.start()
    return _Thread(ours, thread)
