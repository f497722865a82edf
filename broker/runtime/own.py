"""Operations that are the hub's own: they ask no desk."""

from __future__ import annotations

from collections import deque
from typing import cast

from broker.codes import Close, Code
from broker.desk.commands import Audit
from broker.desk.explain import Told, named
from broker.desk.identity import Role
from broker.journal.base import Reply
from broker.protocol import ops, schema
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.credentials import Credentials, Refused
from broker.runtime.media import Hand
from broker.runtime.options import Options
from broker.runtime.requests import Requests
from broker.runtime.subscriptions import Subscriptions
from broker.runtime.watch import Watch


class Own:
    """``subscribe``, ``unsubscribe``, ``auth.refresh``, ``meta.schema``, ``request.why``, ``share.join``."""

    def __init__(
        self,
        *,
        requests: Requests,
        answers: Answers,
        subscriptions: Subscriptions,
        credentials: Credentials,
        conductor: Conductor,
        watch: Watch,
        asks: Asks,
        media: Hand,
        options: Options,
    ) -> None:
        self._answers = answers
        self._credentials = credentials
        self._conductor = conductor
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
                ops.ShareJoin: media.join,
            }
        )

    def _schema(self, connection: Connection, number: int, command: ops.MetaSchema) -> None:
        version = int(str(schema.load()["version"]))
        self._answers.result(connection, number, {"version": version, "toml": schema.text()})

    def _why(self, connection: Connection, number: int, command: ops.RequestWhy) -> None:
        """One at a time: each replays records in the writer's process, between its commits."""
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        if (refusal := account.desk.refuse(identity, command)) is not None:
            self._answers.fail(connection, number, refusal.code, refusal.text)
            return
        audit = Audit(identity.person, identity.role, identity.network, command.OP, command.request)
        self._conductor.tell(account, audit)
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
            account = connection.account
            assert account is not None
            decisions = named(cast("list[Told]", reply.value), account.former.get)
            self._answers.result(connection, number, {"decisions": decisions})

    def _refresh(self, connection: Connection, number: int, command: ops.AuthRefresh) -> None:
        """A fresh token of the same person, or the next of its sign-in: the connection lives on to its expiry."""
        if (command.token is None) == (command.refresh is None):
            text = "args: expected exactly one of token, refresh"
            self._answers.fail(connection, number, Code.BAD_ARGS, text, detail={"path": "args"})
            return
        try:
            value = self._by_token(connection, command.token) if command.token else self._next(connection, command)
        except Refused as refused:
            self._refused(connection, number, refused)
            return
        self._watch.signed_in(connection)
        self._answers.result(connection, number, value)

    def _refused(self, connection: Connection, number: int, refused: Refused) -> None:
        """The credential is as good as it was where the account can't be asked just now."""
        if refused.code is Close.BUSY:
            retry = refused.retry_ms or self._options.retry_most
            self._answers.fail(connection, number, Code.JOURNAL_DOWN, refused.text, retry_ms=retry)
        else:
            self._answers.fail(connection, number, Code.NOT_ALLOWED, refused.text)

    def _by_token(self, connection: Connection, token: str) -> dict[str, object]:
        claims, identity, account = self._credentials.claims(token), connection.identity, connection.account
        assert identity is not None
        assert account is not None
        if (claims.account, claims.person, claims.role) != (identity.account, identity.person, identity.role):
            raise Refused(Close.BAD_AUTH, "a token of somebody else")
        if claims.role is not Role.CUSTOMER:
            if claims.scopes != identity.scopes:
                raise Refused(Close.BAD_AUTH, "a token with other scopes")
            if not account.desk.admits(identity, claims.sign_in, claims.issued):
                raise Refused(Close.BAD_AUTH, "signed out")
            connection.sign_in, connection.issued = claims.sign_in, claims.issued
        connection.expires = claims.expires
        return {"expires": claims.expires}

    def _next(self, connection: Connection, command: ops.AuthRefresh) -> dict[str, object]:
        claims, identity = self._credentials.refresh_claims(command.refresh or ""), connection.identity
        assert identity is not None
        if (claims.sign_in, claims.account) != (connection.sign_in, identity.account):  # before it is used up
            raise Refused(Close.BAD_AUTH, "a refresh token of another sign-in")
        found = self._credentials.go_on(claims, identity.network)
        connection.expires, connection.issued = found.expires, found.issued
        return {"expires": found.expires, "token": found.token, "refresh": found.refresh}
