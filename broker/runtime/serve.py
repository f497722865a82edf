"""Puts a broker together from its configuration, and runs it until it is told to stop.

The one file of the runtime that knows the edges: configuration, pages, logs and metrics.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs
import trio

from broker import __version__, limits
from broker.blobs import keeper
from broker.codes import Close
from broker.config import Config
from broker.config.desk import Put, load_desk
from broker.desk import desk as desks
from broker.desk.flow import Flow
from broker.desk.identity import Role
from broker.http.health import Readiness, Status
from broker.http.pages import pages
from broker.http.password import Doors
from broker.http.password import pages as password_pages
from broker.http.server import App
from broker.http.server import serve as serve_http
from broker.identity import hashers, mail
from broker.identity.hashers import ThreadHashers
from broker.journal.base import Journal, JournalUnavailable
from broker.observe.logs import Level, Log, Stream, place
from broker.observe.metrics import Metrics, Source
from broker.observe.refusals import refusals
from broker.runtime import batches, entrance, feeds, files, outbox, recovery, requests, signals
from broker.runtime import serve_parts as parts
from broker.runtime.clock import SystemClock
from broker.runtime.furnishing import FurnishError, furnish
from broker.runtime.guesses import shorten
from broker.runtime.hub import Hub
from broker.runtime.hub_statistics import Statistics as HubStatistics
from broker.runtime.shutdown import shut_down
from broker.transport import base as transport
from broker.transport.reactor import Reactor
from broker.transport.stream import HttpStream

OK: Final = 0
FAILED: Final = 1
_GC_THRESHOLDS: Final = (50_000, 20, 100)  # objects of one tick die young; what stays is frozen after the start

Ready = Callable[[str], None]


def run(config: Config, *, ready: Ready | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. ``ready`` is called once with the address, when everything is
    served. Raises ``ConfigError`` and ``SecretError`` for what refuses the start."""
    furniture = {account.name: load_desk(account.desk) for account in config.accounts}
    return trio.run(_Broker(config, furniture, ready).serve)


