"""The customer's side of a conversation: what it says and reads, how it ends one, rates it and keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from broker.protocol.frames import Event, Notice
from clients.python.commands import text_of
from clients.python.console import Command, Console, InputError
from clients.python.console_chat import Chat, save, shared
from clients.python.roles import Customer

END: Final = "End the conversation? Type yes."
OVER: Final = "It is over (closed). rate says how it was, save keeps what was said."


@attrs.frozen
class Rating:
    """What was typed behind ``rate``."""

    session: str
    score: int
    comment: str | None


@attrs.define(eq=False)
class TalkConsole(Console):
    """What a customer's console has of its conversation."""

    request: str | None = attrs.field(default=None, kw_only=True)
    session: str | None = attrs.field(default=None, kw_only=True)
    state: str = attrs.field(default="", kw_only=True)
    opened: bool = attrs.field(default=False, init=False)
    """Something can be said in the session."""
    last: str | None = attrs.field(default=None, init=False)
    """The session that was over last: to rate and to save."""
    ending: bool = attrs.field(default=False, init=False)
    """The next line may be the yes to the end of it."""
    converting: bool = attrs.field(default=False, init=False)
    """The end of the request will be the customer's own wish."""
    chat: Chat = attrs.field(factory=Chat, init=False)
    names: dict[str, str] = attrs.field(factory=dict, init=False, repr=False)
    """Of representatives in the session."""
    helper: str | None = attrs.field(default=None, init=False)
    """The representative who has the session, as the customer was told."""

    @property
    def does(self) -> Customer:
        """What it can ask for."""
        return cast("Customer", self.role)

    def talk_commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "say": ("say TEXT: while you talk, any line that is no command is said as well", self._say),
            "convert": (
                "convert [EMAIL] [TEXT]: don't wait, leave the question to be answered by e-mail",
                self._convert,
            ),
            "rate": ("rate SCORE [COMMENT]: how it was, from 1 (bad) to 5", self._rate),
            "save": ("save FILE: keep what was said, as text, or as .html or .json says", self._save),
        }

    def meant(self, line: str) -> str:
        """The command that a line is: in a conversation most lines are something to say."""
        ending, self.ending = self.ending, False
        line = line.strip()
        if ending and line.lower() in ("yes", "no"):
            return f"end {line.lower()}"
        if line and self.opened and not self._is_command(*line.partition(" ")[::2]):
            return f"say {line}"
        return line

    def _is_command(self, name: str, rest: str) -> bool:
        """Sentences begin with words that are commands, too: "no", "end", "save". One that is nothing but its name is
        a command; with more behind it, as far as that fits."""
        rest = rest.strip()
        if not rest:
            return name in self.commands() or name in ("help", "quit", "exit")
        match name:
            case "say":
                return True
            case "end":
                return rest == "yes"
            case "rate":
                return rest.partition(" ")[0].isdecimal()
            case "save":
                return len(rest.split()) == 1
            case "convert":
                return self.state != "assigned"
            case _:
                return False

    # --- seeing ----------------------------------------------------------------------------------------

    def talk_words(self, item: Event | Notice) -> str | None:
        """What happens in the session, in words."""
        data = item.data
        match item.type:
            case "session.opened":
                self.opened = True
                return None if self.state == "assigned" else "You can write already: whoever comes will read it."
            case "session.joined" if data["role"] == "lead":
                return self.here(data)
            case "session.joined":
                return f"{self._called(data)} is here as well."
            case "session.left" if data["reason"] not in ("transferred", "ended"):
                return f"{self._called(data)} has left."
            case "share.watched":
                return f"{self._called(data)} sees your screen too{'' if data['control'] else ', without control'}."
            case "share.unwatched":
                return f"{self._called(data)} sees your screen no more."
            case "session.released":
                self.helper = None
                return f"{self._called(data)} has left; whoever comes next will read what was said."
            case "session.transferred":
                self.helper = str(data["representative"])
                return f"{self._called(data)} takes over."
            case "chat.message":
                return self.chat.told(self._from(data), data, own=data["role"] == "customer")
            case "file.shared":
                return shared(self._from(data), data)
            case _:
                return None

    def here(self, data: Mapping[str, Any]) -> str | None:
        """Somebody has the session; None if that was told already, in another stream."""
        called, told = self._called(data), self.helper == data["representative"]
        self.helper, self.opened = str(data["representative"]), True
        return None if told else f"{called} is here."

    def _called(self, data: Mapping[str, Any]) -> str:
        """A representative's name, wherever it was told."""
        who = str(data["representative"])
        name = text_of(data.get("name"))
        if name is not None:
            self.names[who] = name
        return self.names.get(who, who)

    def _from(self, data: Mapping[str, Any]) -> str:
        """Whose message it is."""
        if data["role"] == "customer":
            return "you"
        by = str(data.get("by") or "representative")
        return self.names.get(by, by)

    def over(self, state: str) -> str:
        """The request has reached its last state."""
        if self.opened:
            self.last = self.session
        own = self.converting
        self.request = self.session = self.helper = None
        self.state, self.opened, self.ending, self.converting = "", False, False, False
        if state == "closed":
            return OVER
        if state != "converted":
            return f"It is over ({state})."
        if own:
            return "Your question is left: you will be answered by e-mail."
        return "Nobody can help you now: your request has become a support request."

    # --- commands --------------------------------------------------------------------------------------

    async def _say(self, rest: str) -> object:
        if not rest:
            raise InputError("say TEXT")
        if self.session is None or not self.opened:
            raise InputError("there is nobody to talk to")
        seq = await self.chat.say(self.does, self.session, rest)
        return {"session": self.session, "message_seq": seq} if self.as_json else None

    async def end(self, rest: str) -> object:
        """Stop waiting; or end the conversation, after a yes."""
        if self.request is None:
            raise InputError("there is nothing to end")
        if self.state != "assigned" or self.session is None:
            await self.does.withdraw(self.request)
            return None
        if rest == "no":
            return "You go on."
        if rest == "yes" or self.as_json:  # with --json there is nobody to be asked
            await self.does.end(self.session)
            return None
        self.ending = True
        return END

    async def _convert(self, rest: str) -> object:
        if self.request is None:
            raise InputError("you have not asked yet")
        first, _, text = rest.partition(" ")
        email = first if "@" in first else None
        self.converting = True
        try:
            return await self.does.convert(self.request, email=email, text=(text if email else rest).strip() or None)
        except BaseException:
            self.converting = False
            raise

    def rating(self, rest: str) -> Rating:
        """What is to be rated, and how. InputError."""
        session = self.session if self.opened else self.last
        if session is None:
            raise InputError("there is no conversation to rate")
        score, _, comment = rest.partition(" ")
        if score not in ("1", "2", "3", "4", "5"):
            raise InputError("rate SCORE [COMMENT]: a score from 1 (bad) to 5")
        return Rating(session, int(score), comment.strip() or None)

    async def rate(self, rating: Rating, fields: Mapping[str, object] | None = None) -> object:
        """Say how it was."""
        await self.does.rate(rating.session, rating.score, rating.comment, fields=fields or None)
        return None if self.as_json else "Thank you."

    async def _rate(self, rest: str) -> object:
        return await self.rate(self.rating(rest))

    async def _save(self, rest: str) -> object:
        session = self.session if self.opened else self.last
        if session is None:
            raise InputError("there is no conversation to save")
        if not rest:
            raise InputError("save FILE")
        return await save(self.does, session, rest)
