"""The report: ratios within a round, medians, and what `--check` takes for a failure."""

from __future__ import annotations

import json

import attrs

from bench.report import Report, Sample, Target, Yardstick, as_text

FACTS = {"cpu": "a CPU", "cores": 2, "kernel": "6.1", "python": "CPython 3.11"}


def sample(server: str, round_: int, value: float, cost: float | None = None) -> Sample:
    return Sample(
        scenario="P1 relay", case="1 in flight", server=server, round=round_, value=value, unit="m/s", server_us=cost
    )


def report(*targets: Target) -> Report:
    return Report(
        facts=FACTS, command="python -m bench", settings={"rounds": 3}, targets=targets, told=lambda text: None
    )


RELAY = Target(scenario="P1 relay", case="1 in flight", against="node ws", bound=1.0)


def test_a_ratio_is_taken_within_a_round_and_its_median_shown() -> None:
    found = report(RELAY)
    for round_, (ours, theirs) in enumerate([(100.0, 100.0), (60.0, 40.0), (200.0, 100.0)]):
        found.add(sample("broker", round_, ours, 10.0))
        found.add(sample("node ws", round_, theirs, 12.0))
    (judged,) = found.judged()
    assert judged.values == (1.0, 1.5, 2.0)
    assert judged.by_cpu == (1.2, 1.2, 1.2)
    assert judged.verdict == "reached"
    assert "target ≥ 1 × node ws: 1.50× (1.00–2.00), reached; by CPU time 1.20×" in as_text(found)


def test_a_missing_peer_makes_no_verdict_and_no_failure() -> None:
    found = report(RELAY)
    found.add(sample("broker", 0, 100.0))
    (judged,) = found.judged()
    assert judged.verdict == "not measured"
    assert found.failed() == []


def test_a_target_that_is_no_ratio_bounds_the_figure_itself() -> None:
    least = Target(scenario="P1 relay", case="1 in flight", bound=200.0)
    most = Target(scenario="P1 relay", case="1 in flight", bound=80.0, at_most=True)
    found = report(least, most)
    found.add(sample("broker", 0, 100.0))
    assert [judged.share for judged in found.judged()] == [0.5, 0.8]
    assert [judged.target for judged in found.failed()] == [least]


def test_targets_of_scenarios_that_were_not_run_are_not_in_the_report() -> None:
    assert report(RELAY).judged() == []


def test_everything_goes_into_the_json() -> None:
    found = report(RELAY)
    found.add(sample("broker", 0, 100.0))
    found.add(sample("node ws", 0, 50.0))
    found.note("something to know")
    told = json.loads(json.dumps(found.as_json()))
    assert told["machine"] == FACTS
    assert told["samples"][0]["value"] == 100.0
    assert told["targets"][0]["median"] == 2.0
    assert told["notes"] == ["something to know"]


def test_an_absolute_target_is_read_by_the_yardstick_of_its_round() -> None:
    stick = Yardstick(scenario="yardstick", case="here", server="C floor", figure=1000.0)
    rate = Target(scenario="P1 relay", case="1 in flight", bound=300.0, yardstick=stick)
    wait = attrs.evolve(rate, bound=20.0, measure="p99_ms", at_most=True)
    found = report(rate, wait)
    for number, (value, speed) in enumerate([(100.0, 500.0), (150.0, 250.0), (120.0, 400.0)]):
        found.add(attrs.evolve(sample("broker", number, value), p99_ms=30.0))
        found.add(attrs.evolve(sample("C floor", number, speed), scenario="yardstick", case="here"))
    found.add(attrs.evolve(sample("broker", 3, 1.0), p99_ms=1.0))  # the yardstick didn't run in this round
    by_rate, by_wait = found.judged()
    assert by_rate.values == (100.0, 150.0, 120.0)
    assert by_rate.speeds == (0.5, 0.25, 0.4)
    assert by_rate.scaled == (200.0, 600.0, 300.0)
    assert by_rate.share == 1.0
    assert by_wait.scaled == (15.0, 7.5, 12.0)
    assert "120.0 (100.0–150.0) here, where the yardstick has 0.40 of its speed: 300.0 (200.0–600.0)" in as_text(found)
