"""The states of a share in which something is allowed, and its ends that follow from something else."""

from __future__ import annotations

from collections.abc import Iterable

from broker.desk import events as e
from broker.desk.state import Share, State

AGREED = frozenset({"negotiating", "active", "rebooting"})
"""The states with the customer's consent."""
RELAYED = frozenset({"negotiating", "active"})
"""Those in which the hub relays SIGNAL."""


def end(share: Share, reason: str | None, by: str = "broker") -> e.ShareEnded:
    """It is over, for this reason."""
    return e.ShareEnded(share.share, share.session, "ended", by, reason)


def ends(state: State, names: Iterable[str], reason: str) -> list[e.Event]:
    """All of these are over, because of something else."""
    return [end(state.shares[name], reason) for name in names]


def given_up(state: State, names: Iterable[str]) -> list[e.Event]:
    """All of these are over, because their customer didn't come back: from a restart, or at all."""
    found = (state.shares[name] for name in names)
    return [end(share, "not_back" if share.state == "rebooting" else "abandoned") for share in found]


def rebooting_until(state: State, visitor: str) -> int:
    """Until when this customer's machine may take to restart; 0: it isn't restarting."""
    known = state.visitors.get(visitor)
    shares = (state.shares[name] for name in known.shares) if known is not None else ()
    return max((share.until or 0 for share in shares if share.state == "rebooting"), default=0)
