"""Requests: how customers ask, choose again and give up; one open request per visitor and portal (F23)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broker import ids, limits
from broker.codes import Code
from broker.desk import chat, forms, functions, offers, overflow, own_requests, sessions, skills, support, waits
from broker.desk import events as e
from broker.desk.identity import Entry
from broker.desk.outcome import Decision, Refusal, bad_args, no_such, wrong_state
from broker.desk.portal_state import is_open, opening
from broker.desk.state import NORMAL, Context, Portal, Request, State, Subportal, Visitor
from broker.desk.transitions import ALLOWED, REQUEST, move
from broker.desk.visitors import rest, wake_for_visitors
from broker.protocol import ops
from broker.routing import estimate
from broker.routing.model import Ticket, make_key

DISCIPLINES = {"pick": "direct", "ask": "broadcast", "button": "broadcast", "pin": "pin", "global_pin": "pin"}
"""How a portal kind hands its requests out outside of queue mode."""


def discipline(kind: str, mode: str) -> str:
    """queue, direct, broadcast, or pin (assigned at once, to nobody else)."""
    return "queue" if mode == "queue" else DISCIPLINES[kind]


# --- decide ----------------------------------------------------------------------------------------


def create(state: State, command: ops.RequestCreate, context: Context) -> Decision | Refusal:
    """A customer asks."""
    assert context.identity is not None
    portal = state.portals.get(context.identity.portal or "")
    if portal is None:
        return no_such("portal")
    visitor = state.visitors.get(context.identity.person)
    if visitor is not None and portal.portal in visitor.requests:
        return existing(state.requests[visitor.requests[portal.portal]])
    subportal = command.subportal or portal.subportals[0]
    if (refusal := _refuse_form(state, portal, subportal, command, context.now)) is not None:
        return refusal
    if command.support and (refusal := support.refuse(state, command)) is not None:
        return refusal
    event = created(state, context, portal, subportal, target=command.representative)
    event.text = support.ref_of(command.text)
    event.name = support.ref_of(command.name)
    event.email = support.ref_of(command.email)
    event.fields = support.ref_of(command.fields)
    event.page = support.ref_of(command.page)
    value = {"request": event.request, "session": event.session, "state": "converted", "existing": False}
    happened: list[e.Event] = [event]
    if functions.chats(portal):
        event.web_chat = portal.web_chat
        if event.text is not None:  # the question is the first thing said
            happened.append(chat.message(event, 1, context.identity, event.text))
    if command.support:
        return Decision([*happened, *waits.converted(state, event)], value)
    if portal.mode != "queue":
        return Decision(happened, value, state_of=event.request)
    event.asked = tuple(command.skills or ())
    if context.identity.entry is not None:
        _enter(state.subportals[subportal], dict(portal.classes), context.identity.entry, event)
    rule = overflow.at_arrival(state, subportal)
    if rule is not None:
        on, _, to = rule
        gone = overflow.go(state, event, on, to, 0)
        return Decision([*happened, *gone], value, state_of=None if to is None else event.request)
    if overflow.is_full(state, subportal):
        return _full(subportal, state.subportals[subportal].max_waiting)
    _queue_up(state, event, visitor, context.now)
    return Decision(happened, value, state_of=event.request)


def _enter(subportal: Subportal, boosts: Mapping[str, int], entry: Entry, event: e.RequestCreated) -> None:
    """What the page that embeds the portal says goes for the request, as far as portal and sub-portal still have it."""
    offered = {skill for skill, _, only_asked in subportal.skills if only_asked}
    event.asked = tuple(dict.fromkeys((*event.asked, *(skill for skill in entry.skills if skill in offered))))
    if entry.class_ is not None and entry.class_ in boosts:
        event.class_, event.boost = entry.class_, boosts[entry.class_]


def _full(subportal: str, most: int) -> Refusal:
    return Refusal(
        Code.QUEUE_FULL,
        f"{most} requests wait in {subportal}, which is as many as may",
        {"subportal": subportal, "max_waiting": most},
        limits.ROUND_PAUSE,
    )


def _queue_up(state: State, event: e.RequestCreated, visitor: Visitor | None, now: int) -> None:
    """What a request that stays in its line needs, whom it waits for first, where it goes if that takes too long."""
    settings = state.subportals[event.subportal]
    if settings.skills:
        event.need = skills.need(settings, event.asked)
        event.ladder = skills.ladder(settings, event.asked)
    if settings.overflow:
        event.overflow = overflow.wait_rules(settings)
    if not settings.sticky_ms or visitor is None:
        return
    last = state.router.members.get(visitor.served_by or "")
    if last is None or not last.available or event.subportal not in last.pool.subportals:
        return
    line = state.router.lines[event.subportal]
    if last.meets(line.want((line.places, event.need))):
        event.held_for, event.held_until = last.id, now + settings.sticky_ms


def existing(request: Request) -> Decision:
    """The answer to asking twice."""
    return Decision(
        value={"request": request.request, "session": request.session, "state": request.state, "existing": True}
    )


def created(state: State, context: Context, portal: Portal, subportal: str, target: str | None) -> e.RequestCreated:
    """The event of a new request, named from the command's entropy; texts are added by the caller."""
    assert context.identity is not None
    name = ids.token(context.entropy)
    return e.RequestCreated(
        request=f"r_{name}",
        session=f"s_{name}",
        portal=portal.portal,
        subportal=subportal,
        visitor=context.identity.person,
        number=state.next_number,
        kind=portal.kind,
        mode=portal.mode,
        text=None,
        name=None,
        email=None,
        target=target,
        network=context.identity.network,
        source=context.identity.source,
    )


