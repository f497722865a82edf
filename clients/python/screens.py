"""Screen shares, as customers and representatives have them: consent, media, and its end."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from broker.protocol import ops
from clients.python.commands import LIST, MAP, read
from clients.python.role import Role, Staff


@attrs.frozen(kw_only=True)
class Grant:
    """What a share may do now."""

    view: bool
    control: bool
    functions: Sequence[str]
    """Those that are on for its portal and its representative."""


@attrs.frozen(kw_only=True)
class IceServer:
    """A STUN or TURN server, as WebRTC takes it."""

    urls: Sequence[str]
    username: str | None = None
    credential: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Media:
    """What one end needs to set the media up."""

    backend: str
    """webrtc: the ends connect by themselves. link: at ``url``."""
    ice: Sequence[IceServer] = attrs.field(default=(), metadata={LIST: IceServer})
    url: str | None = attrs.field(default=None, repr=False)
    until: int
    """How long credentials or address are good (ms since 1970 UTC)."""
    grant: Grant = attrs.field(metadata={MAP: Grant})
    leg: str | None = None
    """A guest's: the id of its SIGNALs, in the place of the share's. It makes the offers."""


@attrs.frozen
class _End(Role):
    """Either end of a share. It goes on when its session ends; each end can stop it. Guests of the session may look at
    it, by a leg of their own."""

    async def join_share(self, share: str) -> Media:
        """What this end needs for the media. Ask again for each set-up. A customer whose machine was restarted is back
        with it."""
        return read(Media, (await self.request(ops.ShareJoin(share))).value)

    async def share_started(self, share: str) -> None:
        """The media runs. Either end says it, or both; else the share ends after 60 s."""
        await self.request(ops.ShareStarted(share))

    async def stop_share(self, share: str) -> None:
        """Enough: it ends. For a guest it goes on, and the guest looks no more."""
        await self.request(ops.ShareStop(share))


@attrs.frozen
class Shown(_End):
    """The half of ``roles.Customer`` that is about its screen."""

    async def accept_share(self, share: str) -> None:
        """First step of consent to a screen share."""
        await self.request(ops.ShareAccept(share))

    async def confirm_share(self, share: str, *, control: bool | None = None) -> bool:
        """Second step: yes to being looked at; with ``control`` to being controlled as well, if that was asked for.
        Whether that is granted."""
        granted: bool = (await self.request(ops.ShareConfirm(share, control)))["control"]
        return granted

    async def decline_share(self, share: str) -> None:
        """No."""
        await self.request(ops.ShareDecline(share))

    async def allow_control(self, share: str, *, allow: bool) -> None:
        """Allow the control that was asked for, or not; or take it back, at any time."""
        await self.request(ops.ShareControl(share, allow))


@attrs.frozen
class Viewer(_End, Staff):
    """The half of ``roles.Representative`` that is about customers' screens."""

    async def request_share(self, session: str, *, control: bool | None = None) -> str:
        """Ask the customer for the screen, and with ``control`` to be controlled; the share's id."""
        share: str = (await self.request(ops.ShareRequest(session, control)))["share"]
        return share

    async def ask_control(self, share: str) -> None:
        """Ask for control of a share that goes on."""
        await self.request(ops.ShareAskControl(share))

    async def reboot(self, share: str) -> int:
        """The customer's machine restarts; until when it may take (ms since 1970 UTC)."""
        until: int = (await self.request(ops.ShareReboot(share)))["until"]
        return until
