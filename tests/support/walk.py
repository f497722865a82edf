"""A random but repeatable life of a desk: weighted, mostly sensible commands, drawn from a seed.

Where a hypothesis machine chooses well but slowly, this is cheap: for properties over many commands, and for commands
with nonsense in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from broker.desk.commands import BrokerStart, ConnectionBack, ConnectionLost, MachineBack, PinGuessing, Watch
from broker.desk.identity import Identity
from broker.desk.state import Share
from broker.protocol import ops
from tests.support.builders import customer, document, manager, personal, representative
from tests.support.scene import Scene

PORTALS = (
    ("line", "ask", "queue", ("x", "y")),
    ("open", "button", "web", ("z",)),
    ("pick", "pick", "web", ("p",)),
    ("pickall", "pick", "web", ("q",)),
    ("phone", "pin", "phone", ("f",)),
)
STAFF = ("ann", "bo", "cy", "di")
NOBODY = "no-such-thing"


def walk(scene: Scene, seed: int, steps: int, nonsense: float = 0.05) -> Iterator[int]:
    """Set a desk up and let ``steps`` things happen; after each, yields the number of records so far."""
    chance = Random(seed)
    for name, kind, mode, subportals in PORTALS:
        scene.portal(name, kind, mode, *subportals, fallback="broadcast" if name == "pickall" else "choose")
    scene.team("blue", "x", "y", "z", "p", "q", "f")
    scene.team("red", "x", "z", "q")
    scene.staff("blue", "ann", "bo", capacity=2)
    scene.staff("red", "cy")
    yield len(scene.records)
    for _ in range(steps):
        if chance.random() < 0.2:
            scene.pass_time(chance.choice([1, 400, 5000, 20_000, 61_000, 121_000]))
        else:
            command, who = draw(scene, chance, nonsense)
            if isinstance(command, ops.RepresentativePut):
                scene.lowered.add(command.representative)
            scene.do(command, who)
        yield len(scene.records)


def draw(scene: Scene, chance: Random, nonsense: float) -> tuple[object, Identity | None]:
    """A command that often makes sense now, and who asks."""
    if chance.random() < 0.15:
        return _of_broker_or_manager(scene, chance)
    if chance.random() < 0.4:
        return _of_customer(scene, chance, nonsense)
    return _of_representative(scene, chance, nonsense)


def some(chance: Random, names: Sequence[str], nonsense: float) -> str:
    """One of these, or something that isn't there."""
    return NOBODY if not names or chance.random() < nonsense else chance.choice(names)


def _of_broker_or_manager(scene: Scene, chance: Random) -> tuple[object, Identity | None]:
    name = chance.choice(STAFF)
    person = chance.choice([*STAFF, *(f"v_{n}" for n in range(8))])
    team = chance.choice(["blue", "red"])
    commands: list[tuple[object, Identity | None]] = [
        (ConnectionLost(person), None),
        (ConnectionBack(person), None),
        (ConnectionBack(name), None),
        (MachineBack(some(chance, list(scene.desk.state.shares), 0.1)), None),
        (BrokerStart(), None),
        (PinGuessing(None, "198.51.100.0", 5), None),
        (ops.RepresentativePut(name, personal(name), team, chance.randint(1, 3)), manager()),
        (ops.TeamPut("red", chance.sample(["x", "y", "z", "p", "q", "f"], 4)), manager()),
        (
            ops.PortalPut(
                "line",
                "ask",
                "queue",
                ["x", "y"],
                offer_ms=chance.choice([5000, 20_000]),
                web_chat=chance.choice(["none", "chat_only", "upgradable"]),
                functions=chance.choice([{"monitoring": True}, {"monitoring": True}, {"collaboration": False}]),
                monitoring=chance.choice(["off", "announced", "silent"]),
            ),
            manager(),
        ),
        (ops.PortalPut("open", "button", "web", ["z"], functions=_switches(chance)), manager()),
        *((Watch(share, guest), None) for share, guest in _could_look(scene)),
        (ops.RepresentativePut(name, personal(name), team, 2, functions=_switches(chance)), manager()),
        *(
            (op(some(chance, list(scene.desk.state.sessions), 0.1)), manager(who))
            for who in ("mia", "tim")
            for op in (ops.SessionMonitor, ops.SessionMonitor, ops.SessionMonitorEnd)
        ),
        (ConnectionLost("mia"), None),
        *((command, manager()) for command in _replies(chance, team)),
        (ops.ManagerPut("tim", "team", teams=[team], rights=chance.choice([["monitor"], []])), manager()),
        (ops.AccountGet(), manager()),
    ]
    return chance.choice(commands)


def _could_look(scene: Scene) -> list[tuple[str, str]]:
    """(share, guest) where the hub may say that this one looks."""
    found = []
    for session in scene.desk.state.sessions.values():
        for guest in session.members:
            joined = session.share and scene.desk.share_to_join(representative(guest), session.share)
            if isinstance(joined, Share):
                found.append((joined.share, guest))
    return found


