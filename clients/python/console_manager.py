"""The manager's console: how its part of the account is set up, and a few things to do about it."""

from __future__ import annotations

from typing import cast

import attrs

from broker.protocol.frames import Event, Notice
from clients.python.console import Command, Console, InputError, shown_functions
from clients.python.roles import Manager


@attrs.define(eq=False)
class ManagerConsole(Console):
    """``huntgroup connect manager``."""

    @property
    def does(self) -> Manager:
        """What it can ask for."""
        return cast("Manager", self.role)

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "setup": ("what you manage, as it is set up", self._setup),
            "waiting": ("waiting SUBPORTAL: who stands in its line", self._waiting),
            "assign": ("assign REQUEST REPRESENTATIVE: give a waiting request to somebody", self._assign),
            "monitor": ("monitor SESSION: look on in it, as far as its portal lets you", self._monitor),
            "unmonitor": ("unmonitor SESSION: look on no longer", self._unmonitor),
            "functions": ("functions REPRESENTATIVE PORTAL: what it may do there, and who decides it", self._functions),
            "signins": ("signins PERSON: where somebody is signed in", self._sign_ins),
            "signout": ("signout PERSON: sign somebody out everywhere", self._sign_out),
            "password": ("choose another password", self._password),
        }

    async def start(self) -> None:
        """Show what this manager manages."""
        identity = self.does.identity
        if not self.as_json:
            self.say(f"You are {identity.person} of {identity.account}, a manager. help lists the commands.")
        await self.obey("setup")

    def words(self, item: Event | Notice) -> str | None:
        """It follows the sessions that it looks on in."""
        data = item.data
        match item.type:
            case "chat.message" | "note.added":
                who = f"{data.get('by', 'customer')}{' notes' if item.type == 'note.added' else ''}"
                return f"{data['session']} {who}: {data['text']}"
            case "session.ended" | "session.released":
                return f"{data['session']} is over for you ({data['reason']})"
            case _:
                return None

    async def _setup(self, rest: str) -> object:
        found = await self.does.account()
        if self.as_json:
            return found
        for portal in found.portals:
            self.say(f"portal {portal.portal}: {portal.kind} in {portal.mode} mode, {', '.join(portal.subportals)}")
        for team in found.teams:
            beneath = "" if team.parent is None else f" (of {team.parent})"
            people = [each.representative for each in found.representatives if each.team == team.team]
            self.say(f"team {team.team}{beneath}: {', '.join(people) or 'nobody'}")
        return None

    async def _waiting(self, rest: str) -> object:
        found = await self.does.waiting(_words(rest, "waiting SUBPORTAL")[0])
        if self.as_json:
            return [attrs.asdict(each) for each in found]
        for each in found:
            self.say(f"{each.position}. {each.request} ({each.state})")
        return None if found else "nobody waits there"

    async def _assign(self, rest: str) -> object:
        request, representative = _words(rest, "assign REQUEST REPRESENTATIVE")
        return await self.does.assign(request, representative)

    async def _monitor(self, rest: str) -> object:
        (session,) = _words(rest, "monitor SESSION")
        announced = await self.does.monitor(session)
        for stream in (f"session:{session}", f"session:{session}:staff"):
            await self.follow(stream, snapshot=False)
        told = "they are told" if announced else "nobody is told"
        return {"announced": announced} if self.as_json else f"you look on; {told}"

    async def _unmonitor(self, rest: str) -> object:
        (session,) = _words(rest, "unmonitor SESSION")
        await self.does.end_monitoring(session)
        return None

    async def _functions(self, rest: str) -> object:
        representative, portal = _words(rest, "functions REPRESENTATIVE PORTAL")
        return shown_functions(self, await self.does.functions(representative, portal))

    async def _sign_ins(self, rest: str) -> object:
        found = await self.does.sign_ins(_words(rest, "signins PERSON")[0])
        if self.as_json:
            return [attrs.asdict(each) for each in found]
        for each in found:
            self.say(f"{each.sign_in} by {each.how}, from {each.network or 'somewhere'}")
        return None if found else "nowhere"

    async def _sign_out(self, rest: str) -> object:
        ended = await self.does.end_sign_ins(_words(rest, "signout PERSON")[0])
        return {"ended": ended} if self.as_json else f"signed out of {ended}"

    async def _password(self, rest: str) -> object:
        return await self.choose_password(self.does.set_password)


def _words(typed: str, usage: str) -> list[str]:
    """As many words as the command wants."""
    words = typed.split()
    if len(words) != len(usage.split()) - 1:
        raise InputError(usage)
    return words
