"""Passwords on the hub: who may try, what the workers found, and which new ones an account takes.

The hub never hashes: a worker does, and the rest of what was asked goes on when it is done. What is known about a
person may have changed by then, so the desk decides only then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from broker.content import Personal
from broker.desk.identity import Role
from broker.identity import passwords
from broker.identity.hashers import Busy, Failed, Hash, Hashed, Hashers, Result, Verify
from broker.identity.passwords import Policy, Verdict
from broker.runtime.account import Account
from broker.runtime.emails import Emails
from broker.runtime.lockout import Lockout
from broker.runtime.texts import seal

Then = Callable[[Result], None]
Lost = Callable[[str], None]
"""Called where going on met a bug, with the correlation id that the log has, so that nobody waits for ever."""

BUSY: Final = Failed("busy")
"""There is no room for another password to be looked at: come back."""


class Passwords:
    """Checks and makes hashes for sign-ins and changes."""

    def __init__(self, *, hashers: Hashers, emails: Emails, lockout: Lockout, entropy: Callable[[int], bytes]) -> None:
        self._hashers = hashers
        self._emails = emails
        self._entropy = entropy
        self.lockout = lockout
        self._waiting: dict[int, tuple[Then, Lost]] = {}
        self.guard: Callable[[Callable[[], None], Lost], object] = lambda call, lost: call()
        """Runs a call that may meet a bug; who waits is told of it."""

    def poll(self) -> None:
        """Go on with what the workers have done."""
        for number, result in self._hashers.poll():
            then, lost = self._waiting.pop(number)
            self.guard(partial(then, result), lost)

    @property
    def at_work(self) -> bool:
        """Whether something was asked and not answered."""
        return bool(self._waiting)

    def person(self, account: Account, role: Role, login: str) -> str:
        """Whom this name or e-mail address means. One that nobody has means itself."""
        if "@" in login:
            return self._emails.find(account, role, login) or login
        return login

    def check(self, account: Account | None, person: str, role: Role, password: str, then: Then, lost: Lost) -> None:
        """Whether it is this person's. One that has none, or isn't there, takes as long to be wrong; so does an
        account that isn't."""
        kept = None if account is None else self._kept(account, person, role)
        self._submit(Verify(kept, password), then, lost)

    def _kept(self, account: Account, person: str, role: Role) -> str | None:
        access = account.desk.state.access.get(person)
        if access is None or access.password is None or not account.desk.exists(role, person):
            return None
        return account.texts.get(access.password[0])

    def make(self, password: str, then: Callable[[Personal | Failed], None], lost: Lost) -> None:
        """The hash of a new password, sealed."""

        def made(result: Result) -> None:
            if isinstance(result, Hashed):
                text = Personal(result.kept)
                seal(text, self._entropy)
                then(text)
            else:
                then(cast("Failed", result))

        self._submit(Hash(password), made, lost)

    def objections(self, account: Account, person: str, password: str) -> list[str]:
        """What the account's policy has against this one for this person."""
        state, texts = account.desk.state, account.texts
        known = state.representatives.get(person) or state.managers.get(person)
        email = None if known is None or known.email is None else texts.get(known.email[0])
        words = [person] if email is None else [person, email]
        settings = state.account_settings
        policy = Policy(min_length=settings.password_min, classes=settings.password_classes)
        return passwords.objections(policy, password, words)

    def _submit(self, job: Hash | Verify, then: Then, lost: Lost) -> None:
        try:
            number = self._hashers.submit(job)
        except Busy:
            then(BUSY)
            return
        self._waiting[number] = then, lost


def nobody(correlation: str) -> None:
    """Nobody waits for what was lost."""


def is_right(result: Result) -> bool:
    """Whether the workers found the password to be the right one."""
    return isinstance(result, Verdict) and result.right


def same(one: str, other: str) -> bool:
    """Whether two passwords, both of which can be written, are one."""
    return passwords.prepare(one) == passwords.prepare(other)
