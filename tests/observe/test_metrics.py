"""Metrics: every number of a statistics value, once, under a name that follows from its source."""

import attrs
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from broker import __version__
from broker.observe.metrics import Metrics, Source


@attrs.frozen
class Pond:
    """What a pond can say of itself."""

    ducks: int
    fed: int
    depth: float = 1.5
    name: str = "the big one"
    shore: object = None


def samples(metrics: Metrics) -> dict[str, float]:
    """Name with labels, and value, as a scraper reads them."""
    body, _ = metrics.render()
    return {
        sample.name + "".join(f"{{{key}={value}}}" for key, value in sample.labels.items()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_each_number_becomes_one_metric() -> None:
    found = samples(Metrics([Source(name="pond", kind=Pond, read=lambda: Pond(3, 7), counters=["fed"])]))
    ours = {name: value for name, value in found.items() if name.startswith("huntgroup_pond")}
    assert ours == {"huntgroup_pond_ducks": 3, "huntgroup_pond_fed_total": 7, "huntgroup_pond_depth": 1.5}


def test_types_and_help_come_along() -> None:
    body, content_type = Metrics([Source(name="pond", kind=Pond, read=lambda: Pond(3, 7), counters=["fed"])]).render()
    text = body.decode()
    assert "# HELP huntgroup_pond_ducks What a pond can say of itself: ducks." in text
    assert "# TYPE huntgroup_pond_ducks gauge" in text
    assert "# TYPE huntgroup_pond_fed_total counter" in text
    assert content_type.startswith("text/plain")


def test_a_scraper_that_asks_for_openmetrics_gets_it() -> None:
    body, content_type = Metrics([]).render("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_values_are_read_anew_for_each_scrape() -> None:
    ducks = [1]
    metrics = Metrics([Source(name="pond", kind=Pond, read=lambda: Pond(ducks[0], 0))])
    assert samples(metrics)["huntgroup_pond_ducks"] == 1
    ducks[0] = 2
    assert samples(metrics)["huntgroup_pond_ducks"] == 2


def test_several_of_a_kind_are_told_apart_by_a_label() -> None:
    ponds = {"north": Pond(1, 0), 'so"uth': Pond(2, 0)}
    found = samples(Metrics([Source(name="pond", kind=Pond, read=lambda: ponds, label="account")]))
    assert found["huntgroup_pond_ducks{account=north}"] == 1
    assert found['huntgroup_pond_ducks{account=so"uth}'] == 2


def test_none_of_a_kind_is_no_error() -> None:
    found = samples(Metrics([Source(name="pond", kind=Pond, read=dict, label="account")]))
    assert not [name for name in found if "pond" in name]


def test_the_build_is_told() -> None:
    assert samples(Metrics([]))[f"huntgroup_build_info{{version={__version__}}}"] == 1


def test_the_librarys_global_registry_stays_untouched() -> None:
    before = list(prometheus_client.REGISTRY.collect())
    Metrics([Source(name="pond", kind=Pond, read=lambda: Pond(0, 0))])
    after = list(prometheus_client.REGISTRY.collect())
    assert [family.name for family in after] == [family.name for family in before]


def test_mistakes_are_found_when_a_broker_is_put_together() -> None:
    with pytest.raises(ValueError, match="no field geese"):
        Source(name="pond", kind=Pond, read=lambda: Pond(0, 0), counters=["geese"])
    with pytest.raises(ValueError, match="can't be part"):
        Source(name="The Pond", kind=Pond, read=lambda: Pond(0, 0))
    pond = Source(name="pond", kind=Pond, read=lambda: Pond(0, 0))
    with pytest.raises(ValueError, match="two sources"):
        Metrics([pond, pond])
