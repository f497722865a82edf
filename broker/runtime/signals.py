"""SIGNAL from one end of a screen share, or of a guest's leg of it, to the other: checked against committed consent,
relayed as it came.

The hottest path of the hub. A message whose frames are all SIGNALs of the share that this connection used last
is never unpacked: its bytes are compared with a kept prefix and walked with the few msgpack headers that such a
frame can have. Anything else goes the general way, through the codec.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import attrs

from broker.codes import Close, Code
from broker.desk import events as e
from broker.ids import share_of
from broker.limits import MAX_MESSAGE_BYTES, MAX_MESSAGE_FRAMES, MAX_SIGNAL_BYTES
from broker.protocol.codec import pack
from broker.protocol.frames import Signal
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.connection import Connection
from broker.runtime.options import SIGNAL_COST
from broker.runtime.outbox import Outbox

_KINDS: Final = frozenset((b"\xa5offer", b"\xa6answer", b"\xa3ice", b"\xa7restart"))
_BIN8: Final = 0xC4
_BIN16: Final = 0xC5


@attrs.define(eq=False)
class Route:
    """A share whose consent is committed, or a guest's leg of it: its two ends."""

    name: str
    """The share's, or the leg's."""
    source: str
    """Who shows the screen: the customer; on a leg, whoever passes the picture on."""
    viewer: str
    active: bool = True
    source_at: Connection | None = None
    """The connection that last spoke for this end; of a person with several, the one that has the share."""
    viewer_at: Connection | None = None
    legs: dict[str, Route] = attrs.field(factory=dict)
    """Of a share: those of its guests."""


def routes(shares: Iterable[tuple[str, str, str, Iterable[tuple[str, str]]]]) -> dict[str, Route]:
    """Those of (share, customer, representative, [(leg, guest), …])."""
    found = {}
    for share, customer, representative, guests in shares:
        legs = {leg: Route(leg, representative, guest) for leg, guest in guests}
        found[share] = Route(share, customer, representative, legs=legs)
    return found


_OVER: Final = {e.ShareEnded: "share", e.ShareRebooting: "share", e.ShareUnwatched: "leg", e.MemberLeft: "leg"}


def over(event: e.Event) -> str | None:
    """The share, or the leg, on which nothing is relayed any more after this event."""
    field = _OVER.get(type(event))
    return None if field is None else getattr(event, field)


def close(account: Account, name: str) -> None:
    """Nothing is relayed any more on a share and its guests' legs, or on one of these: at once, not when that is on
    disk. Whoever is in doubt relays nothing."""
    account.stopped[name] = account.stopped.get(name, 0) + 1
    route = account.routes.pop(name, None)
    if route is None and (main := account.routes.get(share_of(name))) is not None:
        route = main.legs.pop(name, None)
    if route is not None:
        shut(route)


def shut(route: Route) -> None:
    """It relays nothing any more, whoever keeps it."""
    for one in (route, *route.legs.values()):
        one.active = False


@attrs.frozen
class Statistics:
    """What the relay can say of itself."""

    relayed: int
    """Frames passed on."""
    unpacked: int
    """How many of them went the general way."""
    refused: int


