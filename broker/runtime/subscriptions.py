"""``subscribe`` and ``unsubscribe``: from now, from an offset, from a time, from a snapshot on.

A cursor is put in place when what the desk said is on disk, and at the head of what is published then; its RESULT
leaves before what follows it. ``feeds`` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, cast

from broker.codes import Code
from broker.desk.outcome import wrong_state
from broker.journal.base import Reply
from broker.protocol.frames import Gap
from broker.protocol.ops import Subscribe, Unsubscribe
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.batches import Later
from broker.runtime.connection import Connection
from broker.runtime.cursors import Cursor, Mode
from broker.runtime.feeds import Feeds, internal
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox

_TOO_FAR: Final = "too_far_behind"


class Subscriptions:
    """Carries out the two operations."""

    def __init__(self, *, feeds: Feeds, outbox: Outbox, answers: Answers, asks: Asks, options: Options) -> None:
        self._feeds = feeds
        self._outbox = outbox
        self._answers = answers
        self._asks = asks
        self._options = options
        self.snapshots = 0
        """Asked of the follower since the start."""
        self.greet: Callable[[Connection, Account], None] = lambda connection, account: None
        """Told of who has begun to follow ``me``."""

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
        following = connection.cursors.keys() | connection.starting.keys()
        if command.stream not in following and len(following) >= self._options.max_subscriptions:
            self._answers.fail(connection, number, Code.QUOTA, "too many subscriptions on this connection")
            return
        connection.starting[command.stream] = number
        start = partial(self._start, connection, account, number, command, name)
        if account.parts:
            account.parts[-1].waiting.append(Later(start, partial(self._lost, connection, number, command)))
        else:
            start()

    def _replaced(self, connection: Connection, number: int) -> None:
        text = "another subscribe or unsubscribe of this stream came meanwhile"
        refusal = wrong_state("replaced", "subscribe", text=text)
        self._answers.at_once(connection, number, refusal.code, refusal.text, detail=refusal.detail)

    def _lost(self, connection: Connection, number: int, command: Subscribe) -> None:
        """What it waited for was not committed."""
        if connection.starting.get(command.stream) == number:
            del connection.starting[command.stream]
        self._down(connection, number)

    def _down(self, connection: Connection, number: int) -> None:
        retry = self._options.retry_most
        self._answers.at_once(connection, number, Code.JOURNAL_DOWN, "the journal is down", retry_ms=retry)

    def _start(self, connection: Connection, account: Account, number: int, command: Subscribe, name: str) -> None:
        if connection.closing:
            return
        if not account.up:
            self._lost(connection, number, command)
            return
        connection.starting[command.stream] = number
        before = connection.cursors.get(command.stream)
        if before is not None:
            self._feeds.close(before)
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
                self._lost(connection, number, command)
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
        types = frozenset(command.types) if command.types is not None else None
        cursor = self._feeds.add(connection, account, name, head, types)
        stream = cursor.stream
        asked = {"now": head, "offset": command.offset or 0, "time": at}.get(command.from_, head)
        position = cursor.position = cursor.told = min(asked, stream.head)
        if stream.wire == "me":
            account.retell.add(stream.name[len("me:") :])
            account.told_seq = -1
        if command.from_ == "snapshot":
            cursor.mode = Mode.SNAPSHOT
            self._ask_snapshot(cursor, account, number)
            return
        self._answers.settled(connection, number, {"stream": command.stream, "offset": position})
        self._greet(cursor, account)
        if asked > stream.head:
            # The client knows more than the journal does: this journal is an older copy.
            self._outbox.frame(connection, Gap(command.stream, stream.head + 1, asked, _TOO_FAR))
        self._feeds.advance(cursor, account)

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
                self._feeds.close(cursor)
                self._down(connection, number)
                return
            offset, parts = cast("tuple[int, list[bytes]]", reply.value)
            cursor.position = cursor.told = offset
            cursor.parts = list(reversed(parts))
            cursor.mode = Mode.BEHIND
            self._answers.settled(connection, number, {"stream": cursor.stream.wire, "offset": offset})
            self._greet(cursor, account)
            self._feeds.advance(cursor, account)

        def ask() -> None:
            if cursor.connection.closing:
                return
            if cursor.closed:
                self._replaced(cursor.connection, number)
                self._feeds.view_over(cursor)
                return
            self.snapshots += 1
            person = [identity.person, str(identity.role), identity.portal]
            self._asks.ask("snapshot", account.name, cursor.stream.name, cursor.stream.wire, person, then=viewed)

        self._feeds.view(cursor, ask)

    def _greet(self, cursor: Cursor, account: Account) -> None:
        if cursor.stream.wire == "me":
            self.greet(cursor.connection, account)

    def unsubscribe(self, connection: Connection, number: int, command: Unsubscribe) -> None:
        """Carry out ``unsubscribe``."""
        cursor = connection.cursors.get(command.stream)
        connection.starting.pop(command.stream, None)
        if cursor is None:
            self._answers.fail(connection, number, Code.NO_SUCH, "not subscribed to this stream")
            return
        self._feeds.close(cursor)
        self._answers.result(connection, number, {"stream": command.stream})


def _wrong_start(command: Subscribe) -> str | None:
    """The argument that is missing for this ``from``."""
    if command.from_ == "offset" and command.offset is None:
        return "offset"
    if command.from_ == "time" and command.time is None:
        return "time"
    return None
