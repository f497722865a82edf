"""Structured logs that can't hold a message's text, a name, a token or a pin.

Theory of operation. A line is an event's name and fields. Field names are a closed list, and each has a shape:
a number, or a word. A word has no blanks, is at most 96 characters long, and is neither a token nor all digits;
whatever else is given for it is printed as ``?``. So a text gets into the log neither by mistake nor by
malice, and a peer can't forge a line. Exceptions are told by their class and place, never by their message,
which may quote what a person wrote.

Lines are bounded: at most 4 KiB each, so many a second for each event and over all; what was left out is
counted and told by the next line of that event. Nothing waits for who reads them: a line that can't be written
at once is dropped and counted, because a full pipe must not stop the hub.
"""

from __future__ import annotations

import json
import math
import re
import select
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, Protocol, TypedDict, Unpack, get_type_hints

import attrs

LINE_BYTES: Final = 4096  # PIPE_BUF: a pipe that is ready to write takes so much at once
WORD_CHARS: Final = 96  # ids have 64, streams up to 80; a token has more
MAX_EVENTS: Final = 256  # names of events whose rate is kept: they are literals in the code
EVENT_RATE: Final = (10, 50)  # lines a second and burst, of one event: a flood is told, not shown
TOTAL_RATE: Final = (100, 500)  # the same over all events: about 20 KiB a second
_PLACES: Final = 8  # innermost places told of an exception

_WORD: Final = re.compile(rf"[A-Za-z0-9_.:/@*%\[\]<>=+-]{{1,{WORD_CHARS}}}", re.ASCII)
_SECRET: Final = re.compile(r"v1\..*|hg_[^_]*_.*|[0-9][0-9-]{7,}", re.ASCII)  # a token, an API key, digits like a pin's


class Level(IntEnum):
    """How much a line matters."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


class Fields(TypedDict, total=False):
    """The fields that a line may have. Type checkers refuse others; at run time they are left out and counted."""

    # words
    account: str
    address: str
    """A peer's network address."""
    by: str
    """Who or what caused it: a person's id, a component."""
    connection: str
    correlation: str
    """Also in the FAIL that told a client of an internal error."""
    error: str
    """The class of an exception."""
    file: str
    """The id of a file that was sent; never its name."""
    at: str
    """Where an exception came from; see ``place``."""
    kind: str
    offer: str
    op: str
    origin: str
    path: str
    person: str
    portal: str
    reason: str
    """A word of ours, not a text."""
    request: str
    role: str
    session: str
    share: str
    state: str
    stream: str
    url: str
    version: str
    # numbers
    bytes: int
    code: int
    """One of ``broker.codes``, or a WebSocket close code."""
    count: int
    epoch: int
    link: int
    ms: float
    """How long it took."""
    number: int
    offset: int
    pid: int
    port: int
    seq: int


_HINTS: Final = get_type_hints(Fields)


class Sink(Protocol):
    """Where lines go."""

    def __call__(self, line: str) -> bool:
        """Take a line (with its end); False where it had to be dropped."""


@attrs.frozen
class Statistics:
    """What a log can say of itself."""

    lines: int
    suppressed: int
    """Left out because there were too many."""
    dropped: int
    """Left out because nobody took them."""
    redacted: int
    """Values printed as ``?``, and fields that don't exist: a mistake in the code that logs."""


