"""Guests who look at a shared screen.

Theory of operation. A share has two ends, and keeps them: the customer's machine shows its screen to one other end,
that of the representative who asked. A guest has a *leg*: whoever has the share passes the picture on to it, and the
guest's input back. The hub relays SIGNAL on a leg as on a share, between these two. The customer's end has no part in
it: what it gets is the same whether or not a guest who is masked looks on. A guest asks for its media as the ends do
(``share.join``), and has its leg from the commit of ``ShareWatched`` on; it looks no more when it says so
(``share.stop``), when it leaves the session, or when ``screen_share`` is off for it. With the share, and with a restart
of the customer's machine, all its legs are over: media is set up anew.

What a guest may do is what the share's grant has *and* what is on for the guest at this portal; one who is in the
session to view only looks, and nothing else. The leg's id is told to these two alone: it is numbered, and the numbers
of the others would tell of one who is masked. What the events change is in ``legs``.
"""

from __future__ import annotations

from typing import Final

import attrs

from broker.desk import functions, legs, share_ends
from broker.desk.commands import Watch
from broker.desk.identity import Identity
from broker.desk.outcome import Decision, Refusal, wrong_state
from broker.desk.state import Context, Member, Share, State
from broker.protocol import ops

INSTEAD: Final = (ops.SessionLeave.OP,)
"""What is left to a guest who can't look."""


@attrs.frozen
class Side:
    """One of those who have a share's media, as ``share.join`` is answered."""

    side: str
    """customer, representative, guest."""
    leg: str | None
    """A guest's."""
    control: bool
    functions: tuple[str, ...]


def guest(state: State, name: str, identity: Identity) -> tuple[Share, Member] | None:
    """The share, and this guest of its session, if it is one."""
    share = state.shares.get(name)
    session = None if share is None else state.sessions.get(share.session)
    if share is None or session is None:
        return None
    member = session.members.get(identity.person)
    return None if member is None else (share, member)


def join(state: State, share: Share, who: str) -> Share | Refusal:
    """The share, if this guest's media may be set up now."""
    if share.state not in share_ends.RELAYED:
        return wrong_state(share.state, *INSTEAD)
    person = state.representatives[who]
    return functions.refuse(state, state.portals[share.portal], person, "screen_share") or share


def watch(state: State, command: Watch, context: Context) -> Decision:
    """The guest gets its leg, if it has none."""
    share = state.shares[command.share]
    session = state.sessions[share.session]
    member = session.members[command.representative]
    if member.leg is not None:
        return Decision()
    on = functions.on(state, state.portals[share.portal], state.representatives[command.representative])
    leg = f"{share.share}.{share.legs + 1}"
    return Decision([legs.watched(share, session, command.representative, leg, legs.may(member, on))])


def side(share: Share, member: Member) -> Side:
    """A guest who looks: what the grant has and the guest has."""
    on = tuple(name for name in share.functions if name in member.functions)
    return Side("guest", member.leg, share.control and "control" in on, on)


def stop(share: Share, who: str, member: Member) -> Decision:
    """The guest looks no more; the share goes on."""
    value = {"share": share.share}
    if member.leg is None:
        return Decision(value=value)
    return Decision([legs.unwatched(share, who, member, "stopped")], value)
