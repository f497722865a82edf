"""A day that was: what an account's journal says of its customers and representatives, to be lived through again.

The journal is read with its own reader and replayed on a desk, so a record means here what it means to the broker. What
is taken from it, and what is made up where it says nothing, is told in ``docs/how-to/simulate.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import attrs

from broker.desk import events as e
from broker.desk.desk import Desk
from broker.journal.base import CorruptJournal
from broker.journal.inspect import NoSuchAccount
from broker.journal.sqlite_reader import SqliteReader
from broker.routing.pins import PinSpace
from broker.runtime.why import event_of
from broker.simulation import setting
from broker.simulation.figures import quantile
from broker.simulation.laws import FOREVER, INSTANT, Law, Sample
from broker.simulation.patience import Survival, kaplan_meier
from broker.simulation.puts import Put, SettingError
from broker.simulation.world import Answers, Arrival, Turn, World
from broker.units import SECONDS

PAGE: Final = 512  # records read at a time, as the journal's own commands do
_PRESENCE: Final = (e.PresenceChanged, e.TakenOver, e.RepresentativeLost, e.RepresentativeBack)


@attrs.define(eq=False)
class Seen:
    """One recorded request of queue mode. Times in ms since 1970."""

    subportal: str
    arrived: int
    assigned: int | None = None
    ended: int | None = None
    outcome: str = "open"
    """Its final state."""
    visitor: str = ""
    asked: tuple[str, ...] = ()
    class_: str | None = None
    handled: int = 0
    """In sessions so far (ms)."""
    since: int | None = None
    """Since when it is in a session."""

    @property
    def gave_up(self) -> bool:
        """Whether it left the line by itself."""
        return self.assigned is None and self.outcome in ("withdrawn", "abandoned")

    @property
    def waited(self) -> int | None:
        """How long it waited for a session, for giving up, or until it was handed on (ms); None while it waits."""
        until = self.assigned if self.assigned is not None else self.ended
        return None if until is None else until - self.arrived


@attrs.frozen(kw_only=True)
class Recording:
    """What was found. Times in ms since 1970."""

    puts: tuple[Put, ...]
    """The configuration at the end."""
    seen: Sequence[Seen]
    """In the order of arrival; those of sub-portals that are gone by the end are left out."""
    turns: Sequence[Turn]
    answers: Answers
    start: int
    end: int
    left_out: int
    """Requests that aren't in ``seen``: of other modes, or of sub-portals that are gone."""
    handles: Law
    """Measured handle times."""
    survival: Survival

    def told(self) -> str:
        """What really happened, in a line: what the runs of the unchanged configuration should come near to."""
        known = [one for one in self.seen if one.gave_up or one.assigned is not None]
        waits = sorted(one.waited or 0 for one in known)
        gone = sum(1 for one in known if one.gave_up)
        if not waits:
            return "recorded: nobody was served, and nobody gave up"
        mean, p95 = sum(waits) / len(waits) / SECONDS, (quantile(waits, 0.95) or 0) / SECONDS
        return f"recorded: {100 * gone / len(waits):.2f} % abandoned, mean wait {mean:.1f} s, wait p95 {p95:.1f} s"

    def world(self, seed: int) -> World:
        """The people of the run with this seed: they come when they came; what nobody saw of them is drawn."""
        chance = Random(f"{seed}/recorded")
        return World(
            start=self.start,
            until=self.end - self.start + 1,
            arrivals=[self._arrival(one, chance) for one in self.seen],
            turns=self.turns,
            answers=self.answers,
        )

    def _arrival(self, one: Seen, chance: Random) -> Arrival:
        so_far = one.handled + (0 if one.since is None else self.end - one.since)
        drawn = self.handles.draw(chance)  # also where it isn't needed: one change doesn't move all that follow
        waited = self.end - one.arrived if one.waited is None else one.waited
        patience = max(1, waited) if one.gave_up else self.survival.draw(chance, waited)
        return Arrival(
            t=one.arrived - self.start,
            subportal=one.subportal,
            handle=so_far if one.handled and one.since is None else max(1, round(drawn), so_far),
            patience=patience,
            visitor=one.visitor,
            skills=one.asked,
            class_=one.class_,
        )


def read(path: Path, account: str) -> Recording:
    """Read all of an account's records; changes nothing. Raises ``NoSuchAccount``, ``CorruptJournal`` where a record
    can't be understood, ``JournalUnavailable``, ``SettingError`` where there is nothing to simulate."""
    reading = _Reading(account)
    with closing(SqliteReader(path)) as reader:
        if account not in reader.names():
            raise NoSuchAccount(f"{path} has no account {account}")
        for event, t, entries in _events(reader, account):
            reading.see(event, t, entries)
    return reading.recording()


def _events(reader: SqliteReader, account: str) -> Iterator[tuple[e.Event, int, Sequence[tuple[str, int, str]]]]:
    after = 0
    while page := reader.records(account, after, PAGE):
        for record in page:
            try:
                event = event_of(record)
            except (ValueError, TypeError) as error:
                raise CorruptJournal(f"account {account}: record {record.seq} can't be read: {error}") from None
            yield event, record.t, record.entries
        after = page[-1].seq


