"""What a share's events change. Its rules are in ``shares``, ends that follow from something else in ``share_ends``.

A share has a life of its own: it holds its two people and its portal itself, so that it goes on when its session is
over. Both people know it (``Visitor.shares``, ``Representative.shares``), and so does its session, open or over
(``State.sharing``): its stream is read as long as the share lives.
"""

from __future__ import annotations

from broker.desk import events as e
from broker.desk import legs, seats, visitors
from broker.desk.state import Share, State
from broker.desk.transitions import SHARE, move


def keep(state: State, share: Share) -> None:
    """Make a share known to all who must know it, and due when it is."""
    state.shares[share.share] = share
    state.sharing[share.session] = share.share
    state.visitors[share.visitor].shares[share.share] = None
    state.representatives[share.representative].shares[share.share] = None
    state.deadlines.set("share", share.share, share.until)
    state.deadlines.set("control", share.share, share.asked)


# --- evolve ----------------------------------------------------------------------------------------


def share_requested(state: State, event: e.ShareRequested, t: int) -> None:
    """Apply ``ShareRequested``."""
    session = state.sessions[event.session]
    request = state.requests[session.request]
    keep(
        state,
        Share(
            event.share,
            event.session,
            "requested",
            event.until,
            event.visitor or session.visitor,
            event.representative or session.lead,
            event.portal or request.portal,
            event.control,
        ),
    )
    session.share = event.share
    request.shares += 1


def share_accepted(state: State, event: e.ShareAccepted, t: int) -> None:
    """Apply ``ShareAccepted``."""
    _step(state, event, event.until)


def share_confirmed(state: State, event: e.ShareConfirmed, t: int) -> None:
    """Apply ``ShareConfirmed``."""
    share = _step(state, event, event.until)
    share.control, share.functions = event.control, event.functions


def share_started(state: State, event: e.ShareStarted, t: int) -> None:
    """Apply ``ShareStarted``."""
    _step(state, event, None)


def share_control_asked(state: State, event: e.ShareControlAsked, t: int) -> None:
    """Apply ``ShareControlAsked``."""
    share = _same(state, event)
    share.asked = event.until
    state.deadlines.set("control", share.share, event.until)


def share_controlled(state: State, event: e.ShareControlled, t: int) -> None:
    """Apply ``ShareControlled``: the question is answered."""
    share = _same(state, event)
    share.control = event.control
    _answered(state, share)


def share_grant_changed(state: State, event: e.ShareGrantChanged, t: int) -> None:
    """Apply ``ShareGrantChanged``: what is off can't be asked for either."""
    share = _same(state, event)
    share.control, share.functions = event.control, event.functions
    if "control" not in event.functions:
        _answered(state, share)


def share_rebooting(state: State, event: e.ShareRebooting, t: int) -> None:
    """Apply ``ShareRebooting``: a customer who is lost already is waited for at least as long as its machine."""
    share = _step(state, event, event.until)
    _answered(state, share)
    if (session := state.sessions.get(share.session)) is not None:
        legs.all_done(session)
    visitor = state.visitors[share.visitor]
    if visitor.lost_until is not None and visitor.lost_until < event.until:
        visitor.lost_until = event.until
        state.deadlines.set("abandon", visitor.visitor, event.until)


def share_back(state: State, event: e.ShareBack, t: int) -> None:
    """Apply ``ShareBack``."""
    _step(state, event, event.until)


def share_ended(state: State, event: e.ShareEnded, t: int) -> None:
    """Apply ``ShareEnded``: nobody knows it any more, and the stream of a session that is over is read to the end."""
    share = state.shares.pop(event.share)
    move(SHARE, share.state, event.TYPE, event.state)
    state.deadlines.set("share", share.share, None)
    state.deadlines.set("control", share.share, None)
    del state.sharing[share.session]
    session = state.sessions.get(share.session)
    if session is not None:
        session.share = None
        legs.all_done(session)
    else:
        state.ended_sessions.move_to_end(share.session)
    visitor, person = state.visitors[share.visitor], state.representatives[share.representative]
    del visitor.shares[share.share], person.shares[share.share]
    visitors.rest(state, visitor, t)
    seats.done(state, person, t)


def renew(state: State, event: e.BrokerStarted) -> None:
    """The broker is up again: whoever is asked, or sets something up, has the full time anew."""
    for share in state.shares.values():
        if share.until is not None:
            share.until = event.reboot_until if share.state == "rebooting" else event.consent_until
            state.deadlines.set("share", share.share, share.until)
        if share.asked is not None:
            share.asked = event.consent_until
            state.deadlines.set("control", share.share, share.asked)


def _same(state: State, event: e.ShareControlAsked | e.ShareControlled | e.ShareGrantChanged) -> Share:
    share = state.shares[event.share]
    share.state = move(SHARE, share.state, event.TYPE)
    return share


def _step(
    state: State,
    event: e.ShareAccepted | e.ShareConfirmed | e.ShareStarted | e.ShareRebooting | e.ShareBack,
    until: int | None,
) -> Share:
    share = state.shares[event.share]
    share.state, share.until = move(SHARE, share.state, event.TYPE), until
    state.deadlines.set("share", share.share, until)
    return share


def _answered(state: State, share: Share) -> None:
    share.asked = None
    state.deadlines.set("control", share.share, None)
