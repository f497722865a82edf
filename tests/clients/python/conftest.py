"""Brokers for the tests of the clients: a fake one in memory, and a real one, a process that many tests share."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio

from tests.clients.python.fake_broker import FakeBroker


@pytest.fixture
async def broker() -> AsyncIterator[FakeBroker]:
    """A fake broker. Tests that use it take ``autojump_clock`` too."""
    async with trio.open_nursery() as nursery:
        yield FakeBroker(nursery)
        nursery.cancel_scope.cancel()


START = 180  # seconds for a broker to serve; a hang, not a time to be met


@contextmanager
def serving(*command: str, says: str) -> Iterator[str]:
    """A broker as a process; the first line it prints, on either stream, that has ``says`` in it."""
    lines: queue.Queue[str | None] = queue.Queue()
    process = subprocess.Popen(
        [sys.executable, "-m", "broker", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )

    def copy() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put(None)

    reader = threading.Thread(target=copy, daemon=True)  # so that the broker never waits for us to read
    reader.start()
    try:
        yield _first(lines, says)
    finally:
        process.terminate()
        process.wait(START)
        reader.join(START)
        assert process.stdout is not None
        process.stdout.close()


def _first(lines: queue.Queue[str | None], says: str) -> str:
    seen: list[str] = []
    while (line := lines.get(timeout=START)) is not None:
        seen.append(line)
        if says in line:
            return line
    raise AssertionError("the broker ended: " + "".join(seen))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The facts of a demo broker that serves: url, people and tokens, portals, data."""
    data = str(tmp_path_factory.mktemp("demo") / "data")
    with serving("demo", "--json", "--port", "0", "--data", data, says='"url"') as line:
        facts = json.loads(line)
        tokens = {each["person"]: each["token"] for each in facts["people"]}
        yield {**facts, "tokens": tokens, "data": data}
