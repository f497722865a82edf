"""The customers of the desk machine, and those who type a pin."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.desk.identity import Identity
from broker.protocol import ops
from tests.stateful.setting import HOW, PORTALS, Setting, rarely, staff
from tests.support.builders import customer, personal, representative
from tests.support.model_things import Wish

VISITORS = [f"n{n}" for n in range(6)]

number = st.integers(0, 40)
lines = st.sampled_from(["line", "line", "line", "knock", "open", "bell", "pick", "pickall"])


class Counter(Setting):
    """Customers, pins."""

    # --- customers -------------------------------------------------------------------------------

    @rule(visitor=st.sampled_from(VISITORS), portal=lines, which=number, whom=staff)
    def ask(self, visitor: str, portal: str, which: int, whom: str) -> None:
        """A customer asks, perhaps for the second time, perhaps at a closed door."""
        kind, mode, subportals, _ = PORTALS[portal]
        line = subportals[which % len(subportals)]
        whom = self.likely(whom, which, [person.name for person in self.model.serving(line) if person.there])
        asked = self._asks_for(line, which)
        command = ops.RequestCreate(
            line, personal("why?"), representative=whom if kind == "pick" else None, skills=asked or None
        )
        who = self.visitor(visitor, portal)
        open_already = self.model.open_wish(who.person, portal)
        if open_already is not None:
            handled = self.carried_out(command, who)
            assert not handled.records
            found = (handled.value["request"], handled.value["existing"], handled.value["state"])
            assert found == (open_already.name, True, open_already.state)
            return
        code = self._closed(mode, line) or (self._cannot_pick(line, whom) if kind == "pick" else None)
        if mode == "queue":
            code = self._cannot_queue(line, asked)
        if code is not None:
            self.refused(code, command, who)
            return
        handled = self.carried_out(command, who)
        how = "queue" if mode == "queue" else HOW[kind]
        name = str(handled.value["request"])
        wanted = whom if kind == "pick" else None
        self.model.ask(Wish(name, who.person, portal, line, how, wanted, self.scene.now, asked))
        self.compare()
        assert handled.value["state"] == (self.model.wish(name).state if self.model.is_open(name) else "converted")

    @rule(visitor=st.sampled_from(VISITORS), which=number)
    def join_a_line(self, visitor: str, which: int) -> None:
        """The usual case."""
        self.ask(visitor, "line" if which % 3 else "knock", which, "ann")

    def _asks_for(self, line: str, which: int) -> list[str]:
        """Mostly skills that the sub-portal lists."""
        if line in PORTALS["line"][2] and which % 9 == 4:
            return ["none"]
        return self.model.row(line).asked[: which % 3]

    def _cannot_queue(self, line: str, asked: list[str]) -> Code | None:
        if not set(asked) <= set(self.model.row(line).asked):
            return Code.BAD_ARGS
        full = self.model.is_full(line) and self.model.first_rule(line) is None
        return Code.QUEUE_FULL if full else None

    def _closed(self, mode: str, line: str) -> Code | None:
        there = any(person.chosen != "offline" for person in self.model.serving(line))
        return None if there or mode != "web" else Code.WRONG_STATE

    def _cannot_pick(self, line: str, target: str) -> Code | None:
        found = [person for person in self.model.serving(line) if person.name == target]
        if not found:
            return Code.BAD_ARGS
        return None if found[0].there else Code.WRONG_STATE

    @precondition(lambda self: any(wish.how == "direct" for wish in self.model.wishes))
    @rule(which=number, whom=staff)
    def pick(self, which: int, whom: str) -> None:
        """The customer of a pick portal chooses (again)."""
        direct = [wish for wish in self.model.wishes if wish.how == "direct"]
        wish = direct[which % len(direct)]
        whom = self.likely(whom, which, [person.name for person in self.model.serving(wish.line) if person.there])
        command, who = (
            ops.RequestPick(wish.name, whom),
            Identity("acme", wish.visitor, customer("x").role, wish.portal),
        )
        code = Code.WRONG_STATE if wish.state != "waiting" else self._cannot_pick(wish.line, whom)
        if code is not None:
            self.refused(code, command, who)
            return
        self.carried_out(command, who)
        self.model.pick(wish.name, whom)
        self.compare()

    @precondition(lambda self: self.model.wishes)
    @rule(which=number)
    def withdraw(self, which: int) -> None:
        """A customer gives up; one who is talking must end the session instead."""
        wish = self.model.wishes[which % len(self.model.wishes)]
        who = Identity("acme", wish.visitor, customer("x").role, wish.portal)
        if wish.owner is not None:
            self.refused(Code.WRONG_STATE, ops.RequestWithdraw(wish.name), who)
            self.carried_out(ops.SessionEnd("s_" + wish.name[2:]), who)
        else:
            self.carried_out(ops.RequestWithdraw(wish.name), who)
        self.model.close(wish.name)
        self.compare()

    # --- pins ------------------------------------------------------------------------------------

    @rarely
    @rule(name=staff)
    def make_pin(self, name: str) -> None:
        """A representative makes a pin."""
        if not self.model.knows(name):
            self.refused(Code.NOT_ALLOWED, ops.PinCreate(), representative(name))
            return
        handled = self.carried_out(ops.PinCreate(), representative(name))
        pin, expires = str(handled.value["id"]), handled.value["expires"]
        assert isinstance(expires, int)
        assert handled.secret["pin"] not in self.digits.values()
        self.digits[pin] = str(handled.secret["pin"])
        self.model.pins.append((pin, name, expires))
        self.compare()

    @precondition(lambda self: self.digits)
    @rule(which=number, visitor=st.sampled_from(VISITORS), portal=st.sampled_from(["phone", "world", None]))
    def type_pin(self, which: int, visitor: str, portal: str | None) -> None:
        """A customer types a pin that is, or was, good."""
        pin = list(self.digits)[which % len(self.digits)]
        who, command = self.visitor(visitor, portal), ops.PinRedeem(self.digits[pin])
        at = portal or "world"
        live = [owner for name, owner, _ in self.model.pins if name == pin]
        if self.model.open_wish(who.person, at) is not None:
            self.refused(Code.WRONG_STATE, command, who)
        elif not live:
            self.refused(Code.PIN_INVALID, command, who)
        elif not (self.model.person(live[0]).connected and self.model.has_room(live[0], self.model.doors[at].places)):
            self.refused(Code.WRONG_STATE, command, who)
        else:
            name = str(self.carried_out(command, who).value["request"])
            self.model.ask(Wish(name, who.person, at, PORTALS[at][2][0], "pin", live[0], self.scene.now))
            self.model.assign(self.model.wish(name), live[0])
            self.model.forget_pin(pin)
        self.compare()

    @precondition(lambda self: self.digits)
    @rule(which=number)
    def revoke_pin(self, which: int) -> None:
        """Its maker revokes a pin."""
        pin = list(self.digits)[which % len(self.digits)]
        owner = self.scene.desk.state.pins[pin].representative
        if any(name == pin for name, _, _ in self.model.pins):
            self.carried_out(ops.PinRevoke(pin), representative(owner))
            self.model.forget_pin(pin)
        else:
            self.refused(Code.WRONG_STATE, ops.PinRevoke(pin), representative(owner))
        self.compare()
