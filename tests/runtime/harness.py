"""A whole broker in one process for tests: hub, memory transport, inline journal; and clients that speak frames.

Under ``autojump_clock`` it takes no real time. ``Broker.hold`` and ``fail_next`` are the journal's.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import attrs
import trio

from broker.blobs.keeper import Keeper
from broker.identity.hashers import InlineHashers
from broker.identity.letters import Mail
from broker.identity.mail import Drop, Mailer, Told, Wanted
from broker.identity.media import Media, WebRtc
from broker.identity.passwords import Cost
from broker.identity.tokens import Signer
from broker.journal.base import Store
from broker.journal.inline import InlineJournal
from broker.journal.memory import MemoryStore
from broker.protocol import check, codec, frames
from broker.routing.pins import PinSpace
from broker.runtime.clock import TrioClock
from broker.runtime.follower import Follower
from broker.runtime.hub import Hub
from broker.runtime.keyring import Secrets
from broker.runtime.options import Options
from broker.transport.memory import LinkClosed, MemoryPeer, MemoryTransport
from broker.units import KIB

T = TypeVar("T")
KEY = bytes(range(32))
SIGNER = Signer(KEY)
PINS = PinSpace(KEY)
DAY = 86_400_000
PATIENCE = 200_000.0  # seconds of virtual time that a test waits for anything: above the longest of our periods


CHEAP = Cost(time=1, memory=8 * KIB, lanes=1)
"""Passwords are hashed as a broker does it, and in no time."""


@attrs.define
class Post:
    """Keeps the e-mails it is given."""

    mails: list[Mail] = attrs.field(factory=list)
    full: bool = False
    told: list[Told | None] = attrs.field(factory=list)
    """Who wants to know what comes of each."""

    wanted: list[Wanted | None] = attrs.field(factory=list)
    """Who knows whether each is still to be sent."""
    dropped: list[int] = attrs.field(factory=list)
    """Which of them were taken back."""

    def send_nowait(self, mail: Mail, told: Told | None = None, wanted: Wanted | None = None) -> Drop:
        """Keep it."""
        if self.full:
            raise trio.WouldBlock
        self.mails.append(mail)
        self.told.append(told)
        self.wanted.append(wanted)
        return partial(self.dropped.append, len(self.mails) - 1)


class Refused(Exception):
    """A FAIL."""

    def __init__(self, fail: frames.Fail) -> None:
        super().__init__(f"{fail.code} {fail.text}")
        self.fail = fail
        self.code = fail.code


class Ended(Exception):
    """The broker said goodbye."""

    def __init__(self, goodbye: frames.Goodbye | None, code: int) -> None:
        super().__init__(f"{code} {goodbye}")
        self.goodbye = goodbye
        self.code = code


@attrs.define(eq=False)
class Client:
    """One connection that speaks frames. Frames that nobody asked for yet are kept, in order."""

    peer: MemoryPeer
    seen: list[frames.Frame] = attrs.field(factory=list)
    """Every frame received, in order."""
    _fresh: deque[frames.Frame] = attrs.field(factory=deque)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))
    welcome: frames.Welcome | None = None
    goodbye: frames.Goodbye | None = None
    answering: bool = True
    """Whether PINGs are answered while it waits for something."""
    _asked: dict[int, str] = attrs.field(factory=dict)

    def send(self, *out: frames.Frame) -> None:
        """Send frames in one message."""
        self.peer.send_nowait(b"".join(codec.pack(frame) for frame in out))

    async def next(self) -> frames.Frame:
        """The next frame that isn't a PING."""
        while not self._fresh:
            try:
                message = await self.peer.receive()
            except LinkClosed as closed:
                raise Ended(self.goodbye, closed.code) from None
            self._take(message)
        return self._fresh.popleft()

    def _take(self, message: bytes) -> None:
        for frame in codec.decode(message, codec.BROKER):
            self.seen.append(frame)
            if isinstance(frame, frames.Ping):
                if self.answering:
                    self.send(frames.Pong(frame.nonce, frame.t_ms))
                continue
            if isinstance(frame, frames.Goodbye):
                self.goodbye = frame
            self._check(frame)
            self._fresh.append(frame)

    def _check(self, frame: frames.Frame) -> None:
        """Whatever the broker says is as the schema has it, in every test."""
        match frame:
            case frames.Event(type=type_, data=data):
                check.check_event(type_, data)
            case frames.Notice(type=type_, data=data):
                check.check_notice(type_, data)
            case frames.Result(id=number, value=value) if number in self._asked:
                check.check_result(self._asked[number], value)

    def unread(self, frame: frames.Frame) -> None:
        """Put a frame back as the next one."""
        self._fresh.appendleft(frame)

    def pump(self) -> list[frames.Frame]:
        """What is here now, without waiting."""
        try:
            while True:
                self._take(self.peer.receive_nowait())
        except (trio.WouldBlock, LinkClosed):
            pass
        found = list(self._fresh)
        self._fresh.clear()
        return found

    async def expect(self, kind: type, **fields: object) -> Any:
        """The next frame of this class with these fields; others are passed over."""
        with trio.fail_after(PATIENCE):
            while True:
                frame = await self.next()
                if type(frame) is kind and all(getattr(frame, name) == value for name, value in fields.items()):
                    return frame

    async def event(self, type_: str, stream: str | None = None) -> frames.Event:
        """The next EVENT of this type."""
        while True:
            event: frames.Event = await self.expect(frames.Event, type=type_)
            if stream is None or event.stream == stream:
                return event

    def ask_nowait(self, op: str, key: str | None = None, **args: object) -> int:
        """Send a REQUEST; its id."""
        number = next(self._numbers)
        args = {name.rstrip("_"): value for name, value in args.items()}
        self._asked[number] = op
        self.send(frames.Request(number, op, args, key))
        return number

    async def answer(self, number: int) -> frames.Result:
        """The RESULT of a request; raises Refused. Events on the way stay for ``expect``."""
        passed: list[frames.Frame] = []
        with trio.fail_after(PATIENCE):
            while True:
                frame = await self.next()
                if isinstance(frame, frames.Result | frames.Fail) and frame.id == number:
                    self._fresh.extendleft(reversed(passed))
                    if isinstance(frame, frames.Fail):
                        raise Refused(frame)
                    return frame
                passed.append(frame)

    async def ask(self, op: str, key: str | None = None, **args: object) -> dict[str, Any]:
        """Ask and wait: the RESULT's value."""
        result = await self.answer(self.ask_nowait(op, key, **args))
        value: dict[str, Any] = result.value  # type: ignore[assignment]
        return value

    async def write(self, op: str, **args: object) -> dict[str, Any]:
        """The same with a key of its own."""
        return await self.ask(op, f"k{id(self)}-{next(_KEYS)}", **args)

    async def ended(self) -> Ended:
        """Wait for the end of the connection."""
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    await self.next()
                except Ended as end:
                    return end

    def cut(self) -> None:
        """The cable is cut."""
        self.peer.pipe.abort()


