"""The trio-websocket peer: that library's server as its documentation shows it, a task for each connection.

By the path of the upgrade: /echo, /pair/N (to the other link of pair N), /pub (to every /sub). No checks.
"""

from __future__ import annotations

from functools import partial

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket


class Relay:
    """Who is connected."""

    def __init__(self) -> None:
        self.waiting: dict[str, WebSocketConnection] = {}
        self.other: dict[WebSocketConnection, WebSocketConnection] = {}
        self.subscribers: set[WebSocketConnection] = set()

    async def handle(self, request: WebSocketRequest) -> None:
        """One connection, from its upgrade to its end."""
        ws = await request.accept()
        try:
            if request.path.startswith("/pair/"):
                await self.pair(ws, request.path)
            elif request.path == "/sub":
                self.subscribers.add(ws)
                await ws.get_message()
            elif request.path == "/pub":
                await self.publish(ws)
            else:
                while True:
                    await ws.send_message(await ws.get_message())
        except ConnectionClosed:
            self.subscribers.discard(ws)

    async def pair(self, ws: WebSocketConnection, name: str) -> None:
        """Hand on to the other link of the pair, once there is one."""
        other = self.waiting.pop(name, None)
        if other is None:
            self.waiting[name] = ws
        else:
            self.other[ws] = other
            self.other[other] = ws
        while True:
            message = await ws.get_message()
            if ws in self.other:
                await self.other[ws].send_message(message)

    async def publish(self, ws: WebSocketConnection) -> None:
        """Hand on to everyone."""
        while True:
            message = await ws.get_message()
            for subscriber in list(self.subscribers):
                await subscriber.send_message(message)


async def main() -> None:
    """Serve on any free port until killed."""
    async with trio.open_nursery() as nursery:
        serve = partial(serve_websocket, Relay().handle, "127.0.0.1", 0, ssl_context=None)
        server = await nursery.start(serve)
        print("listening", server.port, flush=True)


if __name__ == "__main__":
    trio.run(main)
