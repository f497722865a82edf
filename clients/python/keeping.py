"""What keeps a sign-in alive: which credential to show at the next connection, and when to ask for the next tokens.

Theory of operation. A sign-in has an access token, which opens connections until it expires, and a refresh token, which
is good once and gives both anew. The broker takes the one before the newest as well for a short while
(``broker.limits.REFRESH_GRACE``), because its answer may have been lost; an older one it takes for stolen, and ends the
sign-in. So a refresh token is replaced the moment its successor is known, the application is told of that before the
successor is used, and while an answer is in doubt the client comes back sooner than the grace is over. Sans-IO: ``now``
is ms of one clock that never goes back, and what the broker says of times is compared with the broker's clock only.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Final

import attrs

from broker.limits import REFRESH_GRACE
from clients.python.settings import Auth, Tokens

REFRESH_AT: Final = (0.75, 0.85)
"""Parts of an access token's life between which the next is asked for: late enough to be rare, drawn so that those who
came together don't all ask together, and with a fifth of the life left for trying again."""
AGAIN: Final = (5_000, 10_000)
"""ms until a refused refresh is tried again."""
DOUBTFUL_PAUSE: Final = REFRESH_GRACE // 6
"""ms, the longest pause before coming back while it isn't known whether a refresh token was used. With the time that a
dead connection takes to be noticed, two more tries are within the grace."""


@attrs.define(eq=False)
class Keeper:
    """One sign-in's tokens."""

    rng: random.Random
    told: Callable[[Tokens], None] = lambda tokens: None
    """The application's: called with each new pair before it is used."""
    tokens: Tokens | None = None
    """The newest, of a sign-in by password or refresh token."""
    due: int | None = None
    """When to ask for the next ones on the present connection; None: never."""
    doubtful: bool = False
    """A refresh token was sent, and no answer has come."""
    _good_until: int | None = None
    """The access token's end, by our clock; None: not known."""
    _ahead: int = 0
    """The broker's clock minus ours."""

    def auth(self, given: Auth | None, now: int) -> Auth:
        """What to show at the next connection. ``given``: by the application, for as long as there is no sign-in."""
        tokens = self.tokens
        if tokens is None:
            assert given is not None
            if given.token is not None and given.refresh is not None:  # of an earlier run
                tokens = self.tokens = Tokens(token=given.token, refresh=given.refresh, expires=given.expires)
            else:
                self.doubtful = given.refresh is not None
                return given
        if tokens.token is not None and (self._good_until is None or now < self._good_until):
            return Auth(token=tokens.token)
        self.doubtful = True
        return Auth(refresh=tokens.refresh)

    def welcomed(self, identity: Mapping[str, object], t_ms: object, now: int) -> None:
        """WELCOME came, with new tokens or without."""
        self.doubtful = False
        expires = identity.get("expires")
        self._ahead = t_ms - now if isinstance(t_ms, int) else 0
        if not self.take(identity, now) and self.tokens is not None and isinstance(expires, int):
            self._lives_until(expires, now)

    def take(self, told: Mapping[str, object], now: int) -> bool:
        """New tokens, of WELCOME or of ``auth.refresh``; False where there are none."""
        token, refresh, expires = told.get("token"), told.get("refresh"), told.get("expires")
        if not (isinstance(token, str) and isinstance(refresh, str) and isinstance(expires, int)):
            return False
        self.doubtful = False
        self.due = None
        self.tokens = Tokens(token=token, refresh=refresh, expires=expires)
        self._lives_until(expires, now)
        self.told(self.tokens)
        return True

    def asking(self) -> str:
        """The refresh token to send now."""
        assert self.tokens is not None
        self.doubtful = True
        return self.tokens.refresh

    def refused(self, now: int, *, later: bool) -> None:
        """The broker didn't take it. ``later``: it is worth trying again on this connection; else the next connection
        shows whether the sign-in is over."""
        self.doubtful = False
        self.due = now + int(self.rng.uniform(*AGAIN)) if later else None

    def expired(self) -> bool:
        """The access token's time is over, says the broker; whether there is a refresh token to go on with."""
        if self.tokens is None:
            return False
        fresh, self.tokens = self.tokens.token is not None, attrs.evolve(self.tokens, token=None)
        return fresh

    def pause(self, ms: int) -> int:
        """How long to wait before the next connection, at most."""
        return min(ms, DOUBTFUL_PAUSE) if self.doubtful else ms

    def _lives_until(self, expires: int, now: int) -> None:
        self._good_until = expires - self._ahead
        due = now + int((self._good_until - now) * self.rng.uniform(*REFRESH_AT))
        self.due = due if self.due is None else min(due, self.due)  # a return to the connection puts nothing off
