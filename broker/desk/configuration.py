"""Portals, teams and representatives: what managers set up."""

from __future__ import annotations

from collections.abc import Sequence

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import offers
from broker.desk.outcome import Decision, Refusal, bad_args, no_such
from broker.desk.state import Context, Portal, Representative, State, Subportal, Team
from broker.protocol import ops
from broker.routing.policies import DEFAULT

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
    names = tuple(command.subportals)
    if len(set(names)) != len(names):
        return bad_args("args.subportals", "each name once")
    for index, name in enumerate(names):
        known = state.subportals.get(name)
        if known is not None and known.portal != command.portal:
            return bad_args(f"args.subportals[{index}]", "a name that no other portal of the account uses")
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
        _who(context),
    )
    if now is not None and event.title is None and _portal_fields(now) == _portal_fields(event):
        return Decision(value={"portal": command.portal, "changed": False})
    return Decision([event], {"portal": command.portal, "changed": True})


def _portal_in_use(state: State, now: Portal, command: ops.PortalPut, names: Sequence[str]) -> Refusal | None:
    """Open requests were made under the present rules: those can't change under them."""
    if (now.kind, now.mode) == (command.kind, command.mode) and set(now.subportals) <= set(names):
        return None
    if any(request.portal == now.portal for request in state.requests.values()):
        return Refusal(
            Code.WRONG_STATE,
            "kind, mode and sub-portals can't be taken from a portal with open requests",
            {"state": "in_use", "allowed": ["portal.put with more sub-portals, a title or times"]},
        )
    return None


def _portal_fields(portal: Portal | e.PortalPut) -> tuple[object, ...]:
    return (portal.kind, portal.mode, portal.subportals, portal.offer_ms, portal.pick_fallback)


def put_subportal(state: State, command: ops.SubportalPut, context: Context) -> Decision | Refusal:
    """Set a sub-portal's share, policy and length of line."""
    now = state.subportals.get(command.subportal)
    if now is None:
        return bad_args("args.subportal", "the name of a sub-portal")
    event = e.SubportalPut(
        command.subportal,
        command.weight or 1,
        command.policy or DEFAULT,
        command.max_waiting or limits.MAX_WAITING,
        _who(context),
    )
    changed = (now.weight, now.policy, now.max_waiting) != (event.weight, event.policy, event.max_waiting)
    return Decision([event] if changed else [], {"subportal": command.subportal, "changed": changed})


def put_team(state: State, command: ops.TeamPut, context: Context) -> Decision | Refusal:
    """Create a team or change what it serves."""
    names = tuple(dict.fromkeys(command.subportals))
    for index, name in enumerate(command.subportals):
        if name not in state.subportals:
            return bad_args(f"args.subportals[{index}]", "the name of a sub-portal")
    now = state.teams.get(command.team)
    if now is None and len(state.teams) >= limits.MAX_TEAMS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_TEAMS} teams")
    title = command.title.ref if command.title is not None else None
    if now is not None and title is None and now.subportals == names:
        return Decision(value={"team": command.team, "changed": False})
    happened: list[e.Event] = [e.TeamPut(command.team, title, names, _who(context))]
    if now is not None and (lost := set(now.subportals) - set(names)):
        for member in sorted(now.members):
            happened += offers.take_away(state, state.representatives[member], lost)
    return Decision(happened, {"team": command.team, "changed": True})


def put_representative(state: State, command: ops.RepresentativePut, context: Context) -> Decision | Refusal:
    """Create a representative or change one."""
    if command.representative.startswith("v_"):
        return bad_args("args.representative", "a name that doesn't begin with v_, as visitors' ids do")
    if command.team not in state.teams:
        return bad_args("args.team", "the name of a team")
    now = state.representatives.get(command.representative)
    if now is None and len(state.representatives) >= limits.MAX_REPRESENTATIVES:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_REPRESENTATIVES} representatives")
    former = now.team if now is not None and now.team != command.team else None
    happened: list[e.Event] = [
        e.RepresentativePut(
            command.representative, command.name.ref, command.team, former, command.capacity, _who(context)
        )
    ]
    if now is not None:
        if now.name == command.name.ref and (now.team, now.capacity) == (command.team, command.capacity):
            return Decision(value={"representative": command.representative, "changed": False})
        lost = set(state.teams[now.team].subportals) - set(state.teams[command.team].subportals)
        happened += offers.take_away(state, now, lost)
        happened += offers.make_fit(state, now, command.capacity, happened)
    return Decision(happened, {"representative": command.representative, "changed": True})


