"""Pins: made by a representative on the phone, typed by one customer, once."""

from __future__ import annotations

from broker import ids, limits
from broker.codes import Code
from broker.desk import events as e
from broker.desk import functions, requests, support
from broker.desk.commands import PinGuessing
from broker.desk.outcome import Decision, Refusal, no_such, wrong_state
from broker.desk.portal_state import pin_portal
from broker.desk.state import Context, Pin, State
from broker.desk.transitions import ALLOWED
from broker.protocol import ops
from broker.routing import pins

INVALID = Refusal(Code.PIN_INVALID, "no such pin")
"""Wrong, used, expired and revoked look alike to a customer."""

# --- decide ----------------------------------------------------------------------------------------


def create(state: State, command: ops.PinCreate, context: Context) -> Decision | Refusal:
    """Nine digits that connect one customer to the asker."""
    assert context.identity is not None
    person = state.representatives[context.identity.person]  # the gate lets nobody else come here
    if sum(state.pins[name].state == "live" for name in person.pins) >= limits.MAX_PINS:
        return Refusal(Code.QUOTA, f"a representative has at most {limits.MAX_PINS} live pins")
    if len(state.serials) >= state.pinspace.block:
        return Refusal(Code.QUOTA, f"an account has at most {state.pinspace.block} live pins")
    serial = state.next_serial
    while serial in state.serials:  # only after the whole block has gone round
        serial = (serial + 1) % state.pinspace.block
    event = e.PinCreated(
        f"p_{ids.token(context.entropy)}", serial, person.representative, context.now + limits.PIN_LIFE
    )
    digits = state.pinspace.pin(state.slot, serial)
    return Decision([event], {"id": event.pin, "expires": event.expires}, {"pin": digits})


def revoke(state: State, command: ops.PinRevoke, context: Context) -> Decision | Refusal:
    """Make a pin worthless."""
    pin = state.pins.get(command.id)
    assert context.identity is not None
    if pin is None or pin.representative != context.identity.person:
        return no_such("pin")
    if pin.state != "live":
        return wrong_state(pin.state, "pin.create")
    return Decision([e.PinEnded(pin.pin, pin.representative, "revoked", pin.expires)], {"id": pin.pin})


def listed(state: State, command: ops.PinList, context: Context) -> Decision | Refusal:
    """The asker's pins, newest first."""
    assert context.identity is not None
    person = state.representatives[context.identity.person]  # the gate lets nobody else come here
    found = [state.pins[name] for name in reversed(person.pins)]
    return Decision(
        value={
            "pins": [
                {"id": pin.pin, "state": pin.state, "created": pin.created, "expires": pin.expires} for pin in found
            ]
        }
    )


def _later(state: str) -> Refusal:
    """A good pin, but its representative can't take anybody now."""
    name = f"representative_{state}"
    return wrong_state(name, "pin.redeem", text=f"not now, for the state is {name}: later, with the same pin")


def redeem(state: State, command: ops.PinRedeem, context: Context) -> Decision | Refusal:
    """A customer types a pin: connected to its maker, nobody else is alerted (A7, A8)."""
    assert context.identity is not None
    name = context.identity.portal
    portal = pin_portal(state) if name is None else state.portals.get(name)
    if portal is None or portal.kind not in ("pin", "global_pin"):
        return wrong_state("not_a_pin_portal", "request.create")
    visitor = state.visitors.get(context.identity.person)
    if visitor is not None and portal.portal in visitor.requests:
        return wrong_state("assigned", *ALLOWED["request"]["assigned"])
    pin = live(state, command.pin, context.now)
    if pin is None:
        return INVALID
    person = state.representatives[pin.representative]
    if person.taken_over:
        return _later("taken_over")
    if person.presence in ("offline", "reconnecting"):
        return _later(person.presence)
    member = state.router.members[person.representative]
    if member.load + member.offers + portal.places > member.capacity:
        return _later("full")
    created = requests.created(state, context, portal, portal.subportals[0], target=person.representative)
    created.name = support.ref_of(command.name)
    assigned = e.RequestAssigned(
        request=created.request,
        session=created.session,
        subportal=created.subportal,
        visitor=created.visitor,
        representative=person.representative,
        team=person.team,
        offer=None,
        kind="pin",
        pin=pin.pin,
        pin_expires=pin.expires,
        text=None,
        customer_name=created.name,
        representative_name=person.name,
        load=member.load + portal.places,
        capacity=person.capacity,
        functions=functions.on(state, portal, person),
        outcomes=portal.own_outcomes,
    )
    value = {
        "request": created.request,
        "session": created.session,
        "representative": person.representative,
        "name": person.name,
    }
    return Decision([created, assigned], value)


def live(state: State, text: str, now: int) -> Pin | None:
    """The pin that somebody typed, if it can be redeemed."""
    digits = pins.clean(text)
    place = None if digits is None else state.pinspace.locate(digits)
    if place is None or place[0] != state.slot or place[1] not in state.serials:
        return None
    pin = state.pins[state.serials[place[1]]]
    return pin if pin.expires > now else None


def guessing(state: State, command: PinGuessing, context: Context) -> Decision:
    """Tell the account's managers."""
    return Decision([e.PinGuessed(command.portal, command.source, command.wrong)])


def expire(state: State, name: str, now: int) -> list[e.Event]:
    """The pin's life is over."""
    pin = state.pins[name]
    return [e.PinEnded(name, pin.representative, "expired", pin.expires)]


# --- evolve ----------------------------------------------------------------------------------------


def pin_created(state: State, event: e.PinCreated, t: int) -> None:
    """Apply ``PinCreated``; the representative's oldest ended pin may drop off the list."""
    state.pins[event.pin] = Pin(event.pin, event.serial, event.representative, t, event.expires)
    state.serials[event.serial] = event.pin
    state.next_serial = (event.serial + 1) % state.pinspace.block
    state.deadlines.set("pin", event.pin, event.expires)
    own = state.representatives[event.representative].pins
    own[event.pin] = None
    if len(own) > limits.LISTED_PINS:
        oldest = next(name for name in own if state.pins[name].state != "live")
        del own[oldest], state.pins[oldest]


def pin_ended(state: State, event: e.PinEnded, t: int) -> None:
    """Apply ``PinEnded``."""
    pin = state.pins[event.pin]
    pin.state = event.state
    del state.serials[pin.serial]
    state.deadlines.set("pin", event.pin, None)


def pin_guessed(state: State, event: e.PinGuessed, t: int) -> None:
    """Apply ``PinGuessed``: it only tells."""