def _refuse_form(state: State, portal: Portal, subportal: str, command: ops.RequestCreate, now: int) -> Refusal | None:
    """Whether what was filled in is what this kind of portal asks for."""
    if portal.kind in ("pin", "global_pin"):
        return wrong_state("pin_portal", "pin.redeem")
    if subportal not in portal.subportals:
        return bad_args("args.subportal", f"one of {', '.join(portal.subportals)}")
    if portal.kind == "ask" and command.text is None and not functions.chats(portal):
        return bad_args("args.text", "the question")
    if (refusal := _refuse_fields(portal, command)) is not None:
        return refusal
    if portal.kind != "pick" and command.representative is not None:
        return bad_args("args.representative", "nothing: only a pick portal lets a customer choose")
    if (refusal := _refuse_skills(state.subportals[subportal], command.skills or ())) is not None:
        return refusal
    if command.support:
        return None  # it is left there, whoever comes whenever
    if not is_open(state, portal, subportal, now):
        return closed(portal, now)
    if portal.kind == "pick":
        if command.representative is None:
            return bad_args("args.representative", "the representative to ask for")
        return _refuse_pick(state, "args.representative", subportal, command.representative)
    return None


def _refuse_fields(portal: Portal, command: ops.RequestCreate) -> Refusal | None:
    """What the portal asks for, beside what its kind does (A3)."""
    for name in portal.require:
        if getattr(command, name) is None:
            return bad_args(f"args.{name}", "a value: the portal requires it")
    if portal.form or command.fields is not None:
        return forms.wrong(portal.form, command.fields)
    return None


def closed(portal: Portal, now: int) -> Refusal:
    """Nobody may ask now; if that is for the hours, when they begin."""
    opens = opening(portal, now)
    told = {} if opens is None else {"opens": opens}
    text = "nobody may ask now: request.create with support = true leaves a question"
    return wrong_state("closed", "request.create", text=text, **told)


def _refuse_skills(subportal: Subportal, asked: Sequence[str]) -> Refusal | None:
    offered = [skill for skill, _, only_asked in subportal.skills if only_asked]
    for index, skill in enumerate(asked):
        if skill not in offered:
            return bad_args(f"args.skills[{index}]", f"one of {', '.join(offered)}" if offered else "nothing")
    return None


def _refuse_pick(state: State, path: str, subportal: str, name: str) -> Refusal | None:
    person = state.representatives.get(name)
    if person is None or subportal not in state.teams[person.team].subportals:
        return bad_args(path, "a representative of this sub-portal")
    if person.available:
        return None
    text = f"not while the state is {person.presence}: ask for another representative"
    return wrong_state(person.presence, "request.create", "request.pick", "request.withdraw", text=text)


def pick(state: State, command: ops.RequestPick, context: Context) -> Decision | Refusal:
    """Choose (again)."""
    request = own_requests.find(state, command.request, context)
    if isinstance(request, Refusal):
        return request
    if request.state != "waiting" or request.discipline != "direct":
        return wrong_state(request.state, *(op for op in ALLOWED["request"][request.state] if op != command.OP))
    refusal = _refuse_pick(state, "args.representative", request.subportal, command.representative)
    if refusal is not None:
        return refusal
    event = e.RequestPicked(request.request, request.visitor, command.representative)
    return Decision([event], {"request": request.request, "state": "waiting"}, state_of=request.request)


def withdraw(state: State, command: ops.RequestWithdraw, context: Context) -> Decision | Refusal:
    """Stop waiting."""
    request = own_requests.find(state, command.request, context)
    if isinstance(request, Refusal):
        return request
    if request.state == "assigned":
        return wrong_state("assigned", *ALLOWED["request"]["assigned"])
    ended = waits.over(state, request, "withdrawn")
    return Decision([*offers.revoke(state, request), ended], {"request": request.request})


def classify(state: State, command: ops.RequestClassify, context: Context) -> Decision | Refusal:
    """Whoever knows the customer says which class its request is of."""
    assert context.identity is not None
    request = state.requests.get(command.request)
    if request is None:
        return own_requests.over(state, command.request)
    if request.state == "assigned":
        return wrong_state("assigned", *ALLOWED["request"]["assigned"])
    if request.discipline != "queue":
        return wrong_state("not_queued", "request.why")
    boosts = {NORMAL: 0, **dict(state.portals[request.portal].classes)}
    if command.class_ not in boosts:
        return bad_args("args.class", f"one of {', '.join(boosts)}")
    value = {"request": request.request, "changed": command.class_ != request.class_}
    if command.class_ == request.class_:
        return Decision(value=value)
    boost = boosts[command.class_]
    event = e.RequestClassified(request.request, request.visitor, command.class_, boost, context.identity.person)
    return Decision([event], value)


