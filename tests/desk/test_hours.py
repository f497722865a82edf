"""Business hours: what is a mistake, and the clock held against a model that asks every minute what clocks show."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise

import attrs
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from broker import limits
from broker.desk import hours as clock
from broker.desk.hours import DAY, WEEK, Holiday, Hours, HoursData, Span, as_data, is_open, next_change, parse, restore
from broker.units import DAYS, MINUTES
from broker.units import HOURS as HOUR

Patch = pytest.MonkeyPatch

NINE, FIVE = 9 * 60, 17 * 60
OFFICE = tuple(Span(day, NINE, FIVE) for day in range(5))
ALWAYS = tuple(Span(day, 0, DAY) for day in range(7))


def at(text: str) -> int:
    """Milliseconds of a time with its offset, as 2026-03-29T01:00+00:00."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def changes(hours: Hours, begin: str, count: int) -> list[str]:
    """The next changes as local times with their offsets."""
    found = []
    now: int | None = at(begin)
    zone = zoneinfo.ZoneInfo(hours.zone)
    for _ in range(count):
        assert now is not None
        before = is_open(hours, now)
        now = next_change(hours, now)
        assert now is not None
        assert is_open(hours, now - 1) is before
        assert is_open(hours, now) is not before
        found.append(datetime.fromtimestamp(now / 1000, zone).isoformat(timespec="minutes"))
    return found


# --- examples ----------------------------------------------------------------------------------------


def test_a_span_begins_at_from_and_is_over_at_to() -> None:
    hours = Hours("Europe/Berlin", OFFICE)
    opens, closes = at("2026-11-23T09:00+01:00"), at("2026-11-23T17:00+01:00")
    assert [is_open(hours, moment) for moment in (opens - 1, opens, closes - 1, closes)] == [False, True, True, False]
    assert [next_change(hours, moment) for moment in (opens - 1, opens, closes - 1)] == [opens, closes, closes]
    assert next_change(hours, closes) == at("2026-11-24T09:00+01:00")


def test_the_weekend_is_skipped() -> None:
    hours = Hours("America/New_York", OFFICE)
    assert next_change(hours, at("2026-11-20T17:00-05:00")) == at("2026-11-23T09:00-05:00")


def test_spans_that_touch_are_no_change_over_noon_midnight_and_the_week() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 20 * 60, DAY), Span(0, 0, 9 * 60), Span(0, 9 * 60, 12 * 60)))
    assert changes(hours, "2026-11-22T12:00+01:00", 2) == ["2026-11-22T20:00+01:00", "2026-11-23T12:00+01:00"]
    assert next_change(hours, at("2026-11-23T00:00+01:00")) == at("2026-11-23T12:00+01:00")


@pytest.mark.parametrize(("weekly", "always"), [(ALWAYS, True), ((), False)])
def test_what_never_changes_has_no_next_change(weekly: tuple[Span, ...], *, always: bool) -> None:
    hours = Hours("Europe/Berlin", weekly)
    for moment in ("2026-03-29T02:59+02:00", "2026-10-25T02:30+02:00", "2026-12-31T23:59+01:00"):
        assert is_open(hours, at(moment)) is always
        assert next_change(hours, at(moment)) is None


def test_a_holiday_is_closed_or_has_its_own_spans() -> None:
    hours = Hours(
        "Europe/Berlin",
        OFFICE,
        (Holiday("2026-12-25"), Holiday("2026-12-24", ((15 * 60, 16 * 60), (9 * 60, 12 * 60)))),
    )
    assert changes(hours, "2026-12-23T17:00+01:00", 5) == [
        "2026-12-24T09:00+01:00",
        "2026-12-24T12:00+01:00",
        "2026-12-24T15:00+01:00",
        "2026-12-24T16:00+01:00",
        "2026-12-28T09:00+01:00",
    ]


