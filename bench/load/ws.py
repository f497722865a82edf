"""A blocking WebSocket client for set-up: upgrade, masked frames out, messages in. No fragments, no extensions.

The sockets it makes are later handed to the C programs, so it must read exactly what was sent and not a
byte more: ``Socket.rest`` must be empty at the hand-over.
"""

from __future__ import annotations

import base64
import os
import socket
from typing import Final

import attrs

TEXT: Final = 1
BINARY: Final = 2
READ_BYTES: Final = 65536
SETUP_TIMEOUT: Final = 20.0  # seconds; a server that needs longer for one answer is broken


class Refused(Exception):
    """The server did not do what the set-up asked for; the text says what came instead."""


def frame(payload: bytes, opcode: int = BINARY, mask: bytes | None = None) -> bytes:
    """One whole client frame, masked."""
    key = os.urandom(4) if mask is None else mask
    n = len(payload)
    if n < 126:
        head = bytes([0x80 | opcode, 0x80 | n])
    elif n < 65536:
        head = bytes([0x80 | opcode, 0x80 | 126]) + n.to_bytes(2, "big")
    else:
        head = bytes([0x80 | opcode, 0x80 | 127]) + n.to_bytes(8, "big")
    pattern = int.from_bytes((key * (n // 4 + 1))[:n], "big")
    return head + key + (int.from_bytes(payload, "big") ^ pattern).to_bytes(n, "big")


def cut(data: bytes) -> tuple[int, bytes, int] | None:
    """(opcode, payload, bytes used) of the first whole server frame in ``data``; None where it isn't whole yet."""
    if len(data) < 2:
        return None
    n, head = data[1] & 127, 2
    if n == 126:
        n, head = int.from_bytes(data[2:4], "big"), 4
    elif n == 127:
        n, head = int.from_bytes(data[2:10], "big"), 10
    if len(data) < head + n:
        return None
    return data[0] & 15, data[head : head + n], head + n


@attrs.define(eq=False)
class Socket:
    """One upgraded connection."""

    sock: socket.socket
    rest: bytes = b""

    @property
    def fd(self) -> int:
        """Its descriptor, for the C programs."""
        return self.sock.fileno()

    def send(self, payload: bytes, opcode: int = BINARY) -> None:
        """One message."""
        self.sock.sendall(frame(payload, opcode))

    def receive(self) -> tuple[int, bytes]:
        """The next frame that isn't a WebSocket ping: (opcode, payload). Raises ``Refused`` on a close."""
        while True:
            found = cut(self.rest)
            if found is None:
                data = self.sock.recv(READ_BYTES)
                if not data:
                    raise Refused("the server closed the connection")
                self.rest += data
                continue
            opcode, payload, used = found
            self.rest = self.rest[used:]
            if opcode == 9:
                self.send(payload, 10)
            elif opcode == 8:
                raise Refused(f"the server closed with {int.from_bytes(payload[:2], 'big')} {payload[2:]!r}")
            else:
                return opcode, payload

    def hand_over(self) -> int:
        """Make it non-blocking and give its descriptor away."""
        if self.rest:
            raise Refused(f"bytes came that the set-up did not wait for: {self.rest[:80]!r}")
        self.sock.setblocking(False)
        return self.fd

    def close(self) -> None:
        """Drop it."""
        self.sock.close()


def connect(port: int, path: str, protocol: str | None = None, host: str = "127.0.0.1") -> Socket:
    """Connect and upgrade. Raises ``Refused`` with the status line where the answer isn't 101."""
    sock = socket.create_connection((host, port), timeout=SETUP_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(READ_BYTES)
        if not more:
            raise Refused(f"the server closed during the upgrade: {data[:200]!r}")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise Refused(f"no upgrade: {head.splitlines()[0]!r}")
    return Socket(sock, rest)
