"""Who can ask for what: a class for each kind of person, a method for each of its operations.

Each wraps a ``Client``: ``async with open_client(url, Auth(token=…), Representative) as ann: await ann.accept(offer)``.
Every method raises the ``Refused`` of the broker's code; what writes is carried out once, across cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from broker.content import Personal
from broker.protocol import ops
from clients.python import answers
from clients.python.client import Answer, Client, Subscription
from clients.python.commands import personal, read
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

    async def schema(self) -> str:
        """The protocol as the broker runs it (TOML)."""
        text: str = (await self.request(ops.MetaSchema()))["toml"]
        return text


@attrs.frozen
class Customer(Role):
    """Somebody who asks for help. Events: its stream ``me``, and ``session:<id>`` once assigned."""

    async def open_portal(self) -> answers.Portal:
        """The portal it came through."""
        return read(answers.Portal, (await self.request(ops.PortalOpen())).value)

    async def ask(
        self,
        text: str | None = None,
        *,
        subportal: str | None = None,
        name: str | None = None,
        email: str | None = None,
        representative: str | None = None,
    ) -> answers.Asked:
        """Ask for help; where a request is open at this portal already, that one (``existing``)."""
        command = ops.RequestCreate(subportal, personal(text), personal(name), personal(email), representative)
        return read(answers.Asked, (await self.request(command)).value)

    async def pick(self, request: str, representative: str) -> answers.Asked:
        """Choose (again) who should help."""
        return read(answers.Asked, (await self.request(ops.RequestPick(request, representative))).value)

    async def withdraw(self, request: str) -> None:
        """Stop waiting."""
        await self.request(ops.RequestWithdraw(request))

    async def redeem(self, pin: str, *, name: str | None = None) -> answers.Redeemed:
        """Connect to the representative who told this pin. ``PinInvalid`` for any that isn't good."""
        return read(answers.Redeemed, (await self.request(ops.PinRedeem(pin, personal(name)))).value)

    async def end(self, session: str) -> None:
        """End the conversation."""
        await self.request(ops.SessionEnd(session))

    async def accept_share(self, share: str) -> None:
        """First step of consent to a screen share."""
        await self.request(ops.ShareAccept(share))

    async def confirm_share(self, share: str) -> None:
        """Second step: yes."""
        await self.request(ops.ShareConfirm(share))

    async def decline_share(self, share: str) -> None:
        """No."""
        await self.request(ops.ShareDecline(share))

    async def stop_share(self, share: str) -> None:
        """Enough."""
        await self.request(ops.ShareStop(share))


@attrs.frozen
class Representative(Role):
    """Somebody who serves customers. Events: its stream ``me``, ``subportal:<id>`` of those it serves (broadcast
    offers), and ``session:<id>`` of its sessions."""

    async def set_presence(
        self,
        presence: Literal["available", "away", "offline"],
        *,
        reason: str | None = None,
        sessions: Literal["keep", "hand_back"] | None = None,
    ) -> str:
        """Say whether offers are welcome; what it is now. ``WrongState`` for going offline with sessions open, unless
        they are handed back."""
        now: str = (await self.request(ops.PresenceSet(presence, reason, sessions)))["presence"]
        return now

    async def accept(self, offer: str) -> answers.Accepted:
        """Take an offered request. ``OfferGone`` if somebody was faster, or the time is over."""
        return read(answers.Accepted, (await self.request(ops.OfferAccept(offer))).value)

    async def decline(self, offer: str, reason: str = "busy") -> None:
        """Refuse an offer; it goes to the next."""
        await self.request(ops.OfferDecline(offer, reason))

    async def create_pin(self) -> answers.MadePin:
        """Nine digits for one customer on the phone."""
        return read(answers.MadePin, (await self.request(ops.PinCreate())).value)

    async def revoke_pin(self, id: str) -> None:
        """Make a pin worthless."""
        await self.request(ops.PinRevoke(id))

    async def pins(self) -> list[answers.PinState]:
        """Its pins, newest first."""
        return [read(answers.PinState, each) for each in (await self.request(ops.PinList()))["pins"]]

    async def end(self, session: str) -> None:
        """End a conversation."""
        await self.request(ops.SessionEnd(session))

    async def leave(self, session: str) -> None:
        """Hand a session back: its customer goes back to the line, at its place."""
        await self.request(ops.SessionLeave(session))

    async def transfer(self, session: str, representative: str) -> str:
        """Offer a session to another representative; the id of that offer. It stays here until the other accepts."""
        offer: str = (await self.request(ops.SessionTransfer(session, representative)))["offer"]
        return offer

    async def request_share(self, session: str) -> str:
        """Ask the customer for the screen; the share's id."""
        share: str = (await self.request(ops.ShareRequest(session)))["share"]
        return share

    async def stop_share(self, share: str) -> None:
        """End a screen share."""
        await self.request(ops.ShareStop(share))


@attrs.frozen
class Manager(Role):
    """Somebody who sets the account up. Events: ``account``, ``team:<id>``, ``subportal:<id>``."""

    async def account(self) -> answers.Configuration:
        """How it is set up."""
        return read(answers.Configuration, (await self.request(ops.AccountGet())).value)

    async def put_portal(
        self,
        portal: str,
        kind: str,
        mode: str,
        subportals: Sequence[str],
        *,
        title: str | None = None,
        offer_ms: int | None = None,
        pick_fallback: Literal["choose", "broadcast"] | None = None,
    ) -> bool:
        """Create a portal or change it to be so; whether anything changed. ``offer_ms``: how long an offer stands."""
        command = ops.PortalPut(portal, kind, mode, list(subportals), personal(title), offer_ms, pick_fallback)
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def put_subportal(
        self,
        subportal: str,
        *,
        weight: int = 1,
        policy: Literal["least_occupied", "longest_idle", "round_robin"] = "least_occupied",
        max_waiting: int | None = None,
    ) -> bool:
        """Set a sub-portal's share of the representatives that it has in common with others, how one of them is chosen,
        and how many requests may wait (None: as many as the broker takes); whether that is new."""
        command = ops.SubportalPut(subportal, weight, policy, max_waiting)
        changed: bool = (await self.request(command))["changed"]
        return changed

    async def put_team(self, team: str, subportals: Sequence[str], *, title: str | None = None) -> bool:
        """The same for a team and what it serves."""
        changed: bool = (await self.request(ops.TeamPut(team, list(subportals), personal(title))))["changed"]
        return changed

    async def put_representative(self, representative: str, name: str, team: str, capacity: int) -> bool:
        """The same for a representative. ``capacity``: sessions at most."""
        command = ops.RepresentativePut(representative, Personal(name), team, capacity)
        changed: bool = (await self.request(command))["changed"]
        return changed


@attrs.frozen
class Service(Role):
    """A program that follows an account: its stream ``account`` tells what is routed to whom, never texts."""