def round_over(state: State, name: str, now: int) -> list[e.Event]:
    """The pause between two rounds is over."""
    return [e.RoundStarted(name)]


# --- evolve ----------------------------------------------------------------------------------------


def request_created(state: State, event: e.RequestCreated, t: int) -> None:
    """Apply ``RequestCreated``."""
    how = discipline(event.kind, event.mode)
    request = state.requests[event.request] = _request(event, how, t)
    if event.web_chat != "none":
        sessions.open_(state, request, event.web_chat, t)
    state.next_number = event.number + 1
    visitor = state.visitors.get(event.visitor)
    if visitor is None:
        visitor = state.visitors[event.visitor] = Visitor(event.visitor)
    visitor.requests[event.portal] = event.request
    visitor.network, visitor.source = event.network, event.source
    if state.idle_visitors.pop(event.visitor, 0) is None:
        wake_for_visitors(state)
    if how != "pin":
        key = make_key(t, event.number, event.request, event.boost)
        ticket = Ticket(event.request, event.subportal, key, how, event.target)
        ticket.places, ticket.need, ticket.held = state.portals[event.portal].places, event.need, event.held_for
        state.router.add_ticket(ticket)
    if how == "queue":
        request.joined = t
        state.flow.join(t)
    if event.held_until is not None:
        state.deadlines.set("sticky", event.request, event.held_until)
    if event.ladder or event.overflow:
        waits.arm(state, request)


def _request(event: e.RequestCreated, how: str, t: int) -> Request:
    return Request(
        request=event.request,
        session=event.session,
        portal=event.portal,
        subportal=event.subportal,
        visitor=event.visitor,
        number=event.number,
        arrived=t,
        kind=event.kind,
        mode=event.mode,
        text=event.text,
        name=event.name,
        email=event.email,
        target=event.target,
        discipline=how,
        asked=event.asked,
        ladder=event.ladder,
        held_until=event.held_until,
        overflow=event.overflow,
        fields=event.fields,
        page=event.page,
        class_=event.class_ or NORMAL,
        boost=event.boost,
        network=event.network,
        source=event.source,
    )


def request_classified(state: State, event: e.RequestClassified, t: int) -> None:
    """Apply ``RequestClassified``: its place is another."""
    request = state.requests[event.request]
    request.class_, request.boost = event.class_, event.boost
    state.router.rekey(event.request, make_key(request.arrived, request.number, request.request, request.boost))


def request_picked(state: State, event: e.RequestPicked, t: int) -> None:
    """Apply ``RequestPicked``."""
    request = state.requests[event.request]
    request.state = move(REQUEST, request.state, event.TYPE)
    request.target = event.target
    state.router.aim(event.request, "direct", event.target)


def request_unplaced(state: State, event: e.RequestUnplaced, t: int) -> None:
    """Apply ``RequestUnplaced``: from now on it is for everyone, or nobody until its customer chooses."""
    request = state.requests[event.request]
    request.state = move(REQUEST, request.state, event.TYPE)
    request.target = None
    request.discipline = "broadcast" if event.broadcast else "direct"
    state.router.aim(event.request, request.discipline, None)


def request_requeued(state: State, event: e.RequestRequeued, t: int) -> None:
    """Apply ``RequestRequeued``: back in line with its age."""
    request = state.requests[event.request]
    request.state, request.target = move(REQUEST, request.state, event.TYPE), None
    state.router.requeued(event.request, event.representative)
    if request.discipline == "queue":
        request.joined = t
        state.flow.join(t)
    waits.arm(state, request)
    overflow.watch_staff(state, [request.subportal], t)


def request_ended(state: State, event: e.RequestEnded, t: int) -> None:
    """Apply ``RequestEnded``: the desk forgets it."""
    if event.session is not None:
        sessions.forget(state, event.session, event.TYPE)
    request = state.requests.pop(event.request)
    if request.discipline == "queue" and request.state != "assigned":
        state.flow.leave(request.joined, t)
        gave_up = event.state != "converted"
        estimate.left(state.router.lines[request.subportal], t - request.joined, gave_up=gave_up)
    state.flow.converted += event.state == "converted"
    move(REQUEST, request.state, event.TYPE, event.state)
    if request.discipline != "pin":
        state.router.remove(event.request)
    state.deadlines.set("round", event.request, None)
    waits.disarm(state, request)
    state.release(request.text, request.name, request.email, request.fields, request.page)
    visitor = state.visitors[request.visitor]
    del visitor.requests[request.portal]
    rest(state, visitor, t)
