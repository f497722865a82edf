"""The writer's process, started by ``serve``: ``python -m broker.runtime.writer --fd N --journal FILE``."""

from __future__ import annotations

import argparse
import gc
from functools import partial
from pathlib import Path
from typing import Final

from broker.journal.process import FD
from broker.journal.sqlite import SqliteStore
from broker.journal.worker import run
from broker.limits import SNAPSHOT_RECORDS
from broker.runtime.follower import Follower

_GC_THRESHOLDS: Final = (50_000, 20, 100)  # a commit's objects die young, and the follower's desks stay
MODULE: Final = "broker.runtime.writer"


def command(python: str, journal: Path) -> list[str]:
    """The argv of ``ProcessJournal``."""
    return [python, "-m", MODULE, "--fd", FD, "--journal", str(journal)]


def main(arguments: list[str] | None = None) -> None:
    """Serve the inherited socket until its other end closes."""
    parser = argparse.ArgumentParser(prog=MODULE, description="The process that writes a broker's journal.")
    parser.add_argument("--fd", type=int, required=True, help="number of the inherited socket")
    parser.add_argument("--journal", type=Path, required=True, help="the SQLite file")
    parser.add_argument("--snapshot-records", type=int, default=SNAPSHOT_RECORDS)
    args = parser.parse_args(arguments)
    gc.set_threshold(*_GC_THRESHOLDS)
    follower = Follower(snapshot_records=args.snapshot_records)
    run(args.fd, partial(SqliteStore, args.journal), follower.questions(), idle=follower.idle)


if __name__ == "__main__":
    main()
