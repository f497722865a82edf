"""What tokens say: a class for each purpose, so that what isn't said in one can't be asked of it.

``tokens`` writes and reads them; ``objection`` knows what none of them may say.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

import attrs

from broker.desk.identity import Identity, Role
from broker.ids import is_slug
from broker.limits import MAX_ENTRY_SKILLS, MAX_ID_BYTES, MAX_INT, MAX_LANGUAGE_CHARS, MAX_PAGE_CHARS, MAX_SCOPES

_VISITOR: Final = re.compile(r"v_[0-9a-z]+", re.ASCII)
_SIGN_IN: Final = re.compile(r"n_[0-9a-z]+", re.ASCII)
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
# Printable ASCII but for blanks and " < > \, which no address has unescaped: it is as long in JSON as it is.
_PAGE: Final = re.compile(r"https?://[!#-;=?-\[\]-~]+", re.ASCII)


class Purpose(StrEnum):
    """What a token is good for, and for nothing else."""

    ACCESS = "access"
    """Speaking for a person. Written without a purpose, as all tokens were before there were others."""
    REFRESH = "refresh"
    """Another access token of the same sign-in."""
    PASSWORD = "password"
    """Setting a password, once."""
    ENTRY = "entry"
    """A page that embeds a portal says where its visitor comes from."""


@attrs.frozen(kw_only=True)
class Claims:
    """Of an access token."""

    account: str
    person: str
    """Of a customer the visitor id (``v_`` and a token), of the others a slug that doesn't look like one."""
    role: Role
    expires: int
    """Milliseconds since 1970 UTC; the token is good before it."""
    portal: str | None = None
    """Of a customer: the portal it came through."""
    issued: int | None = None
    """Milliseconds since 1970 UTC, so that all tokens from before some event can be refused."""
    sign_in: str | None = None
    """The sign-in it belongs to (``n_`` and a token), and ends with. Customers don't sign in."""
    scopes: tuple[str, ...] | None = None
    """Of a service: what it may do, sorted. None where the token doesn't say."""

    @property
    def identity(self) -> Identity:
        """Who speaks, as a desk wants to know it."""
        return Identity(self.account, self.person, self.role, self.portal)


@attrs.frozen(kw_only=True)
class Refresh:
    """Of a refresh token: of a representative or a manager who signed in."""

    account: str
    person: str
    role: Role
    expires: int
    sign_in: str
    serial: int
    """Which of the sign-in's refresh tokens: an earlier one that comes again was stolen, or its answer was lost."""
    issued: int | None = None


@attrs.frozen(kw_only=True)
class SetPassword:
    """Of a token by which a representative or a manager sets a password."""

    account: str
    person: str
    role: Role
    expires: int
    serial: int
    """How many passwords the person had when it was made: setting one makes this token worthless."""
    issued: int | None = None


@attrs.frozen(kw_only=True)
class Entry:
    """Of an entry token: there is no person in it, and it signs nobody in."""

    account: str
    portal: str
    expires: int
    issued: int | None = None
    page: str | None = None
    """Address of the embedding page, as browsers give it (ASCII)."""
    language: str | None = None
    """The visitor's, as BCP 47 writes it."""
    class_: str | None = None
    """Of the requests that are made with it."""
    skills: tuple[str, ...] = ()
    """What they ask for."""


AnyClaims = Claims | Refresh | SetPassword | Entry

CLASSES: Final[dict[Purpose, type[AnyClaims]]] = {
    Purpose.ACCESS: Claims,
    Purpose.REFRESH: Refresh,
    Purpose.PASSWORD: SetPassword,
    Purpose.ENTRY: Entry,
}


def objection(claims: AnyClaims) -> str | None:
    """Why no token may say this, or None. Names the field."""
    if not is_slug(claims.account):
        return "account: expected a slug"
    found = _entry(claims) if isinstance(claims, Entry) else _person(claims)
    if found is None and not 0 <= claims.expires <= MAX_INT:
        found = f"expires: expected milliseconds since 1970, at most {MAX_INT}"
    if found is None and claims.issued is not None and not 0 <= claims.issued <= claims.expires:
        found = "issued: expected milliseconds since 1970, not after expires"
    return found


def _person(claims: Claims | Refresh | SetPassword) -> str | None:
    visitor = _VISITOR.fullmatch(claims.person) is not None
    if claims.role is Role.CUSTOMER:
        if not visitor or len(claims.person) > MAX_ID_BYTES:
            return "person: expected a visitor id (v_ and a token) for a customer"
    elif visitor or not is_slug(claims.person):
        return "person: expected a slug that doesn't look like a visitor id"
    if isinstance(claims, Claims):
        return _access(claims)
    if claims.role not in (Role.REPRESENTATIVE, Role.MANAGER):
        return "role: expected one that signs in with a password"
    if not 0 <= claims.serial <= MAX_INT:
        return f"serial: expected a number from 0 to {MAX_INT}"
    return _sign_in(claims.sign_in) if isinstance(claims, Refresh) else None


def _access(claims: Claims) -> str | None:
    if claims.portal is not None and (claims.role is not Role.CUSTOMER or not is_slug(claims.portal)):
        return "portal: expected a slug, and only for a customer"
    if claims.scopes is not None:
        if claims.role is not Role.SERVICE or len(claims.scopes) > MAX_SCOPES or not all(map(is_slug, claims.scopes)):
            return f"scopes: expected at most {MAX_SCOPES} slugs, and only for a service"
        if list(claims.scopes) != sorted(set(claims.scopes)):
            return "scopes: expected them sorted, each once"
    if claims.sign_in is None:
        return None
    return "sign_in: expected none for a customer" if claims.role is Role.CUSTOMER else _sign_in(claims.sign_in)


def _sign_in(sign_in: str) -> str | None:
    if _SIGN_IN.fullmatch(sign_in) is None or len(sign_in) > MAX_ID_BYTES:
        return "sign_in: expected a sign-in id (n_ and a token)"
    return None


def _entry(claims: Entry) -> str | None:
    if not is_slug(claims.portal):
        return "portal: expected a slug"
    if claims.page is not None and (len(claims.page) > MAX_PAGE_CHARS or _PAGE.fullmatch(claims.page) is None):
        return f"page: expected an http or https address in ASCII, at most {MAX_PAGE_CHARS} characters"
    if claims.language is not None and (
        len(claims.language) > MAX_LANGUAGE_CHARS or _LANGUAGE.fullmatch(claims.language) is None
    ):
        return "language: expected a language tag like de-AT"
    if claims.class_ is not None and not is_slug(claims.class_):
        return "class_: expected a slug"
    if (
        len(claims.skills) > MAX_ENTRY_SKILLS
        or not all(map(is_slug, claims.skills))
        or len(set(claims.skills)) < len(claims.skills)
    ):
        return f"skills: expected at most {MAX_ENTRY_SKILLS} slugs, each once"
    return None
