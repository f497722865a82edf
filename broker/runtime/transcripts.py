"""``transcript.get``: who may have which, what comes next, and the signature at the end.

The follower writes the pages (``transcript_pages``). Where one ended is given to the asker, sealed: so nothing is kept
between two pages, and nobody has a beginning signed that the broker hasn't written. One page at a time is written in
the writer's process, between its commits.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import deque
from typing import Final, NamedTuple, cast

from broker.codes import Code
from broker.desk.commands import Audit
from broker.desk.identity import Identity, Role
from broker.desk.transcripts import Conversation
from broker.journal.base import Reply
from broker.protocol import ops
from broker.protocol.codec import pack_value, unpack_value
from broker.runtime.answers import Answers
from broker.runtime.asks import Asks
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.feeds import Feeds
from broker.runtime.keyring import Secrets
from broker.runtime.options import Options
from broker.runtime.requests import Requests
from broker.views.chain import signed
from broker.views.transcripts import About, Progress, Row, ending, head_of

SEAL_BYTES: Final = 16


class Asked(NamedTuple):
    """A page that somebody waits for."""

    connection: Connection
    number: int
    format: str
    about: About
    progress: Row | None
    upto: tuple[int, int] | None
    """How far the streams are told, if not to their ends; a page that isn't the first knows it."""


class Transcripts:
    """Answers ``transcript.get``."""

    def __init__(
        self,
        *,
        requests: Requests,
        answers: Answers,
        asks: Asks,
        feeds: Feeds,
        conductor: Conductor,
        clock: Clock,
        secrets: Secrets,
        options: Options,
    ) -> None:
        self._answers = answers
        self._asks = asks
        self._feeds = feeds
        self._conductor = conductor
        self._clock = clock
        self._signatures = secrets.signatures
        self._page_key = secrets.page_key
        self._retry_ms = options.retry_most
        self._asked: deque[Asked] = deque()  # the first is with the writer
        requests.own[ops.TranscriptGet] = self._get

    def _get(self, connection: Connection, number: int, command: ops.TranscriptGet) -> None:
        account, identity = connection.account, connection.identity
        assert account is not None
        assert identity is not None
        if (refusal := account.desk.refuse(identity, command)) is not None:
            self._answers.fail(connection, number, refusal.code, refusal.text)
            return
        if command.notes and identity.role is Role.CUSTOMER:
            self._bad(connection, number, "notes", "not to be there: they are for staff alone")
            return
        found = account.desk.conversation(identity, command.session)
        if found is None:
            self._answers.fail(connection, number, Code.NO_SUCH, "no such session, or not for this identity to read")
            return
        about, progress = self._about(identity, command, found), None
        if command.after is not None:
            opened = self._opened(identity, command)
            if opened is None:
                self._bad(connection, number, "after", "next of the page before, with the same other arguments")
                return
            about, progress = opened
        elif identity.role is Role.MANAGER:
            self._conductor.tell(
                account, Audit(identity.person, identity.role, identity.network, command.OP, command.session)
            )
        self._asked.append(Asked(connection, number, command.format, about, progress, found.upto))
        if len(self._asked) == 1:
            self._next()

    def _bad(self, connection: Connection, number: int, name: str, expected: str) -> None:
        detail = {"path": f"args.{name}"}
        self._answers.fail(connection, number, Code.BAD_ARGS, f"args.{name}: expected {expected}", detail=detail)

    def _about(self, identity: Identity, command: ops.TranscriptGet, found: Conversation) -> About:
        return About(
            account=identity.account,
            session=found.session,
            portal=found.portal,
            zone=found.zone,
            reader="customer" if identity.role is Role.CUSTOMER else "staff",
            notes=bool(command.notes),
            made=self._clock.now(),
        )

    # --- a page --------------------------------------------------------------------------------------

    def _next(self) -> None:
        while self._asked and self._asked[0].connection.closing:
            self._asked.popleft()
        if not self._asked:
            return
        asked = self._asked[0]
        account = asked.connection.account
        assert account is not None
        left = len(account.former)
        row = asked.about.row()
        asks = (account.name, left, asked.format, row, asked.progress, asked.upto)
        self._asks.ask("transcript", *asks, then=self._written)

    def _written(self, reply: Reply) -> None:
        asked = self._asked[0]
        account = asked.connection.account
        assert account is not None
        if type(reply.value) is int:  # it knows of so many people who left, and has to be told of the others
            self._feeds.tell_former(account, reply.value)
            self._next()
            return
        self._asked.popleft()
        self._next()
        if reply.error is not None:
            self._answers.fail(asked.connection, asked.number, Code.JOURNAL_DOWN, "try again", retry_ms=self._retry_ms)
            return
        data, row, over = cast("tuple[str, Row, bool]", reply.value)
        value: dict[str, object] = {"format": asked.format, "data": data}
        if over:
            head = head_of(asked.about, Progress.of(row))
            value["data"] = data + ending(
                asked.format, head, self._signatures.public, self._signatures.sign(signed(head))
            )
        else:
            value["next"] = self._sealed(asked, row)
        self._answers.result(asked.connection, asked.number, value)

    # --- where it ended ------------------------------------------------------------------------------

    def _sealed(self, asked: Asked, row: Row) -> str:
        identity = asked.connection.identity
        assert identity is not None
        packed = pack_value((_whose(identity, asked.format), asked.about.row(), row))
        return base64.urlsafe_b64encode(self._seal(packed) + packed).decode()

    def _opened(self, identity: Identity, command: ops.TranscriptGet) -> tuple[About, Row] | None:
        """What ``_sealed`` gave to this person, for this very document; None for anything else."""
        try:
            data = base64.b64decode(command.after or "", altchars=b"-_", validate=True)
        except ValueError:
            return None
        packed = data[SEAL_BYTES:]
        if not hmac.compare_digest(self._seal(packed), data[:SEAL_BYTES]):
            return None
        whose, about_row, row = cast("tuple[Row, Row, Row]", unpack_value(packed))
        about = About.of(about_row)
        same = (_whose(identity, command.format), command.session, bool(command.notes))
        return (about, row) if (whose, about.session, about.notes) == same else None

    def _seal(self, packed: bytes) -> bytes:
        return hashlib.blake2b(packed, digest_size=SEAL_BYTES, key=self._page_key).digest()


def _whose(identity: Identity, format: str) -> Row:
    return (identity.account, identity.person, str(identity.role), format)
