"""What must survive a cut: unanswered requests with their keys, and places in streams. And how long to wait. Sans-IO.

Theory of operation. ``Ledger`` knows what was asked and not answered, in the order of asking, and what is followed.
``take`` gives the requests that may go out now: streams first, then everything else in order, never more in flight
than WELCOME allows (the rest waits: that is the back-pressure). After a cut nothing is in flight, so ``take`` gives
the same requests again under the same keys; the broker's side of the bargain is that a key is carried out once.
Answers that say "later" (3xxx) send their request back into the line, with its key, up to a limit of patience.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from math import ceil
from typing import Final

import attrs

from broker.codes import Code
from broker.limits import FILE_CHUNK, FILE_RATE, INFLIGHT_CUSTOMER, MAX_SUBSCRIPTIONS, RATE_CUSTOMER
from broker.protocol.frames import Event, Fail, Frame, Gap, Notice, Request, Result, Snapshot, Welcome
from broker.protocol.ops import Subscribe, Unsubscribe, weight
from clients.python.commands import arguments
from clients.python.errors import Quota, refusal
from clients.python.following import Follow, Phase

GONE: Final = frozenset((Code.NO_SUCH, Code.NOT_ALLOWED))
LATER: Final = frozenset((Code.RATE, Code.JOURNAL_DOWN, Code.UNKNOWN_OUTCOME, Code.OVERLOADED))
"""Refusals after which the same request is worth sending again, with its key."""


@attrs.define
class Backoff:
    """Full jitter: each pause is drawn from nothing to a ceiling that doubles; what the broker says is added."""

    rng: random.Random
    first_ms: int = 200
    most_ms: int = 30_000
    """A restart of the broker is noticed within this; 50,000 clients then come at 1,700 a second."""
    tries: int = 0

    def pause(self, retry_ms: int | None = None) -> int:
        """How long to wait before the next try (ms). ``retry_ms``: no earlier than that."""
        ceiling = min(self.most_ms, self.first_ms << min(self.tries, 20))
        self.tries += 1
        if retry_ms is not None:
            return retry_ms + int(self.rng.uniform(0, max(ceiling, min(retry_ms, self.most_ms))))
        return int(self.rng.uniform(0, ceiling))

    def reset(self) -> None:
        """It worked."""
        self.tries = 0


@attrs.frozen(kw_only=True)
class Patience:
    """How far a request is repeated by itself when the broker says "later"."""

    repeats: int = 6
    most_ms: int = 5_000
    """A longer pause is the caller's to decide on: the error says how long."""


@attrs.define
class Pace:
    """How fast requests may go out: WELCOME's rate. The broker counts all of a person's connections together."""

    per_second: int = RATE_CUSTOMER[0]
    burst: int = RATE_CUSTOMER[1]
    _level: float = RATE_CUSTOMER[1]
    _at: int = 0

    def set(self, per_second: int, burst: int, now: int) -> None:
        """A new connection's terms."""
        self._fill(now)
        self._level += max(0, burst - self.burst)
        self.per_second, self.burst = per_second, burst

    def take(self, now: int, cost: int = 1) -> bool:
        """Whether one more may go out now; it counts."""
        self._fill(now)
        if self._level < cost:
            return False
        self._level -= cost
        return True

    def next(self, cost: int = 1) -> int:
        """When there is room for one more (ms), if nothing is taken meanwhile."""
        return self._at + max(0, ceil((cost - self._level) * 1000 / self.per_second))

    def _fill(self, now: int) -> None:
        self._level = min(self.burst, self._level + (now - self._at) * self.per_second / 1000)
        self._at = now


@attrs.define(eq=False)
class Pending:
    """One request that has no answer yet, or has just got one."""

    id: int
    op: str
    args: Mapping[str, object]
    key: str | None
    deadline_ms: int | None
    done: Callable[[], None]
    """Called once, when ``result`` or ``error`` is set."""
    abandoned: bool = False
    """Nobody waits for it any more."""
    result: Result | None = None
    error: Exception | None = None
    backoff: Backoff | None = None
    not_before: int = 0

    def frame(self) -> Request:
        """What goes on the wire, the same each time."""
        return Request(self.id, self.op, self.args, self.key, self.deadline_ms)


