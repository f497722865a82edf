"""RESULT and FAIL on their way out: not before what they depend on is on disk, nor before the events they name."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from broker.codes import Code
from broker.protocol.codec import pack, pack_result
from broker.protocol.frames import Fail, Result
from broker.runtime.batches import Answer
from broker.runtime.connection import Connection
from broker.runtime.cursors import Mode
from broker.runtime.outbox import Outbox

_TEXT_BYTES = 512  # of FAIL.text, as the schema has it
_SURE_CHARS = _TEXT_BYTES // 4  # that are never more bytes


class Answers:
    """Gives each request its one answer."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.refusals = {code.name.lower(): 0 for code in Code}
        """FAILs by code."""

    def count(self, code: Code) -> None:
        """One more refusal, wherever it is said."""
        self.refusals[code.name.lower()] += 1

    def result(
        self,
        connection: Connection,
        number: int,
        value: object,
        offsets: Mapping[str, int] | None = None,
        *,
        wrote: bool = False,
    ) -> None:
        """The request was carried out."""
        self._give(Answer(connection, number, pack_result(number, value, offsets or None), offsets, wrote))

    def fail(
        self,
        connection: Connection,
        number: int,
        code: Code,
        text: str,
        *,
        detail: Mapping[str, object] | None = None,
        retry_ms: int | None = None,
    ) -> None:
        """The request was refused."""
        self.count(code)
        short = text if len(text) <= _SURE_CHARS else text.encode()[:_TEXT_BYTES].decode(errors="ignore")
        payload = pack(Fail(number, int(code), short, retry_ms, detail))
        self._give(Answer(connection, number, payload, None, False))

    def settled(self, connection: Connection, number: int, value: object) -> None:
        """Carried out, and the value depends on nothing but what is on disk: waits for nothing."""
        connection.unanswered.discard(number)
        self._outbox.frame(connection, Result(number, value))

    def at_once(
        self,
        connection: Connection,
        number: int,
        code: Code,
        text: str,
        *,
        retry_ms: int | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        """Refused for a reason that no event can change (too fast, the journal is down): waits for nothing."""
        self.count(code)
        connection.unanswered.discard(number)
        self._outbox.frame(connection, Fail(number, int(code), text, retry_ms, detail))

    def broke(self, connection: Connection, number: int, correlation: str) -> None:
        """Carrying it out met a bug, which the log has under this id. Nothing where it was answered before."""
        if number in connection.unanswered:
            detail = {"correlation": correlation}
            self.at_once(connection, number, Code.INTERNAL, "an error of the broker's own", detail=detail)

    def _give(self, answer: Answer) -> None:
        account = answer.connection.account
        if account is not None and account.parts:
            account.parts[-1].waiting.append(answer)
        else:
            self.deliver(answer)

    def deliver(self, answer: Answer) -> None:
        """What it depends on is on disk: send it, after the events it names."""
        connection = answer.connection
        if connection.held or (connection.behind and too_early(answer)):
            if connection.held is None:
                connection.held = deque()
            connection.held.append(answer)
            return
        connection.unanswered.discard(answer.id)
        self._outbox.payload(connection, answer.payload)

    def release(self, connection: Connection) -> None:
        """Cursors of this connection have moved on: send the results whose events went out."""
        held = connection.held
        while held and not too_early(held[0]):
            answer = held.popleft()
            connection.unanswered.discard(answer.id)
            self._outbox.payload(connection, answer.payload)


def too_early(answer: Answer) -> bool:
    """Whether a cursor of this connection has yet to pass an event that the answer names."""
    cursors = answer.connection.cursors
    for stream, offset in (answer.offsets or {}).items():
        cursor = cursors.get(stream)
        if cursor is not None and cursor.mode is Mode.BEHIND and cursor.position < offset:
            return True
    return False
