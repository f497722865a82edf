"""What the follower tells of one customer (``customer.export``): all that is stored about it, a few cases at a time.

Three things are kept by customer: cases, with the streams of their sessions; what the desk and the journal keep by
visitor id, also where no case is left; and blocks. An address leads to its cases, and by them to visitors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

import attrs

from broker import ids
from broker.desk import blocks, case_view, events
from broker.desk.desk import Desk
from broker.desk.pseudonyms import AUDIT
from broker.desk.publish import render, resolve
from broker.desk.state import Block, Case, Request, Visitor
from broker.journal.base import Record, Store
from broker.protocol import ops
from broker.runtime.case_reader import PAGE, PARTS, Found, Texts, renamed
from broker.runtime.texts import refs
from broker.runtime.why import event_of

EXPORT_CASES: Final = 20  # told at once, with all that was said in them
EXPORT_BYTES: Final = 256 * 1024  # after so many no further case is begun
EXPORT_KEYS: Final = 1000  # keys of a visitor's commands: more than are kept of anybody

Row = dict[str, object]
Part = Generator[None, None, Row]
Rows = Generator[None, None, list[object]]
_OTHERS: Final = ("visitor", "reason", "by")  # of a block that was made for another customer of the same address


def export(
    store: Store, desk: Desk, account: str, email: str | None, visitor: str | None, after: int, texts: Texts
) -> Found:
    """{cases, visitors, next?}: the oldest case first, and what is kept of the visitors whose cases these are. Asked
    for by visitor it comes once, at first, whether or not there is a case."""
    reader = _Reader(store, desk, account, texts)
    told: list[object] = []
    names: dict[str, None] = {} if visitor is None or after else {visitor: None}
    last, size = None, 0
    for case in reader.chosen(email, visitor, after):
        if case is None:
            yield
            continue
        told.append((yield from reader.whole(case)))
        if visitor is None:
            names[case.visitor] = None
        size += len(repr(told[-1]))
        if len(told) == EXPORT_CASES or size > EXPORT_BYTES:
            last = case.number
            break
    about: list[object] = []
    for name in names:
        row = yield from reader.about(name)
        about += [row] if len(row) > 1 else []
    page: Row = {"cases": told, "visitors": about}
    return page if last is None else {**page, "next": last}


@attrs.frozen
class _Reader:
    """Reads one account."""

    store: Store
    desk: Desk
    account: str
    texts: Texts

    def chosen(self, email: str | None, visitor: str | None, after: int) -> Iterator[Case | None]:
        """The customer's cases; a None now and then, where commits may go first."""
        some: list[Case] = []
        for case in self.desk.state.cases.values():
            if case.number <= after or (visitor is not None and case.visitor != visitor):
                continue
            some.append(case)
            if len(some) == PAGE:
                yield from self._written_by(some, email)
                some = []
                yield None
        yield from self._written_by(some, email)

    def _written_by(self, some: Sequence[Case], email: str | None) -> Sequence[Case]:
        if email is None:
            return some
        known = self.texts(self.store, self.account, [case.email[0] for case in some if case.email is not None])
        wanted = email.casefold()
        return [case for case in some if case.email is not None and known.get(case.email[0], "").casefold() == wanted]

    def whole(self, case: Case) -> Part:
        """A case, and the events of its session as whoever may see all of them is told."""
        shown = renamed(self.desk, case_view.details(self.desk.state, case))
        told: list[object] = []
        for part in PARTS:
            told += yield from self._stream(f"session:{case.session}{part}", "staff" if part else "session")
        return {"case": resolve(shown, self.texts(self.store, self.account, refs(shown)).get), "events": told}

    def about(self, name: str) -> Part:
        """What is kept by a visitor's id; nothing but that id where nothing is."""
        state = self.desk.state
        visitor = state.visitors.get(name)
        requests = [] if visitor is None else [state.requests[one] for one in visitor.requests.values()]
        sources = {one.source for one in requests}
        if visitor is not None:
            sources.add(visitor.source)
        audit = _Audit(name)
        told = yield from self._stream(f"me:{name}", "me", audit.learns)
        told += yield from self._stream(AUDIT, "audit", audit.has)
        found: Row = {
            "memory": None if visitor is None else _memory(visitor),
            "open": [_open(one) for one in requests],
            "blocks": [one for block in state.blocks.values() for one in _block(block, audit.blocks, sources - {None})],
            "answers": [{"key": one.key, "t": one.t} for one in self.store.answers(self.account, name, EXPORT_KEYS)],
        }
        kept = renamed(self.desk, {key: value for key, value in found.items() if value})
        assert isinstance(kept, dict)
        return {"visitor": name, **kept, **({"events": told} if told else {})}

    def _stream(self, stream: str, called: str, only: Callable[[events.Event], bool] | None = None) -> Rows:
        """What a stream says, all of it or ``only`` some."""
        told: list[object] = []
        after = 0
        while page := self.store.stream(self.account, stream, after, PAGE):
            for offset, record in page:
                after, event = offset, event_of(record)
                if only is None or only(event):
                    told.append(self._event(event, record, stream, offset, called))
            yield
        return told

    def _event(self, event: events.Event, record: Record, stream: str, offset: int, called: str) -> Row:
        kind = next(wire for name, at, wire in record.entries if name == stream and at == offset)
        known = self.texts(self.store, self.account, refs(events.pack_body(event)))
        former = self.desk.state.former
        data = render(event, kind, stream, known.get, former.get if former else None)
        if isinstance(event, events.RequestCreated) and event.network is not None:
            data["network"] = event.network  # told to nobody else in a stream, and kept
        return {"t": record.t, "stream": called, "type": kind, "data": data}


