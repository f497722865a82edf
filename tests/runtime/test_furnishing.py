"""A desk file is applied through the manager operations, and only where it differs."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pytest
from trio.testing import MockClock

from broker.protocol import frames
from broker.runtime.furnishing import FurnishError, furnish
from tests.runtime.harness import Broker, broker


@attrs.frozen
class Put:
    """One table of a file."""

    op: str
    args: Mapping[str, Any]
    where: str = "portal[0]"


FILE = (
    Put("portal.put", {"portal": "p", "title": "Help", "kind": "ask", "mode": "queue", "subportals": ["p-1"]}),
    Put(
        "portal.put",
        {
            "portal": "q",
            "kind": "button",
            "mode": "web",
            "subportals": ["q-1"],
            "form": [{"field": "order", "type": "text", "label": "Order"}],
            "texts": {"en": {"welcome": "Hello"}},
        },
        "portal[1]",
    ),
    Put("team.put", {"team": "t", "title": "All", "subportals": ["p-1"]}),
    Put(
        "representative.put",
        {"representative": "ann", "name": "Ann", "team": "t", "capacity": 2, "email": "ann@example.org"},
    ),
    Put(
        "manager.put",
        {
            "manager": "boss",
            "kind": "account",
            "name": "Bo",
            "email": "bo@example.org",
            "rights": ["api_managers"],
        },
        "manager[0]",
    ),
    Put("manager.put", {"manager": "robot", "kind": "api", "rights": ["portals"]}, "manager[1]"),
    Put("service.put", {"service": "crm", "scopes": ["events"]}, "service[0]"),
)


def apply(b: Broker, puts: Sequence[Put]) -> int:
    """How many changed something."""
    return furnish(b.hub.accounts["acme"], puts, b.hub.conductor, os.urandom)


def changed(index: int, **args: object) -> list[Put]:
    """The file with one table changed."""
    puts = list(FILE)
    puts[index] = attrs.evolve(puts[index], args={**puts[index].args, **args})
    return puts


async def test_what_is_there_already_is_not_done_again(autojump_clock: MockClock) -> None:
    async with broker(furnished=False) as b:
        assert apply(b, FILE) == len(FILE)
        seq = b.hub.accounts["acme"].seq
        assert apply(b, FILE) == 0
        assert b.hub.accounts["acme"].seq == seq


@pytest.mark.parametrize(
    "puts",
    [
        changed(0, title="Support"),
        changed(0, subportals=["p-1", "p-2"]),
        changed(0, offer_ms=5000),
        changed(1, form=[{"field": "order", "type": "text", "label": "Number"}]),
        changed(1, texts={"en": {"welcome": "Hello!"}}),
        changed(1, texts=None),
        changed(2, title="Everyone"),
        changed(2, subportals=[]),
        changed(3, name="Anna"),
        changed(3, capacity=3),
        changed(2, functions={"chat": False}),
        changed(3, weight=2),
        changed(3, skills=[{"skill": "german", "level": 5}]),
        changed(3, functions={"chat": False}),
        changed(3, management=True),
        changed(3, email="anna@example.org"),
        changed(4, name="Bob"),
        changed(4, email="bob@example.org"),
        changed(4, rights=[]),
        changed(5, name="Robot"),
        changed(6, scopes=[]),
    ],
)
async def test_one_difference_is_one_change(autojump_clock: MockClock, puts: list[Put]) -> None:
    async with broker(furnished=False) as b:
        apply(b, FILE)
        assert apply(b, puts) == 1
        assert apply(b, puts) == 0


async def test_managers_see_who_did_it(autojump_clock: MockClock) -> None:
    async with broker(furnished=False) as b:
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="account", from_="now")
        apply(b, FILE)
        b.transport.wake()
        event = await boss.expect(frames.Event, type="portal.changed")
        assert event.data["by"] == "desk-file"


async def test_what_the_desk_refuses_is_told_with_its_place(autojump_clock: MockClock) -> None:
    async with broker(furnished=False) as b:
        wrong = Put("team.put", {"team": "t", "subportals": ["nowhere"]}, "team[0]")
        with pytest.raises(FurnishError, match=r"account acme, team\[0\]: .*sub-portal"):
            apply(b, [wrong])


async def test_the_audit_has_it_as_the_operators_from_here(autojump_clock: MockClock) -> None:
    async with broker(furnished=False) as b:
        apply(b, FILE)
        boss = await b.staff("boss", "manager")
        await boss.ask("subscribe", stream="audit", from_="now")
        apply(b, changed(3, capacity=3))
        b.transport.wake()
        said = (await boss.expect(frames.Event, type="audit.recorded")).data
        assert (said["person"], said["role"], said["network"]) == ("desk-file", "operator", "here")
        assert (said["op"], said["object"]) == ("representative.put", "ann")


async def test_who_was_let_go_is_not_brought_back_by_the_file(autojump_clock: MockClock) -> None:
    async with broker(furnished=False) as b:
        apply(b, FILE)
        boss = await b.staff("boss", "manager")
        await boss.write("representative.delete", representative="ann")
        await boss.write("service.delete", service="crm")
        await boss.write("manager.delete", manager="robot")
        left: list[object] = []
        assert furnish(b.hub.accounts["acme"], FILE, b.hub.conductor, os.urandom, left.append) == 0
        assert left == [FILE[3], FILE[5], FILE[6]]
