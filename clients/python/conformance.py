"""Plays the protocol's vectors against any server: session scripts, and single frames, legal and hostile.

The server must have been given ``vectors/desk.toml`` and the token key of ``conformance.json``. Everything goes over
a bare WebSocket: nothing here comes back, retries or checks what it sends.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

import attrs
import trio

from broker.codes import Close
from broker.limits import HELLO_BYTES, MAX_MESSAGE_BYTES, MAX_SERVICE_BYTES
from broker.protocol.codec import BROKER, decode, pack_value
from broker.protocol.errors import RemoteProtocolError
from broker.protocol.frames import Goodbye, Notice, Ping, Pong
from clients.python.connection import Address, Cut, Link, open_link
from clients.python.errors import UnreachableError
from clients.python.patterns import DiffersError, Json, Scope, ScriptError, raw
from clients.python.settings import wall_clock
from clients.python.visible import visible

TIMEOUT: Final = 5.0  # seconds a script waits for anything
FAILED, USAGE, UNREACHABLE = 1, 2, 3  # exit codes, as the command line counts them
TOO_BIG: Final = 1009  # WebSocket's own close code
MESSAGE_BYTES: Final = {"hello": HELLO_BYTES, "client": MAX_MESSAGE_BYTES, "service": MAX_SERVICE_BYTES}
_SKIPPED: Final = {Ping.KIND, Notice.KIND}


@attrs.frozen(kw_only=True)
class Outcome:
    """What came of one vector."""

    level: str
    """sessions, frames or refused."""
    name: str
    why: str | None
    """None: it is as it must be."""


@attrs.define(eq=False)
class Wire:
    """A connection under test: its frames as they come, PINGs answered."""

    link: Link
    rows: deque[Sequence[object]] = attrs.field(factory=deque)
    wrong: str | None = None
    """What came that is no frame."""
    closed: int | None = None
    """The close code, once it is closed."""
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def listen(self) -> None:
        """Take in what comes until it is closed."""
        try:
            while True:
                await self._take(await self.link.receive_message())
        except Cut as cut:
            self.closed = cut.code
        self._news.set()

    async def _take(self, message: bytes | str) -> None:
        try:
            if isinstance(message, str):
                raise RemoteProtocolError("a text message")
            frames = decode(message, BROKER)
        except RemoteProtocolError as exc:
            self.wrong, frames = str(exc), []
        for frame in frames:
            self.rows.append(frame.row())
            if isinstance(frame, Ping):
                await self.link.send(Pong(frame.nonce, wall_clock()))
        self._news.set()

    async def next(self, asked: int | None = None) -> Sequence[object]:
        """The next frame: PINGs and NOTICEs left out, or all but ``asked``, where that is one of them. DiffersError."""
        while True:
            while self.rows:
                row = self.rows.popleft()
                if (row[0] == asked) if asked in _SKIPPED else (row[0] not in _SKIPPED):
                    return row
            if self.wrong is not None:
                raise DiffersError(f"the server's bytes are no frames: {self.wrong}")
            if self.closed is not None:
                raise DiffersError(f"the server closed the connection with {self.closed}")
            await self.wait()

    async def wait(self) -> None:
        """Until something came."""
        self._news = trio.Event()
        await self._news.wait()

    async def settled(self) -> None:
        """Until a frame came, or the close."""
        while not self.rows and self.closed is None:
            await self.wait()

    async def end(self) -> int:
        """The close code, once the server has closed. DiffersError for frames nobody asked for."""
        while self.closed is None:
            await self.wait()
        left = [row for row in self.rows if row[0] not in _SKIPPED]
        if left:
            raise DiffersError(f"unexpected before the close: {list(left[0])!r}")
        return self.closed


@attrs.define(eq=False)
class Player:
    """Plays one script after the other."""

    address: Address
    account: str
    token_key: bytes
    timeout: float = TIMEOUT
    rng: random.Random = attrs.field(factory=random.SystemRandom)
    clock: Callable[[], int] = wall_clock

    def scope(self) -> Scope:
        """A script's own variables."""
        return Scope(self.account, self.token_key, self.rng, self.clock)

    async def _hold(self, *, task_status: trio.TaskStatus[Wire]) -> None:
        """A connection in a task of its own: scripts open and drop them in any order."""
        async with open_link(self.address) as link:
            wire = Wire(link)
            task_status.started(wire)
            await wire.listen()

    async def play(self, script: Mapping[str, Json]) -> Outcome:
        """One session script."""
        scope, wires, why = self.scope(), dict[str, Wire](), None
        async with trio.open_nursery() as nursery:
            for number, step in enumerate(script["steps"], 1):
                try:
                    with trio.fail_after(self.timeout):
                        await self._step(step, scope, wires, nursery)
                except trio.TooSlowError:
                    why = f"step {number}: nothing came within {self.timeout:g} s"
                except (DiffersError, ScriptError, Cut, UnreachableError) as exc:
                    why = f"step {number}: {exc}"
                if why is not None:
                    break
            for wire in wires.values():
                await wire.link.close()
            nursery.cancel_scope.cancel()
        return Outcome(level="sessions", name=script["name"], why=why)

    async def _step(
        self, step: Mapping[str, Json], scope: Scope, wires: dict[str, Wire], nursery: trio.Nursery
    ) -> None:
        name = step.get("on", "a")
        ((what, given),) = ((key, value) for key, value in step.items() if key != "on")
        if what == "let":
            scope.variables.update({key: scope.value(value) for key, value in given.items()})
        elif what == "open":
            wires[name] = await nursery.start(self._hold)
        elif name not in wires:
            raise ScriptError(f"no connection {name!r} is open")
        else:
            await _on(wires[name], what, given, scope)

    # --- single frames ---------------------------------------------------------------------------------

    async def refuses(self, vector: Mapping[str, Json]) -> Outcome:
        """Hostile bytes: GOODBYE and close, with the vector's code. A message beyond its limit may be refused by the
        WebSocket layer, which does not speak the protocol: 1009, without GOODBYE."""

        async def judge(wire: Wire) -> None:
            data = raw(vector["bytes"])
            await wire.link.send_message(data)
            if len(data) > MESSAGE_BYTES[vector["limits"]]:
                await wire.settled()
                if wire.closed == TOO_BIG and not wire.rows:
                    return
            self.scope().match_frame([Goodbye.KIND, vector["code"]], await wire.next())
            code = await wire.end()
            if code != vector["code"]:
                raise DiffersError(f"closed with {code} instead of {vector['code']}")

        return await self._single("refused", vector["name"], judge, who=vector["limits"])

    async def takes(self, name: str, encoding: bytes, *, hello: bool) -> Outcome:
        """A legal encoding: anything but a protocol error; after WELCOME, a PING behind it is answered."""

        async def judge(wire: Wire) -> None:
            await wire.link.send_message(encoding)
            if not hello:
                await wire.link.send(Ping(77, self.clock()))
            while True:
                row = await wire.next()
                if row[0] == Goodbye.KIND and row[1] == Close.PROTOCOL:
                    raise DiffersError(f"refused: {row[2]}")
                if hello or (row[0] == Pong.KIND and row[1] == 77):
                    return

        return await self._single("frames", name, judge, who="hello" if hello else "service")

    async def _single(self, level: str, name: str, judge: Callable[[Wire], Awaitable[None]], *, who: str) -> Outcome:
        why = None
        async with trio.open_nursery() as nursery:
            try:
                with trio.fail_after(self.timeout):
                    wire = await nursery.start(self._hold)
                    await self._enter(wire, who)
                    await judge(wire)
                    await wire.link.close()
            except trio.TooSlowError:
                why = f"nothing came within {self.timeout:g} s"
            except (DiffersError, Cut, UnreachableError) as exc:
                why = str(exc)
            nursery.cancel_scope.cancel()
        return Outcome(level=level, name=name, why=why)

    async def _enter(self, wire: Wire, who: str) -> None:
        """Sign in as one whose bounds are ``who``'s: client or service; hello: not at all."""
        scope = self.scope()
        if who == "hello":
            return
        token = {"$token": {"person": "crm", "role": "service"}}
        auth = {"token": token} if who == "service" else {"portal": f"{self.account}/web-ask"}
        await _on(wire, "send", [0, [1], [], auth, {"name": "conformance"}], scope)
        scope.match_frame([1, 1], await wire.next())