_KEYS = itertools.count(1)


@attrs.define(eq=False)
class Broker:
    """Everything of one broker."""

    transport: MemoryTransport
    journal: InlineJournal
    store: Store
    hub: Hub
    clock: TrioClock
    lines: list[tuple[str, str, Mapping[str, object]]]
    """What was logged."""
    post: Post
    stopped: trio.Event = attrs.field(factory=trio.Event)
    """The hub's task ticks no more."""
    _stopping: bool = False

    def stop(self) -> None:
        """End the hub's task."""
        self._stopping = True
        self.transport.wake()

    async def run(self) -> None:
        """The hub's task."""
        self.hub.start()
        while not self._stopping:
            await self.hub.tick()
        self.stopped.set()

    def token(self, account: str, person: str, role: str, life: int = DAY) -> str:
        """A token good for ``life`` ms."""
        return SIGNER.mint(account, person, role, self.clock.now() + life)

    async def connect(self, auth: Mapping[str, object], **options: Any) -> Client:
        """A connection that has said HELLO and been welcomed; raises Ended."""
        client = Client(self.transport.connect(**options))
        client.send(frames.Hello([1], [], auth, {}))
        client.welcome = await client.expect(frames.Welcome)
        return client

    async def staff(self, person: str, role: str = "representative", account: str = "acme") -> Client:
        """A representative, manager or service."""
        return await self.connect({"token": self.token(account, person, role)})

    async def staff_slow(self, person: str, capacity: int, role: str = "manager") -> Client:
        """The same with a pipe of so many bytes, who reads only when it waits for something."""
        role = "representative" if person in ("ann", "bob") else role
        return await self.connect({"token": self.token("acme", person, role)}, capacity=capacity)

    async def until_full(self, send: Callable[[], T]) -> list[T]:
        """Send until the broker reads no more; what was sent."""
        sent: list[T] = []
        with suppress(trio.WouldBlock):
            for _ in range(10_000):
                sent.append(send())
                await self.settle(0.001)
        assert len(sent) < 10_000
        return sent

    async def drain(self, client: Client) -> None:
        """Read until nothing more comes."""
        quiet = 0
        while quiet < 5:
            before = len(client.seen)
            for frame in reversed(client.pump()):
                client.unread(frame)
            quiet = 0 if len(client.seen) > before else quiet + 1
            await trio.sleep(0.01)

    async def customer(self, portal: str = "acme/help", visitor: str | None = None, **options: Any) -> Client:
        """A customer through a portal."""
        auth = {"portal": portal} if visitor is None else {"portal": portal, "visitor": visitor}
        return await self.connect(auth, **options)

    async def furnish(self, representatives: Sequence[str] = ("ann", "bob"), account: str = "acme") -> None:
        """A queue portal ``help``, a web one ``ask``, a phone one ``pin``, a team, and some representatives."""
        boss = await self.staff("boss", "manager", account)
        for portal, kind, mode in (("help", "button", "queue"), ("ask", "ask", "web"), ("pin", "global_pin", "phone")):
            await boss.write("portal.put", portal=portal, kind=kind, mode=mode, subportals=[f"{portal}-1"])
        await boss.write("team.put", team="t1", subportals=["help-1", "ask-1", "pin-1"])
        for name in representatives:
            await boss.write("representative.put", representative=name, name=f"Ms {name}", team="t1", capacity=3)
        boss.peer.close()

    async def settle(self, seconds: float = 0.05) -> None:
        """Let everything under way happen."""
        await trio.sleep(seconds)


