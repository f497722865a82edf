"""RFC 6455 without I/O: a parser of frames, and the bytes of frames to send.

Binary messages only, no extensions. Text is refused with 1003, what is too large with 1009, what the
RFC forbids with 1002. The HTTP upgrade before it is ``upgrade``; the links that own a parser, ``engine``.

Theory of operation: ``Parser.feed`` takes bytes as they came from the socket and returns the whole
messages in them. Nearly every frame of ours is a small, whole, masked, binary one: ``feed`` handles it
inline. Anything else (control frames, fragments, long lengths, an incomplete header) goes through
``_frame``, which is slower and checks everything. What is not a message (ping, close, violation) is
left in ``controls``. An incomplete frame waits in ``_rest``, and ``_need`` says how many bytes it takes
before another look is worth it, so that a large message in small pieces costs linear time.
"""

from __future__ import annotations

from typing import Final

import attrs

from broker import limits

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

NORMAL: Final = 1000
PROTOCOL_ERROR: Final = 1002
UNSUPPORTED: Final = 1003
NO_CODE: Final = 1005  # never sent: a close frame without a code
ABNORMAL: Final = 1006  # never sent: no close frame at all
BAD_UTF8: Final = 1007
TOO_LARGE: Final = 1009

MAX_CONTROL_BYTES: Final = 125  # RFC 6455, 5.5
LARGE_BYTES: Final = 8192  # from about here on four translated strides beat one XOR of long integers

_FIN: Final = 0x80
_RSV: Final = 0x70
_MASKED: Final = 0x80
_WHOLE_BINARY: Final = _FIN | BINARY
_XOR: Final = tuple(bytes(a ^ b for b in range(256)) for a in range(256))

_integer = int.from_bytes


@attrs.frozen
class Ping:
    """The peer wants a pong with the same payload."""

    payload: bytes


@attrs.frozen
class Pong:
    """The peer answered a ping, or sends one unasked."""

    payload: bytes


@attrs.frozen
class Bye:
    """The peer's close frame: its code (1005 if it had none) and reason. Nothing follows."""

    code: int
    reason: str


@attrs.frozen
class Violation:
    """The peer broke the rules: close with this code. Nothing that follows is looked at."""

    code: int
    reason: str


Control = Ping | Pong | Bye | Violation


def may_close_with(code: int) -> bool:
    """Whether a close frame may carry this code (RFC 6455, 7.4, and IANA's registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def unmask(payload: bytes, key: bytes) -> bytes:
    """XOR the payload with the 4-byte key repeated; masking and unmasking are the same."""
    size = len(payload)
    if size <= LARGE_BYTES:
        words = (size + 3) >> 2
        plain = (_integer(payload, "little") ^ _integer(key * words, "little")).to_bytes(words << 2, "little")
        return plain[:size] if size & 3 else plain
    room = bytearray(size)
    for lane in range(4):
        room[lane::4] = payload[lane::4].translate(_XOR[key[lane]])
    return bytes(room)


def _header(first: int, size: int, mask_bit: int) -> bytes:
    if size < 126:
        return bytes((first, mask_bit | size))
    if size < 65536:
        return bytes((first, mask_bit | 126)) + size.to_bytes(2, "big")
    return bytes((first, mask_bit | 127)) + size.to_bytes(8, "big")


def server_frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """A frame from the server: not masked."""
    return _header((_FIN if fin else 0) | opcode, len(payload), 0) + payload


def client_frame(opcode: int, payload: bytes, *, fin: bool = True, key: bytes = b"\x1f\x2e\x3d\x4c") -> bytes:
    """A frame from a client: masked. The key need not be random where no proxy is in between."""
    return _header((_FIN if fin else 0) | opcode, len(payload), _MASKED) + key + unmask(payload, key)


def close_payload(code: int, reason: str) -> bytes:
    """A close frame's payload; 1005 and 1006, which may not be sent, give an empty one. A long reason is
    cut at a character's end."""
    if not may_close_with(code):
        return b""
    text = reason.encode()[: MAX_CONTROL_BYTES - 2].decode(errors="ignore")
    return code.to_bytes(2, "big") + text.encode()


