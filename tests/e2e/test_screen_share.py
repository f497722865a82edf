"""Scenario 12 over real sockets: a broker in a process of its own, the Python client, and a picture between two real
WebRTC ends, directly and through a real TURN server with the credentials that the broker issued.

What takes 60 s of silence is in ``test_scenarios``, on the virtual clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import attrs
import pytest
import trio

from bench.peers.process import free_port
from broker.identity import secrets, turn
from broker.identity.secrecy import Secret
from broker.identity.tokens import Signer
from broker.runtime.clock import SystemClock
from clients.python.client import open_client
from clients.python.demo_stage import Eyes
from clients.python.errors import Refused, WrongState
from clients.python.roles import Customer, Manager, Representative
from clients.python.screens import IceServer
from clients.python.settings import Auth
from tests.clients.python.conftest import serving
from tests.support.relay import coturn

pytestmark = pytest.mark.slow

SECRET: Final = "a-secret-of-coturn-and-the-broker"
PATIENCE: Final = 60.0  # seconds for anything; whoever needs them has failed
FOREVER: Final = 4_102_444_800_000
DESK: Final = """
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
subportals = ["help"]
functions = { control = true, file_transfer = false }

[[team]]
team = "blue"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann"
team = "blue"
capacity = 2
functions = { file_transfer = true }
"""
CONFIG: Final = """
[server]
port = {port}

[data]
path = "data"
journal = "memory"

[logs]
level = "warning"

[ice]
urls = ["{relay}"]
turn_secret_file = "turn-secret"

