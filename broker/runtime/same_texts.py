"""Texts that are there already: a desk reads no texts, so the hub tells it by the reference which are the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs

from broker.content import Personal, Ref
from broker.desk.publish import resolve
from broker.protocol import ops
from broker.runtime.account import Account


def as_it_is(account: Account, command: ops.Command) -> ops.Command:
    """The command without a title that is there already, and with the texts that are: what isn't different is no
    change. Texts given by the same words keep their reference; the others have none yet."""
    state, texts = account.desk.state, account.texts.get
    if isinstance(command, ops.PortalPut):
        portal = state.portals.get(command.portal)
        if portal is not None:
            _take_over(command.form, portal.labels, texts)
            _take_over(command.texts, portal.texts, texts)
        return _without_title(command, resolve(portal.title, texts) if portal is not None else None)
    if isinstance(command, ops.TeamPut):
        team = state.teams.get(command.team)
        return _without_title(command, resolve(team.title, texts) if team is not None else None)
    if isinstance(command, ops.RepresentativePut):
        person = state.representatives.get(command.representative)
        if person is not None:
            _take_over(command.name, person.name, texts)
            _take_over(command.email, person.email, texts)
    if isinstance(command, ops.ManagerPut):
        manager = state.managers.get(command.manager)
        if manager is not None:
            _take_over(command.name, manager.name, texts)
            _take_over(command.email, manager.email, texts)
    return command


def _take_over(given: Personal | None, there: Ref | None, texts: Callable[[str], str | None]) -> None:
    """A text that is there already is given as that one."""
    if given is not None and there is not None and texts(there[0]) == given.text:
        given.ref = there


def _without_title(command: ops.PortalPut | ops.TeamPut, title: object) -> ops.Command:
    if command.title is not None and command.title.text == title:
        return cast("ops.Command", attrs.evolve(command, title=None))
    return command
