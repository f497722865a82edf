"""Which descriptors are ready: epoll, or kqueue where that is missing, level-triggered both."""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Sequence
from typing import Final, Protocol

import trio

READABLE: Final = 1  # select.EPOLLIN
WRITABLE: Final = 4  # select.EPOLLOUT
BROKEN: Final = 8 | 16  # select.EPOLLERR | EPOLLHUP: reported unasked


class Poller(Protocol):
    """What the engine needs of a selector; masks are made of READABLE and WRITABLE."""

    def register(self, fd: int, mask: int) -> None:
        """Begin to look at a descriptor."""

    def modify(self, fd: int, mask: int) -> None:
        """Look for something else; 0 reports only BROKEN, or nothing."""

    def unregister(self, fd: int) -> None:
        """Look no more; a descriptor that is closed or unknown is no error."""

    def poll(self, most: int) -> Sequence[tuple[int, int]]:
        """At most ``most`` pairs of descriptor and mask that are ready now, in turn. Never blocks."""

    async def wait(self) -> None:
        """Wait until ``poll`` has something."""

    def fileno(self) -> int:
        """Readable while ``poll`` has something: another poller can look at it."""

    def close(self) -> None:
        """Give the poller's own descriptor back."""


if sys.platform == "linux":

    class EpollPoller:
        """Linux."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._fd = self._epoll.fileno()
            self.register = self._epoll.register
            self.modify = self._epoll.modify

        def poll(self, most: int) -> Sequence[tuple[int, int]]:
            """See ``Poller.poll``."""
            return self._epoll.poll(0, most)

        def unregister(self, fd: int) -> None:
            """See ``Poller.unregister``."""
            with contextlib.suppress(OSError, ValueError):  # closed before: the kernel has forgotten it
                self._epoll.unregister(fd)

        async def wait(self) -> None:
            """See ``Poller.wait``."""
            await trio.lowlevel.wait_readable(self._fd)

        def fileno(self) -> int:
            """See ``Poller.fileno``."""
            return self._fd

        def close(self) -> None:
            """See ``Poller.close``."""
            self._epoll.close()

    DefaultPoller = EpollPoller

else:  # pragma: no cover - measured and tested on Linux only

    class KqueuePoller:
        """macOS and the BSDs."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()
            self._masks: dict[int, int] = {}

        def register(self, fd: int, mask: int) -> None:
            """See ``Poller.register``."""
            self._change(fd, 0, mask)

        def modify(self, fd: int, mask: int) -> None:
            """See ``Poller.modify``."""
            self._change(fd, self._masks.get(fd, 0), mask)

        def unregister(self, fd: int) -> None:
            """See ``Poller.unregister``."""
            with contextlib.suppress(OSError, ValueError):  # closed before: the kernel has forgotten it
                self._change(fd, self._masks.get(fd, 0), 0)
            self._masks.pop(fd, None)

        def _change(self, fd: int, old: int, new: int) -> None:
            changes = []
            for bit, kind in ((READABLE, select.KQ_FILTER_READ), (WRITABLE, select.KQ_FILTER_WRITE)):
                if (old ^ new) & bit:
                    flag = select.KQ_EV_ADD if new & bit else select.KQ_EV_DELETE
                    changes.append(select.kevent(fd, kind, flag))
            if changes:
                self._kqueue.control(changes, 0)
            self._masks[fd] = new

        def poll(self, most: int) -> Sequence[tuple[int, int]]:
            """See ``Poller.poll``."""
            ready: dict[int, int] = {}
            for event in self._kqueue.control(None, most, 0):
                bit = READABLE if event.filter == select.KQ_FILTER_READ else WRITABLE
                ready[event.ident] = ready.get(event.ident, 0) | bit
            return list(ready.items())

        async def wait(self) -> None:
            """See ``Poller.wait``."""
            await trio.lowlevel.wait_readable(self._kqueue.fileno())

        def fileno(self) -> int:
            """See ``Poller.fileno``."""
            return self._kqueue.fileno()

        def close(self) -> None:
            """See ``Poller.close``."""
            self._kqueue.close()

    DefaultPoller = KqueuePoller
