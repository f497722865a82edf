"""Who did what, to whom, and from where: one event beside those of the operation itself, in the stream ``audit``.

Kept of everything that managers, services and the operator change, and of the reads in ``READS``. What goes on at the
desk (offers, sessions, presence) is no matter of the audit: the events themselves tell it. Nor is other reading: a
console does it whenever it comes back, and who may is in the table of rights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from broker.desk import commands as c
from broker.desk import events as e
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision
from broker.desk.state import Context, State
from broker.protocol import ops
from broker.protocol.check import WRITES

_STAFF: Final = (Role.MANAGER, Role.SERVICE, Role.OPERATOR)
_ROUTING: Final = frozenset({"request.classify"})  # told with the request; of a service it may be every request
READS: Final = frozenset({"account.export", "sign_in.list"})
"""Operations that read what is somebody's: of another person, they are in the audit. (So is request.why, which is the
hub's.)"""


def entry(identity: Identity, command: object, happened: Sequence[e.Event]) -> e.Audited | None:
    """What the audit says of this command; None for nothing. Kept of people who speak from somewhere."""
    op: str = type(command).OP  # type: ignore[attr-defined]
    if identity.role not in _STAFF and op not in READS:
        return None  # what goes on at the desk, nearly always
    if identity.network is None or not _worth(identity, op, command, happened):
        return None
    changes: e.Changes = next((found for event in happened if (found := getattr(event, "changes", ()))), ())
    return e.Audited(identity.person, identity.role, identity.network, op, _object(command), changes)


def _worth(identity: Identity, op: str, command: object, happened: Sequence[e.Event]) -> bool:
    if op in READS:
        return getattr(command, "person", "") not in (None, identity.person)
    if op not in WRITES or op in _ROUTING:
        return False
    return bool(happened) or op == "password.link"


def _object(command: object) -> str | None:
    """The operation's first argument: what it is about."""
    if isinstance(command, ops.CaseAssign):
        return command.request or command.case
    if isinstance(command, ops.VisitorBlock):
        return command.request or command.session or command.visitor
    if isinstance(command, ops.ReplyPut | ops.ReplyDelete):
        return f"{command.team}/{command.reply}"
    fields = attrs.fields(type(command))  # type: ignore[arg-type]  # every operation is a class of attrs
    named = [field.name for field in fields if field.name in ("person", "sign_in")] or [
        fields[0].name if fields else ""
    ]
    value = getattr(command, named[0], None)
    return value if isinstance(value, str) else None


def told(state: State, command: c.Audit, context: Context) -> Decision:
    """Something that no operation of the desk is."""
    return Decision([e.Audited(command.person, command.role, command.network, command.op, command.object)])


def counted(state: State, command: c.CountRefusals, context: Context) -> Decision:
    """What was refused lately."""
    return Decision([e.RefusalsCounted(command.rows, command.more)])


# --- evolve ----------------------------------------------------------------------------------------


def audited(state: State, event: e.Audited, t: int) -> None:
    """Apply ``Audited``: it only tells."""


def refusals_counted(state: State, event: e.RefusalsCounted, t: int) -> None:
    """Apply ``RefusalsCounted``: it only tells."""
