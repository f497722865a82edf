"""Managers who look on in a session: they read all of it and say nothing.

A portal says whether that may be, and whether those in the session are told. Told or not, the audit says who did it,
where, from when to when. Whether somebody still may is asked after every change (``lapsed``), so that nobody looks on a
moment longer, whatever took the right away.
"""

from __future__ import annotations

from collections.abc import Mapping

from broker import limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, grants, rights
from broker.desk.identity import Identity, Role
from broker.desk.outcome import Decision, Refusal, no_such, wrong_state
from broker.desk.state import Context, Monitor, Session, State
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def start(state: State, command: ops.SessionMonitor, context: Context) -> Decision | Refusal:
    """A manager begins to look on in a session that somebody has."""
    assert context.identity is not None
    session, who = state.sessions.get(command.session), context.identity.person
    if session is None:
        return no_such("session")
    if session.representative is None:
        return wrong_state("waiting", "session.monitor", text="nobody has the session yet: once somebody has")
    portal = state.portals[state.requests[session.request].portal]
    if portal.monitoring == "off":
        return Refusal(
            Code.NOT_ALLOWED, f"nobody looks on in sessions of portal {portal.portal}: its monitoring is off"
        )
    holder = state.representatives[session.representative]
    if (refusal := functions.refuse(state, portal, holder, "monitoring")) is not None:
        return refusal
    announced = portal.monitoring == "announced"
    value = {"session": session.session, "announced": announced}
    if who in session.monitors:
        return Decision(value=value)
    if len(session.monitors) >= limits.MAX_MONITORS:
        return Refusal(Code.QUOTA, f"at most {limits.MAX_MONITORS} look on in one session")
    first = not any(one.announced for one in session.monitors.values())
    return Decision([e.MonitorStarted(session.session, who, announced, announced and first)], value)


def stop(state: State, command: ops.SessionMonitorEnd, context: Context) -> Decision | Refusal:
    """And ends it."""
    assert context.identity is not None
    session, who = state.sessions.get(command.session), context.identity.person
    if session is None or who not in session.monitors:
        return no_such("session")
    return Decision(_ended(session, {who: "left"}), {"session": session.session})


def all_end(session: Session, reason: str) -> list[e.Event]:
    """Nobody looks on in this session any more."""
    return _ended(session, dict.fromkeys(session.monitors, reason))


def every_one_ends(state: State, reason: str) -> list[e.Event]:
    """Nobody looks on anywhere."""
    return [event for name in state.monitored for event in all_end(state.sessions[name], reason)]


def leaves_all(state: State, who: str, reason: str) -> list[e.Event]:
    """A manager looks on nowhere any more."""
    found = (state.sessions[name] for name in state.monitored)
    return [event for session in found if who in session.monitors for event in _ended(session, {who: reason})]


def lapsed(state: State) -> list[e.Event]:
    """Those end who may look on no longer, as things are now."""
    happened: list[e.Event] = []
    for name in state.monitored:
        session = state.sessions[name]
        reasons = {who: why for who in session.monitors if (why := may_not(state, session, who)) is not None}
        happened += _ended(session, reasons)
    return happened


def may_not(state: State, session: Session, who: str) -> str | None:
    """Why somebody who looks on may not any more; None for whoever may."""
    portal = state.portals[state.requests[session.request].portal]
    holder = state.representatives[session.lead]
    if portal.monitoring != ("announced" if session.monitors[who].announced else "silent"):
        return "policy"
    if "monitoring" not in functions.on(state, portal, holder):
        return "function_off"
    actor = rights.actor(state, Identity(state.account, who, Role.MANAGER))
    if actor is None or grants.may(actor, ops.SessionMonitor.OP) is not None:
        return "rights"
    target = grants.Target(frozenset({holder.team}))
    return None if grants.may(actor, ops.SessionMonitor.OP, target) is None else "scope"


def _ended(session: Session, reasons: Mapping[str, str]) -> list[e.Event]:
    """These look on no longer. Those in the session are told once none is left of whom they were told."""
    announced = {who for who, one in session.monitors.items() if one.announced}
    happened: list[e.Event] = []
    for who, reason in reasons.items():
        one = session.monitors[who]
        announced.discard(who)
        told = one.announced and not announced
        happened.append(e.MonitorEnded(session.session, who, one.announced, told, reason, one.since))
    return happened


# --- evolve ----------------------------------------------------------------------------------------


def monitor_started(state: State, event: e.MonitorStarted, t: int) -> None:
    """Apply ``MonitorStarted``."""
    state.sessions[event.session].monitors[event.manager] = Monitor(t, event.announced)
    state.monitored[event.session] = None


def monitor_ended(state: State, event: e.MonitorEnded, t: int) -> None:
    """Apply ``MonitorEnded``."""
    session = state.sessions[event.session]
    del session.monitors[event.manager]
    if not session.monitors:
        del state.monitored[event.session]
