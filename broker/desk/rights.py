"""The one gate: may this person ask for this, of that object? May it read this stream?

Theory of operation. ``actor`` says who asks: what kind of person, which teams it manages, which rights it was granted.
``TOUCHES`` says what an operation touches: teams, sub-portals, a person, and rights that its arguments need on top.
``grants.may`` compares the two with ``RIGHTS``, the table of operation and kind of person.

What a customer or a representative takes part in (PARTY) each operation's own rule looks for: it finds the session or
offer anyway, and answers ``no such`` where it is somebody else's. So to nearly all that they ask for the gate says yes,
and only looks whether they are still there: ``AT_ONCE``, which is made from the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

import attrs

from broker import ids
from broker.codes import Code
from broker.desk import culprits, functions, names, transcripts
from broker.desk.chat import serves
from broker.desk.grants import GRANTABLE, NOTHING, RIGHTS, SCOPES, TEAM_RIGHTS, Actor, Scope, Target, may
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.desk.state import Functions, Manager, Request, State
from broker.desk.teams import below
from broker.protocol import ops
from broker.protocol.check import ROLES

Found = TypeVar("Found")

_EVERYTHING: Final = frozenset((*TEAM_RIGHTS, "portals"))
"""What an account manager need not be granted."""

# --- who asks --------------------------------------------------------------------------------------


def actor(state: State, identity: Identity) -> Actor | None:
    """Who this is to the account now; None: nobody (any more)."""
    match identity.role:
        case Role.CUSTOMER:
            return None if state.shuts_out(identity) else Actor("customer", identity.person)
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
            return Actor("operator", identity.person, rights=_EVERYTHING | set(GRANTABLE["account"]))


def _manager(state: State, name: str) -> Actor | None:
    manager = state.managers.get(name)
    if manager is None:
        # Until an account has its first account manager, the operator's word is enough: nothing but the operator's own
        # key can have made this credential. The last account manager stays, so that time never comes back.
        first = not has_account_manager(state) and names.free(state, name)
        return Actor("account_manager", name, rights=_EVERYTHING | {"api_managers"}) if first else None
    if manager.kind == "account":
        return Actor("account_manager", name, rights=_EVERYTHING | set(manager.rights))
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


def _effective(state: State, command: ops.FunctionEffective) -> Target:
    portal = state.portals.get(command.portal)
    served = frozenset() if portal is None else frozenset(portal.subportals)
    return attrs.evolve(_representative(state, command.representative), portal=served)


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


def _case(state: State, name: str) -> Target:
    case = state.cases.get(name)
    return Target(subportals=frozenset({"" if case is None else case.subportal}))


def _assign(state: State, command: ops.CaseAssign) -> Target:
    who = _representative(state, command.representative)
    name = command.case or ids.case_of(command.request or "")
    return attrs.evolve(_case(state, name), teams=who.teams)


def _search(state: State, command: ops.CaseSearch) -> Target:
    """What isn't the asker's is left out of what is found."""
    return Target(subportals=frozenset() if command.subportal is None else frozenset({command.subportal}))


def _speaks_for(state: State, person: str | None) -> frozenset[str]:
    """Who can choose an API manager's password, keys or address can do what that one does: provisioning."""
    known = state.managers.get(person or "")
    return frozenset({"api_managers"}) if known is not None and known.kind == "api" else frozenset()


def _manager_put(state: State, command: ops.ManagerPut) -> Target:
    """Who may make API managers must have been granted that, and nobody grants what it doesn't have."""
    now = state.managers.get(command.manager)
    needed = set(command.rights or ()) - set(() if now is None else now.rights)
    if command.kind == "api":
        needed.add("api_managers")
    return Target(rights=_speaks_for(state, command.manager) | needed)


def _password_set(state: State, command: ops.PasswordSet) -> Target:
    return attrs.evolve(_person(state, command.person), rights=_speaks_for(state, command.person))


