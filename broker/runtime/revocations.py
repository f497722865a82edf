"""Ends connections whose credential was taken back, or whose customer was blocked, as soon as that is on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from broker.codes import Close
from broker.desk import events as e
from broker.desk.identity import Role
from broker.desk.outcome import Recorded
from broker.runtime.account import Account
from broker.runtime.batches import Later, Part
from broker.runtime.outbox import Outbox


class Revocations:
    """Looks at the people whom an event may have shut out."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.ended = 0
        self.kicked = 0

    def decided(self, part: Part, records: Sequence[Recorded]) -> None:
        """These events happened; they are not on disk yet."""
        for recorded in records:
            if isinstance(recorded.event, e.VisitorBlocked):
                part.waiting.append(Later(partial(self._kick, part.account, recorded.event)))
            concern = _CONCERN.get(type(recorded.event))
            if concern is not None:
                part.waiting.append(Later(partial(self._look, part.account, concern(recorded.event))))

    def _look(self, account: Account, name: str) -> None:
        person = account.people.get(name)
        if person is None or not account.up:
            return
        for connection in tuple(person.connections):
            identity = connection.identity
            if identity is None or identity.role is Role.CUSTOMER:
                continue
            if not account.desk.admits(identity, connection.sign_in, connection.issued):
                self.ended += 1
                self._outbox.end(connection, Close.BAD_AUTH, "signed out")

    def _kick(self, account: Account, event: e.VisitorBlocked) -> None:
        """An address can have many people: all who are there are looked at."""
        people = account.people
        near = tuple(people.values()) if event.source is not None else (people.get(event.visitor or ""),)
        for person in near:
            for connection in () if person is None or not account.up else tuple(person.connections):
                identity = connection.identity
                if identity is not None and identity.role is Role.CUSTOMER and account.desk.shuts_out(identity):
                    self.kicked += 1
                    self._outbox.end(connection, Close.KICKED, "a manager ended this connection")


_CONCERN: Final[dict[type, Callable[..., str]]] = {
    e.SignInsEnded: lambda event: event.person,
    e.KeyEnded: lambda event: event.person,
    e.ManagerPut: lambda event: event.manager,
    e.ManagerDeleted: lambda event: event.manager,
    e.ServicePut: lambda event: event.service,
    e.ServiceDeleted: lambda event: event.service,
    e.RepresentativeDeleted: lambda event: event.representative,
}
"""Event to the person whose credentials it may have ended."""
CONCERNING: Final = frozenset((*_CONCERN, e.VisitorBlocked))
