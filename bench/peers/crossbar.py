"""Crossbar in the fan-out: a WAMP router over WebSocket and msgpack, one topic, unacknowledged, as by default."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import attrs
import msgpack  # type: ignore[import-untyped]

from bench.load.build import CACHE, NotInstalled
from bench.load.ws import BINARY, Refused, Socket, connect, frame
from bench.peers.base import EVENT_BYTES, Wired, end
from bench.peers.install import python_peer
from bench.peers.process import Server, free_port, listening, start

CROSSBAR: Final = ["crossbar==26.10.1"]
REALM: Final = "bench"
TOPIC: Final = "bench"
HELLO, WELCOME, PUBLISH, SUBSCRIBE, SUBSCRIBED, EVENT = 1, 2, 16, 32, 33, 36
OVERHEAD: Final = 30
"""About what WAMP itself adds to an EVENT's payload."""


def _config(port: int) -> dict[str, Any]:
    """A node with one router worker: everybody may publish and subscribe."""
    allowed = {"uri": "", "match": "prefix", "allow": {"publish": True, "subscribe": True}, "cache": True}
    return {
        "version": 2,
        "workers": [
            {
                "type": "router",
                "realms": [{"name": REALM, "roles": [{"name": "anonymous", "permissions": [allowed]}]}],
                "transports": [
                    {
                        "type": "websocket",
                        "endpoint": {"type": "tcp", "port": port, "interface": "127.0.0.1", "backlog": 1024},
                        "serializers": ["msgpack"],
                        "auth": {"anonymous": {"type": "static", "role": "anonymous"}},
                    }
                ],
            }
        ],
    }


def _launch(folder: Path) -> Server:
    program = python_peer("crossbar", CROSSBAR).parent / "crossbar"
    port = free_port()
    (folder / "config.json").write_text(json.dumps(_config(port)))
    command: list[str | Path] = [program, "start", "--cbdir", folder, "--loglevel", "error"]
    return listening(start("Crossbar", command, port=port))


def _join(port: int, *, subscribe: bool) -> Socket:
    s = connect(port, "/", "wamp.2.msgpack")
    roles: dict[str, dict[str, object]] = {"publisher": {}, "subscriber": {}}
    s.send(msgpack.packb([HELLO, REALM, {"roles": roles}]))
    _expect(s, WELCOME)
    if subscribe:
        s.send(msgpack.packb([SUBSCRIBE, 1, {}, TOPIC]))
        _expect(s, SUBSCRIBED)
    return s


def _expect(s: Socket, kind: int) -> None:
    got = msgpack.unpackb(s.receive()[1])
    if got[0] != kind:
        raise Refused(f"Crossbar answered {got!r}")


@attrs.frozen
class Crossbar:
    """See ``Contender``."""

    name: str = "Crossbar"

    def relay(self, pairs: int) -> AbstractContextManager[Wired]:
        """Not a contender in the relay."""
        raise NotInstalled(f"{self.name} has no relay peer here")

    @contextmanager
    def fanout(self, subscribers: int) -> Iterator[Wired]:
        """See ``Contender``."""
        CACHE.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="crossbar-", dir=CACHE))
        sockets: list[Socket] = []
        try:
            server = _launch(folder)
            try:
                sockets.append(_join(server.port, subscribe=False))
                sockets.extend(_join(server.port, subscribe=True) for _ in range(subscribers))
                publish = msgpack.packb([PUBLISH, 1, {}, TOPIC, ["x" * (EVENT_BYTES - OVERHEAD)]])
                canned = [[frame(publish, BINARY)], *([] for _ in range(subscribers))]
                yield Wired(server=server, sockets=sockets, canned=canned, unit_kind=EVENT)
            finally:
                end(server, sockets)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
