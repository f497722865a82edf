"""Whether a portal takes requests now (A12, A14)."""

from __future__ import annotations

from broker.desk.hours import is_open as within
from broker.desk.hours import next_change
from broker.desk.state import Portal, State


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
    if portal.mode == "queue":
        return True
    return any(state.teams[team].signed_in for team in state.serving.get(subportal, ()))


def opening(portal: Portal, now: int) -> int | None:
    """When the portal's hours begin, if it is outside of them (ms)."""
    if portal.hours is None or portal.mode == "phone" or within(portal.hours, now):
        return None
    return next_change(portal.hours, now)
