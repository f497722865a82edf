"""What a frame costs on its way in and out, piece by piece: ``python -m bench.micro.frames``.

Timed: the best of several rounds of many calls of one function with the same arguments, in microseconds a
call: what the function costs when its code and data are in the caches, which is the least it can cost. A
message's whole way through the broker (epoll, read, hub, outbox, write) isn't in here: see P1 and P2. What would make
the number lie: adding these up and calling it the cost of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from timeit import repeat
from typing import Final

from bench.load import ws
from bench.load.people import request
from bench.peers.base import event_frame, signal_frame
from broker.protocol import check, codec
from broker.protocol.frames import Request, Signal
from broker.transport.websocket import Parser, server_frame

ROUNDS: Final = 7
CALLS: Final = 20_000
SIGNAL: Final = signal_frame("sh_0123456789abcdef")
CREATE: Final = request("request.create", {"subportal": "help", "text": "How do I change my address?"}, 4711)
MASK: Final = b"\x1f\x2e\x3d\x4c"


def timings() -> dict[str, float]:
    """Microseconds for each piece."""
    one = ws.frame(SIGNAL, mask=MASK)
    parser = Parser(limit=codec.CLIENT.message_bytes)
    (signal,) = codec.decode(SIGNAL, codec.CLIENT)
    (create,) = codec.decode(CREATE, codec.CLIENT)
    assert isinstance(signal, Signal)
    assert isinstance(create, Request)
    event = event_frame()
    data = {"representative": "rep-00000", "presence": "available", "by": "representative"}
    pieces: dict[str, tuple[Callable[[], object], int]] = {
        "unmask and cut a SIGNAL, one in a read": (lambda: parser.feed(one), 1),
        "unmask and cut a SIGNAL, 64 in a read": (lambda: parser.feed(one * 64), 64),
        "decode a SIGNAL": (lambda: codec.decode(SIGNAL, codec.CLIENT), 1),
        "decode a SIGNAL, 8 in a message": (lambda: codec.decode(SIGNAL * 8, codec.CLIENT), 8),
        "decode a REQUEST": (lambda: codec.decode(CREATE, codec.CLIENT), 1),
        "check a request.create": (lambda: check.parse(create.op, create.args), 1),
        "pack a SIGNAL": (lambda: codec.pack(signal), 1),
        "pack an EVENT": (lambda: codec.pack_event("team:bench", 4711, "presence.changed", 1_700_000_000_000, data), 1),
        "frame an EVENT": (lambda: server_frame(2, event), 1),
    }
    return {name: best(call, CALLS // per) / per for name, (call, per) in pieces.items()}


def best(call: Callable[[], object], calls: int) -> float:
    """Microseconds a call in the fastest round."""
    return min(repeat(call, number=calls, repeat=ROUNDS)) / calls * 1e6


def main() -> None:
    """Print the table."""
    for name, microseconds in timings().items():
        print(f"{microseconds:8.2f} µs  {name}")


if __name__ == "__main__":
    main()
