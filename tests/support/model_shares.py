"""The naive model's screen shares: each with its people, so that it can outlive its session."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from tests.support.model_facts import Facts
from tests.support.model_things import CONSENT, REBOOT, SET_UP, Sharing, Wish


@attrs.define
class Shares(Facts):
    """What becomes of screen shares. Every step is asked for by whoever may."""

    def sharing(self, name: str) -> Sharing:
        """By name."""
        return next(share for share in self.shares if share.name == name)

    def share_of(self, wish: Wish) -> Sharing | None:
        """The share of a request's session."""
        return next((share for share in self.shares if share.wish == wish.name), None)

    def ask_share(self, name: str, wish: Wish, *, control: bool) -> None:
        """A representative asks for a screen."""
        assert wish.owner is not None
        share = Sharing(name, wish.name, wish.visitor, wish.owner, wanted=control, until=self.now + CONSENT)
        self.shares.append(share)

    def step(self, name: str, op: str, *, control: bool = False) -> None:
        """One of its people takes a step that is possible."""
        share = self.sharing(name)
        match op:
            case "accept":
                share.state, share.until = "accepted", self.now + CONSENT
            case "confirm":
                share.state, share.until = "negotiating", self.now + SET_UP
                share.control = share.wanted and control
            case "started":
                share.state, share.until = "active", None
            case "ask_control":
                share.asked = self.now + CONSENT
            case "control":
                share.control, share.asked = control, None
            case "reboot":
                share.state, share.until, share.asked = "rebooting", self.now + REBOOT, None
                if share.visitor in self.lost:
                    self.lost[share.visitor] = max(self.lost[share.visitor], share.until)
            case _:
                self.end_shares(lambda one: one is share)

    def end_shares(self, those: Callable[[Sharing], bool]) -> None:
        """These are over. Nobody waits for a customer who has nothing open."""
        gone = [share for share in self.shares if those(share)]
        self.shares = [share for share in self.shares if share not in gone]
        for share in gone:
            self.rest(share.visitor)

    def rest(self, visitor: str) -> None:
        """Something of this customer's is over."""
        if not self.is_busy(visitor):
            self.lost.pop(visitor, None)

    def is_busy(self, visitor: str) -> bool:
        """Whether it has anything open."""
        return visitor in self.busy()

    def busy(self) -> list[str]:
        """Customers who have something open."""
        return [wish.visitor for wish in self.wishes] + [share.visitor for share in self.shares]

    def restart_until(self, visitor: str) -> int:
        """Until when a customer's machine may take."""
        return max((share.until or 0 for share in self.shares if share.restarts(visitor)), default=0)

    def machine_back(self, name: str) -> None:
        """A machine asks for its media."""
        share = self.sharing(name)
        if share.state == "rebooting":
            share.state, share.until = "negotiating", self.now + SET_UP

    def renew_shares(self) -> None:
        """The broker starts."""
        for share in self.shares:
            if share.until is not None:
                share.until = self.now + (REBOOT if share.state == "rebooting" else CONSENT)
            if share.asked is not None:
                share.asked = self.now + CONSENT

    def no_control(self, name: str) -> None:
        """Nobody answers."""
        self.sharing(name).asked = None
