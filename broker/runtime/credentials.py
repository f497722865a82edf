"""What a HELLO's auth says, verified: whose credential it is, and of which account.

The account comes from the credential, never from an argument; for a customer, from the portal or the pin. Wrong names,
wrong passwords and accounts that aren't there are refused alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

import attrs

from broker.codes import Close
from broker.content import Personal
from broker.desk import commands as c
from broker.desk import identity as identity_of
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled, Refusal
from broker.identity import apikeys
from broker.identity.apikeys import ApiKeys
from broker.identity.hashers import Failed, Result
from broker.identity.passwords import Verdict
from broker.identity.sources import Sources
from broker.identity.tokens import BadToken, Claims, ExpiredToken, Purpose, Refresh, Signer
from broker.ids import is_slug, token
from broker.limits import LOCKOUT_FIRST, VISITOR_MEMORY
from broker.routing.pins import PinSpace, clean
from broker.runtime.account import Account
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.guesses import shorten, source_of
from broker.runtime.options import Options
from broker.runtime.passwords import BUSY, Passwords, is_right, nobody
from broker.runtime.pin_guard import PinGuard
from broker.runtime.refusals import Refusals

_WRONG: Final = "wrong name or password"
_READING: Final = "the account is being read"
NO_PORTAL: Final = "no such portal"
"""Also for whoever is blocked."""


_REASONS: Final = {Close.BAD_AUTH: "credential", Close.TOKEN_EXPIRED: "expired", Close.ORIGIN: "origin"}
REASONS: Final = (*_REASONS.values(), "account_full", "pins", "passwords", "busy")
"""Why a HELLO isn't welcomed: nothing that opens; a token whose time is over; a foreign page; the account's customers
have all the connections that they may; too many wrong pins or passwords; the account, journal or hashers can't be
asked now."""


class Refused(Exception):
    """This credential opens nothing."""

    def __init__(self, code: Close, text: str, retry_ms: int | None = None, *, reason: str | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.reason = reason or _REASONS.get(code, "busy")
        """One of ``REASONS``."""
        self.text = text
        self.retry_ms = retry_ms


@attrs.frozen(kw_only=True)
class Credential:
    """What a HELLO's auth says, once verified."""

    identity: Identity
    account: Account
    expires: int
    """When the connection ends (ms), unless refreshed."""
    visitor: str | None = attrs.field(default=None, repr=False)
    """A customer's token for coming back."""
    fresh: bool = False
    """A visitor nobody has seen before: it can't have used a key."""
    sign_in: str | None = None
    """The sign-in or API key that it is of, and ends with."""
    issued: int | None = None
    token: str | None = attrs.field(default=None, repr=False)
    refresh: str | None = attrs.field(default=None, repr=False)
    must_change: bool = False


Then = Callable[[Credential | Refused], None]


