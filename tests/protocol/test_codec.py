import threading
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broker.codes import Close
from broker.limits import MAX_BROKER_STR_BYTES
from broker.protocol import codec
from broker.protocol.codec import (
    BROKER,
    CLIENT,
    HELLO,
    SERVICE,
    Limits,
    decode,
    pack,
    pack_event,
    pack_result,
    pack_value,
    unpack_value,
    unpack_values,
)
from broker.protocol.errors import LocalProtocolError, RemoteProtocolError
from broker.protocol.frames import FRAMES, Event, Frame, Hello, Ping, Pong, Request, Result, Signal, Unknown
from tests.protocol.samples import fitting, plain, sample_frame, tables
from tests.protocol.vectors import LIMITS, limits_for, raw, read, real

VECTORS = read("frames.json")
REFUSED = read("refused.json")["refused"]
FRAMES_OF = tables()["frames"]
NAMES = sorted(FRAMES_OF)
MIB = 1 << 20

accepted = pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["name"])
refused = pytest.mark.parametrize("vector", REFUSED, ids=lambda vector: vector["name"])


def outcome(message: bytes, limits: Limits, read_them: Callable[[bytes, Limits], list[Frame]] = decode) -> Any:
    """The frames, or the code of the refusal. Anything but RemoteProtocolError is a bug and comes through."""
    try:
        return read_them(message, limits)
    except RemoteProtocolError as exc:
        refusal = exc
    assert refusal.farewell.code == refusal.code
    assert 0 < len(refusal.text.encode()) <= 512
    return refusal.code


def rows(frames: list[Frame]) -> list[list[Any]]:
    """Frames as JSON has them."""
    return [real(unpack_lists(frame.row())) for frame in frames]


def unpack_lists(value: Any) -> Any:
    """Tuples as lists, however deep."""
    if isinstance(value, dict):
        return {key: unpack_lists(inner) for key, inner in value.items()}
    return [unpack_lists(item) for item in value] if isinstance(value, list | tuple) else value


# --- vectors -------------------------------------------------------------------------------------


@accepted
def test_every_encoding_of_a_vector_is_read_as_its_value(vector: Any) -> None:
    for encoding in vector["encodings"]:
        assert rows(decode(bytes.fromhex(encoding), limits_for(vector))) == [real(vector["value"])]


@accepted
def test_the_first_encoding_of_a_vector_is_what_is_written(vector: Any) -> None:
    first = bytes.fromhex(vector["encodings"][0])
    (frame,) = decode(first, limits_for(vector))
    assert pack(frame) == first


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_a_message_of_several_frames_is_read_in_order(vector: Any) -> None:
    message = raw(vector["bytes"])
    frames = decode(message, limits_for(vector))
    assert rows(frames) == real(vector["values"])
    assert b"".join(map(pack, frames)) == message


@refused
def test_refused_bytes_are_refused_with_their_code_and_reason(vector: Any) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode(raw(vector["bytes"]), LIMITS[vector["limits"]])
    assert caught.value.farewell.code == vector["code"]
    assert vector["says"] in caught.value.text


@refused
def test_refused_bytes_are_refused_behind_a_good_frame_too(vector: Any) -> None:
    if vector["limits"] == "hello" or not vector["bytes"]:
        return  # what may be behind another frame is another vector
    assert outcome(pack(Ping(1, 0)) + raw(vector["bytes"]), LIMITS[vector["limits"]]) == vector["code"]


@refused
def test_a_refusal_costs_bounded_memory(vector: Any) -> None:
    message, limits = raw(vector["bytes"]), LIMITS[vector["limits"]]
    outcome(message, limits)
    tracemalloc.start()
    try:
        outcome(message, limits)
        assert tracemalloc.get_traced_memory()[1] < 2 * MIB + 4 * len(message)
    finally:
        tracemalloc.stop()


def test_a_decoder_that_checks_nothing_is_noticed() -> None:
    def careless(message: bytes, limits: Limits) -> list[Frame]:
        unpacker = msgpack.Unpacker(max_buffer_size=1 << 30, strict_map_key=False)
        unpacker.feed(message)
        try:
            return [FRAMES[row[0]](*row[1:]) for row in unpacker]
        except (ValueError, TypeError, LookupError) as exc:
            raise RemoteProtocolError("refused") from exc

    through = [v["name"] for v in REFUSED if outcome(raw(v["bytes"]), LIMITS[v["limits"]], careless) != v["code"]]
    assert {
        "a key twice",
        "NaN",
        "one level too deep",
        "65 frames",
        "timestamp 32",
        "ping with a negative nonce",
    } <= set(through)


# --- fed wrongly on purpose ----------------------------------------------------------------------


