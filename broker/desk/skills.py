"""What a request needs of whoever serves it, and how that relaxes while it waits: pure functions of a sub-portal."""

from __future__ import annotations

from collections.abc import Collection

from broker.desk.state import Ladder, Subportal
from broker.routing.model import Need


def need(subportal: Subportal, asked: Collection[str], less: int = 0) -> Need:
    """Skills with their least levels: those that all requests of this sub-portal need and those that this one asks for,
    each ``less`` lower; what falls to 0 isn't needed.

    >>> portal = Subportal("sales", "help", skills=(("german", 5, False), ("tax", 2, True)))
    >>> need(portal, ()), need(portal, ["tax"]), need(portal, ["tax"], less=3)
    ((('german', 5),), (('german', 5), ('tax', 2)), (('german', 2),))
    """
    levels = {skill: level - less for skill, level, only_asked in subportal.skills if not only_asked or skill in asked}
    return tuple(sorted((skill, level) for skill, level in levels.items() if level > 0))


def ladder(subportal: Subportal, asked: Collection[str]) -> Ladder:
    """(age in ms, what is needed from then on) of every step that changes something.

    >>> relax = ((30_000, 2), (60_000, 3), (90_000, 9))
    >>> ladder(Subportal("sales", "help", skills=(("german", 3, False),), relax=relax), ())
    ((30000, (('german', 1),)), (60000, ()))
    """
    steps: list[tuple[int, Need]] = []
    before = need(subportal, asked)
    for after, less in subportal.relax:
        then = need(subportal, asked, less)
        if then != before:
            steps.append((after, then))
            before = then
    return tuple(steps)


def fits(skills: Collection[tuple[str, int]], wanted: Need) -> bool:
    """Whether somebody with these skills has what is needed."""
    levels = dict(skills)
    return all(levels.get(skill, 0) >= level for skill, level in wanted)
