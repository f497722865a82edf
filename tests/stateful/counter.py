"""The first half of the desk machine: how a command goes to desk and model, what managers set up, what customers do."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from broker.codes import Code
from broker.desk.desk import Desk
from broker.desk.identity import Identity
from broker.desk.outcome import Handled, Refusal
from broker.protocol import ops
from broker.routing.policies import POLICIES
from broker.units import SECONDS
from tests.support.agreement import Stored, agree, replay, same_desk, stored
from tests.support.builders import START, customer, desk, manager, personal, representative
from tests.support.model import Model, Wish
from tests.support.scene import Scene

PORTALS = {
    "line": ("ask", "queue", ("x", "y"), "choose"),
    "knock": ("button", "queue", ("z",), "choose"),
    "open": ("ask", "web", ("w",), "choose"),
    "bell": ("button", "web", ("b",), "choose"),
    "pick": ("pick", "web", ("p",), "choose"),
    "pickall": ("pick", "web", ("q",), "broadcast"),
    "phone": ("pin", "phone", ("f",), "choose"),
    "world": ("global_pin", "phone", ("g",), "choose"),
}
HOW = {"ask": "broadcast", "button": "broadcast", "pick": "direct"}
SUBPORTALS = [name for _, _, names, _ in PORTALS.values() for name in names]
QUEUES = ["x", "y", "z"]
TEAMS = ["blue", "red"]
STAFF = ["ann", "bo", "cy", "di", "ed"]
VISITORS = [f"n{n}" for n in range(6)]

number = st.integers(0, 40)
serves = st.sets(st.sampled_from(SUBPORTALS), min_size=4).map(sorted)
lines = st.sampled_from(["line", "line", "line", "knock", "open", "bell", "pick", "pickall"])
staff = st.sampled_from(STAFF)
rarely = precondition(lambda self: self.scene.commands % 6 == 0)
capacities = st.integers(1, 3)


class Counter(RuleBasedStateMachine):
    """A desk and its model; configuration, customers, pins."""

    def __init__(self) -> None:
        super().__init__()
        self.scene = Scene()
        self.model = Model(now=START)
        self.stored: list[Stored] = []
        self.snapshot: tuple[int, Desk] = (0, desk())
        self.ended: list[str] = []
        self.digits: dict[str, str] = {}
        self.generation = 0

    # --- plumbing --------------------------------------------------------------------------------

    def tell(self, command: object, who: Identity | None = None) -> Handled | Refusal:
        """One command to the desk."""
        before = len(self.scene.records)
        outcome = self.scene.do(command, who)
        self.stored += [stored(record) for record in self.scene.records[before:]]
        return outcome

    def carried_out(self, command: object, who: Identity | None = None) -> Handled:
        """One that the model expects to be carried out."""
        outcome = self.tell(command, who)
        assert isinstance(outcome, Handled), f"{command}: {outcome}"
        return outcome

    def refused(self, code: Code, command: object, who: Identity | None = None) -> None:
        """One that the model expects to be refused."""
        outcome = self.tell(command, who)
        assert isinstance(outcome, Refusal), f"{command} was carried out"
        assert outcome.code is code, outcome

    def visitor(self, name: str, portal: str | None) -> Identity:
        """A customer. One who was forgotten never comes back under the same id: its token ran out before."""
        return customer(f"{name}.{self.generation}", portal)

    def likely(self, name: str, which: int, able: list[str]) -> str:
        """Mostly somebody with whom it works."""
        return able[which % len(able)] if able and which % 4 else name

    def compare(self) -> None:
        """The model's turn, and then both must agree."""
        known = {offer.name for offer in self.model.proposals}
        self.model.match()
        self.ended += sorted(known - {offer.name for offer in self.model.proposals})
        agree(self.scene.desk, self.model)

    def teardown(self) -> None:
        """F21."""
        same_desk(self.scene.desk, replay(desk(), self.stored))
        at, from_snapshot = self.snapshot
        same_desk(self.scene.desk, replay(from_snapshot, self.stored[at:]))

    def _note(self) -> None:
        """Keep what the scene did by itself."""
        self.stored += [stored(record) for record in self.scene.records[len(self.stored) :]]

    # --- configuration ---------------------------------------------------------------------------

    @initialize(blue=serves, red=serves, capacity=capacities)
    def begin(self, blue: list[str], red: list[str], capacity: int) -> None:
        """All portals, two teams, two representatives."""
        for name, (kind, mode, subportals, fallback) in PORTALS.items():
            self.carried_out(ops.PortalPut(name, kind, mode, subportals, pick_fallback=fallback), manager())
            self.model.portals[name] = (kind, mode, 20 * SECONDS, fallback == "broadcast")
        for team, serving in (("blue", [*blue, "x"]), ("red", [*red, "x"])):
            self.put_team(team, serving)
        for name, team in (("ann", "blue"), ("bo", "red"), ("cy", "red")):
            self.put_person(name, team, capacity)
            self.choose(name, "available", hand_back=False)

    @rarely
    @rule(team=st.sampled_from(TEAMS), serving=serves)
    def put_team(self, team: str, serving: list[str]) -> None:
        """A team serves other sub-portals."""
        self.carried_out(ops.TeamPut(team, serving), manager())
        self.model.put_team(team, serving)
        self.compare()

    @rarely
    @rule(line=st.sampled_from(SUBPORTALS), weight=st.integers(1, 5), policy=st.sampled_from(sorted(POLICIES)))
    def put_line(self, line: str, weight: int, policy: str) -> None:
        """A sub-portal's share and policy become others."""
        self.carried_out(ops.SubportalPut(line, weight, policy), manager())
        self.model.put_line(line, weight, policy)
        self.compare()

    @rarely
    @rule(name=staff, team=st.sampled_from(TEAMS), capacity=capacities)
    def put_person(self, name: str, team: str, capacity: int) -> None:
        """A representative comes, moves, or may take more or less."""
        known = [person for person in self.model.people if person.name == name]
        if known and len(self.model.held(name)) > capacity:
            self.scene.lowered.add(name)
        self.carried_out(ops.RepresentativePut(name, personal(name), team, capacity), manager())
        self.model.put_person(name, team, capacity)
        self.compare()

    # --- customers -------------------------------------------------------------------------------

    @rule(visitor=st.sampled_from(VISITORS), portal=lines, which=number, whom=staff)
    def ask(self, visitor: str, portal: str, which: int, whom: str) -> None:
        """A customer asks, perhaps for the second time, perhaps at a closed door."""
        kind, mode, subportals, _ = PORTALS[portal]
        line = subportals[which % len(subportals)]
        whom = self.likely(whom, which, [person.name for person in self.model.serving(line) if person.there])
        command = ops.RequestCreate(line, personal("why?"), representative=whom if kind == "pick" else None)
        who = self.visitor(visitor, portal)
        open_already = self.model.open_wish(who.person, portal)
        if open_already is not None:
            handled = self.carried_out(command, who)
            assert not handled.records
            found = (handled.value["request"], handled.value["existing"], handled.value["state"])
            assert found == (open_already.name, True, open_already.state)
            return
        if (
            code := self._closed(mode, line) or (self._cannot_pick(line, whom) if kind == "pick" else None)
        ) is not None:
            self.refused(code, command, who)
            return
        handled = self.carried_out(command, who)
        how = "queue" if mode == "queue" else HOW[kind]
        name = str(handled.value["request"])
        wanted = whom if kind == "pick" else None
        self.model.ask(Wish(name, who.person, portal, line, how, wanted, self.scene.now))
        self.compare()
        assert handled.value["state"] == self.model.wish(name).state

    @rule(visitor=st.sampled_from(VISITORS), which=number)
    def join_a_line(self, visitor: str, which: int) -> None:
        """The usual case."""
        self.ask(visitor, "line" if which % 3 else "knock", which, "ann")

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

    @rule(name=staff, presence=st.sampled_from(["available", "available", "away", "offline"]), hand_back=st.booleans())
    def choose(self, name: str, presence: str, hand_back: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """A representative comes, goes, or has a break."""
        command = ops.PresenceSet(presence, sessions="hand_back" if hand_back else "keep")
        if not any(person.name == name for person in self.model.people):
            self.refused(Code.NO_SUCH, command, representative(name))
            return
        if presence == "offline" and self.model.held(name) and not hand_back:
            self.refused(Code.WRONG_STATE, command, representative(name))
            return
        self.carried_out(command, representative(name))
        person = self.model.person(name)
        if (person.chosen, person.connected) != (presence, True):
            self.model.choose(name, presence)
        self.compare()

    # --- pins ------------------------------------------------------------------------------------

    @rarely
    @rule(name=staff)
    def make_pin(self, name: str) -> None:
        """A representative makes a pin."""
        if not any(person.name == name for person in self.model.people):
            self.refused(Code.NO_SUCH, ops.PinCreate(), representative(name))
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
        elif (
            not self.model.person(live[0]).connected
            or self.model.places(live[0]) >= self.model.person(live[0]).capacity
        ):
            self.refused(Code.WRONG_STATE, command, who)
        else:
            name = str(self.carried_out(command, who).value["request"])
            self.model.ask(Wish(name, who.person, at, PORTALS[at][2][0], "pin", live[0], self.scene.now))
            self.model.wish(name).state, self.model.wish(name).owner = "assigned", live[0]
            self.model.person(live[0]).idle_since = self.scene.now
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
