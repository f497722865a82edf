"""The desk: one account, whole. Commands in, events out; no clock, no I/O, no chance of its own.

Theory of operation. ``handle`` lets one rule decide (``decide``: pure, reads the state), applies the
events (``evolve``: the only thing that changes the state, and the only thing that runs on replay) and
then lets ``routing.matching`` make the offers that have become possible, one event at a time, until
there is none. ``fire`` does the same for the earliest deadline. Each event is published in the streams
that ``publish.audiences`` names, at the next offset of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import attrs

from broker.desk import (
    audit,
    chat,
    credentials,
    legs,
    monitors,
    names,
    offers,
    pins,
    portal_state,
    rights,
    share_ends,
    shares,
)
from broker.desk import events as e
from broker.desk.casebook import STAMPS
from broker.desk.commands import MachineBack, Watch
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Entry, Handled, Recorded, Refusal
from broker.desk.publish import audiences
from broker.desk.rules import DUE, EVOLVE, RULES
from broker.desk.state import NORMAL, Context, Share, State, Times
from broker.desk.transcripts import Conversation
from broker.desk.watching import Side
from broker.routing import estimate
from broker.routing.matching import next_match
from broker.routing.model import Statistics as RoutingStatistics
from broker.routing.pins import PinSpace


@attrs.frozen
class Statistics:
    """Counts of one account."""

    requests: int
    sessions: int
    offers: int
    visitors: int
    files: int
    file_bytes: int
    """Kept, and announced."""
    pins: int
    streams: int
    deadlines: int
    routing: RoutingStatistics


class Desk:
    """One account: its state, and the only ways to change it."""

    def __init__(self, account: str, slot: int, pinspace: PinSpace, times: Times | None = None) -> None:
        self.state = State(account, slot, pinspace, times or Times())
        self.seq = 0
        """Records applied so far: the seq of the last one."""
        self.last_t = 0
        """Time of the last record (ms); ``now`` never goes below it."""

    @property
    def account(self) -> str:
        """The account's name."""
        return self.state.account

    # --- commands --------------------------------------------------------------------------------

    def handle(
        self, command: object, identity: Identity | None, now: int, entropy: bytes, prepared: object = None
    ) -> Handled | Refusal:
        """Carry out one command.

        ``command`` is an operation of ``protocol.ops`` (with the asker's identity) or one of ``desk.commands``
        (with None). ``now`` in ms, never below an earlier one; ``entropy`` 16 fresh random bytes; ``prepared``: what an
        operation needs that no desk can make (see its rule). The returned events are applied; a Refusal has changed
        nothing."""
        if identity is not None and (refusal := rights.refuse(self.state, identity, command)) is not None:
            return refusal
        decision = RULES[type(command)](self.state, command, Context(now, entropy, identity, prepared))
        if isinstance(decision, Refusal):
            return rights.told_to(identity, decision)
        happened = decision.events
        if identity is not None and (entry := audit.entry(identity, command, happened)) is not None:
            happened = [*happened, entry]
        records = self._carry_out(happened, now)
        value = decision.value
        if decision.state_of is not None:
            value = {**value, "state": self.state.requests[decision.state_of].state}
        return Handled(records, value, decision.secret)

    def fire(self, now: int) -> Handled | None:
        """Carry out the earliest deadline that is due at ``now``; None when none is. Call until None."""
        first = self.state.deadlines.first()
        if first is None or first[0] > now:
            return None
        _, kind, name = first
        return Handled(self._carry_out(DUE[kind](self.state, name, now), now), {})

    def next_deadline(self) -> int | None:
        """When ``fire`` wants to be called next (ms)."""
        first = self.state.deadlines.first()
        return None if first is None else first[0]

    def _carry_out(self, happened: Sequence[e.Event], now: int) -> list[Recorded]:
        records = [self._record(event, now) for event in happened]
        if happened:
            while (match := next_match(self.state.router)) is not None:
                records.append(self._record(offers.from_match(self.state, match, now), now))
            turned = portal_state.changed(self.state, happened, now)
            records += [self._record(event, now) for event in turned]
            if self.state.monitored:
                records += [self._record(event, now) for event in monitors.lapsed(self.state)]
        return records

    def _record(self, event: e.Event, now: int) -> Recorded:
        stamp = STAMPS.get(type(event))
        if stamp is not None:
            stamp(self.state, event, now)
        streams = self.state.streams
        entries: list[Entry] = []
        for stream, wire_type in audiences(event):
            offset = streams.get(stream, 0) + 1
            streams[stream] = offset
            entries.append((stream, offset, wire_type))
        EVOLVE[type(event)](self.state, event, now)
        self.seq += 1
        self.last_t = now
        return Recorded(event, now, tuple(entries))

    # --- replay ----------------------------------------------------------------------------------

    def evolve(self, event: e.Event, t: int, entries: Sequence[Entry]) -> None:
        """Apply one stored record. Nothing is decided: not even where it was published."""
        for stream, offset, _ in entries:
            self.state.streams[stream] = offset
        EVOLVE[type(event)](self.state, event, t)
        self.seq += 1
        self.last_t = t

    def settle(self) -> None:
        """After a replay: what matching had looked at before the stop needs no second look."""
        self.state.router.settle()

    # --- questions -------------------------------------------------------------------------------

    def may_read(self, identity: Identity, stream: str) -> bool:
        """Whether this identity may follow this stream (internal name: ``me:<person>``) now."""
        return rights.may_read(self.state, identity, stream)

    def knows(self, identity: Identity) -> bool:
        """Whether a valid credential still names somebody: a representative, manager, existing portal; of services also
        one that the account doesn't list, if nobody has its name (H8)."""
        match identity.role:
            case Role.REPRESENTATIVE:
                return identity.person in self.state.representatives
            case Role.CUSTOMER:
                if self.state.shuts_out(identity):
                    return False
                if identity.portal is None:
                    return portal_state.pin_portal(self.state) is not None
                return identity.portal in self.state.portals
            case Role.MANAGER:
                return rights.actor(self.state, identity) is not None
            case _:
                name = identity.person
                return name in self.state.services or names.free(self.state, name)

    def admits(self, identity: Identity, sign_in: str | None, issued: int | None) -> bool:
        """Whether a verified credential names somebody, and hasn't been taken back: its sign-in or key (if it is of
        one) goes on, and its person wasn't signed out of everything since it was ``issued`` (ms)."""
        return self.knows(identity) and credentials.admits(self.state, identity, sign_in, issued)

    def audience(self, identity: Identity, session: str, upto: int = 0) -> tuple[str, str] | Refusal:
        """(stream, key) of what is told of somebody in a session and not kept; refused to who isn't in it."""
        return rights.told_to(identity, chat.audience(self.state, session, identity, upto))

    def exists(self, role: Role, person: str) -> bool:
        """Whether somebody of this role and name is configured."""
        return credentials.exists(self.state, role, person)

    def provisions(self, person: str) -> bool:
        """Whether this is an API manager."""
        manager = self.state.managers.get(person)
        return manager is not None and manager.kind == "api"

    def role_of(self, person: str) -> Role | None:
        """What somebody of this name is to the account."""
        return credentials.role_of(self.state, person)

    def passwords_of(self, person: str) -> int:
        """How many passwords this person has had."""
        return credentials.passwords_of(self.state, person)

    def refuse(self, identity: Identity, command: object) -> Refusal | None:
        """The gate alone: why this person may not ask for this, or None."""
        return rights.refuse(self.state, identity, command)

    def conversation(self, identity: Identity, session: str) -> Conversation | None:
        """The conversation whose transcript this person may have; None: there is none for it. (``refuse`` first.)"""
        return rights.conversation(self.state, identity, session)

    def has_open_request(self, visitor: str) -> bool:
        """Whether this visitor waits, talks or shares its screen now: then its token is renewed, else it keeps its
        expiry, so that a visitor is never forgotten while its token is good."""
        found = self.state.visitors.get(visitor)
        return found is not None and found.busy

    def shuts_out(self, identity: Identity) -> bool:
        """Whether this customer is blocked, or comes from an address that is."""
        return self.state.shuts_out(identity)

    @property
    def live_pins(self) -> int:
        """How many pins could be hit by guessing."""
        return len(self.state.serials)

    def is_live(self, pin: str, now: int) -> bool:
        """Whether these nine digits are a pin that can be redeemed."""
        return pins.live(self.state, pin, now) is not None

    def stream_head(self, stream: str) -> int:
        """The last offset of a stream; 0 for one that has none (or that the desk has forgotten)."""
        return self.state.streams.get(stream, 0)

    def lines(self) -> Iterator[tuple[str, int]]:
        """(sub-portal, requests in its line) of every line that isn't empty."""
        for name, line in self.state.router.lines.items():
            if line.order:
                yield name, len(line.order)

    def waits(self, subportal: str) -> Callable[[int], float] | None:
        """A function from a place in this line to how long it will take from there (ms), if that can be told."""
        router = self.state.router
        served = estimate.rate(router, subportal)
        return None if served is None else partial(estimate.at, router.lines[subportal], served)

    def moved_by(self, subportal: str) -> str:
        """Why somebody last came to stand before others in this line."""
        return self.state.router.lines[subportal].moved_by

    def positions(self, subportal: str, first: int, count: int) -> list[tuple[str, str, int]]:
        """(request, customer, place) of ``count`` requests in line from place ``first`` (from 1) on."""
        return [
            (request, self.state.requests[request].visitor, place)
            for place, request in self.state.router.in_line(subportal, first, count)
        ]

    def shares(self) -> Iterator[tuple[str, str, str, list[tuple[str, str]]]]:
        """(share, customer, representative, [(leg, guest), …]) of the shares between whose ends SIGNAL is relayed."""
        for share in self.state.shares.values():
            if share.state in share_ends.RELAYED:
                guests = legs.of(share, self.state.sessions.get(share.session))
                yield share.share, share.visitor, share.representative, guests

    def share_to_join(self, identity: Identity, share: str) -> Share | Refusal:
        """The share, if this is one of its ends, or a guest of its session, and its media may be set up now."""
        return rights.told_to(identity, shares.join(self.state, identity, share))

    def joins(self, identity: Identity, share: Share) -> MachineBack | Watch | None:
        """What is to be carried out before this one's media is set up."""
        return shares.joins(self.state, share, identity)

    def side(self, identity: Identity, share: Share) -> Side:
        """Who has the media so, and what it may do."""
        return shares.side(self.state, share, identity)

    def held_contents(self) -> set[str]:
        """Ids of the contents that live things refer to."""
        state = self.state
        refs = [ref for one in state.portals.values() for ref in (one.title, one.labels, one.texts, one.survey_labels)]
        for team in state.teams.values():
            refs += [team.title, *(ref for one in team.replies.values() for ref in (one.title, one.text, one.texts))]
        for person in state.representatives.values():
            refs += [person.name, person.email]
        for manager in state.managers.values():
            refs += [manager.name, manager.email]
        refs += [access.password for access in state.access.values()]
        for request in state.requests.values():
            refs += [request.text, request.name, request.email, request.fields, request.page]
        refs += [state.files[upload].name for upload in state.uploads]
        refs += [offer.comment for offer in state.offers.values()]
        return {ref[0] for ref in refs if ref is not None}

    def drain_released(self) -> list[str]:
        """Ids of contents that nothing live refers to any more, since the last call."""
        released, self.state.released = self.state.released, []
        return released

    def drain_erased(self) -> list[str]:
        """Ids of contents that are to be gone from the journal, since the last call."""
        erased, self.state.erased = self.state.erased, []
        return erased

    def drain_unstored(self) -> list[str]:
        """Files whose bytes are to go, since the last call."""
        unstored, self.state.unstored = self.state.unstored, []
        return unstored

    def drain_turned(self) -> set[str]:
        """Portals of which something else is said since the last call."""
        turned, self.state.turned = self.state.turned, set()
        return turned

    def page(self, portal: str) -> dict[str, object] | None:
        """What customers of a portal are told of its state, as far as it was decided; None: there is none."""
        state = self.state
        one = state.portals.get(portal)
        return (
            None if one is None else portal_state.page(state, one, [state.subportals[n].told for n in one.subportals])
        )

    def full(self) -> set[str]:
        """The sub-portals where a request would be refused because as many wait as may."""
        state = self.state
        found = (state.subportals[name] for name, _ in self.lines())
        return {one.subportal for one in found if portal_state.is_full(state, state.portals[one.portal], one.subportal)}

    def has_class(self, portal: str, class_: str) -> bool:
        """Whether requests of this portal may be of this class."""
        one = self.state.portals.get(portal)
        return one is not None and (class_ == NORMAL or class_ in dict(one.classes))

    def origins(self, portal: str) -> tuple[str, ...]:
        """Pages that a portal's customers may come from; none: as the installation has it."""
        one = self.state.portals.get(portal)
        return () if one is None else one.origins

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        state = self.state
        return Statistics(
            requests=len(state.requests),
            sessions=len(state.sessions),
            offers=len(state.offers),
            visitors=len(state.visitors),
            files=len(state.files),
            file_bytes=state.file_bytes,
            pins=len(state.serials),
            streams=len(state.streams),
            deadlines=len(state.deadlines),
            routing=state.router.statistics(),
        )

    def __repr__(self) -> str:
        return f"<Desk {self.account}: seq {self.seq}, {len(self.state.requests)} open requests>"
