"""Scenario 13 and the half of 14 about monitoring: who is masked, or looks on silently, changes no byte for the others.

Twin lives: the same script with and without the one who isn't to be noticed, on the memory transport (every byte, and
when it came) and over real sockets (every frame). Each person's randomness is its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from broker.codes import Code
from broker.desk import events as e
from broker.desk import publish
from broker.protocol import codec, frames
from tests.e2e.test_scope import ByPerson, Taped
from tests.runtime.harness import DAY, SIGNER, broker
from tests.runtime.test_serve import Link, configured, running, token

SET_UP: tuple[tuple[str, dict[str, object]], ...] = (
    ("manager.put", {"manager": "boss", "kind": "account"}),
    (
        "portal.put",
        {"portal": "help", "kind": "button", "mode": "queue", "subportals": ["help"], "web_chat": "upgradable"},
    ),
    ("portal.put", {"portal": "tech", "kind": "button", "mode": "queue", "subportals": ["tech"]}),
    ("team.put", {"team": "t1", "subportals": ["help"]}),
    ("team.put", {"team": "t2", "subportals": ["tech"]}),
    ("representative.put", {"representative": "ann", "name": "Ms A", "team": "t1", "capacity": 1}),
    ("representative.put", {"representative": "eve", "name": "Ms Eve Hidden", "team": "t2", "capacity": 1}),
    ("representative.put", {"representative": "bob", "name": "Mr B", "team": "t2", "capacity": 1}),
    ("manager.put", {"manager": "mia", "kind": "team", "teams": ["t1"], "rights": ["monitor"]}),
)


@attrs.define(eq=False)
class Person(Taped):
    """Whatever one does, everybody reads what comes of it."""

    others: list[Person] = attrs.field(factory=list)

    async def do(self, op: str, **args: object) -> None:
        """Ask, and let everything happen that follows."""
        self.ask_nowait(op, f"k{self.count()}", **args)
        await self.idle()

    def count(self) -> int:
        """Numbers its requests."""
        self.sent += 1
        return self.sent

    async def idle(self, *_: object, **__: object) -> None:
        """What takes as long as asking something, and asks nothing."""
        await trio.sleep(0.3)
        await wait_all_tasks_blocked()
        for one in self.others:
            with suppress(trio.BrokenResourceError):
                one.pump()


@attrs.define
class House:
    """Everybody's connection."""

    boss: Person
    ann: Person
    eve: Person
    bob: Person
    mia: Person
    joe: Person
    session: str = ""

    def every(self) -> list[Person]:
        """All of them."""
        return [self.boss, self.ann, self.eve, self.bob, self.mia, self.joe]


Script = Callable[[House], Awaitable[None]]


async def live(script: Script, *, policy: str) -> House:
    """The house, a conversation of Joe's with Ann, and the script."""
    own = ByPerson()
    async with broker(furnished=False, entropy=own) as b:
        own.attend(b.hub)
        come: list[Person] = []
        for name, role in (
            ("boss", "manager"),
            ("ann", "representative"),
            ("eve", "representative"),
            ("bob", "representative"),
            ("mia", "manager"),
            ("joe", "customer"),
        ):
            client = Person(b.transport.connect(address=f"192.0.2.{len(come) + 1}"), others=come)
            if role == "customer":
                auth: dict[str, object] = {"portal": "acme/help"}
            else:
                auth = {"token": SIGNER.mint("acme", name, role, b.clock.now() + DAY)}
            client.send(frames.Hello([1], [], auth, {}))
            come.append(client)
            await trio.sleep(0.1)
            client.pump()
            if name == "boss":
                for op, args in SET_UP:
                    if args.get("portal") == "help":
                        args = {**args, "monitoring": policy, "functions": {"monitoring": True}}
                    await client.do(op, **args)
        boss, ann, eve, bob, mia, joe = come
        house = House(boss, ann, eve, bob, mia, joe)
        for client in (house.ann, house.eve, house.bob, house.joe):
            await client.do("subscribe", stream="me", from_="now")
        await house.boss.do("subscribe", stream="audit", from_="now")
        for client in (house.ann, house.eve, house.bob):
            await client.do("presence.set", presence="available")
        for client in (house.eve, house.bob):
            await client.do("subscribe", stream="subportal:tech", from_="now")
        await house.joe.do("request.create", name="Joe")
        house.session = str(house.joe.last("session"))
        await house.joe.do("subscribe", stream=f"session:{house.session}", from_="offset", offset=0)
        await house.ann.do("offer.accept", offer=house.ann.last("offer"))
        await house.ann.do("subscribe", stream=f"session:{house.session}", from_="offset", offset=0)
        await house.ann.do("subscribe", stream=f"session:{house.session}:staff", from_="offset", offset=0)
        await script(house)
        for client in house.every():
            client.pump()
        return house


