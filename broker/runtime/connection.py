"""One client's connection as the hub keeps it: who speaks, what waits to go out, what it follows. Data, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from broker.desk.identity import Identity
from broker.protocol.frames import Frame
from broker.protocol.handshake import Handshake
from broker.runtime.options import RoleOptions
from broker.runtime.rates import Bucket
from broker.transport.base import Link, Prepared

if TYPE_CHECKING:
    from broker.runtime.account import Account
    from broker.runtime.batches import Answer
    from broker.runtime.cursors import Cursor
    from broker.runtime.people import Person
    from broker.runtime.signals import Route


@attrs.define(eq=False)
class Connection:
    """One WebSocket link and everything the hub remembers for it. Bounded: see ``docs/explanation/memory.md``."""

    link: Link
    opened: int
    heard: int
    """When the last bytes came (ms)."""
    machine: Handshake = attrs.field(factory=Handshake)
    closing: bool = False
    """GOODBYE is said, or the link is gone: nothing is handled or sent any more."""
    options: RoleOptions | None = None
    identity: Identity | None = None
    account: Account | None = None
    person: Person | None = None
    expires: int | None = None
    """When the credential's time is over (ms)."""
    wrong_pin: str | None = None
    """The pin that it signed in by, if that was none: redeeming the same once more is no second guess."""
    sign_in: str | None = None
    """The sign-in or API key that it came by, and ends with."""
    issued: int | None = None
    """When its token was made (ms), if that says so."""
    restricted: bool = False
    """Somebody else chose its person's password: nothing but another one is taken."""
    asking: int = 0
    """The REQUEST being handled right now: what FAIL 5500 answers."""
    unanswered: set[int] = attrs.field(factory=set)
    pinged: int = 0
    """When the last PING went out (ms)."""

    out: list[Prepared] = attrs.field(factory=list)
    """This tick's messages, in order."""
    out_bytes: int = 0
    out_signals: list[bytes] = attrs.field(factory=list)
    """This tick's SIGNAL payloads, sent after ``out`` and joined into few messages."""
    given: int = 0
    """Bytes ever handed to the transport."""
    progress: int = 0
    """How many of them were written when that was last looked at, and when (``progress_at``, ms)."""
    progress_at: int = 0
    paused: bool = False
    """Not read from, because it doesn't read."""

    cursors: dict[str, Cursor] = attrs.field(factory=dict)
    """By wire name."""
    starting: dict[str, int] = attrs.field(factory=dict)
    """Stream to the request that will put a cursor there once the journal has answered."""
    behind: dict[Cursor, None] | None = None
    """Those of them that are not at the head of their stream."""
    reading: Cursor | None = None
    """The one whose page is being fetched: one at a time bounds memory."""
    read_file: str = ""
    """The shared file that it asked for last: of a manager, what is in the audit already."""
    viewing: Cursor | None = None
    """The one whose snapshot is being made or sent: the same."""
    views: list[tuple[Cursor, Callable[[], None]]] | None = None
    """Snapshots to be asked for when that one is sent, in order."""
    notices: dict[tuple[str, str], Prepared] | None = None
    """Ephemeral notices that found no room: the latest of each (stream, key)."""
    held: deque[Answer] | None = None
    """Results whose events have not reached this slow reader yet."""
    backlog: deque[Frame] | None = None
    """Frames read but not handled yet, while it doesn't read its answers."""

    frames: Bucket | None = None
    strikes: Bucket | None = None
    unknown_kinds: bool = False
    """Whether a frame of an unknown kind was answered: the next one ends the connection."""
    signal_tokens: int = 0
    signal_at: int = 0
    prefix: bytes | None = None
    """How the SIGNALs of the share last used begin, and where they go (``route``)."""
    route: Route | None = None

    @property
    def open(self) -> bool:
        """Signed in and not leaving."""
        return self.person is not None and not self.closing

    def describe(self) -> str:
        """For the log: who, without anything personal."""
        who = f"{self.identity.role}" if self.identity is not None else "nobody yet"
        return f"connection {self.link.number} ({who})"
