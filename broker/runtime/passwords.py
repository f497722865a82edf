"""Passwords on the hub: who may try, what the workers found, and which new ones an account takes.

The hub never hashes: a worker does, and the rest of what was asked goes on when it is done. What is known about a
person may have changed by then, so the desk decides only then.
"""

from __future__ import annotations

from collections.abc import Callable
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

BUSY: Final = Failed("busy")
"""There is no room for another password to be looked at: come back."""


class Passwords:
    """Checks and makes hashes for sign-ins and changes."""

    def __init__(self, *, hashers: Hashers, emails: Emails, lockout: Lockout, entropy: Callable[[int], bytes]) -> None:
        self._hashers = hashers
        self._emails = emails
        self._entropy = entropy
        self.lockout = lockout
        self._waiting: dict[int, Then] = {}
        self.guard: Callable[[Callable[[], None]], object] = lambda call: call()
        """Runs a call that may meet a bug."""

    def poll(self) -> None:
        """Go on with what the workers have done."""
        for number, result in self._hashers.poll():
            then = self._waiting.pop(number)
            self.guard(lambda then=then, result=result: then(result))  # type: ignore[misc]  # bound now

    @property
    def at_work(self) -> bool:
        """Whether something was asked and not answered."""
        return bool(self._waiting)

    def person(self, account: Account, role: Role, login: str) -> str:
        """Whom this name or e-mail address means. One that nobody has means itself."""
        if "@" in login:
            return self._emails.find(account, role, login) or login
        return login

    def check(self, account: Account, person: str, role: Role, password: str, then: Then) -> None:
        """Whether it is this person's. One that has none, or doesn't exist, takes as long to be wrong."""
        self._submit(Verify(self._kept(account, person, role), password), then)

    def check_nobody(self, password: str, then: Then) -> None:
        """The same for an account that isn't there."""
        self._submit(Verify(None, password), then)

    def _kept(self, account: Account, person: str, role: Role) -> str | None:
        access = account.desk.state.access.get(person)
        if access is None or access.password is None or not account.desk.exists(role, person):
            return None
        return account.texts.get(access.password[0])

    def make(self, password: str, then: Callable[[Personal | Failed], None]) -> None:
        """The hash of a new password, sealed."""

        def made(result: Result) -> None:
            if isinstance(result, Hashed):
                text = Personal(result.kept)
                seal(text, self._entropy)
                then(text)
            else:
                then(cast("Failed", result))

        self._submit(Hash(password), made)

    def objections(self, account: Account, person: str, password: str) -> list[str]:
        """What the account's policy has against this one for this person."""
        state, texts = account.desk.state, account.texts
        known = state.representatives.get(person) or state.managers.get(person)
        email = None if known is None or known.email is None else texts.get(known.email[0])
        words = [person] if email is None else [person, email]
        settings = state.account_settings
        policy = Policy(min_length=settings.password_min, classes=settings.password_classes)
        return passwords.objections(policy, password, words)

    def _submit(self, job: Hash | Verify, then: Then) -> None:
        try:
            number = self._hashers.submit(job)
        except Busy:
            then(BUSY)
            return
        self._waiting[number] = then


def is_right(result: Result) -> bool:
    """Whether the workers found the password to be the right one."""
    return isinstance(result, Verdict) and result.right


def same(one: str, other: str) -> bool:
    """Whether two passwords, both of which can be written, are one."""
    return passwords.prepare(one) == passwords.prepare(other)