@attrs.define(eq=False)
class Ledger:
    """A client's memory across connections. ``now`` everywhere: ms of one clock that never goes back."""

    rng: random.Random
    patience: Patience = attrs.field(factory=Patience)
    inflight: int = INFLIGHT_CUSTOMER
    subscriptions: int = MAX_SUBSCRIPTIONS
    connected: bool = False
    follows: dict[str, Follow] = attrs.field(factory=dict)
    _pace: Pace = attrs.field(factory=Pace)
    _bytes: Pace = attrs.field(factory=lambda: Pace(*FILE_RATE, FILE_RATE[1]))
    """The same for pieces of files, which count by their bytes."""
    _numbers: int = 0
    _flying: set[int] = attrs.field(factory=set)
    """Ids in flight on this connection."""
    _asked: dict[int, Follow] = attrs.field(factory=dict)
    """Unanswered ``subscribe``s, by id."""
    _pending: dict[int, Pending] = attrs.field(factory=dict)
    """Without an answer, in order."""
    _waiting: deque[Pending] = attrs.field(factory=deque)
    """Those of them to be sent, in order."""
    _delayed: dict[int, Pending] = attrs.field(factory=dict)
    """Those of them that the broker wants later."""
    _leaving: deque[str] = attrs.field(factory=deque)
    """Streams to unsubscribe from."""

    # --- from the caller ---------------------------------------------------------------------------------

    def ask(
        self, op: str, args: Mapping[str, object], key: str | None, deadline_ms: int | None, done: Callable[[], None]
    ) -> Pending:
        """Put a request into the line."""
        pending = Pending(self._number(), op, args, key, deadline_ms, done)
        self._pending[pending.id] = pending
        self._waiting.append(pending)
        return pending

    def abandon(self, pending: Pending) -> None:
        """The caller left. What was sent may still be carried out; it is not sent again."""
        pending.abandoned = True
        self._delayed.pop(pending.id, None)
        if pending.id not in self._flying:
            self._pending.pop(pending.id, None)

    def follow(self, follow: Follow) -> None:
        """Follow a stream. ValueError if it is followed already, Quota beyond what a connection may."""
        if follow.stream in self.follows:
            raise ValueError(f"{follow.stream} is followed already: one subscription a stream")
        if len(self.follows) >= self.subscriptions:
            raise Quota(Code.QUOTA, f"a connection follows {self.subscriptions} streams at most", op=Subscribe.OP)
        self.follows[follow.stream] = follow

    def unfollow(self, follow: Follow) -> None:
        """Nobody reads it any more."""
        if self.follows.get(follow.stream) is follow:
            del self.follows[follow.stream]
            if follow.phase is Phase.LIVE:
                self._leaving.append(follow.stream)
        follow.end(None)

    def end(self, error: Exception) -> None:
        """It is all over: everything that waits gets this error."""
        self.connected = False
        for follow in self.follows.values():
            follow.end(error)
        self.follows.clear()
        for pending in self._pending.values():
            if not pending.abandoned:
                pending.error = error
                pending.done()
        self._pending.clear()

    # --- to the broker -----------------------------------------------------------------------------------

    def welcomed(self, welcome: Welcome, now: int) -> None:
        """A connection is open: from now on ``take`` gives what is to be sent."""
        self.connected = True
        terms = welcome.limits
        self.inflight = _limit(terms, "inflight", self.inflight)
        self.subscriptions = _limit(terms, "subscriptions", self.subscriptions)
        pace = self._pace
        burst = _limit(terms, "commands_burst", pace.burst)
        pace.set(_limit(terms, "commands_per_second", pace.per_second), burst, now)
        carried = max(FILE_CHUNK, _limit(terms, "file_bytes_per_second", self._bytes.per_second))
        self._bytes.set(carried, carried, now)

    def cut(self) -> None:
        """The connection is gone; nothing that was in flight will be answered on it."""
        self.connected = False
        self._asked.clear()
        self._flying.clear()
        self._leaving.clear()
        for follow in self.follows.values():
            follow.cut()
        self._pending = {number: pending for number, pending in self._pending.items() if not pending.abandoned}
        self._waiting = deque(pending for pending in self._pending.values() if pending.id not in self._delayed)

    def take(self, now: int, most: int) -> list[Request]:
        """Up to ``most`` requests that may go out now; they count as sent."""
        frames: list[Request] = []
        self._wake(now)
        while self.connected and len(frames) < most and len(self._flying) < self.inflight:
            if not self._wants(now) or not self._paced(now):
                break
            frames.append(self._next(now))
            self._flying.add(frames[-1].id)
        return frames

    def next_wake(self, now: int) -> int | None:
        """When ``take`` may have more than now by time alone (ms); None: not before something happens."""
        if not self.connected or len(self._flying) >= self.inflight:
            return None
        if self._wants(now):
            carried = self._carried(now)
            return self._bytes.next(carried) if carried else self._pace.next()
        times = [pending.not_before for pending in self._delayed.values()]
        times += [follow.not_before for follow in self.follows.values() if follow.phase is Phase.WANTED]
        return min(times, default=None)

    def _carried(self, now: int) -> int:
        """The bytes that the next request counts, if it is a piece of a file."""
        if self._leaving or self._unasked(now) is not None:
            return 0
        return weight(self._waiting[0].op, self._waiting[0].args)

    def _paced(self, now: int) -> bool:
        carried = self._carried(now)
        return self._bytes.take(now, carried) if carried else self._pace.take(now)

    def _wake(self, now: int) -> None:
        for pending in [pending for pending in self._delayed.values() if pending.not_before <= now]:
            del self._delayed[pending.id]
            self._waiting.append(pending)

    def _wants(self, now: int) -> bool:
        while self._waiting and self._waiting[0].abandoned:
            self._waiting.popleft()
        return bool(self._leaving or self._waiting) or self._unasked(now) is not None

    def _unasked(self, now: int) -> Follow | None:
        for follow in self.follows.values():
            if follow.wanted and follow.not_before <= now:
                return follow
        return None

    def _next(self, now: int) -> Request:
        if self._leaving:
            return Request(self._number(), Unsubscribe.OP, {"stream": self._leaving.popleft()})
        follow = self._unasked(now)
        if follow is None:
            return self._waiting.popleft().frame()
        follow.phase = Phase.ASKED
        number = self._number()
        self._asked[number] = follow
        return Request(number, Subscribe.OP, arguments(follow.subscribe()))

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    # --- from the broker -----------------------------------------------------------------------------------

    def receive(self, frame: Frame, now: int) -> None:
        """An answer, or a frame of a stream; anything else is ignored. HoleError as ``Follow.take``."""
        match frame:
            case Event() | Notice() | Gap() | Snapshot():
                self._stream(frame)
            case Result():
                self._result(frame)
            case Fail():
                self._fail(frame, now)
            case _:
                pass

    def _stream(self, frame: Event | Notice | Gap | Snapshot) -> None:
        follow = self.follows.get(frame.stream)
        if follow is None:
            return
        before = follow.phase
        follow.take(frame)
        if follow.phase is Phase.OVER:
            del self.follows[follow.stream]
        elif before is Phase.LIVE and follow.phase is Phase.PARKED:
            self._leaving.append(follow.stream)

    def _result(self, result: Result) -> None:
        self._flying.discard(result.id)
        follow = self._asked.pop(result.id, None)
        if follow is not None:
            self._placed(follow, result.value)
            return
        pending = self._pending.pop(result.id, None)
        if pending is not None and not pending.abandoned:
            pending.result = result
            pending.done()

    def _placed(self, follow: Follow, value: object) -> None:
        offset = value.get("offset") if isinstance(value, dict) else None
        if self.follows.get(follow.stream) is follow and isinstance(offset, int):
            follow.placed(offset)
        elif follow.stream not in self.follows:  # given up before it began
            self._leaving.append(follow.stream)

    def _fail(self, fail: Fail, now: int) -> None:
        self._flying.discard(fail.id)
        follow = self._asked.pop(fail.id, None)
        if follow is not None:
            self._not_placed(follow, fail, now)
            return
        pending = self._pending.get(fail.id)
        if pending is None or (not pending.abandoned and self._again(pending, fail, now)):
            return
        del self._pending[fail.id]
        if not pending.abandoned:
            pending.error = refusal(fail, op=pending.op, key=pending.key)
            pending.done()

    def _again(self, pending: Pending, fail: Fail, now: int) -> bool:
        backoff = pending.backoff = pending.backoff or Backoff(self.rng, most_ms=self.patience.most_ms)
        if fail.code not in LATER or backoff.tries >= self.patience.repeats:
            return False
        if (fail.retry_ms or 0) > self.patience.most_ms:
            return False
        pending.not_before = now + backoff.pause(fail.retry_ms)
        self._delayed[pending.id] = pending
        return True

    def _not_placed(self, follow: Follow, fail: Fail, now: int) -> None:
        if self.follows.get(follow.stream) is not follow:
            return
        if fail.code in LATER:
            follow.phase = Phase.WANTED
            follow.not_before = now + self.rng.randrange(1000) + (fail.retry_ms or 0)
            return
        del self.follows[follow.stream]
        if fail.code in GONE and follow.began:
            follow.lost_right()
        else:
            follow.end(refusal(fail, op=Subscribe.OP))


def _limit(terms: Mapping[str, object], name: str, otherwise: int) -> int:
    """A number of WELCOME; none of them stops a client altogether."""
    value = terms.get(name)
    return max(1, value) if isinstance(value, int) else otherwise
