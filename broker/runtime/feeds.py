"""Feeds cursors: from the head, from the ring, or from the journal.

Theory of operation. ``publish`` gives a committed event to every live cursor whose connection has room. A cursor that
gets none falls behind; ``advance`` moves it on when there is room again: from the page it was given, from the ring,
and when neither has the next event, by asking the journal for a page. At most one page a connection is under way, so a
slow reader with many cursors costs no more than one with one. Nothing is sent twice and nothing is left out because a
cursor only ever sends the event after its position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Final, cast

import attrs

from broker.desk.identity import Identity
from broker.journal.base import Reply
from broker.limits import KEY_MEMORY
from broker.protocol.codec import pack
from broker.protocol.frames import Gap, Notice
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.cursors import Cursor, Mode, Stream
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.transport.base import Prepared

_RIGHTS: Final = "rights"
_RETENTION: Final = "retention"
_FORMER_AT_ONCE: Final = 5000  # names of people who left, told to the reader in one question: 250 KB


@attrs.frozen
class Statistics:
    """What the feeds can say of themselves."""

    streams: int
    """With at least one cursor."""
    cursors: int
    behind: int
    """Cursors that are not at the head of their stream."""
    deliveries: int
    """EVENTs handed to connections."""
    pages: int
    """Read from the journal for cursors past the ring."""


def internal(identity: Identity, wire: str) -> str:
    """A stream's name inside the broker."""
    return f"me:{identity.person}" if wire == "me" else wire


def wire_name(stream: str) -> str:
    """A stream's name to those who read it."""
    return "me" if stream.startswith("me:") else stream


