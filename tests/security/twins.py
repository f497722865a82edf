"""The same life of an account, lived alone and beside another one: tapes of what its connections receive, byte by byte.

Each account's randomness is its own, drawn from a seed by a counter, and so is each person's address; the clock is
virtual. Whatever differs then between the two lives came from the other account.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from broker.desk.desk import Desk
from broker.journal.base import JournalUnavailable
from broker.journal.memory import MemoryStore
from broker.protocol import frames
from broker.runtime.hub import Hub
from broker.transport.memory import LinkClosed
from tests.runtime.harness import DAY, SIGNER, Broker, Client, Ended, broker

OURS: Final = "acme"
THEIRS: Final = "bolt"
NETWORKS: Final = {OURS: "10.1.0", THEIRS: "10.2.0"}
STAFF: Final = {"boss": "manager", "tim": "manager", "ann": "representative", "bob": "representative"}
CUSTOMERS: Final = ("joe", "jim", "jon")
BEGIN: Final = 10_000.0
"""Virtual seconds at which a life begins, whatever it took to set it up."""
TURN: Final = 0.25
PASSWORD: Final = "Plums-under-7-umbrellas"
BUG: Final = "a-bug"
"""A team with which the planted bug is met."""

Move = tuple[str, str, int]
"""(who, what, a number that chooses among what there is)."""


@attrs.define(eq=False)
class Taped(Client):
    """A client that keeps every message as it came, and when."""

    tape: list[tuple[float, bytes]] = attrs.field(factory=list)

    def send(self, *out: frames.Frame) -> None:
        """Nothing, where nobody is there any more."""
        with suppress(LinkClosed, trio.WouldBlock, trio.BrokenResourceError):
            Client.send(self, *out)

    def _take(self, message: bytes) -> None:
        self.tape.append((trio.current_time() - BEGIN, message))
        Client._take(self, message)


@attrs.define(eq=False)
class Side:
    """One account's people and what they do."""

    account: str
    broker: Broker
    clients: dict[str, Taped] = attrs.field(factory=dict)
    tapes: dict[str, list[tuple[float, bytes]]] = attrs.field(factory=dict)
    """By person: all its connections, one after the other."""
    turn: int = 0

    def come(self, person: str, auth: Mapping[str, object] | None = None) -> None:
        """A connection says HELLO; its tape goes on where the person's last one ended."""
        host = [*STAFF, *CUSTOMERS].index(person) + 1
        peer = self.broker.transport.connect(address=f"{NETWORKS[self.account]}.{host}")
        client = Taped(peer, tape=self.tapes.setdefault(person, []))
        if auth is None and person in STAFF:
            expires = self.broker.clock.now() + DAY
            auth = {"token": SIGNER.mint(self.account, person, STAFF[person], expires)}
        elif auth is None:
            auth = {"portal": f"{self.account}/help"}
        client.send(frames.Hello([1], [], auth, {}))
        self.clients[person] = client

    def pump(self) -> None:
        """Read whatever is there, and answer pings."""
        for client in self.clients.values():
            with suppress(Ended):
                client.pump()

    def make(self, move: Move) -> None:
        """Do this now; what it needs is taken from what this person has seen."""
        who, what, number = move
        self.turn += 1
        client = self.clients[who]
        with suppress(LinkClosed, trio.WouldBlock, trio.BrokenResourceError):
            if what in ("come", "password", "wrong"):
                client.cut()
                login = {"account": self.account, "role": "manager", "person": "boss"}
                given = PASSWORD if what == "password" else "a wrong one"
                self.come(who, None if what == "come" else {"login": {**login, "password": given}})
            elif what == "flood":
                for _ in range(60):
                    self.ask(client, "account.get")
            elif what == "rubbish":
                client.peer.send_nowait(b"\xc1rubbish")
            else:
                op, args = self.request(client, what, number)
                self.ask(client, op, **args)

    def ask(self, client: Taped, op: str, **args: object) -> None:
        """One REQUEST, with a key of its own."""
        self.turn += 1
        client.ask_nowait(op, f"k{self.turn}", **args)

    def request(self, client: Taped, what: str, number: int) -> tuple[str, dict[str, Any]]:
        """The operation and its arguments."""
        offer = last(client, "offer.made", "offer", number)
        session = last(client, "session.opened", "session", number)
        request = last(client, "request.created", "request", number)
        rep, team = f"{'ann' if number % 2 else 'bob'}", f"t{number % 3}"
        made: dict[str, tuple[str, dict[str, Any]]] = {
            "available": ("presence.set", {"presence": "available"}),
            "away": ("presence.set", {"presence": "away"}),
            "offline": ("presence.set", {"presence": "offline", "sessions": "hand_back"}),
            "accept": ("offer.accept", {"offer": offer}),
            "decline": ("offer.decline", {"offer": offer, "reason": "busy"}),
            "end": ("session.end", {"session": session}),
            "leave": ("session.leave", {"session": session}),
            "transfer": ("session.transfer", {"session": session, "representative": rep}),
            "pin": ("pin.create", {}),
            "create": ("request.create", {"text": f"text {number}", "name": "Jo"}),
            "withdraw": ("request.withdraw", {"request": request}),
            "redeem": ("pin.redeem", {"pin": f"{number:09d}"}),
            "team": ("team.put", {"team": team, "subportals": ["help-1"][: number % 2]}),
            "hire": ("representative.put", {"representative": rep, "name": f"R {number}", "team": "t1", "capacity": 3}),
            "fire": ("representative.delete", {"representative": rep}),
            "list": ("case.list", {"subportal": "help-1"}),
            "why": ("request.why", {"request": request}),
            "get": ("account.get", {}),
            "bad": ("team.put", {"team": "No slug!", "subportals": number}),
            "nothing": ("no.such.op", {}),
            "set": ("password.set", {"person": "tim", "new": f"{PASSWORD} {number}"}),
            "follow": ("subscribe", {"stream": ("account", "team:t1", "audit", "me")[number % 4], "from_": "snapshot"}),
            "again": (
                "subscribe",
                {"stream": ("account", "team:t1", "me")[number % 3], "from_": "offset", "offset": 0},
            ),
            "bug": ("team.put", {"team": BUG, "subportals": []}),
        }
        return made[what]


