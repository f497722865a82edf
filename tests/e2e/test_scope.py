"""Scenario 14, the half about scope (F20): what other teams do that share nothing with a manager's changes no byte of
what that manager is told."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from broker.desk import view
from broker.protocol import frames
from broker.runtime.hub import Hub
from tests.runtime.harness import DAY, SIGNER, Client, broker


@attrs.define
class ByPerson:
    """Randomness that is each connection's own, so that one person's ids don't follow from what others draw."""

    serving: str = ""
    counts: dict[str, int] = attrs.field(factory=dict)

    def __call__(self, count: int) -> bytes:
        self.counts[self.serving] = number = self.counts.get(self.serving, 0) + 1
        return hashlib.shake_256(f"{self.serving} {number}".encode()).digest(count)

    def attend(self, hub: Hub) -> None:
        """Know from now on whose message is looked at."""
        before = hub.peers.messages

        def messages(connection: Any, *args: Any) -> None:
            self.serving = connection.link.address
            before(connection, *args)

        hub.peers.messages = messages  # type: ignore[method-assign,assignment]


@attrs.define(eq=False)
class Taped(Client):
    """Keeps what it receives as it came."""

    tape: list[bytes] = attrs.field(factory=list)
    sent: int = 0

    def _take(self, message: bytes) -> None:
        self.tape.append(message)
        Client._take(self, message)

    async def do(self, op: str, **args: object) -> None:
        """Ask, and let everything happen that follows."""
        self.sent += 1
        self.ask_nowait(op, f"k{self.sent}", **args)
        await trio.sleep(0.3)
        await wait_all_tasks_blocked()
        self.pump()

    def last(self, field: str) -> object:
        """The newest of these that it was told."""
        found = [frame.data for frame in self.seen if isinstance(frame, frames.Event) and field in frame.data]
        return found[-1][field]


SET_UP: tuple[tuple[str, dict[str, object]], ...] = (
    ("manager.put", {"manager": "boss", "kind": "account"}),
    ("portal.put", {"portal": "help", "kind": "button", "mode": "queue", "subportals": ["help"], "take": "any"}),
    ("portal.put", {"portal": "far", "kind": "button", "mode": "queue", "subportals": ["far"], "take": "any"}),
    ("team.put", {"team": "t1", "subportals": ["help"]}),
    ("team.put", {"team": "t2", "subportals": ["far"]}),
    ("representative.put", {"representative": "ann", "name": "Ms A", "team": "t1", "capacity": 1}),
    ("representative.put", {"representative": "bob", "name": "Mr B", "team": "t2", "capacity": 1}),
    (
        "manager.put",
        {
            "manager": "mia",
            "kind": "team",
            "teams": ["t1"],
            "rights": ["teams", "representatives", "assign", "functions"],
        },
    ),
)


async def told(*, elsewhere: bool) -> list[bytes]:
    """All that the manager of t1 receives, with or without other teams at work in the same instants."""
    own = ByPerson()
    async with broker(furnished=False, entropy=own) as b:
        own.attend(b.hub)
        people: dict[str, Taped] = {}

        async def come(name: str, role: str) -> Taped:
            client = Taped(b.transport.connect(address=f"192.0.2.{len(people) + 1}"))
            people[name] = client
            if role in ("help", "far"):
                auth: dict[str, object] = {"portal": f"acme/{role}"}
            else:
                auth = {"token": SIGNER.mint("acme", name, role, b.clock.now() + DAY)}
            client.send(frames.Hello([1], [], auth, {}))
            await trio.sleep(0.1)
            client.pump()
            return client

        boss = await come("boss", "manager")
        for op, args in SET_UP:
            await boss.do(op, **args)
        mia, ann, bob = [
            await come(*one) for one in (("mia", "manager"), ("ann", "representative"), ("bob", "representative"))
        ]
        joe, jim = await come("joe", "help"), await come("jim", "far")
        for client, stream in ((mia, "team:t1"), (mia, "me"), (mia, "subportal:help"), (ann, "me"), (bob, "me")):
            await client.do("subscribe", stream=stream, from_="now")

        async def both(here: tuple[Taped, str, dict[str, object]], there: tuple[Taped, str, dict[str, object]]) -> None:
            if elsewhere:
                there[0].sent += 1
                there[0].ask_nowait(there[1], f"k{there[0].sent}", **there[2])
            await here[0].do(here[1], **here[2])
            for client in people.values():
                client.pump()

        on: dict[str, object] = {"presence": "available"}
        await both((ann, "presence.set", on), (bob, "presence.set", on))
        await both((joe, "request.create", {"text": "x"}), (jim, "request.create", {"text": "y"}))
        await both((mia, "account.get", {}), (boss, "team.put", {"team": "t3", "subportals": [], "parent": "t2"}))
        there = bob.last("offer") if elsewhere else ""
        await both((ann, "offer.accept", {"offer": ann.last("offer")}), (bob, "offer.accept", {"offer": there}))
        await both((mia, "case.list", {"subportal": "help"}), (jim, "request.create", {"text": "z"}))
        for op, args in TRIED:
            await both((mia, op, args), (boss, "representative.put", {**SET_UP[6][1], "capacity": 2}))
        there = bob.last("session") if elsewhere else ""
        await both((ann, "session.end", {"session": ann.last("session")}), (bob, "session.end", {"session": there}))
        await both(
            (mia, "subscribe", {"stream": "team:t1", "from_": "snapshot"}), (boss, "portal.delete", {"portal": "far"})
        )
        await both((mia, "team.put", {"team": "t1", "subportals": ["help"], "logins": 3}), (boss, "manager.put", PIA))
        fired: dict[str, object] = {"representative": "bob"}
        await both((mia, "account.get", {}), (boss, "representative.delete", fired))
        await both((mia, "subscribe", {"stream": "team:t1", "from_": "offset", "offset": 0}), (boss, "account.get", {}))
        return mia.tape


PIA: dict[str, object] = {"manager": "pia", "kind": "api", "rights": ["portals"]}
TRIED: tuple[tuple[str, dict[str, object]], ...] = (
    ("case.list", {"subportal": "far"}),
    ("subscribe", {"stream": "team:t2", "from_": "now"}),
    ("subscribe", {"stream": "account", "from_": "now"}),
    ("request.why", {"request": "r_nobody"}),
    ("team.put", {"team": "t2", "subportals": ["help"]}),
    ("representative.put", {"representative": "zed", "name": "Z", "team": "t1", "capacity": 1}),
)


def life(*, elsewhere: bool) -> list[bytes]:
    """The same, from the very beginning of time."""
    return trio.run(lambda: told(elsewhere=elsewhere), clock=MockClock(autojump_threshold=0))


def test_scenario_14_what_other_teams_do_changes_no_byte_for_a_team_manager() -> None:
    alone, beside = life(elsewhere=False), life(elsewhere=True)
    assert len(alone) > 20
    assert alone == beside


def test_caught_a_snapshot_that_counts_more_than_the_manager_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault planted: a team's snapshot says how many requests there were in the whole account."""
    team = view._team

    def counting(state: Any, name: str) -> Any:
        for row in team(state, name):
            yield {**row, "offers": state.next_number}

    monkeypatch.setattr(view, "_team", counting)
    assert life(elsewhere=False) != life(elsewhere=True)