@asynccontextmanager
async def broker(
    options: Options | None = None,
    *,
    accounts: Sequence[tuple[str, int]] = (("acme", 0),),
    store: Store | None = None,
    furnished: bool = True,
    faults: int = 0,
    up: bool = True,
    entropy: Callable[[int], bytes] | None = None,
    media: Media | None = None,
    keeper: Keeper | None = None,
    mailer: Mailer | None = None,
) -> AsyncIterator[Broker]:
    """A running broker. ``mailer`` sends its e-mails; None: they are kept. ``faults``: how many bugs it is to meet;
    ``up``: whether it is to get so far."""
    clock = TrioClock()
    transport = MemoryTransport()
    kept = store or MemoryStore()
    lines: list[tuple[str, str, Mapping[str, object]]] = []

    def tell(level: str, event: str, **fields: str | int | float) -> None:
        lines.append((level, event, fields))

    made_post = Post()
    journal = InlineJournal(kept, Follower().questions(), on_outcome=transport.wake)
    hub = Hub(
        transport=transport,
        journal=journal,
        clock=clock,
        secrets=Secrets(signer=SIGNER, pinspace=PINS, fingerprint_key=KEY, media=media or WebRtc()),
        accounts=accounts,
        options=options,
        entropy=entropy,
        tell=tell,
        hashers=InlineHashers(cost=CHEAP),
        post=mailer or made_post,
        keeper=keeper,
        reply_to="help@example.org",
    )
    made = Broker(transport, journal, kept, hub, clock, lines, made_post)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.run)
        with trio.fail_after(PATIENCE):
            while up and not hub.up:
                await trio.sleep(0.01)
        if furnished:
            for name, _ in accounts:
                await made.furnish(account=name)
        yield made
        assert hub.faults.met == faults, [line for line in lines if line[1] == "hub.fault"]
        nursery.cancel_scope.cancel()
    transport.dispose()


hub_of = broker
"""The same; said where the test itself ends the hub."""
