"""The sans-IO parser: what is in the bytes, however they are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transport.websocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LARGE_BYTES,
    PING,
    PONG,
    Bye,
    Control,
    Parser,
    Ping,
    Pong,
    Violation,
    client_frame,
    close_payload,
    may_close_with,
    server_frame,
    unmask,
)

CODES = {1002, 1003, 1007, 1009}  # all that a peer's bytes can end in
SIZES = st.one_of(st.integers(0, 300), st.sampled_from([65535, 65536, LARGE_BYTES, LARGE_BYTES + 1]))
KEYS = st.binary(min_size=4, max_size=4)


def slow_unmask(payload: bytes, key: bytes) -> bytes:
    """RFC 6455, 5.3, to the letter."""
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))


def whole(parser: Parser, data: bytes) -> tuple[list[bytes], list[Control]]:
    """Everything that the parser finds, its share of a tick notwithstanding."""
    messages = parser.feed(data)
    controls = parser.take_controls()
    while parser.more:
        messages += parser.feed(b"")
        controls += parser.take_controls()
    return messages, controls


@st.composite
def conversations(draw: st.DrawFn) -> tuple[bytes, list[bytes], list[Control]]:
    """A legal stream of frames, and what is in it."""
    frames: list[bytes] = []
    messages: list[bytes] = []
    controls: list[Control] = []
    for _ in range(draw(st.integers(1, 6))):
        message = bytes(draw(SIZES))
        cuts = sorted(draw(st.lists(st.integers(0, len(message)), max_size=3)))
        parts = [message[a:b] for a, b in itertools.pairwise([0, *cuts, len(message)])]
        for number, part in enumerate(parts):
            opcode = CONTINUATION if number else BINARY
            frames.append(client_frame(opcode, part, fin=number == len(parts) - 1, key=draw(KEYS)))
            if draw(st.booleans()):
                payload = draw(st.binary(max_size=125))
                kind = draw(st.sampled_from([PING, PONG]))
                frames.append(client_frame(kind, payload, key=draw(KEYS)))
                controls.append(Ping(payload) if kind == PING else Pong(payload))
        messages.append(message)
    if draw(st.booleans()):
        frames.append(client_frame(CLOSE, close_payload(4000, "enough"), key=draw(KEYS)))
        controls.append(Bye(4000, "enough"))
        frames.append(draw(st.binary(max_size=20)))
    return b"".join(frames), messages, controls


@pytest.mark.slow
@given(conversations(), st.data())
def test_any_chunking_gives_the_same_messages(
    conversation: tuple[bytes, list[bytes], list[Control]], data: st.DataObject
) -> None:
    stream, messages, controls = conversation
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    parser = Parser(1 << 20)
    got: tuple[list[bytes], list[Control]] = ([], [])
    for start, stop in itertools.pairwise([0, *cuts, len(stream)]):
        found = whole(parser, stream[start:stop])
        got[0].extend(found[0])
        got[1].extend(found[1])
    assert got == (messages, controls)


@pytest.mark.slow
@given(st.lists(st.binary(max_size=300), max_size=30), st.integers(0, 400))
def test_random_bytes_never_raise_and_end_in_a_documented_code(chunks: list[bytes], limit: int) -> None:
    parser = Parser(limit)
    for chunk in chunks:
        messages, controls = whole(parser, chunk)
        assert all(len(message) <= limit for message in messages)
        for control in controls:
            assert not isinstance(control, Violation) or control.code in CODES
    room = parser._rest
    assert room is None or len(room) <= max(limit, 125) + 14
    if parser.over:
        assert whole(parser, client_frame(BINARY, b"more")) == ([], [])


@pytest.mark.slow
@given(conversations(), st.data())
def test_one_flipped_byte_never_raises(
    conversation: tuple[bytes, list[bytes], list[Control]], data: st.DataObject
) -> None:
    stream = bytearray(conversation[0])
    place = data.draw(st.integers(0, len(stream) - 1))
    stream[place] ^= data.draw(st.integers(1, 255))
    _, controls = whole(Parser(1 << 20), bytes(stream))
    assert {c.code for c in controls if isinstance(c, Violation)} <= CODES


@pytest.mark.slow
@given(st.binary(max_size=50), KEYS, st.integers(0, 3))
def test_unmasking_is_what_the_rfc_says(payload: bytes, key: bytes, more: int) -> None:
    assert slow_unmask(payload, key) == unmask(payload, key)
    large = payload * (LARGE_BYTES // max(1, len(payload)) + 1) + bytes(more)
    assert slow_unmask(large, key) == unmask(large, key)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 125, 126, 127, 200, 65535, 65536])
def test_a_frame_of_any_size_is_read_back(size: int) -> None:
    payload = bytes(i & 0xFF for i in range(size))
    assert whole(Parser(size), client_frame(BINARY, payload)) == ([payload], [])
    assert whole(Parser(size, masked=False), server_frame(BINARY, payload)) == ([payload], [])


@pytest.mark.parametrize("size", [1, 100, 1000, 65536, 100_000])
def test_a_message_larger_than_the_limit_is_refused_by_its_header(size: int) -> None:
    frame = client_frame(BINARY, bytes(size))
    header = len(frame) - size - 4
    for cut in (header, len(frame)):
        messages, controls = whole(Parser(size - 1), frame[:cut])
        assert messages == []
        assert [c.code for c in controls if isinstance(c, Violation)] == [1009]


def test_a_frame_that_claims_more_than_memory_costs_none() -> None:
    parser = Parser(1000)
    whole(parser, b"\x82\xff" + (2**62).to_bytes(8, "big"))
    assert parser.over
    assert parser._rest is None


def test_endless_empty_fragments_cost_no_memory() -> None:
    parser = Parser(1000)
    whole(parser, client_frame(BINARY, b"", fin=False))
    for _ in range(1000):
        assert whole(parser, client_frame(CONTINUATION, b"", fin=False)) == ([], [])
    assert parser._message is not None
    assert len(parser._message) == 0


def test_a_message_in_tiny_pieces_is_looked_at_only_when_it_is_whole() -> None:
    frame = client_frame(BINARY, bytes(100_000))
    parser = Parser(100_000)
    for start in range(0, len(frame) - 1, 100):
        assert parser.feed(frame[start : start + 100][: len(frame) - 1 - start]) == []
        if start > 100:
            assert parser._need == len(frame)
    assert parser.feed(frame[-1:]) == [bytes(100_000)]


def test_a_parser_hands_on_no_more_than_its_share() -> None:
    parser = Parser(1000)
    assert parser.feed(b"".join(client_frame(BINARY, b"%d" % n) for n in range(10)), 4) == [b"0", b"1", b"2", b"3"]
    assert (parser.more, parser.attention) == (True, True)
    assert parser.take_controls() == []
    assert parser.feed(b"", 4) == [b"4", b"5", b"6", b"7"]
    assert parser.feed(b"", 4) == [b"8", b"9"]
    parser.take_controls()
    assert (parser.more, parser.attention) == (False, False)


def test_after_a_close_nothing_is_read() -> None:
    parser = Parser(1000)
    stream = client_frame(CLOSE, b"") + client_frame(BINARY, b"late") + client_frame(CLOSE, b"\3")
    assert whole(parser, stream) == ([], [Bye(1005, "")])


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        *((code, False) for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)),
        *((code, True) for code in (1000, 1003, 1007, 1014, 3000, 4000, 4999)),
    ],
)
def test_close_codes_are_those_of_the_registry(code: int, allowed: bool) -> None:  # noqa: FBT001 - a table's column
    assert may_close_with(code) is allowed
    _, (control,) = whole(Parser(1000), client_frame(CLOSE, code.to_bytes(2, "big") + b"why"))
    assert control == (Bye(code, "why") if allowed else Violation(1002, f"close code {code} may not be sent"))


def test_a_long_reason_is_cut_at_a_characters_end() -> None:
    payload = close_payload(4000, "é" * 100)
    assert len(payload) <= 125
    assert payload[2:].decode() == "é" * 61


def test_codes_that_stand_for_no_frame_are_not_sent() -> None:
    assert close_payload(1005, "x") == b""
    assert close_payload(1006, "x") == b""
