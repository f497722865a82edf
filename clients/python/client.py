"""The client: one person's line to a broker that outlives its connections.

``open_client`` signs in and keeps at it: a task dials, reads and writes; ``reconnect.Ledger`` remembers what must
survive a cut. Counterpart: ``broker.runtime``. For what each kind of person can ask, see ``roles``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Literal, TypeVar, cast, overload

import attrs
import trio

from broker.protocol.check import WRITES
from broker.protocol.frames import Signal
from broker.protocol.ops import AuthRefresh, Command, PasswordSet, Subscribe
from clients.python.commands import arguments
from clients.python.connection import Address
from clients.python.errors import ClosedError, afresh
from clients.python.following import Follow, Item, Phase
from clients.python.line import SIGNALS, Line
from clients.python.reconnect import Pending
from clients.python.settings import Auth, FreshAuth, Identity, Settings, Tokens

R = TypeVar("R")

LEAVE_TIMEOUT: Final = 3.0  # seconds for a goodbye, also when the caller is cancelled


@attrs.frozen
class Answer:
    """What came of a request."""

    value: Mapping[str, Any]
    offsets: Mapping[str, int]
    """Stream to the offset of the last event this request caused there."""

    @property
    def replayed(self) -> bool:
        """Whether its key was used before: this is the answer of then."""
        return bool(self.value.get("replayed"))

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 (as the schema says)
        return self.value[name]


class Subscription:
    """Items of one stream, each event once and in order, whatever happens to connections.

    Iterate over it. Events are broker.protocol.frames.Event, notices Notice; a Gap tells of events that will not
    come (and ends the iteration where its reason is "rights"); a View is the whole state. Leaving it (``async with``
    or ``close``) unsubscribes."""

    def __init__(self, line: Line, follow: Follow) -> None:
        self._line = line
        self._follow = follow
        self._news = trio.Event()
        follow.news = lambda: self._news.set()

    @property
    def stream(self) -> str:
        """Its name."""
        return self._follow.stream

    @property
    def offset(self) -> int | None:
        """The stream's last offset taken in, read or not; None before the broker has answered."""
        return self._follow.place

    async def wait_placed(self) -> int:
        """Wait until the broker follows it: the offset before the first item. Raises why it doesn't."""
        while not self._follow.began:
            if not await self._wait():
                raise ClosedError("this subscription is closed")
        return cast("int", self._follow.place)

    async def _wait(self) -> bool:
        """Wait for news; False where none will come."""
        follow = self._follow
        if follow.phase is Phase.OVER:
            if follow.error is not None:
                raise afresh(follow.error)
            return False
        self._news = trio.Event()
        await self._news.wait()
        return True

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Item:
        await trio.lowlevel.checkpoint()  # before the item is taken: a cancelled reader loses none
        while (item := self._follow.next()) is None:
            if not await self._wait():
                raise StopAsyncIteration
        if self._follow.wanted:
            self._line.kick()
        return item

    async def next(self) -> Item:
        """The next item. Raises ``ClosedError`` where none will come."""
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise ClosedError(f"{self.stream} is over") from None

    def close(self) -> None:
        """Unsubscribe; nothing more will come."""
        self._line.ledger.unfollow(self._follow)
        self._line.kick()

    async def __aenter__(self) -> Subscription:
        await self.wait_placed()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.close()


