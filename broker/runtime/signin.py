"""From HELLO to WELCOME: whose credential it is, which account, which keys the person has used.

The account comes from the credential, never from an argument; for a customer, from the portal or the pin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import attrs

from broker.codes import Close
from broker.desk.identity import Role
from broker.desk.texts import is_language
from broker.journal.base import Reply
from broker.protocol.handshake import Agreed, Terms
from broker.runtime.admission import Admission
from broker.runtime.asks import Asks
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.credentials import NO_PORTAL, REASONS, Credential, Credentials, Refused
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.people import KeyEntry
from broker.runtime.presence import Presence
from broker.runtime.rates import Bucket
from broker.runtime.watch import Watch
from broker.transport.base import Transport

MOST_QUESTIONS: Final = 1024
"""Questions waiting for the journal past which nobody signs in who needs one more: a stuck writer must not cost memory
for everybody who comes and goes."""

_FOREIGN: Final = "pages of this origin may not connect"


class SignIn:
    """Carries out HELLO."""

    def __init__(
        self,
        *,
        clock: Clock,
        admission: Admission,
        outbox: Outbox,
        transport: Transport,
        credentials: Credentials,
        asks: Asks,
        presence: Presence,
        watch: Watch,
        options: Options,
    ) -> None:
        self._clock = clock
        self._admission = admission
        self._outbox = outbox
        self._transport = transport
        self._credentials = credentials
        self._asks = asks
        self._presence = presence
        self._watch = watch
        self._options = options
        self.welcomed = 0
        self.refusals = dict.fromkeys(REASONS, 0)

    def hello(self, connection: Connection, agreed: Agreed) -> None:
        """Verify and welcome, or say why not."""

        auth, place = agreed.hello.auth, connection.link.place
        with_password = "login" in auth
        if with_password:
            # Before it is looked at: else so many could wait for a worker that a wrong one costs nothing.
            self._admission.failed(place)

        def verified(found: Credential | Refused) -> None:
            if isinstance(found, Credential):
                if with_password:
                    self._admission.forgiven(place)
                if self._welcomes(connection.link.origin, found):
                    self._load_keys(connection, _speaking(found, agreed.hello.client))
                    return
                found = Refused(Close.ORIGIN, _FOREIGN)
            self.refusals[found.reason] += 1
            if not with_password and (found.code is Close.BAD_AUTH or found.reason == "pins"):
                self._admission.failed(place)  # whoever was told to wait comes back after that, a program at once
            self._outbox.end(connection, found.code, found.text, retry_ms=found.retry_ms)

        allowed, origin = self._options.allowed_origins, connection.link.origin
        if not {"portal", "token"} & auth.keys() and allowed is not None and origin not in (None, *allowed):
            # No customer of a portal with origins of its own: a foreign page's password isn't even looked at.
            verified(Refused(Close.ORIGIN, _FOREIGN))
            return
        self._credentials.verify(connection, auth, verified)

    def _welcomes(self, origin: str | None, found: Credential) -> bool:
        """Whether a page of this origin may connect; who sends none is no browser."""
        options, portal = self._options, found.identity.portal
        if origin is None or not found.account.up:  # the latter is told so below
            return True
        of_portal = found.account.desk.origins(portal) if portal is not None else ()
        allowed = options.own_origins.union(of_portal) if of_portal else options.allowed_origins
        return allowed is None or origin in allowed

    def _load_keys(self, connection: Connection, found: Credential) -> None:
        """Go on once the person's keys are in memory."""
        account = found.account
        if found.fresh or found.identity.person in account.people:
            self._when_committed(connection, found)
            return

        def loaded(reply: Reply) -> None:
            if reply.error is not None:
                self._busy(connection, found)
                return
            if account.up and found.identity.person not in account.people:
                ring = self._presence.person(account, found.identity).keys
                for key, digest, result in cast("Sequence[tuple[str, bytes, bytes]]", reply.value):
                    ring.add(key, KeyEntry(digest, result))
            self._when_committed(connection, found)

        if len(self._asks) >= MOST_QUESTIONS:
            self._busy(connection, found)
            return
        most = self._presence.ring_size(found.account, found.identity)
        self._asks.ask("answers", account.name, found.identity.person, most, then=loaded)

    def _when_committed(self, connection: Connection, found: Credential) -> None:
        parts = found.account.parts
        if parts:
            parts[-1].waiting.append(
                Later(lambda: self._welcome(connection, found), lambda: self._busy(connection, found))
            )
        else:
            self._welcome(connection, found)

    def _busy(self, connection: Connection, found: Credential) -> None:
        self._drop_keys(found)
        if not connection.closing:
            self.refusals["busy"] += 1
        self._outbox.end(connection, Close.BUSY, "the account is being read", retry_ms=self._options.retry_most)

    def _welcome(self, connection: Connection, found: Credential) -> None:
        account, identity, options = found.account, found.identity, self._options
        if connection.closing:
            self._drop_keys(found)
            return
        if not account.up:
            self._busy(connection, found)
            return
        if not found.fresh and identity.person not in account.people:
            self._load_keys(connection, found)  # the other connection that had them is gone meanwhile
            return
        if identity.role is not Role.CUSTOMER and not account.desk.admits(identity, found.sign_in, found.issued):
            self._drop_keys(found)
            self._outbox.end(connection, Close.BAD_AUTH, "signed out")  # while it was being welcomed
            return
        if account.desk.shuts_out(identity):
            self._drop_keys(found)
            self._outbox.end(connection, Close.BAD_AUTH, NO_PORTAL)  # blocked meanwhile
            return
        role = self._presence.options_of(account, identity)
        terms = Terms(
            size=role.frames,
            inflight=role.inflight,
            commands_per_second=int(role.rate[0]),
            commands_burst=int(role.rate[1]),
            file_bytes_per_second=int(self._options.file_rate[0]),
            heartbeat_ms=role.heartbeat_ms,
            subscriptions=options.max_subscriptions,
        )
        frame = connection.machine.welcome(_identity_map(found), self.server(), terms)
        connection.machine.agreed = None  # it holds the credential
        connection.account, connection.identity, connection.options = account, identity, role
        connection.expires = found.expires
        connection.sign_in, connection.issued, connection.restricted = found.sign_in, found.issued, found.must_change
        now = self._clock.now()
        connection.frames, connection.strikes = Bucket(*options.frame_rate), Bucket(*options.strikes)
        connection.signal_tokens, connection.signal_at = int(options.signal_rate[1]), now
        self._transport.set_limit(connection.link, role.frames.message_bytes)
        self._outbox.frame(connection, frame)
        self.welcomed += 1
        self._admission.welcome(connection.link.place)
        self._transport.welcome(connection.link)
        self._presence.arrive(connection, account, identity)
        self._watch.signed_in(connection)
        self._make_room(connection)

    def _make_room(self, connection: Connection) -> None:
        """One person has so many connections, and no more: the newest is the one that somebody is looking at."""
        person = connection.person
        if person is not None and len(person.connections) > self._options.person_connections:
            self._outbox.end(next(iter(person.connections)), Close.TAKEN_OVER, "too many connections of one person")

    def _drop_keys(self, found: Credential) -> None:
        """The client left before it was welcomed: nobody holds the keys that were read for it."""
        person = found.account.people.get(found.identity.person)
        if person is not None:
            found.account.forget(person)

    def server(self) -> Mapping[str, object]:
        """WELCOME's server map."""
        return {"name": self._options.name, "build": self._options.build, "t_ms": self._clock.now()}


def _speaking(found: Credential, client: Mapping[str, object]) -> Credential:
    """A customer says in what language its client is."""
    language = client.get("language")
    said = found.identity.language is not None  # by the page
    if said or found.identity.role is not Role.CUSTOMER or not is_language(language):
        return found
    return attrs.evolve(found, identity=attrs.evolve(found.identity, language=language))


def _identity_map(found: Credential) -> dict[str, object]:
    identity = found.identity
    said: dict[str, object] = {
        "account": identity.account,
        "person": identity.person,
        "role": str(identity.role),
        "expires": found.expires,
    }
    if identity.portal is not None:
        said["portal"] = identity.portal
    optional = ("visitor", "sign_in", "token", "refresh") if found.token else ("visitor",)
    said.update((name, value) for name in optional if (value := getattr(found, name)) is not None)
    if found.must_change:
        said["must_change"] = True
    return said
