"""The picture of what decisions cost."""

from __future__ import annotations

from pathlib import Path

from bench import plot
from bench.report import Report, Sample
from bench.scenarios.decisions import CYCLE, DECISION, UNIT


def _sample(size: str, case: str, number: int, value: float) -> Sample:
    return Sample(scenario="P6 skills", case=case, server=size, round=number, value=value, unit=UNIT)


def test_the_median_of_each_size_is_drawn_with_its_spread(tmp_path: Path) -> None:
    values = [("1,000", DECISION, 3.0), ("1,000", DECISION, 1.0), ("1,000", DECISION, 2.0), ("10", DECISION, 1.0)]
    samples = [_sample(size, case, number, value) for number, (size, case, value) in enumerate(values)]
    assert plot.medians(samples, "P6 skills", DECISION) == [(10, 1.0, 1.0, 1.0), (1000, 2.0, 1.0, 3.0)]
    assert plot.medians(samples, "P6 skills", CYCLE) == []
    report = Report(facts={}, command="", settings={}, targets=[])
    report.samples += samples
    plot.growth(report, tmp_path / "deep" / "p6.svg")
    assert "</svg>" in (tmp_path / "deep" / "p6.svg").read_text()
    plot.growth(report, tmp_path / "p6.png")
    assert (tmp_path / "p6.png").read_bytes().startswith(b"\x89PNG")