def test_a_holiday_interrupts_what_is_always_open_and_may_open_what_never_is() -> None:
    closed = Hours("Asia/Kolkata", ALWAYS, (Holiday("2027-01-26"),))
    assert changes(closed, "2026-11-22T00:00+05:30", 2) == ["2027-01-26T00:00+05:30", "2027-01-27T00:00+05:30"]
    opened = Hours("Asia/Kolkata", (), (Holiday("2027-01-26", ((0, DAY),)),))
    assert changes(opened, "2026-11-22T00:00+05:30", 2) == ["2027-01-26T00:00+05:30", "2027-01-27T00:00+05:30"]


def test_a_leap_day_is_a_day() -> None:
    hours = Hours("UTC", OFFICE, (Holiday("2028-02-29"),))  # a Tuesday
    assert changes(hours, "2028-02-28T12:00+00:00", 2) == ["2028-02-28T17:00+00:00", "2028-03-01T09:00+00:00"]


def test_clocks_are_put_forward_over_the_beginning() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 2 * 60 + 30, 4 * 60),))
    assert changes(hours, "2026-03-29T00:00+01:00", 2) == ["2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"]


def test_clocks_are_put_forward_over_the_end() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 60, 2 * 60 + 30),))
    assert changes(hours, "2026-03-29T00:00+01:00", 2) == ["2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"]


def test_clocks_are_put_forward_over_all_of_a_span_which_never_is() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 2 * 60, 3 * 60),))
    assert next_change(hours, at("2026-03-29T00:00+01:00")) == at("2026-04-05T02:00+02:00")


def test_clocks_are_put_forward_over_the_break_which_never_is() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 60, 2 * 60 + 10), Span(6, 2 * 60 + 50, 4 * 60)))
    assert changes(hours, "2026-03-29T00:00+01:00", 2) == ["2026-03-29T01:00+01:00", "2026-03-29T04:00+02:00"]


def test_clocks_are_put_back_from_counts_the_first_time_and_to_the_last() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 2 * 60 + 30, 2 * 60 + 45),))
    assert changes(hours, "2026-10-25T00:00+02:00", 2) == ["2026-10-25T02:30+02:00", "2026-10-25T02:45+01:00"]
    hours = Hours("Europe/Berlin", (Span(6, 60, 2 * 60),))
    assert changes(hours, "2026-10-25T00:00+02:00", 2) == ["2026-10-25T01:00+02:00", "2026-10-25T02:00+01:00"]
    hours = Hours("Europe/Berlin", (Span(6, 2 * 60, 3 * 60),))
    assert changes(hours, "2026-10-25T00:00+02:00", 2) == ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]


def test_clocks_are_put_back_over_a_break_which_never_is() -> None:
    hours = Hours("Europe/Berlin", (Span(6, 60, 2 * 60 + 10), Span(6, 2 * 60 + 50, 4 * 60)))
    assert changes(hours, "2026-10-25T00:00+02:00", 2) == ["2026-10-25T01:00+02:00", "2026-10-25T04:00+01:00"]


def test_half_an_hour_is_skipped_and_repeated_on_lord_howe() -> None:
    hours = Hours("Australia/Lord_Howe", (Span(6, 60 + 40, 2 * 60 + 15),))
    assert changes(hours, "2026-04-05T00:00+11:00", 2) == ["2026-04-05T01:40+11:00", "2026-04-05T02:15+10:30"]
    assert changes(hours, "2026-10-04T00:00+10:30", 2) == ["2026-10-04T01:40+10:30", "2026-10-04T02:30+11:00"]


def test_a_midnight_that_is_skipped_joins_the_days_and_so_does_a_day() -> None:
    cairo = Hours("Africa/Cairo", (Span(3, 20 * 60, DAY), Span(4, 0, 4 * 60)))  # 00:00 was 01:00
    assert changes(cairo, "2024-04-25T12:00+02:00", 2) == ["2024-04-25T20:00+02:00", "2024-04-26T04:00+03:00"]
    apia = Hours("Pacific/Apia", (Span(3, 20 * 60, DAY), Span(5, 0, 4 * 60)))  # Friday 2011-12-30 never was
    assert changes(apia, "2011-12-29T12:00-10:00", 2) == ["2011-12-29T20:00-10:00", "2011-12-31T04:00+14:00"]