@attrs.define
class _Audit:
    """Which events of the audit are about a visitor: its blocks, and what was done with its requests by name."""

    visitor: str
    names: set[str] = attrs.field(factory=set)
    """What it is called there: its own id, and those of its requests, sessions and cases."""
    blocks: set[str] = attrs.field(factory=set)
    """Those that were made for it, whether or not they are over."""
    last: str | None = None
    """The block that was made last."""

    def learns(self, event: events.Event) -> bool:
        """Of the visitor's own stream: all of it. Whoever has none is nobody here, also if somebody asked for it."""
        self.names.add(self.visitor)
        if isinstance(event, events.RequestCreated):
            self.names |= {event.request, event.session, ids.case_of(event.request)}
        return True

    def has(self, event: events.Event) -> bool:
        """Whether it is about it; events come in their order, and a command's own before what the audit says of it."""
        if isinstance(event, events.VisitorBlocked):
            self.last = event.block
            if event.visitor == self.visitor:
                self.blocks.add(event.block)
            return event.visitor == self.visitor
        if isinstance(event, events.BlockEnded):
            return event.block in self.blocks
        if not isinstance(event, events.Audited) or event.object not in self.names:
            return False
        if event.op == ops.VisitorBlock.OP and self.last is not None:
            self.blocks.add(self.last)  # also of an address alone
        return True


def _memory(visitor: Visitor) -> Row:
    """What the desk keeps of a visitor beside its cases."""
    ended = visitor.ended if visitor.ended else None
    kept = {"representative": visitor.served_by, "network": visitor.network, "ended": ended}
    return {name: value for name, value in kept.items() if value is not None}


def _open(request: Request) -> Row:
    """What is kept of an open request beside its case."""
    kept: Row = {
        "request": request.request,
        "kind": request.kind,
        "mode": request.mode,
        "state": request.state,
        "class": request.class_,
        "skills": list(request.asked) or None,
        "target": request.target,
        "network": request.network,
        "been": list(request.been) or None,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _block(block: Block, own: set[str], sources: set[str | None]) -> Iterator[Row]:
    """As managers see it, if it was made for this visitor. Of one of an address that it came from, which was made for
    somebody else there, that it is there."""
    shown = blocks.shown(block)
    if block.block in own:
        yield shown
    elif block.source in sources:
        yield {name: value for name, value in shown.items() if name not in _OTHERS}
