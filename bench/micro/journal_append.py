"""How fast a store appends: records a second at 1, 32 and 256 a commit, each commit fsynced.

Timed: ``Store.append`` from the call to its return, hash chain, checks, SQL and fsync included; records of 200-byte
bodies in two streams each (one that everything goes to, one of a request that lives for ten records), with and without
a stored answer for each record. Beside it, what the same SQLite does with the same bytes as plain rows of one table: no
chain, no streams, no checks.
Not timed: making the records, the way through the socketpair (``journal_writer``).
What would make the number lie: a disk whose cache lies about fsync, or a tmpfs; other people on the cores (compare
wall with CPU time; ``others`` is their share of all cores in the worst round shown); one warm file of a few hundred
MB, where a large one also waits for reads.

    python -m bench.micro.journal_append [--folder DIR] [--records N] [--rounds N] [--patience S]
"""

from __future__ import annotations

import argparse
import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import attrs

from bench.micro.quiet import quietest, watched
from broker.journal.base import Answer, Append, Record
from broker.journal.memory import MemoryStore
from broker.journal.sqlite import SqliteStore

T0 = 1_700_000_000_000
BODY = bytes(range(200))
LIFE = 10  # records of one request
BATCHES = (1, 32, 256)


@attrs.frozen
class Pace:
    """Records a second."""

    wall: float
    cpu: float


def records(count: int) -> Iterator[Record]:
    """One account's log: 1,000 requests alive at a time, their names in no order."""
    offsets: dict[str, int] = {}
    for seq in range(1, count + 1):
        number = seq // (1000 * LIFE) * 1000 + seq % 1000
        stream = f"request:r_{number * 2654435761 % 2**64:016x}"
        offsets[stream] = offsets.get(stream, 0) + 1
        entries = ((stream, offsets[stream], "offer.accepted"), ("desk", seq, "offer.accepted"))
        yield Record(seq, "offer.accepted", 1, T0 + seq, BODY, entries)


def appends(count: int, batch: int, *, answers: bool) -> list[list[Append]]:
    """The commits."""
    log = list(records(count))
    commits = []
    for start in range(0, count, batch):
        part = log[start : start + batch]
        stored = [Answer(f"c_{r.seq % 500}", f"{r.seq:032x}", BODY[:16], r.t, BODY[:40]) for r in part]
        commits.append([Append("acme", start, part, (), stored if answers else ())])
    return commits


def timed(count: int, work: Callable[[], None]) -> Pace:
    """Run it."""
    gc.collect()
    gc.freeze()  # what was made beforehand is nobody's garbage in here
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Pace(count / (time.perf_counter() - wall), count / (time.process_time() - cpu))


def store_pace(store: SqliteStore | MemoryStore, count: int, batch: int, *, answers: bool) -> Pace:
    """Of a store."""
    epoch = store.open_epoch()
    commits = appends(count, batch, answers=answers)

    def work() -> None:
        for commit in commits:
            store.append(epoch, commit)

    return timed(count, work)


def plain_pace(path: Path, count: int, batch: int) -> Pace:
    """Of plain rows."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL").close()
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE t (seq INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        rows = [(seq, bytes(360)) for seq in range(1, count + 1)]

        def work() -> None:
            for start in range(0, count, batch):
                db.execute("BEGIN IMMEDIATE")
                db.executemany("INSERT INTO t VALUES (?, ?)", rows[start : start + batch])
                db.execute("COMMIT")

        return timed(count, work)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=None, help="a folder on the disk to measure (default: TMPDIR)")
    parser.add_argument("--records", type=int, default=100_000, help="at 256 a commit; fewer at 32 and 1")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for quiet rounds, each cell")
    options = parser.parse_args()
    print("records/s by wall clock, median [least to greatest] of the rounds; in parentheses by CPU time, median")
    print(f"{'':34}" + "".join(f"{batch:>36}" for batch in BATCHES) + f"{'others':>10}")
    contenders: dict[str, Callable[[Path, int, int], Pace]] = {
        "plain rows, one table": lambda folder, n, batch: plain_pace(folder / "plain", n, batch),
        "SqliteStore": lambda folder, n, batch: sqlite_pace(folder, n, batch, answers=False),
        "SqliteStore, an answer a record": lambda folder, n, batch: sqlite_pace(folder, n, batch, answers=True),
        "MemoryStore": lambda _, n, batch: store_pace(MemoryStore(), n, batch, answers=False),
    }
    for name, contender in contenders.items():
        cells = []
        others = 0.0
        for batch in BATCHES:
            count = {1: options.records // 50, 32: options.records // 2}.get(batch, options.records)
            once = partial(in_new_folder, options.folder, contender, count, batch)
            turns = quietest(options.rounds, options.patience, lambda once=once: [watched(once)])  # type: ignore[misc]
            paces = [turn[0].result for turn in turns]
            others = max(others, *(turn[0].strangers for turn in turns))
            walls = [pace.wall for pace in paces]
            cpu = median(pace.cpu for pace in paces)
            cells.append(f"{median(walls):,.0f} [{min(walls):,.0f} to {max(walls):,.0f}] ({cpu:,.0f})")
        print(f"{name:34}" + "".join(f"{cell:>36}" for cell in cells) + f"{others:>10.0%}", flush=True)


def in_new_folder(on: Path | None, contender: Callable[[Path, int, int], Pace], count: int, batch: int) -> Pace:
    """One round."""
    with tempfile.TemporaryDirectory(dir=on) as folder:
        return contender(Path(folder), count, batch)


def sqlite_pace(folder: Path, count: int, batch: int, *, answers: bool) -> Pace:
    """Of a new file."""
    with closing(SqliteStore(folder / "shard.journal")) as store:
        return store_pace(store, count, batch, answers=answers)


if __name__ == "__main__":
    main()
