"""What an HTTP head asks for: our WebSocket, a page, or something to be refused. No I/O.

The head is parsed by h11, once, when it is whole. Refusals are ready-made plain-text responses that say
what would have been right.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final

import attrs
import h11

from broker import limits
from broker.transport.forwarded import X_FORWARDED_FOR

PATH: Final = "/v1/ws"
SUBPROTOCOL: Final = "huntgroup.v1.msgpack"

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_HEAD_END: Final = re.compile(rb"\n\r?\n")
_TEXTS: Final = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    426: "Upgrade Required",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


@attrs.frozen
class Accepted:
    """A WebSocket handshake in order: send ``response``, then frames."""

    response: bytes
    origin: str | None
    forwarded: str = ""
    """What the header of ``judge`` says, several of them joined by commas."""


@attrs.frozen
class Page:
    """Any other HTTP request: somebody else's business."""

    origin: str | None


@attrs.frozen
class Refused:
    """Send ``response`` and close."""

    response: bytes
    reason: str
    status: int


Verdict = Accepted | Page | Refused


def refusal(status: int, reason: str, *headers: tuple[str, str]) -> Refused:
    """A plain-text response that ends the connection."""
    body = f"{reason}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {_TEXTS[status]}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return Refused("\r\n".join(lines).encode("ascii") + b"\r\n\r\n" + body, reason, status)


def head_length(data: bytes | bytearray, searched: int) -> int | None:
    """Bytes of the head in ``data`` with its blank line; None: not whole yet. The first ``searched`` bytes
    were looked at before."""
    found = _HEAD_END.search(data, max(0, searched - 2))
    return found.end() if found else None


def accept_value(key: bytes) -> str:
    """``Sec-WebSocket-Accept`` for a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest()).decode("ascii")


def judge(
    head: bytes, *, path: str = PATH, subprotocol: str | None = SUBPROTOCOL, forwarded: str = X_FORWARDED_FOR
) -> Verdict:
    """Read a whole head. With ``subprotocol`` None any is good, and none is chosen; ``forwarded`` names the header in
    which a proxy says for whom it speaks, in lower case. Never raises."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.HTTP_HEAD_BYTES)
    try:
        reader.receive_data(head)
        request = reader.next_event()
    except h11.RemoteProtocolError as exc:
        return refusal(400, f"this is not an HTTP/1.1 request: {exc}")
    if not isinstance(request, h11.Request):
        return refusal(400, "this is not an HTTP/1.1 request")
    headers: dict[bytes, bytes] = {}
    for name, value in request.headers:
        headers[name] = headers[name] + b"," + value if name in headers else value
    origin = _text(headers[b"origin"]) if b"origin" in headers else None
    here = request.target.partition(b"?")[0] == path.encode("ascii")
    if b"websocket" not in _tokens(headers, b"upgrade"):
        if not here:
            return Page(origin)
        if request.method != b"GET":
            return refusal(405, "connect here with a WebSocket", ("Allow", "GET"))
        return refusal(426, "connect here with a WebSocket", ("Upgrade", "websocket"))
    if not here:
        return refusal(404, f"the WebSocket is at {path}")
    verdict = _handshake(request, headers, origin, subprotocol)
    named = headers.get(forwarded.encode("ascii"))
    return verdict if named is None or isinstance(verdict, Refused) else attrs.evolve(verdict, forwarded=_text(named))


def _tokens(headers: dict[bytes, bytes], name: bytes) -> list[bytes]:
    return [token.strip().lower() for token in headers.get(name, b"").split(b",")]


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _handshake(
    request: h11.Request, headers: dict[bytes, bytes], origin: str | None, subprotocol: str | None
) -> Accepted | Refused:
    """The server's side of RFC 6455, 4.2."""
    if request.method != b"GET" or request.http_version != b"1.1":
        return refusal(400, "a WebSocket starts with GET in HTTP/1.1")
    if b"upgrade" not in _tokens(headers, b"connection"):
        return refusal(400, "the header Connection: Upgrade is missing")
    if headers.get(b"sec-websocket-version") != b"13":
        return refusal(426, "WebSocket version 13 is wanted", ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        return refusal(400, "the header Sec-WebSocket-Key is missing or not 16 bytes in base64")
    if headers.get(b"transfer-encoding") or headers.get(b"content-length", b"0") != b"0":
        return refusal(400, "a WebSocket handshake has no body")
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_value(key)}",
    ]
    if subprotocol is not None:
        offered = [token.strip() for token in headers.get(b"sec-websocket-protocol", b"").split(b",")]
        if subprotocol.encode("ascii") not in offered:
            return refusal(400, f"the subprotocol {subprotocol} must be offered in Sec-WebSocket-Protocol")
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return Accepted("\r\n".join(lines).encode("ascii") + b"\r\n\r\n", origin)
