"""Guests who come, look at a shared screen and go, at random, beside a naive model of who looks by which leg.

One session of Carl's with Ann; Bo and Cy are its guests now and then. The model knows two rules: who has a leg (a guest
who asked for it while the share was under way and the function on, until anything of that ends), and how legs are
numbered. The invariants are checked after every command, and replay at the end.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, invariants, legs, watching
from broker.desk.outcome import Refusal
from broker.desk.rules import EVOLVE
from broker.desk.state import Share, State
from broker.desk.watching import Side
from broker.protocol import ops
from broker.units import MINUTES, SECONDS
from tests.support.agreement import reloaded, replay, same_desk, stored
from tests.support.builders import desk, manager, personal, representative
from tests.support.scene import Scene, office
from tests.support.shares import ANN, CARL, SESSION, switch

Patch = pytest.MonkeyPatch
NAMES = st.sampled_from(["bo", "cy"])
YES = st.booleans()
UNDER_WAY = ("negotiating", "active")


class Looking(RuleBasedStateMachine):
    """What may happen, and what is to come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene = office("ann", "bo", "cy")
        switch(self.scene)
        self.scene.assign("carl", "ann")
        self.guests: dict[str, bool] = {}
        """Name to whether it is there to view only."""
        self.legs: dict[str, str] = {}
        self.off = set[str]()
        """For whom screen_share is off."""
        self.number = 0
        """Of the share's legs so far."""

    @property
    def share(self) -> Share | None:
        """Carl's and Ann's."""
        return next(iter(self.scene.desk.state.shares.values()), None)

    # --- the session -----------------------------------------------------------------------------------

    @rule(name=NAMES, view_only=YES, masked=YES)
    def come(self, name: str, *, view_only: bool, masked: bool) -> None:
        """Ann asks somebody in."""
        if name in self.guests:
            return
        asked = self.scene.ok(ops.SessionInvite(SESSION, name, view_only=view_only, masked=masked), ANN)
        self.scene.accept(str(asked.value["offer"]), name)
        self.guests[name] = view_only

    @rule(name=NAMES, how=st.sampled_from(["leaves", "removed", "offline", "lost", "has it", "portal", "wait"]))
    def disturb(self, name: str, how: str) -> None:
        """Of what ends much, something, now and then."""
        if how == "has it":
            self._transfer(name)
        elif how == "portal":
            self._switch_portal(name)
        elif how == "wait":
            self._let(30 * SECONDS if name == "bo" else 11 * MINUTES)
        elif name in self.guests:
            self._go(name, how)

    def _go(self, name: str, how: str) -> None:
        match how:
            case "leaves":
                self.scene.ok(ops.SessionLeave(SESSION), representative(name))
            case "removed":
                self.scene.ok(ops.SessionRemove(SESSION, name), ANN)
            case "offline":
                self.scene.set(name, "offline", "hand_back")
                self.scene.set(name, "available")
            case _:
                self.scene.lose(name)
                self._let(70 * SECONDS)
                self.scene.back(name)
                self.scene.set(name, "available")
        self._gone(name)

    def _gone(self, *names: str) -> None:
        for name in names:
            self.guests.pop(name, None)
            self.legs.pop(name, None)

    def _transfer(self, to: str) -> None:
        """To a colleague, and back: whoever has the share loses it."""
        asked = self.scene.ok(ops.SessionTransfer(SESSION, to), ANN)
        self.scene.accept(str(asked.value["offer"]), to)
        self._gone(to)
        self.legs.clear()
        asked = self.scene.ok(ops.SessionTransfer(SESSION, "ann"), representative(to))
        self.scene.accept(str(asked.value["offer"]), "ann")

    # --- the share -------------------------------------------------------------------------------------

    @rule(control=YES, steps=st.sampled_from([0, 1, 2, 2, 3, 3]))
    def agree(self, steps: int, *, control: bool) -> None:
        """Ann asks, Carl says yes, as far as that goes."""
        if self.share is not None:
            return
        share = str(self.scene.ok(ops.ShareRequest(SESSION, control=control), ANN).value["share"])
        self.number = 0
        for step in (ops.ShareAccept(share), ops.ShareConfirm(share, control=control), ops.ShareStarted(share))[:steps]:
            self.scene.ok(step, CARL)

    @precondition(lambda self: self.share is not None)
    @rule(by=st.sampled_from([ANN, CARL]))
    def end(self, by: object) -> None:
        """Either end stops it."""
        assert self.share is not None
        self.scene.ok(ops.ShareStop(self.share.share), ANN if by is ANN else CARL)
        self.legs.clear()

    @precondition(lambda self: self.share is not None and self.share.control and self.share.state in UNDER_WAY)
    @rule(back=YES)
    def restart(self, *, back: bool) -> None:
        """Carl's machine restarts."""
        assert self.share is not None
        self.scene.ok(ops.ShareReboot(self.share.share), ANN)
        self.legs.clear()
        if back:
            self.scene.machine_back(self.share.share)

    def _let(self, ms: int) -> None:
        """Time passes: what isn't done in time is over."""
        before = self.share
        self.scene.pass_time(ms)
        if before is not None and self.share is None:
            self.legs.clear()

    # --- looking ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.share is not None)
    @rule(name=NAMES)
    def look(self, name: str) -> None:
        """Somebody asks for its media."""
        assert self.share is not None
        share = self.share
        found = self.scene.desk.share_to_join(representative(name), share.share)
        if name not in self.guests:
            assert isinstance(found, Refusal)
            assert found.code is Code.NO_SUCH
        elif share.state not in UNDER_WAY:
            assert isinstance(found, Refusal)
            assert found.code is Code.WRONG_STATE
        elif name in self.off:
            assert isinstance(found, Refusal)
            assert found.code is Code.NOT_ALLOWED
        else:
            side = self.scene.look(name, share.share)
            if name not in self.legs:
                self.number += 1
                self.legs[name] = f"{share.share}.{self.number}"
            assert (side.side, side.leg) == ("guest", self.legs[name])
            assert side.control is (share.control and not self.guests[name])

    @precondition(lambda self: self.share is not None)
    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        """A guest looks no more."""
        assert self.share is not None
        if name in self.guests:
            self.scene.ok(ops.ShareStop(self.share.share), representative(name))
            self.legs.pop(name, None)
        else:
            self.scene.refused(ops.ShareStop(self.share.share), representative(name), Code.NO_SUCH)

    @rule(name=NAMES, on=YES)
    def switch(self, name: str, *, on: bool) -> None:
        """screen_share goes on or off for somebody."""
        command = ops.RepresentativePut(name, personal(name), "blue", 1, functions={"screen_share": on})
        self.scene.ok(command, manager())
        self.off.discard(name)
        if not on:
            self.off.add(name)
            self.legs.pop(name, None)

    def _switch_portal(self, name: str) -> None:
        """Something goes off at the portal, and on again; file_transfer the other way round."""
        function = {"bo": "screen_share", "cy": "collaboration"}[name]
        switch(self.scene, file_transfer=True)
        switch(self.scene, **{function: False})
        if function == "screen_share":
            self.legs.clear()
        if function == "collaboration":
            self._gone("bo", "cy")
        switch(self.scene)

    # --- always ----------------------------------------------------------------------------------------

    @invariant()
    def the_same_look(self) -> None:
        """Those of the model, by the same legs; and the hub relays on these."""
        members = self.scene.desk.state.sessions[SESSION].members
        assert members.keys() == self.guests.keys()
        assert {name: member.leg for name, member in members.items() if member.leg is not None} == self.legs
        relayed = {leg: name for *_, guests in self.scene.desk.shares() for leg, name in guests}
        assert relayed == {leg: name for name, leg in self.legs.items()}

    def teardown(self) -> None:
        """A restart changes nothing."""
        same_desk(self.scene.desk, reloaded(self.scene.desk))
        same_desk(self.scene.desk, replay(desk(), [stored(record) for record in self.scene.records]))


