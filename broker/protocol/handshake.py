"""The order in which frames may come: one machine a connection, the broker's side, sans-IO.

How the owner of a connection uses it::

    machine = Handshake(capabilities)
    got = machine.receive(message, now)     # for each WebSocket message, as long as there is no farewell
    send(got.replies)                       # PONG, or FAIL for a kind nobody knows
    if got.hello: ...                       # verify got.hello.hello.auth, then send machine.welcome(...)
                                            # or farewell = machine.close(Close.BAD_AUTH, "...")
    for frame in got.frames: ...            # REQUEST, SIGNAL, PONG, agreed experiments; only once welcomed
    if got.farewell: ...                    # send it and close the link with its code
    if got.left: ...                        # the peer said goodbye: close the link, nothing to send

    farewell = machine.close(code, text)    # our own end: send it and close; None where it was said already
    machine.lost()                          # the link is gone, however

``STATES`` is the machine; the spec's table and the tests are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import attrs

from broker import limits as bounds
from broker.codes import Close, Code
from broker.protocol.codec import CLIENT, HELLO, SERVICE, Limits, decode
from broker.protocol.errors import RemoteProtocolError, goodbye
from broker.protocol.frames import (
    EXPERIMENTAL,
    Fail,
    Frame,
    Goodbye,
    Hello,
    Ping,
    Pong,
    Request,
    Signal,
    Unknown,
    Welcome,
)

VERSIONS: Final = (1,)
"""The protocol versions this broker speaks."""

WAYS: Final = ("token", "login", "refresh", "key", "portal", "pin")
"""What a HELLO can sign in by."""


class State(StrEnum):
    """Where a connection stands."""

    AWAIT_HELLO = "await_hello"
    SIGNING_IN = "signing_in"
    OPEN = "open"
    CLOSING = "closing"
    """GOODBYE is said; nothing that still arrives is read."""
    CLOSED = "closed"


class Input(StrEnum):
    """What can happen to it."""

    HELLO = "hello"
    SIGNED_IN = "signed_in"
    """The credential was found good."""
    FRAME = "frame"
    """Any other frame that a client may send."""
    PEER_GOODBYE = "peer_goodbye"
    GOODBYE = "goodbye"
    """We end it: a broken rule, a refused credential, a shutdown."""
    LOST = "lost"


STATES: Final[dict[State, dict[Input, State]]] = {
    State.AWAIT_HELLO: {
        Input.HELLO: State.SIGNING_IN,
        Input.GOODBYE: State.CLOSING,
        Input.PEER_GOODBYE: State.CLOSING,
        Input.LOST: State.CLOSED,
    },
    State.SIGNING_IN: {
        Input.SIGNED_IN: State.OPEN,
        Input.GOODBYE: State.CLOSING,
        Input.PEER_GOODBYE: State.CLOSING,
        Input.LOST: State.CLOSED,
    },
    State.OPEN: {
        Input.FRAME: State.OPEN,
        Input.GOODBYE: State.CLOSING,
        Input.PEER_GOODBYE: State.CLOSING,
        Input.LOST: State.CLOSED,
    },
    State.CLOSING: {Input.LOST: State.CLOSED},
    State.CLOSED: {},
}
"""State to input to state. An input that is missing is a mistake: the peer's (HELLO, FRAME) is answered with
GOODBYE 4501, our own (SIGNED_IN) raises ``WrongState``; what comes after a goodbye is dropped."""


class WrongState(Exception):
    """Our own caller asked for a step that the connection's state does not have."""


_OPEN: Final = State.OPEN  # looking a member up in its class costs more than the rest of `receive`
_OVER: Final = frozenset((State.CLOSING, State.CLOSED))

_INPUTS: Final[dict[type[Frame], Input]] = {Hello: Input.HELLO, Goodbye: Input.PEER_GOODBYE}
_OUT_OF_PLACE: Final[dict[tuple[State, Input], str]] = {
    (State.AWAIT_HELLO, Input.FRAME): "the first frame must be HELLO",
    (State.SIGNING_IN, Input.FRAME): "a frame before WELCOME",
    (State.SIGNING_IN, Input.HELLO): "HELLO: only once",
    (State.OPEN, Input.HELLO): "HELLO: only once",
}
"""What the peer is told where ``STATES`` has no way on."""

