"""An HTTP link as a stream for a task: the task waits, the hub feeds it, the socket stays the transport's.

The hub makes one for each ``Opened`` of ``Kind.HTTP``, starts a task with it, and hands on what it hears of
the link: ``feed`` for ``Data``, ``drained`` for ``Drained``, ``lost`` for ``Closed``.
"""

from __future__ import annotations

from typing import Final

import trio

from broker import limits
from broker.transport.base import Link, Transport

_PAUSE_AT: Final = limits.HTTP_BUFFER_BYTES - limits.READ_BYTES  # one more read fits


class HttpStream:
    """Bytes to and from one link, through bounded buffers."""

    def __init__(self, transport: Transport, link: Link) -> None:
        self._transport = transport
        self._link = link
        self._buffer = bytearray()
        self._ended = False
        self._lost = False
        self._paused = False
        self._changed = trio.Event()

    @property
    def address(self) -> str:
        """The peer's address."""
        return self._link.address

    # --- the hub's side ----------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Bytes came; none: the peer sends no more. A full buffer pauses the link."""
        self._buffer += data
        self._ended = self._ended or not data
        if len(self._buffer) > _PAUSE_AT and not self._paused:
            self._paused = True
            self._transport.pause(self._link)
        self._change()

    def drained(self) -> None:
        """All that was pending is written."""
        self._change()

    def lost(self) -> None:
        """The link is gone."""
        self._lost = True
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # --- the task's side ---------------------------------------------------------------------------

    async def receive_some(self) -> bytes:
        """What came, at least a byte; empty: the peer sends no more. Raises ``trio.BrokenResourceError``."""
        await trio.lowlevel.checkpoint()
        while not self._buffer and not self._ended:
            if self._lost:
                raise trio.BrokenResourceError("the link is gone")
            await self._changed.wait()
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._paused:
            self._paused = False
            self._transport.resume(self._link)
        return data

    async def send_all(self, data: bytes) -> None:
        """Send it all: it returns when the socket has taken the last byte, and keeps little of it waiting
        meanwhile. Raises ``trio.BrokenResourceError``."""
        await trio.lowlevel.checkpoint()
        for start in range(0, len(data), limits.OUTBOX_BYTES):
            if self._lost:
                raise trio.BrokenResourceError("the link is gone")
            self._transport.send_raw(self._link, data[start : start + limits.OUTBOX_BYTES])
            while self._link.pending and not self._lost:
                await self._changed.wait()
        if self._lost:
            raise trio.BrokenResourceError("the link is gone")

    def close(self) -> None:
        """End the stream in good order; closing twice does nothing."""
        self._transport.close(self._link)
