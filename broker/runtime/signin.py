"""From HELLO to WELCOME: whose credential it is, which account, which keys the person has used.

The account comes from the credential, never from an argument; for a customer, from the portal or the pin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import attrs

from broker.codes import Close
from broker.desk.identity import Identity, Role
from broker.identity.tokens import BadToken, Claims, ExpiredToken, Signer
from broker.ids import is_slug, token
from broker.journal.base import Reply
from broker.limits import VISITOR_MEMORY
from broker.protocol.handshake import Agreed, Terms
from broker.routing.pins import PinSpace, clean
from broker.runtime.account import Account
from broker.runtime.asks import Asks
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
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


class Refused(Exception):
    """This credential opens nothing."""

    def __init__(self, code: Close, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


@attrs.frozen(kw_only=True)
class Credential:
    """What a HELLO's auth says, once verified."""

    identity: Identity
    account: Account
    expires: int
    """When the connection ends (ms), unless refreshed."""
    visitor: str | None = None
    """A customer's token for coming back."""
    fresh: bool = False
    """A visitor nobody has seen before: it can't have used a key."""


class SignIn:
    """Carries out HELLO."""

    def __init__(
        self,
        *,
        clock: Clock,
        outbox: Outbox,
        transport: Transport,
        accounts: Mapping[str, Account],
        signer: Signer,
        pinspace: PinSpace,
        asks: Asks,
        presence: Presence,
        watch: Watch,
        options: Options,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._clock = clock
        self._outbox = outbox
        self._transport = transport
        self._accounts = accounts
        self._signer = signer
        self._pinspace = pinspace
        self._asks = asks
        self._presence = presence
        self._watch = watch
        self._options = options
        self._entropy = entropy
        self.welcomed = 0
        self.refused = 0

    def hello(self, connection: Connection, agreed: Agreed) -> None:
        """Verify and welcome, or say why not."""
        try:
            found = self._verify(agreed.hello.auth)
        except Refused as refused:
            self.refused += 1
            self._outbox.end(connection, refused.code, refused.text)
            return
        self._load_keys(connection, found)

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
        most = self._presence.ring_size(found.identity.role)
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
        role = options.roles[identity.role]
        terms = Terms(
            size=role.frames,
            inflight=role.inflight,
            commands_per_second=int(role.rate[0]),
            commands_burst=int(role.rate[1]),
            heartbeat_ms=role.heartbeat_ms,
            subscriptions=options.max_subscriptions,
        )
        frame = connection.machine.welcome(_identity_map(found), self.server(), terms)
        connection.machine.agreed = None  # it holds the credential
        connection.account, connection.identity, connection.options = account, identity, role
        connection.expires = found.expires
        now = self._clock.now()
        connection.frames, connection.strikes = Bucket(*options.frame_rate), Bucket(*options.strikes)
        connection.signal_tokens, connection.signal_at = int(options.signal_rate[1]), now
        self._transport.set_limit(connection.link, role.frames.message_bytes)
        self._outbox.frame(connection, frame)
        self.welcomed += 1
        self._presence.arrive(connection, account, identity)
        self._watch.signed_in(connection)

    def _drop_keys(self, found: Credential) -> None:
        """The client left before it was welcomed: nobody holds the keys that were read for it."""
        person = found.account.people.get(found.identity.person)
        if person is not None:
            found.account.forget(person)

    def server(self) -> Mapping[str, object]:
        """WELCOME's server map."""
        return {"name": self._options.name, "build": self._options.build, "t_ms": self._clock.now()}

    # --- credentials ---------------------------------------------------------------------------------

    def _verify(self, auth: Mapping[str, object]) -> Credential:
        if "token" in auth:
            return self._by_token(str(auth["token"]))
        if "portal" in auth:
            name, _, portal = str(auth["portal"]).partition("/")
            account = self._accounts.get(name)
            if account is None or not is_slug(portal):
                raise Refused(Close.BAD_AUTH, "no such portal")
            return self._visitor(account, portal, auth.get("visitor"))
        digits = clean(str(auth["pin"]))
        if digits is None:
            raise Refused(Close.BAD_AUTH, "a pin has nine digits")
        return self._visitor(self._by_pin(digits), None, auth.get("visitor"))

    def _by_token(self, text: str) -> Credential:
        claims = self.claims(text)
        account = self._account(claims.account)
        if claims.role is Role.CUSTOMER:
            return self._visitor(account, claims.portal, text)
        identity = claims.identity
        if not account.desk.knows(identity):
            raise Refused(Close.BAD_AUTH, "nobody of this name")
        return Credential(identity=identity, account=account, expires=claims.expires)

    def claims(self, text: str) -> Claims:
        """What a token says. Raises Refused."""
        try:
            return self._signer.verify(text, self._clock.now())
        except ExpiredToken:
            raise Refused(Close.TOKEN_EXPIRED, "the token's time is over") from None
        except BadToken:
            raise Refused(Close.BAD_AUTH, "not a token of this installation") from None

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            raise Refused(Close.BAD_AUTH, "no such account")
        if not account.up:
            raise Refused(Close.BUSY, "the account is being read")
        return account

    def _by_pin(self, digits: str) -> Account:
        """The account whose block this pin is of. One that is nobody's goes to some account where it will fail
        like any wrong pin: whether a block is in use is nobody's business."""
        place = self._pinspace.locate(digits)
        anyone = Identity("", "", Role.CUSTOMER)
        takes_pins = [account for account in self._accounts.values() if account.up and account.desk.knows(anyone)]
        if not takes_pins:
            raise Refused(Close.BAD_AUTH, "no pins here")
        slot = place[0] if place is not None else int(digits)
        for account in takes_pins:
            if account.slot == slot:
                return account
        return takes_pins[slot % len(takes_pins)]

    def _visitor(self, account: Account, portal: str | None, given: object) -> Credential:
        if not account.up:
            raise Refused(Close.BUSY, "the account is being read")
        now = self._clock.now()
        claims = self._come_back(account, given, now)
        person = claims.person if claims is not None else f"v_{token(self._entropy(10))}"
        identity = Identity(account.name, person, Role.CUSTOMER, portal)
        if not account.desk.knows(identity):
            raise Refused(Close.BAD_AUTH, "no such portal")
        if claims is not None and not account.desk.has_open_request(person):
            expires, text = claims.expires, str(given)
        else:
            expires = now + VISITOR_MEMORY
            text = self._signer.mint(account.name, person, Role.CUSTOMER, expires, portal)
        return Credential(identity=identity, account=account, expires=expires, visitor=text, fresh=claims is None)

    def _come_back(self, account: Account, given: object, now: int) -> Claims | None:
        """The visitor token of somebody who was here, or None: then it is a new visitor. One that has run out is
        still taken while its visitor has an open request."""
        if given is None:
            return None
        try:
            claims = self._signer.verify(str(given), 0)  # its time is looked at below
        except BadToken:
            return None
        if claims.role is not Role.CUSTOMER or claims.account != account.name:
            return None
        return claims if now < claims.expires or account.desk.has_open_request(claims.person) else None


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
    if found.visitor is not None:
        said["visitor"] = found.visitor
    return said
