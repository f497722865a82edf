"""The check of a desk's state: every line of it catches a fault planted in the state.

Faults planted in the rules are in ``test_planted_faults``.
"""
# covers: broker/desk/guest_invariants.py
# covers: broker/desk/line_invariants.py
# covers: broker/desk/share_invariants.py

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from sortedcontainers import SortedList

from broker.desk import functions, invariants
from broker.desk.invariants import InvariantBroken
from broker.desk.rules import DUE
from broker.desk.state import Access, Member, Monitor, Offer, Session, State
from broker.protocol import ops
from broker.routing.model import Pool
from tests.desk.test_planted_faults import breaks
from tests.support import people
from tests.support.builders import customer, manager, offer_id, personal, representative, request_id, session_id
from tests.support.routed import Routed
from tests.support.scene import Scene, office

Patch = pytest.MonkeyPatch


# --- faults in the state: every line of the check, once ---------------------------------------------


def _look(state: State, share_state: str, leg: str | None, *, shared: bool = True) -> None:
    """A guest looks at the share of its session as it can't be."""
    share = next(iter(state.shares.values()))
    session = state.sessions[share.session]
    share.state, share.functions, share.legs = share_state, functions_of(state, share.representative), 1
    session.members["cy"].leg = leg or f"{share.share}.1"
    if not shared:
        session.share = None
        del state.sharing[session.session], state.shares[share.share]
        del state.visitors[share.visitor].shares[share.share]
        del state.representatives[share.representative].shares[share.share]
        state.deadlines.set("share", share.share, None)


def functions_of(state: State, name: str) -> tuple[str, ...]:
    """What is on for somebody at the first portal."""
    return functions.on(state, state.portals["help"], state.representatives[name])


def _anything() -> Scene:
    """A desk where everything occurs once."""
    scene = office("ann", "bo", capacity=2)
    scene.portal("pick", "pick", "web")
    scene.portal("phone", "pin", "phone")
    scene.team("blue", "help", "pick", "phone")
    scene.staff("blue", "cy")
    scene.assign("talks", "ann")
    scene.ok(ops.ShareRequest(session_id("talks")), representative("ann"))
    scene.ok(ops.SessionTransfer(session_id("talks"), "cy"), representative("ann"))
    scene.ok(ops.SessionInvite(session_id("talks"), "cy"), representative("ann"))
    scene.accept(offer_id("talks", 3), "cy")
    scene.ok(ops.SessionInvite(session_id("talks"), subportal="pick"), representative("ann"))
    scene.ok(
        ops.PortalPut("help", "ask", "queue", ["help"], functions={"monitoring": True}, monitoring="silent"), manager()
    )
    scene.ok(ops.SessionMonitor(session_id("talks")), manager())
    scene.ask("picked", "pick", pick="cy")
    scene.ask("again")
    for number, name in enumerate(("bo", "ann"), 1):
        assert scene.offered_to(name) == [request_id("again")]
        scene.ok(ops.OfferDecline(offer_id("again", number), "no"), representative(name))
    scene.ok(ops.PinCreate(), representative("ann"))
    scene.lose("v_picked")
    scene.ask("offered")
    people.hire(scene, "tim", "team", teams=["blue"])
    scene.ok(ops.ServicePut("robot", []), manager())
    people.sign_in(scene, "ann")
    scene.ok(ops.KeyCreate("robot"), manager(), prepared=people.made_key("k"))
    return scene


def _hand_on(state: State) -> None:
    """A share goes on with another representative than its session has."""
    share = next(iter(state.shares.values()))
    del state.representatives[share.representative].shares[share.share]
    share.representative = "bo"
    state.representatives["bo"].shares[share.share] = None


def _set(thing: object, name: str, value: object) -> None:
    setattr(thing, name, value)


PLAIN = ("least_occupied", 1, ())