TestLooking = pytest.mark.slow(Looking.TestCase)
TestLooking.settings = settings(stateful_step_count=30, max_examples=settings().max_examples // 2)


# --- planted faults ----------------------------------------------------------------------------------


def a_leg_outlives_its_share(patch: Patch) -> None:
    patch.setattr(legs, "all_done", lambda session: None)


def one_who_stops_goes_on(patch: Patch) -> None:
    patch.setitem(EVOLVE, e.ShareUnwatched, lambda state, event, t: None)


def numbers_are_given_again(patch: Patch) -> None:
    def watched(state: State, event: e.ShareWatched, t: int) -> None:
        member = state.sessions[event.session].members[event.representative]
        member.leg, member.functions = event.leg, event.functions

    patch.setitem(EVOLVE, e.ShareWatched, watched)


def what_is_switched_off_goes_on(patch: Patch) -> None:
    patch.setattr(functions, "_watching", lambda *_: ())


def everybody_controls(patch: Patch) -> None:
    patch.setattr(watching, "side", lambda share, member: Side("guest", member.leg, True, share.functions))


def looked_at_before_consent(patch: Patch) -> None:
    patch.setattr(watching, "join", lambda state, share, who: share)


FAULTS = [
    a_leg_outlives_its_share,
    one_who_stops_goes_on,
    numbers_are_given_again,
    what_is_switched_off_goes_on,
    everybody_controls,
    looked_at_before_consent,
]


@pytest.mark.slow
@pytest.mark.parametrize("plant", FAULTS)
def test_caught_by_the_model_alone(monkeypatch: Patch, plant: Callable[[Patch], None]) -> None:
    monkeypatch.setattr(invariants, "check", lambda state, *, lowered=(): None)
    plant(monkeypatch)
    quickly = settings(max_examples=2000, stateful_step_count=30, phases=[Phase.generate], derandomize=True)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Looking, settings=quickly)
