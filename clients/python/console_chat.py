"""What is said in a session, on either console: how a message and a file read, and which messages were typed here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import attrs
import trio

from clients.python.commands import ERASED, text_of
from clients.python.console import InputError
from clients.python.role import Party, TranscriptFormat
from clients.python.talk import Talker

T = TypeVar("T")

FORMATS: Final[dict[str, TranscriptFormat]] = {".html": "html", ".htm": "html", ".json": "json"}
"""Of a transcript, by how its file's name ends; any other is text."""


@attrs.define(eq=False)
class Chat:
    """What was typed here stands on the screen already: it is not told again when the broker tells it to everybody in
    the session, whether that comes before its answer or after."""

    typed: list[tuple[str, str]] = attrs.field(factory=list, repr=False)
    """(session, text) of what was sent and is still to be told."""

    async def say(self, does: Talker, session: str, text: str) -> int:
        """Say something; its number."""
        return await self.send(does.say, session, text)

    async def send(self, send: Callable[[str, str], Awaitable[T]], session: str, text: str) -> T:
        """The same for anything that is told again."""
        self.typed.append((session, text))
        try:
            return await send(session, text)
        except BaseException:
            if (session, text) in self.typed:
                self.typed.remove((session, text))
            raise

    def told(self, who: str, data: Mapping[str, Any], *, own: bool) -> str | None:
        """A message in words; None for one that was typed here."""
        text = text_of(data.get("text")) or ""
        here = str(data["session"]), text
        if own and here in self.typed:
            self.typed.remove(here)
            return None
        return f"{who}: {text}"


def shared(who: str, data: Mapping[str, Any]) -> str:
    """A file in words."""
    return f"{who} sent a file: {text_of(data.get('name')) or ERASED} ({sized(data['size'])})"


def sized(count: int) -> str:
    """Bytes as people say it, rounded.

    >>> [sized(count) for count in (1, 1023, 1024, 1_048_575, 1_572_864, 5 << 30)]
    ['1 byte', '1023 bytes', '1.0 KiB', '1.0 MiB', '1.5 MiB', '5120.0 MiB']
    """
    if count < 1024:
        return f"{count} byte" + ("" if count == 1 else "s")
    kib = count / 1024
    return f"{kib:.1f} KiB" if kib < 1023.95 else f"{kib / 1024:.1f} MiB"


async def save(does: Party, session: str, name: str) -> str:
    """Write a session's transcript to a file that isn't there yet; where it is. InputError where that can't be."""
    path = trio.Path(name)
    document = await does.transcript(session, FORMATS.get(path.suffix.lower(), "text"))
    try:
        async with await path.open("x", encoding="utf-8") as file:
            await file.write(document)
    except OSError as exc:
        raise InputError(f"{name} can't be written: {exc.strerror}") from None
    return f"saved in {name}"
