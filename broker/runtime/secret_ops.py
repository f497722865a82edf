"""Operations on what proves who somebody is: passwords and API keys. The desk decides; here is what it can't make."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from broker.codes import Code
from broker.content import Personal
from broker.desk.commands import Hashed, MadeKey
from broker.desk.identity import Role
from broker.desk.outcome import Refusal, bad_args
from broker.identity import apikeys
from broker.identity.apikeys import ApiKeys
from broker.identity.hashers import Failed, Result
from broker.limits import LOCKOUT_FIRST
from broker.protocol import ops
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.guesses import source_of
from broker.runtime.passwords import BUSY, Passwords, is_right, same
from broker.runtime.requests import READY, Go, Prepared, Requests

_CROWDED = Refusal(Code.OVERLOADED, "too many passwords at once", retry_ms=LOCKOUT_FIRST)


class SecretOps:
    """``password.set``, ``key.create``, and addresses by which people sign in."""

    def __init__(
        self,
        *,
        requests: Requests,
        passwords: Passwords,
        api_keys: ApiKeys,
        clock: Clock,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._passwords = passwords
        self._api_keys = api_keys
        self._clock = clock
        self._entropy = entropy
        requests.prepare.update(
            {
                ops.PasswordSet: self._password,
                ops.KeyCreate: self._key,
                ops.RepresentativePut: partial(self._address, Role.REPRESENTATIVE),
                ops.ManagerPut: partial(self._address, Role.MANAGER),
            }
        )
        requests.after[ops.PasswordSet] = self._changed

    def _key(self, connection: Connection, command: ops.KeyCreate, go: Go) -> None:
        made = self._api_keys.make(self._entropy(apikeys.ENTROPY_BYTES))
        go.on(Prepared(MadeKey(made.prefix, made.digest, made.text)))

    def _address(
        self, role: Role, connection: Connection, command: ops.RepresentativePut | ops.ManagerPut, go: Go
    ) -> None:
        """An address is a way to sign in: nobody is given one that somebody else of the same role comes in by."""
        account = connection.account
        assert account is not None
        name = command.representative if isinstance(command, ops.RepresentativePut) else command.manager
        holder = None if command.email is None else self._passwords.person(account, role, command.email.text)
        if command.email is not None and holder not in (name, command.email.text):
            go.on(bad_args("args.email", "an address by which nobody else signs in"))
        else:
            go.on(READY)

    def _password(self, connection: Connection, command: ops.PasswordSet, go: Go) -> None:
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        person = command.person or identity.person
        if objections := self._passwords.objections(account, person, command.new):
            go.on(bad_args("args.new", "; ".join(one.partition("expected ")[2] for one in objections)))
            return
        if person != identity.person:
            self._hash(connection, command, go)
        elif command.old is None:
            go.on(bad_args("args.old", "the present password"))
        else:
            self._check_old(connection, command, command.old, go)

    def _check_old(self, connection: Connection, command: ops.PasswordSet, old: str, go: Go) -> None:
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        name = f"{account.name}/{identity.role}/{identity.person}"
        source = source_of(connection.link.address)
        if wait := self._passwords.lockout.wait(name, source, self._clock.now()):
            go.on(Refusal(Code.RATE, "too many wrong passwords", retry_ms=wait))
            return
        had = account.desk.passwords_of(identity.person)
        self._passwords.lockout.tried(name, source, self._clock.now())

        def checked(result: Result) -> None:
            if result is BUSY:
                self._passwords.lockout.unseen(name, source)
                go.on(_CROWDED)
            elif is_right(result):
                self._passwords.lockout.right(name, source)
                if same(command.new, old):
                    go.on(bad_args("args.new", "another password than the present one"))
                else:
                    self._hash(connection, command, go, had)
            else:
                go.on(Refusal(Code.NOT_ALLOWED, "args.old: not the present password", {"path": "args.old"}))

        self._passwords.check(account, identity.person, Role(identity.role), old, checked, go.lost)

    def _hash(self, connection: Connection, command: ops.PasswordSet, go: Go, had: int | None = None) -> None:
        def made(kept: Personal | Failed) -> None:
            if kept is BUSY:
                go.on(_CROWDED)
            elif isinstance(kept, Failed):
                go.on(bad_args("args.new", kept.reason) if kept.unfit else Refusal(Code.INTERNAL, "no hash was made"))
            else:
                go.on(Prepared(Hashed(kept.ref, connection.sign_in, had), [kept]))

        self._passwords.make(command.new, made, go.lost)

    def _changed(self, connection: Connection, command: ops.PasswordSet) -> None:
        """A password of one's own lifts what somebody else's had restricted, once it is on disk."""
        account, identity = connection.account, connection.identity
        if account is not None and identity is not None and command.person in (None, identity.person):
            free = partial(setattr, connection, "restricted", False)
            account.parts[-1].waiting.append(Later(free))
