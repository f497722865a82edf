from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import RemoteProtocolError
from broker.protocol.frames import Frame, Signal, Unknown
from broker.protocol.rows import quickly, sound, to_frame
from tests.protocol.samples import bad, edges, fitting, good, sample_frame, tables

FRAMES_OF = tables()["frames"]
NAMES = sorted(FRAMES_OF)
BY_HAND = ("ping", "pong", "request", "result", "event", "signal")


def unnoticed(name: str, read: Any) -> list[Any]:
    """Bad rows of a kind that a reader lets through, or for which it names another field."""
    described = FRAMES_OF[name]
    through: list[Any] = []
    row = [described["kind"], *(good(f) for f in described["fields"])]
    for at, spec in enumerate(described["fields"], 1):
        wrong = [(path, [*row[:at], value, *row[at + 1 :]]) for path, value in bad(spec)]
        if not spec.get("optional"):
            wrong.append(("", row[:at]))
        for path, spoiled in wrong:
            try:
                read(spoiled)
            except RemoteProtocolError as exc:
                if exc.text.startswith(f"{name.upper()}.{spec['name']}{path}: "):
                    continue
                if "2**53" in exc.text and exc.text.startswith(f"{name.upper()}.{spec['name']}"):
                    continue  # no int of a frame may be so large, wherever it is
            through.append(spoiled)
    return through


@pytest.mark.parametrize("name", NAMES)
def test_a_row_becomes_the_frame_it_was_made_of(name: str) -> None:
    for frame in (sample_frame(name), sample_frame(name, full=False)):
        assert to_frame(list(frame.row())) == frame


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_every_kind_is_checked_and_named(name: str) -> None:
    assert unnoticed(name, to_frame) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_that_checks_nothing_is_noticed(name: str) -> None:
    assert unnoticed(name, lambda row: row) != []


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_and_smallest_fields_are_accepted(name: str) -> None:
    described = FRAMES_OF[name]
    row = [described["kind"], *(good(f) for f in described["fields"])]
    for at, spec in enumerate(described["fields"], 1):
        for value in edges(spec):
            to_frame([*row[:at], value, *row[at + 1 :]])


@pytest.mark.parametrize("name", NAMES)
def test_elements_beyond_the_fields_are_ignored(name: str) -> None:
    frame = sample_frame(name)
    assert to_frame([*frame.row(), "later", {"more": [1.5]}]) == frame


@pytest.mark.parametrize("extra", [2**53, float("nan"), [[[[[[[[]]]]]]]]])
def test_elements_beyond_the_fields_keep_the_profile(extra: object) -> None:
    with pytest.raises(RemoteProtocolError, match="beyond its fields"):
        to_frame([3, 1, 0, extra])
    with pytest.raises(RemoteProtocolError, match="frame of kind 99"):
        to_frame([99, extra])


@pytest.mark.parametrize("kind", [5, 15, 99, 127, 128, 191])
def test_a_kind_nobody_knows_is_kept_as_it_is(kind: int) -> None:
    assert to_frame([kind, "a", 1]) == Unknown(kind, ("a", 1))


@pytest.mark.parametrize("kind", [-1, 192, 2**70, True, 3.0, "3", None, [3], {}])
def test_what_is_no_kind_is_refused(kind: object) -> None:
    with pytest.raises(RemoteProtocolError, match="a kind from 0 to 191"):
        to_frame([kind, 1, 0])
    assert quickly([kind, 1, 0], 10, 0) is None


def test_an_empty_row_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="a kind from 0 to 191"):
        to_frame([])


def test_an_unknown_kind_of_signal_reads_as_ice() -> None:
    assert to_frame([34, "h_1", "brand-new", b""]) == Signal("h_1", "ice", b"")


def both(row: list[Any]) -> tuple[Frame | None, Frame | None]:
    """A row read by hand and by the schema; None where it is refused."""
    try:
        slow = to_frame(list(row))
    except RemoteProtocolError:
        slow = None
    try:
        fast = quickly(list(row), 10, 4096)
    except RemoteProtocolError:
        fast = None
    return fast, slow


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_HAND)
@given(data=st.data())
def test_what_is_read_by_hand_is_read_the_same(name: str, data: st.DataObject) -> None:
    described = FRAMES_OF[name]
    row = [described["kind"], *(data.draw(fitting(f)) for f in described["fields"])]
    while row[-1] is None and described["fields"][len(row) - 2].get("optional") and data.draw(st.booleans()):
        row.pop()
    fast, slow = both(row)
    assert fast is not None
    assert fast == slow


@pytest.mark.parametrize("name", NAMES)
def test_what_is_refused_by_hand_is_refused_the_same(name: str) -> None:
    described = FRAMES_OF[name]
    row = [described["kind"], *(good(f) for f in described["fields"])]
    for at, spec in enumerate(described["fields"], 1):
        for value in [*(wrong for _, wrong in bad(spec)), *edges(spec)]:
            fast, slow = both([*row[:at], value, *row[at + 1 :]])
            assert fast == slow
    for length in range(len(row) + 3):
        fast, slow = both([*row, "later", 1][:length])
        assert fast == slow


@pytest.mark.parametrize("row", [None, 7, "x", {}, [], (3, 1, 0)])
def test_what_is_no_row_needs_a_closer_look(row: object) -> None:
    assert quickly(row, 10, 4096) is None


def test_what_may_hold_too_many_values_needs_a_closer_look() -> None:
    assert quickly([16, 1, "x", {}], 4097, 4096) is None
    assert quickly([99], 4097, 4096) is None
    assert quickly([34, "h_1", "ice", b"x"], 4097, 4096) is not None
    assert quickly([3, 1, 0], 4097, 4096) is not None


@pytest.mark.parametrize(
    "value", [2**53 - 1, -(2**53) + 1, 1.5, "x", b"x", None, True, [[[[[[[]]]]]]], {"a": {"b": 1}}]
)
def test_sound_values_pass(value: object) -> None:
    sound(value, 2, "here")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (2**53, "2**53"),
        (-(2**53), "2**53"),
        ([1, 2**53], "2**53"),
        ({"a": [{"b": -(2**60)}]}, "2**53"),
        (float("nan"), "no number"),
        ([float("inf")], "no number"),
        ({"a": float("-inf")}, "no number"),
        ([[[[[[[[]]]]]]]], "nested deeper than 8"),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}, "nested deeper than 8"),
    ],
)
def test_unsound_values_are_refused_by_name(value: object, says: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        sound(value, 2, "here")
    assert caught.value.text.startswith("here: ")
    assert says in caught.value.text


def test_a_signal_with_too_much_data_is_read_for_whoever_asks_for_it_alone() -> None:
    row: list[object] = [34, "h_1", "ice", bytes(16385)]
    with pytest.raises(RemoteProtocolError, match=r"SIGNAL\.data: expected a bin of 0 to 16384 bytes"):
        to_frame(list(row))
    assert to_frame(list(row), large_signals=True) == Signal("h_1", "ice", bytes(16385))
    for wrong in ("text", None, 1):
        with pytest.raises(RemoteProtocolError, match=r"SIGNAL\.data"):
            to_frame([*row[:3], wrong], large_signals=True)
