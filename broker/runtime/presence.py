"""Who is connected: persons with their connections, and the leases that desks are told of.

Presence is a lease held by connections. The desk hears of the first one of a person and of the end of the last one;
a desk that was read anew hears of everybody who is there.
"""

from __future__ import annotations

from typing import Final

from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost
from broker.desk.identity import Identity, Role
from broker.runtime.account import Account
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.options import Options, RoleOptions
from broker.runtime.people import KeyRing, Person
from broker.runtime.rates import Bucket

_LEASED: Final = (Role.CUSTOMER, Role.REPRESENTATIVE)
_KEYS_PER_INFLIGHT: Final = 2  # the protocol's promise: as many keys again as may be unanswered


class Presence:
    """Keeps ``Account.people``."""

    def __init__(self, conductor: Conductor, options: Options) -> None:
        self._conductor = conductor
        self._options = options

    def options_of(self, account: Account, identity: Identity) -> RoleOptions:
        """What binds this person's connections: an API manager provisions in bulk, as a service may."""
        roles, role = self._options.roles, identity.role
        if role is Role.MANAGER and account.up and account.desk.provisions(identity.person):
            return roles[Role.SERVICE]
        return roles[role]

    def ring_size(self, account: Account, identity: Identity) -> int:
        """How many keys of this person are kept."""
        return _KEYS_PER_INFLIGHT * self.options_of(account, identity).inflight

    def person(self, account: Account, identity: Identity) -> Person:
        """This person's record, made if there is none."""
        person = account.people.get(identity.person)
        if person is None:
            role = self.options_of(account, identity)
            person = Person(identity.person, KeyRing(self.ring_size(account, identity)), Bucket(*role.rate))
            account.people[identity.person] = person
        return person

    def arrive(self, connection: Connection, account: Account, identity: Identity) -> None:
        """This connection is signed in."""
        person = self.person(account, identity)
        connection.person = person
        person.connections[connection] = None
        account.customers += identity.role is Role.CUSTOMER
        if identity.role in _LEASED:
            person.leases += 1
            if person.leases == 1:
                self._conductor.tell(account, ConnectionBack(person.person))

    def leave(self, connection: Connection) -> None:
        """This connection is no longer."""
        person, account, identity = connection.person, connection.account, connection.identity
        if person is None or account is None or identity is None:
            return
        connection.person = None
        del person.connections[connection]
        account.customers -= identity.role is Role.CUSTOMER
        if identity.role in _LEASED:
            person.leases -= 1
            if person.leases == 0:
                self._conductor.tell(account, ConnectionLost(person.person))
        elif identity.role is Role.MANAGER and not person.connections:  # looks on in sessions no longer
            self._conductor.tell(account, ConnectionLost(person.person))
        account.forget(person)

    def reassert(self, account: Account) -> None:
        """The desk was read from the journal: everyone who waits gets the full period, everyone here is here."""
        self._conductor.tell(account, BrokerStart())
        for person in list(account.people.values()):
            if person.leases:
                self._conductor.tell(account, ConnectionBack(person.person))
