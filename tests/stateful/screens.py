"""Screen shares: every step at any time by anybody, taken where the model says so and refused everywhere else (F9)."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from broker.codes import Code
from broker.desk.commands import MachineBack
from broker.desk.identity import Identity
from broker.protocol import ops
from tests.stateful.by_hand import ByHand
from tests.stateful.counter import number
from tests.support.builders import customer, representative
from tests.support.model_things import Sharing

LEGAL = {
    "requested": {"accept", "decline", "stop"},
    "accepted": {"confirm", "decline", "stop"},
    "negotiating": {"started", "ask_control", "control", "reboot", "stop"},
    "active": {"started", "ask_control", "control", "reboot", "stop"},
    "rebooting": {"control", "stop"},
}
"""The second copy of what may be asked for."""
BOTH, CUSTOMERS = ("started", "stop"), ("accept", "confirm", "decline", "control")
STEPS = (*BOTH, *CUSTOMERS, "ask_control", "reboot")
ALONG = ("accept", "confirm", "started", "ask_control", "control", "reboot", "stop")


def command_of(op: str, share: str, *, yes: bool) -> object:
    """The operation."""
    match op:
        case "accept":
            return ops.ShareAccept(share)
        case "confirm":
            return ops.ShareConfirm(share, control=yes)
        case "decline":
            return ops.ShareDecline(share)
        case "control":
            return ops.ShareControl(share, yes)
        case "started":
            return ops.ShareStarted(share)
        case "ask_control":
            return ops.ShareAskControl(share)
        case "reboot":
            return ops.ShareReboot(share)
        case _:
            return ops.ShareStop(share)


def allowed(share: Sharing, op: str, *, yes: bool) -> bool:
    """Whether this step is taken now, by the person whose it is."""
    if op not in LEGAL[share.state]:
        return False
    if op == "ask_control":
        return not share.control and share.asked is None
    if op == "control":
        return not yes or share.control or share.asked is not None
    return op != "reboot" or share.control


class Screens(ByHand):
    """Shares on top of what the others have."""

    @precondition(lambda self: any(wish.owner for wish in self.model.wishes))
    @rule(which=number, control=st.booleans())
    def ask_share(self, which: int, *, control: bool) -> None:
        """A representative asks for a screen, if it isn't shared already."""
        talking = [wish for wish in self.model.wishes if wish.owner is not None]
        wish = talking[which % len(talking)]
        command = ops.ShareRequest("s_" + wish.name[2:], control=control)
        if self.model.share_of(wish) is not None:
            self.refused(Code.WRONG_STATE, command, representative(wish.owner or ""))
            return
        handled = self.carried_out(command, representative(wish.owner or ""))
        self.model.ask_share(str(handled.value["share"]), wish, control=control)
        self.compare()

    @precondition(lambda self: self.model.shares)
    @rule(which=number, op=st.sampled_from(STEPS), yes=st.booleans(), side=st.booleans())
    def step_anyhow(self, which: int, op: str, *, yes: bool, side: bool) -> None:
        """Any step in any state."""
        self._step(self.model.shares[which % len(self.model.shares)], op, yes=yes, by_customer=side)

    @precondition(lambda self: self.model.shares)
    @rule(which=number, how=number, yes=st.booleans())
    def step_along(self, which: int, how: int, *, yes: bool) -> None:
        """A step that is possible: at random alone nobody would come far."""
        share = self.model.shares[which % len(self.model.shares)]
        able = [op for op in ALONG if allowed(share, op, yes=yes)]
        self._step(share, able[how % len(able)], yes=yes, by_customer=True)

    @precondition(lambda self: self.model.shares)
    @rule(which=number)
    def machine_back(self, which: int) -> None:
        """The hub says so once the customer asked for the media of a share that waits for a restart."""
        share = self.model.shares[which % len(self.model.shares)]
        self.carried_out(MachineBack(share.name))
        self.model.machine_back(share.name)
        self.compare()

    def _step(self, share: Sharing, op: str, *, yes: bool, by_customer: bool) -> None:
        theirs = by_customer if op in BOTH else op in CUSTOMERS
        who = Identity("acme", share.visitor, customer("x").role) if theirs else representative(share.owner)
        command = command_of(op, share.name, yes=yes)
        if not allowed(share, op, yes=yes):
            self.refused(Code.WRONG_STATE, command, who)
            return
        self.carried_out(command, who)
        same = op == "control" and yes == share.control and share.asked is None
        if not same and (op, share.state) != ("started", "active"):
            self.model.step(share.name, op, control=yes)
        self.compare()
