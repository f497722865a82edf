"""Drives a real desk on a virtual clock: customers come, wait and give up, representatives answer and finish.

Theory of operation. The agenda is a heap of what people will do, by time; the desk has deadlines of its own. Whatever
is earlier happens next, the desk's first where both fall on one millisecond, as a late accept finds its offer expired.
Each command's events tell what people have to do now: who is made an offer answers it, who gets a session ends it. The
same events go to the watchers, who measure; this module measures nothing and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from random import Random
from typing import Final, Protocol

from broker.codes import Code
from broker.content import Personal
from broker.desk import events as e
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled, Recorded, Refusal
from broker.ids import ENTROPY_BYTES
from broker.protocol import ops
from broker.routing.router import Router
from broker.simulation import setting
from broker.simulation.puts import Put
from broker.simulation.world import Arrival, Turn, World
from broker.units import HOURS, MINUTES

OVERTIME: Final = 4 * HOURS  # after the end, until those who are there are served; who isn't by then waits for nobody
BACK_AFTER: Final = 1 * MINUTES  # somebody on its shift who was set away for missing offers notices, and comes back
DECLINED: Final = "busy"
"""The reason code that declining representatives give."""

Estimate = Callable[[Router, str], int | None]
"""(the router, a request that waits) to how long it will wait (ms), or None where that can't be told."""
Probe = Callable[[Desk, int], None]
"""(the desk, time ms from the beginning): looks, and changes nothing."""
Step = tuple[int, int, Callable[..., None], tuple[object, ...]]
"""(time ms, order of being put down, what happens then, its arguments)."""


class Watcher(Protocol):
    """Measures."""

    def see(self, event: e.Event, t: int) -> None:
        """This happened at ``t`` ms from the beginning."""

    def refused(self, subportal: str, t: int) -> None:
        """A customer came and wasn't let in: the line was full, or the portal closed."""

    def estimated(self, request: str, ms: int) -> None:
        """A customer who waits was told that it will be so long."""


