"""One end of a screen share, as a program: aiortc runs on asyncio, the house on trio.

Reads lines of JSON: first how to set up (``part``: what it does; ``ice``: servers; ``relay``: whether it goes through a
relay alone), then the other ends' signals. Writes lines of JSON: its own signals, and at the end what it saw. A signal
is ``on`` the share, or on the leg of a guest. All of it stays on the loopback interface.

The parts: ``shows`` its screen; ``looks`` at it; ``passes`` it on to a guest, and looks, too; the ``guest``, who asks
for it.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 (see above)
import base64
import json
import sys
from fractions import Fraction
from typing import Any

import aioice.ice
import aioice.stun
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.contrib.media import MediaRelay
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


class Line:
    """The way to one other end, by the broker."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.heard = asyncio.Queue[dict[str, Any]]()

    def signal(self, kind: str, data: bytes) -> None:
        """A line for the other end."""
        say(on=self._name, signal=kind, data=base64.b64encode(data).decode())

    def describe(self, connection: RTCPeerConnection, kind: str) -> None:
        """The description, and each candidate by itself."""
        lines = connection.localDescription.sdp.splitlines()
        candidates = [line for line in lines if line.startswith("a=candidate:")]
        rest = [line for line in lines if not line.startswith(("a=candidate:", "a=end-of-candidates"))]
        self.signal(kind, "\r\n".join([*rest, ""]).encode())
        for line in candidates:
            self.signal("ice", line.encode())
        self.signal("ice", END)

    async def described(self, kind: str) -> RTCSessionDescription:
        """The other end's, once all its candidates are here."""
        sdp, candidates = "", []
        while True:
            told = await self.heard.get()
            data = base64.b64decode(told["data"])
            if told["signal"] == kind:
                sdp = data.decode()
            elif data == END:
                break
            else:
                candidates.append(data.decode())
        return RTCSessionDescription("\r\n".join([sdp.rstrip(), *candidates, "a=end-of-candidates", ""]), kind)


class Wire:
    """A connection to one other end."""

    def __init__(self, given: dict[str, Any], line: Line) -> None:
        servers = [RTCIceServer(**server) for server in given["ice"]]
        policy = RTCIceTransportPolicy.RELAY if given["relay"] else RTCIceTransportPolicy.ALL
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
        self.tracks = asyncio.Queue[MediaStreamTrack]()
        self.connection.on("track", self.tracks.put_nowait)
        self.connection.on("connectionstatechange", self._changed)
        self._line = line
        self._settled = asyncio.Event()

    def _changed(self) -> None:
        if self.connection.connectionState in ("connected", "failed"):
            self._settled.set()

    async def offer(self) -> None:
        """Set it up, speaking first."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        self._line.describe(self.connection, "offer")
        await self.connection.setRemoteDescription(await self._line.described("answer"))
        await self._connected()

    async def answer(self, *tracks: MediaStreamTrack) -> None:
        """Set it up as the other end says, with these."""
        await self.connection.setRemoteDescription(await self._line.described("offer"))
        for track in tracks:
            self.connection.addTrack(track)
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        self._line.describe(self.connection, "answer")
        await self._connected()

    async def _connected(self) -> None:
        await self._settled.wait()
        if self.connection.connectionState != "connected":
            raise ConnectionError(self.connection.connectionState)


class Peer:
    """The program."""

    def __init__(self, lines: asyncio.StreamReader) -> None:
        self._lines = lines
        self._ways = {name: Line(name) for name in ("share", "leg")}

    async def run(self) -> None:
        """From the first line to what was seen."""
        given = json.loads(await self._lines.readline())
        hearing = asyncio.create_task(self._hear())
        on = "leg" if given["part"] == "guest" else "share"
        wire = Wire(given, self._ways[on])
        wires = [wire]
        try:
            frames: list[int] = []
            match given["part"]:
                case "shows":
                    wire.connection.addTrack(Screen())
                    await wire.offer()
                case "looks":
                    await wire.answer()
                    frames = await _watch(await wire.tracks.get())
                case "passes":
                    await wire.answer()
                    relay, track = MediaRelay(), await wire.tracks.get()
                    wires.append(Wire(given, self._ways["leg"]))
                    await wires[1].answer(relay.subscribe(track))
                    frames = await _watch(relay.subscribe(track))
                case _:
                    wire.connection.addTransceiver("video", direction="recvonly")
                    await wire.offer()
                    frames = await _watch(await wire.tracks.get())
            say(seen={"state": "connected", "pair": _pair(wire.connection), "frames": frames})
            await hearing  # until whoever runs this goes
        finally:
            hearing.cancel()
            for one in wires:
                await one.connection.close()

    async def _hear(self) -> None:
        """What the other ends say, until nobody is there any more."""
        while line := await self._lines.readline():
            told = json.loads(line)
            self._ways[told["on"]].heard.put_nowait(told)


async def _watch(track: MediaStreamTrack) -> list[int]:
    """The brightness of some pictures."""
    seen = []
    for _ in range(FRAMES):
        frame = await track.recv()
        assert isinstance(frame, VideoFrame)
        seen.append(bytes(frame.planes[0])[0])
    return seen


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