class Signals:
    """Routes SIGNAL frames."""

    def __init__(self, outbox: Outbox, answers: Answers, *, rate: tuple[float, float], hard_outbox: int) -> None:
        self._outbox = outbox
        self._answers = answers
        self._per_ms = rate[0] / 1000
        self._burst = int(rate[1])
        self._hard = hard_outbox
        self._relayed = 0
        self._unpacked = 0
        self._refused = 0

    def quick(self, connection: Connection, message: bytes, now: int) -> bool:
        """Relay a whole message without unpacking it; False where that can't be done (nothing was done then).
        ``connection.prefix`` must be set."""
        prefix, route = connection.prefix, connection.route
        if prefix is None or route is None or not route.active:
            connection.prefix = connection.route = None
            return False
        if route.source_at is connection:
            partner = route.viewer_at
        elif route.viewer_at is connection:
            partner = route.source_at
        else:  # another connection of the same person has spoken since
            return False
        frames = _count(message, prefix)
        if not frames:
            return False
        if partner is None or partner.closing or frames != 1 or partner.link.pending > self._hard:
            self._relay(connection, route, message, frames, now)
            return True
        size = len(message)
        connection.signal_tokens -= size if size > SIGNAL_COST else SIGNAL_COST
        if connection.signal_tokens >= 0 or self._refill(connection, now):
            self._relayed += 1
            self._outbox.signal(partner, message)
        return True

    def general(self, connection: Connection, signal: Signal, now: int) -> None:
        """Relay one unpacked frame, and keep its route for the next."""
        account, person = connection.account, connection.person
        assert account is not None
        assert person is not None
        size = len(signal.data)
        if size > MAX_SIGNAL_BYTES:
            self._too_large(connection, size, now)
            return
        route = _route(account, signal.share)
        if route is None or person.person not in (route.source, route.viewer):
            self._refused += 1
            if self._pay(connection, MAX_SIGNAL_BYTES, now):
                self._answers.fail(connection, 0, Code.NOT_ALLOWED, "SIGNAL: no such share, or no consent to it")
            return
        if route.source == person.person:
            route.source_at = connection
        else:
            route.viewer_at = connection
        payload = pack(signal)
        connection.route = route
        connection.prefix = pack(Signal(signal.share, "ice", b""))[:-6]  # ice as a str is 4 bytes, b"" as a bin 2
        self._unpacked += 1
        self._relay(connection, route, payload, 1, now)

    def _too_large(self, connection: Connection, size: int, now: int) -> None:
        """Tell the sender; the bytes count, as those of any other."""
        self._refused += 1
        if self._pay(connection, size, now):
            text = f"SIGNAL.data: expected a bin of 0 to {MAX_SIGNAL_BYTES} bytes"
            detail = {"path": "SIGNAL.data", "max_bytes": MAX_SIGNAL_BYTES}
            self._answers.fail(connection, 0, Code.TOO_LARGE, text, detail=detail)

    def _relay(self, connection: Connection, route: Route, payload: bytes, frames: int, now: int) -> None:
        """To the other end; ``connection`` is the one that speaks for its own."""
        if not self._pay(connection, len(payload), now, frames):
            return
        self._relayed += frames
        account = connection.account
        assert account is not None
        other, at = (
            (route.viewer, route.viewer_at) if route.source_at is connection else (route.source, route.source_at)
        )
        if at is not None and not at.closing:
            self._send(at, payload, frames)
            return
        person = account.people.get(other)
        for target in list(person.connections) if person is not None else ():
            self._send(target, payload, frames)

    def _pay(self, connection: Connection, size: int, now: int, frames: int = 1) -> bool:
        """Whether its budget has these bytes, relayed or not; False: the connection is ended."""
        least = frames * SIGNAL_COST
        connection.signal_tokens -= size if size > least else least
        return connection.signal_tokens >= 0 or self._refill(connection, now)

    def _send(self, target: Connection, payload: bytes, frames: int) -> None:
        if target.link.pending > self._hard:
            self._outbox.end(target, Close.TOO_SLOW, "SIGNAL frames aren't read")
        elif frames == 1:
            self._outbox.signal(target, payload)
        else:
            self._outbox.signals(target, payload)

    def _refill(self, connection: Connection, now: int) -> bool:
        """The budget is used up: fill it by the time that passed; False: this connection is ended."""
        gained = int((now - connection.signal_at) * self._per_ms)
        connection.signal_at = now
        connection.signal_tokens = min(self._burst, connection.signal_tokens + gained)
        if connection.signal_tokens >= 0:
            return True
        self._outbox.end(connection, Close.TOO_FAST, "more SIGNAL bytes than the limits allow")
        return False

    def committed(self, account: Account, share: str, customer: str, representative: str) -> None:
        """Consent is on disk: from now on this share's frames are relayed."""
        if share not in account.stopped:
            account.routes[share] = Route(share, customer, representative)

    def watched(self, account: Account, leg: str, holder: str, guest: str) -> None:
        """That a guest looks is on disk, perhaps not for the first time: from now on its leg's frames are relayed."""
        main = account.routes.get(share_of(leg))  # none: the share was stopped since
        if main is not None and leg not in main.legs and leg not in account.stopped:
            main.legs[leg] = Route(leg, holder, guest)

    def stopped(self, account: Account, name: str) -> None:
        """The end of a share or a leg, or a share's restart, is on disk. (It stopped being relayed when that was
        decided.)"""
        left = account.stopped.pop(name, 0) - 1
        if left > 0:
            account.stopped[name] = left

    def forget(self, connection: Connection) -> None:
        """This connection is gone: its person's other connections may take its place."""
        route = connection.route
        if route is not None:
            if route.source_at is connection:
                route.source_at = None
            if route.viewer_at is connection:
                route.viewer_at = None
        connection.route = connection.prefix = None

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self._relayed, self._unpacked, self._refused)


def _route(account: Account, name: str) -> Route | None:
    """That of a share, or of a leg."""
    route = account.routes.get(name)
    if route is None and (main := account.routes.get(share_of(name))) is not None:
        return main.legs.get(name)
    return route


def _count(message: bytes, prefix: bytes) -> int:
    """How many SIGNAL frames of this share, and nothing else, the message holds; 0: not such a message.

    Accepts exactly what the codec would accept: shortest headers, one of four kinds, data within its bound."""
    if not message.startswith(prefix) or len(message) > MAX_MESSAGE_BYTES:
        return 0
    end = len(message)
    start = frames = 0
    while True:
        at = start + len(prefix)
        if at + 2 >= end:
            return 0
        kind = at + 1 + (message[at] & 0x1F)
        if message[at:kind] not in _KINDS or kind + 2 > end:
            return 0
        head = message[kind]
        if head == _BIN8:
            start = kind + 2 + message[kind + 1]
        elif head == _BIN16 and kind + 3 <= end:
            size = message[kind + 1] << 8 | message[kind + 2]
            if size > MAX_SIGNAL_BYTES:
                return 0
            start = kind + 3 + size
        else:
            return 0
        frames += 1
        if start == end:
            return frames
        if start > end or frames == MAX_MESSAGE_FRAMES or not message.startswith(prefix, start):
            return 0
