"""Managers and services: who sets things up, and which programs speak for the account."""

from __future__ import annotations

from broker import limits
from broker.codes import Code
from broker.content import Personal
from broker.desk import credentials, grants, monitors, names, rights
from broker.desk import events as e
from broker.desk.changes import changes
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.state import Context, Manager, Service, State
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def put_manager(state: State, command: ops.ManagerPut, context: Context) -> Decision | Refusal:
    """Create a manager or change one."""
    name, now = command.manager, state.managers.get(command.manager)
    if now is None and not names.may_be_given(state, name):
        return bad_args("args.manager", names.EXPECTED)
    if (refusal := _wrong(state, command)) is not None:
        return refusal
    if now is None and len(state.managers) >= limits.MAX_MANAGERS:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_MANAGERS} managers")
    if command.kind != "account" and now is not None and _is_last(state, now):
        return _last()
    event = e.ManagerPut(
        name,
        command.kind,
        ref_of(command.name),
        ref_of(command.email),
        tuple(dict.fromkeys(command.teams or ())),
        tuple(sorted(set(command.rights or ()))),
        context.who,
    )
    before = {} if now is None else shown_manager(now)
    after: dict[str, object] = {"kind": event.kind, "teams": list(event.teams), "rights": list(event.rights)}
    event.changes = changes(before, before | after | _said(name=command.name, email=command.email))
    changed = now is None or bool(event.changes)
    happened: list[e.Event] = [event] if changed else []
    if now is not None and now.kind == "api" and event.kind != "api":
        access = state.access.get(name)
        keys = () if access is None else tuple(access.keys)
        happened += [e.KeyEnded(key, name, "revoked", context.who) for key in keys]
    return Decision(happened, {"manager": name, "changed": changed})


def _wrong(state: State, command: ops.ManagerPut) -> Refusal | None:
    if command.kind != "team" and command.teams:
        return bad_args("args.teams", "nothing: only a team manager has teams")
    for index, team in enumerate(command.teams or ()):
        if team not in state.teams:
            return bad_args(f"args.teams[{index}]", "the name of a team")
    known = grants.GRANTABLE[command.kind]
    for index, right in enumerate(command.rights or ()):
        if right not in known:
            return bad_args(f"args.rights[{index}]", f"one of {', '.join(known)} for this kind")
    return None


def _is_last(state: State, manager: Manager) -> bool:
    return manager.kind == "account" and not rights.has_account_manager(state, but=manager.manager)


def _last() -> Refusal:
    text = "an account keeps one account manager at least: make another first"
    return wrong_state("last_account_manager", "manager.put", text=text)


def delete_manager(state: State, command: ops.ManagerDelete, context: Context) -> Decision | Refusal:
    """Let a manager go."""
    now = state.managers.get(command.manager)
    if now is None:
        return no_such("manager")
    if _is_last(state, now):
        return _last()
    if names.full(state):
        return Refusal(Code.QUOTA, names.FULL)
    event = e.ManagerDeleted(command.manager, context.who, names.pseudonym(context))
    # first: what it is told must not come after its end
    happened = [*monitors.leaves_all(state, command.manager, "rights"), event]
    return Decision(happened, {"manager": command.manager})


def put_service(state: State, command: ops.ServicePut, context: Context) -> Decision | Refusal:
    """Create a service or change what it may do."""
    name, now = command.service, state.services.get(command.service)
    if now is None and not names.may_be_given(state, name):
        return bad_args("args.service", names.EXPECTED)
    if now is None and len(state.services) >= limits.MAX_SERVICES:
        return Refusal(Code.QUOTA, f"an account has at most {limits.MAX_SERVICES} services")
    event = e.ServicePut(name, tuple(sorted(set(command.scopes))), context.who)
    before = {} if now is None else {"scopes": list(now.scopes)}
    event.changes = changes(before, {"scopes": list(event.scopes)})
    changed = now is None or bool(event.changes)
    return Decision([event] if changed else [], {"service": name, "changed": changed})


def delete_service(state: State, command: ops.ServiceDelete, context: Context) -> Decision | Refusal:
    """Let a service go."""
    if command.service not in state.services:
        return no_such("service")
    if names.full(state):
        return Refusal(Code.QUOTA, names.FULL)
    event = e.ServiceDeleted(command.service, context.who, names.pseudonym(context))
    return Decision([event], {"service": command.service})


def ref_of(text: Personal | None) -> tuple[str, bytes] | None:
    """The reference of a text, if one was given."""
    return None if text is None else text.ref


def _said(**texts: Personal | None) -> dict[str, object]:
    """The texts that were given, as references: the difference says no more of them than that they are others."""
    return {name: text.ref for name, text in texts.items() if text is not None}


def shown_manager(one: Manager) -> dict[str, object]:
    """In the words of the operation, with references for texts."""
    return {
        "manager": one.manager,
        "kind": one.kind,
        "name": one.name,
        "email": one.email,
        "teams": list(one.teams),
        "rights": list(one.rights),
    }


def shown_service(one: Service) -> dict[str, object]:
    """In the words of the operation."""
    return {"service": one.service, "scopes": list(one.scopes)}


# --- evolve ----------------------------------------------------------------------------------------


def manager_put(state: State, event: e.ManagerPut, t: int) -> None:
    """Apply ``ManagerPut``."""
    now = state.managers.get(event.manager)
    name, email = event.name, event.email
    if now is not None:
        name, email = name or now.name, email or now.email
        state.forget(*(old for old, new in ((now.name, name), (now.email, email)) if old != new))
        if now.email is not None and email != now.email:
            credentials.outdate(state, event.manager)
    state.managers[event.manager] = Manager(event.manager, event.kind, name, email, event.teams, event.rights)


def manager_deleted(state: State, event: e.ManagerDeleted, t: int) -> None:
    """Apply ``ManagerDeleted``: the name is never given again."""
    manager = state.managers.pop(event.manager)
    state.forget(manager.name, manager.email)
    credentials.part_with(state, event.manager, event.former)


def service_put(state: State, event: e.ServicePut, t: int) -> None:
    """Apply ``ServicePut``."""
    state.services[event.service] = Service(event.service, event.scopes)


def service_deleted(state: State, event: e.ServiceDeleted, t: int) -> None:
    """Apply ``ServiceDeleted``."""
    del state.services[event.service]
    credentials.part_with(state, event.service, event.former)
