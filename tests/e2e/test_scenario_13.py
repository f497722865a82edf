"""Scenario 13 over real sockets, with a broker of its own as a process: masked help, and a transfer to a portal.

Nobody answers a transfer in time: that is 60 s of a real wait, and the rest of the scenario is played meanwhile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
import trio

from clients.python.connection import dial
from clients.python.errors import NoSuch, NotAllowed, OfferGone
from clients.python.roles import Customer, Representative
from clients.python.settings import Settings
from tests.e2e.cutting import Tape
from tests.e2e.house import House, Person, house, talk

pytestmark = pytest.mark.slow

DESK: Final = """
[[portal]]
portal = "help"
kind = "ask"
mode = "queue"
subportals = ["help"]

[[portal]]
portal = "tech"
kind = "ask"
mode = "web"
subportals = ["tech"]

[[portal]]
portal = "sales"
kind = "ask"
mode = "web"
subportals = ["sales"]

[[team]]
team = "first"
subportals = ["help"]

[[team]]
team = "second"
subportals = ["tech"]

[[team]]
team = "third"
subportals = ["sales"]
""" + "".join(
    f"""
[[representative]]
representative = "{name}"
name = "{full}"
team = "{team}"
capacity = 2
"""
    for name, full, team in (
        ("ann", "Ann Alder", "first"),
        ("evelyn", "Evelyn Elder", "second"),
        ("bob", "Bob Birch", "second"),
        ("cy", "Cy Cedar", "second"),
        ("dan", "Dan Dogwood", "third"),
    )
)
COMMENT: Final = "he shouts"
LATE: Final = 110.0
"""Seconds for what takes 60."""

Rep = Person[Representative]


class Cast:
    """Ann has two customers; Evelyn, Bob and Cy serve the portal tech, Dan another one."""

    def __init__(self, ann: Rep, tech: list[Rep], dan: Rep) -> None:
        self.ann = ann
        self.tech = tech
        self.dan = dan


async def cast(found: House) -> Cast:
    ann = await found.representative("ann")
    tech = [await found.representative(name) for name in ("evelyn", "bob", "cy")]
    dan = await found.representative("dan")
    for one in tech:
        await one.follow("subportal:tech")
    await dan.follow("subportal:sales")
    return Cast(ann, tech, dan)


def texts(person: Person[Customer] | Rep, session: str) -> list[str]:
    """What was said, and that it was numbered 1, 2, 3 …"""
    said = person.said(session)
    assert [number for number, _, _ in said] == list(range(1, len(said) + 1))
    return [text for _, text, _ in said]


async def masked(ann: Rep, eve: Rep, joe: Person[Customer], session: str) -> None:
    """A invites E masked: E sees all, the customer gets nothing of E."""
    offer = await ann.does.invite(session, "evelyn", masked=True, comment="hush")
    asked = await eve.event("offer.made", offer=offer)
    assert (asked.data["kind"], asked.data["masked"], asked.data["comment"]) == ("invite", True, "hush")
    await eve.does.accept(offer)
    await eve.follow(f"session:{session}", 0)
    await eve.follow(f"session:{session}:staff", 0)
    await joe.does.say(session, "It hums.")
    await ann.does.note(session, "Strange.")
    await eve.hears(session, "It hums.")
    assert texts(eve, session) == ["Hello.", "It hums."]  # from the beginning on
    await eve.event("note.added", text="Strange.")
    await eve.does.typing(session)
    await eve.does.has_read(session, 2)
    await eve.does.note(session, "Ask for the cable.")
    with pytest.raises(NotAllowed):
        await eve.does.say(session, "psst")
    await ann.event("session.joined", stream=f"session:{session}:staff", representative="evelyn", masked=True)
    await ann.event("note.added", text="Ask for the cable.")
    await ann.eyes.notice("chat.typing", by="evelyn", on=True)
    await ann.does.say(session, "Is it the cable?")
    await joe.hears(session, "Is it the cable?")
    seen = {one.type for one in joe.eyes.events("session.joined") + joe.eyes.events("session.left")}
    assert not seen
    assert joe.eyes.notices("chat.typing") == joe.eyes.notices("chat.read") == []
    await eve.does.leave(session)
    await ann.event("session.left", stream=f"session:{session}:staff", representative="evelyn")


async def to_the_portal(scene: Cast, joe: Person[Customer], session: str) -> None:
    """A transfers to portal P: all of P are alerted, the first Yes joins, A leaves; same session and transcript."""
    before = texts(joe, session)
    offer = await scene.ann.does.transfer(session, subportal="tech", comment=COMMENT)
    for one in scene.tech:
        alert = await one.event("offer.made", stream="subportal:tech", offer=offer)
        assert (alert.data["kind"], alert.data["by"], alert.data["comment"]) == ("transfer", "ann", COMMENT)
    assert scene.dan.seen("offer.made") == []
    won: list[Rep] = []
    lost: list[OfferGone] = []

    async def yes(one: Rep) -> None:
        try:
            await one.does.accept(offer)
            won.append(one)
        except OfferGone as gone:
            lost.append(gone)

    async with trio.open_nursery() as nursery:
        for one in scene.tech[1:]:
            nursery.start_soon(yes, one)
    (first,), (late,) = won, lost
    assert late.detail["representative"] == first.name
    moved = await joe.event("session.transferred")
    assert (moved.data["session"], moved.data["former"]) == (session, "ann")
    assert moved.data["representative"] == first.name
    for one in scene.tech:
        ended = await one.event("offer.ended", stream="subportal:tech", offer=offer)
        assert ended.data["representative"] == first.name
    await scene.ann.event("session.transferred", stream="me", session=session, former="ann")
    with pytest.raises(NoSuch):
        await scene.ann.does.say(session, "one more thing")
    await first.follow(f"session:{session}", 0)
    await joe.does.say(session, "Who is it?")
    await first.does.say(session, f"{first.name} is here.")
    for person in (joe, first):
        await person.hears(session, f"{first.name} is here.")
        assert texts(person, session) == [*before, "Who is it?", f"{first.name} is here."]
    whole = await joe.does.transcript(session)
    assert all(text in whole for text in texts(joe, session))
    assert COMMENT not in whole
    await first.does.end(session)


@pytest.mark.timeout(240)
async def test_scenario_13_transfer_and_masked_help(tmp_path: Path) -> None:
    async with house(tmp_path, DESK) as found:
        scene = await cast(found)
        ann, eve = scene.ann, scene.tech[0]
        tapes = [Tape(dial), Tape(dial)]
        kim, joe = [
            await found.customer(name, "help", settings=Settings(dial=tape))
            for name, tape in zip(("kim", "joe"), tapes, strict=True)
        ]
        kept = await talk(kim, ann, "kim asks")
        session = await talk(joe, ann, "joe asks")
        await ann.follow(f"session:{session}:staff", 0)
        await kim.does.say(kept, "Hello?")
        unanswered = await ann.does.transfer(kept, subportal="tech", comment=COMMENT)

        await joe.does.say(session, "Hello.")
        await joe.hears(session, "Hello.")
        await masked(ann, eve, joe, session)
        await to_the_portal(scene, joe, session)

        # nobody answers in time: A keeps me
        def expired() -> object:
            return next(iter(ann.seen("offer.ended", offer=unanswered, reason="expired")), None)

        await ann.until("the end of a transfer that nobody answered", expired, LATE)
        for one in scene.tech:
            await one.event("offer.ended", stream="subportal:tech", offer=unanswered, reason="expired")
            with pytest.raises(OfferGone):
                await one.does.accept(unanswered)
        await ann.does.say(kept, "Still me.")
        await kim.hears(kept, "Still me.")
        assert texts(kim, kept) == texts(ann, kept) == ["Hello?", "Still me."]
        assert kim.seen("session.transferred") == []
        shown = await found.view("ann")
        assert [dict(one)["session"] for one in shown.data["sessions"]] == [kept]  # type: ignore[call-overload]

        # not a byte of what they aren't to see
        hidden = (b"evelyn", b"Evelyn", b"hush", b"Strange", b"the cable.", COMMENT.encode(), b"comment", b"masked")
        for tape in tapes:
            assert b"Ann Alder" in tape.heard
            assert [word for word in hidden if word in tape.heard] == []
