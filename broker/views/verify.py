"""Verifies a transcript's JSON without any broker: whether it hangs together, and who signed it.

The checks run in order, each on what those before it have found to be so; the first fault is told. An entry's fault
names the first entry that is altered, missing or moved. That everything holds says: nobody changed it since it was
signed by ``key``. Whose key that is, only the broker's operator can say (``huntgroup transcript key``).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import attrs

from broker.views.chain import FORMAT, START, Entry, link, signed

KEY_PREFIX: Final = "ed25519:"
_PARTS: Final = {"huntgroup_transcript": int, "entries": list, "head": dict, "key": str, "signature": str}
_HEAD: Final[Mapping[str, tuple[type, ...]]] = {
    "format": (int,),
    "account": (str,),
    "session": (str,),
    "portal": (str,),
    "reader": (str,),
    "notes": (bool,),
    "opened": (int, type(None)),
    "ended": (int, type(None)),
    "made": (int,),
    "entries": (int,),
    "hash": (str,),
}

Check = Callable[[bytes, bytes, bytes], bool]
"""(public key, signature, data) to whether the one made the other."""


class Unreadable(Exception):
    """It is no transcript, or none that this release can read; the message says why."""


@attrs.frozen
class Fault:
    """What doesn't hold."""

    what: str
    entry: int | None = None
    """The first entry that isn't as it was; None where it is the head or the signature."""


@attrs.frozen
class Verdict:
    """What was found."""

    head: Mapping[str, object]
    key: str
    fault: Fault | None


@attrs.frozen
class Document:
    """A transcript as it was read."""

    entries: Sequence[Entry]
    head: Mapping[str, object]
    key: str
    signature: str


def read(text: str) -> Document:
    """The parts of a transcript. Raises ``Unreadable``."""
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON that a transcript is written in: {error}") from None
    if not isinstance(value, dict) or "huntgroup_transcript" not in value:
        raise Unreadable("it is no transcript in JSON: huntgroup transcript get --format json makes one")
    if value["huntgroup_transcript"] != FORMAT or value["huntgroup_transcript"] is True:
        raise Unreadable(f"its format isn't {FORMAT}, the one that this release knows")
    if value.keys() != _PARTS.keys():
        raise Unreadable(f"expected {', '.join(_PARTS)}, and nothing else")
    if wrong := [name for name, kind in _PARTS.items() if type(value[name]) is not kind]:
        raise Unreadable(f"{wrong[0]}: expected {'an object' if wrong[0] == 'head' else _PARTS[wrong[0]].__name__}")
    for number, entry in enumerate(value["entries"], 1):
        if type(entry) is not dict:
            raise Unreadable(f"entry {number} is no object")
    return Document(value["entries"], value["head"], value["key"], value["signature"])


def verify(document: Document, check: Check) -> Verdict:
    """Whether it holds."""
    for one in CHECKS:
        fault = one(document, check)
        if fault is not None:
            return Verdict(document.head, document.key, fault)
    return Verdict(document.head, document.key, None)


def key_bytes(key: str) -> bytes | None:
    """A public key's 32 bytes; None for a text that is none."""
    return _decoded(key.removeprefix(KEY_PREFIX), 32) if key.startswith(KEY_PREFIX) else None


# --- the checks --------------------------------------------------------------------------------------


def _order(document: Document, check: Check) -> Fault | None:
    """Entries are numbered from 1, each where it belongs."""
    numbers = [entry.get("n") for entry in document.entries]
    there = {number for number in numbers if type(number) is int}
    for place, number in enumerate(numbers, 1):
        if type(number) is not int:
            return Fault(f"entry {place} is altered: it has no number", place)
        if 0 < number < place:
            return Fault(f"entry {place} isn't there: in its place entry {number} stands twice", place)
        if number != place:
            what = "moved" if place in there else "missing"
            return Fault(f"entry {place} is {what}: in its place stands {number}", place)
    return None


def _chain(document: Document, check: Check) -> Fault | None:
    """Each entry has the hash that it and those before it make."""
    before = START
    for place, entry in enumerate(document.entries, 1):
        try:
            found = link(before, entry)
        except ValueError:
            return Fault(f"entry {place} is altered: no transcript holds what is in it", place)
        if entry.get("hash") != found.hex():
            return Fault(f"entry {place} is altered: it isn't what its hash was made of", place)
        before = found
    return None


def _shape(document: Document, check: Check) -> Fault | None:
    """The head says what heads say."""
    head = document.head
    if head.keys() != _HEAD.keys():
        return Fault("the head is altered: it hasn't the fields of a head")
    if wrong := [name for name, kinds in _HEAD.items() if type(head[name]) not in kinds]:
        return Fault(f"the head is altered: {wrong[0]} is of another kind")
    return None


def _end(document: Document, check: Check) -> Fault | None:
    """The entries are all that the head speaks of, and lead to its hash."""
    there, told = len(document.entries), cast("int", document.head["entries"])
    if there < told:
        return Fault(f"entry {there + 1} is missing: the head speaks of {told}", there + 1)
    if there > told:
        return Fault(f"entry {told + 1} was added: the head speaks of {told}", told + 1)
    last = cast("str", document.entries[-1]["hash"]) if there else START.hex()
    if document.head["hash"] != last:
        return Fault("the entries don't lead to the head's hash: the head, or all of them, were made anew")
    return None


def _signature(document: Document, check: Check) -> Fault | None:
    """The head was signed by the key."""
    key = key_bytes(document.key)
    if key is None:
        return Fault(f"key: expected {KEY_PREFIX} and 43 characters")
    signature = _decoded(document.signature, 64)
    if signature is None:
        return Fault("signature: expected 86 characters")
    try:
        good = check(key, signature, signed(document.head))
    except ValueError:
        good = False  # a text that has no bytes
    return None if good else Fault("the signature isn't of this head by this key: one of the three is altered")


CHECKS: Final[tuple[Callable[[Document, Check], Fault | None], ...]] = (_order, _chain, _shape, _end, _signature)
"""In the order in which they are made."""


def _decoded(text: str, size: int) -> bytes | None:
    """Base64 for addresses, without padding; None unless it is the one way to write so many bytes."""
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        return None
    exact = base64.urlsafe_b64encode(found).decode().rstrip("=") == text
    return found if exact and len(found) == size else None


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    """A map; ValueError where a name is there twice, for programs differ in which of the two they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