class Credentials:
    """Verifies what clients show."""

    def __init__(
        self,
        *,
        clock: Clock,
        accounts: Mapping[str, Account],
        signer: Signer,
        pinspace: PinSpace,
        api_keys: ApiKeys,
        sources: Sources,
        conductor: Conductor,
        passwords: Passwords,
        pin_guard: PinGuard,
        refusals: Refusals,
        options: Options,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._signer = signer
        self._pinspace = pinspace
        self._api_keys = api_keys
        self._sources = sources
        self._conductor = conductor
        self._passwords = passwords
        self._pin_guard = pin_guard
        self._refusals = refusals
        self._options = options
        self._entropy = entropy

    def verify(self, connection: Connection, auth: Mapping[str, object], then: Then) -> None:
        """Find out whose it is; ``then`` is called at once, or when a password was looked at."""
        network, source = shorten(connection.link.address), source_of(connection.link.address)

        def found(outcome: Credential | Refused) -> None:
            if isinstance(outcome, Credential):
                outcome = attrs.evolve(outcome, identity=attrs.evolve(outcome.identity, network=network))
            then(outcome)

        try:
            if "login" in auth:
                login = cast("Mapping[str, str]", auth["login"])
                self._by_login(login, source, network, found)
            else:
                found(self._at_once(connection, auth, network, source))
        except Refused as refused:
            found(refused)

    def _at_once(self, connection: Connection, auth: Mapping[str, object], network: str, source: str) -> Credential:
        if "token" in auth:
            return self._by_token(str(auth["token"]), network, source)
        if "key" in auth:
            return self._by_key(str(auth["key"]), network)
        if "refresh" in auth:
            return self.refreshed(str(auth["refresh"]), network)
        if "portal" in auth:
            name, _, portal = str(auth["portal"]).partition("/")
            account = self._accounts.get(name)
            if account is None or not is_slug(portal):
                raise Refused(Close.BAD_AUTH, NO_PORTAL)
            found = self._visitor(account, portal, auth.get("visitor"), source)
            return self._entered(found, str(auth["entry"])) if "entry" in auth else found
        digits = clean(str(auth["pin"]))
        if digits is None:
            raise Refused(Close.BAD_AUTH, "a pin has nine digits")
        now = self._clock.now()
        if wait := self._pin_guard.may_enter(connection, now):
            raise Refused(Close.BUSY, "too many wrong pins", wait, reason="pins")
        account = self._by_pin(digits)
        if not account.desk.is_live(digits, now):
            self._pin_guard.entered_wrong(connection, account, digits, now)
        return self._visitor(account, None, auth.get("visitor"), source)

    # --- tokens and keys -----------------------------------------------------------------------------

    def _by_token(self, text: str, network: str, source: str) -> Credential:
        claims = self.claims(text)
        account = self._account(claims.account)
        if claims.role is Role.CUSTOMER:
            return self._visitor(account, claims.portal, text, source)
        identity = attrs.evolve(claims.identity, scopes=claims.scopes)
        if not account.desk.admits(identity, claims.sign_in, claims.issued):
            self._refusals.sign_in(account, claims.person, network, Close.BAD_AUTH)
            raise Refused(Close.BAD_AUTH, "nobody of this name, or signed out")
        if claims.sign_in is None:  # of a sign-in, that is in the audit already
            self._conductor.tell(account, c.Audit(claims.person, claims.role, network, "sign_in.token"))
        return Credential(
            identity=identity,
            account=account,
            expires=claims.expires,
            sign_in=claims.sign_in,
            issued=claims.issued,
            must_change=_must_change(account, identity, claims.sign_in),
        )

    def claims(self, text: str) -> Claims:
        """What an access token says. Raises Refused."""
        try:
            return self._signer.verify(text, self._clock.now())
        except ExpiredToken:
            raise Refused(Close.TOKEN_EXPIRED, "the token's time is over") from None
        except BadToken:
            raise Refused(Close.BAD_AUTH, "not a token of this installation") from None

    def _by_key(self, text: str, network: str) -> Credential:
        parsed = apikeys.parse(text)
        for account in self._accounts.values() if parsed is not None else ():
            key = account.desk.state.keys.get(parsed[0]) if account.up and parsed is not None else None
            if key is None:
                continue
            if not self._api_keys.matches(key.digest, text) or key.expires <= self._clock.now():
                self._refusals.sign_in(account, key.person, network, Close.BAD_AUTH)
                continue
            role = account.desk.role_of(key.person)
            assert role is not None, "a key belongs to somebody who is there"
            identity = Identity(account.name, key.person, role, scopes=key.scopes)
            self._conductor.tell(account, c.Audit(key.person, role, network, "sign_in.key", key.key))
            return Credential(identity=identity, account=account, expires=key.expires, sign_in=key.key)
        if not all(account.up for account in self._accounts.values()):
            raise Refused(Close.BUSY, _READING, self._options.retry_most)
        raise Refused(Close.BAD_AUTH, "not a key of this installation")

    def refreshed(self, text: str, network: str | None = None) -> Credential:
        """A refresh token is used: the sign-in goes on, with new tokens. Raises Refused."""
        return self.go_on(self.refresh_claims(text), network)

    def refresh_claims(self, text: str) -> Refresh:
        """What a refresh token says; it stays as good as it was. Raises Refused."""
        try:
            return self._signer.verify(text, self._clock.now(), Purpose.REFRESH)
        except ExpiredToken:
            raise Refused(Close.BAD_AUTH, "not refreshed for too long: sign in again") from None
        except BadToken:
            raise Refused(Close.BAD_AUTH, "not a refresh token of this installation") from None

    def go_on(self, claims: Refresh, network: str | None) -> Credential:
        """The sign-in goes on, and the token is used up. Raises Refused."""
        now = self._clock.now()
        account = self._account(claims.account)
        identity = Identity(claims.account, claims.person, claims.role)
        if not account.desk.admits(identity, claims.sign_in, claims.issued):
            raise Refused(Close.BAD_AUTH, "this sign-in is over")
        until = now + self._options.refresh_life
        outcome = self._conductor.carry_out(
            account, c.Refresh(claims.person, claims.sign_in, claims.serial, until), None
        )
        if isinstance(outcome, Refusal) or "serial" not in outcome.value:
            self._refusals.sign_in(account, claims.person, network, Close.BAD_AUTH)
            raise Refused(Close.BAD_AUTH, "this sign-in is over")
        serial = cast("int", outcome.value["serial"])
        return self._signed_in(account, identity, claims.sign_in, serial, now)

    # --- passwords -----------------------------------------------------------------------------------

    def _by_login(self, login: Mapping[str, str], source: str, network: str, then: Then) -> None:
        role, now = Role(login["role"]), self._clock.now()
        account = self._accounts.get(login["account"])
        if account is not None and not account.up:
            raise Refused(Close.BUSY, _READING, self._options.retry_most)
        person = login["person"] if account is None else self._passwords.person(account, role, login["person"])
        name = f"{login['account']}/{role}/{person}"
        if wait := self._passwords.lockout.wait(name, source, now):
            if account is not None:
                self._refusals.sign_in(account, self._known(account, role, person), network, Close.BUSY)
            raise Refused(Close.BUSY, "too many wrong passwords: wait", wait, reason="passwords")
        had = 0 if account is None else account.desk.passwords_of(person)
        self._passwords.lockout.tried(name, source, now)

        def checked(result: Result) -> None:
            if result is BUSY:
                self._passwords.lockout.unseen(name, source)
                then(Refused(Close.BUSY, "too many sign-ins at once", LOCKOUT_FIRST))
            elif account is None or not is_right(result):
                if account is not None:
                    self._refusals.sign_in(account, self._known(account, role, person), network, Close.BAD_AUTH)
                then(Refused(Close.BAD_AUTH, _WRONG))
            else:
                self._passwords.lockout.right(name, source)
                found = self._sign_in(account, Identity(account.name, person, role), network, had)
                if isinstance(result, Verdict) and result.outdated and isinstance(found, Credential):
                    self._rehash(account, person, login["password"], had)
                then(found)

        def lost(correlation: str) -> None:
            then(Refused(Close.BUSY, f"an error of the broker's own: {correlation}", self._options.retry_most))

        self._passwords.check(account, person, role, login["password"], checked, lost)

    def _known(self, account: Account, role: Role, person: str) -> str | None:
        """Whom an audit may name: nobody who doesn't exist, for a text that somebody typed may be a password."""
        return person if account.up and account.desk.exists(role, person) else None

    def _rehash(self, account: Account, person: str, password: str, had: int) -> None:
        """Keep the password at today's cost: it is at hand now."""

        def made(kept: Personal | Failed) -> None:
            if isinstance(kept, Personal) and account.up:
                self._conductor.carry_out(account, c.Rehashed(person, kept.ref, had), None, [kept])

        self._passwords.make(password, made, nobody)

    def _sign_in(self, account: Account, identity: Identity, network: str, had: int) -> Credential | Refused:
        if not account.up:
            return Refused(Close.BUSY, _READING, self._options.retry_most)
        now = self._clock.now()
        until = now + self._options.refresh_life
        command = c.SignIn(identity.person, identity.role, "password", network, until, had)
        outcome = self._conductor.carry_out(account, command, None)
        if not isinstance(outcome, Handled):
            return Refused(Close.BAD_AUTH, _WRONG)  # gone, while the password was looked at
        return self._signed_in(account, identity, str(outcome.value["sign_in"]), 0, now)

    def _signed_in(self, account: Account, identity: Identity, sign_in: str, serial: int, now: int) -> Credential:
        options, person, role = self._options, identity.person, identity.role
        expires = now + options.access_life
        again = Refresh(
            account=account.name,
            person=person,
            role=role,
            expires=now + options.refresh_life,
            sign_in=sign_in,
            serial=serial,
            issued=now,
        )
        return Credential(
            identity=identity,
            account=account,
            expires=expires,
            sign_in=sign_in,
            issued=now,
            token=self._signer.mint(account.name, person, role, expires, issued=now, sign_in=sign_in),
            refresh=self._signer.sign(again),
            must_change=_must_change(account, identity, sign_in),
        )

    # --- customers -----------------------------------------------------------------------------------

    def _account(self, name: str) -> Account:
        account = self._accounts.get(name)
        if account is None:
            raise Refused(Close.BAD_AUTH, "no such account")
        if not account.up:
            raise Refused(Close.BUSY, _READING)
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

    def _visitor(self, account: Account, portal: str | None, given: object, source: str) -> Credential:
        if not account.up:
            raise Refused(Close.BUSY, _READING)
        if account.customers >= self._options.customers_of_one:
            raise Refused(Close.BUSY, "no room for another connection", self._options.retry_most, reason="account_full")
        now = self._clock.now()
        claims = self._come_back(account, given, now)
        person = claims.person if claims is not None else f"v_{token(self._entropy(10))}"
        digest = self._sources.digest(account.name, source)
        identity = Identity(account.name, person, Role.CUSTOMER, portal, source=digest)
        if not account.desk.knows(identity):  # also of who is blocked, who isn't told so
            raise Refused(Close.BAD_AUTH, NO_PORTAL)
        if claims is not None and not account.desk.has_open_request(person):
            expires, text = claims.expires, str(given)
        else:
            expires = now + VISITOR_MEMORY
            text = self._signer.mint(account.name, person, Role.CUSTOMER, expires, portal)
        return Credential(identity=identity, account=account, expires=expires, visitor=text, fresh=claims is None)

    def _entered(self, found: Credential, text: str) -> Credential:
        """The page that embeds the portal says where the visitor comes from. Raises Refused."""
        try:
            entry = self._signer.verify(text, self._clock.now(), Purpose.ENTRY)
        except ExpiredToken:
            raise Refused(Close.BAD_AUTH, "the entry token's time is over: load the page again") from None
        except BadToken:
            raise Refused(Close.BAD_AUTH, "not an entry token of this installation") from None
        identity = found.identity
        if (entry.account, entry.portal) != (identity.account, identity.portal):
            raise Refused(Close.BAD_AUTH, "an entry token of another portal")
        if entry.class_ is not None and not found.account.desk.has_class(entry.portal, entry.class_):
            raise Refused(Close.BAD_AUTH, f"the entry token's class {entry.class_} is none of the portal's")
        said = identity_of.Entry(entry.page, entry.class_, entry.skills)
        return attrs.evolve(found, identity=attrs.evolve(identity, language=entry.language, entry=said))

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


def _must_change(account: Account, identity: Identity, sign_in: str | None) -> bool:
    """Whether somebody else chose the password that this sign-in was made with."""
    access = account.desk.state.access.get(identity.person)
    return sign_in is not None and access is not None and access.must_change
