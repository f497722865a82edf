"""A scene that follows routing's rules with a ledger of its own, and what tests of those rules often do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from broker.desk import invariants
from broker.desk.outcome import Handled, Recorded
from broker.protocol import ops
from tests.support import builders
from tests.support.ledger import Ledger
from tests.support.scene import Scene

MIA = builders.manager()


@attrs.define
class Routed(Scene):
    """See ``Scene``; what the ledger says is checked in place of the history."""

    ledger: Ledger = attrs.field(factory=Ledger)

    def watch(self, records: Sequence[Recorded]) -> None:
        """Keep these records and check what they did."""
        self.records += records
        self.ledger.see(self.desk, records, self.lowered)
        invariants.check(self.desk.state, lowered=self.lowered)
        self.watch_portals()

    # --- setting up ------------------------------------------------------------------------------

    def entrance(self, name: str, *subportals: str, kind: str = "ask", mode: str = "queue", **more: Any) -> Handled:
        """A portal, in queue mode unless told otherwise; ``more`` as in portal.put."""
        command = ops.PortalPut(name, kind, mode, subportals or (name,))
        return self.ok(attrs.evolve(command, **more), MIA)

    def tune(self, subportal: str = "help", **more: Any) -> Handled:
        """A sub-portal's settings, whole; ``more`` as in subportal.put."""
        return self.ok(attrs.evolve(ops.SubportalPut(subportal), **more), MIA)

    def hire(
        self, name: str, team: str = "blue", capacity: int = 1, *, weight: int | None = None, **skills: int
    ) -> None:
        """A representative with these skills, signed in and available; put again as given if it is there."""
        known = name in self.desk.state.representatives
        self.employ(name, team, capacity, weight=weight, **skills)
        if not known:
            self.set(name, "available")

    def employ(
        self, name: str, team: str = "blue", capacity: int = 1, *, weight: int | None = None, **skills: int
    ) -> Handled:
        """The same, its presence as it is."""
        person = builders.personal(name.title(), f"c_{name}")
        listed = [{"skill": skill, "level": level} for skill, level in skills.items()]
        return self.ok(ops.RepresentativePut(name, person, team, capacity, weight, listed), MIA)

    # --- what is often done ----------------------------------------------------------------------

    def request(self, name: str, portal: str = "help", subportal: str | None = None, *skills: str) -> Handled:
        """The customer ``name`` asks, and asks for skills."""
        command = ops.RequestCreate(subportal, builders.personal("?"), skills=skills or None)
        return self.ok(command, builders.customer(name, portal), name)

    def decline(self, name: str, number: int = 1) -> Handled:
        """Whoever has the ``number``-th offer of ``name``'s request declines it."""
        offer = builders.offer_id(name, number)
        who = self.desk.state.offers[offer].representative
        return self.ok(ops.OfferDecline(offer, "no"), builders.representative(who or ""))

    def classify(self, name: str, class_: str) -> Handled:
        """A manager says which class ``name``'s request is of."""
        return self.ok(ops.RequestClassify(builders.request_id(name), class_), MIA)

    def serve(self, name: str, who: str, portal: str = "help") -> str:
        """The customer ``name`` is served by ``who``, who is offered it, and nothing is left of that but the memory."""
        session = self.assign(name, who, portal)
        self.end(session)
        return session

    # --- what is often asked ---------------------------------------------------------------------

    def has(self, name: str) -> str | None:
        """Who is offered ``name``'s request, or has it."""
        request = self.desk.state.requests[builders.request_id(name)]
        if request.offer is not None:
            return self.desk.state.offers[request.offer].representative
        return request.representative

    def names(self, subportal: str = "help", *known: str) -> list[str]:
        """Those of ``known`` who stand in a line, first to last."""
        by_id = {builders.request_id(name): name for name in known}
        return [by_id.get(request, request) for request in self.line(subportal)]

    def due(self, kind: str, name: str) -> int | None:
        """When such a deadline of ``name``'s request is, in ms from now."""
        t = self.desk.state.deadlines.get(kind, builders.request_id(name))
        return None if t is None else t - self.now


def routed(*names: str, capacity: int = 1, **settings: Any) -> Routed:
    """A desk with the portal ``help`` in queue mode, its sub-portal set so, and a team ``blue`` of these people."""
    scene = Routed()
    scene.entrance("help")
    if settings:
        scene.tune(**settings)
    scene.team("blue", "help")
    for name in names:
        scene.hire(name, capacity=capacity)
    return scene
