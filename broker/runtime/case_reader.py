"""What the follower tells of cases: their texts are in the journal alone, so the hub asks here.

Each answer is a generator: its ``yield``s let commits go first.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Final

from broker.desk import case_view, cases, events, pseudonyms, rights
from broker.desk.desk import Desk
from broker.desk.identity import Identity, Role
from broker.desk.publish import resolve
from broker.desk.state import Case
from broker.journal.base import Store
from broker.limits import LISTED_CASES
from broker.runtime.texts import refs
from broker.runtime.why import event_of

PAGE: Final = 200  # records, or cases, looked at between two yields: a few milliseconds

Found = Generator[None, None, object]
Person = tuple[str, str, str | None]
"""(person, role, portal)."""
Texts = Callable[[Store, str, Sequence[str]], Mapping[str, str]]
PARTS: Final = ("", ":staff")


def visible(desk: Desk, account: str, person: Person) -> Callable[[Case], bool]:
    """Whether this person may know of a case."""
    identity = Identity(account, person[0], Role(person[1]), person[2])
    who = rights.actor(desk.state, identity)
    if who is None:
        return lambda case: False
    if who.kind == "account_manager":
        return lambda case: True
    if who.kind == "team_manager":
        return lambda case: case.subportal in who.subportals
    member = desk.state.representatives.get(who.person)
    return lambda case: member is not None and cases.sees(desk.state, member, case)


def renamed(desk: Desk, value: object) -> object:
    """The same, naming nobody who left."""
    former = desk.state.former
    return pseudonyms.of_value(value, former.get) if former else value


def one(store: Store, desk: Desk, account: str, name: str, person: Person, texts: Texts) -> object:
    """The details of a case; None where there is none, or not for this person."""
    case = desk.state.cases.get(name)
    if case is None or not visible(desk, account, person)(case):
        return None
    shown = renamed(desk, case_view.details(desk.state, case))
    return resolve(shown, texts(store, account, refs(shown)).get)


def search(store: Store, desk: Desk, account: str, asked: Mapping[str, object], person: Person, texts: Texts) -> Found:
    """{cases, next?}: those that fit, the newest first."""
    may, query, after = visible(desk, account, person), asked.get("query"), asked.get("after")
    found: list[Case] = []
    some: list[Case] = []
    candidates = reversed(list(desk.state.cases.values()))
    for case in candidates:
        if (isinstance(after, int) and case.number >= after) or not case_view.fits(case, asked) or not may(case):
            continue
        some.append(case)
        if len(some) == PAGE:
            found += _matching(store, account, some, query, texts)
            some = []
            if len(found) > LISTED_CASES:
                break
            yield
    found += _matching(store, account, some, query, texts)
    rows = renamed(desk, [case_view.row(desk.state, case) for case in found[:LISTED_CASES]])
    told: dict[str, object] = {"cases": resolve(rows, texts(store, account, refs(rows)).get)}
    if len(found) > LISTED_CASES:
        told["next"] = found[LISTED_CASES - 1].number
    return told


def _matching(store: Store, account: str, some: Sequence[Case], query: object, texts: Texts) -> list[Case]:
    """Those with these words in a name, an address, a text, or as their number."""
    if not isinstance(query, str):
        return list(some)
    words = _plain(query.strip() or query)
    spoken = {case.case: refs([case.name, case.email, case.text, case.question]) for case in some}
    known = texts(store, account, [name for names in spoken.values() for name in names])
    return [
        case
        for case in some
        if words == str(case.number) or any(words in _plain(known.get(name, "")) for name in spoken[case.case])
    ]


def _plain(text: str) -> str:
    """Compared without capitals, and without how letters are put together (NFC, NFD) or how wide they are."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def named(store: Store, desk: Desk, account: str, sessions: Sequence[str]) -> Found:
    """Of each session (heads of its streams, ids of all contents that its records name): what goes with its case.
    What belongs to somebody who is there, a representative's name say, stays."""
    held = desk.held_contents()
    told: list[object] = []
    for session in sessions:
        ids: dict[str, None] = {}
        heads = []
        for part in PARTS:
            stream = f"session:{session}{part}"
            head = store.stream_head(account, stream)
            for event, _, _ in happened(store, account, stream, head):
                ids.update(dict.fromkeys(refs(events.pack_body(event))))
            heads.append(head)
            yield
        told.append([heads, [name for name in ids if name not in held]])
    return told


def happened(store: Store, account: str, stream: str, head: int) -> Iterator[tuple[events.Event, str, int]]:
    """(event, wire type, t) of a stream up to an offset."""
    after = 0
    while after < head and (page := store.stream(account, stream, after, PAGE)):
        for offset, record in page:
            after = offset
            kind = next(wire for name, at, wire in record.entries if name == stream and at == offset)
            yield event_of(record), kind, record.t