def _key_create(state: State, command: ops.KeyCreate) -> Target:
    return Target(person=command.person, rights=_speaks_for(state, command.person))


def _transcript(state: State, command: ops.TranscriptGet) -> Target:
    found = transcripts.find(state, command.session)
    return Target(subportals=frozenset({"" if found is None else found.subportal}))


def _block(state: State, command: ops.VisitorBlock) -> Target:
    """An open request is of a sub-portal; somebody who has none is nobody's but the account's."""
    found = culprits.find(state, command)
    return Target(subportals=frozenset({found.subportal if isinstance(found, Request) else ""}))


def _block_end(state: State, command: ops.BlockEnd) -> Target:
    block = state.blocks.get(command.block)
    return Target(subportals=frozenset({(block.subportal if block is not None else None) or ""}))


def _replies(state: State, command: ops.ReplyList) -> Target:
    return Target(subportals=frozenset({command.subportal} if command.subportal else ()))


def _session(state: State, command: ops.SessionMonitor) -> Target:
    """A session is of the team of whoever has it."""
    session = state.sessions.get(command.session)
    holder = None if session is None else state.representatives.get(session.representative or "")
    return Target(frozenset({"" if holder is None else holder.team}))


TOUCHES: Final[dict[type, Touches]] = {
    ops.SessionMonitor: _session,
    ops.TeamPut: _team_put,
    ops.TeamDelete: _team_delete,
    ops.ReplyPut: lambda state, command: Target(frozenset({command.team})),
    ops.ReplyDelete: lambda state, command: Target(frozenset({command.team})),
    ops.ReplyList: _replies,
    ops.PasswordSet: _password_set,
    ops.PasswordLink: lambda state, command: _person(state, command.person),
    ops.SignInList: lambda state, command: _person(state, command.person),
    ops.SignInEnd: lambda state, command: _person(state, command.person),
    ops.KeyCreate: _key_create,
    ops.KeyRevoke: lambda state, command: Target(person=_owner(state, command.prefix)),
    ops.KeyList: lambda state, command: Target(person=command.person or ""),
    ops.FunctionEffective: _effective,
    ops.RepresentativePut: _representative_put,
    ops.RepresentativeDelete: lambda state, command: _representative(state, command.representative),
    ops.ManagerPut: _manager_put,
    ops.CaseList: lambda state, command: Target(subportals=frozenset({command.subportal})),
    ops.CaseAssign: _assign,
    ops.CaseResolve: lambda state, command: _case(state, command.case),
    ops.CaseReopen: lambda state, command: _case(state, command.case),
    ops.CaseMail: lambda state, command: _case(state, command.case),
    ops.CaseGet: lambda state, command: _case(state, command.case),
    ops.CaseSearch: _search,
    ops.VisitorBlock: _block,
    ops.BlockEnd: _block_end,
    ops.TranscriptGet: _transcript,
    ops.RequestClassify: lambda state, command: _request(state, command.request),
}
"""What an operation of managers or services touches; those that are missing touch the account, or the asker."""


def _everybodys(*kinds: str) -> frozenset[type]:
    """Operations that everybody of these kinds may ask for, whatever the arguments."""
    return frozenset(
        made
        for op, made in ops.OPS.items()
        if made not in TOUCHES
        and all(
            (grant := RIGHTS[op].get(kind)) is not None
            and grant.right is None
            and grant.scope in (Scope.PARTY, Scope.SELF)
            for kind in kinds
        )
    )


AT_ONCE: Final[dict[Role, frozenset[type]]] = {
    Role.CUSTOMER: _everybodys("customer"),
    Role.REPRESENTATIVE: _everybodys("representative", "self_managing"),
}
"""What whoever is there may ask for: the hot path, which weighs nothing."""