def test_a_change_is_looked_for_400_days_ahead_and_no_further() -> None:
    hours = Hours("UTC", (), (Holiday("2027-12-27", ((0, 60),)),))
    opens = at("2027-12-27T00:00+00:00")
    assert next_change(hours, opens - limits.HOURS_AHEAD) == opens
    assert next_change(hours, opens - limits.HOURS_AHEAD - 1) is None
    hours = Hours("UTC", ALWAYS, (Holiday("2027-12-27"),))
    assert next_change(hours, opens - limits.HOURS_AHEAD) == opens
    assert next_change(hours, opens - limits.HOURS_AHEAD - 1) is None


def test_a_zone_that_left_the_database_counts_as_utc() -> None:
    hours = restore(
        {"zone": "Mars/Olympus", "weekly": [{"day": "mon", "from": "09:00", "to": "17:00"}], "holidays": []}
    )
    assert hours.zone == "Mars/Olympus"
    assert next_change(hours, at("2026-11-23T00:00+00:00")) == at("2026-11-23T09:00+00:00")


def test_a_machine_without_a_database_has_the_packaged_one() -> None:
    zoneinfo.reset_tzpath([])
    try:
        zone = zoneinfo.ZoneInfo.no_cache("Europe/Berlin")
    finally:
        zoneinfo.reset_tzpath()
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2)


# --- arguments ---------------------------------------------------------------------------------------

PLAIN: HoursData = {
    "zone": "Europe/Berlin",
    "weekly": [
        {"day": "mon", "from": "09:00", "to": "17:30"},
        {"day": "sun", "from": "00:00", "to": "12:00"},
        {"day": "sun", "from": "12:00", "to": "24:00"},
    ],
    "holidays": [
        {"date": "2026-12-24", "from": "09:00", "to": "12:00"},
        {"date": "2026-12-24", "from": "13:00", "to": "14:00"},
        {"date": "2026-12-25"},
    ],
}


def test_arguments_are_read_and_given_back() -> None:
    hours = parse(PLAIN)
    assert hours == Hours(
        "Europe/Berlin",
        (Span(0, NINE, FIVE + 30), Span(6, 0, 720), Span(6, 720, DAY)),
        (Holiday("2026-12-24", ((540, 720), (780, 840))), Holiday("2026-12-25")),
    )
    assert as_data(hours) == PLAIN
    assert restore(PLAIN) == hours


def test_order_does_not_matter_and_holidays_may_be_left_out() -> None:
    turned = {**PLAIN, "weekly": PLAIN["weekly"][::-1], "holidays": PLAIN["holidays"][::-1]}
    assert parse(turned) == parse(PLAIN)
    nothing: dict[str, object] = {"zone": "UTC", "weekly": []}
    for data in (nothing, {**nothing, "holidays": None}, {**nothing, "holidays": []}):
        assert parse(data) == Hours("UTC", ())


def test_what_is_unknown_is_ignored_as_everywhere() -> None:
    assert parse({**PLAIN, "since": 1}) == parse(PLAIN)


def weekly(*spans: tuple[object, object, object]) -> dict[str, object]:
    return {"zone": "UTC", "weekly": [{"day": day, "from": begin, "to": end} for day, begin, end in spans]}


def holidays(*items: Mapping[str, object]) -> dict[str, object]:
    return {"zone": "UTC", "weekly": [], "holidays": list(items)}


A_TIME = "a time HH:MM from 00:00 to 24:00"
A_ZONE = "the name of a time zone, such as Europe/Berlin"
REQUIRED = "a value: it is required"
APART = "a span that doesn't overlap another of its day"
AFTER = "a time after from; for hours over midnight, 24:00 and another span"
ONCE = "a closed date once, and no spans of it"