_USUAL: Final = frozenset((Request, Signal, Pong))
"""What a signed-in client sends to the owner of the connection."""


@attrs.frozen(kw_only=True)
class Agreed:
    """A HELLO that may sign in: its credential is the caller's to verify."""

    hello: Hello
    version: int
    capabilities: tuple[str, ...]


@attrs.define
class Received:
    """What came of one message."""

    frames: list[Frame] = attrs.field(factory=list)
    """For the owner, in order: REQUEST, SIGNAL, PONG, and ``Unknown`` of an agreed experimental kind."""
    replies: Sequence[Pong | Fail] = ()
    """To be sent at once; they wait for no journal."""
    hello: Agreed | None = None
    farewell: Goodbye | None = None
    """To be sent, and the link closed with its code. What came before it in the same message still counts."""
    left: Goodbye | None = None
    """The peer's own goodbye."""


@attrs.frozen(kw_only=True)
class Terms:
    """What binds a signed-in connection: WELCOME's limits and heartbeat."""

    size: Limits
    """How much the client may send at once; the machine decodes with it from WELCOME on."""
    inflight: int
    """Unanswered requests."""
    commands_per_second: int
    commands_burst: int
    heartbeat_ms: int
    subscriptions: int = bounds.MAX_SUBSCRIPTIONS
    signal_bytes: int = bounds.MAX_SIGNAL_BYTES
    file_bytes_per_second: int = bounds.FILE_RATE[0]

    def limits(self) -> dict[str, object]:
        """WELCOME's limits map."""
        return {
            "frame_bytes": self.size.frame_bytes,
            "message_bytes": self.size.message_bytes,
            "message_frames": self.size.frames,
            "inflight": self.inflight,
            "commands_per_second": self.commands_per_second,
            "commands_burst": self.commands_burst,
            "subscriptions": self.subscriptions,
            "signal_bytes": self.signal_bytes,
            "file_bytes_per_second": self.file_bytes_per_second,
        }


def _terms(size: Limits, inflight: int, rate: tuple[int, int], heartbeat_ms: int) -> Terms:
    return Terms(
        size=size,
        inflight=inflight,
        commands_per_second=rate[0],
        commands_burst=rate[1],
        heartbeat_ms=heartbeat_ms,
    )


TERMS: Final[dict[str, Terms]] = {
    "customer": _terms(CLIENT, bounds.INFLIGHT_CUSTOMER, bounds.RATE_CUSTOMER, bounds.HEARTBEAT_CUSTOMER),
    "representative": _terms(
        CLIENT, bounds.INFLIGHT_REPRESENTATIVE, bounds.RATE_REPRESENTATIVE, bounds.HEARTBEAT_REPRESENTATIVE
    ),
    "manager": _terms(CLIENT, bounds.INFLIGHT_REPRESENTATIVE, bounds.RATE_REPRESENTATIVE, bounds.HEARTBEAT_SERVICE),
    "service": _terms(SERVICE, bounds.INFLIGHT_SERVICE, bounds.RATE_SERVICE, bounds.HEARTBEAT_SERVICE),
}
"""The product's terms for each role."""


