"""The customer's console: asks, waits, is served."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs

from broker.protocol.frames import Event, Notice
from clients.python.account import Field
from clients.python.answers import Portal
from clients.python.commands import text_of
from clients.python.console import Command, InputError, lasting, moment
from clients.python.console_form import Form
from clients.python.console_talk import Rating, TalkConsole
from clients.python.errors import BadArgs, QueueFull, Refused, WrongState
from clients.python.following import Item, View

_REQUEUED = {
    "handed_back": "was handed back",
    "representative_lost": "lost its representative",
    "signed_out": "lost its representative, who signed out",
}
_ROSE = {
    "sent_back": "somebody who came before you waits again",
    "priority": "somebody whose request is urgent goes first",
    "moved_in": "others who came before you were moved to this line",
    "moved": "this is another line",
}
_MOVED = {
    "wait": "it took too long there",
    "length": "the line there is long",
    "staffing": "nobody is there",
}


@attrs.define(eq=False)
class CustomerConsole(TalkConsole):
    """``huntgroup connect customer``."""

    name: str | None = None
    """How to be called."""
    pin: str | None = None
    """The nine digits it came in with: tried at once."""
    page: Portal | None = None
    place: str = ""
    share: str | None = None
    skills: Sequence[str] = ()
    """What whoever helps must have."""
    question: str = ""
    """What the next yes is to: the share's first step (requested), its second (accepted), or control."""
    form: Form | None = None
    """Being filled in: the next line is an answer."""
    rated: Rating | None = None
    """What that form goes with; None: it is a request's."""
    fields: dict[str, str] = attrs.field(factory=dict, repr=False)
    """Of the form, as ``field`` was told them."""
    standing: str = ""
    """The portal's state."""

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "ask": ("ask [TEXT]: ask for help", self._ask),
            "field": ("field NAME VALUE: fill in a field of the portal's form before you ask", self._field),
            "skills": ("skills [SKILL ...]: what whoever helps must have; say it before you ask", self._skills),
            "pick": ("pick REPRESENTATIVE: ask for somebody (on a pick portal)", self._pick),
            "pin": ("pin DIGITS: the nine digits that you were told", self._pin),
            "position": ("your place in the line", self._position),
            "request": ("the id of your request, for somebody who would take it", self._request),
            "end": ("stop waiting, or end the conversation (it asks for a yes)", self.end),
            **self.talk_commands(),
            "yes": ("agree to share your screen (it is asked twice)", self._yes),
            "no": ("refuse to share your screen, or stop sharing", self._no),
        }

    async def start(self) -> None:
        """Show the portal, and follow what concerns this customer."""
        page = self.page = await self.does.open_portal()
        self.standing = page.state or ""
        if self.as_json:
            self.show("portal", page)
        else:
            self.say(f"{page.title or page.portal}{self._closed(page)}. help lists the commands.")
            if self._offered():
                self.say(f"You can ask for: {', '.join(self._offered())}. skills does.")
            for each in page.representatives:
                self.say(f"  {each.representative:<10} {each.name}")
        await self.follow("me")
        if self.pin is not None and page.request is None:
            await self.obey(f"pin {self.pin}")

    async def leave(self) -> None:
        """What is open waits a while for the return."""
        visitor = self.does.identity.visitor
        if self.request is not None and visitor is not None and not self.as_json:
            self.say(f"Your request is kept for two minutes. To come back: --visitor {visitor}")

    def _closed(self, page: Portal) -> str:
        if page.open:
            return ""
        if page.opens is not None:
            return f" (closed; opens {moment(page.opens)})"
        return " (closed)" if page.mode == "queue" else " (closed: nobody is signed in)"

    def _offered(self) -> Sequence[str]:
        """The skills that can be asked for where requests enter."""
        return self.page.subportals[0].skills if self.page is not None and self.page.subportals else ()

    def wrong(self, command: str, exc: InputError | Refused) -> None:
        """In a customer's words, where it isn't the customer's mistake."""
        if self.as_json:
            super().wrong(command, exc)
        elif isinstance(exc, WrongState) and exc.state == "closed":
            until = "" if exc.opens is None else f"; it opens {moment(exc.opens)}"
            self.say(f"! This is closed now{until}.")
        elif isinstance(exc, QueueFull):
            self.say(f"! The line is full: {exc.max_waiting} wait. Try again in a while.")
        else:
            super().wrong(command, exc)

    # --- seeing ----------------------------------------------------------------------------------------

    async def see(self, item: Item) -> None:
        """Follow the conversation."""
        if isinstance(item, View) and item.stream == "me":
            for each in item.data.get("requests", ()):
                await self._found(cast("Mapping[str, Any]", each))
        elif isinstance(item, Event) and item.type in ("request.created", "request.assigned"):
            await self.follow(f"session:{item.data['session']}", snapshot=False)

    async def _found(self, request: Mapping[str, Any]) -> None:
        """A request that was open already."""
        self.request, self.session, self.state = request["request"], request["session"], request["state"]
        name = text_of(request.get("representative_name"))
        if not self.as_json:
            self.say(f"Your request is {self.state}" + (f" to {name}." if name else "."))
        if self.state == "assigned":
            self.opened, self.helper = True, cast("str | None", request.get("representative"))
            if name is not None and self.helper is not None:
                self.names[self.helper] = name
        await self.follow(f"session:{self.session}", snapshot=False)

    def words(self, item: Event | Notice) -> str | None:
        """An event or notice in words."""
        data = item.data
        match item.type:
            case "queue.position":
                return self._placed(data)
            case "portal.state":
                return self._stands(data)
            case "request.created":
                self.request, self.session = str(data["request"]), str(data["session"])
                self.state = "waiting"
                return "You have asked. Somebody will come."
            case "request.assigned":
                self.state, self.session = "assigned", str(data["session"])
                return self.here(data)
            case "request.requeued":
                self.state, self.helper = "waiting", None
                return f"Your request {_REQUEUED.get(str(data['reason']), 'waits again')}; you keep your place."
            case "request.unplaced":
                after = "now everybody is asked" if data["broadcast"] else "pick somebody else"
                return f"{data['representative']} won't come ({data['reason']}): {after}."
            case "request.moved":
                why = _MOVED.get(str(data["on"]), _MOVED["wait"])
                return f"You wait in {data['to']} now and no longer in {data['from']}: {why}. Your wait so far counts."
            case "request.classified" if data["boost_ms"]:
                boost = lasting(cast("int", data["boost_ms"]))
                return f"Your request is {data['class']} now: as if you had come {boost} earlier."
            case "request.classified":
                return "Your request is an ordinary one again."
            case "request.ended":
                self.share, self.place = None, ""
                return self.over(str(data["state"]))
            case "session.held" if data["who"] == "representative":
                return "The representative is reconnecting; your conversation is kept."
            case "session.resumed" if data["who"] == "representative":
                return "The representative is back."
            case "share.changed":
                return self._shared(data)
            case _:
                return self.talk_words(item)

    def _stands(self, data: Mapping[str, Any]) -> str | None:
        """The portal's state, if that is news."""
        before, self.standing = self.standing, str(data["state"])
        if self.standing == before:
            return None
        until = "" if data.get("closes") is None else f" at {moment(data['closes'])}"
        opens = "" if data.get("opens") is None else f" It opens {moment(data['opens'])}."
        return {
            "closing": f"This closes soon{until}.",
            "full": "The line is full now.",
            "closed": f"This is closed now.{opens}",
        }.get(self.standing, "This is open now.")

    def _placed(self, data: Mapping[str, Any]) -> str:
        place = f"You are at place {'' if data['exact'] else 'about '}{data['position']}"
        wait = f" It will be about {lasting(data['wait_ms'])}." if data.get("wait_ms") else ""
        self.place = f"{place}.{wait}"
        reason = data.get("reason")
        return self.place if reason is None else f"{place}: {_ROSE.get(reason, _ROSE['sent_back'])}.{wait}"

    def _shared(self, data: Mapping[str, Any]) -> str:
        state = str(data["state"])
        self.share = None if state in ("refused", "ended") else str(data["share"])
        self.question = state if state in ("requested", "accepted") else ""
        if data.get("asks") == ["control"]:
            self.question = "control"
            return "The representative asks to control your machine: yes or no? no refuses that alone."
        if state == "requested":
            return "The representative asks to see your screen: yes or no?"
        if state == "accepted":
            return "Sure? Everything on your screen will be seen: yes or no?"
        return "Your screen is shared; no stops it." if state == "active" else f"The screen share is {state}."

    # --- commands --------------------------------------------------------------------------------------

    async def _ask(self, rest: str) -> object:
        page = self.page
        assert page is not None
        if page.kind == "ask" and not rest:
            raise InputError("ask TEXT: this portal wants to know your question")
        if self.request is not None and not self.as_json:
            return "You have asked already."
        self.rated = None
        form = Form.of(page.form, page.require, {"name": self.name, **self.fields})
        form.text = rest or None
        form.about.update({name: value for name, value in self.fields.items() if self._known(name) not in page.form})
        told = [field for field in form.wanted if field.field in self.fields and field not in form.extra]
        asked = [] if self.as_json else [field for field in form.wanted if field not in told]
        form.wanted = deque(told)
        while form.wanted:
            form.answer(self.fields[form.wanted[0].field])
        form.wanted.extend(asked)  # with --json there is nobody to answer: what is missing the broker says
        return await self._fill(form)

    def _known(self, name: str) -> Field:
        """A field of the form, or what else the portal requires."""
        assert self.page is not None
        there = [*self.page.form, *Form.of((), self.page.require, {}).wanted]
        for field in there:
            if field.field == name:
                return field
        names = ", ".join(field.field for field in there) or "none"
        raise InputError(f"the form has no field {name}; there is {names}")

    async def _field(self, rest: str) -> object:
        name, _, value = rest.partition(" ")
        field, value = self._known(name), value.strip()
        if not value:
            self.fields.pop(name, None)
            return None
        Form(deque([field])).answer(value)  # it says what is wrong with it
        self.fields[name] = value
        return None

    async def obey(self, line: str) -> bool:
        """As any console, but while a form is filled in a line is an answer."""
        form = self.form
        if form is None or line.strip() == "quit":
            return await super().obey(self.meant(line))
        self.form = None
        if line.strip() == "end":
            self.show("ask", "You have not asked." if self.rated is None else "You have not rated it.")
            return True
        try:
            try:
                form.answer(line)
            except InputError:
                self.form = form
                raise
            self.show("ask", await self._fill(form))
        except (InputError, Refused) as exc:
            self.wrong("ask", exc)
        return True

    async def _fill(self, form: Form) -> object:
        """Ask for what is missing, or send it."""
        assert self.page is not None
        if form.question is not None:
            self.form = form
            return f"{form.question}"
        if self.rated is not None:
            return await self.rate(self.rated, form.given)
        name, email = form.about.get("name", self.name), form.about.get("email")
        try:
            asked = await self.does.ask(
                form.text, name=name, email=email, skills=self.skills or None, fields=form.given or None
            )
        except BadArgs as bad:
            if self.as_json or not form.again(self.page.form, bad.path):
                raise
            self.form = form
            return f"{bad.text}. {form.question}"
        self.fields.clear()
        if asked.existing and not self.as_json:
            return "You have asked already."
        return asked

    async def _rate(self, rest: str) -> object:
        assert self.page is not None
        rating = self.rating(rest)
        if self.as_json or not self.page.survey:
            return await self.rate(rating)
        self.rated = rating
        return await self._fill(Form.of(self.page.survey, (), {}))

    async def _skills(self, rest: str) -> object:
        skills, offered = rest.split(), self._offered()
        for skill in skills:
            if skill not in offered:
                raise InputError(f"{skill} can't be asked for; there is {', '.join(offered) or 'nothing'}")
        self.skills = skills
        if self.as_json:
            return skills
        return f"Whoever helps will have {' and '.join(skills)}." if skills else "Anybody may help."

    async def _request(self, rest: str) -> object:
        if self.request is None and not self.as_json:
            return "You have not asked yet."
        return self.request

    async def _pick(self, rest: str) -> object:
        if not rest:
            raise InputError("pick REPRESENTATIVE")
        if self.request is not None:
            return await self.does.pick(self.request, rest)
        return await self.does.ask(representative=rest, name=self.name)

    async def _pin(self, rest: str) -> object:
        if not rest:
            raise InputError("pin DIGITS")
        return await self.does.redeem(rest, name=self.name)

    async def _position(self, rest: str) -> object:
        if self.as_json:
            return {"state": self.state, "place": self.place}
        if self.state == "assigned":
            return "You are being served."
        return self.place or ("You wait." if self.request else "You have not asked yet.")

    async def _yes(self, rest: str) -> object:
        if self.share is None or not self.question:
            raise InputError("nobody asks to see your screen")
        if self.question == "requested":
            await self.does.accept_share(self.share)
        elif self.question == "control":
            await self.does.allow_control(self.share, allow=True)
        else:
            await self.does.confirm_share(self.share)
            await self.does.share_started(self.share)  # there is no picture here that could take its time
        return None

    async def _no(self, rest: str) -> object:
        if self.share is None:
            raise InputError("there is no screen share")
        if self.question == "control":
            await self.does.allow_control(self.share, allow=False)
        else:
            await self.does.stop_share(self.share)
        return None