def refuse(state: State, identity: Identity, command: object) -> Refusal | None:
    """The refusal of this command for this person, or None."""
    role = identity.role
    if type(command) in AT_ONCE.get(role, ()) and (
        identity.person in state.representatives if role is Role.REPRESENTATIVE else not state.shuts_out(identity)
    ):
        return None
    return weigh(state, identity, command)


def weigh(state: State, identity: Identity, command: object) -> Refusal | None:
    """The same by the table, whoever asks for whatever."""
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


def told_to(identity: Identity | None, found: Found | Refusal) -> Found | Refusal:
    """A refusal as its asker gets it: of what may be asked for instead (2410), what is for that role; who switched a
    function off (2401) is no customer's business."""
    if identity is None or not isinstance(found, Refusal) or found.detail is None:
        return found
    if found.code is Code.NOT_ALLOWED and "reasons" in found.detail and identity.role is Role.CUSTOMER:
        return attrs.evolve(found, detail={"function": found.detail["function"]})
    if found.code is not Code.WRONG_STATE:
        return found
    allowed = [op for op in cast("list[str]", found.detail["allowed"]) if identity.role in ROLES[op]]
    return attrs.evolve(found, detail={**found.detail, "allowed": allowed})


# --- streams ---------------------------------------------------------------------------------------


def may_read(state: State, identity: Identity, stream: str) -> bool:
    """Whether this identity may follow this stream (internal name) now."""
    kind, _, name = stream.partition(":")
    if kind == "session":
        return _may_read_session(state, identity, name)
    if identity.role is Role.REPRESENTATIVE:
        return _representative_may_read(state, identity.person, kind, name)
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
        case "subportal" | "cases":
            return name in state.subportals and (who.kind == "account_manager" or name in who.subportals)
        case _:
            return False


def conversation(state: State, identity: Identity, name: str) -> transcripts.Conversation | None:
    """The conversation of this name for somebody who may ask for transcripts: customers and representatives have those
    that they may follow. Representatives also those that they had, up to when they left, and those that they could
    take."""
    found = transcripts.find(state, name)
    if found is None or identity.role not in (Role.CUSTOMER, Role.REPRESENTATIVE):
        return found
    if may_read(state, identity, f"session:{name}"):
        return found
    if identity.role is Role.CUSTOMER:
        return None
    if transcripts.open_to(state, name, identity.person):
        return found
    left = transcripts.left_behind(state, name, identity.person)
    return None if left is None else attrs.evolve(found, upto=left[1:3], messages=left[3])


def _oversees(who: Actor, scope: str) -> bool:
    return who.kind == "account_manager" or (who.kind == "service" and scope in who.rights)


def _representative_may_read(state: State, who: str, kind: str, name: str) -> bool:
    """Its own, and what it serves while it is at its desk. Asked with most commands of representatives."""
    if kind in ("subportal", "cases"):
        return name in state.subportals and serves(state, who, name)
    return kind == "me" and name == who and who in state.representatives


def _may_read_session(state: State, identity: Identity, stream: str) -> bool:
    """Those who are in it, or look on; while nobody has it, also those who could take it."""
    name, _, part = stream.partition(":")
    session, who = state.sessions.get(name), identity.person
    found = session if session is not None else state.ended_sessions.get(name)
    if part not in ("", "staff"):
        return False
    case = state.cases.get(ids.case_of(name))
    if case is not None and case.representative == who and identity.role is Role.REPRESENTATIVE:
        return who in state.representatives  # whoever has the case, for as long as it is kept
    if identity.role is Role.CUSTOMER:  # for as long as its token is good and the case is kept
        visitor = found.visitor if found is not None else case.visitor if case is not None else None
        return not part and visitor == who
    if found is None:
        return False
    if identity.role is not Role.REPRESENTATIVE:
        return identity.role is Role.MANAGER and session is not None and who in session.monitors
    if found.representative == who:
        return True
    if session is None:
        return False
    return who in session.members or (session.representative is None and serves(state, who, session.subportal))