def life(script: Script, *, policy: str = "off") -> House:
    """From the very beginning of time."""

    async def run() -> House:
        return await live(script, policy=policy)

    return trio.run(run, clock=MockClock(autojump_threshold=0))


def seen(client: Person, type_: str) -> list[dict[str, Any]]:
    """The data of the events and notices of a type that this client got."""
    found = [one for one in client.seen if isinstance(one, frames.Event | frames.Notice) and one.type == type_]
    return [dict(one.data) for one in found]


def codes(client: Person) -> list[int]:
    """Of the refusals that this client got."""
    return [frame.code for frame in client.seen if isinstance(frame, frames.Fail)]


# --- masked help ---------------------------------------------------------------------------------------


def masked_help(*, invited: bool) -> Script:
    """Ann asks Eve in, masked; Eve reads, writes notes, tries to speak, and goes. Joe and Ann talk all along."""

    async def script(house: House) -> None:
        session = house.session
        does = Person.do if invited else Person.idle

        async def talk(number: int) -> None:
            await house.joe.do("chat.send", session=session, text=f"joe {number}")
            await house.joe.do("chat.typing", session=session, on=True)
            await house.ann.do("chat.send", session=session, text=f"ann {number}")
            await house.ann.do("chat.read", session=session, upto=2 * number)

        await talk(1)
        await does(house.ann, "session.invite", session=session, representative="eve", masked=True, comment="hush")
        await does(house.eve, "offer.accept", offer=house.eve.last("offer") if invited else "")
        await talk(2)
        for stream in (f"session:{session}", f"session:{session}:staff"):
            await does(house.eve, "subscribe", stream=stream, from_="offset", offset=0)
        await does(house.eve, "chat.typing", session=session, on=True)
        await does(house.eve, "chat.read", session=session, upto=1)
        await does(house.eve, "note.add", session=session, text="eve's note")
        await does(house.eve, "chat.send", session=session, text="eve speaks")
        await house.joe.do("subscribe", stream=f"session:{session}", from_="snapshot")
        await house.joe.do("subscribe", stream=f"session:{session}:staff", from_="now")
        await talk(3)
        await does(house.eve, "session.leave", session=session)
        await does(house.ann, "session.invite", session=session, subportal="tech", masked=True)
        await does(house.bob, "offer.accept", offer=house.bob.last("offer") if invited else "")
        await does(house.ann, "session.remove", session=session, representative="bob")
        await house.joe.do("subscribe", stream=f"session:{session}", from_="offset", offset=0)
        await does(house.ann, "session.invite", session=session, representative="eve", masked=True)
        await does(house.eve, "offer.accept", offer=house.eve.last("offer") if invited else "")
        await talk(4)
        await house.joe.do("session.end", session=session)
        await house.joe.do("session.rate", session=session, score=4)

    return script


