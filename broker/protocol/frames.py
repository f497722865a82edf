"""The frames of protocol v1: one class each, the same for both ends.

Fields are those of ``schema/v1.toml``, in its order and by its names (``from`` is ``from_`` here); a
test holds the two against each other. ``row()`` is what goes on the wire: ``(kind, field, …)``, without
optional fields at the end that are None. Nothing is checked here: ``codec`` does that for what comes in.
What may be personal or secret is left out of ``repr``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import attrs

STOP: Final = 0
COME_BACK: Final = 1
GO_TO: Final = 2
"""GOODBYE's actions."""

EXPERIMENTAL: Final = range(128, 192)
"""Kinds for trials: only after a capability that starts with ``x-`` was agreed."""

Row = tuple[object, ...]


@attrs.define
class Hello:
    """The client's first frame, alone in the first message."""

    KIND: ClassVar[int] = 0
    versions: Sequence[int]
    capabilities: Sequence[str]
    auth: Mapping[str, object] = attrs.field(repr=False)
    client: Mapping[str, object]

    def row(self) -> Row:
        """(kind, fields…)"""
        return (0, self.versions, self.capabilities, self.auth, self.client)


@attrs.define
class Welcome:
    """The broker's answer to a HELLO it accepts: what was agreed, who you are, what binds you."""

    KIND: ClassVar[int] = 1
    version: int
    capabilities: Sequence[str]
    identity: Mapping[str, object] = attrs.field(repr=False)
    limits: Mapping[str, object]
    heartbeat_ms: int
    server: Mapping[str, object]

    def row(self) -> Row:
        """(kind, fields…)"""
        return (1, self.version, self.capabilities, self.identity, self.limits, self.heartbeat_ms, self.server)


@attrs.define
class Goodbye:
    """The last frame of either end; the WebSocket close follows with the same code."""

    KIND: ClassVar[int] = 2
    code: int
    text: str
    action: int
    """STOP, COME_BACK (after ``retry_ms``) or GO_TO (``url``)."""
    retry_ms: int | None = None
    url: str | None = None

    def row(self) -> Row:
        """(kind, fields…)"""
        if self.url is not None:
            return (2, self.code, self.text, self.action, self.retry_ms, self.url)
        if self.retry_ms is not None:
            return (2, self.code, self.text, self.action, self.retry_ms)
        return (2, self.code, self.text, self.action)


@attrs.define
class Ping:
    """Are you there? Answered at once by a PONG with the same nonce."""

    KIND: ClassVar[int] = 3
    nonce: int
    t_ms: int
    """The sender's clock."""

    def row(self) -> Row:
        """(kind, fields…)"""
        return (3, self.nonce, self.t_ms)


@attrs.define
class Pong:
    """The answer to a PING: its nonce, and the answerer's own clock."""

    KIND: ClassVar[int] = 4
    nonce: int
    t_ms: int

    def row(self) -> Row:
        """(kind, fields…)"""
        return (4, self.nonce, self.t_ms)


@attrs.define
class Request:
    """One operation asked for."""

    KIND: ClassVar[int] = 16
    id: int
    """The client's, from 1 on, unique among its unanswered ones."""
    op: str
    args: object = attrs.field(repr=False)
    key: str | None = None
    """Idempotency key; required where the op writes."""
    deadline_ms: int | None = None

    def row(self) -> Row:
        """(kind, fields…)"""
        if self.deadline_ms is not None:
            return (16, self.id, self.op, self.args, self.key, self.deadline_ms)
        if self.key is not None:
            return (16, self.id, self.op, self.args, self.key)
        return (16, self.id, self.op, self.args)


@attrs.define
class Result:
    """A request was carried out; of an op that writes: and is committed."""

    KIND: ClassVar[int] = 17
    id: int
    value: object = attrs.field(repr=False)
    offsets: Mapping[str, object] | None = None
    """Stream to offset: where the events are that this command caused."""

    def row(self) -> Row:
        """(kind, fields…)"""
        return (17, self.id, self.value) if self.offsets is None else (17, self.id, self.value, self.offsets)


@attrs.define
class Fail:
    """A request was refused. With id 0 it answers no request, but a frame of an unknown kind."""

    KIND: ClassVar[int] = 18
    id: int
    code: int
    text: str
    retry_ms: int | None = None
    detail: Mapping[str, object] | None = None

    def row(self) -> Row:
        """(kind, fields…)"""
        if self.detail is not None:
            return (18, self.id, self.code, self.text, self.retry_ms, self.detail)
        if self.retry_ms is not None:
            return (18, self.id, self.code, self.text, self.retry_ms)
        return (18, self.id, self.code, self.text)


@attrs.define
class Event:
    """Something that happened: durable, at a dense offset of a stream."""

    KIND: ClassVar[int] = 32
    stream: str
    offset: int
    type: str
    t_ms: int
    data: Mapping[str, object] = attrs.field(repr=False)

    def row(self) -> Row:
        """(kind, fields…)"""
        return (32, self.stream, self.offset, self.type, self.t_ms, self.data)


@attrs.define
class Notice:
    """Something that is so just now: ephemeral, the latest of a key wins."""

    KIND: ClassVar[int] = 33
    stream: str
    key: str
    type: str
    data: Mapping[str, object] = attrs.field(repr=False)

    def row(self) -> Row:
        """(kind, fields…)"""
        return (33, self.stream, self.key, self.type, self.data)


@attrs.define
class Signal:
    """A message of a screen share's set-up, relayed as it is between its two ends."""

    KIND: ClassVar[int] = 34
    share: str
    kind: str
    data: bytes = attrs.field(repr=False)

    def row(self) -> Row:
        """(kind, fields…)"""
        return (34, self.share, self.kind, self.data)


@attrs.define
class Gap:
    """Events of a stream that this reader will not get, ``from_`` and ``to`` included."""

    KIND: ClassVar[int] = 35
    stream: str
    from_: int
    to: int
    reason: str

    def row(self) -> Row:
        """(kind, fields…)"""
        return (35, self.stream, self.from_, self.to, self.reason)


@attrs.define
class Snapshot:
    """One part of a stream's state as it was after the event at ``offset``."""

    KIND: ClassVar[int] = 36
    stream: str
    offset: int
    part: int
    last: bool
    data: object = attrs.field(repr=False)

    def row(self) -> Row:
        """(kind, fields…)"""
        return (36, self.stream, self.offset, self.part, self.last, self.data)


@attrs.define
class Unknown:
    """A frame of a kind this release has no class for; ``handshake`` decides what comes of it."""

    kind: int
    fields: Sequence[object] = attrs.field(default=(), repr=False)

    def row(self) -> Row:
        """(kind, fields…)"""
        return (self.kind, *self.fields)


Known = Hello | Welcome | Goodbye | Ping | Pong | Request | Result | Fail | Event | Notice | Signal | Gap | Snapshot
Frame = Known | Unknown

FRAMES: Final[dict[int, type[Known]]] = {
    frame.KIND: frame
    for frame in (
        Hello, Welcome, Goodbye, Ping, Pong, Request, Result, Fail, Event, Notice, Signal, Gap, Snapshot,
    )
}  # fmt: skip
"""Kind to class."""
