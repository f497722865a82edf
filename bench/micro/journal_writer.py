"""A writer thread or a writer process beside a hub that has work to do: which delays commits, and the hub, less?

The hub is one loop, as the real one: each tick computes in pure Python for about 1 ms, makes 20 records, and submits
what has gathered as soon as the commit before is done (group commit). Loads: ``full``, tick after tick without a pause;
``half``, a tick every 2 ms, waiting in ``select`` in between, where an outcome wakes it at once.
Timed: from the moment at which a tick has made its records to the moment at which the hub has their ``Committed`` in
hand (p50, p99), and the ticks a second that the hub still gets done (at ``full``; alone, it does ``no journal``).
Not timed: sockets, packing of events, the follower. CPU of the writer isn't counted against the hub.
What would make the number lie: a disk that syncs in no time (thread and process then differ by the interpreter lock
alone, which is the question; a slow disk hides it); fewer than two cores; other people on them; calibration of the tick
while the machine is busy, so it is calibrated once and used for all; latency is taken from when records were made, not
from when they were submitted, so a late submission counts. ``others``: the share of all cores that other processes
used in the worst of the rounds shown; the quietest rounds are kept.

    python -m bench.micro.journal_writer [--folder DIR] [--seconds S] [--rounds N] [--patience S]
"""

from __future__ import annotations

import argparse
import select
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import attrs

from bench.micro.quiet import Round, quietest, watched
from broker.journal.base import Append, Committed, Journal, Record
from broker.journal.inline import InlineJournal
from broker.journal.process import FD, ProcessJournal
from broker.journal.sqlite import SqliteStore
from broker.journal.thread import ThreadJournal
from broker.journal.worker import run

TICK = 0.001  # seconds of pure Python
RECORDS = 20  # made in a tick
BODY = bytes(range(200))
T0 = 1_700_000_000_000


@attrs.frozen
class Result:
    """Of one round."""

    ticks: float
    """A second."""
    records: float
    """Committed a second."""
    p50: float
    """Milliseconds."""
    p99: float


