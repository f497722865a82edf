"""The benchmarks run: small, short, every scenario once, against a real broker. Figures don't matter here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bench.__main__ as program
from bench.scenarios import decisions
from tests.support import compiler

pytestmark = [
    pytest.mark.slow,
    compiler.NEEDED,
]


@pytest.mark.parametrize("scenario", ["relay", "fanout", "chat", "routing", "decisions", "memory", "flood"])
def test_each_scenario_runs_to_its_end_and_measures_the_broker(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RELAY", "FANOUT"):  # what needs nothing installed: the broker, trio-websocket, the floor
        usual = getattr(program, name)
        monkeypatch.setattr(program, name, tuple(one for one in usual if one.name != "node ws"))
    file = tmp_path / "out.json"
    assert program.main([scenario, "--quick", "--json", str(file)]) == 0
    told = json.loads(file.read_text())
    assert told["samples"]
    # the memory of a few dozen connections, or of eight conversations, fits into what the allocator has already
    assert all(sample["value"] > 0 for sample in told["samples"] if not sample["unit"].startswith("KiB"))
    wrong = ("broker sent", "LoadFailed", "DidNotStart", "Refused", "OSError")  # slowness isn't
    assert [note for note in told["notes"] if any(word in note for word in wrong)] == []
    if scenario != "decisions":
        assert {sample["server"] for sample in told["samples"]} >= {"broker"}


def test_an_unknown_scenario_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["relais"]) == 2
    assert "relais" in capsys.readouterr().err


def test_a_cycle_of_the_decision_benchmark_leaves_its_office_as_large_as_it_was() -> None:
    office, cycle = decisions.prepared("P6 waiting requests", 50)
    before = office.desk.statistics()
    for _ in range(20):
        cycle()
    after = office.desk.statistics()
    assert (before.requests, before.sessions, before.offers) == (after.requests, after.sessions, after.offers)
    assert before.routing == after.routing
