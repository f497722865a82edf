"""A writer in a process of its own: it has its own interpreter lock, so a loaded hub doesn't slow it (ADR 0003)."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs

from broker.journal.client import WorkerJournal

END_SECONDS: Final = 1.0  # a writer that has closed its socket has nothing left to do; then it is killed

FD: Final = "{fd}"
"""Stands for the number of the inherited socket in ``argv``."""


class ProcessJournal(WorkerJournal):
    """``argv``: the command of the writer, in which an argument ``{fd}`` becomes the number of the socket that it
    serves, for instance ``[sys.executable, "-m", "broker.runtime.writer", "--fd", "{fd}"]``; see ``worker.run``."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process: _Process | None = None
        super().__init__(partial(_start, list(argv)))

    @property
    def pid(self) -> int | None:
        """The writer's process id; None when it is gone."""
        return self._writer.pid if isinstance(self._writer, _Process) else None


@attrs.define
class _Process:
    sock: socket.socket
    _process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> None:
        # Two writers at once would be fenced off, but why begin.
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _start(argv: list[str]) -> _Process:
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            fd = theirs.fileno()
            process = subprocess.Popen(
                [str(fd) if argument == FD else argument for argument in argv],
                stdin=subprocess.DEVNULL,
                pass_fds=(fd,),
                # Out of the terminal's foreground group: Ctrl-C is the hub's business, even before the child
                # has got as far as ignoring it.
                process_group=0,
            )
    except BaseException:
        ours.close()
        raise
    return _Process(ours, process)
