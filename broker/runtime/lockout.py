"""The guard against guessing passwords: wrong ones are counted per name and network, and per name.

Whoever guesses from one network waits longer and longer; the name's own owner, elsewhere, doesn't. A name that is
guessed at from everywhere takes a bounded number of guesses an hour, so that nobody is locked out for good either.
"""

from __future__ import annotations

from collections import OrderedDict

import attrs

from broker import limits
from broker.units import HOURS


@attrs.define(eq=False)
class _Wrong:
    """Wrong passwords of one name, from one network or from all."""

    count: int = 0
    until: int = 0
    """No try before (ms)."""
    last: int = 0


@attrs.define(eq=False)
class Lockout:
    """Counts wrong passwords; forgets what is an hour old, and the oldest first where it has no room."""

    free: int = limits.WRONG_PASSWORDS
    free_anywhere: int = limits.WRONG_PASSWORDS_ANYWHERE
    most: int = limits.MAX_TRACKED_ADDRESSES
    _wrong: OrderedDict[tuple[str, str | None], _Wrong] = attrs.field(factory=OrderedDict, repr=False)

    def wait(self, name: str, source: str, now: int) -> int:
        """How long (ms) this name may not be tried from this source; 0 when it may."""
        found = [wrong for key in ((name, source), (name, None)) if (wrong := self._wrong.get(key)) is not None]
        return max([0, *(wrong.until - now for wrong in found)])

    def tried(self, name: str, source: str, now: int) -> None:
        """One more password is looked at, and counts as wrong until it is found right: many at once are many."""
        from_here = self._count((name, source), now)
        if from_here.count >= self.free:
            doubled = limits.LOCKOUT_FIRST << min(from_here.count - self.free, 20)
            from_here.until = now + min(doubled, limits.LOCKOUT_MOST)
        anywhere = self._count((name, None), now)
        if anywhere.count >= self.free_anywhere:
            anywhere.until = now + limits.LOCKOUT_ANYWHERE

    def right(self, name: str, source: str) -> None:
        """The right one: what was wrong from here doesn't count any more."""
        self._wrong.pop((name, source), None)
        self._take_back((name, None))

    def unseen(self, name: str, source: str) -> None:
        """It wasn't looked at after all."""
        for key in ((name, source), (name, None)):
            self._take_back(key)

    def _take_back(self, key: tuple[str, str | None]) -> None:
        wrong = self._wrong.get(key)
        if wrong is not None:
            wrong.count -= 1
            if wrong.count <= 0:
                del self._wrong[key]

    def _count(self, key: tuple[str, str | None], now: int) -> _Wrong:
        wrong = self._wrong.get(key)
        if wrong is None or now - wrong.last > HOURS:
            wrong = self._wrong[key] = _Wrong()
        self._wrong.move_to_end(key)
        wrong.count += 1
        wrong.last = now
        while len(self._wrong) > self.most:
            self._wrong.popitem(last=False)
        return wrong
