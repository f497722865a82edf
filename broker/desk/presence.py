"""Who is there: what representatives choose, what their connections say, and what follows from either.

Presence is a lease. A representative that vanishes loses its offers at once and its sessions after a
hold; a customer that vanishes loses what it has open after a grace.
"""

from __future__ import annotations

from collections.abc import Iterable

from broker import limits
from broker.desk import events as e
from broker.desk import (
    monitors,
    offers,
    overflow,
    portal_state,
    seats,
    sessions,
    share_ends,
    share_state,
    visitors,
    wrap_up,
)
from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost
from broker.desk.outcome import Decision, Refusal, wrong_state
from broker.desk.state import Context, Representative, State, Visitor
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def set_presence(state: State, command: ops.PresenceSet, context: Context) -> Decision | Refusal:
    """A representative says whether offers are welcome; offline signs out. Who was taken over is away already, and asks
    for a login anew with available."""
    assert context.identity is not None
    person = state.representatives[context.identity.person]  # the gate lets nobody else come here
    wanted = command.presence
    if wanted == "offline" and person.sessions and command.sessions != "hand_back":
        return wrong_state(
            "in_session",
            "session.end",
            "session.leave",
            "session.transfer",
            "presence.set",
            text="sessions are open: finish or transfer them, or sign out with sessions = hand_back",
            sessions=list(person.sessions),
        )
    value = {"presence": wanted}
    if wanted == person.chosen and (person.connected or wanted == "offline"):
        return Decision(value=value)
    sought = [] if wanted == "offline" or person.seated else seats.seek(state, person, command.takeover)
    if isinstance(sought, Refusal):
        return sought
    happened: list[e.Event] = [
        *sought,
        e.PresenceChanged(person.representative, person.team, wanted, "representative", command.reason),
    ]
    if wanted != "available":
        happened += offers.withdraw_all(state, person)
    if wanted == "offline":
        happened += [*sessions.give_back_all(state, person, "signed_out"), *wrap_up.end_all(state, person)]
    return Decision(happened, value)


def connection_lost(state: State, command: ConnectionLost, context: Context) -> Decision:
    """A person's last connection is gone."""
    person = state.representatives.get(command.person)
    if person is not None:
        return Decision(_lose(state, person, context.now) if person.connected else ())
    if monitoring := monitors.leaves_all(state, command.person, "connection_lost"):
        return Decision(monitoring)
    visitor = state.visitors.get(command.person)
    if visitor is None or not visitor.busy or visitor.lost_until is not None:
        return Decision()
    until = max(context.now + state.times.abandon, share_ends.rebooting_until(state, visitor.visitor))
    return Decision([e.CustomerLost(visitor.visitor, until, _sessions_of(state, visitor))])


def connection_back(state: State, command: ConnectionBack, context: Context) -> Decision:
    """A person that had no connection has one."""
    person = state.representatives.get(command.person)
    if person is not None:
        if person.chosen == "offline" or person.connected:
            return Decision()
        held = _sessions_at(state, person) if person.hold_until is not None else ()
        return Decision([e.RepresentativeBack(person.representative, person.team, person.chosen, held)])
    visitor = state.visitors.get(command.person)
    if visitor is None or visitor.lost_until is None:
        return Decision()
    return Decision([e.CustomerBack(visitor.visitor, _sessions_of(state, visitor))])


def broker_start(state: State, command: BrokerStart, context: Context) -> Decision:
    """Everyone who waits for a person gets the full period anew."""
    now, times = context.now, state.times
    happened: list[e.Event] = [
        e.BrokerStarted(
            now + times.lease,
            now + times.hold,
            now + times.abandon,
            now + limits.CONSENT_TIMEOUT,
            now + limits.REBOOT_GRACE,
        )
    ]
    for offer in state.offers.values():
        if offer.deadline is not None:
            portal = state.portals[state.requests[offer.request].portal]
            wait = limits.TRANSFER_TIMEOUT if offer.representative is None else portal.offer_ms
            happened.append(e.OfferRenewed(offer.offer, offer.representative, now + wait, offer.subportal))
    happened += monitors.every_one_ends(state, "restarted")
    for name in state.portals:  # time zones may be others than before the stop
        (turned,) = portal_state.due(state, name, now)
        if turned.wake != state.deadlines.get("hours", name):
            happened.append(turned)
    return Decision(happened)


# --- due -------------------------------------------------------------------------------------------


def lease_over(state: State, name: str, now: int) -> list[e.Event]:
    """After a restart, this representative did not come back in time."""
    return _lose(state, state.representatives[name], now)


def hold_over(state: State, name: str, now: int) -> list[e.Event]:
    """A lost representative did not come back: its sessions go back to the line, and it is signed out."""
    person = state.representatives[name]
    offline = e.PresenceChanged(name, person.team, "offline", "broker", None)
    given_back = sessions.give_back_all(state, person, "representative_lost")
    return [offline, *given_back, *wrap_up.end_all(state, person)]


