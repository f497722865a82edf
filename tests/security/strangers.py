"""Two accounts on one broker, the second full of things; and every way in which the first could ask for them.

What can be asked is read from the schema, so an operation that is added later is tried without a word here.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import attrs

from broker.desk import snapshot
from broker.protocol import check, frames
from broker.protocol.codec import pack_value
from broker.runtime.options import ROLES, Options
from tests.protocol.samples import Spec, fields_of, good, tables
from tests.runtime.harness import PINS, Broker, Client, Refused, hub_of

FAST: Final = (1e6, 1e6)
OPTIONS: Final = Options(
    roles={role: attrs.evolve(options, rate=FAST) for role, options in ROLES.items()},
    commit_rate=FAST,
    position_period=3_600_000,
)
OURS: Final = "acme"
THEIRS: Final = "bolt"
NAMING_TEXTS: Final = frozenset({"stream", "pin", "token", "portal", "visitor", "source"})
"""Arguments that name something without being ids; other texts (reasons, times of day) name nothing."""
_MADE: Final = re.compile(r"\b[a-z]{1,3}_[0-9a-z]{8,}\b")
_addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


@attrs.frozen
class Secret:
    """Something of the other account's, and a twin that is nowhere: no answer may tell the two apart."""

    kind: str
    theirs: str
    twin: str


@attrs.define
class Side:
    """One account and some of each kind of its things, by the name of the argument that takes them."""

    account: str
    things: dict[str, str] = attrs.field(factory=dict)
    clients: list[Client] = attrs.field(factory=list)


def twin(text: str) -> str:
    """As long, of the same shape, and nobody's."""
    head = re.match(r"[a-z]+[_:]([a-z]+_)?", text)
    start = head.end() if head else len(text) // 2
    letters = itertools.cycle(hashlib.sha256(text.encode()).hexdigest())
    return text[:start] + "".join(next(letters) if c.isalnum() else c for c in text[start:])


async def settle_in(b: Broker, account: str) -> Side:
    """Portals of all kinds, people, and one of each thing that an operation could name."""
    side = Side(account)
    boss = await b.staff(f"{account}-boss", "manager", account)
    await boss.write("manager.put", manager=f"{account}-boss", kind="account", name="Boss", rights=["api_managers"])
    for kind, mode in (("button", "queue"), ("ask", "web"), ("pick", "web"), ("global_pin", "phone")):
        name = f"{account}-{kind.replace('_', '-')}"
        await boss.write(
            "portal.put", portal=name, kind=kind, mode=mode, subportals=[f"{name}-1"], offer_ms=3_600_000, take="any"
        )
    lines = [f"{account}-{kind}-1" for kind in ("button", "ask", "pick", "global-pin")]
    await boss.write("team.put", team=f"{account}-team", subportals=lines)
    names = [f"{account}-ann", f"{account}-bob"]
    for name in names:
        await boss.write("representative.put", representative=name, name="X", team=f"{account}-team", capacity=9)
    ann, bob = [await b.staff(name, "representative", account) for name in names]
    side.clients += [boss, ann, bob]
    side.things |= {"portal": f"{account}-button", "subportal": lines[0], "team": f"{account}-team"}
    side.things |= {"representative": names[1], "person": names[0], "account": account}
    await _live(b, side, ann)
    for client, stream in ((boss, "account"), (ann, "me"), (bob, "me")):
        await client.ask("subscribe", stream=stream, from_="now")
    await b.settle(0.1)
    for client in side.clients:
        client.pump()
    return side


async def _live(b: Broker, side: Side, ann: Client) -> None:
    """A waiting request, a pending offer, a session with a share on its way, a live pin."""
    account, things = side.account, side.things
    await ann.ask("subscribe", stream="me", from_="now")
    await ann.write("presence.set", presence="available")
    first = await b.customer(f"{account}/{account}-button", address=next(_addresses))
    await first.write("request.create", text="words of mine")
    offered = await ann.event("offer.made")
    session = (await ann.write("offer.accept", offer=offered.data["offer"]))["session"]
    share = (await ann.write("share.request", session=session))["share"]
    second = await b.customer(f"{account}/{account}-button", address=next(_addresses))
    waiting = await second.write("request.create", text="more words")
    pending = await ann.event("offer.made")
    made = await ann.write("pin.create")
    await ann.ask("unsubscribe", stream="me")
    side.clients += [first, second]
    assert second.welcome is not None
    visitor = second.welcome.identity
    things |= {"session": session, "share": share, "request": waiting["request"], "offer": str(pending.data["offer"])}
    things |= {"id": made["id"], "pin": made["pin"], "visitor": str(visitor["person"])}
    boss, third = side.clients[0], await b.customer(f"{account}/{account}-ask", address=next(_addresses))
    abusive = await third.write("request.create", text="abuse")
    things["block"] = (await boss.write("visitor.block", request=abusive["request"], what="both", reason="abuse"))[
        "block"
    ]
    things["token"] = b.token(account, f"{account}-ann", "representative")
    things["visitor_token"] = str(visitor["visitor"])


def secrets_of(b: Broker, side: Side) -> list[Secret]:
    """Everything of this account that somebody could have got hold of, with its twin."""
    things = side.things
    found = [Secret(kind, name, twin(name)) for kind, name in things.items() if kind not in ("token", "visitor_token")]
    found = [one for one in found if one.kind != "pin"]
    found.append(Secret("pin", things["pin"], _dead_pin(b, things["pin"])))
    nowhere = b.token("nowhere", f"{side.account}-ann", "representative")
    found.append(Secret("token", things["token"], nowhere))
    for kind, name in (("session", "session"), ("team", "team"), ("subportal", "subportal"), ("me", "person")):
        stream = f"{kind}:{things[name]}"
        found.append(Secret("stream", stream, f"{kind}:{twin(things[name])}"))
    return found


