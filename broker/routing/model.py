"""The things that routing moves about: tickets (open requests), members (representatives), lines, pools.

A *line* is one sub-portal's requests, a *pool* all members who serve the same set of sub-portals.
Everything ordered is a ``SortedList`` of plain keys, so that head, insertion, removal and rank cost
a logarithm and nothing here ever scans (the cost of a decision doesn't grow with the work).
"""

from __future__ import annotations

import attrs
from sortedcontainers import SortedList

from broker.routing.policies import DEFAULT, Rank

Key = tuple[int, int, str]
"""A ticket's place: (arrival ms, number, request). It never changes while the request is open."""

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


@attrs.define(eq=False)
class Member:
    """One representative, as routing knows it."""

    id: str
    capacity: int
    pool: Pool
    load: int = 0
    """Sessions."""
    offers: int = 0
    """Offers made to this member alone, each of which holds a place."""
    idle_since: int = 0
    """When its load last changed, or it last became available after a break (ms)."""
    available: bool = False
    """Signed in, connected, and welcoming offers."""
    turn: int = 0
    """The number of the last offer from a line that it was made."""
    ranks: dict[str, Rank] = attrs.field(factory=dict)
    """Its entries in ``pool.free``, by policy; none while it takes no offers."""
    direct: SortedList[Key] = attrs.field(factory=SortedList)
    """Requests that picked this member and wait for it."""

    @property
    def takes_offers(self) -> bool:
        """Whether one more offer would keep load + offers within capacity."""
        return self.available and self.load + self.offers < self.capacity


@attrs.define(eq=False)
class Pool:
    """The members who serve the same set of sub-portals."""

    subportals: frozenset[str]
    members: dict[str, Member] = attrs.field(factory=dict)
    free: dict[str, SortedList[Rank]] = attrs.field(factory=dict)
    """Members who take offers, best first, by each policy that one of its lines has."""
    backlog: SortedList[Turn] = attrs.field(factory=SortedList)
    """Lines with a ticket to offer, the one whose turn it is first."""
    turns: dict[str, Turn] = attrs.field(factory=dict)
    """Sub-portal to its entry in ``backlog``."""
    tags: dict[str, int] = attrs.field(factory=dict)
    """Sub-portal to what it was given here, divided by its weight (``fairness.UNIT``); 0 where it is missing."""
    virtual: int = 0
    """The tag of the line served last, the greatest so far."""
    available: int = 0
    """How many members are available, whatever their load."""

    @property
    def somebody_free(self) -> bool:
        """Whether any member takes offers."""
        return any(self.free.values())


@attrs.define(eq=False)
class Line:
    """One sub-portal's queue."""

    subportal: str
    weight: int = 1
    """Its share of the representatives that it has in common with others."""
    policy: str = DEFAULT
    """Who of those that are free is offered its requests."""
    order: SortedList[Key] = attrs.field(factory=SortedList)
    """Every open queue ticket that isn't assigned, offered ones included: an offered request keeps its place."""
    ready: SortedList[Key] = attrs.field(factory=SortedList)
    """Tickets nobody has refused in this round."""
    again: SortedList[Key] = attrs.field(factory=SortedList)
    """Tickets that somebody has refused in this round, and others may still take."""
    groups: dict[frozenset[str], SortedList[Key]] = attrs.field(factory=dict)
    """The same tickets by who has refused them: of each group only the first is worth a look."""
    paused: set[str] = attrs.field(factory=set)
    """Requests between rounds."""
    pools: list[Pool] = attrs.field(factory=list)
    head: Key | None = None
    """The key under which this line stands in its pools' backlogs."""


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
