"""What the two sides of a session can both ask: to say something, and to let the other see that they write and read."""

from __future__ import annotations

import attrs

from broker.content import Personal
from broker.protocol import ops
from clients.python.role import Role


@attrs.frozen
class Talker(Role):
    """Somebody in sessions. What is said in them: ``chat.message`` of the stream ``session:<id>``."""

    async def say(self, session: str, text: str) -> int:
        """Say something; its number in the session. Stored once, across cuts. ``WrongState`` once it is over."""
        number: int = (await self.request(ops.ChatSend(session, Personal(text))))["message_seq"]
        return number

    async def typing(self, session: str, *, on: bool = True) -> None:
        """Let the others see that something is being written, or no longer; again every few seconds meanwhile."""
        await self.request(ops.ChatTyping(session, on))

    async def has_read(self, session: str, upto: int) -> None:
        """Let the others see up to which message it was read."""
        await self.request(ops.ChatRead(session, upto))