@attrs.define
class Hub:
    """The loop."""

    journal: Journal | None
    work: int
    """Steps of ``compute`` in a tick."""
    seq: int = 0
    waiting: list[Record] = attrs.field(factory=list)
    made_at: list[float] = attrs.field(factory=list)
    under_way: list[float] = attrs.field(factory=list)
    committed: int = 0
    latencies: list[float] = attrs.field(factory=list)

    def tick(self) -> None:
        """Compute, make records, submit and poll."""
        compute(self.work)
        if self.journal is None:
            return
        for _ in range(RECORDS):
            self.seq += 1
            entries = (("desk", self.seq, "offer.accepted"),)
            self.waiting.append(Record(self.seq, "offer.accepted", 1, T0 + self.seq, BODY, entries))
        self.made_at.append(time.perf_counter())
        self.submit()
        self.poll()

    def submit(self) -> None:
        """What has gathered, if nothing is under way."""
        if self.journal is None or self.under_way or not self.waiting:
            return
        self.under_way, self.made_at = self.made_at, []
        self.journal.submit([Append("acme", self.seq - len(self.waiting), self.waiting)])
        self.waiting = []

    def poll(self) -> None:
        """Take outcomes; then the next commit goes out."""
        if self.journal is None:
            return
        for outcome in self.journal.poll():
            assert isinstance(outcome, Committed), outcome
            now = time.perf_counter()
            self.latencies += [now - made for made in self.under_way]
            self.committed += len(self.under_way) * RECORDS
            self.under_way = []
        self.submit()

    def run(self, seconds: float, period: float) -> Result:
        """``period``: seconds from tick to tick, 0 for no pause."""
        begun = due = time.perf_counter()
        ticks = 0
        while (now := time.perf_counter()) - begun < seconds:
            if now >= due:
                due = max(due + period, now)
                self.tick()
                ticks += 1
                continue
            fd = None if self.journal is None else self.journal.fileno()
            select.select([] if fd is None else [fd], [], [], due - now)
            self.poll()
        took = time.perf_counter() - begun
        ordered = sorted(self.latencies) or [0.0]
        return Result(
            ticks / took,
            self.committed / took,
            1000 * ordered[len(ordered) // 2],
            1000 * ordered[len(ordered) * 99 // 100],
        )


def compute(steps: int) -> int:
    """What a hub does: look-ups, small objects, calls."""
    table: dict[int, tuple[int, str]] = {}
    total = 0
    for step in range(steps):
        table[step & 255] = (step, "x")
        total += table.get((step * 7) & 255, (0, ""))[0]
    return total


def calibrate() -> int:
    """Steps that take a tick's time, from the best of many tries."""
    best = min(_timed(2000) for _ in range(200))
    return int(2000 * TICK / best)


def _timed(steps: int) -> float:
    begun = time.perf_counter()
    compute(steps)
    return time.perf_counter() - begun


def contenders(folder: Path) -> dict[str, Callable[[], tuple[Journal | None, float]]]:
    """Name -> (journal, switch interval in seconds)."""
    path = folder / "shard.journal"
    argv = [sys.executable, "-m", "bench.micro.journal_writer", "--serve", FD, str(path)]
    return {
        "no journal": lambda: (None, 0.005),
        "in the hub itself": lambda: (InlineJournal(SqliteStore(path), {}, on_outcome=lambda: None), 0.005),
        "thread": lambda: (ThreadJournal(lambda: SqliteStore(path), {}), 0.005),
        "thread, switch interval 0.5 ms": lambda: (ThreadJournal(lambda: SqliteStore(path), {}), 0.0005),
        "process": lambda: (ProcessJournal(argv), 0.005),
    }


def measure(name: str, folder: Path | None, work: int, seconds: float, period: float) -> Result:
    """One round of one contender, with a new file."""
    with tempfile.TemporaryDirectory(dir=folder) as made:
        journal, interval = contenders(Path(made))[name]()
        sys.setswitchinterval(interval)
        try:
            if journal is None:
                return Hub(None, work).run(seconds, period)
            with closing(journal):
                warm = Hub(journal, work)
                warm.run(0.3, period)
                while warm.under_way or warm.waiting:  # the last commit
                    warm.poll()
                hub = Hub(journal, work, seq=warm.seq)
                result = hub.run(seconds, period)
                while hub.under_way or hub.waiting:
                    hub.poll()
                return result
        finally:
            sys.setswitchinterval(0.005)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--serve"]:
        run(int(sys.argv[2]), lambda: SqliteStore(sys.argv[3]), {})
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="a folder on the disk to measure (default: TMPDIR)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to wait for quiet rounds, each load")
    options = parser.parse_args()
    work = calibrate()
    print(f"{RECORDS} records a tick of {1000 * TICK:g} ms ({work} steps); median [least to greatest] of the rounds")
    for load, period in (("full", 0.0), ("half", 2 * TICK)):
        names = list(contenders(Path()))

        def turn(period: float = period, names: list[str] = names) -> list[Round[Result]]:
            """One after the other: what disturbs one disturbs all."""
            once = [partial(measure, name, options.folder, work, options.seconds, period) for name in names]
            return [watched(measured) for measured in once]

        turns = quietest(options.rounds, options.patience, turn)
        print(f"\n{load:34}{'ticks/s':>22}{'records/s':>28}{'p50 ms':>24}{'p99 ms':>24}{'others':>12}")
        for place, name in enumerate(names):
            rounds = [one[place].result for one in turns]
            others = max(one[place].strangers for one in turns)
            cells = [spread([getattr(result, field) for result in rounds], digits)
                     for field, digits in (("ticks", 0), ("records", 0), ("p50", 2), ("p99", 2))]  # fmt: skip
            print(f"{name:34}{cells[0]:>22}{cells[1]:>28}{cells[2]:>24}{cells[3]:>24}{others:>12.0%}", flush=True)


def spread(values: list[float], digits: int) -> str:
    """Median, least, greatest."""
    return f"{median(values):,.{digits}f} [{min(values):,.{digits}f} to {max(values):,.{digits}f}]"


if __name__ == "__main__":
    main()
