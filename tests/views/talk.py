"""A conversation by hand, as the wire types and bodies of its stream; and documents made of such."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from broker.identity.signatures import Signatures
from broker.views.chain import signed
from broker.views.transcripts import About, Progress, beginning, ending, head_of, write

SEED = bytes(range(32))
SIGNATURES = Signatures(SEED)
ABOUT = About(
    account="acme", session="s_1", portal="help", zone=None, reader="customer", notes=False, made=1_700_000_900_000
)
START = 1_700_000_000_123
Told = tuple[str, Mapping[str, object]]

OPENED: Told = ("session.opened", {"session": "s_1", "request": "r_1", "name": "Kim", "text": "Where is my order?"})
JOINED: Told = ("session.joined", {"session": "s_1", "representative": "ann", "name": "Ann", "role": "lead"})
ENDED: Told = ("session.ended", {"session": "s_1", "request": "r_1", "reason": "customer"})
FILE: Told = (
    "file.shared",
    {
        "session": "s_1",
        "message_seq": 3,
        "file": "f_1",
        "name": "bill.pdf",
        "size": 1536,
        "type": "application/pdf",
        "sha256": "ab" * 32,
        "role": "customer",
    },
)


def said(number: int, text: object, by: str | None = None) -> Told:
    """A chat message, of the customer or a representative."""
    who: dict[str, object] = {"role": "customer"} if by is None else {"role": "representative", "by": by}
    return "chat.message", {"session": "s_1", "message_seq": number, "text": text, **who}


TALK: tuple[Told, ...] = (
    OPENED,
    said(1, "Hello?"),
    JOINED,
    said(2, "Let me look.", "ann"),
    FILE,
    ("share.changed", {"session": "s_1", "share": "h_1", "state": "requested", "by": "representative"}),
    ("session.held", {"session": "s_1", "who": "customer", "until": 5}),
    ("session.resumed", {"session": "s_1", "who": "customer"}),
    ("session.transferred", {"session": "s_1", "representative": "bo", "former": "ann", "name": "Bo"}),
    said(4, "It is on its way.\nTomorrow.", "bo"),
    ENDED,
)


def document(
    format: str, talk: Iterable[Told] = TALK, about: About = ABOUT, signatures: Signatures = SIGNATURES
) -> str:
    """A whole transcript."""
    progress = Progress()
    pieces = [beginning(format, about)]
    pieces += [write(format, about, progress, kind, START + 1000 * n, data) for n, (kind, data) in enumerate(talk)]
    head = head_of(about, progress)
    return "".join([*pieces, ending(format, head, signatures.public, signatures.sign(signed(head)))])


def entries(*talk: Told) -> list[dict[str, Any]]:
    """The entries of a transcript."""
    found: list[dict[str, Any]] = json.loads(document("json", talk))["entries"]
    return found


def zoned(zone: str | None) -> About:
    """At a portal in this time zone."""
    return evolve(ABOUT, zone=zone)
