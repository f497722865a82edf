"""Unpacked rows ``[kind, field, …]`` to frames: every field checked against the schema.

``to_frame`` does it for any kind; ``quickly`` by hand for the kinds that are sent often, and gives up (None)
on whatever is unusual. A test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, cast

from broker.limits import MAX_DEPTH, MAX_ID_BYTES, MAX_INT, MAX_KEY_BYTES, MAX_SERVICE_BYTES, MAX_SIGNAL_BYTES
from broker.protocol import schema
from broker.protocol.errors import RemoteProtocolError
from broker.protocol.fields import Check, Spec, Wrong, compile_field
from broker.protocol.frames import FRAMES, Event, Frame, Known, Ping, Pong, Request, Result, Signal, Unknown

_WIDE: Final = "an int beyond 2**53 - 1"
_OP_BYTES: Final = 64  # of an op's or event's name, as the schema has it
_STREAM_BYTES: Final = 128  # the same of a stream's


def sound(value: object, depth: int, where: str, most: int = MAX_DEPTH) -> None:
    """Bounds that msgpack doesn't know: depth (``most``), ints, floats. ``depth`` is that of ``value`` itself."""
    if type(value) is dict or type(value) is list:
        if depth > most:
            raise RemoteProtocolError(f"{where}: nested deeper than {most}")
        for item in value.values() if type(value) is dict else value:
            if type(item) is int:
                if not -MAX_INT <= item <= MAX_INT:
                    raise RemoteProtocolError(f"{where}: {_WIDE}")
            elif type(item) is not str and item is not None:
                sound(item, depth + 1, where, most)
    elif type(value) is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise RemoteProtocolError(f"{where}: {_WIDE}")
    elif type(value) is float and not isfinite(value):
        raise RemoteProtocolError(f"{where}: a float that is no number")


_Shape = tuple[type[Known], str, tuple[tuple[str, Check, bool], ...]]


def _shapes() -> dict[int, _Shape]:
    shapes: dict[int, _Shape] = {}
    for name, frame in cast("Mapping[str, Mapping[str, object]]", schema.load()["frames"]).items():
        fields = cast("list[Spec]", frame["fields"])
        kind = cast("int", frame["kind"])
        checks = tuple((cast("str", f["name"]), compile_field(f), bool(f.get("optional"))) for f in fields)
        shapes[kind] = (FRAMES[kind], name.upper(), checks)
    return shapes


_SHAPES: Final = _shapes()
_SIGNAL: Final = Signal.KIND


def _of_any_size(shape: _Shape) -> _Shape:
    """SIGNAL's shape without the bound of its data, which is the last field."""
    made, name, fields = shape
    field, _, optional = fields[-1]
    return made, name, (*fields[:-1], (field, compile_field({"type": "bin", "max": MAX_SERVICE_BYTES}), optional))


_LARGE_SIGNAL: Final = _of_any_size(_SHAPES[_SIGNAL])
_SIGNAL_KINDS: Final = frozenset(("offer", "answer", "ice", "restart"))


def to_frame(row: list[object], depth: int = MAX_DEPTH, *, large_signals: bool = False) -> Frame:
    """Any frame from its row, every field against the schema. RemoteProtocolError names what is wrong.

    ``large_signals``: one with more data than it may have comes out too, for whoever refuses it."""
    kind = row[0] if row else None
    if type(kind) is not int or not 0 <= kind < 192:
        raise RemoteProtocolError("frame: expected an array that starts with a kind from 0 to 191")
    shape = _LARGE_SIGNAL if large_signals and kind == _SIGNAL else _SHAPES.get(kind)
    if shape is None:
        for item in row:
            sound(item, 2, f"frame of kind {kind}", depth)
        return Unknown(kind, tuple(row[1:]))
    made, name, fields = shape
    values: list[object] = []
    for at, (field, check, optional) in enumerate(fields, 1):
        value = row[at] if at < len(row) else None
        if value is None and (optional or at >= len(row)):
            if not optional:
                raise RemoteProtocolError(f"{name}.{field}: missing")
            values.append(None)
            continue
        sound(value, 2, f"{name}.{field}", depth)
        try:
            values.append(check(value))
        except Wrong as wrong:
            raise RemoteProtocolError(f"{name}.{field}{wrong.path}: expected {wrong.expected}") from None
    for item in row[len(fields) + 1 :]:
        sound(item, 2, f"{name}, beyond its fields", depth)
    return made(*values)  # type: ignore[arg-type]


