"""The representative's side of conversations: what is said in its sessions, and what it says and writes down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs

from broker.protocol.frames import Event, Notice
from clients.python import console_replies
from clients.python.commands import ERASED, text_of
from clients.python.console import Command, InputError, Numbers, Say, quoted
from clients.python.console_chat import Chat, save, shared
from clients.python.roles import Representative


class Owner(Protocol):
    """What is used of the representative's console."""

    say: Say
    as_json: bool
    sessions: Numbers

    async def follow(self, stream: str, *, snapshot: bool = True) -> None:
        """Show a stream."""

    @property
    def does(self) -> Representative:
        """What it can ask for."""


STAFF: Final = ":staff"
"""How the name of the stream ends that a session's customer can't read."""
_ASKS: Final = {"transfer": "to take it over", "invite": "in"}


@attrs.define(eq=False)
class Sessions:
    """What is said in the sessions of one representative."""

    owner: Owner
    chat: Chat = attrs.field(factory=Chat)
    notes: Chat = attrs.field(factory=Chat)
    customers: dict[str, str | None] = attrs.field(factory=dict, repr=False)
    """Session to its customer's name, where there is one."""
    past: dict[int, str] = attrs.field(factory=dict)
    """Sessions that are over, by the numbers that they had."""

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "say": ("say [SESSION] TEXT: to the customer", self._say),
            "note": ("note [SESSION] TEXT: write down what the customer never sees", self._note),
            "replies": ("list the canned replies that you can send", self._replies),
            "reply": ("reply [SESSION] NAME [LANGUAGE]: send a canned reply, with the names filled in", self._reply),
            "save": ("save [SESSION] FILE: keep what was said, as text, or as .html or .json says", self._save),
        }

    # --- seeing ----------------------------------------------------------------------------------------

    async def follow(self, session: str) -> None:
        """Show what is said in a session that one has or is in, and what its customer isn't to see."""
        await self.owner.follow(f"session:{session}", snapshot=False)
        await self.owner.follow(f"session:{session}{STAFF}", snapshot=False)

    def staff_words(self, item: Event | Notice) -> str | None:
        """What staff alone is told of a session, in words. What is told in another stream as well is left to that."""
        data, me = item.data, self.owner.does.identity.person
        match item.type:
            case "note.added":
                own = data["by"] == me
                who = "you note" if own else f"{data['by']} notes"
                return self.notes.told(f"{self._in(data)}, {who}", data, own=own)
            case "session.joined" if data["representative"] != me:
                return f"{self._in(data)}: {self._called(data)} is in it masked: the customer isn't told"
            case "session.left" if data["representative"] != me and data["reason"] not in ("transferred", "ended"):
                return f"{self._in(data)}: {data['representative']}, who was masked, has left ({data['reason']})"
            case "offer.made" if data.get("by") != me:
                whom = data.get("representative") or data["subportal"]
                return f"{self._of_request(data)}: {data.get('by')} asks {whom} {_ASKS.get(str(data['kind']), 'in')}"
            case "session.outcome" if data["representative"] != me:
                return f"{self._in(data)}: {data['representative']} says it is {data['outcome']}{quoted(data, 'note')}"
            case "session.rated":
                return f"{self._in(data)}: the customer rates it {data['score']} of 5{quoted(data, 'comment')}"
            case "session.described":
                return f"{self._in(data)}: {_described(data)}"
            case _:
                return self._looks(item)

    def words(self, item: Event | Notice) -> str | None:
        """What happens in a session, in words."""
        data, me = item.data, self.owner.does.identity.person
        match item.type:
            case "chat.message":
                return self.chat.told(self._from(data), data, own=data.get("by") == me)
            case "file.shared":
                return shared(self._from(data), data)
            case "session.joined" if data["representative"] != me:
                how = "has it" if data["role"] == "lead" else "is in it as a guest"
                return f"{self._in(data)}: {self._called(data)} {how}"
            case "session.left" if data["representative"] != me and data["reason"] not in ("transferred", "ended"):
                return f"{self._in(data)}: {data['representative']} has left ({data['reason']})"
            case _:
                return self._looks(item)

    def _looks(self, item: Event | Notice) -> str | None:
        """Of a guest who sees the customer's screen."""
        data = item.data
        if item.stream == "me":
            return None  # for programs that have the picture; told to the session as well
        match item.type:
            case "share.watched":
                control = "" if data["control"] else ", without control"
                return f"{self._in(data)}: {data['representative']} sees the screen too{control}"
            case "share.unwatched":
                return f"{self._in(data)}: {data['representative']} sees the screen no more ({data['reason']})"
            case _:
                return None

    def _called(self, data: Mapping[str, Any]) -> str:
        return text_of(data.get("name")) or str(data["representative"])

    def _of_request(self, data: Mapping[str, Any]) -> str:
        """A request and its session have one token."""
        return self._in({"session": f"s_{str(data['request'])[2:]}"})

    def _in(self, data: Mapping[str, Any]) -> str:
        """Which session; one that is over already has no number any more."""
        number = self.owner.sessions.of(str(data["session"]))
        return "a session that is over" if number is None else f"session {number}"

    def _from(self, data: Mapping[str, Any]) -> str:
        """Whose message it is, and where."""
        if data["role"] == "customer":
            who = self.customers.get(str(data["session"])) or "the customer"
        else:
            who = "you" if data.get("by") == self.owner.does.identity.person else str(data.get("by"))
        return f"{self._in(data)}, {who}"

    # --- commands --------------------------------------------------------------------------------------

    def _addressed(self, rest: str, usage: str, *, over: bool = False) -> tuple[str, str]:
        """(session, text) of ``[SESSION] TEXT``. A number that no session has is part of the text, as long as it is
        clear without it which one is meant. ``over``: those that are over count, too, the last one where none is open.
        InputError."""
        first, _, text = rest.partition(" ")
        known, number = self.owner.sessions, int(first) if first.isdecimal() else 0
        if not rest or (number in known.ids and not text.strip()):
            raise InputError(usage)
        if number in known.ids:
            return known.ids[number], text.strip()
        if over and number in self.past and text.strip():
            return self.past[number], text.strip()
        if over and self.past and not known.ids:
            return self.past[max(self.past)], rest
        return known.find(first if number and len(known.ids) > 1 else ""), rest

    async def _say(self, rest: str) -> object:
        session, text = self._addressed(rest, "say [SESSION] TEXT")
        seq = await self.chat.say(self.owner.does, session, text)
        return {"session": session, "message_seq": seq} if self.owner.as_json else None

    async def _note(self, rest: str) -> object:
        session, text = self._addressed(rest, "note [SESSION] TEXT", over=True)
        await self.notes.send(self.owner.does.note, session, text)
        return None if self.owner.as_json else "noted"

    async def _save(self, rest: str) -> object:
        session, name = self._addressed(rest, "save [SESSION] FILE", over=True)
        return await save(self.owner.does, session, name)

    async def _replies(self, rest: str) -> object:
        return console_replies.listed(await self.owner.does.replies(), self.owner.say, as_json=self.owner.as_json)

    async def _reply(self, rest: str) -> object:
        what = console_replies.wanted(rest)
        session, known = self.owner.sessions.find(what.number), await self.owner.does.replies()
        said = console_replies.words_of(known, what, self.customers.get(session), self.owner.does.identity.person)
        seq = await self.chat.say(self.owner.does, session, said)
        return {"session": session, "message_seq": seq, "text": said} if self.owner.as_json else f"you say: {said}"


def _described(data: Mapping[str, Any]) -> str:
    """What the customer's page told of its device."""
    told = data.get("data")
    if not isinstance(told, Mapping) or told == {"erased": True}:
        return f"the customer's {data['kind']} {ERASED}"
    shown = ", ".join(f"{name} {value}" for name, value in told.items())
    return f"the customer's {data['kind']}: {shown or '-'}"
