"""The picows peer: picows on uvloop, as its documentation recommends. Run by a Python of its own (see ``peers.plain``).

By the path of the upgrade: /echo, /pair/N (to the other link of pair N), /pub (to every /sub). No checks.
"""

# ruff: noqa: ANN001, D102, TID251 - another library's callbacks, on the event loop it was written for
# mypy: ignore-errors

from __future__ import annotations

import asyncio

import uvloop
from picows import WSListener, WSMsgType, ws_create_server

waiting = {}
subscribers = set()


class Member(WSListener):
    """One connection."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.transport = None
        self.other: Member | None = None

    def on_ws_connected(self, transport) -> None:
        self.transport = transport
        if self.path == "/sub":
            subscribers.add(self)
        elif self.path.startswith("/pair/"):
            self.other = waiting.pop(self.path, None)
            if self.other is None:
                waiting[self.path] = self
            else:
                self.other.other = self

    def on_ws_frame(self, transport, frame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif self.path == "/pub":
            payload = frame.get_payload_as_bytes()
            for subscriber in subscribers:
                subscriber.transport.send(WSMsgType.BINARY, payload)
        elif self.path == "/echo":
            transport.send(WSMsgType.BINARY, frame.get_payload_as_memoryview())
        elif self.other is not None and self.other.transport is not None:
            self.other.transport.send(WSMsgType.BINARY, frame.get_payload_as_memoryview())

    def on_ws_disconnected(self, transport) -> None:
        subscribers.discard(self)


async def main() -> None:
    """Serve on any free port until killed."""
    server = await ws_create_server(lambda request: Member(request.path.decode()), "127.0.0.1", 0, backlog=4096)
    print("listening", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
