"""The flooder of `bench/scenarios/flood.py`: ``python -m bench.load.flood half-open|bad-hello PORT``, until killed."""

from __future__ import annotations

import itertools
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import Final

import msgpack  # type: ignore[import-untyped]

from bench.load.people import HELLO, PATH, PROTOCOL
from bench.load.ws import frame
from bench.machine import raise_file_limit

ADDRESSES: Final = 64
HELD: Final = 5000
UPGRADE: Final = (
    f"GET {PATH} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
).encode()


def main(kind: str, port: int) -> None:
    """Open, send what this kind sends, and drop the oldest; a line when the first round is through."""
    most = min(HELD, raise_file_limit() - 100) if kind == "half-open" else 50
    sent = b"" if kind == "half-open" else UPGRADE + frame(msgpack.packb([HELLO, [1], [], {"token": "x"}, {}]))
    held: deque[socket.socket] = deque()
    for number in itertools.count():
        if len(held) >= most:
            held.popleft().close()
        attacker = socket.socket()
        held.append(attacker)
        with suppress(OSError):
            attacker.bind((f"127.9.0.{number % ADDRESSES + 1}", 0))
            attacker.settimeout(0.05)
            attacker.connect(("127.0.0.1", port))
            attacker.sendall(sent)
        if number == most:
            sys.stdout.write("flooding\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
