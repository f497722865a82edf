"""Prometheus metrics, made from ``statistics()`` values when somebody asks; nothing counts twice.

A source is a function that returns an attrs value, or a map from a label to such values. Each field that is a number
becomes one metric, ``huntgroup_<source>_<field>``. The registry is the caller's own, never the library's global one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, get_type_hints

import attrs
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from broker import __version__

PREFIX: Final = "huntgroup"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)


@attrs.frozen(kw_only=True)
class Source:
    """One thing that can describe itself."""

    name: str
    """Second part of its metrics' names: ``transport``."""
    kind: type[attrs.AttrsInstance]
    """The class of its statistics. Fields that are no numbers are left out: inner values are sources of their own."""
    read: Callable[[], Any]
    """Returns a ``kind``; with ``label``, a map from the label's value to a ``kind``. Called for each scrape, in the
    task that serves it: it must be quick."""
    label: str | None = None
    """What tells several of them apart: ``account``."""
    counters: Collection[str] = ()
    """Fields that only grow; the others are gauges."""

    def __attrs_post_init__(self) -> None:
        unknown = set(self.counters) - set(numbers(self.kind))
        if unknown:
            raise ValueError(f"{self.kind.__qualname__} has no field {', '.join(sorted(unknown))}")
        for name in (self.name, self.label or "label"):
            if _NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} can't be part of a metric")


@attrs.frozen
class Tally:
    """Turned away or refused, by reason."""

    count: int


def tallied(name: str, label: str, read: Callable[[], Mapping[str, int]]) -> Source:
    """A source for counts by reason; the reasons are a fixed set, so the labels are bounded."""

    def rows() -> dict[str, Tally]:
        return {reason: Tally(count) for reason, count in read().items()}

    return Source(name=name, kind=Tally, read=rows, label=label, counters=("count",))


class Metrics:
    """A registry of its own with every source in it, and facts about the process and the build."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self.registry)
        self.registry.register(_Build())
        names: set[str] = set()
        for source in sources:
            if source.name in names:
                raise ValueError(f"two sources are called {source.name}")
            names.add(source.name)
            self.registry.register(_Statistics(source))

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """(body, content type) of /metrics for a request with this ``Accept`` header."""
        encoder, content_type = choose_encoder(accept)
        return encoder(self.registry), content_type


class _Build(Collector):
    """Which version runs."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(f"{PREFIX}_build", "Which version runs.", value={"version": __version__})


class _Statistics(Collector):
    """One source's metrics, read when collected."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        source = self._source
        read = source.read()
        rows: Mapping[str, object] = read if source.label is not None else {"": read}
        about = " ".join((source.kind.__doc__ or source.kind.__qualname__).split()).rstrip(".")
        for field in numbers(source.kind):
            made = self._family(field, f"{about}: {field.replace('_', ' ')}.")
            for label, row in rows.items():
                made.add_metric([] if source.label is None else [label], getattr(row, field))
            yield made

    def _family(self, field: str, text: str) -> CounterMetricFamily | GaugeMetricFamily:
        source = self._source
        family = CounterMetricFamily if field in source.counters else GaugeMetricFamily
        labels = [] if source.label is None else [source.label]
        return family(f"{PREFIX}_{source.name}_{field}", text, labels=labels)


def numbers(kind: type[attrs.AttrsInstance]) -> list[str]:
    """The fields of a class of statistics that are numbers."""
    hints = get_type_hints(kind)
    return [field.name for field in attrs.fields(kind) if hints[field.name] in (int, float)]
