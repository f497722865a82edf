"""A representative leaves for good: what it had goes back, what it did stays, and nobody is called like it again."""

from __future__ import annotations

from broker.codes import Code
from broker.desk import cases, credentials, names, offers, overflow, sessions, wrap_up
from broker.desk import events as e
from broker.desk.outcome import Decision, Refusal, no_such
from broker.desk.state import Context, State
from broker.protocol import ops

# --- decide ----------------------------------------------------------------------------------------


def delete(state: State, command: ops.RepresentativeDelete, context: Context) -> Decision | Refusal:
    """Sign it out as a hand-back would, make its pins worthless, and let it go (H11)."""
    name = command.representative
    person = state.representatives.get(name)
    if person is None:
        return no_such("representative")
    if names.full(state):
        return Refusal(Code.QUOTA, names.FULL)
    happened: list[e.Event] = []
    if person.chosen != "offline":
        happened.append(e.PresenceChanged(name, person.team, "offline", "manager", None))
    happened += offers.withdraw_all(state, person)
    happened += sessions.give_back_all(state, person, "signed_out")
    happened += cases.orphaned(state, person, context.who)
    happened += wrap_up.end_all(state, person)
    live = (state.pins[pin] for pin in person.pins if state.pins[pin].state == "live")
    happened += [e.PinEnded(pin.pin, name, "revoked", pin.expires) for pin in live]
    former = names.pseudonym(context)
    happened.append(e.RepresentativeDeleted(name, person.team, former, context.who))
    return Decision(happened, {"representative": name, "former": former})


# --- evolve ----------------------------------------------------------------------------------------


def representative_deleted(state: State, event: e.RepresentativeDeleted, t: int) -> None:
    """Apply ``RepresentativeDeleted``."""
    person = state.representatives.pop(event.representative)
    team = state.teams[person.team]
    team.members.discard(person.representative)
    for pin in person.pins:
        del state.pins[pin]
    state.forget(person.name, person.email)
    state.router.remove_member(person.representative)
    credentials.part_with(state, person.representative, event.former)
    overflow.watch_staff(state, team.subportals, t)
