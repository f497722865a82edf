"""A portal's form at a terminal, and the notices of the portal's state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from broker.codes import Code
from broker.protocol.frames import Notice
from clients.python.account import Choice, Field
from clients.python.console import InputError
from clients.python.console_form import Form
from tests.clients.python.fake_broker import FakeBroker
from tests.clients.python.test_console import PORTAL, REQUEST, Table

FORM = [
    {"field": "order", "type": "text", "label": "Order number", "required": True},
    {"field": "topic", "type": "choice", "label": "About", "choices": [{"choice": "bill", "label": "The bill"}]},
    {"field": "items", "type": "number", "label": "How many"},
    {"field": "sure", "type": "checkbox", "label": "Sure"},
]


@pytest.fixture
async def customer(broker: FakeBroker) -> AsyncIterator[Table]:
    async with trio.open_nursery() as nursery:
        yield _table(broker, nursery)
        nursery.cancel_scope.cancel()


def _table(broker: FakeBroker, nursery: trio.Nursery, **more: Any) -> Table:
    table = Table(broker, "customer", nursery, **more)
    table.values["portal.open"] = {**PORTAL, "state": "open", "form": FORM, "require": ["name", "email"]}
    table.values["request.create"] = {**REQUEST, "existing": False}
    return table


async def test_an_ask_asks_for_what_the_portal_wants_to_know(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()
    assert await say.type("ask It hums") == ["Your e-mail address?"]
    assert await say.type("") == ["! this must be filled in"]
    assert await say.type("kim@example.org") == ["Order number?"]
    assert await say.type("A-17") == ["About? [bill (The bill); nothing: leave it out]"]
    assert await say.type("") == ["How many? [a number; nothing: leave it out]"]
    assert await say.type("some") == ["! a number, not some"]
    assert await say.type("2") == ["Sure? [yes or no; nothing: leave it out]"]
    assert await say.type("yes") == []
    fields = {"order": "A-17", "items": 2, "sure": True}
    sent = {"text": "It hums", "name": "Kim", "email": "kim@example.org", "fields": fields}
    assert say.asked[1:] == [("request.create", sent)]


async def test_a_field_that_the_broker_refuses_is_asked_for_again(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()
    for name, value in (("order", "A-17"), ("topic", "bill"), ("items", "2"), ("sure", "no")):
        assert await say.type(f"field {name} {value}") == []
    say.refused["request.create"] = (Code.BAD_ARGS, {"path": "args.email"})
    assert await say.type("ask It hums") == ["Your e-mail address?"]
    assert await say.type("kim") == ["no. Your e-mail address?"]
    say.refused["request.create"] = (Code.BAD_ARGS, {"path": "args.fields.order"})
    assert await say.type("kim@example.org") == ["no. Order number?"]
    say.refused.clear()
    assert await say.type("B-18") == []
    args: Any = say.asked[-1][1]
    assert (args["email"], args["fields"]["order"], args["fields"]["sure"]) == ("kim@example.org", "B-18", False)
    say.refused["request.create"] = (Code.BAD_ARGS, {"path": "args.text"})
    assert (await say.type("ask It hums"), await say.type("k@example.org")) != ([], [])


async def test_a_form_is_left_with_end_and_the_console_with_quit(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()
    await say.type("ask It hums")
    assert await say.type("end") == ["You have not asked."]
    assert await say.type("position") == ["You have not asked yet."]
    await say.type("ask It hums")
    assert await say.type("quit") == []
    assert [op for op, _ in say.asked] == ["portal.open"]


async def test_a_program_fills_the_form_in_before_it_asks(autojump_clock: MockClock, broker: FakeBroker) -> None:
    async with trio.open_nursery() as nursery:
        say = _table(broker, nursery, as_json=True)
        await say.settle()
        for line in ("field email kim@example.org", "field order A-17", "field order", "field order A-18", "ask Hm"):
            await say.type(line)
        fields = {"order": "A-18"}
        sent = {"text": "Hm", "name": "Kim", "email": "kim@example.org", "fields": fields}
        assert say.asked[-1] == ("request.create", sent)
        (told,) = await say.type("field nosuch 1")
        assert "there is order, topic, items, sure, name, email" in told
        (told,) = await say.type("field items some")
        assert "a number, not some" in told
        nursery.cancel_scope.cancel()


async def test_the_portals_state_is_told_when_it_is_another(autojump_clock: MockClock, customer: Table) -> None:
    say = customer
    await say.settle()

    async def turns(state: str, **more: object) -> list[str]:
        await say.broker.peers[0].send(
            Notice("me", "portal", "portal.state", {"portal": "help", "state": state, **more})
        )
        return await say.settle()

    assert await turns("open") == []
    (closing,) = await turns("closing", closes=1_700_000_000_000)
    assert closing.startswith("This closes soon at ")
    assert await turns("closing") == []
    assert await turns("full") == ["The line is full now."]
    (closed,) = await turns("closed", opens=1_700_000_000_000)
    assert closed.startswith("This is closed now. It opens ")
    assert await turns("closed") == []
    assert await turns("open") == ["This is open now."]


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        (Field("f", "text", "F"), " a b ", "a b"),
        (Field("f", "number", "F"), "7", 7),
        (Field("f", "number", "F"), "7.5", 7.5),
        (Field("f", "checkbox", "F"), "Y", True),
        (Field("f", "checkbox", "F"), "no", False),
        (Field("f", "date", "F"), "2026-12-24", "2026-12-24"),
        (Field("f", "choice", "F", choices=(Choice("a", "A"),)), "a", "a"),
    ],
)
def test_what_is_typed_becomes_the_value_of_its_field(field: Field, typed: str, value: object) -> None:
    form = Form.of((field,), (), {})
    form.answer(typed)
    assert (form.given, form.question) == ({"f": value}, None)


@pytest.mark.parametrize(("kind", "typed"), [("number", "x"), ("checkbox", "maybe")])
def test_what_is_no_value_of_its_field_leaves_the_question(kind: Any, typed: str) -> None:
    form = Form.of((Field("f", kind, {"en": "F"}),), (), {})
    with pytest.raises(InputError):
        form.answer(typed)
    assert form.question is not None
    assert form.question.startswith("?")


def test_a_field_of_the_form_named_as_what_the_portal_requires_is_another_one() -> None:
    form = Form.of((Field("email", "text", "Whose"),), ("email", "text"), {})
    form.answer("kim@example.org")
    form.answer("lea@example.org")
    assert (form.about, form.given) == ({"email": "kim@example.org"}, {"email": "lea@example.org"})
    assert not form.again((), "args.fields.nosuch")
    assert "kim@" not in repr(form)
