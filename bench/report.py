"""What a run of the benchmarks found: samples, ratios with their spread, targets beside them; as text and as JSON.

A ratio is taken within one round (the contenders of a round run one after the other), then the median of the
rounds is shown with the least and the greatest. Nothing here is a verdict unless ``--check`` asks for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any, Final

import attrs

OPEN_ISSUE: Final = 0.7  # below this share of a target, `--check` fails; up to 1 a profile has to say why
BROKER: Final = "broker"


@attrs.frozen(kw_only=True)
class Sample:
    """One measurement of one contender in one round."""

    scenario: str
    case: str
    server: str
    round: int
    value: float
    unit: str
    p50_ms: float | None = None
    p99_ms: float | None = None
    server_us: float | None = None
    """CPU microseconds of the server for one unit, its children included."""
    server_busy: float | None = None
    """Its share of its core, 0..1."""
    load_busy: float | None = None
    """The load program's share of its own core: near 1 means that the load was the limit."""
    strangers: float | None = None
    """What other processes took of the more disturbed of the two cores."""
    details: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Yardstick:
    """What tells how fast this machine is at the moment: a program whose figure is known from the machine on which an
    absolute target was set. Rates are divided by this machine's share of that, latencies multiplied by it."""

    scenario: str
    case: str
    server: str
    figure: float
    """On the machine that set the target."""


@attrs.frozen(kw_only=True)
class Target:
    """A bound on a median: of the broker's figure, or of its ratio to a peer's."""

    scenario: str
    case: str
    bound: float
    against: str | None = None
    """The peer; None for a bound on the broker's own figure."""
    measure: str = "value"
    """Which figure of a sample."""
    at_most: bool = False
    server: str = BROKER
    yardstick: Yardstick | None = None
    """Of an absolute bound that was set on another machine."""

    @property
    def text(self) -> str:
        """As the report says it."""
        sign = "≤" if self.at_most else "≥"
        what = (
            f"× {self.against}" if self.against else {"value": "", "p99_ms": "ms p99"}.get(self.measure, self.measure)
        )
        return f"{sign} {self.bound:,g} {what}".rstrip()


@attrs.frozen(kw_only=True)
class Judged:
    """A target and what was measured of it."""

    target: Target
    values: tuple[float, ...]
    """One for each round; empty where something wasn't run."""
    by_cpu: tuple[float, ...] = ()
    """Of a ratio of rates: the same by what a unit costs either server in CPU time, which other processes on the same
    cores disturb much less."""
    speeds: tuple[float, ...] = ()
    """Where there is a yardstick: this machine's share of the speed of the one that set the target, round by round.
    ``values`` are as they were measured."""

    @property
    def scaled(self) -> tuple[float, ...]:
        """What the figures come to at the speed of the machine that set the target."""
        if not self.speeds:
            return self.values
        pairs = zip(self.values, self.speeds, strict=True)
        return tuple(value * speed if self.target.at_most else value / speed for value, speed in pairs)

    @property
    def share(self) -> float | None:
        """The part of the target that was reached; 1 or more is all of it."""
        if not self.values or not median(self.values):
            return None
        middle = median(self.scaled)
        return self.target.bound / middle if self.target.at_most else middle / self.target.bound

    @property
    def verdict(self) -> str:
        """In words."""
        if self.share is None:
            return "not measured"
        return "reached" if self.share >= 1 else f"{self.share:.2f} of the target"


@attrs.define
class Report:
    """Everything of one run."""

    facts: dict[str, Any]
    command: str
    settings: dict[str, Any]
    targets: Sequence[Target] = ()
    samples: list[Sample] = attrs.field(factory=list)
    notes: list[str] = attrs.field(factory=list)
    told: Callable[[str], None] = print

    def add(self, sample: Sample) -> None:
        """Keep a sample, and say so at once: a run takes minutes."""
        self.samples.append(sample)
        busy = "" if sample.load_busy is None else f", load {sample.load_busy:.0%}"
        self.told(f"  {sample.scenario} {sample.case}, {sample.server}: {sample.value:,.4g} {sample.unit}{busy}")

    def note(self, text: str) -> None:
        """Something the reader must know."""
        if text not in self.notes:
            self.notes.append(text)
            self.told(f"  note: {text}")

    def figures(self, target: Target, server: str) -> dict[int, float]:
        """A measure of a contender by round."""
        found = {}
        for s in self.samples:
            value = getattr(s, target.measure)
            if (s.scenario, s.case, s.server) == (target.scenario, target.case, server) and value is not None:
                found[s.round] = value
        return found

    def judge(self, target: Target) -> Judged:
        """Hold a target against the samples."""
        ours = self.figures(target, target.server)
        if target.yardstick is not None:
            return self._measure_by(target, target.yardstick, ours)
        if target.against is None:
            return Judged(target=target, values=tuple(ours.values()))
        theirs = self.figures(target, target.against)
        cost = attrs.evolve(target, measure="server_us")
        our_cost, their_cost = self.figures(cost, target.server), self.figures(cost, target.against)
        return Judged(
            target=target,
            values=tuple(v / theirs[r] for r, v in ours.items() if theirs.get(r)),
            by_cpu=tuple(their_cost[r] / v for r, v in our_cost.items() if v and r in their_cost),
        )

    def _measure_by(self, target: Target, yardstick: Yardstick, ours: dict[int, float]) -> Judged:
        """Rounds in which the yardstick is missing don't count: there is nothing to read them by."""
        at = attrs.evolve(target, scenario=yardstick.scenario, case=yardstick.case, measure="value")
        speeds = {r: value / yardstick.figure for r, value in self.figures(at, yardstick.server).items() if value}
        both = [r for r in ours if r in speeds]
        return Judged(target=target, values=tuple(ours[r] for r in both), speeds=tuple(speeds[r] for r in both))

    def judged(self) -> list[Judged]:
        """All targets whose scenario was run."""
        run = {(s.scenario, s.case) for s in self.samples}
        return [self.judge(t) for t in self.targets if (t.scenario, t.case) in run]

    def failed(self) -> list[Judged]:
        """Targets measured and missed by more than may be explained."""
        return [j for j in self.judged() if j.share is not None and j.share < OPEN_ISSUE]

    def as_json(self) -> dict[str, Any]:
        """Everything, for a machine."""
        return {
            "machine": self.facts,
            "command": self.command,
            "settings": self.settings,
            "samples": [attrs.asdict(s) for s in self.samples],
            "targets": [
                {
                    **attrs.asdict(j.target),
                    "text": j.target.text,
                    "values": j.values,
                    "by_cpu": j.by_cpu,
                    "speeds": j.speeds,
                    "scaled": j.scaled,
                    "median": median(j.values) if j.values else None,
                    "share": j.share,
                    "verdict": j.verdict,
                }
                for j in self.judged()
            ],
            "notes": self.notes,
        }


