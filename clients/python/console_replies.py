"""Canned replies in the representative's console: which there are, and what is to be said with one of them."""

from __future__ import annotations

import attrs

from clients.python.answers import Replies
from clients.python.console import InputError, Say

AS_THEY_ARE = {name: f"{{{name}}}" for name in ("customer", "representative")}
"""Placeholders where nothing is filled in yet."""


@attrs.frozen
class Wanted:
    """What was typed behind ``reply``."""

    number: str
    """Of the session; empty for the only one."""
    name: str
    language: str | None


def listed(known: Replies, say: Say, *, as_json: bool) -> object:
    """Each reply on a line."""
    if as_json:
        return [attrs.asdict(each) for each in known.replies]
    for each in known.replies:
        title = f" ({each.title})" if each.title else ""
        say(f"{each.reply}{title}: {each.filled(**AS_THEY_ARE) or '-'}")
    return None if known.replies else "no replies: managers write them, for a team"


def wanted(typed: str) -> Wanted:
    """``[SESSION] NAME [LANGUAGE]``. InputError."""
    words = typed.split()
    number = words.pop(0) if len(words) > 1 and words[0].isdecimal() else ""
    if not 1 <= len(words) <= 2:
        raise InputError("reply [SESSION] NAME [LANGUAGE]")
    return Wanted(number, words[0], words[1] if len(words) > 1 else None)


def words_of(known: Replies, what: Wanted, customer: str | None, person: str) -> str:
    """The reply with the names filled in; ``person``: how to be called where the broker doesn't say. InputError
    for one that isn't there, or says nothing any more."""
    found = next((each for each in known.replies if each.reply == what.name), None)
    if found is None:
        names = ", ".join(each.reply for each in known.replies) or "none"
        raise InputError(f"there is no reply {what.name}; there is {names}")
    said = found.filled(what.language, customer=customer, representative=known.name or person)
    if not said:
        raise InputError(f"there is nothing to say in {what.name}")
    return said