def quickly(row: object, size: int, values: int, depth: int = MAX_DEPTH) -> Frame | None:
    """The same by hand for what is sent often; None where it is no frame or a closer look is needed.

    ``size``: the frame's bytes. ``values``, ``depth``: its limits; each value takes a byte at least, so that a frame of
    no more bytes than that needs no counting.
    """
    if type(row) is not list or not row:
        return None
    kind = row[0]
    if type(kind) is not int:
        return None
    flat = _FLAT.get(kind)
    if flat is not None:
        made = flat(row)
        if made is not None:
            return made
    if size > values:
        return None
    nested = _NESTED.get(kind)
    if nested is not None:
        made = nested(row, depth)
        if made is not None:
            return made
    return to_frame(row, depth)


def _signal(row: list[object]) -> Frame | None:
    if len(row) != 4:
        return None
    _, share, kind, data = row
    if (
        type(share) is str
        and type(kind) is str
        and type(data) is bytes
        and 0 < len(share) <= MAX_ID_BYTES
        and share.isascii()
        and kind in _SIGNAL_KINDS
        and len(data) <= MAX_SIGNAL_BYTES
    ):
        return Signal(share, kind, data)
    return None


def _beat(row: list[object]) -> Frame | None:
    if len(row) != 3:
        return None
    kind, nonce, t_ms = row
    if type(nonce) is int and type(t_ms) is int and 0 <= nonce <= MAX_INT and 0 <= t_ms <= MAX_INT:
        return Ping(nonce, t_ms) if kind == 3 else Pong(nonce, t_ms)
    return None


def _request(row: list[object], depth: int) -> Frame | None:
    if len(row) < 4 or len(row) > 5:
        return None
    number, op, args = row[1:4]
    key = row[4] if len(row) == 5 else None
    if (
        type(number) is int
        and type(op) is str
        and 0 < number <= MAX_INT
        and 0 < len(op) <= _OP_BYTES
        and op.isascii()
        and (key is None or (type(key) is str and 0 < len(key) <= MAX_KEY_BYTES and key.isascii()))
    ):
        sound(args, 2, "REQUEST.args", depth)
        return Request(number, op, args, key)
    return None


def _result(row: list[object], depth: int) -> Frame | None:
    number = row[1] if 3 <= len(row) <= 4 else None
    offsets = row[3] if len(row) == 4 else None
    if type(number) is int and 0 < number <= MAX_INT and (offsets is None or type(offsets) is dict):
        sound(row[2], 2, "RESULT.value", depth)
        sound(offsets, 2, "RESULT.offsets", depth)
        return Result(number, row[2], offsets)
    return None


def _event(row: list[object], depth: int) -> Frame | None:
    if len(row) != 6:
        return None
    _, stream, offset, type_, t_ms, data = row
    if (
        type(stream) is str
        and type(offset) is int
        and type(type_) is str
        and type(t_ms) is int
        and type(data) is dict
        and 0 < len(stream) <= _STREAM_BYTES
        and stream.isascii()
        and 0 < offset <= MAX_INT
        and 0 < len(type_) <= _OP_BYTES
        and type_.isascii()
        and 0 <= t_ms <= MAX_INT
    ):
        sound(data, 2, "EVENT.data", depth)
        return Event(stream, offset, type_, t_ms, data)
    return None


_FLAT: Final[dict[int, Callable[[list[object]], Frame | None]]] = {34: _signal, 3: _beat, 4: _beat}
"""Nothing nested in them: nothing to count."""
_NESTED: Final[dict[int, Callable[[list[object], int], Frame | None]]] = {16: _request, 17: _result, 32: _event}
