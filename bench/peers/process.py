"""A server under test: started on its own core, watched (CPU, memory) with all its children, ended for certain."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import CACHE
from bench.load.engine import on_core

SERVER_CORE: Final = 0
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 10.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


class DidNotStart(Exception):
    """The server ended or said nothing; the text holds the end of its log."""


@attrs.define
class Server:
    """One running server."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def family(self) -> list[int]:
        """Its process ids: itself and all descendants that live now."""
        found = [self.process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                with suppress(OSError):  # it ended meanwhile
                    found.extend(int(child) for child in task.read_text().split())
        return found

    def cpu_seconds(self) -> dict[int, float]:
        """User and system seconds so far, by process id."""
        times = {}
        for pid in self.family():
            with suppress(OSError):  # a child that ended meanwhile
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                times[pid] = (int(fields[11]) + int(fields[12])) / TICKS
        return times

    def memory_kib(self) -> dict[int, int]:
        """Proportional set size by process id: what each holds, shared pages divided among their holders."""
        sizes = {}
        for pid in self.family():
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    sizes[pid] = int(line.split()[1])
        return sizes

    def stop(self) -> None:
        """Ask it to end, then make it."""
        family = self.family()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in family[1:]:  # its children, if it left any
            if Path(f"/proc/{pid}").exists() and os.getpgid(pid) == self.process.pid:
                os.kill(pid, signal.SIGKILL)
        if self.process.stdout is not None:
            self.process.stdout.close()


def free_port() -> int:
    """A port that nothing listens on now, for servers that can't say which one they took."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    port: int | None = None,
    user: str | None = None,
) -> Server:
    """Start a server pinned to its core, as another user if one is named. With no ``port`` it must print
    ``listening PORT`` as its first line."""
    CACHE.mkdir(parents=True, exist_ok=True)
    log = _log(name)
    with log.open("wb") as errors, on_core(SERVER_CORE):
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if port is None else errors,
            stderr=errors,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    if port is not None:
        return Server(name, process, port)
    assert process.stdout is not None
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    line = process.stdout.readline().split()
    watchdog.cancel()
    if len(line) != 2 or line[0] != b"listening":
        Server(name, process, 0).stop()
        raise DidNotStart(f"{name} did not start: {line!r}\n{_said(name)}")
    return Server(name, process, int(line[1]))


def listening(server: Server, seconds: float = START_SECONDS) -> Server:
    """The same server, once it accepts connections: ``DidNotStart`` if it ends before, or takes longer."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and server.process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                return server
        time.sleep(0.05)
    ended = server.process.returncode
    server.stop()
    what = f"took longer than {seconds:g} s to listen" if ended is None else f"ended with {ended}"
    raise DidNotStart(f"{server.name} {what}\n{_said(server.name)}")


def _log(name: str) -> Path:
    return CACHE / f"{name.replace(' ', '-')}.log"


def _said(name: str) -> str:
    """The end of what it wrote."""
    return _log(name).read_text(errors="replace")[-2000:]
