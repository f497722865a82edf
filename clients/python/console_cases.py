"""The representative's three lists of cases, by their numbers, and what can be done to one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, cast

import attrs

from broker.protocol.frames import Event
from clients.python.answers import Case, Cases
from clients.python.console import Command, InputError, Say, lasting
from clients.python.following import Item, View
from clients.python.roles import Representative

LISTS: Final = ("unassigned", "mine", "all")
RED_DOT: Final = "\N{BLACK CIRCLE}"
UNREAD: Final = f"{RED_DOT} there are unassigned cases that you have not looked at: cases lists them"


class Owner(Protocol):
    """What is used of the representative's console."""

    say: Say
    as_json: bool

    @property
    def does(self) -> Representative:
        """What it can ask for."""

    def now(self) -> int:
        """The broker's time."""


@attrs.define(eq=False)
class CaseLists:
    """Theory of operation. The lists are asked for when they are looked at; what is followed meanwhile (``cases:`` of
    each sub-portal) only says which unassigned cases there are, by ``listed``: as many as have a higher one than the
    representative has ``seen``, on whichever device, are unread."""

    owner: Owner
    numbers: dict[int, str] = attrs.field(factory=dict)
    """Of each case that was told: its id."""
    unassigned: dict[str, int] = attrs.field(factory=dict)
    """Case to its ``listed``."""
    seen: int = 0
    flagged: bool = False
    """The broker said that there are unread ones, and no list has said which."""

    def commands(self) -> dict[str, tuple[str, Command]]:
        """Name to (help, what it does)."""
        return {
            "cases": ("cases [unassigned|mine|all]: the three lists of cases, or one of them", self._cases),
            "resolve": ("resolve CASE: nothing is left to do", self._resolve),
            "reopen": ("reopen CASE: something is", self._reopen),
            "mail": ("mail CASE TEXT: answer its customer by e-mail", self._mail),
        }

    # --- the red dot -----------------------------------------------------------------------------------

    @property
    def unread(self) -> bool:
        """Whether there is one that was not looked at."""
        return self.flagged or any(listed > self.seen for listed in self.unassigned.values())

    def look(self, item: Item) -> str | None:
        """Take in what is seen; the red dot's line, if it is news."""
        before = self.unread
        if isinstance(item, View) and item.stream == "me":
            for person in cast("Sequence[Mapping[str, Any]]", item.data.get("presence", ())):
                self.seen, self.flagged = person.get("cases_seen", 0), person.get("unread", False)
        elif isinstance(item, View) and item.stream.startswith("cases:"):
            self.flagged = False
            for case in item.data.get("cases", ()):
                self._keep(cast("Mapping[str, Any]", case))
        elif isinstance(item, Event) and item.type == "cases.seen":
            self.seen, self.flagged = max(self.seen, cast("int", item.data["upto"])), False
        elif isinstance(item, Event) and item.type in ("case.opened", "case.changed"):
            self._keep(item.data)
        elif isinstance(item, Event) and item.type == "case.deleted":
            self.unassigned.pop(str(item.data["case"]), None)
        return UNREAD if self.unread and not before else None

    def _keep(self, case: Mapping[str, Any]) -> None:
        if case.get("number") is not None:
            self.numbers[case["number"]] = case["case"]
        if case["status"] == "unassigned":
            self.unassigned[case["case"]] = case["listed"]
        else:
            self.unassigned.pop(case["case"], None)

    # --- commands --------------------------------------------------------------------------------------

    def find(self, typed: str, usage: str) -> str:
        """The id of a case that was typed, by its number or as it is. InputError."""
        if not typed:
            raise InputError(usage)
        if typed.startswith("k_"):
            return typed
        number = int(typed) if typed.isdecimal() else 0
        if number not in self.numbers:
            raise InputError(f"there is no case {typed} in the lists that you have seen; cases shows them")
        return self.numbers[number]

    async def _cases(self, rest: str) -> object:
        if rest not in ("", *LISTS):
            raise InputError(f"cases, or cases {' or '.join(LISTS)}")
        found = {name: await self._list(name) for name in LISTS if rest in ("", name)}
        if not self.owner.as_json:
            for name, cases in found.items():
                self._show(name, cases)
        await self._looked_at(found.get("unassigned"))
        return {name: attrs.asdict(cases) for name, cases in found.items()} if self.owner.as_json else None

    async def _list(self, name: str) -> Cases:
        does = self.owner.does
        if name == "all":
            return await does.search()
        if name == "mine":
            return await does.search(status="assigned", representative=does.identity.person)
        return await does.search(status="unassigned")

    def _show(self, name: str, cases: Cases) -> None:
        more = " of more" if cases.next is not None else ""
        self.owner.say(f"{name}: {len(cases.cases)}{more}")
        for case in cases.cases:
            self.numbers[case.number] = case.case
            unread = case.status == "unassigned" and case.listed > self.seen
            self.owner.say(f"  {RED_DOT if unread else ' '} {self._line(case)}")

    def _line(self, case: Case) -> str:
        who = "" if case.representative is None else f" to {case.representative_name or case.representative}"
        kind = "live chat" if case.type == "live_chat" else "support request"
        told = f"case {case.number}: {case.name or 'somebody'} ({case.subportal}, {kind}, {case.status}{who},"
        return f"{told} {lasting(case.clock.at(self.owner.now()))}): {case.text or '-'}"

    async def _looked_at(self, cases: Cases | None) -> None:
        """What was shown is seen, on every device."""
        upto = max((case.listed for case in cases.cases), default=0) if cases is not None else 0
        if upto > self.seen:
            self.seen, self.flagged = await self.owner.does.seen(upto), False

    async def take(self, rest: str) -> object:
        """A case, or a request that waits."""
        usage = "take CASE, or take REQUEST"
        if rest.startswith("r_"):
            return await self.owner.does.take(rest)
        return await self.owner.does.take_case(self.find(rest, usage))

    async def _resolve(self, rest: str) -> object:
        moved = await self.owner.does.resolve(self.find(rest, "resolve CASE"))
        return moved if self.owner.as_json else f"case {rest} is {moved.status}"

    async def _reopen(self, rest: str) -> object:
        moved = await self.owner.does.reopen(self.find(rest, "reopen CASE"))
        return moved if self.owner.as_json else f"case {rest} is {moved.status}"

    async def _mail(self, rest: str) -> object:
        typed, _, text = rest.partition(" ")
        usage = "mail CASE TEXT"
        case = self.find(typed, usage)
        if not text.strip():
            raise InputError(usage)
        mail = await self.owner.does.mail(case, text.strip())
        return {"mail": mail} if self.owner.as_json else "it is on its way; the case stays open until you resolve it"
