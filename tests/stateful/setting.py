"""The ground of the desk machine: how a command goes to desk and model, and what managers set up."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
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
from tests.support.model import Model
from tests.support.model_things import Door, Elsewhere, Row
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
SKILLS = ["de", "fr"]
CLASSES = [("urgent", 60 * SECONDS), ("vip", 7 * SECONDS)]

serves = st.sets(st.sampled_from(SUBPORTALS), min_size=4).map(sorted)
staff = st.sampled_from(STAFF)
rarely = precondition(lambda self: self.scene.commands % 6 == 0)
capacities = st.integers(1, 3)
weights = st.integers(1, 5)
levels = st.sampled_from([20, 50, 80])
skills = st.dictionaries(st.sampled_from(SKILLS), levels)
patience = st.sampled_from([None, None, 1, 2])
doors = st.builds(
    Door,
    offer_ms=st.sampled_from([20 * SECONDS, 7 * SECONDS]),
    places=st.integers(1, 2),
    wrap_up=st.sampled_from([0, 5 * SECONDS, 40 * SECONDS]),
    classes=st.lists(st.sampled_from(CLASSES), unique=True).map(tuple),
    take=st.sampled_from(["off", "head", "any", "any"]),
)
elsewhere = st.one_of(
    st.builds(
        Elsewhere,
        st.just("wait"),
        st.sampled_from([4 * SECONDS, 20 * SECONDS, 50 * SECONDS]),
        st.sampled_from([None, *QUEUES, *QUEUES]),
    ),
    st.builds(Elsewhere, st.just("length"), st.integers(1, 3), st.sampled_from([None, *QUEUES, *QUEUES])),
    st.builds(Elsewhere, st.just("staffing"), st.just(0), st.sampled_from([None, *QUEUES, *QUEUES])),
)
rows = st.builds(
    Row,
    weight=weights,
    policy=st.sampled_from(sorted(POLICIES)),
    most=st.sampled_from([200_000, 200_000, 2, 4]),
    skills=st.lists(st.tuples(st.sampled_from(SKILLS), levels, st.booleans()), unique_by=lambda one: one[0]).map(tuple),
    relax=st.sampled_from([(), ((5 * SECONDS, 30),), ((3 * SECONDS, 30), (25 * SECONDS, 60)), ((8 * SECONDS, 100),)]),
    sticky=st.sampled_from([0, 6 * SECONDS, 60 * SECONDS]),
    overflow=st.lists(elsewhere, max_size=3).map(tuple),
)


def portal_put(name: str, door: Door) -> ops.PortalPut:
    """The command that makes a portal like this. Of what is as by default, nothing is said."""
    kind, mode, subportals, fallback = PORTALS[name]
    return ops.PortalPut(
        name,
        kind,
        mode,
        subportals,
        offer_ms=door.offer_ms,
        pick_fallback=fallback,
        places=None if door.places == 1 else door.places,
        wrap_up_ms=door.wrap_up or None,
        classes=[{"class": class_, "boost_ms": boost} for class_, boost in door.classes] or None,
        take=None if door.take == "off" else door.take,
        functions={"control": True, "reboot": True},
    )


def subportal_put(name: str, row: Row) -> ops.SubportalPut:
    """The command that makes a sub-portal like this."""
    return ops.SubportalPut(
        name,
        row.weight,
        row.policy,
        row.most,
        skills=[
            {"skill": skill, "level": level, "asked": True} if asked else {"skill": skill, "level": level}
            for skill, level, asked in row.skills
        ]
        or None,
        relax=[{"after_ms": after, "less": less} for after, less in row.relax] or None,
        sticky_ms=row.sticky or None,
        overflow=[_rule(one) for one in row.overflow] or None,
    )


def _rule(one: Elsewhere) -> dict[str, object]:
    found: dict[str, object] = {"on": one.on}
    if one.on != "staffing":
        found["after_ms" if one.on == "wait" else "length"] = one.at
    if one.to is not None:
        found["to"] = one.to
    return found


BAD = [
    attrs.evolve(portal_put("line", Door()), classes=[{"class": "normal", "boost_ms": 1000}]),
    attrs.evolve(portal_put("line", Door()), classes=[{"class": "vip", "boost_ms": 1000}] * 2),
    ops.SubportalPut("x", relax=[{"after_ms": 5000, "less": 10}, {"after_ms": 5000, "less": 20}]),
    ops.SubportalPut("x", relax=[{"after_ms": 5000, "less": 20}, {"after_ms": 9000, "less": 20}]),
    ops.SubportalPut("x", overflow=[{"on": "wait", "to": "y"}]),
    ops.SubportalPut("x", overflow=[{"on": "length", "to": "y"}]),
    ops.RepresentativePut("ann", personal("ann"), "blue", 1, skills=[{"skill": "de", "level": 20}] * 2),
]
"""What a manager may not say."""


class Setting(RuleBasedStateMachine):
    """A desk and its model; configuration."""

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

    @initialize(
        blue=serves,
        red=serves,
        capacity=capacities,
        special=st.one_of(st.just({}), st.dictionaries(st.sampled_from(["line", "knock", "open", "pick"]), doors)),
        configured=st.one_of(st.just({}), st.dictionaries(st.sampled_from(QUEUES), rows)),
        able=skills,
    )
    def begin(
        self,
        blue: list[str],
        red: list[str],
        capacity: int,
        special: Mapping[str, Door],
        configured: Mapping[str, Row],
        able: Mapping[str, int],
    ) -> None:
        """All portals, two teams, three representatives."""
        for name in PORTALS:
            self.put_portal(name, special.get(name, Door()))
        for line, row in configured.items():
            self.put_line(line, row)
        for team, serving in (("blue", [*blue, "x"]), ("red", [*red, "x"])):
            self.put_team(team, serving, away_after=None)
        for name, team in (("ann", "blue"), ("bo", "red"), ("cy", "red")):
            self.put_person(name, team, capacity, weight=1, able=able if name == "ann" else {"de": 50})
            self.choose(name, "available", hand_back=False)

    @rarely
    @rule(name=st.sampled_from(sorted(PORTALS)), special=doors)
    def put_portal(self, name: str, special: Door) -> None:
        """A portal works in other ways from now on; how many places a session takes doesn't change under one."""
        kind, mode, _, fallback = PORTALS[name]
        door = attrs.evolve(special, kind=kind, mode=mode, broadcast=fallback == "broadcast")
        now = self.model.doors.get(name, door)
        if now.places != door.places and any(wish.portal == name for wish in self.model.wishes):
            self.refused(Code.WRONG_STATE, portal_put(name, door), manager())
        else:
            self.carried_out(portal_put(name, door), manager())
            self.model.doors[name] = door
        self.compare()

    @rarely
    @rule(team=st.sampled_from(TEAMS), serving=serves, away_after=patience)
    def put_team(self, team: str, serving: list[str], away_after: int | None) -> None:
        """A team serves other sub-portals."""
        self.carried_out(ops.TeamPut(team, serving, away_after=away_after), manager())
        self.model.put_team(team, serving, away_after)
        self.compare()

    @rarely
    @rule(line=st.sampled_from([*SUBPORTALS, *QUEUES]), row=rows)
    def put_line(self, line: str, row: Row) -> None:
        """A sub-portal's share and policy become others, and what it does with those who come there."""
        others = [line, *(name for name in QUEUES if name != line)]
        elsewhere = [attrs.evolve(one, to=one.to and others[1 + QUEUES.index(one.to) % 2]) for one in row.overflow]
        row = attrs.evolve(row, overflow=tuple(elsewhere) if line in QUEUES else ())
        self.carried_out(subportal_put(line, row), manager())
        self.model.put_line(line, row)
        self.compare()

    @rarely
    @rule(name=staff, team=st.sampled_from(TEAMS), capacity=capacities, weight=weights, able=skills)
    def put_person(self, name: str, team: str, capacity: int, weight: int, able: Mapping[str, int]) -> None:
        """A representative comes, moves, or may take more or less."""
        if self.model.knows(name) and self.model.kept_busy(name) > capacity:
            self.scene.lowered.add(name)
        listed = [{"skill": skill, "level": level} for skill, level in able.items()]
        command = ops.RepresentativePut(name, personal(name), team, capacity, weight, listed)
        self.carried_out(command, manager())
        self.model.put_person(name, team, capacity, weight, able)
        self.compare()

    @rarely
    @rule(command=st.sampled_from(BAD))
    def put_badly(self, command: object) -> None:
        """What contradicts itself changes nothing."""
        self.refused(Code.BAD_ARGS, command, manager())
        self.compare()

    # --- presence --------------------------------------------------------------------------------

    @rule(name=staff, presence=st.sampled_from(["available", "available", "away", "offline"]), hand_back=st.booleans())
    def choose(self, name: str, presence: str, hand_back: bool) -> None:  # noqa: FBT001 (hypothesis passes names)
        """A representative comes, goes, or has a break."""
        command = ops.PresenceSet(presence, sessions="hand_back" if hand_back else "keep")
        if not self.model.knows(name):
            self.refused(Code.NOT_ALLOWED, command, representative(name))
            return
        if presence == "offline" and self.model.working(name) and not hand_back:
            self.refused(Code.WRONG_STATE, command, representative(name))
            return
        self.carried_out(command, representative(name))
        person = self.model.person(name)
        if (person.chosen, person.connected) != (presence, presence != "offline"):
            self.model.choose(name, presence)
        self.compare()
