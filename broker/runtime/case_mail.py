"""E-mails to customers of cases: sent until they are taken or refused for good, also across restarts.

Theory of operation. What is on its way is state of the desk, and what came of each attempt is a record. The post
office keeps its queue in memory. So a sweep hands it whatever it doesn't have: right after the e-mail's commit, and
again after a start. The desk is ahead of the disk: an e-mail whose record isn't there yet may never have been written,
and is passed over until its own commit, whatever else the account is still waiting for. An e-mail whose last attempt
wasn't on disk yet when the broker died is sent twice: better than never.

With a case its e-mails go from the desk, and as soon as that is decided also from the post: what waits there for its
first or next attempt is dropped, one that is being tried is cut off, and each attempt begins by asking the desk. If
that commit is lost, the e-mails are there again once the account is read anew, and the next look finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import attrs
import trio

from broker import limits
from broker.content import Ref
from broker.desk.commands import MailAttempted
from broker.desk.events import CaseDeleted, CaseMailed
from broker.desk.outcome import Recorded, wrong_state
from broker.desk.state import CaseMail
from broker.identity.letters import Mail, one_line, readable
from broker.identity.mail import Drop
from broker.identity.smtp import Attempt, Came
from broker.journal.base import Reply
from broker.protocol import ops
from broker.runtime.account import Account
from broker.runtime.asks import Asks
from broker.runtime.batches import Later, Part
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor
from broker.runtime.connection import Connection
from broker.runtime.links import Post
from broker.runtime.requests import READY, Go, Requests
from broker.runtime.timers import Timers

SUBJECT = "Your question ({number})"
"""Where its writer gives none."""


@attrs.define(eq=False)
class _Going:
    """An e-mail that is being read, or that the post has."""

    drop: Drop | None = None
    """Once the post has it."""


class CaseMails:
    """Hands e-mails of cases to the post, and records what comes of them."""

    def __init__(
        self,
        *,
        accounts: Mapping[str, Account],
        requests: Requests,
        asks: Asks,
        conductor: Conductor,
        clock: Clock,
        timers: Timers,
        post: Post | None,
        reply_to: str | None,
        wake: Callable[[], None],
    ) -> None:
        """``post``: None sends nothing. ``wake``: what came of an attempt is to be written soon."""
        self._accounts = accounts
        self._asks = asks
        self._conductor = conductor
        self._clock = clock
        self._timers = timers
        self._post = post
        self._reply_to = reply_to
        self._wake = wake
        self._sending: dict[tuple[str, str], _Going] = {}
        """By (account, e-mail)."""
        requests.prepare[ops.CaseMail] = self._may_send

    def start(self) -> None:
        """Look for what nobody sends, again and again."""
        if self._post is not None:
            self._timers.wake_by("case mail", self._clock.now() + limits.CASE_MAIL_SWEEP, self._sweep)

    def _may_send(self, connection: Connection, command: ops.CaseMail, go: Go) -> None:
        if self._post is None:
            text = "this broker sends no e-mail: answer with a program of your own"
            go.on(wrong_state("no_mail", "case.get", text=text))
        else:
            go.on(READY)

    def decided(self, part: Part, records: Sequence[Recorded]) -> None:
        """Told of each command's events, before they are on disk."""
        kinds = {type(recorded.event) for recorded in records}
        if CaseDeleted in kinds:
            self._drop(part.account)
        if CaseMailed in kinds:
            part.waiting.append(Later(lambda: self.look(part.account)))

    def _drop(self, account: Account) -> None:
        """Take back what was handed out of cases that are gone."""
        there = account.desk.state.case_mails
        for key in [key for key in self._sending if key[0] == account.name and key[1] not in there]:
            going = self._sending.pop(key)
            if going.drop is not None:
                going.drop()

    def _sweep(self, now: int) -> int:
        for account in self._accounts.values():
            self.look(account)
        return now + limits.CASE_MAIL_SWEEP

    def look(self, account: Account) -> None:
        """Send what is on its way, is on disk, and nobody sends."""
        if not account.up or not account.desk.state.case_mails:
            return
        uncommitted = _written_in(account.parts)
        for mail in list(account.desk.state.case_mails.values()):
            if (account.name, mail.mail) not in self._sending and mail.mail not in uncommitted:
                self._read(account, mail)

    def _read(self, account: Account, mail: CaseMail) -> None:
        case = account.desk.state.cases[mail.case]
        refs: list[Ref | None] = [case.email, mail.subject, mail.text]
        key, subject = (account.name, mail.mail), SUBJECT.format(number=case.number)
        going = self._sending[key] = _Going()

        def found(reply: Reply) -> None:
            if self._sending.get(key) is not going:
                return  # its case was deleted meanwhile
            texts = cast("Mapping[str, str]", reply.value or {})
            to, given, text = (None if ref is None else texts.get(ref[0]) for ref in refs)
            if to is None or text is None:
                del self._sending[key]  # it can't be read now
            else:
                self._send(account, mail.mail, going, (to, one_line(given or "") or subject, readable(text)))

        self._asks.ask("texts", account.name, [ref[0] for ref in refs if ref is not None], then=found)

    def _send(self, account: Account, name: str, going: _Going, said: tuple[str, str, str]) -> None:
        assert self._post is not None
        key = account.name, name

        def told(attempt: Attempt, state: str) -> None:
            if state != "deferred":
                self._sending.pop(key, None)
            self._conductor.tell(account, MailAttempted(name, state, attempt.code, attempt.reason))
            self._wake()

        def wanted() -> bool:
            """While its account can't be asked it isn't: if it is there afterwards, a look finds it."""
            if account.up and name in account.desk.state.case_mails:
                return True
            self._sending.pop(key, None)
            return False

        try:
            to, subject, text = said
            letter = Mail(to=to, subject=subject, text=text, reply_to=self._reply_to, automatic=False)
            going.drop = self._post.send_nowait(letter, told, wanted)
        except ValueError as error:  # an address that no mail can go to, say
            told(Attempt(Came.NEVER, str(error).partition(":")[0]), "failed")
        except trio.WouldBlock:
            del self._sending[key]  # the next look finds it


def _written_in(parts: Iterable[Part]) -> set[str]:
    """The e-mails that are written in these parts of batches."""
    events = (recorded.event for part in parts for recorded in part.events)
    return {event.mail for event in events if isinstance(event, CaseMailed)}
