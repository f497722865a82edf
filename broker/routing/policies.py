"""Who is first among those who could take a request: the default rule, and how it is ranked.

Least occupied, then longest idle, then id. Occupied is (sessions + outstanding offers) / capacity,
so that a burst of offers spreads out; idle runs from the last change of the number of sessions.
"""

from __future__ import annotations

Rank = tuple[float, int, str]
"""(occupied share, idle since ms, id): the smallest is chosen. Equal fractions are equal floats (IEEE division
is correctly rounded), so 1/3 ties with 2/6."""


def least_occupied(load: int, offers: int, capacity: int, idle_since: int, member: str) -> Rank:
    """The default rule's rank of one member.

    >>> least_occupied(1, 0, 3, 500, "ann") == least_occupied(1, 1, 6, 500, "ann")
    True
    """
    return ((load + offers) / capacity, idle_since, member)
