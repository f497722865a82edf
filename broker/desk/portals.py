"""Portals and sub-portals: what managers set up, and what customers find open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from broker import limits
from broker.codes import Code
from broker.desk import account, overflow, settings, teams
from broker.desk import events as e
from broker.desk.changes import changes
from broker.desk.hours import Hours, HoursData, as_data, next_change, parse, restore
from broker.desk.hours import is_open as within
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import NORMAL, Context, Portal, Request, State, Subportal
from broker.protocol import ops

KINDS: dict[str, tuple[str, ...]] = {
    "web": ("pick", "ask", "button"),
    "phone": ("pin", "global_pin"),
    "queue": ("ask", "button"),
}
"""Which portal kinds a connection mode allows. Where documents disagree about ``ask``, the mode wins (B4)."""


def put_portal(state: State, command: ops.PortalPut, context: Context) -> Decision | Refusal:
    """Create a portal or change it."""
    if command.kind not in KINDS[command.mode]:
        return bad_args("args.kind", f"one of {', '.join(KINDS[command.mode])} in mode {command.mode}")
    if (refusal := account.refuse_mode(state, command.mode)) is not None:
        return refusal
    names = tuple(command.subportals)
    if len(set(names)) != len(names):
        return bad_args("args.subportals", "each name once")
    for index, name in enumerate(names):
        known = state.subportals.get(name)
        if known is not None and known.portal != command.portal:
            return bad_args(f"args.subportals[{index}]", "a name that no other portal of the account uses")
    opened = None if command.hours is None else parse(command.hours)
    if isinstance(opened, tuple):
        return bad_args(*opened)
    if (refusal := _wrong_classes(command.classes or ())) is not None:
        return refusal
    now = state.portals.get(command.portal)
    if now is None and len(state.portals) >= limits.MAX_PORTALS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_PORTALS} portals")
    if now is not None and (refusal := _portal_in_use(state, now, command, names)) is not None:
        return refusal
    if len(state.subportals.keys() | set(names)) > limits.MAX_SUBPORTALS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_SUBPORTALS} sub-portals")
    event = e.PortalPut(
        command.portal,
        command.title.ref if command.title is not None else None,
        command.kind,
        command.mode,
        names,
        command.offer_ms or state.times.offer,
        command.pick_fallback or "choose",
        context.who,
        command.places or 1,
        command.wrap_up_ms or 0,
        tuple((cast("str", one["class"]), cast("int", one["boost_ms"])) for one in command.classes or ()),
        command.take or "off",
        None if opened is None else as_data(opened),
    )
    before = {} if now is None else words(now)
    after = words(event)
    if now is not None and event.title is None:
        after["title"] = now.title
    event.changes = changes(before, after)
    return Decision([event] if event.changes else [], {"portal": command.portal, "changed": bool(event.changes)})


def delete_portal(state: State, command: ops.PortalDelete, context: Context) -> Decision | Refusal:
    """Delete a portal and its sub-portals, which nobody may wait in any more."""
    portal = state.portals.get(command.portal)
    if portal is None:
        return no_such("portal")
    if count := sum(_of(portal, request) for request in state.requests.values()):
        return Refusal(
            Code.WRONG_STATE,
            f"{count} open requests came through the portal, or wait in it",
            {"state": "in_use", "requests": count, "allowed": ["portal.delete without open requests"]},
        )
    gone = changes(words(portal), {})
    return Decision([e.PortalDeleted(portal.portal, portal.subportals, context.who, gone)], {"portal": portal.portal})


def _of(portal: Portal, request: Request) -> bool:
    return request.portal == portal.portal or request.subportal in portal.subportals


def _portal_in_use(state: State, now: Portal, command: ops.PortalPut, names: Sequence[str]) -> Refusal | None:
    """Open requests were made under the present rules: those can't change under them."""
    same = (now.kind, now.mode, now.places) == (command.kind, command.mode, command.places or 1)
    lost = set(now.subportals) - set(names)
    if same and not lost:
        return None
    left = lost if now.mode == command.mode else set(now.subportals)  # requests of other portals may wait there
    if any(request.portal == now.portal or request.subportal in left for request in state.requests.values()):
        return Refusal(
            Code.WRONG_STATE,
            "kind, mode, places and sub-portals can't be taken from a portal with open requests",
            {"state": "in_use", "allowed": ["portal.put with more sub-portals, a title or times"]},
        )
    return None


def shown(portal: Portal) -> dict[str, object]:
    """As managers read it."""
    return {"portal": portal.portal, **words(portal)}


def words(portal: Portal | e.PortalPut) -> dict[str, object]:
    """All that can be set, in the words of the operation."""
    return {
        "title": portal.title,
        "kind": portal.kind,
        "mode": portal.mode,
        "subportals": list(portal.subportals),
        "offer_ms": portal.offer_ms,
        "pick_fallback": portal.pick_fallback,
        "places": portal.places,
        "wrap_up_ms": portal.wrap_up_ms,
        "classes": [{"class": name, "boost_ms": boost} for name, boost in portal.classes],
        "take": portal.take,
        "hours": as_data(portal.hours) if isinstance(portal.hours, Hours) else portal.hours,
    }


