"""Screen shares: asked for, accepted, confirmed; silence is refusal. Media never passes the broker.

Only from the commit of ``ShareConfirmed`` on does the hub relay SIGNAL between the two.
"""

from __future__ import annotations

from broker import limits
from broker.desk import events as e
from broker.desk import functions, sessions
from broker.desk.identity import Role
from broker.desk.outcome import Decision, Refusal, no_such, wrong_state
from broker.desk.state import Context, Share, State
from broker.desk.transitions import ALLOWED, SHARE, move
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def request(state: State, command: ops.ShareRequest, context: Context) -> Decision | Refusal:
    """The representative asks for the customer's screen."""
    session = sessions.own(state, command.session, context)
    if session is None:
        return no_such("session")
    if session.share is not None:
        return wrong_state(state.shares[session.share].state, "share.stop")
    portal = state.portals[state.requests[session.request].portal]
    if session.representative is None or session.web_chat == "chat_only":
        state_of = "waiting" if session.representative is None else "chat_only"
        return wrong_state(state_of, *ALLOWED["session"][session.state])
    person = state.representatives[session.representative]
    if (refusal := functions.refuse(state, portal, person, "screen_share")) is not None:
        return refusal
    number = state.requests[session.request].shares + 1
    share = f"h_{session.session[2:]}.{number}"
    event = e.ShareRequested(share, session.session, context.now + limits.CONSENT_TIMEOUT)
    return Decision([event], {"share": share})


def accept(state: State, command: ops.ShareAccept, context: Context) -> Decision | Refusal:
    """First step of consent."""
    share = _own(state, command.share, context)
    if share is None:
        return no_such("share")
    if share.state != "requested":
        return wrong_state(share.state, *_ALLOWED[share.state])
    event = e.ShareAccepted(share.share, share.session, context.now + limits.CONSENT_TIMEOUT)
    return Decision([event], {"share": share.share})


def confirm(state: State, command: ops.ShareConfirm, context: Context) -> Decision | Refusal:
    """Second step of consent: yes."""
    share = _own(state, command.share, context)
    if share is None:
        return no_such("share")
    if share.state != "accepted":
        return wrong_state(share.state, *_ALLOWED[share.state])
    session = state.sessions[share.session]
    event = e.ShareConfirmed(share.share, share.session, session.visitor, session.lead)
    return Decision([event], {"share": share.share})


def decline(state: State, command: ops.ShareDecline, context: Context) -> Decision | Refusal:
    """No."""
    share = _own(state, command.share, context)
    if share is None:
        return no_such("share")
    if share.state not in ("requested", "accepted"):
        return wrong_state(share.state, *_ALLOWED[share.state])
    return Decision([e.ShareEnded(share.share, share.session, "refused", "customer")], {"share": share.share})


def stop(state: State, command: ops.ShareStop, context: Context) -> Decision | Refusal:
    """Either side ends it, in whatever state it is."""
    share = _own(state, command.share, context)
    if share is None:
        return no_such("share")
    assert context.identity is not None
    by = "customer" if context.identity.role is Role.CUSTOMER else "representative"
    return Decision([e.ShareEnded(share.share, share.session, "ended", by)], {"share": share.share})


def silence(state: State, name: str, now: int) -> list[e.Event]:
    """No click within the time: refused."""
    return [e.ShareEnded(name, state.shares[name].session, "refused", "broker")]


_ALLOWED = {
    "requested": ("share.accept", "share.decline", "share.stop"),
    "accepted": ("share.confirm", "share.decline", "share.stop"),
    "active": ("share.stop",),
}


def _own(state: State, name: str, context: Context) -> Share | None:
    share = state.shares.get(name)
    if share is None or sessions.own(state, share.session, context) is None:
        return None
    return share


# --- evolve ----------------------------------------------------------------------------------------


def share_requested(state: State, event: e.ShareRequested, t: int) -> None:
    """Apply ``ShareRequested``."""
    state.shares[event.share] = Share(event.share, event.session, "requested", event.until)
    session = state.sessions[event.session]
    session.share = event.share
    state.requests[session.request].shares += 1
    state.deadlines.set("consent", event.share, event.until)


def share_accepted(state: State, event: e.ShareAccepted, t: int) -> None:
    """Apply ``ShareAccepted``."""
    share = state.shares[event.share]
    share.state, share.until = move(SHARE, share.state, event.TYPE), event.until
    state.deadlines.set("consent", event.share, event.until)


def share_confirmed(state: State, event: e.ShareConfirmed, t: int) -> None:
    """Apply ``ShareConfirmed``."""
    share = state.shares[event.share]
    share.state, share.until = move(SHARE, share.state, event.TYPE), None
    state.deadlines.set("consent", event.share, None)


def share_ended(state: State, event: e.ShareEnded, t: int) -> None:
    """Apply ``ShareEnded``."""
    share = state.shares.pop(event.share)
    move(SHARE, share.state, event.TYPE, event.state)
    state.sessions[event.session].share = None
    state.deadlines.set("consent", event.share, None)
