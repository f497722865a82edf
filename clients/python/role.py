"""What everybody who is signed in can ask, and what all but customers can: the ground of ``roles``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from broker.protocol import ops
from clients.python import answers
from clients.python.client import Answer, Client, Subscription
from clients.python.commands import read
from clients.python.settings import Identity


@attrs.frozen
class Role:
    """What everybody can ask."""

    client: Client

    @property
    def identity(self) -> Identity:
        """Who this is."""
        return self.client.identity

    async def request(self, command: ops.Command, *, key: str | None = None) -> Answer:
        """Any operation. See ``Client.request``."""
        return await self.client.request(command, key=key)

    def subscribe(
        self,
        stream: str,
        from_: Literal["now", "snapshot"] | int = "now",
        *,
        since: int | None = None,
        types: Sequence[str] | None = None,
    ) -> Subscription:
        """Follow a stream. See ``Client.subscribe``."""
        return self.client.subscribe(stream, from_, since=since, types=types)

    async def refresh(self, token: str) -> int:
        """Present a fresh token of the same person; its expiry (ms since 1970 UTC)."""
        expires: int = (await self.request(ops.AuthRefresh(token)))["expires"]
        return expires

    async def renew(self, refresh: str) -> answers.Renewed:
        """Go on with this connection's sign-in: its refresh token for the next one. Each is good once."""
        return read(answers.Renewed, (await self.request(ops.AuthRefresh(refresh=refresh))).value)

    async def schema(self) -> str:
        """The protocol as the broker runs it (TOML)."""
        text: str = (await self.request(ops.MetaSchema()))["toml"]
        return text


TranscriptFormat = Literal["text", "html", "json"]


@attrs.frozen
class Party(Role):
    """What those can ask who take part in conversations, or oversee them."""

    async def transcript_page(
        self, session: str, format: TranscriptFormat, *, after: str | None = None, notes: bool | None = None
    ) -> answers.TranscriptPage:
        """A page of a session's transcript: the first, or the one after (``next`` of the one before). ``notes``: with
        what staff alone may see."""
        command = ops.TranscriptGet(session, format, after, notes)
        return read(answers.TranscriptPage, (await self.request(command)).value)

    async def transcript(self, session: str, format: TranscriptFormat = "text", *, notes: bool = False) -> str:
        """What was said and done in a session, whole; ``json`` can be verified (``huntgroup transcript verify``).
        ``NoSuch`` where there is none, or not for this person."""
        page = await self.transcript_page(session, format, notes=notes or None)
        pieces = [page.data]
        while page.next is not None:
            page = await self.transcript_page(session, format, after=page.next, notes=notes or None)
            pieces.append(page.data)
        return "".join(pieces)


@attrs.frozen
class Staff(Role):
    """What everybody can ask who isn't a customer. ``person``: somebody else, for managers; None: oneself."""

    async def sign_ins(self, person: str | None = None) -> list[answers.SignIn]:
        """Where somebody is signed in, the oldest first."""
        told = (await self.request(ops.SignInList(person)))["sign_ins"]
        return [read(answers.SignIn, each) for each in told]

    async def end_sign_ins(self, person: str | None = None, sign_in: str | None = None) -> int:
        """Sign somebody out, of one sign-in or of all and every token made before; how many ended."""
        ended: int = (await self.request(ops.SignInEnd(person, sign_in)))["ended"]
        return ended
