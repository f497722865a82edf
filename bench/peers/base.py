"""What a scenario needs of a contender, the broker or a peer: connected, signed-in sockets and canned messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

import attrs
import msgpack  # type: ignore[import-untyped]

from bench.load.engine import Framing, Member, Mode, Plan
from bench.load.ws import BINARY, Socket, connect, frame
from bench.peers.process import Server

EVENT: Final = 32
SIGNAL: Final = 34
SIGNAL_BYTES: Final = 200
EVENT_BYTES: Final = 200
"""Of the whole EVENT frame, as every contender in the fan-out sends it."""


@attrs.frozen(kw_only=True)
class Wired:
    """A running server with the clients of one scenario connected to it."""

    server: Server
    sockets: Sequence[Socket]
    """Relay: neighbours (0, 1), (2, 3)... are pairs. Fan-out: the first publishes, the rest subscribe."""
    canned: Sequence[Sequence[bytes]]
    """For each socket, what it sends, ready for the wire."""
    framing: Framing = Framing.FRAMES
    unit_kind: int = 0
    unit_min: int = 1
    per_message: int = 1
    note: str = ""

    def relay(self, inflight: int, warm_ms: int, measure_ms: int) -> Plan:
        """``inflight`` units on their way in each pair: half from either side, a single one from the first."""
        members = [
            Member(fd=s.hand_over(), source=i ^ 1, canned=c, initial=_share(inflight, i))
            for i, (s, c) in enumerate(zip(self.sockets, self.canned, strict=True))
        ]
        return self._plan(Mode.PINGPONG, members, inflight, warm_ms, measure_ms)

    def fanout(self, inflight: int, warm_ms: int, measure_ms: int) -> Plan:
        """``inflight`` publishes that not every subscriber has yet."""
        members = [
            Member(fd=s.hand_over(), source=0, canned=c, initial=0 if i else inflight, publisher=i == 0)
            for i, (s, c) in enumerate(zip(self.sockets, self.canned, strict=True))
        ]
        return self._plan(Mode.FANOUT, members, inflight, warm_ms, measure_ms)

    def _plan(self, mode: Mode, members: list[Member], inflight: int, warm_ms: int, measure_ms: int) -> Plan:
        return Plan(
            mode=mode,
            framing=self.framing,
            members=members,
            inflight=inflight,
            unit_kind=self.unit_kind,
            unit_min=self.unit_min,
            per_message=self.per_message,
            warm_ms=warm_ms,
            measure_ms=measure_ms,
        )


def _share(inflight: int, index: int) -> int:
    if inflight == 1:
        return 1 - index % 2
    return inflight // 2


class Contender(Protocol):
    """A server that can be held against others."""

    @property
    def name(self) -> str:
        """As the table says it."""

    def relay(self, pairs: int) -> AbstractContextManager[Wired]:
        """Started, with so many pairs connected."""

    def fanout(self, subscribers: int) -> AbstractContextManager[Wired]:
        """Started, with one publisher and so many subscribers connected."""


def signal_frame(share: str) -> bytes:
    """A SIGNAL with 200 bytes of data."""
    packed: bytes = msgpack.packb([SIGNAL, share, "ice", b"\xa5" * SIGNAL_BYTES])
    return packed


def event_frame() -> bytes:
    """An EVENT of ``EVENT_BYTES`` in all, as the fan-out's peers send it."""
    data = {"representative": "rep-00000", "presence": "available", "by": "representative", "reason": ""}
    bare = len(msgpack.packb([EVENT, "team:bench", 100000, "presence.changed", 1700000000000, data]))
    data["reason"] = "r" * (EVENT_BYTES - bare - 1)
    packed: bytes = msgpack.packb([EVENT, "team:bench", 100000, "presence.changed", 1700000000000, data])
    return packed


@attrs.frozen
class Plain:
    """A server that knows /pair/N, /pub and /sub, and checks nothing."""

    name: str
    launch: Callable[[], Server]

    @contextmanager
    def relay(self, pairs: int) -> Iterator[Wired]:
        """See ``Contender``."""
        server = self.launch()
        sockets: list[Socket] = []
        try:
            sockets.extend(connect(server.port, f"/pair/{i // 2}") for i in range(2 * pairs))
            canned = [[frame(signal_frame("sh_0123456789abcdef"), BINARY)] for _ in sockets]
            yield Wired(server=server, sockets=sockets, canned=canned, unit_kind=SIGNAL)
        finally:
            end(server, sockets)

    @contextmanager
    def fanout(self, subscribers: int) -> Iterator[Wired]:
        """See ``Contender``."""
        server = self.launch()
        sockets: list[Socket] = []
        try:
            sockets.append(connect(server.port, "/pub"))
            sockets.extend(connect(server.port, "/sub") for _ in range(subscribers))
            canned: list[list[bytes]] = [[] for _ in sockets]
            canned[0].append(frame(event_frame()))
            yield Wired(server=server, sockets=sockets, canned=canned, unit_kind=EVENT)
        finally:
            end(server, sockets)


def end(server: Server, sockets: Sequence[Socket]) -> None:
    """Drop the clients, then the server."""
    for s in sockets:
        s.close()
    server.stop()