@accepted
def test_no_proper_prefix_of_a_frame_is_a_frame(vector: Any) -> None:
    limits = limits_for(vector)
    for encoding in vector["encodings"]:
        whole = bytes.fromhex(encoding)
        for length in range(len(whole)):
            assert outcome(whole[:length], limits) is Close.PROTOCOL


@accepted
def test_no_frame_has_one_byte_more(vector: Any) -> None:
    whole = bytes.fromhex(vector["encodings"][0])
    for byte in range(256):
        assert outcome(whole + bytes((byte,)), limits_for(vector)) is Close.PROTOCOL


@accepted
def test_a_flipped_bit_gives_frames_or_a_named_refusal(vector: Any) -> None:
    whole, limits = bytes.fromhex(vector["encodings"][0]), limits_for(vector)
    for at in range(len(whole)):
        for bit in range(8):
            flipped = whole[:at] + bytes((whole[at] ^ 1 << bit,)) + whole[at + 1 :]
            same(flipped, limits)


@accepted
def test_a_frame_without_its_last_required_field_is_refused(vector: Any) -> None:
    required = sum(not f.get("optional") for f in FRAMES_OF[vector["kind"]]["fields"])
    row = real(vector["value"])
    for length in range(required + 1):
        assert outcome(msgpack.packb(row[:length]), limits_for(vector)) is Close.PROTOCOL


@accepted
def test_a_frame_with_one_element_too_many_is_read_without_it(vector: Any) -> None:
    fields = FRAMES_OF[vector["kind"]]["fields"]
    row = real(vector["value"])
    padded = row + [None] * (len(fields) + 1 - len(row))
    assert rows(decode(msgpack.packb([*padded, "more"]), limits_for(vector))) == [row]


@accepted
def test_a_frame_nested_too_deep_is_refused_wherever_it_is(vector: Any) -> None:
    row = real(vector["value"])
    deep: Any = None
    for _ in range(limits_for(vector).depth):
        deep = [deep]
    for at in range(1, len(row) + 1):
        assert outcome(msgpack.packb([*row[:at], deep, *row[at + 1 :]]), limits_for(vector)) is Close.PROTOCOL


def test_the_broker_may_nest_deeper_than_a_client() -> None:
    for depth, sent in ((CLIENT.depth, CLIENT), (BROKER.depth, BROKER)):
        deep: Any = None
        for _ in range(depth - 1):
            deep = [deep]
        assert len(decode(msgpack.packb([17, 1, deep]), sent)) == 1
        assert outcome(msgpack.packb([17, 1, [deep]]), sent) is Close.PROTOCOL
    assert (CLIENT.depth, BROKER.depth) == (8, 12)


