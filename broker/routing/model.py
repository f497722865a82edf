"""The things that routing moves about: tickets (open requests), members (representatives), lines, pools.

A *line* is one sub-portal's requests, a *pool* all members who serve the same set of sub-portals.
Everything ordered is a ``SortedList`` of plain keys, so that head, insertion, removal and rank cost
a logarithm and nothing here ever scans (the cost of a decision doesn't grow with the work).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
from sortedcontainers import SortedList

from broker.routing.policies import DEFAULT, Rank

Key = tuple[int, int, str]
"""A ticket's place: (virtual arrival ms, number, request). The virtual arrival is the arrival less the boost of the
ticket's class; it changes only if the class does."""


def make_key(arrived: int, number: int, request: str, boost: int = 0) -> Key:
    """A ticket's place: by virtual arrival (the boost in ms), then by the account's order of arrival."""
    return (arrived - boost, number, request)


Need = tuple[tuple[str, int], ...]
"""Skills that a ticket needs, in alphabetical order, each with the least level."""

ANYBODY: Final[Need] = ()
NOBODY: Final[frozenset[str]] = frozenset()

Kind = tuple[int, Need]
"""What a ticket asks of a member: (places that must be free, skills)."""

Want = tuple[str, int, Need]
"""The same with how the member is chosen: (policy, places, skills)."""

Turn = tuple[int, Key, str]
"""A line's place in a pool: (its tag, key of its first ticket that can be offered, sub-portal)."""

Charge = tuple[frozenset[str], int]
"""What an outstanding offer cost its line: (the pool's sub-portals, how much)."""


@attrs.define(eq=False)
class Ticket:
    """One open request, as routing knows it."""

    request: str
    subportal: str
    key: Key
    discipline: str
    """queue, direct or broadcast."""
    target: str | None = None
    """Of a direct ticket: the member it is for; None while its customer has to choose."""
    refused: frozenset[str] = frozenset()
    """Members who had it in this round and didn't take it."""
    paused: bool = False
    """Everyone eligible refused it: it waits for the next round."""
    out: bool = False
    """It is offered, or assigned: not to be offered again until it comes back."""
    charge: Charge | None = None
    """What its outstanding offer cost its line."""
    places: int = 1
    """How much of a member's capacity it takes."""
    need: Need = ANYBODY
    held: str | None = None
    """The member who served this customer last, and to whom alone it may be offered for now."""

    @property
    def kind(self) -> Kind:
        """What it asks of a member."""
        return (self.places, self.need)


@attrs.define(eq=False)
class Member:
    """One representative, as routing knows it."""

    id: str
    capacity: int
    """Places."""
    pool: Pool
    weight: int = 1
    """Its share under the policy ``weighted``."""
    skills: Mapping[str, int] = attrs.field(factory=dict)
    """Skill to level."""
    load: int = 0
    """Places taken by sessions and wrap-ups."""
    offers: int = 0
    """Places held by offers that were made to this member alone."""
    idle_since: int = 0
    """When its load last changed, or it last became available after a break (ms)."""
    available: bool = False
    """Signed in, connected, and welcoming offers."""
    turn: int = 0
    """The number of the last offer that a round-robin line made it."""
    tag: int = 0
    """What weighted lines have offered it, divided by its weight (``fairness.UNIT``)."""
    wants: tuple[Want, ...] = ()
    """Of its pool's, those that it could ever meet: it has the skills, and as many places."""
    ranks: dict[Want, Rank] = attrs.field(factory=dict)
    """Its entries in ``pool.free``; none while it takes no offers."""
    direct: SortedList[Key] = attrs.field(factory=SortedList)
    """Requests that picked this member and wait for it."""
    holds: dict[str, SortedList[Key]] = attrs.field(factory=dict)
    """Sub-portal to its tickets that are held for this member."""
    calls: dict[str, Key] = attrs.field(factory=dict)
    """Sub-portal to the key under which this member is in ``pool.callers``."""

    def takes(self, places: int) -> bool:
        """Whether an offer of so many places would keep load + offers within capacity."""
        return self.available and self.load + self.offers + places <= self.capacity

    def meets(self, want: Want) -> bool:
        """Whether it could take such a ticket if it had nothing else to do."""
        _, places, need = want
        return self.capacity >= places and all(self.skills.get(skill, 0) >= level for skill, level in need)


