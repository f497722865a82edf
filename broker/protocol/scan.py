"""Walks the bytes of one msgpack value with a counter for everything, without making any of it.

The slow, exact half of ``codec.decode``: it runs when the quick way refused a message, and costs at most one
step a value up to the limit, whatever a header announces.
"""

from __future__ import annotations

from typing import Final

from broker.limits import MAX_DEPTH
from broker.protocol.errors import RemoteProtocolError

_ARRAY, _MAP, _STR, _BIN, _FIXED = range(5)

_HEADS: Final[dict[int, tuple[int, int]]] = {
    0xC0: (_FIXED, 0),  # nil
    0xC2: (_FIXED, 0),  # false
    0xC3: (_FIXED, 0),  # true
    0xC4: (_BIN, 1),
    0xC5: (_BIN, 2),
    0xC6: (_BIN, 4),
    0xCA: (_FIXED, 4),  # floats
    0xCB: (_FIXED, 8),
    0xCC: (_FIXED, 1),  # unsigned ints
    0xCD: (_FIXED, 2),
    0xCE: (_FIXED, 4),
    0xCF: (_FIXED, 8),
    0xD0: (_FIXED, 1),  # signed ints
    0xD1: (_FIXED, 2),
    0xD2: (_FIXED, 4),
    0xD3: (_FIXED, 8),
    0xD9: (_STR, 1),
    0xDA: (_STR, 2),
    0xDB: (_STR, 4),
    0xDC: (_ARRAY, 2),
    0xDD: (_ARRAY, 4),
    0xDE: (_MAP, 2),
    0xDF: (_MAP, 4),
}
"""First byte to what follows: of a fixed value its bytes, of the others the bytes of their length.
Missing are the ext types and 0xC1, which the profile doesn't have."""


def scan(
    message: bytes, start: int, values: int, frame_bytes: int, str_bytes: int, bin_bytes: int, depth: int = MAX_DEPTH
) -> int:
    """The end of the frame that starts at ``start``. The other numbers are its limits.

    RemoteProtocolError where it is no array, exceeds a limit, holds a type that the profile doesn't have, or
    ends too early.
    """
    size = len(message)
    first = message[start]
    if not (0x90 <= first <= 0x9F or first in (0xDC, 0xDD)):
        raise RemoteProtocolError("frame: expected an array")
    at = start
    promised = left = 1  # values announced so far; of the innermost open array or map, those to come
    outer: list[int] = []  # the same of those around it
    while True:
        if not left:
            if not outer:
                break
            left = outer.pop()
            continue
        left -= 1
        if at >= size:
            raise RemoteProtocolError("frame: cut off")
        byte = message[at]
        if byte < 0x80 or byte >= 0xE0:  # a small int
            at += 1
            continue
        kind, at, count = _head(message, at, byte)
        if kind == _FIXED:
            at += count
        elif kind in (_STR, _BIN):
            at += count
            if count > (str_bytes if kind == _STR else bin_bytes):
                raise RemoteProtocolError("frame: a string or bin that is too long")
        else:
            if len(outer) >= depth:
                raise RemoteProtocolError(f"frame: nested deeper than {depth}")
            outer.append(left)
            left = count * 2 if kind == _MAP else count
            promised += left
            if promised > values:
                raise RemoteProtocolError(f"frame: more than {values} values")
    if at > size:
        raise RemoteProtocolError("frame: cut off")
    if at - start > frame_bytes:
        raise RemoteProtocolError(f"frame: more than {frame_bytes} bytes")
    return at


def _head(message: bytes, at: int, byte: int) -> tuple[int, int, int]:
    """(kind, where the head ends, count) of the value at ``at``: bytes, elements or pairs."""
    at += 1
    if byte < 0x90:
        return _MAP, at, byte & 0x0F
    if byte < 0xA0:
        return _ARRAY, at, byte & 0x0F
    if byte < 0xC0:
        return _STR, at, byte & 0x1F
    head = _HEADS.get(byte)
    if head is None:
        raise RemoteProtocolError("frame: an extension or reserved type")
    kind, width = head
    if kind == _FIXED:
        return kind, at, width
    length = message[at : at + width]
    if len(length) < width:
        raise RemoteProtocolError("frame: cut off")
    return kind, at + width, int.from_bytes(length, "big")
