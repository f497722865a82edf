"""Connections as they come, speak and go: what the transport reports, turned into calls of those who handle it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from broker.codes import Close
from broker.protocol.frames import Frame, Request, Signal
from broker.protocol.handshake import Handshake, Received
from broker.runtime.admission import Admission
from broker.runtime.connection import Connection
from broker.runtime.faults import Faults
from broker.runtime.feeds import Feeds
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.presence import Presence
from broker.runtime.requests import Requests
from broker.runtime.signals import Signals
from broker.runtime.signin import SignIn
from broker.runtime.watch import Watch
from broker.transport.base import Closed, Data, Drained, Happening, Kind, Link, Opened, Transport
from broker.transport.stream import HttpStream

REFUSALS: Final = ("stopping", "full", "address", "made_room")
"""Why a WebSocket is turned away before it says HELLO: the broker stops; no room for any more; none for more of its
address; a newer one took its place."""

Serve = Callable[[HttpStream], None]
"""Starts a task that serves one plain HTTP connection."""


class Peers:
    """Every link of the transport."""

    def __init__(
        self,
        *,
        transport: Transport,
        outbox: Outbox,
        watch: Watch,
        sign_in: SignIn,
        requests: Requests,
        signals: Signals,
        feeds: Feeds,
        presence: Presence,
        faults: Faults,
        admission: Admission,
        options: Options,
        serve_http: Serve | None,
    ) -> None:
        self._transport = transport
        self._outbox = outbox
        self._watch = watch
        self._sign_in = sign_in
        self._requests = requests
        self._signals = signals
        self._feeds = feeds
        self._presence = presence
        self._faults = faults
        self._admission = admission
        self._options = options
        self._serve_http = serve_http
        self.connections: dict[Connection, None] = {}
        self._strangers: dict[Connection, None] = {}
        """Those that have not signed in."""
        self.http: dict[Link, HttpStream] = {}
        self.refusals = dict.fromkeys(REFUSALS, 0)
        self.stopping = False
        """Nobody new is taken."""

    # --- links ---------------------------------------------------------------------------------------

    def happened(self, happening: Happening, now: int) -> None:
        """Anything but messages."""
        link = happening.link
        owner = link.owner
        if isinstance(happening, Opened):
            if link.kind is Kind.WEBSOCKET:
                self._opened(link, now)
            else:
                self._opened_http(link)
        elif isinstance(happening, Drained):
            if isinstance(owner, Connection):
                self._watch.drained(owner)
                self._faults.run(partial(self.go_on, owner, now), owner)
            elif isinstance(owner, HttpStream):
                owner.drained()
        elif isinstance(happening, Data):
            if isinstance(owner, HttpStream):
                owner.feed(happening.data)
        elif isinstance(happening, Closed):
            if isinstance(owner, Connection):
                self._closed(owner)
            elif isinstance(owner, HttpStream):
                owner.lost()
                self.http.pop(link, None)
            link.owner = None

    def _opened(self, link: Link, now: int) -> None:
        connection = Connection(link, now, now, Handshake())
        link.owner = connection
        self.connections[connection] = None
        self._strangers[connection] = None
        options = self._options
        if self.stopping:
            self.refusals["stopping"] += 1
            self._outbox.end(connection, Close.SHUTDOWN, "the broker is stopping", retry_ms=options.come_back)
        elif link.place is None:
            self._busy(connection, "address")
        elif len(self.connections) > options.max_connections:
            self._busy(connection, "full")
        else:
            self._watch.start(connection)
            if len(self._strangers) > options.max_handshakes:
                self._busy(next(iter(self._strangers)), "made_room")  # it has had the longest time

    def _busy(self, connection: Connection, reason: str) -> None:
        self.refusals[reason] += 1
        self._outbox.end(connection, Close.BUSY, "no room for another connection", retry_ms=self._options.retry_most)

    def _opened_http(self, link: Link) -> None:
        if self._serve_http is None or self.stopping:
            self._transport.abort(link)
            return
        if len(self.http) >= self._options.max_http:
            # The oldest makes room: idle ones must not keep a health check out.
            oldest = next(iter(self.http))
            self.http.pop(oldest).lost()
            self._transport.abort(oldest)
        stream = HttpStream(self._transport, link)
        link.owner = self.http[link] = stream
        self._admission.welcome(link.place)  # these have a bound of their own
        self._serve_http(stream)

    def _closed(self, connection: Connection) -> None:
        """The link is gone."""
        connection.machine.lost()
        self._gone(connection)
        self.connections.pop(connection, None)

    def _gone(self, connection: Connection) -> None:
        if not connection.closing:
            connection.closing = True
            self.leave(connection)

    def ended(self, connection: Connection, code: int) -> None:
        """The broker has said goodbye."""
        if code == Close.TOO_FAST:
            self._admission.failed(connection.link.place)  # or it would come back and go on
        self.leave(connection)

    def leave(self, connection: Connection) -> None:
        """It says and hears nothing any more: it holds nothing either."""
        self._strangers.pop(connection, None)
        self._watch.forget(connection)
        if connection.person is not None:
            self._signals.forget(connection)
            self._feeds.close_all(connection)
            self._presence.leave(connection)
        connection.out.clear()
        connection.out_bytes = 0
        connection.out_signals.clear()
        connection.notices = connection.held = connection.backlog = connection.views = None

    def go_on(self, connection: Connection, now: int) -> None:
        """There is room again: what waited for that goes on, oldest kind first."""
        if connection.closing:
            return
        self._feeds.pump(connection)
        self._outbox.send_notices(connection)
        backlog = connection.backlog
        while backlog and self._outbox.room(connection) and not connection.closing:
            self._handle(connection, backlog.popleft(), now)
        if not backlog and not connection.closing:
            connection.backlog = None
            if connection.paused:
                connection.heard = now  # its silence was ours
                self._outbox.resume(connection)

    # --- frames --------------------------------------------------------------------------------------

    def messages(self, connection: Connection, messages: Iterable[bytes], now: int) -> None:
        """Whole messages of one connection, in order."""
        connection.heard = now
        quick = self._signals.quick
        for message in messages:
            if connection.closing:
                return
            if connection.prefix is not None and quick(connection, message, now):
                continue
            self._faults.run(partial(self._message, connection, message, now), connection)

    def _message(self, connection: Connection, message: bytes, now: int) -> None:
        got = connection.machine.receive(message, now)
        for frame in got.frames:
            if connection.backlog is not None:
                connection.backlog.append(frame)
            elif self._outbox.room(connection):
                self._handle(connection, frame, now)
            else:
                # Whoever doesn't read its answers asks nothing new; what it had sent already waits here.
                connection.backlog = deque((frame,))
        if got.replies or got.hello is not None or got.farewell is not None or got.left is not None:
            self._rest(connection, got, now)

    def _handle(self, connection: Connection, frame: Frame, now: int) -> None:
        """One frame of a signed-in connection."""
        if connection.closing:
            return
        if type(frame) is Request:
            self._requests.request(connection, frame, now)
        elif type(frame) is Signal:
            self._signals.general(connection, frame, now)
        elif connection.frames is not None and connection.frames.take(now):  # PONG, or an experiment
            self._outbox.end(connection, Close.TOO_FAST, "frames faster than anybody needs them")

    def _rest(self, connection: Connection, got: Received, now: int) -> None:
        """What isn't a usual frame: PING, HELLO, an unknown kind, goodbye."""
        for reply in got.replies:
            if connection.frames is not None and connection.frames.take(now):
                self._outbox.end(connection, Close.TOO_FAST, "frames faster than anybody needs them")
                return
            self._outbox.frame(connection, reply)
        if got.hello is not None:
            self._strangers.pop(connection, None)
            self._sign_in.hello(connection, got.hello)
        if got.farewell is not None:
            self._outbox.farewell(connection, got.farewell)
        elif got.left is not None and not connection.closing:
            self._outbox.flush()
            self._gone(connection)
            self._transport.close(connection.link, 1000)
