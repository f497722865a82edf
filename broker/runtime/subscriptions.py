"""Subscriptions: cursors on the log, fed from the head, from the ring, or from the journal.

Theory of operation. ``publish`` gives a committed event to every live cursor whose connection has room. A cursor that
gets none falls behind; ``advance`` moves it on when there is room again: from the page it was given, from the ring,
and when neither has the next event, by asking the journal for a page. At most one page or snapshot a connection is
under way, so a slow reader with many cursors costs no more than one with one. Nothing is sent twice and nothing is
left out because a cursor only ever sends the event after its position.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, cast

import attrs

from broker.codes import Code
from broker.desk.identity import Identity
from broker.journal.base import Reply
from broker.protocol.codec import pack
from broker.protocol.frames import Gap, Notice
from broker.protocol.ops import Subscribe, Unsubscribe
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.batches import Later
from broker.runtime.connection import Connection
from broker.runtime.cursors import Cursor, Mode, Stream
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.transport.base import Prepared

_TOO_FAR: Final = "too_far_behind"
_RIGHTS: Final = "rights"
_RETENTION: Final = "retention"


@attrs.frozen
class Statistics:
    """What the subscriptions can say of themselves."""

    streams: int
    """With at least one cursor."""
    cursors: int
    behind: int
    """Cursors that are not at the head of their stream."""
    deliveries: int
    """EVENTs handed to connections."""
    pages: int
    """Read from the journal for cursors past the ring."""
    snapshots: int


def internal(identity: Identity, wire: str) -> str:
    """A stream's name inside the broker."""
    return f"me:{identity.person}" if wire == "me" else wire


def wire_name(stream: str) -> str:
    """A stream's name to those who read it."""
    return "me" if stream.startswith("me:") else stream


