"""The real transport: non-blocking TCP sockets, one level-triggered poller, one task."""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Final, cast

import attrs
import trio

from broker import limits
from broker.transport.engine import Engine
from broker.transport.links import NEVER, Settings, Wire
from broker.transport.pollers import READABLE, DefaultPoller

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 s
_MAPPED: Final = "::ffff:"  # an IPv4 peer on an IPv6 socket


@attrs.frozen(eq=False)
class Listener:
    """A listening socket, and the TLS of what it accepts (None: plain)."""

    socket: socket.socket
    context: ssl.SSLContext | None = None

    @property
    def port(self) -> int:
        """The bound port, also where 0 was asked for."""
        return cast("int", self.socket.getsockname()[1])


def listen(host: str, port: int, context: ssl.SSLContext | None = None) -> list[Listener]:
    """Listening sockets for every address that ``host`` stands for. Raises ``OSError``."""
    listeners: list[Listener] = []
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            sock = socket.socket(family, kind, protocol)
            listeners.append(Listener(sock, context))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
            sock.listen(limits.LISTEN_BACKLOG)
    except OSError:
        for listener in listeners:
            listener.socket.close()
        raise
    return listeners


class Reactor(Engine):
    """All client sockets of the process. It owns the listeners it is given."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        settings: Settings | None = None,
        *,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        super().__init__(DefaultPoller(), settings or Settings(), clock, lobby=DefaultPoller())
        self._doors[self._lobby.fileno()] = self._serve_lobby
        self._poller.register(self._lobby.fileno(), READABLE)
        self._listeners = list(listeners)
        for listener in self._listeners:
            listener.socket.setblocking(False)
            self._doors[listener.socket.fileno()] = lambda listener=listener: self._accept(listener)  # type: ignore[misc]
            self._lobby.register(listener.socket.fileno(), READABLE)

    def _accept(self, listener: Listener) -> None:
        """Take what waits at a listener, a tick's worth of it."""
        for _ in range(limits.TICK_ACCEPTS):
            try:
                sock, address = listener.socket.accept()
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno in _EXHAUSTED:
                    self._rest()
                    return
                continue  # ECONNABORTED and its like: that peer is gone, the next may not be
            if self._adopt(sock, sock.fileno(), address[0].removeprefix(_MAPPED), listener.context):
                sock.setblocking(False)  # only now: whoever is turned away costs as little as can be
                with contextlib.suppress(OSError):  # broken already: the poller says so
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _rest(self) -> None:
        """The process has no descriptors or memory left: leave new connections to the backlog for a
        while. The listener would stay readable, and each tick would fail again."""
        for listener in self._listeners:
            self._lobby.modify(listener.socket.fileno(), 0)
        self._alarm = self._clock() + limits.ACCEPT_PAUSE / 1000

    def _on_alarm(self) -> None:
        self._alarm = NEVER
        for listener in self._listeners:
            self._lobby.modify(listener.socket.fileno(), READABLE)

    def _cut(self, wire: Wire) -> None:
        sock = cast("socket.socket", wire)
        with contextlib.suppress(OSError):  # disconnected already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        sock.close()

    def shut(self) -> None:
        """See ``Transport.shut``."""
        self._alarm = NEVER
        for listener in self._listeners:
            fd = listener.socket.fileno()
            if self._doors.pop(fd, None) is not None:
                self._lobby.unregister(fd)
            listener.socket.close()
