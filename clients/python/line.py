"""The task that keeps a client's line to its broker: dials, signs in, reads, writes, and comes back after a cut.

Connections come and go in here; ``reconnect.Ledger`` remembers what must survive them. ``client`` is the face of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import attrs
import trio

from broker.codes import Close, Code
from broker.limits import (
    DEAD_AFTER_HEARTBEATS,
    MAX_FRAME_BYTES,
    MAX_ID_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGE_FRAMES,
    MAX_SIGNAL_BYTES,
)
from broker.protocol.check import overlong
from broker.protocol.codec import SERVICE, decode, pack
from broker.protocol.errors import LocalProtocolError, RemoteProtocolError
from broker.protocol.frames import GO_TO, STOP, Frame, Goodbye, Hello, Ping, Pong, Request, Signal, Welcome
from broker.protocol.ops import AuthRefresh
from clients.python.connection import Address, Cut, Link, open_link, sign_in
from clients.python.errors import (
    ClosedError,
    HuntgroupError,
    NotAllowed,
    SignInOver,
    TokenExpired,
    TooLarge,
    UnreachableError,
    afresh,
    ended,
)
from clients.python.following import HoleError
from clients.python.keeping import Keeper
from clients.python.reconnect import Backoff, Ledger
from clients.python.settings import Auth, Connected, Disconnected, FreshAuth, Identity, Settings

SETTLED: Final = 10.0  # seconds a connection lived to count as one that works: pauses start small again
_ID_BYTES: Final = 8  # by which a REQUEST grows when it gets its id
SIGNALS: Final = 256  # unread or unsent SIGNALs; what comes beyond is dropped, as on any bad line


class Line:
    """One person's line to a broker, across connections."""

    def __init__(self, address: Address, auth: Auth | FreshAuth, settings: Settings) -> None:
        self._address = address
        self._auth: Auth | FreshAuth | None = auth
        self._visitor: str | None = None
        self._settings = settings
        self.rng = settings.rng
        self._backoff = Backoff(settings.rng, settings.first_pause_ms, settings.most_pause_ms)
        self._link: Link | None = None
        self._closing = False
        self._opened = trio.Event()
        self._wake = trio.Event()
        self._beats: deque[Ping | Pong] = deque(maxlen=8)  # a broker that asks more often wants no more answers
        self._signals: deque[Signal] = deque()
        self.ledger = Ledger(settings.rng, settings.patience)
        self.keeper = Keeper(settings.rng, settings.on_tokens)
        self.identity: Identity | None = None
        self.welcome: Welcome | None = None
        self.failure: Exception | None = None
        """Why it is over for good."""
        self._fault: Exception | None = None
        """What the caller's on_tokens raised."""
        self.hearing: dict[str, trio.MemorySendChannel[Signal]] = {}
        """Share to who listens to its SIGNALs."""

    # --- for the client ------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises why it is over, if it is."""
        if self.failure is not None:
            raise afresh(self.failure)

    def kick(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def limit(self, name: str, otherwise: int) -> int:
        """A number of WELCOME."""
        value = self.welcome.limits.get(name) if self.welcome is not None else None
        return value if isinstance(value, int) else otherwise

    def may_ask(
        self, op: str, args: Mapping[str, object], key: str | None = None, deadline_ms: int | None = None
    ) -> None:
        """Look at a REQUEST before it is sent. Raises ``TooLarge`` for what is larger than it may be and
        LocalProtocolError for what would be none: it would end the connection, and all that is under way there."""
        packed = pack(Request(1, op, args, key, deadline_ms))
        if len(packed) > self.limit("frame_bytes", MAX_FRAME_BYTES) - _ID_BYTES:
            raise TooLarge(Code.TOO_LARGE, "the arguments are larger than this connection's frames", op=op, key=key)
        try:
            (frame,) = decode(packed, SERVICE)
        except RemoteProtocolError as exc:
            raise LocalProtocolError(exc.text) from None
        assert isinstance(frame, Request)
        bad = overlong(op, frame.args)
        if bad is not None:
            raise TooLarge(Code.TOO_LARGE, str(bad), detail={"path": bad.path}, op=op, key=key)

    def signal(self, signal: Signal) -> bool:
        """Send it now; False where that can't be. ``TooLarge``, ValueError for what would be no SIGNAL."""
        most = self.limit("signal_bytes", MAX_SIGNAL_BYTES)
        if len(signal.data) > most:
            detail = {"path": "SIGNAL.data", "max_bytes": most}
            raise TooLarge(Code.TOO_LARGE, f"SIGNAL.data: expected a bin of 0 to {most} bytes", detail=detail)
        if not 0 < len(signal.share.encode()) <= MAX_ID_BYTES:
            raise ValueError(f"SIGNAL.share: expected a string of 1 to {MAX_ID_BYTES} bytes")
        if not self.ledger.connected or len(self._signals) >= SIGNALS:
            return False
        self._signals.append(signal)
        self.kick()
        return True

    async def wait_open(self) -> None:
        """Wait for the first WELCOME. Raises why there is none."""
        await self._opened.wait()
        self.check()

    async def leave(self) -> None:
        """Say goodbye and end; what was not answered yet raises ``ClosedError``."""
        self._closing = True
        link = self._link
        if link is not None and self.failure is None:
            try:
                await link.send(Goodbye(1000, "done", STOP))
                await link.close()
            except Cut:
                pass  # gone already
        self._fail(self.failure or ClosedError("this client is closed"))

    async def cut(self) -> None:
        """Drop the present connection without a word, as a pulled cable does. It comes back by itself."""
        if self._link is not None:
            await self._link.cut()

    # --- the task ------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, again and again, until it is over for good. Ends without raising."""
        while True:
            started = trio.current_time()
            cut = await self._attend()
            self.ledger.cut()
            self._link = None
            if self._closing:
                return
            error = self._final(cut)
            if error is not None:
                self._fail(error)
                return
            if trio.current_time() - started >= SETTLED:
                self._backoff.reset()
            retry_ms = cut.goodbye.retry_ms if isinstance(cut, Cut) and cut.goodbye is not None else None
            pause = self._backoff.pause(retry_ms)
            pause = self.keeper.pause(pause) if retry_ms is None else pause
            code = cut.code if isinstance(cut, Cut) else int(Close.DEAD)
            self._settings.on_change(Disconnected(code, str(cut.args[-1]), pause))
            await trio.sleep(pause / 1000)

    async def _attend(self) -> Exception:
        """One connection, from dialling to its end: a Cut, or what else ended it."""
        try:
            auth = await self._credentials()
        except Exception as exc:  # it ran the caller's code: to the caller with it, not into a group of our nursery
            return exc
        try:
            async with open_link(self._address, dial=self._settings.dial) as link:
                client = {
                    "name": self._settings.name,
                    "version": self._settings.version,
                    "language": self._settings.language,
                }
                said = {name: value for name, value in client.items() if value is not None}
                self._welcomed(link, await sign_in(link, Hello([1], [], auth.fields(), said)))
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._write, link)
                    nursery.start_soon(self._keep, link)
                    cut = await self._read(link)
                    nursery.cancel_scope.cancel()
                return cut
        except (Cut, HuntgroupError) as exc:
            return exc

    async def _credentials(self) -> Auth:
        if self.keeper.tokens is not None:
            return self.keeper.auth(None, now())
        assert self._auth is not None
        try:
            auth = self._auth if isinstance(self._auth, Auth) else await self._auth()
        except OSError as exc:
            raise UnreachableError(f"there is nothing to sign in with: {exc}") from exc
        auth = self.keeper.auth(auth, now())
        if self._visitor is not None and auth.token is None:
            return attrs.evolve(auth, visitor=self._visitor)
        return auth

    def _welcomed(self, link: Link, welcome: Welcome) -> None:
        told = welcome.identity
        fields = {field.name: told[field.name] for field in attrs.fields(Identity) if field.name in told}
        identity = Identity(**cast("dict[str, Any]", fields))
        before = self.identity
        if before is not None and before.person != identity.person:
            raise TokenExpired(Close.TOKEN_EXPIRED, "the visitor token ran out: the broker took us for somebody new")
        if before is not None and identity.sign_in is None:  # told where tokens are given, and still the same
            identity = attrs.evolve(identity, sign_in=before.sign_in)
        self.identity, self.welcome, self._link = identity, welcome, link
        self._beats.clear()
        self._signals.clear()  # of the last connection: stale
        self._visitor = identity.visitor or self._visitor
        try:
            self.keeper.welcomed(told, welcome.server.get("t_ms"), now())
        except Exception as exc:  # of the caller's on_tokens, as in _keep
            self._fault = exc
            raise Cut(Close.DEAD, "on_tokens failed") from None
        if self.keeper.tokens is not None:
            self._auth = None  # a password need not be remembered: the sign-in goes on without it
        self.ledger.welcomed(welcome, now())
        self._opened.set()
        self._settings.on_change(Connected(before is not None))

    def _final(self, end: Exception) -> Exception | None:
        """Why not to come back; None: come back."""
        if self._fault is not None:
            return self._fault
        if not isinstance(end, Cut):
            first = not self._opened.is_set() and not self._settings.patient
            return end if first or not isinstance(end, UnreachableError) else None
        action = end.goodbye.action if end.goodbye is not None else None
        if action == GO_TO and end.goodbye is not None and end.goodbye.url is not None:
            return self._move(end.goodbye.url)
        if end.code == Close.TOKEN_EXPIRED and self.keeper.tokens is not None:
            return None if self.keeper.expired() else SignInOver(end.code, end.text)
        if end.code == Close.BAD_AUTH and self.keeper.tokens is not None:
            return SignInOver(end.code, f"{end.text}: sign in again")
        stale = end.code == Close.TOKEN_EXPIRED and isinstance(self._auth, Auth) and self._auth.token is not None
        if stale or action == STOP or 4500 <= end.code < 5000:
            return ended(end.code, end.text)
        return None

    def _move(self, url: str) -> HuntgroupError | None:
        try:
            address = Address.parse(url)
        except ValueError:
            return ended(Close.PROTOCOL, "the broker named a place that is no address")
        if self._address.secure and not address.secure:
            return ended(Close.PROTOCOL, f"the broker named a place without TLS: {address}")
        self._address = address
        return None

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self.ledger.end(error)
        self._opened.set()
        for channel in self.hearing.values():
            channel.close()

    # --- one connection ---------------------------------------------------------------------------------------

    async def _read(self, link: Link) -> Cut:
        assert self.welcome is not None
        beat = self.welcome.heartbeat_ms / 1000
        try:
            while True:
                frames = await self._receive(link, beat)
                if frames is None:
                    await link.cut()
                    return Cut(Close.DEAD, f"the broker said nothing for {DEAD_AFTER_HEARTBEATS * beat:g} s")
                for frame in frames:
                    self._handle(frame)
                self.kick()
        except Cut as cut:
            return cut
        except HoleError as hole:
            await link.close(Close.PROTOCOL, str(hole))
            return Cut(Close.DEAD, f"the broker left an event out: {hole}")  # it may be whole next time

    async def _receive(self, link: Link, beat: float) -> list[Frame] | None:
        """The next frames; None for a broker that is silent even when pinged."""
        with trio.move_on_after(beat):
            return await link.receive()
        self._beats.append(Ping(0, self._settings.clock()))
        self.kick()
        with trio.move_on_after(beat * (DEAD_AFTER_HEARTBEATS - 1)):
            return await link.receive()
        return None

    def _handle(self, frame: Frame) -> None:
        if isinstance(frame, Ping):
            self._beats.append(Pong(frame.nonce, self._settings.clock()))
        elif isinstance(frame, Signal):
            channel = self.hearing.get(frame.share)
            if channel is not None:
                with suppress(trio.WouldBlock, trio.BrokenResourceError):  # nobody reads them
                    channel.send_nowait(frame)
        else:
            self.ledger.receive(frame, now())

    async def _keep(self, link: Link) -> None:
        """Ask for the next tokens in time. An answer lost with the connection is asked for again on the next one."""
        while (due := self.keeper.due) is not None:
            await trio.sleep_until(due / 1000)
            done = trio.Event()
            args = {"refresh": self.keeper.asking()}
            pending = self.ledger.ask(AuthRefresh.OP, args, None, None, done.set)
            self.kick()
            try:
                await done.wait()
            except trio.Cancelled:
                self.ledger.abandon(pending)
                raise
            try:
                fresh = pending.result is not None and self.renewed(pending.result.value)
            except Exception as exc:  # of the caller's on_tokens: out of its calls with it, not into our nursery
                self._fault = exc
                await link.cut()
                return
            if not fresh:
                later = pending.error is not None and not isinstance(pending.error, NotAllowed)
                self.keeper.refused(now(), later=later)

    def renewed(self, value: object) -> bool:
        """``auth.refresh`` was answered, whoever asked; whether with tokens. Raises what on_tokens raises."""
        return self.keeper.take(value if isinstance(value, dict) else {}, now())

    async def _write(self, link: Link) -> None:
        try:
            while True:
                self._wake = trio.Event()
                frames = self._outgoing()
                if frames:
                    for message in self._messages(frames):
                        await link.send_message(message)
                    continue
                due = self.ledger.next_wake(now())
                with trio.move_on_at(trio.current_time() + 3600 if due is None else due / 1000):
                    await self._wake.wait()
        except Cut:
            return  # the reader learns of it too

    def _outgoing(self) -> list[Frame]:
        frames: list[Frame] = [*self._beats, *self._signals]
        self._beats.clear()
        self._signals.clear()
        return [*frames, *self.ledger.take(now(), MAX_MESSAGE_FRAMES)]

    def _messages(self, frames: Sequence[Frame]) -> list[bytes]:
        """As few messages as the limits allow."""
        most_bytes = self.limit("message_bytes", MAX_MESSAGE_BYTES)
        most_frames = self.limit("message_frames", MAX_MESSAGE_FRAMES)
        messages: list[list[bytes]] = []
        size = 0
        for packed in map(pack, frames):
            if not messages or size + len(packed) > most_bytes or len(messages[-1]) == most_frames:
                messages.append([])
                size = 0
            messages[-1].append(packed)
            size += len(packed)
        return [b"".join(parts) for parts in messages]


def now() -> int:
    """ms of trio's clock."""
    return int(trio.current_time() * 1000)
