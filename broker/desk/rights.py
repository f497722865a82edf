"""The one gate: may this identity ask for this operation, or read this stream?

For now the roles decide and nothing finer; whose object it is, the rule of each operation checks.
"""

from __future__ import annotations

from broker.desk.identity import Identity, Role
from broker.desk.state import State
from broker.protocol.check import ROLES


def may(identity: Identity, op: str, target: str | None = None) -> str | None:
    """None for yes, else the reason for no. ``target`` is the object's id, unused by the roles."""
    roles = ROLES[op]
    if identity.role in roles:
        return None
    return f"{op} is for {' or '.join(sorted(roles))}, not for a {identity.role}"


def may_read(state: State, identity: Identity, stream: str) -> bool:
    """Whether this identity may follow this stream (internal name) now."""
    kind, _, name = stream.partition(":")
    match kind:
        case "me":
            return name == identity.person
        case "account":
            return not name and identity.role in (Role.MANAGER, Role.SERVICE)
        case "team":
            return identity.role is Role.MANAGER and name in state.teams
        case "subportal":
            return _may_read_subportal(state, identity, name)
        case "session":
            return _may_read_session(state, identity, name)
        case _:
            return False


def _may_read_subportal(state: State, identity: Identity, subportal: str) -> bool:
    if subportal not in state.subportals:
        return False
    if identity.role is Role.MANAGER:
        return True
    person = state.representatives.get(identity.person) if identity.role is Role.REPRESENTATIVE else None
    return person is not None and person.chosen != "offline" and subportal in state.teams[person.team].subportals


def _may_read_session(state: State, identity: Identity, name: str) -> bool:
    session = state.sessions.get(name)
    parties = (session.visitor, session.representative) if session else state.ended_sessions.get(name)
    if parties is None:
        return False
    if identity.role is Role.CUSTOMER:
        return identity.person == parties[0]
    return identity.role is Role.REPRESENTATIVE and identity.person == parties[1]
