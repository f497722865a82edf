"""The peers, each in its normal, recommended set-up, doing the same relay or fan-out with the same bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import NotInstalled, program
from bench.load.engine import Framing
from bench.load.ws import TEXT, Refused, Socket, connect, frame
from bench.peers.base import SIGNAL_BYTES, Plain, Wired, end
from bench.peers.install import node_peer, python_peer
from bench.peers.process import Server, start

HERE: Final = Path(__file__).parent
PICOWS: Final = ["picows==2.3.1", "uvloop==0.22.1"]

FLOOR: Final = Plain("C floor", lambda: start("C floor", [program("echo")]))
NODE_WS: Final = Plain("node ws", lambda: start("node ws", node_peer("node"), env={"NODE_ENV": "production"}))
TRIO_WEBSOCKET: Final = Plain(
    "trio-websocket", lambda: start("trio-websocket", [sys.executable, HERE / "trio_relay.py"])
)
PICOWS_UVLOOP: Final = Plain(
    "picows", lambda: start("picows", [python_peer("picows", PICOWS), HERE / "picows_relay.py"])
)


def _socketio_pair(port: int, pair: int) -> Socket:
    """Engine.IO's open packet, then Socket.IO's connect, on a WebSocket from the first byte."""
    s = connect(port, f"/socket.io/?EIO=4&transport=websocket&pair={pair}")
    opened = s.receive()[1]
    s.send(b"40", TEXT)
    connected = s.receive()[1]
    if not opened.startswith(b"0{") or not connected.startswith(b"40{"):
        raise Refused(f"not a Socket.IO server: {opened!r} {connected!r}")
    return s


@attrs.frozen
class SocketIO:
    """socket.io, which has a protocol of its own on top of WebSocket texts."""

    name: str = "socket.io"

    @contextmanager
    def relay(self, pairs: int) -> Iterator[Wired]:
        """See ``Contender``."""
        server = start(self.name, node_peer("socketio"), env={"NODE_ENV": "production"})
        sockets: list[Socket] = []
        try:
            sockets.extend(_socketio_pair(server.port, i // 2) for i in range(2 * pairs))
            text = "42" + json.dumps(["signal", "s" * SIGNAL_BYTES], separators=(",", ":"))
            canned = [[frame(text.encode(), TEXT)] for _ in sockets]
            yield Wired(server=server, sockets=sockets, canned=canned, framing=Framing.OPAQUE, unit_min=SIGNAL_BYTES)
        finally:
            end(server, sockets)

    def fanout(self, subscribers: int) -> AbstractContextManager[Wired]:
        """Not a contender in the fan-out."""
        raise NotInstalled("socket.io has no fan-out peer here")


def ensure(*names: str) -> list[str]:
    """What is missing of these peers, said plainly; installs what it can."""
    missing = []
    for name in names:
        try:
            _ensure(name)
        except NotInstalled as error:
            missing.append(f"{name}: not installed. {error}")
    return missing


def _ensure(name: str) -> Server | None:
    if name == "node ws":
        node_peer("node")
    elif name == "socket.io":
        node_peer("socketio")
    elif name == "picows":
        python_peer("picows", PICOWS)
    else:
        program("echo")
    return None