FAULTS: dict[str, tuple[str, Callable[[State], object]]] = {
    "a state that doesn't exist": ("F1", lambda s: _set(s.requests[request_id("offered")], "state", "lost")),
    "a number given twice": ("F1", lambda s: _set(s.requests[request_id("offered")], "number", 1)),
    "offered without an offer": ("F1", lambda s: _set(s.requests[request_id("offered")], "offer", None)),
    "assigned without a session": ("F1", lambda s: s.sessions.clear()),
    "an offer of nothing": ("F1", lambda s: _set(s.offers[offer_id("offered")], "request", "r_none")),
    "a transfer its session doesn't know": (
        "E9",
        lambda s: _set(s.sessions[session_id("talks")], "transfer", None),
    ),
    "an invitation that isn't there": ("E9", lambda s: _talks(s).invites.update({"o_none": None})),
    "an invitation that is a transfer": ("E9", lambda s: _talks(s).invites.update({_talks(s).transfer or "": None})),
    "an invitation of somebody who has gone": ("E9", lambda s: _set(_invitation(s), "by", "bo")),
    "an invitation for ever": ("E9", lambda s: _for_ever(s)),
    "a guest who has the session": ("E9", lambda s: _talks(s).members.update(ann=Member(1))),
    "a guest who doesn't know": ("E9", lambda s: s.representatives["cy"].guest.clear()),
    "a guest of nothing": ("E9", lambda s: s.representatives["ann"].guest.update({"s_none": None})),
    "too many guests": ("E9", lambda s: _talks(s).members.update({f"g{n}": Member(1) for n in range(7)})),
    "guests where there may be none": ("A11", lambda s: _switch(s, "collaboration", on=False)),
    "a manager who mustn't look on": ("I4", lambda s: _set(s.portals["help"], "monitoring", "off")),
    "a manager who looks on unseen where it is told": (
        "I4",
        lambda s: _set(s.portals["help"], "monitoring", "announced"),
    ),
    "too many who look on": ("I4", lambda s: _talks(s).monitors.update({f"m{n}": Monitor(1, False) for n in range(5)})),
    "one left behind who looks on": ("I4", lambda s: _talks(s).monitors.clear()),
    "one who looks on where nobody is": ("F2", lambda s: _desert(s)),
    "too many documents": ("F7", lambda s: _set(_talks(s), "documents", 17)),
    "a session of no request": ("F2", lambda s: _set(s.sessions[session_id("talks")], "request", "r_none")),
    "a session of somebody else": ("F2", lambda s: _set(s.sessions[session_id("talks")], "representative", "bo")),
    "a session nobody holds": ("F2", lambda s: s.representatives["ann"].sessions.clear()),
    "a session held after its end": ("F2", lambda s: s.representatives["bo"].sessions.update({"s_over": None})),
    "a share that isn't there": ("F2", lambda s: s.shares.clear()),
    "a share its session doesn't know": ("F2", lambda s: _set(s.sessions[session_id("talks")], "share", None)),
    "a share nobody finds": ("F2", lambda s: s.sharing.clear()),
    "a share its customer doesn't know": ("F2", lambda s: s.visitors["v_talks"].shares.clear()),
    "a share somebody else knows": ("F2", lambda s: s.representatives["bo"].shares.update(dict.fromkeys(s.shares))),
    "a share with somebody else": ("F2", lambda s: _hand_on(s)),
    "a share of nobody": ("F2", lambda s: _set(next(iter(s.shares.values())), "visitor", "v_none")),
    "a share of no portal": ("F2", lambda s: _set(next(iter(s.shares.values())), "portal", "none")),
    "a look at nothing that is shared": ("F2", lambda s: _look(s, "negotiating", "a.1", shared=False)),
    "a look before consent": ("F2", lambda s: _look(s, "requested", "a.1")),
    "a look on another's leg": ("F2", lambda s: _look(s, "negotiating", "a.1")),
    "a look with what is off": ("A11", lambda s: _look(s, "negotiating", None)),
    "a share of whoever is blocked": ("L5", lambda s: s.blocked.update({"v_talks": "b_none"})),
    "control without consent": ("F9", lambda s: _set(next(iter(s.shares.values())), "control", True)),
    "asked for control before consent": ("F9", lambda s: _set(next(iter(s.shares.values())), "asked", 5)),
    "a grant of what is off": ("A11", lambda s: _set(next(iter(s.shares.values())), "state", "active")),
    "a share without an end": ("F17", lambda s: _set(next(iter(s.shares.values())), "until", None)),
    "a waiting request with an owner": (
        "F2",
        lambda s: _set(s.requests[request_id("again")], "representative", "bo"),
    ),
    "a request without a ticket": ("F1", lambda s: s.router.tickets.pop(request_id("again"))),
    "a ticket without a request": (
        "F1",
        lambda s: s.router.tickets.update({"r_none": s.router.tickets[request_id("again")]}),
    ),
    "a ticket in another state": ("F1", lambda s: _set(s.router.tickets[request_id("again")], "out", True)),
    "a ticket for somebody else": ("F1", lambda s: _set(s.router.tickets[request_id("picked")], "target", "bo")),
    "a ticket with another place": ("F22", lambda s: _set(s.requests[request_id("again")], "arrived", 1)),
    "a direct line that forgot somebody": ("F1", lambda s: s.router.members["cy"].direct.clear()),
    "an offer of what was refused": (
        "F16",
        lambda s: _set(s.router.tickets[request_id("offered")], "refused", frozenset({"ann", "bo"})),
    ),
    "a visitor whose request is unknown": ("F23", lambda s: s.visitors["v_again"].requests.clear()),
    "a visitor whose request is over": ("F23", lambda s: s.visitors["v_again"].requests.update({"pick": "r_none"})),
    "a busy visitor taken for idle": ("F23", lambda s: s.idle_visitors.update({"v_again": None})),
    "waited for although there": ("F17", lambda s: _set(s.representatives["bo"], "lease_until", 5)),
    "a team that miscounts": ("F18", lambda s: _set(s.teams["blue"], "signed_in", 7)),
    "a team that serves something else": ("F5", lambda s: _set(s.teams["blue"], "subportals", ("help",))),
    "a load miscounted": ("F4", lambda s: _set(s.router.members["ann"], "load", 0)),
    "a wrong rank": ("F4", lambda s: s.router.members["bo"].ranks.update({PLAIN: (0.9, 0, "bo")})),
    "more places than capacity": ("F4", lambda s: _lower(s, "cy")),
    "a pin without a serial": ("A8", lambda s: s.serials.clear()),
    "an offer without a deadline": ("F16", lambda s: s.deadlines.set("offer", offer_id("offered"), None)),
    "a lost customer for ever": ("F17", lambda s: s.deadlines.set("abandon", "v_picked", None)),
    "a consent for ever": ("F17", lambda s: s.deadlines.set("share", next(iter(s.shares)), None)),
    "a pin for ever": ("A8", lambda s: s.deadlines.set("pin", next(iter(s.pins)), None)),
    "forgetting without anybody idle": ("F23", lambda s: s.deadlines.set("visitors", "", 5)),
    "a deadline of nothing": ("F16", lambda s: s.deadlines.set("offer", "o_none", 5)),
    "a round of nothing": ("F5", lambda s: s.deadlines.set("round", "r_none", 5)),
    "a team manager of no team": ("H4", lambda s: _set(s.managers["tim"], "teams", ("none",))),
    "an account manager with teams": ("H4", lambda s: _set(s.managers["tim"], "kind", "account")),
    "a name of two people": ("H8", lambda s: s.services.update({"ann": s.services["robot"]})),
    "a name given again": ("H8", lambda s: s.former.update({"ann": "former-1"})),
    "a sign-in of somebody who doesn't know": ("H8", lambda s: s.access["ann"].sign_ins.clear()),
    "a sign-in that is over": ("H8", lambda s: s.sign_ins.clear()),
    "a sign-in of somebody else": ("H8", lambda s: _set(next(iter(s.sign_ins.values())), "person", "bo")),
    "a key of somebody who doesn't know": ("H8", lambda s: s.access["robot"].keys.clear()),
    "a key that is over": ("H8", lambda s: s.keys.clear()),
    "somebody comes in who is nobody": ("H8", lambda s: s.access.update({"zoe": Access("zoe")})),
    "too many keys": ("H8", lambda s: _more_keys(s)),
    "a sign-in for ever": ("H8", lambda s: s.deadlines.set("sign_in", next(iter(s.sign_ins)), None)),
    "a key for ever": ("H8", lambda s: s.deadlines.set("key", "k", None)),
    "a deadline of no sign-in": ("H8", lambda s: s.deadlines.set("sign_in", "n_none", 5)),
    "a deadline of no key": ("H8", lambda s: s.deadlines.set("key", "none", 5)),
    "a line that lost a request": ("F1", lambda s: s.router.lines["help"].order.pop()),
    "a direct line not served": ("F5", lambda s: _free(s, "cy")),
    "a line under a wrong head": ("F5", lambda s: _set(s.router.lines["help"], "head", (1, 1, "r"))),
    "a pool that miscounts": ("F5", lambda s: _set(_pool(s), "available", 9)),
    "a pool that takes others for free": ("F5", lambda s: _pool(s).free[PLAIN].add((0.5, 0, "zoe"))),
    "a pool that ranks by what nobody asked for": ("F5", lambda s: _rank_by_turns(s)),
    "a turn that isn't its tag's": ("F9", lambda s: _pool(s).tags.update(help=7)),
    "a pool that forgot whose turn it is": ("F5", lambda s: _pool(s).backlog.clear()),
}


