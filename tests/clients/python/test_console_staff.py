"""Two consoles and a customer on the demo: staff reads its notes, and the customer nothing of them."""

# covers: clients/python/console_sessions.py

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from typing import Any

import attrs
import pytest
import trio

from broker.protocol.frames import Event
from clients.python import terminal
from clients.python.client import open_client
from clients.python.roles import Customer
from clients.python.settings import Auth


@attrs.define(eq=False)
class Typist:
    """Somebody at a console of the demo."""

    name: str
    said: list[str] = attrs.field(factory=list)
    news: trio.Event = attrs.field(factory=trio.Event)
    _typed: Any = None

    def say(self, line: str) -> None:
        self.said.append(line)
        self.news.set()
        self.news = trio.Event()

    async def run(self, demo: dict[str, Any]) -> None:
        self._typed, lines = trio.open_memory_channel[str](100)
        args = argparse.Namespace(server=demo["url"], token=demo["tokens"][self.name], json=False)

        async def typed() -> AsyncGenerator[str, None]:
            async for line in lines:
                yield line

        await terminal.console(args, typed(), self.say)

    async def type(self, line: str) -> None:
        await self._typed.send(line)

    async def reads(self, part: str) -> str:
        """The first line with this in it, once it is there."""
        while True:
            for line in self.said:
                if part in line:
                    return line
            await self.news.wait()


@pytest.mark.slow
async def test_E9_E11_notes_of_masked_guests_are_read_by_staff_and_by_nobody_else(demo: dict[str, Any]) -> None:
    ann, cem = Typist("ann"), Typist("cem")
    with trio.fail_after(120):
        async with (
            trio.open_nursery() as nursery,
            open_client(demo["url"], Auth(portal="demo/by-hand"), Customer) as kim,
        ):
            for who in (ann, cem):
                nursery.start_soon(who.run, demo)
                await who.reads("You are")
                await who.type("away")
                await who.reads("You are away.")
            asked = await kim.ask("It hums")
            session = str(asked.session)
            async with kim.subscribe(f"session:{session}", 0) as talk:
                await ann.type(f"take {asked.request}")
                await ann.reads("you serve")
                await cem.type("available")
                await cem.reads("You are available.")
                await ann.type("invite cem masked")
                await cem.reads("* offer")
                await cem.type("accept")
                assert "masked" in await ann.reads("Cem Cedar is in it")
                await cem.type("note sounds angry")
                assert await ann.reads("sounds angry") == "session 1, cem notes: sounds angry"
                await ann.type("note asked before")
                assert await cem.reads("asked before") == "session 1, ann notes: asked before"
                await cem.type("leave")
                await ann.reads("cem, who was masked, has left")
                await ann.type("say Hello")
                await ann.type("end")
                await ann.reads("is over")
                seen = []
                async for item in talk:
                    assert isinstance(item, Event)
                    seen.append(item.type)
                    if item.type == "session.ended":
                        break
            assert seen == ["session.opened", "chat.message", "session.ended"]
            assert sum("asked before" in line for line in ann.said) == 0, "its own note stands there as it was typed"
            for who in (ann, cem):
                await who.type("offline")
                await who.reads("You are offline.")
                await who.type("quit")
