"""One end of a WebRTC connection, as a program: aiortc runs on asyncio, the house on trio.

Reads lines of JSON: first how to set up (``offers``: whether this end shows its screen; ``ice``: servers; ``relay``:
whether it goes through a relay alone), then the other end's signals. Writes lines of JSON: its own signals, and at the
end what it saw. All of it stays on the loopback interface.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 (see above)
import base64
import contextlib
import json
import sys
from fractions import Fraction
from typing import Any

import aioice.ice
import aioice.stun
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from av import VideoFrame

FRAMES = 15
CLOCK = 90_000  # ticks a second of RTP video
END = b""
"""The candidate that says that there are no more."""

aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
# s for the relay's answer, where 5 are the default: a machine that tests much else at once takes longer
aioice.ice.Connection.get_component_candidates.__defaults__ = (40,)


class Screen(VideoStreamTrack):
    """A picture that changes: its brightness counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    async def recv(self) -> VideoFrame:
        """The next one, 25 a second."""
        await asyncio.sleep(0.04)
        frame = VideoFrame(160, 96, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([16 + self.count * 7 % 200]) * plane.buffer_size)
        frame.pts, frame.time_base = self.count * CLOCK // 25, Fraction(1, CLOCK)
        self.count += 1
        return frame


def say(**said: object) -> None:
    """A line for whoever runs this."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def signal(kind: str, data: bytes) -> None:
    """A line for the other end."""
    say(signal=kind, data=base64.b64encode(data).decode())


class Peer:
    """The program."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines

    async def _next(self) -> dict[str, Any]:
        line = await self._lines.readline()
        if not line:
            raise EOFError("nobody is there any more")
        found: dict[str, Any] = json.loads(line)
        return found

    async def run(self) -> None:
        """From the first line to what was seen."""
        given = await self._next()
        servers = [RTCIceServer(**server) for server in given["ice"]]
        policy = RTCIceTransportPolicy.RELAY if given["relay"] else RTCIceTransportPolicy.ALL
        connection = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
        connected, tracks = asyncio.Event(), asyncio.Queue[Any]()

        @connection.on("connectionstatechange")
        def changed() -> None:
            if connection.connectionState in ("connected", "failed"):
                connected.set()

        connection.on("track", tracks.put_nowait)
        try:
            await self._negotiate(connection, offers=given["offers"])
            await connected.wait()
            if connection.connectionState != "connected":
                say(seen={"state": connection.connectionState})
                return
            seen = await self._watch(tracks, offers=given["offers"])
            say(seen={"state": "connected", "pair": _pair(connection), "frames": seen})
            with contextlib.suppress(EOFError):
                await self._next()  # until it is told to go
        finally:
            await connection.close()

    async def _negotiate(self, connection: RTCPeerConnection, *, offers: bool) -> None:
        if offers:
            connection.addTrack(Screen())
            await connection.setLocalDescription(await connection.createOffer())
            self._describe(connection, "offer")
            await connection.setRemoteDescription(await self._described("answer"))
        else:
            await connection.setRemoteDescription(await self._described("offer"))
            await connection.setLocalDescription(await connection.createAnswer())
            self._describe(connection, "answer")

    def _describe(self, connection: RTCPeerConnection, kind: str) -> None:
        """The description, and each candidate by itself."""
        lines = connection.localDescription.sdp.splitlines()
        candidates = [line for line in lines if line.startswith("a=candidate:")]
        rest = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        signal(kind, "\r\n".join([*rest, ""]).encode())
        for line in candidates:
            signal("ice", line.encode())
        signal("ice", END)

    async def _described(self, kind: str) -> RTCSessionDescription:
        """The other end's, once all its candidates are here."""
        sdp, candidates = "", []
        while True:
            told = await self._next()
            data = base64.b64decode(told["data"])
            if told["signal"] == kind:
                sdp = data.decode()
            elif data == END:
                break
            else:
                candidates.append(data.decode())
        return RTCSessionDescription("\r\n".join([sdp.rstrip(), *candidates, "a=end-of-candidates", ""]), kind)

    async def _watch(self, tracks: asyncio.Queue[Any], *, offers: bool) -> list[int]:
        """The brightness of some pictures, of whoever looks on."""
        if offers:
            return []
        track = await tracks.get()
        return [bytes((await track.recv()).planes[0])[0] for _ in range(FRAMES)]


def _pair(connection: RTCPeerConnection) -> list[str]:
    """The kinds of the two candidates that were chosen."""
    transport = connection.getTransceivers()[0].sender.transport.transport
    pair = transport._connection._nominated[1]
    return [pair.local_candidate.type, pair.remote_candidate.type]


async def main() -> None:
    """Read from standard input."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    try:
        await Peer(lines).run()
    except (aioice.stun.TransactionFailed, ConnectionError) as error:
        say(seen={"state": "failed", "why": str(error)})


if __name__ == "__main__":
    asyncio.run(main())