class Simulation:
    """One run. ``seed`` decides what representatives answer; everything else is in ``world``."""

    def __init__(
        self,
        world: World,
        puts: Sequence[Put],
        seed: int,
        *,
        watchers: Callable[[Desk, World], Sequence[Watcher]],
        estimate: Estimate | None = None,
    ) -> None:
        self.world = world
        self.desk = setting.build(puts, world.start)
        self.now = world.start
        """The virtual time (ms since 1970)."""
        self.watchers = watchers(self.desk, world)
        self.came = 0
        """How many customers have come so far."""
        self._estimate = estimate
        self._chance = Random(f"{seed}/answers")
        self._agenda: list[Step] = []
        self._put_down = 0
        self._commands = 0
        self._handles: dict[str, int] = {}
        self._who: dict[str, Identity] = {
            name: Identity(self.desk.account, name, Role.REPRESENTATIVE) for name in self.desk.state.representatives
        }
        self._service = Identity(self.desk.account, "simulation", Role.SERVICE)
        self._on_shift: set[str] = set()
        subportals = self.desk.state.subportals
        self._portals = {name: one.portal for name, one in subportals.items()}
        self._asked_for = {name: {skill for skill, _, asked in one.skills if asked} for name, one in subportals.items()}
        self._text = Personal("?", ("c_question", bytes(16)))
        if world.turns:
            self._at(world.start + world.turns[0].t, self._turn, 0)
        if world.arrivals:
            self._at(world.start + world.arrivals[0].t, self._arrive, 0)

    def run(self, progress: Callable[[int], object] | None = None) -> None:
        """Live through it. ``progress`` is told now and then how many customers have come."""
        for steps in range(1 << 62):
            if not self.step():
                break
            if progress is not None and steps % 4096 == 0:
                progress(self.came)
        if progress is not None:
            progress(self.came)

    def step(self) -> bool:
        """The next thing that happens; whether there was one."""
        due = self.desk.next_deadline()
        then = self._agenda[0][0] if self._agenda else None
        end = self.world.start + self.world.until
        if then is None and not self.desk.state.requests and (due is None or due > end):
            return False
        if due is not None and (then is None or due <= then):
            if due > end + OVERTIME:
                return False
            self.now = max(self.now, due)
            handled = self.desk.fire(self.now)
            assert handled is not None
            self._see(handled.records)
            return True
        if then is None or then > end + OVERTIME:
            return False
        self.now, _, act, args = heappop(self._agenda)
        act(*args)
        return True

    def probe(self, every: int, probe: Probe) -> None:
        """Let somebody look at the desk each ``every`` ms, from the end of the warm-up to the end of what is
        measured; to be asked for before the run."""
        self._at(self.world.start + self.world.warm_up, self._look, every, probe)

    # --- what people do --------------------------------------------------------------------------

    def _at(self, t: int, act: Callable[..., None], *args: object) -> None:
        self._put_down += 1
        heappush(self._agenda, (t, self._put_down, act, args))

    def _look(self, every: int, probe: Probe) -> None:
        t = self.now - self.world.start
        probe(self.desk, t)
        if t + every < self.world.until:
            self._at(self.now + every, self._look, every, probe)

    def _turn(self, index: int) -> None:
        turn: Turn = self.world.turns[index]
        if index + 1 < len(self.world.turns):
            self._at(self.world.start + self.world.turns[index + 1].t, self._turn, index + 1)
        (self._on_shift.add if turn.available else self._on_shift.discard)(turn.representative)
        self._be("available" if turn.available else "away", turn.representative)

    def _be(self, presence: str, who: str) -> None:
        self._do(ops.PresenceSet(presence), self._who[who])

    def _come_back(self, who: str) -> None:
        if who in self._on_shift and self.desk.state.representatives[who].chosen == "away":
            self._be("available", who)

    def _arrive(self, index: int) -> None:
        arrival: Arrival = self.world.arrivals[index]
        if index + 1 < len(self.world.arrivals):
            self._at(self.world.start + self.world.arrivals[index + 1].t, self._arrive, index + 1)
        self.came += 1
        portal = self._portals[arrival.subportal]
        customer = Identity(self.desk.account, f"v_{arrival.visitor or index}", Role.CUSTOMER, portal)
        asked = [skill for skill in arrival.skills if skill in self._asked_for[arrival.subportal]]
        command = ops.RequestCreate(arrival.subportal, self._text, skills=asked or None)
        outcome = self._do(command, customer, handle=arrival.handle)
        if isinstance(outcome, Refusal):
            assert outcome.code in (Code.QUEUE_FULL, Code.WRONG_STATE), outcome
            for watcher in self.watchers:
                watcher.refused(arrival.subportal, self.now - self.world.start)
        elif not outcome.value["existing"]:  # else it asks again for what it waits for already
            self._let_in(str(outcome.value["request"]), arrival, customer)

    def _let_in(self, request: str, arrival: Arrival, customer: Identity) -> None:
        found = self.desk.state.requests.get(request)
        if found is None:  # it was handed on at once, to those who answer later
            return
        if arrival.class_ in dict(self.desk.state.portals[found.portal].classes):
            self._do(ops.RequestClassify(request, arrival.class_ or ""), self._service)
        if found.state == "waiting" and self._estimate is not None:
            told = self._estimate(self.desk.state.router, request)
            for watcher in self.watchers if told is not None else ():
                watcher.estimated(request, told or 0)
        if arrival.patience is not None:
            self._at(self.now + arrival.patience, self._give_up, request, customer)

    def _give_up(self, request: str, customer: Identity) -> None:
        found = self.desk.state.requests.get(request)
        if found is not None and found.state != "assigned":
            self._do(ops.RequestWithdraw(request), customer)

    def _answer(self, offer: str, who: str, command: object) -> None:
        if offer in self.desk.state.offers:
            self._do(command, self._who[who])

    def _finish(self, session: str, who: str) -> None:
        found = self.desk.state.sessions.get(session)
        if found is not None and found.representative == who:
            self._do(ops.SessionEnd(session), self._who[who])

    def _wrapped_up(self, session: str, who: str) -> None:
        if session in self.desk.state.representatives[who].wrap_ups:
            self._do(ops.WrapUpEnd(session), self._who[who])

    # --- what follows from what happened ---------------------------------------------------------

    def _do(self, command: object, who: Identity, handle: int | None = None) -> Handled | Refusal:
        self._commands += 1
        # Names only have to be different from each other: a counter is as good as chance, and the same in each run.
        entropy = self._commands.to_bytes(10, "big") + bytes(ENTROPY_BYTES - 10)
        outcome = self.desk.handle(command, who, self.now, entropy)
        if isinstance(outcome, Handled):
            if handle is not None:
                self._handles.setdefault(str(outcome.value["request"]), handle)
            self._see(outcome.records)
        return outcome

    def _see(self, records: Sequence[Recorded]) -> None:
        t = self.now - self.world.start
        for record in records:
            event = record.event
            for watcher in self.watchers:
                watcher.see(event, t)
            if isinstance(event, e.OfferMade):
                if event.representative is not None:
                    self._offered(event.offer, event.representative)
            elif isinstance(event, e.RequestAssigned):
                handle = self._handles[event.request]
                self._at(self.now + handle, self._finish, event.session, event.representative)
            elif isinstance(event, e.SessionEnded):
                work = math.inf if event.wrap_up is None else self.world.answers.wrap_up.draw(self._chance)
                if math.isfinite(work):
                    self._at(self.now + round(work), self._wrapped_up, event.session, event.representative)
            elif isinstance(event, e.PresenceChanged) and event.by == "broker" and event.presence == "away":
                self._at(self.now + BACK_AFTER, self._come_back, event.representative)

    def _offered(self, offer: str, who: str) -> None:
        answers, chance = self.world.answers, self._chance
        command: object = ops.OfferAccept(offer)
        if answers.silent or answers.declined:
            drawn = chance.random()
            if drawn < answers.silent:
                return
            if drawn < answers.silent + answers.declined:
                command = ops.OfferDecline(offer, DECLINED)
        latency = answers.latency.draw(chance)
        if math.isfinite(latency):
            self._at(self.now + round(latency), self._answer, offer, who, command)