def _spread(values: Sequence[float], form: str) -> str:
    if len(values) < 2:
        return ""
    return f"{min(values):{form}}–{max(values):{form}}"


def _middle(samples: Iterable[Sample], name: str, form: str, scale: float = 1.0) -> str:
    values = [getattr(s, name) for s in samples if getattr(s, name) is not None]
    return f"{median(values) * scale:{form}}" if values else ""


def _form(value: float) -> str:
    return ",.0f" if value >= 1000 else ",.1f" if value >= 10 else ",.2f"


HEADINGS: Final = ("median", "least–most", "p50 ms", "p99 ms", "server µs", "server %", "load %", "others %")


def _rows(report: Report, scenario: str, case: str) -> list[tuple[str, ...]]:
    of_case = [s for s in report.samples if (s.scenario, s.case) == (scenario, case)]
    rows: list[tuple[str, ...]] = []
    for server in dict.fromkeys(s.server for s in of_case):
        mine = [s for s in of_case if s.server == server]
        values = [s.value for s in mine]
        form = _form(median(values))
        rows.append(
            (
                server,
                f"{median(values):{form}}",
                _spread(values, form),
                _middle(mine, "p50_ms", ",.3f"),
                _middle(mine, "p99_ms", ",.3f"),
                _middle(mine, "server_us", ",.2f"),
                _middle(mine, "server_busy", ".0f", 100),
                _middle(mine, "load_busy", ".0f", 100),
                _middle(mine, "strangers", ".0f", 100),
            )
        )
    return rows


def _table(heading: str, rows: list[tuple[str, ...]]) -> list[str]:
    used = [i for i in range(len(HEADINGS) + 1) if any(row[i] for row in rows)]
    lines = [tuple(line[i] for i in used) for line in ((heading, *HEADINGS), *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(used))]
    drawn = []
    for number, line in enumerate(lines):
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        drawn.append("  ".join(cells).rstrip())
        if not number:
            drawn.append("-" * len(drawn[0]))
    return drawn


def as_text(report: Report) -> str:
    """The whole report, for a person."""
    facts, lines = report.facts, []
    lines.append(f"{facts['cpu']}, {facts['cores']} cores, {facts['kernel']}, {facts['python']}")
    lines.append(f"{report.command}   ({', '.join(f'{k} {v}' for k, v in report.settings.items())})")
    for scenario, case in dict.fromkeys((s.scenario, s.case) for s in report.samples):
        unit = next(s.unit for s in report.samples if (s.scenario, s.case) == (scenario, case))
        lines += ["", *_table(f"{scenario} {case} [{unit}]", _rows(report, scenario, case))]
        for j in report.judged():
            if (j.target.scenario, j.target.case) == (scenario, case):
                lines.append(f"  {_judgement(j)}")
    if report.notes:
        lines += ["", "Notes", *(f"- {note}" for note in report.notes)]
    return "\n".join(lines)


def _judgement(j: Judged) -> str:
    if not j.values:
        return f"target {j.target.text}: not measured"
    middle = median(j.values)
    times = "×" if j.target.against else ""
    spread = _spread(j.values, _form(middle))
    shown = f"{middle:{_form(middle)}}{times}" + (f" ({spread})" if spread else "")
    if j.speeds:
        scaled, speed = median(j.scaled), median(j.speeds)
        form = _form(scaled)
        return (
            f"target {j.target.text}: {shown} here, where the yardstick has {speed:.2f} of its speed: "
            f"{scaled:{form}} ({_spread(j.scaled, form) or 'one round'}) by that, {j.verdict}"
        )
    by_cpu = f"; by CPU time {median(j.by_cpu):.2f}×" if j.by_cpu else ""
    return f"target {j.target.text}: {shown}, {j.verdict}{by_cpu}"
