"""A random but repeatable life of a desk that uses every rule of routing at once, drawn from a seed.

Beside ``tests.support.walk``: classes, skills, holds, overflow, places, wrap-ups, work taken by hand."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import attrs

from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost
from broker.desk.identity import Identity
from broker.desk.state import State
from broker.protocol import ops
from broker.units import SECONDS
from tests.support.builders import customer, manager, personal, representative
from tests.support.routed import Routed

STAFF = ("ann", "bo", "cy", "di", "ed")
SKILLS = ("de", "fr", "tax")
LINES = ("x", "y", "z")
CLASSES = ({"class": "vip", "boost_ms": 30 * SECONDS}, {"class": "gold", "boost_ms": 5 * SECONDS})
VISITORS = 9

Asked = tuple[object, Identity | None]


def roam(scene: Routed, seed: int, steps: int) -> Iterator[int]:
    """Set a desk up and let ``steps`` things happen; after each, yields the number of records so far."""
    chance = Random(seed)
    scene.entrance("line", "x", "y", classes=CLASSES, take=chance.choice(["any", "head", "off"]))
    scene.entrance("big", "z", places=chance.choice([1, 2, 3]), wrap_up_ms=chance.choice([0, 15 * SECONDS]))
    scene.entrance("pick", "p", kind="pick", mode="web", pick_fallback="broadcast", take="any")
    for name in LINES:
        scene.do(settings(chance, name), manager())
    scene.team("blue", "x", "y", "z", "p")
    scene.team("red", "x", "z")
    for name in STAFF[:4]:
        scene.do(person(chance, name), manager())
        scene.set(name, "available")
    yield len(scene.records)
    for _ in range(steps):
        if chance.random() < 0.25:
            scene.pass_time(chance.choice([1, 700, 4000, 11_000, 20_000, 61_000]))
        else:
            command, who = draw(scene, chance)
            if isinstance(command, ops.RepresentativePut):
                scene.lowered.add(command.representative)
            scene.do(command, who)
        yield len(scene.records)


def settings(chance: Random, name: str) -> ops.SubportalPut:
    """A sub-portal's settings."""
    chosen = chance.sample(SKILLS, chance.randrange(3))
    skills = [{"skill": one, "level": chance.randint(1, 9), "asked": chance.random() < 0.5} for one in chosen]
    relax = [{"after_ms": 5 * SECONDS, "less": 3}, {"after_ms": 20 * SECONDS, "less": 9}][: chance.randrange(3)]
    others = [one for one in LINES if one != name]
    overflow: list[dict[str, object]] = []
    for _ in range(chance.randrange(3)):
        rule: dict[str, object] = chance.choice(
            [
                {"on": "wait", "after_ms": chance.choice([8, 25, 50]) * SECONDS},
                {"on": "length", "length": chance.randint(1, 6)},
                {"on": "staffing"},
            ]
        )
        overflow.append({**rule, **({"to": chance.choice(others)} if chance.random() < 0.8 else {})})
    return ops.SubportalPut(
        name,
        weight=chance.randint(1, 3),
        policy=chance.choice(["least_occupied", "longest_idle", "round_robin", "weighted"]),
        max_waiting=chance.choice([3, 8, 100]),
        skills=skills,
        relax=relax,
        sticky_ms=chance.choice([0, 10, 40]) * SECONDS,
        overflow=overflow,
    )


def person(chance: Random, name: str) -> ops.RepresentativePut:
    """Somebody's team, capacity, weight and skills."""
    known = [{"skill": one, "level": chance.randint(1, 9)} for one in chance.sample(SKILLS, chance.randrange(4))]
    team = chance.choice(["blue", "blue", "red"])
    return ops.RepresentativePut(name, personal(name), team, chance.randint(1, 4), chance.randint(1, 4), known)


def draw(scene: Routed, chance: Random) -> Asked:
    """A command that often makes sense now, and who asks."""
    kind = chance.random()
    if kind < 0.35:
        return _of_customer(scene, chance)
    if kind < 0.8:
        return _of_representative(scene, chance)
    return _of_others(scene, chance)


def _pick(chance: Random, names: dict[str, object]) -> str:
    return chance.choice(list(names)) if names else "nothing"


