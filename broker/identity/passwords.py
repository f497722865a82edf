"""Passwords: how they are written, hashed and checked, and what a policy asks of them.

Theory of operation. A password is *prepared* first, whenever it is set or tried, so that the same keys pressed on two
machines give the same bytes:

1. what is empty or has more than ``MAX_PASSWORD_BYTES`` in UTF-8 is refused before anything else is done with it;
2. Unicode's NFKC (full-width letters, ligatures and decomposed accents become the usual ones; case stays);
3. every space separator (Zs) becomes U+0020: NFKC does that to all of them but one;
4. control characters, surrogates and code points without a character are refused; the last because a later version
   of Unicode might normalise them otherwise;
5. 1 to ``MAX_PASSWORD_CHARS`` characters must be left. Nothing is trimmed.

It is the OpaqueString profile of RFC 8265 but for NFKC in place of NFC, as NIST SP 800-63B would have it. Then Argon2id
(RFC 9106) takes it, with a salt of its own for every password. The text that is stored names the parameters, so that
raising them breaks nothing: whoever signs in next with an ``outdated`` hash is hashed anew.

Everything here that hashes takes about 0.15 s and 64 MiB: ``hashers`` calls it, never the hub.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import attrs
from argon2 import PasswordHasher, Type
from argon2.exceptions import VerifyMismatchError

from broker import limits
from broker.identity.common import COMMON
from broker.identity.secrecy import Secret, veil
from broker.units import KIB

SALT_BYTES: Final = 16  # RFC 9106, section 3.1
HASH_BYTES: Final = 32
PERSONAL_CHARS: Final = 4  # a shorter name is in too many words to be refused within them: planning holds ann
TAIL_CHARS: Final = 6  # digits and signs after a common word that make it no better: summer2024!

_HASH: Final = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,8}),t=([1-9][0-9]{0,3}),p=([1-9][0-9]{0,2})"
    r"\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{16,86})",
    re.ASCII,
)
_REFUSED: Final = {"Cc": "control characters", "Cs": "lone surrogates", "Cn": "code points that are no characters yet"}
_LOOKALIKES: Final = str.maketrans("@4301!$57", "aaeolisst")


class UnfitPassword(ValueError):
    """No password can be written so. The message says what is wrong with it, and nothing of what was in it."""


@attrs.frozen(kw_only=True)
class Cost:
    """What hashing one password costs: the parameters of Argon2id."""

    time: int = limits.PASSWORD_TIME
    memory: int = limits.PASSWORD_MEMORY
    """Bytes; a multiple of 1 KiB, at least 8 KiB for each lane."""
    lanes: int = limits.PASSWORD_LANES


COST: Final = Cost()


@attrs.frozen(kw_only=True)
class Verdict:
    """Whether it was the password."""

    right: bool
    outdated: bool = False
    """It was, but its hash was made at another cost: hash it anew, while the password is at hand."""


WRONG: Final = Verdict(right=False)


def prepare(password: str | Secret) -> str:
    """The password as it is hashed; see above. Raises ``UnfitPassword``."""
    text = veil(password).reveal()
    if not text:
        raise UnfitPassword("password: expected at least 1 character")
    if len(text) > limits.MAX_PASSWORD_BYTES or len(text.encode("utf-8", "surrogatepass")) > limits.MAX_PASSWORD_BYTES:
        raise UnfitPassword(f"password: expected at most {limits.MAX_PASSWORD_BYTES} bytes")
    text = "".join(
        " " if unicodedata.category(character) == "Zs" else character
        for character in unicodedata.normalize("NFKC", text)
    )
    for kind, name in _REFUSED.items():
        if any(unicodedata.category(character) == kind for character in text):
            raise UnfitPassword(f"password: expected no {name}")
    if len(text) > limits.MAX_PASSWORD_CHARS:
        raise UnfitPassword(f"password: expected at most {limits.MAX_PASSWORD_CHARS} characters")
    return text


# --- hashing -------------------------------------------------------------------------------------


def hash(password: str | Secret, cost: Cost = COST) -> str:
    """What to store of this password: Argon2id's text, with parameters and a fresh salt. Raises ``UnfitPassword``."""
    return _hasher(cost).hash(prepare(password))


def verify(kept: str, password: str | Secret, cost: Cost = COST) -> Verdict:
    """Whether ``kept`` was made of this password. One that can't be written is wrong.

    Raises ``ValueError`` for a ``kept`` that no version of ours has made."""
    parameters = _parameters(kept)
    if parameters is None:
        raise ValueError("hash: expected an Argon2id hash within the bounds of broker/limits.py")
    try:
        _hasher(cost).verify(kept, prepare(password))
    except (VerifyMismatchError, UnfitPassword):
        return WRONG
    return Verdict(right=True, outdated=parameters != (cost, SALT_BYTES, HASH_BYTES))


