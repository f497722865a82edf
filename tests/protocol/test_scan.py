import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.protocol.errors import RemoteProtocolError
from broker.protocol.scan import scan
from tests.protocol.samples import plain
from tests.protocol.vectors import read, real


def end(message: bytes, start: int = 0, *, values: int = 100, frame: int = 500, text: int = 50, blob: int = 60) -> int:
    """``scan`` with small limits."""
    return scan(message, start, values, frame, text, blob)


def refusal(message: bytes) -> str:
    """What ``scan`` says against these bytes."""
    with pytest.raises(RemoteProtocolError) as caught:
        end(message)
    return caught.value.text


@pytest.mark.slow
@given(st.lists(plain(), max_size=8))
def test_it_finds_where_msgpack_ends(value: list[object]) -> None:
    packed = msgpack.packb(value)
    assert scan(packed, 0, 10_000, 100_000, 1000, 1000) == len(packed)
    assert scan(b"\xff" * 7 + packed + b"\x90", 7, 10_000, 100_000, 1000, 1000) == 7 + len(packed)


@pytest.mark.parametrize("vector", read("frames.json")["frames"], ids=lambda vector: vector["name"])
def test_every_encoding_of_every_vector_ends_where_it_ends(vector: dict[str, object]) -> None:
    for encoding in real(vector["encodings"]):
        packed = bytes.fromhex(encoding)
        assert scan(packed, 0, 4096, 65536, 16384, 65536) == len(packed)


def test_limits_hold_to_the_last_one() -> None:
    assert end(b"\xdc\x00\x63" + b"\xc0" * 99)
    assert refusal(b"\xdc\x00\x64" + b"\xc0" * 100) == "frame: more than 100 values"
    assert end(b"\x91\x81\xa1a\xdc\x00\x60" + b"\xc0" * 96)
    assert refusal(b"\x91\x81\xa1a\xdc\x00\x61" + b"\xc0" * 97) == "frame: more than 100 values"
    assert end(b"\x91\xd9\x32" + b"x" * 50)
    assert refusal(b"\x91\xd9\x33" + b"x" * 51) == "frame: a string or bin that is too long"
    assert end(b"\x91\xc4\x3c" + b"x" * 60)
    assert refusal(b"\x91\xc4\x3d" + b"x" * 61) == "frame: a string or bin that is too long"
    assert end(b"\x9a" + (b"\xd9\x30" + b"x" * 48) * 9 + b"\xd9\x2f" + b"x" * 47) == 500
    assert refusal(b"\x9a" + (b"\xd9\x30" + b"x" * 48) * 10) == "frame: more than 500 bytes"
    assert end(b"\x91" * 8 + b"\xc0")
    assert refusal(b"\x91" * 9 + b"\xc0") == "frame: nested deeper than 8"


def test_an_empty_array_ends_at_once() -> None:
    assert end(b"\x90\xc1") == 1


@pytest.mark.parametrize("byte", [0xC1, 0xC7, 0xC8, 0xC9, 0xD4, 0xD5, 0xD6, 0xD7, 0xD8])
def test_types_that_the_profile_does_not_have_are_refused(byte: int) -> None:
    assert refusal(bytes((0x91, byte)) + bytes(20)) == "frame: an extension or reserved type"


@pytest.mark.parametrize("byte", [byte for byte in range(256) if byte not in (*range(0x90, 0xA0), 0xDC, 0xDD)])
def test_a_frame_starts_as_an_array(byte: int) -> None:
    assert refusal(bytes((byte,)) + bytes(20)) == "frame: expected an array"


@pytest.mark.parametrize(
    "head",
    ["cc", "cdff", "ce000000", "d3", "ca000000", "d9", "da00", "db000000", "c4", "c5ff", "dc00", "df000000", "a1"],
)
def test_a_value_that_is_cut_is_said_to_be(head: str) -> None:
    assert refusal(b"\x91" + bytes.fromhex(head)) == "frame: cut off"


def test_what_a_header_announces_is_not_waited_for() -> None:
    assert refusal(b"\xdd\xff\xff\xff\xff") == "frame: more than 100 values"
    assert refusal(b"\x91\xdf\xff\xff\xff\xff") == "frame: more than 100 values"
    assert refusal(b"\x91\xdb\xff\xff\xff\xff") == "frame: a string or bin that is too long"