def test_scenario_13_a_masked_helper_changes_no_byte_for_the_customer() -> None:
    beside, alone = life(masked_help(invited=True)), life(masked_help(invited=False))
    assert len(alone.joe.tape) > 30
    assert beside.joe.tape == alone.joe.tape
    assert not any(word in b"".join(beside.joe.tape) for word in (b"eve", b"Hidden", b"hush", b"bob"))
    # and it was all there
    texts = [data["text"] for data in seen(beside.eve, "chat.message")]
    assert texts[:2] == ["joe 1", "ann 1"]
    assert "joe 3" in texts
    assert seen(beside.ann, "note.added")[0]["text"] == "eve's note"
    assert {data["by"] for data in seen(beside.ann, "chat.typing") if "by" in data} == {"eve"}
    assert codes(beside.eve) == [Code.NOT_ALLOWED]
    assert seen(beside.eve, "offer.made")[0]["comment"] == "hush"
    assert [data["reason"] for data in seen(beside.eve, "session.left")] == [
        "left",
        "left",
        "ended",
    ]  # of me and of the staff's stream
    assert [data["reason"] for data in seen(beside.bob, "session.left")] == ["removed"]


def masked_look(*, invited: bool) -> Script:
    """Eve, masked, sees the screen that Joe shares with Ann, who passes it on to her; she stops, looks again, goes.
    Bob, who isn't masked, comes to look as well."""

    async def script(house: House) -> None:
        session = house.session
        does = Person.do if invited else Person.idle

        async def signals(person: Person, name: str, data: bytes, *, told: bool = True) -> None:
            if told:
                person.send(frames.Signal(name, "ice", data))
            await person.idle()

        await does(house.ann, "session.invite", session=session, representative="eve", masked=True)
        await does(house.eve, "offer.accept", offer=house.eve.last("offer") if invited else "")
        await house.ann.do("share.request", session=session)
        share = str(house.ann.last("share"))
        await house.joe.do("share.accept", share=share)
        await house.joe.do("share.confirm", share=share)
        for one in (house.joe, house.ann):
            await one.do("share.join", share=share)
        for again in (b"first", b"again"):
            await does(house.eve, "share.join", share=share)
            leg = str(house.ann.last("leg")) if invited else ""
            await signals(house.eve, leg, b"eve " + again, told=invited)
            await signals(house.ann, leg, b"ann " + again, told=invited)
            await signals(house.joe, share, b"joe " + again)
            await signals(house.ann, share, b"me " + again)
            await house.joe.do("subscribe", stream=f"session:{session}", from_="snapshot")
            await does(house.eve, "share.stop", share=share)
        await house.ann.do("session.invite", session=session, representative="bob")
        await house.bob.do("offer.accept", offer=house.bob.last("offer"))
        await house.bob.do("share.join", share=share)
        await signals(house.bob, str(house.bob.last("leg")), b"bob")
        await house.joe.do("subscribe", stream=f"session:{session}", from_="snapshot")
        await house.joe.do("share.started", share=share)
        await does(house.eve, "share.join", share=share)
        await does(house.eve, "session.leave", session=session)
        await house.joe.do("share.stop", share=share)
        await house.joe.do("session.end", session=session)

    return script


def test_scenario_13_a_masked_guest_who_sees_the_screen_changes_no_byte_for_the_customer() -> None:
    beside, alone = life(masked_look(invited=True)), life(masked_look(invited=False))
    assert len(alone.joe.tape) > 20
    assert beside.joe.tape == alone.joe.tape
    heard = {
        name: [frame.data for frame in getattr(beside, name).seen if isinstance(frame, frames.Signal)]
        for name in ("joe", "ann", "eve")
    }
    assert heard == {
        "joe": [b"me first", b"me again"],
        "ann": [b"eve first", b"joe first", b"eve again", b"joe again", b"bob"],
        "eve": [b"ann first", b"ann again"],
    }
    looked = [data["representative"] for data in seen(beside.ann, "share.watched") if "leg" not in data]
    assert looked == ["eve", "eve", "bob", "eve"]
    assert [data["leg"][-1] for data in seen(beside.ann, "share.watched") if "leg" in data] == ["1", "2", "3", "4"]
    assert [data["reason"] for data in seen(beside.ann, "share.unwatched")] == ["stopped"] * 4
    assert codes(beside.joe) == codes(beside.eve) == []


def test_caught_a_masked_look_that_is_told_to_the_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: whether somebody is masked isn't looked at."""

    def told(event: e.ShareWatched) -> list[tuple[str, str]]:
        told = (f"me:{event.holder}", f"me:{event.representative}", f"session:{event.session}")
        return [(name, "share.watched") for name in told]

    monkeypatch.setitem(publish._AUDIENCES, e.ShareWatched, told)
    beside, alone = life(masked_look(invited=True)), life(masked_look(invited=False))
    assert beside.joe.tape != alone.joe.tape


