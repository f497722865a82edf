"""RabbitMQ, keeping conversations: a quorum queue for each side, persistent messages, publisher confirms.

A quorum queue confirms a message, and gives it to its consumer, when it is synced to disk (on one node that node is the
majority); all queues of a node share a log and its syncs. Consumers acknowledge what they take. A durable classic queue
would be faster, but gives a message to a consumer that waits before it is on disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs

from bench.load.build import NotInstalled
from bench.load.chat import Speech
from bench.load.ws import Refused, Socket
from bench.peers.base import end
from bench.peers.process import Server, free_port, listening, start
from bench.peers.pubsub import dial
from bench.peers.talk import Talking, folder

PLACES: Final = "/usr/lib/rabbitmq/bin"
"""Debian's: what it puts on PATH is for the service's own user."""
USER: Final = "bench"
PREFETCH: Final = 100
CONFIG: Final = """
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
"""
START_SECONDS: Final = 120.0
"""Until it listens: four seconds on a quiet machine, but much longer on one core beside other work."""
OPEN_SECONDS: Final = 120.0
"""For all queues to be made."""
Word = tuple[int, int]
"""Class and method."""


def programs() -> tuple[Path, Path]:
    """``rabbitmq-server`` and Erlang's name server, or ``NotInstalled``."""
    path = os.pathsep.join([PLACES, os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"])
    found, names = shutil.which("rabbitmq-server", path=path), shutil.which("epmd")
    if found is None or names is None:
        raise NotInstalled("rabbitmq-server is not on PATH (Debian: apt-get install rabbitmq-server)")
    return Path(found), Path(names)


@attrs.frozen
class RabbitTalk:
    """A queue for each side."""

    name: str = "RabbitMQ"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``."""
        with folder() as kept, _node(self.name, kept) as (server, password):
            sockets: list[Socket] = []
            try:
                queues = [f"talk{i // 2}.{i}" for i in range(2 * conversations)]
                sockets.extend(_joined(server.port, password) for _ in queues)
                _consume(sockets, queues)
                names = [f"talk{i // 2}" for i in range(2 * conversations)]
                yield Talking(server=server, sockets=sockets, names=names, speech=Speech.AMQP)
            finally:
                for s in sockets:
                    s.close()


@contextmanager
def _node(name: str, kept: Path) -> Iterator[tuple[Server, str]]:
    """A node of its own, with a name server of its own: both listen on this machine alone. And its password."""
    program, names = programs()
    password, port, names_port = secrets.token_hex(16), free_port(), free_port()
    (kept / "rabbitmq.conf").write_text(CONFIG.format(port=port, user=USER, password=password))
    (kept / "plugins").write_text("[].\n")
    env = {
        "HOME": str(kept),  # of the cookie
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(names_port),
        "RABBITMQ_NODENAME": f"bench{port}@localhost",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(kept / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(kept / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(kept / "data"),
        "RABBITMQ_LOG_BASE": str(kept / "log"),
        "RABBITMQ_PID_FILE": str(kept / "pid"),
    }
    register = listening(start("epmd", [names], env=env, port=names_port))
    try:
        server = listening(start(name, [program], env=env, port=port, cwd=kept), START_SECONDS)
        try:
            yield server, password
        finally:
            end(server, [])
    finally:
        end(register, [])


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _table(fields: Mapping[str, str]) -> bytes:
    return _long(b"".join(_short(key) + b"S" + _long(value.encode()) for key, value in fields.items()))


def _method(channel: int, word: Word, args: bytes) -> bytes:
    body = struct.pack(">HH", *word) + args
    return struct.pack(">BHI", 1, channel, len(body)) + body + b"\xce"


def _until(s: Socket, word: Word) -> bytes:
    """The arguments of the next method, which must be this one."""
    while len(s.rest) < 7 or len(s.rest) < struct.unpack(">I", s.rest[3:7])[0] + 8:
        data = s.sock.recv(65536)
        if not data:
            raise Refused(f"RabbitMQ closed before {word}")
        s.rest += data
    size = struct.unpack(">I", s.rest[3:7])[0]
    body, s.rest = s.rest[7 : 7 + size], s.rest[8 + size :]
    if struct.unpack(">HH", body[:4]) != word:
        raise Refused(f"RabbitMQ: {body!r} where {word} was to come")
    return body[4:]


def _joined(port: int, password: str) -> Socket:
    """A connection with channel 1; without heartbeats."""
    s = dial(port)
    s.sock.sendall(b"AMQP\x00\x00\x09\x01")
    _until(s, (10, 10))
    proof = _short("PLAIN") + _long(f"\0{USER}\0{password}".encode()) + _short("en_US")
    s.sock.sendall(_method(0, (10, 11), _table({}) + proof))
    channels, frame, _ = struct.unpack(">HIH", _until(s, (10, 30)))
    s.sock.sendall(_method(0, (10, 31), struct.pack(">HIH", channels, frame, 0)))
    s.sock.sendall(_method(0, (10, 40), _short("/") + b"\0\0") + _method(1, (20, 10), b"\0"))
    _until(s, (10, 41))
    _until(s, (20, 11))
    return s


def _consume(sockets: Sequence[Socket], queues: Sequence[str]) -> None:
    """Each declares its queue and consumes it; all are asked before the first is waited for."""
    for s, queue in zip(sockets, queues, strict=True):
        declare = b"\0\0" + _short(queue) + b"\x02" + _table({"x-queue-type": "quorum"})
        s.sock.sendall(_method(1, (50, 10), declare))
        s.sock.sendall(_method(1, (60, 10), struct.pack(">IHB", 0, PREFETCH, 0)))
        s.sock.sendall(_method(1, (60, 20), b"\0\0" + _short(queue) + _short("side") + b"\0" + _table({})))
    for s in sockets:
        s.sock.settimeout(OPEN_SECONDS)
        for word in ((50, 11), (60, 11), (60, 21)):
            _until(s, word)
