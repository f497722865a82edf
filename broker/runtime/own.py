"""Operations that are the hub's own: they ask no desk."""

from __future__ import annotations

from broker.codes import Code
from broker.protocol import ops, schema
from broker.runtime.answers import Answers
from broker.runtime.connection import Connection
from broker.runtime.requests import Requests
from broker.runtime.signin import Refused, SignIn
from broker.runtime.subscriptions import Subscriptions
from broker.runtime.watch import Watch


class Own:
    """``subscribe``, ``unsubscribe``, ``auth.refresh``, ``meta.schema``."""

    def __init__(
        self, *, requests: Requests, answers: Answers, subscriptions: Subscriptions, sign_in: SignIn, watch: Watch
    ) -> None:
        self._answers = answers
        self._sign_in = sign_in
        self._watch = watch
        requests.own.update(
            {
                ops.Subscribe: subscriptions.subscribe,
                ops.Unsubscribe: subscriptions.unsubscribe,
                ops.AuthRefresh: self._refresh,
                ops.MetaSchema: self._schema,
            }
        )

    def _schema(self, connection: Connection, number: int, command: ops.MetaSchema) -> None:
        version = int(str(schema.load()["version"]))
        self._answers.result(connection, number, {"version": version, "toml": schema.text()})

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