@attrs.define(eq=False)
class Pool:
    """The members who serve the same set of sub-portals."""

    subportals: frozenset[str]
    members: dict[str, Member] = attrs.field(factory=dict)
    free: dict[Want, SortedList[Rank]] = attrs.field(factory=dict)
    """Members who take offers of this kind now, best first."""
    able: dict[Want, int] = attrs.field(factory=dict)
    """How many available members meet this, whatever their load."""
    awake: dict[Want, None] = attrs.field(factory=dict)
    """Those kinds of which there is somebody free. Everybody who takes offers is of some kind."""
    available: int = 0
    """Members who are available, whatever their load."""
    places: int = 0
    """Their capacities together."""
    callers: dict[str, SortedList[tuple[Key, str]]] = attrs.field(factory=dict)
    """Sub-portal to (first ticket held for a member, that member), of members who take such an offer now."""
    backlog: SortedList[Turn] = attrs.field(factory=SortedList)
    """Lines with a ticket to offer, the one whose turn it is first."""
    turns: dict[str, Turn] = attrs.field(factory=dict)
    """Sub-portal to its entry in ``backlog``."""
    tags: dict[str, int] = attrs.field(factory=dict)
    """Sub-portal to what it was given here, divided by its weight (``fairness.UNIT``); 0 where it is missing."""
    virtual: int = 0
    """The tag of the line served last, the greatest so far."""
    pace: int = 0
    """The same of the members whom weighted lines chose."""


@attrs.define(eq=False)
class Line:
    """One sub-portal's queue."""

    subportal: str
    weight: int = 1
    """Its share of the representatives that it has in common with others."""
    policy: str = DEFAULT
    """Who of those that are free is offered its requests."""
    places: int = 1
    """How much of a member's capacity a request that entered here takes; one that was moved here may take another."""
    order: SortedList[Key] = attrs.field(factory=SortedList)
    """Every open queue ticket that isn't assigned, offered ones included: an offered request keeps its place."""
    waiting: SortedList[Key] = attrs.field(factory=SortedList)
    """Those that could be offered: neither out nor between rounds."""
    groups: dict[Kind, dict[frozenset[str], SortedList[Key]]] = attrs.field(factory=dict)
    """The waiting ones that aren't held, by what they ask and who has refused them: of each group only the first is
    worth a look."""
    refused: set[str] = attrs.field(factory=set)
    """Waiting requests that somebody has refused in this round."""
    paused: set[str] = attrs.field(factory=set)
    """Requests between rounds."""
    pools: list[Pool] = attrs.field(factory=list)
    head: Key | None = None
    """The key under which this line stands in its pools' backlogs."""
    handled: int = 0
    """Requests of this line that were served."""
    handle_ms: float = 0.0
    """How long they keep their places, as measured lately (``estimate``)."""
    waited_ms: float = 0.0
    gave_up: float = 0.0
    """How long those waited that left the line lately, and how many of them gave up."""
    moved_by: str = "sent_back"
    """Why somebody last came to stand before others."""

    def want(self, kind: Kind) -> Want:
        """Whom its tickets of this kind go to."""
        return (self.policy, *kind)


@attrs.define
class Match:
    """An offer to make. ``member`` is None for a broadcast."""

    request: str
    discipline: str
    member: str | None


@attrs.define
class RoundOver:
    """Everyone eligible has refused this request: pause it."""

    request: str


@attrs.frozen
class Statistics:
    """Counts of one account's routing."""

    waiting: int
    """Queue tickets in line, offered ones included."""
    members: int
    available: int
    lines: int
    pools: int
