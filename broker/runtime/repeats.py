"""The same key and arguments again: the same result, put into words once more, without its secrets.

Stored results hold references to texts; those that aren't in memory any more the journal is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import cast

from broker.codes import Code
from broker.desk.publish import resolve
from broker.journal.base import Reply
from broker.protocol.codec import unpack_value
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.connection import Connection
from broker.runtime.options import Options
from broker.runtime.people import KeyEntry
from broker.runtime.texts import refs

Value = Mapping[str, object]
Now = Callable[[Connection, Value, Callable[[Value], None]], None]
"""(connection, the first answer, what to call with this one)."""


class Repeats:
    """Answers repeats."""

    def __init__(self, *, answers: Answers, asks: Asks, options: Options) -> None:
        self._answers = answers
        self._asks = asks
        self._options = options
        self.now: dict[str, Now] = {}
        """Operation to what puts into its answer how things are now."""

    def answer(self, connection: Connection, account: Account, number: int, op: str, entry: KeyEntry) -> None:
        """Once more what this key was answered with."""
        stored, offsets = cast("tuple[Value, dict[str, int]]", unpack_value(entry.result))

        def give(value: Value) -> None:
            self._answers.result(connection, number, value, offsets)

        def told(value: Value) -> None:
            now = self.now.get(op)
            again = {**value, "replayed": True}
            if now is None:
                give(again)
            else:
                now(connection, again, give)

        self.in_words(connection, account, number, stored, told)

    def in_words(
        self, connection: Connection, account: Account, number: int, value: Value, then: Callable[[Value], None]
    ) -> None:
        """Call ``then`` with this value and the texts that it refers to; a request that can't have them now is told."""
        texts = account.texts
        missing = [name for name in refs(value) if name not in texts]
        if missing:
            asked = partial(self._found, connection, account, number, value, then)
            self._asks.ask("texts", account.name, missing, then=asked)
        else:
            then(cast("Value", resolve(value, texts.get)))

    def _found(
        self,
        connection: Connection,
        account: Account,
        number: int,
        value: Value,
        then: Callable[[Value], None],
        reply: Reply,
    ) -> None:
        if reply.error is not None:
            retry = self._options.retry_most
            self._answers.at_once(connection, number, Code.JOURNAL_DOWN, "try again", retry_ms=retry)
            return
        known = {**account.texts, **cast("Mapping[str, str]", reply.value or {})}
        then(cast("Value", resolve(value, known.get)))
