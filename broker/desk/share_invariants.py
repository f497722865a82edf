"""What must be true of screen shares between two commands: a part of ``invariants``."""

from __future__ import annotations

from collections import Counter

from broker.desk import functions, legs
from broker.desk.line_invariants import Broken
from broker.desk.share_ends import AGREED, RELAYED
from broker.desk.state import Member, Share, State
from broker.desk.transitions import SHARE

_TIMED = AGREED - {"active"} | {"requested", "accepted"}
"""The states that end by themselves."""


def shared(state: State) -> Broken:
    """Everybody who must know a share does, and it may do what was consented to and is on, and nothing else."""
    yield from _known(state)
    yield from _watched(state)
    for share in state.shares.values():
        session = state.sessions.get(share.session)
        if session is not None and (session.visitor, session.representative) != (share.visitor, share.representative):
            yield "F2", f"{share.share} is of other people than {session.session}"
        if share.visitor not in state.visitors or share.representative not in state.representatives:
            yield "F2", f"{share.share} is of {share.visitor} and {share.representative}, who aren't there"
        elif share.portal not in state.portals:
            yield "F2", f"{share.share} is of {share.portal}, which isn't there"
        else:
            yield from _granted(state, share)


def _watched(state: State) -> Broken:
    """Guests look at the share of their session, on a leg of their own, where it is on for them."""
    for session in state.sessions.values():
        looking = [(who, member) for who, member in session.members.items() if member.leg is not None]
        share = state.shares.get(session.share or "")
        if share is not None and share.state in RELAYED:
            yield from _legs(state, share, looking)
        else:
            yield from (("F2", f"{who} looks where nothing is relayed: {session.session}") for who, _ in looking)


def _legs(state: State, share: Share, looking: list[tuple[str, Member]]) -> Broken:
    free = {f"{share.share}.{number + 1}" for number in range(share.legs)}
    for who, member in looking:
        if member.leg not in free:
            yield "F2", f"{member.leg} of {who} is no leg of {share.share}, or another's too"
        free.discard(str(member.leg))
        on = legs.may(member, functions.on(state, state.portals[share.portal], state.representatives[who]))
        if member.functions != on or "screen_share" not in on:
            yield "A11", f"{who} looks with {member.functions}, and {on} are on"


def _known(state: State) -> Broken:
    if state.sharing != {share.session: share.share for share in state.shares.values()}:
        yield "F2", f"sessions have other shares than there are: {state.sharing}"
    for session in state.sessions.values():
        if session.share != state.sharing.get(session.session):
            yield "F2", f"{session.session} knows a share {session.share} that isn't there"
    for found, what in (
        (Counter(share.visitor for share in state.shares.values()), "visitor"),
        (Counter(share.representative for share in state.shares.values()), "representative"),
    ):
        people = state.visitors.values() if what == "visitor" else state.representatives.values()
        for person in people:
            name = getattr(person, what)
            if len(person.shares) != found[name] or any(getattr(state.shares[s], what) != name for s in person.shares):
                yield "F2", f"{name} has other shares than {list(person.shares)}"


def _granted(state: State, share: Share) -> Broken:
    on = functions.on(state, state.portals[share.portal], state.representatives[share.representative])
    if share.visitor in state.blocked or state.visitors[share.visitor].source in state.blocked:
        yield "L5", f"{share.share} goes on, and {share.visitor} is blocked"
    if "screen_share" not in on:
        yield "A11", f"{share.share} goes on, and screen_share is off"
    agreed = share.state in AGREED
    if agreed and share.functions != on:
        yield "A11", f"{share.share} was granted {share.functions}, and {on} are on"
    if (share.control or share.asked is not None) and (not agreed or "control" not in on):
        yield "F9", f"{share.share} has control, or is asked for it, in the state {share.state}, where {on} are on"
    if share.state not in SHARE or (share.until is None and share.state in _TIMED):
        yield "F17", f"{share.share} is {share.state} for ever"
