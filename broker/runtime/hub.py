"""The hub: one task, one await a tick, and everything that happens to connections in between.

A tick takes what the transport and the journal have, runs what is due, hands the open batch to the journal and writes
once to each connection that has something to get. The work itself is in this package's other files; here they are
put together. See ``docs/explanation/hub.md``.
"""
# size: it hands each part what it needs, and decides nothing

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from broker.blobs.keeper import InlineKeeper, Keeper
from broker.blobs.memory import MemoryBlobs
from broker.desk.outcome import Recorded
from broker.desk.state import Times
from broker.identity.hashers import Hashers, InlineHashers
from broker.journal.base import Committed, Failed, Journal, Outcome, Reply
from broker.limits import KEY_MEMORY
from broker.runtime import (
    account,
    answers,
    asks,
    batches,
    cases,
    conductor,
    entrance,
    faults,
    feeds,
    files,
    hub_statistics,
    notices,
    outbox,
    portal_notices,
    presence,
    publisher,
    reading,
    recovery,
    refusals,
    requests,
    signals,
    talk,
    timers,
    watch,
)
from broker.runtime.admission import Admission
from broker.runtime.case_mail import CaseMails
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.keyring import Secrets
from broker.runtime.links import Post
from broker.runtime.log import Tell, silent
from broker.runtime.options import Options
from broker.runtime.peers import Peers, Serve
from broker.runtime.pin_guard import PinGuard
from broker.runtime.randomness import Randomness
from broker.transport.base import Happening, Messages, Transport

TIMERS_A_TICK: Final = 1024  # due calls made in one tick; the rest in the next
_FORGET: Final = 1000  # stored answers dropped at a time


