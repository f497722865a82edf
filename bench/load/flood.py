"""The flooder of `bench/scenarios/flood.py`: ``python -m bench.load.flood KIND PORT``, until it is sent SIGTERM.

It keeps to the rate of its kind, from ``ADDRESSES`` addresses of 127/8: connections opened a second, and messages sent
a second on those that are open. It reads only to see that it was shut out. At the end it prints, as JSON, what it
reached. Its priority is the lowest, so that the load with which it shares a core is not late because of it.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import msgpack  # type: ignore[import-untyped]

from bench.load.people import HELLO, PATH, PROTOCOL, REQUEST
from bench.load.ws import READ_BYTES, cut, frame
from bench.machine import raise_file_limit

ADDRESSES: Final = 16
ACCOUNT: Final = "bench"
NICENESS: Final = 19
TURN: Final = 0.002  # s between two looks at the clock
CATCH_UP: Final = 0.02  # s of its rate that it makes up for at once, if it had to wait for its core
FRAMES: Final = 50  # frames in one message of the frame flood
HEAD: Final = f"GET {PATH} HTTP/1.1\r\nHost: x\r\n".encode()
UPGRADE: Final = (
    HEAD
    + (
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {PROTOCOL}\r\n\r\n"
    ).encode()
)
LONG: Final = HEAD + b"".join(b"X-%04d: y\r\n" % number for number in range(1400)) + b"\r\n"


def _hello(auth: dict[str, object]) -> bytes:
    return UPGRADE + frame(msgpack.packb([HELLO, [1], [], auth, {}]))


def _pin(number: int) -> str:
    return f"{number * 7919 % 10**9:09}"


def _login(number: int) -> dict[str, object]:
    return {
        "login": {"account": ACCOUNT, "person": f"rep-{number % 100:05}", "role": "representative", "password": "x"}
    }


def _asked(number: int, op: str, args: dict[str, object]) -> bytes:
    return bytes(msgpack.packb([REQUEST, number, op, args, f"flood-{number}"]))


def _requests(number: int) -> bytes:
    return frame(b"".join(_asked(number * FRAMES + n + 1, "portal.open", {}) for n in range(FRAMES)))


def _redeem(number: int) -> bytes:
    return frame(_asked(number + 1, "pin.redeem", {"pin": _pin(number)}))


def _nothing(number: int) -> bytes:
    return b""


@attrs.frozen(kw_only=True)
class Kind:
    """One way to flood."""

    opens: float
    """Connections opened a second."""
    held: int
    """Connections held; for one more the oldest is closed."""
    hello: Callable[[int], bytes] = _nothing
    """What the connection of this number begins with."""
    sends: float = 0.0
    """Messages a second on open connections, which take turns."""
    message: Callable[[int], bytes] = _nothing
    reopens: bool = False
    """Opens only while fewer than ``held`` are open: those that were shut out come again."""


KINDS: Final[dict[str, Kind]] = {
    "half-open": Kind(opens=2000, held=10_000),
    "slow heads": Kind(opens=1000, held=4000, sends=4000, message=lambda number: b"G"),
    "long heads": Kind(opens=1000, held=1000, hello=lambda number: LONG),
    "bad tokens": Kind(opens=2000, held=1000, hello=lambda number: _hello({"token": "x"})),
    "wrong passwords": Kind(opens=1000, held=1000, hello=lambda number: _hello(_login(number))),
    "pins at sign-in": Kind(opens=2000, held=1000, hello=lambda number: _hello({"pin": _pin(number)})),
    "pins redeemed": Kind(
        opens=200,
        held=64,
        hello=lambda number: _hello({"portal": f"{ACCOUNT}/pins"}),
        sends=2000,
        message=_redeem,
        reopens=True,
    ),
    "frames": Kind(
        opens=200,
        held=64,
        hello=lambda number: _hello({"portal": f"{ACCOUNT}/ask"}),
        sends=1000,
        message=_requests,
        reopens=True,
    ),
}


@attrs.define
class Flooder:
    """The attacker."""

    kind: Kind
    port: int
    held: deque[socket.socket] = attrs.field(factory=deque)
    opened: int = 0
    """Connections that came to be."""
    tried: int = 0
    sent: int = 0
    """Messages that a socket took."""

    def open(self) -> None:
        """One more connection from the next address; for which the oldest is closed."""
        if len(self.held) >= self.kind.held:
            if self.kind.reopens:
                return
            self.held.popleft().close()
        attacker = socket.socket()
        attacker.setblocking(False)
        self.tried += 1
        try:
            attacker.bind((f"127.9.0.{self.tried % ADDRESSES + 1}", 0))
            attacker.connect_ex(("127.0.0.1", self.port))
            data = self.kind.hello(self.tried)
            if data:
                attacker.send(data)
        except OSError:
            attacker.close()
            return
        self.opened += 1
        self.held.append(attacker)

    def send(self) -> None:
        """One more message on the next connection; one that is shut out is given up."""
        if not self.held:
            return
        attacker = self.held.popleft()
        try:
            attacker.send(self.kind.message(self.sent))
            if shut_out(attacker.recv(READ_BYTES)):
                attacker.close()
                return
        except BlockingIOError:
            pass
        except OSError:
            attacker.close()
            return
        self.sent += 1
        self.held.append(attacker)

    def as_json(self, seconds: float) -> str:
        """What was reached, a second."""
        names = ("tried", "opened", "sent")
        return json.dumps({name: round(getattr(self, name) / seconds) for name in names})


def shut_out(data: bytes) -> bool:
    """Whether these bytes of the broker are the end: of the stream, or a close frame. (One that is cut in two is taken
    for rubbish, and the next message finds the socket broken.)"""
    if not data:
        return True
    while (found := cut(data)) is not None:
        opcode, _, used = found
        if opcode == 8:
            return True
        data = data[used:]
    return False


def main(name: str, port: int) -> None:
    """Flood at the kind's rate; a line when it has begun, and one at the end."""
    os.nice(NICENESS)
    most = raise_file_limit() - 100
    kind = attrs.evolve(KINDS[name], held=min(KINDS[name].held, most))
    flooder = Flooder(kind, port)
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    began = last = time.monotonic()
    opens = sends = 0.0
    for turn in itertools.count():
        now = time.monotonic()
        opens += min(now - last, CATCH_UP) * kind.opens
        sends += min(now - last, CATCH_UP) * kind.sends
        last = now
        while opens >= 1:
            flooder.open()
            opens -= 1
        while sends >= 1:
            flooder.send()
            sends -= 1
        if not turn:
            print("flooding", flush=True)
        if over:
            break
        time.sleep(TURN)
    print(flooder.as_json(time.monotonic() - began), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
