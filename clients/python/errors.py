"""What can go wrong for a caller: one class for each code of the protocol, all under ``HuntgroupError``.

A ``Refused`` (FAIL) ends one request, an ``Ended`` (GOODBYE that is final) the whole client. Codes of a newer
broker that have no class here come as the plain base class, whose ``code`` still tells the range.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker.codes import Close, Code
from broker.protocol.frames import Fail

REFUSALS: Final[dict[int, type[Refused]]] = {}
"""Code of FAIL to class; a test holds it against ``broker.codes``."""
ENDS: Final[dict[int, type[Ended]]] = {}
"""Code of GOODBYE to class: all that don't come back, and an expired token."""


class HuntgroupError(Exception):
    """Anything this client raises of its own accord."""


class UnreachableError(HuntgroupError):
    """There is no broker at that address, or something else answers there."""


class ClosedError(HuntgroupError):
    """The client was used after its ``async with`` block."""


# --- a request was refused ---------------------------------------------------------------------------


class Refused(HuntgroupError):
    """The broker answered a request with FAIL: nothing was done (but see ``UnknownOutcome``)."""

    def __init_subclass__(cls, of: Code) -> None:
        REFUSALS[of] = cls

    def __init__(
        self,
        code: int,
        text: str,
        *,
        detail: Mapping[str, object] | None = None,
        retry_ms: int | None = None,
        op: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(code, text)
        self.code = code
        """Of the protocol: 2xxx don't repeat, 3xxx repeat later, 5xxx the broker's fault."""
        self.text = text
        """For developers; show your own words, chosen by ``code``."""
        self.detail: Mapping[str, object] = {} if detail is None else detail
        self.retry_ms = retry_ms
        """When the same request may be sent again, where the broker says so."""
        self.op = op
        self.key = key
        """The key it was sent with: ``request(..., key=error.key)`` repeats it safely."""

    @property
    def repeatable(self) -> bool:
        """Whether the same request may be sent again, later."""
        return 3000 <= self.code < 4000

    def __str__(self) -> str:
        what = f"{self.op}: " if self.op is not None else ""
        return f"{what}{self.text} ({self.code})"


class BadArgs(Refused, of=Code.BAD_ARGS):
    """An argument is missing, of a wrong type or out of bounds."""

    @property
    def path(self) -> str | None:
        """Which one: ``args.text``, ``args.subportals[2]``."""
        return _text(self.detail.get("path"))


class NotAllowed(Refused, of=Code.NOT_ALLOWED):
    """This identity may not do that, or the portal lets nobody (``take = "off"``); where ``identity.must_change`` is
    set, nothing but ``set_password`` is allowed."""


class NoSuch(Refused, of=Code.NO_SUCH):
    """No such operation, stream or object, or none this identity may know of."""


class OfferGone(Refused, of=Code.OFFER_GONE):
    """The offer has ended."""

    @property
    def reason(self) -> str | None:
        """taken, expired, revoked, declined or gone."""
        return _text(self.detail.get("reason"))

    @property
    def winner(self) -> str | None:
        """Of a taken one: the name of the representative who has it."""
        return _text(self.detail.get("name"))


class PinInvalid(Refused, of=Code.PIN_INVALID):
    """The pin is wrong, used, expired or revoked."""


class KeyReused(Refused, of=Code.KEY_REUSED):
    """This key was used with other arguments: a mistake in the program."""


class WrongState(Refused, of=Code.WRONG_STATE):
    """Not in this state."""

    @property
    def state(self) -> str | None:
        """The state it is in."""
        return _text(self.detail.get("state"))

    @property
    def allowed(self) -> tuple[str, ...]:
        """What may be done instead."""
        found = self.detail.get("allowed")
        return tuple(map(str, found)) if isinstance(found, list | tuple) else ()

    @property
    def offset(self) -> int | None:
        """Of an upload that is elsewhere: where it goes on."""
        return _number(self.detail.get("offset"))

    @property
    def opens(self) -> int | None:
        """Of a portal that is closed for its hours: when they begin (ms since 1970 UTC)."""
        return _number(self.detail.get("opens"))


class TooLarge(BadArgs, of=Code.TOO_LARGE):
    """A value is larger than the limits of this connection, or a text longer than its field may have it: ``path`` names
    it. Also raised before anything was sent."""


class Quota(Refused, of=Code.QUOTA):
    """A limit on the number of things of this kind is reached."""


class QueueFull(Refused, of=Code.QUEUE_FULL):
    """The waiting line takes no more requests."""

    @property
    def subportal(self) -> str | None:
        """Whose line."""
        return _text(self.detail.get("subportal"))

    @property
    def max_waiting(self) -> int | None:
        """How many may wait there."""
        return _number(self.detail.get("max_waiting"))


class DeadlinePassed(Refused, of=Code.DEADLINE):
    """The request's own deadline passed first; nothing was done."""


class Moved(Refused, of=Code.MOVED):
    """The account is served elsewhere."""

    @property
    def url(self) -> str | None:
        """Where."""
        return _text(self.detail.get("url"))


class RateLimited(Refused, of=Code.RATE):
    """Too many requests, or too many wrong pins."""


class JournalDown(Refused, of=Code.JOURNAL_DOWN):
    """The broker's journal takes no writes now; nothing was done."""


class UnknownOutcome(Refused, of=Code.UNKNOWN_OUTCOME):
    """It may or may not have been done: repeating it with ``key`` tells, and does it if it wasn't."""


class Overloaded(Refused, of=Code.OVERLOADED):
    """The broker is shedding load."""


class InternalError(Refused, of=Code.INTERNAL):
    """The broker's fault."""

    @property
    def correlation(self) -> str | None:
        """What finds it in the broker's log."""
        return _text(self.detail.get("correlation"))


# --- the connection is over for good ------------------------------------------------------------------


class Ended(HuntgroupError):
    """The broker sent this client away and it doesn't come back by itself; every call raises this from now on."""

    def __init_subclass__(cls, of: Close | None = None) -> None:
        if of is not None:
            ENDS[of] = cls

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        """Of GOODBYE and of the WebSocket's close."""
        self.text = text

    def __str__(self) -> str:
        return f"{self.text} ({self.code})"


class TokenExpired(Ended, of=Close.TOKEN_EXPIRED):
    """The token's time is over, and there was no way to get a fresh one."""


class BadAuth(Ended, of=Close.BAD_AUTH):
    """The credential is wrong, forged or revoked."""


class SignInOver(BadAuth):
    """A sign-in that this client kept alive is over: somebody ended it, its password was changed elsewhere, or nothing
    was heard of it for too long. Sign in again."""


class ProtocolBroken(Ended, of=Close.PROTOCOL):
    """One side sent what the protocol does not allow."""


class NoCommonVersion(Ended, of=Close.NO_COMMON_VERSION):
    """Broker and client have no protocol version in common: one of them is too old."""


class TakenOver(Ended, of=Close.TAKEN_OVER):
    """Another connection took this one's place."""


class Kicked(Ended, of=Close.KICKED):
    """A manager ended this connection."""


class OriginRefused(Ended, of=Close.ORIGIN):
    """Pages of this origin may not connect."""


# --- from codes to classes -----------------------------------------------------------------------------


def refusal(fail: Fail, *, op: str | None = None, key: str | None = None) -> Refused:
    """The error for a FAIL."""
    made = REFUSALS.get(fail.code, Refused)
    return made(fail.code, fail.text, detail=fail.detail, retry_ms=fail.retry_ms, op=op, key=key)


def ended(code: int, text: str) -> Ended:
    """The error for a GOODBYE (or a WebSocket close) that is final."""
    return ENDS.get(code, Ended)(code, text)


def afresh(error: Exception) -> Exception:
    """An error to be raised again, without the trace of the last time. One of the caller's own code keeps its trace:
    that is where to look."""
    return error.with_traceback(None) if isinstance(error, HuntgroupError) else error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
