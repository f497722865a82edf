"""Everything that may happen to a desk, at random, beside a naive model that searches plain lists.

After every step the invariants hold (F1, F2, F4, F5, F6, F16, F17, F18, F22, F23), the history shows nothing forbidden
(F3 too), and desk and model agree on who is offered what, on states, places and deadlines. At the end the desk is
rebuilt from its packed records, and from a packed snapshot and the records after it (F21); on the way it is now and
then replaced by what its own snapshot loads.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.protocol import ops
from broker.units import HOURS
from tests.stateful.counter import number
from tests.stateful.screens import Screens
from tests.stateful.setting import QUEUES, SUBPORTALS, rarely, staff
from tests.support.agreement import agree, reloaded
from tests.support.builders import representative
from tests.support.model_things import Wish


class DeskMachine(Screens):
    """Offers, representatives, sessions and time on top of what the others have."""

    # --- offers ----------------------------------------------------------------------------------

    @precondition(lambda self: self.model.proposals)
    @rule(which=number)
    def accept_as_asked(self, which: int) -> None:
        """Somebody who may accept does."""
        offer = self.model.proposals[which % len(self.model.proposals)]
        wish = self.model.wish(offer.wish)
        asked = self.model.serving(offer.line or wish.line)
        could = [one.name for one in asked if self.model.takes(one.name, wish) and one.name != wish.owner]
        if offer.to is not None or could:
            self.accept(which, offer.to or could[which % len(could)])

    @precondition(lambda self: self.model.proposals)
    @rule(which=number, name=staff)
    def accept(self, which: int, name: str) -> None:
        """Anybody accepts anything."""
        offer = self.model.proposals[which % len(self.model.proposals)]
        command, who = ops.OfferAccept(offer.name), representative(name)
        code = self._not_for(offer.name, name)
        wish = self.model.wish(offer.wish)
        if code is None and offer.to is None and (name == wish.owner or not self.model.takes(name, wish)):
            code = Code.WRONG_STATE
        if code is not None:
            self.refused(code, command, who)
            return
        self.carried_out(command, who)
        self.model.accept(offer.name, name)
        self.compare()

    @precondition(lambda self: self.model.proposals)
    @rule(which=number, name=staff)
    def decline(self, which: int, name: str) -> None:
        """Anybody declines anything."""
        offer = self.model.proposals[which % len(self.model.proposals)]
        name = offer.to or name
        command, who = ops.OfferDecline(offer.name, "busy"), representative(name)
        if (code := self._not_for(offer.name, name)) is not None:
            self.refused(code, command, who)
            return
        self.carried_out(command, who)
        self.model.decline(offer.name, name)
        self.compare()

    def _not_for(self, offer_name: str, name: str) -> Code | None:
        offer = next(offer for offer in self.model.proposals if offer.name == offer_name)
        if not self.model.knows(name):
            return Code.NOT_ALLOWED
        if offer.to is not None:
            return None if offer.to == name else Code.NO_SUCH
        serving = self.model.serving(offer.line or self.model.wish(offer.wish).line)
        return None if any(p.name == name and p.chosen != "offline" for p in serving) else Code.NO_SUCH

    @precondition(lambda self: self.ended)
    @rule(which=number, name=staff)
    def accept_late(self, which: int, name: str) -> None:
        """An offer that has ended is gone for everybody."""
        self.refused(Code.OFFER_GONE, ops.OfferAccept(self.ended[which % len(self.ended)]), representative(name))

    # --- representatives -------------------------------------------------------------------------

    @rarely
    @rule(name=staff)
    def lose_representative(self, name: str) -> None:
        """A cable is cut."""
        self.lose(name)

    @precondition(lambda self: self.model.wishes or self.model.shares)
    @rule(which=number)
    def lose_customer(self, which: int) -> None:
        """A phone has no signal."""
        busy = self.model.busy()
        self.lose(busy[which % len(busy)])

    def lose(self, name: str) -> None:
        """To the desk and to the model."""
        self.scene.lose(name)
        self._note()
        self.model.lose(name)
        self.compare()

    @rule(name=staff)
    def representative_back(self, name: str) -> None:
        """And mended."""
        self.back(name)

    @precondition(lambda self: self.model.lost)
    @rule(which=number)
    def customer_back(self, which: int) -> None:
        """Out of the tunnel."""
        self.back(sorted(self.model.lost)[which % len(self.model.lost)])

    def back(self, name: str) -> None:
        """To the desk and to the model."""
        self.scene.back(name)
        self._note()
        self.model.back(name)
        self.compare()

    @rarely
    @rule()
    def restart(self) -> None:
        """The broker starts anew, out of its snapshot."""
        self.scene.desk = reloaded(self.scene.desk)
        self.scene.restart()
        self._note()
        self.model.start()
        self.compare()

    @precondition(lambda self: any(wish.owner for wish in self.model.wishes))
    @rule(which=number, how=st.sampled_from(["end", "leave", "transfer", "to all"]), to=staff)
    def act_in_session(self, which: int, how: str, to: str) -> None:
        """A representative ends a session, hands it back, or offers it to another."""
        talking = [wish for wish in self.model.wishes if wish.owner is not None]
        wish = talking[which % len(talking)]
        owner, session = wish.owner or "", "s_" + wish.name[2:]
        able = [person.name for person in self.model.people if self.model.takes(person.name, wish)]
        able = [name for name in able if name != owner]
        to = self.likely(to, which, able)
        if how == "end":
            self.carried_out(ops.SessionEnd(session), representative(owner))
            self.model.close(wish.name)
        elif how == "leave" and wish.how == "pin":
            self.refused(Code.WRONG_STATE, ops.SessionLeave(session), representative(owner))
        elif how == "leave":
            self.carried_out(ops.SessionLeave(session), representative(owner))
            self.model.leave(wish.name)
        elif how == "to all":
            self._transfer_to_all(wish, owner, SUBPORTALS[which % len(SUBPORTALS)])
        else:
            self._transfer(wish, owner, to)
        self.compare()

    def _transfer_to_all(self, wish: Wish, owner: str, line: str) -> None:
        command = ops.SessionTransfer("s_" + wish.name[2:], subportal=line)
        offered = any(offer.wish == wish.name for offer in self.model.proposals)
        if offered or not any(one.there and one.name != owner for one in self.model.serving(line)):
            self.refused(Code.WRONG_STATE, command, representative(owner))
            return
        self.carried_out(command, representative(owner))
        self.model.transfer(wish.name, None, line)

    def _transfer(self, wish: Wish, owner: str, to: str) -> None:
        command = ops.SessionTransfer("s_" + wish.name[2:], to)
        code = None
        if any(offer.wish == wish.name for offer in self.model.proposals):
            code = Code.WRONG_STATE
        elif to == owner or not self.model.knows(to):
            code = Code.BAD_ARGS
        elif not self.model.takes(to, wish):
            code = Code.WRONG_STATE
        if code is not None:
            self.refused(code, command, representative(owner))
            return
        self.carried_out(command, representative(owner))
        self.model.transfer(wish.name, to)

    # --- time ------------------------------------------------------------------------------------

    @rule(ms=st.one_of(st.integers(1, 1000), st.sampled_from([5000, 10_000, 20_000, 60_000, 130_000])))
    def wait(self, ms: int) -> None:
        """Time passes; every deadline on the way comes at its moment."""
        until = self.scene.now + ms
        while (due := self.scene.fire(until)) is not None:
            self.model.now = self.scene.now
            self._note()
            if due[1] == "visitors":
                self.generation += 1
            else:
                self.model.fire(due[1], due[2])
            self.compare()
        self.model.now = self.scene.now

    @rarely
    @rule(line=st.sampled_from(QUEUES), ms=st.sampled_from([1, 6000]))
    def go_home(self, line: str, ms: int) -> None:
        """Nobody serves a line any more."""
        for person in self.model.serving(line):
            self.choose(person.name, "offline", hand_back=True)
        self.wait(ms)

    @rarely
    @precondition(
        lambda self: not any(wish.how == "queue" for wish in self.model.wishes)
    )  # it would be offered 600 times
    @rule(hours=st.sampled_from([1, 5, 26]))
    def wait_long(self, hours: int) -> None:
        """Pins expire, visitors are forgotten."""
        self.wait(hours * HOURS)

    @rarely
    @rule()
    def snapshot_now(self) -> None:
        """The desk is taken over by what its snapshot loads; a copy is kept for the end."""
        self.snapshot = (len(self.stored), reloaded(self.scene.desk))
        self.scene.desk = reloaded(self.scene.desk)
        agree(self.scene.desk, self.model)


TestDeskMachine = DeskMachine.TestCase
TestDeskMachine.settings = settings(stateful_step_count=40, max_examples=settings().max_examples * 3 // 5)