def _talks(state: State) -> Session:
    return state.sessions[session_id("talks")]


def _invitation(state: State) -> Offer:
    return state.offers[next(iter(_talks(state).invites))]


def _for_ever(state: State) -> None:
    offer = _invitation(state)
    offer.deadline = None
    state.deadlines.set("offer", offer.offer, None)


def _switch(state: State, function: str, *, on: bool) -> None:
    state.portals["help"].functions = ((function, on), ("monitoring", True))


def _desert(state: State) -> None:
    session = _talks(state)
    session.representative = None
    state.requests[session.request].representative = None
    state.requests[session.request].state = "waiting"
    del state.representatives["ann"].sessions[session.session]
    session.transfer = session.share = None
    session.invites.clear()
    session.members.clear()


def _more_keys(state: State) -> None:
    for name in ("l", "m"):
        state.keys[name] = attrs.evolve(state.keys["k"], key=name)
        state.access["robot"].keys[name] = None


def _pool(state: State) -> Pool:
    return state.router.members["ann"].pool


def _rank_by_turns(state: State) -> None:
    pool = state.router.members["ann"].pool
    del pool.free[PLAIN], pool.able[PLAIN]
    for member in pool.members.values():
        member.ranks.clear()
        member.wants = ()


def _lower(state: State, name: str) -> None:
    state.representatives[name].capacity = 0
    state.router.members[name].capacity = 0


