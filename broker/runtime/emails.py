"""Finds who has an e-mail address. Built from the texts in memory when somebody asks, and again after a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from broker.content import Ref
from broker.desk import events as e
from broker.desk.identity import Role
from broker.desk.outcome import Recorded
from broker.runtime.account import Account

CHANGES: Final = (e.RepresentativePut, e.RepresentativeDeleted, e.ManagerPut, e.ManagerDeleted)
"""Events after which an address may be somebody else's."""

Index = dict[tuple[Role, str], str]
"""(role, address in small letters) to the person; of several, the one who has been there longest."""


@attrs.define(eq=False)
class Emails:
    """One index an account, as long as nobody is changed."""

    _indices: dict[str, tuple[object, Index]] = attrs.field(factory=dict, repr=False)
    """Account to (its desk, what was found in it)."""

    def decided(self, account: Account, records: Sequence[Recorded]) -> None:
        """These events happened."""
        if any(type(recorded.event) in CHANGES for recorded in records):
            self._indices.pop(account.name, None)

    def find(self, account: Account, role: Role, address: str) -> str | None:
        """Who of this role has this address, however it is written in capitals."""
        found = self._indices.get(account.name)
        if found is None or found[0] is not account.desk:
            found = self._indices[account.name] = (account.desk, _index(account))
        return found[1].get((role, address.casefold()))


def _index(account: Account) -> Index:
    state, found = account.desk.state, Index()
    for name, person in state.representatives.items():
        _add(found, account, Role.REPRESENTATIVE, name, person.email)
    for name, manager in state.managers.items():
        _add(found, account, Role.MANAGER, name, manager.email)
    return found


def _add(found: Index, account: Account, role: Role, name: str, email: Ref | None) -> None:
    text = None if email is None else account.texts.get(email[0])
    if text is not None:
        found.setdefault((role, text.casefold()), name)
