"""Business hours and holidays of a portal, as data on an absolute clock: open at this moment, and until when.

Only deciding asks: the answer depends on the time zone database, so what was decided goes into an event, and replay
never asks again. ``parse`` takes the words of an operation, ``as_data`` gives them back.

Theory of operation. Hours are local, and local time is a line of minutes that no daylight saving disturbs: on it, spans
that touch are joined, over midnight too. Each joined stretch is then put on the absolute clock:

- a local time that exists once begins and ends a stretch where it is;
- one that doesn't exist, because clocks are put forward over it, is the moment when they jump past it;
- one that exists twice, because clocks are put back, begins a stretch at its first and ends one at its last occurrence.
  So on that night a span that ends within the repeated hour stays open until the second time, without a break.

Stretches that are apart on the line can meet or overlap there, or be empty: ``next_change`` walks over them in order.
"""

from __future__ import annotations

import re
from bisect import bisect, bisect_left
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NotRequired, TypedDict, cast
from zoneinfo import ZoneInfo

import attrs

from broker import limits
from broker.protocol import fields
from broker.units import DAYS, SECONDS

Minutes = tuple[int, int]
"""Begin and end of a span in minutes of the local day: 0 to 1440, which is 24:00; begin before end."""

Mistake = tuple[str, str]
"""Path and expectation, as ``bad_args`` takes them."""

WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60  # minutes of a local day, on the line


@attrs.frozen(order=True)
class Span:
    """Open on this day of every week."""

    day: int
    """0 to 6, Monday first."""
    begin: int
    end: int
    """Both as in ``Minutes``."""


def _sorted_minutes(spans: Iterable[Minutes]) -> tuple[Minutes, ...]:
    return tuple(sorted(spans))


@attrs.frozen(order=True)
class Holiday:
    """A local day that is not as its day of the week."""

    date: str
    """YYYY-MM-DD."""
    spans: tuple[Minutes, ...] = attrs.field(default=(), converter=_sorted_minutes)
    """Open in these; closed all day if there are none."""


def _sorted_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    return tuple(sorted(spans))


def _sorted_holidays(holidays: Iterable[Holiday]) -> tuple[Holiday, ...]:
    return tuple(sorted(holidays))


def _by_weekday(hours: Hours) -> tuple[tuple[Minutes, ...], ...]:
    return tuple(tuple((span.begin, span.end) for span in hours.weekly if span.day == day) for day in range(7))


def _by_date(hours: Hours) -> dict[int, tuple[Minutes, ...]]:
    return {date.fromisoformat(holiday.date).toordinal(): holiday.spans for holiday in hours.holidays}


@attrs.frozen
class Hours:
    """When a portal is open. Both lists are kept in order, so equal hours are equal however they were given.

    Nothing is checked here: ``parse`` does that."""

    zone: str
    """IANA name. One that this machine's database doesn't have counts as UTC: hours from a journal that another machine
    wrote mustn't stop the desk."""
    weekly: tuple[Span, ...] = attrs.field(converter=_sorted_spans)
    holidays: tuple[Holiday, ...] = attrs.field(default=(), converter=_sorted_holidays)
    _week: tuple[tuple[Minutes, ...], ...] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_by_weekday, takes_self=True)
    )
    _dates: dict[int, tuple[Minutes, ...]] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_by_date, takes_self=True)
    )

    def on(self, day: int) -> tuple[Minutes, ...]:
        """The spans of a local day in order; ``day`` as ``date.toordinal`` counts them."""
        found = self._dates.get(day)
        return self._week[(day - 1) % 7] if found is None else found  # day 1 was a Monday


# --- from an operation's arguments, and back ---------------------------------------------------------

# "from" is no name in Python
SpanData = TypedDict("SpanData", {"day": str, "from": str, "to": str})
HolidayData = TypedDict("HolidayData", {"date": str, "from": NotRequired[str], "to": NotRequired[str]})


