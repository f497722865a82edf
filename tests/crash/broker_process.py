"""A broker of its own, on a free port and a folder of its own, that may be killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import trio

from broker.identity.secrets import load
from broker.identity.tokens import Signer
from broker.runtime.clock import SystemClock
from broker.units import DAYS
from tests.crash.actors import ACCOUNT

REPRESENTATIVES = [f"rep{number}" for number in range(6)]

DESK = """
[[portal]]
portal = "line"
kind = "ask"
mode = "queue"
subportals = ["line"]

[[portal]]
portal = "web"
kind = "ask"
mode = "web"
subportals = ["web"]

[[portal]]
portal = "pin"
kind = "pin"
mode = "phone"
subportals = ["pin"]

[[team]]
team = "all"
subportals = ["line", "web", "pin"]
""" + "".join(
    f"""
[[representative]]
representative = "{name}"
name = "{name.title()}"
team = "all"
capacity = 3
"""
    for name in REPRESENTATIVES
)

CONFIG = """
[server]
port = {port}

[data]
path = "data"

[logs]
level = "warning"

[limits]
customer_rate = 1000000
customer_burst = 1000000
chat_rate = 1000000
chat_burst = 1000000
representative_rate = 1000000
representative_burst = 1000000

[[accounts]]
name = "{account}"
slot = 7
desk = "desk.toml"
"""

START = 120  # seconds to serve, and
END = 60  # to notice that the hub is dead; hangs, not times to be met


class Victim:
    """Start, kill, start again: the same folder, the same port."""

    def __init__(self, folder: Path, desk: str = DESK) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "desk.toml").write_text(desk)
        (folder / "huntgroup.toml").write_text(CONFIG.format(port=self.port, account=ACCOUNT))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.folder / "data" / "journal.sqlite"

    async def start(self) -> None:
        """Start and wait until it is ready."""
        command = [sys.executable, "-m", "broker", "serve", "--config", str(self.folder / "huntgroup.toml")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220  # it outlives every task of a test, as brokers do
                command, stdout=log, stderr=log, start_new_session=True
            )
        with trio.fail_after(START):
            while not await trio.to_thread.run_sync(self._ready):
                if self.process.poll() is not None:
                    raise RuntimeError(f"the broker ended by itself:\n{(self.folder / 'log').read_text()[-4000:]}")
                await trio.sleep(0.02)

    def _ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b" 200 " in probe.recv(100)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9 the broker and its writer, in one blow: nobody gets to clean up."""
        assert self.process is not None
        writers = self._writers()
        self.process.kill()
        for writer in writers:
            with suppress(ProcessLookupError):
                os.kill(writer, signal.SIGKILL)
        self._await_end(writers)

    def kill_hub(self) -> None:
        """kill -9 the broker alone: its writer finds the socket closed and ends."""
        assert self.process is not None
        writers = self._writers()
        self.process.kill()
        self._await_end(writers)

    def _writers(self) -> list[int]:
        """The broker's children: it has a process group of its own, and so have they."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def _await_end(self, writers: list[int]) -> None:
        assert self.process is not None
        self.process.wait()
        self.process = None
        deadline = time.monotonic() + END
        while any(_runs(writer) for writer in writers):
            if time.monotonic() > deadline:
                raise RuntimeError("the writer outlived its broker")
            time.sleep(0.01)

    def stop(self) -> int:
        """End it politely; the exit status."""
        assert self.process is not None
        self.process.terminate()
        status = self.process.wait(timeout=30)
        self.process = None
        return status

    def tokens(self, names: Iterable[str] = REPRESENTATIVES, role: str = "representative") -> dict[str, str]:
        """Sign-ins for all representatives, or for these people; good for a day."""
        signer = Signer(load(self.folder / "data").token_key)
        expires = SystemClock().now() + 1 * DAYS
        return {name: signer.mint(ACCOUNT, name, role, expires) for name in names}


def _runs(pid: int) -> bool:
    """Whether this process is there and more than a zombie that nobody has waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