class Log:
    """Writes lines. Never raises for what it is given: logging must not break what it tells of."""

    def __init__(
        self,
        sink: Sink,
        now: Callable[[], int],
        *,
        level: Level = Level.INFO,
        as_json: bool = False,
        event_rate: tuple[float, float] = EVENT_RATE,
        total_rate: tuple[float, float] = TOTAL_RATE,
    ) -> None:
        """``now`` gives milliseconds since 1970 UTC; rates are lines a second and burst."""
        self.level = level
        self._sink = sink
        self._now = now
        self._render = _as_json if as_json else _as_text
        self._event_rate = event_rate
        self._total = _Allowance(*total_rate, at=now())
        self._events: dict[str, _Allowance] = {}
        self._lines = self._suppressed = self._dropped = self._redacted = 0

    def debug(self, event: str, /, **fields: Unpack[Fields]) -> None:
        """Something to look at while developing."""
        self._write(Level.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Unpack[Fields]) -> None:
        """Something that an operator may want to know."""
        self._write(Level.INFO, event, fields)

    def warning(self, event: str, /, **fields: Unpack[Fields]) -> None:
        """Something that will be wrong if it goes on."""
        self._write(Level.WARNING, event, fields)

    def error(self, event: str, /, **fields: Unpack[Fields]) -> None:
        """Something that is wrong."""
        self._write(Level.ERROR, event, fields)

    def tell(self, level: str, event: str, **fields: str | int | float) -> None:
        """The same for who knows the level only as a word (``runtime.log.Tell``)."""
        self._write(Level[level.upper()] if level.upper() in Level.__members__ else Level.ERROR, event, fields)

    def exception(self, event: str, raised: BaseException, /, **fields: Unpack[Fields]) -> None:
        """An error that nobody expected: its class and place, not its message."""
        fields["error"] = type(raised).__name__
        fields["at"] = place(raised)
        self._write(Level.ERROR, event, fields)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self._lines, self._suppressed, self._dropped, self._redacted)

    def _write(self, level: Level, event: str, fields: Mapping[str, object]) -> None:
        if level < self.level:
            return
        now = self._now()
        kept = self._events.get(event)
        if kept is None:
            # Past the bound all further names share one allowance: a flood of names is a flood too.
            name = event if len(self._events) < MAX_EVENTS else ""
            kept = self._events.setdefault(name, _Allowance(*self._event_rate, at=now))
        if not (kept.may(now) and self._total.may(now)):
            kept.suppressed += 1
            self._suppressed += 1
            return
        shown = {"t": _time(now), "level": level.name.lower(), "event": self._word(event)}
        line: dict[str, object] = {**shown, **self._clean(fields)}
        if kept.suppressed:
            line["suppressed"] = kept.suppressed
        text = self._render(line)
        if len(text) >= LINE_BYTES:  # all is ASCII; can't happen while fields and words are as few and short
            text = self._render(shown)
        if self._sink(f"{text}\n"):
            self._lines += 1
            kept.suppressed = 0
        else:
            self._dropped += 1

    def _clean(self, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields that may be shown, as they may be shown."""
        clean: dict[str, object] = {}
        for name, value in fields.items():
            if name not in _HINTS:
                self._redacted += 1
            elif _HINTS[name] is str:
                clean[name] = self._places(value) if name == "at" else self._word(value)
            elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                clean[name] = value
            else:
                clean[name] = "?"
                self._redacted += 1
        return clean

    def _word(self, value: object) -> str:
        text = value if isinstance(value, str) else ""
        if _WORD.fullmatch(text) is None or _SECRET.fullmatch(text) is not None:
            self._redacted += 1
            return "?"
        return text

    def _places(self, value: object) -> str:
        """``at`` is several words, each a place in our code."""
        return ",".join(self._word(part) for part in str(value).split(",")[:_PLACES])


def place(error: BaseException) -> str:
    """Where an exception came from, innermost first: ``hub.py:120:tick,serve.py:40:run``."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    return ",".join(f"{_file(frame.filename)}:{frame.lineno}:{frame.name}" for frame in reversed(frames)) or "nowhere"


class Stream:
    """A sink that never waits: a file descriptor written to only while it takes a line at once."""

    def __init__(self, descriptor: int, write: Callable[[int, bytes], int]) -> None:
        """``write`` is ``os.write`` in a running broker."""
        self._descriptor = descriptor
        self._write = write

    def __call__(self, line: str) -> bool:
        """Write, or drop."""
        try:
            poller = select.poll()
            poller.register(self._descriptor, select.POLLOUT)
            if not poller.poll(0):
                return False
            return self._write(self._descriptor, line.encode("ascii", "replace")) > 0
        except OSError:  # closed, or its disk is full: there is nobody to tell
            return False


@attrs.define
class _Allowance:
    """So many lines a second, so many at once."""

    per_second: float
    burst: float
    at: int
    suppressed: int = 0
    tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.tokens = self.burst

    def may(self, now: int) -> bool:
        """Take one, if there is one."""
        self.tokens = min(self.burst, self.tokens + max(0, now - self.at) * self.per_second / 1000)
        self.at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def _file(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _time(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _as_json(line: Mapping[str, object]) -> str:
    return json.dumps(line, separators=(",", ":"))


def _as_text(line: Mapping[str, object]) -> str:
    rest = [f"{name}={value}" for name, value in line.items() if name not in ("t", "level", "event")]
    return " ".join([str(line["t"]), f"{line['level']:<7}", str(line["event"]), *rest])