def _free(state: State, name: str) -> None:
    """Room for one more, in the facts and in routing alike, and nothing made of it."""
    state.router.put_member(name, 2, state.teams["blue"].subportals)
    state.representatives[name].capacity = 2


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_desk_with_a_planted_fault_is_caught(fault: str) -> None:
    invariant, plant = FAULTS[fault]
    scene = _anything()
    invariants.check(scene.desk.state)
    plant(scene.desk.state)
    breaks(invariant, lambda: invariants.check(scene.desk.state))


def _held() -> Routed:
    """carl has asked again and is waited for by ann, who wraps up; dora asks more than bo can; eve is of a class."""
    scene = Routed()
    scene.entrance("help", places=2, wrap_up_ms=60_000, classes=[{"class": "vip", "boost_ms": 9000}])
    scene.entrance("spill", "far")
    listed = [{"skill": "tax", "level": 3, "asked": True}]
    relax, overflow = [{"after_ms": 5000, "less": 1}], [{"on": "wait", "after_ms": 9000, "to": "far"}]
    scene.tune("help", skills=listed, relax=relax, overflow=overflow, sticky_ms=50_000)
    scene.team("blue", "help")
    scene.hire("ann", capacity=2)
    session = scene.assign("carl", "ann")
    scene.end(session)
    scene.ok(ops.RequestCreate(None, personal("?")), customer("carl"), "held")
    scene.hire("bo", capacity=3)
    scene.request("dora", "help", None, "tax")
    scene.ask("eve")
    scene.classify("eve", "vip")
    return scene


TWO = ("least_occupied", 2, ())

