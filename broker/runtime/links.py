"""Links by which people choose a password: made, mailed, and used once.

Asking for one by an e-mail address answers alike whether anybody has it; what is sent, only its owner sees.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import trio

from broker import limits
from broker.content import Personal
from broker.desk.commands import Audit, SetPassword
from broker.desk.identity import Role
from broker.desk.outcome import Refusal, wrong_state
from broker.identity import tokens
from broker.identity.hashers import Failed, Result
from broker.identity.letters import Mail, compose_reset, compose_welcome
from broker.identity.mail import Drop, Wanted
from broker.identity.mail import Told as MailTold
from broker.identity.tokens import BadToken, Purpose, Signer
from broker.protocol import ops
from broker.runtime.account import Account
from broker.runtime.batches import Later
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.emails import Emails
from broker.runtime.passwords import BUSY, Lost, Passwords, is_right
from broker.runtime.requests import READY, Go, Requests

PATH: Final = "/password"
"""Where the page is that a link opens."""

GONE: Final = ("This link was used, or its time is over. Please ask for another one.",)
_SAME: Final = ("password: expected another one than the present one",)
_LATER: Final = ("The broker can't do this right now. Please try again in a moment.",)

Told = Callable[[tuple[str, ...]], None]
"""Called with what is wrong; with nothing once the password is on disk."""


class Post(Protocol):
    """Takes e-mails: ``identity.mail.Mailer``."""

    def send_nowait(self, mail: Mail, told: MailTold | None = None, wanted: Wanted | None = None) -> Drop:
        """Take one, ask ``wanted`` before each attempt and call ``told`` after it; ``trio.WouldBlock`` where too many
        wait."""


class Links:
    """Sends links and honours them."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        signer: Signer,
        passwords: Passwords,
        emails: Emails,
        conductor: Conductor,
        requests: Requests,
        clock: Clock,
        url: str,
        post: Post | None,
    ) -> None:
        """``url``: what a link begins with. ``post``: None sends nothing."""
        self._accounts = accounts
        self._signer = signer
        self._passwords = passwords
        self._emails = emails
        self._conductor = conductor
        self._clock = clock
        self._url = url
        self._post = post
        self._asked: OrderedDict[tuple[str, str], int] = OrderedDict()
        """(account, person) to when a link was last asked for."""
        self.sent = 0
        self.lost = 0
        """Links that had no room in the post, or nowhere to go."""
        requests.prepare[ops.PasswordLink] = self._may_send
        requests.after[ops.PasswordLink] = self._send_when_recorded

    # --- sending -------------------------------------------------------------------------------------

    def _may_send(self, connection: Connection, command: ops.PasswordLink, go: Go) -> None:
        if self._post is None:
            go.on(wrong_state("no_mail", "password.set", text="this broker sends no e-mail"))
        else:
            go.on(READY)

    def _send_when_recorded(self, connection: Connection, command: ops.PasswordLink) -> None:
        account = connection.account
        assert account is not None
        account.parts[-1].waiting.append(Later(lambda: self.send(account, command.person)))

    def forgot(self, name: str, role: Role, address: str, network: str) -> None:
        """Somebody says to have this address and no password. Nothing tells who asked whether that is so."""
        account, now = self._accounts.get(name), self._clock.now()
        person = self._emails.find(account, role, address) if account is not None and account.up else None
        if account is None or person is None or self._post is None:
            return
        before = self._asked.get((name, person))
        if before is not None and now - before < limits.LINK_PAUSE:
            return
        self._asked[name, person] = now
        self._asked.move_to_end((name, person))
        while len(self._asked) > limits.MAX_TRACKED_ADDRESSES:
            self._asked.popitem(last=False)
        self._conductor.tell(account, Audit(person, role, network, "password.forgot"))
        self.send(account, person)

    def send(self, account: Account, person: str) -> None:
        """Mail a link to this person's address, if that is still there."""
        state, role = account.desk.state, account.desk.role_of(person)
        known = state.representatives.get(person) or state.managers.get(person)
        address = None if known is None or known.email is None else account.texts.get(known.email[0])
        if address is None or role is None or self._post is None:
            self.lost += 1
            return
        access = state.access.get(person)
        first = access is None or access.password is None
        link = self.link(account.name, person, role, account.desk.passwords_of(person))
        compose = compose_welcome if first else compose_reset
        try:
            self._post.send_nowait(compose(address, link=link, account=account.name, good_for=limits.LINK_LIFE))
        except (ValueError, trio.WouldBlock):  # an address that no mail can go to, or no room
            self.lost += 1
        else:
            self.sent += 1

    def link(self, account: str, person: str, role: Role, had: int) -> str:
        """The address of the page."""
        claims = tokens.SetPassword(
            account=account,
            person=person,
            role=role,
            expires=self._clock.now() + limits.LINK_LIFE,
            serial=had,
        )
        return f"{self._url}{PATH}?token={self._signer.sign(claims)}"

    # --- using ---------------------------------------------------------------------------------------

    async def choose(self, token: str, password: str, network: str | None = None) -> tuple[str, ...]:
        """Set the password of whom the token names: what is wrong, or nothing once it is on disk. ``network``: where it
        was chosen, for the audit."""
        done = trio.Event()
        found: list[tuple[str, ...]] = []
        broken: list[str] = []

        def told(objections: tuple[str, ...]) -> None:
            found.append(objections)
            done.set()

        def lost(correlation: str) -> None:
            broken.append(correlation)
            done.set()

        self._choose(token, password, network, told, lost)
        await done.wait()
        if broken:
            raise RuntimeError(f"a bug, which the log has as {broken[0]}")  # the page is answered with 500
        return found[0]

    def known(self, token: str) -> bool:
        """Whether this token may still set a password."""
        return self._verified(token) is not None

    def _verified(self, token: str) -> tuple[Account, tokens.SetPassword] | None:
        try:
            claims = self._signer.verify(token, self._clock.now(), Purpose.PASSWORD)
        except BadToken:
            return None
        account = self._accounts.get(claims.account)
        if account is None or not account.up or not account.desk.exists(claims.role, claims.person):
            return None
        return (account, claims) if claims.serial == account.desk.passwords_of(claims.person) else None

    def _choose(self, token: str, password: str, network: str | None, told: Told, lost: Lost) -> None:
        found = self._verified(token)
        if found is None:
            told(GONE)
            return
        account, claims = found
        if objections := self._passwords.objections(account, claims.person, password):
            told(tuple(objections))
            return

        def made(kept: Personal | Failed) -> None:
            if isinstance(kept, Failed):
                told(_LATER if kept is BUSY or not kept.unfit else (kept.reason,))
            elif not account.up:
                told(_LATER)
            else:
                self._set(account, SetPassword(claims.person, kept.ref, claims.serial, network), kept, told)

        def checked(result: Result) -> None:
            if is_right(result):
                told(_SAME)
            else:
                self._passwords.make(password, made, lost)

        self._passwords.check(account, claims.person, claims.role, password, checked, lost)

    def _set(self, account: Account, command: SetPassword, kept: Personal, told: Told) -> None:
        outcome = self._conductor.carry_out(account, command, None, [kept])
        if isinstance(outcome, Refusal):
            told(GONE)
        else:
            account.parts[-1].waiting.append(Later(lambda: told(()), lambda: told(_LATER)))