def test_caught_a_masked_join_that_is_told_to_the_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: whether somebody is masked isn't looked at."""
    in_the_open = [("session.joined", e.MemberJoined), ("session.left", e.MemberLeft)]
    for wire_type, cls in in_the_open:

        def told(event: Any, kind: str = wire_type) -> list[tuple[str, str]]:
            return [(f"session:{event.session}", kind)]

        monkeypatch.setitem(publish._AUDIENCES, cls, told)
    beside, alone = life(masked_help(invited=True)), life(masked_help(invited=False))
    assert beside.joe.tape != alone.joe.tape


# --- transfers -----------------------------------------------------------------------------------------


async def handed_on(house: House) -> None:
    """Nobody answers at first; then Eve and Bob are asked together, and say yes in the same instant."""
    session = house.session
    await house.joe.do("chat.send", session=session, text="first")
    await house.ann.do("session.transfer", session=session, subportal="tech", comment="he shouts")
    for _ in range(200):
        await house.joe.idle()
    await house.ann.do("chat.send", session=session, text="still me")
    await house.ann.do("session.transfer", session=session, subportal="tech", comment="really")
    house.bob.ask_nowait("offer.accept", f"k{house.bob.count()}", offer=house.bob.last("offer"))
    await house.eve.do("offer.accept", offer=house.eve.last("offer"))
    await house.bob.do("chat.send", session=session, text="mine")
    await house.eve.do("chat.send", session=session, text="mine")
    await house.ann.do("chat.send", session=session, text="gone")
    await house.joe.do("chat.send", session=session, text="who is it?")


def test_scenario_13_a_transfer_to_a_portal_keeps_session_and_transcript_and_hides_the_comment() -> None:
    house = life(handed_on)
    assert [data["reason"] for data in seen(house.ann, "offer.ended")] == ["accepted", "expired", "expired"]
    for one in (house.eve, house.bob):
        assert [data["comment"] for data in seen(one, "offer.made")] == ["he shouts", "really"]
        assert [data["reason"] for data in seen(one, "offer.ended")] == ["expired", "rescinded"]
    lost = [frame for frame in house.eve.seen + house.bob.seen if isinstance(frame, frames.Fail)]
    gone, late = sorted(lost, key=lambda frame: -frame.code)
    assert (gone.code, late.code) == (Code.OFFER_GONE, Code.NO_SUCH)  # of whoever came second: the offer, the message
    (moved,) = seen(house.joe, "session.transferred")
    assert (moved["session"], moved["former"]) == (house.session, "ann")
    assert (gone.detail or {})["representative"] == moved["representative"]
    texts = [(data["message_seq"], data["text"]) for data in seen(house.joe, "chat.message")]
    assert texts == [(1, "first"), (2, "still me"), (3, "mine"), (4, "who is it?")]
    assert codes(house.ann) == [Code.NO_SUCH]
    tape = b"".join(house.joe.tape)
    assert not any(word in tape for word in (b"shouts", b"really", b"comment"))


# --- looking on ----------------------------------------------------------------------------------------


def looking_on(*, there: bool) -> Script:
    """Mia looks on from the beginning of the conversation to her own end; everybody else goes on."""

    async def script(house: House) -> None:
        session = house.session
        does = Person.do if there else Person.idle
        await does(house.mia, "session.monitor", session=session)
        for stream in (f"session:{session}", f"session:{session}:staff"):
            await does(house.mia, "subscribe", stream=stream, from_="offset", offset=0)
        await house.joe.do("chat.send", session=session, text="hello")
        await house.ann.do("note.add", session=session, text="strange")
        for op, args in (("chat.send", {"text": "boo"}), ("chat.typing", {"on": True}), ("session.end", {})):
            await does(house.mia, op, session=session, **args)
        await house.ann.do("session.invite", session=session, representative="bob")
        await house.bob.do("offer.accept", offer=house.bob.last("offer"))
        await house.bob.do("subscribe", stream=f"session:{session}:staff", from_="snapshot")
        await house.joe.do("subscribe", stream=f"session:{session}", from_="snapshot")
        await does(house.mia, "session.monitor_end", session=session)
        await house.ann.do("chat.send", session=session, text="bye")
        await does(house.mia, "session.monitor", session=session)
        if there:
            house.mia.cut()
        await house.joe.idle()
        await house.joe.do("session.end", session=session)

    return script