class _Reading:
    """Collects while it replays."""

    def __init__(self, account: str) -> None:
        self.desk = Desk(
            account, 0, PinSpace(bytes(16))
        )  # its pins, which are nobody's here, are all that these decide
        self.seen: dict[str, Seen] = {}
        self.others = 0
        self.turns: list[Turn] = []
        self.available: dict[str, bool] = {}
        self.offered: dict[str, int] = {}
        self.latencies: list[float] = []
        self.wrapping: dict[str, int] = {}
        self.wrap_ups: list[float] = []
        self.ended_offers = {"declined": 0, "expired": 0}
        self.start: int | None = None
        self.end = 0
        self._see: dict[type, Callable[[Any, int], None]] = {
            e.RequestCreated: self._created,
            e.RequestAssigned: self._assigned,
            e.SessionEnded: self._session_ended,
            e.SessionReleased: self._released,
            e.RequestEnded: self._ended,
            e.RequestClassified: self._classified,
            e.WrapUpEnded: self._wrapped_up,
            e.OfferMade: self._offered,
            e.OfferEnded: self._offer_ended,
        }

    def see(self, event: e.Event, t: int, entries: Sequence[tuple[str, int, str]]) -> None:
        """One record."""
        self.desk.evolve(event, t, entries)
        self.desk.drain_released()
        self.end = t
        seen = self._see.get(type(event))
        if seen is not None:
            seen(event, t)
        if isinstance(event, _PRESENCE):
            self._presence(event.representative, t)
        elif isinstance(event, e.BrokerStarted):
            for name in self.desk.state.representatives:
                self._presence(name, t)

    def recording(self) -> Recording:
        """What was found."""
        state = self.desk.state
        queues = {name for name, one in state.subportals.items() if state.portals[one.portal].mode == "queue"}
        seen = [one for one in self.seen.values() if one.subportal in queues]
        if not seen or self.start is None:
            raise SettingError(f"the journal has no request of {state.account} in queue mode: nothing to simulate")
        handles = tuple(float(one.handled) for one in seen if one.handled and one.since is None)
        gave_up = [one.waited for one in seen if one.gave_up and one.waited is not None]
        others = [one.waited for one in seen if not one.gave_up and one.waited is not None]
        start = self.start
        return Recording(
            puts=setting.configuration(self.desk),
            seen=seen,
            turns=[attrs.evolve(turn, t=max(0, turn.t - start)) for turn in self.turns],
            answers=self._answers(),
            start=start,
            end=self.end,
            left_out=self.others + len(self.seen) - len(seen),
            handles=Sample(handles) if handles else INSTANT,
            survival=kaplan_meier(gave_up, others),
        )

    def _answers(self) -> Answers:
        made = len(self.latencies) + sum(self.ended_offers.values())
        return Answers(
            latency=Sample(tuple(self.latencies)) if self.latencies else INSTANT,
            declined=self.ended_offers["declined"] / made if made else 0.0,
            silent=self.ended_offers["expired"] / made if made else 0.0,
            wrap_up=Sample(tuple(self.wrap_ups)) if self.wrap_ups else FOREVER,
        )

    def _created(self, event: e.RequestCreated, t: int) -> None:
        if event.mode != "queue":
            self.others += 1
            return
        self._begin(t)
        self.seen[event.request] = Seen(event.subportal, t, visitor=event.visitor.removeprefix("v_"), asked=event.asked)

    def _classified(self, event: e.RequestClassified, t: int) -> None:
        one = self.seen.get(event.request)
        if one is not None:
            one.class_ = event.class_

    def _begin(self, t: int) -> None:
        """The first customer or representative is there. What managers set up before that takes no time."""
        if self.start is None:
            self.start = t

    def _assigned(self, event: e.RequestAssigned, t: int) -> None:
        made = self.offered.pop(event.offer or "", None)
        if made is not None:
            self.latencies.append(t - made)
        one = self.seen.get(event.request)
        if one is not None:
            one.assigned = t if one.assigned is None else one.assigned
            one.since = t

    def _released(self, event: e.SessionReleased | e.SessionEnded, t: int) -> None:
        one = self.seen.get(event.request)
        if one is not None and one.since is not None:
            one.handled += t - one.since
            one.since = None

    def _session_ended(self, event: e.SessionEnded, t: int) -> None:
        self._released(event, t)
        if event.wrap_up is not None:
            self.wrapping[event.session] = t

    def _wrapped_up(self, event: e.WrapUpEnded, t: int) -> None:
        began = self.wrapping.pop(event.session, None)
        if began is not None:  # an expired one would have taken longer
            self.wrap_ups.append(math.inf if event.reason == "expired" else t - began)

    def _ended(self, event: e.RequestEnded, t: int) -> None:
        one = self.seen.get(event.request)
        if one is not None:
            one.ended, one.outcome = t, event.state

    def _offered(self, event: e.OfferMade, t: int) -> None:
        if event.kind == "queue":
            self.offered[event.offer] = t

    def _offer_ended(self, event: e.OfferEnded, t: int) -> None:
        made = self.offered.pop(event.offer, None)
        if made is not None and event.reason in self.ended_offers:
            self.ended_offers[event.reason] += 1

    def _presence(self, name: str, t: int) -> None:
        available = self.desk.state.representatives[name].available
        if available != self.available.get(name, False):
            self._begin(t)
            self.available[name] = available
            self.turns.append(Turn(t, name, available))