def _wrong_classes(classes: Sequence[ops.Map]) -> Refusal | None:
    names = [NORMAL]
    for index, one in enumerate(classes):
        if one["class"] in names:
            return bad_args(f"args.classes[{index}].class", f"each name once, and none of them {NORMAL}")
        names.append(cast("str", one["class"]))
    return None


def put_subportal(state: State, command: ops.SubportalPut, context: Context) -> Decision | Refusal:
    """Set a sub-portal's share, whom it wants, and where requests go that wait too long."""
    now = state.subportals.get(command.subportal)
    if now is None:
        return bad_args("args.subportal", "the name of a sub-portal")
    if (refusal := settings.wrong(state, command)) is not None:
        return refusal
    event = settings.put(command, context.who)
    event.changes = changes(settings.words(now), settings.words(event))
    return Decision([event] if event.changes else [], {"subportal": now.subportal, "changed": bool(event.changes)})


def open_portal(state: State, command: ops.PortalOpen, context: Context) -> Decision | Refusal:
    """What a portal's page needs to begin."""
    identity = context.identity
    assert identity is not None
    portal = pin_portal(state) if identity.portal is None else state.portals.get(identity.portal)
    if portal is None:
        return no_such("portal")
    states = [
        {
            "subportal": name,
            "open": is_open(state, portal, name, context.now),
            **_asked(state.subportals[name]),
        }
        for name in portal.subportals
    ]
    visitor = state.visitors.get(identity.person)
    value: dict[str, object] = {
        "portal": portal.portal,
        "kind": portal.kind,
        "mode": portal.mode,
        "open": any(entry["open"] for entry in states),
        "subportals": states,
        "representatives": _roster(state, portal) if portal.kind == "pick" else [],
    }
    if portal.title is not None:
        value["title"] = portal.title
    if (opens := opening(portal, context.now)) is not None:
        value["opens"] = opens
    if visitor is not None and portal.portal in visitor.requests:
        value["request"] = visitor.requests[portal.portal]
    return Decision(value=value)


def _asked(subportal: Subportal) -> dict[str, object]:
    """What its customers may ask for."""
    skills = [skill for skill, _, asked in subportal.skills if asked]
    return {"skills": skills} if skills else {}


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


def _roster(state: State, portal: Portal) -> list[dict[str, object]]:
    return [
        {"representative": name, "name": state.representatives[name].name, "subportal": subportal}
        for subportal in portal.subportals
        for team in sorted(state.serving.get(subportal, ()))
        for name in sorted(state.teams[team].members)
        if state.representatives[name].available
    ]


# --- evolve ----------------------------------------------------------------------------------------


def portal_put(state: State, event: e.PortalPut, t: int) -> None:
    """Apply ``PortalPut``."""
    before = state.portals.get(event.portal)
    kept = {}
    if before is not None:
        kept = {name: state.subportals.pop(name) for name in before.subportals}
        for name in sorted(set(before.subportals) - set(event.subportals)):
            _forget_subportal(state, name)
        if event.title is not None:
            state.release(before.title)
    title = event.title if event.title is not None or before is None else before.title
    state.portals[event.portal] = Portal(
        event.portal, title, event.kind, event.mode, tuple(event.subportals), event.offer_ms, event.pick_fallback
    )
    portal = state.portals[event.portal]
    portal.places, portal.wrap_up_ms, portal.classes, portal.take = (
        event.places,
        event.wrap_up_ms,
        event.classes,
        event.take,
    )
    portal.hours = None if event.hours is None else restore(cast("HoursData", event.hours))
    for name in event.subportals:
        subportal = state.subportals[name] = kept.get(name) or Subportal(name, event.portal)
        state.router.put_line(name)
        state.router.tune(name, weight=subportal.weight, policy=subportal.policy, places=event.places)


def portal_deleted(state: State, event: e.PortalDeleted, t: int) -> None:
    """Apply ``PortalDeleted``."""
    portal = state.portals.pop(event.portal)
    state.release(portal.title)
    for name in event.subportals:
        del state.subportals[name]
        _forget_subportal(state, name)


def subportal_put(state: State, event: e.SubportalPut, t: int) -> None:
    """Apply ``SubportalPut``."""
    subportal = state.subportals[event.subportal]
    subportal.weight, subportal.policy, subportal.max_waiting = event.weight, event.policy, event.max_waiting
    subportal.skills, subportal.relax = event.skills, event.relax
    subportal.sticky_ms, subportal.overflow = event.sticky_ms, event.overflow
    places = state.portals[subportal.portal].places
    state.router.tune(event.subportal, weight=event.weight, policy=event.policy, places=places)
    overflow.watch_staff(state, [event.subportal], t)


def _forget_subportal(state: State, name: str) -> None:
    """Nobody serves it any more: one that is made under this name later is another."""
    state.deadlines.set("unstaffed", name, None)
    state.router.tune(name)
    line = state.router.lines[name]
    line.handled, line.handle_ms, line.waited_ms, line.gave_up = 0, 0.0, 0.0, 0.0
    for team in sorted(state.serving.pop(name, ())):
        teams.serve(state, state.teams[team], tuple(one for one in state.teams[team].subportals if one != name))
