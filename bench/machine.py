"""What the figures were measured on, and who else used its cores meanwhile."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path
from time import process_time
from typing import Any, Final

import attrs

from bench.load.engine import CORES, LOAD_CORE, on_core
from bench.peers.process import SERVER_CORE, TICKS, Server

SPEED_LOOPS: Final = 500_000  # about 10 ms


def facts() -> dict[str, Any]:
    """The machine and the Python that runs the broker."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": len(CORES),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "load_average": list(os.getloadavg()),
    }


def raise_file_limit() -> int:
    """As many descriptors as the system allows; returns how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def _busy(core: int) -> tuple[float, float]:
    """(seconds a core spent on processes, seconds stolen from it) since the start."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields[0] == f"cpu{core}":
            return sum(int(fields[i]) for i in (1, 2, 3)) / TICKS, int(fields[8]) / TICKS
    return 0.0, 0.0


def speed() -> float:
    """How fast Python is on the server's core at this moment, in loops a microsecond of CPU time. What makes it slower
    is a neighbour that shares the core's caches or its other thread, which no process list shows."""
    with on_core(SERVER_CORE):
        began = process_time()
        for _ in range(SPEED_LOOPS):
            pass
        return SPEED_LOOPS / (process_time() - began) / 1e6


@attrs.define
class Watch:
    """CPU time over one window: the server's, and what strangers took of its core."""

    server: Server
    before: dict[int, float] = attrs.field(factory=dict)
    after: dict[int, float] = attrs.field(factory=dict)
    core_before: tuple[float, float] = (0.0, 0.0)
    core_after: tuple[float, float] = (0.0, 0.0)
    load_before: tuple[float, float] = (0.0, 0.0)
    load_after: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        """The window opens."""
        self.before = self.server.cpu_seconds()
        self.core_before, self.load_before = _busy(SERVER_CORE), _busy(LOAD_CORE)

    def stop(self) -> None:
        """The window closes."""
        self.after = self.server.cpu_seconds()
        self.core_after, self.load_after = _busy(SERVER_CORE), _busy(LOAD_CORE)

    def by_process(self) -> list[float]:
        """Seconds in the window, the server's main process first, then its children."""
        return [seconds - self.before.get(pid, 0.0) for pid, seconds in self.after.items()]

    def server_seconds(self) -> float:
        """Seconds of the server in the window, its children included."""
        return sum(self.by_process())

    def strangers(self, seconds: float, load_cpu: float) -> float:
        """The share (0..1) of the more disturbed core that neither the server nor the load used; stolen time counts."""
        if len(CORES) == 1:
            both = self.server_seconds() + load_cpu
            return max(0.0, (_taken(self.core_before, self.core_after) - both) / seconds)
        on_server = _taken(self.core_before, self.core_after) - self.server_seconds()
        on_load = _taken(self.load_before, self.load_after) - load_cpu
        return max(0.0, on_server / seconds, on_load / seconds)


def _taken(before: tuple[float, float], after: tuple[float, float]) -> float:
    return after[0] - before[0] + after[1] - before[1]
