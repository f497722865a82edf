"""The other end of a WebSocket, without I/O: what the memory transport's peers and the tests speak with.

Not a product client (that is ``clients``): it trusts the broker, and its masking key is no secret.
"""

from __future__ import annotations

import attrs

from broker.transport import upgrade
from broker.transport.websocket import (
    BINARY,
    CLOSE,
    PONG,
    Bye,
    Parser,
    Ping,
    Pong,
    Violation,
    client_frame,
    close_payload,
)

_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455's sample: 16 bytes that need not be random here
_UNBOUNDED = 2**62


class UpgradeRefused(Exception):
    """The broker answered the upgrade with another status than 101."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


@attrs.define(eq=False)
class Client:
    """One client connection: bytes in, messages out, and the bytes to answer with."""

    path: str = upgrade.PATH
    subprotocol: str | None = upgrade.SUBPROTOCOL
    origin: str | None = None
    opened: bool = False
    """The upgrade was accepted."""
    refused: UpgradeRefused | None = None
    closed: Bye | Violation | None = None
    """The broker's close frame, or what was wrong with its bytes."""
    pongs: list[bytes] = attrs.field(factory=list)
    """Payloads of the pongs received."""
    outgoing: bytearray = attrs.field(factory=bytearray)
    """Answers for the broker (pongs, the close frame): the owner sends and clears them."""
    _closing: bool = False
    _head: bytearray = attrs.field(factory=bytearray)
    _parser: Parser = attrs.field(factory=lambda: Parser(_UNBOUNDED, masked=False))

    def request(self) -> bytes:
        """The upgrade request: the first bytes to send."""
        lines = [
            f"GET {self.path} HTTP/1.1",
            "Host: broker.test",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {_KEY.decode()}",
        ]
        if self.subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {self.subprotocol}")
        if self.origin is not None:
            lines.append(f"Origin: {self.origin}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n"

    def message(self, payload: bytes) -> bytes:
        """The bytes of one binary message."""
        return client_frame(BINARY, payload)

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """The bytes that start the close handshake."""
        self._closing = True
        return client_frame(CLOSE, close_payload(code, reason))

    def receive(self, data: bytes) -> list[bytes]:
        """Take what the broker sent; the messages that are complete now."""
        if not self.opened:
            self._head += data
            length = upgrade.head_length(self._head, 0)
            if length is None:
                return []
            status = int(self._head.split(b" ", 2)[1])
            data = bytes(self._head[length:])
            if status != 101:
                self.refused = UpgradeRefused(status, data.decode(errors="replace").strip())
                return []
            self.opened = True
        messages = self._parser.feed(data, _UNBOUNDED)
        for control in self._parser.take_controls():
            if isinstance(control, Pong):
                self.pongs.append(control.payload)
            elif isinstance(control, Ping):
                self.outgoing += client_frame(PONG, control.payload)
            else:
                self.closed = control
                if not self._closing:
                    self.outgoing += client_frame(CLOSE, close_payload(control.code, ""))
        return messages