class HoursData(TypedDict):
    """Hours as an operation has them. Times are HH:MM to 24:00; a date with several spans is there several times."""

    zone: str
    weekly: list[SpanData]
    holidays: list[HolidayData]


_TIME: Final = {"type": "str", "max": 5}
_SHAPE: Final = fields.compile_map(
    {
        "zone": {"type": "str", "min": 1, "max": limits.MAX_ZONE_BYTES},
        "weekly": {
            "type": "list",
            "max": limits.MAX_WEEKLY_SPANS,
            "of": {"type": "map", "fields": {"day": {"type": "enum", "values": WEEK}, "from": _TIME, "to": _TIME}},
        },
        "holidays": {
            "type": "list",
            "max": limits.MAX_HOLIDAYS,
            "optional": True,
            "of": {
                "type": "map",
                "fields": {
                    "date": {"type": "str", "max": 10},
                    "from": {**_TIME, "optional": True},
                    "to": {**_TIME, "optional": True},
                },
            },
        },
    }
)

_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
"""Of a zone. The database's folder also holds posix/…, right/… (with leap seconds) and localtime: no names."""


def parse(data: object, path: str = "args.hours") -> Hours | Mistake:
    """The hours that these arguments mean, or the first mistake in them; ``path`` is where they are."""
    try:
        shaped = cast("HoursData", _SHAPE(data))
        if _zone(shaped["zone"]) is None:
            raise fields.Wrong(".zone", "the name of a time zone, such as Europe/Berlin")
        return restore(shaped)
    except fields.Wrong as wrong:
        return f"{path}{wrong.path}", wrong.expected


def restore(data: HoursData) -> Hours:
    """The hours that ``as_data`` or a checked operation put like this. Replay may call it: no time zone is read."""
    days: dict[int, list[Minutes]] = {}
    for number, item in enumerate(data["weekly"]):
        where = f".weekly[{number}]"
        _add(days.setdefault(WEEK.index(item["day"]), []), _minutes(item["from"], item["to"], where), where)
    weekly = [Span(day, *minutes) for day, spans in days.items() for minutes in spans]
    return Hours(data["zone"], tuple(weekly), _holidays(data.get("holidays", [])))


def _holidays(items: list[HolidayData]) -> tuple[Holiday, ...]:
    dates: dict[str, list[Minutes]] = {}
    for number, item in enumerate(items):
        where = f".holidays[{number}]"
        name = item["date"]
        if not _is_date(name):
            raise fields.Wrong(f"{where}.date", "a date YYYY-MM-DD")
        begin, end = item.get("from"), item.get("to")
        known = dates.get(name)
        if begin is None and end is None:
            if known is not None:
                raise fields.Wrong(f"{where}.date", "a closed date once, and no spans of it")
            dates[name] = []
            continue
        if known == []:
            raise fields.Wrong(f"{where}.date", "a closed date once, and no spans of it")
        _add(dates.setdefault(name, []), _minutes(begin or "", end or "", where), where)
    return tuple(Holiday(name, tuple(spans)) for name, spans in dates.items())


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text  # it would take 20261225 and 2026-W52-5 too
    except ValueError:
        return False


def _minutes(begin: str, end: str, where: str) -> Minutes:
    low, high = _minute(begin, f"{where}.from"), _minute(end, f"{where}.to")
    if low >= high:
        raise fields.Wrong(f"{where}.to", "a time after from; for hours over midnight, 24:00 and another span")
    return low, high


def _minute(text: str, where: str) -> int:
    if _CLOCK.fullmatch(text) is None:
        raise fields.Wrong(where, "a time HH:MM from 00:00 to 24:00")
    return int(text[:2]) * 60 + int(text[3:])


def _add(spans: list[Minutes], new: Minutes, where: str) -> None:
    """Put it in its place among the day's spans."""
    place = bisect(spans, new)
    if (place > 0 and spans[place - 1][1] > new[0]) or (place < len(spans) and spans[place][0] < new[1]):
        raise fields.Wrong(where, "a span that doesn't overlap another of its day")
    spans.insert(place, new)


