"""The one gate: may this person ask for this, of that object? May it read this stream?

Theory of operation. ``actor`` says who asks: what kind of person, which teams it manages, which rights it was granted.
``target`` says what an operation touches: teams, sub-portals, a person, and rights that its arguments need on top.
``may`` compares the two with ``RIGHTS``, the table of operation and kind of person, which the docs' table is made from
and whose whole square is tested. It knows nothing of the state, so it can be asked about anything.

What a customer or a representative takes part in (PARTY) each operation's own rule looks for: it finds the session or
offer anyway, and answers ``no such`` where it is somebody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

import attrs

from broker.codes import Code
from broker.desk import functions, names
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.desk.state import Functions, Manager, State
from broker.desk.teams import below
from broker.protocol import ops
from broker.protocol.check import ROLES


class Scope(StrEnum):
    """How far a grant reaches."""

    ACCOUNT = "account"
    """Everything of the account."""
    TEAMS = "teams"
    """What lies in the teams it manages, those beneath them included, and the sub-portals these serve."""
    TEAMS_OR_SELF = "teams_or_self"
    """The same, for which the right is needed, or itself, for which none is."""
    SELF = "self"
    """Itself."""
    PARTY = "party"
    """What it takes part in."""


@attrs.frozen
class Grant:
    """What a kind of person may do with an operation."""

    scope: Scope
    right: str | None = None
    """Which right it must have been granted; of a service, the scope."""


@attrs.frozen
class Actor:
    """Who asks, as the account knows it now."""

    kind: str
    """customer, representative, self_managing (a representative with management), account_manager, team_manager,
    api_manager, service or operator."""
    person: str
    teams: frozenset[str] = frozenset()
    """Of a team manager: those it manages, with all beneath them."""
    subportals: frozenset[str] = frozenset()
    """Of a team manager: what these serve."""
    rights: frozenset[str] = frozenset()


@attrs.frozen
class Target:
    """What an operation touches. An object that isn't there is in nobody's teams."""

    teams: frozenset[str] = frozenset()
    subportals: frozenset[str] = frozenset()
    person: str | None = None
    rights: frozenset[str] = frozenset()
    """What must have been granted beside the operation itself."""


NOTHING: Final = Target()

KINDS: Final = (
    "customer",
    "representative",
    "self_managing",
    "account_manager",
    "team_manager",
    "api_manager",
    "service",
)
"""The kinds of people, the table's columns. The operator, who has everything that a manager has, is none."""

TEAM_RIGHTS: Final = ("representatives", "teams", "functions", "assign", "sign_ins")
GRANTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("api_managers",),
    "team": TEAM_RIGHTS,
    "api": ("portals",),
}
"""Which rights a manager of each kind may be granted. An account manager has all but these."""

_MANAGERS: Final = frozenset({"account_manager", "api_manager"})
"""Whose operations are the operator's too."""
_ALL_RIGHTS: Final = frozenset((*TEAM_RIGHTS, "portals"))
SCOPES: Final = ("events", "audit", "classify", "why")
"""Of services."""

_ACCOUNT: Final = Grant(Scope.ACCOUNT)
_TEAMS: Final = Grant(Scope.TEAMS)
_SELF: Final = Grant(Scope.SELF)
_PARTY: Final = Grant(Scope.PARTY)
_PORTALS: Final = Grant(Scope.ACCOUNT, "portals")


def _teams(right: str) -> Grant:
    return Grant(Scope.TEAMS, right)


def _teams_or_self(right: str) -> Grant:
    return Grant(Scope.TEAMS_OR_SELF, right)


def _service(scope: str) -> Grant:
    return Grant(Scope.ACCOUNT, scope)


Row = dict[str, Grant]


def _row(**grants: Grant) -> Row:
    """A representative with management may do all that any representative may."""
    if "representative" in grants:
        grants.setdefault("self_managing", grants["representative"])
    return grants


def _everybody(grant: Grant) -> Row:
    return dict.fromkeys(KINDS, grant)


_CUSTOMERS: Final = _row(customer=_PARTY)
_REPRESENTATIVES: Final = _row(representative=_PARTY)
_BOTH: Final = _row(customer=_PARTY, representative=_PARTY)
_PORTAL: Final = _row(account_manager=_ACCOUNT, api_manager=_PORTALS)
_ACCOUNT_ONLY: Final = _row(account_manager=_ACCOUNT)

