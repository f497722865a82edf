import attrs
import pytest

from broker.protocol.frames import EXPERIMENTAL, FRAMES, Goodbye, Hello, Request, Signal, Unknown, Welcome
from tests.protocol import agreement
from tests.protocol.samples import sample_frame as make
from tests.protocol.samples import tables

NAMES = sorted(tables()["frames"])


def test_the_classes_are_those_of_the_schema() -> None:
    assert agreement.of_frames(tables(), FRAMES) == []


def test_a_class_or_a_schema_that_differs_is_noticed() -> None:
    described = tables()
    del described["frames"]["gap"]
    assert agreement.of_frames(described, FRAMES) != []

    described = tables()
    described["frames"]["signal"]["fields"].reverse()
    assert agreement.of_frames(described, FRAMES) != []

    described = tables()
    described["frames"]["ping"]["fields"][1]["optional"] = True
    assert agreement.of_frames(described, FRAMES) != []

    described = tables()
    described["frames"]["beat"] = described["frames"].pop("ping")
    assert agreement.of_frames(described, FRAMES) != []

    assert agreement.of_frames(tables(), {kind: made for kind, made in FRAMES.items() if kind != 3}) != []


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_the_kind_and_every_field_in_order(name: str) -> None:
    frame = make(name)
    assert frame.row() == (frame.KIND, *attrs.astuple(frame, recurse=False))


@pytest.mark.parametrize("name", NAMES)
def test_optional_fields_at_the_end_are_left_out_of_a_row(name: str) -> None:
    frame = make(name, full=False)
    row = frame.row()
    assert None not in row
    assert [frame.KIND, *attrs.astuple(frame, recurse=False)][: len(row)] == list(row)


@pytest.mark.parametrize("name", ["goodbye", "request", "fail"])
def test_an_optional_field_before_one_that_is_there_is_nil(name: str) -> None:
    frame = make(name, full=False)
    last = attrs.fields(type(frame))[-1].name
    setattr(frame, last, "the last")
    assert frame.row()[-2:] == (None, "the last")


@pytest.mark.parametrize("name", ["goodbye", "request", "fail"])
def test_the_first_of_two_optional_fields_may_be_the_last_of_a_row(name: str) -> None:
    frame = make(name, full=False)
    short = frame.row()
    setattr(frame, attrs.fields(type(frame))[-2].name, 5)
    assert frame.row() == (*short, 5)


def test_a_frame_of_no_known_kind_keeps_what_it_held() -> None:
    assert Unknown(99, ("a", 1)).row() == (99, "a", 1)


def test_the_experimental_kinds_are_no_known_ones() -> None:
    assert not set(EXPERIMENTAL) & set(FRAMES)
    assert max(FRAMES) < min(EXPERIMENTAL)


def test_what_may_be_personal_or_secret_is_not_in_a_repr() -> None:
    frames = [
        Hello([1], [], {"token": "secret"}, {}),
        Welcome(1, [], {"visitor": "secret"}, {}, 4000, {}),
        Request(1, "x", {"text": "secret"}),
        Signal("h_1", "ice", b"secret"),
        *(make(name) for name in ("result", "event", "notice", "snapshot")),
        Unknown(99, ("secret",)),
    ]
    for frame in frames:
        assert "secret" not in repr(frame)
        assert "any" not in repr(frame)


def test_a_goodbye_shows_what_it_says() -> None:
    assert repr(Goodbye(4000, "restarting", 1, 2000)) == (
        "Goodbye(code=4000, text='restarting', action=1, retry_ms=2000, url=None)"
    )