def as_data(hours: Hours) -> HoursData:
    """What ``parse`` makes the same hours of, in order of day and time."""
    holidays: list[HolidayData] = []
    for holiday in hours.holidays:
        if not holiday.spans:
            holidays.append({"date": holiday.date})
        for begin, end in holiday.spans:
            holidays.append({"date": holiday.date, "from": _text(begin), "to": _text(end)})
    return {
        "zone": hours.zone,
        "weekly": [{"day": WEEK[span.day], "from": _text(span.begin), "to": _text(span.end)} for span in hours.weekly],
        "holidays": holidays,
    }


def _text(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


# --- on the clock ------------------------------------------------------------------------------------

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def is_open(hours: Hours, now_ms: int) -> bool:
    """Whether this moment is within the hours."""
    # clocks are put forward and back by a day at most, so no later day's span can reach here
    first = next(_stretches(hours, now_ms, 1), None)
    return first is not None and first[0] <= now_ms


def next_change(hours: Hours, now_ms: int) -> int | None:
    """The first moment after now at which ``is_open`` differs; None if there is none within ``limits.HOURS_AHEAD``.

    At most one step for each of those days, and a look at the clock for the few stretches around the change."""
    reached = now_ms  # open from now to here
    change = None
    for begin, end in _stretches(hours, now_ms, limits.HOURS_AHEAD // DAYS + 2):
        if begin > reached:
            change = begin if reached == now_ms else reached
            break
        reached = max(reached, end)
    else:
        change = reached if reached > now_ms else None
    return change if change is not None and change <= now_ms + limits.HOURS_AHEAD else None


def _stretches(hours: Hours, now_ms: int, days: int) -> Iterator[tuple[int, int]]:
    """Begin and end (ms) of what is open now and later, up to so many local days after today's, in order."""
    zone = _zone(hours.zone) or UTC
    today = _local(zone, now_ms).toordinal()
    for first, last in _joined(hours, today - 1, today + days):
        end = _moment(zone, last, last=True)
        if end > now_ms and (begin := _moment(zone, first, last=False)) < end:
            yield begin, end


def _joined(hours: Hours, first: int, last: int) -> Iterator[Minutes]:
    """Spans of these days on the line of local minutes since day 0, in order; those that touch as one."""
    begin = end = first * DAY
    for day in range(first, last + 1):
        for low, high in hours.on(day):
            if day * DAY + low > end:
                if begin < end:
                    yield begin, end
                begin = day * DAY + low
            end = day * DAY + high
    if begin < end:
        yield begin, end


def _moment(zone: tzinfo, minute: int, *, last: bool) -> int:
    """When clocks show this minute of the line (ms): at the first or last of two times, or as soon as they are past it
    if they never show it."""
    local = datetime.fromordinal(minute // DAY) + timedelta(minutes=minute % DAY)
    one, other = ((local.replace(tzinfo=zone, fold=fold) - _EPOCH) // _MILLISECOND for fold in (0, 1))
    if one <= other:
        return other if last else one
    # Skipped: the first reads the clock of before and so lies after the jump, the second the other way round.
    seconds = range(other, one, 1 * SECONDS)
    return other + bisect_left(seconds, True, key=lambda moment: _local(zone, moment) >= local) * SECONDS


def _local(zone: tzinfo, moment: int) -> datetime:
    """What clocks show."""
    return (_EPOCH + moment * _MILLISECOND).astimezone(zone).replace(tzinfo=None)


@lru_cache(maxsize=limits.MAX_ZONES)
def _zone(name: str) -> tzinfo | None:
    """Kept: ``zoneinfo`` itself holds on to eight, and would read the others from disk again and again."""
    if _NAME.fullmatch(name) is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # there is none; a file of something else; a folder, on some systems
        return None