def _dead_pin(b: Broker, live: str) -> str:
    place = PINS.locate(live)
    assert place is not None
    slot, serial = place
    return PINS.pin(slot, serial + 77_777)


def paths(op: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path, schema type) of each argument of an operation that names something; ``[]`` is a list's element."""
    args: Mapping[str, Spec] = tables()["ops"][op]["args"]
    for name, spec in args.items():
        yield from _named(spec, (name,))


def _named(spec: Spec, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    match spec["type"]:
        case "id" | "slug":
            yield path, spec["type"]
        case "str" if path[-1] in NAMING_TEXTS:
            yield path, "str"
        case "list":
            yield from _named(spec["of"], (*path, "[]"))
        case "map":
            for name, inner in fields_of(spec).items():
                yield from _named(inner, (*path, name))
        case _:
            return


def arguments(op: str, own: Mapping[str, str], path: tuple[str, ...], value: str) -> dict[str, Any]:
    """Arguments that fit, with our own things wherever one is named, and ``value`` at ``path``."""
    fields: Mapping[str, Spec] = tables()["ops"][op]["args"]
    made = {name: _own(name, spec, own) for name, spec in fields.items() if not spec.get("optional")}
    made[path[0]] = _put(fields[path[0]], path[1:], value, own, path[0])
    return made


def _own(name: str, spec: Spec, own: Mapping[str, str]) -> Any:
    if spec["type"] in ("id", "slug") or name in ("pin", "token"):
        return own.get(name, "x")
    if name == "stream":
        return "me"
    if spec["type"] == "list":
        return [_own(name.rstrip("s"), spec["of"], own)] * max(spec.get("min", 0), 1)
    if spec["type"] == "map":
        return {key: _own(key, inner, own) for key, inner in fields_of(spec).items() if not inner.get("optional")}
    return spec["values"][0] if spec["type"] == "enum" else good(spec)


def _put(spec: Spec, rest: tuple[str, ...], value: str, own: Mapping[str, str], name: str) -> Any:
    if not rest:
        return value
    if rest[0] == "[]":
        return [_put(spec["of"], rest[1:], value, own, name.rstrip("s"))]
    made = _own(name, spec, own)
    return {**made, rest[0]: _put(fields_of(spec)[rest[0]], rest[1:], value, own, rest[0])}


@attrs.frozen
class Actor:
    """Somebody of our account: each try by a fresh connection, so that no limit stops the next."""

    name: str
    come: Callable[[], Any]


def actors(b: Broker) -> list[Actor]:
    """One of each role; of customers, one through each kind of portal."""

    def customer(kind: str) -> Callable[[], Any]:
        return lambda: b.customer(f"{OURS}/{OURS}-{kind}", address=next(_addresses))

    found = [Actor(f"customer ({kind})", customer(kind)) for kind in ("button", "ask", "pick", "global-pin")]
    found.append(Actor("representative", lambda: b.staff(f"{OURS}-ann", "representative", OURS)))
    found.append(Actor("manager", lambda: b.staff(f"{OURS}-boss", "manager", OURS)))
    found.append(Actor("service", lambda: b.staff("robot", "service", OURS)))
    assert {actor.name.partition(" ")[0] for actor in found} == set().union(*check.ROLES.values())
    return found


async def attempt(client: Client, op: str, args: Mapping[str, Any], value: str) -> tuple[bool, str]:
    """(whether it was carried out, all that the answer says with ``value`` and fresh ids blotted out)."""
    try:
        said: object = await client.write(op, **{f"{name}_": arg for name, arg in args.items()})
        done = True
    except Refused as refused:
        fail: frames.Fail = refused.fail
        said, done = (fail.code, fail.text, fail.detail, fail.retry_ms), False
    return done, _MADE.sub("MADE", repr(said).replace(value, "VALUE"))


async def differences(b: Broker, op: str, own: Side, theirs: Side) -> list[str]:
    """Every way in which this operation told somebody of ours more than nothing about a thing of theirs."""
    found: list[str] = []
    known = secrets_of(b, theirs)
    for actor, (path, kind) in itertools.product(actors(b), paths(op)):
        client = await actor.come()
        for secret in known:
            said = []
            for value in (secret.theirs, secret.twin):
                if "customer" in actor.name:
                    client.peer.close()
                    client = await actor.come()
                said.append(await attempt(client, op, arguments(op, own.things, path, value), value))
            where = f"{actor.name}: {op} with {secret.kind} as {'.'.join(path)}"
            if said[0] != said[1]:
                found.append(f"{where}: {said[0]} differs from {said[1]}")
            elif kind == "id" and said[0][0]:
                found.append(f"{where}: carried out")
        client.peer.close()
    return found


def state(b: Broker, account: str) -> bytes:
    """An account's desk, whole, and how far its journal is."""
    one = b.hub.accounts[account]
    return pack_value([one.seq, cast("Any", snapshot.dump(one.desk))])


@asynccontextmanager
async def two_accounts() -> AsyncIterator[tuple[Broker, Side, Side]]:
    """Ours and theirs, both full."""
    async with hub_of(OPTIONS, accounts=((OURS, 0), (THEIRS, 1)), furnished=False) as b:
        yield b, await settle_in(b, OURS), await settle_in(b, THEIRS)
