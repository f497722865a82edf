"""People who work as fast as they can until the broker dies: each keeps asking, so that every kind of step is in
flight at the kill."""

from __future__ import annotations

import random
from collections.abc import Mapping

import attrs
import trio

from broker.protocol import frames
from tests.crash.ledger import Ledger
from tests.crash.wire import Cut, Wire, connected

ACCOUNT = "crash"


@attrs.define(eq=False)
class Scene:
    """Where the actors play."""

    port: int
    ledger: Ledger
    chance: random.Random
    pins: list[str] = attrs.field(factory=list)
    tokens: Mapping[str, str] = attrs.field(factory=dict)

    def key(self) -> str:
        """A fresh idempotency key."""
        return f"{self.chance.getrandbits(64):016x}"


async def representative(scene: Scene, name: str) -> None:
    """Takes what is offered; now and then declines, hands back, makes a pin, takes a break."""
    try:
        async with connected(scene.port, {"token": scene.tokens[name]}, scene.ledger) as wire:
            await wire.ask("presence.set", scene.key(), presence="away")
            for stream in ("me", "subportal:web"):
                await wire.ask("subscribe", stream=stream, **{"from": "snapshot"})
            await wire.ask("presence.set", scene.key(), presence="available")
            assert wire.events is not None
            async with trio.open_nursery() as nursery:
                for session in wire.sessions:  # open since before the last blow
                    nursery.start_soon(_serve, scene, wire, session)
                async for event in wire.events:
                    if event.type == "offer.made":
                        nursery.start_soon(_answer, scene, wire, event)
                    if event.type == "session.opened":
                        nursery.start_soon(_serve, scene, wire, str(event.data["session"]))
    except* Cut:
        pass


async def _answer(scene: Scene, wire: Wire, event: frames.Event) -> None:
    offer = str(event.data["offer"])
    if scene.chance.random() < 0.1:
        await wire.ask("offer.decline", scene.key(), offer=offer, reason="busy")
        return
    await wire.ask("offer.accept", scene.key(), offer=offer)


async def _serve(scene: Scene, wire: Wire, session: str) -> None:
    luck = scene.chance.random()
    if luck < 0.1:
        await wire.ask("session.leave", scene.key(), session=session)
    elif luck < 0.9:
        await wire.ask("session.end", scene.key(), session=session)
    if luck < 0.2 and len(scene.pins) < 20:
        told = await wire.ask("pin.create", scene.key())
        if "pin" in told.value:
            scene.pins.append(str(told.value["pin"]))


async def customers(scene: Scene, portal: str) -> None:
    """One customer after the other at one portal."""
    while True:
        alive = False
        try:
            await _customer(scene, portal)
            alive = True
        except* Cut:
            pass
        if not alive:
            return


async def _customer(scene: Scene, portal: str) -> None:
    async with connected(scene.port, {"portal": f"{ACCOUNT}/{portal}"}, scene.ledger) as wire:
        await wire.ask("subscribe", stream="me", **{"from": "now"})
        if portal == "pin":
            if not scene.pins:
                await trio.sleep(0.05)
                return
            await wire.ask("pin.redeem", scene.key(), pin=scene.pins.pop())
            return
        made = await wire.ask("request.create", scene.key(), text="Where is my parcel?", name="Ann")
        if made.code is not None:
            await trio.sleep(0.05)
            return
        assert wire.events is not None
        with trio.move_on_after(0.2 + scene.chance.random()):
            async for event in wire.events:
                if event.type == "request.ended":
                    return
        await wire.ask("request.withdraw", scene.key(), request=made.value["request"])


async def crowd(scene: Scene, names: list[str]) -> None:
    """Everybody at once, until cancelled."""
    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(representative, scene, name)
        for portal in ("line", "line", "line", "web", "web", "pin"):
            nursery.start_soon(customers, scene, portal)