def last(client: Taped, type_: str, field: str, number: int) -> object:
    """The newest thing of a kind that this client was told of, or (sometimes) the one before."""
    seen = [frame.data[field] for frame in client.seen if isinstance(frame, frames.Event) and frame.type == type_]
    return seen[-1 - number % min(2, len(seen))] if seen else "x_nothing"


BOSS: Final = (
    "team",
    "hire",
    "fire",
    "why",
    "get",
    "list",
    "bad",
    "nothing",
    "set",
    "follow",
    "again",
    "come",
    "password",
)
REPRESENTATIVE: Final = (
    *("available", "available", "away", "offline", "accept", "accept", "accept", "decline", "end", "leave", "transfer"),
    *("pin", "get", "list", "follow", "again", "come", "rubbish", "bad"),
)
CUSTOMER: Final = ("create", "create", "create", "withdraw", "end", "redeem", "come", "rubbish", "follow", "bad")
MOVES: Final[Mapping[str, Sequence[str]]] = {
    "boss": BOSS,
    "tim": ("get", "follow", "again", "team", "come"),
    "ann": REPRESENTATIVE,
    "bob": REPRESENTATIVE,
    "joe": CUSTOMER,
    "jim": CUSTOMER,
    "jon": CUSTOMER,
}
WORSE: Final = {"boss": ("flood", "wrong", "bug", "fail"), "ann": ("flood",), "joe": ("flood",)}
"""What the other account does besides. ``fail``: a commit that has nothing but the other's in it is not stored."""


@attrs.define
class Own:
    """Randomness that is each account's own: drawn for whoever is being served."""

    counts: dict[str, int] = attrs.field(factory=dict)
    serving: str = OURS
    """Whose message is being looked at."""
    hub: Hub | None = None

    def __call__(self, count: int) -> bytes:
        touching = self.hub.conductor._touching if self.hub is not None else None
        whose = touching.name if touching is not None else self.serving
        self.counts[whose] = number = self.counts.get(whose, 0) + 1
        return hashlib.shake_256(f"{whose} {number}".encode()).digest(count)

    def attend(self, hub: Hub) -> None:
        """Know from now on who is being served: addresses are each account's own."""
        self.hub, before = hub, hub.peers.messages
        self.counts.clear()  # the start draws, and makes nothing of it
        whose = {network: account for account, network in NETWORKS.items()}

        def messages(connection: Any, *args: Any) -> None:
            self.serving = whose[str(connection.link.address).rpartition(".")[0]]
            before(connection, *args)

        hub.peers.messages = messages  # type: ignore[method-assign,assignment]


@attrs.frozen
class Life:
    """All that was left of it."""

    tapes: dict[str, list[tuple[float, bytes]]]
    records: Sequence[object]
    contents: Sequence[object]
    answers: Sequence[object]
    head: object


Turn = tuple[Move | None, Move | None]
"""What ours does, and the other account in the same instant."""


