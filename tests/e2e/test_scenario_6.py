"""Scenario 6 over real sockets, with a broker of its own as a process: a representative's cable is cut.

Its times are looked at on the virtual clock (``test_scenarios``); here a representative is really silent for its lease
of 10 s, and the hold is 1 s where it is to end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest
import trio

from clients.python.connection import dial
from clients.python.roles import Customer, Representative
from clients.python.settings import Settings
from tests.e2e.cutting import Cable
from tests.e2e.house import House, Person, house, talk

pytestmark = pytest.mark.slow

DESK: Final = """
[[portal]]
portal = "line"
kind = "ask"
mode = "queue"
subportals = ["line"]
offer_ms = 600000

[[subportal]]
subportal = "line"
policy = "longest_idle"

[[team]]
team = "all"
subportals = ["line"]

[[representative]]
representative = "ann"
name = "Ann"
team = "all"
capacity = 3

[[representative]]
representative = "bert"
name = "Bert"
team = "all"
capacity = {bert}

[[manager]]
manager = "mia"
kind = "account"
"""
HOLD: Final = 60_000
SHORT_HOLD: Final = "[timeouts]\nhold_ms = 1000"
RECONNECTING: Final = "session.held"
"""What a customer's page shows so."""


@attrs.define
class Cast:
    """Ann has two chats, and Emil is offered to her; then her cable is pulled."""

    house: House
    cable: Cable
    ann: Person[Representative]
    bert: Person[Representative]
    talks: list[tuple[str, Person[Customer]]]
    """Session and customer, the oldest first."""
    offered: str
    """Emil's request."""

    async def say(self, *texts: str) -> None:
        """Each of the two customers says these."""
        for session, customer in self.talks:
            for text in texts:
                await customer.does.say(session, f"{customer.name}: {text}")


@asynccontextmanager
async def cast(folder: Path, *, bert: int, more: str = "") -> AsyncIterator[Cast]:
    cable = Cable(dial)
    settings = Settings(dial=cable, first_pause_ms=20, most_pause_ms=200)
    async with house(folder, DESK.format(bert=bert), more) as found:
        ann = await found.representative("ann", settings=settings)
        talks = []
        for name in ("carl", "dora"):
            customer = await found.customer(name, "line")
            talks.append((await talk(customer, ann, f"{name} asks"), customer))
        other = await found.representative("bert")  # has been idle for less long than ann from now on
        if bert == 1:  # and is busy
            gina = await found.customer("gina", "line")
            await ann.does.set_presence("away")
            await talk(gina, other, "gina asks")
            await ann.does.set_presence("available")
        emil = await found.customer("emil", "line")
        offered = str((await emil.does.ask("emil asks")).request)
        await ann.event("offer.made", request=offered)
        try:
            yield Cast(found, cable, ann, other, talks, offered)
        finally:
            await cable.throw_away()


def texts(person: Person[Customer] | Person[Representative], session: str) -> list[str]:
    """What was said, and that it was numbered 1, 2, 3 …"""
    said = person.said(session)
    assert [number for number, _, _ in said] == list(range(1, len(said) + 1))
    return [text for _, text, _ in said]


