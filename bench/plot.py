"""P6 as a picture: what a decision costs against each kind of growth, both on logarithmic axes, median with least and
most of the rounds. Needs matplotlib, which the development set-up has."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from bench.report import Report, Sample
from bench.scenarios.decisions import CYCLE, DECISION, GROWTH, UNIT


def growth(report: Report, path: Path) -> None:
    """Draw what ``decisions`` measured into a PNG, SVG or PDF file, by its ending."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, case in zip(figure.subplots(1, 2, sharey=True), (DECISION, CYCLE), strict=True):
        for scenario, _ in GROWTH:
            points = medians(report.samples, scenario, case)
            if points:
                sizes, values, least, most = zip(*points, strict=True)
                spread = [
                    [value - low for value, low in zip(values, least, strict=True)],
                    [high - value for value, high in zip(values, most, strict=True)],
                ]
                axes.errorbar(sizes, values, yerr=spread, marker="o", capsize=3, label=scenario.removeprefix("P6 "))
        axes.set(xscale="log", yscale="log", xlabel="how many", title=case)
        axes.grid(visible=True, which="both", linewidth=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, loc="upper left")
    figure.axes[0].set_ylabel(f"median {UNIT}")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def medians(samples: list[Sample], scenario: str, case: str) -> list[tuple[int, float, float, float]]:
    """(size, median, least, most) over the rounds, the smallest size first."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for sample in samples:
        if (sample.scenario, sample.case) == (scenario, case):
            found[int(sample.server.replace(",", ""))].append(sample.value)
    return [
        (size, sorted(values)[len(values) // 2], min(values), max(values)) for size, values in sorted(found.items())
    ]
