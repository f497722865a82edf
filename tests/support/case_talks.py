"""What representatives of the case machine do beside cases: they come and go, and talk with customers."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.desk.outcome import Handled
from broker.protocol import ops
from tests.support.builders import representative
from tests.support.case_customers import STAFF, CaseCustomers, number
from tests.support.case_ground import MIA
from tests.support.case_things import Dossier

staff = st.sampled_from([*STAFF[:3], *STAFF[:3], *STAFF[:3], *STAFF])


class CaseTalks(CaseCustomers):
    """Presence and conversations."""

    # --- presence --------------------------------------------------------------------------------

    @rule(name=staff, presence=st.sampled_from(["available", "available", "away", "offline"]), back=st.booleans())
    def choose(self, name: str, presence: str, back: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """A representative comes, goes, or has a break."""
        command = ops.PresenceSet(presence, sessions="hand_back" if back else "keep")
        clerk = self.model.clerks.get(name)
        if clerk is None:
            self.refused(Code.NOT_ALLOWED, command, representative(name))
            return
        if presence == "offline" and self.model.talking(name) and not back:
            self.refused(Code.WRONG_STATE, command, representative(name))
            return
        self.carried_out(command, representative(name))
        self.model.choose(name, presence)
        self.compare()

    @rule(which=number, back=st.booleans())
    def cut_or_mend(self, which: int, back: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """A cable is cut, or mended."""
        people = [*self.model.clerks, *self.model.busy()]
        lost = [*self.model.lost, *(clerk.name for clerk in self.model.clerks.values() if not clerk.connected)]
        chosen = lost if back and lost else people
        self.connect(chosen[which % len(chosen)], back=back)

    def come_or_go(self, name: str, team: str) -> None:
        """A representative is hired, or leaves for good: its name is never given again."""
        if name in self.model.clerks and len(self.model.clerks) > 1:
            former = str(self.carried_out(ops.RepresentativeDelete(name), MIA).value["former"])
            self.lose_text(self.model.clerks[name].called)
            self.model.leave_for_good(name, former)
        elif name not in self.model.clerks and name not in self.model.former:
            self.hire(name, team, 2)
        self.compare()

    # --- conversations ---------------------------------------------------------------------------

    @precondition(lambda self: self.scene.desk.state.offers)
    @rule(which=number, name=staff)
    def accept(self, which: int, name: str) -> None:
        """Somebody who was asked says yes."""
        offers = list(self.scene.desk.state.offers.values())
        offer = offers[which % len(offers)]
        one = self.model.find(offer.request)
        name = offer.representative or name
        command = ops.OfferAccept(offer.offer)
        if offer.representative is None:
            clerk = self.model.clerks.get(name)
            asked = clerk is not None and clerk in self.model.serving(offer.subportal or one.line)
            if clerk is None or not asked or not clerk.there or self.full(name) or name == one.who:
                outcome = self.tell(command, representative(name))
                assert not isinstance(outcome, Handled), f"{name} has accepted {offer}"
                return
        self.carried_out(command, representative(name))
        self.model.assign(one, name, "transferred" if offer.kind == "transfer" else "assigned")
        self.compare()

    @precondition(lambda self: self.scene.desk.state.offers)
    @rule(which=number)
    def decline(self, which: int) -> None:
        """Somebody who was asked says no; that is no matter of the case."""
        offers = list(self.scene.desk.state.offers.values())
        offer = offers[which % len(offers)]
        clerks = [offer.representative] if offer.representative else sorted(self.model.clerks)
        self.tell(ops.OfferDecline(offer.offer, "busy"), representative(str(clerks[which % len(clerks)])))
        self.compare()

    @precondition(lambda self: self.model.talking())
    @rule(which=number, to=staff, how=st.sampled_from(["end", "leave", "leave", "transfer", "transfer", "to all"]))
    def act(self, which: int, to: str, how: str) -> None:
        """Whoever has a conversation ends it, hands it back, or asks others to take it."""
        one = self.model.talking()[which % len(self.model.talking())]
        who = representative(one.who or "")
        text = self.text("comment")
        match how:
            case "end":
                self.carried_out(ops.SessionEnd(one.session), who)
                self.model.close(one)
            case "leave" if one.pin:
                self.refused(Code.WRONG_STATE, ops.SessionLeave(one.session), who)
            case "leave":
                self.carried_out(ops.SessionLeave(one.session), who)
                self.model.requeue(one)
            case _:
                whom = {"representative": to} if how == "transfer" else {"subportal": one.line}
                if isinstance(self.tell(ops.SessionTransfer(one.session, comment=text, **whom), who), Handled):
                    self.keep(text)
                    one.said.add(text.ref[0])
        self.compare()

    @precondition(lambda self: self.model.dossiers)
    @rule(which=number, what=st.sampled_from(["write", "write", "rate", "message", "note", "outcome"]))
    def speak(self, which: int, what: str) -> None:
        """Somebody says something: the customer, or staff."""
        one = self.likely(which, [one for one in self.model.dossiers if one.live or (one.had and what != "write")])
        if what == "write":
            self.write(one)
        elif what == "rate":
            self.rate(one, 1 + which % 5)
        else:
            self.say(one, what)

    def say(self, one: Dossier, what: str) -> None:
        """Whoever has, or had, a conversation writes something."""
        text = self.text(what)
        command: object = ops.SessionOutcome(one.session, "resolved", text)
        if what != "outcome":
            command = (ops.ChatSend if what == "message" else ops.NoteAdd)(one.session, text)
        outcome = self.tell(command, representative(one.who or "ann"))
        if isinstance(outcome, Handled):
            self.keep(text)
            one.said.add(text.ref[0])
            one.outcome = "resolved" if what == "outcome" else one.outcome
        self.compare()