OF_LINES: dict[str, tuple[str, Callable[[State], object]]] = {
    "a hold without an end": ("F5", lambda s: s.deadlines.set("sticky", request_id("held"), None)),
    "a hold that the request doesn't know": ("F5", lambda s: _set(s.requests[request_id("held")], "held_until", None)),
    "a hold that the ticket doesn't know": ("F5", lambda s: _set(s.router.tickets[request_id("held")], "held", None)),
    "a hold that its member doesn't know": ("F5", lambda s: s.router.members["ann"].holds.clear()),
    "a hold that is called although there is no room": (
        "F5",
        lambda s: _pool(s).callers.update({"help": SortedList([(s.router.tickets[request_id("held")].key, "ann")])}),
    ),
    "a step for ever": ("F5", lambda s: s.deadlines.set("relax", request_id("dora"), None)),
    "a step that was taken twice": ("F5", lambda s: _set(s.requests[request_id("dora")], "step", 1)),
    "an overflow for ever": ("F1", lambda s: s.deadlines.set("overflow", request_id("dora"), None)),
    "an overflow of what is offered": ("F1", lambda s: s.deadlines.set("overflow", request_id("eve"), s.next_number)),
    "an emptying of a line that isn't there": ("F1", lambda s: s.deadlines.set("unstaffed", "none", 5)),
    "a wrap-up for ever": ("F4", lambda s: s.deadlines.set("wrap_up", session_id("carl"), None)),
    "a wrap-up that takes no place": ("F4", lambda s: _set(s.router.members["ann"], "load", 0)),
    "a class that the place doesn't know": ("F22", lambda s: _set(s.requests[request_id("eve")], "boost", 0)),
    "an ask that is forgotten": ("F5", lambda s: _set(s.router.tickets[request_id("dora")], "need", ())),
    "a skill that routing doesn't know": ("F4", lambda s: _set(s.representatives["bo"], "skills", (("tax", 3),))),
    "a place more than the offer has": ("F4", lambda s: _set(s.router.members["bo"], "offers", 3)),
    "an offer that another has": ("F4", lambda s: _set(s.offers[offer_id("eve")], "representative", "ann")),
    "a pool that miscounts its places": ("F5", lambda s: _set(_pool(s), "places", 99)),
    "a kind that is miscounted": ("F5", lambda s: _pool(s).able.update({TWO: 7})),
    "a kind that is forgotten": ("F5", lambda s: _forget_kinds(s)),
    "somebody free whom nobody knows of": ("F5", lambda s: _pool(s).awake.update({TWO: None})),
    "a line in the wrong order": ("F6", lambda s: s.router.lines["help"].order._lists[0].reverse()),  # type: ignore[attr-defined]
}


def _forget_kinds(state: State) -> None:
    pool = _pool(state)
    picky = next(want for want in pool.free if want[2])
    del pool.free[picky], pool.able[picky]


@pytest.mark.parametrize("fault", list(OF_LINES))
def test_a_line_with_a_planted_fault_is_caught(fault: str) -> None:
    invariant, plant = OF_LINES[fault]
    scene = _held()
    invariants.check(scene.desk.state)
    plant(scene.desk.state)
    breaks(invariant, lambda: invariants.check(scene.desk.state))


def test_faults_between_refused_requests_are_caught() -> None:
    scene = office("bo")
    scene.assign("x", "bo")
    scene.staff("blue", "ann")
    scene.ask("carl")
    scene.ok(ops.OfferDecline(offer_id("carl"), "no"), representative("ann"))  # bo is busy: it waits for him
    state = scene.desk.state
    line = state.router.lines["help"]
    (kind,) = groups = dict(line.groups)
    line.groups.clear()
    breaks("F5", lambda: invariants.check(state))
    line.groups[kind] = {frozenset({"bo"}): next(iter(groups[kind].values()))}
    breaks("F5", lambda: invariants.check(state))
    line.groups.clear()
    line.groups.update(groups)
    invariants.check(state)
    _pool(state).backlog.clear()
    breaks("F5", lambda: invariants.check(state))


def test_waiting_twice_is_caught() -> None:
    scene = office("ann")
    scene.lose("ann")
    scene.desk.state.representatives["ann"].lease_until = scene.now
    breaks("F17", lambda: invariants.check(scene.desk.state))


def test_F5_a_round_that_everybody_refused_must_be_over() -> None:
    scene = office("ann", "bo")
    scene.assign("one", "ann")
    scene.ask("two")
    scene.ok(ops.OfferDecline(offer_id("two"), "busy"), representative("bo"))
    ticket = scene.desk.state.router.tickets[request_id("two")]
    ticket.refused = frozenset({"ann", "bo"})
    with pytest.raises(InvariantBroken, match="its round isn't over"):
        invariants.check(scene.desk.state)


def test_a_lowered_capacity_is_no_fault_where_it_is_known() -> None:
    scene = office("ann", capacity=2)
    for name in ("one", "two"):
        scene.assign(name, "ann")
    with pytest.raises(InvariantBroken):
        scene.ok(ops.RepresentativePut("ann", personal("Ann"), "blue", 1), manager())
    invariants.check(scene.desk.state, lowered=["ann"])


def test_every_deadline_of_a_desk_has_an_owner() -> None:
    assert set(DUE) == set(invariants._OF_DEADLINE)
