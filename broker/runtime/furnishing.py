"""Applies an account's configuration file through the manager operations, and only what differs from what is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from broker.desk.identity import Identity, Role
from broker.desk.outcome import Refusal
from broker.protocol import check, ops
from broker.runtime.account import Account
from broker.runtime.conductor import Conductor
from broker.runtime.same_texts import take_over
from broker.runtime.texts import seal

BY: Final = "desk-file"
"""Who the audit names: no person has done it."""
HERE: Final = "here"
"""From where, as the audit says it: not from a network, but by a file on this machine."""


class Put(Protocol):
    """One manager operation."""

    @property
    def op(self) -> str:
        """Its name."""

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments, as a client would send them."""

    @property
    def where(self) -> str:
        """Its place in the file."""


class FurnishError(Exception):
    """The desk refuses what its file asks for. The text names the account, the place and the reason."""


def furnish(
    account: Account,
    puts: Sequence[Put],
    conductor: Conductor,
    entropy: Callable[[int], bytes],
    left: Callable[[Put], None] = lambda put: None,
) -> int:
    """Make the desk as the file has it; how many operations changed something. They are on disk when the account
    has no uncommitted part any more. Somebody who was let go stays away: ``left`` is told. Raises FurnishError; what
    was done before it stays."""
    identity = Identity(account.name, BY, Role.OPERATOR, network=HERE)
    changed = 0
    for put in puts:
        command = check.parse(put.op, put.args)
        take_over(account, command)
        if _name(command) in account.desk.state.former:
            left(put)
            continue
        personal = [one for one in check.personal_fields(command) if not one.ref[0]]
        for one in personal:
            seal(one, entropy)
        outcome = conductor.carry_out(account, command, identity, personal)
        if isinstance(outcome, Refusal):
            raise FurnishError(f"account {account.name}, {put.where}: {outcome.text}")
        changed += bool(outcome.records)
    return changed


def _name(command: ops.Command) -> str | None:
    """Whom this puts, if it is a person."""
    match command:
        case ops.RepresentativePut():
            return command.representative
        case ops.ManagerPut():
            return command.manager
        case ops.ServicePut():
            return command.service
        case _:
            return None
