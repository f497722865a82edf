"""Logs: lines that say what happened, and can't say what a person wrote."""

import json
import os
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.desk.identity import Role
from broker.identity.apikeys import ApiKeys
from broker.identity.tokens import Signer
from broker.observe.logs import LINE_BYTES, MAX_EVENTS, WORD_CHARS, Fields, Level, Log, Stream, place
from broker.runtime.log import Tell

NOW = 1_700_000_000_123


class Desk:
    """A log, its lines and its clock."""

    def __init__(self, **options: object) -> None:
        self.now = NOW
        self.lines: list[str] = []
        self.taken = True
        self.log = Log(self.sink, lambda: self.now, **options)  # type: ignore[arg-type]  # as the tests give them

    def sink(self, line: str) -> bool:
        if self.taken:
            self.lines.append(line)
        return self.taken

    def objects(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


def test_a_line_of_text_reads_from_left_to_right() -> None:
    desk = Desk()
    desk.log.info("connection.opened", account="acme", link=7, address="127.0.0.1")
    assert desk.lines == ["2023-11-14T22:13:20.123Z info    connection.opened account=acme link=7 address=127.0.0.1\n"]


def test_a_line_of_json_is_one_object() -> None:
    desk = Desk(as_json=True)
    desk.log.warning("commit.slow", ms=12.5, count=3)
    assert desk.objects() == [
        {"t": "2023-11-14T22:13:20.123Z", "level": "warning", "event": "commit.slow", "ms": 12.5, "count": 3}
    ]


def test_less_than_the_level_is_not_written() -> None:
    desk = Desk(level=Level.WARNING)
    desk.log.debug("a")
    desk.log.info("b")
    desk.log.warning("c")
    desk.log.error("d")
    assert [line.split()[2] for line in desk.lines] == ["c", "d"]


@pytest.mark.parametrize(
    "value",
    [
        "my card number is secret",
        "two\nlines",
        'quo"ted',
        "",
        "x" * (WORD_CHARS + 1),
        "naïve",
        "123456789",
        "123-456-789",
        "v1.abc.def",
        ApiKeys(bytes(32)).make(bytes(42)).text,
        Signer(bytes(32)).mint("acme", "ann", Role.REPRESENTATIVE, NOW),
        None,
        b"bytes",
        ["a"],
        5,
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_no_word_is_printed_as_a_question_mark(value: object, as_json: bool) -> None:  # noqa: FBT001
    desk = Desk(as_json=as_json)
    desk.log.info("x", reason=value)  # type: ignore[arg-type]  # what a mistake would do
    (line,) = desk.lines
    assert line.rstrip().endswith('"reason":"?"}' if as_json else "reason=?")
    assert desk.log.statistics().redacted == 1


@pytest.mark.parametrize("value", ["7", None, True, float("nan"), float("inf"), [1]])
def test_what_is_no_number_is_printed_as_a_question_mark(value: object) -> None:
    desk = Desk(as_json=True)
    desk.log.info("x", count=value)  # type: ignore[arg-type]  # what a mistake would do
    assert desk.objects()[0]["count"] == "?"


def test_a_field_that_does_not_exist_is_left_out_and_counted() -> None:
    desk = Desk()
    desk.log.info("x", text="hello", seq=1)  # type: ignore[call-arg]  # what a mistake would do
    assert desk.lines[0].endswith(" x seq=1\n")
    assert desk.log.statistics().redacted == 1


@given(
    st.text(),
    st.dictionaries(
        st.sampled_from(sorted(Fields.__annotations__)) | st.text(max_size=8),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        max_size=40,
    ),
    st.booleans(),
)
def test_whatever_is_logged_gives_one_short_line_of_words(event: str, fields: Fields, as_json: bool) -> None:  # noqa: FBT001
    desk = Desk(as_json=as_json)
    desk.log.info(event, **fields)
    (line,) = desk.lines
    assert line.isascii()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert len(line) <= LINE_BYTES
    if as_json:
        assert all(isinstance(value, str | int | float) for value in json.loads(line).values())
    else:
        assert re.fullmatch(r"\S+ info    \S+( [a-z]+=\S+)*\n", line)


@given(st.text(min_size=2).filter(lambda text: not re.fullmatch(r"[!-~]*", text)))
def test_no_text_gets_in_through_any_field(text: str) -> None:
    desk = Desk(as_json=True)
    desk.log.error("x", **dict.fromkeys(Fields.__annotations__, text))  # type: ignore[arg-type]  # all alike
    assert set(desk.objects()[0].values()) == {"2023-11-14T22:13:20.123Z", "error", "x", "?"} | {
        desk.objects()[0]["at"]  # a list of places, each of them a word or a question mark
    }
    assert set(str(desk.objects()[0]["at"])) <= set("?,") | set(text.replace(" ", ""))


def fail(text: str) -> None:
    raise ValueError(text)


def test_an_exception_is_told_by_class_and_place_not_by_its_message() -> None:
    desk = Desk(as_json=True)
    try:
        fail("what the customer wrote")
    except ValueError as error:
        desk.log.exception("internal", error, correlation="c_1")
    (line,) = desk.objects()
    assert (line["level"], line["error"], line["correlation"]) == ("error", "ValueError", "c_1")
    assert re.match(r"test_logs\.py:\d+:fail,test_logs\.py:\d+:test_an_exception", str(line["at"]))
    assert "customer" not in desk.lines[0]


def test_the_runtimes_way_of_telling_is_the_same() -> None:
    desk = Desk(as_json=True)
    tell: Tell = desk.log.tell
    tell("debug", "a")
    tell("warning", "b", seq=1, account="acme")
    tell("loud", "c")
    lines = [(line["level"], line["event"]) for line in desk.objects()]
    assert lines == [("warning", "b"), ("error", "c")]


def test_an_exception_that_was_never_raised_has_no_place() -> None:
    assert place(ValueError()) == "nowhere"


def test_a_flood_of_one_event_is_told_by_its_number() -> None:
    desk = Desk(as_json=True, event_rate=(1, 3))
    for _ in range(10):
        desk.log.info("flood")
    desk.log.info("other")
    desk.now += 1000
    desk.log.info("flood")
    desk.now += 1000
    desk.log.info("flood")
    assert [(line["event"], line.get("suppressed")) for line in desk.objects()] == [
        ("flood", None),
        ("flood", None),
        ("flood", None),
        ("other", None),
        ("flood", 7),
        ("flood", None),
    ]
    assert desk.log.statistics().suppressed == 7


def test_all_events_together_are_bounded() -> None:
    desk = Desk(total_rate=(1, 5))
    for number in range(50):
        name = f"event.{number}"
        desk.log.info(name)
    assert len(desk.lines) == 5


def test_a_flood_of_names_is_a_flood() -> None:
    desk = Desk(event_rate=(1, 2), total_rate=(1e6, 1e6))
    for number in range(MAX_EVENTS + 100):
        name = f"event.{number}"
        desk.log.info(name)
    assert len(desk.lines) == MAX_EVENTS + 2


def test_a_clock_that_stands_still_or_jumps_breaks_nothing() -> None:
    desk = Desk()
    desk.now -= 10_000
    desk.log.info("x")
    assert len(desk.lines) == 1


def test_a_line_nobody_takes_is_dropped_and_counted() -> None:
    desk = Desk()
    desk.taken = False
    desk.log.info("x")
    desk.taken = True
    desk.log.info("x")
    statistics = desk.log.statistics()
    assert (statistics.lines, statistics.dropped) == (1, 1)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


def test_a_full_pipe_drops_lines_instead_of_waiting(pipe: tuple[int, int]) -> None:
    read, write = pipe
    stream = Stream(write, os.write)
    line = "x" * 4000 + "\n"
    taken = 0
    while stream(line):
        taken += 1
        assert taken < 10_000, "a pipe is full some time"
    assert not stream(line)
    os.read(read, 1 << 20)
    assert stream(line)


def test_a_reader_that_is_gone_breaks_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = Stream(write, os.write)
    assert not stream("x\n")
    os.close(write)
    assert not stream("x\n")


def test_a_full_disk_breaks_nothing(pipe: tuple[int, int]) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    write: Callable[[int, bytes], int] = full
    assert not Stream(pipe[1], write)("x\n")