class Subscriptions:
    """Every cursor of a hub."""

    def __init__(self, *, outbox: Outbox, answers: Answers, asks: Asks, options: Options) -> None:
        self._outbox = outbox
        self._answers = answers
        self._asks = asks
        self._options = options
        self.skipped: dict[Cursor, None] = {}
        """Cursors whose filter kept an event back: to be told of their progress."""
        self._stuck: dict[Connection, None] = {}
        """Those whose page could not be read: tried again by ``retry``."""
        self._streams = self._cursors = self._behind = self._deliveries = self._pages = self._snapshots = 0

    # --- asking --------------------------------------------------------------------------------------

    def subscribe(self, connection: Connection, number: int, command: Subscribe) -> None:
        """Carry out ``subscribe``; what follows from the state is answered once that state is on disk."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        name = internal(identity, command.stream)
        if command.stream.startswith("me:") or not account.desk.may_read(identity, name):
            self._answers.fail(connection, number, Code.NO_SUCH, "no such stream, or not for this identity to read")
            return
        wrong = _wrong_start(command)
        if wrong is not None:
            detail = {"path": f"args.{wrong}"}
            self._answers.fail(connection, number, Code.BAD_ARGS, f"args.{wrong}: required", detail=detail)
            return
        if command.stream not in connection.cursors and len(connection.cursors) >= self._options.max_subscriptions:
            self._answers.fail(connection, number, Code.QUOTA, "too many subscriptions on this connection")
            return
        start = partial(self._start, connection, account, number, command, name)
        if account.parts:
            account.parts[-1].waiting.append(Later(start, lambda: self._down(connection, number)))
        else:
            start()

    def _replaced(self, connection: Connection, number: int) -> None:
        detail = {"state": "replaced", "allowed": ["subscribe"]}
        text = "another subscribe or unsubscribe of this stream came meanwhile"
        self._answers.at_once(connection, number, Code.WRONG_STATE, text, detail=detail)

    def _down(self, connection: Connection, number: int) -> None:
        retry = self._options.retry_most
        self._answers.at_once(connection, number, Code.JOURNAL_DOWN, "the journal is down", retry_ms=retry)

    def _start(self, connection: Connection, account: Account, number: int, command: Subscribe, name: str) -> None:
        if connection.closing:
            return
        if not account.up:
            self._down(connection, number)
            return
        connection.starting[command.stream] = number
        before = connection.cursors.get(command.stream)
        if before is not None:
            self.close(before)
        head = self._head(account, name)
        if head is None or command.from_ == "time":
            # The desk has forgotten an ended stream, or only the journal knows what was when.
            self._ask_place(connection, account, number, command, name)
            return
        self._begin(connection, account, number, command, name, head, head)

    def _head(self, account: Account, name: str) -> int | None:
        """The last published offset; None where only the journal knows it."""
        stream = account.streams.get(name)
        if stream is not None:
            return stream.head
        head = account.committed_head(name)
        return None if head == 0 and name.startswith("session:") else head

    def _ask_place(self, connection: Connection, account: Account, number: int, command: Subscribe, name: str) -> None:
        def placed(reply: Reply) -> None:
            if reply.error is not None or not account.up:
                self._down(connection, number)
                return
            stored, at = cast("Sequence[int]", reply.value)
            if connection.starting.get(command.stream) != number:
                self._replaced(connection, number)
            elif not connection.closing:
                # What was committed since it was asked counts too: the stream wasn't followed then.
                self._begin(connection, account, number, command, name, max(self._head(account, name) or 0, stored), at)

        self._asks.ask("place", account.name, name, command.time or 0, then=placed)

    def _begin(
        self,
        connection: Connection,
        account: Account,
        number: int,
        command: Subscribe,
        name: str,
        head: int,
        at: int,
    ) -> None:
        """Put the cursor in place. ``at``: the position that ``from = time`` means."""
        del connection.starting[command.stream]
        stream = self._open_stream(account, name, head)
        types = frozenset(command.types) if command.types is not None else None
        asked = {"now": head, "offset": command.offset or 0, "time": at}.get(command.from_, head)
        position = min(asked, stream.head)
        cursor = Cursor(connection, stream, position, types, told=position)
        connection.cursors[command.stream] = cursor
        stream.others[cursor] = None
        self._cursors += 1
        self._fall_behind(cursor)
        if stream.wire == "me":
            account.retell.add(stream.name[len("me:") :])
            account.told_seq = -1
        if command.from_ == "snapshot":
            cursor.mode = Mode.SNAPSHOT
            self._ask_snapshot(cursor, account, number)
            return
        self._answers.settled(connection, number, {"stream": command.stream, "offset": position})
        if asked > stream.head:
            # The client knows more than the journal does: this journal is an older copy.
            self._outbox.frame(connection, Gap(command.stream, stream.head + 1, asked, _TOO_FAR))
        self.advance(cursor, account)

    def _open_stream(self, account: Account, name: str, head: int) -> Stream:
        stream = account.streams.get(name)
        if stream is None:
            stream = Stream(name, wire_name(name), head, self._options.ring_events, self._options.ring_bytes)
            account.streams[name] = stream
            self._streams += 1
        return stream

    def _ask_snapshot(self, cursor: Cursor, account: Account, number: int) -> None:
        identity = cursor.connection.identity
        assert identity is not None

        def viewed(reply: Reply) -> None:
            connection = cursor.connection
            if connection.closing:
                return
            if cursor.closed:
                self._replaced(connection, number)
                return
            if reply.error is not None:
                self.close(cursor)
                self._down(connection, number)
                return
            offset, parts = cast("tuple[int, list[bytes]]", reply.value)
            cursor.position = cursor.told = offset
            cursor.parts.extend(parts)
            cursor.mode = Mode.BEHIND
            self._answers.settled(connection, number, {"stream": cursor.stream.wire, "offset": offset})
            self.advance(cursor, account)

        self._snapshots += 1
        person = [identity.person, str(identity.role), identity.portal]
        self._asks.ask("snapshot", account.name, cursor.stream.name, cursor.stream.wire, person, then=viewed)

    def unsubscribe(self, connection: Connection, number: int, command: Unsubscribe) -> None:
        """Carry out ``unsubscribe``."""
        cursor = connection.cursors.get(command.stream)
        connection.starting.pop(command.stream, None)
        if cursor is None:
            self._answers.fail(connection, number, Code.NO_SUCH, "not subscribed to this stream")
            return
        self.close(cursor)
        self._answers.result(connection, number, {"stream": command.stream})

    # --- feeding -------------------------------------------------------------------------------------

    def publish(self, stream: Stream, offset: int, wire_type: str, payload: bytes) -> None:
        """A committed event: packed and prepared once, for everyone who is at the head and has room."""
        message = self._outbox.prepare(payload)
        stream.push(offset, wire_type, message)
        if stream.live:
            bound = self._options.outbox_bytes
            receivers: list[Connection] = []
            slow: list[Cursor] = []
            for cursor in stream.live:
                connection = cursor.connection
                if cursor.types is not None and wire_type not in cursor.types:
                    self.skipped[cursor] = None
                elif connection.link.pending + connection.out_bytes >= bound:
                    slow.append(cursor)
                else:
                    receivers.append(connection)
            self._outbox.fan_out(receivers, message)
            self._deliveries += len(receivers)
            for cursor in slow:
                cursor.position = offset - 1
                del stream.live[cursor]
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
                outbox.payload(connection, cursor.parts.popleft())
            elif cursor.position >= stream.head:
                self._go_live(cursor)
                break
            elif cursor.position + 1 in stream.ring:
                cursor.page.clear()
                self._send(cursor, cursor.position + 1, *stream.ring[cursor.position + 1])
            elif cursor.page:
                offset, wire_type, payload = cursor.page.popleft()
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
        position = cursor.position

        def turned(reply: Reply) -> None:
            connection.reading = None
            if connection.closing:
                return
            if not cursor.closed:
                self._turn(cursor, position, reply)
            if connection not in self._stuck:
                self.pump(connection)

        self._pages += 1
        stream = cursor.stream
        self._asks.ask("page", account.name, stream.name, stream.wire, position, self._options.page_events, then=turned)

    def _turn(self, cursor: Cursor, asked: int, reply: Reply) -> None:
        """A page is here."""
        if reply.error is not None:
            self._stuck[cursor.connection] = None
            return
        page = cast("Sequence[tuple[int, str, bytes]]", reply.value)
        if page:
            cursor.page.extend(page)
        elif cursor.position == asked:
            # Nothing is left of what lies between here and the ring.
            last = cursor.stream.ring_first - 1 if cursor.stream.ring else cursor.stream.head
            self._outbox.frame(cursor.connection, Gap(cursor.stream.wire, asked + 1, last, _RETENTION))
            cursor.position = last

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
        return Statistics(self._streams, self._cursors, self._behind, self._deliveries, self._pages, self._snapshots)


def _wrong_start(command: Subscribe) -> str | None:
    """The argument that is missing for this ``from``."""
    if command.from_ == "offset" and command.offset is None:
        return "offset"
    if command.from_ == "time" and command.time is None:
        return "time"
    return None