def test_scenario_14_a_silent_monitor_changes_no_byte_for_anybody_in_the_session_and_the_audit_tells() -> None:
    beside, alone = (life(looking_on(there=there), policy="silent") for there in (True, False))
    for name in ("joe", "ann", "bob", "eve"):
        assert len(getattr(alone, name).tape) > 5
        assert getattr(beside, name).tape == getattr(alone, name).tape, name
    assert [data["text"] for data in seen(beside.mia, "chat.message")] == ["hello"]
    assert [data["text"] for data in seen(beside.mia, "note.added")] == ["strange"]
    assert codes(beside.mia) == [Code.NOT_ALLOWED] * 3
    gaps = [frame for frame in beside.mia.seen if isinstance(frame, frames.Gap)]
    assert [gap.reason for gap in gaps] == ["rights", "rights"]
    audit = seen(beside.boss, "session.monitored")
    assert [(data["manager"], data["on"], data.get("reason")) for data in audit] == [
        ("mia", True, None),
        ("mia", False, "left"),
        ("mia", True, None),
        ("mia", False, "connection_lost"),
    ]
    records = [one for one in beside.boss.seen if isinstance(one, frames.Event) and one.type == "session.monitored"]
    assert records[1].data["since"] == records[0].t_ms  # how long: from then to the time of this
    assert seen(alone.boss, "session.monitored") == []


def test_an_announced_one_is_told_to_everybody_in_the_session() -> None:
    house = life(looking_on(there=True), policy="announced")
    told = [{"session": house.session, "on": on} for on in (True, False, True, False)]
    assert seen(house.joe, "session.monitored") == told
    assert seen(house.ann, "session.monitored") == [one for one in told for _ in range(2)]  # in both streams
    assert b"mia" not in b"".join(house.joe.tape)


def test_caught_a_silent_monitor_that_is_told_in_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: what is said to the audit is said to the staff as well."""

    def told(event: e.MonitorStarted) -> list[tuple[str, str]]:
        return [("audit", "session.monitored"), (f"session:{event.session}:staff", "session.monitored")]

    monkeypatch.setitem(publish._AUDIENCES, e.MonitorStarted, told)
    beside, alone = (life(looking_on(there=there), policy="silent") for there in (True, False))
    assert beside.ann.tape != alone.ann.tape


# --- over real sockets ---------------------------------------------------------------------------------

DESK = """
[[portal]]
portal = "help"
kind = "button"
mode = "queue"
subportals = ["help"]
monitoring = "silent"
functions = { monitoring = true }

[[team]]
team = "all"
subportals = ["help"]

[[representative]]
representative = "ann"
name = "Ann"
team = "all"
capacity = 1

[[representative]]
representative = "eve"
name = "Ms Eve Hidden"
team = "all"
capacity = 1

