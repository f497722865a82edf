"""The demo's last story: a broker of its own is killed with kill -9 while many ask at once, and started again.

Everybody's client comes back by itself and repeats what was unanswered. Then every RESULT that anybody ever got is
held against what the broker knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from clients.python.answers import Asked
from clients.python.client import open_client
from clients.python.demo_stage import ACCOUNT, Actor, OwnBroker, Stage, must
from clients.python.errors import OfferGone
from clients.python.following import View
from clients.python.role import Role
from clients.python.roles import Customer, Representative
from clients.python.settings import Auth, Settings

CUSTOMERS: Final = 12
BEFORE: Final = 3  # answered requests before the kill; the rest is under way then
PINS: Final = 2  # of each of the two representatives
BACK: Final = 60.0  # seconds until everybody is back and answered; it takes two
SESSIONS: Final = 4  # what the two can hold


@attrs.define(eq=False)
class Heard:
    """Every RESULT that somebody got."""

    asked: dict[str, Asked] = attrs.field(factory=dict)
    """Visitor token to what it was told of its request."""
    accepted: dict[str, str] = attrs.field(factory=dict)
    """Session to the representative who was told to have it."""
    pins: dict[str, str] = attrs.field(factory=dict)
    """Pin's id to its maker."""
    enough: trio.Event = attrs.field(factory=trio.Event)
    everything: trio.Event = attrs.field(factory=trio.Event)

    def counts(self) -> tuple[int, int, int]:
        """How many, so far."""
        return len(self.asked), len(self.accepted), len(self.pins)

    def note(self) -> None:
        """One more was added."""
        if sum(self.counts()) >= BEFORE:
            self.enough.set()
        if self.counts() == (CUSTOMERS, SESSIONS, 2 * PINS):
            self.everything.set()


async def crash(stage: Stage, broker: OwnBroker) -> None:
    """kill -9 in mid-flight, and a restart: every answer that was given is still true."""
    heard = Heard()
    async with (
        stage.representative("ann") as ann,
        stage.representative("bo") as bo,
        trio.open_nursery() as nursery,
    ):
        over = trio.Event()
        for actor in (ann, bo):
            nursery.start_soon(_serve, actor, heard)
            nursery.start_soon(_pins, actor, heard)
        for number in range(CUSTOMERS):
            nursery.start_soon(_ask, stage, number, heard, over)
        await heard.enough.wait()
        answered = sum(heard.counts())
        await broker.kill()
        stage.tell("broker", f"is killed after {answered} answers, in the middle of the rest")
        await broker.start()
        stage.tell("broker", "serves again")
        with trio.move_on_after(BACK) as waited:
            await heard.everything.wait()
        if waited.cancelled_caught:
            must("answers in the end", (CUSTOMERS, SESSIONS, 2 * PINS), heard.counts())
        await _hold(stage, heard)
        over.set()
        nursery.cancel_scope.cancel()


async def _ask(stage: Stage, number: int, heard: Heard, over: trio.Event) -> None:
    """A customer asks, and stays until all is checked."""
    portal, settings = Auth(portal=f"{ACCOUNT}/queue-ask"), Settings(patient=True)
    async with open_client(stage.url, portal, Customer, settings=settings) as does:
        told = await does.ask(f"question {number}", name=f"customer {number}")
        heard.asked[str(does.identity.visitor)] = told
        heard.note()
        await over.wait()


async def _serve(actor: Actor[Representative], heard: Heard) -> None:
    """A representative takes whatever is offered."""
    seen = 0
    while True:
        offers = actor.eyes.events("offer.made")
        for offer in offers[seen:]:
            try:
                accepted = await actor.does.accept(str(offer.data["offer"]))
            except OfferGone:
                continue  # the broker took us for gone while it was away itself
            heard.accepted[accepted.session] = actor.name
            heard.note()
        seen = len(offers)
        while len(actor.eyes.events("offer.made")) == seen:
            await actor.eyes.more()


async def _pins(actor: Actor[Representative], heard: Heard) -> None:
    for _ in range(PINS):
        made = await actor.does.create_pin()
        heard.pins[made.id] = actor.name
        heard.note()


async def _hold(stage: Stage, heard: Heard) -> None:
    """Everything that was told against what the broker says now."""
    must("requests told of", CUSTOMERS, len({told.request for told in heard.asked.values()}))
    states: dict[str, Mapping[str, Any]] = {}
    for visitor, told in heard.asked.items():
        async with open_client(stage.url, Auth(portal=f"{ACCOUNT}/queue-ask", visitor=visitor), Customer) as does:
            mine = (await _view(does)).data.get("requests", ())
        must("open requests of one customer", [told.request], [_map(each)["request"] for each in mine])
        states[told.request] = _map(mine[0])
    stage.tell("broker", f"has all {len(states)} requests, none twice")
    sessions: dict[str, str] = {}
    offers = 0
    for name in ("ann", "bo"):
        async with open_client(stage.url, Auth(token=stage.tokens[name]), Representative) as does:
            own = (await _view(does)).data
            pins = {each.id for each in await does.pins()}
        sessions.update({str(_map(each)["session"]): name for each in own.get("sessions", ())})
        offers += len(own.get("offers", ()))
        told_pins = {id for id, who in heard.pins.items() if who == name}
        must(f"pins that {name} was told, and that are gone", set(), told_pins - pins)
    for session, name in heard.accepted.items():
        must(f"who has session {session}", name, sessions.get(session))
    stage.tell("broker", f"has all {len(heard.accepted)} sessions that were accepted, and every pin")
    assigned = {each["session"] for each in states.values() if each["state"] == "assigned"}
    must("sessions, to customers and to representatives", assigned, set(sessions))
    offered = sum(each["state"] == "offered" for each in states.values())
    must("offers, to customers and to representatives", offered, offers)
    waiting = sum(each["state"] == "waiting" for each in states.values())
    stage.tell("broker", f"has {len(sessions)} sessions, {offers} offers, {waiting} waiting")


async def _view(role: Role) -> View:
    async with role.subscribe("me", "snapshot") as me:
        async for item in me:
            if isinstance(item, View):
                return item
    raise AssertionError("a subscription ends only by an error")


def _map(value: object) -> Mapping[str, Any]:
    assert isinstance(value, Mapping)
    return value