def get_account(state: State, command: ops.AccountGet, context: Context) -> Decision | Refusal:
    """The configuration, in the words of the put operations."""
    return Decision(
        value={
            "portals": [
                {
                    "portal": portal.portal,
                    "title": portal.title,
                    "kind": portal.kind,
                    "mode": portal.mode,
                    "subportals": list(portal.subportals),
                    "offer_ms": portal.offer_ms,
                    "pick_fallback": portal.pick_fallback,
                }
                for portal in state.portals.values()
            ],
            "subportals": [
                {
                    "subportal": one.subportal,
                    "portal": one.portal,
                    "weight": one.weight,
                    "policy": one.policy,
                    "max_waiting": one.max_waiting,
                }
                for one in state.subportals.values()
            ],
            "teams": [
                {"team": team.team, "title": team.title, "subportals": list(team.subportals)}
                for team in state.teams.values()
            ],
            "representatives": [
                {
                    "representative": person.representative,
                    "name": person.name,
                    "team": person.team,
                    "capacity": person.capacity,
                }
                for person in state.representatives.values()
            ],
        }
    )


def open_portal(state: State, command: ops.PortalOpen, context: Context) -> Decision | Refusal:
    """What a portal's page needs to begin."""
    identity = context.identity
    assert identity is not None
    portal = pin_portal(state) if identity.portal is None else state.portals.get(identity.portal)
    if portal is None:
        return no_such("portal")
    states = [{"subportal": name, "open": is_open(state, portal, name)} for name in portal.subportals]
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
    if visitor is not None and portal.portal in visitor.requests:
        value["request"] = visitor.requests[portal.portal]
    return Decision(value=value)


def pin_portal(state: State) -> Portal | None:
    """The portal of those who came by the global pin address: the account's own for it, else any for pins."""
    for kind in ("global_pin", "pin"):
        for portal in state.portals.values():
            if portal.kind == kind:
                return portal
    return None


def is_open(state: State, portal: Portal, subportal: str) -> bool:
    """Web mode is open while somebody who serves the sub-portal is signed in (A12); a queue takes requests always,
    and a pin is the representative's own word."""
    if portal.mode != "web":
        return True
    return any(state.teams[team].signed_in for team in state.serving.get(subportal, ()))


def _roster(state: State, portal: Portal) -> list[dict[str, object]]:
    return [
        {"representative": name, "name": state.representatives[name].name, "subportal": subportal}
        for subportal in portal.subportals
        for team in sorted(state.serving.get(subportal, ()))
        for name in sorted(state.teams[team].members)
        if state.representatives[name].available
    ]


def _who(context: Context) -> str:
    return "broker" if context.identity is None else context.identity.person


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
    for name in event.subportals:
        state.subportals[name] = kept.get(name) or Subportal(name, event.portal)
        state.router.put_line(name)


def subportal_put(state: State, event: e.SubportalPut, t: int) -> None:
    """Apply ``SubportalPut``."""
    subportal = state.subportals[event.subportal]
    subportal.weight, subportal.policy, subportal.max_waiting = event.weight, event.policy, event.max_waiting
    state.router.tune(event.subportal, event.weight, event.policy)


def _forget_subportal(state: State, name: str) -> None:
    """Nobody serves it any more: one that is made under this name later is another."""
    state.router.tune(name, 1, DEFAULT)
    for team in sorted(state.serving.pop(name, ())):
        _serve(state, state.teams[team], tuple(one for one in state.teams[team].subportals if one != name))


def _serve(state: State, team: Team, subportals: tuple[str, ...]) -> None:
    team.subportals = subportals
    for member in sorted(team.members):
        state.router.put_member(member, state.representatives[member].capacity, subportals)


def team_put(state: State, event: e.TeamPut, t: int) -> None:
    """Apply ``TeamPut``: its members serve other sub-portals from now on."""
    team = state.teams.get(event.team)
    if team is None:
        team = state.teams[event.team] = Team(event.team, event.title, ())
    elif event.title is not None:
        state.release(team.title)
        team.title = event.title
    for name in team.subportals:
        state.serving[name].discard(event.team)
    for name in event.subportals:
        state.serving.setdefault(name, set()).add(event.team)
    _serve(state, team, tuple(event.subportals))


def representative_put(state: State, event: e.RepresentativePut, t: int) -> None:
    """Apply ``RepresentativePut``: a new one, or another name, team or capacity."""
    person = state.representatives.get(event.representative)
    if person is None:
        person = Representative(event.representative, event.name, event.team, event.capacity)
        state.representatives[event.representative] = person
    else:
        if person.name[0] != event.name[0]:
            state.release(person.name)
        former = state.teams[person.team]
        former.members.discard(person.representative)
        former.signed_in -= person.chosen != "offline"
        person.name, person.team, person.capacity = event.name, event.team, event.capacity
    team = state.teams[event.team]
    team.members.add(person.representative)
    team.signed_in += person.chosen != "offline"
    state.router.put_member(person.representative, event.capacity, team.subportals)