class Feeds:
    """Every stream and cursor of a hub."""

    def __init__(self, *, outbox: Outbox, answers: Answers, asks: Asks, clock: Clock, options: Options) -> None:
        self._clock = clock
        self._outbox = outbox
        self._answers = answers
        self._asks = asks
        self._options = options
        self.skipped: dict[Cursor, None] = {}
        """Cursors whose filter kept an event back: to be told of their progress."""
        self._telling: set[Account] = set()
        """Accounts of which the reader is just being told who left."""
        self._stuck: dict[Connection, None] = {}
        """Those whose page could not be read: tried again by ``retry``."""
        self._streams = self._cursors = self._behind = self._deliveries = self._pages = 0

    def add(
        self, connection: Connection, account: Account, name: str, head: int, types: frozenset[str] | None
    ) -> Cursor:
        """A new cursor, at the head of its stream but not live yet: place it, then ``advance`` it."""
        stream = self._open_stream(account, name, head)
        cursor = Cursor(connection, stream, stream.head, types, told=stream.head)
        connection.cursors[stream.wire] = cursor
        stream.others[cursor] = None
        self._cursors += 1
        self._fall_behind(cursor)
        return cursor

    def _open_stream(self, account: Account, name: str, head: int) -> Stream:
        stream = account.streams.get(name)
        if stream is None:
            stream = Stream(name, wire_name(name), head, self._options.ring_events, self._options.ring_bytes)
            account.streams[name] = stream
            self._streams += 1
        return stream

    # --- feeding -------------------------------------------------------------------------------------

    def publish(self, stream: Stream, offset: int, wire_type: str, payload: bytes) -> None:
        """A committed event: packed and prepared once, for everyone who is at the head and has room."""
        message = self._outbox.prepare(payload)
        stream.push(offset, wire_type, message)
        live = stream.live
        if live:
            slow, skipped = self._outbox.fan_out(live, wire_type, message)
            self._deliveries += len(live) - len(slow) - len(skipped)
            for cursor in skipped:
                self.skipped[cursor] = None
            for cursor in slow:
                cursor.position = offset - 1
                del live[cursor]
                stream.others[cursor] = None
                self._fall_behind(cursor)

    def _fall_behind(self, cursor: Cursor) -> None:
        connection = cursor.connection
        cursor.mode = Mode.BEHIND
        if connection.behind is None:
            connection.behind = {}
        connection.behind[cursor] = None
        self._behind += 1

    def pump(self, connection: Connection) -> None:
        """There is room again: let the cursors that are behind go on, and what waited for them."""
        account = connection.account
        if connection.closing or account is None:
            return
        for cursor in list(connection.behind or ()):
            if not self._outbox.room(connection):
                break
            self.advance(cursor, account)

    def advance(self, cursor: Cursor, account: Account) -> None:
        """Send what comes next, as far as there is room, and go live at the head."""
        if cursor.closed or cursor.mode is not Mode.BEHIND:
            return
        connection, stream, outbox = cursor.connection, cursor.stream, self._outbox
        while outbox.room(connection):
            if cursor.parts:
                outbox.payload(connection, cursor.parts.pop())
                if not cursor.parts:
                    self.view_over(cursor)
            elif cursor.position >= stream.head:
                self._go_live(cursor)
                break
            elif cursor.position + 1 in stream.ring:
                cursor.page.clear()
                self._send(cursor, cursor.position + 1, *stream.ring[cursor.position + 1])
            elif cursor.page:
                offset, wire_type, payload = cursor.page.pop()
                if offset > cursor.position:
                    self._send(cursor, offset, wire_type, outbox.prepare(payload))
            else:
                self._ask_page(cursor, account)
                break
        if connection.held:
            self._answers.release(connection)

    def _send(self, cursor: Cursor, offset: int, wire_type: str, message: Prepared) -> None:
        if offset > cursor.position + 1:
            gap = Gap(cursor.stream.wire, cursor.position + 1, offset - 1, _RETENTION)
            self._outbox.frame(cursor.connection, gap)
        cursor.position = offset
        if cursor.wants(wire_type):
            cursor.told = offset
            self._outbox.put(cursor.connection, message)
            self._deliveries += 1
        else:
            self.skipped[cursor] = None

    def _go_live(self, cursor: Cursor) -> None:
        stream, connection = cursor.stream, cursor.connection
        cursor.mode = Mode.LIVE
        cursor.page.clear()
        del stream.others[cursor]
        stream.live[cursor] = None
        if connection.behind is not None:
            connection.behind.pop(cursor, None)
        self._behind -= 1

    def _ask_page(self, cursor: Cursor, account: Account) -> None:
        connection = cursor.connection
        if connection.reading is not None:
            return  # goes on when that one's page is through
        connection.reading = cursor
        position, left = cursor.position, len(account.former)

        def turned(reply: Reply) -> None:
            connection.reading = None
            if connection.closing:
                return
            if type(reply.value) is int:
                self.tell_former(account, reply.value)
            elif not cursor.closed and left == len(account.former):
                self._turn(cursor, position, reply)
            if connection not in self._stuck:
                self.pump(connection)

        self._pages += 1
        stream, most = cursor.stream, self._options.page_events
        told_since = self._clock.now() - KEY_MEMORY
        self._asks.ask("page", account.name, stream.name, stream.wire, position, most, left, told_since, then=turned)

    def tell_former(self, account: Account, known: int) -> None:
        """The reader knows of so many people who left: tell it of the others, in order."""
        if account in self._telling:
            return
        self._telling.add(account)
        rest = list(islice(account.former.items(), known, None))
        for first in range(0, len(rest), _FORMER_AT_ONCE):
            some = rest[first : first + _FORMER_AT_ONCE]
            self._asks.ask("former", account.name, known + first, some, then=lambda reply: None)
        self._asks.ask("former", account.name, 0, [], then=lambda reply: self._telling.discard(account))

    def renamed(self, account: Account) -> None:
        """Somebody left: what was made ready before names it still, and is made anew."""
        for stream in account.streams.values():
            stream.forget(stream.head)
            for cursor in stream.others:
                cursor.page.clear()

    def _turn(self, cursor: Cursor, asked: int, reply: Reply) -> None:
        """A page is here."""
        if reply.error is not None:
            self._stuck[cursor.connection] = None
            return
        page = cast("Sequence[tuple[int, str, bytes]]", reply.value)
        if page:
            cursor.page = list(reversed(page))
        elif cursor.position == asked:
            # Nothing is left of what lies between here and the ring.
            last = cursor.stream.ring_first - 1 if cursor.stream.ring else cursor.stream.head
            self._outbox.frame(cursor.connection, Gap(cursor.stream.wire, asked + 1, last, _RETENTION))
            cursor.position = last

    def view(self, cursor: Cursor, ask: Callable[[], None]) -> None:
        """Ask for this cursor's snapshot, once no other one of its connection is on its way."""
        connection = cursor.connection
        if connection.viewing is None:
            connection.viewing = cursor
            ask()
        else:
            connection.views = [*(connection.views or ()), (cursor, ask)]

    def view_over(self, cursor: Cursor) -> None:
        """Its snapshot is sent, or nobody wants it any more: the next one's turn."""
        connection = cursor.connection
        if connection.viewing is not cursor:
            return
        connection.viewing = None
        if connection.views:
            (following, ask), *connection.views = connection.views
            self.view(following, ask)

    # --- ending --------------------------------------------------------------------------------------

    def close(self, cursor: Cursor) -> None:
        """This cursor ends; its stream goes with its last cursor."""
        if cursor.closed:
            return
        cursor.closed = True
        connection, stream, account = cursor.connection, cursor.stream, cursor.connection.account
        stream.live.pop(cursor, None)
        stream.others.pop(cursor, None)
        connection.cursors.pop(stream.wire, None)
        self.skipped.pop(cursor, None)
        self._cursors -= 1
        self.view_over(cursor)
        if connection.behind is not None and connection.behind.pop(cursor, cursor) is None:
            self._behind -= 1
        assert account is not None
        if not stream.followed and account.streams.get(stream.name) is stream:
            del account.streams[stream.name]
            self._streams -= 1
        if connection.held:
            self._answers.release(connection)

    def close_all(self, connection: Connection) -> None:
        """This connection is gone."""
        self._stuck.pop(connection, None)
        for cursor in list(connection.cursors.values()):
            self.close(cursor)

    def revoke(self, cursors: Sequence[Cursor]) -> None:
        """These readers have lost their right: say so and end their cursors."""
        for cursor in cursors:
            if not cursor.closed:
                after = cursor.place + 1
                gap = Gap(cursor.stream.wire, after, max(cursor.stream.head, after), _RIGHTS)
                self._outbox.frame(cursor.connection, gap)
                self.close(cursor)

    def rebase(self, account: Account, heads: Mapping[str, int]) -> None:
        """The account was read anew: what was committed meanwhile, without being published, is in the journal."""
        for name, head in heads.items():
            stream = account.streams.get(name)
            if stream is None or head <= stream.head:
                continue
            for cursor in list(stream.live):
                cursor.position = stream.head
                del stream.live[cursor]
                stream.others[cursor] = None
                self._fall_behind(cursor)
            stream.forget(head)
            for cursor in list(stream.others):
                self.advance(cursor, account)

    def retry(self) -> None:
        """Let those go on whose page could not be read."""
        stuck, self._stuck = self._stuck, {}
        for connection in stuck:
            self.pump(connection)

    def tell_progress(self) -> None:
        """Tell filtered cursors how far they are, as ephemeral notices."""
        skipped, self.skipped = self.skipped, {}
        for cursor in skipped:
            place = cursor.place
            if place > cursor.told:
                cursor.told = place
                stream = cursor.stream.wire
                payload = pack(Notice(stream, "progress", "progress", {"offset": place}))
                self._outbox.notice(cursor.connection, stream, "progress", payload)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self._streams, self._cursors, self._behind, self._deliveries, self._pages)