class Hub:
    """One process's broker over one transport and one journal."""

    def __init__(
        self,
        *,
        transport: Transport,
        journal: Journal,
        clock: Clock,
        secrets: Secrets,
        accounts: Iterable[tuple[str, int]],
        options: Options | None = None,
        times: Times | None = None,
        entropy: Callable[[int], bytes] | None = None,
        tell: Tell = silent,
        serve_http: Serve | None = None,
        hashers: Hashers | None = None,
        post: Post | None = None,
        keeper: Keeper | None = None,
        reply_to: str | None = None,
    ) -> None:
        """``accounts``: (name, pin slot) of each account to serve. ``entropy``: so many fresh random bytes; None: the
        system's. ``serve_http``: None closes such connections. ``hashers``: None hashes passwords in this task.
        ``post`` takes e-mails: None sends none. ``keeper`` has the files: None keeps them in memory.
        ``reply_to``: where customers' answers go."""
        self.options = options or Options()
        self.clock = clock
        self.accounts = {name: account.Account(name, slot) for name, slot in accounts}
        self._transport = transport
        self._journal = journal
        self._tell = tell
        self.hashers = hashers or InlineHashers()
        self._post = post
        self._reply_to = reply_to
        self.ticks = 0
        self.keeper = keeper or InlineKeeper(MemoryBlobs())
        self._build(secrets, times, entropy or Randomness())
        self._build_peers(serve_http)

    def _build(self, secrets: Secrets, times: Times | None, entropy: Callable[[int], bytes]) -> None:
        """Put the parts together; each is given what it needs and nothing more."""
        options, clock = self.options, self.clock
        self.timers = timers.Timers()
        self.outbox = outbox.Outbox(
            self._transport, outbox_bytes=options.outbox_bytes, most_notices=options.max_notice_keys
        )
        self.ledger = batches.Ledger(self._journal, options)
        self.answers = answers.Answers(self.outbox)
        self.faults = faults.Faults(answers=self.answers, entropy=entropy, tell=self._tell)
        self.asks = asks.Asks(self._journal)
        self.conductor = conductor.Conductor(
            clock=clock,
            ledger=self.ledger,
            timers=self.timers,
            entropy=entropy,
            tick_deadlines=options.tick_deadlines,
        )
        self.feeds = feeds.Feeds(outbox=self.outbox, answers=self.answers, asks=self.asks, clock=clock, options=options)
        self.signals = signals.Signals(
            self.outbox, self.answers, rate=options.signal_rate, hard_outbox=options.hard_outbox
        )
        self.publisher = publisher.Publisher(
            feeds=self.feeds, answers=self.answers, signals=self.signals, guard=self.faults.run
        )
        self.presence = presence.Presence(self.conductor, options)
        self.watch = watch.Watch(clock=clock, timers=self.timers, outbox=self.outbox, options=options)
        self.recovery = recovery.Recovery(
            accounts=self.accounts,
            journal=self._journal,
            ledger=self.ledger,
            asks=self.asks,
            clock=clock,
            timers=self.timers,
            conductor=self.conductor,
            publisher=self.publisher,
            presence=self.presence,
            feeds=self.feeds,
            pinspace=secrets.pinspace,
            times=times,
            options=options,
            tell=self._tell,
            guard=self.faults.run,
        )
        self.admission = Admission(clock, options.addresses)
        self._transport.door = self.admission
        self.pin_guard = PinGuard(accounts=self.accounts, conductor=self.conductor, burst=options.wrong_pins)
        self._build_edges(secrets, entropy)

    def _build_edges(self, secrets: Secrets, entropy: Callable[[int], bytes]) -> None:
        """What clients meet."""
        options, clock = self.options, self.clock
        self.refusals = refusals.Refusals(clock=clock, timers=self.timers, conductor=self.conductor)
        self.requests = requests.Requests(
            clock=clock,
            ledger=self.ledger,
            outbox=self.outbox,
            answers=self.answers,
            asks=self.asks,
            conductor=self.conductor,
            recovery=self.recovery,
            pin_guard=self.pin_guard,
            fingerprint_key=secrets.fingerprint_key,
            options=options,
            entropy=entropy,
        )
        self.entrance = entrance.Entrance(
            admission=self.admission,
            pin_guard=self.pin_guard,
            accounts=self.accounts,
            secrets=secrets,
            hashers=self.hashers,
            post=self._post,
            transport=self._transport,
            clock=clock,
            outbox=self.outbox,
            asks=self.asks,
            conductor=self.conductor,
            requests=self.requests,
            presence=self.presence,
            watch=self.watch,
            refusals=self.refusals,
            options=options,
            entropy=entropy,
        )
        self.subscriptions = reading.Reading(
            requests=self.requests,
            answers=self.answers,
            asks=self.asks,
            outbox=self.outbox,
            feeds=self.feeds,
            conductor=self.conductor,
            credentials=self.entrance.credentials,
            watch=self.watch,
            clock=clock,
            secrets=secrets,
            options=options,
        ).subscriptions
        self._build_notices()

    def _build_files(self) -> None:
        """What goes between clients and the disk."""
        self.files = files.Files(
            keeper=self.keeper,
            accounts=self.accounts,
            requests=self.requests,
            answers=self.answers,
            conductor=self.conductor,
            clock=self.clock,
            timers=self.timers,
            wake=self._transport.wake,
            options=self.options,
            tell=self._tell,
        )

    def _build_cases(self) -> None:
        """What is done with cases beside what their desks do."""
        self.cases = cases.Cases(
            accounts=self.accounts,
            requests=self.requests,
            answers=self.answers,
            asks=self.asks,
            conductor=self.conductor,
            clock=self.clock,
            timers=self.timers,
            options=self.options,
        )
        self.case_mail = CaseMails(
            accounts=self.accounts,
            requests=self.requests,
            asks=self.asks,
            conductor=self.conductor,
            clock=self.clock,
            timers=self.timers,
            post=self._post,
            reply_to=self._reply_to,
            wake=self._transport.wake,
        )

    def _build_notices(self) -> None:
        """What is told and not kept."""
        self._build_cases()
        self._build_files()
        self.talk = talk.Talk(outbox=self.outbox, answers=self.answers, requests=self.requests)
        self.portal_notices = portal_notices.PortalNotices(
            clock=self.clock, timers=self.timers, outbox=self.outbox, accounts=self.accounts, options=self.options
        )
        self.notices = notices.Notices(
            clock=self.clock,
            timers=self.timers,
            outbox=self.outbox,
            feeds=self.feeds,
            accounts=self.accounts,
            options=self.options,
        )
        self._wire()

    def _decided(self, part: batches.Part, records: Sequence[Recorded]) -> None:
        """Told of each command's events, before they are on disk."""
        self.publisher.decided(part, records)
        self.entrance.decided(part, records)
        self.cases.decided(part, records)
        self.case_mail.decided(part, records)

    def _wire(self) -> None:
        """The calls that go upwards."""
        self.conductor.guard = self.faults.run
        self.conductor.decided = self._decided
        self.recovery.loaded = self.cases.look
        self.entrance.passwords.guard = lambda call, lost: self.faults.run(call, lost=lost)
        self.files.guard = lambda call, lost: self.faults.run(call, lost=lost)
        self.requests.refusals = self.refusals.request
        self.conductor.turned = self.portal_notices.turned
        self.subscriptions.greet = self.portal_notices.greet
        self.asks.guard = self.faults.run
        self.timers.guard = self.faults.run
        self.faults.touched = self.conductor.touched
        self.faults.distrust = self.recovery.distrust
        self.outbox.slow = self.watch.slow

    def _build_peers(self, serve_http: Serve | None) -> None:
        self.peers = Peers(
            transport=self._transport,
            outbox=self.outbox,
            watch=self.watch,
            sign_in=self.entrance.sign_in,
            requests=self.requests,
            signals=self.signals,
            feeds=self.feeds,
            presence=self.presence,
            faults=self.faults,
            admission=self.admission,
            options=self.options,
            serve_http=serve_http,
        )
        self.outbox.ended = self.peers.ended

    # --- running -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Watch the journal and begin to read the accounts. ``up`` says when that is done."""
        for watched in (self._journal.fileno(), self.hashers.fileno(), self.keeper.fileno()):
            if watched is not None:
                self._transport.watch(watched)
        for one in self.accounts.values():
            self.recovery.load(one)
        self.notices.start()
        self.files.start()
        self.portal_notices.start()
        self.cases.start()
        self.case_mail.start()
        self.timers.wake_by("forget answers", self.clock.now() + self.options.forget_period, self._forget_answers)

    @property
    def up(self) -> bool:
        """Whether every account can be asked and the journal takes commits."""
        return not self.recovery.down and all(one.up for one in self.accounts.values())

    async def tick(self) -> None:
        """Wait until something happens, and carry it out."""
        due = self.timers.next()
        await self._transport.ready(None if due is None else max(0, due - self.clock.now()) / 1000)
        self.step()

    def step(self) -> None:
        """One tick without the waiting."""
        self.ticks += 1
        now = self.clock.now()
        polled = self._transport.poll()
        happenings = iter(polled)
        while not self.faults.run(partial(self._take, happenings, now)):
            pass  # one of them met a bug: the others are still to be taken
        if self.outbox.again:
            self._go_on(now)
        # Not in every tick, it costs a system call; but always when nothing else explains the waking.
        if self.ledger.under_way or len(self.asks) or not polled:
            self._outcomes(now)
        if self.entrance.passwords.at_work:
            self.entrance.passwords.poll()
        if self.files.at_work:
            self.files.poll()
        self.timers.run(now, TIMERS_A_TICK)
        if self._submit(now) and self._journal.fileno() is None:
            self._outcomes(now)  # a journal in this very task may be done already
        self.outbox.flush()
        if self.outbox.again:
            self._transport.wake()

    def _take(self, happenings: Iterator[Happening], now: int) -> None:
        for happening in happenings:
            if type(happening) is Messages:
                connection = happening.link.owner
                if type(connection) is Connection:
                    self.peers.messages(connection, happening.messages, now)
            else:
                self.peers.happened(happening, now)

    def _go_on(self, now: int) -> None:
        again, self.outbox.again = self.outbox.again, {}
        for connection in again:
            self.faults.run(partial(self.peers.go_on, connection, now), connection)

    def _submit(self, now: int) -> bool:
        """Let the journal have what may go; whether there was anything."""
        if self.recovery.down:
            return False
        submitted = self.ledger.submit(now)
        if self.ledger.due is not None:
            self.timers.wake_by("commit", self.ledger.due, lambda now: None)
        return submitted

    def _outcomes(self, now: int) -> None:
        """What the journal has done."""
        for outcome in self._journal.poll():
            self._outcome(outcome, now)

    def _outcome(self, outcome: Outcome, now: int) -> None:
        if isinstance(outcome, Committed):
            batch = self.ledger.committed(outcome.number)
            if batch is not None:
                self._submit(now)  # the next one is on its way while this one's answers are
                self.publisher.committed(batch)
                self.recovery.proven()
                for one in batch.parts:
                    if not one.up:
                        self.recovery.settled(one)
        elif isinstance(outcome, Failed):
            self.recovery.failed(outcome)
        else:
            self.asks.replied(outcome)

    def _forget_answers(self, now: int) -> int:
        if not self.recovery.down:
            self.asks.ask("forget", now - KEY_MEMORY, _FORGET, then=lambda reply: self._forgotten(reply, now))
        return now + self.options.forget_period

    def _forgotten(self, reply: Reply, now: int) -> None:
        if reply.error is None and reply.value == _FORGET:
            self._forget_answers(now)  # there are more

    # --- looking at it -------------------------------------------------------------------------------

    def statistics(self) -> hub_statistics.Statistics:
        """Counts, for metrics and tests."""
        return hub_statistics.of(self)
