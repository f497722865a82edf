"""The manager's console, and passwords that are chosen at one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Code
from clients.python import terminal
from tests.clients.python.fake_broker import FakeBroker
from tests.clients.python.sign_ins import PASSWORD, SignIns
from tests.clients.python.test_console import Table

SETUP: dict[str, Any] = {
    "account": {"modes": []},
    "portals": [{"portal": "help", "kind": "ask", "mode": "queue", "subportals": ["orders", "returns"]}],
    "teams": [{"team": "first"}, {"team": "night", "parent": "first"}],
    "representatives": [{"representative": "ann", "name": "Ann", "team": "first"}],
}
WAITING = {"request": "r_1", "position": 1, "state": "waiting"}


def table(broker: FakeBroker, nursery: trio.Nursery, **more: Any) -> Table:
    made = Table(broker, more.pop("as_role", "manager"), nursery, **more)
    made.values["account.get"] = SETUP
    made.values["case.list"] = {"requests": [WAITING]}
    made.values["sign_in.list"] = {"sign_ins": [{"sign_in": "n_1", "how": "password", "network": "192.0.2.0/24"}]}
    made.values["sign_in.end"] = {"ended": 2}
    made.values["case.assign"] = {"request": "r_1", "session": "s_1"}
    return made


@pytest.fixture
async def manager(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        yield table(broker, nursery)
        nursery.cancel_scope.cancel()


async def test_a_manager_looks_on_in_a_session_and_reads_what_is_said(
    autojump_clock: MockClock, manager: Table
) -> None:
    say = manager
    await say.settle()
    assert await say.type("monitor") == ["! monitor SESSION"]
    assert await say.type("monitor s_1") == ["you look on; nobody is told"]
    said = {"session": "s_1", "message_seq": 1, "role": "customer", "text": "help"}
    assert await say.happens("session:s_1", "chat.message", **said) == ["s_1 customer: help"]
    note = {"session": "s_1", "by": "ann", "text": "hm"}
    assert await say.happens("session:s_1:staff", "note.added", **note) == ["s_1 ann notes: hm"]
    ended = {"session": "s_1", "request": "r_1", "reason": "customer"}
    assert await say.happens("session:s_1", "session.ended", **ended) == ["s_1 is over for you (customer)"]
    say.values["session.monitor"] = {"session": "s_1", "announced": True}
    assert await say.type("monitor s_1") == ["you look on; they are told"]
    assert await say.type("unmonitor s_1") == []
    assert [op for op, _ in say.asked[1:]] == ["session.monitor", "session.monitor", "session.monitor_end"]


async def test_a_manager_sees_what_it_manages_and_does_something_about_it(
    autojump_clock: MockClock, manager: Table
) -> None:
    say = manager
    assert await say.settle() == [
        "You are ann of acme, a manager. help lists the commands.",
        "portal help: ask in queue mode, orders, returns",
        "team first: ann",
        "team night (of first): nobody",
    ]
    assert await say.type("waiting orders") == ["1. r_1 (waiting)"]
    assert await say.type("assign r_1 ann") == []
    assert await say.type("functions ann help") == ["chat: on (portal p and default representative)"]
    assert await say.type("signins ann") == ["n_1 by password, from 192.0.2.0/24"]
    assert await say.type("signout ann") == ["signed out of 2"]
    assert await say.type("assign r_1") == ["! assign REQUEST REPRESENTATIVE"]
    assert await say.type("password") == ["! a password is chosen at a terminal, where it isn't shown"]
    assert say.asked[1:] == [
        ("case.list", {"subportal": "orders"}),
        ("case.assign", {"request": "r_1", "representative": "ann"}),
        ("function.effective", {"representative": "ann", "portal": "help"}),
        ("sign_in.list", {"person": "ann"}),
        ("sign_in.end", {"person": "ann"}),
    ]
    say.values |= {"case.list": {"requests": []}, "sign_in.list": {"sign_ins": []}}
    assert await say.type("waiting orders") == ["nobody waits there"]
    assert await say.type("signins ann") == ["nowhere"]
    say.refused["account.get"] = (Code.NOT_ALLOWED, {})
    assert await say.type("setup") == ["! account.get: no (2401)"]
    await say.happens("account", "thing.happened")


async def test_a_program_reads_it_as_json(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = table(broker, nursery, as_json=True)
        (setup,) = await say.settle()
        assert '"subportals": ["orders", "returns"]' in setup
        for line in ("waiting orders", "signins ann", "signout ann", "functions ann help"):
            (told,) = await say.type(line)
            assert told.startswith('{"command": ')
        nursery.cancel_scope.cancel()


def typing(*answers: str) -> Any:
    """Somebody at a terminal."""
    left = list(answers)

    async def ask(words: str) -> str:
        return left.pop(0)

    return ask


async def test_a_password_is_chosen_twice_the_same(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = table(broker, nursery, secret=typing("old", "new", "nwe", "old", "new", "new"))
        await say.settle()
        assert await say.type("password") == ["! these two were different: nothing is changed"]
        assert await say.type("password") == [
            "Your password is changed; wherever else you were signed in, you are not any more."
        ]
        assert say.asked[1:] == [("password.set", {"new": "new", "old": "old"})]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("role", ["representative", "manager"])
async def test_a_password_that_somebody_else_chose_is_changed_before_anything_else(
    autojump_clock: MockClock, broker: FakeBroker, role: str
) -> None:
    async with trio.open_nursery() as nursery:
        options = {"token": None, "as_role": role, "login": "ann", "account": "acme", "password": PASSWORD}
        say = table(broker, nursery, secret=typing(PASSWORD, "a", "b", PASSWORD, "New-One 1", "New-One 1"), **options)
        handle = broker.handler
        sign_ins = SignIns(broker, restricted=True)
        restrict = sign_ins.handle
        broker.handler = lambda peer, request: restrict(peer, request) or handle(peer, request)
        said = await say.settle()
        assert said[:3] == [
            "Somebody else chose your password: choose one of your own.",
            "! these two were different: nothing is changed",
            "Your password is changed; wherever else you were signed in, you are not any more.",
        ]
        assert said[3].startswith("You are ann of acme")
        assert say.asked[0] == ("password.set", {"new": "New-One 1", "old": PASSWORD})
        nursery.cancel_scope.cancel()
    assert broker.auths == [{"login": {"account": "acme", "role": role, "person": "ann", "password": PASSWORD}}]


async def test_without_a_terminal_a_password_that_must_be_changed_is_an_end(
    autojump_clock: MockClock, broker: FakeBroker
) -> None:
    options = {"token": None, "login": "ann", "account": "acme", "password": PASSWORD}

    async def play() -> None:
        async with trio.open_nursery() as nursery:
            say = table(broker, nursery, **options)
            SignIns(broker, restricted=True)
            await say.settle()

    with pytest.RaisesGroup(pytest.RaisesExc(terminal.WrongConsoleError, match="at a terminal")):
        await play()