def _replies(chance: Random, team: str) -> list[object]:
    """Canned replies are written, changed, deleted and read."""
    reply, said = chance.choice(["hello", "bye"]), personal(f"Hello {chance.randrange(99)}")
    texts = document({"en": f"Hello {chance.randrange(99)}"}, f"d_{chance.randrange(99)}")
    put = ops.ReplyPut(team, reply, chance.choice([None, said]), *chance.choice([(said, None), (None, texts)]))
    return [put, put, ops.ReplyDelete(team, reply), ops.ReplyList()]


def _switches(chance: Random) -> dict[str, object]:
    """What matters to a screen share, on or off."""
    return {name: chance.random() < 0.8 for name in ("screen_share", "control", "reboot")}


def _of_customer(scene: Scene, chance: Random, nonsense: float) -> tuple[object, Identity | None]:
    state = scene.desk.state
    requests = list(state.requests)
    name = some(chance, requests, nonsense)
    portal, kind, _, subportals = chance.choice(PORTALS)
    who = customer(str(chance.randrange(8)), portal)
    if name in state.requests and chance.random() < 0.5:
        who = Identity(who.account, state.requests[name].visitor, who.role, state.requests[name].portal)
    target = some(chance, STAFF, nonsense)
    ask = ops.RequestCreate(chance.choice(subportals), personal("?"), representative=target if kind == "pick" else None)
    shares = list(state.shares) or [NOBODY]
    share = some(chance, shares, nonsense)
    if share in state.shares and chance.random() < 0.5:
        who = Identity(who.account, state.shares[share].visitor, who.role, portal)
    digits = [state.pinspace.pin(state.slot, serial) for serial in range(state.next_serial)]
    commands: list[object] = [
        ask,
        ask,
        ask,
        ops.RequestPick(name, target),
        ops.RequestWithdraw(name),
        ops.SessionEnd("s_" + name[2:]),
        ops.ChatSend("s_" + name[2:], personal("!")),
        ops.ChatSend("s_" + name[2:], personal("!")),
        ops.SessionDescribe("s_" + name[2:], chance.choice(["device", "diagnostics"]), document({"os": "?"})),
        ops.SessionRate("s_" + name[2:], chance.randint(1, 5)),
        ops.ShareAccept(share),
        ops.ShareConfirm(share, control=chance.choice([None, True])),
        ops.ShareStarted(share),
        ops.ShareControl(share, chance.choice([True, False])),
        ops.ShareStop(share),
        ops.ShareDecline(share),
        ops.PinRedeem(some(chance, digits, nonsense)),
        ops.PortalOpen(),
    ]
    return chance.choice(commands), who


def _of_representative(scene: Scene, chance: Random, nonsense: float) -> tuple[object, Identity | None]:
    state = scene.desk.state
    name = some(chance, STAFF, nonsense)
    offers = [*state.offers, *list(state.ended_offers)[-3:]]
    offer = some(chance, offers, nonsense)
    if offer in state.offers and chance.random() < 0.8:
        name = state.offers[offer].representative or name
    session = some(chance, list(state.sessions), nonsense)
    owner = (state.sessions[session].representative if session in state.sessions else None) or name
    share = some(chance, list(state.shares), nonsense)
    other = state.shares[share].representative if share in state.shares else name
    presence = chance.choice(["available", "available", "away", "offline"])
    commands: list[tuple[object, str]] = [
        (ops.OfferAccept(offer), name),
        (ops.OfferAccept(offer), name),
        (ops.OfferAccept(offer), name),
        (ops.OfferDecline(offer, "no"), name),
        (ops.PresenceSet(presence, sessions=chance.choice([None, "keep", "hand_back"])), name),
        (ops.PresenceSet("available"), name),
        (ops.SessionEnd(session), owner),
        (ops.SessionLeave(session), owner),
        (ops.SessionTransfer(session, some(chance, STAFF, nonsense)), owner),
        (ops.SessionTransfer(session, subportal=chance.choice("xyzpqf"), comment=personal("take it")), owner),
        (ops.SessionInvite(session, some(chance, STAFF, nonsense), masked=chance.random() < 0.5), owner),
        (ops.SessionInvite(session, subportal=chance.choice("xyzpqf"), view_only=True, comment=personal("?")), owner),
        (ops.SessionRemove(session, name), owner),
        (ops.OfferRevoke(offer), owner),
        (ops.ChatSend(session, personal("!")), owner),
        (ops.NoteAdd(session, personal("!")), owner),
        (ops.SessionOutcome(session, chance.choice(["resolved", "unknown", "strange"])), owner),
        (ops.ShareRequest(session, control=chance.choice([None, True])), owner),
        (ops.ShareAskControl(share), other),
        (ops.ShareReboot(share), other),
        (ops.ShareStarted(share), other),
        (ops.ShareStop(share), other),
        (ops.ReplyList(chance.choice(["x", "p", None])), name),
        (ops.PinCreate(), name),
        (ops.PinList(), name),
        (ops.PinRevoke(some(chance, list(state.pins), nonsense)), name),
    ]
    command, who = chance.choice(commands)
    return command, representative(who)
