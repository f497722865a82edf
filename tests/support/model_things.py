"""What the naive model is made of: how things are configured, people, requests, offers. Counterpart: ``model_facts``,
which searches lists of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import attrs

from broker.units import HOURS, SECONDS

LEASE, HOLD, ABANDON, PAUSE, CONSENT, SET_UP, REBOOT, PIN_LIFE = (
    10 * SECONDS,
    60 * SECONDS,
    120 * SECONDS,
    10 * SECONDS,
    60 * SECONDS,
    60 * SECONDS,
    600 * SECONDS,
    4 * HOURS,
)
TRANSFER = 60 * SECONDS
BATCH = 64
"""How many requests leave an unstaffed line at once."""

Key = frozenset[str]
"""The lines that some people serve: those who serve the same share turns."""

Place = tuple[int, int]
"""Where a request stands in its line: (when it came, less what its class gives it; its number)."""

NOWHERE: Place = (-(10**15), 0)
"""Before all of them."""


@attrs.frozen
class Door:
    """A portal."""

    kind: str = "ask"
    mode: str = "queue"
    broadcast: bool = False
    """Whether a lost pick is broadcast."""
    offer_ms: int = 20 * SECONDS
    places: int = 1
    wrap_up: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    """What each takes off the arrival, beside ``normal``, which takes nothing."""
    take: str = "off"


@attrs.frozen
class Elsewhere:
    """A rule that sends requests of a line to another, or (to nobody) out of the queue."""

    on: str
    at: int = 0
    """After how long (wait), or from how many on (length)."""
    to: str | None = None


@attrs.frozen
class Row:
    """A sub-portal, and so a line."""

    weight: int = 1
    policy: str = "least_occupied"
    most: int = 200_000
    skills: tuple[tuple[str, int, bool], ...] = ()
    """Skill, level, whether only those who ask for it need it."""
    relax: tuple[tuple[int, int], ...] = ()
    """After how long, by how much less."""
    sticky: int = 0
    overflow: tuple[Elsewhere, ...] = ()

    @property
    def asked(self) -> list[str]:
        """What a customer may ask for."""
        return [skill for skill, _, asked in self.skills if asked]


@attrs.frozen
class Crew:
    """A team."""

    serves: tuple[str, ...]
    away_after: int | None = None


@attrs.define
class WrapUp:
    """The places that a session took are still taken."""

    session: str
    places: int
    until: int


@attrs.define
class Person:
    """A representative."""

    name: str
    team: str
    capacity: int
    weight: int = 1
    skills: Mapping[str, int] = attrs.field(factory=dict)
    chosen: str = "offline"
    connected: bool = False
    lease: int | None = None
    hold: int | None = None
    idle_since: int = 0
    turn: int = 0
    group: Key | None = None
    tag: Fraction = Fraction(0)
    """What it was given by lines that share by weight, divided by its own."""
    wrap_ups: list[WrapUp] = attrs.field(factory=list)
    missed: int = 0

    @property
    def there(self) -> bool:
        """Whether offers may be made."""
        return self.chosen == "available" and self.connected

    def fits(self, need: Mapping[str, int]) -> bool:
        """Whether it has each skill at least at that level."""
        return all(self.skills.get(skill, 0) >= level for skill, level in need.items())


Step = tuple[int, Mapping[str, int]]
"""After how long a request needs only these skills."""


@attrs.define
class Wish:
    """An open request."""

    name: str
    visitor: str
    portal: str
    line: str
    how: str
    target: str | None
    arrived: int
    asked: Sequence[str] = ()
    number: int = 0
    class_: str = "normal"
    boost: int = 0
    state: str = "waiting"
    owner: str | None = None
    offers: int = 0
    refused: set[str] = attrs.field(factory=set)
    paused: bool = False
    round_at: int | None = None
    ladder: list[Step] = attrs.field(factory=lambda: [(0, {})])
    step: int = 0
    kept_for: str | None = None
    """Who served this customer last: nobody else is offered it until ``kept_until``."""
    kept_until: int | None = None
    been: set[str] = attrs.field(factory=set)
    """The lines in which it stood or stands."""
    waits: list[Elsewhere] = attrs.field(factory=list)
    """The rules by which it will leave its line if it waits too long: each is tried once."""

    @property
    def place(self) -> Place:
        """Its place in its line."""
        return (self.arrived - self.boost, self.number)

    @property
    def need(self) -> Mapping[str, int]:
        """The skills that it needs now."""
        return self.ladder[self.step][1]

    @property
    def overflow_at(self) -> int | None:
        """When it has waited too long, if it waits."""
        return self.arrived + self.waits[0].at if self.waits and self.state == "waiting" else None

    @property
    def relax_at(self) -> int | None:
        """When it will need less, if nobody takes it."""
        if self.owner is not None or self.step + 1 == len(self.ladder):
            return None
        return self.arrived + self.ladder[self.step + 1][0]


@attrs.define
class Proposal:
    """A pending offer."""

    name: str
    wish: str
    kind: str
    to: str | None
    deadline: int | None
    charge: tuple[Key, Fraction] | None = None
    """Whose turn it was in which group of people, and what that cost."""
    line: str | None = None
    """Of a transfer: to all who serve this one, if not to one of them."""
    declined: set[str] = attrs.field(factory=set)


@attrs.define
class Turns:
    """What each line was given by the people who serve the same lines, divided by its weight."""

    given: dict[str, Fraction] = attrs.field(factory=dict)
    last: Fraction = Fraction(0)
    pace: Fraction = Fraction(0)
    """Where whoever was served last, of those people, stood then."""


@attrs.define(eq=False)
class Sharing:
    """A screen share."""

    name: str
    wish: str
    visitor: str
    owner: str
    wanted: bool
    """Whether control is asked for with it."""
    state: str = "requested"
    until: int | None = None
    control: bool = False
    asked: int | None = None

    @property
    def agreed(self) -> bool:
        """Whether the customer has said yes twice."""
        return self.state not in ("requested", "accepted")

    def restarts(self, visitor: str) -> bool:
        """Whether it waits for this customer's machine."""
        return self.visitor == visitor and self.state == "rebooting"