@accepted
def test_a_frame_that_is_too_large_is_refused(vector: Any) -> None:
    limits = limits_for(vector)
    fields = FRAMES_OF[vector["kind"]]["fields"]
    row = real(vector["value"]) + [None] * (len(fields) + 1 - len(vector["value"]))
    huge = msgpack.packb([*row, *(["x" * 16000] * (limits.frame_bytes // 16000 + 1))])
    assert outcome(huge, limits) is Close.PROTOCOL


def same(message: bytes, limits: Limits) -> Any:
    """The quick and the slow way agree; what is read can be written and read again."""
    quick = outcome(message, limits)
    assert quick == outcome(message, limits, codec._closely)
    if isinstance(quick, list):
        assert decode(b"".join(map(pack, quick)), limits) == quick
    return quick


@given(st.binary(max_size=200))
@example(b"\x90")
@example(b"\x91\x22")
@example(b"\x93\x03\x01\x00\xc1")
def test_random_bytes_give_frames_or_a_named_refusal(message: bytes) -> None:
    for limits in LIMITS.values():
        same(message, limits)


@pytest.mark.slow
@given(st.lists(plain(), max_size=7), st.integers(0, 40))
def test_random_arrays_give_frames_or_a_named_refusal(row: list[Any], kind: int) -> None:
    same(msgpack.packb([kind, *row]), CLIENT)


EVERYTHING = [
    *(bytes.fromhex(encoding) for vector in VECTORS["frames"] for encoding in vector["encodings"]),
    *(raw(vector["bytes"]) for vector in VECTORS["messages"]),
    *(message for message in (raw(vector["bytes"]) for vector in REFUSED) if len(message) < 300),
]


@given(st.data())
def test_mutated_vectors_give_frames_or_a_named_refusal(data: st.DataObject) -> None:
    message = data.draw(st.sampled_from(EVERYTHING))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(message)))
        to = data.draw(st.integers(at, min(len(message), at + 8)))
        patch = data.draw(st.binary(max_size=4) | st.sampled_from(EVERYTHING))
        message = message[:at] + patch + message[to:]
    same(message, data.draw(st.sampled_from(list(LIMITS.values()))))


# --- round trips ---------------------------------------------------------------------------------


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Any frame."""
    name = draw(st.sampled_from(NAMES))
    described = FRAMES_OF[name]
    return FRAMES[described["kind"]](*[draw(fitting(f)) for f in described["fields"]])


@pytest.mark.slow
@given(frames())
def test_every_frame_is_read_as_it_was_written(frame: Frame) -> None:
    assert decode(pack(frame), BROKER) == [frame]


@pytest.mark.slow
@given(st.lists(frames(), min_size=1, max_size=5))
def test_several_frames_in_a_message_are_read_as_they_were_written(several: list[Frame]) -> None:
    assert decode(b"".join(map(pack, several)), BROKER) == several


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_every_kind_goes_there_and_back(name: str) -> None:
    for frame in (sample_frame(name), sample_frame(name, full=False)):
        assert decode(pack(frame), BROKER) == [frame]


def test_an_unknown_frame_goes_there_and_back() -> None:
    assert decode(pack(Unknown(130, ("x", b"\0"))), CLIENT) == [Unknown(130, ("x", b"\0"))]


def test_what_is_packed_without_its_frame_has_the_same_bytes() -> None:
    data = {"request": "r_1"}
    assert pack_event("me", 7, "request.created", 9, data) == pack(Event("me", 7, "request.created", 9, data))
    assert pack_result(7, data, None) == pack(Result(7, data))
    assert pack_result(7, data, {"me": 3}) == pack(Result(7, data, {"me": 3}))


@pytest.mark.slow
@given(plain())
def test_our_own_values_come_back_with_arrays_as_tuples(value: Any) -> None:
    def tuples(inner: Any) -> Any:
        if isinstance(inner, dict):
            return {key: tuples(item) for key, item in inner.items()}
        return tuple(map(tuples, inner)) if isinstance(inner, list) else inner

    assert unpack_value(pack_value(value)) == tuples(value)


def test_our_own_maps_may_have_any_key() -> None:
    assert unpack_value(pack_value({1: "a", ("b", 2): "c"})) == {1: "a", ("b", 2): "c"}


def test_damaged_values_of_our_own_are_a_value_error() -> None:
    with pytest.raises(ValueError, match="incomplete"):
        unpack_value(b"\x92\x01")


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [63, 64, 65, 66, 4000])
def test_arrays_and_maps_of_any_legal_size_are_read(count: int) -> None:
    args = {
        "list": list(range(count)),
        "map": {str(n): n for n in range((4080 - count) // 2 if count == 4000 else count)},
    }
    request = Request(1, "x", args, "k")
    assert decode(pack(request), CLIENT) == [request]
    assert decode(pack(Ping(1, 0)) + pack(request), CLIENT) == [Ping(1, 0), request]


def test_values_are_counted_one_by_one() -> None:
    # the frame, its kind, id and op, the arguments: 5; then the elements
    assert decode(pack(Request(1, "x", [0] * 4091)), CLIENT)
    with pytest.raises(RemoteProtocolError, match="more than 4096 values"):
        decode(pack(Request(1, "x", [0] * 4092)), CLIENT)


def test_a_large_signal_among_small_ones_is_read() -> None:
    signals: list[Frame] = [Signal("h_1", "offer", bytes(size)) for size in (0, 16384, 1)]
    assert decode(b"".join(map(pack, signals)), CLIENT) == signals


def test_a_message_may_be_larger_than_a_frame() -> None:
    signals: list[Frame] = [Signal("h_1", "offer", bytes(16000))] * 16
    assert decode(b"".join(map(pack, signals)), CLIENT) == signals


def test_a_frame_that_is_too_large_is_refused_among_others() -> None:
    big = msgpack.packb([16, 1, "x", [b"x" * 33000, b"x" * 33000]])
    for message in (big, pack(Ping(1, 0)) + big, big + pack(Ping(1, 0))):
        with pytest.raises(RemoteProtocolError, match="more than 65536 bytes"):
            decode(message, CLIENT)


def test_a_large_request_among_others_is_read() -> None:
    request = Request(1, "x", {"text": "x" * 5000})
    assert decode(pack(Ping(1, 0)) + pack(request), CLIENT) == [Ping(1, 0), request]


def test_a_service_may_send_more_at_once() -> None:
    request = Request(1, "x", ["x" * 16000] * 20)
    assert decode(pack(request), SERVICE) == [request]
    with pytest.raises(RemoteProtocolError, match="expected 1 to 262144 bytes"):
        decode(pack(request), CLIENT)


def test_the_broker_may_send_longer_texts() -> None:
    result = Result(1, {"toml": "x" * MAX_BROKER_STR_BYTES})
    assert decode(pack(result), BROKER) == [result]
    with pytest.raises(RemoteProtocolError, match="too long"):
        decode(pack(Result(1, "x" * (MAX_BROKER_STR_BYTES + 1))), BROKER)


def test_the_broker_may_send_more_values() -> None:
    result = Result(1, [[n, n] for n in range(20_000)])
    assert decode(pack(result), BROKER) == [result]


def test_the_first_message_is_one_frame() -> None:
    hello = sample_frame("hello")
    assert decode(pack(hello), HELLO) == [hello]
    with pytest.raises(RemoteProtocolError, match=r"more than 1 frame$"):
        decode(pack(hello) * 2, HELLO)


def test_as_many_frames_as_allowed_are_read() -> None:
    assert decode(pack(Ping(1, 0)) * 64, CLIENT) == [Ping(1, 0)] * 64
    with pytest.raises(RemoteProtocolError, match=r"more than 64 frames$"):
        decode(pack(Ping(1, 0)) * 65, CLIENT)


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), 2**70, float("nan"), 2**53, [[[[[[[[]]]]]]]], "\ud800", {"a": object()}]
)
def test_a_request_that_may_not_be_sent_is_our_own_mistake(value: object) -> None:
    with pytest.raises(LocalProtocolError, match="Request"):
        pack(Request(1, "x", value))


def test_a_frame_that_cannot_be_packed_leaves_no_trace_in_the_next() -> None:
    with pytest.raises(LocalProtocolError, match="Result"):
        pack(Result(1, ["a" * 100, object()]))
    assert decode(pack(Pong(1, 2)), BROKER) == [Pong(1, 2)]
    with pytest.raises(TypeError):
        pack_value(["a" * 100, object()])
    assert unpack_value(pack_value(1)) == 1


def test_a_large_value_does_not_leave_a_large_buffer_behind() -> None:
    before = codec._pack
    assert len(pack_value(b"x" * (2 * MIB))) > 2 * MIB
    assert codec._pack is not before
    assert unpack_value(pack_value("after")) == "after"


@given(st.lists(st.recursive(st.integers(0, 9) | st.text(max_size=3), st.lists, max_leaves=5)), st.data())
def test_values_one_after_the_other_come_back_and_a_cut_is_noticed(values: list[object], data: st.DataObject) -> None:
    packed = [pack_value(value) for value in values]
    assert list(unpack_values(b"".join(packed))) == [unpack_value(one) for one in packed]
    if packed:
        keep = data.draw(st.integers(0, len(packed[-1]) - 1))
        cut = b"".join(packed[:-1]) + packed[-1][:keep]
        if keep:
            with pytest.raises(ValueError, match=r"."):
                list(unpack_values(cut))


def test_threads_may_pack_and_decode_at_the_same_time() -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        request = Request(number, "x", {"text": str(number) * 500, "list": [number] * 50})
        wrong.extend(number for _ in range(300) if decode(pack(request), CLIENT) != [request])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(("limits", "most"), [(CLIENT, 65536), (SERVICE, 1 << 20)])
@pytest.mark.parametrize("made", [lambda size: "x" * size, bytes, lambda size: {"x" * size: 1}])
def test_a_string_or_bin_may_be_as_long_as_its_frame(limits: Limits, most: int, made: Callable[[int], object]) -> None:
    around = len(pack(Request(1, "x", made(65_000)))) - 65_000 + 2 * (most > 65535)  # longer ones have longer heads
    for size in (16384, 16385, most - around):
        request = Request(1, "x", made(size))
        assert decode(pack(request), limits) == [request]
    request = Request(1, "x", made(60_000))
    assert decode(pack(Ping(1, 0)) + pack(request), limits) == [Ping(1, 0), request]
    with pytest.raises(RemoteProtocolError, match=r"too long|more than|expected 1 to"):
        decode(pack(Request(1, "x", made(most + 1))), limits)


def test_a_field_of_hello_is_named_however_long_it_is() -> None:
    for at, field in enumerate(("auth.token", "client.name")):
        maps: list[dict[str, object]] = [{}, {}]
        maps[at] = {field.split(".")[1]: "x" * 8000}
        with pytest.raises(RemoteProtocolError, match=f"HELLO.{field}: expected a string of 0 to"):
            decode(pack(Hello([1], [], *maps)), HELLO)


@pytest.mark.parametrize("limits", [CLIENT, SERVICE])
def test_a_signal_with_too_much_data_comes_out_for_whoever_refuses_it(limits: Limits) -> None:
    small = Signal("h_1", "ice", b"x")
    for size in (16385, 65000):
        large = Signal("h_1", "offer", bytes(size))
        assert decode(pack(large), limits) == [large]
        assert decode(pack(small) + pack(large) + pack(small), limits) == [small, large, small]
        with pytest.raises(RemoteProtocolError, match=r"SIGNAL\.data: expected a bin of 0 to 16384 bytes"):
            decode(pack(large), BROKER)
    with pytest.raises(RemoteProtocolError, match=r"SIGNAL\.share"):
        decode(pack(Signal("h" * 65, "offer", bytes(16385))), limits)