def abandon(state: State, name: str, now: int) -> list[e.Event]:
    """A lost customer did not come back."""
    visitor = state.visitors[name]
    requests = [state.requests[request] for request in visitor.requests.values()]
    over = share_ends.given_up(state, visitor.shares)
    return [*over, *sessions.end_all(state, requests, now, session_reason="abandoned", request_state="abandoned")]


def forget_visitors(state: State, name: str, now: int) -> list[e.Event]:
    """Visitors whose token has run out are forgotten, an hour's worth at a time."""
    return [e.VisitorsForgotten(now - limits.VISITOR_MEMORY)]


def _lose(state: State, person: Representative, now: int) -> list[e.Event]:
    held = _sessions_at(state, person)
    lost = e.RepresentativeLost(person.representative, person.team, now + state.times.hold, held)
    return [lost, *offers.withdraw_all(state, person)]


def _sessions_of(state: State, visitor: Visitor) -> tuple[str, ...]:
    found = (state.requests[request] for request in visitor.requests.values())
    talks = (request.session for request in found if request.state == "assigned")
    return _with_shared(state, talks, visitor.shares)


def _sessions_at(state: State, person: Representative) -> tuple[str, ...]:
    return _with_shared(state, person.sessions, person.shares)


def _with_shared(state: State, talks: Iterable[str], shared: Iterable[str]) -> tuple[str, ...]:
    """The sessions, and those that are over but for a share."""
    return tuple(dict.fromkeys([*talks, *(state.shares[name].session for name in shared)]))


# --- evolve ----------------------------------------------------------------------------------------


def presence_changed(state: State, event: e.PresenceChanged, t: int) -> None:
    """Apply ``PresenceChanged``."""
    person = state.representatives[event.representative]
    rested = person.chosen != "available"
    team = state.teams[person.team]
    seats.stand(state, person, seated=event.presence != "offline")
    person.chosen = event.presence
    person.connected = event.presence != "offline"
    person.missed = 0
    if not team.signed_in:
        overflow.watch_staff(state, team.subportals, t)
    _set_waits(state, person, lease=None, hold=None)
    state.router.set_available(person.representative, t, available=person.available, rested=rested and person.available)


def representative_lost(state: State, event: e.RepresentativeLost, t: int) -> None:
    """Apply ``RepresentativeLost``."""
    person = state.representatives[event.representative]
    person.connected = False
    _set_waits(state, person, lease=None, hold=event.until)
    state.router.set_available(person.representative, t, available=False, rested=False)


def representative_back(state: State, event: e.RepresentativeBack, t: int) -> None:
    """Apply ``RepresentativeBack``: its idle time is what it was."""
    person = state.representatives[event.representative]
    person.connected = True
    _set_waits(state, person, lease=None, hold=None)
    state.router.set_available(person.representative, t, available=person.available, rested=False)


def customer_lost(state: State, event: e.CustomerLost, t: int) -> None:
    """Apply ``CustomerLost``."""
    state.visitors[event.visitor].lost_until = event.until
    state.deadlines.set("abandon", event.visitor, event.until)


def customer_back(state: State, event: e.CustomerBack, t: int) -> None:
    """Apply ``CustomerBack``."""
    state.visitors[event.visitor].lost_until = None
    state.deadlines.set("abandon", event.visitor, None)


def broker_started(state: State, event: e.BrokerStarted, t: int) -> None:
    """Apply ``BrokerStarted``: nobody is connected yet, and everybody has time to come back."""
    state.flow = state.flow.anew(t)
    share_state.renew(state, event)
    for person in state.representatives.values():
        if person.chosen == "offline":
            continue
        person.connected = False
        if person.hold_until is None:
            _set_waits(state, person, lease=event.lease_until, hold=None)
        else:
            _set_waits(state, person, lease=None, hold=event.hold_until)
        state.router.set_available(person.representative, t, available=False, rested=False)
    for visitor in state.visitors.values():
        if visitor.busy:
            visitor.lost_until = max(event.abandon_until, share_ends.rebooting_until(state, visitor.visitor))
            state.deadlines.set("abandon", visitor.visitor, visitor.lost_until)


def visitors_forgotten(state: State, event: e.VisitorsForgotten, t: int) -> None:
    """Apply ``VisitorsForgotten``."""
    while state.idle_visitors:
        name = next(iter(state.idle_visitors))
        if state.visitors[name].ended > event.before:
            break
        del state.idle_visitors[name], state.visitors[name]
        state.streams.pop(f"me:{name}", None)
    visitors.wake_for_visitors(state)


def _set_waits(state: State, person: Representative, *, lease: int | None, hold: int | None) -> None:
    person.lease_until, person.hold_until = lease, hold
    state.deadlines.set("lease", person.representative, lease)
    state.deadlines.set("hold", person.representative, hold)
