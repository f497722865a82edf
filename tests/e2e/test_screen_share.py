"""Scenario 12 over real sockets: a broker in a process of its own, the Python client, and a picture between two real
WebRTC ends, directly and through a real TURN server with the credentials that the broker issued.

What takes 60 s of silence is in ``test_scenarios``, on the virtual clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
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

[[representative]]
representative = "bo"
name = "Bo"
team = "blue"
capacity = 1
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
        with suppress(WrongState):  # it is over already
            await ann.end(session)
        await ann.set_presence("offline")
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def guest(house: House, talk: Talk) -> AsyncIterator[Representative]:
    """Bo, whom ann asks in, and whom carl isn't told of."""
    token = house.signer.mint("acme", "bo", "representative", FOREVER)
    async with open_client(house.url, Auth(token=token), Representative) as bo:
        await bo.set_presence("available")
        offer = await talk.ann.invite(talk.session, representative="bo", masked=True)
        await bo.accept(offer)
        yield bo
        await bo.set_presence("offline")


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
        self._saying = trio.Lock()
        self.seen: dict[str, Any] = {}

    async def say(self, **said: object) -> None:
        """A line for it."""
        assert self._process.stdin is not None
        async with self._saying:
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
        self,
        person: Customer | Representative,
        on: dict[str, str],
        part: str,
        *,
        ice: Sequence[dict[str, object]] = (),
        relay: bool = False,
    ) -> None:
        """Its signals through the broker, ``on`` a share or a leg, until it has seen what there is to see."""
        hears = {name: person.client.signals(share) for name, share in on.items()}  # before anybody speaks
        await self.say(part=part, ice=ice, relay=relay)
        async with trio.open_nursery() as nursery:

            async def pass_on(name: str) -> None:
                async for one in hears[name]:
                    await self.say(on=name, signal=one.kind, data=b64encode(one.data).decode())

            for name in on:
                nursery.start_soon(pass_on, name)
            while "seen" not in (told := await self.told()):
                assert person.client.send_signal_nowait(on[told["on"]], told["signal"], b64decode(told["data"]))
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
                on = {"share": share}
                nursery.start_soon(lambda: looks.run(talk.ann, on, "looks", ice=ice[talk.ann], relay=relay))
                nursery.start_soon(lambda: shows.run(talk.carl, on, "shows", ice=ice[talk.carl], relay=relay))
        kind = "relay" if relay else "host"
        assert shows.seen == {"state": "connected", "pair": [kind, kind], "frames": []}
        assert looks.seen["pair"] == [kind, kind]
        assert len(looks.seen["frames"]) == 15
        assert len(set(looks.seen["frames"])) > 5  # the picture moves
        await talk.ann.share_started(share)
        await talk.changed(share, "active")


async def test_a_masked_guest_sees_the_picture_that_is_passed_on_to_it(house: House) -> None:
    async with talking(house) as talk, guest(house, talk) as bo, peers(3) as (shows, passes, looks):
        share = await agreed(talk)
        media = {who: await who.join_share(share) for who in (talk.carl, talk.ann, bo)}
        assert len({server.username for found in media.values() for server in found.ice}) == 3
        leg = str(media[bo].leg)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                both = {"share": share, "leg": leg}
                nursery.start_soon(passes.run, talk.ann, both, "passes")
                nursery.start_soon(shows.run, talk.carl, {"share": share}, "shows")
                nursery.start_soon(looks.run, bo, {"leg": leg}, "guest")
        assert len(set(looks.seen["frames"])) > 5  # the picture moves
        assert len(set(passes.seen["frames"])) > 5
        await bo.stop_share(share)
        await talk.ann.share_started(share)
        await talk.changed(share, "active")
        for kind in ("share.watched", "share.unwatched", "session.joined"):
            assert talk.seen["carl"].events(kind, representative="bo") == []


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
        await one.say(part="shows", ice=ice, relay=True)
        candidates = []
        with trio.fail_after(PATIENCE):
            while (told := await one.told())["data"]:
                candidates.append(told["signal"])
        assert candidates == (["offer", "ice"] if made == "as the broker makes them" else ["offer"])
