"""Every numbered outcome, once: the codes of FAIL and the codes of GOODBYE, as data.

The spec's tables are rendered from here and every client is tested against them.
Ranges tell a client that doesn't know a code what to do: 2xxx don't repeat as it is, 3xxx repeat
after ``retry_ms`` with jitter, 5xxx the broker's fault; 4000 to 4499 come back, 4500 to 4999 don't
without a change.
"""

from enum import IntEnum
from typing import Final


class Code(IntEnum):
    """Why a request was refused (FAIL)."""

    BAD_ARGS = 2400
    NOT_ALLOWED = 2401
    NO_SUCH = 2404
    OFFER_GONE = 2405
    PIN_INVALID = 2406
    KEY_REUSED = 2409
    WRONG_STATE = 2410
    TOO_LARGE = 2413
    QUOTA = 2422
    QUEUE_FULL = 2429
    DEADLINE = 3408
    MOVED = 3421
    RATE = 3429
    JOURNAL_DOWN = 3503
    UNKNOWN_OUTCOME = 3504
    OVERLOADED = 3529
    INTERNAL = 5500

    @property
    def repeatable(self) -> bool:
        """Whether the same request may be sent again after ``retry_ms``."""
        return 3000 <= self < 4000


class Close(IntEnum):
    """Why a connection ends (GOODBYE, and the WebSocket close code)."""

    SHUTDOWN = 4000
    TOKEN_EXPIRED = 4005
    TOO_SLOW = 4008
    DEAD = 4009
    TOO_FAST = 4013
    BUSY = 4029
    BAD_AUTH = 4500
    PROTOCOL = 4501
    NO_COMMON_VERSION = 4502
    TAKEN_OVER = 4503
    KICKED = 4504
    ORIGIN = 4505

    @property
    def come_back(self) -> bool:
        """Whether a client reconnects by itself."""
        return self < 4500


MEANING: Final[dict[Code | Close, str]] = {
    Code.BAD_ARGS: "an argument is missing, unknown to its type or out of bounds; detail.path names it",
    Code.NOT_ALLOWED: "this identity may not do that",
    Code.NO_SUCH: "no such operation, stream or object (or none this identity may know of)",
    Code.OFFER_GONE: "the offer has ended; detail.reason is taken, expired, revoked, declined or gone",
    Code.PIN_INVALID: "the pin is wrong, used, expired or revoked: alike to a customer",
    Code.KEY_REUSED: "this key was used with other arguments",
    Code.WRONG_STATE: "not in this state; detail.state and detail.allowed name it and what may be done",
    Code.TOO_LARGE: "a value is larger than the limits in WELCOME",
    Code.QUOTA: "a limit on the number of things of this kind is reached",
    Code.QUEUE_FULL: "the waiting line takes no more requests",
    Code.DEADLINE: "the request's own deadline passed before it was carried out; nothing was done",
    Code.MOVED: "the account is served elsewhere; detail.url names the place",
    Code.RATE: "too many requests, or too many wrong pins",
    Code.JOURNAL_DOWN: "the journal takes no writes now; surely nothing was done",
    Code.UNKNOWN_OUTCOME: "the write may or may not have been stored: repeat with the same key",
    Code.OVERLOADED: "the broker is shedding load",
    Code.INTERNAL: "the broker's fault; detail.correlation finds it in the log",
    Close.SHUTDOWN: "the broker is stopping or restarting; come back after retry_ms",
    Close.TOKEN_EXPIRED: "the token ran out; sign in with a fresh one",
    Close.TOO_SLOW: "no progress in reading for too long; come back and subscribe from the last offset",
    Close.DEAD: "no sign of life for 2.5 heartbeats",
    Close.TOO_FAST: "frames arrived faster than the limits in WELCOME, again and again",
    Close.BUSY: "no room for another connection now",
    Close.BAD_AUTH: "the credential is wrong, forged or revoked",
    Close.PROTOCOL: "bytes or frames that the protocol does not allow",
    Close.NO_COMMON_VERSION: "no protocol version in common",
    Close.TAKEN_OVER: "another connection took this one's place",
    Close.KICKED: "a manager ended this connection",
    Close.ORIGIN: "pages of this origin may not connect",
}
