"""Operations that are the hub's own: they ask no desk."""

from __future__ import annotations

from collections import deque

from broker.codes import Code
from broker.journal.base import Reply
from broker.protocol import ops, schema
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.connection import Connection
from broker.runtime.options import Options
from broker.runtime.requests import Requests
from broker.runtime.signin import Refused, SignIn
from broker.runtime.subscriptions import Subscriptions
from broker.runtime.watch import Watch


class Own:
    """``subscribe``, ``unsubscribe``, ``auth.refresh``, ``meta.schema``, ``request.why``."""

    def __init__(
        self,
        *,
        requests: Requests,
        answers: Answers,
        subscriptions: Subscriptions,
        sign_in: SignIn,
        watch: Watch,
        asks: Asks,
        options: Options,
    ) -> None:
        self._answers = answers
        self._sign_in = sign_in
        self._watch = watch
        self._asks = asks
        self._options = options
        self._whys: deque[tuple[Connection, int, str]] = deque()  # the first is with the writer; each may take seconds
        requests.own.update(
            {
                ops.Subscribe: subscriptions.subscribe,
                ops.Unsubscribe: subscriptions.unsubscribe,
                ops.AuthRefresh: self._refresh,
                ops.MetaSchema: self._schema,
                ops.RequestWhy: self._why,
            }
        )

    def _schema(self, connection: Connection, number: int, command: ops.MetaSchema) -> None:
        version = int(str(schema.load()["version"]))
        self._answers.result(connection, number, {"version": version, "toml": schema.text()})

    def _why(self, connection: Connection, number: int, command: ops.RequestWhy) -> None:
        """One at a time: each replays records in the writer's process, between its commits."""
        self._whys.append((connection, number, command.request))
        if len(self._whys) == 1:
            self._next_why()

    def _next_why(self) -> None:
        connection, _, request = self._whys[0]
        assert connection.identity is not None
        self._asks.ask("why", connection.identity.account, request, then=self._explained)

    def _explained(self, reply: Reply) -> None:
        connection, number, _ = self._whys.popleft()
        if self._whys:
            self._next_why()
        if reply.error is not None:
            retry = self._options.retry_most
            self._answers.fail(connection, number, Code.JOURNAL_DOWN, "try again", retry_ms=retry)
        elif reply.value is None:
            self._answers.fail(connection, number, Code.NO_SUCH, "no such request in the journal")
        else:
            self._answers.result(connection, number, {"decisions": reply.value})

    def _refresh(self, connection: Connection, number: int, command: ops.AuthRefresh) -> None:
        """A fresh token of the same account, person and role: the connection lives on to its expiry."""
        identity = connection.identity
        assert identity is not None
        try:
            claims = self._sign_in.claims(command.token)
        except Refused as refused:
            self._answers.fail(connection, number, Code.NOT_ALLOWED, refused.text)
            return
        if (claims.account, claims.person, claims.role) != (identity.account, identity.person, identity.role):
            self._answers.fail(connection, number, Code.NOT_ALLOWED, "a token of somebody else")
            return
        connection.expires = claims.expires
        self._watch.signed_in(connection)
        self._answers.result(connection, number, {"expires": claims.expires})
