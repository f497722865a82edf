"""Two who talk in a session through the Python client, and what must be true of it whatever broke meanwhile (F19)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import attrs
import trio

from broker.content import Personal
from broker.protocol import ops
from broker.protocol.frames import Event
from clients.python.client import Answer
from clients.python.roles import Customer, Representative
from clients.python.talk import Talker

Before = Callable[[int], Awaitable[None]]
"""Called before somebody's n-th message is sent."""


async def _nothing(number: int) -> None:
    await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class Speaker:
    """One of the two."""

    role: str
    talker: Talker
    session: str
    together: int = 1
    """How many of its messages may be without an answer."""
    before: Before = _nothing
    answers: dict[int, Answer] = attrs.field(factory=dict)
    """Of its n-th message."""
    heard: list[Event] = attrs.field(factory=list)
    """Messages, as they came."""

    async def say(self, count: int) -> None:
        """Send ``count`` numbered messages, in order."""
        room = trio.Semaphore(self.together)
        async with trio.open_nursery() as nursery:
            for number in range(1, count + 1):
                await self.before(number)
                await room.acquire()
                await nursery.start(self._say, number, room)

    async def _say(
        self, number: int, room: trio.Semaphore, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started()  # and without a checkpoint into the client's line
        command = ops.ChatSend(self.session, Personal(f"{self.role} {number}"))
        self.answers[number] = await self.talker.request(command)
        room.release()

    async def hear(self, count: int) -> None:
        """Read the session from its beginning until ``count`` messages have come."""
        async with self.talker.subscribe(f"session:{self.session}", 0) as events:
            self.heard = await messages(events, count)


async def messages(events: AsyncIterator[object], count: int) -> list[Event]:
    """The next so many messages of a session's stream."""
    found: list[Event] = []
    while len(found) < count:
        item = await anext(events)
        assert isinstance(item, Event), item
        if item.type == "chat.message":
            found.append(item)
    return found


async def meet(customer: Customer, representative: Representative) -> str:
    """From a question to a session of the two; its id."""
    async with representative.subscribe("me") as events:
        await representative.set_presence("available")
        asked = await customer.ask("Are you there?")
        async for item in events:
            if isinstance(item, Event) and item.type == "offer.made":
                assert item.data["request"] == asked.request
                await representative.accept(str(item.data["offer"]))
                break
    assert asked.session is not None
    return asked.session


async def talk(speakers: list[Speaker], count: int) -> None:
    """Everybody sends ``count`` messages, and hears them all."""
    async with trio.open_nursery() as nursery:
        for speaker in speakers:
            nursery.start_soon(speaker.hear, count * len(speakers))
            nursery.start_soon(speaker.say, count)


def said(heard: list[Event]) -> list[tuple[int, str]]:
    """(number, text) of messages."""
    return [(int(str(event.data["message_seq"])), str(event.data["text"])) for event in heard]


def right(speakers: list[Speaker], count: int) -> None:
    """F19: the same for all, 1, 2, 3 … without a gap; each text once, each sender's in order, as it was answered."""
    first = said(speakers[0].heard)
    assert [number for number, _ in first] == list(range(1, count * len(speakers) + 1))
    for speaker in speakers:
        others = said(speaker.heard)
        assert others == first, [pair for pair in zip(first, others, strict=False) if pair[0] != pair[1]][:10]
        mine = [text for _, text in first if text.startswith(speaker.role)]
        assert mine == [f"{speaker.role} {number}" for number in range(1, count + 1)]
        numbers = {text: number for number, text in first}
        answered = {number: answer["message_seq"] for number, answer in speaker.answers.items()}
        assert answered == {number: numbers[f"{speaker.role} {number}"] for number in range(1, count + 1)}


async def resumes(again: Talker, speaker: Speaker, after: int) -> None:
    """F19: who comes back after a message gets exactly those behind it, and then what is said from now on."""
    heard = speaker.heard
    offset = heard[after - 1].offset if after else 0
    async with again.subscribe(f"session:{speaker.session}", offset) as events:
        missed = await messages(events, len(heard) - after)
        assert missed == heard[after:]
        number = await speaker.talker.say(speaker.session, "Anything else?")
        assert said(await messages(events, 1)) == [(len(heard) + 1, "Anything else?")]
        assert number == len(heard) + 1
