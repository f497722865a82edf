"""How far sub-portals that share representatives get from their shares (F9), over all windows of a run.

In a pool (the representatives who serve the same sub-portals) and a stretch in which p and q both had something to
offer at each decision, the difference N_p/w_p - N_q/w_q is a walk; the most that any window inside of the stretch shows
is the walk's highest point less its lowest. N counts offers when they are made, and not those that came back. That a
line "has something to offer" is read narrowly: a request that nobody has refused in its round, that needs no skill and
waits for nobody in particular. Whoever is free may take that, so the promise holds in every stretch that is looked at;
others are left out, and so are pairs whose sessions take different numbers of places.

The bound, and why: ``docs/explanation/fairness.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from broker.desk import events as e
from broker.desk.desk import Desk
from broker.simulation.world import World

Pool = frozenset[str]
"""The sub-portals that its members serve."""


@attrs.define(eq=False)
class _Stretch:
    """The walk of one pair in one pool."""

    epochs: tuple[int, int] = (-1, -1)
    now: float = 0.0
    low: float = 0.0
    high: float = 0.0
    widest: float = 0.0


@attrs.define(eq=False)
class _Out:
    """One sub-portal's offers in one pool."""

    now: int = 0
    most: int = 0
    came_back: int = 0


@attrs.frozen
class Lag:
    """The worst of one pair."""

    pair: tuple[str, str]
    lag: float
    """In offers, each with the places that it takes, divided by weight."""
    bound: float
    """(1/w_p + 1/w_q) times those places, and for offers that came back as many more as were out at once."""


class LagWatcher:
    """A ``Watcher`` of shares."""

    def __init__(self, desk: Desk, world: World) -> None:
        state = desk.state
        self._weights = {name: one.weight for name, one in state.subportals.items()}
        self._pools = {name: frozenset(state.teams[one.team].subportals) for name, one in state.representatives.items()}
        self._places = {name: state.portals[one.portal].places for name, one in state.subportals.items()}
        self._fresh = dict.fromkeys(state.subportals, 0)
        """Sub-portal to requests that wait and that nobody has refused."""
        self._epochs = dict.fromkeys(state.subportals, 0)
        """Sub-portal to how often it had nothing more to offer."""
        self._is_fresh: set[str] = set()
        self._lines: dict[str, str] = {}
        self._offers: dict[str, tuple[Pool, str]] = {}
        self._stretches: dict[tuple[Pool, str, str], _Stretch] = {}
        self._out: dict[tuple[Pool, str], _Out] = {}
        self._see: dict[type, Callable[[Any], None]] = {
            e.RequestCreated: self._created,
            e.OfferMade: self._offered,
            e.OfferEnded: self._came_back,
            e.RequestAssigned: self._assigned,
            e.RequestEnded: self._ended,
            e.RequestMoved: self._ended,
            e.RoundStarted: self._new_round,
        }

    def see(self, event: e.Event, t: int) -> None:
        """See ``Watcher``."""
        seen = self._see.get(type(event))
        if seen is not None:
            seen(event)

    def refused(self, subportal: str, t: int) -> None:
        """See ``Watcher``."""

    def estimated(self, request: str, ms: int) -> None:
        """See ``Watcher``."""

    def lags(self) -> list[Lag]:
        """Each pair that ever had something to offer at once, in the order of names; of several pools, the one that
        comes nearest to its bound."""
        worst: dict[tuple[str, str], Lag] = {}
        for (pool, p, q), stretch in self._stretches.items():
            bound = sum(self._allowed(pool, one) for one in (p, q))
            found = Lag((p, q), stretch.widest, bound)
            if (p, q) not in worst or found.lag / found.bound > worst[p, q].lag / worst[p, q].bound:
                worst[p, q] = found
        return [worst[pair] for pair in sorted(worst)]

    def _allowed(self, pool: Pool, subportal: str) -> float:
        out = self._out.get((pool, subportal), _Out())
        return (1 + min(out.came_back, out.most)) * self._step(subportal)

    def _step(self, subportal: str) -> float:
        """What an offer counts."""
        return self._places[subportal] / self._weights[subportal]

    def _created(self, event: e.RequestCreated) -> None:
        if not event.need and event.held_for is None:
            self._lines[event.request] = event.subportal
            self._freshen(event.request)

    def _offered(self, event: e.OfferMade) -> None:
        if event.kind != "queue" or event.representative is None:
            return
        pool = self._pools[event.representative]
        self._offers[event.offer] = (pool, event.subportal)
        if len(pool) > 1:
            out = self._out.setdefault((pool, event.subportal), _Out())
            out.now += 1
            out.most = max(out.most, out.now)
            if self._fresh[event.subportal]:
                self._walk(pool, event.subportal, self._step(event.subportal), begin=True)
        self._wither(event.request)

    def _walk(self, pool: Pool, served: str, step: float, *, begin: bool) -> None:
        """One of ``served`` was offered (+), or came back (-). ``begin``: a new stretch may begin with this."""
        for other in pool:
            if other == served or not self._fresh[other] or self._places[other] != self._places[served]:
                continue
            p, q = min(served, other), max(served, other)
            stretch = self._stretches.get((pool, p, q))
            epochs = (self._epochs[p], self._epochs[q])
            if stretch is None or stretch.epochs != epochs:
                if not begin:
                    continue
                widest = 0.0 if stretch is None else stretch.widest
                stretch = self._stretches[pool, p, q] = _Stretch(epochs=epochs, widest=widest)
            stretch.now += step if served == p else -step
            stretch.low, stretch.high = min(stretch.low, stretch.now), max(stretch.high, stretch.now)
            stretch.widest = max(stretch.widest, stretch.high - stretch.low)

    def _came_back(self, event: e.OfferEnded) -> None:
        pool, subportal = self._offers.pop(event.offer, (frozenset[str](), ""))
        if len(pool) > 1:
            out = self._out[pool, subportal]
            out.now -= 1
            out.came_back += 1
            self._walk(pool, subportal, -self._step(subportal), begin=False)

    def _assigned(self, event: e.RequestAssigned) -> None:
        pool, subportal = self._offers.pop(event.offer or "", (frozenset[str](), ""))
        if len(pool) > 1:
            self._out[pool, subportal].now -= 1

    def _ended(self, event: e.RequestEnded | e.RequestMoved) -> None:
        self._wither(event.request)
        self._lines.pop(event.request, None)

    def _new_round(self, event: e.RoundStarted) -> None:
        if event.request in self._lines:
            self._freshen(event.request)

    def _freshen(self, request: str) -> None:
        if request not in self._is_fresh:
            self._is_fresh.add(request)
            self._fresh[self._lines[request]] += 1

    def _wither(self, request: str) -> None:
        if request not in self._is_fresh:
            return
        self._is_fresh.discard(request)
        subportal = self._lines[request]
        self._fresh[subportal] -= 1
        if not self._fresh[subportal]:
            self._epochs[subportal] += 1