@attrs.define(eq=False)
class Handshake:
    """One connection's place in the protocol."""

    capabilities: frozenset[str] = frozenset()
    """What this broker offers; one that starts with ``x-`` allows experimental kinds, where agreed."""
    state: State = attrs.field(default=State.AWAIT_HELLO, init=False)
    limits: Limits = attrs.field(default=HELLO, init=False, repr=False)
    """What the next message may hold."""
    agreed: Agreed | None = attrs.field(default=None, init=False, repr=False)
    _warned: bool = attrs.field(default=False, init=False, repr=False)
    _experiments: bool = attrs.field(default=False, init=False, repr=False)

    def receive(self, message: bytes, now: int) -> Received:
        """What comes of one WebSocket message; ``now`` (ms) goes into PONG. Never raises."""
        if self.state in _OVER:
            return Received()
        try:
            frames = decode(message, self.limits)
        except RemoteProtocolError as exc:
            self._step(Input.GOODBYE)
            return Received(farewell=exc.farewell)
        if self.state is _OPEN:
            for frame in frames:
                if type(frame) not in _USUAL:
                    break
            else:
                return Received(frames)
        return self._unusual(frames, now)

    def welcome(
        self, identity: Mapping[str, object], server: Mapping[str, object], terms: Terms | None = None
    ) -> Welcome:
        """The credential is good: the frame to send. ``identity`` holds account, person, role, … as the schema
        has it. ``terms``: those of its role unless given. WrongState unless a HELLO waits for its answer."""
        self._step(Input.SIGNED_IN)
        assert self.agreed is not None
        if terms is None:
            terms = TERMS[str(identity["role"])]
        self.limits = terms.size
        version, capabilities = self.agreed.version, self.agreed.capabilities
        return Welcome(version, capabilities, identity, terms.limits(), terms.heartbeat_ms, server)

    def close(self, code: Close, text: str, *, retry_ms: int | None = None, url: str | None = None) -> Goodbye | None:
        """End it from our side: the frame to send before the link is closed with its code, or None where
        either side has said goodbye already."""
        if Input.GOODBYE not in STATES[self.state]:
            return None
        self._step(Input.GOODBYE)
        return goodbye(code, text, retry_ms=retry_ms, url=url)

    def lost(self) -> None:
        """The link is gone."""
        if self.state is not State.CLOSED:
            self._step(Input.LOST)

    def _step(self, happened: Input) -> None:
        after = STATES[self.state].get(happened)
        if after is None:
            raise WrongState(f"{happened} in state {self.state}")
        self.state = after

    def _unusual(self, frames: list[Frame], now: int) -> Received:
        got = Received()
        try:
            for frame in frames:
                self._receive(frame, now, got)
                if got.left is not None:
                    break
        except RemoteProtocolError as exc:
            self._step(Input.GOODBYE)
            got.farewell = exc.farewell
        return got

    def _receive(self, frame: Frame, now: int, got: Received) -> None:
        happened = _INPUTS.get(type(frame), Input.FRAME)
        if happened not in STATES[self.state]:
            raise RemoteProtocolError(_OUT_OF_PLACE[self.state, happened])
        if isinstance(frame, Hello):
            got.hello = self.agreed = self._agree(frame)
        elif isinstance(frame, Goodbye):
            got.left = frame
        elif type(frame) in _USUAL:
            got.frames.append(frame)
        elif isinstance(frame, Ping):
            got.replies = (*got.replies, Pong(frame.nonce, now))
        elif isinstance(frame, Unknown):
            self._unknown(frame, got)
        else:
            raise RemoteProtocolError(f"{type(frame).__name__.upper()}: only the broker sends it")
        self._step(happened)

    def _agree(self, hello: Hello) -> Agreed:
        version = max((v for v in VERSIONS if v in hello.versions), default=None)
        if version is None:
            spoken = ", ".join(map(str, VERSIONS))
            raise RemoteProtocolError(f"this broker speaks version {spoken}", Close.NO_COMMON_VERSION)
        ways = [way for way in WAYS if way in hello.auth]
        if len(ways) != 1:
            raise RemoteProtocolError(f"HELLO.auth: expected exactly one of {', '.join(WAYS)}")
        if "visitor" in hello.auth and ways[0] not in ("portal", "pin"):
            raise RemoteProtocolError("HELLO.auth.visitor: goes with portal or pin only")
        if "entry" in hello.auth and ways != ["portal"]:
            raise RemoteProtocolError("HELLO.auth.entry: goes with portal only")
        common = tuple(sorted(self.capabilities.intersection(hello.capabilities)))
        self._experiments = any(name.startswith("x-") for name in common)
        return Agreed(hello=hello, version=version, capabilities=common)

    def _unknown(self, frame: Unknown, got: Received) -> None:
        if frame.kind in EXPERIMENTAL:
            if not self._experiments:
                raise RemoteProtocolError(f"kind {frame.kind}: experimental, and no x- capability was agreed")
            got.frames.append(frame)
        elif self._warned:
            raise RemoteProtocolError(f"kind {frame.kind}: unknown, again")
        else:
            self._warned = True
            got.replies = (*got.replies, Fail(0, int(Code.NO_SUCH), f"unknown frame kind {frame.kind}"))
