"""Bytes to frames and back; the only file of the protocol that knows msgpack.

``decode`` tries the quick way first: msgpack itself with tight bounds, then the field checks. Whatever
that way refuses is looked at again by ``scan``, which walks the bytes with a counter for everything and
so says exactly what is wrong, or finds that the message is merely large. Neither holds state between calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast

import attrs
import msgpack  # type: ignore[import-untyped]
from msgpack.exceptions import ExtraData, UnpackException  # type: ignore[import-untyped]

from broker import limits as bounds
from broker.limits import MAX_BIN_BYTES, MAX_STR_BYTES
from broker.protocol.errors import LocalProtocolError, RemoteProtocolError
from broker.protocol.frames import Frame, Request
from broker.protocol.rows import quickly, sound, to_frame
from broker.protocol.scan import scan

_QUICK_COUNT: Final = 64
"""Elements of one array or map on the quick way. msgpack makes room for as many as a header announces, to
1,024 levels deep: 64 keeps the worst message at half a MiB, and holds every frame that is sent often.
Nor is a string or bin of more than a field's own bound sent often."""

_KEPT_BYTES: Final = 1 << 20  # a Packer never gives its buffer back: past this it is replaced


@attrs.frozen(kw_only=True, eq=False)
class Limits:
    """How much one side may send."""

    frame_bytes: int
    message_bytes: int
    frames: int
    """In one message."""
    values: int
    """In one frame: every element and map key counts, and each array and map itself."""
    str_bytes: int
    """In one str. Of a client: what a frame may have. What a field may have is said of that field alone."""
    bin_bytes: int
    depth: int = bounds.MAX_DEPTH
    """Arrays and maps in each other, the frame's own counted."""
    large_signals: bool = False
    """Whether a SIGNAL comes out whose data is beyond its bound: its sender is told, and keeps the connection."""


HELLO: Final = Limits(
    frame_bytes=bounds.HELLO_BYTES,
    message_bytes=bounds.HELLO_BYTES,
    frames=1,
    values=1024,
    str_bytes=bounds.HELLO_BYTES,
    bin_bytes=bounds.HELLO_BYTES,
)
"""The first message of a connection."""
CLIENT: Final = Limits(
    frame_bytes=bounds.MAX_FRAME_BYTES,
    message_bytes=bounds.MAX_MESSAGE_BYTES,
    frames=bounds.MAX_MESSAGE_FRAMES,
    values=bounds.MAX_VALUES,
    str_bytes=bounds.MAX_FRAME_BYTES,
    bin_bytes=bounds.MAX_FRAME_BYTES,
    large_signals=True,
)
"""Customers, representatives and managers."""
SERVICE: Final = attrs.evolve(
    CLIENT,
    frame_bytes=bounds.MAX_SERVICE_BYTES,
    message_bytes=bounds.MAX_SERVICE_BYTES,
    str_bytes=bounds.MAX_SERVICE_BYTES,
    bin_bytes=bounds.MAX_SERVICE_BYTES,
)
BROKER: Final = Limits(
    frame_bytes=bounds.MAX_BROKER_BYTES,
    message_bytes=bounds.MAX_BROKER_BYTES,
    frames=bounds.MAX_MESSAGE_FRAMES,
    values=bounds.MAX_BROKER_VALUES,
    str_bytes=bounds.MAX_BROKER_STR_BYTES,
    bin_bytes=bounds.MAX_BIN_BYTES,
    depth=bounds.MAX_BROKER_DEPTH,
)
"""What a client takes from the broker."""


# --- out -----------------------------------------------------------------------------------------


def _new_packer() -> Callable[[object], bytes]:
    # One Packer for all callers: it runs no Python code while packing plain values, so threads take turns
    # by the GIL, and it clears its buffer itself when a value can't be packed.
    return cast("Callable[[object], bytes]", msgpack.Packer(autoreset=True).pack)


_pack = _new_packer()


def pack(frame: Frame) -> bytes:
    """One frame's bytes. LocalProtocolError where a value can't be sent (only a REQUEST's are all checked)."""
    try:
        if type(frame) is Request:
            sound(frame.args, 2, "REQUEST.args")
        return _pack(frame.row())
    except (TypeError, ValueError, OverflowError, RemoteProtocolError) as exc:
        raise LocalProtocolError(f"{type(frame).__name__}: {exc}") from exc


def pack_event(stream: str, offset: int, type: str, t_ms: int, data: Mapping[str, object]) -> bytes:
    """An EVENT frame's bytes without the frame: packed once, however many read the stream."""
    return _pack((32, stream, offset, type, t_ms, data))


def pack_result(id: int, value: object, offsets: Mapping[str, int] | None) -> bytes:
    """A RESULT frame's bytes without the frame, for a value that is the broker's own."""
    return _pack((17, id, value) if offsets is None else (17, id, value, offsets))