@pytest.mark.parametrize(
    ("data", "path", "expected"),
    [
        (None, "", "a map"),
        ({"weekly": []}, ".zone", REQUIRED),
        ({"zone": "UTC"}, ".weekly", REQUIRED),
        ({"zone": 1, "weekly": []}, ".zone", "a string of 1 to 64 bytes"),
        ({"zone": "U" * 65, "weekly": []}, ".zone", "a string of 1 to 64 bytes"),
        *(
            ({"zone": zone, "weekly": []}, ".zone", A_ZONE)
            for zone in (
                *("Berlin", "Europe", "Europe/", "europe/berlin/x", "../UTC", "/UTC", "UTC\0", "UTC\n", "\ud800"),
                *("localtime", "posixrules", "right/UTC", "zone.tab", "tzdata.zi", "U" * 64),
            )
        ),
        ({"zone": "UTC", "weekly": {}}, ".weekly", "a list of 0 to 64"),
        (weekly(*[("mon", "00:00", "00:01")] * 65), ".weekly", "a list of 0 to 64"),
        ({"zone": "UTC", "weekly": [1]}, ".weekly[0]", "a map"),
        (weekly(("Mon", "09:00", "17:00")), ".weekly[0].day", "one of mon, tue, wed, thu, fri, sat, sun"),
        ({"zone": "UTC", "weekly": [{"day": "mon", "from": "09:00"}]}, ".weekly[0].to", REQUIRED),
        (weekly(("mon", 9, "17:00")), ".weekly[0].from", "a string of 0 to 5 bytes"),
        *(
            (weekly(("mon", text, "24:00")), ".weekly[0].from", A_TIME)
            for text in ("9:00", "09.00", "0900", "", "24:01", "25:00", "12:60", "-1:00", "9:000", "0\u0669:0")
        ),
        (weekly(("mon", "09:00", "17")), ".weekly[0].to", A_TIME),
        (weekly(("mon", "09:00", "17:00"), ("tue", "09:00", "09:00")), ".weekly[1].to", AFTER),
        (weekly(("mon", "22:00", "06:00")), ".weekly[0].to", AFTER),
        (weekly(("mon", "24:00", "24:00")), ".weekly[0].to", AFTER),
        (weekly(("mon", "09:00", "12:01"), ("mon", "12:00", "13:00")), ".weekly[1]", APART),
        (weekly(("mon", "12:00", "13:00"), ("mon", "09:00", "12:01")), ".weekly[1]", APART),
        (weekly(("mon", "09:00", "12:00"), ("sun", "09:00", "12:00"), ("mon", "09:00", "12:00")), ".weekly[2]", APART),
        (weekly(("mon", "09:00", "18:00"), ("mon", "10:00", "11:00")), ".weekly[1]", APART),
        (holidays(*[{"date": "2026-12-25"}] * 401), ".holidays", "a list of 0 to 400"),
        (holidays({}), ".holidays[0].date", REQUIRED),
        *(
            (holidays({"date": text}), ".holidays[0].date", "a date YYYY-MM-DD")
            for text in ("2026-02-29", "20261225", "2026-W52-5", "0000-01-01", "25.12.2026", "")
        ),
        (holidays({"date": "2026-12-24", "from": "09:00"}), ".holidays[0].to", A_TIME),
        (holidays({"date": "2026-12-24", "to": "09:00"}), ".holidays[0].from", A_TIME),
        (holidays({"date": "2026-12-24", "from": "09:00", "to": "08:00"}), ".holidays[0].to", AFTER),
        (holidays({"date": "2026-12-24"}, {"date": "2026-12-24"}), ".holidays[1].date", ONCE),
        (
            holidays({"date": "2026-12-24"}, {"date": "2026-12-24", "from": "09:00", "to": "12:00"}),
            ".holidays[1].date",
            ONCE,
        ),
        (
            holidays({"date": "2026-12-24", "from": "09:00", "to": "12:00"}, {"date": "2026-12-24"}),
            ".holidays[1].date",
            ONCE,
        ),
        (
            holidays(*[{"date": "2026-12-24", "from": "09:00", "to": "12:00"}] * 2),
            ".holidays[1]",
            APART,
        ),
    ],
)
def test_the_first_mistake_is_named(data: object, path: str, expected: str) -> None:
    assert parse(data) == (f"args.hours{path}", expected)
    assert parse(data, "portal[2].hours") == (f"portal[2].hours{path}", expected)


