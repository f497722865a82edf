"""REQUEST: may it be asked, is it new, what does the desk say, and what is the answer.

A refusal is data and is never stored: a repeat is decided anew. A result is stored with its key, without secrets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, cast

import attrs

from broker.codes import Close, Code
from broker.content import Personal
from broker.desk import rights
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Handled, Refusal
from broker.desk.publish import resolve
from broker.journal import base as journal
from broker.limits import ASKED_HISTORY
from broker.protocol import check, ops
from broker.protocol.codec import pack_value
from broker.protocol.frames import Fail, Request
from broker.routing.pins import clean
from broker.runtime.account import Account
from broker.runtime.answers import Answers
from broker.runtime.asked import Asked
from broker.runtime.asks import Asks
from broker.runtime.batches import Ledger
from broker.runtime.clock import Clock
from broker.runtime.conductor import Conductor, Entropy
from broker.runtime.connection import Connection
from broker.runtime.feeds import internal, wire_name
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.overload import BACKLOG, Rank, rank_of, spare
from broker.runtime.people import KeyEntry
from broker.runtime.pin_guard import PinGuard
from broker.runtime.rates import Bucket
from broker.runtime.recovery import Recovery
from broker.runtime.repeats import Repeats
from broker.runtime.same_texts import take_over
from broker.runtime.texts import seal

Own = Callable[[Connection, int, Any], None]
"""An operation of the hub itself: (connection, request id, command)."""


@attrs.frozen
class Prepared:
    """What a desk is given beside the command."""

    value: object = None
    personal: Sequence[Personal] = ()
    """Texts in it, sealed."""


READY: Final = Prepared()
"""Nothing was needed."""


@attrs.frozen
class Go:
    """Where a command goes on with what was prepared."""

    on: Callable[[Prepared | Refusal], None]
    lost: Callable[[str], None]
    """Called instead where preparing met a bug, with the correlation id."""


Prepare = Callable[[Connection, Any, Go], None]
"""(connection, command, what to call with the outcome)."""
After = Callable[[Connection, Any], None]
"""(connection, command)."""

_DIGEST_BYTES: Final = 16
_UNRESTRICTED: Final = frozenset({"password.set", "auth.refresh", "meta.schema"})
"""What somebody may ask for whose password was chosen by somebody else."""
_OVERSEERS: Final = (Role.MANAGER, Role.SERVICE)
_OVERSEEN: Final = ("account", "team:")
_RETRY_CROWDED: Final = 1000  # ms; what waits for the journal is gone by then, or the journal is


@attrs.frozen
class Statistics:
    """What the requests can say of themselves."""

    requests: int
    refused: int
    replayed: int
    too_fast: int
    shed: int


class Requests:
    """Carries out REQUEST frames."""

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        outbox: Outbox,
        answers: Answers,
        asks: Asks,
        conductor: Conductor,
        recovery: Recovery,
        pin_guard: PinGuard,
        fingerprint_key: bytes,
        options: Options,
        entropy: Entropy,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._outbox = outbox
        self._answers = answers
        self._asks = asks
        self._conductor = conductor
        self._recovery = recovery
        self._pin_guard = pin_guard
        self._fingerprint_key = fingerprint_key
        self._options = options
        self._entropy = entropy
        self.own: dict[type, Own] = {}
        """Operations that are the hub's, by their class."""
        self.prepare: dict[type, Prepare] = {}
        """What makes what an operation needs beside its arguments; it may take its time."""
        self.after: dict[type, After] = {}
        """What the hub does once an operation is carried out; it isn't on disk yet."""
        self.repeats = Repeats(answers=answers, asks=asks, options=options)
        self.refusals: Callable[[Account, Identity, Code], None] = lambda account, identity, code: None
        """Told of each refusal."""
        self._requests = self._refused = self._replayed = self._too_fast = 0
        self.sheds = {rank.name.lower(): 0 for rank in Rank}

    # --- the gate ------------------------------------------------------------------------------------

    def request(self, connection: Connection, frame: Request, now: int) -> None:
        """Answer this request, now or when what the answer depends on is on disk."""
        account, identity, person, role = connection.account, connection.identity, connection.person, connection.options
        assert account is not None
        assert identity is not None
        assert person is not None
        assert role is not None
        self._requests += 1
        if frame.id in connection.unanswered:
            self._outbox.end(connection, Close.PROTOCOL, "REQUEST.id: this one is not answered yet")
            return
        room = len(connection.unanswered) < role.inflight
        wait = person.wait(frame.op, frame.args, now, self._options.file_rate) if room else 1
        if wait:
            self._slow_down(connection, frame.id, wait, now)
            return
        connection.unanswered.add(frame.id)
        connection.asking = frame.id
        asked = Asked(connection, account, identity, frame.id, frame.op, frame.key, now)
        if not account.up:
            retry = self._options.retry_most
            self._answers.at_once(connection, frame.id, Code.JOURNAL_DOWN, "the account is being read", retry_ms=retry)
        else:
            self._parse(asked, frame)
        connection.asking = 0

    def _slow_down(self, connection: Connection, number: int, wait: int, now: int) -> None:
        self._too_fast += 1
        strikes = connection.strikes
        if strikes is not None and strikes.take(now):
            self._outbox.end(connection, Close.TOO_FAST, "requests faster than the limits in WELCOME, again and again")
            return
        self._answers.count(Code.RATE)
        self._outbox.frame(connection, Fail(number, int(Code.RATE), "too many requests at once", wait))

    def _parse(self, asked: Asked, frame: Request) -> None:
        """Is it an operation, may this role ask for it, are its arguments right, is it still wanted?"""
        if asked.op not in check.ROLES:
            self._fail(asked, Code.NO_SUCH, "no such operation")
            return
        reason = rights.role_may(asked.identity, asked.op)
        if reason is None and asked.connection.restricted and asked.op not in _UNRESTRICTED:
            reason = "choose a password of your own first: password.set"
        if reason is not None:
            self._fail(asked, Code.NOT_ALLOWED, reason)
            return
        try:
            command = check.parse(asked.op, frame.args)
        except check.BadArgs as bad:
            self._fail(asked, Code.BAD_ARGS, str(bad), {"path": bad.path})
            return
        if frame.deadline_ms is not None and frame.deadline_ms < asked.now and not self._asked_before(asked):
            self._fail(asked, Code.DEADLINE, "deadline_ms has passed")
            return
        own = self.own.get(type(command))
        if asked.op not in check.WRITES and self._shedding(asked, rank_of(command)):
            return
        if own is not None:
            own(asked.connection, asked.number, command)
        elif asked.op not in check.WRITES:
            self._read(asked, command)
        elif asked.key is None:
            self._fail(asked, Code.BAD_ARGS, "key: this operation writes, it needs one", {"path": "key"})
        else:
            self._write(asked, command, asked.key)

    def _asked_before(self, asked: Asked) -> bool:
        """Whether this key was used: then something was carried out, and 3408 would say that nothing was."""
        person = asked.connection.person
        return asked.key is not None and person is not None and asked.key in person.keys.entries

    def _fail(
        self,
        asked: Asked,
        code: Code,
        text: str,
        detail: Mapping[str, object] | None = None,
        retry_ms: int | None = None,
    ) -> None:
        self._refused += 1
        self.refusals(asked.account, asked.identity, code)
        if detail is not None:
            detail = cast("Mapping[str, object]", resolve(detail, asked.account.texts.get))
        self._answers.fail(asked.connection, asked.number, code, text, detail=detail, retry_ms=retry_ms)

    # --- asking the desk -----------------------------------------------------------------------------

    def _read(self, asked: Asked, command: ops.Command) -> None:
        outcome = self._conductor.carry_out(asked.account, command, asked.identity)
        if isinstance(outcome, Refusal):
            self._fail(asked, outcome.code, outcome.text, outcome.detail, outcome.retry_ms)
            return
        value = resolve(outcome.value, asked.account.texts.get)
        self._answers.result(asked.connection, asked.number, value)

    def _write(self, asked: Asked, command: ops.Command, key: str) -> None:
        person = asked.connection.person
        assert person is not None
        digest = hashlib.blake2b(
            check.fingerprint(command), digest_size=_DIGEST_BYTES, key=self._fingerprint_key
        ).digest()
        entry = person.keys.entries.get(key)
        if entry is not None:
            if entry.digest == digest:
                self._replay(asked, entry)
            else:
                self._fail(asked, Code.KEY_REUSED, "this key was used with other arguments")
            return
        if self._unwelcome(asked, command):
            return
        prepare = self.prepare.get(type(command))
        if prepare is None:
            self._decide(asked, command, key, digest, READY)
        elif (refusal := asked.account.desk.refuse(asked.identity, command)) is not None:
            self._fail(asked, refusal.code, refusal.text)
        else:
            on = partial(self._prepared, asked, command, key, digest)
            prepare(asked.connection, command, Go(on, partial(self._answers.broke, asked.connection, asked.number)))

    def _prepared(self, asked: Asked, command: ops.Command, key: str, digest: bytes, made: Prepared | Refusal) -> None:
        """What the command needed is there, perhaps much later."""
        person = asked.connection.person
        if asked.connection.closing or person is None:
            return
        if isinstance(made, Refusal):
            self._fail(asked, made.code, made.text, made.detail, made.retry_ms)
        elif not asked.account.up:
            retry = self._options.retry_most
            self._answers.at_once(asked.connection, asked.number, Code.JOURNAL_DOWN, "try again", retry_ms=retry)
        elif (entry := person.keys.entries.get(key)) is not None:
            self._replay(asked, entry)  # the same request came twice, and the other was quicker
        else:
            self._decide(asked, command, key, digest, made)

    def _decide(self, asked: Asked, command: ops.Command, key: str, digest: bytes, made: Prepared) -> None:
        entry = asked.identity.entry
        if isinstance(command, ops.RequestCreate) and entry is not None and entry.page is not None:
            command.page = Personal(entry.page)
        take_over(asked.account, command)
        personal = [one for one in check.personal_fields(command) if not one.ref[0]]
        for one in personal:
            seal(one, self._entropy)
        outcome = self._conductor.carry_out(
            asked.account, command, asked.identity, [*personal, *made.personal], made.value
        )
        if isinstance(outcome, Refusal):
            if outcome.code is Code.PIN_INVALID and isinstance(command, ops.PinRedeem):
                self._pin_guard.redeemed_wrong(asked.connection, clean(command.pin), asked.now)
            self._fail(asked, outcome.code, outcome.text, outcome.detail, outcome.retry_ms)
            return
        self._done(asked, outcome, personal, key, digest)
        after = self.after.get(type(command))
        if after is not None:
            after(asked.connection, command)

    def _unwelcome(self, asked: Asked, command: ops.Command) -> bool:
        """Whether a write can't be taken now, which is then said at once."""
        if self._recovery.down:
            retry = self._options.retry_most
            self._at_once(asked, Code.JOURNAL_DOWN, "the journal takes no writes now", retry)
            return True
        if self._shedding(asked, rank_of(command)):
            return True
        retry, text = 0, ""
        if isinstance(command, ops.PinRedeem):
            retry, text = self._pin_guard.may_redeem(asked.connection, asked.now), "too many wrong pins"
        elif isinstance(command, ops.ChatSend) and asked.identity.role is Role.CUSTOMER:
            assert asked.connection.person is not None
            retry = asked.connection.person.chat_wait(self._options.chat_rate, asked.now)
            text = "too many messages at once"
        if retry:
            self._at_once(asked, Code.RATE, text, retry)
        return retry > 0

    def _shedding(self, asked: Asked, rank: Rank) -> bool:
        """Whether there is too much for a command of this rank, which is then said at once."""
        if self._ledger.crowded(BACKLOG[rank]):
            text, retry = "too much is waiting for the journal", _RETRY_CROWDED
        elif rank is Rank.REPORT and len(self._asks) >= ASKED_HISTORY:
            text, retry = "too many ask for what was", _RETRY_CROWDED
        else:
            account = asked.account
            if account.rate is None:
                account.rate = Bucket(*self._options.account_rate)
            text, retry = "too many commands in this account", spare(account.rate, rank, asked.now)
        if retry:
            self.sheds[rank.name.lower()] += 1
            self._at_once(asked, Code.OVERLOADED, text, retry)
        return retry > 0

    def _at_once(self, asked: Asked, code: Code, text: str, retry: int) -> None:
        self._answers.at_once(asked.connection, asked.number, code, text, retry_ms=retry)

    def _done(self, asked: Asked, handled: Handled, personal: list[Personal], key: str, digest: bytes) -> None:
        """Store the result with its key, in the same batch as the events, and answer when that is on disk."""
        account, connection, person = asked.account, asked.connection, asked.connection.person
        assert person is not None
        offsets = self._offsets(asked, handled)
        entry = KeyEntry(digest, pack_value((handled.value, offsets)), pending=True)
        person.keys.add(key, entry)
        # Also where nothing had to change: the same key must give the same answer after a restart.
        part = account.parts[-1] if handled.records else self._ledger.part(account)
        part.answers.append(journal.Answer(person.person, key, digest, asked.now, entry.result))
        part.keys.append((person, key, entry))
        value = cast("dict[str, object]", resolve(handled.value, account.texts.get))
        if handled.secret:
            value.update(handled.secret)
        self._answers.result(connection, asked.number, value, offsets, wrote=bool(handled.records))

    def _offsets(self, asked: Asked, handled: Handled) -> dict[str, int]:
        """Where the asker finds the events of this command: those streams it follows, or may."""
        offsets: dict[str, int] = {}
        identity, cursors = asked.identity, asked.connection.cursors
        me = internal(identity, "me")
        desk = asked.account.desk
        overseer = identity.role in _OVERSEERS
        for recorded in handled.records:
            for stream, offset, _ in recorded.entries:
                if stream == me:
                    offsets["me"] = offset
                elif stream.startswith(_OVERSEEN) and not overseer:
                    continue  # what nearly every event has, and this role never reads: spares asking the desk
                elif stream in offsets or stream in cursors or desk.may_read(identity, stream):
                    offsets[wire_name(stream)] = offset
        return offsets

    def _replay(self, asked: Asked, entry: KeyEntry) -> None:
        """The same key and arguments again."""
        self._replayed += 1
        self.repeats.answer(asked.connection, asked.account, asked.number, asked.op, entry)

    def statistics(self) -> Statistics:
        """Counts, for metrics and tests."""
        return Statistics(self._requests, self._refused, self._replayed, self._too_fast, sum(self.sheds.values()))
