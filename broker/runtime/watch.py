"""Looks after each connection in time: HELLO, heartbeats, the credential's end, and whether it reads at all.

One entry in the timers a connection, no task. A sign of life only sets ``heard``: bytes that came, and bytes of ours
that were taken after they had to wait.
"""

from __future__ import annotations

from broker.codes import Close
from broker.limits import DEAD_AFTER_HEARTBEATS
from broker.protocol.frames import Ping
from broker.protocol.handshake import State
from broker.runtime.clock import Clock
from broker.runtime.connection import Connection
from broker.runtime.options import Options
from broker.runtime.outbox import Outbox
from broker.runtime.timers import Timers


class Watch:
    """Keeps the timers of connections."""

    def __init__(self, *, clock: Clock, timers: Timers, outbox: Outbox, options: Options) -> None:
        self._clock = clock
        self._timers = timers
        self._outbox = outbox
        self._options = options
        self.pings = 0
        self.dead = 0
        self.too_slow = 0

    def start(self, connection: Connection) -> None:
        """A new connection: HELLO must come in time."""
        due = connection.opened + self._options.hello_timeout
        self._timers.wake_by(connection, due, lambda now: self._look(connection, now))

    def signed_in(self, connection: Connection) -> None:
        """From now on heartbeats count."""
        due = self._look(connection, self._clock.now())
        if due is not None:
            self._timers.wake_by(connection, due, lambda now: self._look(connection, now))

    def slow(self, connection: Connection) -> None:
        """Some of its bytes stay unsent."""
        if not connection.progress_at:
            connection.progress_at = self._clock.now()
            connection.progress = connection.given - connection.link.pending
            due = connection.progress_at + self._options.stalled_after
            self._timers.wake_by(connection, due, lambda now: self._look(connection, now))

    def drained(self, connection: Connection) -> None:
        """All its bytes are written: somebody is there who takes them."""
        connection.progress_at = 0
        connection.heard = self._clock.now()

    def forget(self, connection: Connection) -> None:
        """It is gone."""
        self._timers.forget(connection)

    def _look(self, connection: Connection, now: int) -> int | None:
        """End it if it must end, ping it if it was silent; when to look again (ms)."""
        if connection.closing:
            return None
        if self._stalled(connection, now):
            self.too_slow += 1
            self._outbox.end(connection, Close.TOO_SLOW, "nothing is read for too long")
            return None
        if connection.machine.state is not State.OPEN or connection.options is None:
            return self._await_hello(connection, now)
        if connection.expires is not None and now >= connection.expires:
            self._outbox.end(connection, Close.TOKEN_EXPIRED, "the credential's time is over")
            return None
        due = self._heartbeat(connection, now, connection.options.heartbeat_ms)
        if due is None:
            return None
        if connection.expires is not None:
            due = min(due, connection.expires)
        if connection.progress_at:
            due = min(due, connection.progress_at + self._options.stalled_after)
        return due

    def _await_hello(self, connection: Connection, now: int) -> int | None:
        due = connection.opened + self._options.hello_timeout
        if now < due:
            return due
        # Both codes say "come back": a bad link and a busy journal are nobody's mistake.
        if connection.machine.state is State.AWAIT_HELLO:
            self._outbox.end(connection, Close.DEAD, "no HELLO in time")
        else:
            self._outbox.end(connection, Close.BUSY, "signing in takes too long", retry_ms=self._options.retry_most)
        return None

    def _heartbeat(self, connection: Connection, now: int, heartbeat: int) -> int | None:
        silent_since = connection.heard
        if connection.paused:
            return now + heartbeat  # we don't listen: silence is ours
        dead = silent_since + int(heartbeat * DEAD_AFTER_HEARTBEATS)
        if now >= dead:
            self.dead += 1
            self._outbox.end(connection, Close.DEAD, "no sign of life")
            return None
        last = max(silent_since, connection.pinged)
        if now >= last + heartbeat:
            self.pings += 1
            connection.pinged = last = now
            self._outbox.frame(connection, Ping(now % (1 << 32), now))
        return min(last + heartbeat, dead)

    def _stalled(self, connection: Connection, now: int) -> bool:
        """Whether bytes wait and none has been written for too long."""
        if not connection.progress_at or not connection.link.pending:
            connection.progress_at = 0
            return False
        written = connection.given - connection.link.pending
        if written > connection.progress:
            connection.progress, connection.progress_at = written, now
            connection.heard = now  # a sign of life: our PING may lie behind all that
            return False
        return now >= connection.progress_at + self._options.stalled_after
