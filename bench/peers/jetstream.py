"""NATS JetStream, keeping conversations: one stream, on disk before each acknowledgement (``sync_interval: always``).

A subject for each conversation and reader, ``talk.12.25``. A side publishes with a subject to be answered at, where the
stream's acknowledgement comes; it reads by an ephemeral push consumer without acknowledgements of its own, as an
ordered consumer is, but without flow control, which costs less.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import attrs

from bench.load.chat import Speech
from bench.load.ws import Refused, Socket
from bench.peers.base import end
from bench.peers.process import free_port, listening, start
from bench.peers.pubsub import dial, nats_program, until
from bench.peers.talk import Talking, folder

STREAM: Final = "TALK"
CONFIG: Final = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}", sync_interval: always }}
"""


@attrs.frozen
class JetStreamTalk:
    """A stream of all conversations, and a consumer for each side."""

    name: str = "NATS JetStream"

    @contextmanager
    def talk(self, conversations: int) -> Iterator[Talking]:
        """See ``Keeper``."""
        program = nats_program()
        with folder() as kept:
            port = free_port()
            (kept / "nats.conf").write_text(CONFIG.format(port=port, store=kept / "store"))
            server = listening(start(self.name, [program, "-c", kept / "nats.conf"], port=port))
            sockets: list[Socket] = []
            try:
                for number in range(2 * conversations):
                    sockets.append(_joined(port, number))
                    if not number:
                        _stream(sockets[0])
                    _consumer(sockets[number], number)
                names = [f"talk.{i // 2}" for i in range(2 * conversations)]
                yield Talking(server=server, sockets=sockets, names=names, speech=Speech.NATS)
            finally:
                end(server, sockets)


def _joined(port: int, number: int) -> Socket:
    s = dial(port)
    until(s, b"\r\n")
    s.sock.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\n')
    s.sock.sendall(f"SUB ack.{number}.* 1\r\nSUB said.{number} 2\r\nSUB set.{number} 3\r\nPING\r\n".encode())
    until(s, b"PONG\r\n")
    return s


def _stream(s: Socket) -> None:
    _ask(
        s, 0, f"STREAM.CREATE.{STREAM}", {"name": STREAM, "subjects": ["talk.>"], "storage": "file", "num_replicas": 1}
    )


def _consumer(s: Socket, number: int) -> None:
    wanted = {
        "deliver_subject": f"said.{number}",
        "filter_subject": f"talk.{number // 2}.{number}",
        "deliver_policy": "new",
        "ack_policy": "none",
        "mem_storage": True,
    }
    _ask(s, number, f"CONSUMER.CREATE.{STREAM}", {"stream_name": STREAM, "config": wanted})


def _ask(s: Socket, number: int, what: str, args: dict[str, object]) -> None:
    """One request of JetStream's API, answered on the set-up's own subscription; whole when the PONG behind it is."""
    packed = json.dumps(args).encode()
    s.sock.sendall(b"PUB $JS.API.%b set.%d %d\r\n%b\r\n" % (what.encode(), number, len(packed), packed))
    answer = until(s, b"}\r\n")
    if b'"error"' in answer or b"-ERR" in answer:
        raise Refused(f"JetStream refused {what}: {answer!r}")