class Client:
    """One person's line to a broker. See ``open_client``."""

    def __init__(self, line: Line) -> None:
        self._line = line

    # --- asking ----------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Who this is."""
        assert self._line.identity is not None
        return self._line.identity

    @property
    def tokens(self) -> Tokens | None:
        """The newest tokens of a sign-in that is kept alive; None where there is none."""
        return self._line.keeper.tokens

    @property
    def server(self) -> Mapping[str, object]:
        """What the broker says of itself: name, build, t_ms."""
        assert self._line.welcome is not None
        return self._line.welcome.server

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._line.ledger.connected

    async def cut(self) -> None:
        """Drop the connection without a word, as a pulled cable does: for demos and tests. It comes back by itself."""
        await self._line.cut()

    async def request(self, command: Command, *, key: str | None = None, deadline_ms: int | None = None) -> Answer:
        """Ask for an operation and wait for its answer, across cuts. Raises the ``Refused`` of its code.

        ``TooLarge`` names a text that is longer than it may be; nothing was sent then, and nothing else is held up.
        What writes gets a random ``key``, under which the broker carries it out once, however often it must be sent.
        ``deadline_ms``: broker time after which it is refused with ``DeadlinePassed`` instead."""
        return await self.call(command.OP, arguments(command), key=key, deadline_ms=deadline_ms)

    async def call(
        self, op: str, args: Mapping[str, object], *, key: str | None = None, deadline_ms: int | None = None
    ) -> Answer:
        """The same with a bare name and arguments: for operations that this library doesn't know yet."""
        self._line.check()
        if key is None and op in WRITES:
            key = f"{self._line.rng.getrandbits(128):032x}"
        self._line.may_ask(op, args, key, deadline_ms)
        done = trio.Event()
        pending = self._line.ledger.ask(op, args, key, deadline_ms, done.set)
        self._line.kick()
        try:
            await done.wait()
        except trio.Cancelled:
            self._line.ledger.abandon(pending)
            raise
        answer = _answer(pending)
        if op == AuthRefresh.OP:
            self._line.renewed(answer.value)
        elif op == PasswordSet.OP and args.get("person") in (None, self.identity.person):
            self._line.identity = attrs.evolve(self.identity, must_change=False)
        return answer

    def subscribe(
        self,
        stream: str,
        from_: Literal["now", "snapshot"] | int = "now",
        *,
        since: int | None = None,
        types: Sequence[str] | None = None,
    ) -> Subscription:
        """Follow a stream from now, after an offset, from its snapshot, or from a time (``since``, ms since 1970 UTC).

        Takes effect at once; ``async with`` (or ``wait_placed``) waits for the broker's answer. ``types``: events of
        these types alone."""
        self._line.check()
        if since is not None:
            start = Subscribe(stream, "time", time=since, types=types)
        elif isinstance(from_, int):
            start = Subscribe(stream, "offset", offset=from_, types=types)
        else:
            start = Subscribe(stream, from_, types=types)
        self._line.may_ask(start.OP, arguments(start))
        follow = Follow(stream, start)
        self._line.ledger.follow(follow)
        self._line.kick()
        return Subscription(self._line, follow)

    def send_signal_nowait(self, share: str, kind: str, data: bytes) -> bool:
        """Send a SIGNAL to the other end of a share. False, and it is lost, while there is no connection: signals are
        not stored; start the share's set-up again with ``restart``. ``TooLarge`` for more ``data`` than one has,
        ValueError for a ``share`` that is no id."""
        self._line.check()
        return self._line.signal(Signal(share, kind, data))

    def signals(self, share: str) -> trio.MemoryReceiveChannel[Signal]:
        """The other end's SIGNALs of a share, from now on."""
        self._line.check()
        send, receive = trio.open_memory_channel[Signal](SIGNALS)
        self._line.hearing[share] = send
        return receive


def _answer(pending: Pending) -> Answer:
    if pending.error is not None:
        raise afresh(pending.error)
    assert pending.result is not None
    value = pending.result.value
    return Answer(
        cast("Mapping[str, Any]", value if isinstance(value, dict) else {}),
        cast("Mapping[str, int]", pending.result.offsets or {}),
    )


def _itself(client: Client) -> Client:
    return client


@overload
def open_client(
    url: str, auth: Auth | FreshAuth, *, settings: Settings | None = None
) -> AbstractAsyncContextManager[Client]: ...


@overload
def open_client(
    url: str, auth: Auth | FreshAuth, role: Callable[[Client], R], *, settings: Settings | None = None
) -> AbstractAsyncContextManager[R]: ...


def open_client(
    url: str, auth: Auth | FreshAuth, role: Callable[[Client], Any] = _itself, *, settings: Settings | None = None
) -> AbstractAsyncContextManager[Any]:
    """``async with open_client("https://desk.example", Auth(token="…"), Representative) as ann:``

    ``url``: as people give it (``http://host:8470``). ``role``: one of ``roles``, or none for the bare client.
    Raises ``UnreachableError`` where no broker answers, an ``Ended`` where it refuses the credential, ValueError for
    an address that is none, and whatever ``auth`` raises (but OSError, which counts as no answer)."""
    return _opened(Line(Address.parse(url), auth, settings or Settings()), role)


@asynccontextmanager
async def _opened(line: Line, role: Callable[[Client], R]) -> AsyncIterator[R]:
    held: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.run)
        # An exception of the caller's block must come out as it is, not wrapped in a group by the nursery.
        try:
            await line.wait_open()
            yield role(Client(line))
        except BaseException as exc:
            held = exc
        with trio.move_on_after(LEAVE_TIMEOUT, shield=True):
            await line.leave()
        nursery.cancel_scope.cancel()
    if held is not None:
        raise held
