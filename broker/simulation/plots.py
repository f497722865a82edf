"""The runs as pictures: waits over the day, their distribution, and the teams' shares. Needs matplotlib.

Nothing of the time or the machine goes into a picture: the same runs make the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from broker.simulation.figures import Outcome
from broker.simulation.report import Comparison, steps
from broker.units import DAYS, HOURS, SECONDS

BUCKETS: Final = 48  # half hours of a day: fine enough for a shift, coarse enough for a mean
CURVE_POINTS: Final = 400  # of a distribution: more can't be seen
COLOURS: Final = {"now": "#4477aa", "before": "#4477aa", "after": "#ee6677"}
_NOTHING: Final = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def png(comparison: Comparison) -> bytes:
    """The picture as a PNG."""
    return _saved(comparison, "png", {"Software": None})


def svg(comparison: Comparison) -> str:
    """The picture as an SVG element, to stand in a page."""
    text = _saved(comparison, "svg", _NOTHING).decode()
    return text[text.index("<svg") :].strip()


def draw(comparison: Comparison) -> Figure:
    """The picture."""
    figure = Figure(figsize=(9, 9), layout="constrained")
    FigureCanvasAgg(figure)
    day, spread, teams = figure.subplots(3, 1, height_ratios=(3, 3, 2))
    for name, runs in comparison.sides.items():
        times, means = over_the_day(runs, comparison.until)
        shift = comparison.start % DAYS / HOURS if comparison.start else 0
        day.plot([shift + t for t in times], means, label=name, color=COLOURS[name], drawstyle="steps-mid")
        waits = sorted(wait / SECONDS for one in runs for wait in one.waits)
        points = list(steps(waits, CURVE_POINTS))
        spread.plot([value for value, _ in points], [share for _, share in points], label=name, color=COLOURS[name])
    day.set(xlabel="hour of arrival, UTC", ylabel="mean wait (s)", title="Wait over the day")
    spread.set(xlabel="wait (s)", ylabel="share of requests", title="Distribution of waits", ylim=(0, 1.02))
    spread.axvline(comparison.service_level, color="#bbbbbb", linewidth=0.8)
    _draw_teams(teams, comparison)
    for axes in (day, spread, teams):
        if axes is not teams:  # its bars leave no room, and have the same colours
            axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def over_the_day(runs: Sequence[Outcome], until: int) -> tuple[list[float], list[float]]:
    """(hours from the beginning, mean wait in seconds) of the requests that came in each of ``BUCKETS`` equal spans,
    all runs together; spans in which nobody came are left out."""
    sums, counts = [0] * BUCKETS, [0] * BUCKETS
    for one in runs:
        for arrived, wait in zip(one.arrived, one.waits, strict=True):
            bucket = min(BUCKETS - 1, arrived * BUCKETS // until)
            sums[bucket] += wait
            counts[bucket] += 1
    used = [bucket for bucket in range(BUCKETS) if counts[bucket]]
    middles = [(bucket + 0.5) * until / BUCKETS / HOURS for bucket in used]
    return middles, [sums[bucket] / counts[bucket] / SECONDS for bucket in used]


def shares(runs: Sequence[Outcome]) -> dict[str, float]:
    """Team to its share of all sessions."""
    counts: dict[str, int] = {}
    for one in runs:
        for team, count in one.teams.items():
            counts[team] = counts.get(team, 0) + count
    total = sum(counts.values())
    return {team: count / total if total else 0.0 for team, count in sorted(counts.items())}


def _draw_teams(axes: Any, comparison: Comparison) -> None:  # noqa: ANN401 (pyplot's own type isn't of use here)
    sides = comparison.sides
    height = 0.8 / len(sides)
    names: list[str] = []
    for number, (side, runs) in enumerate(sides.items()):
        found = shares(runs)
        names = list(found)
        places = [place + (number - (len(sides) - 1) / 2) * height for place in range(len(found))]
        axes.barh(places, list(found.values()), height=height, label=side, color=COLOURS[side])
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="share of all sessions", title="Teams", xlim=(0, 1))


def _saved(comparison: Comparison, kind: str, metadata: Mapping[str, None]) -> bytes:
    into = io.BytesIO()
    with rc_context({"svg.hashsalt": "huntgroup", "svg.fonttype": "none", "font.size": 9}):
        draw(comparison).savefig(into, format=kind, metadata=dict(metadata), dpi=120)
    return into.getvalue()