RIGHTS: Final[dict[str, Row]] = {
    "portal.open": _CUSTOMERS,
    "request.create": _CUSTOMERS,
    "request.pick": _CUSTOMERS,
    "request.withdraw": _CUSTOMERS,
    "pin.redeem": _CUSTOMERS,
    "share.accept": _CUSTOMERS,
    "share.confirm": _CUSTOMERS,
    "share.decline": _CUSTOMERS,
    "share.stop": _BOTH,
    "session.end": _BOTH,
    "presence.set": _REPRESENTATIVES,
    "offer.accept": _REPRESENTATIVES,
    "offer.decline": _REPRESENTATIVES,
    "pin.create": _REPRESENTATIVES,
    "pin.revoke": _REPRESENTATIVES,
    "pin.list": _REPRESENTATIVES,
    "session.leave": _REPRESENTATIVES,
    "session.transfer": _REPRESENTATIVES,
    "share.request": _REPRESENTATIVES,
    "wrap_up.end": _REPRESENTATIVES,
    "case.take": _REPRESENTATIVES,
    "case.list": _row(representative=_PARTY, account_manager=_ACCOUNT, team_manager=_TEAMS),
    "case.assign": _row(account_manager=_ACCOUNT, team_manager=_teams("assign")),
    "request.classify": _row(account_manager=_ACCOUNT, team_manager=_teams("assign"), service=_service("classify")),
    "request.why": _row(account_manager=_ACCOUNT, service=_service("why")),
    "account.get": _row(account_manager=_ACCOUNT, team_manager=_TEAMS, api_manager=_ACCOUNT, self_managing=_SELF),
    "account.export": _row(api_manager=_ACCOUNT),
    "account.put": _ACCOUNT_ONLY,
    "function.effective": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_TEAMS,
        api_manager=_ACCOUNT,
        service=_service("events"),
    ),
    "portal.put": _PORTAL,
    "portal.delete": _PORTAL,
    "subportal.put": _PORTAL,
    "team.put": _row(account_manager=_ACCOUNT, team_manager=_teams("teams"), api_manager=_ACCOUNT),
    "team.delete": _row(account_manager=_ACCOUNT, team_manager=_teams("teams"), api_manager=_ACCOUNT),
    "representative.put": _row(account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT),
    "representative.delete": _row(
        account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT
    ),
    "manager.put": _ACCOUNT_ONLY,
    "manager.delete": _ACCOUNT_ONLY,
    "service.put": _ACCOUNT_ONLY,
    "service.delete": _ACCOUNT_ONLY,
    "password.set": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("representatives"),
        api_manager=_SELF,
    ),
    "password.link": _row(account_manager=_ACCOUNT, team_manager=_teams("representatives"), api_manager=_ACCOUNT),
    "sign_in.list": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("sign_ins"),
        api_manager=_SELF,
        service=_SELF,
    ),
    "sign_in.end": _row(
        representative=_SELF,
        account_manager=_ACCOUNT,
        team_manager=_teams_or_self("sign_ins"),
        api_manager=_SELF,
        service=_SELF,
    ),
    "key.create": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "key.revoke": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "key.list": _row(account_manager=_ACCOUNT, api_manager=_SELF),
    "auth.refresh": _everybody(_SELF),
    "subscribe": _everybody(_PARTY),
    "unsubscribe": _everybody(_SELF),
    "meta.schema": _everybody(_SELF),
}
"""Operation to kind of person to what it may do. A kind that is missing may not. No operation is missing."""


def may(actor: Actor, op: str, target: Target = NOTHING) -> str | None:
    """None for yes, else the reason for no."""
    if actor.kind == "operator":
        return None if RIGHTS[op].keys() & _MANAGERS else f"{op} is for {_list(RIGHTS[op])}"
    grant = RIGHTS[op].get(actor.kind)
    if grant is None:
        return f"{op} is for {_list(RIGHTS[op])}, not for {_a(actor.kind)}"
    scope = grant.scope
    if scope is Scope.TEAMS_OR_SELF:
        if target.person in (None, actor.person):
            return None
        scope = Scope.TEAMS
    needed = target.rights if grant.right is None else target.rights | {grant.right}
    if missing := needed - actor.rights:
        return f"{op}: {_a(actor.kind)} needs the right {', '.join(sorted(missing))} for that"
    if scope is Scope.TEAMS:
        if outside := target.teams - actor.teams:
            return f"{op}: {', '.join(sorted(outside))}: not a team that you manage"
        if outside := target.subportals - actor.subportals:
            return f"{op}: {', '.join(sorted(outside))}: not a sub-portal of the teams that you manage"
    if scope is Scope.SELF and target.person not in (None, actor.person):
        return f"{op}: for yourself only"
    return None