@attrs.define(eq=False)
class Parser:
    """Bytes in, whole binary messages out; see the theory of operation above."""

    limit: int
    """The largest message taken, in bytes; may be changed at any time, holds from the next frame on."""
    masked: bool = True
    """Whether frames must come masked (the server's side) or must not (the client's)."""
    attention: bool = False
    """``controls`` holds something, or ``more`` is true."""
    more: bool = False
    """The last ``feed`` stopped at its bound: feed it ``b""`` to go on."""
    over: bool = False
    """After a close frame or a violation: everything further is discarded."""
    controls: list[Control] | None = None
    _rest: bytearray | None = None
    _need: int = 0
    _message: bytearray | None = None

    def feed(self, data: bytes, most: int = limits.LINK_MESSAGES) -> list[bytes]:
        """The messages that are complete now, at most ``most`` of them. Never raises."""
        out: list[bytes] = []
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._need:
                return out
            data = bytes(self._rest)
            self._rest = None
            self.more = False
        if self.over:
            return out
        pos = 0
        end = len(data)
        top = min(self.limit, LARGE_BYTES) if self.masked else -1
        while pos < end:
            if end - pos > 7 and data[pos] == _WHOLE_BINARY and self._message is None:
                size = data[pos + 1] - _MASKED
                start = pos + 6
                if size >= 126:
                    # A size that isn't in its shortest form, or takes eight bytes, is not for this road.
                    size = data[pos + 2] << 8 | data[pos + 3] if size == 126 else -1
                    if size < 126:
                        size = -1
                    start = pos + 8
                stop = start + size
                if 0 <= size <= top and stop <= end:
                    words = (size + 3) >> 2
                    plain = _integer(data[start:stop], "little") ^ _integer(data[start - 4 : start] * words, "little")
                    message = plain.to_bytes(words << 2, "little")
                    out.append(message[:size] if size & 3 else message)
                    pos = stop
                    if len(out) == most and pos < end:
                        self._keep(data, pos)
                        break
                    continue
            pos = self._frame(data, pos, end, out)
            if pos < 0:
                break
            if len(out) == most and pos < end:
                self._keep(data, pos)
                break
        return out

    def take_controls(self) -> list[Control]:
        """What came beside messages, once."""
        taken = self.controls or []
        self.controls = None
        self.attention = self.more
        return taken

    def _keep(self, data: bytes, pos: int) -> None:
        self._rest = bytearray(data[pos:])
        self._need = 0
        self.more = self.attention = True

    def _wait(self, data: bytes, pos: int, need: int) -> int:
        self._rest = bytearray(data[pos:])
        self._need = need
        return -1

    def _control(self, control: Control) -> None:
        if self.controls is None:
            self.controls = []
        self.controls.append(control)
        self.attention = True

    def _violation(self, code: int, reason: str) -> int:
        self.over = True
        self._message = None
        self._control(Violation(code, reason))
        return -1

    def _frame(self, data: bytes, pos: int, end: int, out: list[bytes]) -> int:
        """Read one frame of any sort at ``pos``; the place after it, or -1: wait for more, or it is over."""
        if end - pos < 2:
            return self._wait(data, pos, 2)
        opcode = data[pos] & 0x0F
        size = data[pos + 1] & 0x7F
        wrong = self._objection(data[pos], data[pos + 1])
        if wrong is not None:
            return self._violation(*wrong)
        start = pos + 2
        if size > 125:
            wide = 2 if size == 126 else 8
            start += wide
            if end < start:
                return self._wait(data, pos, start - pos)
            size = _integer(data[pos + 2 : start], "big")
            if size < (126 if wide == 2 else 65536) or size >> 63:
                return self._violation(PROTOCOL_ERROR, "a length not in its shortest form")
        if opcode < CLOSE and size + len(self._message or b"") > self.limit:
            return self._violation(TOO_LARGE, f"a message of more than {self.limit} bytes")
        if self.masked:
            start += 4
        stop = start + size
        if stop > end:
            return self._wait(data, pos, stop - pos)
        payload = data[start:stop]
        if self.masked:
            payload = unmask(payload, data[start - 4 : start])
        if opcode < CLOSE:
            self._fragment(data[pos] & _FIN, payload, out)
            return stop
        return self._control_frame(opcode, payload, stop)

    def _objection(self, first: int, second: int) -> tuple[int, str] | None:
        """What is wrong with the first two bytes of a frame: the code to close with, and why."""
        opcode = first & 0x0F
        if first & _RSV:
            return PROTOCOL_ERROR, "a reserved bit is set"
        if bool(second & _MASKED) != self.masked:
            return PROTOCOL_ERROR, "a frame from a client is masked, one from a server isn't"
        if opcode >= CLOSE:
            if opcode > PONG:
                return PROTOCOL_ERROR, "an unknown opcode"
            if not first & _FIN:
                return PROTOCOL_ERROR, "a control frame in fragments"
            if second & 0x7F > MAX_CONTROL_BYTES:
                return PROTOCOL_ERROR, "a control frame of more than 125 bytes"
            return None
        if opcode > BINARY:
            return PROTOCOL_ERROR, "an unknown opcode"
        if (opcode == CONTINUATION) != (self._message is not None):
            return PROTOCOL_ERROR, "a continuation of nothing, or a new message inside another"
        if opcode == TEXT:
            return UNSUPPORTED, "text messages are not taken, send binary ones"
        return None

    def _fragment(self, fin: int, payload: bytes, out: list[bytes]) -> None:
        if self._message is None:
            if fin:
                out.append(payload)
            else:
                self._message = bytearray(payload)
            return
        self._message += payload
        if fin:
            out.append(bytes(self._message))
            self._message = None

    def _control_frame(self, opcode: int, payload: bytes, stop: int) -> int:
        if opcode == PING:
            self._control(Ping(payload))
            return stop
        if opcode == PONG:
            self._control(Pong(payload))
            return stop
        if len(payload) == 1:
            return self._violation(PROTOCOL_ERROR, "a close code of one byte")
        code = _integer(payload[:2], "big") if payload else NO_CODE
        if payload and not may_close_with(code):
            return self._violation(PROTOCOL_ERROR, f"close code {code} may not be sent")
        try:
            reason = payload[2:].decode()
        except UnicodeDecodeError:
            return self._violation(BAD_UTF8, "a close reason that is not UTF-8")
        self.over = True
        self._message = None
        self._control(Bye(code, reason))
        return -1