def live(turns: Sequence[Turn], *, beside: bool) -> Life:
    """One account's life, with or without the other's beside it."""
    return trio.run(_live, turns, beside, clock=MockClock(autojump_threshold=0))


async def _live(turns: Sequence[Turn], beside: bool) -> Life:  # noqa: FBT001 (trio.run takes no keywords)
    store, own = MemoryStore(), Own()
    accounts = ((OURS, 0), (THEIRS, 1)) if beside else ((OURS, 0),)
    async with broker(accounts=accounts, store=store, furnished=False, entropy=own) as b:
        own.attend(b.hub)
        sides = [Side(account, b) for account, _ in accounts]
        await set_up(sides)
        for ours, theirs in turns:
            for side, move in zip(sides, (ours, theirs), strict=False):
                if move is None:
                    continue
                if move[1] == "fail":
                    b.journal.fail_next(JournalUnavailable("planted", surely_nothing=True))
                    move = (move[0], "team", move[2])
                side.make(move)
            await pass_time(TURN)
            for side in sides:
                side.pump()
        await pass_time(130)  # leases, holds and graces run out
        for side in sides:
            side.pump()
        b.hub.faults.met = 0  # the planted ones
    return Life(
        sides[0].tapes,
        list(store.records(OURS, 0, 1_000_000)),
        sorted(store._accounts[OURS].contents.items()),
        [answer for account, answer in store._answers if account == OURS],
        store.head(OURS),
    )


async def pass_time(seconds: float) -> None:
    """So long, and until the hub has done all that is due then: which of two tasks runs first is left to chance."""
    await trio.sleep(seconds)
    await wait_all_tasks_blocked()


async def set_up(sides: Sequence[Side]) -> None:
    """Portals, teams and people, one account after the other, ours first; then everybody comes."""
    for number, side in enumerate(sides):
        side.come("boss")
        boss = side.clients["boss"]
        await pass_time(TURN)
        for op, args in FURNITURE:
            side.ask(boss, op, **args)
            await pass_time(TURN)
            side.pump()
        links = side.broker.hub.entrance.links
        link = links.link(side.account, "boss", "manager", 0)  # type: ignore[arg-type]  # a str is a role here
        assert await links.choose(link.partition("token=")[2], PASSWORD) == ()
        await pass_time(TURN)
        assert trio.current_time() < BEGIN * (number + 1) / 2
    await trio.sleep_until(BEGIN)
    for side in sides:
        for person in MOVES:
            if person in side.clients:
                side.clients[person].cut()
            side.tapes[person] = []
            side.come(person)
    await pass_time(TURN)
    for side in sides:
        side.pump()
        for person, client in side.clients.items():
            for stream in ("account", "audit", "team:t1") if person == "boss" else ("me",):
                side.ask(client, "subscribe", stream=stream, from_="now")
    await pass_time(TURN)
    for side in sides:
        side.pump()


FURNITURE: Final[Sequence[tuple[str, dict[str, Any]]]] = (
    ("manager.put", {"manager": "boss", "kind": "account"}),
    ("portal.put", {"portal": "help", "kind": "button", "mode": "queue", "subportals": ["help-1"], "take": "any"}),
    ("team.put", {"team": "t1", "subportals": ["help-1"]}),
    ("manager.put", {"manager": "tim", "kind": "team", "teams": ["t1"], "rights": ["teams"]}),
    ("representative.put", {"representative": "ann", "name": "Ms A", "team": "t1", "capacity": 2}),
    ("representative.put", {"representative": "bob", "name": "Mr B", "team": "t1", "capacity": 1}),
)


def differences(alone: Life, beside: Life) -> list[str]:
    """What isn't the same in both."""
    found = []
    for person, tape in alone.tapes.items():
        other = beside.tapes[person]
        at = next((i for i, (one, two) in enumerate(zip(tape, other, strict=False)) if one != two), None)
        if at is not None:
            found.append(f"{person} was told {tape[at]!r} alone, {other[at]!r} beside another account")
        elif len(tape) != len(other):
            found.append(f"{person} was told {len(tape)} things alone, {len(other)} beside another account")
    kept = ("records", "contents", "answers", "head")
    return found + [f"{field} of the journal" for field in kept if getattr(alone, field) != getattr(beside, field)]


def plant_bug(handle: Any) -> Any:
    """A desk that fails on one command of the other account's."""

    def handled(self: Desk, command: object, *args: Any) -> Any:
        if self.state.account == THEIRS and getattr(command, "team", None) == BUG:
            raise RuntimeError("planted")
        return handle(self, command, *args)

    return handled