def pack_value(value: object) -> bytes:
    """Our own data (journal bodies, digests): any msgpack value. TypeError where it is none."""
    global _pack
    packed = _pack(value)
    if len(packed) > _KEPT_BYTES:
        _pack = _new_packer()
    return packed


def unpack_value(packed: bytes) -> object:
    """What ``pack_value`` packed; arrays come back as tuples. ValueError where the bytes are damaged."""
    value: object = msgpack.unpackb(packed, use_list=False, strict_map_key=False)
    return value


def unpack_values(packed: bytes) -> Iterator[object]:
    """The values of several ``pack_value`` one after the other. ValueError where the bytes are damaged."""
    unpacker = msgpack.Unpacker(use_list=False, strict_map_key=False, max_buffer_size=len(packed))
    unpacker.feed(packed)
    end = 0
    for value in unpacker:
        end = unpacker.tell()
        yield value
    if end != len(packed):
        raise ValueError("the last value is cut off")


# --- in ------------------------------------------------------------------------------------------


def decode(message: bytes, limits: Limits) -> list[Frame]:
    """The frames of one WebSocket message: 1 to ``limits.frames``.

    RemoteProtocolError, with the GOODBYE to answer, for anything the protocol does not allow.
    """
    size = len(message)
    if size > limits.frame_bytes:
        return _several(message, limits) if size <= limits.message_bytes else _closely(message, limits)
    try:
        row = msgpack.unpackb(
            message,
            strict_map_key=True,
            object_pairs_hook=_unique,
            max_str_len=MAX_STR_BYTES,
            max_bin_len=MAX_BIN_BYTES,
            max_array_len=_QUICK_COUNT,
            max_map_len=_QUICK_COUNT,
            max_ext_len=0,
            ext_hook=_no_ext,
        )
    except ExtraData:
        return _several(message, limits)
    except ValueError:
        return _closely(message, limits)
    frame = quickly(row, size, limits.values, limits.depth)
    return [frame] if frame is not None else _closely(message, limits)


def _several(message: bytes, limits: Limits) -> list[Frame]:
    unpacker = msgpack.Unpacker(
        max_buffer_size=len(message),
        strict_map_key=True,
        object_pairs_hook=_unique,
        max_str_len=MAX_STR_BYTES,
        max_bin_len=MAX_BIN_BYTES,
        max_array_len=_QUICK_COUNT,
        max_map_len=_QUICK_COUNT,
        max_ext_len=0,
        ext_hook=_no_ext,
    )
    unpack, tell = unpacker.unpack, unpacker.tell
    frames: list[Frame] = []
    start, size = 0, len(message)
    try:
        unpacker.feed(message)
        while start < size:
            row = unpack()
            end = tell()
            frame = quickly(row, end - start, limits.values, limits.depth)
            if frame is None or end - start > limits.frame_bytes or len(frames) == limits.frames:
                return _closely(message, limits)
            frames.append(frame)
            start = end
    except (ValueError, UnpackException):
        return _closely(message, limits)
    return frames


def _closely(message: bytes, limits: Limits) -> list[Frame]:
    """The slow way: either the frames after all, or the exact reason why not."""
    size = len(message)
    if not 0 < size <= limits.message_bytes:
        raise RemoteProtocolError(f"message: expected 1 to {limits.message_bytes} bytes")
    frames: list[Frame] = []
    start = 0
    while start < size:
        if len(frames) == limits.frames:
            raise RemoteProtocolError(f"message: more than {limits.frames} frame{'s' * (limits.frames > 1)}")
        sizes = (limits.frame_bytes, limits.str_bytes, limits.bin_bytes)
        end = scan(message, start, limits.values, *sizes, limits.depth)
        frames.append(to_frame(_row(message[start:end]), limits.depth, large_signals=limits.large_signals))
        start = end
    return frames


def _row(data: bytes) -> list[object]:
    """One frame whose shape ``scan`` has found sound."""
    try:
        row: list[object] = msgpack.unpackb(data, strict_map_key=True, object_pairs_hook=_unique, max_ext_len=0)
    except _BadMap as exc:
        raise RemoteProtocolError(f"frame: {exc}") from None
    except UnicodeDecodeError:
        raise RemoteProtocolError("frame: a string that is not UTF-8") from None
    except ValueError:
        raise RemoteProtocolError("frame: a map key that is not a string") from None
    return row


class _BadMap(ValueError):
    """A map that msgpack allows and the protocol doesn't."""


def _no_ext(code: int, data: bytes) -> object:
    raise ValueError("an extension type of length 0, which max_ext_len lets through")


def _unique(pairs: list[tuple[object, object]]) -> dict[object, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _BadMap("a map with a key twice")
    for key in made:
        if key.__class__ is not str:
            raise _BadMap("a map key that is not a string")
    return made
