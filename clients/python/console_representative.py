"""The representative's console: offers with their deadlines, sessions, pins."""

# size: one method a command, read as a list

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import attrs

from broker.protocol.frames import Event, Notice
from clients.python.commands import text_of
from clients.python.console import (
    DECLINE_REASON,
    Command,
    Console,
    InputError,
    Numbers,
    quoted,
    shown_functions,
    somebody,
)
from clients.python.console_cases import UNREAD, CaseLists
from clients.python.console_sessions import STAFF, Sessions
from clients.python.following import Item, View
from clients.python.roles import Representative

_ENDS = {
    "accepted": "yours",
    "declined": "declined",
    "expired": "run out",
    "rescinded": "taken by hand",
    "revoked": "taken back: the customer is gone",
    "gone": "moved on, because you were away",
}
_LEAVES = ("session.ended", "session.released", "session.transferred")
"""With these a session is somebody else's, or over."""


@attrs.define(eq=False)
class RepresentativeConsole(Console):
    """``huntgroup connect representative``."""

    presence: str = "offline"
    subportals: Sequence[str] = ()
    offers: Numbers = attrs.field(factory=lambda: Numbers("offer"))
    sessions: Numbers = attrs.field(factory=lambda: Numbers("session"))
    wrap_ups: Numbers = attrs.field(factory=lambda: Numbers("session to wrap up"))
    """By the number that the session had."""
    pins: Numbers = attrs.field(factory=lambda: Numbers("pin"))
    talk: Sessions = attrs.field(init=False, default=attrs.Factory(Sessions, takes_self=True))
    cases: CaseLists = attrs.field(init=False, default=attrs.Factory(CaseLists, takes_self=True))
    asked: set[str] = attrs.field(factory=set)
    """What it offered to colleagues."""

    @property
    def does(self) -> Representative:
        """What it can ask for."""
        return cast("Representative", self.role)

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "available": (
                "take requests; 'available for NAME' takes over NAME's login if none is left",
                self._available,
            ),
            "away": ("take none for now; a reason code may follow", self._away),
            "offline": ("sign out; 'offline back' hands open sessions back to the line", self._offline),
            "accept": ("accept [OFFER]: take it", self._accept),
            "decline": (f"decline [OFFER] [REASON]: refuse it (reason code, {DECLINE_REASON} if none)", self._decline),
            "waiting": ("waiting SUBPORTAL: who stands in its line, to take one", self._waiting),
            "take": ("take CASE, or REQUEST: take it by hand, where its portal lets you", self.cases.take),
            **self.cases.commands(),
            **self.talk.commands(),
            "end": ("end [SESSION]: end the conversation", self._end),
            "done": ("done [SESSION]: what was to do after it is done, you have room again", self._done),
            "leave": ("leave [SESSION]: hand it back to the line", self._leave),
            "transfer": (
                "transfer [SESSION] REPRESENTATIVE: offer it to a colleague; 'to SUBPORTAL' to all of one",
                self._transfer,
            ),
            "invite": (
                "invite [SESSION] REPRESENTATIVE [masked] [view]: ask in a colleague; 'to SUBPORTAL' one of many",
                self._invite,
            ),
            "remove": ("remove [SESSION] REPRESENTATIVE: send a guest away", self._remove),
            "functions": ("functions PORTAL: what you may do in its sessions, and who decides it", self._functions),
            "share": ("share [SESSION]: ask for the customer's screen", self._share),
            "pin": ("make nine digits for a customer on the phone", self._pin),
            "pins": ("list your pins", self._pins),
            "revoke": ("revoke [PIN]: make a pin worthless", self._revoke),
            "password": ("choose another password", self._password),
            "status": ("where you stand", self._status),
        }

    async def start(self) -> None:
        """Follow what concerns this representative."""
        if not self.as_json:
            self.say(f"You are {self.does.identity.person} of {self.does.identity.account}. help lists the commands.")
        await self.follow("me")

    async def leave(self) -> None:
        """Sign out; with sessions open they are kept for a while."""
        if self.presence != "offline" and not self.sessions.ids:
            await self.does.set_presence("offline")
        elif self.sessions.ids and not self.as_json:
            self.say("You leave with sessions open: they are kept for a minute, then they go back to the line.")

    # --- seeing ----------------------------------------------------------------------------------------

    async def see(self, item: Item) -> None:
        """Follow what a state or an event makes ours."""
        news = self.cases.look(item)
        if news is not None and not self.as_json:
            self.say(news)
        if isinstance(item, View) and item.stream == "me":
            await self._view(item)
        elif isinstance(item, Event) and item.type == "session.opened" and item.stream == "me":
            self.talk.customers[str(item.data["session"])] = text_of(item.data.get("name"))
            await self.talk.follow(str(item.data["session"]))
        elif isinstance(item, Event) and item.stream == "me" and self._enters(item):
            await self.talk.follow(str(item.data["session"]))
        elif isinstance(item, Event) and item.type in _LEAVES and item.stream == "me":
            self.talk.customers.pop(str(item.data["session"]), None)
        elif isinstance(item, Event) and item.type == "presence.changed" and item.stream == "me":
            self.presence = str(item.data["presence"])
            await self._follow_subportals()
        elif isinstance(item, View) and item.stream.startswith("subportal:"):
            self._tell_offers(item)

    def _enters(self, item: Event) -> bool:
        """Whether a session that was somebody else's is this representative's as well from now on."""
        if item.type == "session.transferred":
            return item.data["representative"] == self.does.identity.person
        return item.type == "session.joined"

    async def _view(self, view: View) -> None:
        presence = [cast("Mapping[str, Any]", each) for each in view.data.get("presence", ())]
        if presence:
            self.presence, self.subportals = presence[0]["presence"], presence[0]["subportals"]
        if not self.as_json:
            self.say(f"You are {self.presence}." + (" available takes requests." if self.presence == "offline" else ""))
        self._tell_offers(view)
        for each in view.data.get("sessions", ()):
            session = cast("Mapping[str, Any]", each)
            number = self.sessions.add(session["session"])
            self.talk.customers[session["session"]] = text_of(session.get("name"))
            if not self.as_json:
                self.say(f"session {number}: {somebody(session)} ({session['subportal']}){quoted(session)}")
            await self.talk.follow(session["session"])
        for each in view.data.get("guest_of", ()):
            await self._visits(cast("Mapping[str, Any]", each))
        for each in view.data.get("wrap_ups", ()):
            work = cast("Mapping[str, Any]", each)
            told = f"session {self._to_wrap_up(work['session'])}: {self._time_left(work['until'])}"
            if not self.as_json:
                self.say(told)
        await self._follow_subportals()

    async def _visits(self, session: Mapping[str, Any]) -> None:
        """A session that somebody else has, and that it was asked into."""
        number = self.sessions.add(session["session"])
        self.talk.customers[session["session"]] = text_of(session.get("name"))
        if not self.as_json:
            self.say(f"session {number}: you are in it as a guest ({session['subportal']}){quoted(session)}")
        await self.talk.follow(session["session"])

    async def _follow_subportals(self) -> None:
        """Broadcast offers are shown to who is signed in, and to nobody else."""
        if self.presence in ("available", "away"):
            for subportal in self.subportals:
                await self.follow(f"subportal:{subportal}")
                await self.follow(f"cases:{subportal}")

    def _tell_offers(self, view: View) -> None:
        for each in view.data.get("offers", ()):
            offer = cast("Mapping[str, Any]", each)
            number = self.offers.add(offer["offer"])
            if not self.as_json:
                self.say(self._offer(number, offer))

    def _offer(self, number: int, offer: Mapping[str, object]) -> str:
        who = f"{somebody(offer)} ({offer['subportal']}, {offer['kind']})"
        return f"* offer {number}: {who}, {self.seconds_left(offer.get('deadline'))}{quoted(offer)}"

    def words(self, item: Event | Notice) -> str | None:
        """An event in words."""
        data = item.data
        if item.stream.endswith(STAFF):
            return self.talk.staff_words(item)
        match item.type:
            case "offer.made":
                return self._offer(self.offers.add(str(data["offer"])), data)
            case "offer.renewed":
                return f"offer {self.offers.add(str(data['offer']))}: {self.seconds_left(data['deadline'])}"
            case "offer.ended":
                return self._offer_ended(item.stream, data)
            case "session.opened" if item.stream == "me":
                number = self.sessions.add(str(data["session"]))
                return f"session {number}: you serve {somebody(data)} ({data['subportal']}){quoted(data)}"
            case "session.ended" if item.stream == "me":
                return self._session_ended(data)
            case "session.released" if item.stream == "me":
                return self._session_ended(data)
            case "wrap_up.ended":
                how = "time is up" if data["reason"] == "expired" else data["reason"]
                return f"session {self.wrap_ups.drop(str(data['session']))} is wrapped up ({how})"
            case "session.joined" if item.stream == "me":
                return f"session {self.sessions.add(str(data['session']))}: you are in it as a guest"
            case "session.left" if item.stream == "me" and data["reason"] != "transferred":
                return f"session {self.sessions.drop(str(data['session']))}: you are out ({data['reason']})"
            case "session.monitored":
                on = "a manager looks on" if data["on"] else "no manager looks on any more"
                return f"session {self.sessions.add(str(data['session']))}: {on}"
            case "session.transferred" if item.stream == "me":
                return self._transferred(data)
            case "session.held" | "session.resumed" if data["who"] == "customer":
                how = "is reconnecting" if item.type == "session.held" else "is back"
                return f"session {self.sessions.add(str(data['session']))}: the customer {how}"
            case "share.changed":
                return self._shared(data)
            case "presence.changed" if "taken_by" in data:
                return f"{data['taken_by']} took over your login: your sessions stay, and nothing new comes."
            case "presence.changed" if data.get("reason") == "missed_offers":
                return (
                    f"You are {data['presence']}: you missed too many offers in a row. available takes requests again."
                )
            case "presence.changed":
                return f"You are {data['presence']}" + (
                    "." if data["by"] == "representative" else f" (by {data['by']})."
                )
            case "pin.changed" if data["state"] != "live":
                return f"pin {self.pins.add(str(data['id']))} is {data['state']}"
            case _:
                return self.talk.words(item)

    def _shared(self, data: Mapping[str, Any]) -> str:
        number = self.sessions.add(str(data["session"]))
        if data.get("asks") == ["control"]:
            return f"session {number}: the customer is asked for control"
        grant = data.get("grant")
        control = "" if grant is None else ", with control" if grant["control"] else ", to view only"
        return f"session {number}: the screen share is {data['state']}{control} (by {data['by']})"

    def _session_ended(self, data: Mapping[str, Any]) -> str:
        number, until = self.sessions.drop(str(data["session"])), data.get("wrap_up")
        if number is not None:
            self.talk.past[number] = str(data["session"])
        if until is None:
            return f"session {number} is over ({data['reason']})"
        self._to_wrap_up(str(data["session"]), number)
        return f"session {number} is over ({data['reason']}); {self._time_left(until)}"

    def _to_wrap_up(self, session: str, number: int | None = None) -> int:
        """The number of a session whose places stay taken."""
        if number is None:
            number = self.sessions.add(session)
            self.sessions.drop(session)
        return self.wrap_ups.keep(number, session)

    def _time_left(self, until: int) -> str:
        return f"{self.seconds_to(until)} s to wrap it up, done ends that"

    def _offer_ended(self, stream: str, data: Mapping[str, object]) -> str | None:
        number = self.offers.drop(str(data["offer"]))
        if number is None and stream == "me" and data["offer"] in self.asked:
            self.asked.discard(str(data["offer"]))
            return None if data["reason"] in ("accepted", "revoked") else f"nobody came: {data['reason']}"
        if number is None:
            return None  # told already, in another stream
        reason = str(data["reason"])
        by = data.get("representative")
        if reason == "rescinded" and by and stream != "me":  # of a broadcast: who has it. Of others: who had the offer
            return f"offer {number} is yours" if by == self.does.identity.person else f"offer {number} is taken by {by}"
        return f"offer {number} is {_ENDS.get(reason, reason)}"

    def _transferred(self, data: Mapping[str, object]) -> str:
        session = str(data["session"])
        if data["representative"] == self.does.identity.person:
            return f"session {self.sessions.add(session)}: taken over from {data['former']}"
        return f"session {self.sessions.drop(session)} is {data['representative']}'s now"

    # --- commands --------------------------------------------------------------------------------------

    async def _set(
        self, presence: Literal["available", "away", "offline"], reason: str = "", *, back: bool = False
    ) -> object:
        now = await self.does.set_presence(presence, reason=reason or None, sessions="hand_back" if back else None)
        return {"presence": now}

    async def _available(self, rest: str) -> object:
        if not rest:
            return await self._set("available")
        word, _, other = rest.partition(" ")
        if word != "for" or not other:
            raise InputError("available, or available for REPRESENTATIVE")
        return {"presence": await self.does.set_presence("available", takeover=other)}

    async def _functions(self, rest: str) -> object:
        if not rest:
            raise InputError("functions PORTAL")
        return shown_functions(self, await self.does.functions(rest))

    async def _away(self, rest: str) -> object:
        return await self._set("away", rest)

    async def _offline(self, rest: str) -> object:
        if rest not in ("", "back"):
            raise InputError("offline, or offline back")
        return await self._set("offline", back=bool(rest))

    async def _accept(self, rest: str) -> object:
        return await self.does.accept(self.offers.find(rest))

    async def _decline(self, rest: str) -> object:
        number, _, reason = rest.partition(" ")
        if number and not number.isdecimal():
            number, reason = "", rest
        await self.does.decline(self.offers.find(number), reason or DECLINE_REASON)
        return None

    async def _waiting(self, rest: str) -> object:
        if not rest:
            raise InputError("waiting SUBPORTAL")
        found = await self.does.waiting(rest)
        if self.as_json:
            return [attrs.asdict(each) for each in found]
        for each in found:
            self.say(f"{each.position}. {each.request} {each.name or 'somebody'}: {each.text or '-'} ({each.state})")
        return None if found else "nobody waits there"

    async def _done(self, rest: str) -> object:
        await self.does.end_wrap_up(self.wrap_ups.find(rest))
        return None

    async def _end(self, rest: str) -> object:
        await self.does.end(self.sessions.find(rest))
        return None

    async def _leave(self, rest: str) -> object:
        await self.does.leave(self.sessions.find(rest))
        return None

    async def _transfer(self, rest: str) -> object:
        session, to, all_of = self._addressed(rest.split(), "transfer [SESSION] REPRESENTATIVE")
        self.asked.add(await self.does.transfer(session, to, subportal=all_of))
        return f"offered to {to or all_of}; the session is yours until it is taken"

    async def _invite(self, rest: str) -> object:
        words = [word for word in rest.split() if word not in ("masked", "view")]
        session, to, all_of = self._addressed(words, "invite [SESSION] REPRESENTATIVE [masked] [view]")
        masked, view_only = ("masked" in rest.split(), "view" in rest.split())
        self.asked.add(await self.does.invite(session, to, subportal=all_of, view_only=view_only, masked=masked))
        return f"asked {to or all_of} in"

    async def _remove(self, rest: str) -> object:
        session, who, _ = self._addressed(rest.split(), "remove [SESSION] REPRESENTATIVE")
        await self.does.remove(session, who or "")
        return None

    def _addressed(self, words: list[str], usage: str) -> tuple[str, str | None, str | None]:
        """(session, representative, sub-portal) of ``[SESSION] NAME`` or ``[SESSION] to SUBPORTAL``."""
        if not words or len(words) > 3:
            raise InputError(usage)
        *before, name = words
        to_all = bool(before) and before[-1] == "to"
        number = " ".join(before[:-1] if to_all else before)
        session = self.sessions.find(number)
        return (session, None, name) if to_all else (session, name, None)

    async def _share(self, rest: str) -> object:
        await self.does.request_share(self.sessions.find(rest))
        return "asked; the customer decides"

    async def _pin(self, rest: str) -> object:
        made = await self.does.create_pin()
        number = self.pins.add(made.id)
        if self.as_json:
            return {"id": made.id, "pin": made.pin, "expires": made.expires}
        digits = made.pin or ""
        hours = (made.expires - self.clock() - self.ahead_ms) / 3_600_000
        return f"pin {number}: {digits[:3]} {digits[3:6]} {digits[6:]}, good once, for {hours:.0f} h"

    async def _pins(self, rest: str) -> object:
        found = await self.does.pins()
        if self.as_json:
            return [attrs.asdict(each) for each in found]
        for each in found:
            self.say(f"pin {self.pins.add(each.id)}: {each.state}")
        return None if found else "no pins"

    async def _revoke(self, rest: str) -> object:
        await self.does.revoke_pin(self.pins.find(rest))
        return None

    async def _password(self, rest: str) -> object:
        return await self.choose_password(self.does.set_password)

    async def _status(self, rest: str) -> object:
        state = {
            "presence": self.presence,
            "offers": list(self.offers.ids.values()),
            "sessions": list(self.sessions.ids.values()),
            "wrap_ups": list(self.wrap_ups.ids.values()),
            "unread": self.cases.unread,
        }
        if self.as_json:
            return state
        wrap_ups = f", to wrap up: {len(self.wrap_ups.ids)}" if self.wrap_ups.ids else ""
        unread = f"; {UNREAD}" if self.cases.unread else ""
        return f"{self.presence}; offers: {len(self.offers.ids)}, sessions: {len(self.sessions.ids)}{wrap_ups}{unread}"
