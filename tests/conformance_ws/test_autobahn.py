"""Autobahn's cases against the reactor, wired as an echo server; kosoku plays the client in a process of its own.

What may differ from a strict pass is listed in ``docs/protocol/autobahn.md``, and nothing else.
"""

import json
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import trio

from broker import limits
from broker.transport.base import Messages
from broker.transport.links import Settings
from broker.transport.reactor import Reactor, listen
from broker.transport.upgrade import PATH
from broker.units import MIB

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol" / "autobahn.md"
KOSOKU = Path(sys.executable).with_name("kosoku")
Verdict = dict[str, str | int | None]


def listed() -> dict[str, int]:
    """Patterns of the cases that the product refuses, and the close code it does so with."""
    patterns: dict[str, int] = {}
    for cases, code in re.findall(r"^\| (`[^|]+) \| (\d{4}) \|", DOCUMENT.read_text(), flags=re.MULTILINE):
        patterns |= dict.fromkeys(re.findall(r"`([^`]+)`", cases), int(code))
    return patterns


def strict(verdict: Verdict) -> bool:
    return {verdict["behavior"], verdict["behaviorClose"]} <= {"OK", "INFORMATIONAL"}


async def run_cases(reports: Path, *choice: str, max_message_bytes: int) -> dict[str, Verdict]:
    """Run the chosen cases; each one's verdict."""
    listeners = listen("127.0.0.1", 0)
    transport = Reactor(listeners, Settings(subprotocol=None, max_message_bytes=max_message_bytes))

    async def echo() -> None:
        while True:
            await transport.ready(None)
            for happening in transport.poll():
                if isinstance(happening, Messages):
                    transport.send(happening.link, [transport.prepare(m) for m in happening.messages])

    address = f"127.0.0.1:{listeners[0].port}{PATH}"
    command = [str(KOSOKU), address, "-m", "fuzzingclient", "-p", "8", "-o", str(reports), *choice]
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo)
            with trio.fail_after(100):
                await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
            nursery.cancel_scope.cancel()
    finally:
        transport.dispose()
    (verdicts,) = json.loads((reports / "index.json").read_text()).values()
    return verdicts  # type: ignore[no-any-return]


@pytest.mark.slow
async def test_every_case_passes_strictly_or_is_refused_as_the_document_says(tmp_path: Path) -> None:
    verdicts = await run_cases(tmp_path, "-x", "12.*", "-x", "13.*", max_message_bytes=limits.MAX_MESSAGE_BYTES)
    patterns = listed()
    assert len(verdicts) > 300, "kosoku ran fewer cases than it has"
    wrong: dict[str, Verdict] = {}
    unused = set(patterns)
    for case, verdict in verdicts.items():
        pattern = next((p for p in patterns if fnmatchcase(case, p)), None)
        unused.discard(pattern or "")
        if pattern is None:
            fine = strict(verdict)
        else:
            refused = verdict["remoteCloseCode"] == patterns[pattern]
            fine = refused and (not strict(verdict) or verdict["behavior"] == "INFORMATIONAL")
        if not fine:
            wrong[case] = verdict
    assert not wrong
    assert not unused, "listed in the document, but there is no such case"


@pytest.mark.slow
async def test_large_binary_messages_pass_when_the_limit_allows_them(tmp_path: Path) -> None:
    others = [argument for group in (1, 2, 3, 4, 5, 6, 7, 10, 12, 13) for argument in ("-x", f"{group}.*")]
    text = [argument for group in (1, 3, 5, 7) for argument in ("-x", f"9.{group}.*")]
    verdicts = await run_cases(tmp_path, *others, *text, max_message_bytes=16 * MIB)
    assert len(verdicts) >= 6 + 9 + 6
    assert not {case: verdict for case, verdict in verdicts.items() if not strict(verdict)}