async def _on(wire: Wire, what: str, given: Json, scope: Scope) -> None:
    match what:
        case "send":
            await wire.link.send_message(pack_value(scope.value(given)))
        case "send_all":
            await wire.link.send_message(b"".join(pack_value(scope.value(frame)) for frame in given))
        case "send_bytes":
            await wire.link.send_message(raw(given))
        case "send_text":
            await wire.link.send_message(str(given))
        case "expect":
            scope.match_frame(given, await wire.next(given[0]))
        case "expect_all":
            await _expect_all(wire, list(given), scope)
        case "expect_close":
            code = await wire.end()
            if code not in (given if isinstance(given, list) else [given]):
                raise DiffersError(f"closed with {code} instead of {given}")
        case "close":
            await wire.link.close(given)
        case "cut":
            await wire.link.cut()
        case _:
            raise ScriptError(f"{what} is no step")


async def _expect_all(wire: Wire, patterns: list[Json], scope: Scope) -> None:
    while patterns:
        row = await wire.next()
        found = next((each for each in patterns if scope.matches_frame(each, row)), None)
        if found is None:
            raise DiffersError(f"{list(row)!r} is none of what was expected: {json.dumps(patterns)}")
        patterns.remove(found)


# --- the command -------------------------------------------------------------------------------------------