def _of_customer(scene: Routed, chance: Random) -> Asked:
    state = scene.desk.state
    portal, subportals = chance.choice([("line", ("x", "y")), ("line", ("x", "y")), ("big", ("z",)), ("pick", ("p",))])
    who = customer(str(chance.randrange(VISITORS)), portal)
    request = _pick(chance, {**state.requests})
    if chance.random() < 0.15 and request in state.requests:
        return ops.RequestWithdraw(request), customer(state.requests[request].visitor[2:], portal)
    subportal = chance.choice(subportals)
    listed = [skill for skill, _, asked in state.subportals[subportal].skills if asked]
    wanted = chance.sample(listed, chance.randint(0, min(2, len(listed)))) or None
    target = chance.choice(STAFF) if portal == "pick" else None
    return ops.RequestCreate(subportal, personal("?"), representative=target, skills=wanted), who


def _guests(state: State) -> list[tuple[str, str]]:
    """(session, who is a guest there)."""
    return [(name, who) for name, session in state.sessions.items() for who in session.members]


def _of_representative(scene: Routed, chance: Random) -> Asked:
    state = scene.desk.state
    name = chance.choice(STAFF)
    offer, session = _pick(chance, {**state.offers}), _pick(chance, {**state.sessions})
    owner = (state.sessions[session].representative if session in state.sessions else None) or name
    if offer in state.offers:
        name = state.offers[offer].representative or name
    guest_of, guest = chance.choice([(session, name), *_guests(state)])
    wrap_up = _pick(chance, {**state.wrapping})
    presence = chance.choice(["available", "available", "away", "offline"])
    commands: list[tuple[object, str]] = [
        (ops.OfferAccept(offer), name),
        (ops.OfferAccept(offer), name),
        (ops.OfferAccept(offer), name),
        (ops.OfferDecline(offer, "no"), name),
        (ops.SessionEnd(session), owner),
        (ops.SessionEnd(session), owner),
        (ops.SessionLeave(session), owner),
        (ops.SessionTransfer(session, chance.choice(STAFF)), owner),
        (ops.SessionInvite(session, chance.choice(STAFF), masked=chance.random() < 0.5), owner),
        (ops.SessionInvite(session, subportal=chance.choice(LINES), view_only=chance.random() < 0.5), owner),
        (ops.SessionLeave(guest_of), guest),
        (ops.SessionRemove(guest_of, guest), owner),
        (ops.OfferRevoke(offer), owner),
        (ops.WrapUpEnd(wrap_up), state.wrapping.get(wrap_up, name)),
        (ops.CaseTake(_pick(chance, {**state.requests})), name),
        (ops.PresenceSet(presence, sessions=chance.choice([None, "hand_back"])), chance.choice(STAFF)),
        (ops.PresenceSet("available"), chance.choice(STAFF)),
    ]
    command, who = chance.choice(commands)
    return command, representative(who)


def _of_others(scene: Routed, chance: Random) -> Asked:
    request = _pick(chance, {**scene.desk.state.requests})
    somebody = chance.choice([*STAFF, *(f"v_{n}" for n in range(VISITORS))])
    mia = manager()
    serves = chance.sample(["x", "y", "z", "p"], chance.randint(1, 4))
    portal = ops.PortalPut("big", "ask", "queue", ["z"], classes=CLASSES)
    commands: list[Asked] = [
        (ops.RequestClassify(request, chance.choice(["vip", "gold", "normal"])), mia),
        (ops.RequestClassify(request, chance.choice(["vip", "gold", "normal"])), mia),
        (ops.CaseAssign(chance.choice(STAFF), request), mia),
        (person(chance, chance.choice(STAFF)), mia),
        (settings(chance, chance.choice(LINES)), mia),
        (ops.TeamPut("red", serves, away_after=chance.choice([None, 1, 2])), mia),
        (attrs.evolve(portal, places=chance.choice([1, 2, 3]), wrap_up_ms=chance.choice([0, 5000])), mia),
        (ConnectionLost(somebody), None),
        (ConnectionBack(somebody), None),
        (ConnectionBack(chance.choice(STAFF)), None),
        (BrokerStart(), None),
    ]
    return chance.choice(commands)
