"""The work after a session: its places stay taken until the representative is done, or the portal's cap is reached."""

from __future__ import annotations

from broker.desk import events as e
from broker.desk import seats
from broker.desk.outcome import Decision, Refusal, no_such
from broker.desk.state import Context, Representative, Session, State, WrapUp
from broker.protocol import ops
from broker.routing import estimate

# --- decide ----------------------------------------------------------------------------------------


def end(state: State, command: ops.WrapUpEnd, context: Context) -> Decision | Refusal:
    """The representative is done."""
    assert context.identity is not None
    person = state.representatives.get(context.identity.person)
    if person is None or command.session not in person.wrap_ups:
        return no_such("wrap_up")
    return Decision([_ended(state, person, command.session, "done")], {"session": command.session})


def end_all(state: State, person: Representative) -> list[e.Event]:
    """It signs out: what it had to write down, it has written down or won't. Its sessions have been given back."""
    load = sum(work.places for work in person.wrap_ups.values())
    happened: list[e.Event] = []
    for session, work in person.wrap_ups.items():
        load -= work.places
        happened.append(_ended(state, person, session, "signed_out", load))
    return happened


def expire(state: State, name: str, now: int) -> list[e.Event]:
    """The cap is reached."""
    return [_ended(state, state.representatives[state.wrapping[name]], name, "expired")]


def _ended(state: State, person: Representative, session: str, reason: str, load: int | None = None) -> e.WrapUpEnded:
    if load is None:
        load = state.router.members[person.representative].load - person.wrap_ups[session].places
    return e.WrapUpEnded(session, person.representative, person.team, reason, load, person.capacity)


# --- evolve ----------------------------------------------------------------------------------------


def begin(state: State, session: Session, until: int, places: int) -> None:
    """A session has ended, and its places stay taken."""
    name, who = session.session, session.lead
    state.representatives[who].wrap_ups[name] = WrapUp(until, places, session.since, session.subportal)
    state.wrapping[name] = who
    state.deadlines.set("wrap_up", name, until)


def wrap_up_ended(state: State, event: e.WrapUpEnded, t: int) -> None:
    """Apply ``WrapUpEnded``: now it is as if the session had ended."""
    work = state.representatives[event.representative].wrap_ups.pop(event.session)
    del state.wrapping[event.session]
    state.deadlines.set("wrap_up", event.session, None)
    state.router.add_load(event.representative, -work.places, t)
    seats.done(state, state.representatives[event.representative], t)
    if work.subportal in state.subportals:  # else it was taken from its portal meanwhile
        estimate.handled(state.router.lines[work.subportal], t - work.since)