def test_the_bounds_themselves_are_no_mistake() -> None:
    most = holidays(
        *(
            {"date": "2026-12-24", "from": f"{low // 60:02}:{low % 60:02}", "to": f"{low // 60:02}:{low % 60 + 1:02}"}
            for low in range(0, 800, 2)
        )
    )
    full = {**most, "weekly": [{"day": "sat", "from": f"{low:02}:00", "to": f"{low:02}:30"} for low in range(24)]}
    assert isinstance(parse(full), Hours)


SCRAPS = st.one_of(
    st.none(), st.integers(), st.text(max_size=5), st.sampled_from(["mon", "09:00", "24:00", "UTC", "2026-12-25"])
)
ITEMS = st.dictionaries(st.sampled_from(["day", "date", "from", "to", "x"]), SCRAPS)
ANYTHING = st.dictionaries(
    st.sampled_from(["zone", "weekly", "holidays"]), SCRAPS | st.lists(ITEMS | SCRAPS, max_size=3)
)


@pytest.mark.slow
@given(ANYTHING)
def test_anything_at_all_gives_hours_or_a_mistake(data: object) -> None:
    found = parse(data)
    if not isinstance(found, Hours):
        path, expected = found
        assert path.startswith("args.hours")
        assert expected


# --- a model that asks every minute ------------------------------------------------------------------


@attrs.frozen(eq=False)
class Window:
    """What clocks show at each minute of some days, as minutes on the line."""

    zone: str
    start: int
    """Milliseconds; the first of the minutes."""
    shown: Sequence[int]
    latest: Sequence[int]
    """The latest time that they have shown so far."""
    earliest: Sequence[int]
    """The earliest time that they will show from now on; one more than there are minutes."""


MARGIN = 2 * DAY  # minutes before and after what is compared, so that the model knows what reaches in


@lru_cache(maxsize=64)
def window(zone: str, start: int, days: int) -> Window:
    """Begins at midnight UTC, ``MARGIN`` before."""
    local = zoneinfo.ZoneInfo(zone)
    begin = datetime.fromtimestamp(start / 1000, UTC) - timedelta(minutes=MARGIN)
    shown = []
    for minute in range(days * DAY + 2 * MARGIN):
        wall = (begin + timedelta(minutes=minute)).astimezone(local)
        shown.append(wall.toordinal() * DAY + wall.hour * 60 + wall.minute)
    latest, earliest = shown[:], [*shown, shown[-1] + DAY]
    for minute in range(1, len(shown)):
        latest[minute] = max(latest[minute - 1], shown[minute])
    for minute in reversed(range(len(shown))):
        earliest[minute] = min(earliest[minute + 1], shown[minute])
    return Window(zone, start, shown, latest, earliest)


