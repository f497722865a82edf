"""A client that knows nothing of this project but the spec: the websockets library, with msgpack written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

WAIT = 30  # seconds; a hang, not a time to be met

pytestmark = pytest.mark.slow


@contextmanager
def opened(demo: dict[str, Any], auth: dict[str, str]) -> Iterator[ClientConnection]:
    """A connection that has said HELLO."""
    address = demo["url"].replace("http", "ws") + "/v1/ws"
    protocols = [Subprotocol("huntgroup.v1.msgpack")]
    with connect(address, subprotocols=protocols, compression="deflate", open_timeout=WAIT) as ws:
        assert ws.subprotocol == "huntgroup.v1.msgpack"
        assert ws.protocol.extensions == []  # compression was offered, and declined
        ws.send(msgpack.packb([0, [1], [], auth, {"name": "foreign"}]))
        yield ws


def frame(ws: ClientConnection, kind: int) -> list[Any]:
    """The next frame of this kind; pings are answered, others left out."""
    while True:
        message = ws.recv(timeout=WAIT)
        assert isinstance(message, bytes)
        unpacker = msgpack.Unpacker()
        unpacker.feed(message)
        found = None
        for each in unpacker:
            if each[0] == 3:
                ws.send(msgpack.packb([4, each[1], each[2]]))
            if each[0] == kind and found is None:
                found = each
        if found is not None:
            return list(found)


def closed(ws: ClientConnection) -> int | None:
    """The code the broker closes with, whatever it says before."""
    try:
        while True:
            ws.recv(timeout=WAIT)
    except ConnectionClosed as end:
        return end.rcvd.code if end.rcvd is not None else None


def ask(ws: ClientConnection, number: int, op: str, args: dict[str, object], key: str | None = None) -> list[Any]:
    ws.send(msgpack.packb([16, number, op, args, key]))
    return frame(ws, 17)


def test_a_foreign_customer_and_a_foreign_representative_meet(demo: dict[str, Any]) -> None:
    with opened(demo, {"token": demo["tokens"]["cem"]}) as cem, opened(demo, {"portal": "demo/queue-button"}) as kim:
        assert frame(cem, 1)[3]["role"] == "representative"
        visitor = frame(kim, 1)[3]["visitor"]
        ask(cem, 1, "subscribe", {"stream": "me", "from": "now", "types": ["offer.made"]})
        ask(cem, 2, "presence.set", {"presence": "available"}, "cem-on")
        ask(kim, 1, "subscribe", {"stream": "me", "from": "now", "types": ["request.assigned"]})
        request = ask(kim, 2, "request.create", {"name": "Kim"}, "kim-ask")[2]["request"]
        offer = frame(cem, 32)[5]
        assert (offer["request"], offer["name"]) == (request, "Kim")
        accepted = ask(cem, 3, "offer.accept", {"offer": offer["offer"]}, "cem-take")[2]
        assigned = frame(kim, 32)
        assert (assigned[3], assigned[5]["name"]) == ("request.assigned", "Cem Cedar")
        with opened(demo, {"portal": "demo/queue-button", "visitor": visitor}) as again:
            frame(again, 1)
            repeated = ask(again, 1, "request.create", {"name": "Kim"}, "kim-ask")[2]
            assert (repeated["request"], repeated["replayed"]) == (request, True)
        ask(kim, 3, "session.end", {"session": accepted["session"]}, "kim-end")
        ask(cem, 4, "presence.set", {"presence": "offline"}, "cem-off")


def test_websocket_pings_and_fragments_are_served(demo: dict[str, Any]) -> None:
    with opened(demo, {"portal": "demo/ask"}) as ws:
        frame(ws, 1)
        assert ws.ping().wait(WAIT)
        packed = msgpack.packb([3, 42, 1_700_000_000_000])
        ws.send([packed[:1], packed[1:4], packed[4:]])
        assert frame(ws, 4)[1] == 42


@pytest.mark.parametrize(
    ("message", "code"), [("text", 1003), (b"\xc1", 4501), (b"\xdd\xff\xff\xff\xff", 4501), (b"x" * 300_000, 1009)]
)
def test_what_is_no_protocol_is_sent_away(demo: dict[str, Any], message: bytes | str, code: int) -> None:
    with opened(demo, {"portal": "demo/ask"}) as ws:
        frame(ws, 1)
        ws.send(message)
        assert closed(ws) == code