class _Broker:
    """Everything of one process."""

    def __init__(self, config: Config, furniture: Mapping[str, Sequence[Put]], ready: Ready | None) -> None:
        self._config = config
        self._furniture = furniture
        self._ready = ready
        self._status = "the accounts are being read"
        self._stopping = False

    async def serve(self) -> int:
        """All of it."""
        config = self._config
        clock = SystemClock()
        level = Level[config.logs.level.upper()]
        sink = Stream(sys.stderr.fileno(), os.write)
        self._log = Log(sink, clock.now, level=level, as_json=config.logs.format == "json")
        secrets = parts.secrets(config)
        parts.raise_file_limit(config.limits.max_connections)
        listeners = parts.listen(config)
        try:
            journal = parts.journal(config)
        except JournalUnavailable as error:
            parts.close(listeners)
            raise parts.StartError([str(error)], "journal") from None
        self._transport = Reactor(listeners, parts.settings(config))
        url = parts.url(config, listeners)
        self._mailer = mailer = parts.mailer(config, clock.now, self._tell)
        async with trio.open_nursery() as nursery:
            app = self._app()

            def start_http(stream: HttpStream) -> None:
                nursery.start_soon(serve_http, stream, app, self._report)

            self._hub = Hub(
                transport=self._transport,
                journal=journal,
                clock=clock,
                secrets=secrets,
                accounts=[(account.name, account.slot) for account in config.accounts],
                options=parts.options(config, url),
                times=parts.times(config),
                tell=self._tell,
                serve_http=start_http,
                hashers=ThreadHashers(config.sign_in.hash_workers),
                post=mailer,
                keeper=parts.keeper(config),
                reply_to=config.mail.reply_to,
            )
            nursery.start_soon(self._await_signal)
            if mailer is not None:
                nursery.start_soon(mailer.run)
            # A nursery would wrap what is raised in it: the reason for not starting is raised out here.
            outcome = await self._run(journal, url)
            self._hub.hashers.close()
            self._hub.keeper.close()
            nursery.cancel_scope.cancel()
        if isinstance(outcome, parts.StartError):
            raise outcome
        return outcome

    async def _run(self, journal: Journal, url: str) -> int | parts.StartError:
        """The hub's own task, from the first tick to the last: the exit code, or why it could not start."""
        hub = self._hub
        gc.disable()  # a desk on its way from the journal is all objects that stay
        hub.start()
        try:
            furnished = False
            while not (furnished or self._stopping or self._fatal() is not None):
                await self._tick_until(lambda: hub.up)
                furnished = not self._furnish()  # again if it changed something: a failed commit takes that back
                await self._tick_until(lambda: hub.ledger.empty)
        except FurnishError as error:
            return self._give_up(journal, parts.StartError([str(error)], "desk file"))
        if (reason := self._fatal()) is not None:
            return self._give_up(journal, parts.StartError([reason], "journal"))
        if not self._stopping:
            self._started(url)
        await self._tick_until(lambda: False)
        if (reason := self._fatal()) is not None:
            self._log.error("broker.fenced", error=reason.partition(":")[0])
            return self._give_up(journal, FAILED)
        self._status = "the broker is stopping"
        self._log.info("broker.stopping")
        await shut_down(hub, self._transport, journal)
        self._log.info("broker.stopped", seq=sum(account.seq for account in hub.accounts.values()))
        return OK

    def _give_up(self, journal: Journal, outcome: int | parts.StartError) -> int | parts.StartError:
        """End at once: there is nothing that could still be written."""
        for connection in list(self._hub.peers.connections):
            self._hub.outbox.end(connection, Close.SHUTDOWN, "the broker stops", retry_ms=limits.COME_BACK)
        journal.close()
        self._transport.dispose()
        return outcome

    def _fatal(self) -> str | None:
        return self._hub.recovery.fatal

    async def _tick_until(self, done: Callable[[], bool]) -> None:
        while not (self._stopping or done() or self._fatal() is not None):
            await self._hub.tick()

    def _furnish(self) -> int:
        """Apply the desk files; how many operations changed something."""
        total = 0
        for name, puts in self._furniture.items():
            account = self._hub.accounts[name]
            left = partial(self._left, name)
            changed = furnish(account, puts, self._hub.conductor, os.urandom, left) if account.up else 1
            if changed:
                self._log.info("account.furnished", account=name, count=changed)
            total += changed
        return total

    def _left(self, account: str, put: Put) -> None:
        self._log.warning("account.left", account=account, at=put.where)

    def _started(self, url: str) -> None:
        # What was made so far stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.enable()
        gc.set_threshold(*_GC_THRESHOLDS)
        self._status = ""
        self._log.info("broker.serves", url=url, version=__version__, count=len(self._hub.accounts))
        if self._ready is not None:
            self._ready(url)

    async def _await_signal(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                if self._stopping:
                    os._exit(FAILED)  # asked twice: it must end now, and nothing acknowledged is lost by that
                self._stopping = True
                self._transport.wake()

    # --- pages, logs, metrics ------------------------------------------------------------------------

    def _app(self) -> App:
        metrics: list[Metrics] = []

        def render(accept: str) -> tuple[bytes, str]:
            if not metrics:
                metrics.append(Metrics(self._sources()))
            return metrics[0].render(accept)

        app = {**pages(Status(version=__version__, ready=self._readiness, metrics=render)), **self._password_pages()}
        if not self._config.metrics.enabled:
            app.pop("/metrics", None)
        return app

    def _password_pages(self) -> App:
        def forgot(account: str, role: str, email: str, address: str) -> None:
            self._hub.entrance.links.forgot(account, Role(role), email, shorten(address))

        return password_pages(
            Doors(
                known=lambda token: self._hub.entrance.links.known(token),
                choose=lambda token, password, address: self._hub.entrance.links.choose(
                    token, password, shorten(address)
                ),
                forgot=forgot,
            )
        )

    def _readiness(self) -> Readiness:
        if self._status:
            return Readiness(False, self._status)
        if self._hub.recovery.down:
            return Readiness(False, "the journal takes no writes")
        return Readiness(self._hub.up, "" if self._hub.up else "an account is being read")

    def _report(self, error: Exception) -> None:
        self._log.error("http.fault", error=type(error).__name__, at=place(error))

    def _tell(self, level: str, event: str, **fields: str | int | float) -> None:
        getattr(self._log, level)(event, **fields)

    # size: one source a part, read as a list
    def _sources(self) -> Iterator[Source]:
        """One source a part; the whole is looked at once a scrape each, which is cheap."""
        hub = self._hub

        def part(name: str, kind: type[attrs.AttrsInstance], read: Callable[[], Any], *counters: str) -> Source:
            return Source(name=name, kind=kind, read=read, counters=counters)

        counted = (
            "welcomed",
            "sign_ins_refused",
            "turned_away",
            "ticks",
            "faults",
            "pings",
            "dead",
            "positions",
            "snapshots",
        )
        yield part("hub", HubStatistics, hub.statistics, *counted)
        yield part(
            "transport",
            transport.Statistics,
            self._transport.statistics,
            *("bytes_in", "bytes_out", "messages_in", "messages_out", "refused"),
        )
        yield part(
            "outbox", outbox.Statistics, hub.outbox.statistics, "messages", "flushes", "paused", "replaced_notices"
        )
        yield part("journal", batches.Statistics, hub.ledger.statistics, "committed", "commits", "failures")
        yield part("feeds", feeds.Statistics, hub.feeds.statistics, "deliveries", "pages")
        yield part("signals", signals.Statistics, hub.signals.statistics, "relayed", "unpacked", "refused")
        yield part(
            "requests",
            requests.Statistics,
            hub.requests.statistics,
            *("requests", "refused", "replayed", "too_fast", "shed"),
        )
        yield from refusals(hub, self._transport)
        yield part(
            "entrance",
            entrance.Statistics,
            hub.entrance.statistics,
            *("signed_out", "kicked", "links_sent", "links_lost"),
        )
        yield part("passwords", hashers.Statistics, hub.hashers.statistics, "done", "refused")
        if self._mailer is not None:
            yield part(
                "mail", mail.Statistics, self._mailer.statistics, "sent", "failed", "retried", "refused", "dropped"
            )
        yield part(
            "files",
            files.Statistics,
            hub.files.statistics,
            *("bytes_in", "bytes_out", "shared", "rejected", "removed", "missing", "failed"),
        )
        yield part("store", keeper.Statistics, hub.keeper.statistics, "done", "failed", "refused")
        yield part("recovery", recovery.Statistics, hub.recovery.statistics, "outages", "loads")

        def of_desks() -> dict[str, desks.Statistics]:
            return {name: account.desk.statistics() for name, account in hub.accounts.items() if account.up}

        yield Source(name="desk", kind=desks.Statistics, read=of_desks, label="account")

        def of_lines() -> dict[str, Flow]:
            return {name: account.desk.state.flow for name, account in hub.accounts.items() if account.up}

        growing = [field.name for field in attrs.fields(Flow) if field.name not in ("began", "changed", "length")]
        yield Source(name="lines", kind=Flow, read=of_lines, label="account", counters=growing)