[[manager]]
manager = "mia"
kind = "account"
"""


class Heard(Link):
    """Keeps every frame, and answers pings."""

    def __init__(self, url: str, auth: dict[str, object]) -> None:
        self.frames: list[frames.Frame] = []
        self.keys = 0
        super().__init__(url, auth)

    def hear(self) -> frames.Frame:
        """The next frame but pings."""
        while isinstance(frame := super().hear(), frames.Ping):
            self.send(frames.Pong(frame.nonce, frame.t_ms))
        self.frames.append(frame)
        return frame

    def do(self, op: str, **args: object) -> dict[str, Any]:
        """Ask; refusals are answers too."""
        self.keys += 1
        self.send(
            frames.Request(self.keys, op, {name.rstrip("_"): value for name, value in args.items()}, f"k{self.keys}")
        )
        while not isinstance(frame := self.hear(), frames.Result | frames.Fail):
            pass
        return {"code": frame.code} if isinstance(frame, frames.Fail) else dict(frame.value)  # type: ignore[call-overload]

    def of(self, type_: str) -> list[dict[str, Any]]:
        """The data of all events of a type so far."""
        return [dict(one.data) for one in self.frames if isinstance(one, frames.Event) and one.type == type_]


def told_over_sockets(folder: Path, *, hidden: bool) -> tuple[list[bytes], Heard, Heard]:
    """All that the customer receives, ids and times aside; whoever helps masked, and the manager who looks on."""
    folder.mkdir()
    with running(configured(folder, desk=DESK)) as (_, url):
        staff = {"ann": "representative", "eve": "representative", "mia": "manager"}
        ann, eve, mia = (Heard(url, {"token": token(folder, name, role)}) for name, role in staff.items())
        joe = Heard(url, {"portal": "acme/help"})
        for one in (ann, eve, joe):
            one.do("subscribe", stream="me", from_="now")
        ann.do("presence.set", presence="available")
        made = joe.do("request.create", text="hello", name="Joe")
        session = made["session"]
        while not ann.of("offer.made"):
            ann.hear()
        ann.do("offer.accept", offer=ann.of("offer.made")[0]["offer"])
        eve.do("presence.set", presence="available")
        streams = (f"session:{session}", f"session:{session}:staff")
        for one in (joe, ann):
            one.do("subscribe", stream=streams[0], from_="offset", offset=0)
        joe.do("chat.send", session=session, text="one")
        if hidden:
            assert mia.do("session.monitor", session=session) == {"session": session, "announced": False}
            offer = ann.do("session.invite", session=session, representative="eve", masked=True, comment="hush")[
                "offer"
            ]
            eve.do("offer.accept", offer=offer)
            for one in (eve, mia):
                for stream in streams:
                    one.do("subscribe", stream=stream, from_="offset", offset=0)
            eve.do("note.add", session=session, text="a note")
            eve.do("chat.typing", session=session, on=True)
            assert eve.do("chat.send", session=session, text="psst")["code"] == Code.NOT_ALLOWED
            assert mia.do("chat.send", session=session, text="psst")["code"] == Code.NOT_ALLOWED
        ann.do("chat.send", session=session, text="two")
        joe.do("subscribe", stream=streams[0], from_="snapshot")
        if hidden:
            eve.do("session.leave", session=session)
            mia.do("session.monitor_end", session=session)
        ann.do("chat.typing", session=session, on=True)
        joe.do("session.end", session=session)
        joe.do("subscribe", stream=streams[0], from_="offset", offset=0)
        while len(joe.of("session.ended")) < 2:  # live, and again as it was
            joe.hear()
        for one in (ann, eve, mia, joe):
            one.close()
        return [_plain(frame, session[2:]) for frame in joe.frames if not isinstance(frame, frames.Welcome)], eve, mia


def _plain(frame: frames.Frame, name: str) -> bytes:
    """The frame as it was sent, without its time, and with one name for what has another in each life."""
    if isinstance(frame, frames.Event):
        frame.t_ms = 0
    found = re.sub(rb"v_[0-9a-z]{16}", b"v_" + b"0" * 16, codec.pack(frame).replace(name.encode(), b"0" * len(name)))
    return re.sub(rb"(since|arrived)\xcf.{8}", rb"\1", found, flags=re.DOTALL)


@pytest.mark.slow
def test_over_real_sockets_neither_a_masked_helper_nor_a_silent_monitor_changes_a_byte(tmp_path: Path) -> None:
    beside, eve, mia = told_over_sockets(tmp_path / "beside", hidden=True)
    alone, _, _ = told_over_sockets(tmp_path / "alone", hidden=False)
    assert len(alone) > 15
    assert beside == alone
    assert [data["text"] for data in mia.of("chat.message")] == ["one", "two"]
    assert {data["text"] for data in eve.of("chat.message")} == {"one", "two"}
    assert [data["text"] for data in mia.of("note.added")] == ["a note"]
