"""A made-up account stream gives the figures that can be had by hand, and one that can't be is refused."""

import pytest

from broker.protocol.frames import Event
from tests.soak.trace import SERVERS, Impossible, Lines, contradictions, figures, out_of_turn, read, spread, stood


def events(*told: tuple[int, str, str]) -> list[Event]:
    """(t, type, request), in a stream."""
    reasons = {"offer.ended": "revoked"}
    return [
        Event("account", offset, kind, t, {"request": name, "reason": reasons.get(kind, "representative")})
        for offset, (t, kind, name) in enumerate(told)
    ]


def served(name: str, created: int, offered: int, ended: int) -> list[tuple[int, str, str]]:
    return [
        (created, "request.created", name),
        (offered, "offer.made", name),
        (offered + 1, "request.assigned", name),
        (ended, "session.ended", name),
        (ended, "request.ended", name),
    ]


FULL = [moment for number in range(SERVERS) for moment in served(f"r_{number}", 0, 0, 100 + number)]
BEGUN, OVER = [moment for moment in FULL if moment[0] < 50], [moment for moment in FULL if moment[0] >= 50]
WAITED = [
    *BEGUN,
    (50, "request.created", "late"),
    (60, "request.created", "hasty"),
    (80, "request.ended", "hasty"),
    *OVER[:2],
    (100, "offer.made", "late"),
    (101, "request.assigned", "late"),
    *OVER[2:],
    (200, "session.ended", "late"),
    (200, "request.ended", "late"),
]


def test_who_waits_and_who_gives_up_is_read_from_the_stream() -> None:
    visits = read(events(*WAITED))
    late, hasty, first = visits["late"], visits["hasty"], visits["r_0"]
    assert (first.busy, first.waited, first.held, first.in_line) == (0, 0, 100, 1)
    assert (late.busy, late.line, late.waited, late.in_line, late.held) == (10, 0, 50, 51, 100)
    assert (hasty.busy, hasty.line, hasty.waited, hasty.in_line, hasty.abandoned) == (10, 1, 20, 20, True)
    assert stood(visits.values(), 0, 200) == 10 + 51 + 20
    assert stood(visits.values(), 55, 75) == 20 + 15


def test_figures_are_of_those_after_the_warm_up() -> None:
    visits = list(read(events(*WAITED)).values())
    meant = {visit.request: 90.0 for visit in visits}
    run = figures(visits, meant, {"hasty": 18.0}, handle=90.0, warm_up=9)
    assert (run.requests, run.waited, run.abandoned, run.overstayed) == (3, 2 / 3, 1 / 3, 2.0)
    assert run.mean == pytest.approx((0 + 50 + 20) / 3)
    assert run.rate == pytest.approx(2 / 60)
    assert run.held == pytest.approx((109 + 100) / 2)
    assert (run.latency, run.jitter) == pytest.approx((14.5, 4.5**2))


def test_a_customer_who_goes_while_offered_has_held_a_place() -> None:
    told = [(0, "request.created", "r"), (0, "offer.made", "r"), (5, "offer.ended", "r"), (5, "request.ended", "r")]
    (visit,) = read(events(*told)).values()
    assert (visit.abandoned, visit.waited, visit.held, visit.in_line) == (False, 0, 5, 5)


def test_more_places_than_there_are_and_a_second_offer_are_impossible() -> None:
    with pytest.raises(Impossible, match=r"11 places are held at 70, of 10"):
        read(events(*BEGUN, (50, "request.created", "late"), (70, "offer.made", "late")))
    with pytest.raises(Impossible, match=r"r_0 was offered twice"):
        read(events(*BEGUN, (70, "offer.made", "r_0")))
    with pytest.raises(Impossible, match=r"10 places are held and 0 requests wait"):
        read(events(*BEGUN))


def test_answers_must_be_what_the_state_was() -> None:
    visits = read(events(*WAITED))
    answers = {name: "waiting" if name in ("late", "hasty") else "offered" for name in visits}
    assert contradictions(visits, answers) == []
    assert contradictions(visits, {**answers, "late": "offered"}) == ["late was answered offered with 10 places held"]
    assert contradictions(visits, {**answers, "r_3": "waiting"}) == ["r_3 was answered waiting with 3 places held"]
    del answers["r_3"]
    assert contradictions(visits, answers) == ["12 requests came, 11 were answered"]


def test_somebody_who_waits_beside_a_free_place_is_found() -> None:
    told = [(0, "request.created", "a"), (5, "request.created", "b"), (5, "offer.made", "b"), (9, "offer.made", "a")]
    ends = [(20, "session.ended", "a"), (20, "session.ended", "b")]
    visits = read(events(*told, *ends))
    assert contradictions(visits, {"a": "offered", "b": "offered"}) == ["1 waited with 0 places held, as b came"]


def test_everybody_is_offered_in_the_millisecond_of_their_turn() -> None:
    visits = read(events(*WAITED))
    assert out_of_turn(visits.values()) == []
    visits["late"].offered = 101
    assert out_of_turn(visits.values()) == ["late was offered at 101, and its turn was at 100"]
    visits["late"].offered = 100
    visits["hasty"].ended = 102
    assert out_of_turn(visits.values()) == ["hasty waited for nobody from 101 on"]


METRICS = """\
# HELP huntgroup_lines_joined_total Requests
# TYPE huntgroup_lines_joined_total counter
huntgroup_lines_joined_total{account="crash"} 4.0
huntgroup_lines_left_total{account="crash"} 4.0
huntgroup_lines_length_ms_total{account="crash"} 1.2e+03
huntgroup_lines_waited_ms_total{account="crash"} 1200.0
huntgroup_lines_length{account="crash"} 0.0
huntgroup_lines_changed{account="crash"} 1.7e+012
"""


def test_little_s_law_is_read_from_the_metrics() -> None:
    after = Lines.parse(METRICS)
    assert after == Lines(changed=1_700_000_000_000, joined=4, left=4, length_ms=1200, waited_ms=1200)
    before = Lines(changed=after.changed - 2000, joined=2, left=2, length_ms=200, waited_ms=200)
    window = after.since(before)
    assert (window.length, window.by_little) == (0.5, 0.5)
    assert window + window == Lines(changed=4000, joined=4, left=4, length_ms=2000, waited_ms=2000)


def test_a_share_of_values_is_below_its_quantile() -> None:
    assert [spread([3.0, 1.0, 2.0, 4.0], share) for share in (0.25, 0.5, 1.0)] == [1.0, 2.0, 4.0]