def model(hours: Hours, seen: Window) -> list[bool]:
    """Open or not at each minute: ``from`` has been shown or passed, and ``to`` isn't yet for the last time."""
    by_day = {day: list(spans_of(hours, day)) for day in range(seen.shown[0] // DAY - 2, max(seen.latest) // DAY + 3)}
    found = []
    for minute, wall in enumerate(seen.shown):
        passed, coming, present = seen.latest[minute], seen.earliest[minute + 1], seen.earliest[minute]
        today = wall // DAY
        spans = [span for day in (today - 1, today, today + 1) for span in by_day[day]]
        found.append(any(begin <= passed and (coming <= end or present < end) for begin, end in spans))
    return found


def spans_of(hours: Hours, day: int) -> Iterator[tuple[int, int]]:
    name = date.fromordinal(day).isoformat()
    own = [holiday for holiday in hours.holidays if holiday.date == name]
    if own:
        spans = list(own[0].spans)
    else:
        weekday = date.fromordinal(day).weekday()
        spans = [(span.begin, span.end) for span in hours.weekly if span.day == weekday]
    return ((day * DAY + begin, day * DAY + end) for begin, end in spans)


def agree(hours: Hours, start: int, days: int) -> None:
    """The module and the model say the same at each minute."""
    expected = model(hours, window(hours.zone, start, days))[MARGIN:-MARGIN]
    end = start + days * DAYS
    coming: int | None = None
    for minute in reversed(range(days * DAY)):
        now = start + minute * MINUTES
        if minute + 1 < len(expected) and expected[minute] is not expected[minute + 1]:
            coming = now + 1 * MINUTES
        assert is_open(hours, now) is expected[minute], now
        if minute % 30 == 0 or coming == now + MINUTES:
            later = next_change(hours, now)
            assert later == coming if coming is not None else later is None or later >= end, now


TURNS = {
    "Europe/Berlin": ("2026-03-29T02:00", "2026-10-25T02:00"),
    "America/New_York": ("2026-03-08T02:00", "2026-11-01T01:00"),
    "Asia/Kolkata": ("2026-03-29T02:00", "2028-02-29T00:00"),
    "Australia/Lord_Howe": ("2026-10-04T02:00", "2026-04-05T01:30"),
    "UTC": ("2026-12-31T23:00", "2028-02-29T00:00"),
    "Africa/Cairo": ("2024-04-26T00:00", "2024-10-31T23:00"),
    "America/St_Johns": ("2010-03-14T00:01", "2010-11-06T23:01"),  # so a day begins twice
    "Pacific/Apia": ("2011-12-30T00:00", "2012-04-01T03:00"),  # a day that never was
    "America/Sao_Paulo": ("2018-11-04T00:00", "2018-02-17T23:00"),
}
"""Local times at which clocks are put forward or begin to show an hour again; where they never are, any."""


def midnight(turn: str, before: int) -> int:
    """Of the UTC day so many days before."""
    return at(f"{turn[:10]}T00:00+00:00") - before * DAYS


@pytest.mark.slow
@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("zone", list(TURNS)[:5])
def test_three_weeks_agree_at_each_minute(zone: str, turn: int) -> None:
    spans = (
        *(Span(weekday, NINE, 12 * 60) for weekday in range(5)),
        *(Span(weekday, 12 * 60 + 30, 18 * 60) for weekday in range(4)),
        *(Span(4, 20 * 60, DAY), Span(5, 0, 60), Span(5, 2 * 60 + 10, 2 * 60 + 20), Span(5, 3 * 60, DAY)),
        *(Span(6, 0, 75), Span(6, 60 + 45, 2 * 60 + 15), Span(6, 2 * 60 + 40, 2 * 60 + 50), Span(6, 23 * 60, DAY)),
    )
    local = TURNS[zone][turn]
    after = date.fromisoformat(local[:10]) + timedelta(days=8)
    agree(Hours(zone, spans, (Holiday(after.isoformat(), ((60, 120),)),)), midnight(local, 10), 21)


AROUND = st.sampled_from([-61, -60, -31, -30, -29, -1, 0, 1, 14, 15, 29, 30, 31, 45, 59, 60, 61, 89, 90, 120])


@st.composite
def day_spans(draw: st.DrawFn, turn: int) -> list[tuple[int, int]]:
    """A few spans of a day, apart or touching, with edges mostly about that minute."""
    edges = draw(st.sets(AROUND.map(lambda after: (turn + after) % DAY), min_size=1, max_size=4))
    edges |= draw(st.sets(st.sampled_from([0, DAY]) | st.integers(0, DAY), max_size=2))
    spans = list(pairwise(sorted(edges)))
    return spans if draw(st.booleans()) else spans[draw(st.integers(0, 1)) :: 2]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Hours, str]:
    """Hours, and a turn in their zone: its day and those beside it are of one or the other kind, weekly or holiday."""
    zone = draw(st.sampled_from(list(TURNS)))
    turn = draw(st.sampled_from(TURNS[zone]))
    local = datetime.fromisoformat(turn)
    minute = local.hour * 60 + local.minute
    weekly, holidays = [], []
    for after in (-2, -1, 0, 1, 2):
        day = local.date() + timedelta(days=after)
        spans = draw(day_spans(minute))
        if draw(st.integers(0, 3)):
            weekly += [Span(day.weekday(), *span) for span in spans]
        else:
            holidays.append(Holiday(day.isoformat(), spans if draw(st.booleans()) else ()))
    return Hours(zone, weekly, holidays), turn


@pytest.mark.slow
@settings(max_examples=settings().max_examples // 4)
@given(scenes())
def test_any_hours_agree_about_a_turn_at_each_minute(scene: tuple[Hours, str]) -> None:
    hours, turn = scene
    agree(hours, midnight(turn, 1), 3)


@pytest.mark.slow
@settings(max_examples=settings().max_examples // 2)
@given(scenes(), st.integers(0, 60 * DAYS))
def test_the_next_change_is_the_first_and_strictly_later(scene: tuple[Hours, str], offset: int) -> None:
    hours, turn = scene
    now = midnight(turn, 30) + offset
    later = next_change(hours, now)
    before = is_open(hours, now)
    if later is None:
        assert {is_open(hours, now + step * 31 * HOUR) for step in range(400 * 24 // 31)} == {before}
        return
    assert now < later <= now + limits.HOURS_AHEAD
    assert is_open(hours, later) is not before
    assert is_open(hours, later - 1) is before
    assert {is_open(hours, now + (later - now) * step // 16) for step in range(16)} == {before}
    between = next_change(hours, (now + later) // 2)
    assert between == later


@pytest.mark.slow
@given(scenes())
def test_any_hours_are_read_back_as_they_were_given(scene: tuple[Hours, str]) -> None:
    hours, _ = scene
    assert parse(as_data(hours)) == hours
    assert restore(as_data(hours)) == hours
    assert hours.weekly == tuple(sorted(hours.weekly))


# --- planted faults ----------------------------------------------------------------------------------


def found_by_the_property() -> None:
    """The property of any hours fails; quickly, for nobody wants to read the smallest example."""

    @settings(max_examples=60, phases=[Phase.generate], database=None, derandomize=True)
    @given(scenes())
    def anything_goes(scene: tuple[Hours, str]) -> None:
        agree(scene[0], midnight(scene[1], 1), 3)

    with pytest.raises(AssertionError):
        anything_goes()


def moment_of(zone: tzinfo, minute: int, fold: int) -> int:
    local = datetime.fromordinal(minute // DAY) + timedelta(minutes=minute % DAY)
    return round(local.replace(tzinfo=zone, fold=fold).timestamp() * 1000)


def ignore_the_fold(zone: tzinfo, minute: int, *, last: bool) -> int:
    return moment_of(zone, minute, 0)


def swap_the_folds(zone: tzinfo, minute: int, *, last: bool) -> int:
    return moment_of(zone, minute, 0 if last else 1)


def ignore_the_jump(zone: tzinfo, minute: int, *, last: bool) -> int:
    return moment_of(zone, minute, 1 if last else 0)


def ignore_the_zone(zone: tzinfo, minute: int, *, last: bool) -> int:
    return moment_of(UTC, minute, 0)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [ignore_the_fold, swap_the_folds, ignore_the_jump, ignore_the_zone])
def test_the_property_finds_a_fault_of_the_clock(fault: object, monkeypatch: Patch) -> None:
    monkeypatch.setattr(clock, "_moment", fault)
    found_by_the_property()


@pytest.mark.slow
def test_the_property_finds_days_that_are_not_joined(monkeypatch: Patch) -> None:
    def apart(hours: Hours, first: int, last: int) -> Iterator[tuple[int, int]]:
        for day in range(first, last + 1):
            for begin, end in hours.on(day):
                yield day * DAY + begin, day * DAY + end - 1

    monkeypatch.setattr(clock, "_joined", apart)
    found_by_the_property()


@pytest.mark.slow
def test_the_property_finds_a_week_that_begins_on_sunday(monkeypatch: Patch) -> None:
    real = Hours.on
    monkeypatch.setattr(Hours, "on", lambda hours, day: real(hours, day + 1))
    found_by_the_property()


def test_days_of_the_week_are_named_as_python_counts_them() -> None:
    assert [date(2026, 11, 23 + day).strftime("%a").lower() for day in range(7)] == list(WEEK)