def dummy(cost: Cost = COST) -> str:
    """A hash that no password is known for, which takes as long to check as a real one: checked when nobody of that
    name exists, so that the time an answer takes doesn't tell who does.

    Its digest isn't made of a password, but of a label: nobody has found what Argon2id would have to be given."""
    digest = hashlib.sha256(b"huntgroup: nobody of that name").digest()
    salt, made = (base64.b64encode(part).rstrip(b"=").decode() for part in (digest[:SALT_BYTES], digest))
    return f"$argon2id$v=19$m={cost.memory // KIB},t={cost.time},p={cost.lanes}${salt}${made}"


def _hasher(cost: Cost) -> PasswordHasher:
    return PasswordHasher(
        time_cost=cost.time,
        memory_cost=cost.memory // KIB,
        parallelism=cost.lanes,
        hash_len=HASH_BYTES,
        salt_len=SALT_BYTES,
        type=Type.ID,
    )


def _parameters(kept: str) -> tuple[Cost, int, int] | None:
    """A hash's cost and the lengths of its salt and digest; None for what we wouldn't check."""
    found = _HASH.fullmatch(kept)
    if found is None:
        return None
    cost = Cost(memory=int(found[1]) * KIB, time=int(found[2]), lanes=int(found[3]))
    if (
        not 8 * KIB * cost.lanes <= cost.memory <= limits.MAX_PASSWORD_MEMORY
        or cost.time > limits.MAX_PASSWORD_TIME
        or cost.lanes > limits.MAX_PASSWORD_LANES
        or any(len(part) % 4 == 1 for part in (found[4], found[5]))  # no bytes are written so
    ):
        return None
    return cost, len(found[4]) * 6 // 8, len(found[5]) * 6 // 8


# --- what a policy asks --------------------------------------------------------------------------


def _chars(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not 1 <= value <= limits.MAX_PASSWORD_CHARS:
        raise ValueError(f"{attribute.name}: expected 1 to {limits.MAX_PASSWORD_CHARS} characters, got {value}")


@attrs.frozen(kw_only=True)
class Policy:
    """What an account asks of new passwords. Old ones stay good until they are changed."""

    min_length: int = attrs.field(default=limits.MIN_PASSWORD_CHARS, validator=_chars)
    max_length: int = attrs.field(default=limits.MAX_PASSWORD_CHARS, validator=_chars)
    classes: int = limits.PASSWORD_CLASSES
    """How many of: small letters, capital letters, digits, anything else."""

    def __attrs_post_init__(self) -> None:
        if self.max_length < self.min_length:
            raise ValueError(f"max_length: expected at least min_length, {self.min_length}, got {self.max_length}")
        if not 0 <= self.classes <= 4:
            raise ValueError(f"classes: expected 0 to 4, got {self.classes}")


def objections(policy: Policy, password: str | Secret, words: Iterable[str] = ()) -> list[str]:
    """What is wrong with a new password: a sentence each, to show to who chose it; empty if nothing is.

    ``words``: what anybody knows of the person, as login and e-mail address. An address counts by its local part."""
    try:
        text = prepare(password)
    except UnfitPassword as error:
        return [str(error)]
    found = []
    if len(text) < policy.min_length:
        found.append(f"password: expected at least {policy.min_length} characters")
    if len(text) > policy.max_length:
        found.append(f"password: expected at most {policy.max_length} characters")
    if len(set(map(_class, text))) < policy.classes:
        kinds = "small letters, capital letters, digits and other characters"
        amount = "all" if policy.classes == 4 else f"at least {policy.classes}"
        found.append(f"password: expected {amount} of {kinds}")
    if _personal(text, words):
        found.append("password: expected one that doesn't contain your login or e-mail name")
    if _common(text):
        found.append("password: expected one that isn't among those that are tried first")
    return found


def _class(character: str) -> str:
    if character.islower():
        return "lower"
    if character.isupper():
        return "upper"
    return "digit" if character.isdecimal() else "other"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _personal(text: str, words: Iterable[str]) -> bool:
    folded = _fold(text)
    names = (_fold(word).split("@")[0] for word in words)
    return any(name == folded or (len(name) >= PERSONAL_CHARS and name in folded) for name in names)


def _common(text: str) -> bool:
    """Whether it is a common one, or one that signs, digits or look-alikes make of it."""
    folded = _fold(text)
    stem = re.sub(rf"[^a-z]{{1,{TAIL_CHARS}}}\Z", "", folded)
    plain = stem.translate(_LOOKALIKES)
    # Without its tail a short word is no more than the beginning of something: test-Ä9!x is not test.
    return (
        folded in COMMON
        or folded.translate(_LOOKALIKES) in COMMON
        or (len(stem) >= 6 and {stem, plain} & COMMON != set())
    )
