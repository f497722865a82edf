"""One measurement: run a load program against a server, watch both, make a sample of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack  # type: ignore[import-untyped]

from bench.load.build import NotInstalled
from bench.load.engine import LoadFailed
from bench.load.ws import Refused
from bench.machine import Watch, speed
from bench.peers.process import DidNotStart, Server
from bench.report import Report, Sample

Run = Callable[[Callable[[], None], Callable[[], None]], dict[str, Any]]
"""Runs a load program, calling its two arguments when the window opens and closes."""


@contextmanager
def told(report: Report, name: str, round_: int) -> Iterator[None]:
    """A contender that isn't there, or breaks down, is a note; the others are measured all the same."""
    try:
        yield
    except NotInstalled as missing:
        report.note(f"{name}: not installed. {missing}")
    except (LoadFailed, DidNotStart, Refused, OSError) as error:
        report.note(f"{name}, round {round_ + 1}: {type(error).__name__}: {error}")


def measure(
    report: Report, server: Server, run: Run, *, scenario: str, case: str, round_: int, unit: str
) -> dict[str, Any]:
    """Run it once, add the sample; the load program's own result is returned for what else is in it."""
    watch, fast = Watch(server), speed()
    result = run(watch.start, watch.stop)
    seconds, units = result["seconds"], result["units"]
    where = f"{scenario} {case}, {server.name}, round {round_ + 1}"
    complain(report, result, where)
    if seconds <= 0:
        raise LoadFailed(f"{where}: nothing was measured: {result}")
    report.add(
        Sample(
            scenario=scenario,
            case=case,
            server=server.name,
            round=round_,
            value=units / seconds,
            unit=unit,
            p50_ms=result["latency_us"]["p50"] / 1000,
            p99_ms=result["latency_us"]["p99"] / 1000,
            server_us=watch.server_seconds() / units * 1e6,
            server_busy=watch.server_seconds() / seconds,
            load_busy=result["cpu"] / seconds,
            strangers=watch.strangers(seconds, result["cpu"]),
            details={**result, "server_cpu": watch.by_process(), "speed": fast},
        )
    )
    return result


def complain(report: Report, result: dict[str, Any], where: str) -> None:
    """Everything that makes a figure doubtful becomes a note."""
    if result["stalled"]:
        report.note(f"{where}: the run broke off before its time (an answer missing, or a connection lost)")
    elif result["undrained"]:
        report.note(f"{where}: {result['undrained']} units were still out when the time to drain was over")
    for name in ("fail", "goodbye"):
        if result[name]:
            report.note(f"{where}: the broker sent {_shown(result[name])}")


def _shown(packed: str) -> str:
    data = bytes.fromhex(packed)
    try:
        return repr(msgpack.unpackb(data))
    except ValueError:
        return repr(data)