def _a(kind: str) -> str:
    name = NAMES[kind]
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _list(row: Row) -> str:
    return " or ".join(NAMES[kind] for kind in KINDS if kind in row)


NAMES: Final[dict[str, str]] = {
    "customer": "customer",
    "representative": "representative",
    "self_managing": "representative with management",
    "account_manager": "account manager",
    "team_manager": "team manager",
    "api_manager": "API manager",
    "service": "service",
}
"""What the kinds are called."""


# --- who asks --------------------------------------------------------------------------------------


def actor(state: State, identity: Identity) -> Actor | None:
    """Who this is to the account now; None: nobody (any more)."""
    match identity.role:
        case Role.CUSTOMER:
            return Actor("customer", identity.person)
        case Role.REPRESENTATIVE:
            person = state.representatives.get(identity.person)
            if person is None:
                return None
            return Actor("self_managing" if person.management else "representative", identity.person)
        case Role.MANAGER:
            return _manager(state, identity.person)
        case Role.SERVICE:
            return Actor("service", identity.person, rights=_scopes(state, identity))
        case _:
            return Actor("operator", identity.person, rights=_ALL_RIGHTS | set(GRANTABLE["account"]))


def _manager(state: State, name: str) -> Actor | None:
    manager = state.managers.get(name)
    if manager is None:
        # Until an account has its first account manager, the operator's word is enough: nothing but the operator's own
        # key can have made this credential. The last account manager stays, so that time never comes back.
        first = not has_account_manager(state) and names.free(state, name)
        return Actor("account_manager", name, rights=_ALL_RIGHTS | {"api_managers"}) if first else None
    if manager.kind == "account":
        return Actor("account_manager", name, rights=_ALL_RIGHTS | set(manager.rights))
    if manager.kind == "api":
        return Actor("api_manager", name, rights=frozenset(manager.rights) | set(TEAM_RIGHTS))
    return _team_manager(state, manager)


def _team_manager(state: State, manager: Manager) -> Actor:
    teams = frozenset(name for team in manager.teams for name in below(state, team))
    served = frozenset(subportal for team in teams for subportal in state.teams[team].subportals)
    return Actor("team_manager", manager.manager, teams, served, frozenset(manager.rights))


def _scopes(state: State, identity: Identity) -> frozenset[str]:
    """What its account allows it, as far as its credential does; a service that the account doesn't list was made by
    the operator and may do everything that a service can."""
    service = state.services.get(identity.person)
    allowed = frozenset(SCOPES if service is None else service.scopes)
    return allowed if identity.scopes is None else allowed & set(identity.scopes)


def has_account_manager(state: State, but: str | None = None) -> bool:
    """Whether there is an account manager (beside ``but``)."""
    return any(one.kind == "account" and one.manager != but for one in state.managers.values())


# --- what is touched -------------------------------------------------------------------------------

Touches = Callable[..., Target]  # type: ignore[explicit-any]  # each takes its own class
"""(state, command) to what it touches."""


def _team_put(state: State, command: ops.TeamPut) -> Target:
    """A new team needs a parent that is managed; one that moves, both parents; what it newly serves must be served by
    the asker's teams."""
    now = state.teams.get(command.team)
    touched = set() if command.parent is None else {command.parent}
    if now is not None:
        touched = {command.team} | ({now.parent or "", command.parent or ""} if now.parent != command.parent else set())
    elif command.parent is None:
        touched = {command.team}
    before = set() if now is None else set(now.subportals)
    needed = _switching(command.functions, () if now is None else now.functions)
    return Target(frozenset(touched), frozenset(set(command.subportals) - before), rights=needed)


def _switching(given: ops.Map | None, now: Functions) -> frozenset[str]:
    """To change what is on is a right of its own."""
    return frozenset() if functions.switched(given) == now else frozenset({"functions"})


def _team_delete(state: State, command: ops.TeamDelete) -> Target:
    """Its people and its sub-teams go to teams that must be managed as well."""
    now = state.teams.get(command.team)
    parents = set() if now is None or (not now.children and (command.into or not now.members)) else {now.parent or ""}
    return Target(frozenset({command.team} | parents | ({command.into} if command.into else set())))


def _representative_put(state: State, command: ops.RepresentativePut) -> Target:
    now = state.representatives.get(command.representative)
    teams = {command.team} if now is None else {command.team, now.team}
    needed = _switching(command.functions, () if now is None else now.functions)
    return Target(frozenset(teams), rights=needed)


def _representative(state: State, name: str) -> Target:
    person = state.representatives.get(name)
    return Target(frozenset({"" if person is None else person.team}), person=name)


