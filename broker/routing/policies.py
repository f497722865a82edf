"""Who is first among those who could take a request: named rules, one for each sub-portal.

A policy ranks a member; the least rank is offered the request. It sees the member and nothing else, so a rank changes
only with its member, and the free members of a pool stay sorted: a decision looks at the first. What a policy may rest
on is what ``Ranked`` has. How to add one: ``docs/how-to/policy.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

Criteria = tuple[str, str, str]
Rank = tuple[float, float, str]
"""(first criterion, second, member's id): the smallest is chosen, and no two are equal."""


class Ranked(Protocol):
    """What is known of a member."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def load(self) -> int:
        """Places taken by its sessions and wrap-ups."""

    @property
    def offers(self) -> int:
        """Places held by offers that are out to it alone."""

    @property
    def capacity(self) -> int:
        """How many of both together it may have."""

    @property
    def idle_since(self) -> int:
        """When its load last changed, or it last came back from a break (ms)."""

    @property
    def turn(self) -> int:
        """The number of the last offer that a line of the policy ``round_robin`` made it; 0 before the first. They
        count up over the account."""

    @property
    def tag(self) -> int:
        """What lines of the policy ``weighted`` have offered it, divided by its weight."""


class Policy(Protocol):
    """A rule."""

    @property
    def criteria(self) -> Criteria:
        """What the parts of its ranks are, in words: told when somebody asks why."""

    def rank(self, member: Ranked) -> Rank:
        """Smaller is better."""


class LeastOccupied:
    """Least occupied, then longest idle, then id. Occupied is (sessions + outstanding offers) / capacity, so that a
    burst of offers spreads out (F13).

    Equal fractions are equal floats (IEEE division is correctly rounded), so 1/3 ties with 2/6."""

    criteria: Criteria = ("occupied", "idle_since", "id")

    def rank(self, member: Ranked) -> Rank:
        """See ``Policy``."""
        return ((member.load + member.offers) / member.capacity, member.idle_since, member.id)


class LongestIdle:
    """Longest idle, then least occupied, then id (F12). The idle time runs from the last session's begin or end; a
    break starts it anew, a lost connection doesn't."""

    criteria: Criteria = ("idle_since", "occupied", "id")

    def rank(self, member: Ranked) -> Rank:
        """See ``Policy``."""
        return (member.idle_since, (member.load + member.offers) / member.capacity, member.id)


class RoundRobin:
    """Whoever was offered something by lines of this policy the longest ago, then id: those who are free all the time
    get the same number of those, give or take one (F11). An offer counts as a turn whatever becomes of it."""

    criteria: Criteria = ("last_turn", "", "id")

    def rank(self, member: Ranked) -> Rank:
        """See ``Policy``."""
        return (member.turn, 0, member.id)


class Weighted:
    """Whoever was offered the least by weighted lines, divided by its weight (F14), then longest idle, then id. Between
    those who are free all the time |n_i / w_i - n_j / w_j| stays within 1 / w_i + 1 / w_j."""

    criteria: Criteria = ("given_by_weight", "idle_since", "id")

    def rank(self, member: Ranked) -> Rank:
        """See ``Policy``."""
        return (member.tag, member.idle_since, member.id)


ROUND_ROBIN: Final = "round_robin"
WEIGHTED: Final = "weighted"
DEFAULT: Final = "least_occupied"
POLICIES: Final[Mapping[str, Policy]] = {
    DEFAULT: LeastOccupied(),
    "longest_idle": LongestIdle(),
    ROUND_ROBIN: RoundRobin(),
    WEIGHTED: Weighted(),
}
"""By the name that a sub-portal is given."""
