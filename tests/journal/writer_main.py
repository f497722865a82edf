"""The writer process of the tests: ``python -m tests.journal.writer_main FD PATH [PATH of what idle writes]``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

from broker.journal import wire
from broker.journal.base import Store
from broker.journal.sqlite import SqliteStore
from broker.journal.worker import Questions, run


def records(store: Store, account: str, after: int, limit: int) -> object:
    """A page of the log."""
    return [wire.record_out(record) for record in store.records(account, after, limit)]


def head(store: Store, account: str) -> object:
    """(seq, hash)."""
    found = store.head(account)
    return found.seq, found.hash


def in_chunks(store: Store, account: str, chunks: int) -> Generator[None, None, object]:
    """The head's seq as seen before each chunk."""
    seen = []
    for _ in range(chunks):
        seen.append(store.head(account).seq)
        yield
    return seen


def large(_: Store, size: int) -> object:
    """That many bytes."""
    return b"x" * size


def broken(_: Store, secret: str) -> object:
    """A bug in a question."""
    known: dict[str, str] = {}
    return known[secret]


def die(_: Store) -> object:
    """As if killed."""
    os._exit(9)


def pid(_: Store) -> object:
    """The writer's process id."""
    return os.getpid()


def unpackable(_: Store) -> object:
    """What msgpack can't carry."""
    return object()


def stall(_: Store, path: str) -> object:
    """Waits until a file exists: as long as a test wants."""
    while not Path(path).exists():
        time.sleep(0.001)
    return True


QUESTIONS: Questions = {
    "records": records,
    "head": head,
    "in_chunks": in_chunks,
    "large": large,
    "broken": broken,
    "die": die,
    "pid": pid,
    "unpackable": unpackable,
    "stall": stall,
}


def main() -> None:
    """Serve until the other end closes."""
    fd, path = int(sys.argv[1]), sys.argv[2]
    run(fd, lambda: SqliteStore(path), QUESTIONS)


if __name__ == "__main__":
    main()