def _person(state: State, name: str | None) -> Target:
    """Somebody who signs in: a team manager reaches the representatives of its teams, others are in nobody's."""
    return Target() if name is None else _representative(state, name)


def _owner(state: State, key: str) -> str:
    known = state.keys.get(key)
    return "" if known is None else known.person


def _request(state: State, name: str) -> Target:
    request = state.requests.get(name)
    return Target(subportals=frozenset({"" if request is None else request.subportal}))


def _assign(state: State, command: ops.CaseAssign) -> Target:
    who = _representative(state, command.representative)
    return attrs.evolve(_request(state, command.request), teams=who.teams)


def _manager_put(state: State, command: ops.ManagerPut) -> Target:
    """Who may make API managers must have been granted that, and nobody grants what it doesn't have."""
    now = state.managers.get(command.manager)
    needed = set(command.rights or ()) - set(() if now is None else now.rights)
    if command.kind == "api" and (now is None or now.kind != "api"):
        needed.add("api_managers")
    return Target(rights=frozenset(needed))


TOUCHES: Final[dict[type, Touches]] = {
    ops.TeamPut: _team_put,
    ops.TeamDelete: _team_delete,
    ops.PasswordSet: lambda state, command: _person(state, command.person),
    ops.PasswordLink: lambda state, command: _person(state, command.person),
    ops.SignInList: lambda state, command: _person(state, command.person),
    ops.SignInEnd: lambda state, command: _person(state, command.person),
    ops.KeyCreate: lambda state, command: Target(person=command.person),
    ops.KeyRevoke: lambda state, command: Target(person=_owner(state, command.prefix)),
    ops.KeyList: lambda state, command: Target(person=command.person or ""),
    ops.FunctionEffective: lambda state, command: _representative(state, command.representative),
    ops.RepresentativePut: _representative_put,
    ops.RepresentativeDelete: lambda state, command: _representative(state, command.representative),
    ops.ManagerPut: _manager_put,
    ops.CaseList: lambda state, command: Target(subportals=frozenset({command.subportal})),
    ops.CaseAssign: _assign,
    ops.RequestClassify: lambda state, command: _request(state, command.request),
}
"""What an operation of managers or services touches; those that are missing touch the account, or the asker."""


def refuse(state: State, identity: Identity, command: object) -> Refusal | None:
    """The refusal of this command for this person, or None."""
    op: str = type(command).OP  # type: ignore[attr-defined]
    who = actor(state, identity)
    if who is None:
        return Refusal(Code.NOT_ALLOWED, f"{op}: you are nobody here any more")
    touches = TOUCHES.get(type(command)) if who.kind in RIGHTS[op] else None
    reason = may(who, op, NOTHING if touches is None else touches(state, command))
    return None if reason is None else Refusal(Code.NOT_ALLOWED, reason)


def role_may(identity: Identity, op: str) -> str | None:
    """What the role alone says, before the arguments are read: None for yes, else the reason for no."""
    roles = ROLES[op]
    if identity.role in roles:
        return None
    return f"{op} is for {' or '.join(sorted(roles))}, not for a {identity.role}"


# --- streams ---------------------------------------------------------------------------------------


def may_read(state: State, identity: Identity, stream: str) -> bool:
    """Whether this identity may follow this stream (internal name) now."""
    kind, _, name = stream.partition(":")
    if kind == "session":
        return _may_read_session(state, identity, name)
    who = actor(state, identity)
    if who is None:
        return False
    match kind:
        case "me":
            return name == identity.person
        case "account":
            return not name and _oversees(who, "events")
        case "audit":
            return not name and _oversees(who, "audit")
        case "team":
            return name in state.teams and (who.kind == "account_manager" or name in who.teams)
        case "subportal":
            return name in state.subportals and _may_read_subportal(state, who, name)
        case _:
            return False


def _oversees(who: Actor, scope: str) -> bool:
    return who.kind == "account_manager" or (who.kind == "service" and scope in who.rights)


def _may_read_subportal(state: State, who: Actor, subportal: str) -> bool:
    if who.kind == "account_manager" or subportal in who.subportals:
        return True
    person = state.representatives.get(who.person) if who.kind in ("representative", "self_managing") else None
    return person is not None and person.chosen != "offline" and subportal in state.teams[person.team].subportals


def _may_read_session(state: State, identity: Identity, name: str) -> bool:
    session = state.sessions.get(name)
    parties = (session.visitor, session.representative) if session else state.ended_sessions.get(name)
    if parties is None:
        return False
    if identity.role is Role.CUSTOMER:
        return identity.person == parties[0]
    return identity.role is Role.REPRESENTATIVE and identity.person == parties[1]
