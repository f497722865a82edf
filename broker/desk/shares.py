"""Screen shares: asked for, accepted, confirmed, set up, under way. Media never passes the broker.

Theory of operation. Consent takes two steps of the customer's, and is to be looked at by one person, with the guests
whom that one asks in (``watching``). Control is a second consent, which is asked for with the first or later, given by
itself, and taken back at any time. Saying nothing always means no. What a share may do is its *grant*: view, control
where it was consented to, and the functions that are on for its portal and its representative, told with their reasons.
From the commit of ``ShareConfirmed`` on the hub relays SIGNAL between the two, and hands out what media needs
(``share.join``). Either end says that the media runs; if nobody does in time, the share ends. A restart of the
customer's machine (``share.reboot``) keeps share and grant: once the machine asks for its media again (``share.join``),
that is set up anew. A connection of the customer's says nothing of the machine: a second device may have stayed, or
come back alone; and the machine's own old one may not have been missed yet when it is back.

The states are a table (``transitions.SHARE``), and so is what may be asked for in each (``ALLOWED``). What changes the
state is in ``share_state``.
"""

from __future__ import annotations

from collections.abc import Sequence

from broker import limits
from broker.desk import chat, functions, sessions, share_ends, watching
from broker.desk import events as e
from broker.desk.commands import MachineBack, Watch
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision, Refusal, no_such, wrong_state
from broker.desk.state import Context, Share, State
from broker.desk.transitions import ALLOWED
from broker.desk.watching import Side
from broker.protocol import ops

_ALLOWED = ALLOWED["share"]
_CUSTOMER = "customer"

# --- consent ---------------------------------------------------------------------------------------


def request(state: State, command: ops.ShareRequest, context: Context) -> Decision | Refusal:
    """The representative asks for the customer's screen, and perhaps for control with it."""
    session = sessions.own(state, command.session, context)
    if session is None:
        return chat.over(state, command.session, context)
    if session.share is not None:
        return wrong_state(state.shares[session.share].state, "share.stop")
    of = state.requests[session.request]
    portal = state.portals[of.portal]
    if session.web_chat == "chat_only":
        return wrong_state("chat_only", *ALLOWED["session"][session.state])
    person = state.representatives[session.lead]
    for function in ("screen_share", "control") if command.control else ("screen_share",):
        if (refusal := functions.refuse(state, portal, person, function)) is not None:
            return refusal
    share = f"h_{session.session[2:]}.{of.shares + 1}"
    event = e.ShareRequested(
        share,
        session.session,
        context.now + limits.CONSENT_TIMEOUT,
        session.visitor,
        person.representative,
        portal.portal,
        command.control is True,
    )
    return Decision([event], {"share": share})


def accept(state: State, command: ops.ShareAccept, context: Context) -> Decision | Refusal:
    """First step of consent."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    event = e.ShareAccepted(share.share, share.session, context.now + limits.CONSENT_TIMEOUT)
    return Decision([event], {"share": share.share})


def confirm(state: State, command: ops.ShareConfirm, context: Context) -> Decision | Refusal:
    """Second step of consent: yes to being looked at, and to control if that is said as well, was asked for, and is on
    now."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    portal, person = state.portals[share.portal], state.representatives[share.representative]
    on = functions.on(state, portal, person)
    event = e.ShareConfirmed(
        share=share.share,
        session=share.session,
        customer=share.visitor,
        representative=share.representative,
        until=context.now + limits.NEGOTIATION_TIMEOUT,
        control=command.control is True and share.wanted and "control" in on,
        functions=on,
        reasons=functions.chains(functions.Plan(state), portal, person),
    )
    return Decision([event], {"share": share.share, "control": event.control})


def decline(state: State, command: ops.ShareDecline, context: Context) -> Decision | Refusal:
    """No."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    event = e.ShareEnded(share.share, share.session, "refused", _CUSTOMER)
    return Decision([event], {"share": share.share})


def ask_control(state: State, command: ops.ShareAskControl, context: Context) -> Decision | Refusal:
    """The representative asks for control of a share that goes on."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    if share.control or share.asked is not None:
        now = "control_granted" if share.control else "control_asked"
        return wrong_state(now, *(op for op in _ALLOWED[share.state] if op != command.OP))
    if (refusal := _off(state, share, "control")) is not None:
        return refusal
    until = context.now + limits.CONSENT_TIMEOUT
    return Decision([e.ShareControlAsked(share.share, share.session, share.state, until)], {"share": share.share})


def control(state: State, command: ops.ShareControl, context: Context) -> Decision | Refusal:
    """The customer answers the question for control, or takes control back. Nobody is given what wasn't asked for."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    value = {"share": share.share, "control": command.allow}
    if command.allow == share.control and share.asked is None:
        return Decision(value=value)
    if command.allow and share.asked is None:
        return wrong_state("control_not_asked", *_ALLOWED[share.state])
    return Decision([_controlled(share, control=command.allow, by=_CUSTOMER)], value)


# --- on its way -------------------------------------------------------------------------------------


def started(state: State, command: ops.ShareStarted, context: Context) -> Decision | Refusal:
    """Either end says that the media runs; the second one says nothing new."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    value = {"share": share.share}
    if share.state == "active":
        return Decision(value=value)
    return Decision([e.ShareStarted(share.share, share.session, _side(context))], value)


