"""Tables, pages and pictures say what the figures say, and stand alone."""

# covers: broker/simulation/plots.py

from array import array
from html.parser import HTMLParser

import pytest

from broker.simulation import plots
from broker.simulation.figures import LABELS, Figures, Outcome
from broker.simulation.report import Comparison, document, page, steps, table, text
from broker.units import HOURS, SECONDS


def outcome(mean: float, served: int = 90, lag: float = 1.0) -> Outcome:
    figures: Figures = {
        **dict.fromkeys(LABELS),
        "requests": 100,
        "served": served,
        "abandoned": 1 - served / 100,
        "wait_mean": mean,
        "service_level": 0.805,
        "jain.blue": 0.98765,
        "lag.x ~ y": lag,
        "bound.x ~ y": 1.5,
    }
    return Outcome(
        figures=figures,
        arrived=array("q", [0, HOURS, 23 * HOURS]),
        waits=array("q", [0, round(mean * SECONDS), 30 * SECONDS]),
        teams={"blue": 60, "red": 30},
    )


def comparison(*before: Outcome, after: tuple[Outcome, ...] = ()) -> Comparison:
    return Comparison(
        title="a day <of> tests",
        notes=["something & more"],
        service_level=20,
        start=0,
        until=24 * HOURS,
        before=before,
        after=after,
        changes=["subportal.x.weight=2"] if after else [],
    )


def row(found: list[list[str]], label: str) -> list[str]:
    (one,) = [cells[1:] for cells in found if cells[0] == label]
    return one


def test_one_run_of_one_side_has_one_column() -> None:
    found = table(comparison(outcome(12.34)))
    assert found[0] == ["", "now"]
    assert row(found, "mean wait") == ["12.3 s"]
    assert row(found, "abandoned") == ["10.00 %"]
    assert row(found, "served within 20 s") == ["80.50 %"]
    assert row(found, "Jain index of team blue") == ["0.9877"]
    assert row(found, "greatest lag of x ~ y, and its bound") == ["1.00 of 1.50"]
    assert row(found, "occupancy") == ["–"]


def test_estimates_have_rows_where_somebody_was_told_one() -> None:
    assert not any("estimated" in cells[0] for cells in table(comparison(outcome(1))))
    told = outcome(1)
    told = Outcome(
        figures={**told.figures, "estimate_error": -0.5}, arrived=told.arrived, waits=told.waits, teams=told.teams
    )
    assert row(table(comparison(told)), "estimated wait: mean error") == ["-0.5 s"]


def test_two_sides_have_a_change_and_its_error_is_that_of_the_pairs() -> None:
    before, after = (outcome(10), outcome(20)), (outcome(9, 95), outcome(19, 95, lag=1.25))
    found = table(comparison(*before, after=after))
    assert found[0] == ["", "before", "after", "change"]
    assert row(found, "mean wait") == ["15.0 ± 5.0 s", "14.0 ± 5.0 s", "-1.0 ± 0.0 s"]
    assert row(found, "served") == ["90.0 ± 0.0", "95.0 ± 0.0", "+5.0 ± 0.0"]
    assert row(found, "greatest lag of x ~ y, and its bound") == ["1.00 of 1.50", "1.25 of 1.50", ""]


def test_the_text_begins_with_what_it_is_and_has_no_space_at_the_ends() -> None:
    lines = text(comparison(outcome(1), after=(outcome(2),))).splitlines()
    assert lines[:4] == ["a day <of> tests", "something & more", "after: subportal.x.weight=2", ""]
    assert all(line == line.rstrip() for line in lines)


def test_the_document_has_plain_numbers() -> None:
    found = document(comparison(outcome(10), outcome(20), after=(outcome(9), outcome(19))))
    assert found["before"]["wait_mean"] == {"mean": 15.0, "error": 5.0}  # type: ignore[index]
    assert found["change"]["wait_mean"] == {"mean": -1.0, "error": 0.0}  # type: ignore[index]
    assert found["runs"] == 2
    assert "after" not in document(comparison(outcome(10)))


class Page(HTMLParser):
    """Whatever a page has: tags, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_alone() -> None:
    one = comparison(outcome(10), after=(outcome(9),))
    found = Page(page(one, plots.svg(one)))
    assert {"table", "svg", "style"} <= set(found.tags)
    assert not {"script", "link", "img", "iframe"} & set(found.tags)
    assert all(target.startswith("#") for target in found.fetched)
    assert "a day <of> tests" in found.words  # escaped, and so read back
    assert "-1.0 s" in found.words


def test_without_a_picture_the_page_has_its_table() -> None:
    found = Page(page(comparison(outcome(10)), None))
    assert "svg" not in found.tags
    assert "table" in found.tags


def test_the_picture_is_the_same_each_time() -> None:
    one = comparison(outcome(10), after=(outcome(9),))
    assert plots.svg(one) == plots.svg(one)
    assert plots.png(one) == plots.png(one)
    assert plots.png(one).startswith(b"\x89PNG")


def test_the_picture_shows_both_sides_in_three_plots() -> None:
    figure = plots.draw(comparison(outcome(10), after=(outcome(9),)))
    assert [axes.get_title() for axes in figure.axes] == ["Wait over the day", "Distribution of waits", "Teams"]
    for axes in figure.axes[:2]:
        assert [label.get_text() for label in axes.get_legend().get_texts()] == ["before", "after"]  # type: ignore[union-attr]


def test_a_day_without_a_single_wait_can_be_drawn() -> None:
    empty = Outcome(figures=dict.fromkeys(LABELS), arrived=array("q"), waits=array("q"), teams={"blue": 0})
    assert plots.svg(comparison(empty)).startswith("<svg")
    assert plots.shares([empty]) == {"blue": 0.0}


def test_waits_over_the_day_are_means_by_half_hours() -> None:
    times, means = plots.over_the_day([outcome(10), outcome(20)], 24 * HOURS)
    assert times == [0.25, 1.25, 23.25]
    assert means == [0, 15, 30]
    assert plots.shares([outcome(1)]) == {"blue": pytest.approx(2 / 3), "red": pytest.approx(1 / 3)}


def test_a_distribution_is_drawn_in_so_many_points_at_most() -> None:
    assert list(steps([1, 2, 4], 10)) == [(1, 1 / 3), (2, 2 / 3), (4, 1)]
    many = list(steps(list(range(10_000)), 100))
    assert len(many) == 100
    assert many[-1] == (9999, 1)
    assert list(steps([], 10)) == []
