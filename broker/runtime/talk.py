"""Who is writing, and up to where somebody has read: told to the others of a session at once, and never kept.

A NOTICE of a session's stream, the latest of each person; what was read stays read, whichever of a person's devices
lags behind. Of a guest whom the customer isn't to see it goes out in the
staff's stream alone.
"""

from __future__ import annotations

from functools import partial

from broker.desk.outcome import Refusal
from broker.protocol import ops
from broker.protocol.codec import pack
from broker.protocol.frames import Notice
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.batches import Later
from broker.runtime.connection import Connection
from broker.runtime.outbox import Outbox
from broker.runtime.requests import Requests


class Talk:
    """Carries out ``chat.typing`` and ``chat.read``."""

    def __init__(self, *, outbox: Outbox, answers: Answers, requests: Requests) -> None:
        self._outbox = outbox
        self._answers = answers
        self.told = 0
        """Notices since the start, one for each who got it."""
        requests.own[ops.ChatTyping] = self._typing
        requests.own[ops.ChatRead] = self._read

    def _typing(self, connection: Connection, number: int, command: ops.ChatTyping) -> None:
        self._pass_on(connection, number, command, {"on": command.on})

    def _read(self, connection: Connection, number: int, command: ops.ChatRead) -> None:
        self._pass_on(connection, number, command, {"upto": command.upto})

    def _pass_on(
        self, connection: Connection, number: int, command: ops.ChatTyping | ops.ChatRead, data: dict[str, object]
    ) -> None:
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        upto = command.upto if isinstance(command, ops.ChatRead) else 0
        found = account.desk.refuse(identity, command) or account.desk.audience(identity, command.session, upto)
        if isinstance(found, Refusal):
            self._answers.fail(connection, number, found.code, found.text, detail=found.detail)
            return
        stream, who = found
        said = {"session": command.session, "role": "customer", **data}
        if who != "customer":
            said.update({"role": "representative", "by": who})
        payload = pack(Notice(stream, f"{command.OP}:{who}", command.OP, said))
        tell = partial(self._tell, account, stream, f"{command.OP}:{who}", payload, identity.person, upto)
        if account.parts:  # what it rests on isn't on disk yet
            account.parts[-1].waiting.append(Later(tell))
        else:
            tell()
        self._answers.result(connection, number, {"session": command.session})

    def _tell(self, account: Account, name: str, key: str, payload: bytes, person: str, upto: int) -> None:
        """To everybody who follows the stream, but whoever it is about."""
        stream = account.streams.get(name)
        if stream is None:
            return
        if upto:
            marks = stream.marks = stream.marks or {}
            if upto < marks.get(key, 0):
                return
            marks[key] = upto
        for cursor in (*stream.live, *stream.others):
            connection = cursor.connection
            if connection.closing or connection.identity is None or connection.identity.person == person:
                continue
            self._outbox.notice(connection, name, key, payload)
            self.told += 1