async def test_scenario_6_a_vanished_representative_resumes(tmp_path: Path) -> None:
    async with cast(tmp_path, bert=3) as scene:
        ann, bert, cable = scene.ann, scene.bert, scene.cable
        mia = await scene.house.manager("mia", "team:all")
        await scene.say("before")
        for session, customer in scene.talks:
            await ann.hears(session, f"{customer.name}: before")
        cable.pull()  # no close frame
        await scene.say("cut 1", "cut 2")
        async with trio.open_nursery() as nursery:  # she goes on writing, and knows nothing
            for session, _ in scene.talks:
                nursery.start_soon(ann.does.say, session, "ann: are you there?")
            # by 10 s she shows as gone
            await mia.event("presence.changed", representative="ann", presence="reconnecting")
            # the offer moves on
            moved = await bert.event("offer.made", request=scene.offered)
            assert moved.data["kind"] == "queue"
            # her two customers see "reconnecting"
            for session, customer in scene.talks:
                held = await customer.event(RECONNECTING, session=session)
                assert held.data["who"] == "representative"
                assert int(str(held.data["until"])) - held.t_ms == HOLD
            await scene.say("held 1", "held 2")
            await bert.does.accept(str(moved.data["offer"]))
            assert not any(customer.seen("session.resumed") for _, customer in scene.talks)
            cable.plug()  # and she resumes with her token
            for session, customer in scene.talks:
                back = await customer.event("session.resumed", session=session)
                assert back.data["who"] == "representative"
        assert cable.dials == 2
        await mia.event("presence.changed", representative="ann", presence="available")
        # same chats
        shown = await scene.house.view("ann")
        mine = [dict(one)["session"] for one in shown.data["sessions"]]  # type: ignore[call-overload]
        assert mine == [session for session, _ in scene.talks]
        assert not shown.data.get("offers")
        # every message sent meanwhile arrives once, in order
        await scene.say("after")
        for session, customer in scene.talks:
            name = customer.name
            for one in (ann, customer):
                await one.hears(session, f"{name}: after")
                said = texts(one, session)
                theirs = [text for text in said if text.startswith(name)]
                assert theirs == [
                    f"{name}: {text}" for text in ("before", "cut 1", "cut 2", "held 1", "held 2", "after")
                ]
                assert [text for text in said if text not in theirs] == ["ann: are you there?"]
            assert texts(ann, session) == texts(customer, session)
        # her offer is gone, and it was said once
        ended = await ann.event("offer.ended", request=scene.offered)
        assert ended.data["reason"] == "gone"
        # idle clock not reset: bert took somebody before she was back, so she is the one who has been idle for longer
        fred = await scene.house.customer("fred", "line")
        asked = await fred.does.ask("fred asks")
        await ann.event("offer.made", request=asked.request)
        assert bert.seen("offer.made", request=asked.request) == []


async def test_scenario_6_without_resume_both_chats_are_offered_to_others_at_their_age(tmp_path: Path) -> None:
    async with cast(tmp_path, bert=1, more=SHORT_HOLD) as scene:
        ann, bert = scene.ann, scene.bert
        await scene.say("one")
        for session, customer in scene.talks:
            await ann.does.say(session, f"ann: yes, {customer.name}?")
        scene.cable.pull()
        fred = await scene.house.customer("fred", "line")
        later = str((await fred.does.ask("fred asks")).request)
        await scene.say("two")
        for session, customer in scene.talks:
            await customer.event(RECONNECTING, session=session)
            again = await customer.event("request.requeued")
            assert again.data["reason"] == "representative_lost"
        await scene.say("three")
        # bert has one place: whoever is first in line comes first
        (busy,) = [str(one.data["session"]) for one in bert.seen("session.opened", "me")]
        await bert.does.end(busy)
        for session, customer in scene.talks:
            (first,) = ann.seen("offer.made", request=f"r_{session[2:]}")
            offer = await bert.event("offer.made", request=f"r_{session[2:]}")
            assert offer.data["arrived"] == first.data["arrived"]  # its original age
            waits = {one.data["request"] for one in bert.seen("offer.made")}
            assert scene.offered not in waits
            taken = await bert.does.accept(str(offer.data["offer"]))
            assert taken.session == session
            joined = await customer.event("session.joined", session=session)
            assert joined.data["name"] == "Bert"
            await bert.follow(f"session:{session}", 0)
            name = customer.name
            await bert.hears(session, f"{name}: three")
            whole = [f"{name}: one", f"ann: yes, {name}?", f"{name}: two", f"{name}: three"]
            assert texts(bert, session) == whole  # the whole transcript
            await bert.does.say(session, "bert: here I am")
            await customer.hears(session, "bert: here I am")
            assert texts(customer, session) == [*whole, "bert: here I am"]
            await bert.does.end(session)
        for request in (scene.offered, later):
            offer = await bert.event("offer.made", request=request)
            session = (await bert.does.accept(str(offer.data["offer"]))).session
            await bert.does.end(session)
        served = [str(one.data["request"]) for one in bert.seen("offer.made")][1:]
        assert served == [*(f"r_{session[2:]}" for session, _ in scene.talks), scene.offered, later]