def vectors() -> tuple[dict[str, Json], list[Json], list[Json], list[Json]]:
    """(conformance.json, session scripts, frames, refused bytes)."""
    folder = files("broker.protocol") / "vectors"
    scripts = sorted((_read(each) for each in (folder / "sessions").iterdir()), key=lambda script: str(script["name"]))
    frames, refused = _read(folder / "frames.json"), _read(folder / "refused.json")
    return _read(folder / "conformance.json"), scripts, frames["frames"], refused["refused"]


def _read(where: Traversable) -> Json:
    return json.loads(where.read_text(encoding="utf-8"))


def run(args: argparse.Namespace) -> int:
    """Play and print. 0: nothing differs, 1: something does, 2: no vector has such a name, 3: there is no server."""
    try:
        outcomes = trio.run(check, args)
    except NoVectorError as exc:
        print(f"huntgroup: {exc}", file=sys.stderr)
        return USAGE
    except UnreachableError as exc:
        print(f"huntgroup: {exc}")
        return UNREACHABLE
    wrong = [outcome for outcome in outcomes if outcome.why is not None]
    if args.json:
        report = {"played": len(outcomes), "wrong": len(wrong), "vectors": [attrs.asdict(each) for each in outcomes]}
        print(json.dumps(report))
    else:
        print(f"{len(outcomes)} vectors, {len(wrong)} differ" if wrong else f"{len(outcomes)} vectors, none differs")
    return FAILED if wrong else 0


class NoVectorError(Exception):
    """No vector has what was asked for in its name; the message lists the names."""


async def check(args: argparse.Namespace) -> list[Outcome]:
    """Every vector that ``args`` asks for, one after the other. Raises ``NoVectorError``, ``UnreachableError``."""
    facts, scripts, frames, refused = vectors()
    key = bytes.fromhex(getattr(args, "key", None) or facts["token_key"])
    address = Address.parse(args.server)
    player = Player(address, facts["account"], key, timeout=getattr(args, "timeout", None) or TIMEOUT)
    only = getattr(args, "only", None) or ""
    plays = [(name, play) for name, play in _plays(player, scripts, frames, refused) if only in name]
    if not plays:
        names = ", ".join(script["name"] for script in scripts)
        raise NoVectorError(f"no vector has {only!r} in its name; there are {names}, and the single frames")
    async with open_link(address):
        pass  # there is a server at all
    outcomes = []
    for _, play in plays:
        outcome = await play()
        outcomes.append(outcome)
        if not args.json:
            verdict = "ok     " if outcome.why is None else "DIFFERS"
            why = f": {visible(outcome.why)}" if outcome.why else ""
            print(f"{verdict} {outcome.level:<8} {outcome.name}{why}", flush=True)
    return outcomes


Play = Callable[[], Awaitable[Outcome]]


def _plays(player: Player, scripts: list[Json], frames: list[Json], refused: list[Json]) -> Iterator[tuple[str, Play]]:
    for script in scripts:
        yield script["name"], partial(player.play, script)
    for vector in frames:
        if vector["from"] in ("client", "both") and vector["kind"] != "goodbye":
            for number, encoding in enumerate(vector["encodings"], 1):
                name = f"{vector['name']} ({number})"
                yield name, partial(player.takes, name, raw(encoding), hello=vector["kind"] == "hello")
    for vector in refused:
        if vector["limits"] != "broker":  # what a client refuses
            yield vector["name"], partial(player.refuses, vector)