[[accounts]]
name = "acme"
slot = 0
desk = "desk.toml"
"""


@attrs.frozen
class House:
    """A broker that runs, and the relay."""

    url: str
    signer: Signer
    relay: str


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "turn").mkdir()
    with coturn(folder / "turn", SECRET) as relay, broker(folder, relay) as found:
        yield found


@contextmanager
def broker(folder: Path, relay: str) -> Iterator[House]:
    """``huntgroup serve`` with this relay."""
    port = free_port()
    (folder / "huntgroup.toml").write_text(CONFIG.format(port=port, relay=relay))
    (folder / "desk.toml").write_text(DESK)
    (folder / "turn-secret").write_text(f"{SECRET}\n")
    with serving("serve", "--config", str(folder / "huntgroup.toml"), says=f":{port}"):
        signer = Signer(secrets.load(folder / "data").token_key)
        yield House(f"http://127.0.0.1:{port}", signer, relay)


@attrs.define
class Talk:
    """Ann and carl in a session, each with eyes on it."""

    ann: Representative
    carl: Customer
    boss: Manager
    session: str
    seen: dict[str, Eyes]

    async def changed(self, share: str, state: str, **fields: object) -> dict[str, Any]:
        """What both are told."""
        for who in ("carl", "ann"):
            with trio.fail_after(PATIENCE):
                told = await self.seen[who].event("share.changed", share=share, state=state, **fields)
        return dict(told.data)


@asynccontextmanager
async def talking(house: House) -> AsyncIterator[Talk]:
    async with AsyncExitStack() as stack:

        def staff(name: str, role: str) -> Auth:
            return Auth(token=house.signer.mint("acme", name, role, FOREVER))

        ann = await stack.enter_async_context(open_client(house.url, staff("ann", "representative"), Representative))
        boss = await stack.enter_async_context(open_client(house.url, staff("boss", "manager"), Manager))
        carl = await stack.enter_async_context(open_client(house.url, Auth(portal="acme/help"), Customer))
        nursery = await stack.enter_async_context(trio.open_nursery())
        seen = {"ann": Eyes(), "carl": Eyes()}

        async def follow(who: str, person: Customer | Representative, stream: str) -> None:
            ready = trio.Event()

            async def watch() -> None:
                async with person.subscribe(stream, 0) as following:
                    ready.set()
                    async for item in following:
                        seen[who].see(item)

            nursery.start_soon(watch)
            await ready.wait()

        await follow("ann", ann, "me")
        await ann.set_presence("available")
        asked = await carl.ask("It hums")
        with trio.fail_after(PATIENCE):
            offer = await seen["ann"].event("offer.made", request=asked.request)
        session = (await ann.accept(str(offer.data["offer"]))).session
        await follow("ann", ann, f"session:{session}")
        await follow("carl", carl, f"session:{session}")
        yield Talk(ann, carl, boss, session, seen)
        await ann.set_presence("offline", sessions="hand_back")
        nursery.cancel_scope.cancel()


async def refused(call: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await call
    return caught.value


# --- consent ------------------------------------------------------------------------------------------------


async def test_scenario_12_consent_grant_and_a_life_of_its_own(house: House) -> None:
    async with talking(house) as talk:
        ann, carl = talk.ann, talk.carl
        share = await ann.request_share(talk.session)
        asks = await talk.changed(share, "requested")
        assert asks["asks"] == ["view"]
        for one in (ann, carl):
            assert isinstance(await refused(one.join_share(share)), WrongState)
        await carl.accept_share(share)
        await talk.changed(share, "accepted")
        for one in (ann, carl):
            assert isinstance(await refused(one.join_share(share)), WrongState)
        assert await carl.confirm_share(share, control=True) is False  # nobody asked for it
        granted = (await talk.changed(share, "negotiating"))["grant"]
        assert granted["view"] is True
        assert granted["control"] is False
        assert "screen_share" in granted["functions"]
        assert "file_transfer" not in granted["functions"]
        told = await talk.seen["ann"].event("share.granted", share=share)
        (transfer,) = [one for one in cast("list[Any]", told.data["functions"]) if one["function"] == "file_transfer"]
        (asked,) = await ann.functions("help", "file_transfer")
        decides = [(one.level, one.name, one.value) for one in asked.reasons if one.decides]
        assert decides == [("portal", "help", False)]
        assert [one["name"] for one in transfer["reasons"] if one["decides"]] == ["help"]
        joined = [await one.join_share(share) for one in (ann, carl)]
        assert len({server.username for one in joined for server in one.ice}) == 2
        await carl.share_started(share)
        await talk.changed(share, "active")
        await ann.end(talk.session)
        await ann.ask_control(share)  # the chat is over, the share is not
        await talk.changed(share, "active", asks=["control"])
        await carl.allow_control(share, allow=True)
        assert (await talk.changed(share, "active", by="customer", grant={**granted, "control": True}))[
            "share"
        ] == share
        await carl.stop_share(share)
        assert (await talk.changed(share, "ended"))["by"] == "customer"


# --- a picture ----------------------------------------------------------------------------------------------


class Peer:
    """One end, which runs in a process."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._rest = b""
        self.seen: dict[str, Any] = {}

    async def say(self, **said: object) -> None:
        """A line for it."""
        assert self._process.stdin is not None
        await self._process.stdin.send_all(json.dumps(said).encode() + b"\n")

    async def told(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            some = await self._process.stdout.receive_some()
            assert some, "the peer ended"
            self._rest += some
        line, _, self._rest = self._rest.partition(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    async def run(
        self, person: Customer | Representative, share: str, ice: list[dict[str, object]], *, offers: bool, relay: bool
    ) -> None:
        """Its signals through the broker, until it has seen what there is to see."""
        hears = person.client.signals(share)  # before the other end can have anything to say
        await self.say(offers=offers, ice=ice, relay=relay)
        async with trio.open_nursery() as nursery:

            async def pass_on() -> None:
                async for one in hears:
                    await self.say(signal=one.kind, data=b64encode(one.data).decode())

            nursery.start_soon(pass_on)
            while "seen" not in (told := await self.told()):
                assert person.client.send_signal_nowait(share, told["signal"], b64decode(told["data"]))
            self.seen = told["seen"]
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def peers(count: int) -> AsyncIterator[list[Peer]]:
    """So many processes."""
    program = str(Path(__file__).parents[1] / "support/webrtc_peer.py")
    pipe = subprocess.PIPE
    start = partial(trio.run_process, [sys.executable, program], stdin=pipe, stdout=pipe, check=False)
    async with trio.open_nursery() as nursery:
        made = [await nursery.start(start) for _ in range(count)]
        yield [Peer(process) for process in made]
        nursery.cancel_scope.cancel()


def as_ice(servers: tuple[IceServer, ...]) -> list[dict[str, object]]:
    return [{"urls": list(one.urls), "username": one.username, "credential": one.credential} for one in servers]


async def agreed(talk: Talk) -> str:
    """A share with full consent."""
    share = await talk.ann.request_share(talk.session)
    await talk.carl.accept_share(share)
    await talk.carl.confirm_share(share)
    return share


@pytest.mark.parametrize("relay", [False, True], ids=["directly", "through the relay"])
async def test_a_picture_comes_from_one_end_to_the_other(house: House, *, relay: bool) -> None:
    async with talking(house) as talk, peers(2) as (shows, looks):
        share = await agreed(talk)
        media = {who: await who.join_share(share) for who in (talk.carl, talk.ann)}
        ice = {who: as_ice(tuple(found.ice)) if relay else [] for who, found in media.items()}
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: looks.run(talk.ann, share, ice[talk.ann], offers=False, relay=relay))
                nursery.start_soon(lambda: shows.run(talk.carl, share, ice[talk.carl], offers=True, relay=relay))
        kind = "relay" if relay else "host"
        assert shows.seen == {"state": "connected", "pair": [kind, kind], "frames": []}
        assert looks.seen["pair"] == [kind, kind]
        assert len(looks.seen["frames"]) == 15
        assert len(set(looks.seen["frames"])) > 5  # the picture moves
        await talk.ann.share_started(share)
        await talk.changed(share, "active")


def _soon() -> int:
    """In ten minutes (s); coturn looks at the same clock."""
    return SystemClock().now() // 1000 + 600


MADE: Final[dict[str, Callable[[], tuple[str, str]]]] = {
    "as the broker makes them": lambda: turn.credential(Secret(SECRET), _soon(), "good"),
    "out of date": lambda: turn.credential(Secret(SECRET), 1_700_000_000, "late"),
    "of another secret": lambda: turn.credential(Secret("another-secret-than-coturn's"), _soon(), "wrong"),
}


@pytest.mark.parametrize("made", list(MADE))
async def test_the_relay_takes_a_credential_of_its_secret_and_of_today_alone(house: House, made: str) -> None:
    username, credential = MADE[made]()
    ice = [{"urls": [house.relay], "username": username, "credential": credential}]
    async with peers(1) as (one,):
        await one.say(offers=True, ice=ice, relay=True)
        candidates = []
        with trio.fail_after(PATIENCE):
            while (told := await one.told())["data"]:
                candidates.append(told["signal"])
        assert candidates == (["offer", "ice"] if made == "as the broker makes them" else ["offer"])
