"""A real SMTP server in a thread of its own, which answers as it is told, for the tests of outgoing e-mail."""

from __future__ import annotations

import ssl
from collections import deque

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Handler:
    """Takes messages. ``answers``: what is said to the next ones instead, at RCPT or after DATA."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.secured: list[bool] = []
        self.hosts: list[str] = []
        self.at_recipient: deque[str] = deque()
        self.at_data: deque[str] = deque()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.at_recipient:
            return self.at_recipient.popleft()
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.at_data:
            return self.at_data.popleft()
        self.taken.append(envelope)
        self.secured.append(session.ssl is not None)
        self.hosts.append(session.host_name or "")
        return "250 taken"


class PostOffice(Controller):
    """The server, on a free port of this machine. ``password``: of the user desk, asked for before anything else."""

    def __init__(
        self,
        *,
        starttls: ssl.SSLContext | None = None,
        tls: ssl.SSLContext | None = None,
        password: str | None = None,
    ) -> None:
        def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
            assert isinstance(data, LoginPassword)
            right = password is not None and (data.login, data.password) == (b"desk", password.encode())
            return AuthResult(success=right, handled=False)

        self.post = Handler()
        super().__init__(
            self.post,
            hostname="127.0.0.1",
            port=0,
            ssl_context=tls,
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=password is not None,
            authenticator=check,
            ident="post",
        )

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]  # it runs, and is none abstract
        super()._trigger_server()  # type: ignore[no-untyped-call]