def reboot(state: State, command: ops.ShareReboot, context: Context) -> Decision | Refusal:
    """The representative lets the customer's machine restart: only with control, and where that is on."""
    share = _in_its_state(state, command.share, command.OP, context)
    if isinstance(share, Refusal):
        return share
    if (refusal := _off(state, share, "reboot")) is not None:
        return refusal
    if not share.control:
        return wrong_state("view_only", *(op for op in _ALLOWED[share.state] if op != command.OP))
    until = context.now + limits.REBOOT_GRACE
    return Decision([e.ShareRebooting(share.share, share.session, until)], {"share": share.share, "until": until})


def stop(state: State, command: ops.ShareStop, context: Context) -> Decision | Refusal:
    """Either side ends it, in whatever state it is; a guest looks at it no more."""
    assert context.identity is not None
    if (found := watching.guest(state, command.share, context.identity)) is not None:
        return watching.stop(found[0], context.identity.person, found[1])
    share = _own(state, command.share, context.identity)
    if isinstance(share, Refusal):
        return share
    return Decision([share_ends.end(share, None, _side(context))], {"share": share.share})


def join(state: State, identity: Identity, name: str) -> Share | Refusal:
    """The share, if this is one of its ends, or a guest of its session, and that one's media may be set up now. The hub
    knows the media. While the machine restarts only the customer's end can ask: then it is back."""
    if (found := watching.guest(state, name, identity)) is not None:
        return watching.join(state, found[0], identity.person)
    return _at(state, name, ops.ShareJoin.OP, identity)


def joins(state: State, share: Share, identity: Identity) -> MachineBack | Watch | None:
    """What this asker says by joining."""
    if share.state == "rebooting":
        return MachineBack(share.share)
    found = watching.guest(state, share.share, identity)
    return Watch(share.share, identity.person) if found is not None and found[1].leg is None else None


def side(state: State, share: Share, identity: Identity) -> Side:
    """Which of those who have its media this one is, and what it may do."""
    found = watching.guest(state, share.share, identity)
    if found is None:
        return Side(identity.role.value, None, share.control, share.functions)
    return watching.side(share, found[1])


def back(state: State, command: MachineBack, context: Context) -> Decision:
    """The machine that was restarted is there again: media is set up anew, as was agreed to."""
    share = state.shares.get(command.share)
    if share is None or share.state != "rebooting":
        return Decision()
    event = e.ShareBack(
        share=share.share,
        session=share.session,
        customer=share.visitor,
        representative=share.representative,
        until=context.now + limits.NEGOTIATION_TIMEOUT,
        control=share.control,
        functions=share.functions,
    )
    return Decision([event])


# --- due --------------------------------------------------------------------------------------------

_LATE = {"negotiating": "not_started", "rebooting": "not_back"}


def over(state: State, name: str, now: int) -> list[e.Event]:
    """Its state's time is over. No click means no."""
    share = state.shares[name]
    if share.state in _LATE:
        return [share_ends.end(share, _LATE[share.state])]
    return [e.ShareEnded(share.share, share.session, "refused", "broker", "no_answer")]


def no_control(state: State, name: str, now: int) -> list[e.Event]:
    """Nobody answered the question for control: no."""
    return [_controlled(state.shares[name], control=False, by="broker", reason="no_answer")]


# --- parts ------------------------------------------------------------------------------------------


def _controlled(share: Share, *, control: bool, by: str, reason: str | None = None) -> e.ShareControlled:
    return e.ShareControlled(share.share, share.session, share.state, control, by, share.functions, reason)


def _side(context: Context) -> str:
    assert context.identity is not None
    return _CUSTOMER if context.identity.role is Role.CUSTOMER else "representative"


def _off(state: State, share: Share, function: str) -> Refusal | None:
    return functions.refuse(state, state.portals[share.portal], state.representatives[share.representative], function)


def _in_its_state(state: State, name: str, op: str, context: Context) -> Share | Refusal:
    return _at(state, name, op, context.identity)


def _at(state: State, name: str, op: str, identity: Identity | None) -> Share | Refusal:
    """The asker's share, if this may be asked for in its state."""
    share = _own(state, name, identity)
    if isinstance(share, Refusal):
        return share
    assert identity is not None
    allowed = _ALLOWED[share.state]
    if share.state == "rebooting" and identity.role is not Role.CUSTOMER:
        allowed = tuple(one for one in allowed if one != ops.ShareJoin.OP)  # it is the machine that comes back
    return share if op in allowed else wrong_state(share.state, *allowed)


def _own(state: State, name: str, identity: Identity | None) -> Share | Refusal:
    assert identity is not None
    share = state.shares.get(name)
    if share is None:
        return _over(state, name, identity)
    party = share.visitor if identity.role is Role.CUSTOMER else share.representative
    return share if party == identity.person else no_such("share")


def _over(state: State, name: str, identity: Identity) -> Refusal:
    """Of a share that isn't there: that it is over, to those whose session it was in."""
    token, _, number = name.removeprefix("h_").partition(".")
    session = f"s_{token}"
    open_, ended = state.sessions.get(session), chat.was_in(state, session, identity)
    made = 0
    allowed: Sequence[str] = _ALLOWED["ended"]
    if open_ is None:
        made, allowed = (0, ()) if ended is None else (ended.shares, chat.instead(ended))
    elif identity.person == (open_.visitor if identity.role is Role.CUSTOMER else open_.representative):
        made = state.requests[open_.request].shares
    elif identity.person in open_.members:
        made, allowed = state.requests[open_.request].shares, watching.INSTEAD
    return wrong_state("over", *allowed) if number in map(str, range(1, made + 1)) else no_such("share")
