"""Whether a portal takes requests now, and when that changes (A12, A14).

``state_of`` is the one answer. What it says of a sub-portal is kept with it (``Subportal.told``) and said anew when it
differs: ``changed`` looks only at what an event may have turned, hours have a deadline of their own. How full a line is
changes with every request: that is told to customers (``page``), and no event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from broker import limits
from broker.desk import events as e
from broker.desk import overflow
from broker.desk.hours import Hours, next_change
from broker.desk.hours import is_open as within
from broker.desk.state import Portal, State, Told


def pin_portal(state: State) -> Portal | None:
    """The portal of those who came by the global pin address: the account's own for it, else any for pins."""
    for kind in ("global_pin", "pin"):
        for portal in state.portals.values():
            if portal.kind == kind:
                return portal
    return None


def is_open(state: State, portal: Portal, subportal: str, now: int) -> bool:
    """Within its hours (A14), web mode is open while somebody who serves the sub-portal is signed in (A12), and a queue
    always; a pin is the representative's own word at any hour."""
    if portal.mode == "phone":
        return True
    if portal.hours is not None and not within(portal.hours, now):
        return False
    return portal.mode == "queue" or overflow.is_staffed(state, subportal)


def opening(portal: Portal, now: int) -> int | None:
    """When the portal's hours begin, if it is outside of them (ms)."""
    if portal.hours is None or portal.mode == "phone" or within(portal.hours, now):
        return None
    return next_change(portal.hours, now)


def state_of(state: State, portal: Portal, subportal: str, now: int) -> Told:
    """What is told of it now."""
    if not is_open(state, portal, subportal, now):
        return "closed", opening(portal, now), None
    if portal.hours is None or portal.mode == "phone":
        return "open", None, None
    closes = next_change(portal.hours, now)
    soon = closes is not None and closes - now <= portal.closing_ms
    return "closing" if soon else "open", None, closes


def is_full(state: State, portal: Portal, subportal: str) -> bool:
    """Whether a request would be refused because as many wait as may."""
    if portal.mode != "queue" or not overflow.is_full(state, subportal):
        return False
    return overflow.at_arrival(state, subportal) is None


def page(state: State, portal: Portal, told: Sequence[Told]) -> dict[str, object]:
    """What customers are told of the portal, ``told`` being what is said of each of its sub-portals."""
    states = [
        "full" if one[0] != "closed" and is_full(state, portal, name) else one[0]
        for name, one in zip(portal.subportals, told, strict=True)
    ]
    shown: dict[str, object] = {
        "portal": portal.portal,
        "state": min(states, key=_BEST.index),
        "subportals": [
            {"subportal": name, "state": each} for name, each in zip(portal.subportals, states, strict=True)
        ],
    }
    opens = [one[1] for one in told if one[1] is not None]
    closes = [one[2] for one in told if one[2] is not None]
    if closes:
        shown["closes"] = max(closes)
    elif opens:
        shown["opens"] = min(opens)
    return shown


_BEST: Final = ("open", "closing", "full", "closed")
"""A portal's state is the best of its sub-portals'."""

FIRST: Final[dict[str, Told]] = {
    "web": ("closed", None, None),
    "queue": ("open", None, None),
    "phone": ("open", None, None),
}
"""What a new sub-portal is, by mode, until something else is said."""


def wake(hours: Hours | None, closing_ms: int, mode: str, now: int) -> int | None:
    """When the clock alone may change it next (ms)."""
    if hours is None or mode == "phone":
        return None
    change = next_change(hours, now)
    if change is None:
        return now + limits.HOURS_AHEAD
    if within(hours, now) and change - closing_ms > now:
        return change - closing_ms
    return change


def due(state: State, name: str, now: int) -> Sequence[e.PortalTurned]:
    """A portal's hours begin, end, or end soon."""
    portal = state.portals[name]
    return [e.PortalTurned(name, wake(portal.hours, portal.closing_ms, portal.mode, now))]


# --- what an event may have turned ---------------------------------------------------------------------


def changed(state: State, happened: Iterable[e.Event], now: int) -> list[e.Event]:
    """What must be said anew after these events."""
    names: dict[str, None] = {}
    for event in happened:
        look = _LOOK.get(type(event))
        if look is not None:
            names |= dict.fromkeys(look(state, event))
    found: list[e.Event] = []
    for name in names:
        subportal = state.subportals[name]
        told = state_of(state, state.portals[subportal.portal], name, now)
        if told != subportal.told:
            found.append(e.SubportalState(name, subportal.portal, *told))
    return found


Look = Callable[..., Iterable[str]]  # type: ignore[explicit-any]  # each takes its own class


def _staffed(state: State, event: e.PresenceChanged) -> Iterable[str]:
    """Only the first who signs in and the last who signs out can turn anything."""
    team = state.teams[event.team]
    turning = 0 if event.presence == "offline" else 1
    return team.subportals if team.signed_in == turning else ()


def _moved(state: State, event: e.RepresentativePut) -> Iterable[str]:
    if event.former is None or state.representatives[event.representative].chosen == "offline":
        return ()
    return (*state.teams[event.former].subportals, *state.teams[event.team].subportals)


def _all_of_it(state: State, event: e.PortalPut | e.PortalTurned) -> Iterable[str]:
    return state.portals[event.portal].subportals


def _all(state: State, event: e.TeamPut | e.TeamDeleted) -> Iterable[str]:
    return state.subportals


def _left(state: State, event: e.RepresentativeDeleted | e.TakenOver) -> Iterable[str]:
    return state.teams[event.team].subportals


_LOOK: Final[dict[type, Look]] = {
    e.PresenceChanged: _staffed,
    e.RepresentativePut: _moved,
    e.PortalPut: _all_of_it,
    e.PortalTurned: _all_of_it,
    e.TeamPut: _all,
    e.TeamDeleted: _all,
    e.RepresentativeDeleted: _left,
    e.TakenOver: _left,
}


# --- evolve ----------------------------------------------------------------------------------------


def portal_turned(state: State, event: e.PortalTurned, t: int) -> None:
    """Apply ``PortalTurned``."""
    state.deadlines.set("hours", event.portal, event.wake)


def subportal_state(state: State, event: e.SubportalState, t: int) -> None:
    """Apply ``SubportalState``."""
    state.subportals[event.subportal].told = (event.state, event.opens, event.closes)
    state.turned.add(event.portal)
